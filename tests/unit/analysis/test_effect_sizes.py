"""Effects on common scales."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis import Estimate, cox_index, hedges_g, hedges_g_unconditional, odds_ratio, total_variance_factor
from analysis.results import build_t_estimate

DIFFERENCE = build_t_estimate(Estimate(arm="pilot", quantity="difference"), estimate=3.0, std_error=1.0, df=10)
TEN = np.full(10, 25)


def test_equal_schools_give_the_formula_for_equal_schools() -> None:
    n, pupils, icc = 25, 500, 0.2
    expected = math.sqrt(1 - 2 * (n - 1) * icc / (pupils - 2))
    assert total_variance_factor(sizes_reference=TEN, sizes_arm=TEN, icc=icc) == pytest.approx(expected, rel=1e-12)


def test_without_an_icc_the_factor_is_one() -> None:
    assert total_variance_factor(sizes_reference=np.array([3, 9]), sizes_arm=np.array([4, 4, 30]), icc=0.0) == 1


def test_hedges_g_by_hand() -> None:
    row = hedges_g(DIFFERENCE, total_variance=100.0, variance_df=50.0)
    omega = 1 - 3 / 199
    g, error, t = 0.3 * omega, 0.1 * omega, float(stats.t.isf(0.025, 10))
    assert row.quantity == "hedges_g"
    assert row.estimate == pytest.approx(g)
    assert row.std_error == pytest.approx(math.sqrt(error**2 + g**2 / 100))
    assert (row.p_value, row.df) == (DIFFERENCE.p_value, DIFFERENCE.df)
    for limit in (row.conf_low, row.conf_high):  # the error of the deviation is that at the limit
        assert abs(g - limit) == pytest.approx(t * math.sqrt(error**2 + limit**2 / 100))


def test_with_a_well_known_deviation_the_interval_of_g_is_the_differences_own() -> None:
    row = hedges_g(DIFFERENCE, total_variance=100.0, variance_df=1e9)
    assert row.conf_low == pytest.approx(DIFFERENCE.conf_low / 10, rel=1e-6)
    assert row.conf_high == pytest.approx(DIFFERENCE.conf_high / 10, rel=1e-6)


@given(estimate=st.floats(-3, 3), df=st.floats(2, 60), variance_df=st.floats(1.5, 500), scale=st.floats(0.01, 100))
def test_the_interval_of_g_excludes_zero_where_the_differences_does_and_units_do_not_matter(
    estimate: float, df: float, variance_df: float, scale: float
) -> None:
    def g(unit: float) -> Estimate:
        row = build_t_estimate(Estimate(), estimate=estimate * unit, std_error=unit, df=df)
        return hedges_g(row, total_variance=(2 * unit) ** 2, variance_df=variance_df)

    row, other = g(1.0), g(scale)
    assert (other.estimate, other.conf_low, other.conf_high) == pytest.approx(
        (row.estimate, row.conf_low, row.conf_high), rel=1e-6, abs=1e-9
    )
    assert row.conf_low <= row.estimate <= row.conf_high
    t = float(stats.t.isf(0.025, df))
    if t**2 / (2 * variance_df) < 0.5 and abs(abs(estimate) - t) > 1e-6:
        assert (row.conf_low > 0 or row.conf_high < 0) == (abs(estimate) > t)


def test_the_unconditional_g_has_hedges_factor_for_unequal_schools() -> None:
    row = hedges_g_unconditional(
        DIFFERENCE, school_variance=20.0, pupil_variance=80.0, variance_df=1e9, sizes_reference=TEN, sizes_arm=TEN
    )
    factor = math.sqrt(1 - 2 * 24 * 0.2 / 498) / 10
    assert row.quantity == "hedges_g_unconditional"
    assert row.estimate == pytest.approx(3 * factor)
    assert row.conf_low == pytest.approx(DIFFERENCE.conf_low * factor, rel=1e-6)


@pytest.mark.parametrize(
    ("school", "pupil", "sizes"), [(math.nan, math.nan, TEN), (0.0, 0.0, TEN), (1.0, 1.0, np.array([20]))]
)
def test_without_variances_or_schools_there_is_no_unconditional_g(
    school: float, pupil: float, sizes: np.ndarray
) -> None:
    row = hedges_g_unconditional(
        DIFFERENCE, school_variance=school, pupil_variance=pupil, variance_df=9.0, sizes_reference=TEN, sizes_arm=sizes
    )
    assert row.status == "failed"
    assert row.reason
    assert math.isnan(row.estimate)


@pytest.mark.parametrize(("total", "df"), [(math.nan, 9.0), (0.0, 9.0), (1.0, math.nan), (1.0, 1.0)])
def test_without_variances_there_is_no_g(total: float, df: float) -> None:
    row = hedges_g(DIFFERENCE, total_variance=total, variance_df=df)
    assert row.status == "failed"
    assert row.reason
    assert math.isnan(row.conf_low)


def test_the_cox_index_by_hand() -> None:
    logit = math.log(0.6 / 0.4)
    assert cox_index(share_reference=0.5, share_arm=0.6, n_pupils=1000) == pytest.approx((1 - 3 / 3991) * logit / 1.65)
    assert math.isnan(cox_index(share_reference=0.0, share_arm=0.6, n_pupils=1000))
    assert math.isnan(cox_index(share_reference=0.5, share_arm=1.1, n_pupils=1000))


def test_a_failed_difference_stays_failed_on_every_scale() -> None:
    failed = Estimate(status="failed", reason="No pupil has this outcome.")
    assert odds_ratio(failed).status == "failed"
    assert hedges_g(failed, total_variance=1.0, variance_df=9.0).reason == failed.reason


def test_an_odds_ratio_is_the_exponential_of_log_odds() -> None:
    row = odds_ratio(DIFFERENCE)
    assert row.quantity == "odds_ratio"
    assert (row.estimate, row.conf_low) == (math.exp(3.0), math.exp(DIFFERENCE.conf_low))
    assert row.p_value == DIFFERENCE.p_value


def test_a_limit_that_no_number_holds_is_infinite() -> None:
    log_odds = Estimate(estimate=1.0, std_error=400.0, conf_low=-1200.0, conf_high=1200.0, conf_level=0.95)
    found = odds_ratio(log_odds)
    assert (found.conf_low, found.conf_high) == (0.0, math.inf)
