"""What must not matter to an estimate does not: names, order, units, offsets; and nothing makes a question raise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis import (
    Fit,
    Model,
    Question,
    estimate_effects,
    fit_linear_clustered,
    fit_linear_mixed,
    fit_logistic_mixed,
    pool_countries,
    randomisation_inference,
)
from analysis.simulation import simulate_scores

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))
BINARY = Model(outcome="passed", school="school", arm="arm", arms=("control", "pilot"))

# Times vary on shared machines: no deadline.
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def trials(draw: st.DrawFn) -> pd.DataFrame:
    """Trials of a few schools of unequal size, with an ICC that may be zero."""
    frame = simulate_scores(
        draw(st.integers(5, 16)),
        draw(st.integers(3, 12)),
        icc=draw(st.sampled_from([0.0, 0.05, 0.2, 0.5])),
        effect=draw(st.sampled_from([0.0, 0.4])),
        seed=draw(st.integers(0, 10_000)),
        size_cv=draw(st.sampled_from([0.0, 0.6])),
    )
    counts = frame.drop_duplicates("school")["arm"].value_counts()
    if counts.min() < 2:  # the only school of an arm has no CR2 error
        frame["arm"] = np.where(frame["school"] % 2 == 0, "control", "pilot")
    return frame.assign(passed=(frame["score"] > 0.3).astype(float))


Fitter = Callable[[pd.DataFrame, Model], Fit]
LINEAR: list[Fitter] = [fit_linear_mixed, fit_linear_clustered]


def figures(fit: Fit, term: str = "arm[pilot]") -> tuple[float, ...]:
    row = fit.estimate(term)
    return row.estimate, row.std_error, row.df, row.p_value


def same(one: Fit, other: Fit, *, factor: float = 1.0) -> None:
    """Compare the arm's row; the optimum of the variance ratio is found to seven digits or so."""
    assert one.status == other.status
    if one.status == "failed":
        return
    mine, theirs = figures(one), figures(other)
    error = abs(factor) * mine[1]
    assert theirs[0] == pytest.approx(factor * mine[0], abs=1e-6 * error)
    assert theirs[1] == pytest.approx(error, rel=1e-6)
    assert theirs[2] == pytest.approx(mine[2], rel=1e-5)
    assert theirs[3] == pytest.approx(mine[3], abs=1e-6)


