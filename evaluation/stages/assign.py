"""assign and verify: the draw, its record, its log, and anybody's check of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError, StaleError
from evaluation.frame import eligible
from evaluation.provenance import sha256_of, stage_folder
from evaluation.specifications import design_of
from evaluation.stages import inputs_of

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.trial import Trial
    from randomisation.draw import Allocation
    from randomisation.log import LogEntry
    from randomisation.record import AllocationRecord, Verification

ALLOCATION, RECORD, LOG = "allocation.csv", "record.json", "log.jsonl"


def assign(trial: Trial, *, seed: str, reason: str) -> Allocation:
    """Draw the schools' arms, or adopt the draw that was made elsewhere, with its record and a line in the log.

    The same draw made again changes nothing. Another one needs a reason, which the log keeps.

    Raises
    ------
    DesignError
        When no seed is stated, the design cannot be drawn, or a draw was made before and no reason is given.
    """
    schools = eligible(trial.schools()[0])
    allocation, record = _drawn(trial, schools, seed=seed or trial.protocol.design.seed)
    log = read_log(trial)
    before = read_allocation_record(trial)
    if before is not None and before.allocation_sha256 == record.allocation_sha256 and before.seed == record.seed:
        if _fresh(trial):
            return allocation
    elif before is not None and not reason.strip():
        raise DesignError(
            f"allocation/{RECORD}",
            f"the schools were drawn before (seed '{before.seed}'), and this draw would be another one.",
            "Keep the first draw. If it must be replaced, say why with --reason; log and reports will show it.",
        )
    _write(trial, allocation, record, _logged(trial, log, record, reason=reason))
    return allocation


def _drawn(trial: Trial, schools: pd.DataFrame, *, seed: str) -> tuple[Allocation, AllocationRecord]:
    from randomisation.draw import allocate
    from randomisation.record import AllocationRecord, adopt

    design = design_of(trial.protocol)
    if trial.protocol.design.kind == "recorded":
        allocation = adopt(schools, design, arms=_recorded_arms(trial))
        return allocation, AllocationRecord.of(allocation)
    if not seed.strip():
        raise DesignError(
            "trial.toml, [design], key 'seed'",
            "no seed is stated.",
            "State one that everybody can check, such as the numbers of a public lottery, there or with --seed.",
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


def _logged(trial: Trial, log: tuple[LogEntry, ...], record: AllocationRecord, *, reason: str) -> tuple[LogEntry, ...]:
    from randomisation.log import append

    detail = {
        "allocation_sha256": record.allocation_sha256,
        "frame_sha256": record.frame_sha256,
        "design_sha256": sha256_of(record.to_dict()["design"]),
        "seed": record.seed,
        "reason": reason.strip(),
    }
    event = "drawn" if record.drawn == "here" else "adopted"
    same = [entry for entry in log if entry.event == event and dict(entry.detail) == detail]
    if same and same[-1] == log[-1]:
        return log
    return append(log, event=event, detail=detail, time=trial.clock().isoformat(timespec="seconds"))


def _write(trial: Trial, allocation: Allocation, record: AllocationRecord, log: tuple[LogEntry, ...]) -> None:
    with stage_folder(trial.paths.allocation, stage="assign", inputs=inputs_of(trial, "assign")) as folder:
        allocation.to_frame().to_csv(folder / ALLOCATION, index=False, lineterminator="\n")
        text = json.dumps(record.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8", newline="\n")
        lines = "".join(f"{entry.to_json_line()}\n" for entry in log)
        (folder / LOG).write_text(lines, encoding="utf-8", newline="\n")


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
        return AllocationRecord.from_dict(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(f"allocation/{RECORD}") from error


def read_log(trial: Trial) -> tuple[LogEntry, ...]:
    """Return the entries of the allocation's log, oldest first.

    Raises
    ------
    DesignError
        When a line cannot be read.
    """
    from randomisation.log import LogEntry

    path = trial.paths.allocation / LOG
    if not path.exists():
        return ()
    try:
        return tuple(LogEntry.from_json_line(line) for line in path.read_text(encoding="utf-8").splitlines())
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(f"allocation/{LOG}") from error


def _damaged(place: str) -> DesignError:
    return DesignError(place, "it cannot be read; it was damaged or edited.", "Bring it back from a copy.")


def allocation_frame(trial: Trial) -> pd.DataFrame:
    """Return school_id, stratum and arm of the drawn schools, sorted by school.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    import pandas as pd

    path = trial.paths.allocation / ALLOCATION
    if not path.exists():
        raise StaleError("allocation", "the schools have not been drawn.", "Run `crocoos assign` first.")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def verify(trial: Trial) -> Verification:
    """Draw again from the record and the frame, and check the table and the log's chain against the record.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    from randomisation.log import verify_log
    from randomisation.record import verify as verify_record

    record = read_allocation_record(trial)
    if record is None:
        raise StaleError("allocation", "the schools have not been drawn.", "Run `crocoos assign` first.")
    found = verify_record(record, eligible(trial.schools()[0]))
    problems = [*found.problems, *_table_problems(trial, record), *verify_log(read_log(trial))]
    last = [entry for entry in read_log(trial) if entry.event in ("drawn", "adopted")][-1:]
    if not last or last[0].detail.get("allocation_sha256") != record.allocation_sha256:
        problems.append("The last draw in the log is not the one in the record.")
    return replace(found, ok=not problems, problems=tuple(problems))


def _table_problems(trial: Trial, record: AllocationRecord) -> list[str]:
    frame = allocation_frame(trial)
    table = dict(zip(frame["school_id"], frame["arm"], strict=True))
    recorded = dict(zip(record.schools, record.arms, strict=True))
    wrong = sorted(school for school in {*table, *recorded} if table.get(school) != recorded.get(school))
    if not wrong:
        return []
    return [f"{ALLOCATION} and {RECORD} differ for the school {wrong[0]} (and {len(wrong) - 1} more)."]


def n_draws(log: tuple[LogEntry, ...]) -> int:
    """Return how often anybody drew or adopted an allocation."""
    return sum(entry.event in ("drawn", "adopted") for entry in log)
