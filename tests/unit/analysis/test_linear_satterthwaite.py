"""Satterthwaite degrees of freedom: closed derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import Model, fit_linear_mixed
from analysis.intercept_search import compute_deviance_at_ratio, compute_weighted_sums
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.intercept import convert_to_intercept_sums
from analysis.mixed_models.moments import Moments, compute_moments
from analysis.simulation import simulate_scores
from analysis.terms import design_columns

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


def inverse(sums: Moments, ratio: float) -> np.ndarray:
    """Inverse of X'WX of the columns as they were."""
    at = compute_weighted_sums(convert_to_intercept_sums(sums), np.array([ratio]), order=0).total[0, 0]
    return np.asarray(sums.basis.matrix @ np.linalg.inv(at[:-1, :-1]) @ sums.basis.matrix.T)


def deviance(sums: Moments, theta: float, sigma: float) -> float:
    """Minus twice the restricted log-likelihood by both variance parameters, less a constant."""
    free = sums.n - sums.p
    profiled = compute_deviance_at_ratio(convert_to_intercept_sums(sums), theta**2, reml=True)
    at = compute_weighted_sums(convert_to_intercept_sums(sums), np.array([theta**2]), order=0).total[0, 0]
    residual = float(at[-1, -1] - at[:-1, -1] @ np.linalg.solve(at[:-1, :-1], at[:-1, -1]))
    best = residual / free
    return profiled + free * float(np.log(sigma**2 / best)) + residual / sigma**2 - free


def test_degrees_of_freedom_are_those_of_numerical_derivatives() -> None:
    frame = simulate_scores(13, 9, icc=0.25, effect=0.2, seed=3, size_cv=0.5)
    fit = fit_linear_mixed(frame, MODEL, df_method="satterthwaite")
    assert fit.coefficients is not None
    assert fit.variances["school"] > 0
    sums = compute_moments(build_school_columns(design_columns(frame, MODEL)))
    sigma = np.sqrt(fit.variances["pupil"]) / sums.basis.scale
    at = np.array([np.sqrt(fit.variances["school"] / fit.variances["pupil"]), sigma])
    step = 1e-4
    hessian, gradient = np.empty((2, 2)), np.empty((2, 3))

    def variances(point: np.ndarray) -> np.ndarray:
        return np.diag(point[1] ** 2 * inverse(sums, point[0] ** 2))

    unit = step * np.eye(2)
    for a in range(2):
        gradient[a] = (variances(at + unit[a]) - variances(at - unit[a])) / (2 * step)
        for b in range(2):
            corners = [deviance(sums, *(at + i * unit[a] + j * unit[b])) * i * j for i in (1, -1) for j in (1, -1)]
            hessian[a, b] = sum(corners) / (4 * step**2)
    spread = 2 * np.linalg.inv(hessian)
    expected = 2 * variances(at) ** 2 / np.einsum("ak,ab,bk->k", gradient, spread, gradient)
    assert fit.coefficients.df == pytest.approx(expected, rel=1e-4)