@pytest.mark.parametrize("fitter", LINEAR)
@given(frame=trials(), seed=st.integers(0, 1000))
@FEW
def test_names_and_order_of_schools_and_rows_change_nothing(fitter: Fitter, frame: pd.DataFrame, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(frame["school"].nunique())
    other = frame.assign(school=[f"school {names[school]}" for school in frame["school"]])
    same(fitter(frame, MODEL), fitter(other.sample(frac=1, random_state=seed), MODEL))


@given(frame=trials(), seed=st.integers(0, 1000))
@settings(FEW, max_examples=10)
def test_names_and_order_change_nothing_in_the_logistic_model(frame: pd.DataFrame, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(frame["school"].nunique())
    other = frame.assign(school=[f"school {names[school]}" for school in frame["school"]])
    one, two = fit_logistic_mixed(frame, BINARY), fit_logistic_mixed(other.sample(frac=1, random_state=seed), BINARY)
    assert one.status == two.status
    if one.status != "failed":
        assert figures(two) == pytest.approx(figures(one), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("fitter", LINEAR)
@given(frame=trials(), factor=st.sampled_from([-3.0, 0.001, 250.0, 1e6]))
@FEW
def test_scaling_the_outcome_scales_the_effect(fitter: Fitter, frame: pd.DataFrame, factor: float) -> None:
    same(fitter(frame, MODEL), fitter(frame.assign(score=factor * frame["score"]), MODEL), factor=factor)


@pytest.mark.parametrize("fitter", LINEAR)
@pytest.mark.parametrize("column", ["score", "baseline"])
@given(frame=trials())
@FEW
def test_an_offset_of_a_hundred_million_changes_nothing(fitter: Fitter, column: str, frame: pd.DataFrame) -> None:
    # A float keeps 1e-8 of a number of this size, so the frame is rounded to what both can hold.
    coarse = frame.assign(**{column: (frame[column] * 1024).round() / 1024})
    same(fitter(coarse, MODEL), fitter(coarse.assign(**{column: coarse[column] + 1e8}), MODEL))


@pytest.mark.parametrize("fitter", LINEAR)
@given(frame=trials())
@FEW
def test_exchanging_the_arms_turns_the_sign(fitter: Fitter, frame: pd.DataFrame) -> None:
    turned = Model(outcome="score", school="school", arm="arm", arms=("pilot", "control"), covariates=("baseline",))
    one, other = fitter(frame, MODEL), fitter(frame, turned)
    assert one.status == other.status
    if one.status != "failed":
        mine, theirs = figures(one), figures(other, "arm[control]")
        assert (-theirs[0], *theirs[1:]) == pytest.approx(mine, rel=1e-6)


@given(frame=trials(), seed=st.integers(0, 1000))
@FEW
def test_a_randomisation_test_depends_on_neither_names_nor_units(frame: pd.DataFrame, seed: int) -> None:
    by_school = frame.groupby("school")["arm"].first()
    actual = (by_school == "pilot").to_numpy().astype(int)
    rng = np.random.default_rng(seed)
    draws = np.stack([rng.permutation(actual) for _ in range(60)])
    schools = tuple(map(str, by_school.index))
    test = randomisation_inference(frame, MODEL, schools=schools, actual=actual, draws=draws)["pilot"]
    order = rng.permutation(len(schools))
    renamed = frame.assign(school="x" + frame["school"].astype(str), score=7 * frame["score"] + 1000)
    other = randomisation_inference(
        renamed,
        MODEL,
        schools=tuple(f"x{schools[place]}" for place in order),
        actual=actual[order],
        draws=draws[:, order],
    )["pilot"]
    assert other.p_value == test.p_value
    assert other.statistic == pytest.approx(test.statistic, rel=1e-6, abs=1e-9)


@given(
    estimates=st.lists(st.floats(-2, 2), min_size=2, max_size=6),
    seed=st.integers(0, 1000),
    factor=st.sampled_from([0.01, 40.0]),
)
@FEW
def test_pooling_depends_on_neither_order_nor_units(estimates: list[float], seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    values, errors = np.array(estimates), rng.uniform(0.05, 0.5, size=len(estimates))
    order = rng.permutation(len(values))
    one, other = pool_countries(values, errors), pool_countries(factor * values[order], factor * errors[order])
    assert other.estimate == pytest.approx(factor * one.estimate, rel=1e-5, abs=1e-6 * factor)
    assert other.std_error == pytest.approx(factor * one.std_error, rel=1e-5)
    assert other.tau2 == pytest.approx(factor**2 * one.tau2, rel=1e-4, abs=1e-7 * factor**2)
    fixed = 1 / math.sqrt(float((errors**-2).sum()))
    assert one.std_error >= fixed * (1 - 1e-9)


@st.composite
def holed_trials(draw: st.DrawFn) -> tuple[pd.DataFrame, tuple[str, ...], np.ndarray]:
    """Small trials of three countries in which schools, arms or whole countries may have no outcome."""
    n_schools = draw(st.integers(4, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    schools = pd.DataFrame(
        {
            "school_id": [f"s{place:02d}" for place in range(n_schools)],
            "country": rng.choice(["HU", "RS", "SI"], size=n_schools),
            "arm": rng.permutation(["control", "pilot"] * n_schools)[:n_schools],
            "silent": rng.random(n_schools) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0])),
        }
    )
    schools["stratum"] = schools["country"] + rng.choice(["a", "b"], size=n_schools)
    pupils = schools.loc[schools.index.repeat(rng.integers(1, 7, size=n_schools))].reset_index(drop=True)
    score = rng.integers(0, 2, size=len(pupils)).astype(float)
    pupils["score"] = np.where(pupils["silent"] | (rng.random(len(pupils)) < 0.1), np.nan, score)
    pupils["prior"] = np.where(rng.random(len(pupils)) < 0.2, np.nan, rng.standard_normal(len(pupils)))
    return pupils, tuple(schools["school_id"]), (schools["arm"] == "pilot").to_numpy().astype(int)


@pytest.mark.parametrize("model", ["linear_mixed", "linear_cluster", "logistic_mixed"])
@given(trial=holed_trials())
@FEW
def test_a_question_is_always_answered_with_figures_or_a_reason(
    model: str, trial: tuple[pd.DataFrame, tuple[str, ...], np.ndarray]
) -> None:
    frame, schools, actual = trial
    question = Question(
        plan_entry="q",
        outcome="score",
        kind="binary",
        role="primary",
        model=model,
        covariates=("prior",),
        arms=("control", "pilot"),
    )
    draws = np.stack([np.random.default_rng(seed).permutation(actual) for seed in range(19)])
    rows = estimate_effects(frame, question, schools=schools, actual=actual, draws=draws)
    assert len({row.estimate_id for row in rows}) == len(rows)
    for row in rows:
        if row.status == "failed":
            assert row.reason
            assert math.isnan(row.estimate)
            assert math.isnan(row.conf_low)
            assert math.isnan(row.p_value)
        elif row.quantity in ("difference", "pooled_difference"):
            assert row.std_error > 0
            assert row.conf_low <= row.estimate <= row.conf_high
            assert row.df > 0
