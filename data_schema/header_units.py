"""Units and scales that a header states beside its field: the field's own, or others that change what numbers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

from data_schema.fields import NUMERIC_TYPES, Field
from data_schema.words import is_unit, plain, unit_of

_BESIDE = re.compile(r"[(\[{]([^)\]}]*)[)\]}]|[,;/](.*)$")
_WORD = re.compile(r"%|[^\W\d_]+")
_RANGE = re.compile(r"(?<![\d.,])(\d{1,3})\s*(?:-|–|—|\.\.+|…|to|do|tól|től|bis)\s*(\d{1,3})(?![\d.,])")
_MEANT = re.compile(r"(\d{1,3})\s*(?:=|:|–|-)\s*([^\W\d_][^,;/\d=]*)")
_LARGEST_SCALE = 10
_LOW = (
    "worst lowest least never none not_at_all strongly_disagree insufficient fail poor legrosszabb legkevésbé soha "
    "egyáltalán elégtelen najgori najgore najlošije najniže nikad nikada nimalo nedovoljan nedovoljno najslabše "
    "najslabša nikoli sploh nezadostno nezadosten"
)
_HIGH = (
    "best highest most always fully strongly_agree excellent legjobb leginkább mindig teljesen jeles kitűnő najbolji "
    "najbolje najviše uvek uvijek potpuno odličan odlično najboljše najboljša vedno popolnoma odlično"
)
_LOW_WORDS = tuple(plain(word.replace("_", " ")) for word in _LOW.split())
_HIGH_WORDS = tuple(plain(word.replace("_", " ")) for word in _HIGH.split())


def stated_otherwise(header: str, field: Field) -> str:
    """Return what a header says of its numbers that the field does not: a unit, or a scale; "" where they agree.

    Examples
    --------
    >>> hours = Field("absences", "whole_number", minimum=0, maximum=400, unit="hours a month")
    >>> stated_otherwise("Absences [days]", hours), stated_otherwise("Absences (hours)", hours)
    ('days', '')
    >>> stated_otherwise("Mark (1 = best, 6 = worst)", Field("mark", "number", minimum=1, maximum=5, unit="mark"))
    '1 = best, 6 = worst'
    """
    if field.type not in NUMERIC_TYPES or field.type == "year":
        return ""
    for piece in (found[1] or found[2] or "" for found in _BESIDE.finditer(header)):
        unit = _other_unit(piece, field)
        if unit:
            return unit
        if _is_other_scale(piece, field):
            return " ".join(piece.split())
    return ""


def _other_unit(piece: str, field: Field) -> str:
    """Return the word for another unit in what stands beside a header; none where the field's own is there, too."""
    words = _WORD.findall(piece)
    if not field.unit or any(is_unit(word, field.unit) for word in words):
        return ""
    # "hours a month": the second word says for how long, and is no unit of the number.
    own = {unit_of(word) for word in field.unit.split()}
    return next((word for word in words if (unit := unit_of(word)) and unit not in own), "")


def _is_other_scale(piece: str, field: Field) -> bool:
    low, high = field.minimum, field.maximum
    if low is None or high is None or high > _LARGEST_SCALE:
        return False
    ends = [(int(found[1]), int(found[2])) for found in _RANGE.finditer(piece)]
    meant = {int(found[1]): plain(found[2]) for found in _MEANT.finditer(piece)}
    if len(meant) > 1:
        ends.append((min(meant), max(meant)))
    if any(pair != (low, high) for pair in ends if pair[0] < pair[1]):
        return True
    return any(
        (number == low and _is_one_of(word, _HIGH_WORDS)) or (number == high and _is_one_of(word, _LOW_WORDS))
        for number, word in meant.items()
    )


def _is_one_of(text: str, words: tuple[str, ...]) -> bool:
    return any(text == word or text.startswith(f"{word} ") for word in words)


def is_of_units(text: str) -> bool:
    """Whether a text holds units and nothing else.

    Examples
    --------
    >>> is_of_units("hours / month"), is_of_units("šifra škole")
    (True, False)
    """
    words = _WORD.findall(text)
    return bool(words) and all(unit_of(word) for word in words)


def factor_of(said: str, units: Mapping[str, float]) -> float | None:
    """Return what one of a unit is in the field's own, as the protocol says; None where it says nothing.

    Examples
    --------
    >>> factor_of("nap", {"days": 6.0}), factor_of("weeks", {"days": 6.0})
    (6.0, None)
    """
    return {_key(word): factor for word, factor in units.items()}.get(_key(said))


def _key(word: str) -> str:
    return unit_of(word) or plain(word)
