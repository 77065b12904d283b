"""Two arms of several: what the others do changes nothing, few allocations are all counted, test and interval agree."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Model, Permutations, Question, estimate_effects, randomisation_inference
from analysis.inference.design_redraws import DesignRedraws, design_redraws
from analysis.inference.randomisation_intervals import RandomisationInference, StatisticName
from data_schema.errors import DesignError, EstimationError
from randomisation import Arm, Design

ARMS = ("control", "mentor", "team")
MODEL = Model(outcome="score", school="school", arm="arm", arms=ARMS)
TWO = replace(MODEL, arms=("control", "team"))
FEW = settings(max_examples=20, deadline=None)


def pupils_of(means: list[float], arms: list[str]) -> pd.DataFrame:
    """Two pupils per school, one above and one below the school's mean by a half."""
    rows = [
        (f"s{number:02d}", arm, mean + half)
        for number, (mean, arm) in enumerate(zip(means, arms, strict=True))
        for half in (-0.5, 0.5)
    ]
    return pd.DataFrame(rows, columns=["school", "arm", "score"])


def trial(n_schools: int, *, seed: int, effects: tuple[float, float] = (0.0, 0.0)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    positions = np.arange(n_schools) % 3
    school = np.repeat(np.arange(n_schools), 6)
    level = 0.6 * rng.standard_normal(n_schools) + np.array([0.0, *effects])[positions]
    score = level[school] + rng.standard_normal(len(school))
    return pd.DataFrame(
        {"school": np.char.mod("s%02d", school), "arm": np.array(ARMS)[positions[school]], "score": score}
    )


def allocation(frame: pd.DataFrame, arms: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    by_school = frame.groupby("school")["arm"].first()
    return tuple(by_school.index), np.array([arms.index(arm) for arm in by_school])


def every(n_schools: int, n_treated: int) -> np.ndarray:
    chosen = itertools.combinations(range(n_schools), n_treated)
    return np.array([np.isin(np.arange(n_schools), places).astype(int) for places in chosen])


def infer(frame: pd.DataFrame, model: Model = MODEL, **options: object) -> dict[str, RandomisationInference]:
    schools, actual = allocation(frame, model.arms)
    draws = np.random.default_rng(5).permuted(np.tile(actual, (399, 1)), axis=1)
    return randomisation_inference(frame, model, schools=schools, actual=actual, draws=draws, **options)  # type: ignore[arg-type]


def test_four_schools_are_tested_by_their_six_allocations() -> None:
    # Means 1, 2, 3 and 5, the last two treated: a difference of 2.5. The other allocations differ by 2.5 (its mirror
    # image), 1.5 twice and 0.5 twice in size.
    frame = pupils_of([1.0, 2.0, 3.0, 5.0], ["control", "control", "team", "team"])
    schools, actual = allocation(frame, TWO.arms)
    found = randomisation_inference(
        frame,
        TWO,
        schools=schools,
        actual=actual,
        draws=every(4, 2),
        probabilities=np.full(6, 1 / 6),
        statistic="school_means",
    )["team"]
    assert found.statistic == pytest.approx(2.5)
    assert (found.p_value, found.n_draws, found.exact) == (2 / 6, 6, True)
    assert (found.conf_low, found.conf_high) == (-np.inf, np.inf)


@pytest.mark.parametrize("seed", range(5))
def test_eight_schools_of_two_arms_are_tested_by_their_seventy_allocations_given_the_third_arm(seed: int) -> None:
    frame = trial(12, seed=seed, effects=(3.0, 0.8))
    found = infer(frame, statistic="school_means")["team"]
    pair = frame[frame["arm"] != "mentor"]
    means = pair.groupby("school")["score"].mean().to_numpy()
    treated = pair.groupby("school")["arm"].first().to_numpy() == "team"
    actual = abs(means[treated].mean() - means[~treated].mean())
    sizes = [abs(means[draw == 1].mean() - means[draw == 0].mean()) for draw in every(8, 4)]
    assert found.n_draws == len(sizes) == 70
    assert found.p_value == sum(size >= actual * (1 - 1e-9) for size in sizes) / 70


@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), spread=st.floats(0.1, 20))
@FEW
def test_what_the_third_arm_shows_does_not_change_the_test_of_the_second(
    seed: int, shift: float, spread: float
) -> None:
    frame = trial(15, seed=seed, effects=(0.3, 0.5))
    third = frame["arm"] == "mentor"
    moved = frame.assign(score=frame["score"].where(~third, shift + spread * frame["score"]))
    assert infer(moved)["team"] == infer(frame)["team"]


