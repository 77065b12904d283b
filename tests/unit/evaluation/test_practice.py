"""What was put in practice and what it cost, by arm."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_schema.school_tables import standard_tables
from evaluation.practice import COST_COLUMNS, implementation_table, summarise_costs

ARMS = ("control", "pilot")
TABLE = standard_tables()["implementation"]


def costs(**columns: str | list[float]) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "school_id": ["01", "01", "02", "03"],
            "country": ["SI", "SI", "SI", "RS"],
            "amount": [100.0, 50.0, 250.0, 9000.0],
            "currency": ["EUR", "EUR", "EUR", "RSD"],
            "price_year": pd.array([2027, 2028, None, 2027], dtype="Int64"),
        }
    )
    return rows.assign(**columns)


def test_costs_are_by_currency_and_by_pupil() -> None:
    arm_of = dict.fromkeys(("01", "02", "03"), "pilot")
    table = summarise_costs(costs(), pupils=pd.Series({"01": 10, "02": 30}), arm_of=arm_of, arms=ARMS)
    names = ["country", "arm", "n_schools", "cost_per_school", "currency", "price_year_first", "price_year"]
    assert table[names].to_numpy().tolist() == [
        ["RS", "pilot", 1, 9000.0, "RSD", 2027, 2027],
        ["SI", "pilot", 2, 200.0, "EUR", 2027, 2028],
    ]
    assert table["cost_per_pupil"].tolist()[1] == 10.0
    assert np.isnan(table["cost_per_pupil"].tolist()[0])


def test_what_control_schools_spend_does_not_move_the_cost_of_the_pilot() -> None:
    arm_of = {"01": "pilot", "02": "control", "03": "control"}
    table = summarise_costs(
        costs(amount=[20_000.0, 4_875.0, 1.0, 1.0], currency="HUF"),
        pupils=pd.Series({"01": 1, "02": 1, "03": 1}),
        arm_of=arm_of,
        arms=ARMS,
    )
    pooled = table[table["country"] == ""].set_index("arm")["cost_per_pupil"]
    assert pooled.to_dict() == {"control": 1.0, "pilot": 24_875.0}


def test_a_school_without_pupils_on_the_list_adds_nothing_to_the_cost_per_pupil() -> None:
    arm_of = dict.fromkeys(("01", "02", "03"), "pilot")
    table = summarise_costs(costs(currency="EUR"), pupils=pd.Series({"01": 10}), arm_of=arm_of, arms=ARMS)
    assert table.loc[table["country"] == "SI", "cost_per_pupil"].tolist() == [15.0]


def test_a_table_of_costs_without_amounts_describes_nothing() -> None:
    rows = costs().drop(columns=["amount", "price_year"])
    assert summarise_costs(rows, pupils=pd.Series({"01": 1}), arm_of={"01": "pilot"}, arms=ARMS).empty
    priced = summarise_costs(
        costs().drop(columns="price_year"), pupils=pd.Series({"01": 1}), arm_of={"01": "pilot"}, arms=ARMS
    )
    assert list(priced.columns) == COST_COLUMNS
    assert priced["price_year"].tolist() == [0, 0]


def test_practice_is_described_by_arm_for_all_and_each_country_with_the_contrast() -> None:
    rows = pd.DataFrame(
        {
            "school_id": ["01", "02", "03", "99"],
            "country": ["SI", "RS", "RS", "RS"],
            "wave": "followup",
            "team_meetings": pd.array([10, 20, 4, 1000], dtype="Int64"),
        }
    )
    arm_of = {"01": "pilot", "02": "pilot", "03": "control"}
    table = implementation_table(rows, TABLE, arm_of=arm_of, arms=ARMS)
    names = ["country", "arm", "n_schools", "mean", "minimum", "maximum", "difference"]
    assert table[names].fillna(-1.0).to_numpy().tolist() == [
        ["", "control", 1, 4.0, 4.0, 4.0, -1.0],
        ["", "pilot", 2, 15.0, 10.0, 20.0, 11.0],
        ["RS", "control", 1, 4.0, 4.0, 4.0, -1.0],
        ["RS", "pilot", 1, 20.0, 20.0, 20.0, 16.0],
        ["SI", "pilot", 1, 10.0, 10.0, 10.0, -1.0],
    ]


def test_a_school_that_reports_in_two_waves_is_one_school_in_each() -> None:
    rows = pd.DataFrame(
        {
            "school_id": ["01", "01"],
            "country": "SI",
            "wave": ["baseline", "followup"],
            "team_meetings": pd.array([2, 8], dtype="Int64"),
        }
    )
    table = implementation_table(rows, TABLE, arm_of={"01": "pilot"}, arms=ARMS)
    pooled = table.loc[table["country"] == "", ["wave", "n_schools", "mean"]]
    assert pooled.to_numpy().tolist() == [["baseline", 1, 2.0], ["followup", 1, 8.0]]
