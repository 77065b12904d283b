"""Values as they might be, for any field that a trial declares: of its type, in its range, out of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from data_schema.fields import Field
from evaluation.rehearsal.forms import Cell

FIRST_YEAR = 2027
"""School year of the first wave; every further wave is a year later."""

_MISSING = 0.03
_WIDE = 50
_PUPILS_BORN = FIRST_YEAR - 16


def simulate_values(field: Field, n: int, *, wave_number: int, rng: np.random.Generator) -> list[Cell]:
    """Draw values of a field.

    Parameters
    ----------
    field
        The field.
    n
        How many.
    wave_number
        Place of the wave, from 0: dates lie in its school year.
    rng
        Where they come from.

    Returns
    -------
    list
        Codes by their names, dates as dates, numbers as numbers; a field that is not required has some missing.
    """
    drawn = _sample_by_field_type(field, n, wave_number=wave_number, rng=rng)
    if field.required or field.is_private:
        return drawn
    absent = rng.random(n) < _MISSING
    return [None if missing else value for value, missing in zip(drawn, absent, strict=True)]


def _sample_by_field_type(field: Field, n: int, *, wave_number: int, rng: np.random.Generator) -> list[Cell]:
    match field.type:
        case "code" | "yes_no":
            return _sample_answers(field, n, rng)
        case "year":
            return list(map(int, _sample_years(field, n, rng)))
        case "whole_number":
            return [int(value) for value in np.rint(_sample_numbers(field, n, rng))]
        case "number":
            return [round(float(value), 2) for value in _sample_numbers(field, n, rng)]
        case "date":
            start = date(FIRST_YEAR + wave_number, 9, 1)
            return [start + timedelta(days=int(day)) for day in rng.integers(0, 280, n)]
        case "month":
            return [f"{FIRST_YEAR + wave_number}-{month:02d}" for month in rng.integers(9, 13, n)]
        case "identifier":
            return [f"{field.name[:1].upper()}{number:04d}" for number in range(1, n + 1)]
        case _:
            return [f"{field.label or field.name} {ascii_uppercase[place]}" for place in rng.integers(0, 6, n)]


def _sample_answers(field: Field, n: int, rng: np.random.Generator) -> list[Cell]:
    """Draw answers, the first one most often; of yes and no, no, but yes where it is about consent."""
    names = [code.name for code in field.codes]
    weights = 0.4 ** np.arange(len(names))
    if field.type == "yes_no":
        yes = 1.0 if field.name == "consent" else 0.3
        weights = np.array([yes if name == "yes" else 1 - yes for name in names])
    return [names[place] for place in rng.choice(len(names), size=n, p=weights / weights.sum())]


def _sample_years(field: Field, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = field.minimum or 1900, field.maximum or 2100
    middle = _PUPILS_BORN if "birth" in field.name else FIRST_YEAR - 5
    years: NDArray[np.float64] = np.clip(middle + rng.integers(-1, 2, n), low, high).astype(np.float64)
    return years


def _sample_numbers(field: Field, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw numbers: around the middle of a short range, small ones where the range is wide or open above."""
    low, high = field.minimum, field.maximum
    if low is not None and high is not None and high - low < _WIDE:
        drawn: NDArray[np.float64] = low + (high - low) * rng.beta(2, 2, n)
    elif low is not None:
        drawn = low + rng.negative_binomial(2, 0.25, n).astype(np.float64)
    else:
        drawn = rng.normal(0, 1, n)
    return np.minimum(drawn, np.inf if high is None else high)


def asked(rows: Mapping[str, Sequence[Cell]], field: Field) -> list[bool]:
    """Return for each row whether a field is to be filled in, by what the row says elsewhere."""
    n = len(next(iter(rows.values()), ()))
    if field.asked_if is None or field.asked_if[0] not in rows:
        return [True] * n
    return [value in field.asked_if[1] for value in rows[field.asked_if[0]]]