@given(
    seed=st.integers(0, 10_000),
    effect=st.floats(-2, 2),
    statistic=st.sampled_from(get_args(StatisticName)),
    n_schools=st.sampled_from([12, 15, 18, 21]),
    rounded=st.booleans(),
)
@FEW
def test_zero_is_outside_the_interval_exactly_when_the_test_rejects(
    seed: int, effect: float, statistic: StatisticName, n_schools: int, rounded: bool
) -> None:
    frame = trial(n_schools, seed=seed, effects=(1.0, effect))
    frame["score"] = frame["score"].round(0) if rounded else frame["score"]  # ties
    for found in infer(frame, statistic=statistic).values():
        if not found.reason and np.isfinite(found.conf_low) and np.isfinite(found.conf_high):
            assert (found.p_value <= 0.05) == (not found.conf_low <= 0 <= found.conf_high)


def test_arms_beside_one_that_is_not_the_reference_are_mirror_images() -> None:
    frame = trial(15, seed=2, effects=(1.0, 0.4))
    one = infer(frame, reference="mentor", compared=["team"])["team"]
    other = infer(frame, reference="team", compared=["mentor"])["mentor"]
    assert one.p_value == other.p_value
    assert one.statistic == pytest.approx(-other.statistic)
    assert (one.conf_low, one.conf_high) == pytest.approx((-other.conf_high, -other.conf_low), rel=1e-5, abs=1e-6)
    alone = frame[frame["arm"] != "control"]
    two = infer(alone, replace(MODEL, arms=("mentor", "team")))["team"]
    assert one.statistic == pytest.approx(two.statistic)


def permuted(n_draws: int = 2000, **options: object) -> Permutations:
    given_ = {
        "schools": tuple("abcdefgh"),
        "actual": np.array([0, 1, 2, 0, 1, 2, 0, 1]),
        "strata": ("x",) * 4 + ("y",) * 4,
        "n_draws": n_draws,
        "seed": "seed",
    }
    return Permutations(**(given_ | options))  # type: ignore[arg-type]


def test_permutations_move_the_schools_that_are_marked_within_their_strata() -> None:
    moving = permuted().actual != 2
    found = permuted().of(moving)
    assert isinstance(found, DesignRedraws)
    # Arms 0, 1 and 0 in the first stratum, 1, 0 and 1 in the second: three ways in each.
    assert len(found.draws) == 9
    assert found.probabilities == pytest.approx(np.full(9, 1 / 9))
    assert (found.draws[:, ~moving] == 2).all()
    assert set(found.draws[:, :4].sum(axis=1)) == {3}
    few = permuted(n_draws=5).of(moving)
    assert isinstance(few, DesignRedraws)
    assert not few.exact
    assert few.draws.shape == (5, 8)
    assert (few.draws[:, ~moving] == 2).all()


def test_a_constraint_leaves_out_permutations_and_says_when_hardly_any_is_left() -> None:
    moving = permuted().actual != 2

    def first_stays(positions: np.ndarray) -> np.ndarray:
        return np.asarray(positions[:, 0] == 0)

    kept = permuted(usable=first_stays).of(moving)
    assert isinstance(kept, DesignRedraws)
    assert len(kept.draws) == 6
    none = permuted(n_draws=7, usable=lambda rows: np.zeros(len(rows), dtype=bool)).of(moving)
    assert "constraint lets hardly any draw through" in str(none)


def test_a_design_whose_chances_depend_on_the_other_arms_has_a_reason_instead_of_a_test() -> None:
    frame = trial(12, seed=1)
    schools, actual = allocation(frame, ARMS)
    stuck = Permutations(
        schools=schools, actual=actual, strata=("",) * 12, n_draws=99, seed="x", reason="Schools joined in turn."
    )
    found = infer(frame, permutations=stuck)["team"]
    assert found.reason == "Schools joined in turn."
    assert np.isnan(found.p_value)


