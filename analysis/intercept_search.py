"""The model with one random intercept, many of them at once: one number, the variance ratio, is searched.

With l = s_u^2 / s^2 the quantities of `analysis.mixed_models.jets` are weighted sums of the groups' column sums, so
that a fit is a handful of matrix products. Arrays have a leading axis of B models with the same columns and groups
(outcomes, subgroups, imputations); a group without rows in a model has zeros there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Standard deviations of groups over that of rows on which the search begins; 0 is tried as well.
_GRID = np.concatenate([[0.0], np.geomspace(4e-3, 250.0, 12)])
MOST_THETA = 0.99 * float(_GRID[-1])
"""Standard deviation of groups over that of rows beyond which rows of a group are alike."""

_STEPS = 60
# When a step of Newton's method promises less than this, it is the last: its own error is the square.
_GAIN = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptSums:
    """Sums of B models with one random intercept.

    Parameters
    ----------
    by_group
        Shape (B, G, p + 1), column sums of [X y] in each group.
    n
        Shape (B, G), rows (or weights) in each group.
    total
        Shape (B, p + 1, p + 1), cross-products over all rows.
    starts
        Shape (1 + S,), first group of every stratum, the reference first; None without strata.
    n_rows
        Shape (B,), rows.
    n_fixed
        Number of fixed coefficients, those of strata among them.
    log_weights
        Shape (B,), sums of the logarithms of the weights.
    """

    by_group: np.ndarray
    n: np.ndarray
    total: np.ndarray
    starts: np.ndarray | None
    n_rows: np.ndarray
    n_fixed: int
    log_weights: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """Weighted sums of B models and their derivatives by the ratio; axis 1 is the order of the derivative.

    Parameters
    ----------
    total
        Shape (B, o, p + 1, p + 1).
    log_v, log_strata
        Shape (B, o), log|V| and log-determinant of the strata's information, of variances relative to the rows'.
    strata
        Shape (B, o, S, p + 1).
    """

    total: np.ndarray
    log_v: np.ndarray
    log_strata: np.ndarray
    strata: np.ndarray


def compute_weighted_sums(sums: InterceptSums, ratio: np.ndarray, *, order: int) -> At:
    """Return the weighted sums of B models at their variance ratios.

    Parameters
    ----------
    sums
        The data.
    ratio
        Shape (B,), variance of groups over that of rows.
    order
        Highest derivative: 0, or 2 for both.
    """
    n, s = sums.n, sums.by_group
    size, groups = n.shape
    g = 1 / (1 + ratio[:, None] * n)
    ng = n * g
    weights = np.empty((size, order + 1, groups))
    log_v = np.empty((size, order + 1))
    np.multiply(ratio[:, None], g, out=weights[:, 0])
    log_v[:, 0] = -np.log(g).sum(axis=1) - sums.log_weights
    if order:
        np.multiply(g, g, out=weights[:, 1])
        np.multiply(weights[:, 1], -2 * ng, out=weights[:, 2])
        log_v[:, 1] = ng.sum(axis=1)
        log_v[:, 2] = -(ng * ng).sum(axis=1)
    total = -np.matmul(s.transpose(0, 2, 1)[:, None] * weights[:, :, None, :], s[:, None])
    total[:, 0] += sums.total
    if sums.starts is None:
        strata, log_strata = np.zeros((size, order + 1, 0, s.shape[2])), np.zeros((size, order + 1))
    else:
        weights[:, 0] = g
        if order:
            weights[:, 1:] *= -n[:, None]
        strata = np.add.reduceat(weights[..., None] * s[:, None], sums.starts, axis=2)[:, :, 1:]
        log_strata = _take_strata(total, strata, order=order)
    return At(total=total, log_v=log_v, log_strata=log_strata, strata=strata)


def _take_strata(total: np.ndarray, strata: np.ndarray, *, order: int) -> np.ndarray:
    """Take the strata's effects out of the totals, in place, and return the logarithm of their information."""
    k = strata[..., :1]
    k0 = np.where(k[:, 0] > 0, k[:, 0], 1.0)  # a stratum without rows in this model
    share = strata[:, 0] / k0
    total[:, 0] -= share.transpose(0, 2, 1) @ strata[:, 0]
    logs = [np.log(k0[..., 0]).sum(axis=1)]
    if order:
        b1 = k[:, 1] / k0
        half = strata[:, 1].transpose(0, 2, 1) @ share
        total[:, 1] -= half + half.transpose(0, 2, 1) - (share * b1).transpose(0, 2, 1) @ strata[:, 0]
        logs.append(b1[..., 0].sum(axis=1))
    if order > 1:
        b2 = k[:, 2] / k0
        half = (strata[:, 2] - 2 * strata[:, 1] * b1).transpose(0, 2, 1) @ share
        total[:, 2] -= (
            half
            + half.transpose(0, 2, 1)
            + 2 * (strata[:, 1] / k0).transpose(0, 2, 1) @ strata[:, 1]
            + (share * (2 * b1**2 - b2)).transpose(0, 2, 1) @ strata[:, 0]
        )
        logs.append((b2 - b1**2)[..., 0].sum(axis=1))
    return np.stack(logs, axis=1)


