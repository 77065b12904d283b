"""Identifiers that have not the form, or not the check digits, that the protocol declares; and some that have."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

from data_schema.checks import RowProblem
from data_schema.columns import Column
from data_schema.drafts import Draft
from data_schema.errors import ProtocolError
from data_schema.fields import CheckDigits, Field
from data_schema.personal.national import has_check_digits

_Declared = TypeVar("_Declared", bound=str)

_N_TRIES = 20_000
"""So many draws without another identifier say that there is none: check digits alone fit one text in 97."""

_DIGITS = "[0-9]{8,13}"
"""What is drawn where check digits are declared and no pattern."""


def patternless_rows(
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
            for problem, fits in _demands(item, country):
                fails = np.array([isinstance(value, str) and not fits(value) for value in column.meanings], dtype=bool)
                is_wrong = fails[column.codes[rows]]
                for position in rows[is_wrong].tolist():
                    yield _wrong(item, position, str(column.meanings[column.codes[position]]), problem)
                rows = rows[~is_wrong]


def _demands(item: Field, country: str) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Yield what is demanded of an identifier in a country: the problem of one that is not so, and whether one is."""
    pattern, check_digits = _of_country(item.pattern, country), _of_country(item.check_digits, country)
    if pattern:
        example = example_of(item, country)
        told = f"such as {example}" if example else pattern
        yield (
            f"{{value}} has not the form that identifiers have here, {told}.",
            lambda text: re.fullmatch(pattern, text) is not None,
        )
    if check_digits:
        yield (
            "The check digit of {value} is wrong: a digit was left out or mistyped, or two were exchanged.",
            lambda text: has_check_digits(text, check_digits, country),
        )


def _of_country(declared: Sequence[tuple[str, _Declared]], country: str) -> _Declared | None:
    """Return what is declared for a country: a declaration for "" is that of all that have none of their own."""
    known = dict(declared)
    return known.get(country, known.get(""))


def _wrong(item: Field, position: int, value: str, problem: str) -> RowProblem:
    return RowProblem(
        position=position,
        column=item.name,
        value="" if item.is_private else value,
        problem=problem,
        remedy="Check the identifier, and send the right one.",
    )


@lru_cache(maxsize=256)
def example_of(item: Field, country: str) -> str:
    """Return an identifier as one is declared for a country, the same one each time; "" where none can be made."""
    try:
        return identifiers_like(item, country, 1, seed="example")[0]
    except ProtocolError:
        return ""


def examples_of(item: Field) -> dict[str, str]:
    """Return country to an identifier of the form that is declared for it, where one is and can be made."""
    countries = dict.fromkeys(country for country, _ in (*item.pattern, *item.check_digits))
    return {country: example for country in countries if (example := example_of(item, country))}


def identifiers_like(item: Field, country: str, n: int, *, seed: str) -> list[str]:
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

    pattern, check_digits = _of_country(item.pattern, country) or _DIGITS, _of_country(item.check_digits, country)
    draw = Rstr(random.Random(f"{seed} {item.name} {country}"))  # noqa: S311 -- no secret
    found: dict[str, None] = {}
    n_in_vain = 0
    while len(found) < n and n_in_vain < _N_TRIES:
        # Of a pattern without end short ones are taken.
        text = min((draw.xeger(pattern) for _ in range(2)), key=len)
        is_right = re.fullmatch(pattern, text) is not None and _is_checked(text, check_digits, country)
        n_in_vain = 0 if is_right and text not in found else n_in_vain + 1
        if is_right:
            found[text] = None
    if len(found) < n:
        raise ProtocolError(
            f"field {item.name!r}",
            f"{n} different identifiers of the pattern {pattern!r} were to be made, and {len(found)} could be.",
            "Write the pattern with letters, digits, [...], (...) and {...} alone, wide enough for all pupils.",
        )
    return list(found)


def _is_checked(text: str, check_digits: CheckDigits | None, country: str) -> bool:
    return check_digits is None or has_check_digits(text, check_digits, country)
