"""What was put in practice and what it cost, by the schools' own records: never as if it were randomised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_schema.tables import Table

IMPLEMENTATION_COLUMNS = ["country", "indicator", "label", "n_schools", "mean", "minimum", "maximum"]
COST_COLUMNS = ["country", "n_schools", "cost_per_school", "cost_per_pupil", "currency", "price_year"]


def implementation_table(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return mean and range over schools of every indicator, for all countries ("") and each.

    Parameters
    ----------
    rows
        One row a school.
    table
        The implementation table; its numbers are the indicators.
    """
    indicators = [field for field in table.fields if field.type in ("whole_number", "number") and field.name in rows]
    groups = [("", rows), *((str(code), part) for code, part in rows.groupby("country", sort=True))]
    found = []
    for country, part in groups:
        for field in indicators:
            values = part[field.name].astype("Float64").astype(float).dropna()
            if len(values):
                figures = {"mean": values.mean(), "minimum": values.min(), "maximum": values.max()}
                found.append(
                    {"country": country, "indicator": field.name, "label": field.label, "n_schools": len(values)}
                    | figures
                )
    return pd.DataFrame(found, columns=IMPLEMENTATION_COLUMNS)


def cost_table(rows: pd.DataFrame, *, pupils: pd.Series[int]) -> pd.DataFrame:
    """Return mean costs a school and a pupil, one row a country and currency.

    Parameters
    ----------
    rows
        One row an item of a school's costs, with ``amount``, ``currency`` and ``price_year``.
    pupils
        School to the number of pupils at baseline.

    Returns
    -------
    pandas.DataFrame
        Currencies are never added up or converted: a country that reports in two has two rows.
    """
    return pd.DataFrame(list(_costs(rows, pupils)), columns=COST_COLUMNS)


def _costs(rows: pd.DataFrame, pupils: pd.Series[int]) -> Iterator[dict[str, object]]:
    usable = rows.dropna(subset=["amount", "currency"])
    for (country, currency), part in usable.groupby(["country", "currency"], sort=True):
        by_school = part.groupby("school_id")["amount"].sum().astype(float)
        served = pupils.reindex(by_school.index).fillna(0)
        years = part["price_year"].dropna()
        yield {
            "country": country,
            "n_schools": len(by_school),
            "cost_per_school": by_school.mean(),
            "cost_per_pupil": by_school.sum() / served.sum() if served.sum() else float("nan"),
            "currency": currency,
            "price_year": int(years.max()) if len(years) else 0,
        }
