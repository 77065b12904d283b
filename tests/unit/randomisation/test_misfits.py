"""Misfits by stated strategies: the counts of Carril's examples, exact probabilities, and draws that have them."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data_schema.errors import DesignError
from randomisation import (
    AllocationRecord,
    Arm,
    Design,
    adopt,
    all_allocations,
    allocate,
    assignment_probabilities,
    n_allocations,
    replay,
    verify,
)
from randomisation.misfits import (
    KNOWN,
    Misfits,
    build_misfit_plan,
    compute_fewest_schools,
    compute_misfit_probabilities,
)

STRATEGIES: tuple[Misfits, ...] = tuple(name for name in KNOWN if name != "balanced")


def design(misfits: Misfits, *ratios: int, strata: tuple[str, ...] = ("country",)) -> Design:
    arms = tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(ratios))
    return Design(arms=arms, strata=strata, misfits=misfits)


def frame(*sizes: int) -> pd.DataFrame:
    country = [f"{place}" for place, n in enumerate(sizes) for _ in range(n)]
    return pd.DataFrame({"school_id": [f"{n:03d}" for n in range(len(country))], "country": country})


@pytest.mark.parametrize("misfits", STRATEGIES)
def test_full_sets_are_handed_out_by_the_ratio_whatever_the_strategy(misfits: Misfits) -> None:
    drawn = allocate(frame(6, 3, 12), design(misfits, 2, 1), seed="x")
    assert drawn.counts() == {"arm 0": 14, "arm 1": 7}


def test_ratios_are_brought_to_lowest_terms() -> None:
    plan = build_misfit_plan((5, 3), (2, 2), "strata")
    assert (plan.ratios, plan.left) == ((1, 1), [1, 1])


def test_within_a_stratum_the_arms_of_its_misfits_differ_by_one_at_most() -> None:
    # Ratio 3:1, seven schools: one full set, three misfits, of which each arm has one or two.
    draws = replay(frame(7), design("strata", 3, 1), n_draws=500, seed="x")
    assert set((draws == 1).sum(axis=1)) == {2, 3}


def test_all_together_the_arms_of_the_misfits_differ_by_one_at_most_and_a_stratum_may_differ_by_more() -> None:
    schools = frame(3, 3, 4, 4)
    draws = replay(schools, design("global", 3, 1), n_draws=2000, seed="x")
    assert set((draws == 1).sum(axis=1)) == {2 + 3}
    assert set((draws[:, :3] == 1).sum(axis=1)) == {0, 1, 2, 3}


def test_weights_keep_to_the_ratio_and_a_stratum_may_miss_an_arm() -> None:
    draws = replay(frame(3, 3, 3, 4), design("wstrata", 3, 1), n_draws=4000, seed="x")
    assert set((draws[:, :3] == 1).sum(axis=1)) == {0, 1}
    assert np.abs((draws == 1).mean(axis=0) - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 4000)


def test_probabilities_without_weights_are_those_of_full_sets_and_equal_shares_of_the_rest() -> None:
    assert compute_misfit_probabilities(build_misfit_plan((7, 4, 1), (3, 1), "strata")) == [
        (Fraction(3 + Fraction(3, 2)) / 7, Fraction(1 + Fraction(3, 2)) / 7),
        (Fraction(3, 4), Fraction(1, 4)),
        (Fraction(1, 2), Fraction(1, 2)),
    ]
    assert compute_misfit_probabilities(build_misfit_plan((7,), (3, 1), "wstrata")) == [
        (Fraction(3, 4), Fraction(1, 4))
    ]


@pytest.mark.parametrize("misfits", STRATEGIES)
@pytest.mark.parametrize(("sizes", "ratios"), [((5, 3), (2, 1)), ((4, 3), (1, 1, 1)), ((4, 2, 1), (1, 1))])
def test_what_is_listed_counted_drawn_and_re_drawn_is_one_distribution(
    misfits: Misfits, sizes: tuple[int, ...], ratios: tuple[int, ...]
) -> None:
    schools, stated = frame(*sizes), design(misfits, *ratios)
    every = all_allocations(schools, stated)
    assert len(every.positions) == n_allocations(schools, stated) == len(np.unique(every.positions, axis=0))
    assert every.probabilities.sum() == pytest.approx(1, abs=1e-12)
    told = assignment_probabilities(schools, stated)
    for place, name in enumerate(stated.names):
        np.testing.assert_allclose(every.probabilities @ (every.positions == place), told[name], atol=1e-12)
    drawn = np.array([allocate(schools, stated, seed=f"{misfits} {n}").positions for n in range(1500)])
    for draws in (drawn, replay(schools, stated, n_draws=20_000, seed="x")):
        held = Counter(map(tuple, draws.tolist()))
        seen = np.array([held[tuple(row)] for row in every.positions.tolist()])
        assert seen.sum() == len(draws)
        assert stats.chisquare(seen, every.probabilities * len(draws)).pvalue > 1e-4


def test_the_count_is_exact_where_listing_is_hopeless() -> None:
    # 20 strata of three in two arms: each has 3 x 2 ways within; together the odd ones are 10 and 10.
    many = frame(*[3] * 20)
    assert n_allocations(many, design("strata", 1, 1)) == 6**20
    assert n_allocations(many, design("global", 1, 1)) == 3**20 * 184_756


def test_an_arm_that_could_stay_empty_is_refused() -> None:
    assert compute_fewest_schools(build_misfit_plan((2, 2), (2, 1), "wstrata")) == (2, 0)
    with pytest.raises(DesignError, match="strata are too small for misfits 'wstrata'"):
        allocate(frame(2, 2), design("wstrata", 2, 1), seed="x")
    allocate(frame(2, 2), design("global", 2, 1), seed="x")


@pytest.mark.parametrize(("kind", "misfits"), [("complete", "strata"), ("stratified", "somehow")])
def test_a_strategy_is_one_of_those_that_are_known_and_of_a_stratified_draw(kind: str, misfits: str) -> None:
    with pytest.raises(DesignError, match=f"'{misfits}' is not known for a draw of the kind '{kind}'"):
        Design(arms=(Arm(name="a"), Arm(name="b")), kind=kind, misfits=misfits)  # type: ignore[arg-type]


@pytest.mark.parametrize("misfits", KNOWN)
def test_a_record_keeps_the_strategy_and_the_default_leaves_it_out(misfits: Misfits) -> None:
    drawn = allocate(frame(5, 4, 4), design(misfits, 2, 1), seed="x")
    values = AllocationRecord.of(drawn).to_dict()
    assert values["design"].get("misfits", "balanced") == misfits  # type: ignore[attr-defined]
    assert ("misfits" in values["design"]) == (misfits != "balanced")  # type: ignore[operator]
    assert values["algorithm"] == ("crocoos-stratified-1" if misfits == "balanced" else "crocoos-misfits-1")
    record = AllocationRecord.from_dict(values)
    assert verify(record, frame(5, 4, 4)).ok
    assert record.design == drawn.design


def test_a_design_says_what_becomes_of_its_misfits() -> None:
    stated = design("global", 1, 1)
    assert str(stated) == "arm 0 : arm 1 = 1 : 1, stratified by country, misfits global"
    assert stated.in_words().endswith(
        "Schools left over are allocated all strata's together, each arm with equal probability."
    )
    assert "strata formed" not in design("wstrata", 1, 1, strata=()).in_words()


@pytest.mark.parametrize(
    ("misfits", "pilots", "possible"),
    [("strata", [2, 2], True), ("strata", [3, 1], False), ("global", [2, 2], True), ("global", [0, 4], False)],
)
def test_an_adopted_draw_that_the_strategy_could_not_make_is_noted(
    misfits: Misfits, pilots: list[int], possible: bool
) -> None:
    schools = frame(4, 4) if misfits == "global" else frame(4, 5)
    arms = {
        school: "arm 1" if place < pilots[int(str(country))] else "arm 0"
        for country, rows in schools.groupby("country")
        for place, school in enumerate(rows["school_id"])
    }
    assert (adopt(schools, design(misfits, 1, 1), arms=arms).notes == ()) == possible
