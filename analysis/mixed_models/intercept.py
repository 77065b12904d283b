"""One model with one random intercept: its sums as those that `analysis.intercept_search` takes, and its optimum."""

from __future__ import annotations

import numpy as np

from analysis.intercept_search import MOST_THETA, At, InterceptSums, evaluate, intercept_optima
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.search import Optimum
from analysis.terms import INTERCEPT


def is_intercept(sums: Moments) -> bool:
    """Return whether a model is one with one random intercept and no other."""
    plain = len(sums.levels) == 1 and len(sums.n_rows) == 1 and sums.total.shape[1] == sums.p + 1
    return plain and len(sums.levels[0].places) == 1 and sums.levels[0].places[0] == 0 and _has_ones(sums)


def _has_ones(sums: Moments) -> bool:
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
    if theta > MOST_THETA:
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
