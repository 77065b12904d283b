"""assign and verify: the draw, its record, what the log says of it, and anybody's check of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError
from evaluation.drawn import (
    ALLOCATION,
    RECORD,
    build_current_allocation,
    read_allocation_record,
    read_later_steps,
)
from evaluation.provenance import stage_folder
from evaluation.specifications import build_design
from evaluation.stages import inputs_of
from evaluation.stages.agreement import (
    find_design_problems,
    find_exchanged_arms,
    find_school_problems,
    refuse_disagreement,
)
from evaluation.stages.commit import (
    COMMITMENT,
    find_pending_commitment,
    read_checked_schools,
    read_committed_schools,
    read_draw_files,
    refuse_to_undo,
)
from evaluation.stages.verify import last_draw, log_problems
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.folder import TrialFolder
    from randomisation.draw import Allocation
    from randomisation.log import LogEntry
    from randomisation.record import AllocationRecord


def assign(trial: TrialFolder, *, seed: str, reason: str, reveal: bool = False) -> Allocation:
    """Draw the schools' arms, or adopt the draw that was made elsewhere, with its record and a line in the log.

    The same draw made again changes nothing. Another one needs a reason, which the log keeps. With ``reveal`` only
    what was committed to is drawn; after a commitment nothing else can be.

    Raises
    ------
    DesignError
        When no seed is stated, the design cannot be drawn, or a draw was made before and no reason is given.
    """
    log = trial.log().checked()
    waiting = find_pending_commitment(log)
    if waiting is not None and not reveal:
        raise DesignError(
            "allocation",
            f"schools and design were committed to at {waiting.time}, and wait for their seed.",
            "Draw with `crocoos assign --reveal --seed ...`. If other schools or another design must be drawn, say why:"
            " `crocoos assign --commit --reason TEXT`.",
        )
    before = read_allocation_record(trial)
    drawn = last_draw(log)
    seed = seed or trial.protocol.design.seed or ("" if waiting is not None else _find_recorded_seed(before, drawn))
    again = reveal and waiting is None and before is not None and before.seed == seed
    schools = read_committed_schools(trial, log) if reveal and not again else read_checked_schools(trial)
    allocation, record = _draw_or_adopt(trial, schools, seed=seed)
    if waiting is None and before is not None:
        if before.is_same_draw(record):
            _make_again(trial, allocation, before, log)
            return allocation
        refuse_to_undo(trial)
    is_named = drawn is not None and _is_named(record, drawn)
    if waiting is None and (drawn is not None or before is not None) and not is_named and not reason.strip():
        raise _build_redraw_error(trial, before, seed=_find_recorded_seed(before, drawn), wanted=seed)
    if waiting is None and drawn is not None and is_named:
        record = _as_named(record, drawn)
        refuse_disagreement("allocation", find_exchanged_arms(record.design.labels, trial.protocol))
    _write(trial, allocation, record, logged=_build_draw_entry(log, record, reason=reason))
    return allocation


def _find_recorded_seed(before: AllocationRecord | None, drawn: LogEntry | None) -> str:
    """Return the seed of the draw that there is, by its record or by the log; "" before the first."""
    if before is not None:
        return before.seed
    return drawn.detail.get("seed", "") if drawn is not None else ""


def _make_again(trial: TrialFolder, allocation: Allocation, record: AllocationRecord, log: Sequence[LogEntry]) -> None:
    """Write the files of a draw again if they are not fresh: from its record, which keeps the labels of then."""
    problems = [*find_exchanged_arms(record.design.labels, trial.protocol), *log_problems(log, record)]
    refuse_disagreement("allocation", problems)
    if not _is_allocation_fresh(trial):
        _write(trial, allocation, record)


def _build_redraw_error(trial: TrialFolder, before: AllocationRecord | None, *, seed: str, wanted: str) -> DesignError:
    """Return the error for a draw that would not be the one that was made, with what has changed since."""
    changed = (
        [] if before is None else [*find_design_problems(before, trial.protocol), *find_school_problems(trial, before)]
    )
    keep = "put back what was changed" if changed else ""
    if not changed and wanted != seed:
        by = "[design] of trial.toml states" if wanted == trial.protocol.design.seed else "--seed states"
        changed = [f"Its seed is another one: {by} '{wanted}'."]
        keep = f"its seed is '{seed}'; state that one"
    why = f" {changed[0]}" if changed else ""
    return DesignError(
        f"allocation/{RECORD}",
        f"the schools were drawn before (seed '{seed}'), and this draw would be another one.{why}",
        f"Keep the first draw{f': {keep}' if keep else ''}. If it must be replaced, say why: "
        "`crocoos assign --seed ... --reason TEXT`. Log and reports will show it.",
    )


def _draw_or_adopt(trial: TrialFolder, schools: pd.DataFrame, *, seed: str) -> tuple[Allocation, AllocationRecord]:
    from randomisation.draw import allocate
    from randomisation.record import AllocationRecord, adopt

    design = build_design(trial.protocol)
    if not trial.protocol.design.method.is_drawn_here:
        allocation = adopt(schools, design, arms=_read_recorded_arms(trial))
        return allocation, AllocationRecord.of(allocation)
    if not seed.strip():
        raise DesignError(
            "trial.toml, [design], key 'seed'",
            "no seed is stated.",
            "State one that everybody can check, such as the numbers of a public lottery: there, or with"
            " `crocoos assign --seed ...`.",
        )
    allocation = allocate(schools, design, seed=seed)
    return allocation, AllocationRecord.of(allocation)


def _read_recorded_arms(trial: TrialFolder) -> Mapping[str, str]:
    import pandas as pd

    path = trial.paths.root / trial.protocol.design.allocation
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(path.name, "there is no such file.", "Put the recorded draw there.") from error
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(path.name, f"it cannot be read as CSV: {error}", "Save it as CSV in UTF-8.") from error
    missing = [name for name in ("school_id", "arm") if name not in frame.columns]
    if missing:
        raise DataError(path.name, f"there is no column '{missing[0]}'.", "Give it the columns school_id and arm.")
    repeated = frame.loc[frame["school_id"].duplicated(), "school_id"]
    if len(repeated):
        raise DataError(path.name, f"the school '{repeated.iloc[0]}' is listed twice.", "List each school once.")
    return dict(zip(frame["school_id"], frame["arm"], strict=True))


def _is_allocation_fresh(trial: TrialFolder) -> bool:
    from evaluation.stages import statuses

    return next(status for status in statuses(trial) if status.stage == "assign").state == "fresh"


def _is_named(record: AllocationRecord, entry: LogEntry) -> bool:
    """Return whether an entry of the log is of this draw, whatever its arms were called."""
    return all(entry.detail.get(name) == value for name, value in record.facts.items() if name != "arm_labels")


def _as_named(record: AllocationRecord, entry: LogEntry) -> AllocationRecord:
    """Return a record with the labels that the log says the arms had when they were drawn."""
    return replace(record, design=record.design.relabelled(json.loads(entry.detail["arm_labels"])))


def _build_draw_entry(
    log: Sequence[LogEntry], record: AllocationRecord, *, reason: str
) -> tuple[Event, Mapping[str, str]] | None:
    """Return what the log is to say of a draw; None when its last draw is this one."""
    from randomisation.commitment import compute_commitment_hash

    waiting, drawn = find_pending_commitment(log), last_draw(log)
    if waiting is None and drawn is not None and _is_named(record, drawn):
        return None
    detail = {**record.facts, "reason": reason.strip()}
    if waiting is not None:
        detail["commitment_sha256"] = compute_commitment_hash(record)
        detail["reason"] = detail["reason"] or waiting.detail.get("reason", "")
    return (Event.DRAWN if record.drawn == "here" else Event.ADOPTED), detail


def _write(
    trial: TrialFolder,
    allocation: Allocation,
    record: AllocationRecord,
    *,
    logged: tuple[Event, Mapping[str, str]] | None = None,
) -> None:
    """Write the draw, and before it is there the line of the log that tells of it."""
    announce = build_log_announcement(trial, *logged) if logged is not None else None
    inputs = inputs_of(trial, "assign")
    with stage_folder(trial.paths.allocation, stage="assign", inputs=inputs, announce=announce) as folder:
        for name, content in read_draw_files(trial.paths.allocation).items():
            if name == COMMITMENT or name.startswith("later_"):
                (folder / name).write_bytes(content)
        steps = read_later_steps(trial)
        table = build_current_allocation(trial, steps) if steps else allocation.to_frame()
        table.to_csv(folder / ALLOCATION, index=False, lineterminator="\n")
        text = json.dumps(record.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8", newline="\n")
