"""Randomisation inference: p-values and intervals from the design's own re-draws, for a choice of statistics.

An effect of size t on everybody is a hypothesis as sharp as none: take t off the outcomes of the schools that had the
arm, and they are what they would have been under any allocation. The interval holds the sizes that the test does not
reject: one statistic on the same draws serves both, and they cannot contradict each other. With moments by school,
taking an effect off is a small matrix product, and all draws are evaluated at once.

An arm beside another is tested among the schools of the two, the others staying in their arms. Were they to move, the
test would be one of no effect of any arm, and would change with the effects of arms that nobody asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import optimize

from analysis.guards import validate_frame
from analysis.inference.design_redraws import DesignRedraws, Permutations
from analysis.inference.redraw_moments import RedrawMoments, compute_redraw_moments, weight_redraw_moments
from analysis.inference.redraw_statistics import (
    Statistic,
    build_arm_indicators,
    compute_mixed_t,
    compute_reml_t,
    compute_robust_t,
    compute_school_mean_difference,
    compute_school_mean_t,
    estimate_least_squares_effects,
    solved,
)
from analysis.results import EXACT_TEST, Estimate
from analysis.specs import Model
from data_schema.errors import EstimationError

Interval = Literal["inversion", "none"]
StatisticName = Literal["mixed_t", "reml_t", "ols", "ols_t", "school_means", "school_means_t"]

STATISTICS: dict[StatisticName, Statistic] = {
    "mixed_t": compute_mixed_t,
    "reml_t": compute_reml_t,
    "ols": estimate_least_squares_effects,
    "ols_t": compute_robust_t,
    "school_means": compute_school_mean_difference,
    "school_means_t": compute_school_mean_t,
}

# Statistics that differ by rounding count as equal.
_ROUNDING = 1e-9
_LEAST_WEIGHT = 1e-12
_FAR_OFF = 1e6
_NOT_APART = "The arms cannot be distinguished from the strata in the schools that have this outcome."


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomisationInference:
    """What the design's own re-draws say of one arm's effect.

    Parameters
    ----------
    estimate
        Effect of the actual allocation, generalised least squares (of means of school means for those statistics).
    statistic
        Of the actual allocation, under the hypothesis of no effect; NaN when there is none.
    p_value
        Two-sided; (1 + b) / (1 + B) of re-draws, b being as far from zero as the actual allocation (which counts among
        them), or the probability of allocations as far off when all are there. Zero is outside the interval exactly
        when it is ``1 - conf_level`` or less.
    conf_low, conf_high
        Effects that are not rejected at 1 - conf_level; infinite when no size can be rejected on that side, as with
        fewer than 19 re-draws.
    conf_level
        Level of the interval.
    least_p_value
        Smallest p-value that an effect of any size could give: the share of draws that are the actual allocation, or
        its mirror image, which is as far from zero. Above ``1 - conf_level`` the test can never reject.
    n_draws
        Re-draws, or allocations when all are there, in which the statistic is defined.
    exact
        Whether they are all allocations that the design can make (with the schools of other arms where they are).
    statistic_name
        Which statistic.
    held
        What a test of a moderator holds at its estimate, the arm's main effect, as a sentence. Empty without one: test
        and interval are then exact.
    reason
        Why there is nothing; empty otherwise.
    """

    estimate: float = np.nan
    statistic: float = np.nan
    p_value: float = np.nan
    conf_low: float = np.nan
    conf_high: float = np.nan
    conf_level: float = 0.95
    least_p_value: float = np.nan
    n_draws: int = 0
    exact: bool = False
    statistic_name: StatisticName = "mixed_t"
    held: str = ""
    reason: str = ""

    @property
    def can_reject(self) -> bool:
        """Whether an effect could be so large that the test rejects it."""
        return not self.least_p_value > 1 - self.conf_level + _LEAST_WEIGHT


def test_rows(shared: Estimate, found: RandomisationInference) -> list[Estimate]:
    """Return what the re-draws say of an arm as rows: the test, and the effects that it does not reject.

    A test that no effect could make reject has the caution "few_allocations"; ``shared`` has the rows' other columns.
    """
    draws = f"exact_{found.n_draws}_allocations" if found.exact else f"{found.n_draws}_draws"
    test = replace(
        shared,
        quantity="randomisation_test",
        statistic=found.statistic,
        p_value=found.p_value,
        n_draws=found.n_draws,
        method=f"{EXACT_TEST}_{found.n_draws}_allocations" if found.exact else f"randomisation_test_{draws}",
        status="failed" if found.reason else "ok",
        reason=found.reason,
    )
    if not found.can_reject:
        test = test.with_caution("few_allocations")
    return [test, build_interval_row(shared, found)]


def build_interval_row(shared: Estimate, found: RandomisationInference) -> Estimate:
    """Return the effects that the re-draws do not reject as a row; failed where they reject none on a side.

    Parameters
    ----------
    shared
        The row's other columns.
    found
        Of one arm.
    """
    draws = f"exact_{found.n_draws}_allocations" if found.exact else f"{found.n_draws}_draws"
    row = replace(shared, quantity="randomisation_interval", method=f"test_inversion_{draws}", n_draws=found.n_draws)
    if found.reason:
        return replace(row, status="failed", reason=found.reason)
    if not np.isfinite([found.conf_low, found.conf_high]).all():
        reason = (
            "The re-draws, or the allocations that the design can make, are too few to reject any size of the effect."
        )
        return replace(row, status="failed", reason=reason)
    return replace(row, conf_low=found.conf_low, conf_high=found.conf_high)


def randomisation_inference(
    frame: pd.DataFrame,
    model: Model,
    *,
    schools: Sequence[str],
    actual: np.ndarray | Sequence[int],
    draws: np.ndarray,
    probabilities: np.ndarray | None = None,
    permutations: Permutations | None = None,
    reference: str | None = None,
    compared: Sequence[str] | None = None,
    statistic: StatisticName = "mixed_t",
    moderator: str | None = None,
    interval: Interval = "inversion",
    conf_level: float = 0.95,
) -> dict[str, RandomisationInference]:
    """Test arms against a reference, and find the effects that are not rejected.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        With ``arm`` and ``arms``; covariates and strata are taken into account.
    schools
        Names of the randomised schools, length J; every school of the frame is one of them.
    actual
        Shape (J,), position of each school's arm in ``model.arms``.
    draws
        Shape (B, J), the same of each re-draw, or of all allocations with their ``probabilities``.
    probabilities
        Shape (B,), sum 1, when ``draws`` are all allocations that the design can make (the actual one too); the test is
        then exact and nothing in it is random. None for re-draws.
    permutations
        How some schools can be permuted while the others stay. With more than two arms they are those of the two arms
        that are compared; with two arms those of the frame, where that leaves so few allocations that all are listed.
        Not needed with ``probabilities``. None: with more than two arms as many permutations as there are draws,
        within the model's strata, which must then be the design's.
    reference, compared
        Arm that the others are compared with, and which others; the model's first, and all.
    statistic
        "mixed_t" (t of the multilevel model at the variances of the model without arms; the default), "reml_t" (its
        variances fitted anew in every draw), "ols" and "ols_t" (least squares, plain and over cluster-robust errors),
        "school_means" and "school_means_t" (difference of means of school means, plain and over Welch's error;
        covariates and strata are partialled out of the outcome first).
    moderator
        Numeric column: asks how much more the arm does for a unit more of it (the interaction), the arm's main effect
        held at its estimate. Not for school means.
    interval
        "inversion", or "none" for a p-value alone, at about a twelfth of the time.
    conf_level
        Level of the intervals.

    Returns
    -------
    dict
        Arm name to its inference. With more than two arms, each rests on the schools of two arms alone, given who is in
        the others: it is exact whatever the others do.

    References
    ----------
    Rosenbaum (2002), Observational Studies, sections 2.4 and 2.6; Gail et al. (1996), Statistics in Medicine 15,
    1069-1092; Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9(1), 39, for the
    p-value; Basse, Feller and Toulis (2019), Biometrika 106, 487-494, for conditioning on part of an allocation.

    Raises
    ------
    EstimationError
        When the frame has a school that was not randomised, the draws are not of these schools and arms, or the
        statistic is unknown.
    """
    actual, draws = np.asarray(actual), np.asarray(draws)
    frame = validate_frame(frame, model.columns, place=model.place)
    check_draws(model, schools=schools, actual=actual, draws=draws, probabilities=probabilities)
    all_redraws = DesignRedraws(schools=tuple(schools), draws=draws, probabilities=probabilities)
    first = reference or model.arms[0]
    answers = {}
    for arm in compared or [arm for arm in model.arms if arm != first]:
        pair = _pair(frame, model, (first, arm), actual=actual, whole=all_redraws, permutations=permutations)
        redraws = pair if isinstance(pair, str) else pair.prepared(statistic, moderator)
        if isinstance(redraws, str):
            answers[arm] = RandomisationInference(
                reason=redraws,
                conf_level=conf_level,
                statistic_name=statistic,
                held=_describe_fixed_effects_held(arm, moderator),
            )
            continue
        inference = _infer_from_redraws(redraws, statistic=statistic, interval=interval, conf_level=conf_level)
        answers[arm] = replace(inference, held=_describe_fixed_effects_held(arm, moderator))
    return answers


def _describe_fixed_effects_held(arm: str, moderator: str | None) -> str:
    """Return what is held at its estimate, as a sentence."""
    return f"Main effects of {arm} are held at their estimates." if moderator is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two arms: their pupils, and their schools in the allocation and its re-draws, 1 being the second arm."""

    frame: pd.DataFrame
    model: Model
    schools: tuple[str, ...]
    actual: np.ndarray
    draws: np.ndarray
    probabilities: np.ndarray | None

    def prepared(self, statistic: StatisticName, moderator: str | None) -> Redraws | str:
        return build_redraws(
            self.frame,
            self.model,
            schools=self.schools,
            actual=self.actual,
            draws=self.draws,
            probabilities=self.probabilities,
            statistic=statistic,
            moderator=moderator,
        )


