"""Identifiers that have not the form that the protocol declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from data_schema.checks import RowProblem
from data_schema.columns import Column
from data_schema.drafts import Draft
from data_schema.fields import Field


def patternless_rows(
    made: Draft, columns: Mapping[str, Column], kept: np.ndarray, schools: Mapping[str, str]
) -> Iterator[RowProblem]:
    """Ask about rows with an identifier that has not the pattern that the protocol declares for its country.

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
    for item in made.table.fields:
        if not item.pattern:
            continue
        column, patterns = columns[item.name], dict(item.pattern)
        fits = {country: _fitting(column, pattern) for country, pattern in patterns.items()}
        # A pattern for "" is that of the countries that have none of their own.
        countries = [schools.get(str(value), "") for value in school.meanings]
        for position in kept.tolist():
            country = countries[school.codes[position]]
            country = country if country in fits else ""
            if country in fits and not fits[country][column.codes[position]]:
                yield _without_pattern(item, position, str(column.meanings[column.codes[position]]), patterns[country])


def _fitting(column: Column, pattern: str) -> list[bool]:
    fits = re.compile(pattern).fullmatch
    return [not isinstance(value, str) or fits(value) is not None for value in column.meanings]


def _without_pattern(item: Field, position: int, value: str, pattern: str) -> RowProblem:
    return RowProblem(
        position=position,
        column=item.name,
        value="" if item.is_private else value,
        problem=f"{{value}} has not the form that identifiers have here, {pattern}.",
        remedy="Check the identifier, and send the right one.",
    )
