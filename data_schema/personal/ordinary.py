"""Words that are no names of persons where they stand: those of the toolkit's languages, of a trial, of its schools."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from itertools import pairwise

from data_schema.tables import Table
from data_schema.words import MONTH_WORDS, normalise_plain_word

WORD = re.compile(r"[^\W\d_]+")


_OF_FILES = (
    "adatok adatszolgáltatás anketa autumn class copy data excel export felmérés final form forms félév "
    "gimnazija gimnázium google grammar head high image izveštaj javított jelentés jesen kollégium konačno "
    "kopija kérdőív középiskola list lista mapa másolat new nova novi novo névsor osnovna osztályfőnök "
    "osztálynévsor podaci podatki poklicna polletje polugodište pomlad popis poročilo preglednica primary "
    "proleće questionnaire razredni razrednik report saint scan school secondary semester seznam sošolci spisak "
    "spring srednja starešina stručna summer survey sv sveta sveti szakgimnázium tabela tablica tanév tavasz "
    "tavaszi teacher technikum term táblázat update upitnik version vocational vprašalnik végleges whatsapp "
    "winter zima általános új ősz őszi škola školska šola"
)
"""Words of names of files, sheets and schools, which have capitals there."""


class OrdinaryWords:
    """Knows words that say nothing about a person.

    Parameters
    ----------
    texts
        Texts of the trial whose words are ordinary: labels, answers, names of countries.
    phrases
        Texts in which only words that stand together as they do there are ordinary: "Kossuth Lajos" is a school's
        name, and "Kossuth" and "Lajos" are names of persons.
    """

    __slots__ = ("_pairs", "_words")

    def __init__(self, texts: Iterable[str] = (), phrases: Iterable[str] = ()) -> None:
        self._words = frozenset(word for text in texts for word in split_words(text))
        named = [split_words(phrase) for phrase in phrases]
        self._pairs = frozenset(pair for words in named for pair in pairwise(words))

    def __contains__(self, word: str) -> bool:
        key = normalise_plain_word(word)
        return key in self._words or key in _collect_language_words()

    def holds_pair(self, one: str, other: str) -> bool:
        """Whether two words are beside one another in a phrase, such as the name of a school."""
        return (normalise_plain_word(one), normalise_plain_word(other)) in self._pairs

    def is_of_phrase(self, word: str) -> bool:
        """Whether a word is in a phrase of several words, beside others."""
        key = normalise_plain_word(word)
        return any(key in pair for pair in self._pairs)


def split_words(text: str) -> list[str]:
    """Return the words of a text as they are compared here.

    Examples
    --------
    >>> split_words("Школа „Вук Караџић“, 9.a")
    ['skola', 'vuk', 'karadzic', 'a']
    """
    return [normalise_plain_word(word) for word in WORD.findall(text)]


@lru_cache(maxsize=1)
def _collect_language_words() -> frozenset[str]:
    """Return the words of all that intake says, in all its languages."""
    folder = resources.files("data_schema") / "locales"
    texts = [path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".po")]
    return frozenset(split_words(" ".join((*texts, _OF_FILES)))) | MONTH_WORDS


def collect_table_words(tables: Mapping[str, Table]) -> Iterable[str]:
    """Yield the texts of tables: names, labels, headers and answers."""
    for table in tables.values():
        yield table.name
        yield from (label for _, label in table.labels)
        for item in table.fields:
            yield from (item.name, item.label, item.unit, *item.headers, *(label for _, label in item.labels))
            yield from (word for code in item.codes for word in code.words)
            yield from (code.label for code in item.codes)
