"""Kinds of outcomes, one class per file.

The protocol, its checks, the estimates and the reports take them from `OUTCOME_KINDS`; `reports.kinds` has the words
and figures of each. As with the estimators, what computes is imported when it is used.
"""

from __future__ import annotations

from analysis.outcomes.binary import Binary
from analysis.outcomes.continuous import Continuous
from analysis.outcomes.count import Count
from analysis.outcomes.kind import OutcomeKind, further_column
from analysis.outcomes.ordinal import LEAST_CATEGORIES, MOST_CATEGORIES, Ordinal
from analysis.outcomes.time_to_event import TimeToEvent

OUTCOME_KINDS: dict[str, OutcomeKind] = {
    kind.name: kind for kind in (Continuous(), Binary(), Count(), Ordinal(), TimeToEvent())
}

__all__ = [
    "LEAST_CATEGORIES",
    "MOST_CATEGORIES",
    "OUTCOME_KINDS",
    "Binary",
    "Continuous",
    "Count",
    "Ordinal",
    "OutcomeKind",
    "TimeToEvent",
    "further_column",
]
