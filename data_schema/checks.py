"""What is wrong with rows whose cells look right: schools, keys, duplicates, pupils that no list names; pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_schema.findings import Finding, Severity, compute_sheet_row
from data_schema.identifiers import build_question_at, find_identity_problems, replace_cyrillic_look_alikes
from data_schema.record_rules import find_rule_breaks
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["kept", "asked", "refused"]
PUPIL = ("school_id", "pupil_id")

_RUNS = re.compile(r"\d+|[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Something about a row of a table in intake.

    Parameters
    ----------
    position
        Row, from 0, among all rows of the table.
    column
        Field that it is about.
    value
        What is there; empty where it must not be shown.
    problem, remedy, severity
        As in a `Finding`; ``{value}`` in the problem represents the value.
    outcome
        What becomes of the row.
    """

    position: int
    column: str
    problem: str
    remedy: str
    value: str = ""
    severity: Severity = "question"
    outcome: Outcome = "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolMatch:
    """What an identifier of a school means.

    Parameters
    ----------
    school
        The school in the frame; None when it is not one of them.
    problem, remedy
        What to ask then.
    rule
        The repair, where the school is called otherwise.
    """

    school: str | None
    problem: str = ""
    remedy: str = ""
    rule: str = "case"


class SchoolNames:
    """Finds the school of the frame that an identifier means.

    Parameters
    ----------
    schools
        Identifiers of the frame.

    Examples
    --------
    >>> SchoolNames(["SI-04"]).match("si-04").school
    'SI-04'
    >>> SchoolNames(["04"]).match("4").remedy
    "Is '04' meant? Send it with its zeros and signs; format the column as text, so that they stay."
    """

    __slots__ = ("_alike", "_exact", "_same")

    def __init__(self, schools: Iterable[str]) -> None:
        self._exact = frozenset(schools)
        self._same: dict[str, list[str]] = {}
        self._alike: dict[tuple[str, ...], list[str]] = {}
        for school in sorted(self._exact):
            self._same.setdefault(school.casefold(), []).append(school)
            self._alike.setdefault(split_bare_identifier(school), []).append(school)

    def match(self, sent: str) -> SchoolMatch:
        """Return what an identifier means.

        Parameters
        ----------
        sent
            The identifier as it was sent, without outer spaces.

        Returns
        -------
        SchoolMatch
            The school of the same identifier, in any case, also with the school's name behind it. One that differs by a
            leading zero or by a sign may be another school, and is asked about.
        """
        if sent in self._exact:
            return SchoolMatch(school=sent)
        same = self._same.get(sent.casefold(), [])
        if len(same) == 1:
            return SchoolMatch(school=same[0])
        first = sent.partition(" ")[0]
        if first in self._exact:
            # "031204 Kossuth Lajos" is how forms have people choose a school.
            return SchoolMatch(school=first, rule="synonym")
        alike = self._alike.get(split_bare_identifier(sent), [])
        if not alike:
            return SchoolMatch(
                school=None,
                problem="{value} is no school of the trial.",
                remedy="Check the identifier; a school that was not randomised cannot send data.",
            )
        meant = " or ".join(map(repr, alike))
        return SchoolMatch(
            school=None,
            problem="{value} is no school of the trial; it differs by leading zeros or signs from one that is.",
            remedy=f"Is {meant} meant? Send it with its zeros and signs; format the column as text, so that they stay.",
        )


def split_bare_identifier(identifier: str) -> tuple[str, ...]:
    """Return letters and numbers of an identifier, without signs, leading zeros and the alphabet of letters alike.

    Examples
    --------
    >>> split_bare_identifier("SI-04") == split_bare_identifier("si 4")
    True
    """
    text = (
        identifier if identifier.isascii() else replace_cyrillic_look_alikes(unicodedata.normalize("NFKC", identifier))
    )
    text = "".join(text.split())
    return tuple(run.lstrip("0") or "0" if run.isdigit() else run for run in _RUNS.findall(text.casefold()))


def find_missing_keys(
    values: Mapping[str, Sequence[object] | np.ndarray], table: Table, *, asked: set[int]
) -> Iterator[RowProblem]:
    """Ask about rows whose key has an empty cell.

    Parameters
    ----------
    values
        Field to its values, row by row.
    table
        The table.
    asked
        Rows that are asked about already.
    """
    for name in dict.fromkeys((*table.key, "school_id")):
        for position in _find_missing_positions(values[name]):
            if position not in asked:
                yield RowProblem(
                    position=position,
                    column=name,
                    problem=f"The row has no {name!r}, so nobody can tell what it is about.",
                    remedy="Send the row with it, or remove the row.",
                )


