"""What was drawn, as it lies in allocation/: the record of the draw, the steps after it, and who takes part."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from data_schema.errors import DesignError, StaleError
from data_schema.files import build_storage_error
from evaluation.frame import read_schools_of
from evaluation.provenance import hash_bytes
from evaluation.trial_log import Event

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from evaluation.folder import TrialFolder
    from randomisation.later import Replacement
    from randomisation.minimised import Joined
    from randomisation.record import AllocationRecord

ALLOCATION, RECORD = "allocation.csv", "record.json"


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


def read_later_steps(trial: TrialFolder) -> tuple[Later, ...]:
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
    return tuple(
        trial.once(f"step {number}", (path, path.with_suffix(".csv")), partial(read_step, trial, number, path))
        for number, path in found
    )


def read_step(trial: TrialFolder, number: int, path: Path) -> Later:
    """Read the record of a step after the draw, and the schools beside it."""
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
    digest = hash_bytes(content.replace(b"\r\n", b"\n"))
    return Later(number=number, sha256=digest, schools=schools, late=late, replacement=replacement)


def add_later_schools(trial: TrialFolder, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sampling frame with late schools and the reserves that were drawn; withdrawn schools are marked."""
    import pandas as pd

    steps = read_later_steps(trial)
    if not steps:
        return frame
    parts, gone = [frame], set()
    for step in steps:
        chosen = step.replacement.chosen if step.replacement is not None else None
        gone |= {step.replacement.withdrawn} if step.replacement is not None else set()
        parts.append(step.schools if chosen is None else step.schools.loc[step.schools["school_id"] == chosen])
    complete_frame = pd.concat(parts, ignore_index=True).sort_values("school_id", ignore_index=True)
    return complete_frame.assign(**{WITHDREW: complete_frame["school_id"].isin(gone)}) if gone else complete_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A school's place: the draw it comes from (0 for the first), who was drawn into it, its stratum and its arm."""

    draw: int
    drawn: str
    stratum: str
    arm: str


def find_participants(record: AllocationRecord, steps: Sequence[Later], labels: Mapping[str, str]) -> dict[str, Place]:
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
    places_by_school = {
        school: Place(draw=0, drawn=school, stratum=labels[school], arm=arm)
        for school, arm in zip(record.schools, record.arms, strict=True)
    }
    for step in steps:
        if step.late is not None:
            for school, arm in zip(step.late.schools, step.late.arms, strict=True):
                places_by_school[school] = Place(draw=step.number, drawn=school, stratum=step.stratum, arm=arm)
        if step.replacement is not None and step.replacement.withdrawn in places_by_school:
            places_by_school[step.replacement.chosen] = places_by_school.pop(step.replacement.withdrawn)
    return dict(sorted(places_by_school.items()))


def find_joined_schools(record: AllocationRecord, steps: Sequence[Later]) -> tuple[Joined, ...]:
    """Return the schools of a minimisation in the order in which they joined; a reserve has its school's place."""
    from randomisation.minimised import Joined, get_joined_schools

    found = [*get_joined_schools(record)]
    for step in steps:
        if step.late is not None:
            found += get_joined_schools(step.late)
        if step.replacement is not None:
            made = step.replacement
            found = [
                Joined(school=made.chosen, values=one.values, arm=one.arm) if one.school == made.withdrawn else one
                for one in found
            ]
    return tuple(found)


def find_stratum_of_place(record: AllocationRecord, steps: Sequence[Later], school: str) -> tuple[str, ...]:
    """Return the values of the strata, without a matched set, of the school that was drawn into a school's place."""
    from randomisation.record import build_stratum_labels

    place = find_participants(record, steps, build_stratum_labels(record))[school]
    drawn = {0: record} | {step.number: step.late for step in steps if step.late is not None}
    made = drawn[place.draw]
    return made.stratum_values[made.schools.index(place.drawn)][: len(record.design.strata)]


def strata_of(schools: pd.DataFrame, record: AllocationRecord | None) -> dict[str, tuple[str, ...]]:
    """Return the strata of schools by the design of a record; matched sets and constraints do not matter here."""
    from randomisation.design import Design
    from randomisation.schools import read_schools

    if record is None:
        return {}
    plain = Design(arms=record.design.arms, strata=record.design.strata, cuts=record.design.cuts)
    read = read_schools(schools, plain)
    return dict(zip(read.ids, read.stratum_values, strict=True))


def read_allocation_record(trial: TrialFolder) -> AllocationRecord | None:
    """Return the record of the draw; None before the draw.

    Raises
    ------
    DesignError
        When the record cannot be read.
    """
    path = trial.paths.allocation / RECORD
    return trial.once("record", (path,), partial(_read_record, path)) if path.exists() else None


def _read_record(path: Path) -> AllocationRecord:
    from randomisation.record import AllocationRecord

    try:
        values = json.loads(path.read_bytes())
        if not isinstance(values, Mapping):
            raise _build_damage_error(f"allocation/{RECORD}")
        return AllocationRecord.from_dict(values)
    except OSError as error:
        raise build_storage_error(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _build_damage_error(f"allocation/{RECORD}") from error


def _build_damage_error(place: str) -> DesignError:
    return DesignError(place, "it cannot be read; it was damaged or edited.", "Bring it back from a copy.")


def read_draw_record(trial: TrialFolder) -> AllocationRecord:
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


def find_school_places(trial: TrialFolder, steps: Sequence[Later]) -> dict[str, Place]:
    """Return every school that takes part with its place in the draws, sorted by school."""
    from randomisation.record import build_stratum_labels

    record = read_draw_record(trial)
    return find_participants(record, steps, build_stratum_labels(record))


def build_current_allocation(trial: TrialFolder, steps: Sequence[Later]) -> pd.DataFrame:
    """Return who takes part, with stratum and arm, from the records of the draw and of what came after it."""
    import pandas as pd

    places = find_school_places(trial, steps)
    rows = [(school, place.stratum, place.arm) for school, place in places.items()]
    return pd.DataFrame(rows, columns=["school_id", "stratum", "arm"])
