"""Values of open fields on their way in: what is of a person is taken out, cell by cell or as a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from data_schema.clean import CleanCell, asked
from data_schema.columns import Column, Draft
from data_schema.fields import Field
from data_schema.findings import Finding
from data_schema.personal.gate import Gate
from data_schema.personal.names import is_written_as_name
from data_schema.personal.ordinary import OrdinaryWords, split_words
from data_schema.personal.shapes import Kind, describe_personal_kind, is_certain

Place = tuple[str, str, int, str]

_OTHERS = 3
"""A name that is written for so many persons, or in so many schools, is no person's."""

_LONG = 10**8
"""The least whole number of nine digits."""

_IN_COLUMN = {
    True: "What may be names of persons is in {n} of the {all} cells of the column {column}; its values are left out.",
    False: "What may be identifiers of persons is in {n} of the {all} cells of the column {column}; its values are "
    "left out.",
}
_ARE_SWAPPED = (
    "Check whether two headers are swapped, and send the file again; or answer 'yes' if these are no persons."
)


def clean_open_columns(
    made: Draft, gate: Gate, *, confirmed: Collection[Place]
) -> tuple[dict[str, Column], list[Finding]]:
    """Return the columns of a table without what is of a person in open fields.

    Parameters
    ----------
    made
        The table's cells.
    gate
        Knows what is of a person.
    confirmed
        File, sheet, row and column of what schools have said to be right, columns as a whole by the row of the header.

    Returns
    -------
    tuple
        Field to its cells, those taken out empty and with a question; and the questions about columns as a whole.
    """
    opening = _Opening(made, gate, confirmed)
    for personal_column in find_personal_columns(made, gate.ordinary):
        opening.take_out(personal_column)
    for name, column in made.columns.items():
        if is_open(column.field):
            opening.look_through(name)
        elif made.table.about == "pupil" and column.field.type in ("number", "whole_number"):
            opening.look_for_long_numbers(name)
    return opening.columns, opening.findings


def collect_undeclared_names(drafts: Mapping[str, Draft], gate: Gate, *, confirmed: Collection[Place]) -> list[str]:
    """Return what is in columns of names that nobody declared as such: those who are there are listed, too."""
    texts: list[str] = []
    for draft in drafts.values():
        for personal_column in find_personal_columns(draft, gate.ordinary):
            if personal_column.are_names and _get_header_place(draft, personal_column) not in confirmed:
                texts += [
                    str(value) for value in draft.columns[personal_column.field].array()[personal_column.cells].tolist()
                ]
    return texts


def _get_header_place(made: Draft, found: PersonalColumn) -> Place:
    """Return the place of a column's header, which represents the column as a whole."""
    layout = made.parts[found.part].layout
    return layout.sheet.file, layout.sheet.sheet, (layout.header or 0) + 1, found.field


class _Opening:
    """Goes through the open columns of a table; used once."""

    def __init__(self, made: Draft, gate: Gate, confirmed: Collection[Place]) -> None:
        self.made, self.gate = made, gate
        self.columns = dict(made.columns)
        self.findings: list[Finding] = []
        self._confirmed = {(file, sheet, row, name) for file, sheet, row, name in confirmed}

    def take_out(self, found: PersonalColumn) -> None:
        """Empty a column of a sheet, and ask about it once."""
        place = _get_header_place(self.made, found)
        if place in self._confirmed:
            self._confirmed |= {
                (*place[:2], int(self.made.rows[position]), found.field) for position in found.cells.tolist()
            }
            return
        self.columns[found.field] = self.columns[found.field].emptied(found.cells, CleanCell())
        problem = _IN_COLUMN[found.are_names].format(n=found.n_like, all=len(found.cells), column=repr(found.field))
        self.findings.append(
            Finding(
                file=place[0],
                sheet=place[1],
                row=place[2],
                column=found.field,
                problem=problem,
                remedy=_ARE_SWAPPED,
                severity="question",
            )
        )

    def look_through(self, name: str) -> None:
        """Take out the cells of a column that are of a person, each with a question."""
        column = self.columns[name]
        for text, codes in column.codes_of_texts().items():
            kind = self.gate.kind_of_text(text)
            if kind is None:
                continue
            cells = column.where(codes)
            if kind is Kind.POSSIBLE_NAME and self._count_owners(cells) >= _OTHERS:
                continue
            if not is_certain(kind):
                cells = cells[[self._build_place(position, name) not in self._confirmed for position in cells.tolist()]]
            if len(cells):
                self.columns[name] = self.columns[name].emptied(cells, asked(*describe_personal_kind(kind)))

    def look_for_long_numbers(self, name: str) -> None:
        """Take out numbers that no count and no measure of a pupil has: identifiers, telephone numbers."""
        column = self.columns[name]
        codes = [
            code for code, value in enumerate(column.meanings) if isinstance(value, int | float) and abs(value) >= _LONG
        ]
        cells = column.where(codes)
        cells = (
            cells[[self._build_place(position, name) not in self._confirmed for position in cells.tolist()]]
            if codes
            else cells
        )
        if len(cells):
            self.columns[name] = column.emptied(cells, asked(*describe_personal_kind(Kind.LONG_NUMBER)))

    def _count_owners(self, cells: np.ndarray) -> int:
        """Return how many pupils, or schools where it is about none, have what is in some cells."""
        owners = self.made.columns.get("pupil_id") or self.made.columns["school_id"]
        return owners.n_distinct(cells)

    def _build_place(self, at: int, name: str) -> Place:
        sheet = self.made.parts[self.made.part_of[at]].layout.sheet
        return sheet.file, sheet.sheet, int(self.made.rows[at]), name


