"""The model with one random intercept, many of them at once: one number, the variance ratio, is searched.

With l = s_u^2 / s^2 the quantities of `analysis.mixed_models.jets` are weighted sums of the groups' column sums, so
that a fit is a handful of matrix products. Arrays have a leading axis of B models with the same columns and groups
(outcomes, subgroups, imputations); a group without rows in a model has zeros there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.search import Optimum

# Standard deviations of groups over that of rows on which the search begins; 0 is tried as well.
_GRID = np.concatenate([[0.0], np.geomspace(4e-3, 250.0, 12)])
# Beyond this rows of a group are alike.
_MOST_THETA = 0.99 * float(_GRID[-1])
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


def is_intercept(sums: Moments) -> bool:
    """Return whether a model is of the kind that this module fits."""
    plain = len(sums.levels) == 1 and len(sums.n_rows) == 1 and sums.total.shape[1] == sums.p + 1
    return plain and len(sums.levels[0].places) == 1 and sums.levels[0].places[0] == 0 and _has_ones(sums)


def _has_ones(sums: Moments) -> bool:
    from analysis.terms import INTERCEPT

    return sums.levels[0].blocks[0].names == (INTERCEPT,) and sums.basis.names[:1] == (INTERCEPT,)


def intercept_sums(sums: Moments) -> InterceptSums:
    """Return a model's sums as those of a batch of one."""
    level = sums.levels[0]
    starts = None
    if sums.strata is not None:
        starts = np.searchsorted(level.parent, np.arange(sums.strata.n_groups))
    return InterceptSums(
        by_group=level.cross[:, :, 0, :],
        n=level.cross[:, :, 0, 0],
        total=sums.total,
        starts=starts,
        n_rows=sums.n_rows,
        n_fixed=sums.n_fixed,
        log_weights=np.array([sums.log_weights]),
    )


def evaluate(sums: InterceptSums, ratio: np.ndarray, *, order: int) -> At:
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


def _deviance(sums: InterceptSums, at: At, *, reml: bool, order: int) -> tuple[np.ndarray, ...]:
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


def intercept_optima(sums: InterceptSums, *, reml: bool) -> InterceptOptima:
    """Maximise the likelihoods of a batch: a grid finds the basin, Newton's method its bottom.

    Parameters
    ----------
    sums
        The data.
    reml
        Restricted maximum likelihood, or maximum likelihood.
    """
    deviances = _on_grid(sums, reml=reml)
    best = deviances.argmin(axis=1)
    if len(best) == 1:
        return _one(sums, deviances[0], int(best[0]), reml=reml)
    count = len(_GRID)
    settled = best == 0
    if settled.any():  # the deviance is even in theta: rising from zero, zero is its bottom
        at = evaluate(sums, np.zeros(len(best)), order=2)
        settled &= _deviance(sums, at, reml=reml, order=2)[2] >= 0
        count += 1
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, len(_GRID) - 1)]
    theta = np.array([_first_guess(row, int(place)) for row, place in zip(deviances, best, strict=True)])
    for _ in range(_STEPS):
        at = evaluate(sums, theta**2, order=2)
        count += 1
        value, _, by_ratio, by_ratio2 = _deviance(sums, at, reml=reml, order=2)
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


def _one(sums: InterceptSums, deviances: np.ndarray, best: int, *, reml: bool) -> InterceptOptima:
    """Maximise the likelihood of a batch of one: the same steps on plain numbers, which cost less than arrays."""
    count, zero = len(_GRID), float(deviances[0])

    def derivatives(theta: float) -> tuple[float, float, float]:
        ratio = np.array([theta**2])
        found = _deviance(sums, evaluate(sums, ratio, order=2), reml=reml, order=2)
        value, by_ratio, by_ratio2 = float(found[0][0]), float(found[2][0]), float(found[3][0])
        return value, by_ratio, 4 * theta**2 * by_ratio2 + 2 * by_ratio

    if best == 0 and derivatives(0.0)[1] >= 0:
        return _single(0.0, zero, 0.0, count + 1)
    low, high = float(_GRID[max(best - 1, 0)]), float(_GRID[min(best + 1, len(_GRID) - 1)])
    theta, value, slope = _first_guess(deviances, best), np.inf, np.inf
    for _ in range(_STEPS):
        value, by_ratio, curve = derivatives(theta)
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
        return _single(0.0, zero, 0.0, count)
    return _single(theta, value, slope, count)


def _single(theta: float, deviance: float, slope: float, count: int) -> InterceptOptima:
    return InterceptOptima(
        theta=np.array([theta]), deviance=np.array([deviance]), slope=np.array([slope]), n_evaluations=count
    )


def _first_guess(deviances: np.ndarray, best: int) -> float:
    """Return the bottom of the parabola through the best point of the grid and its neighbours, on the log scale."""
    if best < 2 or best == len(_GRID) - 1:
        return float(_GRID[best]) if best else 0.5 * float(_GRID[1])
    left, middle, right = deviances[best - 1 : best + 2].tolist()
    bend = left - 2 * middle + right
    shift = min(max(0.5 * (left - right) / bend, -0.9), 0.9) if bend > 0 else 0.0
    return float(_GRID[best] * (_GRID[2] / _GRID[1]) ** shift)


