"""What is asked of times, and frames of pupils as arrays of times and causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.guards import checked_frame, numeric_column, require_arms, require_filled
from analysis.specs import Model
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToEvent:
    """A time to an event, of pupils in schools.

    Parameters
    ----------
    time
        Column of the time since the start, above 0: when the status came about.
    status
        Column of how it ended.
    event
        The status of interest.
    competing
        Statuses after which the event cannot come any more.
    censored
        Statuses after which nothing is known of the event.
    school, arm, arms, covariates, strata
        See `analysis.Model`.
    country
        Column of the country; follow-up may end at another time in each. None for none.
    """

    time: str
    status: str
    school: str
    arm: str
    arms: tuple[str, ...]
    event: str = "left_early"
    competing: tuple[str, ...] = ("transferred", "completed")
    censored: tuple[str, ...] = ("enrolled", "unknown")
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        self.model()
        words = [self.event, *self.competing, *self.censored]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise EstimationError(f"time '{self.time}'", f"the status '{twice[0]}' is used twice.", "Use it once.")

    def model(self, *, outcome: str = "") -> Model:
        """Return the model of an outcome with the same arms and covariates.

        Parameters
        ----------
        outcome
            Its column; the time when empty.
        """
        return Model(
            outcome=outcome or self.time,
            school=self.school,
            arm=self.arm,
            arms=self.arms,
            covariates=self.covariates,
            strata=self.strata,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Times and causes of the pupils that have them.

    Parameters
    ----------
    frame
        Their rows.
    time
        Shape (N,).
    cause
        Shape (N,), 0 for censored, 1 for the event, 2 and on for the competing ones in their order.
    arm, school
        Shape (N,), positions in the question's arms and in ``schools``.
    schools
        Names, sorted.
    n_missing
        Rows without a time or a status.
    n_before_start
        Rows with a time of zero or less, which are left out.
    """

    frame: pd.DataFrame
    time: np.ndarray
    cause: np.ndarray
    arm: np.ndarray
    school: np.ndarray
    schools: tuple[str, ...]
    n_missing: int
    n_before_start: int

    def horizon(self, question: TimeToEvent) -> float:
        """Return the time to which every arm (of every country) was followed: the least of their longest times.

        Parameters
        ----------
        question
            Whose country column is used, if it has one.
        """
        groups = [self.arm]
        if question.country is not None:
            groups.append(self.frame[question.country].astype(str).to_numpy())
        return float(pd.Series(self.time).groupby(groups).max().min())


def durations(frame: pd.DataFrame, question: TimeToEvent) -> Durations:
    """Turn a frame into times and causes.

    Parameters
    ----------
    frame
        One row a pupil.
    question
        Which column plays which part.

    Raises
    ------
    EstimationError
        When a column is not there, a status is none of the question's, a school stands in two arms, an arm is unknown,
        or nobody has a time.
    """
    frame = _checked(frame, question)
    time, status = numeric_column(frame, question.time), frame[question.status]
    known = np.isfinite(time) & status.notna().to_numpy(dtype=bool)
    started = known & (time > 0)
    if not started.any():
        raise EstimationError(f"time '{question.time}'", "no pupil has one above 0.", "Count from the trial's start.")
    rows = frame.loc[started]
    causes = dict.fromkeys(question.censored, 0) | {question.event: 1}
    causes |= {word: place for place, word in enumerate(question.competing, start=2)}
    codes, labels = pd.factorize(rows[question.school].astype(str), sort=True)
    arms = {arm: place for place, arm in enumerate(question.arms)}
    return Durations(
        frame=rows,
        time=time[started],
        cause=rows[question.status].astype(str).map(causes).to_numpy(dtype=int),
        arm=rows[question.arm].astype(str).map(arms).to_numpy(dtype=int),
        school=codes,
        schools=tuple(str(label) for label in labels),
        n_missing=int((~known).sum()),
        n_before_start=int((known & (time <= 0)).sum()),
    )


def _checked(frame: pd.DataFrame, question: TimeToEvent) -> pd.DataFrame:
    place = f"time '{question.time}'"
    model = question.model()
    frame = checked_frame(frame, (*model.columns, question.status, question.country), place=place)
    words = {question.event, *question.competing, *question.censored}
    strange = sorted(set(frame[question.status].dropna().astype(str)) - words)
    if strange:
        raise EstimationError(
            f"column '{question.status}'",
            f"'{strange[0]}' is neither the event, competing nor censored.",
            "Name the status in the question.",
        )
    require_filled(frame, question.school, "school", place=place)
    require_arms(frame, arm=question.arm, arms=question.arms, school=question.school, place=place)
    return frame
