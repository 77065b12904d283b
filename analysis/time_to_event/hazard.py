"""The hazard of leaving term by term, with school effects: a binary outcome of pupils' terms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from analysis.binary.fitting import BinaryFit, fit_binary, fitted_parts
from analysis.effect_sizes import odds_ratio
from analysis.quadrature import Problem
from analysis.results import EffectRows, Estimate, Fit
from analysis.standardised import Standardised, unestimated
from analysis.time_to_event.durations import TimeToEvent, durations
from data_schema.errors import EstimationError

TERM = "term"
EVENT = "event"

_NODES = 20
# A share of pupils below which nobody is left.
_NOBODY = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardEffects(EffectRows):
    """Hazard ratios, and what they make of the share who left by the last term.

    Parameters
    ----------
    fit
        The model of pupils' terms.
    rows
        ``quantity`` is "risk" (a row an arm: share who would have left by the last term if nothing else ended their
        time), "risk_difference" and "hazard_ratio" ("odds_ratio" for a logit) for the other arms.
    hazards
        Columns ``term``, ``at_risk``, ``events``, ``share`` by ``arm``: what was observed.
    note
        That a weak prior was used, and why; empty otherwise.
    """

    fit: Fit
    hazards: pd.DataFrame
    note: str = ""

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit, with the note on a prior."""
        return self.fit.glance().assign(note=self.note)


def pupil_terms(frame: pd.DataFrame, question: TimeToEvent, *, term_length: float = 1.0) -> pd.DataFrame:
    """Return one row a pupil and term in which it was at risk.

    Parameters
    ----------
    frame
        One row a pupil.
    question
        Which column plays which part; competing endings are censored at the end of their term.
    term_length
        In units of the time: 1 when the time counts terms already.

    Returns
    -------
    pandas.DataFrame
        The pupils' rows with ``term`` (text, "01" and on) and ``event`` (1 in the term of the event, else 0).

    Raises
    ------
    EstimationError
        When the term's length is not above 0.
    """
    if not term_length > 0:
        raise EstimationError(f"time '{question.time}'", f"a term of {term_length} has no length.", "Give one above 0.")
    data = durations(frame, question)
    exit_term = np.ceil(data.time / term_length - 1e-9).astype(int)
    rows = np.repeat(np.arange(len(exit_term)), exit_term)
    term = np.arange(len(rows)) - np.repeat(np.cumsum(exit_term) - exit_term, exit_term) + 1
    event = (term == exit_term[rows]) & (data.cause[rows] == 1)
    width = len(str(int(exit_term.max())))
    return data.frame.iloc[rows].assign(**{TERM: [f"{k:0{width}d}" for k in term], EVENT: event.astype(int)})


def hazard_effects(
    frame: pd.DataFrame,
    question: TimeToEvent,
    *,
    term_length: float = 1.0,
    link: Literal["cloglog", "logit"] = "cloglog",
    n_nodes: int = 15,
    conf_level: float = 0.95,
) -> HazardEffects:
    """Model the hazard of the event term by term with a random school intercept.

    Parameters
    ----------
    frame, question, term_length
        See `pupil_terms`.
    link
        "cloglog": coefficients are log ratios of hazards in continuous time (proportional hazards); "logit": log odds
        of leaving in a term.
    n_nodes, conf_level
        See `analysis.risk_effects`.

    Returns
    -------
    HazardEffects
        Risks are standardised over pupils and schools as those of `analysis.risk_effects`. Terms in which nobody left
        have a hazard of zero. In contrast to a cumulative incidence they take no account of competing endings.
    """
    terms = pupil_terms(frame, question, term_length=term_length)
    model = question.model(outcome=EVENT)
    model = replace(model, covariates=(*question.covariates, TERM))
    binary = fit_binary(terms, model, link=link, n_nodes=n_nodes)
    shared = Estimate(
        outcome=question.time,
        conf_level=conf_level,
        n_schools=binary.fit.n_schools,
        n_pupils=int((terms[TERM] == terms[TERM].min()).sum()),
        method=binary.fit.method,
        se_type=binary.fit.se_type,
        df_method=binary.fit.df_method,
        status=binary.fit.status,
        reason=binary.fit.convergence.reason,
    )
    ratio = "hazard_ratio" if link == "cloglog" else "odds_ratio"
    rows = _rows(shared, binary, question, ratio=ratio)
    return HazardEffects(fit=binary.fit, rows=rows, hazards=_observed(terms, question), note=binary.note)


