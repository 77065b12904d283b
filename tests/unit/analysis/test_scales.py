"""Survey scales."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import cronbach_alpha, reliability, scale_score


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


def test_items_that_are_turned_round_have_the_reliability_of_those_that_are_not() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=(80, 1))
    items = pd.DataFrame(np.clip(np.rint(3 + common + rng.normal(size=(80, 3))), 1, 5), columns=list("abc"))
    turned = items.assign(b=6 - items["b"])
    assert reliability(turned, reverse={"b": (1, 5)}) == reliability(items, reverse={})
    assert reliability(items[["c", "a", "b"]], reverse={}).alpha == pytest.approx(reliability(items, reverse={}).alpha)


def test_pupils_who_left_an_item_out_do_not_count() -> None:
    items = pd.DataFrame({"a": [1.0, 2.0, 3.0, 5.0], "b": [1.0, 2.0, 4.0, np.nan]})
    found = reliability(items, reverse={})
    assert (found.n_pupils, found.n_items) == (3, 2)
    assert found == reliability(items.iloc[:3], reverse={})


def test_without_variance_there_is_no_reliability() -> None:
    found = reliability(pd.DataFrame({"a": [2.0, 2.0], "b": [3.0, 3.0]}), reverse={})
    assert math.isnan(found.alpha)
    assert math.isnan(found.conf_low)


@pytest.mark.parametrize("correlation", [0.3, 0.7])
def test_the_interval_covers_the_true_alpha_as_often_as_it_says(correlation: float) -> None:
    rng = np.random.default_rng(11)
    n_pupils, n_items, n_draws = 40, 4, 400
    truth = n_items * correlation / (1 + (n_items - 1) * correlation)
    inside = 0
    for _ in range(n_draws):
        common = rng.normal(size=(n_pupils, 1)) * math.sqrt(correlation)
        drawn = common + rng.normal(size=(n_pupils, n_items)) * math.sqrt(1 - correlation)
        found = reliability(pd.DataFrame(drawn), reverse={})
        inside += found.conf_low <= truth <= found.conf_high
    # Four Monte Carlo standard errors of a coverage of 95 %.
    assert abs(inside / n_draws - 0.95) < 4 * math.sqrt(0.95 * 0.05 / n_draws)
