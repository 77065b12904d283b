"""Risks by arm and what separates them: difference, ratio, odds ratio, number needed to treat."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.bootstrap import bootstrap_risks
from analysis.binary.fitting import BinaryFit, Link, arm_risks, fit_binary, fitted_parts
from analysis.effect_sizes import odds_ratio
from analysis.results import Estimate, Fit, estimates_frame, failed_row, t_estimate
from analysis.specs import Model
from data_schema.errors import EstimationError

# Schools without events stay without events however they are drawn.
_NO_BOOTSTRAP = "Errors are those of the delta method: a bootstrap of schools cannot show how unsure such a risk is."

RiskInterval = Literal["delta", "cluster_bootstrap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskEffects:
    """Risks by arm, standardised over the pupils of the trial, and their contrasts.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "risk" (a row an arm), and for each arm other than the reference "risk_difference",
        "risk_ratio", "odds_ratio" (given the school), "marginal_odds_ratio" and "number_needed_to_treat".
    note
        That a weak prior was used, and why; empty otherwise.
    draws
        Shape (B, A), bootstrapped risks by arm; None without a bootstrap.
    """

    fit: Fit
    rows: tuple[Estimate, ...]
    note: str = ""
    draws: np.ndarray | None = None

    def row(self, quantity: str, arm: str) -> Estimate:
        """Return one row.

        Parameters
        ----------
        quantity, arm
            See ``rows``.

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
        """Return one row for the fit, with the note on a prior."""
        return self.fit.glance().assign(note=self.note)


def risk_effects(
    frame: pd.DataFrame,
    model: Model,
    *,
    link: Link = "logit",
    n_nodes: int = 15,
    conf_level: float = 0.95,
    interval: RiskInterval = "delta",
    n_bootstrap: int = 499,
    seed: int = 0,
) -> RiskEffects:
    """Estimate the risk of an event by arm, as it would be if every pupil of the trial were in that arm.

    Parameters
    ----------
    frame
        One row a pupil; the outcome is 0, 1 or missing.
    model
        With arms.
    link, n_nodes
        See `fit_binary_mixed`.
    conf_level
        Level of the intervals.
    interval
        "delta": errors by the delta method at the school variance that few schools call for. "cluster_bootstrap":
        errors are standard deviations over draws of whole schools within arms, every school's likelihood counting as
        often as it was drawn. Both with a t distribution of schools less school-level columns.
    n_bootstrap, seed
        Of the bootstrap.

    Returns
    -------
    RiskEffects
        Intervals of risks on the scale of log odds, of ratios on that of logarithms. The number needed to treat is
        -1 / difference: pupils in the arm for one event less; negative is one event more. Where the interval of the
        difference holds zero, that of the number passes through infinity: ``conf_low`` is then above ``conf_high``, and
        ``reason`` says so (Altman 1998, BMJ 317, 1309-1312).

    Raises
    ------
    EstimationError
        For a model without arms or an unknown choice.
    """
    if model.arm is None or interval not in get_args(RiskInterval):
        raise EstimationError(
            f"model of '{model.outcome}'",
            "risks by arm need arms." if model.arm is None else f"interval='{interval}' is unknown.",
            f"Name the arms, and use one of {', '.join(get_args(RiskInterval))}.",
        )
    binary = fit_binary(frame, model, link=link, n_nodes=n_nodes)
    shared = Estimate(
        outcome=model.outcome,
        conf_level=conf_level,
        n_schools=binary.fit.n_schools,
        n_pupils=binary.fit.n_pupils,
        method=binary.fit.method,
        se_type=interval,
        df_method=binary.fit.df_method,
        status=binary.fit.status,
        reason=binary.fit.convergence.reason,
    )
    if binary.optimum is None:
        return RiskEffects(fit=binary.fit, rows=tuple(_failed_rows(shared, model)))
    note, draws = binary.note, None
    if interval == "cluster_bootstrap" and note:
        note, shared = f"{note} {_NO_BOOTSTRAP}", replace(shared, se_type="delta")
    elif interval == "cluster_bootstrap":
        draws = bootstrap_risks(binary, n_bootstrap=n_bootstrap, seed=seed)
    risks = _Risks.of(binary, draws=draws)
    rows = [_risk_row(shared, risks, place, arm=arm) for place, arm in enumerate(model.arms)]
    for place, arm in enumerate(model.arms[1:], start=1):
        rows += _contrast_rows(replace(shared, arm=arm, term=binary.terms[place - 1]), risks, place)
        rows.insert(len(rows) - 2, _conditional_odds_ratio(shared, binary.fit, binary.terms[place - 1], arm=arm))
    return RiskEffects(fit=binary.fit, rows=tuple(rows), note=note, draws=draws)


