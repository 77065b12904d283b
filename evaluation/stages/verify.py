"""verify: anybody's check of the draw, of its record, and of what the log says of everything in the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, StaleError
from evaluation.custody import find_custody_alarms, find_key_table_faults
from evaluation.drawn import (
    ALLOCATION,
    RECORD,
    Later,
    build_current_allocation,
    find_joined_schools,
    find_participants,
    find_stratum_of_place,
    read_draw_record,
    read_later_steps,
    strata_of,
)
from evaluation.frame import read_draw_units
from evaluation.named_in_log import iterate_named_in_log
from evaluation.provenance import IGNORE, hash_bytes, is_kept_from_git, read_record
from evaluation.stages.agreement import compare_table_with_records, find_design_problems, find_reworded_labels
from evaluation.trial_log import DRAWS, LOG, Event

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder
    from randomisation.later import Replacement
    from randomisation.log import LogEntry
    from randomisation.record import AllocationRecord, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification of draw and log found.

    Parameters
    ----------
    allocation
        Of the draw: drawn again from its record, and compared with the log.
    log_problems
        What is wrong with the log, or not as it names it, a sentence each.
    """

    allocation: Verification
    log_problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether both hold."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with either."""
        return (*self.allocation.problems, *self.log_problems)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the draw."""
        return self.allocation.notes


def verify(trial: TrialFolder) -> Verified:
    """Draw again from the record and compare, check the log's chain, and whether it agrees with what is there.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    problems = (
        *map(str, find_custody_alarms(trial)),
        *(one.problem for one in iterate_named_in_log(trial) if one.problem),
        *_open_to_git(trial),
        *find_key_table_faults(trial),
    )
    return Verified(allocation=verify_draw(trial), log_problems=problems)


def _open_to_git(trial: TrialFolder) -> Iterator[str]:
    """Yield the folders with rows of pupils that have been kept from git, and are no more."""
    paths = trial.paths
    for folder in (paths.inbox, paths.store, paths.private, paths.export, paths.root / "output" / "checks"):
        if (folder / IGNORE).exists() and not is_kept_from_git(folder):
            name = folder.relative_to(paths.root).as_posix()
            yield f"{name}/{IGNORE} does not keep rows of pupils from git: let '*' be its only line."


def verify_draw(trial: TrialFolder) -> Verification:
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
        record = read_draw_record(trial)
        steps, schools = read_later_steps(trial), read_draw_units(trial)
    except StaleError:
        if not (last_draw(log.entries) or (trial.paths.allocation / ALLOCATION).exists()):
            raise
        gone = f"allocation/{RECORD} is gone, though schools were drawn. Bring it back from a copy."
        return Verification(ok=False, problems=(gone, *(f"{LOG}: {problem}" for problem in log.problems)))
    except CrocoosError as error:
        return Verification(ok=False, problems=(str(error), *(f"{LOG}: {problem}" for problem in log.problems)))
    found = verify_record(record, schools)
    problems = [*found.problems, *find_design_problems(record, trial.protocol)]
    problems += [*_check_allocation_table(trial), *(f"{LOG}: {problem}" for problem in log.problems)]
    if log.is_usable:
        problems += [*log_problems(log.entries, record), *find_later_problems(trial, log.entries)]
    problems += _find_changed_files(trial)
    notes = (*(found.notes if not problems else ()), *find_reworded_labels(record, trial.protocol))
    said = (*notes, *(_describe_draw_history(log.entries) if log.is_usable else ()), *describe_later_steps(steps))
    return replace(found, ok=not problems, problems=tuple(problems), notes=said)


def log_problems(log: Sequence[LogEntry], record: AllocationRecord) -> list[str]:
    """Compare the last draw in the log, and the commitment that it names, with the record."""
    from randomisation.commitment import compute_commitment_hash

    last = last_draw(log)
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
        if compute_commitment_hash(record) != committed:
            problems.append("The record is not of the frame and design that were committed to.")
    return problems


def _find_changed_files(trial: TrialFolder) -> list[str]:
    """Return files of the stage that are not as they were written; line ends of another system do not matter."""
    folder = trial.paths.allocation
    stage = read_record(folder)
    if stage is None:
        return ["allocation/stage.json is missing or damaged."]
    wrong = []
    for name, digest in stage.outputs.items():
        content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if digest not in (hash_bytes(content), hash_bytes(content.replace(b"\r\n", b"\n"))):
            wrong.append(f"allocation/{name} is not as it was written.")
    return wrong


def _describe_draw_history(log: Sequence[LogEntry]) -> tuple[str, ...]:
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


