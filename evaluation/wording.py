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


def substance_of(values: object, kind: object, *, intake: bool = False) -> object:
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
    >>> substance_of([{"code": "HU", "label": "Hungray"}], tuple[Country, ...])
    [{'code': 'HU'}]
    """
    if isinstance(values, Mapping):
        found: dict[str, object] = {}
        for key, value in values.items():
            inside = _inside(kind, str(key))
            if not _is_wording(inside, intake=intake):
                found[str(key)] = substance_of(value, inside, intake=intake)
            elif not isinstance(inside, FieldInfo):
                found[str(key)] = ""  # a name given to a code, as in [countries]: the code is substance
        return found
    if isinstance(values, list | tuple):
        return [substance_of(value, _inside(kind, ""), intake=intake) for value in values]
    return values


def differences_between(then: object, now: object, kind: object = None, place: str = "") -> Iterator[Difference]:
    """List what differs between two protocols' values; entries of a list that have names are compared by name."""
    if then == now:
        return
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        exchanged = exchanged_labels(_wordings(then, kind), _wordings(now, kind))
        for key in [*then, *(key for key in now if key not in then)]:
            inside = f"{place}.{key}" if place else str(key)
            for one in _difference_at(key, then, now, kind=_inside(kind, str(key)), place=inside):
                yield _marked(one, exchanged.get(str(key)) if one.place == inside else None)
    elif _named(then) and _named(now):
        yield from _differences_by_name(_by_name(then), _by_name(now), _inside(kind, ""), place)
    else:
        yield Difference(place=place, said=f"{then!r} became {now!r}", is_wording=_is_wording(kind))


def _differences_by_name(
    then: Mapping[str, object], now: Mapping[str, object], kind: object, place: str
) -> Iterator[Difference]:
    entries = [one for one in (*then.values(), *now.values()) if isinstance(one, Mapping)]
    keys = dict.fromkeys(key for one in entries for key in _wordings(one, kind))
    exchanged = {
        f"{place}.{name}.{key}": other
        for key in keys
        for name, other in exchanged_labels(_texts_at(key, then), _texts_at(key, now)).items()
    }
    for name in [*then, *(name for name in now if name not in then)]:
        for one in _difference_at(name, then, now, kind=kind, place=f"{place}.{name}"):
            yield _marked(one, exchanged.get(one.place))
    kept, stay = [name for name in then if name in now], [name for name in now if name in then]
    if kept != stay:
        said = f"the order {', '.join(kept)} became {', '.join(stay)}"
        yield Difference(place=place, said=said, is_wording=False)


def _marked(found: Difference, other: str | None) -> Difference:
    """Return a difference as one of substance where it is the text that another one had."""
    if other is None or not found.is_wording:
        return found
    return replace(found, said=f"{found.said}, which was that of '{other}'", is_wording=False)


def _wordings(values: Mapping[str, object], kind: object) -> dict[str, str]:
    """Return the texts of a table that are wording, by key."""
    return {
        key: str(value) for key, value in values.items() if isinstance(value, str) and _is_wording(_inside(kind, key))
    }


def _texts_at(key: str, entries: Mapping[str, object]) -> dict[str, str]:
    """Return one text of each entry that has it, by the entries' names."""
    return {name: str(one[key]) for name, one in entries.items() if isinstance(one, Mapping) and key in one}


def exchanged_labels(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return what has another one's label now, with that other one: arms, outcomes, countries.

    A label is another one's if it is the same but for case, spaces and signs, or nearly the same and less like the one
    that was its own. Such a change is none of wording: what was said of one would now be said of the other.

    Examples
    --------
    >>> exchanged_labels({"a": "Control", "b": "Pilot"}, {"a": "Pilot", "b": "Pilot schools"})
    {'a': 'b'}
    """
    found = {}
    for arm, label in now.items():
        own = _likeness(label, then.get(arm, ""))
        others = {name: _likeness(label, text) for name, text in then.items() if name != arm}
        nearest = max(others, key=others.__getitem__, default="")
        if nearest and others[nearest] >= _ALIKE and others[nearest] > own:
            found[arm] = nearest
    return found


def _likeness(one: str, other: str) -> float:
    plain = [" ".join(re.findall(r"\w+", text.casefold())) for text in (one, other)]
    return SequenceMatcher(None, plain[0], plain[1], autojunk=False).ratio() if all(plain) else 0.0


def _difference_at(
    key: object, then: Mapping[str, object], now: Mapping[str, object], *, kind: object, place: str
) -> Iterator[Difference]:
    if key not in now or key not in then:
        said = f"was {'removed' if key in then else 'added'}"
        yield Difference(place=place, said=said, is_wording=_is_wording(kind))
    elif _is_wording(kind) and then[str(key)] != now[str(key)]:
        said = f"{then[str(key)]!r} became {now[str(key)]!r}"
        yield Difference(place=place, said=said, is_wording=True)
    else:
        yield from differences_between(then[str(key)], now[str(key)], kind, place)


def _is_wording(kind: object, *, intake: bool = False) -> bool:
    metadata = kind.metadata if isinstance(kind, FieldInfo) else getattr(kind, "__metadata__", ())
    return any(isinstance(item, Wording) and not (intake and item.recognised) for item in metadata)


def _inside(kind: object, key: str) -> object:
    """Return what is declared of the value at a key, or of the entries of a list; None where nothing is."""
    if isinstance(kind, FieldInfo):
        kind = kind.annotation
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_fields.get(key)
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        found = (_inside(argument, key) for argument in arguments)
        return next((argument for argument in found if argument is not None), None)
    # dict[K, V] holds V at any key, tuple[X, ...] holds X.
    return arguments[1] if get_origin(kind) is dict else arguments[0] if arguments else None


def _named(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(item, Mapping) and "name" in item for item in entries)


def _by_name(entries: object) -> dict[str, object]:
    found = entries if isinstance(entries, list) else []
    return {str(entry["name"]): {key: value for key, value in entry.items() if key != "name"} for entry in found}
