"""Outcomes that are a time until an event: so many of every 100 pupils within a stated time."""

from __future__ import annotations

from reports.comparisons import horizon_of
from reports.evidence import OutcomeFacts
from reports.kinds.binary import BinaryWords
from reports.words import Words


class TimeToEventWords(BinaryWords):
    """Shares within the horizon; the sentences are those of shares, with the time in them."""

    def unit(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return the unit in which figures are printed, as tables name it."""
        return words.text("per 100 pupils within {time}", time=horizon_of(words, outcome))

    def note_on_scale(self, words: Words, outcome: OutcomeFacts) -> str:
        """Return by when pupils are counted, and how those are who were not seen so long."""
        return words.text(
            "The share of pupils to whom it happened within {time}, by the method of Kaplan and Meier: a pupil who was"
            " seen for less counts until it was last seen.",
            time=horizon_of(words, outcome),
        )
