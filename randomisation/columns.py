"""Variables of schools as whole numbers: standardised in stated arithmetic, the same on any machine.

ALGORITHM.md, "Variables", is the text. Everything is a whole number, so that an independent re-implementation gets the
same distances and scores to the last digit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from data_schema.errors import DesignError

UNIT = 100_000
"""Standardised values are whole numbers of 1 / UNIT standard deviation."""

INVERSE_UNIT = 1000
"""Inverse correlations are whole numbers of 1 / INVERSE_UNIT."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of numbers that a variable is made of.

    Parameters
    ----------
    variable
        The variable.
    level
        The category that the column shows; empty for a number.
    values
        Length J, standardised: mean 0, standard deviation `UNIT`, cut off towards 0.
    """

    variable: str
    level: str
    values: tuple[int, ...]


def is_number(text: str) -> bool:
    """Return whether a text is a decimal number.

    Examples
    --------
    >>> is_number("-12.50"), is_number("1e5"), is_number("12,5")
    (True, False, False)
    """
    return bool(_NUMBER.fullmatch(text))


def build_variable_columns(variable: str, texts: Sequence[str], *, category: bool = False) -> list[Column]:
    """Turn a variable's texts into standardised columns.

    Parameters
    ----------
    variable
        Its name.
    texts
        Length J. A number where all are decimal numbers; otherwise a category.
    category
        Whether it is a category whatever is written.

    Raises
    ------
    DesignError
        If all schools have the same value.

    Examples
    --------
    >>> build_variable_columns("size", ["1", "2", "3"])[0].values
    (-100000, 0, 100000)
    >>> [column.level for column in build_variable_columns("type", ["b", "a", "c"])]
    ['b', 'c']
    """
    if not category and all(is_number(text) for text in texts):
        return [
            Column(variable=variable, level="", values=_standardise_numbers(variable, _scale_to_whole_numbers(texts)))
        ]
    levels = sorted(set(texts))
    _check_varies(variable, len(levels) > 1)
    return [
        Column(
            variable=variable,
            level=level,
            values=_standardise_numbers(variable, [int(text == level) for text in texts]),
        )
        for level in levels[1:]
    ]


def _scale_to_whole_numbers(texts: Sequence[str]) -> list[int]:
    """Write decimal numbers as whole numbers of the same unit."""
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return [int(text.partition(".")[0] + text.partition(".")[2].ljust(decimals, "0")) for text in texts]


def _standardise_numbers(variable: str, numbers: Sequence[int]) -> tuple[int, ...]:
    n, total = len(numbers), sum(numbers)
    centred = [n * number - total for number in numbers]
    squares = sum(number * number for number in centred)
    _check_varies(variable, squares > 0)
    scale = (n - 1) * UNIT**2
    return tuple((1 if c > 0 else -1) * math.isqrt(c * c * scale // squares) for c in centred)


def _check_varies(variable: str, varies: bool) -> None:
    if not varies:
        raise DesignError(
            f"school frame, column '{variable}'",
            "All schools have the same value.",
            "Take it out of the design: it cannot be balanced or matched on.",
        )


def compute_inverse_correlations(columns: Sequence[Column]) -> list[list[int]]:
    """Return the inverse of the columns' correlations, as whole numbers of 1 / `INVERSE_UNIT`, rounded half up.

    Raises
    ------
    DesignError
        If a column follows from others.
    """
    n = len(columns[0].values)
    scale = (n - 1) * UNIT**2
    size = len(columns)
    rows = [
        [
            Fraction(sum(a * b for a, b in zip(left_column.values, other.values, strict=True)), scale)
            for other in columns
        ]
        + [Fraction(int(place == k)) for k in range(size)]
        for place, left_column in enumerate(columns)
    ]
    for pivot in range(size):
        best = max(range(pivot, size), key=lambda row: abs(rows[row][pivot]))
        rows[pivot], rows[best] = rows[best], rows[pivot]
        if abs(rows[pivot][pivot]) < Fraction(1, 1000):
            raise DesignError(
                f"school frame, column '{columns[pivot].variable}'",
                "It follows from the other variables, or almost.",
                "Take one of them out, or use another score than mahalanobis.",
            )
        lead = rows[pivot][pivot]
        rows[pivot] = [value / lead for value in rows[pivot]]
        for row in range(size):
            if row != pivot:
                times = rows[row][pivot]
                rows[row] = [value - times * top for value, top in zip(rows[row], rows[pivot], strict=True)]
    return [[math.floor(value * INVERSE_UNIT + Fraction(1, 2)) for value in row[size:]] for row in rows]
