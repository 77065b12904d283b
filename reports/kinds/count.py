"""Outcomes that count: means, in their own units, and their ratio."""

from __future__ import annotations

from reports.kinds.continuous import ContinuousWords
from reports.words import Words


class CountWords(ContinuousWords):
    """Mean counts; the sentences are those of means."""

    def note_on_ratio(self, words: Words) -> str:
        """Return how the relative change of this kind of outcome is made."""
        return words.text("Of counts the relative change is that of the adjusted mean: the rate ratio, less one.")