def _failed_rows(shared: Estimate, model: Model) -> list[Estimate]:
    rows = [replace(shared, quantity="risk", arm=arm, term=arm, status="failed") for arm in model.arms]
    quantities = ("risk_difference", "risk_ratio", "odds_ratio", "marginal_odds_ratio", "number_needed_to_treat")
    for arm in model.arms[1:]:
        rows += [
            replace(shared, quantity=quantity, arm=arm, term=f"arm[{arm}]", status="failed") for quantity in quantities
        ]
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Risks:
    """Risks by arm, shape (A,), with their variance, shape (A, A)."""

    risk: np.ndarray
    vcov: np.ndarray
    df: float

    @classmethod
    def of(cls, binary: BinaryFit, *, draws: np.ndarray | None) -> _Risks:
        problem, optimum, adjusted = fitted_parts(binary)
        shares, slopes = arm_risks(problem, optimum.beta, optimum.school_sd, terms=binary.terms)
        gradient = slopes * binary.share_informative
        vcov = gradient @ adjusted @ gradient.T if draws is None else np.cov(draws, rowvar=False)
        return cls(
            risk=shares * binary.share_informative + binary.share_left_out_events,
            vcov=vcov,
            df=float(problem.between_df()),
        )

    def error(self, slope: np.ndarray) -> float:
        """Return the standard error of a function of the risks, by its slopes."""
        return math.sqrt(max(float(slope @ self.vcov @ slope), 0.0))


def _risk_row(shared: Estimate, risks: _Risks, place: int, *, arm: str) -> Estimate:
    risk = float(risks.risk[place])
    row = replace(shared, quantity="risk", arm=arm, term=arm)
    if not 0 < risk < 1:
        return replace(failed_row(row), reason="The risk is 0 or 1.")
    slope = np.zeros(len(risks.risk))
    slope[place] = 1.0
    error = risks.error(slope)
    log_odds = t_estimate(
        row, estimate=math.log(risk / (1 - risk)), std_error=error / (risk * (1 - risk)), df=risks.df, status=row.status
    )
    return replace(
        log_odds,
        estimate=risk,
        std_error=error,
        statistic=math.nan,
        p_value=math.nan,
        conf_low=_expit(log_odds.conf_low),
        conf_high=_expit(log_odds.conf_high),
    )


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if math.isfinite(value) else math.nan


def _contrast_rows(shared: Estimate, risks: _Risks, place: int) -> list[Estimate]:
    low, high = float(risks.risk[0]), float(risks.risk[place])
    slope = np.zeros(len(risks.risk))
    slope[0], slope[place] = -1.0, 1.0
    difference = _t_row(shared, "risk_difference", high - low, risks.error(slope), risks.df)
    slope[0], slope[place] = -1 / low, 1 / high
    ratio = _t_row(shared, "risk_ratio", math.log(high / low), risks.error(slope), risks.df)
    slope[0], slope[place] = -1 / (low * (1 - low)), 1 / (high * (1 - high))
    log_odds = math.log(high / (1 - high)) - math.log(low / (1 - low))
    odds = _t_row(shared, "marginal_odds_ratio", log_odds, risks.error(slope), risks.df)
    return [difference, _exponential(ratio), _exponential(odds), number_needed_to_treat(difference)]


def _t_row(shared: Estimate, quantity: str, estimate: float, error: float, df: float) -> Estimate:
    row = replace(shared, quantity=quantity)
    return t_estimate(row, estimate=estimate, std_error=error, df=df, status=row.status)


def _exponential(row: Estimate) -> Estimate:
    """Turn a logarithm's row into a ratio's; the standard error stays that of the logarithm."""
    return replace(odds_ratio(row), quantity=row.quantity)


def _conditional_odds_ratio(shared: Estimate, fit: Fit, term: str, *, arm: str) -> Estimate:
    row = odds_ratio(fit.estimate(term, conf_level=shared.conf_level))
    quantity = "odds_ratio" if fit.method.startswith("logistic") else "hazard_ratio"
    return replace(row, arm=arm, outcome=shared.outcome, quantity=quantity)


def number_needed_to_treat(difference: Estimate) -> Estimate:
    """Return a risk difference's row as a number needed to treat; see `risk_effects`.

    Parameters
    ----------
    difference
        With its interval.

    Examples
    --------
    >>> row = number_needed_to_treat(Estimate(estimate=-0.05, conf_low=-0.08, conf_high=-0.02))
    >>> row.estimate, row.conf_low, row.conf_high
    (20.0, 12.5, 50.0)
    """
    row = replace(difference, quantity="number_needed_to_treat", std_error=math.nan, statistic=math.nan)
    if difference.status == "failed" or difference.estimate == 0:
        reason = difference.reason or "The difference is zero: no number of pupils makes one event less."
        return replace(failed_row(row), reason=reason)
    low, high = (math.inf if bound == 0 else -1 / bound for bound in (difference.conf_low, difference.conf_high))
    reason = difference.reason
    if difference.conf_low <= 0 <= difference.conf_high:
        reason = "The interval of the difference holds zero, so that of this number passes through infinity."
    return replace(row, estimate=-1 / difference.estimate, conf_low=low, conf_high=high, reason=reason)
