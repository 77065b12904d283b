"""Survey scales."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import cronbach_alpha, scale_score


def test_a_score_is_the_mean_of_the_answered_items_turned_round_where_they_are_reversed() -> None:
    items = pd.DataFrame({"a": [5.0, 1.0, np.nan], "b": [1.0, np.nan, np.nan]}, index=[7, 8, 9])
    score = scale_score(items, reverse={"b": (1, 5)})
    assert score.iloc[:2].tolist() == [5.0, 1.0]
    assert math.isnan(score.loc[9])
    assert items["b"].iloc[0] == 1.0


def test_with_too_few_answers_the_score_is_missing() -> None:
    items = pd.DataFrame({"a": [3.0], "b": [np.nan], "c": [np.nan]})
    assert math.isnan(scale_score(items, reverse={}).iloc[0])
    assert scale_score(items, reverse={}, least_answered=0.3).iloc[0] == 3.0


def test_nullable_whole_numbers_are_answers() -> None:
    items = pd.DataFrame({"a": pd.array([4, None], dtype="Int64"), "b": pd.array([2, 2], dtype="Int64")})
    assert scale_score(items, reverse={}).tolist() == [3.0, 2.0]


def test_alpha_by_hand() -> None:
    items = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [2.0, 1.0, 4.0, 3.0]})
    variance = 5 / 3
    covariance = 1.0
    expected = 2 * (1 - 2 * variance / (2 * variance + 2 * covariance))
    assert cronbach_alpha(items, ["a", "b"]) == pytest.approx(expected)


def test_items_that_are_the_same_have_an_alpha_of_one() -> None:
    items = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": [1.0, 2.0, 5.0], "c": [1.0, 2.0, 5.0]})
    assert cronbach_alpha(items, ["a", "b", "c"]) == pytest.approx(1)


def test_too_few_pupils_or_items_have_no_alpha() -> None:
    items = pd.DataFrame({"a": [1.0, np.nan], "b": [1.0, 2.0]})
    assert math.isnan(cronbach_alpha(items, ["a", "b"]))
    assert math.isnan(cronbach_alpha(items, ["b"]))
