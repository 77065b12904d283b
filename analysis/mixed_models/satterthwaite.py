"""Satterthwaite degrees of freedom for any model of the engine, from exact derivatives.

lmerTest's parameters (the factors' entries and the residual standard deviation) and its observed information, so that
the figures agree where a variance is zero as well; lmerTest differentiates numerically.

Source: Kuznetsova, Brockhoff and Christensen (2017), J. Statistical Software 82(13).
"""

from __future__ import annotations

import numpy as np

from analysis.inference.kenward_roger import FTest
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.search import FactorMap

_UNKNOWN = 1e-10


def compute_observed_spread(
    at: LikelihoodSums, change: FactorMap, theta: np.ndarray, values: np.ndarray, *, reml: bool
) -> np.ndarray:
    """Return the variance of the estimated variance parameters from their observed information, shape (r, r).

    Parameters
    ----------
    at
        The likelihood at the optimum.
    change
        How the parameters follow from the factors.
    theta
        Shape (k,), the factors' entries.
    values
        Shape (r,), the parameters.
    reml
        Which likelihood.
    """
    _, gradient, hessian = at.full(reml=reml)
    k = len(theta)
    sigma2 = values[k]
    others = np.log(values[k + 1 :] / sigma2)
    phi = np.concatenate([theta, others])
    jacobian = np.column_stack([sigma2 * change.jacobian(phi), values])  # the last is by the log of the scale
    curve = jacobian.T @ hessian @ jacobian
    curve += change.curvature(phi, gradient, scale=sigma2)
    across = jacobian.T @ gradient  # the scale multiplies all: its second derivatives are the first ones
    curve[-1, :] += across
    curve[:-1, -1] += across[:-1]
    roots, vectors = np.linalg.eigh(curve)
    is_known = roots > _UNKNOWN * max(float(roots.max()), 0.0)
    inverse = (vectors[:, is_known] / roots[is_known]) @ vectors[:, is_known].T
    return np.asarray(2 * jacobian @ inverse @ jacobian.T)


def compute_satterthwaite_f_test(
    variance: np.ndarray, slopes: np.ndarray, spread: np.ndarray, contrasts: np.ndarray, difference: np.ndarray
) -> FTest:
    """Test contrasts of the coefficients jointly.

    Parameters
    ----------
    variance
        Shape (p, p), of the coefficients.
    slopes
        Shape (r, p, p), its derivatives.
    spread
        Shape (r, r), variance of the estimated parameters.
    contrasts
        Shape (k, p), of full row rank.
    difference
        Shape (k,), estimates less their values under the null hypothesis.
    """
    roots, vectors = np.linalg.eigh(contrasts @ variance @ contrasts.T)
    rows = vectors.T @ contrasts
    by_parameter = np.einsum("kp,ipq,kq->ki", rows, slopes, rows)
    degrees = 2 * roots**2 / np.einsum("ki,ij,kj->k", by_parameter, spread, by_parameter)
    statistic = float(((vectors.T @ difference) ** 2 / roots).mean())
    return FTest(statistic=statistic, df_numerator=len(contrasts), df_denominator=_compute_joint_df(degrees))


def _compute_joint_df(degrees: np.ndarray) -> float:
    """Return the denominator's degrees of freedom of a mean of squared t statistics."""
    if len(degrees) == 1 or float(np.ptp(degrees)) < 1e-8:
        return float(degrees.mean())
    if (degrees <= 2).any():
        return 2.0
    expected = float((degrees / (degrees - 2)).sum())
    return 2 * expected / (expected - len(degrees))
