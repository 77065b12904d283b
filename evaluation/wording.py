"""Substance and wording: what a result depends on, and what is there for people to read.

Wording is declared at the field of the protocol's classes (``evaluation.protocol``), and nowhere else. Draws, plans and
stages are compared by their substance, so that a corrected label changes none of them; documents print the wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Marks a field of the protocol as text for people.

    Parameters
    ----------
    recognised
        Whether intake knows columns and answers by it too: such a label decides what is read from a school's file, and
        is substance for intake alone.
    """

    recognised: bool = False


_ALIKE = 0.85
"""From this similarity on, a label that is nearer to another one's than to its own is taken for that one's."""

WORDING, RECOGNISED_WORDING = Wording(), Wording(recognised=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference of two protocols: its place, what was said and is said now, whether it is one of wording."""

    place: str
    said: str
    is_wording: bool

    @property
    def text(self) -> str:
        """The difference in a line: "outcomes.dropout.direction: 'lower' became 'higher'"."""
        separator = " " if self.said.startswith("was ") else ": "
        return f"{self.place}{separator}{self.said}"


def extract_substance(values: object, kind: object, *, intake: bool = False) -> object:
    """Return a protocol's values without their wording.

    Parameters
    ----------
    values
        JSON values of the protocol, or of a part of it.
    kind
        What they are declared as, such as ``Protocol``.
    intake
        Whether labels by which intake recognises columns and answers are kept.

    Examples
    --------
    >>> from typing import Annotated
    >>> class Country(BaseModel):
    ...     code: str
    ...     label: Annotated[str, WORDING]
    >>> extract_substance([{"code": "HU", "label": "Hungray"}], tuple[Country, ...])
    [{'code': 'HU'}]
    """
    if isinstance(values, Mapping):
        substance: dict[str, object] = {}
        for key, value in values.items():
            inside = _find_declared_type(kind, str(key))
            if not _is_wording(inside, intake=intake):
                substance[str(key)] = extract_substance(value, inside, intake=intake)
            elif not isinstance(inside, FieldInfo):
                substance[str(key)] = ""  # a name given to a code, as in [countries]: the code is substance
        return substance
    if isinstance(values, list | tuple):
        return [extract_substance(value, _find_declared_type(kind, ""), intake=intake) for value in values]
    return values


def find_differences(then: object, now: object, kind: object = None, place: str = "") -> Iterator[Difference]:
    """List what differs between two protocols' values; entries of a list that have names are compared by name."""
    if then == now:
        return
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        exchanged = find_exchanged_labels(_find_wordings(then, kind), _find_wordings(now, kind))
        for key in [*then, *(key for key in now if key not in then)]:
            inside = f"{place}.{key}" if place else str(key)
            for difference in _compare_at_key(key, then, now, kind=_find_declared_type(kind, str(key)), place=inside):
                yield _mark_exchanged_text(difference, exchanged.get(str(key)) if difference.place == inside else None)
    elif _has_named_entries(then) and _has_named_entries(now):
        yield from _compare_by_name(_index_by_name(then), _index_by_name(now), _find_declared_type(kind, ""), place)
    else:
        yield Difference(place=place, said=f"{then!r} became {now!r}", is_wording=_is_wording(kind))


def _compare_by_name(
    then: Mapping[str, object], now: Mapping[str, object], kind: object, place: str
) -> Iterator[Difference]:
    entries = [entry for entry in (*then.values(), *now.values()) if isinstance(entry, Mapping)]
    keys = dict.fromkeys(key for text_entry in entries for key in _find_wordings(text_entry, kind))
    exchanged = {
        f"{place}.{name}.{key}": other
        for key in keys
        for name, other in find_exchanged_labels(_collect_texts(key, then), _collect_texts(key, now)).items()
    }
    for name in [*then, *(name for name in now if name not in then)]:
        for difference in _compare_at_key(name, then, now, kind=kind, place=f"{place}.{name}"):
            yield _mark_exchanged_text(difference, exchanged.get(difference.place))
    common_names, stay = [name for name in then if name in now], [name for name in now if name in then]
    if common_names != stay:
        order_change = f"the order {', '.join(common_names)} became {', '.join(stay)}"
        yield Difference(place=place, said=order_change, is_wording=False)


def _mark_exchanged_text(found: Difference, other: str | None) -> Difference:
    """Return a difference as one of substance where it is the text that another one had."""
    if other is None or not found.is_wording:
        return found
    return replace(found, said=f"{found.said}, which was that of '{other}'", is_wording=False)


def _find_wordings(values: Mapping[str, object], kind: object) -> dict[str, str]:
    """Return the texts of a table that are wording, by key."""
    return {
        key: str(value)
        for key, value in values.items()
        if isinstance(value, str) and _is_wording(_find_declared_type(kind, key))
    }


def _collect_texts(key: str, entries: Mapping[str, object]) -> dict[str, str]:
    """Return one text of each entry that has it, by the entries' names."""
    return {name: str(entry[key]) for name, entry in entries.items() if isinstance(entry, Mapping) and key in entry}


def find_exchanged_labels(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return what has another one's label now, with that other one: arms, outcomes, countries.

    A label is another one's if it is the same but for case, spaces and signs, or nearly the same and less like the one
    that was its own. Such a change is none of wording: what was said of one would now be said of the other.

    Examples
    --------
    >>> find_exchanged_labels({"a": "Control", "b": "Pilot"}, {"a": "Pilot", "b": "Pilot schools"})
    {'a': 'b'}
    """
    exchanged_with = {}
    for arm, label in now.items():
        own_likeness = _measure_likeness(label, then.get(arm, ""))
        others = {name: _measure_likeness(label, text) for name, text in then.items() if name != arm}
        nearest = max(others, key=others.__getitem__, default="")
        if nearest and others[nearest] >= _ALIKE and others[nearest] > own_likeness:
            exchanged_with[arm] = nearest
    return exchanged_with


def _measure_likeness(one: str, other: str) -> float:
    plain = [" ".join(re.findall(r"\w+", text.casefold())) for text in (one, other)]
    return SequenceMatcher(None, plain[0], plain[1], autojunk=False).ratio() if all(plain) else 0.0


def _compare_at_key(
    key: object, then: Mapping[str, object], now: Mapping[str, object], *, kind: object, place: str
) -> Iterator[Difference]:
    if key not in now or key not in then:
        change_text = f"was {'removed' if key in then else 'added'}"
        yield Difference(place=place, said=change_text, is_wording=_is_wording(kind))
    elif _is_wording(kind) and then[str(key)] != now[str(key)]:
        change_text = f"{then[str(key)]!r} became {now[str(key)]!r}"
        yield Difference(place=place, said=change_text, is_wording=True)
    else:
        yield from find_differences(then[str(key)], now[str(key)], kind, place)


def _is_wording(kind: object, *, intake: bool = False) -> bool:
    metadata = kind.metadata if isinstance(kind, FieldInfo) else getattr(kind, "__metadata__", ())
    return any(isinstance(item, Wording) and not (intake and item.recognised) for item in metadata)


def _find_declared_type(kind: object, key: str) -> object:
    """Return what is declared of the value at a key, or of the entries of a list; None where nothing is."""
    if isinstance(kind, FieldInfo):
        kind = kind.annotation
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_fields.get(key)
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        declared_types = (_find_declared_type(argument, key) for argument in arguments)
        return next((argument for argument in declared_types if argument is not None), None)
    # dict[K, V] holds V at any key, tuple[X, ...] holds X.
    return arguments[1] if get_origin(kind) is dict else arguments[0] if arguments else None


def _has_named_entries(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(item, Mapping) and "name" in item for item in entries)


def _index_by_name(entries: object) -> dict[str, object]:
    named_entries = entries if isinstance(entries, list) else []
    return {
        str(entry["name"]): {key: value for key, value in entry.items() if key != "name"} for entry in named_entries
    }
