"""Shares of the categories by arm, and what separates the arms.

Three answers to how much higher the answers are, each averaged over the pupils and schools of the trial, so that each
is about the population and not about pupils of one school (collapsible): the difference of mean scores, the differences
of the shares of pupils above each category, and the probability that a pupil of one arm answers higher than one of the
other, ties counting half. Beside them the odds ratio of the model, which is about pupils of one school. The first and
the third, and why a trial should report them: Benkeser, Diaz, Luedtke, Segal, Scharfstein and Rosenblum (2021),
Biometrics 77, 1467-1481, section 3; the third is the parameter of Mann and Whitney's test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arms import FEW_EVENTS
from analysis.effect_sizes import odds_ratio
from analysis.ordinal.fitting import OrdinalFit, fit_ordinal
from analysis.quadrature import average_mean
from analysis.results import Coefficients, EffectRows, Estimate, build_t_estimate
from analysis.specs import Model
from analysis.standardised import Standardised, build_failed_rows, convert_log_odds_to_share
from analysis.terms import format_arm_term
from data_schema.errors import EstimationError

_CONTRASTS = ("odds_ratio", "mean_difference", "probability_of_superiority")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalEffects(EffectRows):
    """What separates the arms, standardised over the pupils of the trial.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "share_above_K" (a row per arm: pupils in a category above K), and for the other arms
        "odds_ratio" (given the school), "mean_difference" (of scores, the categories' values),
        "probability_of_superiority" and "share_difference_above_K".
    """

    fit: OrdinalFit

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit."""
        return self.fit.glance()


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryShares:
    """Shares of pupils above each category by arm, as if every pupil of the trial were in it.

    Parameters
    ----------
    fit
        The model, fitted.
    arms
        The reference first, length A.
    above, slopes
        Shapes (A, C - 1) and (A, C - 1, q): shares, and their derivatives by the fit's parameters.
    is_sparse
        Shape (A, C - 1), whether few pupils of the arm are on one side of a category.
    """

    fit: OrdinalFit
    arms: tuple[str, ...]
    above: np.ndarray
    slopes: np.ndarray
    is_sparse: np.ndarray

    @property
    def df(self) -> float:
        """Degrees of freedom of all t intervals: schools less school-level columns."""
        assert self.fit.fit.coefficients is not None  # noqa: S101  # made from a fit that did not fail
        return float(self.fit.fit.coefficients.df[0])

    def means(self) -> Standardised:
        """Return mean scores by arm: the lowest category, and each step up times the share above it."""
        steps = np.diff(self.fit.categories)
        values = self.fit.categories[0] + self.above @ steps
        return self._build_standardised_shares(values, np.einsum("akq,k->aq", self.slopes, steps))

    def differences(self) -> Coefficients:
        """Return differences of mean scores, whose errors are enlarged as those of the arms' coefficients are."""
        plain = self.means().differences()
        enlarged = np.array([_compute_error_enlargement(self.fit, term) for term in plain.names])
        return replace(plain, test_error=np.sqrt(np.diag(plain.vcov)) * enlarged)

    def shares(self, place: int) -> Standardised:
        """Return the shares above one category by arm."""
        return self._build_standardised_shares(self.above[:, place], self.slopes[:, place])

    def superiority(self, arm: str) -> tuple[float, np.ndarray]:
        """Return the probability of superiority over the reference, and its derivatives by the parameters."""
        place = self.arms.index(arm)
        low, high = (_convert_to_category_shares(self.above[k]) for k in (0, place))
        below_high = np.cumsum(low) - low / 2
        above_low = 1 - np.cumsum(high) + high / 2
        by_low, by_high = (_convert_to_category_slopes(self.slopes[k]) for k in (0, place))
        return float(high @ below_high), above_low @ by_low + below_high @ by_high

    def rows(self, shared: Estimate) -> list[Estimate]:
        """Return an arm's odds ratio, probability of superiority and differences of shares.

        Parameters
        ----------
        shared
            With the arm, and the row's other columns.
        """
        differences = [self.share_difference(shared, place) for place in range(self.above.shape[1])]
        return [self.odds_ratio(shared), self.superiority_row(shared), *differences]

    def odds_ratio(self, shared: Estimate) -> Estimate:
        """Return an arm's odds ratio given the school, which is the model's own coefficient."""
        ratio = odds_ratio(self.fit.estimate(format_arm_term(shared.arm), conf_level=shared.conf_level))
        return replace(ratio, arm=shared.arm, outcome=shared.outcome)

    def share_difference(self, shared: Estimate, place: int) -> Estimate:
        """Return an arm's share above one category less the reference's; a caution says that either is of few."""
        arm = self.arms.index(shared.arm)
        quantity = f"share_difference_above_{self.fit.categories[place]:g}"
        enlarged = _compute_error_enlargement(self.fit, format_arm_term(shared.arm))
        row = self.shares(place).difference(shared, arm, quantity=quantity, enlarged=enlarged)
        return row.with_caution("few_events") if self.is_sparse[[0, arm], place].any() else row

    def superiority_row(self, shared: Estimate) -> Estimate:
        """Return the probability of superiority with its interval by log odds; its test is of one half."""
        assert self.fit.vcov is not None  # noqa: S101
        value, slope = self.superiority(shared.arm)
        error = math.sqrt(float(slope @ self.fit.vcov @ slope)) * _compute_error_enlargement(
            self.fit, format_arm_term(shared.arm)
        )
        row = replace(shared, quantity="probability_of_superiority", term=format_arm_term(shared.arm))
        steep = 1 / (value * (1 - value))
        moved = build_t_estimate(
            row, estimate=math.log(value / (1 - value)), std_error=error * steep, df=self.df, status=row.status
        )
        if moved.status == "failed":
            return moved
        low, high = convert_log_odds_to_share(moved.conf_low), convert_log_odds_to_share(moved.conf_high)
        return replace(moved, estimate=value, std_error=error, conf_low=low, conf_high=high)

    def _build_standardised_shares(self, values: np.ndarray, slopes: np.ndarray) -> Standardised:
        assert self.fit.vcov is not None  # noqa: S101
        terms = tuple(format_arm_term(arm) for arm in self.arms[1:])
        return Standardised.by_delta(values, slopes, self.fit.vcov, terms=terms, df=self.df, arms=self.arms)


def ordinal_effects(
    frame: pd.DataFrame, model: Model, *, n_nodes: int = 15, conf_level: float = 0.95
) -> OrdinalEffects:
    """Estimate the share of pupils above each category by arm, and what separates the arms.

    Parameters
    ----------
    frame, model, n_nodes
        See `fit_ordinal`; the model has arms.
    conf_level
        Level of the intervals.

    Returns
    -------
    OrdinalEffects
        Errors by the delta method from maximum likelihood's variance, enlarged as that of the arm's coefficient is for
        few schools.

    Raises
    ------
    EstimationError
        For a model without arms.
    """
    if model.arm is None:
        raise EstimationError(f"model of '{model.outcome}'", "shares by arm need arms.", "Name the arms.")
    fit = fit_ordinal(frame, model, n_nodes=n_nodes)
    shared = fit.fit.effect_row(outcome=model.outcome, conf_level=conf_level, se_type="delta")
    if fit.parameters is None:
        return OrdinalEffects(fit=fit, rows=build_failed_rows(shared, arms=model.arms, own="", contrasts=_CONTRASTS))
    shares_by_category = estimate_category_shares(fit, model)
    others = [replace(shared, arm=arm) for arm in model.arms[1:]]
    rows = [shares_by_category.odds_ratio(other) for other in others]
    for k, category in enumerate(fit.categories[:-1]):
        shares, quantity = shares_by_category.shares(k), f"share_above_{category:g}"
        rows += [shares.own(shared, place, quantity=quantity, scale="log_odds") for place in range(len(model.arms))]
        rows += [shares_by_category.share_difference(other, k) for other in others]
    compared = replace(fit.fit, differences=shares_by_category.differences())
    for other in others:
        row = compared.difference(format_arm_term(other.arm), conf_level=conf_level)
        rows.append(replace(row, quantity="mean_difference", arm=other.arm, outcome=model.outcome, se_type="delta"))
        rows.append(shares_by_category.superiority_row(other))
    return OrdinalEffects(fit=fit, rows=tuple(rows))


def estimate_category_shares(fit: OrdinalFit, model: Model) -> CategoryShares:
    """Return the shares above each category by arm, averaged over pupils and schools.

    Parameters
    ----------
    fit
        A fit that did not fail.
    model
        With its arms.
    """
    data, parameters, coefficients = fit.data, fit.parameters, fit.fit.coefficients
    assert data is not None and parameters is not None and coefficients is not None  # noqa: S101, PT018  # only then
    c, count = data.n_categories - 1, data.data.count
    above, slopes = np.zeros((len(model.arms), c)), np.zeros((len(model.arms), c, len(parameters)))
    is_sparse = np.zeros((len(model.arms), c), dtype=bool)
    arm_of_pattern = np.zeros(len(count), dtype=np.intp)
    for place, arm in enumerate(model.arms):
        x, is_here = _assign_all_to_arm(fit, model, arm)
        arm_of_pattern[is_here] = place
        for k in range(c):
            value, slope = average_mean(
                x @ parameters[c:-1] - parameters[k],
                float(parameters[-1]),
                x=np.column_stack([np.full(len(x), -1.0), x]),
                count=count,
            )
            above[place, k] = value
            slopes[place, k, k], slopes[place, k, c:] = slope[0], slope[1:]
    for place in range(len(model.arms)):
        n = np.bincount(data.category, weights=count * (arm_of_pattern == place), minlength=c + 1).cumsum()
        is_sparse[place] = np.minimum(n[:-1], n[-1] - n[:-1]) < FEW_EVENTS
    return CategoryShares(fit=fit, arms=model.arms, above=above, slopes=slopes, is_sparse=is_sparse)


def _assign_all_to_arm(fit: OrdinalFit, model: Model, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns with every pupil in an arm, and which patterns are of it."""
    data, scale, centre, coefficients = fit.data, fit.scale, fit.centre, fit.fit.coefficients
    assert data is not None and scale is not None and centre is not None and coefficients is not None  # noqa: S101, PT018
    x = data.data.x.copy()
    for other in model.arms[1:]:
        k = coefficients.names.index(format_arm_term(other))
        x[:, k] = (float(other == arm) - centre[k]) / scale[k]
    places = [coefficients.names.index(format_arm_term(other)) for other in model.arms[1:]]
    return x, np.isclose(x[:, places], data.data.x[:, places]).all(axis=1)


def _compute_error_enlargement(fit: OrdinalFit, term: str) -> float:
    coefficients = fit.fit.coefficients
    assert coefficients is not None and coefficients.test_error is not None  # noqa: S101, PT018
    place = coefficients.names.index(term)
    return float(coefficients.test_error[place] / math.sqrt(coefficients.vcov[place, place]))


def _convert_to_category_shares(above: np.ndarray) -> np.ndarray:
    """Return the share of each category from the shares above all but the highest."""
    return -np.diff(np.concatenate([[1.0], above, [0.0]]))


def _convert_to_category_slopes(slopes: np.ndarray) -> np.ndarray:
    """Return the same of derivatives, shape (C, q)."""
    zero = np.zeros((1, slopes.shape[1]))
    return -np.diff(np.concatenate([zero, slopes, zero]), axis=0)
