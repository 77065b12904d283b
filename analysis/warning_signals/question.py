"""What is asked of warning signals, and frames as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.guards import binary_reason, checked_frame, numeric_column, require_filled
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalQuestion:
    """Signals of pupils, what they should tell of, and where.

    Parameters
    ----------
    outcome
        Column of 0, 1 or missing: whether the pupil left early.
    signals
        Columns, numbers or yes and no, more being more worrying. Where a school's signal is missing the pupil is not
        flagged.
    capacity
        Share of a school's pupils that its team can look after, above 0 and below 1.
    school
        Column of the school.
    arm, reference_arm
        Column of the arm and the arm whose schools are used: in the others the team acts on the signals, and whom it
        kept in school looks like a false alarm. None for data from before the intervention.
    country
        Column of the country; None for none.
    groups
        Columns of groups that signals should treat alike, such as gender and disadvantage.
    lead_time
        Column of the time between signal and leaving, for those who left; None for none.
    lead_bounds
        Where bands of lead time begin, increasing, in the column's unit.
    """

    outcome: str
    signals: tuple[str, ...]
    capacity: float
    school: str = "school_id"
    arm: str | None = None
    reference_arm: str | None = None
    country: str | None = None
    groups: tuple[str, ...] = ()
    lead_time: str | None = None
    lead_bounds: tuple[float, ...] = (0.0, 3.0, 6.0, 12.0)

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        place = f"signals of '{self.outcome}'"
        if not 0 < self.capacity < 1:
            raise EstimationError(place, f"a capacity of {self.capacity} is no share.", "Give one between 0 and 1.")
        if not self.signals:
            raise EstimationError(place, "no signal is named.", "Name one column or more.")
        if (self.arm is None) != (self.reference_arm is None):
            raise EstimationError(place, "an arm's column and its reference belong together.", "Name both or neither.")
        if list(self.lead_bounds) != sorted(set(self.lead_bounds)) or not self.lead_bounds:
            raise EstimationError(place, "the bounds of lead time do not increase.", "Sort them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRows:
    """Pupils with an outcome, sorted by school.

    Parameters
    ----------
    frame
        Their rows.
    left
        Shape (N,), 0 or 1.
    school
        Shape (N,), positions in ``schools``, never decreasing.
    schools
        Names.
    n_missing_outcome, n_other_arms
        Rows left out.
    """

    frame: pd.DataFrame
    left: np.ndarray
    school: np.ndarray
    schools: tuple[str, ...]
    n_missing_outcome: int
    n_other_arms: int

    def signal(self, name: str) -> np.ndarray:
        """Return a signal as numbers, NaN where it is missing."""
        return numeric_column(self.frame, name)


def signal_rows(frame: pd.DataFrame, question: SignalQuestion) -> SignalRows:
    """Turn a frame into arrays.

    Parameters
    ----------
    frame
        One row per pupil.
    question
        Which column plays which part.

    Raises
    ------
    EstimationError
        When a column is not there, the outcome is not 0 or 1, or nobody (or everybody) left.
    """
    needed = [question.outcome, question.school, *question.signals, *question.groups]
    needed += [name for name in (question.arm, question.country, question.lead_time) if name is not None]
    place = f"signals of '{question.outcome}'"
    frame = checked_frame(frame, needed, place=place)
    require_filled(frame, question.school, "school", place=place)
    ours = np.ones(len(frame), dtype=bool)
    if question.arm is not None:
        ours = (frame[question.arm].astype(str) == question.reference_arm).to_numpy(dtype=bool)
    outcome = numeric_column(frame, question.outcome)
    known = ours & np.isfinite(outcome)
    other = binary_reason(outcome[known], question.outcome)
    if other:
        raise EstimationError(place, f"the outcome is not 0 or 1. {other}", "Say who left by 1 and who stayed by 0.")
    if not known.any() or np.ptp(outcome[known]) == 0:
        raise EstimationError(place, "nobody left, or everybody did.", "Use a time or a group in which some did.")
    names = frame[question.school].astype(str).to_numpy()
    kept = np.flatnonzero(known)
    kept = kept[np.argsort(names[kept], kind="stable")]
    codes, labels = pd.factorize(names[kept], sort=True)
    return SignalRows(
        frame=frame.iloc[kept],
        left=outcome[kept],
        school=codes,
        schools=tuple(str(label) for label in labels),
        n_missing_outcome=int((ours & ~np.isfinite(outcome)).sum()),
        n_other_arms=int((~ours).sum()),
    )
