"""The school frame as an allocation reads it: text identifiers and text strata, sorted."""

from __future__ import annotations

import numbers
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.canonical import encode_table, format_quoted_list, is_plain
from randomisation.columns import Column, build_variable_columns, is_number
from randomisation.cuts import find_class
from randomisation.design import MATCHED_SET, Design

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.matching import Matching

SCHOOL_ID = "school_id"
"""The column that identifies schools."""

_PLACE = "school frame"
_RUNS = re.compile(r"\d+|[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedSchools:
    """Schools and their strata, sorted by identifier (by Unicode code points).

    Parameters
    ----------
    ids
        Identifiers, length J.
    columns
        Names of the strata within which is drawn (`Design.columns`).
    stratum_values
        Each school's values in those columns, as text.
    variables
        Names of the variables that matching and constraint look at.
    variable_values
        Each school's values of those variables, as text; empty without variables.
    """

    ids: tuple[str, ...]
    columns: tuple[str, ...]
    stratum_values: tuple[tuple[str, ...], ...]
    variables: tuple[str, ...] = ()
    variable_values: tuple[tuple[str, ...], ...] = ()

    def canonical(self) -> bytes:
        """Return the bytes whose hash identifies the frame: header and one line per school, tabs between fields."""
        values = self.variable_values or ((),) * len(self.ids)
        rows = (
            (school, *strata, *school_values)
            for school, strata, school_values in zip(self.ids, self.stratum_values, values, strict=True)
        )
        return encode_table((SCHOOL_ID, *self.columns, *self.variables), rows)

    def seen_by(self, design: Design) -> SortedSchools:
        """Return what a design looks at of these schools.

        Raises
        ------
        DesignError
            If the design has other strata, or variables that are not known of the schools.
        """
        strange = [name for name in design.variables if name not in self.variables]
        if self.columns != design.columns or strange:
            raise DesignError(
                _PLACE,
                f"It has {format_quoted_list([*self.columns, *self.variables], most=20) or 'no columns'}, and the "
                "design looks at"
                f" {format_quoted_list([*design.columns, *design.variables], most=20) or 'none'}.",
                "Use the design that the schools were read for.",
            )
        if design.variables == self.variables:
            return self
        places = [self.variables.index(name) for name in design.variables]
        values = tuple(tuple(school_values[place] for place in places) for school_values in self.variable_values)
        return replace(self, variables=design.variables, variable_values=values if places else ())

    def standardised(self, variables: tuple[str, ...], *, categories: tuple[str, ...] = ()) -> list[Column]:
        """Return the columns of whole numbers that variables are made of."""
        place = {name: number for number, name in enumerate(self.variables)}
        return [
            column
            for name in variables
            for column in build_variable_columns(
                name,
                [school_values[place[name]] for school_values in self.variable_values],
                category=name in categories,
            )
        ]

    def cells(self) -> dict[tuple[str, ...], list[int]]:
        """Return each stratum's schools as ascending positions in `ids`, strata sorted by their values."""
        positions_by_stratum: dict[tuple[str, ...], list[int]] = {}
        for position, values in enumerate(self.stratum_values):
            positions_by_stratum.setdefault(values, []).append(position)
        return dict(sorted(positions_by_stratum.items()))

    def labels(self) -> tuple[str, ...]:
        """Return each school's stratum as one text: its values with ' / ' between them, 'all' without strata."""
        if not self.columns:
            return ("all",) * len(self.ids)
        label_of = {values: " / ".join(values) for values in self.cells()}
        twice = [label for label, n in Counter(label_of.values()).items() if n > 1]
        if twice:
            raise DesignError(
                f"{_PLACE}, columns {format_quoted_list(self.columns)}",
                f"Different strata would both be called {format_quoted_list(twice)}.",
                "Write these values without ' / '.",
            )
        return tuple(label_of[values] for values in self.stratum_values)


def read_schools(frame: pd.DataFrame | SortedSchools, design: Design, *, with_sets: bool = True) -> SortedSchools:
    """Read from a frame what an allocation depends on, and nothing else.

    Parameters
    ----------
    frame
        One row per school in any order, with `school_id` (text) and the columns of the design's strata (text, whole
        numbers, yes/no; a number that is whole is taken without its decimals), and the variables of matching and
        constraint. A column `matched_set` states the sets of a matched design; without it they are formed. Further
        columns are not looked at. Or schools that were read before, such as those of a record.
    design
        The design.
    with_sets
        Whether a matched design's sets are read or formed.

    Raises
    ------
    DesignError
        If the frame has no rows or a column is not there, if an identifier is missing, not text or there twice, or if a
        value of a stratum is missing.
    """
    if isinstance(frame, SortedSchools):
        return frame.seen_by(design)
    for column in (SCHOOL_ID, *design.strata, *design.variables):
        _check_column(frame, column)
    if len(frame) == 0:
        raise DesignError(_PLACE, "It has no schools.", "List the schools that take part, one row each.")
    ids = _read_identifiers(frame)
    cuts = dict(design.cuts)
    columns = [
        _read_classes(frame, column, ids, at=cuts[column]) if column in cuts else _read_texts(frame, column, ids)
        for column in design.strata
    ]
    variables = [_read_variable_values(frame, column, ids) for column in design.variables]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    read = SortedSchools(
        ids=tuple(ids[row] for row in order),
        columns=design.strata,
        stratum_values=tuple(tuple(column[row] for column in columns) for row in order),
        variables=design.variables,
        variable_values=tuple(tuple(column[row] for column in variables) for row in order) if variables else (),
    )
    if design.matching is None or not with_sets:
        return read
    stated = dict(zip(ids, _read_texts(frame, MATCHED_SET, ids), strict=True)) if MATCHED_SET in frame.columns else None
    return _attach_matched_sets(read, design, design.matching, stated)


def _attach_matched_sets(
    read: SortedSchools, design: Design, matching: Matching, stated: dict[str, str] | None
) -> SortedSchools:
    """Add each school's matched set as its innermost stratum: the one that the frame states, or the best one."""
    from randomisation.sets import build_matched_sets, check_sets

    size = sum(design.ratios)
    strata = list(read.cells().values())
    if stated is None:
        names = build_matched_sets(read.standardised(matching.variables), matching, strata=strata, size=size)
    else:
        names = [stated[school] for school in read.ids]
        check_sets(names, strata=strata, size=size)
    return replace(
        read,
        columns=design.columns,
        stratum_values=tuple((*values, name) for values, name in zip(read.stratum_values, names, strict=True)),
    )


def find_look_alikes(ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of identifiers that people and spreadsheets take for one another.

    Those that are the same but for capitals, spaces and signs, Unicode form (a letter with its accent as one character
    or as two) and zeros before a number. Letters of other alphabets that look the same are not known here.

    Examples
    --------
    >>> find_look_alikes(["SI-04", "si 4", "05", "5", "50", "k\u00f6r", "ko\u0308r"])
    (('SI-04', 'si 4'), ('05', '5'), ('kör', 'kör'))
    """
    first_spelling: dict[tuple[str, ...], str] = {}
    pairs = []
    for school in ids:
        plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", school).casefold())
        bare = tuple(run.lstrip("0") or "0" if run.isdigit() else run for run in _RUNS.findall(plain))
        first = first_spelling.setdefault(bare or (school,), school)
        if first != school:
            pairs.append((first, school))
    return tuple(pairs)


def _check_column(frame: pd.DataFrame, column: str) -> None:
    names = list(frame.columns)
    if column not in names:
        known = format_quoted_list([str(name) for name in names], most=20) or "none"
        raise DesignError(
            _PLACE,
            f"There is no column '{column}'.",
            f"Add it, or correct the design's strata; the columns are: {known}.",
        )
    if names.count(column) > 1:
        raise DesignError(f"{_PLACE}, column '{column}'", "It is there more than once.", "Keep one of them.")


def _read_identifiers(frame: pd.DataFrame) -> list[str]:
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
        raise DesignError(place, f"{format_quoted_list(twice)} is in more than one row.", "Keep one row per school.")
    return ids


def _read_texts(frame: pd.DataFrame, column: str, ids: list[str]) -> list[str]:
    place = f"{_PLACE}, column '{column}'"
    missing = frame[column].isna().tolist()
    texts = [
        "" if gone else _format_stratum_value(value)
        for value, gone in zip(frame[column].tolist(), missing, strict=True)
    ]
    without = [school for school, text in zip(ids, texts, strict=True) if not text]
    if without:
        raise DesignError(
            place,
            f"No value for school {format_quoted_list(without)}.",
            "Fill it in: a school without its stratum cannot be allocated.",
        )
    unreadable = [school for school, text in zip(ids, texts, strict=True) if not is_plain(text)]
    if unreadable:
        raise DesignError(
            place,
            f"The value of school {format_quoted_list(unreadable)} cannot name a stratum.",
            "Use short text, whole numbers or yes/no.",
        )
    return texts


def _read_classes(frame: pd.DataFrame, column: str, ids: list[str], *, at: tuple[float, ...]) -> list[str]:
    """Read a stratum that is a number as its classes."""
    class_labels = [find_class(text, at) for text in _read_texts(frame, column, ids)]
    wrong = [school for school, name in zip(ids, class_labels, strict=True) if name is None]
    if wrong:
        raise DesignError(
            f"{_PLACE}, column '{column}'",
            f"The value of school {format_quoted_list(wrong)} is not a number, and the design cuts this column.",
            "Correct it, or take the column out of the cuts.",
        )
    return [name or "" for name in class_labels]


def _read_variable_values(frame: pd.DataFrame, column: str, ids: list[str]) -> list[str]:
    """Read a variable that is matched or balanced on: numbers in plain decimals, or few categories."""
    place = f"{_PLACE}, column '{column}'"
    texts = _read_texts(frame, column, ids)
    numeric = frame[column].dtype.kind in "iuf" or all(isinstance(value, float | int) for value in frame[column])
    if numeric:
        odd = [school for school, text in zip(ids, texts, strict=True) if "inf" in text]
        if odd:
            raise DesignError(place, f"The value of school {format_quoted_list(odd)} is not finite.", "Correct it.")
        return [f"{Decimal(text):f}" if "e" in text else text for text in texts]
    if not all(is_number(text) for text in texts) and len(set(texts)) > max(len(ids) // 2, 2):
        raise DesignError(
            place,
            f"It has {len(set(texts))} different texts for {len(ids)} schools, too many for a category.",
            "Write numbers as numbers, with a decimal point, or put schools into fewer categories.",
        )
    return texts


_NO_TEXT = "\x00"
"""Represents a value of a type that cannot name a stratum; never plain, so that it is refused with its school."""


def _format_stratum_value(value: object) -> str:
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
