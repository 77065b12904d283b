"""Outcomes that are a time until an event: when pupils left, where not all were seen for as long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.outcomes.binary import Binary
from analysis.outcomes.kind import further_column

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.questions import Question


@dataclass(frozen=True, slots=True)
class TimeToEvent(Binary):
    """Whether a pupil had the event at its time or was last seen then; arms have shares with the event by a horizon.

    The shares are those of Kaplan and Meier: of the pupils who would have had the event by the horizon if all had been
    seen that long, where who is no longer seen does not depend on who would have it later, given the arm. Each pupil
    has a part in its arm's share (`analysis.time_to_event.pseudo_values`), so that linear models adjust and compare
    shares as those of a binary outcome, which these are where everybody is seen to the horizon.

    References
    ----------
    Logan, Zhang and Klein (2011), Biometrics 67, 1-7: linear models of pseudo-observations of pupils in clusters.
    """

    name: ClassVar[str] = "time_to_event"
    is_yes_no: ClassVar[bool] = False
    is_whole: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("time", "horizon", "unit")
    fields: ClassVar[tuple[str, ...]] = ("time",)

    def find_invalid_values(self, frame: pd.DataFrame, question: Question) -> str:
        """Return why events or times are impossible, or which arm was not followed to the horizon."""
        import numpy as np

        wrong = super(TimeToEvent, self).find_invalid_values(frame, question)
        if wrong:
            return wrong
        time, event, arm, known = _read_observed_times(frame, question)
        if (time[known] < 0).any():
            return f"The outcome '{question.outcome}' has times below 0."
        for name in question.arms:
            times, events = time[known & (arm == name)], event[known & (arm == name)]
            last = times == times.max(initial=-np.inf)
            if len(times) and times[last][0] < question.horizon and not (events[last] == 1).all():
                return (
                    f"No pupil of the arm {name} was followed for {question.horizon:g} (the longest time is"
                    f" {times[last][0]:g}): the share who had the event by then is unknown."
                )
        return ""

    def prepare(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:
        """Return each pupil's part in its arm's share, with the event beside it.

        Arms have curves of their own: pupils of one may be lost from view sooner than those of the other.
        """
        import numpy as np

        time, event, arm, known = _read_observed_times(frame, question)
        values, together, by_horizon = (np.full(len(frame), np.nan) for _ in range(3))
        for name in question.arms:
            _write_pseudo_shares(values, time, event, chosen=known & (arm == name), horizon=question.horizon)
        _write_pseudo_shares(together, time, event, chosen=known, horizon=question.horizon)
        by_horizon[known & (time >= question.horizon)] = 0.0
        by_horizon[known & (event == 1) & (time <= question.horizon)] = 1.0
        columns = {"event": event, "by_horizon": by_horizon, "together": together}
        named = {further_column(question.outcome, key): column for key, column in columns.items()}
        return frame.assign(**{question.outcome: values, **named})

    def complete(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:
        """Return simulated pupils with 1 for the event, all of whom were seen to the horizon."""
        return self.prepare(frame.assign(**{further_column(question.outcome, "time"): question.horizon}), question)

    def prepare_test(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:
        """Return each pupil's part in the share of all arms together, which no other allocation would change."""
        return frame.assign(**{question.outcome: frame[further_column(question.outcome, "together")]})

    def seen_events(self, frame: pd.DataFrame, question: Question) -> np.ndarray:
        """Return who had the event by the horizon and who was seen without it until then."""
        from analysis.guards import read_numeric_column

        return read_numeric_column(frame, further_column(question.outcome, "by_horizon"))


def _read_observed_times(
    frame: pd.DataFrame, question: Question
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return time, event and arm of the pupils, and who has both of the former."""
    import numpy as np

    from analysis.guards import read_numeric_column

    time, event = (
        read_numeric_column(frame, name) for name in (further_column(question.outcome, "time"), question.outcome)
    )
    return time, event, frame[question.arm].astype(str).to_numpy(), np.isfinite(event) & np.isfinite(time)


def _write_pseudo_shares(
    values: np.ndarray, time: np.ndarray, event: np.ndarray, *, chosen: np.ndarray, horizon: float
) -> None:
    """Fill in the parts of the chosen pupils in the share of all of them together."""
    from analysis.time_to_event.shares import pseudo_values

    if chosen.any():
        values[chosen] = pseudo_values(time[chosen], event[chosen] == 1, horizon=horizon)
