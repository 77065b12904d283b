"""assign --add and --replace: schools that come after the draw, which stays as it is.

Each step writes two files into allocation/: ``later_N.json``, its record, and ``later_N.csv``, the schools that it is
drawn from. The log names the record's hash; ``allocation.csv`` lists who takes part now.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.errors import DataError, DesignError, StaleError
from evaluation.frame import eligible, read_schools_of, refuse_classes
from evaluation.provenance import read_record, sha256, stage_folder
from evaluation.trial_log import DRAWS, Event, announced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from evaluation.trial import Trial
    from randomisation.draw import Allocation
    from randomisation.later import Replacement
    from randomisation.log import LogEntry
    from randomisation.minimised import Joined
    from randomisation.record import AllocationRecord

WITHDREW = "withdrew"
"""Column of the frame that marks schools whose place a reserve has taken."""

_NAME = re.compile(r"later_(\d+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """One step after the draw.

    Parameters
    ----------
    number
        1 for the first.
    sha256
        Of the record's file.
    schools
        The schools of its table: late ones, or the reserves that could be drawn.
    late
        Record of the draw of late schools; None for a replacement.
    replacement
        A reserve in the place of a school that withdrew; None for late schools.
    """

    number: int
    sha256: str
    schools: pd.DataFrame
    late: AllocationRecord | None = None
    replacement: Replacement | None = None

    @property
    def stratum(self) -> str:
        """Stratum of late schools: all of a late draw are one."""
        return f"late {self.number}"

    @property
    def event(self) -> str:
        """What the log calls it."""
        return Event.ADDED if self.late is not None else Event.REPLACED


def later_steps(trial: Trial) -> tuple[Later, ...]:
    """Return what came after the draw, the first step first.

    Raises
    ------
    DesignError
        When a record cannot be read.
    """
    folder = trial.paths.allocation
    if not folder.is_dir():
        return ()
    found = sorted((int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))
    return tuple(_read_step(trial, number, path) for number, path in found)


def _read_step(trial: Trial, number: int, path: Path) -> Later:
    from randomisation.later import FORMAT, Replacement
    from randomisation.record import AllocationRecord

    try:
        content = path.read_bytes()
        values = json.loads(content)
        replaces = values["format"] == FORMAT
        late = None if replaces else AllocationRecord.from_dict(values)
        replacement = Replacement.from_dict(values) if replaces else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DesignError(
            f"allocation/{path.name}", "it cannot be read; it was damaged or edited.", "Bring it back from a copy."
        ) from error
    schools = read_schools_of(path.with_suffix(".csv"), trial.protocol)
    digest = sha256(content.replace(b"\r\n", b"\n"))
    return Later(number=number, sha256=digest, schools=schools, late=late, replacement=replacement)


def with_later(trial: Trial, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sampling frame with late schools and the reserves that were drawn; withdrawn schools are marked."""
    import pandas as pd

    steps = later_steps(trial)
    if not steps:
        return frame
    parts, gone = [frame], set()
    for step in steps:
        chosen = step.replacement.chosen if step.replacement is not None else None
        gone |= {step.replacement.withdrawn} if step.replacement is not None else set()
        parts.append(step.schools if chosen is None else step.schools.loc[step.schools["school_id"] == chosen])
    whole = pd.concat(parts, ignore_index=True).sort_values("school_id", ignore_index=True)
    return whole.assign(**{WITHDREW: whole["school_id"].isin(gone)}) if gone else whole


def participants(record: AllocationRecord, steps: Sequence[Later], labels: Mapping[str, str]) -> dict[str, Place]:
    """Return every school that takes part with its place in the draws, sorted by school.

    Parameters
    ----------
    record
        Of the first draw.
    steps
        What came after it.
    labels
        Stratum of each school of the first draw.
    """
    found = {
        school: Place(draw=0, drawn=school, stratum=labels[school], arm=arm)
        for school, arm in zip(record.schools, record.arms, strict=True)
    }
    for step in steps:
        if step.late is not None:
            for school, arm in zip(step.late.schools, step.late.arms, strict=True):
                found[school] = Place(draw=step.number, drawn=school, stratum=step.stratum, arm=arm)
        if step.replacement is not None and step.replacement.withdrawn in found:
            found[step.replacement.chosen] = found.pop(step.replacement.withdrawn)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A school's place: the draw it comes from (0 for the first), who was drawn into it, its stratum and its arm."""

    draw: int
    drawn: str
    stratum: str
    arm: str


