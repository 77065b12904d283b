"""Outcomes that are ordered categories: agreement from 1 to 5, never to always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.outcomes.continuous import Continuous

if TYPE_CHECKING:
    import pandas as pd

    from analysis.questions import Question

LEAST_CATEGORIES, MOST_CATEGORIES = 3, 20
"""How many categories a scale has: with two it is a binary outcome, with more than twenty a measure."""


@dataclass(frozen=True, slots=True)
class Ordinal(Continuous):
    """A category per pupil, by its score: a whole number that grows along the scale.

    What arms are compared by is the mean score. It takes the step from each category to the next as one, which every
    statement in the report that has a number of steps says; the shares above each category, which `ordinal_mixed` adds,
    do not rest on it. Source: Benkeser and others (2021), Biometrics 77, 1467-1481, section 3.
    """

    name: ClassVar[str] = "ordinal"
    is_ordered: ClassVar[bool] = True

    def find_invalid_values(self, frame: pd.DataFrame, question: Question) -> str:
        """Return how many values are not whole numbers from 0; empty when there are none."""
        from analysis.guards import describe_noncount_values, read_numeric_column

        return describe_noncount_values(read_numeric_column(frame, question.outcome), question.outcome)

    def find_impossible_mean(self, mean: float) -> str:
        """Return why no mean score can have a value; empty where one can."""
        return "The mean of the reference arm plus the difference is below 0, which no score is." if mean < 0 else ""
