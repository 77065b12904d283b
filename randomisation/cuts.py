"""Classes of a number, such as the size of a school, that can be strata: cut at stated values."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from data_schema.errors import DesignError
from randomisation.canonical import format_decimal

Cut = tuple[str, tuple[float, ...]]
"""A stratum's column and the values at which it is cut, ascending."""


MOST_LIMITS = 20
"""Values at which a stratum may be cut."""


def check_cuts(cuts: object, *, strata: tuple[str, ...]) -> None:
    """Raise DesignError unless each cut is of a stratum, once, at ascending finite values.

    Examples
    --------
    >>> check_cuts((("size", (300, 500)),), strata=("country", "size"))
    """
    place = "design, cuts"
    if not isinstance(cuts, tuple):
        raise DesignError(place, f"{cuts!r} is not a tuple.", "State pairs of a column and its values.")
    names = [name for name, _ in cuts]
    for name, cut_points in cuts:
        if name not in strata:
            raise DesignError(place, f"'{name}' is cut and is no stratum.", "Add it to the strata, or leave it out.")
        if names.count(name) > 1:
            raise DesignError(place, f"'{name}' is cut twice.", "Cut it once.")
        finite = bool(cut_points) and all(math.isfinite(value) for value in cut_points)
        if not finite or list(cut_points) != sorted(set(cut_points)) or len(cut_points) > MOST_LIMITS:
            raise DesignError(
                place, f"{cut_points!r} does not cut '{name}'.", f"State up to {MOST_LIMITS} values, the lowest first."
            )


def build_class_names(at: tuple[float, ...]) -> tuple[str, ...]:
    """Return the names of the classes; the letter keeps them in order when they are sorted.

    Examples
    --------
    >>> build_class_names((300, 500))
    ('a: below 300', 'b: 300 to below 500', 'c: 500 and more')
    """
    marks = [format_decimal(value) for value in at]
    middle = [f"{low} to below {high}" for low, high in pairwise(marks)]
    names = [f"below {marks[0]}", *middle, f"{marks[-1]} and more"]
    return tuple(f"{_get_class_letter(place)}: {name}" for place, name in enumerate(names))


def _get_class_letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"z{place:03d}"


def find_class(text: str, at: tuple[float, ...]) -> str | None:
    """Return the class of a number that is written as text; None if it is none.

    Examples
    --------
    >>> find_class("299.5", (300, 500)), find_class("300", (300, 500)), find_class("many", (300, 500))
    ('a: below 300', 'b: 300 to below 500', None)
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    return build_class_names(at)[sum(value >= Decimal(str(limit)) for limit in at)]
