"""What was put in practice and what it cost, arm by arm, by the schools' own records.

The arms were drawn; how much a school of an arm did was not. Means therefore stand by arm and their difference is the
service contrast, a description; nothing here compares schools of one arm with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from data_schema.fields import Field
    from data_schema.tables import Table

IMPLEMENTATION_COLUMNS = [
    "country",
    "arm",
    "wave",
    "indicator",
    "label",
    "n_schools",
    "mean",
    "minimum",
    "maximum",
    "difference",
]
COST_COLUMNS = [
    "country",
    "arm",
    "n_schools",
    "cost_per_school",
    "cost_per_pupil",
    "currency",
    "price_year_first",
    "price_year",
]


def implementation_table(
    rows: pd.DataFrame, table: Table, *, arm_of: Mapping[str, str], arms: Sequence[str]
) -> pd.DataFrame:
    """Return mean and range over schools of every indicator by arm and wave, for all countries ("") and each.

    Parameters
    ----------
    rows
        One row per school and wave.
    table
        The implementation table; its numbers are the indicators.
    arm_of
        School to the arm that it is compared in; schools that were not drawn are not described.
    arms
        Names of the arms, the reference first.

    Returns
    -------
    pandas.DataFrame
        ``difference`` is the arm's mean less that of the reference: the service contrast. It is missing for the
        reference itself, and where one of the two reported nothing.
    """
    drawn = _add_arm_column(rows, arm_of)
    indicators = [field for field in table.fields if field.type in ("whole_number", "number") and field.name in rows]
    indicator_rows = []
    for country, in_country in _split_by_country(drawn):
        for wave, in_wave in in_country.groupby("wave", sort=False):
            for field in indicators:
                indicator_rows += _summarise_indicator(in_wave, field, arms, {"country": country, "wave": str(wave)})
    return pd.DataFrame(indicator_rows, columns=IMPLEMENTATION_COLUMNS)


def _summarise_indicator(
    rows: pd.DataFrame, field: Field, arms: Sequence[str], labels: Mapping[str, str]
) -> list[dict[str, object]]:
    numbers = rows[field.name].astype("Float64").astype(float)
    values = {arm: numbers[rows["arm"] == arm].dropna() for arm in arms}
    reference = values[arms[0]].mean() if len(values[arms[0]]) else float("nan")
    return [
        {
            **labels,
            "arm": arm,
            "indicator": field.name,
            "label": field.label,
            "n_schools": len(of_arm),
            "mean": of_arm.mean(),
            "minimum": of_arm.min(),
            "maximum": of_arm.max(),
            "difference": of_arm.mean() - reference if arm != arms[0] else float("nan"),
        }
        for arm, of_arm in values.items()
        if len(of_arm)
    ]


def summarise_costs(
    rows: pd.DataFrame, *, pupils: pd.Series[int], arm_of: Mapping[str, str], arms: Sequence[str]
) -> pd.DataFrame:
    """Return mean costs per school and per pupil, one row per country, arm and currency.

    Parameters
    ----------
    rows
        One row per item of a school's costs, with ``amount``, ``currency`` and ``price_year``.
    pupils
        School to the number of pupils at baseline.
    arm_of, arms
        As for `implementation_table`.

    Returns
    -------
    pandas.DataFrame
        Currencies are never added up or converted: a country that reports in two has two rows for an arm, and rows of
        all countries together ("") are there only where all report in one currency. What was spent per pupil is that
        of the schools whose pupils are known. ``price_year_first`` and ``price_year`` are the first and the last price
        year, 0 where none was stated.
    """
    if not {"amount", "currency"} <= set(rows.columns):
        return pd.DataFrame(columns=COST_COLUMNS)
    usable = _add_arm_column(rows.dropna(subset=["amount", "currency"]), arm_of)
    places = _split_by_country(usable)
    if len(set(usable["currency"])) > 1:
        places = [(country, part) for country, part in places if country]
    cost_rows = [row for country, part in places for row in _iterate_cost_rows(part, pupils, arms, country)]
    return pd.DataFrame(cost_rows, columns=COST_COLUMNS)


def _iterate_cost_rows(
    rows: pd.DataFrame, pupils: pd.Series[int], arms: Sequence[str], country: str
) -> Iterator[dict[str, object]]:
    for arm in arms:
        for currency, part in rows.loc[rows["arm"] == arm].groupby("currency", sort=True):
            by_school = part.groupby("school_id")["amount"].sum().astype(float)
            served = pupils.reindex(by_school.index).fillna(0)
            counted = by_school[served > 0]
            years = part["price_year"].dropna() if "price_year" in part else part["amount"].iloc[:0]
            yield {
                "country": country,
                "arm": arm,
                "n_schools": len(by_school),
                "cost_per_school": by_school.mean(),
                "cost_per_pupil": counted.sum() / served.sum() if served.sum() else float("nan"),
                "currency": currency,
                "price_year_first": int(years.min()) if len(years) else 0,
                "price_year": int(years.max()) if len(years) else 0,
            }


def _add_arm_column(rows: pd.DataFrame, arm_of: Mapping[str, str]) -> pd.DataFrame:
    arms = rows["school_id"].map(dict(arm_of))
    return rows.assign(arm=arms).loc[arms.notna()]


def _split_by_country(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return all rows under "", and those of each country under its code."""
    return [("", rows), *((str(code), part) for code, part in rows.groupby("country", sort=True))]
