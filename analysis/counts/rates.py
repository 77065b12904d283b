"""Rates by arm, their ratio, and differences in days."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.binary.fitting import delta_differences
from analysis.counts.fitting import CountFamily, CountFit, fit_counts
from analysis.effect_sizes import odds_ratio
from analysis.quadrature import average_mean
from analysis.results import Estimate, estimates_frame, failed_row, t_estimate
from analysis.specs import Model
from analysis.terms import arm_term
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class RateEffects:
    """Rates by arm, as they would be if every pupil of the trial were in that arm.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "rate" (a row an arm, per ``per`` units of exposure), and for the other arms "rate_ratio",
        "rate_difference" (per ``per`` units) and "mean_difference" (in counts, over a pupil's mean exposure).
    per
        Units of exposure.
    """

    fit: CountFit
    rows: tuple[Estimate, ...]
    per: float

    def row(self, quantity: str, arm: str) -> Estimate:
        """Return one row.

        Raises
        ------
        KeyError
            When there is none.
        """
        for row in self.rows:
            if row.quantity == quantity and row.arm == arm:
                return row
        raise KeyError(f"{quantity} of {arm}")

    def tidy(self) -> pd.DataFrame:
        """Return the rows in the columns of the table of estimates."""
        return estimates_frame(self.rows)

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
    fit = fit_counts(frame, model, family=family, exposure=exposure, zero_inflated=zero_inflated, n_nodes=n_nodes)
    shared = Estimate(
        outcome=model.outcome,
        conf_level=conf_level,
        n_schools=fit.fit.n_schools,
        n_pupils=fit.fit.n_pupils,
        method=fit.fit.method,
        se_type="delta",
        df_method=fit.fit.df_method,
        status=fit.fit.status,
        reason=fit.fit.convergence.reason,
    )
    rows = _failed(shared, model) if fit.optimum is None else _rows(shared, fit, model, per=per)
    return RateEffects(fit=fit, rows=tuple(rows), per=per)


def _failed(shared: Estimate, model: Model) -> list[Estimate]:
    rows = [replace(shared, quantity="rate", arm=arm, term=arm) for arm in model.arms]
    for arm in model.arms[1:]:
        rows += [
            replace(shared, quantity=quantity, arm=arm, term=arm_term(arm))
            for quantity in ("rate_ratio", "rate_difference", "mean_difference")
        ]
    return [failed_row(row) for row in rows]


def _rows(shared: Estimate, fit: CountFit, model: Model, *, per: float) -> list[Estimate]:
    rates, slopes, exposure = _rates(fit)
    assert fit.problem is not None and fit.adjusted is not None  # noqa: S101, PT018  # there is an optimum
    df = fit.problem.between_df()
    rows = []
    for arm, rate, slope in zip(model.arms, rates, slopes, strict=True):
        error = math.sqrt(float(slope @ fit.adjusted @ slope)) / rate
        row = replace(shared, quantity="rate", arm=arm, term=arm)
        done = t_estimate(row, estimate=math.log(rate * per), std_error=error, df=df, status=row.status)
        done = replace(odds_ratio(done), quantity="rate", std_error=error * rate * per)
        rows.append(replace(done, statistic=math.nan, p_value=math.nan))
    differences = delta_differences(rates, slopes, fit.adjusted, terms=fit.terms, df=df)
    for place, arm in enumerate(model.arms[1:]):
        term = fit.terms[place]
        ratio = odds_ratio(fit.estimate(term, conf_level=shared.conf_level))
        rows.append(replace(ratio, quantity="rate_ratio", arm=arm, outcome=shared.outcome))
        error = math.sqrt(float(differences.vcov[place, place]))
        for quantity, factor in (("rate_difference", per), ("mean_difference", exposure)):
            row = replace(shared, quantity=quantity, arm=arm, term=term)
            estimate = float(differences.estimate[place]) * factor
            rows.append(t_estimate(row, estimate=estimate, std_error=error * factor, df=df, status=row.status))
    return rows


def _rates(fit: CountFit) -> tuple[np.ndarray, np.ndarray, float]:
    """Return rates by arm with their derivatives by (beta, school_sd), and the mean exposure of a pupil."""
    problem, optimum = fit.problem, fit.optimum
    assert problem is not None and optimum is not None  # noqa: S101, PT018  # asked for only then
    data = problem.data
    exposure = np.exp(data.offset) if data.offset is not None else np.ones(len(data.count))
    answers = []
    for chosen in (None, *fit.terms):
        x = problem.with_arm(list(fit.terms), chosen=chosen)
        answers.append(
            average_mean(
                x @ optimum.beta,
                optimum.school_sd,
                x=x,
                count=data.count * exposure,
                response=data.response,
                n_nodes=40,
            )
        )
    mean_exposure = float((data.count * exposure).sum() / data.count.sum())
    return np.array([answer[0] for answer in answers]), np.array([answer[1] for answer in answers]), mean_exposure
