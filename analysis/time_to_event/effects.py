"""Effects on time in units a minister understands: months enrolled, and the share who left, by a horizon."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.results import EffectRows, Estimate, failed_row, t_estimate
from analysis.terms import arm_term
from analysis.time_to_event.curves import SchoolEvents, incidence, jackknife_error
from analysis.time_to_event.durations import Durations, TimeToEvent, durations


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingEffects(EffectRows):
    """Rows by arm and their differences.

    Parameters
    ----------
    rows
        ``quantity`` is "restricted_mean" and "cumulative_incidence" (a row an arm), "restricted_mean_difference" and
        "incidence_difference" (a row an arm other than the reference).
    horizon
        The time at which shares are counted and to which times are averaged.
    n_missing, n_before_start
        Pupils left out.
    """

    horizon: float
    n_missing: int
    n_before_start: int

    def glance(self) -> pd.DataFrame:
        """Return one row: the horizon and who was left out."""
        names = ("horizon", "n_missing", "n_before_start")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


def leaving_effects(
    frame: pd.DataFrame, question: TimeToEvent, *, horizon: float | None = None, conf_level: float = 0.95
) -> LeavingEffects:
    """Compare arms by the mean time enrolled and by the share who left, up to a horizon.

    Parameters
    ----------
    frame
        One row a pupil.
    question
        Which column plays which part; covariates and strata are not used: the arms' curves are what is compared.
    horizon
        In units of the time; None for the longest time to which every arm (of every country) was followed.
    conf_level
        Level of the intervals.

    Returns
    -------
    LeavingEffects
        Mean time enrolled is the area under the share of pupils who had no ending of any kind; shares who left are
        cumulative incidences beside competing endings. Errors by leaving schools out in turn, degrees of freedom by
        Welch and Satterthwaite from each arm's schools less one. With a horizon beyond an arm's follow-up all rows
        fail.

    Examples
    --------
    >>> pupils = pd.DataFrame({"time": [1.0, 2, 2, 2], "status": ["left_early", "enrolled", "left_early", "enrolled"],
    ...                        "school": ["a", "b", "c", "d"], "arm": ["x", "x", "y", "y"]})
    >>> question = TimeToEvent(time="time", status="status", school="school", arm="arm", arms=("x", "y"))
    >>> leaving_effects(pupils, question).row("restricted_mean_difference", "y").estimate
    0.5
    """
    data = durations(frame, question)
    followed = data.horizon(question)
    until = followed if horizon is None else horizon
    n_causes = 1 + len(question.competing)
    statistics, reasons = {}, ""
    for place, arm in enumerate(question.arms):
        events = SchoolEvents.of(data, arm=place, n_causes=n_causes)
        if not len(events.times):
            reasons = f"No pupil of the arm {arm} has a time."
            continue
        statistics[arm] = {"restricted_mean": _mean_time(events, until), "cumulative_incidence": _share(events, until)}
    if until > followed:
        reasons = f"Follow-up of an arm (of a country) ends at {followed:g}, before the horizon {until:g}."
    rows: list[Estimate] = []
    for quantity, difference in (
        ("restricted_mean", "restricted_mean_difference"),
        ("cumulative_incidence", "incidence_difference"),
    ):
        shared = _shared(question, data, quantity=quantity, conf_level=conf_level)
        by_arm = {arm: values[quantity] for arm, values in statistics.items()}
        rows += _rows(shared, question, by_arm, difference=difference, reason=reasons)
    return LeavingEffects(rows=tuple(rows), horizon=until, n_missing=data.n_missing, n_before_start=data.n_before_start)


def _shared(question: TimeToEvent, data: Durations, *, quantity: str, conf_level: float) -> Estimate:
    return Estimate(
        quantity=quantity,
        outcome=question.time,
        conf_level=conf_level,
        n_schools=len(data.schools),
        n_pupils=len(data.time),
        method="aalen_johansen",
        se_type="school_jackknife",
        df_method="welch",
    )


def _rows(
    shared: Estimate, question: TimeToEvent, by_arm: dict[str, np.ndarray], *, difference: str, reason: str
) -> list[Estimate]:
    """Return a row an arm, then a row a difference; values have shape (J + 1,)."""
    rows = []
    for arm in question.arms:
        row = replace(shared, arm=arm, term=arm)
        if reason:
            rows.append(replace(failed_row(row), reason=reason))
            continue
        values = by_arm[arm]
        rows.append(_described(row, float(values[0]), float(jackknife_error(values)), df=len(values) - 2))
    for arm in question.arms[1:]:
        row = replace(shared, arm=arm, term=arm_term(arm), quantity=difference)
        if reason:
            rows.append(replace(failed_row(row), reason=reason))
            continue
        one, other = by_arm[question.arms[0]], by_arm[arm]
        errors = float(jackknife_error(one)), float(jackknife_error(other))
        df = welch_df(errors, (len(one) - 2, len(other) - 2))
        rows.append(t_estimate(row, estimate=float(other[0] - one[0]), std_error=math.hypot(*errors), df=df))
    return rows


def _described(row: Estimate, estimate: float, error: float, *, df: int) -> Estimate:
    """Return an arm's own figure with its interval; a test against zero would mean nothing."""
    if not error > 0 or df < 1:
        return replace(row, estimate=estimate, status="boundary", reason="The arm's schools do not differ.")
    done = t_estimate(row, estimate=estimate, std_error=error, df=df)
    return replace(done, statistic=math.nan, p_value=math.nan)


def welch_df(errors: tuple[float, float], df: tuple[float, float]) -> float:
    """Return Welch and Satterthwaite's degrees of freedom of a difference of two independent means.

    Parameters
    ----------
    errors, df
        Standard errors of the two and their degrees of freedom.

    Examples
    --------
    >>> welch_df((1.0, 1.0), (9, 9))
    18.0
    """
    one, other = errors[0] ** 2, errors[1] ** 2
    if not one + other > 0 or min(df) < 1:
        return math.nan
    return float((one + other) ** 2 / (one**2 / df[0] + other**2 / df[1]))


def _mean_time(events: SchoolEvents, horizon: float) -> np.ndarray:
    """Return the area under the share without any ending up to the horizon, shape (J + 1,)."""
    free = 1 - incidence(events).sum(axis=0)
    inside = events.times < horizon
    edges = np.concatenate([[0.0], events.times[inside], [horizon]])
    heights = np.column_stack([np.ones(len(free)), free[:, inside]])
    return np.asarray(heights @ np.diff(edges))


def _share(events: SchoolEvents, horizon: float) -> np.ndarray:
    """Return the share with the event by the horizon, shape (J + 1,)."""
    inside = int((events.times <= horizon).sum())
    shares = incidence(events)[0]
    return np.asarray(shares[:, inside - 1] if inside else np.zeros(len(shares)))
