"""Satterthwaite degrees of freedom from the curvature of the restricted likelihood, in closed form.

lmerTest differentiates numerically; with one variance ratio the derivatives of the sums are at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.linear import Profile
    from analysis.sums import SchoolSums


def _derivatives(sums: SchoolSums, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and second derivative of [X y]'W[X y] with respect to the variance ratio."""
    shrunk = 1 / (1 + ratio * sums.n)
    first = -(sums.by_school * (shrunk**2)[:, None]).T @ sums.by_school
    second = (sums.by_school * (2 * sums.n * shrunk**3)[:, None]).T @ sums.by_school
    return np.asarray(first), np.asarray(second)


def _by_ratio(sums: SchoolSums, at: Profile) -> tuple[float, float, float, float, np.ndarray]:
    """Return derivatives of log-determinants and residual by the ratio, and that of X'WX."""
    first, second = _derivatives(sums, at.ratio)
    shrunk = 1 / (1 + at.ratio * sums.n)
    turned = at.inverse @ first[:-1, :-1]
    slope = float((sums.n * shrunk).sum()) + float(np.trace(turned))
    curve = -float(((sums.n * shrunk) ** 2).sum()) + float(np.trace(at.inverse @ second[:-1, :-1]))
    curve -= float(np.sum(turned * turned.T))
    contrast = np.append(-at.beta, 1.0)
    residual_slope = float(contrast @ first @ contrast)
    pushed = (first @ contrast)[:-1]
    residual_curve = float(contrast @ second @ contrast) - 2 * float(pushed @ at.inverse @ pushed)
    return slope, curve, residual_slope, residual_curve, first[:-1, :-1]


def deviance_curvature(sums: SchoolSums, at: Profile) -> tuple[float, float]:
    """Return slope and curvature of the profiled deviance by theta = sqrt(ratio), at a profile."""
    theta = float(np.sqrt(at.ratio))
    free = sums.n_pupils - len(sums.names)
    slope, curve, r1, r2, _ = _by_ratio(sums, at)
    by_ratio = slope + free * r1 / at.residual
    by_ratio2 = curve + free * (r2 / at.residual - (r1 / at.residual) ** 2)
    return 2 * theta * by_ratio, 4 * at.ratio * by_ratio2 + 2 * by_ratio


def satterthwaite_df(sums: SchoolSums, best: Profile, *, contrasts: np.ndarray) -> np.ndarray:
    """Return Satterthwaite degrees of freedom of contrasts of the scaled coefficients.

    Parameters
    ----------
    sums, best
        A fitted model.
    contrasts
        Shape (k, p), one contrast a row.

    Returns
    -------
    numpy.ndarray
        Shape (k,): 2 v^2 / (g' A g), v the contrast's variance, g its gradient by the variance parameters
        (theta, sigma) and A their asymptotic variance, twice the inverse Hessian of the deviance.

    References
    ----------
    Giesbrecht and Burns (1985), Biometrics 41, 477-486; Kuznetsova et al. (2017), J. Statistical Software 82(13).
    """
    theta, sigma = float(np.sqrt(best.ratio)), float(np.sqrt(best.sigma2))
    free = sums.n_pupils - len(sums.names)
    slope, curve, r1, r2, first = _by_ratio(sums, best)
    hessian = np.empty((2, 2))
    by_ratio, by_ratio2 = slope + r1 / best.sigma2, curve + r2 / best.sigma2
    hessian[0, 0] = 4 * best.ratio * by_ratio2 + 2 * by_ratio
    hessian[0, 1] = hessian[1, 0] = -2 * (2 * theta * r1) / sigma**3
    hessian[1, 1] = 4 * free / best.sigma2
    spread = 2 * np.linalg.pinv(hessian, hermitian=True)
    turned = contrasts @ best.inverse
    variance = best.sigma2 * np.einsum("kp,kp->k", turned, contrasts)
    by_theta = -2 * theta * best.sigma2 * np.einsum("kp,pq,kq->k", turned, first, turned)
    gradient = np.column_stack([by_theta, 2 * variance / sigma])
    return np.asarray(2 * variance**2 / np.einsum("ka,ab,kb->k", gradient, spread, gradient))
