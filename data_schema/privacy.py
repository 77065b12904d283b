"""Names and identifiers of pupils, kept out of what people and stores are told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from data_schema.fields import folded

_WORD = re.compile(r"[^\W\d_]{3,}")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DIGIT = re.compile(r"\d")
_SHORTEST_IDENTIFIER = 5
"""Shorter ones are ordinary numbers as well, and say nothing away from their school."""
_N_LOOKED_FOR = 20
"""So many words are looked for in the text of all names before a list of its words is made."""


class Withheld:
    """Knows what must not be shown.

    Parameters
    ----------
    names
        Direct identifiers that were sent, such as names of pupils.
    identifiers
        Identifiers of pupils that were sent.
    """

    __slots__ = ("_identifiers", "_identifiers_sent", "_n_looked_for", "_names", "_texts", "_words")

    def __init__(self, *, names: Iterable[str], identifiers: Iterable[str]) -> None:
        # All names at once: a million of them one by one would take longer than reading them.
        self._texts = _folded_together(set(names))
        self._words: frozenset[str] | None = None
        self._names: set[frozenset[str]] | None = None
        self._identifiers_sent: Iterable[str] = identifiers
        self._identifiers: frozenset[str] | None = None
        self._n_looked_for = 0

    def covers(self, text: str) -> bool:
        """Whether a text holds a word of a name, or is the identifier of a pupil."""
        bare = text.strip()
        if len(bare) >= _SHORTEST_IDENTIFIER and bare in self._known_identifiers():
            return True
        return any(map(self._is_word, _WORD.findall(folded(text))))

    def _known_identifiers(self) -> frozenset[str]:
        if self._identifiers is None:
            bare = set(map(str.strip, self._identifiers_sent))
            self._identifiers = frozenset(text for text in bare if len(text) >= _SHORTEST_IDENTIFIER)
        return self._identifiers

    def _is_word(self, word: str) -> bool:
        """Whether a folded word is one of a name; the list of words is made when it is worth its while."""
        if self._words is None:
            self._n_looked_for += 1
            if self._n_looked_for <= _N_LOOKED_FOR and word not in self._texts:
                return False
            self._words = frozenset(_WORD.findall(self._texts))
        return word in self._words

    def is_name(self, text: str) -> bool:
        """Whether a text holds every word of a name of two words or more."""
        words = frozenset(_WORD.findall(folded(text)))
        if not any(map(self._is_word, words)):
            return False
        if self._names is None:
            self._names = {frozenset(_WORD.findall(text)) for text in self._texts.split("\x00")}
        return any(len(name) > 1 and name <= words for name in self._names)


def _folded_together(texts: Iterable[str]) -> str:
    """Fold texts as `folded` does, all at once, divided by a sign that no text holds."""
    joined = "\x00".join(texts)
    if joined.isascii():
        return joined.casefold()
    decomposed = unicodedata.normalize("NFKD", joined.casefold()).replace("đ", "d")
    marks = {ord(char): None for char in set(decomposed) if unicodedata.combining(char)}
    return decomposed.translate(marks)


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
