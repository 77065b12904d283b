"""A model's columns as patterns of centred and scaled columns, with the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.quadrature.patterns import Patterns, patterns
from analysis.sums import scale_model_columns
from analysis.terms import Columns

_MakePatterns = Callable[[np.ndarray, Columns], Patterns]


def _build_binary_patterns(x: np.ndarray, columns: Columns) -> Patterns:
    return patterns(x, columns.y, columns.school, n_schools=len(columns.schools))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Patterns of centred and scaled columns, with the way back.

    Parameters
    ----------
    data
        Of the scaled columns.
    names
        The columns that are kept: those that are not combinations of earlier ones.
    dropped
        The others.
    centre, scale
        Shape (p,), what was taken off and divided by.
    """

    data: Patterns
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, columns: Columns, *, make: _MakePatterns = _build_binary_patterns) -> Problem:
        """Scale the columns and compress the rows.

        Parameters
        ----------
        columns
            Of the model.
        make
            Patterns of scaled columns; those of a binary outcome unless said otherwise.
        """
        positions, values, centre, scale = scale_model_columns(columns)
        return cls(
            data=make(values[:, :-1], columns),
            names=tuple(columns.names[k] for k in positions),
            dropped=tuple(name for k, name in enumerate(columns.names) if k not in set(positions.tolist())),
            centre=centre[:-1],
            scale=scale[:-1],
        )

    def to_original(self) -> np.ndarray:
        """Return the matrix that turns scaled coefficients into those of the columns as they were."""
        back = np.diag(1 / self.scale)
        back[0] -= self.centre / self.scale
        return back

    def level(self, name: str, value: float) -> float:
        """Return a column's value, scaled."""
        place = self.names.index(name)
        return float((value - self.centre[place]) / self.scale[place])

    def with_arm(self, terms: list[str], *, chosen: str | None) -> np.ndarray:
        """Return the patterns' columns as if every pupil were in one arm.

        Parameters
        ----------
        terms
            Columns of the arms other than the reference.
        chosen
            One of them; None for the reference.
        """
        x = self.data.x.copy()
        for term in terms:
            x[:, self.names.index(term)] = self.level(term, float(term == chosen))
        return x

    def between_df(self) -> int:
        """Return schools less columns that are constant within every school."""
        first = self.data.x[self.data.starts]
        constant = (self.data.x == first[self.data.school]).all(axis=0)
        return self.data.n_schools - int(constant.sum())
