"""Outcomes that are a time until an event: so many of every 100 pupils within a stated time."""

from __future__ import annotations

from collections.abc import Mapping

from reports.blocks import Inline
from reports.comparisons import Comparison, describe_event, describe_time_horizon
from reports.evidence import OutcomeFacts
from reports.kinds.binary import BinaryWords
from reports.words import Value, Words, message


class TimeToEventWords(BinaryWords):
    """Shares within the horizon; the sentences are those of shares, with the time in them."""

    def unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit in which figures are printed, as tables name it."""
        return words.text("per 100 pupils within {time}", time=describe_time_horizon(words, outcome))

    def levels(self, words: Words, one: Comparison, values: Mapping[str, Value]) -> Inline:
        """Return the sentence with the share of both arms, which is an estimate also where nothing is adjusted."""
        template = message(
            "Of every 100 pupils, an estimated {first} {event} in {reference} and {second} in {schools}."
        )
        return words.line(template, event=describe_event(words, one.outcome), **values)

    def note_on_means(self, words: Words) -> str:
        """Return how shares are made."""
        return words.text(
            "Shares within a time, the observed ones too, are by the method of Kaplan and Meier, which allows for"
            " pupils who were not seen for so long."
        )

    def caption_of_means(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return what the figure of the arms' shares shows."""
        return words.text(
            "{outcome} by arm, within {time}, by the method of Kaplan and Meier",
            outcome=outcome.label,
            time=describe_time_horizon(words, outcome),
        )

    def note_on_scale(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return by when pupils are counted, and how those are who were not seen so long."""
        return words.text(
            "The share of pupils to whom it happened within {time}, by the method of Kaplan and Meier: a pupil who was"
            " last seen earlier counts until then, and is taken to be like those of the arm who were seen for longer.",
            time=describe_time_horizon(words, outcome),
        )
