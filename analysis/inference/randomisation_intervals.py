"""Randomisation inference: p-values and intervals from the design's own re-draws, for a choice of statistics.

An effect of size t on everybody is a hypothesis as sharp as none: take t off the outcomes of the schools that had the
arm, and they are what they would have been under any allocation. The interval holds the sizes that the test does not
reject. With moments by school, taking an effect off is a small matrix product, and all draws are evaluated at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import optimize

from analysis.inference.randomisation_inference import check_draws, places_of
from analysis.inference.redraw_moments import RedrawMoments, redraw_moments, weighted_moments
from analysis.inference.redraw_statistics import (
    Statistic,
    least_squares_effects,
    mixed_t,
    reml_t,
    robust_t,
    school_mean_difference,
    school_mean_t,
    solved,
)
from analysis.results import Estimate
from analysis.specs import Model
from data_schema.errors import EstimationError

Interval = Literal["inversion", "none"]
StatisticName = Literal["mixed_t", "reml_t", "ols", "ols_t", "school_means", "school_means_t"]

STATISTICS: dict[StatisticName, Statistic] = {
    "mixed_t": mixed_t,
    "reml_t": reml_t,
    "ols": least_squares_effects,
    "ols_t": robust_t,
    "school_means": school_mean_difference,
    "school_means_t": school_mean_t,
}

# Cells (arms by draws by schools) worked on at a time.
_CELLS = 500_000
_MOST_FLOATS = 10_000_000
# Statistics that differ by rounding count as equal.
_ROUNDING = 1e-9
_FAR_OFF = 1e6
_NOT_APART = "The arms cannot be told apart from the strata in the schools that have this outcome."


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
        Two-sided; (1 + b) / (1 + B) of re-draws, or the probability of allocations as far off when all are there.
    conf_low, conf_high
        Effects that are not rejected at 1 - conf_level; infinite when no size can be rejected on that side, as with
        fewer than 19 re-draws.
    conf_level
        Level of the interval.
    n_draws
        Re-draws in which the statistic is defined.
    exact
        Whether they are all allocations that the design can make.
    statistic_name
        Which statistic.
    held
        What the interval (with a moderator the test as well) holds at its estimate, as a sentence: other arms' effects,
        or the arms' main effects. Empty where nothing is, and the interval is the test's exact inversion.
    reason
        Why there is nothing; empty otherwise.
    """

    estimate: float = np.nan
    statistic: float = np.nan
    p_value: float = np.nan
    conf_low: float = np.nan
    conf_high: float = np.nan
    conf_level: float = 0.95
    n_draws: int = 0
    exact: bool = False
    statistic_name: StatisticName = "mixed_t"
    held: str = ""
    reason: str = ""


def interval_row(shared: Estimate, found: RandomisationInference) -> Estimate:
    """Return the effects that the re-draws do not reject as a row; failed where they reject none on a side.

    Parameters
    ----------
    shared
        The row's other columns.
    found
        Of one arm.
    """
    held = "_other_arms_held" if found.held else ""
    row = replace(shared, quantity="randomisation_interval", method=f"test_inversion_{found.n_draws}_draws{held}")
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
    statistic: StatisticName = "mixed_t",
    moderator: str | None = None,
    interval: Interval = "inversion",
    conf_level: float = 0.95,
) -> dict[str, RandomisationInference]:
    """Test every arm against the reference, and find the effects that are not rejected.

    Parameters
    ----------
    frame
        One row a pupil.
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
    statistic
        "mixed_t" (t of the multilevel model at the variances of the model without arms; the default), "reml_t" (its
        variances fitted anew in every draw), "ols" and "ols_t" (least squares, plain and over cluster-robust errors),
        "school_means" and "school_means_t" (difference of means of school means, plain and over Welch's error;
        covariates and strata are partialled out of the outcome first).
    moderator
        Numeric column: asks how much more the arm does for a unit more of it (the interaction), the arms' main effects
        held at their estimates. Not for school means.
    interval
        "inversion", or "none" for a p-value alone, at about a twelfth of the time.
    conf_level
        Level of the intervals.

    Returns
    -------
    dict
        Arm name to its inference. With more than two arms, the p-value is that of no effect of any arm, and an
        interval holds the other arms' effects at their estimates (``held`` says so): it is exact for two arms only.

    References
    ----------
    Rosenbaum (2002), Observational Studies, sections 2.4 and 2.6; Gail et al. (1996), Statistics in Medicine 15,
    1069-1092; Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9(1), 39.

    Raises
    ------
    EstimationError
        When the frame has a school that was not randomised, the draws are not of these schools and arms, or the
        statistic is unknown.
    """
    redraws = redrawn(
        frame,
        model,
        schools=schools,
        actual=actual,
        draws=draws,
        probabilities=probabilities,
        statistic=statistic,
        moderator=moderator,
    )
    if isinstance(redraws, str):
        nothing = RandomisationInference(conf_level=conf_level, statistic_name=statistic, reason=redraws)
        return dict.fromkeys(model.arms[1:], nothing)
    return {
        arm: replace(
            _inference(redraws, place, statistic=statistic, interval=interval, conf_level=conf_level),
            held=_held(model, arm, moderator=moderator),
        )
        for place, arm in enumerate(model.arms[1:])
    }


