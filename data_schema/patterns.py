"""Patterns and check digits that the protocol declares for identifiers; national identifiers of persons, by country.

It does not know the Hungarian ones. The social security number (TAJ) and the tax number are checked here by the rules
of Act XX of 1996, the education identifier, eleven digits from 7, by annex 9 of Government Decree 79/2006.
"""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

from data_schema.checks import RowProblem
from data_schema.columns import Column, Draft
from data_schema.errors import ProtocolError
from data_schema.fields import CheckDigits, Field

_Declared = TypeVar("_Declared", bound=str)

_N_TRIES = 20_000
"""So many draws without another identifier say that there is none: check digits alone fit one text in 97."""

_DIGITS = "[0-9]{8,13}"
"""What is drawn where check digits are declared and no pattern."""


def find_patternless_rows(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, schools: Mapping[str, str]
) -> Iterator[RowProblem]:
    """Ask about rows with an identifier that is not as the protocol declares for its country.

    Parameters
    ----------
    made
        The table's cells.
    columns
        Field to its cells.
    kept
        Positions of the rows that are kept so far.
    schools
        School to its country.
    """
    school = columns["school_id"]
    countries = np.array([schools.get(str(value), "") for value in school.meanings], dtype=object)[school.codes]
    for item in made.table.fields:
        if not item.pattern and not item.check_digits:
            continue
        column = columns[item.name]
        for country in sorted(set(countries[kept].tolist())):
            rows = kept[countries[kept] == country]
            for problem, fits in _iterate_identifier_demands(item, country):
                fails = np.array([isinstance(value, str) and not fits(value) for value in column.meanings], dtype=bool)
                is_wrong = fails[column.codes[rows]]
                for position in rows[is_wrong].tolist():
                    yield _build_row_problem(item, position, str(column.meanings[column.codes[position]]), problem)
                rows = rows[~is_wrong]


def _iterate_identifier_demands(item: Field, country: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Yield what is demanded of an identifier in a country: the problem of one that is not so, and whether one is."""
    pattern, check_digits = (
        _get_declared_for_country(item.pattern, country),
        _get_declared_for_country(item.check_digits, country),
    )
    if pattern:
        example = generate_example(item, country)
        form_text = f"such as {example}" if example else pattern
        yield (
            f"{{value}} has not the form that identifiers have here, {form_text}.",
            lambda text: re.fullmatch(pattern, text) is not None,
        )
    if check_digits:
        yield (
            "The check digit of {value} is wrong: a digit was left out or mistyped, or two were exchanged.",
            lambda text: has_check_digits(text, check_digits, country),
        )


def _get_declared_for_country(declared: Sequence[tuple[str, _Declared]], country: str) -> _Declared | None:
    """Return what is declared for a country: a declaration for "" is that of all that have none of their own."""
    known = dict(declared)
    return known.get(country, known.get(""))


def _build_row_problem(item: Field, position: int, value: str, problem: str) -> RowProblem:
    return RowProblem(
        position=position,
        column=item.name,
        value="" if item.is_private else value,
        problem=problem,
        remedy="Check the identifier, and send the right one.",
    )


@lru_cache(maxsize=256)
def generate_example(item: Field, country: str) -> str:
    """Return an identifier as one is declared for a country, the same one each time; "" where none can be made."""
    try:
        return draw_identifiers(item, country, 1, seed="example")[0]
    except ProtocolError:
        return ""


def generate_examples_by_country(item: Field) -> dict[str, str]:
    """Return country to an identifier of the form that is declared for it, where one is and can be made."""
    countries = dict.fromkeys(country for country, _ in (*item.pattern, *item.check_digits))
    return {country: example for country in countries if (example := generate_example(item, country))}


def draw_identifiers(item: Field, country: str, n: int, *, seed: str) -> list[str]:
    """Draw different identifiers as they are declared for a country.

    Parameters
    ----------
    item
        The field, with a pattern for the country.
    country
        The country.
    n
        How many.
    seed
        Seed of the draw.

    Raises
    ------
    ProtocolError
        When not so many can be made.
    """
    # Imported late: intake needs it for an example alone.
    from rstr import Rstr

    pattern, check_digits = (
        _get_declared_for_country(item.pattern, country) or _DIGITS,
        _get_declared_for_country(item.check_digits, country),
    )
    draw = Rstr(random.Random(f"{seed} {item.name} {country}"))  # noqa: S311 -- no secret
    drawn_texts: dict[str, None] = {}
    n_in_vain = 0
    while len(drawn_texts) < n and n_in_vain < _N_TRIES:
        # Of a pattern without end short ones are taken.
        text = min((draw.xeger(pattern) for _ in range(2)), key=len)
        is_right = re.fullmatch(pattern, text) is not None and _is_checked(text, check_digits, country)
        n_in_vain = 0 if is_right and text not in drawn_texts else n_in_vain + 1
        if is_right:
            drawn_texts[text] = None
    if len(drawn_texts) < n:
        raise ProtocolError(
            f"field {item.name!r}",
            f"{n} different identifiers of the pattern {pattern!r} were to be made, and {len(drawn_texts)} could be.",
            "Write the pattern with letters, digits, [...], (...) and {...} alone, wide enough for all pupils.",
        )
    return list(drawn_texts)


def _is_checked(text: str, check_digits: CheckDigits | None, country: str) -> bool:
    return check_digits is None or has_check_digits(text, check_digits, country)


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
        checks = [
            _has_education_digit if check is _is_education_identifier else check
            for check in _collect_number_checks(country)
        ]
        return any(check(bare) for check in checks)
    module = importlib.import_module(f"stdnum.{'iso7064.' if kind.startswith('mod') else ''}{kind}")
    return bool(module.is_valid(bare.upper()))


def has_national_check(country: str) -> bool:
    """Whether it is known how identifiers of persons of a country are checked."""
    return bool(_collect_number_checks(country))


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
    return any(check(text) for country in where for check in _collect_number_checks(country))


@lru_cache(maxsize=64)
def _collect_number_checks(country: str) -> tuple[Callable[[str], bool], ...]:
    # Imported when a text may be such an identifier, which is seldom.
    modules = [importlib.import_module(f"stdnum.{name}") for name in _MODULES.get(country, ())]
    checks: list[Callable[[str], bool]] = [module.is_valid for module in modules]
    return (*checks, *((_is_social_security, _is_tax_number, _is_education_identifier) if country == "HU" else ()))


_DIVIDERS = str.maketrans("", "", " -–./\u00a0")


def _extract_digits(text: str) -> str:
    bare = text.replace(" ", "").replace("-", "")
    return bare if bare.isascii() and bare.isdigit() else ""


def _is_social_security(text: str) -> bool:
    digits = _extract_digits(text)
    if len(digits) != 9:
        return False
    return sum(int(digit) * (3, 7)[place % 2] for place, digit in enumerate(digits[:8])) % 10 == int(digits[8])


def _is_tax_number(text: str) -> bool:
    digits = _extract_digits(text)
    if len(digits) != 10 or digits[0] != "8":
        return False
    return sum(place * int(digit) for place, digit in enumerate(digits[:-1], start=1)) % 11 == int(digits[-1])


def _has_education_digit(text: str) -> bool:
    digits = _extract_digits(text)
    if not _is_education_identifier(text):
        return False
    return sum(place * int(digit) for place, digit in enumerate(digits[:-1], start=1)) % 11 == int(digits[-1])


def _is_education_identifier(text: str) -> bool:
    """Whether a text has the form of one: a pupil is recognised by one that was mistyped, too."""
    return len(_extract_digits(text)) == 11 and _extract_digits(text).startswith("7")
