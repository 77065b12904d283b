"""Standardised differences at baseline and their classes against R (`make/baseline.R`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from randomisation import Variable, balance_table

EXPECTED = json.loads((Path(__file__).parent / "expected" / "baseline.json").read_text(encoding="utf-8"))
ARMS = ("control", "pilot")


def table_of(frame: pd.DataFrame, *variables: Variable) -> pd.DataFrame:
    return balance_table(frame, variables=variables, arms=ARMS, level="pupil", country_column=None)


@pytest.mark.parametrize("case", EXPECTED["cases"])
def test_means_by_the_pooled_deviation_and_shares_by_the_cox_index_are_those_of_r(case: str) -> None:
    told = EXPECTED["cases"][case]
    frame = pd.DataFrame({name: told[name] for name in ("score", "left", "kind")})
    frame["arm"] = np.where(told["treated"], "pilot", "control")
    table = table_of(frame, Variable(name="score"), Variable(name="left"), Variable(name="kind", kind="category"))
    expected = [told["of_score"], told["of_left"], *told["of_kind"].values()]
    assert table["category"].tolist() == ["", "yes", *told["of_kind"]]
    for row, theirs in zip(table.to_dict("records"), expected, strict=True):
        # Closed forms of the same sums: nothing but rounding lies between them.
        assert row["std_difference"] == pytest.approx(theirs["std_difference"], rel=1e-11)
        assert row["wwc"] == theirs["wwc"]


def test_five_in_a_hundred_against_eight_is_too_far_apart() -> None:
    frame = pd.DataFrame({"arm": np.repeat(ARMS, 1000), "left": np.repeat([1, 0, 1, 0], [50, 950, 80, 920])})
    row = table_of(frame, Variable(name="left")).iloc[0]
    assert row["std_difference"] == pytest.approx(EXPECTED["five_and_eight"]["std_difference"], rel=1e-11)
    assert round(float(row["std_difference"]), 3) == 0.304
    assert row["wwc"] == "not_satisfied"
    assert (row["mean_reference"], row["mean_arm"]) == (0.05, 0.08)
