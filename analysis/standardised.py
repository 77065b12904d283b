"""Means by arm as they would be if every pupil of the trial were in that arm, and what separates them.

One home for the step from standardised means (shares, rates, hazards summed up) to differences, ratios, odds ratios and
their intervals: Wald's, by the delta method, on the scale on which the quantity's error is closest to normal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.effect_sizes import number_needed_to_treat, odds_ratio, scale_estimate
from analysis.results import Coefficients, Estimate, build_t_estimate, create_failed_row
from randomisation.standardised import COX, compute_small_sample_factor

Scale = Literal["log_odds", "log"]

ON_LOG_SCALE = ("cox_index", "risk_ratio", "marginal_odds_ratio")
"""Quantities of two shares that are made from their logarithms."""

_NO_SHARE = "The adjusted share of an arm is not between 0 and 1: it has no logarithm and no odds."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standardised:
    """Standardised means by arm.

    Parameters
    ----------
    arms
        The reference first, length A.
    terms
        Columns of the other arms, length A - 1.
    values
        Shape (A,), means by arm.
    vcov
        Shape (A, A), their variance.
    df
        Degrees of freedom of their t intervals.
    """

    arms: tuple[str, ...]
    terms: tuple[str, ...]
    values: np.ndarray
    vcov: np.ndarray
    df: float

    @classmethod
    def by_delta(
        cls,
        values: np.ndarray,
        slopes: np.ndarray,
        vcov: np.ndarray,
        *,
        terms: tuple[str, ...],
        df: float,
        arms: tuple[str, ...] = (),
    ) -> Standardised:
        """Return means whose variance is that of the parameters, carried over by their slopes.

        Parameters
        ----------
        values, slopes
            Shapes (A,) and (A, q), means by arm and their derivatives by the parameters.
        vcov
            Shape (q, q), variance of the parameters.
        terms, df, arms
            See `Standardised`; without arms there are no rows, only `differences`.
        """
        return cls(arms=arms, terms=terms, values=values, vcov=slopes @ vcov @ slopes.T, df=df)

    def times(self, factor: float) -> Standardised:
        """Return the means in other units, such as a hundred school days."""
        return replace(self, values=self.values * factor, vcov=self.vcov * factor**2)

    def differences(self) -> Coefficients:
        """Return each arm's mean less the reference's."""
        n_terms = len(self.terms)
        contrast = np.column_stack([np.full(n_terms, -1.0), np.eye(n_terms)])
        return Coefficients(
            names=self.terms,
            estimate=contrast @ self.values,
            vcov=contrast @ self.vcov @ contrast.T,
            df=np.full(n_terms, float(self.df)),
        )

    def labelled(self, shared: Estimate) -> Estimate:
        """Return a row with the names of its error and degrees of freedom, where they are not the fit's own."""
        return shared

    def inference(self, slope: np.ndarray) -> tuple[float, float]:
        """Return the standard error and the degrees of freedom of a weighted sum of the means.

        Parameters
        ----------
        slope
            Shape (A,), the weights.
        """
        return math.sqrt(max(float(slope @ self.vcov @ slope), 0.0)), self.df

    def own(self, shared: Estimate, place: int, *, quantity: str, scale: Scale) -> Estimate:
        """Return an arm's mean, its interval on a scale that keeps it within its bounds; nothing is tested.

        Parameters
        ----------
        shared
            The row's other columns.
        place
            Position of the arm.
        quantity
            Of the row.
        scale
            "log_odds" for shares, "log" for rates.
        """
        arm, value = self.arms[place], float(self.values[place])
        row = replace(shared, quantity=quantity, arm=arm, term=arm)
        if not (value > 0 and (scale == "log" or value < 1)):
            return replace(
                create_failed_row(row), reason="The share is 0 or 1." if scale == "log_odds" else "The rate is 0."
            )
        error, df = self.inference(np.eye(len(self.values))[place])
        moved, steep, back = _transform_to_scale(value, scale)
        done = build_t_estimate(row, estimate=moved, std_error=error * steep, df=df, status=row.status)
        if done.status == "failed":
            return done
        return replace(
            done,
            estimate=value,
            std_error=error,
            statistic=math.nan,
            p_value=math.nan,
            conf_low=back(done.conf_low),
            conf_high=back(done.conf_high),
        )

    def difference(self, shared: Estimate, place: int, *, quantity: str, enlarged: float = 1.0) -> Estimate:
        """Return an arm's mean less the reference's.

        Parameters
        ----------
        shared, place, quantity
            See `own`; the arm is not the reference.
        enlarged
            What the standard error is multiplied with because schools are few.
        """
        slope = self._build_contrast_slope(place, -1.0, 1.0)
        return self._build_estimate_row(
            shared, place, quantity=quantity, estimate=float(slope @ self.values), slope=slope * enlarged
        )

    def ratio(self, shared: Estimate, place: int, *, quantity: str) -> Estimate:
        """Return an arm's mean over the reference's; the standard error is that of the logarithm."""
        low, high = self._pair(place)
        slope = self._build_contrast_slope(place, -1 / low, 1 / high)
        row = self._build_estimate_row(shared, place, quantity=quantity, estimate=math.log(high / low), slope=slope)
        return replace(odds_ratio(row), quantity=quantity)

    def odds_ratio(self, shared: Estimate, place: int, *, quantity: str) -> Estimate:
        """Return the ratio of two shares' odds; the standard error is that of the logarithm."""
        return replace(odds_ratio(self._log_odds(shared, place, quantity=quantity)), quantity=quantity)

    def relative(self, shared: Estimate, place: int, *, difference: Estimate, n_pupils: int) -> tuple[Estimate, ...]:
        """Return an arm's share beside the reference's in the ways in which reports say it.

        Parameters
        ----------
        shared, place
            See `own`; the arm is not the reference.
        difference
            Of the two shares, with its interval.
        n_pupils
            Pupils of the two arms.

        Returns
        -------
        tuple of Estimate
            ``cox_index``, ``risk_ratio``, ``marginal_odds_ratio`` and ``number_needed_to_treat``. The first three have
            t intervals on the scale of logarithms, with the errors of both shares in them; ``std_error`` of the ratios
            is that of the logarithm. Failed where a share is 0 or 1, or beyond.
        """
        row = self.labelled(shared)
        needed = number_needed_to_treat(difference)
        if not all(0 < share < 1 for share in self._pair(place)):
            return (
                *build_unrelated_rows(replace(row, arm=self.arms[place], term=self.terms[place - 1]), _NO_SHARE),
                needed,
            )
        log_odds = self._log_odds(row, place, quantity="cox_index")
        return (
            scale_estimate(log_odds, factor=compute_small_sample_factor(n_pupils) / COX, quantity="cox_index"),
            self.ratio(row, place, quantity="risk_ratio"),
            self.odds_ratio(row, place, quantity="marginal_odds_ratio"),
            needed,
        )

    def _log_odds(self, shared: Estimate, place: int, *, quantity: str) -> Estimate:
        low, high = self._pair(place)
        slope = self._build_contrast_slope(place, -1 / (low * (1 - low)), 1 / (high * (1 - high)))
        estimate = math.log(high / (1 - high)) - math.log(low / (1 - low))
        return self._build_estimate_row(shared, place, quantity=quantity, estimate=estimate, slope=slope)

    def _pair(self, place: int) -> tuple[float, float]:
        return float(self.values[0]), float(self.values[place])

    def _build_contrast_slope(self, place: int, reference: float, arm: float) -> np.ndarray:
        slope = np.zeros(len(self.values))
        slope[0], slope[place] = reference, arm
        return slope

    def _build_estimate_row(
        self, shared: Estimate, place: int, *, quantity: str, estimate: float, slope: np.ndarray
    ) -> Estimate:
        row = replace(shared, quantity=quantity, arm=self.arms[place], term=self.terms[place - 1])
        error, df = self.inference(slope)
        return build_t_estimate(row, estimate=estimate, std_error=error, df=df, status=row.status)


