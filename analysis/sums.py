"""The columns of a school trial's model as sums by school."""

from __future__ import annotations

import numpy as np

from analysis.guards import independent_columns
from analysis.mixed_models.columns import FixedDesign, MixedColumns, RandomColumns
from analysis.mixed_models.groupings import Grouping
from analysis.terms import INTERCEPT, Columns

SCHOOL = "school"


def school_columns(columns: Columns) -> MixedColumns:
    """Return a model's columns as those of a multilevel model with a random school intercept.

    Parameters
    ----------
    columns
        With an intercept as the first column.
    """
    n_rows = len(columns.y)
    intercept = RandomColumns(grouping=SCHOOL, names=(INTERCEPT,), z=np.ones((n_rows, 1)), spec=None)
    return MixedColumns(
        names=columns.names,
        x=columns.x,
        y=columns.y,
        random=(intercept,),
        groupings=(Grouping(name=SCHOOL, codes=columns.school, labels=columns.schools),),
        strata=None,
        residual=None,
        weights=None,
        rows=np.arange(n_rows),
        design=FixedDesign(spec=None, levels={}, terms={}, factors={}),
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
