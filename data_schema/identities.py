"""Identifiers of pupils across lists: re-used for somebody else, in two schools at once, or alike to the eye."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from data_schema.findings import Finding, row_ranges
from data_schema.identifiers import look_of
from data_schema.linking import likeness, same_name_elsewhere

if TYPE_CHECKING:
    import pandas as pd

PUPIL = ["school_id", "pupil_id"]
_TRAITS = ("birth_date", "birth_year", "gender")
_LEAST_ALIKE = 0.85
"""Likeness from which two names are one person's, misspelt or in another script."""


def identity_findings(pupils: pd.DataFrame, *, scope: str) -> Iterator[Finding]:
    """Ask about identifiers and pupils of lists that cannot be what they seem.

    Parameters
    ----------
    pupils
        The lists of pupils, with names where there are any.
    scope
        Where an identifier is one pupil's: "school", "country" or "trial".

    Yields
    ------
    Finding
        A question for a pupil whose name or birth is another one in a later list; for identifiers of a school that
        look the same; for an identifier in the lists of two schools of its scope; and for a pupil of the same name and
        birth in the lists of two schools of a wave. The rows stay.
    """
    ordered = pupils.reset_index(drop=True)
    yield from _reused(ordered)
    yield from _alike(ordered)
    yield from _in_two_schools(ordered, scope)
    yield from same_name_elsewhere(ordered)


def _reused(pupils: pd.DataFrame) -> Iterator[Finding]:
    """Find one identifier with two persons, in lists of different waves."""
    if pupils["wave"].nunique() < 2:
        # Within a wave, nobody is listed twice.
        return
    by_pupil = pupils.groupby(PUPIL, sort=False)
    for name in (*(trait for trait in _TRAITS if trait in pupils), *(["name"] if "name" in pupils else [])):
        differs = by_pupil[name].transform("nunique") > 1
        for _, group in pupils[differs].groupby(PUPIL, sort=False):
            if name == "name" and not _is_another(group["name"].dropna().tolist()):
                continue
            problem = f"Another list of pupils has another {name!r} for this identifier: {_elsewhere(group)}."
            remedy = "Tell whether two pupils have one identifier, or which value is right."
            yield _asked(pupils, int(group.index[-1]), name, problem, remedy)


def _is_another(names: Sequence[str]) -> bool:
    return any(likeness(names[0], other) < _LEAST_ALIKE for other in names[1:])


def _alike(pupils: pd.DataFrame) -> Iterator[Finding]:
    """Find identifiers of a school that differ by case, alphabet or dash only."""
    identifiers = pupils["pupil_id"].tolist()
    if "".join(identifiers).isdecimal():
        return
    looks: dict[tuple[str, str], dict[str, int]] = {}
    schools = pupils["school_id"].tolist()
    for at, identifier in enumerate(identifiers):
        if not identifier.isdecimal():
            looks.setdefault((schools[at], look_of(identifier)), {}).setdefault(identifier, at)
    for ways in looks.values():
        for at in ways.values() if len(ways) > 1 else ():
            other = next(one for one in ways.values() if one != at)
            problem = f"Another identifier of the school looks the same: {_place(pupils, other)}."
            remedy = "If one pupil is meant, write it in the same letters and signs; otherwise answer 'yes'."
            yield _asked(pupils, at, "pupil_id", problem, remedy)


def _in_two_schools(pupils: pd.DataFrame, scope: str) -> Iterator[Finding]:
    """Find an identifier in the lists of two schools of a wave where it should be one pupil's."""
    if scope == "school" or pupils["school_id"].nunique() < 2:
        return
    where = ["pupil_id", "wave", *(["country"] if scope == "country" else [])]
    doubled = pupils[pupils.duplicated(where, keep=False)]
    for _, group in doubled.groupby(where, sort=False):
        schools = group["school_id"].tolist()
        for at, school in zip(group.index, schools, strict=True):
            other = next((k for k, one in zip(group.index, schools, strict=True) if one != school), None)
            if other is not None:
                problem = f"The same identifier is in the list of another school: {_place(pupils, int(other))}."
                remedy = "Remove the pupil from one list, or correct the identifier."
                yield _asked(pupils, int(at), "pupil_id", problem, remedy)


def _elsewhere(group: pd.DataFrame) -> str:
    first = group.iloc[0]
    return f"{first['source_file']}, row {row_ranges([int(first['source_row'])])}"


def _place(frame: pd.DataFrame, at: int) -> str:
    return f"{frame['source_file'].iloc[at]}, row {row_ranges([int(frame['source_row'].iloc[at])])}"


def _asked(frame: pd.DataFrame, at: int, column: str, problem: str, remedy: str) -> Finding:
    row = frame.iloc[at]
    return Finding(
        file=str(row["source_file"]),
        sheet=str(row["source_sheet"]),
        row=int(row["source_row"]),
        column=column,
        problem=problem,
        remedy=remedy,
        severity="question",
    )