def add(trial: Trial, file: Path, *, seed: str, reason: str) -> Allocation:
    """Draw late schools by the trial's design, among one another.

    Parameters
    ----------
    trial
        With a valid draw.
    file
        The late schools, in a table like the sampling frame.
    seed
        A seed of its own.
    reason
        Why they come late; may be empty.

    Raises
    ------
    StaleError
        When no draw has been made, or it is no longer valid.
    DesignError
        When a school is in the trial, the seed was used, or the design cannot draw these schools.
    """
    from randomisation.later import draw_late
    from randomisation.record import AllocationRecord

    record = _ready(trial)
    steps = later_steps(trial)
    late = eligible(read_schools_of(file, trial.protocol))
    _check_new(trial, late, place=file.name)
    seeds = [record.seed, *(step.late.seed for step in steps if step.late is not None)]
    before = joined_before(record, steps) if record.design.method.joins_one_by_one else ()
    drawn = draw_late(late, record.design, seed=seed, seeds=seeds, before=before)
    made = AllocationRecord.of(drawn)
    detail = {"allocation_sha256": made.allocation_sha256, "frame_sha256": made.frame_sha256, "seed": made.seed}
    _write_step(trial, made.to_dict(), late, (Event.ADDED, detail | {"reason": reason.strip()}))
    return drawn


def joined_before(record: AllocationRecord, steps: Sequence[Later]) -> tuple[Joined, ...]:
    """Return the schools of a minimisation in the order in which they joined; a reserve has its school's place."""
    from randomisation.minimised import Joined, joined_of

    found = [*joined_of(record)]
    for step in steps:
        if step.late is not None:
            found += joined_of(step.late)
        if step.replacement is not None:
            made = step.replacement
            found = [
                Joined(school=made.chosen, values=one.values, arm=one.arm) if one.school == made.withdrawn else one
                for one in found
            ]
    return tuple(found)


def replace(trial: Trial, school: str, *, seed: str, reason: str) -> Replacement:
    """Draw which reserve takes the place and the arm of a school that withdrew before the start.

    Parameters
    ----------
    trial
        With a draw that holds, and a file of reserves in its protocol.
    school
        The school that withdrew.
    seed
        A seed from a public draw.
    reason
        Why it withdrew.

    Raises
    ------
    StaleError
        When no draw has been made, or it is no longer valid.
    DesignError
        When the school is not in the trial or has sent data, or there is no reserve of its stratum.
    """
    from evaluation.stages.assign import allocation_frame
    from randomisation.later import replace_school

    _ready(trial)
    if not trial.protocol.schools.reserves:
        raise DesignError(
            "trial.toml, [schools], key 'reserves'",
            "no file of reserve schools is named.",
            "Name one with columns like those of the sampling frame.",
        )
    if school in _with_data(trial):
        raise DesignError(
            f"school '{school}'",
            "it has sent data: the trial has started there.",
            "Leave it in its arm; a school that is lost after the start is analysed as lost.",
        )
    known = set(trial.schools()[0]["school_id"])
    file = trial.paths.root / trial.protocol.schools.reserves
    reserves = eligible(read_schools_of(file, trial.protocol))
    reserves = reserves.loc[~reserves["school_id"].isin(known)].reset_index(drop=True)
    frame = allocation_frame(trial)
    arm_of = dict(zip(frame["school_id"], frame["arm"], strict=True))
    if school in arm_of:
        reserves = _of_stratum(trial, reserves, school)
    made = replace_school(arm_of, school, reserves=reserves["school_id"].tolist(), seed=seed, reason=reason)
    _check_new(trial, reserves, place=file.name)
    detail = {"withdrawn": school, "chosen": made.chosen, "seed": seed, "reason": made.reason}
    _write_step(trial, made.to_dict(), reserves, (Event.REPLACED, detail))
    return made


