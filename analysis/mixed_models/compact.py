"""Columns of names as small whole numbers, coded a stretch of rows at a time.

What pandas' ``factorize`` returns has eight bytes a row, as much as the column itself; in a frame of ten million rows
that is the memory that a fit would need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

STRETCH = 1 << 17
_WIDTHS = (np.int8, np.int16, np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """A column as codes.

    Parameters
    ----------
    codes
        Shape (N,), positions in ``labels`` in as few bytes as hold them; rows left out have any code.
    labels
        The values that are there, sorted (or the categories, in their order).
    gone
        Categories without rows.
    """

    codes: np.ndarray
    labels: list[Any]
    gone: list[Any]


def stretches(n: int, *, length: int = STRETCH) -> Iterator[slice]:
    """Return consecutive slices of ``n`` rows."""
    for start in range(0, n, length):
        yield slice(start, min(start + length, n))


def compact_values(n: int, block: Callable[[slice], Any], complete: np.ndarray | None) -> Compact:
    """Code values that come a stretch of rows at a time.

    Parameters
    ----------
    n
        Number of rows.
    block
        The values of a slice of rows.
    complete
        Shape (N,), which rows count; None for all.
    """
    places: dict[Any, int] = {}
    codes = np.zeros(n, dtype=np.int8)
    for rows in stretches(n):
        values = block(rows)
        if complete is not None:
            values = values[complete[rows]]
        own, found = pd.factorize(values)
        numbers = np.array([places.setdefault(value, len(places)) for value in found.tolist()], dtype=np.int64)
        if len(places) > np.iinfo(codes.dtype).max:
            codes = codes.astype(_width(len(places)))
        if complete is None:
            codes[rows] = numbers[own]
        else:
            codes[rows][complete[rows]] = numbers[own]
    ranks, labels = pd.factorize(np.array(list(places), dtype=object), sort=True)
    return Compact(codes=_mapped(codes, ranks), labels=list(labels), gone=[])


def compact_column(values: pd.Series[Any], complete: np.ndarray | None = None) -> Compact:
    """Code a column; a categorical's own codes are used where none of its categories is without rows.

    Parameters
    ----------
    values
        The column, missing only in rows that do not count.
    complete
        Shape (N,), which rows count; None for all.
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return compact_values(len(values), lambda rows: values.iloc[rows], complete)
    codes, labels = values.cat.codes.to_numpy(), list(values.cat.categories)
    seen = np.zeros(len(labels), dtype=bool)
    for rows in stretches(len(codes)):
        seen[codes[rows] if complete is None else codes[rows][complete[rows]]] = True
    if seen.all():
        return Compact(codes=codes, labels=labels, gone=[])
    kept = [label for label, there in zip(labels, seen, strict=True) if there]
    gone = [label for label, there in zip(labels, seen, strict=True) if not there]
    return Compact(codes=_mapped(codes, np.maximum(np.cumsum(seen) - 1, 0)), labels=kept, gone=gone)


def reordered(column: Compact, *, first: int) -> Compact:
    """Return a column with one of its labels put before the others."""
    order = [first, *[k for k in range(len(column.labels)) if k != first]]
    return Compact(
        codes=_mapped(column.codes, np.argsort(order)), labels=[column.labels[k] for k in order], gone=column.gone
    )


def _width(n: int) -> type[np.signedinteger[Any]]:
    return next((width for width in _WIDTHS if n <= np.iinfo(width).max), np.int64)


def _mapped(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return ``places[codes]``, which are below their number, with no more than a stretch of it in eight bytes."""
    result = np.empty(len(codes), dtype=_width(len(places)))
    if len(places):
        for rows in stretches(len(codes)):
            result[rows] = places[codes[rows]]
    return result
