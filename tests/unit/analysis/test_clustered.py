"""Least squares with CR2: limiting cases by hand, and the estimator by dense matrices."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import Model, fit_linear_clustered
from analysis.inference.cluster_designs import build_least_squares_design
from analysis.inference.cluster_robust import cluster_robust
from analysis.linear_models import linear_model
from analysis.simulation import simulate_scores
from analysis.sums import compute_school_products
from data_schema.errors import EstimationError

PLAIN = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"))
ADJUSTED = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


def test_equal_schools_without_covariates_give_welch_on_school_means() -> None:
    frame = simulate_scores(11, 6, icc=0.3, effect=0.2, seed=3)
    means = frame.groupby("school").agg(score=("score", "mean"), arm=("arm", "first"))
    one, other = (means.loc[means["arm"] == arm, "score"] for arm in ("control", "pilot"))
    row = fit_linear_clustered(frame, PLAIN).estimate("arm[pilot]")
    assert row.estimate == pytest.approx(other.mean() - one.mean(), rel=1e-10)
    assert row.std_error == pytest.approx(math.sqrt(one.var() / len(one) + other.var() / len(other)), rel=1e-8)
    m, k = len(one), len(other)
    # Satterthwaite with equal true variances: (1/m + 1/k)^2 over 1/(m^2 (m - 1)) + 1/(k^2 (k - 1)).
    df = (1 / m + 1 / k) ** 2 / (1 / (m**2 * (m - 1)) + 1 / (k**2 * (k - 1)))
    assert row.df == pytest.approx(df, rel=1e-8)


def dense_cr2(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bell and McCaffrey's estimator as the paper has it, with the n-by-n matrices of every school."""
    x = np.column_stack([np.ones(len(frame)), (frame["arm"] == "pilot").astype(float), frame["baseline"]])
    y, school = frame["score"].to_numpy(), frame["school"].to_numpy()
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    away = np.eye(len(y)) - x @ inverse @ x.T
    meat, rows = np.zeros((3, 3)), []
    for name in np.unique(school):
        mine = school == name
        values, vectors = np.linalg.eigh(away[np.ix_(mine, mine)])
        adjust = (vectors * values**-0.5) @ vectors.T
        score = x[mine].T @ adjust @ (y[mine] - x[mine] @ beta)
        meat += np.outer(score, score)
        rows.append(away[:, mine] @ adjust @ x[mine] @ inverse)
    df = []
    for k in range(3):
        p = np.column_stack([row[:, k] for row in rows])
        gram = p.T @ p
        df.append(np.trace(gram) ** 2 / np.sum(gram * gram.T))
    return beta, inverse @ meat @ inverse, np.array(df)


def test_small_matrices_give_what_the_schools_full_matrices_give() -> None:
    frame = simulate_scores(8, 7, icc=0.2, effect=0.3, seed=12, size_cv=0.5)
    beta, vcov, df = dense_cr2(frame)
    fit = fit_linear_clustered(frame, ADJUSTED)
    assert fit.coefficients is not None
    assert fit.coefficients.estimate == pytest.approx(beta, rel=1e-9)
    assert fit.coefficients.vcov == pytest.approx(vcov, rel=1e-7, abs=1e-12)
    assert fit.coefficients.df == pytest.approx(df, rel=1e-7)


def test_the_only_school_of_an_arm_leaves_no_error_to_report() -> None:
    frame = simulate_scores(8, 7, icc=0.2, effect=0.3, seed=12)
    frame["arm"] = np.where(frame["school"] == 0, "pilot", "control")
    row = fit_linear_clustered(frame, PLAIN).estimate("arm[pilot]")
    assert row.status == "failed"
    assert math.isnan(row.std_error)


def test_a_pair_with_one_school_costs_only_its_own_coefficient() -> None:
    frame = simulate_scores(12, 15, icc=0.2, effect=0.3, seed=8)
    order = {school: place for place, school in enumerate(frame.groupby("arm")["school"].unique().explode())}
    frame["pair"] = frame["school"].map(order) % 6
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), strata="pair")
    lost = frame[~((frame["pair"] == 2) & (frame["arm"] == "pilot"))]
    fit = fit_linear_clustered(lost, model)
    whole_pairs = fit_linear_clustered(frame[frame["pair"] != 2], model).estimate("arm[pilot]")
    row = fit.estimate("arm[pilot]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx(
        (whole_pairs.estimate, whole_pairs.std_error, whole_pairs.df), rel=1e-7
    )
    assert fit.estimate("strata[2]").status == "failed"


