"""Words: the messages and numbers of one language, in one hand.

Sections, tables and figures write through a `Words` value: ``text`` gives a plain string, ``line`` gives spans, so that
a number inside a sentence keeps the link to its estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from string import Formatter

from data_schema.language import Catalogue, Language, message
from reports.blocks import Inline, Span
from reports.numbers import Numbers

__all__ = ["Words", "convert_template_to_spans", "message", "words"]

Value = str | Span | Inline
"""What may go into a slot: finished text or spans."""


@dataclass(frozen=True, slots=True)
class Words:
    """The messages of ``reports`` in one language and its numbers.

    Examples
    --------
    >>> words("en").plural("{n} school", "{n} schools", 1200)
    '1,200 schools'
    """

    catalogue: Catalogue
    numbers: Numbers

    def text(self, msgid: str, **values: str) -> str:
        """Return a message with its slots filled."""
        return self.catalogue.text(msgid, **values)

    def line(self, msgid: str, **values: Value) -> Inline:
        """Return a message as spans, its slots filled with text or spans."""
        return convert_template_to_spans(self.catalogue.template(msgid), **values)

    def plural(self, singular: str, plural: str, count: int, /, **values: str) -> str:
        """Return the form of a message that goes with a number; ``{n}`` is the number as the language writes it."""
        return self.catalogue.plural(singular, plural, count, **({"n": self.numbers.count(count)} | values))

    def plural_line(self, singular: str, plural: str, count: int, /, **values: Value) -> Inline:
        """Return the form of a message that goes with a number, as spans."""
        slots: dict[str, Value] = {"n": self.numbers.count(count), **values}
        return convert_template_to_spans(self.catalogue.plural_template(singular, plural, count), **slots)

    def schools(self, count: int) -> str:
        """Return "39 schools"."""
        return self.plural("{n} school", "{n} schools", count)

    def pupils(self, count: int) -> str:
        """Return "3,821 pupils"."""
        return self.plural("{n} pupil", "{n} pupils", count)

    def listed(self, items: Sequence[str]) -> str:
        """Return items as running text: "a", "a and b", "a, b and c"."""
        if not items:
            return ""
        start = reduce(lambda left, right: self.text("{left}, {right}", left=left, right=right), items[:-1] or items)
        return self.text("{left} and {right}", left=start, right=items[-1]) if len(items) > 1 else start

    def joined(self, sentences: Sequence[Value]) -> Inline:
        """Return sentences one after the other, with a space between."""
        parts: list[Span] = []
        for spans in (_convert_value_to_spans(sentence) for sentence in sentences if sentence):
            parts.extend(([Span(text=" ")] if parts else []) + list(spans))
        return tuple(parts)


def words(language: str, *, package: str = "reports") -> Words:
    """Return the words of a language, given by its code; ``package`` says whose messages they are."""
    catalogue = Catalogue(package, Language(language))
    return Words(catalogue, Numbers(catalogue))


def convert_template_to_spans(template: str, **values: Value) -> Inline:
    """Return a template as spans, one a literal passage and those of each slot."""
    parts: list[Span] = []
    for literal, slot, _, _ in Formatter().parse(template):
        if literal:
            parts.append(Span(text=literal))
        if slot is not None:
            parts.extend(_convert_value_to_spans(values[slot]))
    return tuple(parts)


def _convert_value_to_spans(value: Value) -> Inline:
    if isinstance(value, Span):
        return (value,)
    return (Span(text=value),) if isinstance(value, str) else value
