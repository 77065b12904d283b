"""Names and identifiers of pupils, kept out of what people and stores are told."""

from __future__ import annotations

import re
from collections.abc import Iterable

from data_schema.fields import folded

_WORD = re.compile(r"[^\W\d_]{3,}")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DIGIT = re.compile(r"\d")
_SHORTEST_IDENTIFIER = 5
"""Shorter ones are ordinary numbers as well, and say nothing away from their school."""


class Withheld:
    """Knows what must not be shown.

    Parameters
    ----------
    names
        Direct identifiers that were sent, such as names of pupils.
    identifiers
        Identifiers of pupils that were sent.
    """

    __slots__ = ("_identifiers", "_names", "_words")

    def __init__(self, *, names: Iterable[str], identifiers: Iterable[str]) -> None:
        self._names = {frozenset(_WORD.findall(folded(name))) for name in set(names)} - {frozenset()}
        self._words = frozenset().union(*self._names)
        self._identifiers = frozenset(
            text.strip() for text in set(identifiers) if len(text.strip()) >= _SHORTEST_IDENTIFIER
        )

    def covers(self, text: str) -> bool:
        """Whether a text holds a word of a name, or is the identifier of a pupil."""
        if text.strip() in self._identifiers:
            return True
        return not self._words.isdisjoint(_WORD.findall(folded(text)))

    def is_name(self, text: str) -> bool:
        """Whether a text holds every word of a name of two words or more."""
        words = frozenset(_WORD.findall(folded(text)))
        if self._words.isdisjoint(words):
            return False
        return any(len(name) > 1 and name <= words for name in self._names)


def looks_like_name(text: str, *, among_words: bool) -> bool:
    """Whether a text that stands where it does not belong may be a name that no list holds.

    Parameters
    ----------
    text
        What stands there.
    among_words
        Whether words belong there, as answers do; a single one is then shown, so that it can be understood.

    Examples
    --------
    >>> looks_like_name("Nagy Bence", among_words=True), looks_like_name("1O", among_words=False)
    (True, False)
    """
    if _DIGIT.search(text):
        return False
    return len(_LETTERS.findall(text)) > 1 or (not among_words and _WORD.search(text) is not None)