def _find_missing_positions(values: Sequence[object] | np.ndarray) -> list[int]:
    """Return the positions of None."""
    if isinstance(values, np.ndarray):
        import pandas as pd

        positions: list[int] = np.flatnonzero(pd.isna(values)).tolist()
        return positions
    return [position for position, value in enumerate(values) if value is None]


def find_missing_answers(
    values: Mapping[str, Sequence[object] | np.ndarray], table: Table, *, asked: set[int]
) -> Iterator[RowProblem]:
    """Ask for required values that are missing; the rows stay.

    Parameters
    ----------
    values
        Field to its values, row by row; for all required fields.
    table
        The table.
    asked
        Rows that are asked about already, or were not kept.
    """
    for item in table.fields:
        if not item.required or item.name in table.key:
            continue
        for position in _find_missing_positions(values[item.name]):
            if position not in asked:
                yield RowProblem(
                    position=position,
                    column=item.name,
                    problem=f"{item.name!r} is missing.",
                    remedy="Send the value.",
                    outcome="kept",
                )


def find_duplicates(frame: pd.DataFrame, table: Table) -> Iterator[RowProblem]:
    """Find rows with one key.

    Parameters
    ----------
    frame
        Rows that may be kept, with the table's fields, `wave`, `source_file`, `source_sheet` and `source_row`; the
        index holds their positions.
    table
        The table.

    Yields
    ------
    RowProblem
        Of rows that say the same, all but the first are refused with a note. Rows that do not say the same are all
        asked about.
    """
    key = [*table.key, "wave"]
    doubled = frame[frame.duplicated(key, keep=False)]
    if doubled.empty:
        return
    content = _compute_row_numbers(doubled, [*table.names, "wave"])
    places = _build_row_places(doubled)
    for group in _group_equal_rows(doubled, key):
        if len({content[row_index] for row_index in group}) == 1:
            yield from _find_repeated_rows(group, places, table)
        else:
            yield from _find_contradicting_rows(group, places, table)


@dataclass(frozen=True, slots=True)
class _Place:
    position: int
    file: str
    sheet: str
    row: int

    def seen_from(self, other: _Place) -> str:
        if (self.file, self.sheet) == (other.file, other.sheet):
            return f"row {compute_sheet_row(self.row)}"
        sheet = f", sheet {self.sheet!r}" if self.sheet else ""
        return f"{self.file}{sheet}, row {compute_sheet_row(self.row)}"


def _build_row_places(frame: pd.DataFrame) -> list[_Place]:
    columns = (frame.index, frame["source_file"], frame["source_sheet"], frame["source_row"])
    return [
        _Place(int(row_index), str(file), str(sheet), int(row))
        for row_index, file, sheet, row in zip(*columns, strict=True)
    ]


def _compute_row_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> list[int]:
    """Return a number for each row, the same for the same values; missing values are alike."""
    import pandas as pd

    combined = np.zeros(len(frame), dtype=np.int64)
    for name in columns:
        codes, distinct = pd.factorize(frame[name], use_na_sentinel=False)
        combined = pd.factorize(combined * (len(distinct) + 1) + codes)[0]
    numbers: list[int] = combined.tolist()
    return numbers


def _group_equal_rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[list[int]]:
    """Return where in the frame the rows with the same values stand, a list a group."""
    groups: dict[int, list[int]] = {}
    for position, number in enumerate(_compute_row_numbers(frame, columns)):
        groups.setdefault(number, []).append(position)
    return list(groups.values())


def _find_repeated_rows(group: Sequence[int], places: Sequence[_Place], table: Table) -> Iterator[RowProblem]:
    first = places[group[0]]
    for member in group[1:]:
        yield RowProblem(
            position=places[member].position,
            column=table.key[-1],
            problem=f"The row says the same as {first.seen_from(places[member])}; it is kept once.",
            remedy="Nothing.",
            severity="note",
            outcome="refused",
        )


