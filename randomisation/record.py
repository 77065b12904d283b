"""The record of an allocation: what was drawn, from what, how; and its verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, Self, cast

from data_schema.errors import DesignError
from randomisation.canonical import compute_sha256, encode_table, format_canonical_json, format_quoted_list
from randomisation.design import MATCHED_SET, Design
from randomisation.draw import Allocation, allocate, describe_lone_schools
from randomisation.minimised import Joined
from randomisation.misfits import BALANCED, build_misfit_plan, is_drawable_by_plan
from randomisation.schools import SCHOOL_ID, SortedSchools, find_look_alikes, read_schools
from randomisation.sets import REST

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "crocoos allocation record 2"
"""Name and version of the record's form."""

_RESTORE = "Restore the record as it was written when the allocation was made."
_PLACE = "allocation record"


def frame_hash(schools: pd.DataFrame, design: Design) -> str:
    """Return the SHA-256 of what an allocation depends on: identifiers and strata, sorted, as a tab-separated table.

    The order of rows and further columns do not matter.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
    >>> frame = pd.DataFrame({"school_id": ["2", "1"], "country": ["SI", "HU"]})
    >>> frame_hash(frame, design) == frame_hash(frame.iloc[::-1].assign(size=400), design)
    True
    """
    return compute_sha256(read_schools(schools, design).canonical())


def compute_looked_at_hash(schools: pd.DataFrame, design: Design) -> str:
    """Return the SHA-256 of all that a design looks at in a frame, as `frame_hash` but without matched sets.

    It changes when, and only when, something changes that bears on the draw.
    """
    return compute_sha256(read_schools(schools, design, with_sets=False).canonical())


