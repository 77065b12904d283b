"""Re-draws of the design with the logistic risk difference as the statistic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.binary.fitting import arm_risks
from analysis.guards import binary_reason
from analysis.inference.randomisation_intervals import interval_row, randomisation_inference
from analysis.quadrature import Patterns, Problem, maximise, sums_by_school
from analysis.results import EffectRows, Estimate
from analysis.specs import Model
from analysis.terms import Columns, arm_term, design_columns, refuse_weights
from data_schema.errors import EstimationError

_NODES = 5
_ROUNDING = 1e-9
_STEPS = 25
_LONGEST = 3.0
_CLOSE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRedraws(EffectRows):
    """Risk differences under the allocation and under re-draws of the design.

    Parameters
    ----------
    arms
        Arms other than the reference.
    observed
        Shape (A - 1,), with the actual allocation.
    draws
        Shape (B, A - 1), with re-drawn ones.
    rows
        For each arm ``quantity="randomisation_test"`` (the statistic is the risk difference, the p-value two-sided, the
        actual allocation counted among the draws) and "randomisation_interval": the risk differences that the same
        re-draws do not reject once taken off the arm's pupils, by the linear model's statistic. Failed rows have the
        reason.
    """

    arms: tuple[str, ...]
    observed: np.ndarray
    draws: np.ndarray


def risk_redraws(
    frame: pd.DataFrame,
    model: Model,
    *,
    schools: tuple[str, ...],
    actual: np.ndarray,
    draws: np.ndarray,
    conf_level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> RiskRedraws:
    """Test that the arms do the same by refitting the logistic risk difference to re-drawn allocations.

    The school's standard deviation is estimated once, without arms, as it is under the hypothesis; the coefficients are
    estimated anew for every draw at it, jointly with the schools' intercepts, which is a penalised likelihood (Breslow
    and Clayton 1993, JASA 88, 9-25). Whatever the statistic, the test is exact.

    Parameters
    ----------
    frame
        One row a pupil; the outcome is 0, 1 or missing.
    model
        With arms.
    schools
        Names of the randomised schools, length J.
    actual, draws
        Shapes (J,) and (B, J), positions of the schools' arms in ``model.arms``.
    conf_level
        Level of the intervals.
    progress
        Called with the number of draws done and of all, now and then.

    Raises
    ------
    EstimationError
        When a school of the frame was never randomised, or the model has no arms or more than two.
    """
    if model.arm is None:
        raise EstimationError(f"model of '{model.outcome}'", "re-draws need arms.", "Name the arm's column and arms.")
    if len(model.arms) > 2:
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"re-draws of {len(model.arms)} arms test that none has an effect, not one beside another.",
            "Keep the pupils and schools of two arms, and re-draw these.",
        )
    refuse_weights(model)
    columns = design_columns(frame, model)
    reason = columns.reason or binary_reason(columns.y, columns.outcome)
    none = np.full(len(model.arms) - 1, np.nan)
    if reason:
        rows = _rows(model, columns, none, none, n_draws=0, conf_level=conf_level, reason=reason)
        return RiskRedraws(arms=model.arms[1:], observed=none, draws=np.empty((0, len(none))), rows=rows)
    statistic = _Statistic.of(columns, model)
    places = _places(columns, schools)
    observed = statistic.at(actual[places])
    found = np.empty((len(draws), len(none)))
    for k, draw in enumerate(draws):
        found[k] = statistic.at(draw[places])
        if progress is not None and (k + 1) % 100 == 0:
            progress(k + 1, len(draws))
    extreme = np.abs(found) >= np.abs(observed) * (1 - _ROUNDING)
    p_values = (extreme.sum(axis=0) + 1) / (len(draws) + 1)
    rows = _rows(model, columns, observed, p_values, n_draws=len(draws), conf_level=conf_level)
    intervals = randomisation_inference(
        frame, model, schools=schools, actual=actual, draws=draws, conf_level=conf_level
    )
    rows += tuple(interval_row(replace(row, statistic=np.nan, p_value=np.nan), intervals[row.arm]) for row in rows)
    return RiskRedraws(arms=model.arms[1:], observed=observed, draws=found, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statistic:
    """Risk differences as a function of the schools' arms."""

    problem: Problem
    start: np.ndarray
    school_sd: float
    terms: tuple[str, ...]

    @classmethod
    def of(cls, columns: Columns, model: Model) -> _Statistic:
        """Fit the model without arms and keep room for the arms' columns at the end."""
        terms = tuple(columns.arm_terms.values())
        places = [k for k, name in enumerate(columns.names) if name not in terms]
        bare = replace(columns, names=tuple(columns.names[k] for k in places), x=columns.x[:, places], arm_terms={})
        problem = Problem.of(bare)
        null = maximise(problem.data, n_nodes=_NODES)
        data = problem.data
        room = np.zeros((len(data.count), len(terms)))
        wide = Problem(
            data=replace(data, x=np.column_stack([data.x, room])),
            names=problem.names + tuple(arm_term(arm) for arm in model.arms[1:]),
            dropped=problem.dropped,
            centre=np.append(problem.centre, np.zeros(len(terms))),
            scale=np.append(problem.scale, np.ones(len(terms))),
        )
        start = np.append(null.beta, np.zeros(len(terms)))
        return cls(problem=wide, start=start, school_sd=null.school_sd, terms=terms)

    def at(self, arm_of_school: np.ndarray) -> np.ndarray:
        """Return the risk differences when schools have these arms."""
        data, n_terms = self.problem.data, len(self.terms)
        x = data.x.copy()
        x[:, -n_terms:] = arm_of_school[data.school][:, None] == np.arange(1, n_terms + 1)
        problem = replace(self.problem, data=replace(data, x=x))
        beta = _joint_mode(problem.data, self.start, self.school_sd)
        shares = arm_risks(problem, beta, self.school_sd, terms=self.terms, n_nodes=_NODES)[0]
        return np.asarray(shares[1:] - shares[0])


