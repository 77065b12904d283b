"""Outcomes that count: days of absence, notices, lessons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.outcomes.continuous import Continuous

if TYPE_CHECKING:
    import pandas as pd

    from analysis.arms import ArmPair
    from analysis.estimators.estimator import ArmModel
    from analysis.questions import Question
    from analysis.results import Estimate

_NO_RATIO = "The adjusted mean of an arm is not above 0: it has no ratio."


@dataclass(frozen=True, slots=True)
class Count(Continuous):
    """A whole number from 0 per pupil, of which arms have means; two means have a ratio as well."""

    name: ClassVar[str] = "count"
    ratio: ClassVar[str] = "rate_ratio"
    is_whole: ClassVar[bool] = True

    def find_invalid_values(self, frame: pd.DataFrame, question: Question) -> str:
        """Return how many values are not whole numbers from 0; empty when there are none."""
        from analysis.guards import describe_noncount_values, read_numeric_column

        return describe_noncount_values(read_numeric_column(frame, question.outcome), question.outcome)

    def find_impossible_mean(self, mean: float) -> str:
        """Return why no mean count can have a value; empty where one can."""
        return "The mean of the reference arm plus the difference is below 0, which no count is." if mean < 0 else ""

    def with_caution_of_spread(self, icc: Estimate) -> Estimate:
        """Return an intraclass correlation with a caution: its interval rests on normal errors (HONESTY.md)."""
        return icc.with_caution("skewed")

    def relative_rows(
        self,
        model: ArmModel | None,
        difference: Estimate,
        *,
        pair: ArmPair,  # noqa: ARG002 -- what it guards against are shares of nobody
    ) -> list[Estimate]:
        """Return the ratio of the two adjusted means."""
        from analysis.results import create_failed_row

        row = replace(difference, quantity=self.ratio)
        if model is None or difference.status == "failed":
            return [create_failed_row(row)]
        means = model.standardise()
        place = means.arms.index(difference.arm)
        if not (means.values[0] > 0 and means.values[place] > 0):  # noqa: PD011 -- no frame
            return [replace(create_failed_row(row), reason=_NO_RATIO)]
        return [means.ratio(means.labelled(difference), place, quantity=self.ratio)]
