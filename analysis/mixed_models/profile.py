"""Intervals where the likelihood falls off: of fixed effects, standard deviations and intraclass correlations.

A fixed effect is held by taking its part off the outcome, which for sums is a change of columns; a standard deviation
is held as the first entry of its factor. All else is then maximised again, and the limits are where the deviance has
risen by the quantile of chi-squared with one degree of freedom. The likelihood is the full one, as in lme4's
``confint``. Intraclass correlations of other models than one random intercept have intervals by the delta method.

Source: Bates et al. (2015), J. Statistical Software 67(1), section 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.intercept_search import compute_deviance_at_ratio
from analysis.mixed_models.intercept import convert_to_intercept_sums, is_intercept
from analysis.mixed_models.jets import Parameters, build_parameters, compute_likelihood_jet
from analysis.mixed_models.likelihood import build_likelihood_sums
from analysis.mixed_models.moments import Block, Level, Moments
from analysis.mixed_models.random_effects import compute_back_change
from analysis.mixed_models.search import FactorMap, Search, build_factor_map, find_likelihood_optimum
from analysis.terms import INTERCEPT

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.moments import Moments
    from analysis.mixed_models.working import Working


# Deviances fall by less than this before a limit is taken to be at the boundary.
_FLAT = 1e-8


@dataclass(slots=True, kw_only=True)
class _Held(Search):
    """A search in which one standard deviation stays as it is; the scale is not profiled out.

    Searched are the factors' entries and the logarithms of the residual variances, but for the one that is held.
    """

    place: int
    at: float

    def whole(self, phi: np.ndarray) -> np.ndarray:
        return np.insert(phi, self.place, self.at)

    def parts(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the parameters and their derivatives by all entries."""
        entries, k = self.whole(phi), len(self.change.forms)
        jacobian = np.zeros((self.which.n, self.which.n))
        jacobian[:k, :k] = 2 * self.change.forms @ entries[:k]
        jacobian[k:, k:] = np.diag(np.exp(entries[k:]))
        return np.concatenate([(self.change.forms @ entries[:k]) @ entries[:k], np.exp(entries[k:])]), jacobian

    def value(self, phi: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            values, _ = self.parts(phi)
            jet = compute_likelihood_jet(self.sums, self.which, values, order=0)
            likelihood = build_likelihood_sums(jet, n_parameters=self.which.n, n=self.sums.n, n_fixed=self.sums.n_fixed)
            value = likelihood.log_det_v[0] + likelihood.residual + self.sums.n * np.log(2 * np.pi)
        return float(value) if np.isfinite(value) else np.inf

    def derivatives(self, phi: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        values, jacobian = self.parts(phi)
        jet = compute_likelihood_jet(self.sums, self.which, values, order=2)
        likelihood = build_likelihood_sums(jet, n_parameters=self.which.n, n=self.sums.n, n_fixed=self.sums.n_fixed)
        value, gradient, hessian = likelihood.full(reml=False)
        k = len(self.change.forms)
        curve = jacobian.T @ hessian @ jacobian
        curve[:k, :k] += 2 * np.tensordot(gradient[:k], self.change.forms, axes=1)
        curve[k:, k:] += np.diag(gradient[k:] * values[k:])
        free = np.delete(np.arange(self.which.n), self.place)
        return value, (jacobian.T @ gradient)[free], curve[np.ix_(free, free)]


def build_held_effect_sums(sums: Moments, weights: np.ndarray, at: float) -> Moments:
    """Return the sums of the model in which a weighted sum of the coefficients is a given number.

    Parameters
    ----------
    sums
        The data.
    weights
        Shape (p,), of the scaled coefficients.
    at
        The number, for the scaled outcome.
    """
    p, m = sums.p, sums.total.shape[1]
    pivot = int(np.abs(weights).argmax())
    others = [i for i in range(p) if i != pivot]
    held_places = sorted({int(place) for level in _collect_levels(sums) for place in level.places})
    change = np.zeros((m, len(others) + len(held_places) + 1))
    for column, i in enumerate(others):
        change[i, column] = 1.0
        change[pivot, column] = -weights[i] / weights[pivot]
    for column, i in enumerate(held_places):
        change[i, len(others) + column] = 1.0
    change[-1, -1] = 1.0
    change[pivot, -1] = -at / weights[pivot]
    place = {i: len(others) + column for column, i in enumerate(held_places)}

    def transform_level(level: Level) -> Level:
        places = np.array([place[int(i)] for i in level.places], dtype=np.intp)
        return replace(level, places=places, cross=level.cross @ change)

    names = tuple(sums.basis.names[i] for i in others)
    return replace(
        sums,
        p=p - 1,
        basis=replace(sums.basis, names=names),
        total=change.T @ sums.total @ change,
        levels=tuple(transform_level(level) for level in sums.levels),
        strata=None if sums.strata is None else transform_level(sums.strata),
    )


def _collect_levels(sums: Moments) -> list[Level]:
    return [*sums.levels, *([] if sums.strata is None else [sums.strata])]


def restore_raw_columns(sums: Moments, *, level: int, block: int, column: int) -> Moments:
    """Return the sums with the columns of one random term as they were in the frame, a given one first.

    Parameters
    ----------
    sums
        The data.
    level, block, column
        Which.
    """
    chosen = sums.levels[level]
    term = chosen.blocks[block]
    order = [column, *[k for k in range(term.size) if k != column]]
    inside = term.change[:, order]  # the level's columns times this are the columns as they were
    spread = np.eye(len(chosen.places))
    term_slice = slice(term.start, term.start + term.size)
    spread[term_slice, term_slice] = inside
    m, q = sums.total.shape[1], len(chosen.places)
    change = np.zeros((m, m + q))
    change[:-1, : m - 1] = np.eye(m - 1)
    change[-1, -1] = 1.0
    for a, place in enumerate(chosen.places):
        change[place, m - 1 : m - 1 + q] += spread[a]
    levels = []
    for k, other in enumerate(sums.levels):
        cross = other.cross @ change
        if k == level:
            cross = np.swapaxes(spread, 0, 1) @ cross
            names = tuple(term.names[i] for i in order)
            blocks = list(other.blocks)
            blocks[block] = Block(names=names, start=term.start, change=np.eye(term.size))
            levels.append(replace(other, blocks=tuple(blocks), places=m - 1 + np.arange(q), cross=cross))
        else:
            levels.append(replace(other, cross=cross))
    strata = None if sums.strata is None else replace(sums.strata, cross=sums.strata.cross @ change)
    return replace(sums, total=change.T @ sums.total @ change, levels=tuple(levels), strata=strata)


def compute_effect_interval(
    sums: Moments, weights: np.ndarray, *, estimate: float, error: float, conf_level: float
) -> tuple[float, float]:
    """Return limits of a weighted sum of the scaled coefficients.

    Parameters
    ----------
    sums
        The data.
    weights
        Shape (p,).
    estimate, error
        Where to begin, and how far apart limits may be expected.
    conf_level
        Level, between 0 and 1.
    """
    best = find_likelihood_optimum(sums, reml=False)

    def compute_deviance_at_effect(at: float) -> float:
        return find_likelihood_optimum(build_held_effect_sums(sums, weights, at), reml=False, start=best.theta).deviance

    limit = best.deviance + _compute_deviance_quantile(conf_level)
    return tuple(  # type: ignore[return-value]  # two in, two out
        _find_deviance_crossing(compute_deviance_at_effect, limit, estimate, sign * error) for sign in (-1.0, 1.0)
    )


def compute_sd_interval(sums: Moments, *, group: str, term: str, conf_level: float) -> tuple[float, float]:
    """Return limits of a standard deviation, of the scaled outcome.

    Parameters
    ----------
    sums
        The data.
    group, term
        Grouping and column; ``"residual"`` and the label of its group of rows.
    conf_level
        Level, between 0 and 1.
    """
    residual = group == "residual"
    if not residual:
        number = [level.name for level in sums.levels].index(group)
        block = next(k for k, candidate in enumerate(sums.levels[number].blocks) if term in candidate.names)
        column = sums.levels[number].blocks[block].names.index(term)
        sums = restore_raw_columns(sums, level=number, block=block, column=column)
    which, best = build_parameters(sums), find_likelihood_optimum(sums, reml=False)
    change, k = build_factor_map(which, sums), len(which.level)
    sigma = np.sqrt(best.variances[k])
    entries = np.concatenate([best.theta * sigma, np.log(best.variances[k:])])
    place = k + (sums.residual.index(term) if residual and sums.residual else 0)
    if not residual:
        row = sums.levels[number].blocks[block].start
        place = int(np.flatnonzero((which.level == number) & (which.row == row) & (which.column == row))[0])
    centre = float(np.exp(entries[place] / 2)) if residual else float(entries[place])
    deviance = _create_sd_deviance(sums, which, change, entries, place, residual=residual)
    limit = best.deviance + _compute_deviance_quantile(conf_level)
    step = max(0.2 * centre, 0.05 * float(sigma))
    high = _find_deviance_crossing(deviance, limit, centre, step)
    if not residual and (centre < 1e-8 or deviance(0.0) <= limit + _FLAT):
        return 0.0, high
    low = _find_deviance_crossing(
        deviance, limit, centre, -min(step, 0.5 * centre), least=0.0 if not residual else 1e-6 * centre
    )
    return low, high


def _create_sd_deviance(
    sums: Moments, which: Parameters, change: FactorMap, entries: np.ndarray, place: int, *, residual: bool
) -> Callable[[float], float]:
    def compute_deviance_at_sd(sd: float) -> float:
        held = _Held(
            sums=sums,
            which=which,
            change=change,
            reml=False,
            place=place,
            at=2 * float(np.log(sd)) if residual else sd,
        )
        return held.newton(np.delete(entries, place))[1]

    return compute_deviance_at_sd


def _compute_deviance_quantile(conf_level: float) -> float:
    from scipy import stats

    return float(stats.chi2.isf(1 - conf_level, 1))


def _find_deviance_crossing(
    deviance: Callable[[float], float], limit: float, start: float, step: float, *, least: float = -np.inf
) -> float:
    """Return where the deviance crosses a limit, going from the start in the step's direction."""
    from scipy import optimize

    inner, outer = start, max(start + 2 * step, least)
    for _ in range(60):
        if deviance(outer) > limit:
            return float(optimize.brentq(lambda at: deviance(at) - limit, inner, outer, xtol=1e-9 * abs(step) + 1e-14))
        if outer == least:
            return least
        inner, outer = outer, max(outer + 2 * step, least)
        step *= 1.6
    return float(np.copysign(np.inf, step))


def build_icc_frame(working: Working, *, conf_level: float) -> pd.DataFrame:
    """Return one row a grouping; see `MixedFit.icc`."""
    import pandas as pd

    sums = working.sums
    weights = _compute_intercept_weights(sums)
    between = np.zeros(len(working.optimum.variances))
    rows = []
    within = np.zeros_like(between)
    within[-len(sums.n_rows) :] = sums.n_rows / sums.n
    every = sum(weights, within)
    for level, level_weights in reversed(list(zip(sums.levels, weights, strict=True))):
        between = between + level_weights
        share, low, high, method = _icc_interval(working, between, every, conf_level=conf_level)
        rows.append((level.name, share, low, high, conf_level, method))
    return pd.DataFrame(rows, columns=["group", "icc", "conf_low", "conf_high", "conf_level", "method"])


def _compute_intercept_weights(sums: Moments) -> list[np.ndarray]:
    """Return, level by level, how the variance of intercepts (in the columns as they were) follows from parameters."""
    from analysis.mixed_models.jets import build_parameters

    which = build_parameters(sums)
    result = []
    for k, level in enumerate(sums.levels):
        back = compute_back_change(level)
        chosen = np.zeros(which.n)
        rows = [block.start + block.names.index(INTERCEPT) for block in level.blocks if INTERCEPT in block.names]
        for row in rows:
            for i in np.flatnonzero(which.level == k):
                twice = 1.0 if which.row[i] == which.column[i] else 2.0
                chosen[i] += twice * back[row, which.row[i]] * back[row, which.column[i]]
        result.append(chosen)
    return result


def _icc_interval(
    working: Working, between: np.ndarray, every: np.ndarray, *, conf_level: float
) -> tuple[float, float, float, str]:
    from scipy import stats

    values = working.optimum.variances
    share = float(between @ values / (every @ values))
    if is_intercept(working.sums):
        return share, *_profiled_icc(working, conf_level=conf_level), "profile_likelihood"
    if not 0 < share < 1:
        return share, float("nan"), float("nan"), "delta"
    total = float(every @ values)
    slope = (between - share * every) / total / (share * (1 - share))
    error = float(np.sqrt(slope @ working.spread @ slope))
    half = float(stats.norm.isf((1 - conf_level) / 2)) * error
    logit = np.log(share / (1 - share))
    low, high = 1 / (1 + np.exp(-(logit - half))), 1 / (1 + np.exp(-(logit + half)))
    return share, float(low), float(high), "delta"


def _profiled_icc(working: Working, *, conf_level: float) -> tuple[float, float]:
    """Return limits where the deviance has risen by the quantile of chi-squared with one degree of freedom."""
    from scipy import optimize, stats

    data = convert_to_intercept_sums(working.sums)
    limit = working.optimum.deviance + float(stats.chi2.isf(1 - conf_level, 1))

    def excess(theta: float) -> float:
        return compute_deviance_at_ratio(data, theta**2, reml=working.reml) - limit

    start = float(working.optimum.theta[0])
    low = float(optimize.brentq(excess, 0.0, start, xtol=1e-10)) if start > 0 and excess(0.0) > 0 else 0.0
    far = max(2 * start, 0.1)
    while excess(far) < 0 and far < 1e4:
        far *= 2
    high = float(optimize.brentq(excess, start, far, xtol=1e-10)) if excess(far) > 0 else np.inf
    return low**2 / (1 + low**2), 1.0 if np.isinf(high) else high**2 / (1 + high**2)
