"""Fixed columns of formulas that are a sum of columns: what formulaic makes of them, in a tenth of the time.

Most models of a trial are of this kind. A test holds the columns and their names to formulaic's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainDesign:
    """A sum of columns, in the words of formulaic's ``ModelSpec``.

    Parameters
    ----------
    columns
        Columns of the frame, numbers or categoricals.
    column_names
        Of the design, the intercept first.
    term_indices
        Term to the positions of its columns.
    """

    columns: tuple[str, ...]
    column_names: tuple[str, ...]
    term_indices: dict[str, tuple[int, ...]]

    @property
    def required_variables(self) -> tuple[str, ...]:
        """Columns that must be in a frame."""
        return self.columns

    @property
    def term_variables(self) -> dict[str, tuple[str, ...]]:
        """Term to the columns that it uses."""
        return {term: (() if term == "1" else (term,)) for term in self.term_indices}

    def matrix(self, data: dict[str, Any] | pd.DataFrame) -> np.ndarray:
        """Return the columns, shape (N, p).

        Parameters
        ----------
        data
            The frame's columns, complete.
        """
        values = np.empty((len(data[self.columns[0]]), len(self.column_names)), order="F")
        values[:, 0] = 1.0
        for name in self.columns:
            places = self.term_indices[name]
            column = data[name]
            if isinstance(column, pd.Series):
                column = column.array if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy(dtype=float)
            if isinstance(column, pd.Categorical):
                codes = np.asarray(column.codes)
                for level, place in enumerate(places, start=1):
                    np.equal(codes, level, out=values[:, place])
            else:
                values[:, places[0]] = np.asarray(column, dtype=float)
        return values


def plain_design(terms: list[str], data: dict[str, Any]) -> PlainDesign | None:
    """Return the design of a sum of columns; None where formulaic is needed.

    Parameters
    ----------
    terms
        The formula's terms in formulaic's order, ``"1"`` first.
    data
        The frame's columns.
    """
    columns = tuple(terms[1:])
    if terms[:1] != ["1"] or not columns or any(name not in data for name in columns):
        return None
    names = ["Intercept"]
    places: dict[str, tuple[int, ...]] = {"1": (0,)}
    for name in columns:
        start = len(names)
        values = data[name]
        if isinstance(values, pd.Categorical):
            names += [f"{name}[T.{level}]" for level in values.categories[1:]]
        else:
            names.append(name)
        places[name] = tuple(range(start, len(names)))
    return PlainDesign(columns=columns, column_names=tuple(names), term_indices=places)
