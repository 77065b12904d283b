"""The unconditional model's components."""

from __future__ import annotations

import math

import pytest

from analysis import Question, unconditional_components
from analysis.simulation import simulate_scores

QUESTION = Question(
    plan_entry="p",
    outcome="score",
    kind="continuous",
    role="primary",
    model="linear_mixed",
    arms=("control", "pilot"),
    school="school",
    strata=None,
)


def test_components_are_those_of_the_simulated_schools() -> None:
    components = unconditional_components(simulate_scores(400, 20, icc=0.2, effect=0.0, seed=2), QUESTION)
    assert components.icc == pytest.approx(0.2, abs=0.03)
    assert components.pupil == pytest.approx(0.8, abs=0.03)
    assert components.icc_low < 0.2 < components.icc_high


def test_units_of_the_outcome_scale_the_variances_and_not_the_icc() -> None:
    frame = simulate_scores(30, 10, icc=0.2, effect=0.0, seed=2)
    one = unconditional_components(frame, QUESTION)
    other = unconditional_components(frame.assign(score=frame["score"] * 10), QUESTION)
    assert other.pupil == pytest.approx(100 * one.pupil)
    assert (other.icc, other.icc_low) == pytest.approx((one.icc, one.icc_low))


def test_no_variance_between_schools_is_said() -> None:
    frame = simulate_scores(10, 20, icc=0.0, effect=0.0, seed=3)
    frame["score"] = frame["score"] - frame.groupby("school")["score"].transform("mean")
    rows = unconditional_components(frame, QUESTION).to_estimates()
    assert {row.status for row in rows} == {"boundary"}
    assert [row.estimate for row in rows][:2] == [0.0, 0.0]


def test_one_pupil_a_school_cannot_tell_schools_from_pupils() -> None:
    components = unconditional_components(simulate_scores(10, 1, icc=0.2, effect=0.0, seed=3), QUESTION)
    assert "No school has two pupils" in components.reason
    assert components.n_schools == 10
    rows = components.to_estimates()
    assert {row.status for row in rows} == {"failed"}
    assert all(math.isnan(row.estimate) for row in rows)


def test_an_outcome_of_schools_has_no_components() -> None:
    frame = simulate_scores(10, 5, icc=0.2, effect=0.0, seed=3)
    frame["score"] = frame.groupby("school")["score"].transform("mean")
    assert "a row a school" in unconditional_components(frame, QUESTION).reason
