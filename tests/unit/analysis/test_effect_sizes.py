"""Effects on common scales."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis import Estimate, cox_index, hedges_g, odds_ratio, total_variance_factor
from analysis.effect_sizes import cox_index_of
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
