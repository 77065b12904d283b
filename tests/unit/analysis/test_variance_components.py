"""Variances between and within schools, given the design and without it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis import Question, design_components, unconditional_components
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
    components = design_components(simulate_scores(400, 20, icc=0.2, effect=0.0, seed=2), QUESTION)
    assert components.icc == pytest.approx(0.2, abs=0.03)
    assert components.pupil == pytest.approx(0.8, abs=0.03)
    assert components.icc_low < 0.2 < components.icc_high


def test_units_of_the_outcome_scale_the_variances_and_not_the_icc() -> None:
    frame = simulate_scores(30, 10, icc=0.2, effect=0.0, seed=2)
    one = design_components(frame, QUESTION)
    other = design_components(frame.assign(score=frame["score"] * 10), QUESTION)
    assert other.pupil == pytest.approx(100 * one.pupil)
    assert (other.icc, other.icc_low) == pytest.approx((one.icc, one.icc_low))


def test_no_variance_between_schools_is_said() -> None:
    frame = simulate_scores(10, 20, icc=0.0, effect=0.0, seed=3)
    frame["score"] = frame["score"] - frame.groupby("school")["score"].transform("mean")
    rows = design_components(frame, QUESTION).to_estimates()
    assert {row.status for row in rows} == {"boundary"}
    assert [row.estimate for row in rows][:2] == [0.0, 0.0]


def test_one_pupil_a_school_cannot_tell_schools_from_pupils() -> None:
    components = design_components(simulate_scores(10, 1, icc=0.2, effect=0.0, seed=3), QUESTION)
    assert "No school has two pupils" in components.reason
    assert components.n_schools == 10
    rows = components.to_estimates()
    assert {row.status for row in rows} == {"failed"}
    assert all(math.isnan(row.estimate) for row in rows)


def test_an_outcome_of_schools_has_no_components() -> None:
    frame = simulate_scores(10, 5, icc=0.2, effect=0.0, seed=3)
    frame["score"] = frame.groupby("school")["score"].transform("mean")
    assert "one row per school" in unconditional_components(frame, QUESTION).reason


def test_the_icc_given_the_design_is_free_of_arms_strata_and_countries_and_the_unconditional_one_is_not() -> None:
    frame = simulate_scores(300, 20, icc=0.15, effect=0.0, seed=5)
    frame["stratum"] = (frame["school"] % 5).astype(str)
    frame["country"] = np.array(["HU", "RS", "SI"])[frame["school"] % 3]
    apart = frame["score"] + 0.8 * (frame["school"] % 3) + 0.5 * (frame["school"] % 5) + (frame["arm"] == "pilot")
    moved = frame.assign(score=apart)
    question = replace(QUESTION, strata="stratum")
    plain, given = design_components(frame, question), design_components(moved, question)
    assert (given.icc, given.icc_low, given.icc_high) == pytest.approx((plain.icc, plain.icc_low, plain.icc_high))
    assert given.icc == pytest.approx(0.15, abs=0.03)
    assert unconditional_components(moved, question).icc > 0.4


def test_with_equal_schools_the_limits_are_those_of_the_analysis_of_variance() -> None:
    frame = simulate_scores(12, 10, icc=0.2, effect=0.5, seed=4)
    found = design_components(frame, QUESTION)
    means = frame.groupby("school")["score"].mean()
    arms = frame.groupby("school")["arm"].first()
    between = 10 * float(((means - means.groupby(arms).transform("mean")) ** 2).sum()) / 10
    within = float(((frame["score"] - frame["school"].map(means)) ** 2).sum()) / 108
    f = between / within
    ends = [(f / float(stats.f.isf(p, 10, 108)) - 1) / 10 for p in (0.025, 0.975)]
    assert (found.icc_low, found.icc_high) == pytest.approx([max(end, 0) / (1 + max(end, 0)) for end in ends], rel=1e-6)
    school, total = (between - within) / 10, (between - within) / 10 + within
    assert found.school == pytest.approx(school, rel=1e-5)
    h = total**2 / ((between / 10) ** 2 / 10 + (0.9 * within) ** 2 / 108)
    assert found.variance_df == pytest.approx(h, rel=1e-5)


def test_where_strata_take_up_all_schools_there_is_no_icc_and_the_reason_says_so() -> None:
    frame = simulate_scores(6, 10, icc=0.2, effect=0.5, seed=4)
    found = design_components(frame.assign(stratum=frame["school"].astype(str)), replace(QUESTION, strata="stratum"))
    assert found.reason
    assert {row.status for row in found.to_estimates()} == {"failed"}


def test_the_unconditional_icc_has_no_interval() -> None:
    row = unconditional_components(
        simulate_scores(20, 10, icc=0.2, effect=0.8, seed=4), QUESTION
    ).to_unconditional_estimate()
    assert row.quantity == "icc_unconditional"
    assert math.isnan(row.conf_low)
    assert row.status == "ok"


def test_exact_limits_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(120):
        found = design_components(simulate_scores(8, 6, icc=0.2, effect=0.8, seed=seed, size_cv=0.4), QUESTION)
        held += found.icc_low <= 0.2 <= found.icc_high
    assert 107 <= held <= 120  # 114 are meant; binomial limits at 99.9 %