def test_all_allocations_are_kept_that_leave_the_third_arm_where_it_is() -> None:
    frame = pd.DataFrame({"school_id": list("abcdef")})
    design = Design(arms=tuple(Arm(name=name) for name in ARMS))
    whole = design_redraws(frame, design, n_draws=100, seed="x")
    actual = np.array([0, 1, 2, 0, 1, 2])
    held = whole.holding(actual == 1, actual)
    assert len(whole.draws) == 90
    assert len(held.draws) == 6
    assert held.probabilities == pytest.approx(np.full(6, 1 / 6))
    with pytest.raises(DesignError, match="not all allocations"):
        design_redraws(frame, design, n_draws=50, seed="x").holding(actual == 1, actual)


def test_few_allocations_of_a_constrained_design_are_listed_as_well() -> None:
    from randomisation import Constraint

    frame = pd.DataFrame({"school_id": list("abcdefgh"), "size": [10, 12, 30, 33, 50, 55, 80, 90]})
    design = Design(
        arms=(Arm(name="control"), Arm(name="pilot")), constraint=Constraint(variables=("size",), best_share=0.5)
    )
    found = design_redraws(frame, design, n_draws=40, seed="x")
    assert found.exact
    assert len(found.draws) < 70


def answered(frame: pd.DataFrame) -> pd.DataFrame:
    question = Question(
        plan_entry="q",
        outcome="score",
        kind="continuous",
        role="primary",
        model="linear_mixed",
        arms=ARMS,
        school="school",
        strata=None,
    )
    schools, actual = allocation(frame, ARMS)
    draws = np.random.default_rng(5).permuted(np.tile(actual, (199, 1)), axis=1)
    rows = estimate_effects(frame, question, schools=schools, actual=actual, draws=draws)
    return pd.DataFrame([row.to_dict() for row in rows]).set_index("estimate_id")


def test_every_pair_of_arms_has_its_difference_its_test_and_its_interval() -> None:
    table = answered(trial(15, seed=3, effects=(1.0, 0.4)))
    assert table.index.is_unique
    pair = table.loc["q/all/difference/team/mentor"]
    assert (pair["arm"], pair["reference"], pair["role"]) == ("team", "mentor", "exploratory")
    beside = table["estimate"]["q/all/difference/team"] - table["estimate"]["q/all/difference/mentor"]
    assert pair["estimate"] == pytest.approx(beside)
    assert (table.loc["q/all/difference/team", ["reference", "role"]] == ["control", "primary"]).all()
    test = table.loc["q/all/randomisation_test/team/mentor"]
    ends = table.loc["q/all/randomisation_interval/team/mentor"]
    assert (test["p_value"] <= 0.05) == (not ends["conf_low"] <= 0 <= ends["conf_high"])
    assert test["n_draws"] == ends["n_draws"] == 199
    few = answered(trial(12, seed=3)).loc["q/all/randomisation_test/team"]
    assert (few["method"], few["n_draws"]) == ("randomisation_test_exact_70_allocations", 70)


def test_re_draws_of_three_arms_at_once_are_refused_where_two_are_asked_about() -> None:
    from analysis import randomisation_family

    frame = trial(12, seed=1).assign(score=0.0)
    schools, actual = allocation(frame, ARMS)
    shared = {"schools": schools, "actual": actual, "draws": actual[None]}
    with pytest.raises(EstimationError, match="Keep the pupils and schools of two arms"):
        randomisation_family(frame, {"score": MODEL}, **shared)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["linear_cluster", "linear_mixed", "logistic_mixed"])
def test_two_arms_in_which_nobody_had_the_event_are_not_compared_by_the_error_of_a_third(kind: str) -> None:
    frame = trial(12, seed=3).rename(columns={"score": "left"})
    frame["left"] = ((frame["arm"] == "team") & (frame["left"] > 0)).astype(int)
    question = Question(
        plan_entry="main",
        outcome="left",
        kind="binary",
        role="primary",
        model=kind,  # the parameters above
        arms=ARMS,
        school="school",
        strata=None,
    )
    schools, actual = allocation(frame, ARMS)
    rows = estimate_effects(frame, question, schools=schools, actual=actual, draws=None)
    (none,) = [row for row in rows if (row.quantity, row.arm, row.reference) == ("difference", "mentor", "control")]
    assert none.status == "failed"
    assert "every pupil has the same value" in none.reason or "had the event" in none.reason
