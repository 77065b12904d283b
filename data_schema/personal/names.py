"""Names and identifiers of persons: those that were listed, and what is written as names are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise

from data_schema.fields import normalise_word
from data_schema.personal.ordinary import OrdinaryWords

_WORD = re.compile(r"[^\W\d_]{3,}")
_WORDS = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DIGIT = re.compile(r"\d")
_RUN = re.compile(r"[^\W\d_]+(?:[\s,.'’_–-]{1,3}[^\W\d_]+)*")
_HUMP = re.compile(r"(?<=[^\W\d_])(?=[^\W\d_])")
_WITHIN = re.compile(r"(?<=[^\s.!?:–-] )[^\W\d_]+")
_ONE_WORD = re.compile(r"[\W\d_]*([^\W\d_]{2,})[\W\d_]*")
_SHORTEST_IDENTIFIER = 5
"""Shorter ones are ordinary numbers as well, and say nothing away from their school."""
_MOST_WORDS, _LONGEST_NAME = 12, 6
_SHORTEST_IN_CAPITALS = 4
"""Shorter words in capitals are abbreviations."""

_N_LOOKED_FOR = 20
"""So many words are looked for in the text of all names before a list of its words is made."""


class KnownPersons:
    """Knows the names and identifiers that were listed: of pupils, of staff, whoever a table's private fields name.

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
        self._texts = _normalise_all_at_once(set(names))
        self._words: frozenset[str] | None = None
        self._names: set[frozenset[str]] | None = None
        self._identifiers_sent: Iterable[str] = identifiers
        self._identifiers: frozenset[str] | None = None
        self._n_looked_for = 0

    def covers(self, text: str) -> bool:
        """Whether a text holds a word of a name, or is the identifier of a pupil."""
        return self.is_identifier(text) or any(True for _ in self.words_in(text))

    def is_identifier(self, text: str) -> bool:
        """Whether a text is the identifier of a pupil, and long enough to tell one."""
        bare = text.strip()
        return len(bare) >= _SHORTEST_IDENTIFIER and bare in self._collect_known_identifiers()

    def words_in(self, text: str) -> Iterator[str]:
        """Yield the words of a text, folded, that are words of names."""
        return filter(self._is_word, _WORD.findall(normalise_word(text)))

    def _collect_known_identifiers(self) -> frozenset[str]:
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
        words = sorted(set(self.words_in(text)))[:_MOST_WORDS]
        if len(words) < 2:
            return False
        if self._names is None:
            self._names = {frozenset(_WORD.findall(text)) for text in self._texts.split("\x00")}
        names = self._names
        return any(frozenset(some) in names for n in range(2, _LONGEST_NAME + 1) for some in combinations(words, n))


def _normalise_all_at_once(texts: Iterable[str]) -> str:
    """Fold texts as `folded` does, all at once, divided by a sign that no text holds."""
    joined = "\x00".join(texts)
    if joined.isascii():
        return joined.casefold()
    decomposed = unicodedata.normalize("NFKD", joined.casefold()).replace("đ", "d")
    marks = {ord(char): None for char in set(decomposed) if unicodedata.combining(char)}
    return decomposed.translate(marks)


def is_like_name(text: str, *, among_words: bool) -> bool:
    """Whether a text that stands where it does not belong may be a name that no list contains.

    Parameters
    ----------
    text
        What is there.
    among_words
        Whether words belong there, as answers do; a single one is then shown, so that it can be understood.

    Examples
    --------
    >>> is_like_name("Nagy Bence", among_words=True), is_like_name("1O", among_words=False)
    (True, False)
    """
    if _DIGIT.search(text):
        return False
    return len(_LETTERS.findall(text)) > 1 or (not among_words and _WORD.search(text) is not None)


