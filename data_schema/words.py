"""Words that stand beside numbers or in place of them: marks, units, months, in the languages of the trial."""

from __future__ import annotations

from collections.abc import Sequence

from data_schema.fields import folded

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


def plain(word: str) -> str:
    """Bring a word to the form in which words are compared here: folded, and without marks at its ends.

    Examples
    --------
    >>> plain("Врло добар"), plain("Odličan.")
    ('vrlo dobar', 'odlican')
    """
    return folded(word).strip(".,;: ")


def plain_texts(texts: Sequence[str]) -> list[str]:
    r"""Bring many texts to the form in which words are compared: all at once, because one by one takes long.

    Examples
    --------
    >>> plain_texts(["Ана  Јовановић", "Kiss\nAnna"])
    ['ana jovanovic', 'kiss anna']
    """
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:
        return [plain(text) for text in texts]
    return [plain(line) for line in joined.split("\n")] if not joined.isascii() else joined.casefold().split("\n")


_MARK_OF = {plain(word): mark for mark, words in _MARKS.items() for word in words.split()}
_UNIT_WORDS = {unit: frozenset(map(plain, words.split())) for unit, words in _UNITS.items()}
_UNIT_OF = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
_MONTH_OF = {plain(word): number for number, words in enumerate(_MONTHS, start=1) for word in words.split()}
MONTH_WORDS = frozenset(_MONTH_OF)
"""Every word for a month, as words are compared here."""

_ROMAN_OF = {word: number for number, word in enumerate(_ROMAN, start=1)}


def mark_of(word: str) -> int | None:
    """Return the mark, 1 to 5, that a word means: "odličan", "jeles", "prav dobro"."""
    return _MARK_OF.get(plain(word))


def is_unit(word: str, unit: str) -> bool:
    """Whether a word is the unit of a field, whose name may say more ("hours a month")."""
    return plain(word) in _UNIT_WORDS.get(unit.partition(" ")[0], frozenset())


def unit_of(word: str) -> str:
    """Return the unit that a word means; "" where it is none that is known.

    Examples
    --------
    >>> unit_of("nap"), unit_of("%"), unit_of("cats")
    ('days', 'percent', '')
    """
    return _UNIT_OF.get(plain(word), "")


def month_of(word: str) -> int | None:
    """Return the number of a month that is written as a word or in Roman numerals.

    Examples
    --------
    >>> month_of("октобра"), month_of("X."), month_of("okt.")
    (10, 10, 10)
    """
    key = plain(word)
    return _MONTH_OF.get(key) or _ROMAN_OF.get(key)
