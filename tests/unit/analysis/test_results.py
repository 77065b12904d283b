"""Estimates, fits and how they fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis import ESTIMATE_COLUMNS, Coefficients, Convergence, Estimate, Fit, estimates_frame
from analysis.results import build_t_estimate, create_failed_fit, create_failed_row


def test_a_t_estimate_has_its_test_and_interval() -> None:
    row = build_t_estimate(Estimate(conf_level=0.9), estimate=2.0, std_error=0.5, df=7)
    assert row.statistic == 4
    assert row.p_value == pytest.approx(2 * stats.t.sf(4, 7))
    assert row.conf_high - 2 == pytest.approx(0.5 * stats.t.isf(0.05, 7))
    assert row.status == "ok"


def test_a_larger_error_for_tests_widens_the_interval_and_leaves_the_standard_error() -> None:
    row = build_t_estimate(Estimate(), estimate=2.0, std_error=0.5, df=7, test_error=1.0)
    assert (row.std_error, row.statistic) == (0.5, 2.0)
    assert row.conf_high - 2 == pytest.approx(stats.t.isf(0.025, 7))


def test_infinite_degrees_of_freedom_are_the_normal_distribution() -> None:
    row = build_t_estimate(Estimate(), estimate=1.96, std_error=1.0, df=math.inf)
    assert row.p_value == pytest.approx(2 * stats.norm.sf(1.96))


@pytest.mark.parametrize(
    ("estimate", "std_error", "df"), [(1.0, 0.0, 5), (1.0, math.nan, 5), (math.nan, 1.0, 5), (1.0, 1.0, math.nan)]
)
def test_what_has_no_error_has_no_figures(estimate: float, std_error: float, df: float) -> None:
    row = build_t_estimate(Estimate(term="x"), estimate=estimate, std_error=std_error, df=df)
    assert row.status == "failed"
    assert row.reason
    for figure in (row.estimate, row.std_error, row.df, row.p_value, row.conf_low):
        assert math.isnan(figure)


def fit() -> Fit:
    return Fit(
        method="m",
        se_type="model",
        df_method="between",
        coefficients=Coefficients(
            names=("a", "b"), estimate=np.array([1.0, 2.0]), vcov=np.diag([0.25, 1.0]), df=np.array([5.0, 6.0])
        ),
        convergence=Convergence(status="converged"),
        n_pupils=10,
        n_schools=4,
        variances={"school": 1.5},
    )


def test_tidy_is_one_row_a_coefficient_in_the_columns_of_estimates() -> None:
    table = fit().tidy()
    assert tuple(table.columns) == ESTIMATE_COLUMNS
    assert table["term"].tolist() == ["a", "b"]
    assert table["estimate"].tolist() == [1.0, 2.0]


def test_glance_names_variances() -> None:
    assert fit().glance()["variance_school"].tolist() == [1.5]


def test_a_term_that_was_left_out_fails_with_the_reason() -> None:
    row = fit().estimate("c")
    assert row.status == "failed"
    assert "combination" in row.reason


def test_the_difference_is_the_coefficient_where_a_fit_has_no_other() -> None:
    assert fit().difference("b") == fit().estimate("b")


def test_estimates_of_a_failed_fit_carry_its_reason() -> None:
    row = create_failed_fit("No luck.", method="m", se_type="s", df_method="d").estimate("a")
    assert (row.status, row.reason, row.method) == ("failed", "No luck.", "m")
    assert math.isnan(row.estimate)


def test_a_failed_row_keeps_what_it_is_about() -> None:
    row = create_failed_row(Estimate(term="x", estimate=3.0, n_pupils=5))
    assert (row.term, row.n_pupils, row.status) == ("x", 5, "failed")
    assert math.isnan(row.estimate)


def test_no_estimates_are_an_empty_frame_with_all_columns() -> None:
    assert tuple(estimates_frame([]).columns) == ESTIMATE_COLUMNS


def test_a_row_as_a_dictionary_has_the_columns_in_order() -> None:
    assert tuple(Estimate().to_dict()) == ESTIMATE_COLUMNS


def test_a_row_takes_each_caution_once_and_a_failed_row_none() -> None:
    row = Estimate(estimate=1.0).with_caution("few_events").with_caution("few_events")
    assert (row.caution, row.cautions) == ("few_events", ("few_events",))
    assert Estimate(caution="a b").cautions == ("a", "b")
    assert Estimate(status="failed").with_caution("few_events").caution == ""
