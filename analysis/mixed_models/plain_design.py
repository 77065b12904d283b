"""Fixed columns of formulas of columns and their products: what formulaic makes of these, in a tenth of the time.

Most models of a trial are of this kind: ``arm + baseline``, ``arm * sex * baseline``. A product's parts have to stand
in the formula too, so that all factors have treatment contrasts. A test holds columns and names to formulaic's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTerm:
    """A term of a formula.

    Parameters
    ----------
    name
        As formulaic writes it.
    columns
        Columns of the frame whose product it is; none for the intercept.
    """

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDesign:
    """Columns and products of columns, in the words of formulaic's ``ModelSpec``.

    Parameters
    ----------
    terms
        In formulaic's order, the intercept first.
    column_names
        Of the design.
    term_indices
        Term to the positions of its columns.
    """

    terms: tuple[PlainTerm, ...]
    column_names: tuple[str, ...]
    term_indices: dict[str, tuple[int, ...]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the frame, numbers or categoricals."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.columns))

    @property
    def term_variables(self) -> dict[str, tuple[str, ...]]:
        """Term to the columns that it uses."""
        return {term.name: term.columns for term in self.terms}

    def matrix(self, data: dict[str, Any] | pd.DataFrame) -> np.ndarray:
        """Return the columns, shape (N, p).

        Parameters
        ----------
        data
            The frame's columns, complete.
        """
        values = np.empty((len(data[self.columns[0]]), len(self.column_names)), order="F")
        values[:, 0] = 1.0
        for term in self.terms[1:]:
            places = self.term_indices[term.name]
            if len(term.columns) == 1:
                _write_column_values(values, places, data[term.columns[0]])
                continue
            for place, parts in zip(places, _enumerate_product_columns(self.term_indices, term.columns), strict=True):
                values[:, place] = reduce(np.multiply, (values[:, part] for part in parts))
        return values


def build_plain_design(terms: Sequence[PlainTerm], data: dict[str, Any]) -> PlainDesign | None:
    """Return the design of columns and their products; None where formulaic is needed.

    Parameters
    ----------
    terms
        The formula's terms in formulaic's order.
    data
        The frame's columns.
    """
    if not terms or terms[0].columns or terms[0].name != "1" or len(terms) == 1:
        return None
    names = ["Intercept"]
    places: dict[str, tuple[int, ...]] = {"1": (0,)}
    known = {frozenset(term.columns) for term in terms}
    for term in terms[1:]:
        if not term.columns or len(set(term.columns)) < len(term.columns):
            return None
        if any(name not in data for name in term.columns) or not _enumerate_partial_products(term.columns) <= known:
            return None
        start = len(names)
        if len(term.columns) == 1:
            names += _get_column_names(term.columns[0], data[term.columns[0]])
        else:
            names += [
                ":".join(names[part] for part in parts) for parts in _enumerate_product_columns(places, term.columns)
            ]
        places[term.name] = tuple(range(start, len(names)))
    return PlainDesign(terms=tuple(terms), column_names=tuple(names), term_indices=places)


def _enumerate_partial_products(columns: tuple[str, ...]) -> set[frozenset[str]]:
    """Return the products of some of a term's columns but not all."""
    return {frozenset(some) for size in range(1, len(columns)) for some in combinations(columns, size)}


def _get_column_names(name: str, values: object) -> list[str]:
    if isinstance(values, pd.Categorical):
        return [f"{name}[T.{level}]" for level in values.categories[1:]]
    return [name]


def _enumerate_product_columns(places: dict[str, tuple[int, ...]], columns: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Return the columns of each of a product's columns, the first factor's varying fastest."""
    column_places = [places[name] for name in columns]
    return [parts[::-1] for parts in product(*column_places[::-1])]


def _write_column_values(values: np.ndarray, places: tuple[int, ...], column: Any) -> None:  # noqa: ANN401  # a column of any kind
    if isinstance(column, pd.Series):
        column = column.array if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy(dtype=float)
    if isinstance(column, pd.Categorical):
        codes = np.asarray(column.codes)
        for level, place in enumerate(places, start=1):
            np.equal(codes, level, out=values[:, place])
    else:
        values[:, places[0]] = np.asarray(column, dtype=float)
