"""assign and verify: the draw, its record, what the log says of it, and anybody's check of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, DataError, DesignError, StaleError
from data_schema.files import storage_error
from evaluation.frame import drawn_from
from evaluation.provenance import read_record, sha256, stage_folder
from evaluation.specifications import design_of
from evaluation.stages import inputs_of
from evaluation.stages.agreement import (
    checked_record,
    design_problems,
    exchanges,
    refuse_disagreement,
    rewordings,
    school_problems,
    table_problems,
)
from evaluation.stages.commit import (
    COMMITMENT,
    checked_schools,
    committed_schools,
    kept_files,
    pending,
    refuse_to_undo,
)
from evaluation.stages.later import Later, Place, later_notes, later_problems, later_steps, participants
from evaluation.trial_log import DRAWS, LOG, Event, announced

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.trial import Trial
    from randomisation.draw import Allocation
    from randomisation.log import LogEntry
    from randomisation.record import AllocationRecord, Verification

ALLOCATION, RECORD = "allocation.csv", "record.json"


def assign(trial: Trial, *, seed: str, reason: str, reveal: bool = False) -> Allocation:
    """Draw the schools' arms, or adopt the draw that was made elsewhere, with its record and a line in the log.

    The same draw made again changes nothing. Another one needs a reason, which the log keeps. With ``reveal`` only
    what was committed to is drawn; after a commitment nothing else can be.

    Raises
    ------
    DesignError
        When no seed is stated, the design cannot be drawn, or a draw was made before and no reason is given.
    """
    log = trial.log().checked()
    waiting = pending(log)
    if waiting is not None and not reveal:
        raise DesignError(
            "allocation",
            f"schools and design were committed to at {waiting.time}, and wait for their seed.",
            "Draw with `crocoos assign --reveal --seed ...`. If other schools or another design must be drawn, say why:"
            " `crocoos assign --commit --reason TEXT`.",
        )
    before = read_allocation_record(trial)
    drawn = _last_draw(log)
    seed = seed or trial.protocol.design.seed or ("" if waiting is not None else _recorded_seed(before, drawn))
    again = reveal and waiting is None and before is not None and before.seed == seed
    schools = committed_schools(trial, log) if reveal and not again else checked_schools(trial)
    allocation, record = _drawn(trial, schools, seed=seed)
    if waiting is None and before is not None:
        if before.is_same_draw(record):
            _make_again(trial, allocation, before, log)
            return allocation
        refuse_to_undo(trial)
    is_named = drawn is not None and _is_named(record, drawn)
    if waiting is None and (drawn is not None or before is not None) and not is_named and not reason.strip():
        raise _another_draw(trial, before, seed=_recorded_seed(before, drawn), wanted=seed)
    if waiting is None and drawn is not None and is_named:
        record = _as_named(record, drawn)
        refuse_disagreement("allocation", exchanges(record.design.labels, trial.protocol))
    _write(trial, allocation, record, logged=_told(log, record, reason=reason))
    return allocation


def _recorded_seed(before: AllocationRecord | None, drawn: LogEntry | None) -> str:
    """Return the seed of the draw that there is, by its record or by the log; "" before the first."""
    if before is not None:
        return before.seed
    return drawn.detail.get("seed", "") if drawn is not None else ""


def _make_again(trial: Trial, allocation: Allocation, record: AllocationRecord, log: Sequence[LogEntry]) -> None:
    """Write the files of a draw again if they are not fresh: from its record, which keeps the labels of then."""
    problems = [*exchanges(record.design.labels, trial.protocol), *_log_problems(log, record)]
    refuse_disagreement("allocation", problems)
    if not _fresh(trial):
        _write(trial, allocation, record)


def _another_draw(trial: Trial, before: AllocationRecord | None, *, seed: str, wanted: str) -> DesignError:
    """Return the error for a draw that would not be the one that was made, with what has changed since."""
    changed = [] if before is None else [*design_problems(before, trial.protocol), *school_problems(trial, before)]
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


def _drawn(trial: Trial, schools: pd.DataFrame, *, seed: str) -> tuple[Allocation, AllocationRecord]:
    from randomisation.draw import allocate
    from randomisation.record import AllocationRecord, adopt

    design = design_of(trial.protocol)
    if not trial.protocol.design.method.is_drawn_here:
        allocation = adopt(schools, design, arms=_recorded_arms(trial))
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


def _recorded_arms(trial: Trial) -> Mapping[str, str]:
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


def _fresh(trial: Trial) -> bool:
    from evaluation.stages import statuses

    return next(status for status in statuses(trial) if status.stage == "assign").state == "fresh"


def _last_draw(log: Sequence[LogEntry]) -> LogEntry | None:
    """Return what the log says of the last draw; None without any."""
    found = [entry for entry in log if entry.event in DRAWS]
    again = [one for one in log if one.event == Event.BEGUN_AGAIN and "allocation_sha256" in one.detail]
    return found[-1] if found else again[0] if again else None


def _is_named(record: AllocationRecord, entry: LogEntry) -> bool:
    """Return whether an entry of the log is of this draw, whatever its arms were called."""
    return all(entry.detail.get(name) == value for name, value in record.facts.items() if name != "arm_labels")


def _as_named(record: AllocationRecord, entry: LogEntry) -> AllocationRecord:
    """Return a record with the labels that the log says the arms had when they were drawn."""
    return replace(record, design=record.design.relabelled(json.loads(entry.detail["arm_labels"])))


def _told(log: Sequence[LogEntry], record: AllocationRecord, *, reason: str) -> tuple[Event, Mapping[str, str]] | None:
    """Return what the log is to say of a draw; None when its last draw is this one."""
    from randomisation.commitment import commitment_hash

    waiting, drawn = pending(log), _last_draw(log)
    if waiting is None and drawn is not None and _is_named(record, drawn):
        return None
    detail = {**record.facts, "reason": reason.strip()}
    if waiting is not None:
        detail["commitment_sha256"] = commitment_hash(record)
        detail["reason"] = detail["reason"] or waiting.detail.get("reason", "")
    return (Event.DRAWN if record.drawn == "here" else Event.ADOPTED), detail


def _write(
    trial: Trial,
    allocation: Allocation,
    record: AllocationRecord,
    *,
    logged: tuple[Event, Mapping[str, str]] | None = None,
) -> None:
    """Write the draw, and before it is there the line of the log that tells of it."""
    announce = announced(trial, *logged) if logged is not None else None
    inputs = inputs_of(trial, "assign")
    with stage_folder(trial.paths.allocation, stage="assign", inputs=inputs, announce=announce) as folder:
        for name, content in kept_files(trial.paths.allocation).items():
            if name == COMMITMENT or name.startswith("later_"):
                (folder / name).write_bytes(content)
        steps = later_steps(trial)
        table = current_allocation(trial, steps) if steps else allocation.to_frame()
        table.to_csv(folder / ALLOCATION, index=False, lineterminator="\n")
        text = json.dumps(record.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8", newline="\n")


def read_allocation_record(trial: Trial) -> AllocationRecord | None:
    """Return the record of the draw; None before the draw.

    Raises
    ------
    DesignError
        When the record cannot be read.
    """
    from randomisation.record import AllocationRecord

    path = trial.paths.allocation / RECORD
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
        if not isinstance(values, Mapping):
            raise _damaged(f"allocation/{RECORD}")
        return AllocationRecord.from_dict(values)
    except OSError as error:
        raise storage_error(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(f"allocation/{RECORD}") from error


def drawn_record(trial: Trial) -> AllocationRecord:
    """Return the record of the draw.

    Raises
    ------
    StaleError
        When no draw has been made.
    DesignError
        When the record cannot be read.
    """
    record = read_allocation_record(trial)
    if record is None:
        raise StaleError("allocation", "the schools have not been drawn.", "Run `crocoos assign` first.")
    return record


def _damaged(place: str) -> DesignError:
    return DesignError(place, "it cannot be read; it was damaged or edited.", "Bring it back from a copy.")


def allocation_frame(trial: Trial) -> pd.DataFrame:
    """Return school_id, stratum and arm of the schools that take part, sorted by school, from the records of the draws.

    Raises
    ------
    StaleError
        When no draw has been made, or protocol and schools are not those of the draw any more.
    """
    checked_record(trial)
    return current_allocation(trial, later_steps(trial))


def verify(trial: Trial) -> Verification:
    """Draw again from the record and the frame, and check the table and the log's chain against the record.

    What cannot be read, or is gone though a draw was made, is a problem like any other.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    from randomisation.record import Verification
    from randomisation.record import verify as verify_record

    log = trial.log()
    try:
        record = drawn_record(trial)
        steps, schools = later_steps(trial), drawn_from(trial)
    except StaleError:
        if not (_last_draw(log.entries) or (trial.paths.allocation / ALLOCATION).exists()):
            raise
        gone = f"allocation/{RECORD} is gone, though schools were drawn. Bring it back from a copy."
        return Verification(ok=False, problems=(gone, *(f"{LOG}: {problem}" for problem in log.problems)))
    except CrocoosError as error:
        return Verification(ok=False, problems=(str(error), *(f"{LOG}: {problem}" for problem in log.problems)))
    found = verify_record(record, schools)
    problems = [*found.problems, *design_problems(record, trial.protocol)]
    problems += [*_table_problems(trial), *(f"{LOG}: {problem}" for problem in log.problems)]
    if log.is_usable:
        problems += [*_log_problems(log.entries, record), *later_problems(trial, log.entries)]
    problems += _changed_files(trial)
    notes = (*(found.notes if not problems else ()), *rewordings(record, trial.protocol))
    said = (*notes, *(_history(log.entries) if log.is_usable else ()), *later_notes(steps))
    return replace(found, ok=not problems, problems=tuple(problems), notes=said)