_IDENTIFIER = re.compile(r"(?:[^\W\d_]{1,3}[-_/]?)?\d{5,}(?:[-_/]\w{1,6})?")
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ ,.’'-]{1,2}[^\W\d_]{1,}){1,3}\.?[ ]?\d*")
_FEWEST, _FEWEST_SINGLE = 5, 8
_SHARE_WRITTEN, _SHARE_OWN = 0.6, 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalColumn:
    """A column of a sheet whose values are those of persons.

    Parameters
    ----------
    part, field
        Position of the sheet among those of the table, and name of the field.
    cells
        Positions of the rows with a value.
    n_like
        How many of them are written as names or identifiers are.
    are_names
        Whether as names; as identifiers otherwise.
    """

    part: int
    field: str
    cells: np.ndarray
    n_like: int
    are_names: bool


def is_open(item: Field) -> bool:
    """Whether a field takes any text, and everybody may see it."""
    return not item.is_private and item.name != "school_id" and item.type in ("text", "identifier")


def find_personal_columns(made: Draft, ordinary: OrdinaryWords) -> Iterator[PersonalColumn]:
    """Find columns of open fields whose values are written as names or identifiers are, nearly each another one.

    Parameters
    ----------
    made
        A table's cells.
    ordinary
        Words that are no names.
    """
    for name, column in made.columns.items():
        if not is_open(column.field):
            continue
        as_names, as_words = (
            _mark_matching_meanings(column, _is_written_as_name),
            _mark_matching_meanings(column, _is_written_as_words),
        )
        if as_names.any():
            yield from _iterate_columns_by_part(made, name, as_names, ordinary, are_names=True)
        elif as_words.any():
            # Small letters are those of names only where the column of names has something else.
            name_columns = _iterate_columns_by_part(made, name, as_words, ordinary, are_names=True)
            yield from (name_column for name_column in name_columns if _has_other_than_names(made, name_column.cells))
        as_identifiers = _mark_matching_meanings(column, _is_written_as_identifier)
        if as_identifiers.any():
            yield from _iterate_columns_by_part(made, name, as_identifiers, ordinary, are_names=False)


def _is_written_as_name(text: str) -> bool:
    return len(text) <= 80 and is_written_as_name(text)


def _is_written_as_words(text: str) -> bool:
    return _WORDS.fullmatch(text) is not None


def _has_other_than_names(made: Draft, cells: np.ndarray) -> bool:
    """Whether the columns of names have other than names in some rows: hardly a value of each person's own."""
    name_columns = [made.columns[item.name] for item in made.table.fields if item.privacy == "direct"]
    filled = [cells[~column.is_missing()[cells]] for column in name_columns]
    return any(
        column.n_distinct(rows) < _SHARE_WRITTEN * len(rows)
        for column, rows in zip(name_columns, filled, strict=True)
        if 2 * len(rows) > len(cells)
    )


def _is_written_as_identifier(text: str) -> bool:
    return _IDENTIFIER.fullmatch(text) is not None


def _mark_matching_meanings(column: Column, is_like: Callable[[str], bool]) -> np.ndarray:
    return np.array([isinstance(value, str) and is_like(value) for value in column.meanings], dtype=bool)


def _iterate_columns_by_part(
    made: Draft, name: str, like: np.ndarray, ordinary: OrdinaryWords, *, are_names: bool
) -> Iterator[PersonalColumn]:
    column = made.columns[name]
    is_like, is_missing = like[column.codes], column.is_missing()
    starts = np.searchsorted(made.part_of, np.arange(len(made.parts) + 1))
    for part in np.unique(made.part_of[is_like]).tolist():
        rows = np.arange(starts[part], starts[part + 1])
        cells = rows[~is_missing[rows]]
        like_cells = cells[is_like[cells]]
        values = [str(value) for value in column.array()[like_cells].tolist()]
        if len(like_cells) >= _SHARE_WRITTEN * len(cells) and _is_distinct_by_person(
            values, _count_persons(made, like_cells), ordinary, are_names=are_names
        ):
            yield PersonalColumn(part=part, field=name, cells=cells, n_like=len(like_cells), are_names=are_names)


def _is_distinct_by_person(values: list[str], n_persons: int, ordinary: OrdinaryWords, *, are_names: bool) -> bool:
    """Whether nearly every person of a column has a value of their own, in other words than any table's."""
    distinct = set(values)
    if len(distinct) < _FEWEST or len(distinct) < _SHARE_OWN * n_persons:
        return False
    if not are_names:
        return True
    word_lists = [words for text in distinct if (words := [word for word in split_words(text) if word not in ordinary])]
    is_of_two = sum(len(words) > 1 for words in word_lists) >= _SHARE_WRITTEN * len(distinct)
    return is_of_two or (len(distinct) >= _FEWEST_SINGLE and len(word_lists) >= _SHARE_OWN * len(distinct))


def _count_persons(made: Draft, rows: np.ndarray) -> int:
    """Return how many pupils some rows are about; the number of rows where they are about something else."""
    pupils = made.columns.get("pupil_id")
    return len(rows) if pupils is None else pupils.n_distinct(rows)
