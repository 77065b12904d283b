"""The words and figures of each kind of outcome, one class per file; a test holds them to `analysis.outcomes`."""

from __future__ import annotations

from collections.abc import Iterable

from reports.comparisons import Comparison
from reports.evidence import OutcomeFacts
from reports.kinds.binary import BinaryWords
from reports.kinds.continuous import ContinuousWords
from reports.kinds.count import CountWords
from reports.kinds.kind import KindWords
from reports.kinds.ordinal import OrdinalWords
from reports.kinds.time_to_event import TimeToEventWords
from reports.words import Words

KIND_WORDS: dict[str, KindWords] = {
    "continuous": ContinuousWords(),
    "binary": BinaryWords(),
    "count": CountWords(),
    "ordinal": OrdinalWords(),
    "time_to_event": TimeToEventWords(),
}

__all__ = ["KIND_WORDS", "KindWords", "notes_on_means", "words_of_kind"]


def notes_on_means(words: Words, ones: Iterable[Comparison]) -> list[str]:
    """Return what figures of arms are that tables call observed, each sentence once."""
    notes = [words_of_kind(outcome_result.outcome).note_on_means(words) for outcome_result in ones]
    return [note for note in dict.fromkeys(notes) if note]


def words_of_kind(outcome: OutcomeFacts) -> KindWords:
    """Return the words and figures of an outcome's kind."""
    return KIND_WORDS[outcome.kind]