def _on_grid(sums: InterceptSums, *, reml: bool) -> np.ndarray:
    """Return deviances, shape (B, grid)."""
    b, groups, m = sums.by_group.shape
    if b > 1 or groups * m > 50_000:
        columns = [
            _deviance(sums, evaluate(sums, np.full(b, theta**2), order=0), reml=reml, order=0)[0] for theta in _GRID
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
    return _deviance(wide, evaluate(wide, _GRID**2, order=0), reml=reml, order=0)[0][None]


def intercept_optimum(sums: Moments, *, reml: bool) -> tuple[Optimum, LikelihoodSums]:
    """Maximise the likelihood of one model with one random intercept.

    Returns
    -------
    tuple
        The optimum, and the likelihood there with derivatives by the two variances.
    """
    data = intercept_sums(sums)
    found = intercept_optima(data, reml=reml)
    theta = float(found.theta[0])
    at = evaluate(data, np.array([theta**2]), order=2)
    unscaled = at.total[0, 0]
    left = float(unscaled[-1, -1] - unscaled[:-1, -1] @ np.linalg.solve(unscaled[:-1, :-1], unscaled[:-1, -1]))
    sigma2 = max(left, float(np.finfo(float).tiny)) / (sums.n - (sums.n_fixed if reml else 0))
    reason = ""
    if theta > _MOST_THETA:
        reason = "Rows of a group have the same value of this outcome: it is one of groups and needs a row a group."
        n_above = int(constant_within_groups(sums).sum()) + sums.n_fixed - sums.p
        if n_above >= sums.levels[0].n_groups:
            name = sums.levels[0].name
            reason = f"{n_above} columns of the model are constant within '{name}', of which there are no more groups."
    best = Optimum(
        theta=np.array([theta]),
        variances=np.array([theta**2 * sigma2, sigma2]),
        deviance=float(found.deviance[0]),
        singular=theta < 1e-4,
        n_evaluations=found.n_evaluations,
        gradient=abs(float(found.slope[0])),
        reason=reason,
    )
    return best, _by_parts(data, at, theta**2, sigma2)


def _by_parts(sums: InterceptSums, at: At, ratio: float, sigma2: float) -> LikelihoodSums:
    first, second = _by_variances(at.total[0], ratio, sigma2)
    n, n_strata = float(sums.n_rows[0]), at.strata.shape[2]
    return LikelihoodSums(
        total=at.total[0, 0] / sigma2,
        first=first,
        second=second,
        log_det_v=_log_by_variances(at.log_v[0], n, ratio, sigma2),
        log_det_strata=_log_by_variances(at.log_strata[0], -float(n_strata), ratio, sigma2),
        strata=(at.strata[0, 0] / sigma2, *_by_variances(at.strata[0], ratio, sigma2)),
        n=int(sums.n_rows[0]),
        n_fixed=sums.n_fixed,
    )


def _by_variances(f: np.ndarray, ratio: float, sigma2: float) -> tuple[np.ndarray, np.ndarray]:
    """Return derivatives by (s_u^2, s^2) of f(s_u^2 / s^2) / s^2, given f and its two derivatives by the ratio."""
    first = np.stack([f[1], -(f[0] + ratio * f[1])]) / sigma2**2
    across = -(2 * f[1] + ratio * f[2])
    second = np.stack([f[2], across, across, 2 * f[0] + 4 * ratio * f[1] + ratio**2 * f[2]]) / sigma2**3
    return first, second.reshape(2, 2, *f.shape[1:])


def _log_by_variances(f: np.ndarray, power: float, ratio: float, sigma2: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value and derivatives of power log(s^2) + f(s_u^2 / s^2)."""
    first = np.array([f[1], power - ratio * f[1]]) / sigma2
    across = -(f[1] + ratio * f[2])
    second = np.array([[f[2], across], [across, -power + 2 * ratio * f[1] + ratio**2 * f[2]]]) / sigma2**2
    return float(f[0] + power * np.log(sigma2)), first, second


def constant_within_groups(sums: Moments) -> np.ndarray:
    """Return which columns are constant within every group, shape (p,), bool.

    A column is constant within groups when its sum of squares about its mean equals that of the groups' means.

    Parameters
    ----------
    sums
        Of a model with one random intercept, a fixed intercept being the first column.
    """
    by_group = sums.levels[0].cross[0, :, 0, : sums.p]
    total = sums.total[0, : sums.p, : sums.p]
    between = (by_group / by_group[:, :1]).T @ by_group
    # Back to the columns as they were, less their means.
    back = np.linalg.inv(sums.basis.matrix)[1:]
    within = ((total - between)[1:, 1:] @ back * back).sum(axis=0)
    squares = (total[1:, 1:] @ back * back).sum(axis=0)
    return np.asarray(within <= 1e-10 * squares)


def deviance_at(sums: InterceptSums, ratio: float, *, reml: bool) -> float:
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
    at = evaluate(sums, np.full(len(sums.n), ratio), order=0)
    return float(_deviance(sums, at, reml=reml, order=0)[0][0])
