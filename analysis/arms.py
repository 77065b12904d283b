"""Observed outcomes of the arms at one place, and what a comparison of two of them is to be read with care for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.guards import FLAT, read_numeric_column

if TYPE_CHECKING:
    import pandas as pd

    from analysis.questions import Question
    from analysis.results import Estimate

FEW_EVENTS = 10
"""With fewer pupils of an arm who had the event, or who had not, intervals of shares and ratios get a caution."""

_FEW_DF = 4
"""With fewer degrees of freedom of a t statistic its distribution is no longer well approximated (Tipton 2015,
Psychological Methods 20, 375-393), so that its row gets a caution."""

_FEW_SCHOOLS, _UNLIKE = 8, 1.5
"""With fewer schools in one arm, and so many times as many in the other, any error rests on schools of both arms
differing from each other alike: with three times the deviations in the smaller arm tests with CR2 errors at 5 % reject
in 7 to 10 of 100 trials, from eight schools on in less than 7 (analysis/HONESTY.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmData:
    """Observed outcomes of one arm at one place.

    Parameters
    ----------
    arm
        Its name.
    mean
        Mean of the pupils with an outcome; NaN without any.
    sizes
        Pupils with an outcome by school, schools without left out.
    n_events, n_without
        Pupils who were seen to have the event, and to have it not: those whose outcome is 1, and is anything else.
    varies
        Whether its pupils' outcomes differ.
    """

    arm: str
    mean: float
    sizes: np.ndarray
    n_events: int
    n_without: int
    varies: bool

    @property
    def is_seen(self) -> bool:
        """Whether the mean is that of values which were seen of every pupil; some are not of times until an event."""
        return self.n_events + self.n_without == int(self.sizes.sum())

    @property
    def has_few_events(self) -> bool:
        """Whether so few pupils had the event, or had it not, that intervals of the share are only approximate."""
        return min(self.n_events, self.n_without) < FEW_EVENTS

    @property
    def is_all_alike(self) -> bool:
        """Whether nobody or everybody had the event."""
        return min(self.n_events, self.n_without) == 0


ArmPair = tuple[ArmData, ArmData]
"""The reference and the arm that is compared with it."""


def collect_observed_arms(frame: pd.DataFrame, question: Question) -> tuple[ArmData, ...]:
    """Return every arm's observed outcomes, in the question's order.

    Parameters
    ----------
    frame
        One row per pupil of one place.
    question
        What is asked.
    """
    outcome = read_numeric_column(frame, question.outcome)
    event = question.outcome_kind.seen_events(frame, question)
    arms = frame[question.arm].astype(str).to_numpy()
    schools = frame[question.school].astype(str).to_numpy()
    result = []
    for arm in question.arms:
        rows = (arms == arm) & np.isfinite(outcome)
        sizes = np.unique(schools[rows], return_counts=True)[1]
        values = outcome[rows]
        result.append(
            ArmData(
                arm=arm,
                mean=float(values.mean()) if rows.any() else np.nan,
                sizes=sizes,
                n_events=int((event[rows] == 1).sum()),
                n_without=int((np.isfinite(event[rows]) & (event[rows] != 1)).sum()),
                varies=bool(rows.any() and np.ptp(values) > FLAT * np.abs(values).max()),
            )
        )
    return tuple(result)


def mark_few_df(row: Estimate) -> Estimate:
    """Return a row with a caution where its t statistic has hardly any degrees of freedom."""
    return row.with_caution("few_df") if row.df < _FEW_DF else row


def mark_few_schools(row: Estimate, pair: ArmPair) -> Estimate:
    """Return a row with a caution where one arm has few schools and the other many more."""
    fewer, more = sorted(len(data.sizes) for data in pair)
    return row.with_caution("few_schools") if fewer < _FEW_SCHOOLS and more >= _UNLIKE * fewer else row


def mark_few_events(row: Estimate, pair: ArmPair) -> Estimate:
    """Return a row with a caution where few pupils of an arm had the event, or had it not."""
    return row.with_caution("few_events") if any(data.has_few_events for data in pair) else row