def _ready(trial: Trial) -> AllocationRecord:
    """Return the first draw's record of a trial whose draw holds."""
    from evaluation.stages.assign import drawn_record, verify
    from evaluation.stages.commit import pending

    refuse_classes(trial, "late schools and reserves")
    record = drawn_record(trial)
    if pending(trial.log().checked()) is not None:
        raise DesignError(
            "allocation",
            "schools and design wait for their seed.",
            "Draw them first: `crocoos assign --reveal --seed ...`.",
        )
    problems = verify(trial).problems
    if problems:
        raise StaleError("allocation", f"the draw is not valid: {problems[0]}", "Put back what `crocoos verify` lists.")
    return record


def _check_new(trial: Trial, schools: pd.DataFrame, *, place: str) -> None:
    """Refuse schools of which one is, or can be taken for, a school of the trial."""
    from randomisation.schools import look_alikes

    known = trial.schools()[0]["school_id"].tolist()
    ids = schools["school_id"].tolist()
    if not ids:
        raise DataError(place, "no school of it can be drawn.", "List schools that agree to take part.")
    again = sorted(set(ids) & set(known))
    if again:
        raise DesignError(place, f"school '{again[0]}' is in the trial.", "List new schools only.")
    pairs = [pair for pair in look_alikes([*known, *ids]) if pair[1] in ids]
    if pairs:
        one, other = pairs[0]
        raise DesignError(place, f"'{other}' can be taken for '{one}'.", "Check that they are two schools.")


def _of_stratum(trial: Trial, reserves: pd.DataFrame, school: str) -> pd.DataFrame:
    """Return the reserves of a school's stratum."""
    from evaluation.stages.assign import read_allocation_record

    if reserves.empty:
        raise DesignError(f"replacement of school '{school}'", "no reserve is left.", "Add some to the file.")
    record = read_allocation_record(trial)
    own = stratum_of_place(record, later_steps(trial), school) if record is not None else ()
    alike = [name for name, values in _strata_of(reserves, record).items() if values == own]
    if not alike:
        raise DesignError(
            f"replacement of school '{school}'",
            f"no reserve is of its stratum ({' / '.join(own) or 'all'}).",
            "Add one to the file of reserves, or go on without the school.",
        )
    return reserves.loc[reserves["school_id"].isin(alike)].reset_index(drop=True)


def _strata_of(schools: pd.DataFrame, record: AllocationRecord | None) -> dict[str, tuple[str, ...]]:
    """Return the strata of schools by the design of a record; matched sets and constraints do not matter here."""
    from randomisation.design import Design
    from randomisation.schools import read_schools

    if record is None:
        return {}
    plain = Design(arms=record.design.arms, strata=record.design.strata, cuts=record.design.cuts)
    read = read_schools(schools, plain)
    return dict(zip(read.ids, read.stratum_values, strict=True))


def stratum_of_place(record: AllocationRecord, steps: Sequence[Later], school: str) -> tuple[str, ...]:
    """Return the values of the strata, without a matched set, of the school that was drawn into a school's place."""
    from randomisation.record import stratum_labels

    place = participants(record, steps, stratum_labels(record))[school]
    drawn = {0: record} | {step.number: step.late for step in steps if step.late is not None}
    made = drawn[place.draw]
    return made.stratum_values[made.schools.index(place.drawn)][: len(record.design.strata)]


def _with_data(trial: Trial) -> set[str]:
    """Return the schools that are in the store."""
    from data_schema.store import Store
    from evaluation.stages.collect import STORE

    path = trial.paths.store / STORE
    if not path.exists():
        return set()
    with Store.open_read(path) as store:
        tables = [store.table(name) for name in store.tables]
    return {str(school) for table in tables if "school_id" in table for school in table["school_id"].unique()}