def _joint_mode(data: Patterns, start: np.ndarray, school_sd: float) -> np.ndarray:
    """Return the coefficients at the mode over coefficients and school intercepts, by Newton's steps."""
    beta, z = start, np.zeros(data.n_schools)
    for _ in range(_STEPS):
        eta = data.linear(beta) + school_sd * z[data.school]
        slope, weight, _ = data.response.slopes(eta, events=data.events, count=data.count)
        weighted = weight[:, None] * data.x
        sums = sums_by_school(data, np.column_stack([slope, weight, weighted]))
        own, across = school_sd**2 * sums[:, 1] + 1, school_sd * sums[:, 2:]
        by_z = school_sd * sums[:, 0] - z
        shrunk = across / own[:, None]
        information = weighted.T @ data.x - shrunk.T @ across
        step = np.linalg.lstsq(information, slope @ data.x - shrunk.T @ by_z, rcond=None)[0]
        step = np.clip(step, -_LONGEST, _LONGEST)
        beta, z = beta + step, z + (by_z - across @ step) / own
        if float(np.abs(step).max()) < _CLOSE:
            break
    return beta


def _places(columns: Columns, schools: tuple[str, ...]) -> np.ndarray:
    place = {school: k for k, school in enumerate(schools)}
    unknown = [school for school in columns.schools if school not in place]
    if unknown:
        raise EstimationError(
            f"school '{unknown[0]}'", "was never randomised.", "Leave its pupils out or correct the school's name."
        )
    return np.array([place[school] for school in columns.schools])


def _rows(
    model: Model,
    columns: Columns,
    statistics: np.ndarray,
    p_values: np.ndarray,
    *,
    n_draws: int,
    conf_level: float,
    reason: str = "",
) -> tuple[Estimate, ...]:
    """Return a row of the test for each arm."""
    return tuple(
        Estimate(
            quantity="randomisation_test",
            term=arm_term(arm),
            arm=arm,
            outcome=model.outcome,
            statistic=float(statistic),
            p_value=float(p_value),
            conf_level=conf_level,
            n_schools=len(columns.schools),
            n_pupils=len(columns.y),
            method=f"logistic_risk_difference_{n_draws}_draws",
            status="failed" if reason else "ok",
            reason=reason,
        )
        for arm, statistic, p_value in zip(model.arms[1:], statistics, p_values, strict=True)
    )