def _log_problems(log: Sequence[LogEntry], record: AllocationRecord) -> list[str]:
    """Compare the last draw in the log, and the commitment that it names, with the record."""
    from randomisation.commitment import commitment_hash

    last = _last_draw(log)
    if last is None or last.detail.get("allocation_sha256") != record.allocation_sha256:
        return ["The last draw in the log is not the one in the record."]
    detail, problems = last.detail, []
    if any(detail.get(name) != value for name, value in record.facts.items()):
        problems.append(
            "The record's frame, design, seed or labels of arms are not those in the log: one of them was changed."
        )
    committed = detail.get("commitment_sha256")
    if committed:
        earlier = [entry for entry in log[: last.sequence - 1] if entry.event == Event.COMMITTED]
        if not earlier or earlier[-1].detail.get("commitment_sha256") != committed:
            problems.append("No commitment to this frame and design precedes the draw in the log.")
        if commitment_hash(record) != committed:
            problems.append("The record is not of the frame and design that were committed to.")
    return problems


def _changed_files(trial: Trial) -> list[str]:
    """Return files of the stage that are not as they were written; line ends of another system do not matter."""
    folder = trial.paths.allocation
    stage = read_record(folder)
    if stage is None:
        return ["allocation/stage.json is missing or damaged."]
    wrong = []
    for name, digest in stage.outputs.items():
        content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if digest not in (sha256(content), sha256(content.replace(b"\r\n", b"\n"))):
            wrong.append(f"allocation/{name} is not as it was written.")
    return wrong