def _check_allocation_table(trial: TrialFolder) -> list[str]:
    """Compare allocation.csv, every column and row of it, with the records."""
    import pandas as pd

    path = trial.paths.allocation / ALLOCATION
    if not path.exists():
        return [f"{ALLOCATION} is missing."]
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return [f"{ALLOCATION} cannot be read."]
    return compare_table_with_records(ALLOCATION, frame, build_current_allocation(trial, read_later_steps(trial)))


def last_draw(log: Sequence[LogEntry]) -> LogEntry | None:
    """Return what the log says of the last draw; None without any."""
    found = [entry for entry in log if entry.event in DRAWS]
    again = [one for one in log if one.event == Event.BEGUN_AGAIN and "allocation_sha256" in one.detail]
    return found[-1] if found else again[0] if again else None


def filter_later_entries(log: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
    """Return what the log tells of schools that came after the last first draw."""
    since = max((entry.sequence for entry in log if entry.event in DRAWS), default=0)
    return tuple(entry for entry in log[since:] if entry.event in (Event.ADDED, Event.REPLACED))


def _find_steps_before_loss(log: Sequence[LogEntry]) -> list[tuple[str, str]]:
    """Return the steps that a log names which was begun again after them, if no first draw has followed."""
    if not log or log[0].event != Event.BEGUN_AGAIN or any(entry.event in DRAWS for entry in log):
        return []
    return [(event, digest) for event, digest in json.loads(log[0].detail["later"])]


def find_later_problems(trial: TrialFolder, log: Sequence[LogEntry]) -> list[str]:
    """Return what is wrong with the steps after the draw: their draws, their order, what the log says of them."""
    from evaluation.drawn import read_allocation_record

    steps = read_later_steps(trial)
    problems = []
    step_entries = filter_later_entries(log)
    named = [
        *_find_steps_before_loss(log),
        *((step_entry.event, step_entry.detail.get("record_sha256")) for step_entry in step_entries),
    ]
    if [(step.event, step.sha256) for step in steps] != named:
        problems.append("The steps after the draw are not those of the log: one was changed, taken out or put in.")
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        problems.append("A step after the draw is missing.")
    record = read_allocation_record(trial)
    for place, step in enumerate(steps):
        step_faults = _check_later_step(step)
        if step.replacement is not None and record is not None:
            step_faults += _check_replacement(step, step.replacement, record, steps[:place])
        if step.late is not None and step.late.before and record is not None:
            wrong = step.late.before != find_joined_schools(record, steps[:place])
            step_faults += ["The schools that had joined before are not those of the trial."] if wrong else []
        problems += [f"later_{step.number}: {problem}" for problem in step_faults]
    return problems


def _check_later_step(step: Later) -> list[str]:
    from randomisation.record import verify

    if step.late is not None:
        return list(verify(step.late, step.schools).problems)
    if step.replacement is None or not step.replacement.holds():
        return ["The draw gives another reserve."]
    if tuple(sorted(step.schools["school_id"])) != step.replacement.reserves:
        return ["The reserves are not those of its table."]
    return []


def _check_replacement(step: Later, made: Replacement, record: AllocationRecord, before: Sequence[Later]) -> list[str]:
    """Return what is wrong with a replacement: the arm that it names, and the reserves' strata."""
    from randomisation.record import build_stratum_labels

    taking_part = find_participants(record, before, build_stratum_labels(record))
    if made.withdrawn not in taking_part or taking_part[made.withdrawn].arm != made.arm:
        return [f"School '{made.withdrawn}', which withdrew, was not in the arm '{made.arm}'."]
    place_stratum = find_stratum_of_place(record, before, made.withdrawn)
    other = sorted(school for school, values in strata_of(step.schools, record).items() if values != place_stratum)
    return [f"The reserve '{other[0]}' is of another stratum in its table."] if other else []


def describe_later_steps(steps: Sequence[Later]) -> tuple[str, ...]:
    """Describe in one sentence each what came after the draw."""
    notes = []
    for step in steps:
        if step.late is not None:
            n, seed = len(step.late.schools), step.late.seed
            who = "1 school was drawn" if n == 1 else f"{n} schools were drawn among one another"
            notes.append(f"Later, {who} from seed '{seed}' (later_{step.number}).")
        elif step.replacement is not None:
            replacement = step.replacement
            notes.append(
                f"School '{replacement.withdrawn}' withdrew before the start ({replacement.reason}); "
                f"'{replacement.chosen}', drawn by lot "
                f"from {len(replacement.reserves)} reserves with seed '{replacement.seed}', took its place "
                f"(later_{step.number})."
            )
    return tuple(notes)
