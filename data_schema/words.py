"""Words beside numbers or in place of them: marks, units, months; units and scales that a header states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from data_schema.fields import NUMERIC_TYPES, Field, normalise_word

_MARKS = {
    5: "odličan odlična odlično odličen jeles kitűnő excellent",
    4: "vrlo_dobar vrlo_dobra vrlo_dobro vrlodobar prav_dobro prav_dober prav_dobra jó very_good",
    3: "dobar dobra dobro dober közepes",
    2: "dovoljan dovoljna dovoljno zadostno zadosten zadostna elégséges sufficient",
    1: "nedovoljan nedovoljna nedovoljno nezadostno nezadosten nezadostna elégtelen insufficient fail",
}
_UNITS = {
    "hours": "h hr hrs hour hours óra órát sat sati sata čas časa časova ur ura ure uri",
    "times": "x × time times alkalom alkalommal szer puta put krat",
    "subjects": "subject subjects tárgy tantárgy predmet predmeta predmeti predmetov",
    "notices": "notice notices intő intés mera mere ukrep ukrepa ukrepov",
    "days": "day days nap napok napot dan dani dana dneva dnevi dni",
    "minutes": "min minute minutes perc percek percben minut minuta minuti minutah",
    "weeks": "week weeks hét hetek hetente nedelja nedelje nedeljno tjedan tjedna teden tedni tednov",
    "months": "month months hónap hónapok mesec meseci meseca mjesec mjeseci mesecev",
    "years": "year years év évek godina godine godina leto leta let",
    "share": "share arány udeo udio delež",
    "percent": "% percent percentage pct százalék procenat procenata procenti odsto posto odstotek odstotkov",
    "points": "point points poen poena poeni bod bodova bodovi točka točke točk",
    "euros": "eur euro euros euró evro evra evrov",
    "forints": "huf ft forint",
    "dinars": "rsd din dinar dinara",
    "pupils": "pupil pupils tanuló fő učenik učenika đaka dijak dijaka dijakov",
    "mark": "mark pont",
}
# "listopad" is October in Croatian and November in old Slovenian: it is asked about.
_MONTHS = (
    "january januar januara januarja január januárius jan siječanj siječnja",
    "february februar februara februarja február februárius feb febr veljača veljače",
    "march mart marta marec marca március mar márc ožujak ožujka",
    "april aprila április apr ápr travanj travnja",
    "may maj maja május máj svibanj svibnja",
    "june jun juna juni junij junija június jún lipanj lipnja",
    "july jul jula juli julij julija július júl srpanj srpnja",
    "august avgust avgusta augusztus aug avg kolovoz kolovoza",
    "september septembar septembra szeptember sep sept szept rujan rujna",
    "october oktobar oktobra oktober október okt oct",
    "november novembar novembra nov studeni studenog studenoga",
    "december decembar decembra dec prosinac prosinca",
)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


def normalise_plain_word(word: str) -> str:
    """Bring a word to the form in which words are compared here: folded, and without marks at its ends.

    Examples
    --------
    >>> normalise_plain_word("Врло добар"), normalise_plain_word("Odličan.")
    ('vrlo dobar', 'odlican')
    """
    return normalise_word(word).strip(".,;: ")


def normalise_plain_texts(texts: Sequence[str]) -> list[str]:
    r"""Bring many texts to the form in which words are compared: all at once, because one by one takes long.

    Examples
    --------
    >>> normalise_plain_texts(["Ана  Јовановић", "Kiss\nAnna"])
    ['ana jovanovic', 'kiss anna']
    """
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:
        return [normalise_plain_word(text) for text in texts]
    return (
        [normalise_plain_word(line) for line in joined.split("\n")]
        if not joined.isascii()
        else joined.casefold().split("\n")
    )


_MARK_OF = {normalise_plain_word(word): mark for mark, words in _MARKS.items() for word in words.split()}
_UNIT_WORDS = {unit: frozenset(map(normalise_plain_word, words.split())) for unit, words in _UNITS.items()}
_UNIT_OF = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
_MONTH_OF = {
    normalise_plain_word(word): number for number, words in enumerate(_MONTHS, start=1) for word in words.split()
}
MONTH_WORDS = frozenset(_MONTH_OF)
"""Every word for a month, as words are compared here."""

_ROMAN_OF = {word: number for number, word in enumerate(_ROMAN, start=1)}


def mark_of(word: str) -> int | None:
    """Return the mark, 1 to 5, that a word means: "odličan", "jeles", "prav dobro"."""
    return _MARK_OF.get(normalise_plain_word(word))


def is_unit(word: str, unit: str) -> bool:
    """Whether a word is the unit of a field, whose name may say more ("hours per month")."""
    return normalise_plain_word(word) in _UNIT_WORDS.get(unit.partition(" ")[0], frozenset())


def find_unit(word: str) -> str:
    """Return the unit that a word means; "" where it is none that is known.

    Examples
    --------
    >>> find_unit("nap"), find_unit("%"), find_unit("cats")
    ('days', 'percent', '')
    """
    return _UNIT_OF.get(normalise_plain_word(word), "")


def find_month_number(word: str) -> int | None:
    """Return the number of a month that is written as a word or in Roman numerals.

    Examples
    --------
    >>> find_month_number("октобра"), find_month_number("X."), find_month_number("okt.")
    (10, 10, 10)
    """
    key = normalise_plain_word(word)
    return _MONTH_OF.get(key) or _ROMAN_OF.get(key)


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
_LOW_WORDS = tuple(normalise_plain_word(word.replace("_", " ")) for word in _LOW.split())
_HIGH_WORDS = tuple(normalise_plain_word(word.replace("_", " ")) for word in _HIGH.split())


def find_stated_difference(header: str, field: Field) -> str:
    """Return what a header says of its numbers that the field does not: a unit, or a scale; "" where they agree.

    Examples
    --------
    >>> hours = Field("absences", "whole_number", minimum=0, maximum=400, unit="hours a month")
    >>> find_stated_difference("Absences [days]", hours), find_stated_difference("Absences (hours)", hours)
    ('days', '')
    >>> find_stated_difference("Mark (1 = best, 6 = worst)", Field("mark", "number", minimum=1, maximum=5, unit="mark"))
    '1 = best, 6 = worst'
    """
    if field.type not in NUMERIC_TYPES or field.type == "year":
        return ""
    for piece in (match[1] or match[2] or "" for match in _BESIDE.finditer(header)):
        unit = _find_other_unit(piece, field)
        if unit:
            return unit
        if _is_other_scale(piece, field):
            return " ".join(piece.split())
    return ""


def _find_other_unit(piece: str, field: Field) -> str:
    """Return the word for another unit in what is beside a header; none where the field's own is there, too."""
    words = _WORD.findall(piece)
    if not field.unit or any(is_unit(word, field.unit) for word in words):
        return ""
    # "hours per month": the second word says for how long, and is no unit of the number.
    field_units = {find_unit(word) for word in field.unit.split()}
    return next((word for word in words if (unit := find_unit(word)) and unit not in field_units), "")


def _is_other_scale(piece: str, field: Field) -> bool:
    low, high = field.minimum, field.maximum
    if low is None or high is None or high > _LARGEST_SCALE:
        return False
    ends = [(int(match[1]), int(match[2])) for match in _RANGE.finditer(piece)]
    meant = {int(match[1]): normalise_plain_word(match[2]) for match in _MEANT.finditer(piece)}
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
    return bool(words) and all(find_unit(word) for word in words)


def find_unit_factor(said: str, units: Mapping[str, float]) -> float | None:
    """Return what one of a unit is in the field's own, as the protocol says; None where it says nothing.

    Examples
    --------
    >>> find_unit_factor("nap", {"days": 6.0}), find_unit_factor("weeks", {"days": 6.0})
    (6.0, None)
    """
    return {_normalise_unit_word(word): factor for word, factor in units.items()}.get(_normalise_unit_word(said))


def _normalise_unit_word(word: str) -> str:
    return find_unit(word) or normalise_plain_word(word)
