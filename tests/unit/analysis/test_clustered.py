"""Least squares with CR2: limiting cases by hand, and the estimator by dense matrices."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import Model, fit_linear_clustered
from analysis.inference.cluster_robust import cr2
from analysis.simulation import simulate_scores
from analysis.sums import school_cross_products

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
    products = school_cross_products(np.column_stack([np.ones(30), y]), school, n_schools=6)
    answer = cr2(products, contrasts=np.eye(1))
    means = y.reshape(6, 5).mean(axis=1)
    assert answer.beta[0] == pytest.approx(y.mean())
    assert answer.vcov[0, 0] == pytest.approx(means.var(ddof=1) / 6)
    assert answer.df[0] == pytest.approx(5)
