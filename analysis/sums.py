"""The columns of a school trial's model, scaled and as sums by school."""

from __future__ import annotations

import numpy as np

from analysis.guards import find_independent_columns
from analysis.terms import Columns


def scale_model_columns(columns: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return positions kept, centred and scaled columns with the outcome last, centres and scales."""
    values = np.column_stack([columns.x, columns.y])
    centre = values.mean(axis=0)
    centre[0] = 0.0
    values = values - centre
    scale = np.sqrt((values**2).mean(axis=0))
    scale[0] = 1.0
    scale[scale == 0] = 1.0
    values = values / scale
    independent_places = find_independent_columns(values[:, :-1])
    chosen = np.append(independent_places, values.shape[1] - 1)
    return independent_places, values[:, chosen], centre[chosen], scale[chosen]


def compute_school_products(values: np.ndarray, school: np.ndarray, *, n_schools: int) -> np.ndarray:
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
