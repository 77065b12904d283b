"""Pooling a handful of countries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis import Estimate, pool_countries
from analysis.pooling import pool_country_differences


def test_two_equally_precise_countries_pool_to_their_mean_by_hand() -> None:
    # Variances v = 0.04 and a difference of 1: REML puts tau2 at s^2 - v = 0.5 - 0.04.
    pooled = pool_countries(np.array([0.0, 1.0]), np.array([0.2, 0.2]))
    assert pooled.estimate == pytest.approx(0.5)
    assert pooled.tau2 == pytest.approx(0.46, rel=1e-6)
    assert pooled.std_error == pytest.approx(0.5, rel=1e-6)
    assert pooled.df == 1
    assert pooled.conf_high - 0.5 == pytest.approx(stats.t.isf(0.025, 1) * 0.5, rel=1e-6)
    assert pooled.p_value == pytest.approx(2 * stats.t.sf(1, 1), rel=1e-6)


def test_countries_that_agree_are_never_pooled_more_narrowly_than_a_fixed_effect() -> None:
    pooled = pool_countries(np.array([0.3, 0.3, 0.3]), np.array([0.1, 0.1, 0.1]))
    assert pooled.tau2 == 0
    assert pooled.std_error == pytest.approx(0.1 / math.sqrt(3))


def test_the_prediction_interval_has_two_degrees_of_freedom_less_than_countries() -> None:
    pooled = pool_countries(np.array([0.9, 0.1, 0.5]), np.array([0.12, 0.15, 0.10]))
    half = stats.t.isf(0.025, 1) * math.sqrt(pooled.tau2 + pooled.std_error**2)
    assert pooled.predicted_high - pooled.estimate == pytest.approx(half)
    assert pooled.estimate - pooled.predicted_low == pytest.approx(half)


def test_two_countries_have_no_prediction_interval() -> None:
    pooled = pool_countries(np.array([0.9, 0.1]), np.array([0.12, 0.15]))
    assert math.isnan(pooled.predicted_low)
    assert math.isnan(pooled.predicted_high)


@pytest.mark.parametrize(("estimates", "errors"), [([0.1], [0.1]), ([0.1, 0.2], [0.1, 0.0])])
def test_pooling_needs_two_countries_with_errors(estimates: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError, match="two or more"):
        pool_countries(np.array(estimates), np.array(errors))


def country(code: str, estimate: float, *, failed: bool = False) -> Estimate:
    if failed:
        return Estimate(country=code, arm="pilot", status="failed", reason="No pupil has this outcome.")
    return Estimate(country=code, arm="pilot", estimate=estimate, std_error=0.1, n_schools=10, n_pupils=200)


def test_rows_of_three_countries_are_a_mean_and_a_prediction_interval() -> None:
    mean, interval = pool_country_differences(
        [country("HU", 0.1), country("RS", 0.5), country("SI", 0.3)], arm="pilot", conf_level=0.9
    )
    assert (mean.quantity, interval.quantity) == ("pooled_difference", "prediction_interval")
    assert (mean.n_schools, mean.n_pupils, mean.df, mean.conf_level) == (30, 600, 2, 0.9)
    assert mean.conf_low < mean.estimate < mean.conf_high
    assert math.isnan(interval.estimate)
    assert interval.conf_low < mean.conf_low
    assert (mean.country, mean.arm, mean.term) == ("", "pilot", "arm[pilot]")


def test_a_country_that_could_not_be_estimated_is_left_out_and_named() -> None:
    rows = pool_country_differences(
        [country("HU", 0.1), country("RS", 0.0, failed=True), country("SI", 0.3)], arm="pilot", conf_level=0.95
    )
    assert [row.quantity for row in rows] == ["pooled_difference"]
    assert rows[0].status != "failed"
    assert rows[0].reason == "Without RS, which could not be estimated."
    assert rows[0].n_schools == 20


def test_fewer_than_two_countries_cannot_be_pooled() -> None:
    (row,) = pool_country_differences(
        [country("HU", 0.1), country("RS", 0.0, failed=True)], arm="pilot", conf_level=0.95
    )
    assert row.status == "failed"
    assert row.reason == "1 of 2 countries have a difference; pooling needs two or more."
    assert math.isnan(row.estimate)
