"""The gate: what a text holds of persons, and the text without it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from data_schema.patterns import generate_examples_by_country
from data_schema.personal.names import (
    KnownPersons,
    has_only_unknown_words,
    has_possible_name,
    has_unusual_capital,
    is_like_name,
    is_possible_name,
)
from data_schema.personal.ordinary import WORD, OrdinaryWords, collect_table_words
from data_schema.personal.shapes import Kind, Shapes
from data_schema.sentences import SENTENCES
from data_schema.tables import Table

WITHHELD = "..."
"""What is in a sentence where something was withheld."""

_FIXED = frozenset(SENTENCES)
"""Sentences in which nothing of a file stands; dates in them are examples."""

_QUOTED = re.compile(r"(?<!\w)'([^'\n]*)'(?!\w)|\"([^\"\n]*)\"")
_PARTS = re.compile(r"[^\W_]+")


class Gate:
    """Knows what says something about a person, by lists of persons, by shapes and by how names are written.

    Parameters
    ----------
    known
        Names and identifiers that were listed.
    shapes
        Shapes of personal data.
    ordinary
        Words that are no names.
    """

    __slots__ = ("_labels", "_shown", "_told", "known", "ordinary", "shapes")

    def __init__(self, *, known: KnownPersons, shapes: Shapes, ordinary: OrdinaryWords) -> None:
        self.known, self.shapes, self.ordinary = known, shapes, ordinary
        self._labels: dict[str, Kind | None] = {}
        self._told: dict[str, str] = {}
        self._shown: dict[str, bool] = {}

    def kind_of_text(self, text: str) -> Kind | None:
        """Return what the value of an open field holds of a person; None where it may be taken in."""
        if self.known.is_identifier(text) and text.strip() not in self.shapes.harmless:
            return Kind.PUPIL
        if self.known.is_name(text):
            return Kind.LISTED_NAME
        shape = self.shapes.kind_of(text)
        if shape is not None:
            return shape
        is_name = has_possible_name(text, self.ordinary) or self._has_listed_word(text)
        return Kind.POSSIBLE_NAME if is_name else None

    def kind_of_label(self, text: str) -> Kind | None:
        """Return what a header, the name of a sheet or a part of a path holds of a person."""
        if text not in self._labels:
            self._labels[text] = self._classify_text(text)
        return self._labels[text]

    def hides(self, value: str, *, words_belong: bool = True, has_names: bool = False) -> bool:
        """Whether a value that is asked about must not be shown.

        Parameters
        ----------
        value
            What is in a cell.
        words_belong
            Whether words belong there, as answers do.
        has_names
            Whether the table has names of persons, so that one may have slipped into the wrong column.
        """
        if has_names and is_like_name(value, among_words=words_belong):
            return True
        if value not in self._shown:
            self._shown[value] = self._is_personal(value)
        return self._shown[value]

    def hides_answer(self, text: str) -> bool:
        """Whether what somebody wrote in their own words says something of a person."""
        return self.hides(text) or has_unusual_capital(text, self.ordinary)

    def speaks_of_person(self, text: str) -> bool:
        """Whether a text in somebody's own words, such as a reason, may be about a person."""
        return self.kind_of_text(text) is not None or has_unusual_capital(text, self.ordinary)

    def passed(self, sentence: str) -> str:
        """Return a sentence of intake without what its quotations, or the sentence itself, say of persons."""
        if sentence in _FIXED:
            return sentence
        if sentence not in self._told:
            self._told[sentence] = self._remove_from_text(_QUOTED.sub(self._suppress_quotation, sentence))
        return self._told[sentence]

    def _is_personal(self, value: str) -> bool:
        if self.known.covers(value):
            return True
        if self.shapes.kind_of(value) is not None:
            return True
        looks = (has_possible_name, is_possible_name, has_only_unknown_words)
        return any(looks_so(value, self.ordinary) for looks_so in looks)

    def _classify_text(self, text: str) -> Kind | None:
        shape = self.shapes.kind_of(text)
        if shape is not None:
            return shape
        if self.known.is_name(text):
            return Kind.LISTED_NAME
        if any(self.known.is_identifier(part) and part not in self.shapes.harmless for part in _PARTS.findall(text)):
            return Kind.PUPIL
        if any(
            word not in self.ordinary and not self.ordinary.is_of_phrase(word) for word in self.known.words_in(text)
        ):
            return Kind.LISTED_NAME
        return Kind.POSSIBLE_NAME if has_possible_name(text, self.ordinary, is_title=True) else None

    def _has_listed_word(self, text: str) -> bool:
        """Whether a word with a capital is one of a listed name, and no ordinary one."""
        return any(
            word[0].isupper() and word not in self.ordinary and not self.ordinary.is_of_phrase(word)
            for word in WORD.findall(text)
            if any(True for _ in self.known.words_in(word))
        )

    def _suppress_quotation(self, found: re.Match[str]) -> str:
        inner = found[1] if found[1] is not None else found[2]
        if not self.kind_of_label(inner):
            return found[0]
        return found[0].replace(inner, WITHHELD)

    def _remove_from_text(self, sentence: str) -> str:
        for _, start, end in sorted(self.shapes.found(sentence), key=lambda one: -one[1]):
            sentence = f"{sentence[:start]}{WITHHELD}{sentence[end:]}"
        if not self.known.is_name(sentence):
            return sentence
        return WORD.sub(lambda one: WITHHELD if any(True for _ in self.known.words_in(one[0])) else one[0], sentence)


def build_gate(
    *,
    names: Iterable[str],
    identifiers: Iterable[str],
    tables: Mapping[str, Table],
    schools: Mapping[str, str],
    ordinary: Collection[str] = (),
    phrases: Collection[str] = (),
    born_until: date,
) -> Gate:
    """Make the gate of an intake.

    Parameters
    ----------
    names, identifiers
        What was sent in fields for names, and in those for identifiers of pupils.
    tables
        The tables, by name.
    schools
        School to its country.
    ordinary
        Further texts of the trial whose words are no names.
    phrases
        Names of the schools.
    born_until
        The last day that may be somebody's day of birth.
    """
    examples = (
        example
        for table in tables.values()
        for item in table.fields
        for example in generate_examples_by_country(item).values()
    )
    return Gate(
        known=KnownPersons(names=names, identifiers=identifiers),
        shapes=Shapes(
            countries=sorted(set(schools.values())),
            born_until=born_until,
            # An identifier that was made up says nothing of anybody.
            harmless=frozenset((*schools, *examples)),
        ),
        ordinary=OrdinaryWords((*collect_table_words(tables), *ordinary), phrases),
    )