def _compute_profiled_deviance(sums: InterceptSums, at: At, *, reml: bool, order: int) -> tuple[np.ndarray, ...]:
    """Return the profiled deviance and its derivatives by the ratio, and the residual sum of squares, each (B,)."""
    x = at.total[:, 0, :-1, :-1]
    moment = at.total[:, 0, :-1, -1:]
    free = sums.n_rows - (sums.n_fixed if reml else 0)
    phi = np.linalg.inv(x) if order else x
    beta = phi @ moment if order else np.linalg.solve(x, moment)
    left = at.total[:, 0, -1, -1] - (beta * moment).sum(axis=(1, 2))
    left = np.where(left > 0, left, np.finfo(float).tiny)
    value = at.log_v[:, 0] + free * (1 + np.log(2 * np.pi * left / free))
    if reml:
        value = value + np.linalg.slogdet(x)[1] + at.log_strata[:, 0]
    if not order:
        return value, left
    contrast = np.concatenate([-beta, np.ones((len(beta), 1, 1))], axis=1)
    pushed = at.total[:, 1:] @ contrast[:, None]
    r = (contrast[:, None] * pushed).sum(axis=(2, 3))
    across = pushed[:, 0, :-1]
    r2 = r[:, 1] - 2 * (across * (phi @ across)).sum(axis=(1, 2))
    first, second = at.log_v[:, 1], at.log_v[:, 2]
    if reml:
        turned = phi @ at.total[:, 1, :-1, :-1]
        first = first + np.trace(turned, axis1=1, axis2=2) + at.log_strata[:, 1]
        second = second + at.log_strata[:, 2] - (turned * turned.transpose(0, 2, 1)).sum(axis=(1, 2))
        second = second + (phi * at.total[:, 2, :-1, :-1]).sum(axis=(1, 2))
    share = r[:, 0] / left
    return value, left, first + free * share, second + free * (r2 / left - share**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptOptima:
    """Where the likelihoods of B models are greatest.

    Parameters
    ----------
    theta
        Shape (B,), standard deviation of groups over that of rows.
    deviance, slope
        Shape (B,), there.
    n_evaluations
        How often all likelihoods were evaluated.
    """

    theta: np.ndarray
    deviance: np.ndarray
    slope: np.ndarray
    n_evaluations: int


def find_intercept_optima(sums: InterceptSums, *, reml: bool) -> InterceptOptima:
    """Maximise the likelihoods of a batch: a grid finds the basin, Newton's method its bottom.

    Parameters
    ----------
    sums
        The data.
    reml
        Restricted maximum likelihood, or maximum likelihood.
    """
    deviances = _compute_grid_deviances(sums, reml=reml)
    best = deviances.argmin(axis=1)
    if len(best) == 1:
        return _find_single_optimum(sums, deviances[0], int(best[0]), reml=reml)
    count = len(_GRID)
    settled = best == 0
    if settled.any():  # the deviance is even in theta: rising from zero, zero is its bottom
        at = compute_weighted_sums(sums, np.zeros(len(best)), order=2)
        settled &= _compute_profiled_deviance(sums, at, reml=reml, order=2)[2] >= 0
        count += 1
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, len(_GRID) - 1)]
    theta = np.array([_find_parabola_bottom(row, int(place)) for row, place in zip(deviances, best, strict=True)])
    for _ in range(_STEPS):
        at = compute_weighted_sums(sums, theta**2, order=2)
        count += 1
        value, _, by_ratio, by_ratio2 = _compute_profiled_deviance(sums, at, reml=reml, order=2)
        slope, curve = 2 * theta * by_ratio, 4 * theta**2 * by_ratio2 + 2 * by_ratio
        low, high = np.where(slope < 0, theta, low), np.where(slope > 0, theta, high)
        step = np.where(curve > 0, -slope / np.where(curve > 0, curve, 1.0), np.inf)
        ahead = theta + step
        ahead = np.where((ahead > low) & (ahead < high), ahead, (low + high) / 2)
        gain = np.abs(slope * (ahead - theta))
        theta = ahead
        if (settled | (gain < _GAIN * (1 + np.abs(value) * 1e-3)) | (high - low < 1e-12)).all():
            break
    zero = deviances[:, 0]
    flat = settled | (zero <= value + 1e-10)
    return InterceptOptima(
        theta=np.where(flat, 0.0, theta),
        deviance=np.where(flat, zero, value),
        slope=np.where(flat, 0.0, slope),
        n_evaluations=count,
    )


