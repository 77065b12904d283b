"""The school frame as an allocation reads it: text identifiers and text strata, sorted."""

from __future__ import annotations

import numbers
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.canonical import is_plain, listed, table_bytes
from randomisation.design import Design

if TYPE_CHECKING:
    import pandas as pd

SCHOOL_ID = "school_id"
"""The column that identifies schools."""

_PLACE = "school frame"


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedSchools:
    """Schools and their strata, sorted by identifier (by Unicode code points).

    Parameters
    ----------
    ids
        Identifiers, length J.
    columns
        Names of the design's strata.
    stratum_values
        Each school's values in those columns, as text.
    """

    ids: tuple[str, ...]
    columns: tuple[str, ...]
    stratum_values: tuple[tuple[str, ...], ...]

    def canonical(self) -> bytes:
        """Return the bytes whose hash identifies the frame: header and one line a school, tabs between fields."""
        rows = ((school, *values) for school, values in zip(self.ids, self.stratum_values, strict=True))
        return table_bytes((SCHOOL_ID, *self.columns), rows)

    def cells(self) -> dict[tuple[str, ...], list[int]]:
        """Return each stratum's schools as ascending positions in `ids`, strata sorted by their values."""
        found: dict[tuple[str, ...], list[int]] = {}
        for position, values in enumerate(self.stratum_values):
            found.setdefault(values, []).append(position)
        return dict(sorted(found.items()))

    def labels(self) -> tuple[str, ...]:
        """Return each school's stratum as one text: its values with ' / ' between them, 'all' without strata."""
        if not self.columns:
            return ("all",) * len(self.ids)
        label_of = {values: " / ".join(values) for values in self.cells()}
        twice = [label for label, n in Counter(label_of.values()).items() if n > 1]
        if twice:
            raise DesignError(
                f"{_PLACE}, columns {listed(self.columns)}",
                f"Different strata would both be called {listed(twice)}.",
                "Write these values without ' / '.",
            )
        return tuple(label_of[values] for values in self.stratum_values)


def read_schools(frame: pd.DataFrame, design: Design) -> SortedSchools:
    """Read from a frame what an allocation depends on, and nothing else.

    Parameters
    ----------
    frame
        One row a school in any order, with `school_id` (text) and the columns of the design's strata (text, whole
        numbers, yes/no; a number that is whole is taken without its decimals). Further columns are not looked at.
    design
        The design.

    Raises
    ------
    DesignError
        If the frame has no rows or a column is not there, if an identifier is missing, not text or there twice, or if a
        value of a stratum is missing.
    """
    for column in (SCHOOL_ID, *design.strata):
        _check_column(frame, column)
    if len(frame) == 0:
        raise DesignError(_PLACE, "It has no schools.", "List the schools that take part, one row each.")
    ids = _identifiers(frame)
    columns = [_texts(frame, column, ids) for column in design.strata]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return SortedSchools(
        ids=tuple(ids[row] for row in order),
        columns=design.strata,
        stratum_values=tuple(tuple(column[row] for column in columns) for row in order),
    )


def _check_column(frame: pd.DataFrame, column: str) -> None:
    names = list(frame.columns)
    if column not in names:
        known = listed([str(name) for name in names], most=20) or "none"
        raise DesignError(
            _PLACE,
            f"There is no column '{column}'.",
            f"Add it, or correct the design's strata; the columns are: {known}.",
        )
    if names.count(column) > 1:
        raise DesignError(f"{_PLACE}, column '{column}'", "It is there more than once.", "Keep one of them.")


def _identifiers(frame: pd.DataFrame) -> list[str]:
    place = f"{_PLACE}, column '{SCHOOL_ID}'"
    ids = frame[SCHOOL_ID].tolist()
    for row, (school, missing) in enumerate(zip(ids, frame[SCHOOL_ID].isna().tolist(), strict=True), start=1):
        if missing or school == "":
            raise DesignError(place, f"School number {row} of the frame has no identifier.", "Give every school one.")
        if not isinstance(school, str):
            raise DesignError(
                place, f"{school!r} is not text.", "Read identifiers as text, so that leading zeros are kept."
            )
        if not is_plain(school):
            raise DesignError(
                place, f"{school!r} has spaces around it or characters that do not print.", "Correct the identifier."
            )
    twice = [school for school, n in Counter(ids).items() if n > 1]
    if twice:
        raise DesignError(place, f"{listed(twice)} stands in more than one row.", "Keep one row a school.")
    return ids


def _texts(frame: pd.DataFrame, column: str, ids: list[str]) -> list[str]:
    place = f"{_PLACE}, column '{column}'"
    missing = frame[column].isna().tolist()
    texts = ["" if gone else _text(value) for value, gone in zip(frame[column].tolist(), missing, strict=True)]
    without = [school for school, text in zip(ids, texts, strict=True) if not text]
    if without:
        raise DesignError(
            place,
            f"No value for school {listed(without)}.",
            "Fill it in: a school without its stratum cannot be allocated.",
        )
    unreadable = [school for school, text in zip(ids, texts, strict=True) if not is_plain(text)]
    if unreadable:
        raise DesignError(
            place,
            f"The value of school {listed(unreadable)} cannot name a stratum.",
            "Use short text, whole numbers or yes/no.",
        )
    return texts


_NO_TEXT = "\x00"
"""Stands for a value of a type that cannot name a stratum; never plain, so that it is refused with its school."""


def _text(value: object) -> str:
    """Write a stratum's value as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return _NO_TEXT
