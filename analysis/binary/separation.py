"""Arms, strata and levels in which nobody or everybody had the event: their log odds are infinite."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.guards import is_numeric, read_numeric_column
from analysis.quadrature import Optimum, Problem, WeakPrior
from analysis.specs import Model
from analysis.terms import INTERCEPT, Columns

# Log odds beyond this are a share of 0 or 1 to six digits: the likelihood has no maximum, the search only stopped.
_INFINITE_LOG_ODDS = 15.0
# A standardised coefficient counts for two standard deviations, as an indicator's does for its two groups.
_TWO_DEVIATIONS = 2.0


def find_separated_arm(columns: Columns) -> str:
    """Name an arm in which nobody or everybody had the event; empty when there is none.

    Parameters
    ----------
    columns
        Of a model with a binary outcome.
    """
    groups = {arm: columns.x[:, columns.names.index(term)] == 1 for arm, term in columns.arm_terms.items()}
    if groups:
        groups["reference"] = ~np.any(list(groups.values()), axis=0)
    for arm, rows in groups.items():
        if float(np.ptp(columns.y[rows])) == 0:
            share = "Nobody" if columns.y[rows][0] == 0 else "Everybody"
            return f"{share} in the arm {arm} had the event: the odds ratio is infinite."
    return ""


def select_informative_rows(frame: pd.DataFrame, model: Model, *, are_counts: bool = False) -> pd.DataFrame:
    """Return the rows that tell something of the arms.

    A stratum or a level of a covariate in which nobody (or everybody) had the event has infinite log odds: its pupils'
    shares are 0 (or 1) in either arm, and the likelihood of the others is the same without them. So it is with counts
    that are all zero: their rate is 0 in either arm.

    Parameters
    ----------
    frame
        One row per pupil, with an outcome from 0 to 1 or, of counts, from 0.
    model
        Which column plays which part.
    are_counts
        Whether the outcome counts, so that a group tells something as soon as one of its counts is above zero.
    """
    outcome = read_numeric_column(frame, model.outcome)
    groups = _assign_rows_to_groups(frame, model)
    is_informative: np.ndarray = np.isfinite(outcome)
    while True:
        before = int(is_informative.sum())
        for codes in groups:
            values = pd.Series(np.where(is_informative, outcome, np.nan)).groupby(codes)
            finite = (values.transform("max") > 0).to_numpy(dtype=bool)
            if not are_counts:
                finite = finite & (values.transform("min") < 1).to_numpy(dtype=bool)
            is_informative = is_informative & (finite | (codes < 0))
        if int(is_informative.sum()) == before:
            return frame if is_informative.all() else frame.loc[is_informative]


def _assign_rows_to_groups(frame: pd.DataFrame, model: Model) -> list[np.ndarray]:
    """Return the group of each row by stratum and by each covariate; -1 for rows that a number tells apart."""
    groups = [pd.factorize(frame[model.strata])[0]] if model.strata is not None else []
    for covariate in model.covariates:
        values = frame[covariate]
        if values.nunique() <= 2 or not is_numeric(values):
            groups.append(pd.factorize(values, use_na_sentinel=False)[0])
        elif values.isna().any():
            groups.append(np.where(values.isna(), 0, -1))
    return groups


def find_infinite_term(problem: Problem, optimum: Optimum, columns: Columns) -> str:
    """Name an arm (in a model without arms, a column) whose coefficient only stopped growing, or whose error says so.

    Parameters
    ----------
    problem, optimum, columns
        Of one fit.
    """
    back, p = problem.to_original(), len(problem.names)
    if not columns.arm_terms:
        size = np.maximum(np.abs(optimum.beta), np.sqrt(np.maximum(np.diag(optimum.vcov)[:p], 0.0)))
        names = [name for name, value in zip(problem.names, size, strict=True) if value > _INFINITE_LOG_ODDS]
        return f"The coefficient of {names[-1]} is infinite: it tells events apart." if names else ""
    estimate = back @ optimum.beta
    error = np.sqrt(np.maximum(np.diag(back @ optimum.vcov[:p, :p] @ back.T), 0.0))
    for arm, term in columns.arm_terms.items():
        place = problem.names.index(term)
        if max(abs(float(estimate[place])), float(error[place])) > _INFINITE_LOG_ODDS:
            return f"The odds ratio of the arm {arm} is infinite: strata or covariates separate the arms' events."
    return ""


def create_weak_prior(problem: Problem) -> WeakPrior:
    """Return a log-F(1, 1) prior on every coefficient but the intercept.

    Parameters
    ----------
    problem
        Scaled columns: those of two values count as they were, others for two standard deviations.
    """
    factors = np.full(len(problem.names), _TWO_DEVIATIONS)
    for place, name in enumerate(problem.names):
        values = problem.data.x[:, place]
        if name == INTERCEPT:
            factors[place] = 0.0
        elif len(np.unique(values)) == 2:
            factors[place] = float(np.ptp(values))
    return WeakPrior(factors=factors)