def allocation_hash(schools: Sequence[str], arms: Sequence[str]) -> str:
    """Return the SHA-256 of an allocation: `school_id` and `arm`, sorted by school, as a tab-separated table."""
    return compute_sha256(encode_table((SCHOOL_ID, "arm"), sorted(zip(schools, arms, strict=True))))


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRecord:
    """All that is needed to check an allocation, now or in ten years.

    Parameters
    ----------
    algorithm
        Name and version of the published algorithm; empty for an allocation drawn elsewhere.
    design
        The design.
    seed
        The seed; empty for an allocation drawn elsewhere.
    drawn
        "here" or "elsewhere".
    schools, stratum_values, arms
        Identifiers, sorted; each one's values in the design's strata; each one's arm.
    frame_sha256
        Hash of identifiers and strata, see `frame_hash`.
    allocation_sha256
        Hash of identifiers and arms, see `allocation_hash`.
    variable_values
        Each school's values of the variables that matching and constraint look at; empty without any.
    score_limit
        Under a constraint, the largest score that a draw might have, in whole numbers.
    before
        In a minimisation, the schools that had joined before, in their order.
    """

    algorithm: str
    design: Design
    seed: str
    drawn: Literal["here", "elsewhere"]
    schools: tuple[str, ...]
    stratum_values: tuple[tuple[str, ...], ...]
    arms: tuple[str, ...]
    frame_sha256: str
    allocation_sha256: str
    variable_values: tuple[tuple[str, ...], ...] = ()
    score_limit: int | None = None
    before: tuple[Joined, ...] = ()

    @classmethod
    def of(cls, allocation: Allocation) -> Self:
        """Make the record of an allocation."""
        read = SortedSchools(
            ids=allocation.schools,
            columns=allocation.design.columns,
            stratum_values=allocation.stratum_values,
            variables=allocation.design.variables,
            variable_values=allocation.variable_values,
        )
        return cls(
            algorithm=allocation.design.algorithm if allocation.drawn == "here" else "",
            design=allocation.design,
            seed=allocation.seed,
            drawn=allocation.drawn,
            schools=allocation.schools,
            stratum_values=allocation.stratum_values,
            arms=allocation.arms,
            frame_sha256=compute_sha256(read.canonical()),
            allocation_sha256=allocation_hash(allocation.schools, allocation.arms),
            variable_values=allocation.variable_values,
            score_limit=allocation.score_limit,
            before=allocation.before,
        )

    @property
    def facts(self) -> dict[str, str]:
        """What the log states of the draw: its hashes, its seed, and the labels that the arms had."""
        return {
            "allocation_sha256": self.allocation_sha256,
            "frame_sha256": self.frame_sha256,
            "design_sha256": self.design.sha256,
            "arm_labels": format_canonical_json(self.design.labels),
            "seed": self.seed,
        }

    def recorded_schools(self) -> SortedSchools:
        """Return the schools as the record states them."""
        return SortedSchools(
            ids=self.schools,
            columns=self.design.columns,
            stratum_values=self.stratum_values,
            variables=self.design.variables,
            variable_values=self.variable_values,
        )

    def is_same_draw(self, other: AllocationRecord) -> bool:
        """Return whether two records differ in the wording of labels at most."""
        own_record, two = self.to_dict(), other.to_dict()
        return {**own_record, "arm_labels": None} == {**two, "arm_labels": None}

    def to_dict(self) -> dict[str, object]:
        """Return the record as values that JSON can hold: texts and whole numbers, fractions as decimal text."""
        rows = zip(self.schools, self.stratum_values, self.arms, strict=True)
        schools: list[dict[str, object]] = [
            {SCHOOL_ID: school, "strata": list(values), "arm": arm} for school, values, arm in rows
        ]
        if self.variable_values:
            schools = [
                {**row, "values": list(school_values)}
                for row, school_values in zip(schools, self.variable_values, strict=True)
            ]
        # As text: 64 bits are more than many languages read from a number in JSON.
        more: dict[str, object] = {} if self.score_limit is None else {"score_limit": str(self.score_limit)}
        if self.before:
            more["before"] = [
                {SCHOOL_ID: joined_school.school, "strata": list(joined_school.values), "arm": joined_school.arm}
                for joined_school in self.before
            ]
        return {
            "format": FORMAT,
            "algorithm": self.algorithm,
            "drawn": self.drawn,
            "design": self.design.to_dict(),
            "arm_labels": self.design.labels,
            "seed": self.seed,
            "frame_sha256": self.frame_sha256,
            "allocation_sha256": self.allocation_sha256,
            "schools": schools,
            **more,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what `to_dict` returned.

        Raises
        ------
        DesignError
            If the values have another form. Whether they are true is for `verify` to say.
        """
        if values.get("format") != FORMAT:
            raise DesignError(_PLACE, f"Its format is {values.get('format')!r}, not '{FORMAT}'.", _RESTORE)
        design, rows = values.get("design"), values.get("schools")
        if not isinstance(design, Mapping) or not isinstance(rows, list):
            raise DesignError(_PLACE, "It states no design or no schools.", _RESTORE)
        texts = {name: _read_text_value(values, name) for name in _TEXTS}
        if texts["drawn"] not in ("here", "elsewhere"):
            raise DesignError(_PLACE, f"'drawn' is '{texts['drawn']}', not 'here' or 'elsewhere'.", _RESTORE)
        recorded_design = Design.from_dict(cast("Mapping[str, object]", design))
        recorded_design = recorded_design.relabelled(_read_arm_labels(values.get("arm_labels"), recorded_design))
        schools = [_read_school_row(row, len(recorded_design.columns)) for row in rows]
        limit = values.get("score_limit")
        if limit is not None and not (isinstance(limit, str) and limit.isascii() and limit.isdecimal()):
            raise DesignError(_PLACE, f"'score_limit' is {limit!r}, not a whole number in digits.", _RESTORE)
        return cls(
            design=recorded_design,
            schools=tuple(school for school, _, _ in schools),
            stratum_values=tuple(strata for _, strata, _ in schools),
            arms=tuple(arm for _, _, arm in schools),
            variable_values=tuple(_read_row_values(row, len(recorded_design.variables)) for row in rows)
            if recorded_design.variables
            else (),
            score_limit=None if limit is None else int(limit),
            before=_read_schools_before(values.get("before", []), n_strata=len(recorded_design.columns)),
            **texts,  # type: ignore[arg-type]
        )


_TEXTS = tuple(
    field.name
    for field in fields(AllocationRecord)
    if field.name not in ("design", "schools", "stratum_values", "arms", "variable_values", "score_limit", "before")
)


def _read_arm_labels(labels: object, design: Design) -> Mapping[str, str]:
    """Return the labels of arms, which the record keeps beside the design."""
    named = isinstance(labels, Mapping) and set(labels) == set(design.names)
    if isinstance(labels, Mapping) and named and all(isinstance(label, str) for label in labels.values()):
        return labels
    raise DesignError(_PLACE, f"'arm_labels' is {labels!r}, not a text for each arm.", _RESTORE)


def _read_text_value(values: Mapping[str, object], name: str) -> str:
    text = values.get(name)
    if not isinstance(text, str):
        raise DesignError(_PLACE, f"'{name}' is {text!r}, not text.", _RESTORE)
    return text


def _read_school_row(row: object, n_strata: int) -> tuple[str, tuple[str, ...], str]:
    if isinstance(row, Mapping):
        school, strata, arm = row.get(SCHOOL_ID), row.get("strata"), row.get("arm")
        if isinstance(school, str) and isinstance(arm, str) and isinstance(strata, list):
            values = tuple(value for value in strata if isinstance(value, str))
            if len(values) == len(strata) == n_strata:
                return school, values, arm
    raise DesignError(_PLACE, f"One of its schools cannot be read: {row!r}.", _RESTORE)


def _read_schools_before(rows: object, *, n_strata: int) -> tuple[Joined, ...]:
    if not isinstance(rows, list):
        raise DesignError(_PLACE, "The schools that had joined before cannot be read.", _RESTORE)
    school_rows = [_read_school_row(row, n_strata) for row in rows]
    return tuple(Joined(school=school, values=values, arm=arm) for school, values, arm in school_rows)


def _read_row_values(row: object, n_values: int) -> tuple[str, ...]:
    row_values = row.get("values") if isinstance(row, Mapping) else None
    if (
        isinstance(row_values, list)
        and len(row_values) == n_values
        and all(isinstance(value, str) for value in row_values)
    ):
        return tuple(row_values)
    raise DesignError(_PLACE, f"The values of one of its schools cannot be read: {row!r}.", _RESTORE)


def adopt(schools: pd.DataFrame, design: Design, *, arms: Mapping[str, str]) -> Allocation:
    """Take over an allocation that was drawn elsewhere.

    Parameters
    ----------
    schools
        The school frame, as for `allocate`.
    design
        The design that the draw followed; `replay` will draw from it.
    arms
        Arm of each school.

    Returns
    -------
    Allocation
        With ``drawn="elsewhere"`` and no seed. A note says where the design could not have drawn these numbers.

    Raises
    ------
    DesignError
        If a school of the frame has no arm or one that the design does not know, if a school is not in the frame, or if
        an arm has no school.
    """
    read = read_schools(schools, design)
    design.method.check_schools(read, design, is_late=False)
    _check_adopted(read, design, arms)
    labels = read.labels()
    chosen = tuple(arms[school] for school in read.ids)
    return Allocation(
        design=design,
        schools=read.ids,
        stratum_values=read.stratum_values,
        strata=labels,
        arms=chosen,
        seed="",
        drawn="elsewhere",
        notes=describe_lone_schools(labels) + _describe_design_deviations(read, design, chosen),
        variable_values=read.variable_values,
    )


def _check_adopted(read: SortedSchools, design: Design, arms: Mapping[str, str]) -> None:
    place = "recorded allocation"
    without = [school for school in read.ids if school not in arms]
    if without:
        nearest = [pair for pair in find_look_alikes([*read.ids, *map(str, arms)]) if pair[0] in without]
        hint = f" The allocation has '{nearest[0][1]}': is that the same school?" if nearest else ""
        raise DesignError(
            place, f"School {format_quoted_list(without)} has no arm.{hint}", "Add it, or take it off the school frame."
        )
    known = set(read.ids)
    strangers = sorted(str(school) for school in arms if school not in known)
    if strangers:
        raise DesignError(
            place,
            f"School {format_quoted_list(strangers)} is not in the school frame.",
            "Compare the spelling of the identifiers (leading zeros, capitals).",
        )
    unknown = sorted({str(arm) for arm in arms.values()} - set(design.names))
    if unknown:
        raise DesignError(
            place,
            f"Arm {format_quoted_list(unknown)} is not in the design.",
            f"The design has {format_quoted_list(design.names, most=20)}.",
        )
    empty = [name for name in design.names if name not in arms.values()]
    if empty:
        raise DesignError(
            place, f"Arm {format_quoted_list(empty)} has no school.", "Correct the allocation or the design's arms."
        )


def _describe_design_deviations(read: SortedSchools, design: Design, arms: Sequence[str]) -> tuple[str, ...]:
    """Note groups of schools whose counts the design could not have drawn."""
    if not design.method.fixes_numbers:
        return ()
    off = (
        _describe_balance_deviations(read, design, arms)
        if design.misfits == BALANCED
        else _describe_misfit_deviations(read, design, arms)
    )
    if not off:
        return ()
    return (
        f"The design could not have drawn these numbers of schools: {format_quoted_list(off)}. "
        "Tests by re-draws follow the design, not the draw that was made.",
    )


def _describe_balance_deviations(read: SortedSchools, design: Design, arms: Sequence[str]) -> list[str]:
    off = []
    for depth in range(len(design.columns) + 1):
        members: dict[tuple[str, ...], list[str]] = {}
        for values, arm in zip(read.stratum_values, arms, strict=True):
            members.setdefault(values[:depth], []).append(arm)
        for key, chosen in sorted(members.items()):
            shares = design.probabilities
            if any(abs(chosen.count(name) - len(chosen) * share) >= 1 for name, share in shares.items()):
                counts = ", ".join(f"{chosen.count(name)} {name}" for name in design.names)
                off.append(f"{' / '.join(key) or 'all schools'} ({counts})")
    return off


def _describe_misfit_deviations(read: SortedSchools, design: Design, arms: Sequence[str]) -> list[str]:
    members = list(read.cells().values())
    chosen = [[arms[school] for school in schools] for schools in members]
    plan = build_misfit_plan([len(schools) for schools in members], design.ratios, design.misfits)
    counts = [[chosen_arms.count(name) for name in design.names] for chosen_arms in chosen]
    return [] if is_drawable_by_plan(plan, counts) else ["strata and their misfits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a verification found.

    Parameters
    ----------
    ok
        Whether all that could be checked agrees.
    problems
        What does not agree, one sentence each.
    notes
        What was checked, and what could not be.
    """

    ok: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(self.problems or self.notes)


def verify(record: AllocationRecord, schools: pd.DataFrame) -> Verification:
    """Check an allocation's record against the school frame and, where it was drawn here, by drawing again.

    Parameters
    ----------
    record
        The record.
    schools
        The school frame as it is now.

    Returns
    -------
    Verification
        Not `ok` when the frame changed, when the record's parts disagree, or when the draw gives other arms.
    """
    problems = compare_schools(record, schools) + _find_record_problems(record)
    if record.drawn == "elsewhere":
        note = "The allocation was drawn elsewhere: schools, strata and hashes were checked, the draw itself cannot be."
        return Verification(ok=not problems, problems=tuple(problems), notes=(note,))
    if record.algorithm != record.design.algorithm:
        known = record.design.algorithm
        problems.append(f"The algorithm is '{record.algorithm}'; this version can only draw '{known}'.")
    if not problems:
        problems += _draw_problems(record)
    note = f"{len(record.schools)} schools were drawn again from seed '{record.seed}' with the same result."
    return Verification(ok=not problems, problems=tuple(problems), notes=() if problems else (note,))


def build_stratum_labels(record: AllocationRecord) -> dict[str, str]:
    """Return each school's stratum as one text, as `Allocation.strata` has it."""
    labels = record.recorded_schools().labels()
    return dict(zip(record.schools, labels, strict=True))


def attach_recorded_sets(schools: pd.DataFrame, record: AllocationRecord) -> pd.DataFrame:
    """Return the frame with the matched sets of the record, which are then drawn within; as it is without matching.

    Which sets are formed where several are as good may differ from one version of a library to another; those of the
    record, published with the frame's hash before the seed was known, are those that count.
    """
    if record.design.matching is None:
        return schools
    names = {school: values[-1] for school, values in zip(record.schools, record.stratum_values, strict=True)}
    return schools.assign(**{MATCHED_SET: [names.get(school, REST) for school in schools[SCHOOL_ID]]})


def compare_schools(record: AllocationRecord, schools: pd.DataFrame) -> list[str]:
    """Return how a school frame differs from a record in what the design looks at, a sentence each."""
    read = read_schools(attach_recorded_sets(schools, record), record.design)
    now, then = (
        dict(zip(read.ids, read.stratum_values, strict=True)),
        dict(zip(record.schools, record.stratum_values, strict=True)),
    )
    moved = [school for school in now if school in then and now[school] != then[school]]
    values_now = dict(zip(read.ids, read.variable_values, strict=True)) if read.variable_values else {}
    values_then = dict(zip(record.schools, record.variable_values, strict=True)) if record.variable_values else {}
    other = [school for school in values_now if school in then and values_now[school] != values_then.get(school)]
    differences = (
        ("The school frame no longer has school", [school for school in then if school not in now]),
        ("The school frame has schools that were not randomised:", [school for school in now if school not in then]),
        ("The strata changed since the draw for school", moved),
        ("Values that the design looks at changed since the draw for school", other),
    )
    return [f"{text} {format_quoted_list(names)}." for text, names in differences if names]


def _find_record_problems(record: AllocationRecord) -> list[str]:
    recorded = record.recorded_schools()
    problems = []
    if compute_sha256(recorded.canonical()) != record.frame_sha256:
        problems.append("The record's schools and strata do not have the hash that it states: it was changed.")
    if allocation_hash(record.schools, record.arms) != record.allocation_sha256:
        problems.append("The record's arms do not have the hash that it states: it was changed.")
    unknown = sorted(set(record.arms) - set(record.design.names))
    if unknown:
        problems.append(f"The record has arms that its design does not know: {format_quoted_list(unknown)}.")
    return problems


def _draw_problems(record: AllocationRecord) -> list[str]:
    drawn = allocate(record.recorded_schools(), record.design, seed=record.seed, late=True, before=record.before)
    pairs = zip(record.schools, record.arms, drawn.arms, strict=True)
    other = [school for school, then, now in pairs if then != now]
    if drawn.score_limit != record.score_limit:
        return [f"The largest usable score is {drawn.score_limit}, the record states {record.score_limit}."]
    if not other:
        return []
    return [
        f"The draw gives {len(other)} of {len(record.schools)} schools another arm than the record: "
        f"{format_quoted_list(other)}."
    ]
