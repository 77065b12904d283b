"""What the remedies of protocol problems ask for, done to a protocol's values as their words say."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.support.protocols import Values

Mend = Callable[[Values], object]

_STEP = re.compile(r"\[\[(?P<list>[\w.]+)\]\] (?:'(?P<name>[^']+)'|number (?P<number>\d+))|\[(?P<table>[\w.]+)\]")
_KEY = re.compile(r"key '([^']+)'$")
_LISTED = re.compile(r"(?:Known|Allowed|Use one of|Name some of|have these texts|asked in|Recode to one of): (.+)\.$")


def entry_of(values: Values, place: str) -> Values:
    """Return the table that a place names: "[tables.pupil], [[fields]] 'hobby', key 'waves'"."""
    at: Any = values
    for step in _STEP.finditer(place):
        path = step["list"] or step["table"]
        try:
            at = _inside(values, path)
        except (KeyError, TypeError):
            at = _inside(at, path)
        if step["list"]:
            at = _entry(at, step["name"], step["number"])
    entry: Values = at
    return entry


def _inside(at: Any, path: str) -> Any:  # noqa: ANN401 -- a TOML value of any kind
    for key in path.split("."):
        at = at[key]
    return at


def _entry(entries: list[Values], name: str | None, number: str | None) -> Values:
    if number:
        return entries[int(number) - 1]
    return next(entry for entry in entries if name in (entry.get("name"), entry.get("pattern")))


def mends_of(values: Values, place: str, problem: str, remedy: str) -> Iterator[tuple[str, Values, bool]]:
    """Give what the words of a remedy ask for: each with the values after it, and whether all is well then.

    Of words that are listed, one that was not meant may lead to another problem, and this one is gone.
    """
    key = _KEY.search(place)
    if key and "Leave the key out" in remedy:
        yield "left out", _after(values, lambda new: entry_of(new, place).pop(key[1])), True
    wrong = re.match(r"'([^']*)'", problem)
    word = wrong[1] if wrong else key[1] if key else ""
    near = re.search(r"Did you mean '([^']+)'", remedy)
    listed = _LISTED.search(remedy)
    for one in dict.fromkeys([*([near[1]] if near else []), *(listed[1].split(", ") if listed else [])]):
        yield (
            f"'{one}'",
            _after(values, partial(_put, place=place, word=word, one=one)),
            bool(near and near[1] == one),
        )
    if remedy.startswith("Take it out"):
        yield "taken out", _after(values, lambda new: _put(new, place, word, None)), True


def _after(values: Values, change: Mend) -> Values:
    new = copy.deepcopy(values)
    change(new)
    return new


def _put(values: Values, place: str, word: str, one: str | None) -> None:
    """Write another word where one stands: a key, a value, or an entry of a list; None takes it out."""
    entry, key = entry_of(values, place), _KEY.search(place)
    name = key[1] if key else ""
    if name == word and name in entry and one is not None and not isinstance(entry[name], list):
        _rename(entry, name, one)
    elif isinstance(entry.get(name), dict) and word in entry[name]:
        _rename(entry[name], word, one)
    elif isinstance(entry.get(name), dict):
        entry[name] = {at: _exchanged(listed, word, one) for at, listed in entry[name].items()}
    elif isinstance(entry.get(name), list):
        entry[name] = _exchanged(entry[name], word, one)
    elif one is None:
        del entry[name]
    else:
        entry[name] = one


def _rename(table: Values, old: str, new: str | None) -> None:
    value = table.pop(old)
    if new is not None:
        table[new] = value


def _exchanged(listed: list[str], word: str, one: str | None) -> list[str]:
    if word not in listed:
        return [one] if one else []
    return [new for new in (one if old == word else old for old in listed) if new is not None]
