"""Outcomes that are an event: so many of every 100 pupils."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.blocks import Inline, Span
from reports.comparisons import Comparison, describe_event, describe_pupils_with_event
from reports.evidence import OutcomeFacts
from reports.kinds.kind import KindWords
from reports.words import Value, Words, message

_FINDINGS = {
    "less": message("Fewer pupils {event} in {schools}"),
    "more": message("More pupils {event} in {schools}"),
    "unclear lower": message("We cannot say whether fewer pupils {event} in {schools}"),
    "unclear higher": message("We cannot say whether more pupils {event} in {schools}"),
}
_REDUCED = message(
    "Being drawn as one of the {schools} reduced the number of {who} by {size} per 100 pupils"
    " ({level} interval: {low} to {high})."
)
_RAISED = message(
    "Being drawn as one of the {schools} raised the number of {who} by {size} per 100 pupils"
    " ({level} interval: {low} to {high})."
)


class BinaryWords(KindWords):
    """Shares, printed per 100 pupils with one decimal."""

    def digits(self, std_error: float) -> int:  # noqa: ARG002 -- pupils of 100 have one decimal always
        """Return the decimals in print that the precision of an effect bears."""
        return 1

    def note_on_scale(self, words: Words, outcome: OutcomeFacts) -> str:  # noqa: ARG002 -- shares have no unit
        """Return nothing: shares have no unit of their own."""
        return ""

    def unit(self, words: Words, outcome: OutcomeFacts) -> str:  # noqa: ARG002 -- all shares have one unit
        """Return the unit in which figures are printed, as tables name it."""
        return words.text("per 100 pupils")

    def finding(self, words: Words, one: Comparison, what: str, schools: str) -> str:
        """Return the finding as a title, by the event where the outcome has words for it."""
        if not one.outcome.event:
            return super().finding(words, one, what, schools)
        return words.text(_FINDINGS[what], event=describe_event(words, one.outcome), schools=schools)

    def levels(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the share of both arms."""
        if one.outcome.event:
            template = message("Of every 100 pupils, {first} {event} in {reference} and {second} in {schools}.")
            return words.line(template, event=describe_event(words, one.outcome), **values)
        template = message("{outcome}: {first} of every 100 pupils in {reference} and {second} in {schools}.")
        return words.line(template, outcome=one.outcome.label, **values)

    def effect(self, words: Words, one: Comparison, values: Mapping[str, Value], *, raised: bool) -> Inline:
        """Return the sentence with a clear effect."""
        return words.line(_RAISED if raised else _REDUCED, who=describe_pupils_with_event(words, one.outcome), **values)

    def unclear_effect(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with what the data are compatible with."""
        template = message(
            "We cannot say whether being drawn as one of the {schools} changed the number of {who}: the data are"
            " compatible with anything between {low} and {high} per 100 pupils ({level} interval; best single estimate:"
            " {best})."
        )
        return words.line(template, who=describe_pupils_with_event(words, one.outcome), **values)

    def amount(self, words: Words, number: Span, *, below: bool) -> Inline:
        """Return a difference as "2.3 fewer" or "0.7 more"."""
        return words.line("{n} fewer", n=number) if below else words.line("{n} more", n=number)

    def short(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:  # noqa: ARG002 -- no unit
        """Return a result in one clause."""
        return words.line("{outcome}: {amount} per 100 pupils ({level} interval: {interval}).", **values)

    def tile(self, words: Words, one: Comparison, schools: str) -> str:
        """Return what stands below the difference where it is a key figure."""
        return words.text(
            "{who} per 100 pupils in {schools}", who=describe_pupils_with_event(words, one.outcome), schools=schools
        )

    def level_tile(self, words: Words, one: Comparison, schools: str) -> str:
        """Return what stands below an arm's share where it is a key figure; empty without words for the event."""
        if not one.outcome.event:
            return ""
        return words.text(
            "of every 100 pupils {event} in {schools}", event=describe_event(words, one.outcome), schools=schools
        )

    def robust_interval(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the interval by errors that do not rest on the model."""
        return words.line(
            "With standard errors that do not rest on the model ({errors}), the interval is {low} to {high} per 100"
            " pupils ({p}).",
            **values,
        )

    def further_country(self, words: Words, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the prediction interval of a further country."""
        return words.line(
            "In a further country like these, the difference could be anywhere from {low} to {high} per 100 pupils.",
            **values,
        )

    def difference_axis(self, words: Words, one: Comparison, values: Mapping[str, str]) -> str:  # noqa: ARG002 -- no unit
        """Return what the axis of differences shows."""
        return words.text("Difference per 100 pupils ({first} minus {second})", **values)

    def mean_axis(self, words: Words, one: Comparison) -> str:
        """Return what the axis of shares shows."""
        if one.outcome.event:
            return words.text("Pupils of every 100 who {event}", event=describe_event(words, one.outcome))
        return words.text("{outcome}, per 100 pupils", outcome=one.outcome.label)

    def mean_limits(self, values: Sequence[float]) -> tuple[float, float]:
        """Return the ends of the axis of shares: from none to a little more than the largest."""
        return 0.0, min(max(values) * 1.15, 104.0) or 1.0