def _history(log: Sequence[LogEntry]) -> tuple[str, ...]:
    """Return whether a commitment preceded the draw, and how often anybody drew."""
    again = next((entry for entry in log if entry.event == Event.BEGUN_AGAIN), None)
    if again is not None:
        why = f"The log was lost and begun again at {again.time} ({again.detail['reason']})"
        return (f"{why}: nothing shows whether a commitment preceded the draw, nor how often anybody drew.",)
    draws = [entry for entry in log if entry.event in DRAWS]
    notes = []
    if draws and draws[-1].event == "drawn":
        committed = draws[-1].detail.get("commitment_sha256", "")
        earlier = [entry for entry in log if entry.event == Event.COMMITTED and entry.sequence < draws[-1].sequence]
        if committed and earlier:
            source = earlier[-1].detail.get("seed_source", "")
            announced = f" The seed was to come from: {source}." if source else ""
            notes.append(
                f"Schools and design were committed to at {earlier[-1].time} (SHA-256 {committed}), "
                f"before the draw at {draws[-1].time}.{announced}"
            )
        else:
            notes.append("No commitment preceded the draw: nothing here shows that the seed was not chosen.")
    if len(draws) > 1:
        reasons = "; ".join(f"{entry.time}: {entry.detail.get('reason') or 'no reason given'}" for entry in draws[1:])
        notes.append(f"The schools were drawn {len(draws)} times. Drawn again: {reasons}.")
    return tuple(notes)


def current_allocation(trial: Trial, steps: Sequence[Later]) -> pd.DataFrame:
    """Return who takes part, with stratum and arm, from the records of the draw and of what came after it."""
    import pandas as pd

    places = places_of(trial, steps)
    rows = [(school, place.stratum, place.arm) for school, place in places.items()]
    return pd.DataFrame(rows, columns=["school_id", "stratum", "arm"])


def places_of(trial: Trial, steps: Sequence[Later]) -> dict[str, Place]:
    """Return every school that takes part with its place in the draws, sorted by school."""
    from randomisation.record import stratum_labels

    record = drawn_record(trial)
    return participants(record, steps, stratum_labels(record))


def _table_problems(trial: Trial) -> list[str]:
    """Compare allocation.csv, every column and row of it, with the records."""
    import pandas as pd

    path = trial.paths.allocation / ALLOCATION
    if not path.exists():
        return [f"{ALLOCATION} is missing."]
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return [f"{ALLOCATION} cannot be read."]
    return table_problems(ALLOCATION, frame, current_allocation(trial, later_steps(trial)))
