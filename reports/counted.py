"""Which pupils a printed number counts: said where the number is made, and carried with it into what is published.

A number of pupils that leaves is a fact about a set of pupils. The set travels with the number, from
`reports.disclosure.Count` through the spans of a document to an attribute of its HTML, so that `publish` can see what
all numbers tell together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote, unquote

What = Literal[
    "enrolled", "lost", "analysed", "without_consent", "joined", "outcome", "event", "answers", "files", "rows"
]
"""Sets of pupils: enrolled at baseline; of these the lost (by reason) and those of the primary analysis, who add up to
the enrolled; of these those without consent, those with the outcome of a plan entry, and of these those with its event.
Apart from them, of all arms together: answers to a question and rows of files. Who joined later, and other rows, are
in no sum with any."""

OF_ALL_ARMS: tuple[What, ...] = ("answers", "files")
"""Sets that are never counted by arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupils:
    """A set of pupils.

    Parameters
    ----------
    what
        The kind of set.
    name
        Which of its kind: a reason, a plan entry, a field, a table.
    arms, countries
        Whose pupils, by arm and country code; of all arms, or all countries, when empty.

    Examples
    --------
    >>> lost = Pupils(what="lost", name="no record", arms=("pilot",), countries=("HU",))
    >>> lost.key
    'lost|no%20record|pilot|HU'
    >>> Pupils.of_key(lost.key) == lost
    True
    """

    what: What
    name: str = ""
    arms: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The set as text, for an attribute."""
        parts = ((self.what,), (self.name,) if self.name else (), self.arms, self.countries)
        return "|".join(",".join(quote(item, safe="") for item in part) for part in parts)

    @classmethod
    def of_key(cls, key: str) -> Pupils:
        """Return the set that a key represents.

        Raises
        ------
        ValueError
            When the text is not a key.
        """
        parts = [tuple(unquote(item) for item in part.split(",") if item) for part in key.split("|")]
        what = next((kind for kind in get_args(What) if parts[0] == (kind,)), None)
        if what is None or len(parts) != 4:
            raise ValueError(f"{key!r} is not the key of a set of pupils.")
        return cls(what=what, name=next(iter(parts[1]), ""), arms=parts[2], countries=parts[3])

    @classmethod
    def at(cls, what: What, name: str = "", *, arm: str = "", country: str = "") -> Pupils:
        """Return the set of one arm and country; of all where either is empty."""
        return cls(what=what, name=name, arms=_convert_to_name_tuple(arm), countries=_convert_to_name_tuple(country))


def join_name_parts(*parts: str) -> str:
    """Return the name of a set that several things name together, such as table, wave and field."""
    return "/".join(quote(part, safe="") for part in parts)


def split_name_parts(name: str) -> list[str]:
    """Return the things that `name_of` joined."""
    return [unquote(part) for part in name.split("/")]


def _convert_to_name_tuple(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def join_set_keys(sets: Iterable[tuple[str, str]]) -> str:
    """Return the keys of several sets with their printed numbers as the text of one attribute."""
    return " ".join(f"{key}={quote(text, safe='')}" for key, text in sets)


def split_keys(text: str) -> list[tuple[Pupils, str]]:
    """Return the sets and printed numbers that `join_set_keys` wrote."""
    pairs = (item.rpartition("=") for item in text.split())
    return [(Pupils.of_key(key), unquote(printed)) for key, _, printed in pairs]
