"""Columns that hold names or identifiers of persons though they are others: told by how their values are spread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from data_schema.columns import Column
from data_schema.drafts import Draft
from data_schema.fields import Field
from data_schema.personal.names import is_written_as_name
from data_schema.personal.ordinary import OrdinaryWords, words_of

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


def personal_columns(made: Draft, ordinary: OrdinaryWords) -> Iterator[PersonalColumn]:
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
        as_names, as_words = _where(column, _written_as_name), _where(column, _written_as_words)
        if as_names.any():
            yield from _in_parts(made, name, as_names, ordinary, are_names=True)
        elif as_words.any():
            # Small letters are those of names only where the column of names has something else.
            found = _in_parts(made, name, as_words, ordinary, are_names=True)
            yield from (one for one in found if _lacks_names(made, one.cells))
        as_identifiers = _where(column, _written_as_identifier)
        if as_identifiers.any():
            yield from _in_parts(made, name, as_identifiers, ordinary, are_names=False)


def _written_as_name(text: str) -> bool:
    return len(text) <= 80 and is_written_as_name(text)


def _written_as_words(text: str) -> bool:
    return _WORDS.fullmatch(text) is not None


def _lacks_names(made: Draft, cells: np.ndarray) -> bool:
    """Whether the columns of names have other than names in some rows: hardly a value of each person's own."""
    own = [made.columns[item.name] for item in made.table.fields if item.privacy == "direct"]
    filled = [cells[~column.is_missing()[cells]] for column in own]
    return any(
        column.n_distinct(rows) < _SHARE_WRITTEN * len(rows)
        for column, rows in zip(own, filled, strict=True)
        if 2 * len(rows) > len(cells)
    )


def _written_as_identifier(text: str) -> bool:
    return _IDENTIFIER.fullmatch(text) is not None


def _where(column: Column, is_like: Callable[[str], bool]) -> np.ndarray:
    return np.array([isinstance(value, str) and is_like(value) for value in column.meanings], dtype=bool)


def _in_parts(
    made: Draft, name: str, like: np.ndarray, ordinary: OrdinaryWords, *, are_names: bool
) -> Iterator[PersonalColumn]:
    column = made.columns[name]
    is_like, is_missing = like[column.codes], column.is_missing()
    starts = np.searchsorted(made.part_of, np.arange(len(made.parts) + 1))
    for part in np.unique(made.part_of[is_like]).tolist():
        rows = np.arange(starts[part], starts[part + 1])
        cells = rows[~is_missing[rows]]
        found = cells[is_like[cells]]
        values = [str(value) for value in column.array()[found].tolist()]
        if len(found) >= _SHARE_WRITTEN * len(cells) and _are_of_persons(
            values, _n_persons(made, found), ordinary, are_names=are_names
        ):
            yield PersonalColumn(part=part, field=name, cells=cells, n_like=len(found), are_names=are_names)


def _are_of_persons(values: list[str], n_persons: int, ordinary: OrdinaryWords, *, are_names: bool) -> bool:
    """Whether nearly every person of a column has a value of their own, in other words than any table's."""
    distinct = set(values)
    if len(distinct) < _FEWEST or len(distinct) < _SHARE_OWN * n_persons:
        return False
    if not are_names:
        return True
    own = [words for text in distinct if (words := [word for word in words_of(text) if word not in ordinary])]
    is_of_two = sum(len(words) > 1 for words in own) >= _SHARE_WRITTEN * len(distinct)
    return is_of_two or (len(distinct) >= _FEWEST_SINGLE and len(own) >= _SHARE_OWN * len(distinct))


def _n_persons(made: Draft, rows: np.ndarray) -> int:
    """Return how many pupils some rows are about; the number of rows where they are about something else."""
    pupils = made.columns.get("pupil_id")
    return len(rows) if pupils is None else pupils.n_distinct(rows)