def _pair(
    frame: pd.DataFrame,
    model: Model,
    arms: tuple[str, str],
    *,
    actual: np.ndarray,
    whole: DesignRedraws,
    permutations: Permutations | None,
) -> _Pair | str:
    """Return two arms' pupils, with re-draws in which the schools of the other arms stay where they are."""
    first, second = (model.arms.index(arm) for arm in arms)
    theirs = np.isin(actual, (first, second))
    labels = frame[model.school].astype(str)
    moving = theirs & np.isin(np.array(whole.schools, dtype=object), labels.unique())
    pair_redraws: DesignRedraws | str | None = None
    if whole.exact:
        pair_redraws = whole.holding(~theirs, actual)
    elif len(model.arms) > 2:
        pair_redraws = (permutations or _create_strata_permutations(frame, model, actual=actual, whole=whole)).of(
            moving
        )
    elif permutations is not None:
        pair_redraws = permutations.all_of(moving)
    pair_redraws = whole if pair_redraws is None else pair_redraws
    if isinstance(pair_redraws, str):
        return pair_redraws
    return _Pair(
        frame=frame[frame[model.arm].astype(str).isin(arms)] if len(model.arms) > 2 else frame,
        model=replace(model, arms=arms),
        schools=tuple(school for school, is_in_pair in zip(whole.schools, theirs, strict=True) if is_in_pair),
        actual=(actual[theirs] == second).astype(np.int8),
        draws=(pair_redraws.draws[:, theirs] == second).astype(np.int8),
        probabilities=pair_redraws.probabilities,
    )


