"""Least squares with errors that are robust to schools: the linear model, and the linear probability model.

The estimator asks nothing of the outcome's distribution within schools, so that the difference of a binary outcome is a
risk difference with a valid standard error; CR2 and Satterthwaite degrees of freedom make it hold for few schools.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.inference.cluster_designs import ClusterDesign, build_least_squares_design, build_weighted_design
from analysis.inference.cluster_robust import SeType, cluster_robust
from analysis.mixed_models.basis import Basis
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.moments import Prepared, convert_columns_to_basis
from analysis.results import Coefficients, Convergence, Fit, create_failed_fit
from analysis.specs import Model
from analysis.sums import compute_school_products
from analysis.terms import Columns, design_columns
from data_schema.errors import EstimationError

METHOD = "linear_clustered"


def fit_linear_clustered(frame: pd.DataFrame, model: Model, *, se_type: SeType = "CR2") -> Fit:
    """Fit a linear model by least squares with standard errors by school.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Which column plays which part; its weights, one per school, may be there.
    se_type
        "CR2", or another of `analysis.cluster_robust`.

    Returns
    -------
    Fit
        With Satterthwaite degrees of freedom under independent errors, as clubSandwich has them for ``lm``.

    References
    ----------
    Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018), J. Business and Economic
    Statistics 36, 672-683.
    """
    columns = design_columns(frame, model)
    weights = collect_school_weights(frame, model, columns.schools)
    return fit_clustered_columns(columns, weights=weights, se_type=se_type)


def collect_school_weights(frame: pd.DataFrame, model: Model, schools: Sequence[str]) -> np.ndarray | None:
    """Return the weight of each school, of mean 1; None where the model has none.

    Raises
    ------
    EstimationError
        When a school has no weight, two weights, or one that is not above 0.
    """
    if model.weights is None:
        return None
    pairs = frame[[model.school, model.weights]].astype({model.school: str}).drop_duplicates()
    by_school = dict(zip(pairs[model.school], pairs[model.weights].astype(float), strict=True))
    if len(by_school) < len(pairs) or not all(weight > 0 and np.isfinite(weight) for weight in by_school.values()):
        raise EstimationError(
            f"column '{model.weights}'", "is not one number above 0 for each school.", "State one weight a school."
        )
    weights_of_schools = np.array([by_school[school] for school in schools])
    return weights_of_schools / weights_of_schools.mean() if len(weights_of_schools) else weights_of_schools


def fit_clustered_columns(columns: Columns, *, weights: np.ndarray | None = None, se_type: SeType = "CR2") -> Fit:
    """Fit the model of columns that are already made; see `fit_linear_clustered`.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them.
    weights
        Of the J schools; None for equal ones.
    se_type
        See `fit_linear_clustered`.
    """
    labels = {"method": METHOD, "se_type": se_type, "df_method": "satterthwaite"}
    if columns.reason:
        return create_failed_fit(columns.reason, **labels, n_missing_outcome=columns.n_missing_outcome)
    prepared = convert_columns_to_basis(build_school_columns(columns))
    basis = prepared.basis
    if basis.reason:
        return create_failed_fit(basis.reason, **labels, n_missing_outcome=columns.n_missing_outcome)
    design = _build_design_of_prepared(prepared, columns, weights=weights)
    matrix = basis.matrix * basis.scale
    answer = cluster_robust(design, contrasts=matrix, se_type=se_type)
    return Fit(
        method=METHOD,
        se_type=se_type,
        df_method="satterthwaite",
        coefficients=Coefficients(
            names=basis.names,
            estimate=matrix @ answer.beta + basis.shift,
            vcov=matrix @ answer.vcov @ matrix.T,
            df=answer.df,
        ),
        convergence=Convergence(status="converged"),
        n_pupils=len(columns.y),
        n_schools=len(columns.schools),
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        dropped=tuple(basis.dropped),
    )


def build_clustered_design(columns: Columns, *, weights: np.ndarray | None = None) -> tuple[Basis, ClusterDesign]:
    """Return the basis of the scaled columns, and their least squares by school.

    Parameters
    ----------
    columns, weights
        See `fit_clustered_columns`.
    """
    prepared = convert_columns_to_basis(build_school_columns(columns))
    return prepared.basis, _build_design_of_prepared(prepared, columns, weights=weights)


def _build_design_of_prepared(prepared: Prepared, columns: Columns, *, weights: np.ndarray | None) -> ClusterDesign:
    products = compute_school_products(prepared.values, columns.school, n_schools=len(columns.schools))
    if weights is None:
        return build_least_squares_design(products, n_rows=len(columns.y))
    return build_weighted_design(_weight_cross_products(products, weights), n_rows=len(columns.y))


def _weight_cross_products(products: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each school's cross-products of [X WX y] from those of [X y], its pupils having one weight."""
    p = products.shape[1] - 1
    order = np.r_[np.arange(p), np.arange(p), p]
    weighted = np.r_[np.zeros(p, dtype=bool), np.ones(p, dtype=bool), False]
    times = np.where(weighted[None, :], weights[:, None], 1.0)
    return np.asarray(products[:, order][:, :, order] * times[:, :, None] * times[:, None, :])
