"""Randomisation tests: by enumeration, against a slow road, and where there is none."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from analysis import Model, randomisation_inference
from analysis.inference.randomisation_intervals import RandomisationInference
from analysis.linear import fit_linear_mixed
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))
NULL = Model(outcome="score", school="school", covariates=("baseline",))


def randomisation_tests(
    frame: pd.DataFrame, model: Model, *, schools: tuple[str, ...], actual: np.ndarray, draws: np.ndarray
) -> dict[str, RandomisationInference]:
    """The tests alone, without the intervals that they are inverted for."""
    return randomisation_inference(
        frame, model, schools=schools, actual=actual, draws=draws, statistic="mixed_t", interval="none"
    )


def positions(frame: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
    by_school = frame.groupby(frame["school"].astype(str))["arm"].first()
    return tuple(by_school.index), (by_school == "pilot").to_numpy().astype(int)


def others(actual: np.ndarray) -> np.ndarray:
    """All allocations with as many schools in the arm, but for the actual one."""
    draws = []
    for chosen in itertools.combinations(range(len(actual)), int(actual.sum())):
        draw = np.zeros(len(actual), dtype=int)
        draw[list(chosen)] = 1
        if not np.array_equal(draw, actual):
            draws.append(draw)
    return np.array(draws)


def slow_statistic(frame: pd.DataFrame, arm: np.ndarray, ratio: float) -> float:
    """Studentised effect by generalised least squares with N-by-N matrices, the variance ratio given."""
    names = sorted(frame["school"].astype(str).unique())
    treated = frame["school"].astype(str).map(dict(zip(names, arm, strict=True)))
    same = frame["school"].to_numpy()[:, None] == frame["school"].to_numpy()[None, :]
    weight = np.linalg.inv(np.eye(len(frame)) + ratio * same)
    x = np.column_stack([np.ones(len(frame)), frame["baseline"], treated]).astype(float)
    y = frame["score"].to_numpy()
    inverse = np.linalg.inv(x.T @ weight @ x)
    beta = inverse @ x.T @ weight @ y
    left = y - x @ beta
    sigma2 = float(left @ weight @ left) / (len(y) - 3)
    return float(beta[-1] / math.sqrt(sigma2 * inverse[-1, -1]))


def test_the_test_over_all_allocations_is_that_of_the_slow_road() -> None:
    frame = simulate_scores(8, 5, icc=0.3, effect=0.8, seed=4, size_cv=0.4)
    schools, actual = positions(frame)
    draws = others(actual)
    variances = fit_linear_mixed(frame, NULL).variances
    ratio = variances["school"] / variances["pupil"]
    statistic = slow_statistic(frame, actual, ratio)
    as_far = sum(abs(slow_statistic(frame, draw, ratio)) >= abs(statistic) * (1 - 1e-9) for draw in draws)
    test = randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=draws)["pilot"]
    assert test.n_draws == 69
    assert test.statistic == pytest.approx(statistic, rel=1e-8)
    assert test.p_value == pytest.approx((1 + as_far) / 70)
    assert 0 < as_far < 69


def test_the_least_p_value_is_one_over_all_draws_and_one() -> None:
    frame = simulate_scores(10, 8, icc=0.05, effect=6.0, seed=4)
    schools, actual = positions(frame)
    draws = others(actual)
    draws = draws[~(draws == 1 - actual).all(axis=1)]
    test = randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=draws)["pilot"]
    assert test.p_value == pytest.approx(1 / (1 + len(draws)))


def test_many_draws_are_worked_on_in_parts_with_the_same_answer() -> None:
    frame = simulate_scores(12, 5, icc=0.2, effect=0.3, seed=4)
    schools, actual = positions(frame)
    draws = others(actual)
    assert len(draws) == 923
    thrice = randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=np.vstack([draws] * 3))["pilot"]
    once = randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=draws)["pilot"]
    assert thrice.n_draws == 3 * 923
    assert (thrice.p_value * 2770 - 1) / 3 == pytest.approx(once.p_value * 924 - 1)


def test_three_arms_are_each_tested_against_the_reference() -> None:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(12), 10)
    arms = np.array(["control", "mentor", "team"])
    actual = np.arange(12) % 3
    score = rng.standard_normal(120) + 4.0 * (actual[school] == 2)
    frame = pd.DataFrame({"school": school, "arm": arms[actual[school]], "score": score})
    names = tuple(sorted(map(str, range(12))))
    order = np.array([int(name) for name in names])
    draws = np.stack([rng.permutation(actual) for _ in range(400)])[:, order]
    model = Model(outcome="score", school="school", arm="arm", arms=tuple(arms))
    tests = randomisation_tests(frame, model, schools=names, actual=actual[order], draws=draws)
    # Four schools each: the actual allocation and its mirror image are the farthest off of all 70.
    assert (tests["team"].p_value, tests["team"].n_draws, tests["team"].exact) == (2 / 70, 70, True)
    assert tests["mentor"].p_value > 0.05


def test_schools_without_the_outcome_keep_their_place_in_the_draws() -> None:
    frame = simulate_scores(9, 6, icc=0.2, effect=0.5, seed=2)
    schools, actual = positions(frame)
    draws = others(actual)
    lost = frame[frame["school"].astype(str) != schools[3]]
    kept = [place for place in range(9) if place != 3]
    one = randomisation_tests(lost, MODEL, schools=schools, actual=actual, draws=draws)["pilot"]
    names = tuple(schools[place] for place in kept)
    other = randomisation_tests(lost, MODEL, schools=names, actual=actual[kept], draws=draws[:, kept])["pilot"]
    assert (one.statistic, one.p_value, one.n_draws) == (other.statistic, other.p_value, other.n_draws)


def test_draws_in_which_the_arms_cannot_be_told_from_the_strata_do_not_count() -> None:
    frame = simulate_scores(6, 6, icc=0.2, effect=0.5, seed=2)
    frame["arm"] = np.where(frame["school"] % 2 == 0, "control", "pilot")
    frame["stratum"] = np.where(frame["school"] < 3, "a", "b")
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    schools, actual = positions(frame)
    draws = np.array([[0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 0]])
    test = randomisation_tests(frame, model, schools=schools, actual=actual, draws=draws)["pilot"]
    assert test.n_draws == 2


def test_an_actual_allocation_that_is_the_strata_cannot_be_tested() -> None:
    frame = simulate_scores(6, 6, icc=0.2, effect=0.5, seed=2)
    frame["arm"] = np.where(frame["school"] < 3, "control", "pilot")
    frame["stratum"] = np.where(frame["school"] < 3, "a", "b")
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    schools, actual = positions(frame)
    test = randomisation_tests(frame, model, schools=schools, actual=actual, draws=others(actual))["pilot"]
    assert "cannot be distinguished" in test.reason
    assert math.isnan(test.p_value)


def test_without_outcomes_there_is_no_test_but_a_reason() -> None:
    frame = simulate_scores(6, 6, icc=0.2, effect=0.5, seed=2)
    schools, actual = positions(frame)
    tests = randomisation_tests(frame.assign(score=np.nan), MODEL, schools=schools, actual=actual, draws=others(actual))
    assert tests["pilot"].reason == "No pupil has this outcome."


def test_a_school_that_was_never_randomised_is_named() -> None:
    frame = simulate_scores(6, 6, icc=0.2, effect=0.5, seed=2)
    schools, actual = positions(frame)
    with pytest.raises(EstimationError, match="school '5': was never randomised"):
        randomisation_tests(frame, MODEL, schools=schools[:-1], actual=actual[:-1], draws=actual[None, :-1])


def test_draws_of_other_schools_or_arms_are_refused() -> None:
    frame = simulate_scores(6, 6, icc=0.2, effect=0.5, seed=2)
    schools, actual = positions(frame)
    with pytest.raises(EstimationError, match="one column a school"):
        randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=actual[None, :-1])
    with pytest.raises(EstimationError, match="does not name"):
        randomisation_tests(frame, MODEL, schools=schools, actual=actual, draws=actual[None, :] + 1)
