"""Satterthwaite degrees of freedom: closed derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import Model, school_sums
from analysis.inference.satterthwaite import deviance_curvature, satterthwaite_df
from analysis.linear import best_profile, profile, weighted_products
from analysis.simulation import simulate_scores
from analysis.sums import SchoolSums
from analysis.terms import design_columns

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


@pytest.fixture(scope="module")
def sums() -> SchoolSums:
    return school_sums(design_columns(simulate_scores(13, 9, icc=0.25, effect=0.2, seed=3, size_cv=0.5), MODEL))


def deviance(sums: SchoolSums, theta: float, sigma: float) -> float:
    """Minus twice the restricted log-likelihood by both variance parameters, beta profiled out."""
    at = profile(sums, theta**2)
    free = sums.n_pupils - len(sums.names)
    logs = float(np.log1p(at.ratio * sums.n).sum()) + float(
        np.linalg.slogdet(weighted_products(sums, at.ratio)[:-1, :-1])[1]
    )
    return free * float(np.log(2 * np.pi * sigma**2)) + at.residual / sigma**2 + logs


def test_slope_and_curvature_are_those_of_the_profile(sums: SchoolSums) -> None:
    theta, step = 0.7, 1e-4
    slope, curvature = deviance_curvature(sums, profile(sums, theta**2))
    high, middle, low = (profile(sums, (theta + k * step) ** 2).deviance for k in (1, 0, -1))
    assert slope == pytest.approx((high - low) / (2 * step), rel=1e-6)
    assert curvature == pytest.approx((high - 2 * middle + low) / step**2, rel=1e-4)


def test_degrees_of_freedom_are_those_of_numerical_derivatives(sums: SchoolSums) -> None:
    best, _ = best_profile(sums)
    assert best.ratio > 0
    at = np.array([np.sqrt(best.ratio), np.sqrt(best.sigma2)])
    step = 1e-4
    hessian, gradient = np.empty((2, 2)), np.empty((2, 3))

    def variances(point: np.ndarray) -> np.ndarray:
        return np.diag(point[1] ** 2 * profile(sums, point[0] ** 2).inverse)

    unit = step * np.eye(2)
    for a in range(2):
        gradient[a] = (variances(at + unit[a]) - variances(at - unit[a])) / (2 * step)
        for b in range(2):
            corners = [deviance(sums, *(at + i * unit[a] + j * unit[b])) * i * j for i in (1, -1) for j in (1, -1)]
            hessian[a, b] = sum(corners) / (4 * step**2)
    spread = 2 * np.linalg.inv(hessian)
    expected = 2 * variances(at) ** 2 / np.einsum("ak,ab,bk->k", gradient, spread, gradient)
    assert satterthwaite_df(sums, best, contrasts=np.eye(3)) == pytest.approx(expected, rel=1e-4)
