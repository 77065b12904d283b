"""What reports say of a kind of outcome: its sentences, the labels of its figures, and how precisely it is printed.

The counterpart of `analysis.outcomes`. Everything that differs between kinds is asked of one of these objects, so that
no section, table or figure asks which kind it has before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from reports.blocks import Inline, Span
from reports.comparisons import Comparison
from reports.evidence import OutcomeFacts
from reports.words import Value, Words, message

_FINDINGS = {
    "less": message("{outcome}: lower in {schools}"),
    "more": message("{outcome}: higher in {schools}"),
    "unclear lower": message("{outcome}: lower or higher in {schools}, we cannot say"),
    "unclear higher": message("{outcome}: higher or lower in {schools}, we cannot say"),
}


class KindWords(ABC):
    """The words and figures of one kind of outcome."""

    @abstractmethod
    def digits(self, std_error: float) -> int:
        """Return the decimals in print that the precision of an effect bears; NaN where it is unknown."""

    @abstractmethod
    def unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit in which figures are printed, as tables name it."""

    def finding(self, words: Words, one: Comparison, what: str, schools: str) -> str:
        """Return the finding as a title, by the outcome's label.

        Parameters
        ----------
        what
            "less", "more", "unclear lower" or "unclear higher" (which way is good).
        schools
            What running text calls the schools of the arm.
        """
        return words.text(_FINDINGS[what], outcome=one.outcome.label, schools=schools)

    @abstractmethod
    def levels(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the level of both arms.

        Parameters
        ----------
        values
            ``first`` and ``second`` (the levels), ``reference`` and ``schools`` (the arms).
        """

    @abstractmethod
    def effect(self, words: Words, one: Comparison, values: Mapping[str, Value], *, raised: bool) -> Inline:
        """Return the sentence with a clear effect.

        Parameters
        ----------
        values
            ``schools``, ``size``, ``level``, ``low`` and ``high``.
        raised
            Whether figures grew.
        """

    @abstractmethod
    def unclear_effect(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with what the data are compatible with.

        Parameters
        ----------
        values
            ``schools``, ``low``, ``high``, ``best`` and ``level``.
        """

    @abstractmethod
    def amount(self, words: Words, number: Span, *, below: bool) -> Inline:
        """Return a difference in words, such as "2.3 fewer"; ``below`` says that it is negative."""

    @abstractmethod
    def short(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return a result in one clause.

        Parameters
        ----------
        values
            ``outcome``, ``amount``, ``level`` and ``interval``.
        """

    @abstractmethod
    def tile(self, words: Words, one: Comparison, schools: str) -> str:
        """Return what stands below the difference where it is a key figure."""

    @abstractmethod
    def level_tile(self, words: Words, one: Comparison, schools: str) -> str:
        """Return what stands below an arm's level where it is a key figure; empty where none is printed."""

    @abstractmethod
    def robust_interval(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the interval by errors that do not rest on the model.

        Parameters
        ----------
        values
            ``errors`` (their name), ``low``, ``high`` and ``p``.
        """

    @abstractmethod
    def further_country(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the prediction interval of a further country: ``low``, ``high``."""

    @abstractmethod
    def difference_axis(self, words: Words, one: Comparison, values: Mapping[str, str]) -> str:
        """Return what the axis of differences shows: ``first`` minus ``second``."""

    @abstractmethod
    def mean_axis(self, words: Words, one: Comparison) -> str:
        """Return what the axis of means shows, with its unit."""

    def note_on_scale(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return what an outcome's values are, where the plan lists it; empty where its definition says all."""
        return words.text("In {unit}.", unit=outcome.unit) if outcome.unit else ""

    def note_on_means(self, words: Words) -> str:  # noqa: ARG002 -- for the kinds that need it
        """Return what figures of arms are that tables call observed; empty where they are just that."""
        return ""

    def caption_of_means(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return what the figure of the arms' means shows."""
        return words.text("{outcome} by arm, as observed", outcome=outcome.label)

    def note_on_ratio(self, words: Words) -> str:  # noqa: ARG002 -- for the kinds that need it
        """Return how a relative change is made where it is not of shares; empty otherwise."""
        return ""

    @abstractmethod
    def mean_limits(self, values: Sequence[float]) -> tuple[float, float]:
        """Return the ends of the axis of means, for means in printed units."""