def test_a_binary_outcome_gives_the_difference_of_shares() -> None:
    frame = simulate_scores(10, 20, icc=0.2, effect=0.3, seed=1)
    frame["passed"] = frame["score"] > 0
    shares = frame.groupby("arm")["passed"].mean()
    model = Model(outcome="passed", school="school", arm="arm", arms=("control", "pilot"))
    row = fit_linear_clustered(frame, model).estimate("arm[pilot]")
    assert row.estimate == pytest.approx(shares["pilot"] - shares["control"], rel=1e-10)


def test_a_fit_without_outcomes_fails_with_the_reason() -> None:
    frame = simulate_scores(6, 5, icc=0.2, effect=0.3, seed=1).assign(score=np.nan)
    fit = fit_linear_clustered(frame, PLAIN)
    assert fit.status == "failed"
    assert fit.convergence.reason == "No pupil has this outcome."
    assert fit.n_missing_outcome == 30


def test_cr2_of_a_mean_is_the_variance_of_school_means() -> None:
    rng = np.random.default_rng(1)
    y = rng.standard_normal(30)
    school = np.repeat(np.arange(6), 5)
    products = compute_school_products(np.column_stack([np.ones(30), y]), school, n_schools=6)
    answer = cluster_robust(build_least_squares_design(products, n_rows=30), contrasts=np.eye(1))
    means = y.reshape(6, 5).mean(axis=1)
    assert answer.beta[0] == pytest.approx(y.mean())
    assert answer.vcov[0, 0] == pytest.approx(means.var(ddof=1) / 6)
    assert answer.df[0] == pytest.approx(5)


def test_weights_of_schools_give_what_the_linear_model_gives_with_them() -> None:
    pupils = simulate_scores(20, 10, icc=0.2, effect=0.3, seed=1)
    weights = dict(zip(pupils["school"].unique(), np.linspace(0.5, 2, 20), strict=True))
    pupils["weight"] = pupils["school"].map(weights)
    model = Model(
        outcome="score",
        school="school",
        arm="arm",
        arms=("control", "pilot"),
        covariates=("baseline",),
        weights="weight",
    )
    mine = fit_linear_clustered(pupils, model).estimate("arm[pilot]")
    other = linear_model("score ~ arm + baseline", pupils, weights="weight").estimate("arm[pilot]")
    assert (mine.estimate, mine.std_error, mine.df) == pytest.approx((other.estimate, other.std_error, other.df))
    equal = fit_linear_clustered(pupils.assign(weight=3.0), model).estimate("arm[pilot]")
    plain = fit_linear_clustered(pupils, replace(model, weights=None)).estimate("arm[pilot]")
    assert (equal.estimate, equal.std_error, equal.df) == pytest.approx((plain.estimate, plain.std_error, plain.df))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_is_one_number_above_zero_for_each_school(weight: float) -> None:
    pupils = simulate_scores(8, 4, icc=0.2, effect=0.3, seed=1)
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), weights="weight")
    two_in_a_school = np.where(np.arange(len(pupils)) == 0, 1.0, 2.0)
    for weights in (two_in_a_school, np.full(len(pupils), weight)):
        with pytest.raises(EstimationError, match="not one number above 0 for each school"):
            fit_linear_clustered(pupils.assign(weight=weights), model)


def test_unequal_chances_weighted_by_their_inverse_give_the_effect_and_unweighted_ones_do_not() -> None:
    # Two kinds of schools, drawn into the pilot with chances 1/2 and 1/5, whose levels differ by 10; no effect.
    strata, chance = np.repeat(["a", "b"], 10), np.repeat([0.5, 0.2], 10)
    pilot = np.r_[np.arange(10) < 5, np.arange(10) < 2]
    schools = pd.DataFrame(
        {
            "school": [f"{n:02d}" for n in range(20)],
            "arm": np.where(pilot, "pilot", "control"),
            "score": np.where(strata == "a", 10.0, 0.0) + np.tile([0.0, 1.0], 10) * 0.01,
            "weight": 1 / np.where(pilot, chance, 1 - chance),
        }
    )
    pupils = pd.concat([schools] * 3)
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"))
    assert fit_linear_clustered(pupils, model).estimate("arm[pilot]").estimate == pytest.approx(
        10 * (5 / 7 - 5 / 13), abs=0.02
    )
    weighted = fit_linear_clustered(pupils, replace(model, weights="weight")).estimate("arm[pilot]")
    assert weighted.estimate == pytest.approx(0, abs=0.02)
