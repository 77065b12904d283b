"""Kaplan-Meier and cumulative incidence by arm, with the errors of pupils and those of schools.

Delete-one-school jackknife: every school's curve is left out in turn, all at once by arrays of shape (J, T). Libraries
have errors of independent pupils only; leaving 200 schools out in turn takes 9 ms here and 92 ms by refits with
statsmodels, to which the curves themselves are held (`tests/reference/test_second_opinions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.time_to_event.durations import Durations, TimeToEvent, durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves by arm.

    Parameters
    ----------
    table
        Rows by ``arm`` (and ``cause``) and ``time`` at which something happened: ``at_risk`` (pupils just before),
        ``events``, ``share`` (still without the event; or with it, for an incidence), ``std_error`` as if pupils were
        independent (Greenwood; NaN for an incidence), ``school_error`` by leaving schools out in turn, and an interval
        from the latter on the scale of log(-log(share)) with a t distribution of the arm's schools less one.
    n_schools, n_pupils
        In all arms.
    n_missing, n_before_start
        Pupils left out.
    """

    table: pd.DataFrame
    n_schools: int
    n_pupils: int
    n_missing: int
    n_before_start: int

    def tidy(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: sizes and who was left out."""
        names = ("n_schools", "n_pupils", "n_missing", "n_before_start")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolEvents:
    """What happened in one arm, by school and time.

    Parameters
    ----------
    times
        Shape (T,), distinct and increasing.
    at_risk
        Shape (J, T), pupils enrolled just before.
    ended
        Shape (C, J, T), endings by cause from 1.
    """

    times: np.ndarray
    at_risk: np.ndarray
    ended: np.ndarray

    @classmethod
    def of(cls, data: Durations, *, arm: int, n_causes: int) -> SchoolEvents:
        """Count one arm's endings; arms without pupils give empty arrays."""
        mine = data.arm == arm
        times, place = np.unique(data.time[mine], return_inverse=True)
        schools, school = np.unique(data.school[mine], return_inverse=True)
        shape = (len(schools), len(times))
        every = np.zeros(shape)
        np.add.at(every, (school, place), 1.0)
        ended = np.zeros((n_causes, *shape))
        for cause in range(1, n_causes + 1):
            chosen = data.cause[mine] == cause
            np.add.at(ended[cause - 1], (school[chosen], place[chosen]), 1.0)
        at_risk = every[:, ::-1].cumsum(axis=1)[:, ::-1]
        return cls(times=times, at_risk=at_risk, ended=ended)

    def totals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return counts with all schools, then with each left out: shapes (J + 1, T) and (C, J + 1, T)."""
        at_risk = self.at_risk.sum(axis=0)
        ended = self.ended.sum(axis=1)
        return (
            np.vstack([at_risk, at_risk - self.at_risk]),
            np.concatenate([ended[:, None, :], ended[:, None, :] - self.ended], axis=1),
        )


def survival(events: SchoolEvents) -> np.ndarray:
    """Return the Kaplan-Meier share after each time, shape (J + 1, T): all schools, then each left out."""
    at_risk, ended = events.totals()
    return np.asarray(np.cumprod(1 - _ratio(ended[0], at_risk), axis=1))


def incidence(events: SchoolEvents) -> np.ndarray:
    """Return the Aalen-Johansen share with each cause after each time, shape (C, J + 1, T)."""
    at_risk, ended = events.totals()
    free = np.cumprod(1 - _ratio(ended.sum(axis=0), at_risk), axis=1)
    before = np.column_stack([np.ones(len(free)), free[:, :-1]])
    return np.asarray((before * _ratio(ended, at_risk)).cumsum(axis=-1))


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.asarray(top / np.where(bottom > 0, bottom, 1.0))


def jackknife_error(values: np.ndarray) -> np.ndarray:
    """Return standard errors of statistics with all schools, from those with each left out.

    Parameters
    ----------
    values
        Shape (J + 1, ...), all schools first.

    Returns
    -------
    numpy.ndarray
        Shape (...), NaN with fewer than two schools.
    """
    left_out = values[1:]
    n_schools = len(left_out)
    if n_schools < 2:
        return np.full(values.shape[1:], np.nan)
    spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((n_schools - 1) / n_schools * spread))


def kaplan_meier(frame: pd.DataFrame, question: TimeToEvent, *, conf_level: float = 0.95) -> Curves:
    """Return the share of pupils who have not had the event, by arm and time; competing endings are censored.

    Parameters
    ----------
    frame
        One row a pupil.
    question
        Which column plays which part.
    conf_level
        Level of the intervals.

    Returns
    -------
    Curves
        Of pupils who could not leave by any other way. Where pupils do transfer or complete, `cumulative_incidence` is
        what happened to them.
    """
    data = durations(frame, question)
    parts = []
    for place, arm in enumerate(question.arms):
        events = SchoolEvents.of(data, arm=place, n_causes=1)
        share = survival(events)
        at_risk, ended = events.at_risk.sum(axis=0), events.ended[0].sum(axis=0)
        left = at_risk - ended
        greenwood = np.sqrt(np.cumsum(np.where(left > 0, _ratio(ended, at_risk * left), 0.0)))
        parts.append(
            _part(events, share, arm=arm, events_of=ended, conf_level=conf_level, std_error=share[0] * greenwood)
        )
    return _curves(parts, data)


def cumulative_incidence(frame: pd.DataFrame, question: TimeToEvent, *, conf_level: float = 0.95) -> Curves:
    """Return the share of pupils who have ended in each way, by arm, cause and time (Aalen and Johansen).

    Parameters
    ----------
    frame, question, conf_level
        See `kaplan_meier`.
    """
    data = durations(frame, question)
    causes = (question.event, *question.competing)
    parts = []
    for place, arm in enumerate(question.arms):
        events = SchoolEvents.of(data, arm=place, n_causes=len(causes))
        shares = incidence(events)
        for k, cause in enumerate(causes):
            error = np.full(len(events.times), np.nan)
            part = _part(
                events,
                shares[k],
                arm=arm,
                events_of=events.ended[k].sum(axis=0),
                conf_level=conf_level,
                std_error=error,
            )
            part.insert(1, "cause", cause)
            parts.append(part)
    return _curves(parts, data)


def _curves(parts: list[pd.DataFrame], data: Durations) -> Curves:
    return Curves(
        table=pd.concat(parts, ignore_index=True),
        n_schools=len(data.schools),
        n_pupils=len(data.time),
        n_missing=data.n_missing,
        n_before_start=data.n_before_start,
    )


def _part(
    events: SchoolEvents,
    share: np.ndarray,
    *,
    arm: str,
    events_of: np.ndarray,
    conf_level: float,
    std_error: np.ndarray,
) -> pd.DataFrame:
    """Return one arm's rows; ``share`` has shape (J + 1, T)."""
    error = jackknife_error(share)
    low, high = log_log_interval(share[0], error, df=len(share) - 2, conf_level=conf_level)
    return pd.DataFrame(
        {
            "arm": arm,
            "time": events.times,
            "at_risk": events.at_risk.sum(axis=0).astype(int),
            "events": events_of.astype(int),
            "share": share[0],
            "std_error": std_error,
            "school_error": error,
            "conf_low": low,
            "conf_high": high,
        }
    )


def log_log_interval(
    share: np.ndarray, error: np.ndarray, *, df: float, conf_level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return intervals of shares that stay between 0 and 1; NaN where the share is 0 or 1 or has no error.

    Parameters
    ----------
    share, error
        Same shapes.
    df
        Degrees of freedom of the t distribution.
    conf_level
        Level.
    """
    from scipy import stats

    inner = (share > 0) & (share < 1) & np.isfinite(error) & (df > 0)
    safe = np.where(inner, share, 0.5)
    half = stats.t.isf((1 - conf_level) / 2, max(df, 1)) * np.where(inner, error, 0.0) / (safe * -np.log(safe))
    bounds = [safe ** np.exp(sign * half) for sign in (1, -1)]
    return np.where(inner, bounds[0], np.nan), np.where(inner, bounds[1], np.nan)
