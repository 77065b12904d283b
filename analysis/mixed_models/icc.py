"""Intraclass correlations with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.intercept_search import deviance_at
from analysis.mixed_models.intercept import intercept_sums, is_intercept
from analysis.mixed_models.random_effects import back_change
from analysis.terms import INTERCEPT

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.moments import Moments
    from analysis.mixed_models.working import Working


def icc_frame(working: Working, *, conf_level: float) -> pd.DataFrame:
    """Return one row a grouping; see `MixedFit.icc`."""
    import pandas as pd

    sums = working.sums
    weights = _intercept_weights(sums)
    between = np.zeros(len(working.optimum.variances))
    rows = []
    within = np.zeros_like(between)
    within[-len(sums.n_rows) :] = sums.n_rows / sums.n
    every = sum(weights, within)
    for level, own in reversed(list(zip(sums.levels, weights, strict=True))):
        between = between + own
        share, low, high, method = _one(working, between, every, conf_level=conf_level)
        rows.append((level.name, share, low, high, conf_level, method))
    return pd.DataFrame(rows, columns=["group", "icc", "conf_low", "conf_high", "conf_level", "method"])


def _intercept_weights(sums: Moments) -> list[np.ndarray]:
    """Return, level by level, how the variance of intercepts (in the columns as they were) follows from parameters."""
    from analysis.mixed_models.jets import parameters

    which = parameters(sums)
    result = []
    for k, level in enumerate(sums.levels):
        back = back_change(level)
        chosen = np.zeros(which.n)
        rows = [block.start + block.names.index(INTERCEPT) for block in level.blocks if INTERCEPT in block.names]
        for row in rows:
            for i in np.flatnonzero(which.level == k):
                twice = 1.0 if which.row[i] == which.column[i] else 2.0
                chosen[i] += twice * back[row, which.row[i]] * back[row, which.column[i]]
        result.append(chosen)
    return result


def _one(
    working: Working, between: np.ndarray, every: np.ndarray, *, conf_level: float
) -> tuple[float, float, float, str]:
    from scipy import stats

    values = working.optimum.variances
    share = float(between @ values / (every @ values))
    if is_intercept(working.sums):
        return share, *_profile(working, conf_level=conf_level), "profile_likelihood"
    if not 0 < share < 1:
        return share, float("nan"), float("nan"), "delta"
    total = float(every @ values)
    slope = (between - share * every) / total / (share * (1 - share))
    error = float(np.sqrt(slope @ working.spread @ slope))
    half = float(stats.norm.isf((1 - conf_level) / 2)) * error
    logit = np.log(share / (1 - share))
    low, high = 1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))
    return share, float(low), float(high), "delta"


def _profile(working: Working, *, conf_level: float) -> tuple[float, float]:
    """Return limits where the deviance has risen by the quantile of chi-squared with one degree of freedom."""
    from scipy import optimize, stats

    data = intercept_sums(working.sums)
    limit = working.optimum.deviance + float(stats.chi2.isf(1 - conf_level, 1))

    def excess(theta: float) -> float:
        return deviance_at(data, theta**2, reml=working.reml) - limit

    start = float(working.optimum.theta[0])
    low = float(optimize.brentq(excess, 0.0, start, xtol=1e-10)) if start > 0 and excess(0.0) > 0 else 0.0
    far = max(2 * start, 0.1)
    while excess(far) < 0 and far < 1e4:
        far *= 2
    high = float(optimize.brentq(excess, start, far, xtol=1e-10)) if excess(far) > 0 else np.inf
    return low**2 / (1 + low**2), 1.0 if np.isinf(high) else high**2 / (1 + high**2)
