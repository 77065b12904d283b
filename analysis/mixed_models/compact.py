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


def iterate_row_slices(n: int, *, length: int | None = None) -> Iterator[slice]:
    """Return consecutive slices of ``n`` rows."""
    step = STRETCH if length is None else length
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def encode_values_compactly(n: int, block: Callable[[slice], Any], complete: np.ndarray | None) -> Compact:
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
    if n <= STRETCH and complete is None:
        codes, distinct_values = pd.factorize(block(slice(0, n)), sort=True)
        return Compact(
            codes=codes.astype(_find_code_width(len(distinct_values))), labels=list(distinct_values), gone=[]
        )
    places: dict[Any, int] = {}
    codes = np.zeros(n, dtype=np.int8)
    for rows in iterate_row_slices(n):
        values = block(rows)
        if complete is not None:
            values = values[complete[rows]]
        stretch_codes, distinct_values = pd.factorize(values)
        numbers = np.array(
            [places.setdefault(value, len(places)) for value in distinct_values.tolist()], dtype=np.int64
        )
        if len(places) > np.iinfo(codes.dtype).max:
            codes = codes.astype(_find_code_width(len(places)))
        if complete is None:
            codes[rows] = numbers[stretch_codes]
        else:
            codes[rows][complete[rows]] = numbers[stretch_codes]
    ranks, labels = pd.factorize(np.array(list(places), dtype=object), sort=True)
    return Compact(codes=_map_codes_to_places(codes, ranks), labels=list(labels), gone=[])


def encode_column_compactly(values: pd.Series[Any], complete: np.ndarray | None = None) -> Compact:
    """Code a column; a categorical's own codes are used where none of its categories is without rows.

    Parameters
    ----------
    values
        The column, missing only in rows that do not count.
    complete
        Shape (N,), which rows count; None for all.
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return encode_values_compactly(len(values), lambda rows: values.iloc[rows], complete)
    codes, labels = values.cat.codes.to_numpy(), list(values.cat.categories)
    seen = np.zeros(len(labels), dtype=bool)
    for rows in iterate_row_slices(len(codes)):
        seen[codes[rows] if complete is None else codes[rows][complete[rows]]] = True
    if seen.all():
        return Compact(codes=codes, labels=labels, gone=[])
    used_labels = [label for label, there in zip(labels, seen, strict=True) if there]
    gone = [label for label, there in zip(labels, seen, strict=True) if not there]
    return Compact(codes=_map_codes_to_places(codes, np.maximum(np.cumsum(seen) - 1, 0)), labels=used_labels, gone=gone)


def move_label_first(column: Compact, *, first: int) -> Compact:
    """Return a column with one of its labels put before the others."""
    order = [first, *[k for k in range(len(column.labels)) if k != first]]
    return Compact(
        codes=_map_codes_to_places(column.codes, np.argsort(order)),
        labels=[column.labels[k] for k in order],
        gone=column.gone,
    )


def _find_code_width(n: int) -> type[np.signedinteger[Any]]:
    return next((width for width in _WIDTHS if n <= np.iinfo(width).max), np.int64)


def _map_codes_to_places(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return ``places[codes]``, which are below their number, with no more than a stretch of it in eight bytes."""
    result = np.empty(len(codes), dtype=_find_code_width(len(places)))
    if len(places):
        for rows in iterate_row_slices(len(codes)):
            result[rows] = places[codes[rows]]
    return result
