"""Rates by arm, their ratio, and differences in days."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.counts.fitting import CountFamily, CountFit, fit_counts
from analysis.effect_sizes import odds_ratio
from analysis.quadrature import average_mean
from analysis.results import EffectRows, Estimate
from analysis.specs import Model
from analysis.standardised import Standardised, build_failed_rows
from data_schema.errors import EstimationError

_CONTRASTS = ("rate_ratio", "rate_difference", "mean_difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateEffects(EffectRows):
    """Rates by arm, as they would be if every pupil of the trial were in that arm.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "rate" (a row per arm, per ``per`` units of exposure), and for the other arms "rate_ratio",
        "rate_difference" (per ``per`` units) and "mean_difference" (in counts, over a pupil's mean exposure).
    per
        Units of exposure.
    """

    fit: CountFit
    per: float

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit."""
        return self.fit.glance().assign(per=self.per)


def rate_effects(
    frame: pd.DataFrame,
    model: Model,
    *,
    family: CountFamily = "negative_binomial",
    exposure: str | None = None,
    zero_inflated: bool = False,
    n_nodes: int = 15,
    per: float = 1.0,
    conf_level: float = 0.95,
) -> RateEffects:
    """Estimate rates by arm and what separates them.

    Parameters
    ----------
    frame, model, family, exposure, zero_inflated, n_nodes
        See `fit_counts`; the model has arms.
    per
        Units of exposure that rates are per, such as 100 school days.
    conf_level
        Level of the intervals.

    Returns
    -------
    RateEffects
        Rates are averaged over the pupils' exposure and over schools; errors by the delta method at the school variance
        that few schools call for.

    Raises
    ------
    EstimationError
        For a model without arms, or see `fit_counts`.
    """
    if model.arm is None:
        raise EstimationError(f"model of '{model.outcome}'", "rates by arm need arms.", "Name the arms.")
    if not per > 0:
        raise EstimationError(f"model of '{model.outcome}'", f"rates per {per:g} units mean nothing.", "Use 1, or 100.")
    fit = fit_counts(frame, model, family=family, exposure=exposure, zero_inflated=zero_inflated, n_nodes=n_nodes)
    shared = fit.fit.effect_row(outcome=model.outcome, conf_level=conf_level, se_type="delta")
    if fit.optimum is None:
        rows = build_failed_rows(shared, arms=model.arms, own="rate", contrasts=_CONTRASTS)
    else:
        rows = _build_rate_rows(shared, fit, model, per=per)
    return RateEffects(fit=fit, rows=rows, per=per)


def _build_rate_rows(shared: Estimate, fit: CountFit, model: Model, *, per: float) -> tuple[Estimate, ...]:
    rates, exposure = estimate_standardised_rates(fit, model)
    by_unit = rates.times(per)
    rows = [by_unit.own(shared, place, quantity="rate", scale="log") for place in range(len(model.arms))]
    for place in range(1, len(model.arms)):
        ratio = odds_ratio(fit.estimate(fit.terms[place - 1], conf_level=shared.conf_level))
        rows += [
            replace(ratio, quantity="rate_ratio", arm=model.arms[place], outcome=shared.outcome),
            by_unit.difference(shared, place, quantity="rate_difference"),
            rates.times(exposure).difference(shared, place, quantity="mean_difference"),
        ]
    return tuple(rows)


def estimate_standardised_rates(fit: CountFit, model: Model) -> tuple[Standardised, float]:
    """Return rates by arm, as if every pupil of the trial were in it, and the mean exposure of a pupil.

    Parameters
    ----------
    fit
        A fit that did not fail.
    model
        With its arms.
    """
    problem, optimum = fit.problem, fit.optimum
    assert problem is not None and optimum is not None and fit.adjusted is not None  # noqa: S101, PT018  # only then
    data = problem.data
    exposure = np.exp(data.offset) if data.offset is not None else np.ones(len(data.count))
    values, slopes = [], []
    for chosen in (None, *fit.terms):
        x = problem.with_arm(list(fit.terms), chosen=chosen)
        value, slope = average_mean(
            x @ optimum.beta,
            optimum.school_sd,
            x=x,
            count=data.count * exposure,
            response=data.response,
            n_nodes=40,
        )
        values.append(value)
        slopes.append(slope)
    rates = Standardised.by_delta(
        np.array(values) * fit.share_informative,
        np.array(slopes) * fit.share_informative,
        fit.adjusted,
        terms=fit.terms,
        df=problem.between_df(),
        arms=model.arms,
    )
    return rates, float((data.count * exposure).sum() / fit.share_informative / fit.fit.n_pupils)
