"""Kenward and Roger's errors and degrees of freedom of many random-intercept models at once.

The formulas are those of `analysis.inference.kenward_roger` with a leading axis of B models; the two parameters are the
variances of groups and of rows, in which everything follows from derivatives by their ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.mixed_models.intercept import At, InterceptSums, evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEstimates:
    """Coefficients of B models, fitted by restricted maximum likelihood.

    Parameters
    ----------
    estimates, errors, df
        Shape (B, p), of the coefficients that ``to_original`` makes of the scaled ones.
    group_variance, row_variance
        Shape (B,).
    """

    estimates: np.ndarray
    errors: np.ndarray
    df: np.ndarray
    group_variance: np.ndarray
    row_variance: np.ndarray


def batch_estimates(sums: InterceptSums, theta: np.ndarray, *, to_original: np.ndarray) -> BatchEstimates:
    """Estimate the coefficients of B models at their optima.

    Parameters
    ----------
    sums
        The data.
    theta
        Shape (B,), standard deviation of groups over that of rows.
    to_original
        Shape (p, p), from scaled coefficients to those wanted.
    """
    ratio = theta**2
    at = evaluate(sums, ratio, order=2)
    free = sums.n_rows - sums.n_fixed
    inverse = np.linalg.inv(at.total[:, 0, :-1, :-1])
    beta = (inverse @ at.total[:, 0, :-1, -1:])[..., 0]
    left = at.total[:, 0, -1, -1] - (beta * at.total[:, 0, :-1, -1]).sum(axis=1)
    sigma2 = np.maximum(left, np.finfo(float).tiny) / free
    spread = _spread(at, inverse, ratio, sigma2, free)
    first, second = _by_variances(at.total[..., :-1, :-1], ratio, sigma2)
    phi = inverse * sigma2[:, None, None]
    turned = to_original @ phi
    variance = (turned * to_original).sum(axis=2)
    slopes = -np.einsum("bkip,bkp->bki", np.moveaxis(turned[:, None] @ first, 1, 2), turned)
    noise = np.einsum("bki,bij,bkj->bk", slopes, spread, slopes)
    curve = np.einsum("bij,bijpq->bpq", spread, second)
    pushed = np.einsum("bij,bjpq->bipq", spread, first)
    twice = (first @ phi[:, None] @ pushed).sum(axis=1)
    added = turned @ (curve - 2 * twice)
    adjusted = variance + (added * turned).sum(axis=2)
    return BatchEstimates(
        estimates=beta @ to_original.T,
        errors=np.sqrt(np.maximum(adjusted, 0.0)),
        df=2 * variance**2 / np.where(noise > 0, noise, np.nan),
        group_variance=ratio * sigma2,
        row_variance=sigma2,
    )


def _spread(at: At, inverse: np.ndarray, ratio: np.ndarray, sigma2: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the variance of the two estimated variances, shape (B, 2, 2)."""
    turned = inverse @ at.total[:, 1, :-1, :-1]
    slope = at.log_v[:, 1] + at.log_strata[:, 1] + np.trace(turned, axis1=1, axis2=2)
    curve = at.log_v[:, 2] + at.log_strata[:, 2] + (inverse * at.total[:, 2, :-1, :-1]).sum(axis=(1, 2))
    curve = curve - (turned * turned.transpose(0, 2, 1)).sum(axis=(1, 2))
    own, across = -curve, slope + ratio * curve
    rows = free - 2 * ratio * slope - ratio**2 * curve
    determinant = own * rows - across**2
    safe = np.where(determinant > 0, determinant, np.nan)
    adjugate = np.stack([rows, -across, -across, own], axis=1).reshape(-1, 2, 2)
    return np.asarray(2 * adjugate * (sigma2**2 / safe)[:, None, None])


def _by_variances(f: np.ndarray, ratio: np.ndarray, sigma2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return derivatives by the two variances of f(s_u^2 / s^2) / s^2, shapes (B, 2, p, p) and (B, 2, 2, p, p)."""
    r, s = ratio[:, None, None], sigma2[:, None, None]
    first = np.stack([f[:, 1], -(f[:, 0] + r * f[:, 1])], axis=1) / s[:, None] ** 2
    across = -(2 * f[:, 1] + r * f[:, 2])
    own = 2 * f[:, 0] + 4 * r * f[:, 1] + r**2 * f[:, 2]
    second = np.stack([f[:, 2], across, across, own], axis=1) / s[:, None] ** 3
    return first, second.reshape(len(f), 2, 2, *f.shape[2:])