def _held(model: Model, arm: str, *, moderator: str | None) -> str:
    """Return what is held at its estimate, as a sentence."""
    others = [other for other in model.arms[1:] if other != arm]
    if moderator is not None:
        return f"Main effects of {', '.join([arm, *others])} are held at their estimates."
    return f"In the interval effects of {', '.join(others)} are held at their estimates." if others else ""


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
        return np.vstack([self.statistic(moments, arms) for arms in self._floats()])

    def _floats(self) -> Iterator[np.ndarray]:
        return (part.astype(float, copy=False) for part in self.parts)

    @property
    def actual(self) -> np.ndarray:
        """The actual allocation's indicators, shape (A, J)."""
        return self.parts[0][:, 0, :].astype(float)


def redrawn(
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
    check_draws(model, schools=schools, actual=actual, draws=draws)
    if statistic not in get_args(StatisticName):
        raise EstimationError(
            "randomisation inference", f"'{statistic}' is unknown.", f"Use one of {', '.join(get_args(StatisticName))}."
        )
    if moderator is not None and statistic.startswith("school_means"):
        raise EstimationError(
            "randomisation inference", "school means have no interaction.", "Use 'ols', 'ols_t', 'mixed_t' or 'reml_t'."
        )
    if probabilities is not None and (len(probabilities) != len(draws) or abs(probabilities.sum() - 1) > 1e-6):
        raise EstimationError(
            "randomisation inference", "the probabilities are not those of all allocations.", "Give one a draw, sum 1."
        )
    moments = redraw_moments(frame, model, moderator=moderator)
    if isinstance(moments, str):
        return moments
    chosen = places_of(moments.schools, schools)
    at_zero = weighted_moments(moments, 0.0)
    if moments.free <= len(model.arms) or at_zero.residual < 1e-12 * moments.n.sum():
        return "The model explains the outcome without any error, or pupils are too few for its columns."
    share = (
        np.full(len(draws), 1 / (1 + len(draws))) if probabilities is None else np.asarray(probabilities, dtype=float)
    )
    every = np.vstack([actual[None, :], draws])[:, chosen]
    mirrored = (every[1:] == 1 - every[0]).all(axis=1) & (len(model.arms) == 2)
    return Redraws(
        moments=moments,
        parts=_indicators(every, n_arms=len(model.arms)),
        same=(every[1:] == every[0]).all(axis=1) | mirrored,
        weights=share,
        base=1 / (1 + len(draws)) if probabilities is None else 0.0,
        statistic=STATISTICS[statistic],
    )


def _indicators(every: np.ndarray, *, n_arms: int) -> tuple[np.ndarray, ...]:
    """Return indicators of the arms in parts; whole numbers of one byte when there are very many."""
    size = max(1, _CELLS // (every.shape[1] * (n_arms - 1)))
    kind = np.float64 if every.size * (n_arms - 1) <= _MOST_FLOATS else np.int8
    return tuple(
        np.stack([(every[start : start + size] == arm).astype(kind) for arm in range(1, n_arms)])
        for start in range(0, len(every), size)
    )


def _inference(
    redraws: Redraws, place: int, *, statistic: StatisticName, interval: Interval, conf_level: float
) -> RandomisationInference:
    moments = redraws.moments
    carrier = moments.n_carriers - 1
    column = place * moments.n_carriers + carrier
    effects = _estimates(redraws)
    others = effects.copy()
    others[place, carrier] = 0.0
    asked = others if carrier else np.zeros_like(effects)
    found = redraws.statistics(asked)[:, column]
    exact = redraws.base == 0.0
    shared = {"conf_level": conf_level, "exact": exact, "statistic_name": statistic}
    counted = np.isfinite(found[1:])
    if not np.isfinite(found[0]) or not np.isfinite(effects[place, carrier]) or not counted.any():
        return RandomisationInference(reason=_NOT_APART, **shared)  # type: ignore[arg-type]  # the names above
    search = _Search(redraws=redraws, others=others, place=(place, carrier), column=column, level=1 - conf_level)
    unit = moments.unit / float(moments.carrier_unit[carrier])
    start = float(effects[place, carrier])
    if "means" in statistic:
        start = float(school_mean_difference(moments, redraws.actual[:, None, :])[0, column])
    low, high = search.limits(start, found) if interval == "inversion" else (np.nan, np.nan)
    return RandomisationInference(
        estimate=start * unit,
        statistic=float(found[0]) * (1.0 if statistic.endswith("_t") else unit),
        p_value=_p_value(redraws, found),
        conf_low=low * unit,
        conf_high=high * unit,
        n_draws=int(counted.sum()),
        **shared,  # type: ignore[arg-type]  # the names above
    )


def _estimates(redraws: Redraws) -> np.ndarray:
    """Return the actual allocation's effects, shape (A, k), scaled: generalised least squares."""
    moments = redraws.moments
    effects = solved(moments, [moments.ratio], redraws.actual[:, None, :]).effects[0, 0]
    return np.asarray(effects.reshape(len(redraws.actual), moments.n_carriers))


def _weights(redraws: Redraws, found: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the weights of draws with a statistic, and the actual allocation's own, sum 1."""
    counted = np.isfinite(found[1:])
    weights = np.where(counted, redraws.weights, 0.0)
    whole = float(weights.sum()) + redraws.base
    return weights / whole, redraws.base / whole


def _p_value(redraws: Redraws, found: np.ndarray) -> float:
    as_far = np.abs(np.nan_to_num(found[1:])) >= abs(float(found[0])) * (1 - _ROUNDING)
    if redraws.base > 0:  # whole numbers, so that 5 % is 5 %
        counted = np.isfinite(found[1:])
        return (1 + int((as_far & counted).sum())) / (1 + int(counted.sum()))
    return float(_weights(redraws, found)[0][as_far].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """The interval's limits, by what lies between the actual statistic and the one that would just be rejected."""

    redraws: Redraws
    others: np.ndarray
    place: tuple[int, int]
    column: int
    level: float

    def excess(self, effect: float) -> float:
        """Return how far the actual statistic lies beyond the greatest that is not rejected; continuous."""
        effects = self.others.copy()
        effects[self.place] = effect
        found = self.redraws.statistics(effects)[:, self.column]
        if not np.isfinite(found[0]):
            return _FAR_OFF  # the effect leaves nothing unexplained
        return abs(float(found[0])) - self.critical(found)

    def critical(self, found: np.ndarray) -> float:
        """Return the greatest size of a statistic that is not rejected; infinite when none is."""
        weights, base = _weights(self.redraws, found)
        # The actual allocation and its mirror image are as far off as it is, whatever the effect.
        same = self.redraws.same
        base += float(weights[same].sum())
        weights, size = weights[~same], np.abs(np.nan_to_num(found[1:]))[~same]
        order = np.argsort(-size)
        # The first that, with all beyond it, has more than the level's weight.
        beyond = np.flatnonzero(base + np.cumsum(weights[order]) > self.level + 1e-12)
        return np.inf if base > self.level or len(beyond) == 0 else float(size[order[beyond[0]]])

    def limits(self, start: float, found: np.ndarray) -> tuple[float, float]:
        """Return the interval's limits, from the estimate and the statistics of no effect."""
        half = abs(start / float(found[0])) * self.critical(found) if found[0] else 0.1
        if np.isinf(half):
            return -np.inf, np.inf
        at_start = self.excess(start)
        if at_start > 0:
            return np.nan, np.nan
        low, high = (self._limit(start, at_start, side * (half or 0.1)) for side in (-1.0, 1.0))
        return low, high

    def _limit(self, start: float, at_start: float, step: float) -> float:
        """Return where the test first rejects, from the estimate outwards; infinite when it does not."""
        inside, outside, seen = start, start + 1.02 * step, {start: at_start}
        for _ in range(40):
            seen[outside] = self.excess(outside)
            if seen[outside] > 0:
                break
            inside, outside = outside, start + 2 * (outside - start)
        else:
            return float(np.copysign(np.inf, step))

        def excess(effect: float) -> float:
            if effect not in seen:
                seen[effect] = self.excess(effect)
            return seen[effect]

        return float(optimize.brentq(excess, inside, outside, xtol=1e-6 * abs(step), rtol=1e-9))
