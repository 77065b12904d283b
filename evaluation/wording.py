"""Substance and wording: what a result depends on, and what is there for people to read.

Wording is declared at the field of the protocol's classes (``evaluation.protocol``), and nowhere else. Draws, plans and
stages are compared by their substance, so that a corrected label changes none of them; documents print the wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


WORDING, RECOGNISED_WORDING = Wording(), Wording(recognised=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference of two protocols: what it is, with its place, and whether it is one of wording."""

    text: str
    is_wording: bool


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
        for key in [*then, *(key for key in now if key not in then)]:
            inside = f"{place}.{key}" if place else str(key)
            yield from _difference_at(key, then, now, kind=_inside(kind, str(key)), place=inside)
    elif _named(then) and _named(now):
        one, other = _by_name(then), _by_name(now)
        entry = _inside(kind, "")
        for name in [*one, *(name for name in other if name not in one)]:
            yield from _difference_at(name, one, other, kind=entry, place=f"{place}.{name}")
        kept, stay = [name for name in one if name in other], [name for name in other if name in one]
        if kept != stay:
            yield Difference(text=f"{place}: the order {', '.join(kept)} became {', '.join(stay)}", is_wording=False)
    else:
        yield Difference(text=f"{place}: {then!r} became {now!r}", is_wording=_is_wording(kind))


def _difference_at(
    key: object, then: Mapping[str, object], now: Mapping[str, object], *, kind: object, place: str
) -> Iterator[Difference]:
    if key not in now or key not in then:
        yield Difference(text=f"{place} was {'removed' if key in then else 'added'}", is_wording=_is_wording(kind))
    elif _is_wording(kind) and then[str(key)] != now[str(key)]:
        text = f"{place}: {then[str(key)]!r} became {now[str(key)]!r}"
        yield Difference(text=text, is_wording=True)
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
