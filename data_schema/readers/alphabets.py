"""Bytes -> text, by the letters that a country writes with.

Detectors that go by frequency read short files in ISO-8859-2 and cp852 wrongly. A school's country is known, so its
alphabet decides: a code page that gives a letter which nobody there writes is not the right one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

import numpy as np

_HUNGARIAN = "áéíóöőúüű"
_SERBIAN_LATIN = "čćđšž"
_SERBIAN = "абвгдђежзијклљмнњопрстћуфхцчџш"
_SLOVENIAN = "čšžćđ"
_ITALIAN = "àèéìòù"
_GERMAN = "äöüß"
ALPHABETS = {
    # With the letters of the recognised minorities, whose pupils' names are in the files.
    "HU": _HUNGARIAN + "ä",
    "RS": _SERBIAN + _SERBIAN_LATIN + _HUNGARIAN,
    "SI": _SLOVENIAN + _ITALIAN + _HUNGARIAN,
    "HR": _SERBIAN_LATIN + _ITALIAN + _HUNGARIAN,
    "BA": _SERBIAN + _SERBIAN_LATIN,
    "ME": _SERBIAN + _SERBIAN_LATIN + "śź",
    "AT": _GERMAN + _SERBIAN_LATIN + _HUNGARIAN,
}
"""Letters beyond a to z that a country writes with, in lower case."""

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MISREAD = frozenset("õûæðèþ" + "õûæðèþ".upper())
_CODE_PAGES = ("cp1250", "cp1251", "cp852", "iso8859_2")
_SIGNS = frozenset("\u00a0\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00a7\u00b0\u20ac\u2026")
_BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f\u2019\u2013](?=[^\W\d_])|(?<=[^\W\d_])\u00a0\b")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_N_SORTED = 100_000
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SCRIPTS = re.compile("[a-z\u00df-\u017e][\u0400-\u04ff]|[\u0400-\u04ff][a-z\u00df-\u017e]", re.IGNORECASE)


def decode_text(content: bytes, *, countries: Collection[str] = ()) -> tuple[str, ...]:
    """Return every text that the bytes may represent.

    Parameters
    ----------
    content
        Bytes of a text file.
    countries
        Codes of the countries whose letters it may hold; all known ones when empty or unknown.

    Returns
    -------
    tuple of str
        One text when there is no doubt, several when the bytes make sense in more than one code page, none when they
        make sense in no known one. A byte order mark is left out.

    Examples
    --------
    >>> decode_text("Špela Kožuh".encode("iso8859_2"), countries=["SI"])
    ('Špela Kožuh',)
    """
    if content.isascii() and b"\x00" not in content:
        return (content.decode("ascii"),)
    letters = "".join(ALPHABETS.get(country, "") for country in countries) or "".join(ALPHABETS.values())
    allowed = frozenset(letters) | frozenset(letters.upper()) | _SIGNS
    unicode = _decode_unicode(content)
    if unicode is not None and (content.startswith(_MARKS) or _find_foreign_letters(unicode) <= allowed):
        return (unicode,)
    around = _extract_letter_contexts(content)
    is_text = _CONTROL_BYTES.search(content) is None
    pages = [page for page in _CODE_PAGES if is_text and _is_fitting_code_page(around, page, allowed)]
    texts = [text for page in pages if (text := _decode_by_page(content, page)) is not None]
    if unicode is not None and not texts:
        # Letters of another country, in an encoding that other bytes hardly ever fit by chance.
        return (unicode,)
    return tuple(dict.fromkeys(texts))


def repair_double_encoding(text: str) -> str | None:
    """Return a text whose letters were encoded twice as it was meant; None where they were not.

    Programs that take UTF-8 for a code page write "Ã¡" for "á". It is undone only where every run of foreign letters in
    the text is UTF-8 in the same code page, which letters that were meant never are.

    Examples
    --------
    >>> repair_double_encoding("KovÃ¡cs"), repair_double_encoding("Kovács")
    ('Kovács', None)
    """
    runs = set() if text.isascii() else set(_FOREIGN.findall(text))
    for page in ("cp1252", "cp1250") if runs else ():
        meant = {run: repaired_run for run in runs if (repaired_run := _decode_once(run, page)) is not None}
        if len(meant) == len(runs):
            return _replace_letters(text, meant)
    return None


def _replace_letters(text: str, meant: Mapping[str, str]) -> str:
    return _FOREIGN.sub(lambda found: meant[found[0]], text)


def _decode_once(run: str, page: str) -> str | None:
    try:
        # Bytes that a code page has no letter for are kept as control signs.
        bytes_of = (sign.encode("latin-1") if "\x80" <= sign <= "\x9f" else sign.encode(page) for sign in run)
        return b"".join(bytes_of).decode()
    except UnicodeError:
        return None


def find_strange_letters(text: str, countries: Collection[str]) -> list[str]:
    """Return letters that represent others where a Central European page was read as a Western one ("õ" for "ő").

    Parameters
    ----------
    text
        The text.
    countries
        Countries of the text; nothing is strange where one of them is not known.
    """
    if text.isascii() or not countries or not all(country in ALPHABETS for country in countries):
        return []
    letters = "".join(ALPHABETS[country] for country in countries)
    return sorted((_find_foreign_letters(text) & _MISREAD) - {*letters, *letters.upper()})


def _decode_unicode(content: bytes) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates = ("utf-16",)
    elif b"\x00" in content:
        # UTF-16 without a mark: of plain letters, every other byte is zero.
        candidates = ("utf-16-le",) if content[1:2] == b"\x00" else ("utf-16-be",)
    else:
        candidates = ("utf-8-sig",)
    for encoding in candidates:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\x00" in text else unicodedata.normalize("NFC", text)
    return None


def _find_foreign_letters(text: str) -> set[str]:
    return set("".join(set(_FOREIGN.findall(text))))


def _extract_letter_contexts(content: bytes) -> bytes:
    """Return each foreign letter with its two neighbours, each such three once: a large file repeats itself.

    Three are enough: all pages have one byte a letter, and what is odd is a letter beside another one.
    """
    signs = np.frombuffer(b"\n" + content + b"\n", dtype=np.uint8)
    foreign_positions = np.flatnonzero(signs > 0x7F)
    before, letter, after = (signs[foreign_positions + step].astype(np.int32) for step in (-1, 0, 1))
    threes = before << 16 | letter << 8 | after
    if len(threes) > _N_SORTED:
        is_there = np.zeros(1 << 24, dtype=bool)
        is_there[threes] = True
        threes = np.flatnonzero(is_there)
    else:
        threes = np.unique(threes)
    lines = np.stack([threes >> 16, threes >> 8 & 0xFF, threes & 0xFF, np.full_like(threes, 0x0A)], axis=1)
    return lines.astype(np.uint8).tobytes()


def _is_fitting_code_page(around: bytes, page: str, allowed: frozenset[str]) -> bool:
    """Whether every letter belongs to the alphabet and every sign stands where a sign may."""
    text = _decode_by_page(around, page)
    if text is None or not _find_foreign_letters(text) <= allowed or _CONTROL.search(text):
        return False
    return not _BETWEEN_LETTERS.search(text) and not _SCRIPTS.search(text)


def _decode_by_page(content: bytes, page: str) -> str | None:
    try:
        return content.decode(page)
    except UnicodeDecodeError:
        return None
