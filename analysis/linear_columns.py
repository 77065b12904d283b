"""A formula and a frame to the columns of a linear model with clusters."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Any: formulaic comes without types.
from typing import Any

import numpy as np
import pandas as pd

from analysis.terms import INTERCEPT, independent_columns
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
    design: Any


def linear_columns(
    formula: str, data: pd.DataFrame, *, cluster: str, weights: str | None = None, fixed_effects: str | None = None
) -> LinearColumns:
    """Read a formula on a frame.

    Parameters
    ----------
    formula
        As formulaic reads it, such as ``score ~ arm * baseline``.
    data
        One row a pupil.
    cluster
        Column of the school.
    weights
        Column of weights, 0 or more; rows of weight 0 are left out.
    fixed_effects
        Column whose levels each get an intercept of their own.

    Raises
    ------
    EstimationError
        For a formula that cannot be read, a column that is not there, infinite values, rows without a cluster, an
        outcome that is not a number, fewer than two clusters or no rows.
    """
    place = f"model '{formula}'"
    read = _formula(formula, place)
    structure = [column for column in (cluster, weights, fixed_effects) if column is not None]
    used = [*sorted(map(str, read.required_variables)), *structure]
    _require(data, used, place=place)
    if data[cluster].isna().any():
        raise EstimationError(
            f"column '{cluster}'", f"{int(data[cluster].isna().sum())} rows have no cluster.", "Give every row one."
        )
    kept = data[used].notna().all(axis=1).to_numpy()
    if weights is not None:
        kept = kept & _positive_weights(data, weights)
    outcome, x, y, names, spec = _matrices(read, data.loc[kept], place=place)
    codes, labels = pd.factorize(data.loc[kept, cluster].astype(str), sort=True)
    if len(labels) < 2:
        raise EstimationError(place, f"{len(labels)} cluster has all that it needs.", "Two clusters are the least.")
    scale = None if weights is None else data.loc[kept, weights].to_numpy(dtype=float)
    effects = None if fixed_effects is None else data.loc[kept, fixed_effects].astype(str)
    return _assembled(
        x=x,
        y=y,
        names=names,
        outcome=outcome,
        weights=None if scale is None else scale / scale.mean(),
        cluster=(codes, tuple(map(str, labels))),
        effects=effects,
        n_missing=int((~kept).sum()),
        design=spec,
    )


def matrix_of(design: Any, data: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:  # noqa: ANN401  # formulaic's
    """Return the columns of new data and their names; missing values stay missing."""
    made = design.get_model_matrix(data, na_action="ignore", context={})
    return np.asarray(made, dtype=float), tuple(column_name(column) for column in made.columns)


def _formula(formula: str, place: str) -> Any:  # noqa: ANN401  # formulaic's
    formulaic = importlib.import_module("formulaic")
    errors = importlib.import_module("formulaic.errors")
    try:
        read = formulaic.Formula(formula)
    except errors.FormulaicError as error:
        raise EstimationError(place, f"cannot be read: {error}", "Write it as 'outcome ~ arm + covariate'.") from error
    if not hasattr(read, "lhs") or len(read.lhs) != 1:
        raise EstimationError(place, "does not name one outcome.", "Write it as 'outcome ~ arm + covariate'.")
    return read


def _require(data: pd.DataFrame, columns: Sequence[str], *, place: str) -> None:
    for column in columns:
        if column not in data.columns:
            raise EstimationError(
                place, f"the data have no column '{column}'.", f"Use one of: {', '.join(map(str, data.columns))}."
            )
        if pd.api.types.is_float_dtype(data[column]):
            infinite = int(np.isinf(data[column].to_numpy(dtype=float, na_value=np.nan)).sum())
            if infinite:
                raise EstimationError(
                    f"column '{column}'",
                    f"holds {infinite} infinite values.",
                    "Correct them or set them to missing.",
                )


def _positive_weights(data: pd.DataFrame, weights: str) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(data[weights]):
        raise EstimationError(f"column '{weights}'", "is not numeric.", "Weights are numbers, 0 or more.")
    values = data[weights].to_numpy(dtype=float, na_value=np.nan)
    if (values < 0).any():
        raise EstimationError(f"column '{weights}'", "holds weights below 0.", "Weights are numbers, 0 or more.")
    return np.asarray(values > 0)


def _matrices(read: Any, data: pd.DataFrame, *, place: str) -> tuple[str, np.ndarray, np.ndarray, tuple[str, ...], Any]:  # noqa: ANN401
    """Return the outcome's name, X, y, names and what makes the same X of other data."""
    errors = importlib.import_module("formulaic.errors")
    if data.empty:
        raise EstimationError(place, "no row has all that it needs.", "Look at which columns are missing.")
    plain = data.apply(lambda column: column.astype(float) if _is_nullable_number(column) else column)
    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite values are told below
            made = read.get_model_matrix(plain, na_action="ignore", context={})
    except (errors.FormulaicError, ValueError, NameError) as error:
        raise EstimationError(place, f"cannot be made: {error}", "Check the columns and functions in it.") from error
    if made.lhs.shape[1] != 1:
        raise EstimationError(f"column '{read.lhs[0]}'", "is not numeric.", "Turn the outcome into numbers first.")
    x, y = np.asarray(made.rhs, dtype=float), np.asarray(made.lhs, dtype=float)[:, 0]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise EstimationError(place, "makes infinite values, such as the logarithm of 0.", "Transform them otherwise.")
    names = tuple(column_name(column) for column in made.rhs.columns)
    return str(made.lhs.columns[0]), x, y, names, made.rhs.model_spec