def _create_strata_permutations(
    frame: pd.DataFrame, model: Model, *, actual: np.ndarray, whole: DesignRedraws
) -> Permutations:
    """Return permutations within the model's strata, as nothing else is known of the design."""
    strata = pd.Series("", index=list(whole.schools))
    if model.strata is not None:
        by_school = frame.groupby(frame[model.school].astype(str), observed=True)[model.strata].first()
        strata = by_school.astype(str).reindex(strata.index).fillna("")
    return Permutations(
        schools=whole.schools,
        actual=actual,
        strata=tuple(strata),
        n_draws=len(whole.draws),
        seed="permutations within strata",
    )


def check_draws(
    model: Model,
    *,
    schools: Sequence[str],
    actual: np.ndarray,
    draws: np.ndarray,
    probabilities: np.ndarray | None,
) -> None:
    """Refuse an allocation or re-draws that are not of these schools and the model's arms."""
    if actual.shape != (len(schools),) or draws.ndim != 2 or draws.shape[1] != len(schools):
        raise EstimationError(
            "randomisation test",
            f"{len(schools)} schools have an allocation of shape {actual.shape} and re-draws of shape {draws.shape}.",
            "Hand over one column a school, in the order of the schools.",
        )
    for positions in (actual, draws):
        if positions.size and not 0 <= positions.min() <= positions.max() < len(model.arms):
            raise EstimationError(
                "randomisation test",
                "a draw holds an arm that the model does not name.",
                "Name all of the design's arms.",
            )
    if probabilities is not None and (len(probabilities) != len(draws) or abs(probabilities.sum() - 1) > 1e-6):
        raise EstimationError(
            "randomisation inference",
            "the probabilities are not those of all allocations.",
            "Give one per draw, sum 1.",
        )


