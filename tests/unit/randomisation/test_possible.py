"""Counting and listing what a design can draw."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Design, all_allocations, n_allocations
from randomisation import settlements as module
from randomisation.settlements import iterate_chance_courses


def arms(*ratios: int) -> tuple[Arm, ...]:
    return tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(ratios))


def frame(*sizes: tuple[str, str, int]) -> pd.DataFrame:
    rows = [(country, kind) for country, kind, n in sizes for _ in range(n)]
    return pd.DataFrame(rows, columns=["country", "type"]).assign(school_id=[f"{n:03d}" for n in range(len(rows))])


def test_without_strata_half_of_ten_schools_are_chosen_in_252_ways() -> None:
    assert n_allocations(frame(("HU", "a", 10)), Design(arms=arms(1, 1))) == 252


def test_pairs_double_with_every_pair() -> None:
    pairs = frame(*[("HU", f"{n}", 2) for n in range(31)])
    assert n_allocations(pairs, Design(arms=arms(1, 1), strata=("type",))) == 2**31


def test_an_odd_number_of_schools_goes_either_way() -> None:
    assert n_allocations(frame(("HU", "a", 3)), Design(arms=arms(1, 1))) == 6


def test_three_arms_are_counted_by_multinomials() -> None:
    assert n_allocations(frame(("HU", "a", 6)), Design(arms=arms(1, 2, 3))) == math.factorial(6) // (2 * 6)
    # Four schools in three arms: one arm has two.
    assert n_allocations(frame(("HU", "a", 4)), Design(arms=arms(1, 1, 1))) == 3 * 12


def test_balance_within_countries_leaves_out_allocations_that_strata_alone_would_allow() -> None:
    schools = frame(("HU", "a", 1), ("HU", "b", 1), ("SI", "a", 1), ("SI", "b", 1))
    assert n_allocations(schools, Design(arms=arms(1, 1), strata=("country", "type"))) == 4
    assert n_allocations(schools, Design(arms=arms(1, 1), strata=("type", "country"))) == 4
    assert n_allocations(schools.assign(one="1"), Design(arms=arms(1, 1), strata=("one", "country", "type"))) == 4
    assert n_allocations(schools, Design(arms=arms(1, 1))) == 6


@pytest.mark.parametrize(
    ("ratios", "sizes"),
    [
        ((1, 1), [("HU", "a", 2), ("SI", "a", 4)]),
        ((1, 1), [("HU", "a", 3), ("HU", "b", 1), ("SI", "a", 3)]),
        ((1, 2), [("HU", "a", 2), ("HU", "b", 2), ("SI", "a", 1)]),
        ((1, 1, 1), [("HU", "a", 2), ("SI", "a", 2)]),
        ((1, 2, 1), [("HU", "a", 3), ("SI", "a", 2)]),
    ],
)
def test_all_allocations_are_as_many_as_counted_and_have_the_designs_probabilities(
    ratios: tuple[int, ...], sizes: list[tuple[str, str, int]]
) -> None:
    schools, design = frame(*sizes), Design(arms=arms(*ratios), strata=("country", "type"))
    every = all_allocations(schools, design)
    assert every.positions.shape == (n_allocations(schools, design), len(schools))
    assert len(np.unique(every.positions, axis=0)) == len(every.positions)
    assert every.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (every.probabilities > 0).all()
    for place, share in enumerate(design.probabilities.values()):
        assert every.probabilities @ (every.positions == place) == pytest.approx(float(share), abs=1e-12)


@pytest.mark.parametrize("strata", [("country",), ("country", "type"), ("type", "country"), ()])
def test_the_short_cut_for_two_even_arms_agrees_with_following_every_course(
    strata: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    schools = frame(("HU", "a", 1), ("HU", "b", 1), ("SI", "a", 3), ("SI", "b", 2), ("RS", "a", 1), ("RS", "b", 1))
    design = Design(arms=arms(1, 1), strata=strata)
    short = all_allocations(schools, design)
    monkeypatch.setattr(module, "_enumerate_even_settlements", module._enumerate_explored_settlements)
    followed = all_allocations(schools, design)
    np.testing.assert_array_equal(short.positions, followed.positions)
    np.testing.assert_allclose(short.probabilities, followed.probabilities, atol=1e-14)


def test_too_many_allocations_are_refused_with_their_number() -> None:
    with pytest.raises(DesignError, match=r"There are 252, more than 251\. Use replay"):
        all_allocations(frame(("HU", "a", 10)), Design(arms=arms(1, 1)), most=251)


def test_too_many_ways_to_settle_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAYS", 10)
    schools = frame(*[("HU", f"{n}", 1) for n in range(5)])
    with pytest.raises(DesignError, match="more than 10 ways"):
        all_allocations(schools, Design(arms=arms(1, 2), strata=("type",)))


def test_designs_that_cannot_be_drawn_cannot_be_counted_either() -> None:
    with pytest.raises(DesignError, match="could stay empty"):
        n_allocations(frame(("HU", "a", 3)), Design(arms=arms(1, 9)))


def test_following_every_course_weighs_unequal_courses() -> None:
    courses = list(iterate_chance_courses(lambda source: source.below(3) and source.below(2), most=5))
    assert courses == [
        (0, Fraction(1, 3)),
        (0, Fraction(1, 6)),
        (1, Fraction(1, 6)),
        (0, Fraction(1, 6)),
        (1, Fraction(1, 6)),
    ]
