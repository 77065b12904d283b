"""Risks by arm and what separates them: difference, ratio, odds ratio, number needed to treat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.bootstrap import bootstrap_risks
from analysis.binary.fitting import BinaryFit, Link, arm_risks, fit_binary, fitted_parts
from analysis.effect_sizes import number_needed_to_treat, odds_ratio
from analysis.results import EffectRows, Estimate, Fit
from analysis.specs import Model
from analysis.standardised import Standardised, unestimated
from data_schema.errors import EstimationError

# Schools without events stay without events however they are drawn.
_NO_BOOTSTRAP = "Errors are those of the delta method: a bootstrap of schools cannot show how unsure such a risk is."

RiskInterval = Literal["delta", "cluster_bootstrap"]

# What the arm's coefficient is, by link; with a log or identity link it is what is standardised already.
_GIVEN_SCHOOL = {"logistic": "odds_ratio", "cloglog": "hazard_ratio"}
_CONTRASTS = ("risk_difference", "risk_ratio", "odds_ratio", "marginal_odds_ratio", "number_needed_to_treat")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskEffects(EffectRows):
    """Risks by arm, standardised over the pupils of the trial, and their contrasts.

    Parameters
    ----------
    fit
        The model that they come from.
    rows
        ``quantity`` is "risk" (a row per arm), and for each arm other than the reference "risk_difference",
        "risk_ratio", "odds_ratio" (given the school; "hazard_ratio" with a cloglog link, none with a log or identity
        link), "marginal_odds_ratio" and "number_needed_to_treat".
    note
        That a weak prior was used, and why; empty otherwise.
    draws
        Shape (B, A), bootstrapped risks by arm; None without a bootstrap.
    """

    fit: Fit
    note: str = ""
    draws: np.ndarray | None = None

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
        One row per pupil; the outcome is 0, 1 or missing.
    model
        With arms.
    link, n_nodes
        See `fit_binary_mixed`.
    conf_level
        Level of the intervals.
    interval
        "delta": errors by the delta method at the school variance that few schools call for. "cluster_bootstrap":
        errors are standard deviations over draws of whole schools within arms (one fewer than an arm has, scaled up:
        Rao and Wu 1988, JASA 83, 231-241), every school's likelihood counting as often as it was drawn. Both with a t
        distribution of schools less school-level columns. With fewer than twenty schools the bootstrap's intervals hold
        the truth too seldom (`HONESTY_OUTCOMES.md`): use "delta".
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
    shared = binary.fit.effect_row(outcome=model.outcome, conf_level=conf_level, se_type=interval)
    if binary.optimum is None:
        return RiskEffects(fit=binary.fit, rows=unestimated(shared, arms=model.arms, own="risk", contrasts=_CONTRASTS))
    note, draws = binary.note, None
    if interval == "cluster_bootstrap" and note:
        note, shared = f"{note} {_NO_BOOTSTRAP}", replace(shared, se_type="delta")
    elif interval == "cluster_bootstrap":
        draws = bootstrap_risks(binary, n_bootstrap=n_bootstrap, seed=seed)
    risks = standardised_risks(binary, model.arms, draws=draws)
    rows = [risks.own(shared, place, quantity="risk", scale="log_odds") for place in range(len(model.arms))]
    for place in range(1, len(model.arms)):
        rows += _contrasts(shared, risks, binary.fit, place)
    return RiskEffects(fit=binary.fit, rows=tuple(rows), note=note, draws=draws)


def standardised_risks(binary: BinaryFit, arms: tuple[str, ...], *, draws: np.ndarray | None = None) -> Standardised:
    """Return risks by arm, averaged over pupils and schools.

    Parameters
    ----------
    binary
        A fit that did not fail.
    arms
        The reference first.
    draws
        Shape (B, A), bootstrapped risks, whose covariance is taken; None for the delta method.
    """
    problem, optimum, adjusted = fitted_parts(binary)
    shares, slopes = arm_risks(problem, optimum.beta, optimum.school_sd, terms=binary.terms)
    slopes = slopes * binary.share_informative
    return Standardised(
        arms=arms,
        terms=binary.terms,
        values=shares * binary.share_informative + binary.share_left_out_events,
        vcov=slopes @ adjusted @ slopes.T if draws is None else np.cov(draws, rowvar=False),
        df=float(problem.between_df()),
    )


def _contrasts(shared: Estimate, risks: Standardised, fit: Fit, place: int) -> list[Estimate]:
    difference = risks.difference(shared, place, quantity="risk_difference")
    rows = [
        difference,
        risks.ratio(shared, place, quantity="risk_ratio"),
        risks.odds_ratio(shared, place, quantity="marginal_odds_ratio"),
        number_needed_to_treat(difference),
    ]
    quantity = _GIVEN_SCHOOL.get(fit.method.split("_", maxsplit=1)[0])
    if quantity is not None:
        ratio = odds_ratio(fit.estimate(risks.terms[place - 1], conf_level=shared.conf_level))
        rows.insert(2, replace(ratio, arm=risks.arms[place], outcome=shared.outcome, quantity=quantity))
    return rows
