"""Constrained draws: scores by hand and by numpy, the share that is kept, what is tied together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Constraint, Design, all_allocations, allocate, n_allocations, replay, validity
from randomisation.acceptance import SCORE_UNIT, Acceptance, build_acceptance
from randomisation.constrained import enumerate_candidates
from randomisation.schools import read_schools

TWO = (Arm(name="control"), Arm(name="pilot"))
FOUR = pd.DataFrame({"school_id": list("abcd"), "size": [1, 2, 3, 4]})
NORMAL = pd.DataFrame(np.random.default_rng(5).normal(size=(12, 3)), columns=list("xyz")).assign(
    school_id=[f"{n:02d}" for n in range(12)], type=["a", "b", "c"] * 4
)


def rule(frame: pd.DataFrame, design: Design) -> Acceptance:
    found = build_acceptance(read_schools(frame, design), design)
    assert found is not None
    return found


def scored(frame: pd.DataFrame, draws: np.ndarray, *, arms: tuple[Arm, ...] = TWO, **constraint: object) -> np.ndarray:
    design = Design(arms=arms, constraint=Constraint(**{"best_share": 0.5, **constraint}))  # type: ignore[arg-type]
    found = rule(frame, design)
    return found.scores(draws) / SCORE_UNIT[found.score]


def test_scores_of_four_schools_are_those_by_hand() -> None:
    # Sizes 1, 2, 3, 4 have the variance 5/3; {1, 2} against {3, 4} differ by 2, {1, 4} against {2, 3} by 0.
    draws = np.array([[0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    np.testing.assert_allclose(scored(FOUR, draws, variables=("size",)), [4 / (5 / 3), 0, 1 / (5 / 3)], atol=1e-4)
    sd = np.sqrt(5 / 3)
    largest = scored(FOUR, draws, variables=("size",), score="max_difference")
    np.testing.assert_allclose(largest, [2 / sd, 0, 1 / sd], atol=1e-4)


@pytest.mark.parametrize("n_arms", [2, 3])
def test_scores_of_many_draws_are_those_of_numpy(n_arms: int) -> None:
    arms = tuple(Arm(name=f"arm {k}") for k in range(n_arms))
    draws = replay(NORMAL, Design(arms=arms), n_draws=50, seed="1")
    values = NORMAL[["x", "y", "z"]].to_numpy()
    values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    inverse = np.linalg.inv(np.corrcoef(values.T))
    pairs = [(one, other) for one in range(n_arms) for other in range(one)]
    expected: dict[str, list[float]] = {"l2": [], "max_difference": [], "mahalanobis": []}
    for draw in draws:
        gaps = [values[draw == one].mean(axis=0) - values[draw == other].mean(axis=0) for one, other in pairs]
        expected["l2"].append(sum(gap @ gap for gap in gaps))
        expected["max_difference"].append(max(np.abs(gap).max() for gap in gaps))
        expected["mahalanobis"].append(sum(gap @ inverse @ gap for gap in gaps))
    for score, wanted in expected.items():
        found = scored(NORMAL, draws, arms=arms, variables=("x", "y", "z"), score=score)
        np.testing.assert_allclose(found, wanted, rtol=5e-3, atol=2e-3)  # inverse correlations have three decimals


def test_the_best_share_is_kept_and_no_more() -> None:
    design = Design(arms=TWO, constraint=Constraint(variables=("x", "y", "z"), best_share=0.1))
    drawn = enumerate_candidates(NORMAL, design)
    scores = rule(NORMAL, design).scores(drawn.draws)
    kept = all_allocations(NORMAL, design).positions
    assert len(drawn.draws) == 924
    # Each draw has the score of its mirror image: the smallest even number from 92.4 on.
    assert len(kept) == n_allocations(NORMAL, design) == 94
    assert rule(NORMAL, design).scores(kept).max() == np.sort(scores)[93]


def test_where_draws_are_too_many_to_list_the_share_is_that_of_a_sample() -> None:
    frame = pd.concat([NORMAL, NORMAL.assign(school_id=[f"{n:02d}" for n in range(12, 24)], x=range(12))])
    design = Design(arms=TWO, constraint=Constraint(variables=("x", "y"), best_share=0.25))
    found = validity(frame, design)
    assert not found.exact
    assert found.n_possible == 2_704_156
    assert found.share_usable == pytest.approx(0.25, abs=0.005)
    assert np.all(found.probabilities == 0.5)
    assert str(found).startswith("About 6.8e+05 of 2.7e+06 draws may be used")
    with pytest.raises(DesignError, match="more than 100000"):
        n_allocations(frame, design)
    assert allocate(frame, design, seed="1").notes == ()


def test_limits_hold_for_each_variable_and_level() -> None:
    limits = (("x", 0.3), ("type", 0.9))
    design = Design(arms=TWO, constraint=Constraint(variables=("x", "y", "type"), limits=limits))
    draws = replay(NORMAL, design, n_draws=200, seed="1")
    values = np.column_stack([NORMAL["x"], NORMAL["y"], NORMAL["type"] == "b", NORMAL["type"] == "c"])
    values = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    gaps = np.array([np.abs(values[draw == 1].mean(axis=0) - values[draw == 0].mean(axis=0)) for draw in draws])
    assert gaps[:, 0].max() <= 0.3 + 1e-4
    assert gaps[:, 2:].max() <= 0.9 + 1e-4
    assert gaps[:, 1].max() > 0.5


def test_a_limit_and_a_score_hold_together() -> None:
    both = Constraint(variables=("x", "y"), score="max_difference", at_most=0.5, limits=(("x", 0.2),))
    found = validity(NORMAL, Design(arms=TWO, constraint=both))
    alone = Constraint(variables=("x", "y"), score="max_difference", at_most=0.5)
    assert 0 < found.n_usable < validity(NORMAL, Design(arms=TWO, constraint=alone)).n_usable
    assert found.score_limit == 0.5


def test_categories_written_in_digits_are_categories_when_said_so() -> None:
    frame = NORMAL.assign(grade=[1, 2, 3] * 4)
    number = Design(arms=TWO, constraint=Constraint(variables=("grade",), best_share=0.5))
    category = Design(arms=TWO, constraint=Constraint(variables=("grade",), best_share=0.5, categories=("grade",)))
    assert [column.level for column in rule(frame, number).columns] == [""]
    assert [column.level for column in rule(frame, category).columns] == ["2", "3"]


def test_schools_that_are_tied_together_are_named() -> None:
    # Two giants: together they can never be balanced.
    frame = FOUR.assign(size=[1, 1000, 2, 1001])
    design = Design(arms=TWO, constraint=Constraint(variables=("size",), at_most=0.5))
    found = validity(frame, design)
    assert found.exact
    assert ("b", "d") in found.never_together
    assert ("a", "c") in found.never_together
    notes = allocate(frame, design, seed="1").notes
    assert notes[0].startswith("The constraint leaves 4 draws")
    assert notes[1].endswith("'b and d'.")
    assert found.to_frame()["value"].tolist()[:2] == [6, 4]


def test_strata_without_a_constraint_are_described_too() -> None:
    pairs = Design(arms=TWO, strata=("pair",))
    found = validity(FOUR.assign(pair=[1, 1, 2, 2]), pairs)
    assert found.never_together == (("a", "b"), ("c", "d"))
    assert np.isnan(found.score_limit)


@pytest.mark.parametrize("limit", [1e-9, 0.0])
def test_a_constraint_that_lets_nothing_through_is_refused(limit: float) -> None:
    design = Design(arms=TWO, constraint=Constraint(variables=("x",), at_most=limit))
    with pytest.raises(DesignError, match="Loosen the constraint"):
        allocate(NORMAL, design, seed="1")
    with pytest.raises(DesignError, match="Loosen the constraint"):
        replay(NORMAL, design, n_draws=1, seed="1")
    with pytest.raises(DesignError, match="Loosen the constraint"):
        n_allocations(NORMAL, design)


def test_variables_that_follow_from_one_another_are_refused_by_mahalanobis_only() -> None:
    frame = NORMAL.assign(twice=2 * NORMAL["x"])
    constraint = Constraint(variables=("x", "twice"), score="mahalanobis", best_share=0.5)
    with pytest.raises(DesignError, match="column 'twice': It follows from the other variables"):
        allocate(frame, Design(arms=TWO, constraint=constraint), seed="1")
    assert allocate(frame, Design(arms=TWO, constraint=Constraint(variables=("x", "twice"), best_share=0.5)), seed="1")


def test_words_say_what_may_be_used() -> None:
    words = Constraint(variables=("size", "prior"), best_share=0.05).in_words()
    assert words == "the 5 % of draws whose arms differ least in size and prior (score 'l2')"
    words = Constraint(variables=("size",), score="mahalanobis", at_most=0.5, limits=(("size", 0.1),)).in_words()
    assert words == (
        "draws whose score 'mahalanobis' of size is 0.5 or less, of them draws whose arms differ by no more standard "
        "deviations than these limits (size: 0.1)"
    )
