"""Outcomes that are an event: a pupil had it or had not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.outcomes.kind import OutcomeKind

if TYPE_CHECKING:
    import pandas as pd

    from analysis.arms import ArmPair
    from analysis.estimators.estimator import ArmModel
    from analysis.questions import Question
    from analysis.results import Estimate


@dataclass(frozen=True, slots=True)
class Binary(OutcomeKind):
    """0 or 1 per pupil, of which arms have shares; they are printed per 100 pupils."""

    name: ClassVar[str] = "binary"
    is_share: ClassVar[bool] = True
    is_yes_no: ClassVar[bool] = True
    is_whole: ClassVar[bool] = True
    ratio: ClassVar[str] = "risk_ratio"
    standardised: ClassVar[str] = "cox_index"

    def find_invalid_values(self, frame: pd.DataFrame, question: Question) -> str:
        """Return how many values are neither 0 nor 1; empty when there are none."""
        from analysis.guards import describe_nonbinary_values, read_numeric_column

        return describe_nonbinary_values(read_numeric_column(frame, question.outcome), question.outcome)

    def find_impossible_mean(self, mean: float) -> str:
        """Return why no share can have a value; empty where one can."""
        if not 0 <= mean <= 1:
            return "The share of the reference arm plus the difference is below 0 or above 1, which no share is."
        return ""

    def with_cautions(self, difference: Estimate, pair: ArmPair) -> Estimate:
        """Return a difference with a caution where few pupils of an arm had the event, or had it not."""
        from analysis.arms import mark_few_events

        return mark_few_events(difference, pair)

    def relative_rows(self, model: ArmModel | None, difference: Estimate, *, pair: ArmPair) -> list[Estimate]:
        """Return Cox index, risk ratio, odds ratio and number needed to treat.

        Where nobody or everybody of an arm had the event a linear model has no ratio.
        """
        from analysis.effect_sizes import number_needed_to_treat
        from analysis.standardised import build_unrelated_rows

        if model is None or difference.status == "failed":
            return [*build_unrelated_rows(difference, difference.reason), number_needed_to_treat(difference)]
        alike = next((data.arm for data in pair if data.is_all_alike), "")
        if alike and model.fit.differences is None:
            reason = f"Too few pupils of the arm {alike} had the event, or had it not, for a ratio and for odds."
            return [*build_unrelated_rows(difference, reason), number_needed_to_treat(difference)]
        shares = model.standardise()
        n_pupils = int(sum(data.sizes.sum() for data in pair))
        place = shares.arms.index(difference.arm)
        return list(shares.relative(difference, place, difference=difference, n_pupils=n_pupils))
