"""Effects on common scales."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import Estimate, cox_index, hedges_g, odds_ratio, total_variance_factor
from analysis.effect_sizes import cox_index_of, relative_rows
from analysis.results import t_estimate

DIFFERENCE = t_estimate(Estimate(arm="pilot", quantity="difference"), estimate=3.0, std_error=1.0, df=10)
TEN = np.full(10, 25)


def test_equal_schools_give_the_formula_for_equal_schools() -> None:
    n, pupils, icc = 25, 500, 0.2
    expected = math.sqrt(1 - 2 * (n - 1) * icc / (pupils - 2))
    assert total_variance_factor(sizes_reference=TEN, sizes_arm=TEN, icc=icc) == pytest.approx(expected, rel=1e-12)


def test_without_an_icc_the_factor_is_one() -> None:
    assert total_variance_factor(sizes_reference=np.array([3, 9]), sizes_arm=np.array([4, 4, 30]), icc=0.0) == 1


def test_hedges_g_by_hand() -> None:
    row = hedges_g(DIFFERENCE, school_variance=20.0, pupil_variance=80.0, sizes_reference=TEN, sizes_arm=TEN)
    factor = math.sqrt(1 - 2 * 24 * 0.2 / 498) / 10
    assert row.quantity == "hedges_g"
    assert row.estimate == pytest.approx(3 * factor)
    assert row.conf_low == pytest.approx(DIFFERENCE.conf_low * factor)
    assert row.p_value == DIFFERENCE.p_value


@pytest.mark.parametrize(
    ("school", "pupil", "sizes"), [(math.nan, math.nan, TEN), (0.0, 0.0, TEN), (1.0, 1.0, np.array([20]))]
)
def test_without_variances_or_schools_there_is_no_g(school: float, pupil: float, sizes: np.ndarray) -> None:
    row = hedges_g(DIFFERENCE, school_variance=school, pupil_variance=pupil, sizes_reference=TEN, sizes_arm=sizes)
    assert row.status == "failed"
    assert row.reason
    assert math.isnan(row.estimate)


def test_the_cox_index_by_hand() -> None:
    logit = math.log(0.6 / 0.4)
    assert cox_index(share_reference=0.5, share_arm=0.6, n_pupils=1000) == pytest.approx((1 - 3 / 3991) * logit / 1.65)
    assert math.isnan(cox_index(share_reference=0.0, share_arm=0.6, n_pupils=1000))
    assert math.isnan(cox_index(share_reference=0.5, share_arm=1.1, n_pupils=1000))


def shares(estimate: float) -> Estimate:
    return t_estimate(Estimate(arm="pilot", quantity="difference"), estimate=estimate, std_error=0.02, df=10)


def test_a_difference_as_cox_index_keeps_its_sign_and_its_test() -> None:
    row = cox_index_of(shares(-0.05), share_reference=0.15, n_pupils=1000)
    assert row.estimate == pytest.approx(cox_index(share_reference=0.15, share_arm=0.10, n_pupils=1000))
    assert row.estimate < 0
    assert row.conf_high * shares(-0.05).conf_high > 0
    assert row.p_value == shares(-0.05).p_value


def test_no_difference_is_an_index_of_zero_with_the_slope_for_an_interval() -> None:
    at_zero, near = (cox_index_of(shares(value), share_reference=0.2, n_pupils=1000) for value in (0.0, 1e-5))
    assert at_zero.estimate == 0
    assert at_zero.conf_high == pytest.approx(near.conf_high, rel=1e-3)


def test_a_share_of_zero_has_no_index() -> None:
    row = cox_index_of(shares(-0.2), share_reference=0.15, n_pupils=1000)
    assert row.status == "failed"
    assert "0 or 1" in row.reason
    assert math.isnan(row.std_error)


def test_a_failed_difference_stays_failed_on_every_scale() -> None:
    failed = Estimate(status="failed", reason="No pupil has this outcome.")
    assert cox_index_of(failed, share_reference=0.2, n_pupils=10).reason == failed.reason
    assert odds_ratio(failed).status == "failed"
    row = hedges_g(failed, school_variance=1.0, pupil_variance=1.0, sizes_reference=TEN, sizes_arm=TEN)
    assert row.reason == failed.reason


def test_an_odds_ratio_is_the_exponential_of_log_odds() -> None:
    row = odds_ratio(DIFFERENCE)
    assert row.quantity == "odds_ratio"
    assert (row.estimate, row.conf_low) == (math.exp(3.0), math.exp(DIFFERENCE.conf_low))
    assert row.p_value == DIFFERENCE.p_value


def test_a_difference_of_shares_as_ratios_and_number_needed_by_hand() -> None:
    row = Estimate(
        estimate=-0.05, std_error=0.02, conf_low=-0.09, conf_high=-0.01, statistic=-2.5, p_value=0.02, arm="pilot"
    )
    ratio, odds, needed = relative_rows(row, share_reference=0.2)
    assert (ratio.estimate, ratio.conf_low, ratio.conf_high) == pytest.approx((0.75, 0.55, 0.95))
    assert ratio.std_error == pytest.approx(0.02 / 0.15)
    assert odds.estimate == pytest.approx((0.15 / 0.85) / (0.2 / 0.8))
    assert odds.conf_high == pytest.approx((0.19 / 0.81) / 0.25)
    assert (needed.estimate, needed.conf_low, needed.conf_high) == pytest.approx((20, 100 / 9, 100))
    assert {made.p_value for made in (ratio, odds, needed)} == {0.02}


@given(difference=st.floats(-0.15, 0.15), half=st.floats(0.001, 0.2), share=st.floats(0.16, 0.84))
def test_ratios_exclude_no_effect_exactly_where_the_difference_does(
    difference: float, half: float, share: float
) -> None:
    row = Estimate(estimate=difference, std_error=half / 2, conf_low=difference - half, conf_high=difference + half)
    excluded = row.conf_low > 0 or row.conf_high < 0
    for made in relative_rows(row, share_reference=share)[:2]:
        assert (made.conf_low > 1 or made.conf_high < 1) == excluded or abs(abs(difference) - half) < 1e-9
        assert made.conf_low <= made.estimate <= made.conf_high


def test_limits_beyond_a_border_are_the_border_and_impossible_shares_fail() -> None:
    row = Estimate(estimate=-0.05, std_error=0.1, conf_low=-0.3, conf_high=0.9)
    ratio, odds, _ = relative_rows(row, share_reference=0.2)
    assert (ratio.conf_low, ratio.conf_high) == (0.0, 5.0)
    assert (odds.conf_low, odds.conf_high) == (0.0, math.inf)
    gone = relative_rows(row, share_reference=0.02)
    assert [made.status for made in gone] == ["failed", "failed", "ok"]
    failed = Estimate(status="failed", reason="No pupil.")
    assert {made.reason for made in relative_rows(failed, share_reference=0.2)} == {"No pupil."}