def _is_nullable_number(column: pd.Series[Any]) -> bool:
    numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    return bool(numeric and pd.api.types.is_extension_array_dtype(column.dtype))


def column_name(column: object) -> str:
    """Return formulaic's name of a column as the toolkit writes it: arm[T.pilot] is arm[pilot]."""
    text = str(column)
    return INTERCEPT if text == "Intercept" else re.sub(r"\[T\.", "[", text)


def _assembled(
    *,
    x: np.ndarray,
    y: np.ndarray,
    names: tuple[str, ...],
    outcome: str,
    weights: np.ndarray | None,
    cluster: tuple[np.ndarray, tuple[str, ...]],
    effects: pd.Series[str] | None,
    n_missing: int,
    design: Any,  # noqa: ANN401  # formulaic's
) -> LinearColumns:
    """Absorb fixed effects or make dummies of them, and leave out columns that are combinations of others."""
    codes, clusters = cluster
    dummies = np.zeros((len(y), 0))
    stratum: np.ndarray | None = None
    level: np.ndarray | None = None
    levels: tuple[str, ...] = ()
    if effects is None:
        checked = _centred(x, names)
    else:
        level, labels = pd.factorize(effects, sort=True)
        levels = tuple(map(str, labels))
        checked = within(x, level, weights)
        stratum = None if weights is not None else _stratum_of_clusters(level, codes, n_clusters=len(clusters))
        if stratum is None:
            dummies = _dummies(level, n_levels=len(levels), n_clusters=len(clusters), width=x.shape[1])
    # A column is lost when the fixed effects leave less than rounding of it.
    lengths = np.sqrt((x**2).mean(axis=0))
    checked = np.where(np.sqrt((checked**2).mean(axis=0)) > 1e-9 * np.where(lengths > 0, lengths, 1.0), checked, 0.0)
    kept = independent_columns(checked)
    return LinearColumns(
        outcome=outcome,
        names=tuple(names[k] for k in kept),
        x=x[:, kept],
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
            if k not in set(kept.tolist()) and not (effects is not None and name == INTERCEPT)
        ),
        design=design,
    )


def _stratum_of_clusters(levels: np.ndarray, codes: np.ndarray, *, n_clusters: int) -> np.ndarray | None:
    """Return each cluster's level, None where a cluster has several."""
    first = np.zeros(n_clusters, dtype=int)
    first[codes] = levels
    return first if np.array_equal(first[codes], levels) else None


def _dummies(levels: np.ndarray, *, n_levels: int, n_clusters: int, width: int) -> np.ndarray:
    if n_clusters * (2 * (n_levels + width)) ** 2 > _MOST_CELLS:
        raise EstimationError(
            "fixed effects",
            f"{n_levels} levels that are weighted or lie within clusters are too many.",
            "Leave out the weights, or use the levels that whole clusters belong to.",
        )
    return np.asarray(levels[:, None] == np.arange(n_levels)[None, :], dtype=float)


def _centred(x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    if INTERCEPT not in names:
        return x
    centre = x.mean(axis=0)
    centre[names.index(INTERCEPT)] = 0.0
    return np.asarray(x - centre)


def within(values: np.ndarray, level: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
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
