"""A formula and a frame to the columns of a linear model with clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.formula import from_r, parse_plain, require_formula
from analysis.guards import find_independent_columns, read_numeric_column, require_column, standardise_varying_columns
from analysis.mixed_models.columns import (
    FixedDesign,
    build_fixed_columns,
    read_outcome_column,
    select_factors_of_few_levels,
)
from analysis.mixed_models.groupings import Grouping, describe_school_factors
from analysis.mixed_models.prediction import build_prediction_columns, build_prediction_frame
from analysis.mixed_models.reading import read_columns
from analysis.terms import INTERCEPT
from data_schema.errors import EstimationError

# More cells than this in the clusters' small matrices (8 bytes each, several of them at once) are refused.
_MOST_CELLS = 30_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearColumns:
    """The numbers of a linear model, rows with missing values left out.

    Parameters
    ----------
    outcome
        Its name as the formula has it.
    names
        Columns of ``x``, length p.
    x, y
        Shape (N, p) and (N,); of full column rank, dummies of ``fixed_effects`` that had to be made not included.
    dummies
        Shape (N, s): columns of fixed effects that cannot be absorbed; s is 0 otherwise.
    weights
        Shape (N,), mean 1; None for equal ones.
    cluster, clusters
        Shape (N,), position of each row's cluster, and their J names, sorted.
    stratum
        Shape (J,), position of each cluster's level where fixed effects of whole clusters are absorbed; None otherwise.
    level, levels
        Shape (N,), position of each row's level of the fixed effects (None without), and their names.
    n_missing
        Rows left out.
    dropped
        Columns that are combinations of earlier ones (or of the fixed effects).
    design
        What turns new data into the same columns.
    every
        Names of all columns that it makes, those left out among them.
    notes
        What a reader should know, as sentences.
    """

    outcome: str
    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    dummies: np.ndarray
    weights: np.ndarray | None
    cluster: np.ndarray
    clusters: tuple[str, ...]
    stratum: np.ndarray | None
    level: np.ndarray | None
    levels: tuple[str, ...]
    n_missing: int
    dropped: tuple[str, ...]
    design: FixedDesign
    every: tuple[str, ...]
    notes: tuple[str, ...]


def read_linear_columns(
    formula: str,
    data: pd.DataFrame,
    *,
    cluster: str,
    weights: str | None = None,
    fixed_effects: str | None = None,
    reference: Mapping[str, str] | None = None,
) -> LinearColumns:
    """Read a formula on a frame.

    Parameters
    ----------
    formula
        As formulaic reads it, such as ``score ~ arm * baseline``.
    data
        One row per pupil.
    cluster
        Column of the school.
    weights
        Column of weights, 0 or more; rows of weight 0 are left out.
    fixed_effects
        Column whose levels each get an intercept of their own.
    reference
        Reference levels of factors by column; the first in sorted order, or the first category, otherwise.

    Raises
    ------
    EstimationError
        For a formula that cannot be read, a column that is not there, infinite values, rows without a cluster, an
        outcome that is not a number, fewer than two clusters or no rows.
    """
    place = f"model '{formula}'"
    require_formula(formula, data)
    read = parse_plain(from_r(formula, data.columns))
    require_column(data, cluster, place=place)
    if data[cluster].isna().any():
        raise EstimationError(
            f"column '{cluster}'", f"{int(data[cluster].isna().sum())} rows have no cluster.", "Give every row one."
        )
    n_rows = len(data)
    if weights is not None:
        require_column(data, weights, place=place)
        data = data[_find_positive_weights(data, weights)]
    model_data = read_columns(read, data, also=(cluster, weights, fixed_effects), reference=reference or {})
    x, names, design = build_fixed_columns(read.fixed, model_data.data, model_data.levels, without=None, place=place)
    codes, labels = pd.factorize(data[cluster].iloc[model_data.rows].astype(str), sort=True)
    if len(labels) < 2:
        raise EstimationError(place, f"{len(labels)} cluster has all that it needs.", "Two clusters are the least.")
    scale = None if weights is None else np.asarray(model_data.data[weights], dtype=float)
    outer = Grouping(name=cluster, codes=codes, labels=tuple(map(str, labels)))
    return _build_independent_columns(
        x=x,
        y=read_outcome_column(read.outcome, model_data.data),
        names=names,
        outcome=read.outcome,
        weights=None if scale is None else scale / scale.mean(),
        cluster=outer,
        effects=None if fixed_effects is None else data[fixed_effects].iloc[model_data.rows].astype(str),
        n_missing=n_rows - len(model_data.rows),
        design=design,
        notes=(
            *model_data.notes,
            *describe_school_factors(
                select_factors_of_few_levels(design, model_data.levels, model_data.data), (outer,)
            ),
        ),
    )


def build_new_data_matrix(design: FixedDesign, data: pd.DataFrame, *, place: str) -> np.ndarray:
    """Return the columns of new data; missing values stay missing."""
    if design.spec is None:
        return np.ones((len(data), 1))
    return build_prediction_columns(
        design.spec, build_prediction_frame(data, [design.spec], design.levels, place=place), place=place
    )


def _find_positive_weights(data: pd.DataFrame, weights: str) -> np.ndarray:
    values = read_numeric_column(data, weights)
    if (values < 0).any():
        raise EstimationError(f"column '{weights}'", "holds weights below 0.", "Weights are numbers, 0 or more.")
    return np.asarray(values > 0)


def _build_independent_columns(
    *,
    x: np.ndarray,
    y: np.ndarray,
    names: tuple[str, ...],
    outcome: str,
    weights: np.ndarray | None,
    cluster: Grouping,
    effects: pd.Series[str] | None,
    n_missing: int,
    design: FixedDesign,
    notes: tuple[str, ...],
) -> LinearColumns:
    """Absorb fixed effects or make dummies of them, and leave out columns that are combinations of others."""
    codes, clusters = cluster.codes, cluster.labels
    dummies = np.zeros((len(y), 0))
    stratum: np.ndarray | None = None
    level: np.ndarray | None = None
    levels: tuple[str, ...] = ()
    moved, _, spread = standardise_varying_columns(x)
    if effects is None:
        checked = np.where([name == INTERCEPT for name in names], x, moved) if INTERCEPT in names else x
    else:
        level, labels = pd.factorize(effects, sort=True)
        levels = tuple(map(str, labels))
        checked = remove_level_means(moved, level, weights)
        # A column is lost when the fixed effects leave less than rounding of it.
        checked = np.where(np.sqrt((checked**2).mean(axis=0)) > 1e-9 * np.where(spread > 0, spread, 1.0), checked, 0.0)
        stratum = None if weights is not None else _find_stratum_of_clusters(level, codes, n_clusters=len(clusters))
        if stratum is None:
            dummies = _build_fixed_effect_dummies(
                level, n_levels=len(levels), n_clusters=len(clusters), width=x.shape[1]
            )
    independent_places = find_independent_columns(checked)
    return LinearColumns(
        outcome=outcome,
        names=tuple(names[k] for k in independent_places),
        x=x[:, independent_places],
        y=y,
        dummies=dummies,
        weights=weights,
        cluster=codes,
        clusters=clusters,
        stratum=stratum,
        level=level,
        levels=levels,
        n_missing=n_missing,
        # The intercept is one of the fixed effects and is not missed.
        dropped=tuple(
            name
            for k, name in enumerate(names)
            if k not in set(independent_places.tolist()) and not (effects is not None and name == INTERCEPT)
        ),
        design=design,
        every=names,
        notes=notes,
    )


def _find_stratum_of_clusters(levels: np.ndarray, codes: np.ndarray, *, n_clusters: int) -> np.ndarray | None:
    """Return each cluster's level, None where a cluster has several."""
    first = np.zeros(n_clusters, dtype=int)
    first[codes] = levels
    return first if np.array_equal(first[codes], levels) else None


def _build_fixed_effect_dummies(levels: np.ndarray, *, n_levels: int, n_clusters: int, width: int) -> np.ndarray:
    if n_clusters * (2 * (n_levels + width)) ** 2 > _MOST_CELLS:
        raise EstimationError(
            "fixed effects",
            f"{n_levels} levels that are weighted or lie within clusters are too many.",
            "Leave out the weights, or use the levels that whole clusters belong to.",
        )
    return np.asarray(levels[:, None] == np.arange(n_levels)[None, :], dtype=float)


def remove_level_means(values: np.ndarray, level: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return columns less their (weighted) means within levels.

    Parameters
    ----------
    values
        Shape (N, q).
    level
        Shape (N,), positions.
    weights
        Shape (N,); None for equal ones.
    """
    scale = np.ones(len(values)) if weights is None else weights
    sizes = np.bincount(level, weights=scale)
    left = np.array(values, dtype=float)
    for k in range(values.shape[1]):
        for _ in range(2):  # a second pass takes what rounding left of large means
            left[:, k] -= (np.bincount(level, weights=scale * left[:, k]) / sizes)[level]
    return left
