"""Outcomes that are ordered categories: mean scores, in steps of their scale."""

from __future__ import annotations

from collections.abc import Mapping

from reports.blocks import Inline
from reports.comparisons import Comparison, format_unit_in_text
from reports.evidence import OutcomeFacts
from reports.kinds.continuous import ContinuousWords
from reports.words import Value, Words, message


class OrdinalWords(ContinuousWords):
    """Mean scores; a difference is in steps of the scale, each of which counts as one."""

    def unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit in which figures are printed, as tables name it."""
        return outcome.unit or words.text("steps of the scale")

    def running_unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit as running text names it."""
        return format_unit_in_text(outcome) or words.text("steps of the scale")

    def levels(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the mean score of both arms, and the ends of the scale."""
        if not one.outcome.scale:
            return super().levels(words, one, values)
        template = message(
            "{outcome}: on the scale from {lowest} to {highest}, the mean was {first} in {reference} and {second} in"
            " {schools}."
        )
        low, high = _describe_scale_ends(words, one.outcome)
        return words.line(template, outcome=one.outcome.label, lowest=low, highest=high, **values)

    def note_on_scale(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return how answers become numbers, where the plan lists the outcome."""
        steps = words.listed([_format_category(words, score, label) for score, label in outcome.scale])
        return words.text("Answers are scored {scale}; each step counts as one.", scale=steps) if steps else ""

    def mean_axis(self, words: Words, one: Comparison) -> str:
        """Return what the axis of means shows."""
        label = one.outcome.label
        if not one.outcome.scale:
            return words.text("{outcome}, mean score", outcome=label)
        low, high = _describe_scale_ends(words, one.outcome)
        return words.text("{outcome}, mean from {lowest} to {highest}", outcome=label, lowest=low, highest=high)


def _describe_scale_ends(words: Words, outcome: OutcomeFacts) -> tuple[str, str]:
    return _format_category(words, *outcome.scale[0]), _format_category(words, *outcome.scale[-1])


def _format_category(words: Words, score: int, label: str) -> str:
    """Return a category as its score, with its label where it has another."""
    number = words.numbers.count(score)
    return number if label == str(score) else words.text("{score} ({label})", score=number, label=label)
