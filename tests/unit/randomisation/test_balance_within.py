"""Balance within strata: figures by hand and by regression, overlap, and what is undefined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Variable
from randomisation.balance_within import by_stratum, compute_overlap, within_strata

ARMS = ("control", "pilot")
FRAME = pd.DataFrame(
    {
        "arm": ["control", "pilot", "pilot", "control", "control", "pilot"],
        "stratum": ["a", "a", "a", "b", "b", "b"],
        "size": [1.0, 3.0, 5.0, 10.0, 12.0, 14.0],
        "kind": ["x", "y", "y", "x", "x", "y"],
        "same": [2.0] * 6,
    }
)


def test_differences_within_strata_are_those_of_a_regression() -> None:
    table = within_strata(FRAME, variables=[Variable(name="size")], arms=ARMS, strata="stratum").iloc[0]
    treated = (FRAME["arm"] == "pilot").to_numpy(dtype=float)
    design = np.column_stack([treated, FRAME["stratum"] == "a", FRAME["stratum"] == "b"]).astype(float)
    coefficient = np.linalg.lstsq(design, FRAME["size"].to_numpy(), rcond=None)[0][0]
    one, other = FRAME["size"][treated == 0], FRAME["size"][treated == 1]
    # Three rows an arm: the pooled variance is the mean of the two, and Hedges' factor that of six.
    unit = (1 - 3 / (4 * 6 - 9)) / np.sqrt((one.var() + other.var()) / 2)
    assert table["std_difference_within"] == pytest.approx(coefficient * unit)
    assert table["std_difference"] == pytest.approx((other.mean() - one.mean()) * unit)


def test_categories_have_a_row_each_and_full_separation_has_no_overlap() -> None:
    table = within_strata(FRAME, variables=[Variable(name="kind", kind="category")], arms=ARMS, strata="stratum")
    assert table["category"].tolist() == ["x", "y"]
    assert table["overlap"].tolist() == [0.0, 0.0]
    # None of three against all: with half a case, odds of 1 to 7 and 7 to 1.
    assert table["std_difference"].abs().tolist() == pytest.approx([0.8 * 2 * np.log(7) / 1.65] * 2)


def test_what_does_not_vary_is_alike() -> None:
    table = within_strata(FRAME, variables=[Variable(name="same")], arms=ARMS, strata="stratum").iloc[0]
    assert (table["std_difference"], table["std_difference_within"], table["overlap"]) == (0.0, 0.0, 1.0)


def test_an_arm_without_values_is_undefined() -> None:
    frame = FRAME.assign(size=FRAME["size"].where(FRAME["arm"] == "pilot"))
    table = within_strata(frame, variables=[Variable(name="size")], arms=ARMS, strata="stratum").iloc[0]
    assert table[["std_difference", "std_difference_within", "overlap"]].isna().all()


def test_strata_without_both_arms_say_nothing_of_differences_within() -> None:
    frame = FRAME.assign(stratum=FRAME["arm"])
    table = within_strata(frame, variables=[Variable(name="size")], arms=ARMS, strata="stratum").iloc[0]
    assert np.isnan(table["std_difference_within"])
    assert np.isfinite(table["std_difference"])


def test_overlap_is_that_of_scipy() -> None:
    from scipy import stats

    generator = np.random.default_rng(1)
    for _ in range(10):
        one, other = generator.normal(size=9).round(1), generator.normal(0.5, size=13).round(1)
        assert compute_overlap(one, other) == pytest.approx(1 - stats.ks_2samp(one, other).statistic)


def test_each_stratum_is_on_the_scale_of_all_rows() -> None:
    table = by_stratum(FRAME, variables=[Variable(name="size", label="Pupils")], arms=ARMS, strata="stratum")
    spread = FRAME["size"].std()
    assert table["stratum"].tolist() == ["", "a", "b"]
    assert table["difference"].tolist() == pytest.approx([(22 - 23) / 3 / spread, 3 / spread, 3 / spread])
    assert table[["n_reference", "n_arm"]].to_numpy().tolist() == [[3, 3], [1, 2], [2, 1]]
    assert set(table["label"]) == {"Pupils"}


def test_a_stratum_of_one_arm_and_a_constant_are_undefined() -> None:
    table = by_stratum(
        FRAME.iloc[:4], variables=[Variable(name="size"), Variable(name="same")], arms=ARMS, strata="stratum"
    )
    undefined = table[table["difference"].isna()]
    assert set(zip(undefined["variable"], undefined["stratum"], strict=True)) == {
        ("size", "b"), ("same", ""), ("same", "a"), ("same", "b"),
    }  # fmt: skip


def test_a_column_that_is_not_there_is_named() -> None:
    for function in (within_strata, by_stratum):
        with pytest.raises(DesignError, match="no column 'block'"):
            function(FRAME, variables=[Variable(name="size")], arms=ARMS, strata="block")
