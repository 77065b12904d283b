"""Risks by arm and what separates them: difference, ratio, odds ratio, number needed to treat; and their bootstrap.

The bootstrap draws whole schools with replacement: a school's likelihood counts as often as it was drawn. An arm of J
schools gets J - 1 draws, each of which counts J / (J - 1): as many draws as schools would make variances too small by a
factor of 1 - 1 / J, which is a fifth with five schools per arm.
Source: Rao and Wu (1988), JASA 83, 231-241.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.fitting import BinaryFit, Link, fit_binary, require_fitted_parts, standardise_arm_risks
from analysis.binary.separation import create_weak_prior
from analysis.effect_sizes import number_needed_to_treat, odds_ratio
from analysis.quadrature import Problem, maximise, reweighted_maxima, sums_by_school
from analysis.results import EffectRows, Estimate, Fit
from analysis.specs import Model
from analysis.standardised import Standardised, build_failed_rows
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
        return RiskEffects(
            fit=binary.fit, rows=build_failed_rows(shared, arms=model.arms, own="risk", contrasts=_CONTRASTS)
        )
    note, draws = binary.note, None
    if interval == "cluster_bootstrap" and note:
        note, shared = f"{note} {_NO_BOOTSTRAP}", replace(shared, se_type="delta")
    elif interval == "cluster_bootstrap":
        draws = resample_risks_by_school(binary, n_bootstrap=n_bootstrap, seed=seed)
    risks = estimate_standardised_risks(binary, model.arms, draws=draws)
    rows = [risks.own(shared, place, quantity="risk", scale="log_odds") for place in range(len(model.arms))]
    for place in range(1, len(model.arms)):
        rows += _build_contrast_estimates(shared, risks, binary.fit, place)
    return RiskEffects(fit=binary.fit, rows=tuple(rows), note=note, draws=draws)


def estimate_standardised_risks(
    binary: BinaryFit, arms: tuple[str, ...], *, draws: np.ndarray | None = None
) -> Standardised:
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
    problem, optimum, adjusted = require_fitted_parts(binary)
    shares, slopes = standardise_arm_risks(problem, optimum.beta, optimum.school_sd, terms=binary.terms)
    slopes = slopes * binary.share_informative
    return Standardised(
        arms=arms,
        terms=binary.terms,
        values=shares * binary.share_informative + binary.share_left_out_events,
        vcov=slopes @ adjusted @ slopes.T if draws is None else np.cov(draws, rowvar=False),
        df=float(problem.between_df()),
    )


def _build_contrast_estimates(shared: Estimate, risks: Standardised, fit: Fit, place: int) -> list[Estimate]:
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


_NODES = 5


def resample_risks_by_school(binary: BinaryFit, *, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return risks by arm over draws of whole schools within arms.

    Parameters
    ----------
    binary
        A fit that did not fail.
    n_bootstrap
        Number of draws, two or more.
    seed
        Of the draws.

    Returns
    -------
    numpy.ndarray
        Shape (B, A), B up to ``n_bootstrap``: draws whose likelihood has no maximum, even with the weak prior that a
        draw with an arm without events gets, are left out.
    """
    problem, optimum, _ = require_fitted_parts(binary)
    arm = _find_arm_of_each_school(problem, binary.terms)
    weights = _draw_school_weights(arm, n_bootstrap, np.random.default_rng(seed))
    start = np.append(optimum.beta, max(optimum.school_sd, 0.1))
    maxima, has_maximum = _find_maxima_of_draws(problem, weights, arm=arm, start=start)
    shares = _standardise_shares_by_arm(problem, maxima[has_maximum], weights[has_maximum], terms=binary.terms)
    return shares * binary.share_informative + binary.share_left_out_events


def _find_arm_of_each_school(problem: Problem, terms: tuple[str, ...]) -> np.ndarray:
    """Return the position of each school's arm, 0 for the reference."""
    arm = np.zeros(problem.data.n_schools, dtype=int)
    for place, term in enumerate(terms, start=1):
        values = problem.data.x[problem.data.starts, problem.names.index(term)]
        arm[np.isclose(values, problem.level(term, 1.0))] = place
    return arm


def _draw_school_weights(arm: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each school counts, shape (B, J); an arm's sum is its number of schools."""
    weights = np.zeros((n_bootstrap, len(arm)))
    for place in np.unique(arm):
        schools_of_arm = np.flatnonzero(arm == place)
        n_draws = max(len(schools_of_arm) - 1, 1)
        for row, drawn in zip(weights, rng.integers(len(schools_of_arm), size=(n_bootstrap, n_draws)), strict=True):
            row[schools_of_arm] = np.bincount(drawn, minlength=len(schools_of_arm)) * len(schools_of_arm) / n_draws
    return weights


def _find_maxima_of_draws(
    problem: Problem, weights: np.ndarray, *, arm: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each draw's maximum, shape (B, p + 1), and whether there is one.

    All draws climb together; those with an arm in which nobody or everybody had the event, and those whose climb did
    not end at a maximum, are searched one by one.
    """
    data = problem.data
    separated = _find_separated_draws(problem, weights, arm)
    parameters, has_maximum = np.empty((len(weights), len(start))), np.zeros(len(weights), dtype=bool)
    if data.prior is None:
        together = np.flatnonzero(~separated)
        maxima = reweighted_maxima(data, weights[together], start=start, n_nodes=_NODES)
        parameters[together], has_maximum[together] = maxima.parameters, maxima.found
    for draw in np.flatnonzero(~has_maximum):
        prior = create_weak_prior(problem) if separated[draw] else data.prior
        best = maximise(replace(data, school_weight=weights[draw], prior=prior), n_nodes=_NODES, start=start)
        parameters[draw], has_maximum[draw] = np.append(best.beta, best.school_sd), not best.reason
    return parameters, has_maximum


def _find_separated_draws(problem: Problem, weights: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Return, shape (B,), whether a draw has an arm in which nobody or everybody had the event."""
    data = problem.data
    events, count = sums_by_school(data, data.events), sums_by_school(data, data.count)
    by_arm = [
        (weights[:, arm == place] @ events[arm == place], weights[:, arm == place] @ count[arm == place])
        for place in np.unique(arm)
    ]
    return np.asarray(np.any([(had == 0) | (had == all_of) for had, all_of in by_arm], axis=0))


def _standardise_shares_by_arm(
    problem: Problem, at: np.ndarray, weights: np.ndarray, *, terms: tuple[str, ...]
) -> np.ndarray:
    """Return shares by arm, shape (B, A), standardised over the pupils of each draw."""
    data = problem.data
    counts = data.count * weights[:, data.school]
    nodes, chance = np.polynomial.hermite_e.hermegauss(2 * _NODES)
    chance = chance / chance.sum()
    shares = []
    for chosen in (None, *terms):
        fixed = at[:, :-1] @ problem.with_arm(list(terms), chosen=chosen).T
        mean = sum(c * data.response.mean(fixed + at[:, -1:] * z)[0] for z, c in zip(nodes, chance, strict=True))
        shares.append((counts * mean).sum(axis=1) / counts.sum(axis=1))
    return np.column_stack(shares)