def _find_school_positions(present: Sequence[str], schools: Sequence[str]) -> np.ndarray:
    """Return where schools stand among the randomised ones; refuse one that is none of them."""
    place = {school: k for k, school in enumerate(schools)}
    strangers = [school for school in present if school not in place]
    if strangers:
        raise EstimationError(
            f"school '{strangers[0]}'", "was never randomised.", "Leave its pupils out or correct the school's name."
        )
    return np.array([place[school] for school in present], dtype=int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redraws:
    """An outcome's moments and the allocations that could have been.

    Parameters
    ----------
    moments
        By school.
    parts
        Indicators of the A arms other than the reference, shape (A, draws, J), some draws at a time; the first draw of
        the first part is the actual allocation.
    weights
        Shape (B,), each draw's weight in a p-value, and ``base``, the actual allocation's own.
    same
        Shape (B,), which draws are the actual allocation, or its mirror image when there are two arms.
    statistic
        Of draws.
    """

    moments: RedrawMoments
    parts: tuple[np.ndarray, ...]
    weights: np.ndarray
    base: float
    same: np.ndarray
    statistic: Statistic

    def statistics(self, effects: np.ndarray) -> np.ndarray:
        """Return the statistics of all allocations, shape (B + 1, A k), once effects (A, k) are taken off."""
        moments = self.moments
        if effects.any():
            moments = moments.less_effects(self.actual, effects)
        return np.vstack([self.statistic(moments, arms) for arms in self._iterate_parts_as_floats()])

    def _iterate_parts_as_floats(self) -> Iterator[np.ndarray]:
        return (part.astype(float, copy=False) for part in self.parts)

    @property
    def actual(self) -> np.ndarray:
        """The actual allocation's indicators, shape (A, J)."""
        return self.parts[0][:, 0, :].astype(float)


def build_redraws(
    frame: pd.DataFrame,
    model: Model,
    *,
    schools: Sequence[str],
    actual: np.ndarray | Sequence[int],
    draws: np.ndarray,
    probabilities: np.ndarray | None = None,
    statistic: StatisticName = "mixed_t",
    moderator: str | None = None,
) -> Redraws | str:
    """Prepare an outcome for its re-draws; see `randomisation_inference`. A sentence where nothing can be tested."""
    actual, draws = np.asarray(actual), np.asarray(draws)
    check_draws(model, schools=schools, actual=actual, draws=draws, probabilities=probabilities)
    if statistic not in get_args(StatisticName):
        raise EstimationError(
            "randomisation inference", f"'{statistic}' is unknown.", f"Use one of {', '.join(get_args(StatisticName))}."
        )
    if moderator is not None and statistic.startswith("school_means"):
        raise EstimationError(
            "randomisation inference", "school means have no interaction.", "Use 'ols', 'ols_t', 'mixed_t' or 'reml_t'."
        )
    moments = compute_redraw_moments(frame, model, moderator=moderator)
    if isinstance(moments, str):
        return moments
    chosen = _find_school_positions(moments.schools, schools)
    at_zero = weight_redraw_moments(moments, 0.0)
    if moments.free <= len(model.arms) or at_zero.residual < 1e-12 * moments.n.sum():
        return "The model explains the outcome without any error, or pupils are too few for its columns."
    share = (
        np.full(len(draws), 1 / (1 + len(draws))) if probabilities is None else np.asarray(probabilities, dtype=float)
    )
    every = np.vstack([actual[None, :], draws])[:, chosen]
    mirrored = (every[1:] == 1 - every[0]).all(axis=1) & (len(model.arms) == 2)
    return Redraws(
        moments=moments,
        parts=build_arm_indicators(every, n_arms=len(model.arms)),
        same=(every[1:] == every[0]).all(axis=1) | mirrored,
        weights=share,
        base=1 / (1 + len(draws)) if probabilities is None else 0.0,
        statistic=STATISTICS[statistic],
    )


def _infer_from_redraws(
    redraws: Redraws, *, statistic: StatisticName, interval: Interval, conf_level: float
) -> RandomisationInference:
    moments = redraws.moments
    column = moments.n_carriers - 1
    effects = _estimate_actual_effects(redraws)
    others = effects.copy()
    others[0, column] = 0.0
    statistics = redraws.statistics(others)[:, column]
    exact = redraws.base == 0.0
    shared = {"conf_level": conf_level, "exact": exact, "statistic_name": statistic}
    counted = np.isfinite(statistics[1:])
    if not np.isfinite(statistics[0]) or not np.isfinite(effects[0, column]) or not counted.any():
        return RandomisationInference(reason=_NOT_APART, **shared)  # type: ignore[arg-type]  # the names above
    search = _Search(redraws=redraws, others=others, column=column, level=1 - conf_level)
    unit = moments.unit / float(moments.carrier_unit[column])
    start = float(effects[0, column])
    if "means" in statistic:
        start = float(compute_school_mean_difference(moments, redraws.actual[:, None, :])[0, column])
    p_value = _compute_p_value(redraws, statistics)
    low, high = search.limits(start, statistics, p_value) if interval == "inversion" else (np.nan, np.nan)
    return RandomisationInference(
        estimate=start * unit,
        statistic=float(statistics[0]) * (1.0 if statistic.endswith("_t") else unit),
        p_value=p_value,
        conf_low=low * unit,
        conf_high=high * unit,
        least_p_value=_compute_least_p_value(redraws, statistics),
        n_draws=int(counted.sum()),
        **shared,  # type: ignore[arg-type]  # the names above
    )


def _estimate_actual_effects(redraws: Redraws) -> np.ndarray:
    """Return the actual allocation's effects, shape (A, k), scaled: generalised least squares."""
    moments = redraws.moments
    effects = solved(moments, [moments.ratio], redraws.actual[:, None, :]).effects[0, 0]
    return np.asarray(effects.reshape(len(redraws.actual), moments.n_carriers))


def _compute_draw_weights(redraws: Redraws, found: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the weights of draws with a statistic, and the actual allocation's own, sum 1."""
    counted = np.isfinite(found[1:])
    weights = np.where(counted, redraws.weights, 0.0)
    total_weight = float(weights.sum()) + redraws.base
    return weights / total_weight, redraws.base / total_weight


def _compute_p_value(redraws: Redraws, found: np.ndarray) -> float:
    counted = np.isfinite(found[1:])
    as_far = counted & (np.abs(np.nan_to_num(found[1:])) >= abs(float(found[0])) * (1 - _ROUNDING))
    n_counted, n_as_far = int(counted.sum()), int(as_far.sum())
    if redraws.base > 0:
        return (1 + n_as_far) / (1 + n_counted)
    weights = redraws.weights[counted]
    if np.ptp(weights) <= _ROUNDING * weights.max():  # whole numbers, so that 5 % is 5 %
        return n_as_far / n_counted
    return float(_compute_draw_weights(redraws, found)[0][as_far].sum())


def _compute_least_p_value(redraws: Redraws, found: np.ndarray) -> float:
    """Return the weight of the draws that are as far off as the actual allocation whatever the effect."""
    weights, base = _compute_draw_weights(redraws, found)
    return base + float(weights[redraws.same].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """The interval's limits, by what lies between the actual statistic and the one that would just be rejected."""

    redraws: Redraws
    others: np.ndarray
    column: int
    level: float

    def excess(self, effect: float) -> float:
        """Return how far the actual statistic lies beyond the greatest that is not rejected; continuous."""
        effects = self.others.copy()
        effects[0, self.column] = effect
        statistics = self.redraws.statistics(effects)[:, self.column]
        if not np.isfinite(statistics[0]):
            return _FAR_OFF  # the effect leaves nothing unexplained
        return self._compute_rejection_excess(statistics)

    def _compute_rejection_excess(self, found: np.ndarray) -> float:
        """Return the same of given statistics; above zero exactly where the p-value is the level or less."""
        return abs(float(found[0])) * (1 - _ROUNDING) - self.critical(found)

    def critical(self, found: np.ndarray) -> float:
        """Return the greatest size of a statistic that is not rejected; infinite when none is."""
        weights, base = _compute_draw_weights(self.redraws, found)
        # The actual allocation and its mirror image are as far off as it is, whatever the effect.
        same = self.redraws.same
        base += float(weights[same].sum())
        weights, size = weights[~same], np.abs(np.nan_to_num(found[1:]))[~same]
        order = np.argsort(-size)
        # The first that, with all beyond it, has more than the level's weight.
        beyond = np.flatnonzero(base + np.cumsum(weights[order]) > self.level + _LEAST_WEIGHT)
        return np.inf if base > self.level + _LEAST_WEIGHT or len(beyond) == 0 else float(size[order[beyond[0]]])

    def limits(self, start: float, found: np.ndarray, p_value: float) -> tuple[float, float]:
        """Return the interval's limits, from the estimate, and the statistics and the p-value of no effect."""
        half = abs(start / float(found[0])) * self.critical(found) if found[0] else 0.1
        if np.isinf(half):
            return -np.inf, np.inf
        at_start = self.excess(start)
        if at_start > 0:
            return np.nan, np.nan
        # The test of no effect decides on which side of zero the limits are.
        at_zero = max(abs(self._compute_rejection_excess(found)), np.finfo(float).tiny)
        known = {start: at_start, 0.0: at_zero if p_value <= self.level + _LEAST_WEIGHT else -at_zero}
        low, high = (self._find_interval_limit(start, side * (half or 0.1), known) for side in (-1.0, 1.0))
        return low, high

    def _find_interval_limit(self, start: float, step: float, known: Mapping[float, float]) -> float:
        """Return where the test first rejects, from the estimate outwards; infinite when it does not."""
        seen = dict(known)

        def compute_cached_excess(effect: float) -> float:
            if effect not in seen:
                seen[effect] = self.excess(effect)
            return seen[effect]

        towards_zero = -start * step > 0
        farthest = abs(start) if towards_zero and seen[0.0] > 0 else np.inf
        inside = 0.0 if towards_zero and seen[0.0] <= 0 else start
        reach = max(1.02 * abs(step), 1.02 * abs(inside - start))
        for _ in range(40):
            reach = min(reach, farthest)
            outside = 0.0 if reach == farthest else start + np.copysign(reach, step)
            if compute_cached_excess(outside) > 0:
                break
            inside, reach = outside, 2 * reach
        else:
            return float(np.copysign(np.inf, step))
        crossing = float(optimize.brentq(compute_cached_excess, inside, outside, xtol=1e-6 * abs(step), rtol=1e-9))
        return crossing if crossing or farthest == np.inf else _LEAST_WEIGHT * start