def _find_single_optimum(sums: InterceptSums, deviances: np.ndarray, best: int, *, reml: bool) -> InterceptOptima:
    """Maximise the likelihood of a batch of one: the same steps on plain numbers, which cost less than arrays."""
    count, zero = len(_GRID), float(deviances[0])

    def compute_deviance_derivatives(theta: float) -> tuple[float, float, float]:
        ratio = np.array([theta**2])
        deviance_parts = _compute_profiled_deviance(
            sums, compute_weighted_sums(sums, ratio, order=2), reml=reml, order=2
        )
        value, by_ratio, by_ratio2 = (
            float(deviance_parts[0][0]),
            float(deviance_parts[2][0]),
            float(deviance_parts[3][0]),
        )
        return value, by_ratio, 4 * theta**2 * by_ratio2 + 2 * by_ratio

    if best == 0 and compute_deviance_derivatives(0.0)[1] >= 0:
        return _build_single_optimum(0.0, zero, 0.0, count + 1)
    low, high = float(_GRID[max(best - 1, 0)]), float(_GRID[min(best + 1, len(_GRID) - 1)])
    theta, value, slope = _find_parabola_bottom(deviances, best), np.inf, np.inf
    for _ in range(_STEPS):
        value, by_ratio, curve = compute_deviance_derivatives(theta)
        count += 1
        slope = 2 * theta * by_ratio
        low, high = (theta, high) if slope < 0 else (low, theta)
        ahead = theta - slope / curve if curve > 0 else np.inf
        if not low < ahead < high:
            ahead = (low + high) / 2
        gain = abs(slope * (ahead - theta))
        theta = ahead
        if gain < _GAIN * (1 + abs(value) * 1e-3) or high - low < 1e-12:
            break
    if zero <= value + 1e-10:
        return _build_single_optimum(0.0, zero, 0.0, count)
    return _build_single_optimum(theta, value, slope, count)


def _build_single_optimum(theta: float, deviance: float, slope: float, count: int) -> InterceptOptima:
    return InterceptOptima(
        theta=np.array([theta]), deviance=np.array([deviance]), slope=np.array([slope]), n_evaluations=count
    )


def _find_parabola_bottom(deviances: np.ndarray, best: int) -> float:
    """Return the bottom of the parabola through the best point of the grid and its neighbours, on the log scale."""
    if best < 2 or best == len(_GRID) - 1:
        return float(_GRID[best]) if best else 0.5 * float(_GRID[1])
    left, middle, right = deviances[best - 1 : best + 2].tolist()
    bend = left - 2 * middle + right
    shift = min(max(0.5 * (left - right) / bend, -0.9), 0.9) if bend > 0 else 0.0
    return float(_GRID[best] * (_GRID[2] / _GRID[1]) ** shift)


def _compute_grid_deviances(sums: InterceptSums, *, reml: bool) -> np.ndarray:
    """Return deviances, shape (B, grid)."""
    b, groups, m = sums.by_group.shape
    if b > 1 or groups * m > 50_000:
        columns = [
            _compute_profiled_deviance(
                sums, compute_weighted_sums(sums, np.full(b, theta**2), order=0), reml=reml, order=0
            )[0]
            for theta in _GRID
        ]
        return np.stack(columns, axis=1)
    size = len(_GRID)
    wide = InterceptSums(
        by_group=np.broadcast_to(sums.by_group, (size, groups, m)),
        n=np.broadcast_to(sums.n, (size, groups)),
        total=np.broadcast_to(sums.total, (size, m, m)),
        starts=sums.starts,
        n_rows=np.broadcast_to(sums.n_rows, (size,)),
        n_fixed=sums.n_fixed,
        log_weights=np.broadcast_to(sums.log_weights, (size,)),
    )
    return _compute_profiled_deviance(wide, compute_weighted_sums(wide, _GRID**2, order=0), reml=reml, order=0)[0][None]


def compute_deviance_at_ratio(sums: InterceptSums, ratio: float, *, reml: bool) -> float:
    """Return the profiled deviance of the first model of a batch.

    Parameters
    ----------
    sums
        The data.
    ratio
        Variance of groups over that of rows.
    reml
        Which likelihood.
    """
    weighted_sums = compute_weighted_sums(sums, np.full(len(sums.n), ratio), order=0)
    return float(_compute_profiled_deviance(sums, weighted_sums, reml=reml, order=0)[0][0])