def _find_contradicting_rows(group: Sequence[int], places: Sequence[_Place], table: Table) -> Iterator[RowProblem]:
    # "pupil_id" of a pupil's table, whatever else the key holds: that is the column people look at.
    column = "pupil_id" if "pupil_id" in table.key else table.key[-1]
    key = ", ".join(table.key)
    for member in group:
        others = [places[other] for other in group if other != member][:3]
        where = " and ".join(other.seen_from(places[member]) for other in others)
        problem = f"The same record ({key}) is in {where} with other values."
        if table.about == "pupil":
            problem = f"The same pupil ({key}) is in {where} with other values."
        yield RowProblem(
            position=places[member].position,
            column=column,
            problem=problem,
            remedy="Tell which row is right, or which identifier is wrong.",
        )


def find_contradicting_files(frame: pd.DataFrame, table: Table) -> Iterator[Finding]:
    """Report files whose rows contradict those of another file: one may be the correction of the other.

    Parameters
    ----------
    frame, table
        As for `find_duplicates`.
    """
    key = [*table.key, "wave"]
    doubled = frame[frame.duplicated(key, keep=False)]
    content, places = _compute_row_numbers(doubled, [*table.names, "wave"]), _build_row_places(doubled)
    counts: Counter[tuple[str, str]] = Counter()
    for group in _group_equal_rows(doubled, key):
        files = sorted({places[row_index].file for row_index in group})
        if len({content[row_index] for row_index in group}) > 1 and len(files) > 1:
            counts.update(combinations(files, 2))
    for (first, second), n in sorted(counts.items()):
        yield Finding(
            file=second,
            problem=f"{n} of its rows about the table {table.name!r} contradict rows of {first}.",
            remedy="If one of the two files corrects the other, withdraw the older one: `crocoos withdraw OLDER "
            "--superseded-by NEWER --reason TEXT`. Otherwise schools are asked row by row.",
            severity="note",
        )


def check_across_tables(
    frames: Mapping[str, pd.DataFrame],
    tables: Mapping[str, Table],
    *,
    lists: Sequence[str] = ("pupil",),
    pending: Iterable[tuple[str, str]] = (),
    wave_dates: Mapping[str, tuple[date, date]] | None = None,
) -> list[Finding]:
    """Compare tables with each other, before pseudonyms.

    Parameters
    ----------
    frames
        Table to its rows, as intake returns them.
    tables
        The tables.
    lists
        Names of the tables that say who the pupils of a school are.
    pending
        (school_id, pupil_id) of rows that were listed but are kept out until a question is answered.
    wave_dates
        Wave to its first and last day, where known.

    Returns
    -------
    list of Finding
        A question for each row about a pupil whom no list of pupils names, and those of
        `data_schema.identifiers.find_identity_problems`; those of `data_schema.record_rules.find_rule_breaks`. The rows
        stay.
    """
    findings: list[Finding] = []
    listed = [frames[name] for name in lists if name in frames]
    if listed:
        others = [frame for name, frame in frames.items() if name not in lists and tables[name].about == "pupil"]
        known = set(pending)
        for frame in listed if any(map(len, others)) else ():
            known.update(zip(frame["school_id"], frame["pupil_id"], strict=True))
        for frame in others:
            findings += _find_never_listed_pupils(frame, known)
        for name, frame in zip((list_name for list_name in lists if list_name in frames), listed, strict=True):
            scope = tables[name].field("pupil_id").scope
            findings += find_identity_problems(frame, scope=scope)
    for name, frame in frames.items():
        findings += find_rule_breaks(frame, tables[name], windows=wave_dates or {})
    return findings


def _find_never_listed_pupils(frame: pd.DataFrame, known: set[tuple[str, str]]) -> Iterator[Finding]:
    keys = zip(frame["school_id"], frame["pupil_id"], strict=True)
    strange = [(position, *key) for position, key in enumerate(keys) if key not in known]
    schools = {school for _, school, _ in strange}
    bare = {(school, split_bare_identifier(pupil)) for school, pupil in known if school in schools}
    for position, school, pupil in strange:
        remedy = "Add the pupil to the list of pupils, or correct the identifier."
        if (school, split_bare_identifier(pupil)) in bare:
            remedy = "A pupil of the list differs by leading zeros or signs only: send the identifier as it is there."
        problem = "The pupil of this row is in no list of pupils of the school."
        yield build_question_at(frame, position, "pupil_id", problem, remedy)
