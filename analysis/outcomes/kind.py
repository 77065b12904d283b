"""What a kind of outcome declares: its values, the scale of its figures, and what is made of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.arms import ArmData, ArmPair
    from analysis.estimators.estimator import ArmModel
    from analysis.questions import Question
    from analysis.results import Estimate
    from analysis.variance_components import Components


def further_column(outcome: str, key: str) -> str:
    """Return the column with the values of a further field of an outcome, which a key of the protocol names."""
    return f"{outcome}.{key}"


@dataclass(frozen=True, slots=True)
class OutcomeKind:
    """A kind of outcome.

    ``name`` is what the protocol calls it, ``is_share`` whether a mean is the share of pupils who had an event,
    ``is_whole`` whether values are whole numbers from 0, ``is_ordered`` whether they are the scores of ordered
    categories, ``standardised`` the quantity that states a difference in
    standard deviations, and ``ratio`` the one that states it as a ratio of the arms' means, empty where none does.
    ``is_yes_no`` says that each pupil's value is 0 or 1, ``needs`` names the keys of the protocol that only this kind
    has and that it cannot do without, and ``fields`` those of them that name a further field of the outcome's table,
    whose values are in the column that `further_column` names.
    """

    name: ClassVar[str]
    is_share: ClassVar[bool] = False
    is_whole: ClassVar[bool] = False
    is_ordered: ClassVar[bool] = False
    standardised: ClassVar[str] = "hedges_g"
    ratio: ClassVar[str] = ""
    is_yes_no: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()

    @property
    def scale(self) -> float:
        """What figures are multiplied by in print: shares are per 100 pupils."""
        return 100.0 if self.is_share else 1.0

    def find_invalid_values(self, frame: pd.DataFrame, question: Question) -> str:  # noqa: ARG002 -- as the kind needs
        """Return why the outcome's values at one place are not of this kind, as a sentence; empty where they are.

        Parameters
        ----------
        frame
            One row per pupil of the place; missing outcomes are NaN.
        question
            What is asked.
        """
        return ""

    def prepare(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:  # noqa: ARG002 -- as the kind needs
        """Return the pupils of one place with the outcome as numbers whose means by arm are compared.

        Parameters
        ----------
        frame, question
            See `find_invalid_values`.
        """
        return frame

    def complete(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:  # noqa: ARG002 -- as the kind needs
        """Return simulated pupils, whose outcomes are values of the compared means, as if they had been prepared."""
        return frame

    def prepare_test(self, frame: pd.DataFrame, question: Question) -> pd.DataFrame:  # noqa: ARG002 -- as the kind needs
        """Return prepared pupils with the outcome as numbers that do not depend on the arms, for re-draws."""
        return frame

    def seen_events(self, frame: pd.DataFrame, question: Question) -> np.ndarray:
        """Return 1 for prepared pupils who were seen to have the event, 0 for those seen not to, and NaN for others."""
        from analysis.guards import read_numeric_column

        return read_numeric_column(frame, question.outcome)

    def find_impossible_mean(self, mean: float) -> str:  # noqa: ARG002 -- for the kinds that need it
        """Return why no mean of this kind can have a value, as a sentence; empty where one can."""
        return ""

    def with_cautions(self, difference: Estimate, pair: ArmPair) -> Estimate:  # noqa: ARG002 -- for the kinds that need it
        """Return a difference with the cautions that this kind of outcome asks for."""
        return difference

    def with_caution_of_spread(self, icc: Estimate) -> Estimate:
        """Return an intraclass correlation with the caution that this kind of outcome asks for."""
        return icc

    def relative_rows(
        self,
        model: ArmModel | None,  # noqa: ARG002 -- for the kinds that need it
        difference: Estimate,  # noqa: ARG002 -- as above
        *,
        pair: ArmPair,  # noqa: ARG002 -- as above
    ) -> list[Estimate]:
        """Return the difference in other words: ratios, odds, numbers needed; none where a mean has none.

        Parameters
        ----------
        model
            The fitted model; None where nothing could be compared.
        difference
            Of the two arms.
        pair
            Their observed outcomes, the reference first.
        """
        return []

    def standardised_rows(
        self,
        differences: Sequence[Estimate],  # noqa: ARG002 -- for the kinds that need it
        arms: Sequence[ArmData],  # noqa: ARG002 -- as above
        *,
        design: Components,  # noqa: ARG002 -- as above
        unconditional: Components,  # noqa: ARG002 -- as above
    ) -> list[Estimate]:
        """Return the differences in standard deviations of the outcome; none where ``standardised`` needs no variance.

        Parameters
        ----------
        differences
            Rows with ``quantity="difference"``.
        arms
            As `collect_observed_arms` returns them, the reference first.
        design, unconditional
            Variances at the same place, given arms, strata and countries, and of the model without them.
        """
        return []
