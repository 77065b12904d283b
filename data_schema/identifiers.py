"""What is no identifier though it stands where one belongs, and identifiers that people cannot tell apart."""

from __future__ import annotations

import re
import unicodedata

from data_schema.clean import CleanCell, asked
from data_schema.dates import clean_date
from data_schema.words import month_of, plain

PLAIN_IDENTIFIER = r"(?:(?:[A-Za-z]{1,2}[-_]?)?[0-9]{1,40}|[0-9A-Za-z/_-]{0,40}[0-9]{5}[0-9A-Za-z/_-]{0,40})"
"""Identifiers that mean nothing else, as nearly all are: a number, perhaps after a letter or two, or a long one."""

_WORDS = (
    "? x xx xxx xxxx none no null nil na nan tbd unknown missing no_id not_known not_available "
    "nincs nincs_adat nincs_neki ismeretlen nem_ismert hiányzik nema nema_podataka nepoznato nepoznat nije_poznato "
    "ni ni_podatka neznano neznan ni_znano manjka test teszt"
)
_NONE = frozenset(plain(word.replace("_", " ")) for word in _WORDS.split())
_WITH_MONTH = re.compile(r"(?:\d{1,4}[-. /]{0,2})?([^\W\d_]{3,})\.?(?:[-. /]{0,2}\d{1,4})?\.?")
_DATE = re.compile(r"\d{1,4}[-./] ?\d{1,2}[-./] ?\d{1,4}\.?")
_ROMAN_DATE = re.compile(r"\d{1,2}\.? ?[IVX]{1,4}\.? ?\d{4}\.?")
_SHORT_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.")
_ERROR = re.compile(r"#[^\W\d_][\w/ .]*[!?]?")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_ALIKE = str.maketrans("АВЕКМНОРСТУХЈЅІаеорсухјѕі", "ABEKMHOPCTYXJSIaeopcyxjsi")
"""Letters of the Cyrillic alphabet that nobody tells from Latin ones."""

_ASK_AGAIN = "Format the column as text, enter the identifiers again and send the file."


def in_latin_shape(text: str) -> str:
    """Return a text with Cyrillic letters that look like Latin ones as these."""
    return text.translate(_ALIKE)


def look_of(identifier: str) -> str:
    """Return what people see of an identifier: no case, no alphabet of letters that look alike, one kind of dash.

    Examples
    --------
    >>> look_of("АВ–12") == look_of("ab-12")
    True
    """
    if not identifier.isascii():
        identifier = in_latin_shape(unicodedata.normalize("NFKC", identifier).translate(_DASHES))
    return "".join(identifier.split()).casefold()


def is_spreadsheet_error(text: str) -> bool:
    """Whether a text is an error of a spreadsheet in any language: "#HIÁNYZIK", "#ЗНАЧ!".

    Examples
    --------
    >>> is_spreadsheet_error("#ÉRTÉK!"), is_spreadsheet_error("#9a")
    (True, False)
    """
    return text.startswith("#") and len(text) > 2 and text == text.upper() and _ERROR.fullmatch(text) is not None


def not_an_identifier(text: str, *, of_frame: bool = False) -> CleanCell | None:
    """Return what to ask about a text where an identifier belongs; None when it may be one.

    Parameters
    ----------
    text
        The text.
    of_frame
        Whether it is looked up in a list that is known, so that letters of two alphabets are seen there.

    Examples
    --------
    >>> not_an_identifier("27-Jan").problem, not_an_identifier("031201")
    ('{value} is a date where an identifier belongs; a spreadsheet may have made it one.', None)
    """
    if plain(text) in _NONE or not any(sign.isalnum() for sign in text):
        return asked(
            "{value} is no identifier; it says that there is none.", "Send the row with it, or remove the row."
        )
    if _is_date(text):
        return asked("{value} is a date where an identifier belongs; a spreadsheet may have made it one.", _ASK_AGAIN)
    if not of_frame and not text.isascii() and _has_two_alphabets(text):
        problem = "{value} has letters of two alphabets in one identifier, which people cannot tell apart."
        return asked(problem, "Enter it again in one alphabet.")
    return None


def _is_date(text: str) -> bool:
    with_month = _WITH_MONTH.fullmatch(text)
    if with_month:
        return any(sign.isdigit() for sign in text) and month_of(with_month[1]) is not None and len(with_month[1]) > 2
    if _SHORT_DATE.fullmatch(text):
        return True
    if _DATE.fullmatch(text) is None and _ROMAN_DATE.fullmatch(text) is None:
        return False
    read = clean_date(text)
    return read.value is not None or "two dates" in read.problem


def _has_two_alphabets(text: str) -> bool:
    letters = [unicodedata.name(sign, "").partition(" ")[0] for sign in text if sign.isalpha()]
    return len({letter for letter in letters if letter in ("LATIN", "CYRILLIC", "GREEK")}) > 1