def build_unrelated_rows(row: Estimate, reason: str) -> tuple[Estimate, ...]:
    """Return the failed rows of two shares that have no ratio, no odds ratio and no Cox index.

    Parameters
    ----------
    row
        Their other columns.
    reason
        Why.
    """
    failed = replace(create_failed_row(row), reason=reason)
    return tuple(replace(failed, quantity=quantity) for quantity in ON_LOG_SCALE)


def _transform_to_scale(value: float, scale: Scale) -> tuple[float, float, Callable[[float], float]]:
    """Return a value on another scale, the slope there, and the way back."""
    if scale == "log":
        return math.log(value), 1 / value, math.exp
    return math.log(value / (1 - value)), 1 / (value * (1 - value)), convert_log_odds_to_share


def convert_log_odds_to_share(value: float) -> float:
    """Return the share that log odds correspond to."""
    return 1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))


def build_failed_rows(
    shared: Estimate, *, arms: tuple[str, ...], own: str, contrasts: tuple[str, ...]
) -> tuple[Estimate, ...]:
    """Return the rows of a model that failed: one per arm, then each contrast of each arm other than the reference.

    Parameters
    ----------
    shared
        With the reason.
    arms
        The reference first.
    own, contrasts
        Quantities.
    """
    from analysis.terms import format_arm_term

    rows = [replace(shared, quantity=own, arm=arm, term=arm) for arm in arms] if own else []
    for arm in arms[1:]:
        rows += [replace(shared, quantity=quantity, arm=arm, term=format_arm_term(arm)) for quantity in contrasts]
    return tuple(create_failed_row(row) for row in rows)
