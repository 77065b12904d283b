"""Model terms to design columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import Model, design_columns
from analysis.guards import find_independent_columns, read_numeric_column
from analysis.terms import format_missing_term
from data_schema.errors import EstimationError


def small(**columns: object) -> pd.DataFrame:
    base = {
        "school_id": ["a", "a", "b", "b", "c", "c", "d", "d"],
        "arm": ["control"] * 4 + ["pilot"] * 4,
        "y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0],
    }
    return pd.DataFrame({**base, **columns})


def model(**changes: object) -> Model:
    settings = {"outcome": "y", "school": "school_id", "arm": "arm", "arms": ("control", "pilot"), **changes}
    return Model(**settings)  # type: ignore[arg-type]  # names are checked by the dataclass


def test_columns_are_intercept_arms_covariates_and_strata_in_this_order() -> None:
    frame = small(x=range(8), kind=list("uvuwuvww"), stratum=[1, 1, 2, 2, 1, 1, 2, 2])
    columns = design_columns(frame, model(covariates=("x", "kind"), strata="stratum"))
    assert columns.names == ("(Intercept)", "arm[pilot]", "x", "kind[v]", "kind[w]", "strata[2]")
    assert columns.x[:, 1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert columns.x[:, 3].tolist() == [0, 1, 0, 0, 0, 1, 0, 0]
    assert columns.x[:, 5].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert columns.reason == ""


def test_rows_without_outcome_are_left_out_and_counted() -> None:
    columns = design_columns(small(y=[1.0, np.nan, 3.0, 4.0, 5.0, 6.0, np.nan, 9.0]), model())
    assert columns.n_missing_outcome == 2
    assert columns.y.tolist() == [1, 3, 4, 5, 6, 9]
    assert columns.school.tolist() == [0, 1, 1, 2, 2, 3]


def test_a_missing_number_is_filled_with_the_mean_and_marked() -> None:
    columns = design_columns(small(x=[1.0, np.nan, 3.0, 4.0, 1.0, 2.0, 3.0, 7.0]), model(covariates=("x",)))
    assert columns.names[-1] == format_missing_term("x") == "missing[x]"
    assert columns.x[1, 2] == pytest.approx(3.0)
    assert columns.x[:, 3].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert columns.n_missing_covariate == 1


def test_a_missing_covariate_can_cost_the_row_instead() -> None:
    frame = small(x=[1.0, np.nan, 3.0, 4.0, 1.0, 2.0, 3.0, 7.0])
    columns = design_columns(frame, model(covariates=("x",), missing_covariates="drop"))
    assert columns.names == ("(Intercept)", "arm[pilot]", "x")
    assert len(columns.y) == 7
    assert columns.n_missing_covariate == 1


def test_a_category_called_missing_is_a_category_like_others() -> None:
    frame = small(kind=["missing", None, "other", "missing", "other", "other", "missing", "other"])
    columns = design_columns(frame, model(covariates=("kind",), missing_covariates="drop"))
    assert columns.names[2:] == ("kind[other]",)
    assert len(columns.y) == 7


def test_a_covariate_that_nobody_has_changes_nothing() -> None:
    for empty in ([None] * 8, [np.nan] * 8, pd.array([pd.NA] * 8, dtype="Int64")):
        columns = design_columns(small(x=empty), model(covariates=("x",)))
        assert columns.reason == ""
        assert find_independent_columns(columns.x).tolist() == [0, 1]


@pytest.mark.parametrize(
    "outcome",
    [
        pd.array([1, 0, None, 1, 0, 0, 1, 1], dtype="Int64"),
        pd.array([True, False, None, True, False, False, True, True], dtype="boolean"),
    ],
)
def test_nullable_numbers_and_yes_no_are_outcomes(outcome: object) -> None:
    columns = design_columns(small(y=outcome), model())
    assert columns.y.tolist() == [1, 0, 1, 0, 0, 1, 1]
    assert columns.n_missing_outcome == 1


def test_an_outcome_all_missing_has_no_numbers_whatever_its_type() -> None:
    for empty in ([None] * 8, [np.nan] * 8, pd.array([pd.NA] * 8, dtype="boolean")):
        assert design_columns(small(y=empty), model()).reason == "No pupil has this outcome."


def test_input_is_left_as_it_was() -> None:
    frame = small(x=[1.0, np.nan, 3.0, 4.0, 1.0, 2.0, 3.0, 7.0])
    before = frame.copy(deep=True)
    design_columns(frame, model(covariates=("x",)))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("columns", "changes", "text"),
    [
        ({}, {"covariates": ("nothing",)}, "no column 'nothing'"),
        ({"school_id": [None, *"abbccdd"]}, {}, "1 rows have no school"),
        ({"stratum": [None, *"aabbbbb"]}, {"strata": "stratum"}, "1 rows have no stratum"),
        ({"arm": ["pilto"] * 4 + ["pilot"] * 4}, {}, "'pilto' is not one of the arms"),
        ({"arm": ["control", "pilot"] * 4}, {}, "school 'a': is in more than one arm"),
        ({"y": list("abcdefgh")}, {}, "column 'y': is not numeric"),
        ({"y": [np.inf, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0]}, {}, "holds 1 infinite values"),
        ({"x": pd.date_range("2027-01-01", periods=8)}, {"covariates": ("x",)}, "holds dates"),
    ],
)
def test_what_cannot_be_a_model_is_named(columns: dict[str, object], changes: dict[str, object], text: str) -> None:
    with pytest.raises(EstimationError, match=text):
        design_columns(small(**columns), model(**changes))


@pytest.mark.parametrize(
    ("columns", "changes", "reason"),
    [
        ({"y": [4.0] * 8}, {}, "Every pupil has the same value"),
        ({"y": [1.0, 2.0, 3.0, 4.0] + [np.nan] * 4}, {}, "Only 2 schools have this outcome"),
        ({"arm": ["control"] * 8}, {}, "No pupil of the arm pilot has this outcome"),
        ({"arm": ["pilot"] * 8}, {}, "No pupil of the reference arm has this outcome"),
        ({"stratum": list("aaaabbbb")}, {"strata": "stratum"}, "cannot be distinguished from the strata"),
    ],
)
def test_what_cannot_be_estimated_has_a_reason(
    columns: dict[str, object], changes: dict[str, object], reason: str
) -> None:
    assert reason in design_columns(small(**columns), model(**changes)).reason


def test_an_offset_of_a_covariate_does_not_make_it_a_combination() -> None:
    columns = design_columns(small(x=np.arange(8) * 1.5 + 1e9), model(covariates=("x",)))
    assert columns.reason == ""


def test_the_first_of_two_equal_columns_is_kept() -> None:
    x = np.column_stack([np.ones(5), np.arange(5), 2 * np.arange(5) + 3, np.zeros(5), np.arange(5) ** 2])
    assert find_independent_columns(x).tolist() == [0, 1, 4]
    assert find_independent_columns(np.zeros((0, 3))).tolist() == []


def test_numeric_columns_have_nan_for_what_is_missing() -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    assert read_numeric_column(frame, "n").tolist()[0] == 1.0
    assert np.isnan(read_numeric_column(frame, "n")[1])
