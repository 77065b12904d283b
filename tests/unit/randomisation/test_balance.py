"""Balance figures against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Variable, balance_table, wwc

ARMS = ("control", "pilot")
COLUMNS = [
    "level",
    "variable",
    "label",
    "category",
    "country",
    "arm",
    "n_reference",
    "n_arm",
    "mean_reference",
    "mean_arm",
    "sd_reference",
    "sd_arm",
    "std_difference",
    "variance_ratio",
    "missing_reference",
    "missing_arm",
    "wwc",
]


def schools(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"arm": ["control"] * 4 + ["pilot"] * 4, **columns})


def only_row(frame: pd.DataFrame, variable: Variable, **options: object) -> dict[str, object]:
    table = balance_table(frame, variables=[variable], **{"arms": ARMS, "country_column": None, **options})  # type: ignore[arg-type]
    assert list(table) == COLUMNS
    (row,) = table.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_a_number_is_compared_by_hedges_g_with_the_mean_of_the_variances() -> None:
    # Control 1 2 3 4: mean 2.5, variance 5/3. Pilot 2 4 6 8: mean 5, variance 20/3. Mean of the variances: 25/6.
    row = only_row(schools(size=[1, 2, 3, 4, 2, 4, 6, 8]), Variable(name="size", label="Pupils"))
    assert row["std_difference"] == pytest.approx((1 - 3 / 23) * 2.5 / math.sqrt(25 / 6), rel=1e-12)
    assert row["std_difference"] == pytest.approx(1.0649955, abs=1e-7)
    assert row["variance_ratio"] == pytest.approx(4)
    assert (row["mean_reference"], row["mean_arm"], row["n_reference"], row["n_arm"]) == (2.5, 5, 4, 4)
    assert row["sd_reference"] == pytest.approx(math.sqrt(5 / 3))
    assert (row["level"], row["label"], row["category"], row["country"], row["arm"]) == (
        "school",
        "Pupils",
        "",
        "",
        "pilot",
    )
    assert row["wwc"] == "not_satisfied"


def test_a_category_is_compared_by_its_share() -> None:
    # Vocational: 1 of 4 against 3 of 4; odds 1/3 and 3; (1 - 3 / 23) ln 9 / 1.65.
    table = balance_table(
        schools(type=["v", "g", "g", "g", "v", "v", "v", "g"]),
        variables=[Variable(name="type", kind="category")],
        arms=ARMS,
        country_column=None,
    )
    assert table["category"].tolist() == ["g", "v"]
    assert table["mean_reference"].tolist() == [0.75, 0.25]
    assert table["mean_arm"].tolist() == [0.25, 0.75]
    assert table["std_difference"].to_numpy() == pytest.approx([-1.1579576, 1.1579576], abs=1e-7)
    assert table["sd_arm"].to_numpy() == pytest.approx(math.sqrt(3 / 16))
    assert table["variance_ratio"].isna().all()


def test_missing_values_are_counted_and_left_out() -> None:
    frame = schools(size=[1.0, 3.0, np.nan, np.inf, 2.0, 4.0, 6.0, np.nan])
    row = only_row(frame, Variable(name="size"))
    assert (row["n_reference"], row["n_arm"]) == (2, 3)
    assert (row["missing_reference"], row["missing_arm"]) == (0.5, 0.25)
    # Means 2 and 4, variances 2 of two rows and 4 of three, N = 5: pooled (1 * 2 + 2 * 4) / 3.
    assert row["std_difference"] == pytest.approx((1 - 3 / 11) * 2 / math.sqrt(10 / 3), rel=1e-12)


def test_zeros_and_ones_are_a_share_and_a_share_of_zero_has_half_a_case() -> None:
    rows = [only_row(schools(x=values), Variable(name="x")) for values in ([0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1] * 2)]
    assert [row["category"] for row in rows] == ["yes", "yes"]
    # None of 4 against one of 4: odds 0.5 / 4.5 and 1.5 / 3.5; (1 - 3 / 23) ln(27 / 7) / 1.65.
    assert rows[0]["std_difference"] == pytest.approx((1 - 3 / 23) * math.log(27 / 7) / 1.65, rel=1e-12)
    assert rows[1]["std_difference"] == 0.0


def test_missing_categories_are_counted_and_left_out() -> None:
    frame = schools(type=["v", "g", None, None, "v", "v", "g", "g"])
    table = balance_table(frame, variables=[Variable(name="type", kind="category")], arms=ARMS, country_column=None)
    assert table["category"].tolist() == ["g", "v"]
    assert table["mean_reference"].tolist() == [0.5, 0.5]
    assert table["missing_reference"].tolist() == [0.5, 0.5]
    assert table["std_difference"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "difference"),
    [
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.0),
        ([0.0] * 8, 0.0),
        ([0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3], math.nan),
        ([None, None, None, None, 1.0, 2.0, 3.0, 4.0], math.nan),
        ([None] * 8, math.nan),
        ([1.0, None, None, None, 1.0, 2.0, 3.0, 4.0], math.nan),
    ],
)
def test_differences_that_cannot_be_standardised_are_undefined_unless_zero(
    values: list[float | None], difference: float
) -> None:
    row = only_row(schools(x=values), Variable(name="x"))
    assert row["std_difference"] == pytest.approx(difference, nan_ok=True)
    assert row["wwc"] == ("satisfied" if difference == 0 else "")


def test_a_constant_reference_has_no_variance_ratio() -> None:
    row = only_row(schools(x=[1, 1, 1, 1, 1, 2, 3, 4]), Variable(name="x"))
    assert math.isnan(row["variance_ratio"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (0.0, "satisfied"),
        (0.05, "satisfied"),
        (-0.05, "satisfied"),
        (0.1 + 0.2 - 0.25, "satisfied"),
        (0.0501, "adjust"),
        (0.25, "adjust"),
        (-0.25, "adjust"),
        (0.1 + 0.15, "adjust"),
        (0.2501, "not_satisfied"),
        (-3.0, "not_satisfied"),
        (math.nan, ""),
    ],
)
def test_limits_of_the_what_works_clearinghouse_include_their_end(difference: float, verdict: str) -> None:
    assert wwc(difference) == verdict


def test_countries_follow_all_together_when_there_are_two() -> None:
    frame = schools(size=range(8), country=["HU", "HU", "SI", "SI"] * 2)
    table = balance_table(frame, variables=[Variable(name="size")], arms=ARMS)
    assert table["country"].tolist() == ["", "HU", "SI"]
    assert table["n_arm"].tolist() == [4, 2, 2]
    assert table["mean_arm"].tolist() == [5.5, 4.5, 6.5]


def test_a_country_has_no_row_for_a_category_that_it_does_not_have() -> None:
    frame = schools(region=["Bács", "Bács", "Nišava", "Nišava"] * 2, country=["HU", "HU", "RS", "RS"] * 2)
    table = balance_table(frame, variables=[Variable(name="region", kind="category")], arms=ARMS)
    assert list(zip(table["category"], table["country"], strict=True)) == [
        ("Bács", ""),
        ("Bács", "HU"),
        ("Nišava", ""),
        ("Nišava", "RS"),
    ]


def test_one_country_is_not_repeated() -> None:
    table = balance_table(schools(size=range(8), country="HU"), variables=[Variable(name="size")], arms=ARMS)
    assert table["country"].tolist() == [""]


def test_every_arm_is_compared_with_the_reference() -> None:
    frame = pd.DataFrame({"arm": ["a", "a", "b", "b", "c", "c"], "size": [1, 3, 2, 4, 10, 12]})
    table = balance_table(frame, variables=[Variable(name="size")], arms=("b", "a", "c"), country_column=None)
    assert table["arm"].tolist() == ["a", "c"]
    assert table["mean_reference"].tolist() == [3, 3]
    assert np.sign(table["std_difference"]).tolist() == [-1, 1]


def test_an_arm_without_rows_in_a_country_is_undefined_there_and_breaks_nothing() -> None:
    frame = schools(size=range(8), country=["HU", "HU", "HU", "HU", "SI", "SI", "HU", "HU"])
    table = balance_table(frame, variables=[Variable(name="size")], arms=ARMS).set_index("country")
    assert table.loc["SI", "n_reference"] == 0
    assert table.loc["SI", ["mean_reference", "std_difference", "missing_reference"]].isna().all()


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        ([True, False, False, False] * 2, ["no", "yes"]),
        (pd.array([True, False, False, None] * 2, dtype="boolean"), ["no", "yes"]),
        ([1.0, 2.0, 2.0, 2.5] * 2, ["1", "2", "2.5"]),
        (np.array([np.int64(3), "x", "x", "x"] * 2, dtype=object), ["3", "x"]),
    ],
)
def test_categories_are_written_as_text(values: object, categories: list[str]) -> None:
    frame = schools(flag=values)
    table = balance_table(frame, variables=[Variable(name="flag", kind="category")], arms=ARMS, country_column=None)
    assert table["category"].tolist() == categories


@pytest.mark.parametrize(
    "values",
    [pd.array([1, 2, 3, None, 2, 4, 6, 8], dtype="Int64"), [1, 2, 3, None, 2, 4, 6, 8], [True, False] * 4],
)
def test_whole_numbers_with_gaps_and_yes_no_can_be_numbers(values: object) -> None:
    row = only_row(schools(x=values), Variable(name="x"))
    assert row["mean_arm"] in (5, 0.5)


def test_pupils_are_compared_as_pupils() -> None:
    frame = schools(mark=[1, 2, 3, 4, 2, 4, 6, 8], school_id=list("aabbccdd"))
    row = only_row(frame, Variable(name="mark"), level="pupil", school="school_id")
    assert (row["level"], row["n_arm"]) == ("pupil", 4)


@pytest.mark.parametrize(
    ("frame", "options", "problem"),
    [
        (schools(x=range(8)), {"variables": [Variable(name="y")]}, "no column 'y'"),
        (schools(x=range(8)), {"country_column": "country"}, "no column 'country'"),
        (schools(x=list("abcdefgh")), {}, "values that are not numbers"),
        (schools(x=["1", "2"] * 4), {}, "values that are not numbers"),
        (schools(x=range(8)), {"arms": ("control",)}, "Fewer than two arms"),
        (schools(x=range(8)), {"arms": ("control", "full")}, "'pilot' is no arm"),
        (schools(x=range(8), s=list("abcdabcd")), {"school": "s", "level": "pupil"}, "more than one arm"),
        (schools(x=range(8), s=list("aabcdefg")), {"school": "s"}, "more than one row"),
    ],
)
def test_what_cannot_be_compared_is_refused(frame: pd.DataFrame, options: dict[str, object], problem: str) -> None:
    given = {"variables": [Variable(name="x")], "arms": ARMS, "country_column": None, **options}
    with pytest.raises(DesignError, match=problem):
        balance_table(frame, **given)  # type: ignore[arg-type]


def test_rows_without_an_arm_are_refused() -> None:
    with pytest.raises(DesignError, match="is no arm"):
        balance_table(
            schools(x=range(8)).replace("control", None), variables=[Variable(name="x")], arms=ARMS, country_column=None
        )


def test_an_unknown_kind_of_variable_is_refused() -> None:
    with pytest.raises(DesignError, match="Its kind is 'share'"):
        Variable(name="x", kind="share")  # type: ignore[arg-type]


def test_the_frame_is_not_changed() -> None:
    frame = schools(x=[1, None, 3, 4, 2, 4, 6, 8])
    before = frame.copy()
    balance_table(frame, variables=[Variable(name="x")], arms=ARMS, country_column=None)
    pd.testing.assert_frame_equal(frame, before)


def test_an_arm_in_which_nobody_has_the_category_s_variable_is_undefined() -> None:
    frame = schools(type=["g", "v", "g", "g", None, None, None, None])
    table = balance_table(frame, variables=[Variable(name="type", kind="category")], arms=ARMS, country_column=None)
    assert table["n_arm"].tolist() == [0, 0]
    assert table["std_difference"].isna().all()