def _observed(terms: pd.DataFrame, question: TimeToEvent) -> pd.DataFrame:
    grouped = terms.groupby([question.arm, TERM], observed=True)[EVENT]
    table = grouped.agg(at_risk="size", events="sum").reset_index().rename(columns={question.arm: "arm"})
    return table.assign(share=table["events"] / table["at_risk"])


def _rows(shared: Estimate, binary: BinaryFit, question: TimeToEvent, *, ratio: str) -> tuple[Estimate, ...]:
    arms = question.arms
    if binary.optimum is None:
        return unestimated(shared, arms=arms, own="risk", contrasts=("risk_difference", ratio))
    values, slopes = _risks(binary)
    problem, _, adjusted = fitted_parts(binary)
    risks = Standardised.by_delta(values, slopes, adjusted, terms=binary.terms, df=problem.between_df(), arms=arms)
    rows = [risks.own(shared, place, quantity="risk", scale="log_odds") for place in range(len(arms))]
    for place, term in enumerate(binary.terms, start=1):
        of_hazards = odds_ratio(binary.fit.estimate(term, conf_level=shared.conf_level))
        rows += [
            risks.difference(shared, place, quantity="risk_difference"),
            replace(of_hazards, quantity=ratio, arm=arms[place], outcome=shared.outcome),
        ]
    return tuple(rows)


def _risks(binary: BinaryFit) -> tuple[np.ndarray, np.ndarray]:
    """Return the share who would have left by the last term by arm, and its derivatives by (beta, school_sd)."""
    problem, optimum, _ = fitted_parts(binary)
    terms = list(binary.terms)
    shares = [
        _risk(problem, optimum.beta, optimum.school_sd, terms=terms, chosen=chosen) for chosen in (None, *binary.terms)
    ]
    return np.array([share[0] for share in shares]), np.array([share[1] for share in shares])


def _risk(
    problem: Problem, beta: np.ndarray, school_sd: float, *, terms: list[str], chosen: str | None
) -> tuple[float, np.ndarray]:
    """Average one minus the product of (1 - hazard) over pupils and schools."""
    data = problem.data
    term_places = [k for k, name in enumerate(problem.names) if name.startswith(f"{TERM}[")]
    levels = np.array([[problem.level(problem.names[k], value) for k in term_places] for value in (0.0, 1.0)])
    x = problem.with_arm(terms, chosen=chosen)
    first = np.isclose(data.x[:, term_places], levels[0]).all(axis=1)
    x, count = x[first], data.count[first]
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    share = (count / count.sum())[:, None] * weights
    log_stay, slopes = np.zeros(share.shape), np.zeros((len(beta) + 1, *share.shape))
    for place in (None, *range(len(term_places))):
        here = x.copy()
        here[:, term_places] = levels[0]
        if place is not None:
            here[:, term_places[place]] = levels[1, place]
        hazard, steep = data.response.mean((here @ beta)[:, None] + school_sd * nodes)
        still = np.maximum(1 - hazard, _NOBODY)
        log_stay += np.log(still)
        part = steep / still
        slopes[:-1] += here.T[:, :, None] * part
        slopes[-1] += part * nodes
    stay = np.exp(log_stay)
    return float((share * (1 - stay)).sum()), np.einsum("kq,pkq->p", share * stay, slopes)
