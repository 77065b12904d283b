"""The linear multilevel model: limiting cases by hand, and the likelihood by dense matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from analysis import Model, fit_linear_mixed
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.intercept import find_constant_columns
from analysis.mixed_models.moments import compute_moments
from analysis.simulation import simulate_scores
from analysis.terms import design_columns

PLAIN = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"))
ADJUSTED = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


def two_sample(values: pd.Series, arms: pd.Series) -> tuple[float, float]:
    """Difference and pooled standard error of a two-sample t test."""
    one, other = (values[arms == arm] for arm in ("control", "pilot"))
    pooled = ((len(one) - 1) * one.var() + (len(other) - 1) * other.var()) / (len(one) + len(other) - 2)
    return float(other.mean() - one.mean()), math.sqrt(pooled * (1 / len(one) + 1 / len(other)))


def test_equal_schools_without_covariates_give_the_t_test_of_school_means() -> None:
    frame = simulate_scores(14, 10, icc=0.4, effect=0.3, seed=5)
    by_school = frame.groupby("school").agg(score=("score", "mean"), arm=("arm", "first"))
    difference, error = two_sample(by_school["score"], by_school["arm"])
    fit = fit_linear_mixed(frame, PLAIN)
    row = fit.estimate("arm[pilot]")
    assert fit.status == "ok"
    assert row.estimate == pytest.approx(difference, rel=1e-10)
    assert row.std_error == pytest.approx(error, rel=1e-8)
    assert row.df == pytest.approx(12, rel=1e-6)
    assert row.p_value == pytest.approx(2 * stats.t.sf(abs(difference / error), 12), rel=1e-6)
    half = stats.t.isf(0.025, 12) * error
    assert (row.conf_low, row.conf_high) == pytest.approx((difference - half, difference + half), rel=1e-6)


def test_equal_schools_give_the_variances_of_the_analysis_of_variance() -> None:
    frame = simulate_scores(20, 8, icc=0.3, effect=0.0, seed=2)
    fit = fit_linear_mixed(frame, Model(outcome="score", school="school"))
    within = frame.groupby("school")["score"].var().mean()
    between = frame.groupby("school")["score"].mean().var()
    assert fit.variances["pupil"] == pytest.approx(within, rel=1e-7)
    assert fit.variances["school"] == pytest.approx(between - within / 8, rel=1e-7)


def test_one_pupil_a_school_gives_the_t_test_of_pupils() -> None:
    frame = simulate_scores(16, 1, icc=0.2, effect=0.5, seed=9)
    difference, error = two_sample(frame["score"], frame["arm"])
    row = fit_linear_mixed(frame, PLAIN).estimate("arm[pilot]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx((difference, error, 14), rel=1e-8)


def dense_deviance(frame: pd.DataFrame, ratio: float, names: Sequence[str]) -> float:
    """Minus twice the restricted log-likelihood by the textbook, with N-by-N matrices."""
    y = frame["score"].to_numpy()
    x = np.column_stack([np.ones(len(y)), *((frame["arm"] == "pilot").astype(float), frame["baseline"])[: len(names)]])
    same = frame["school"].to_numpy()[:, None] == frame["school"].to_numpy()[None, :]
    v = np.eye(len(y)) + ratio * same
    inverse = np.linalg.inv(v)
    gram = x.T @ inverse @ x
    left = y - x @ np.linalg.solve(gram, x.T @ inverse @ y)
    free = len(y) - x.shape[1]
    sigma2 = float(left @ inverse @ left) / free
    return float(free * (np.log(2 * np.pi * sigma2) + 1) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(gram)[1])


def test_the_deviance_from_school_sums_is_that_of_dense_matrices() -> None:
    frame = simulate_scores(9, 6, icc=0.3, effect=0.2, seed=4, size_cv=0.6)
    fit = fit_linear_mixed(frame, ADJUSTED)
    ratio = fit.variances["school"] / fit.variances["pupil"]
    assert fit.convergence.objective == pytest.approx(dense_deviance(frame, ratio, ["arm", "baseline"]), abs=1e-8)
    found = optimize.minimize_scalar(
        lambda theta: dense_deviance(frame, theta**2, ["arm", "baseline"]), bounds=(0, 3), method="bounded"
    )
    assert ratio == pytest.approx(found.x**2, rel=1e-3, abs=1e-6)


def test_standard_errors_are_those_of_generalised_least_squares() -> None:
    frame = simulate_scores(9, 6, icc=0.3, effect=0.2, seed=4, size_cv=0.6)
    fit = fit_linear_mixed(frame, ADJUSTED)
    assert fit.coefficients is not None
    same = frame["school"].to_numpy()[:, None] == frame["school"].to_numpy()[None, :]
    v = fit.variances["pupil"] * np.eye(len(frame)) + fit.variances["school"] * same
    x = np.column_stack([np.ones(len(frame)), (frame["arm"] == "pilot").astype(float), frame["baseline"]])
    expected = np.linalg.inv(x.T @ np.linalg.inv(v) @ x)
    assert fit.coefficients.vcov == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_a_school_level_effect_never_has_more_degrees_of_freedom_than_schools_can_back() -> None:
    frame = simulate_scores(12, 30, icc=0.0, effect=0.0, seed=3)
    plain = fit_linear_mixed(frame, ADJUSTED, df_method="satterthwaite")
    bounded = fit_linear_mixed(frame, ADJUSTED)
    assert plain.estimate("arm[pilot]").df > 20
    assert bounded.estimate("arm[pilot]").df == 10
    assert bounded.estimate("baseline").df == pytest.approx(plain.estimate("baseline").df)


def test_as_many_school_level_columns_as_schools_leave_no_error_to_report() -> None:
    frame = simulate_scores(3, 20, icc=0.2, effect=0.0, seed=1)
    frame["arm"] = frame["school"].map({0: "control", 1: "pilot", 2: "pilot"})
    frame["pair"] = frame["school"].map({0: "a", 1: "a", 2: "b"})
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), strata="pair")
    row = fit_linear_mixed(frame, model).estimate("arm[pilot]")
    assert row.status == "failed"
    assert "too few" in row.reason
    assert math.isnan(row.estimate)


def test_a_pair_of_which_one_school_has_no_data_says_nothing_of_the_effect() -> None:
    frame = simulate_scores(12, 15, icc=0.2, effect=0.3, seed=8)
    order = {school: place for place, school in enumerate(frame.groupby("arm")["school"].unique().explode())}
    frame["pair"] = frame["school"].map(order) % 6
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), strata="pair")
    lost = frame[~((frame["pair"] == 2) & (frame["arm"] == "pilot"))]
    without_pair = frame[frame["pair"] != 2]
    one, other = (fit_linear_mixed(rows, model).estimate("arm[pilot]") for rows in (lost, without_pair))
    assert one.estimate == pytest.approx(other.estimate, rel=1e-3)
    assert one.df == pytest.approx(other.df, rel=1e-2)
    assert one.n_schools == other.n_schools + 1


def test_an_outcome_of_schools_needs_one_row_a_school() -> None:
    frame = simulate_scores(14, 10, icc=0.4, effect=0.3, seed=5, size_cv=0.5)
    frame["score"] = frame.groupby("school")["score"].transform("mean")
    fit = fit_linear_mixed(frame, PLAIN)
    assert fit.status == "failed"
    assert "one row per school" in fit.convergence.reason
    by_school = frame.drop_duplicates("school")
    difference, error = two_sample(by_school["score"], by_school["arm"])
    row = fit_linear_mixed(by_school, PLAIN).estimate("arm[pilot]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx((difference, error, 12), rel=1e-8)


def test_an_outcome_that_the_model_explains_wholly_fails() -> None:
    frame = simulate_scores(6, 5, icc=0.2, effect=0.0, seed=1)
    frame["score"] = 2 * frame["baseline"] + (frame["arm"] == "pilot")
    fit = fit_linear_mixed(frame, ADJUSTED)
    assert fit.status == "failed"
    assert "without any error" in fit.convergence.reason
    assert fit.tidy().empty


def test_too_few_pupils_for_the_columns_fail() -> None:
    frame = simulate_scores(4, 1, icc=0.0, effect=0.0, seed=1)
    fit = fit_linear_mixed(frame, ADJUSTED)
    assert fit.status == "failed"
    assert "4 pupils are too few" in fit.convergence.reason


def test_the_deviance_is_least_at_the_optimum() -> None:
    frame = simulate_scores(10, 7, icc=0.2, effect=0.0, seed=6, size_cv=0.4)
    fit = fit_linear_mixed(frame, ADJUSTED)
    ratio = fit.variances["school"] / fit.variances["pupil"]
    assert fit.convergence.n_evaluations > 10
    for factor in (0.9, 0.999, 1.001, 1.1):
        assert dense_deviance(frame, ratio * factor, ["arm", "baseline"]) >= fit.convergence.objective - 1e-9


@pytest.mark.parametrize("again", [0.0, 1e-6])
def test_columns_that_are_constant_within_schools_are_told_from_those_of_pupils(again: float) -> None:
    frame = simulate_scores(12, 9, icc=0.2, effect=0.0, seed=6)
    frame["size"] = 1e6 + frame["school"] % 5
    # All but a copy of the baseline: such columns are made orthogonal, and mix, in the basis.
    frame["near"] = frame["baseline"] + 1e-5 * frame.index.to_numpy() % 3 + again * frame["school"]
    model = replace(ADJUSTED, covariates=("baseline", "near", "size"))
    sums = compute_moments(build_school_columns(design_columns(frame, model)))
    assert sums.basis.names == ("(Intercept)", "arm[pilot]", "baseline", "near", "size")
    assert find_constant_columns(sums).tolist() == [True, True, False, False, True]


def test_glance_is_one_row_with_the_variances() -> None:
    glance = fit_linear_mixed(simulate_scores(10, 7, icc=0.2, effect=0.0, seed=6), ADJUSTED).glance()
    assert len(glance) == 1
    assert {"variance_school", "variance_pupil", "deviance", "n_schools"} <= set(glance)
