"""Outcomes that are numbers: means, in their own units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from reports.blocks import Inline, Span
from reports.comparisons import Comparison, format_unit_in_text
from reports.evidence import OutcomeFacts
from reports.kinds.kind import KindWords
from reports.words import Value, Words, message

_REDUCED = message(
    "Being drawn as one of the {schools} reduced the mean by {size} {unit} ({level} interval: {low} to {high})."
)
_RAISED = message(
    "Being drawn as one of the {schools} raised the mean by {size} {unit} ({level} interval: {low} to {high})."
)
_MOST_DECIMALS = 4


class ContinuousWords(KindWords):
    """Means, printed to the place of the effect's standard error."""

    def digits(self, std_error: float) -> int:
        """Return the decimals in print that the precision of an effect bears."""
        if not (math.isfinite(std_error) and std_error > 0):
            return 2
        return min(max(0, -math.floor(math.log10(std_error))), _MOST_DECIMALS)

    def unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit in which figures are printed, as tables name it."""
        return outcome.unit or words.text("mean")

    def running_unit(self, words: Words, outcome: OutcomeFacts) -> str:  # noqa: ARG002 -- for the kinds that need it
        """Return the unit as running text names it; empty for none."""
        return format_unit_in_text(outcome)

    def levels(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the mean of both arms."""
        template = message("{outcome}: the mean was {first} {unit} in {reference} and {second} in {schools}.")
        return words.line(template, outcome=one.outcome.label, unit=self.running_unit(words, one.outcome), **values)

    def effect(self, words: Words, one: Comparison, values: Mapping[str, Value], *, raised: bool) -> Inline:
        """Return the sentence with a clear effect."""
        return words.line(_RAISED if raised else _REDUCED, unit=self.running_unit(words, one.outcome), **values)

    def unclear_effect(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with what the data are compatible with."""
        if not self.running_unit(words, one.outcome):
            template = message(
                "We cannot say whether being drawn as one of the {schools} changed the mean: the data are compatible"
                " with anything between {low} and {high} ({level} interval; best single estimate: {best})."
            )
            return words.line(template, **values)
        template = message(
            "We cannot say whether being drawn as one of the {schools} changed the mean: the data are compatible with"
            " anything between {low} and {high}, in {unit} ({level} interval; best single estimate: {best})."
        )
        return words.line(template, unit=self.running_unit(words, one.outcome), **values)

    def amount(self, words: Words, number: Span, *, below: bool) -> Inline:
        """Return a difference as "0.1 lower" or "0.1 higher"."""
        return words.line("{n} lower", n=number) if below else words.line("{n} higher", n=number)

    def short(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return a result in one clause."""
        if not self.running_unit(words, one.outcome):
            return words.line("{outcome}: {amount} ({level} interval: {interval}).", **values)
        unit = self.running_unit(words, one.outcome)
        return words.line("{outcome}: {amount}, in {unit} ({level} interval: {interval}).", unit=unit, **values)

    def tile(self, words: Words, one: Comparison, schools: str) -> str:
        """Return what stands below the difference where it is a key figure."""
        outcome = one.outcome
        if not self.running_unit(words, outcome):
            return words.text("{outcome} in {schools}", outcome=outcome.label, schools=schools)
        unit = self.running_unit(words, outcome)
        return words.text("{outcome} in {schools}, {unit}", outcome=outcome.label, schools=schools, unit=unit)

    def level_tile(self, words: Words, one: Comparison, schools: str) -> str:  # noqa: ARG002 -- a mean alone says little
        """Return nothing: a mean without the other one says little."""
        return ""

    def robust_interval(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the interval by errors that do not rest on the model."""
        return words.line(
            "With standard errors that do not rest on the model ({errors}), the interval is {low} to {high} ({p}).",
            **values,
        )

    def further_country(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the prediction interval of a further country."""
        return words.line(
            "In a further country like these, the difference could be anywhere from {low} to {high}.", **values
        )

    def difference_axis(self, words: Words, one: Comparison, values: Mapping[str, str]) -> str:
        """Return what the axis of differences shows, with its unit."""
        unit = self.running_unit(words, one.outcome)
        if not unit:
            return words.text("Difference ({first} minus {second})", **values)
        return words.text("Difference in {unit} ({first} minus {second})", unit=unit, **values)

    def mean_axis(self, words: Words, one: Comparison) -> str:
        """Return what the axis of means shows, with its unit."""
        unit = self.running_unit(words, one.outcome)
        return words.text("{outcome}, {unit}", outcome=one.outcome.label, unit=unit) if unit else one.outcome.label

    def mean_limits(self, values: Sequence[float]) -> tuple[float, float]:
        """Return the ends of the axis of means: a little room on both sides."""
        low, high = min(values), max(values)
        room = max(high - low, abs(high) * 0.02) * 0.35 or 1.0
        return low - room, high + room
