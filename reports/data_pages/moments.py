"""Means, standard deviations and outer tenths of a codebook, as far as they give nobody away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data_schema.fields import NUMERIC_TYPES, Field
from reports.counted import Pupils
from reports.disclosure import STEPS_PER_SD, TOTAL, Count, Rules, compute_mean_step, find_hidden_means, is_small
from reports.release.answers import ANSWERED, Key
from reports.release.moments import TAIL, Moments, Places, is_revealing_values
from reports.release.reading import build_rounded_fact

Floats = NDArray[np.float64]
Told = dict[str, float]
"""Mean, standard deviation and outer tenths by their names in the codebook; what is not printed is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """The values of a field: countries, the values of each, and how many rows each has."""

    countries: tuple[str, ...]
    parts: tuple[Floats, ...]
    n_rows: tuple[int, ...]

    def of(self, places: Places) -> Floats:
        """Return the values of some countries together."""
        return np.concatenate([self.parts[place] for place in places])


def compute_printed_moments(
    field: Field, rows: pd.DataFrame, *, counts: Mapping[Key, Count], rules: Rules, step: int
) -> dict[str, Told]:
    """Return country, "" for all together, to what is printed of a field's values.

    Parameters
    ----------
    field
        The field.
    rows
        The rows of all countries.
    counts
        The field's numbers of answers, as they are printed.
    rules
        What may be shown of rows.
    step
        To what numbers of answers are rounded.

    Returns
    -------
    dict
        All that `find_hidden_means` allows; without the tenths, the standard deviations, or anything, where they would
        tell who has a value that few have.
    """
    if field.type not in NUMERIC_TYPES:
        return {}
    known = rows.loc[rows[field.name].notna(), [field.name, "country", "school_id"]]
    of_country = dict(iter(rows.groupby(rows["country"].astype(str), sort=False)))
    parts = [known.loc[known["country"].astype(str) == country] for country in of_country]
    values = _Values(
        countries=tuple(of_country),
        parts=tuple(part[field.name].to_numpy(dtype=np.float64) for part in parts),
        n_rows=tuple(map(len, of_country.values())),
    )
    hidden = find_hidden_means(map(len, parts), of_schools=[part["school_id"].nunique() for part in parts], rules=rules)
    every = tuple(range(len(parts)))
    named = [*(((place,), country) for place, country in enumerate(values.countries)), (every, TOTAL)]
    shown = [
        named_part
        for named_part, is_hidden in zip(named, hidden, strict=True)
        if not is_hidden and len(values.of(named_part[0]))
    ]
    if not shown:
        return {}
    unit = 0.0 if field.type == "number" else 1.0
    sizes = [_find_other_sizes(values, place, counts, rules, step=step) for place in every]
    for sd, tenths in ((True, True), (True, False), (False, False)):
        printed = {
            part_places: _compute_moments_precision(values.of(part_places), rules, unit=unit, sd=sd, tenths=tenths)
            for part_places, _ in shown
        }
        if not is_revealing_values(values.parts, printed, unit=unit, least=rules.threshold, other_sizes=sizes):
            return {
                country: _round_moments(values.of(part_places), printed[part_places]) for part_places, country in shown
            }
    return {}


def _compute_moments_precision(values: Floats, rules: Rules, *, unit: float, sd: bool, tenths: bool) -> Moments:
    step = compute_mean_step(sd=float(values.std(ddof=1)), n=len(values), unit=unit)
    # Whoever knows how steps are chosen knows that the deviation is not so small, or large, as to give another one.
    finer = step / (2.5 if f"{step:e}".startswith("5") else 2)
    range_of_sd = (
        0.0 if compute_mean_step(sd=0, n=len(values), unit=unit) == step else finer * STEPS_PER_SD,
        step * STEPS_PER_SD,
    )
    return Moments(step=step, range_of_sd=range_of_sd, sd=sd, tenths=tenths and TAIL * len(values) >= rules.threshold)


def _round_moments(values: Floats, printed: Moments) -> Told:
    unrounded_moments = {"mean": float(values.mean())}
    unrounded_moments |= {"sd": float(values.std(ddof=1))} if printed.sd else {}
    tenths = zip(("p10", "p90"), np.quantile(values, [TAIL, 1 - TAIL]), strict=True) if printed.tenths else ()
    unrounded_moments |= {name: float(value) for name, value in tenths}
    return {name: round(round(value / printed.step) * printed.step, 9) for name, value in unrounded_moments.items()}


def _find_other_sizes(values: _Values, at: int, counts: Mapping[Key, Count], rules: Rules, *, step: int) -> list[int]:
    """Return other numbers of values that there may be, where how many are missing is nobody's business."""
    n, n_rows = len(values.parts[at]), values.n_rows[at]
    if not is_small(n_rows - n, threshold=rules.threshold):
        return []
    shown = counts[ANSWERED, values.countries[at]].value
    low, high = 1, n_rows
    if shown is not None:
        fact = build_rounded_fact(Pupils.at("answers"), shown, threshold=step)
        low, high = int(fact.low), min(int(fact.high), n_rows)
    return sorted({size for size in (low, n - 1, n + 1, high) if low <= size <= high} - {n})