def _write_step(
    trial: Trial,
    record: Mapping[str, object],
    schools: pd.DataFrame,
    logged: tuple[Event, Mapping[str, str]],
) -> None:
    """Write a step beside what is there, and the table of who takes part now."""
    from evaluation.stages.assign import ALLOCATION, current_allocation
    from evaluation.stages.commit import kept_files

    event, detail = logged
    number = len(later_steps(trial)) + 1
    content = (json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    detail = {**detail, "record": f"later_{number}.json", "record_sha256": sha256(content)}
    stage = read_record(trial.paths.allocation)
    inputs = {} if stage is None else stage.inputs
    files = kept_files(trial.paths.allocation)
    announce = announced(trial, event, detail)
    with stage_folder(trial.paths.allocation, stage="assign", inputs=inputs, announce=announce) as folder:
        for name, old in files.items():
            (folder / name).write_bytes(old)
        (folder / f"later_{number}.json").write_bytes(content)
        schools.to_csv(folder / f"later_{number}.csv", index=False, lineterminator="\n", encoding="utf-8")
        steps = (*later_steps(trial), _read_step(trial, number, folder / f"later_{number}.json"))
        current_allocation(trial, steps).to_csv(folder / ALLOCATION, index=False, lineterminator="\n")


def later_entries(log: Sequence[LogEntry]) -> tuple[LogEntry, ...]:
    """Return what the log tells of schools that came after the last first draw."""
    since = max((entry.sequence for entry in log if entry.event in DRAWS), default=0)
    return tuple(entry for entry in log[since:] if entry.event in (Event.ADDED, Event.REPLACED))


def _steps_before_the_loss(log: Sequence[LogEntry]) -> list[tuple[str, str]]:
    """Return the steps that a log names which was begun again after them, if no first draw has followed."""
    if not log or log[0].event != Event.BEGUN_AGAIN or any(entry.event in DRAWS for entry in log):
        return []
    return [(event, digest) for event, digest in json.loads(log[0].detail["later"])]


def later_problems(trial: Trial, log: Sequence[LogEntry]) -> list[str]:
    """Return what is wrong with the steps after the draw: their draws, their order, what the log says of them."""
    from evaluation.stages.assign import read_allocation_record

    steps = later_steps(trial)
    problems = []
    told = later_entries(log)
    named = [*_steps_before_the_loss(log), *((one.event, one.detail.get("record_sha256")) for one in told)]
    if [(step.event, step.sha256) for step in steps] != named:
        problems.append("The steps after the draw are not those of the log: one was changed, taken out or put in.")
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        problems.append("A step after the draw is missing.")
    record = read_allocation_record(trial)
    for place, step in enumerate(steps):
        found = _step_problems(step)
        if step.replacement is not None and record is not None:
            found += _replacement_problems(step, step.replacement, record, steps[:place])
        if step.late is not None and step.late.before and record is not None:
            wrong = step.late.before != joined_before(record, steps[:place])
            found += ["The schools that had joined before are not those of the trial."] if wrong else []
        problems += [f"later_{step.number}: {problem}" for problem in found]
    return problems


def _step_problems(step: Later) -> list[str]:
    from randomisation.record import verify

    if step.late is not None:
        return list(verify(step.late, step.schools).problems)
    if step.replacement is None or not step.replacement.holds():
        return ["The draw gives another reserve."]
    if tuple(sorted(step.schools["school_id"])) != step.replacement.reserves:
        return ["The reserves are not those of its table."]
    return []


def _replacement_problems(
    step: Later, made: Replacement, record: AllocationRecord, before: Sequence[Later]
) -> list[str]:
    """Return what is wrong with a replacement: the arm that it names, and the reserves' strata."""
    from randomisation.record import stratum_labels

    taking_part = participants(record, before, stratum_labels(record))
    if made.withdrawn not in taking_part or taking_part[made.withdrawn].arm != made.arm:
        return [f"School '{made.withdrawn}', which withdrew, was not in the arm '{made.arm}'."]
    own = stratum_of_place(record, before, made.withdrawn)
    other = sorted(school for school, values in _strata_of(step.schools, record).items() if values != own)
    return [f"The reserve '{other[0]}' is of another stratum in its table."] if other else []


def later_notes(steps: Sequence[Later]) -> tuple[str, ...]:
    """Describe in one sentence each what came after the draw."""
    notes = []
    for step in steps:
        if step.late is not None:
            n, seed = len(step.late.schools), step.late.seed
            who = "1 school was drawn" if n == 1 else f"{n} schools were drawn among one another"
            notes.append(f"Later, {who} from seed '{seed}' (later_{step.number}).")
        elif step.replacement is not None:
            made = step.replacement
            notes.append(
                f"School '{made.withdrawn}' withdrew before the start ({made.reason}); '{made.chosen}', drawn by lot "
                f"from {len(made.reserves)} reserves with seed '{made.seed}', took its place (later_{step.number})."
            )
    return tuple(notes)
