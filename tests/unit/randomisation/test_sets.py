"""Matched sets: as near as can be, within strata, left-over schools named."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Design, Matching, allocate
from randomisation.columns import UNIT, build_variable_columns
from randomisation.sets import REST, build_matched_sets, compute_distances

TWO = (Arm(name="control"), Arm(name="pilot"))


def lined_up(values: list[float], matching: Matching, size: int = 2) -> list[str]:
    columns = build_variable_columns("size", [f"{value}" for value in values])
    return build_matched_sets(columns, matching, strata=[range(len(values))], size=size)


def total(names: list[str], apart: np.ndarray) -> int:
    pairs = itertools.combinations(range(len(names)), 2)
    return sum(int(apart[one, other]) for one, other in pairs if names[one] == names[other] != REST)


def best_pairs(places: tuple[int, ...], apart: np.ndarray) -> int:
    """Return the smallest total of pairs by trying all of them."""
    if not places:
        return 0
    first, *rest = places
    return min(
        int(apart[first, other]) + best_pairs(tuple(place for place in rest if place != other), apart) for other in rest
    )


@pytest.mark.parametrize("distance", ["standardised", "mahalanobis"])
@pytest.mark.parametrize("seed", range(5))
def test_pairs_are_the_best_of_all_pairings(distance: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    columns = [
        build_variable_columns(name, [f"{value:.3f}" for value in generator.normal(size=8)])[0] for name in ("a", "b")
    ]
    matching = Matching(variables=("a", "b"), distance=distance)  # type: ignore[arg-type]
    apart = compute_distances(columns, matching)
    names = build_matched_sets(columns, matching, strata=[range(8)], size=2)
    assert total(names, apart) == best_pairs(tuple(range(8)), apart)


def test_greedy_neighbours_are_not_taken_where_the_whole_is_worse() -> None:
    # The nearest two, 4 and 5, would leave 1 and 9 for each other.
    assert lined_up([1, 4, 5, 9], Matching(variables=("size",))) == ["001", "001", "002", "002"]


def test_the_odd_school_is_the_one_that_is_best_left_over() -> None:
    assert lined_up([1, 2, 50, 90, 91], Matching(variables=("size",))) == ["001", "001", REST, "002", "002"]


def test_schools_beyond_the_limit_are_left_over() -> None:
    assert lined_up([1, 2, 50, 90], Matching(variables=("size",), limit=0.5)) == ["001", "001", REST, REST]
    assert lined_up([1, 50, 90], Matching(variables=("size",), limit=0.5)) == [REST] * 3
    assert lined_up([1, 2, 3, 50, 90, 99], Matching(variables=("size",), limit=0.5), size=3) == ["001"] * 3 + [REST] * 3


def test_triplets_hold_three_near_schools_and_leave_over_the_rest() -> None:
    names = lined_up([1, 100, 2, 101, 3, 102, 51], Matching(variables=("size",)), size=3)
    assert names == ["001", "002", "001", "002", "001", "002", REST]


def test_no_exchange_of_two_schools_makes_triplets_better() -> None:
    columns = build_variable_columns("a", [f"{v:.3f}" for v in np.random.default_rng(3).normal(size=30)])
    matching = Matching(variables=("a",))
    apart = compute_distances(columns, matching)
    names = build_matched_sets(columns, matching, strata=[range(30)], size=3)
    assert sorted(names.count(name) for name in set(names)) == [3] * 10
    for one, other in itertools.combinations(range(30), 2):
        changed = list(names)
        changed[one], changed[other] = changed[other], changed[one]
        assert total(changed, apart) >= total(names, apart)


def test_the_mahalanobis_distance_is_that_of_numpy() -> None:
    values = np.random.default_rng(1).normal(size=(12, 3))
    values[:, 2] += 2 * values[:, 0]
    columns = [
        build_variable_columns(name, [f"{value:.6f}" for value in column])[0]
        for name, column in zip("abc", values.T, strict=True)
    ]
    apart = compute_distances(columns, Matching(variables=("a", "b", "c"), distance="mahalanobis"))
    difference = values[3] - values[7]
    expected = np.sqrt(difference @ np.linalg.inv(np.cov(values.T)) @ difference)
    assert apart[3, 7] / UNIT == pytest.approx(expected, rel=2e-3)  # inverse correlations have three decimals


def test_sets_that_were_formed_before_are_kept_and_checked() -> None:
    frame = pd.DataFrame({"school_id": list("abcde"), "size": [1, 2, 3, 4, 5], "matched_set": [1, 2, 1, 2, "rest"]})
    design = Design(arms=TWO, kind="matched", matching=Matching(variables=("size",)))
    arms = allocate(frame, design, seed="1").arm_of
    assert arms["a"] != arms["c"]
    assert arms["b"] != arms["d"]
    with pytest.raises(DesignError, match="Set '2' has 1 schools of one stratum, not 2"):
        allocate(frame.iloc[:3], design, seed="1")


def test_left_over_schools_of_all_strata_keep_the_arms_even() -> None:
    frame = pd.DataFrame({"school_id": [f"{n:02d}" for n in range(15)], "size": range(15), "country": list("ABC") * 5})
    design = Design(arms=TWO, kind="matched", strata=("country",), matching=Matching(variables=("size",)))
    for seed in range(20):
        assert sorted(allocate(frame, design, seed=f"{seed}").counts().values()) == [7, 8]


def test_of_many_schools_the_nearest_are_looked_at_until_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = build_variable_columns("a", [f"{value:.3f}" for value in np.random.default_rng(4).normal(size=60)])
    matching = Matching(variables=("a",))
    whole = build_matched_sets(columns, matching, strata=[range(60)], size=2)
    monkeypatch.setattr("randomisation.sets.MOST_COMPARED_WITH_ALL", 10)
    monkeypatch.setattr("randomisation.sets._NEAREST", 3)
    apart = compute_distances(columns, matching)
    assert total(build_matched_sets(columns, matching, strata=[range(60)], size=2), apart) == total(whole, apart)


@pytest.mark.slow
def test_1000_schools_are_drawn_in_optimal_pairs() -> None:
    values = np.random.default_rng(1).normal(size=(1000, 4))
    frame = pd.DataFrame(values, columns=list("abcd")).assign(school_id=[f"{n:04d}" for n in range(1000)])
    design = Design(arms=TWO, kind="matched", matching=Matching(variables=tuple("abcd"), distance="mahalanobis"))
    assert allocate(frame, design, seed="1").counts() == {"control": 500, "pilot": 500}


def test_no_exchange_of_two_schools_makes_triplets_more_alike() -> None:
    matching = Matching(variables=("a", "b"))
    for seed in range(6):
        generator = np.random.default_rng(seed)
        texts = {name: [f"{value:.3f}" for value in generator.normal(size=9)] for name in ("a", "b")}
        columns = [column for name, own in texts.items() for column in build_variable_columns(name, own)]
        names = build_matched_sets(columns, matching, strata=[range(9)], size=3)
        apart = compute_distances(columns, matching)
        for one, other in itertools.combinations(range(9), 2):
            changed = list(names)
            changed[one], changed[other] = changed[other], changed[one]
            assert total(changed, apart) >= total(names, apart)
