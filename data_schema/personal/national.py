"""National identifiers of persons, by country: their check digits are those of python-stdnum, where it knows them.

It does not know the Hungarian ones. The social security number (TAJ) and the tax number are checked here by the rules
of Act XX of 1996, the education identifier, eleven digits from 7, by annex 9 of Government Decree 79/2006.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection
from functools import lru_cache

from data_schema.fields import CheckDigits

_MODULES = {
    "AT": ("at.vnr",),
    "BA": ("si.emso",),
    "BE": ("be.nn",),
    "BG": ("bg.egn",),
    "CH": ("ch.ssn",),
    "CZ": ("cz.rc",),
    "DE": ("de.idnr",),
    "DK": ("dk.cpr",),
    "EE": ("ee.ik",),
    "ES": ("es.dni", "es.nie"),
    "FI": ("fi.hetu",),
    "FR": ("fr.nir",),
    "GB": ("gb.nhs",),
    "GR": ("gr.amka",),
    "HR": ("hr.oib", "si.emso"),
    "IE": ("ie.pps",),
    "IT": ("it.codicefiscale",),
    "LT": ("lt.asmens",),
    "LV": ("lv.pvn",),
    "ME": ("si.emso",),
    "MK": ("si.emso",),
    "NL": ("nl.bsn",),
    "NO": ("no.fodselsnummer",),
    "PL": ("pl.pesel",),
    "PT": ("pt.cc",),
    "RO": ("ro.cnp",),
    "RS": ("si.emso",),
    "SE": ("se.personnummer",),
    "SI": ("si.emso", "si.ddv"),
    "SK": ("sk.rc",),
    "TR": ("tr.tckimlik",),
    "UA": ("ua.rntrc",),
}
"""Country to the modules of stdnum that check the identifiers of its people; the JMBG is checked as the EMŠO is."""

_WITH_LETTERS = frozenset(("ES", "FI", "FR", "IE", "IT", "PT"))
"""Countries whose identifiers have letters in them."""


def has_check_digits(text: str, kind: CheckDigits, country: str) -> bool:
    """Whether the check digits of an identifier are right.

    Parameters
    ----------
    text
        The identifier; spaces, dashes, points and slashes are no part of it.
    kind
        How its check digits are made.
    country
        Country whose identifiers of persons are meant by "national".

    Examples
    --------
    >>> has_check_digits("79927398713", "luhn", ""), has_check_digits("79927398731", "luhn", "")
    (True, False)
    >>> has_check_digits("7000000000 7", "national", "HU"), has_check_digits("7000000000 8", "national", "HU")
    (True, False)
    """
    bare = text.translate(_DIVIDERS)
    if kind == "national":
        checks = [_has_education_digit if check is _is_education_identifier else check for check in _checks(country)]
        return any(check(bare) for check in checks)
    module = importlib.import_module(f"stdnum.{'iso7064.' if kind.startswith('mod') else ''}{kind}")
    return bool(module.is_valid(bare.upper()))


def has_national_check(country: str) -> bool:
    """Whether it is known how identifiers of persons of a country are checked."""
    return bool(_checks(country))


def is_national(text: str, countries: Collection[str]) -> bool:
    """Whether a text is an identifier of a person of one of some countries, by its form and its check digits.

    Parameters
    ----------
    text
        The text, without spaces around it.
    countries
        Codes of the countries.

    Examples
    --------
    >>> is_national("0101006500006", ["RS"]), is_national("0101006500007", ["RS"]), is_national("111111110", ["HU"])
    (True, False, True)
    """
    has_letters = any(map(str.isalpha, text))
    where = [country for country in countries if country in _WITH_LETTERS or not has_letters]
    return any(check(text) for country in where for check in _checks(country))


@lru_cache(maxsize=64)
def _checks(country: str) -> tuple[Callable[[str], bool], ...]:
    # Imported when a text may be such an identifier, which is seldom.
    modules = [importlib.import_module(f"stdnum.{name}") for name in _MODULES.get(country, ())]
    checks: list[Callable[[str], bool]] = [module.is_valid for module in modules]
    return (*checks, *((_is_social_security, _is_tax_number, _is_education_identifier) if country == "HU" else ()))


_DIVIDERS = str.maketrans("", "", " -–./\u00a0")


def _digits(text: str) -> str:
    bare = text.replace(" ", "").replace("-", "")
    return bare if bare.isascii() and bare.isdigit() else ""


def _is_social_security(text: str) -> bool:
    digits = _digits(text)
    if len(digits) != 9:
        return False
    return sum(int(digit) * (3, 7)[at % 2] for at, digit in enumerate(digits[:8])) % 10 == int(digits[8])


def _is_tax_number(text: str) -> bool:
    digits = _digits(text)
    if len(digits) != 10 or digits[0] != "8":
        return False
    return sum(at * int(digit) for at, digit in enumerate(digits[:-1], start=1)) % 11 == int(digits[-1])


def _has_education_digit(text: str) -> bool:
    digits = _digits(text)
    if not _is_education_identifier(text):
        return False
    return sum(at * int(digit) for at, digit in enumerate(digits[:-1], start=1)) % 11 == int(digits[-1])


def _is_education_identifier(text: str) -> bool:
    """Whether a text has the form of one: a pupil is recognised by one that was mistyped, too."""
    return len(_digits(text)) == 11 and _digits(text).startswith("7")
