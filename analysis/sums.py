"""Each school's sums: what a linear multilevel model needs of its pupils, made in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.terms import INTERCEPT, Columns, independent_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolSums:
    """Sums of centred and scaled columns by school; the outcome is the last column.

    Parameters
    ----------
    names
        The p columns of the model that are linearly independent.
    n
        Shape (J,), pupils a school.
    by_school
        Shape (J, p + 1), column sums within each school.
    total
        Shape (p + 1, p + 1), cross-products over all pupils.
    centre, scale
        Shape (p + 1,), what was taken off and divided by, so that offsets of any size cost no digits.
        The intercept has centre 0 and scale 1.
    dropped
        Columns left out because they are combinations of earlier ones.
    """

    names: tuple[str, ...]
    n: np.ndarray
    by_school: np.ndarray
    total: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    dropped: tuple[str, ...] = ()

    @property
    def n_pupils(self) -> int:
        """Number of rows."""
        return int(self.n.sum())

    def to_original(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the map from scaled to original coefficients.

        Returns
        -------
        tuple of numpy.ndarray
            ``matrix`` (p, p) and ``shift`` (p,) with beta = matrix @ beta_scaled + shift.
        """
        p = len(self.names)
        matrix = np.diag(self.scale[-1] / self.scale[:p])
        shift = np.zeros(p)
        if INTERCEPT in self.names:
            place = self.names.index(INTERCEPT)
            matrix[place] -= self.scale[-1] * self.centre[:p] / self.scale[:p]
            shift[place] = self.centre[-1]
        return matrix, shift


def school_sums(columns: Columns) -> SchoolSums:
    """Make the sums of a model's columns.

    Parameters
    ----------
    columns
        With an intercept as the first column.

    Returns
    -------
    SchoolSums
        In O(N p^2) time and O(N p + J p) memory.
    """
    kept, values, centre, scale = scaled_columns(columns)
    n_schools = len(columns.schools)
    by_school = np.column_stack(
        [np.bincount(columns.school, weights=values[:, k], minlength=n_schools) for k in range(values.shape[1])]
    )
    return SchoolSums(
        names=tuple(columns.names[k] for k in kept),
        n=np.bincount(columns.school, minlength=n_schools).astype(float),
        by_school=by_school,
        total=values.T @ values,
        centre=centre,
        scale=scale,
        dropped=tuple(name for k, name in enumerate(columns.names) if k not in set(kept.tolist())),
    )


def scaled_columns(columns: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return positions kept, centred and scaled columns with the outcome last, centres and scales."""
    values = np.column_stack([columns.x, columns.y])
    centre = values.mean(axis=0)
    centre[0] = 0.0
    values = values - centre
    scale = np.sqrt((values**2).mean(axis=0))
    scale[0] = 1.0
    scale[scale == 0] = 1.0
    values = values / scale
    kept = independent_columns(values[:, :-1])
    chosen = np.append(kept, values.shape[1] - 1)
    return kept, values[:, chosen], centre[chosen], scale[chosen]


def school_cross_products(values: np.ndarray, school: np.ndarray, *, n_schools: int) -> np.ndarray:
    """Return every school's cross-products.

    Parameters
    ----------
    values
        Shape (N, q).
    school
        Shape (N,), position of each row's school.

    Returns
    -------
    numpy.ndarray
        Shape (J, q, q).
    """
    q = values.shape[1]
    products = np.empty((n_schools, q, q))
    for a in range(q):
        for b in range(a + 1):
            summed = np.bincount(school, weights=values[:, a] * values[:, b], minlength=n_schools)
            products[:, a, b] = summed
            products[:, b, a] = summed
    return products