def has_possible_name(text: str, ordinary: OrdinaryWords, *, is_title: bool = False) -> bool:
    """Whether two words with capitals stand side by side that are no ordinary ones: "Nagy Bence was ill".

    Parameters
    ----------
    text
        The text.
    ordinary
        Words, and pairs of words, that are no names of persons.
    is_title
        Whether ordinary words have capitals, too, as in headers and names of files; a pair with one is passed over.

    Examples
    --------
    >>> schools = OrdinaryWords(phrases=["Kossuth Lajos Gimnázium"])
    >>> [has_possible_name(text, schools) for text in ("Nagy Bence", "NagyBence1", "Kossuth Lajos", "nagy bence")]
    [True, True, False, False]
    """
    for run in _RUN.findall(_split_joined_words(text)):
        words = _WORDS.findall(run)
        looks = [_describe_capitals(word) for word in words]
        if not any(all(pair) for pair in pairwise(looks)):
            continue
        unknown = [word not in ordinary for word in words]
        for position, pair in enumerate(pairwise(words)):
            if ordinary.holds_pair(*pair):
                unknown[position] = unknown[position + 1] = False
        for look, pair_unknown in zip(pairwise(looks), pairwise(unknown), strict=True):
            # Titles, and words in capitals throughout, are written so whatever they mean.
            enough = all if is_title or "whole" in look else any
            if all(look) and enough(pair_unknown):
                return True
    return False


def is_possible_name(text: str, ordinary: OrdinaryWords) -> bool:
    """Whether a text is nothing but a word with a capital that is no ordinary one.

    Examples
    --------
    >>> [is_possible_name(text, OrdinaryWords()) for text in ("Bence", "Bence 2", "bence", "BENCE", "Yes")]
    [True, True, False, False, False]
    """
    match = _ONE_WORD.fullmatch(text)
    return match is not None and _is_capitalised(match[1]) and match[1] not in ordinary


def is_written_as_name(text: str) -> bool:
    """Whether a text may be a name by its words alone: one to five of them, each with a capital, perhaps a number.

    Examples
    --------
    >>> [is_written_as_name(text) for text in ("Nagy Bence", "KISS A.", "Zsozso Ubul1", "9.a", "Bence", "9.A")]
    [True, True, True, False, True, False]
    """
    words = _WORDS.findall(_split_joined_words(text))
    return 1 <= len(words) <= 5 and all(word[0].isupper() for word in words) and any(len(word) > 2 for word in words)


def has_unusual_capital(text: str, ordinary: OrdinaryWords) -> bool:
    """Whether a word with a capital stands within a sentence that is no ordinary one, as names of persons do.

    Examples
    --------
    >>> [has_unusual_capital(text, OrdinaryWords()) for text in ("we do not record it, Bence does", "Not known.")]
    [True, False]
    """
    return any(_is_capitalised(word) and word not in ordinary for word in _WITHIN.findall(text))


def _split_joined_words(text: str) -> str:
    """Divide words that are written as one: "NagyBence", as in names of files."""
    return _HUMP.sub(lambda at: " " if text[at.start() - 1].islower() and text[at.start()].isupper() else "", text)


def has_only_unknown_words(text: str, ordinary: OrdinaryWords) -> bool:
    """Whether a text is two to five words, none of which is ordinary, however they are written.

    Examples
    --------
    >>> [has_only_unknown_words(text, OrdinaryWords()) for text in ("nagyvári bence", "left school", "bence")]
    [True, False, False]
    """
    words = _WORD.findall(text)
    return 2 <= len(words) <= 5 and not any(word in ordinary for word in words)


def _describe_capitals(word: str) -> str:
    """Return how a word is written: with a capital at its beginning, in capitals as a whole, or "" otherwise."""
    if _is_capitalised(word):
        return "first"
    return "whole" if word.isupper() and len(word) >= _SHORTEST_IN_CAPITALS else ""


def _is_capitalised(word: str) -> bool:
    return len(word) > 1 and word[0].isupper() and not word.isupper()
