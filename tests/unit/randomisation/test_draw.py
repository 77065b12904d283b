"""Drawing: exact probabilities on tiny designs, frozen examples, refusals."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Design, allocate
from randomisation.schools import read_schools
from randomisation.settlements import iterate_chance_courses
from randomisation.strata_draws import draw_within

TWO = (Arm(name="control"), Arm(name="pilot"))
COUNTRIES = ("HU", "RS", "SI")
TYPES = ("vocational", "general")


def made(n_schools: int, *, countries: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "school_id": [f"{n:05d}" for n in range(n_schools)],
            "country": [COUNTRIES[n * 7 % countries] for n in range(n_schools)],
            "type": [TYPES[n * n % 5 % 2] for n in range(n_schools)],
        }
    )


# Whoever changes one of these has changed the published algorithm: give it a new name instead.
FROZEN: list[tuple[int, tuple[int, ...], tuple[str, ...], str, str]] = [
    (12, (1, 1), (), "one", "2c02b5fc3a846f7ef99d3efef1d2bb8b72cdc96ad105444e56dd4889ae0b20c3"),
    (62, (1, 1), ("country", "type"), "2027-03-01", "e2825dfa752cf4ecd494625c17eef71984a5e17bdfde253ae64cc3ffeff8e178"),
    (62, (1, 2), ("country", "type"), "2027-03-01", "b46fd9fbbac3d63d2d42dabc640cae1129543e0c79033c5da3523e563a2186ab"),
    (63, (1, 1, 1), ("country",), "őszi sorsolás", "6a05711772c1409cb12c06fa9e60655abe8b39d625a722cafcf3fbf193759849"),
    (61, (3, 2, 1), ("type", "country"), "осам", "2399c772702c5f0cf03da4b5072c7d2c978939d9692df5bb795da911a4233712"),
    (
        1000,
        (2, 3, 5, 7),
        ("country", "type"),
        "large",
        "0267bafd589c5b846732f2d3e9608fe487382906767ecc8d95dfd3f0455fdaec",
    ),
    (7, (1, 1), ("country", "type"), "seven", "577f1490b3163a0b97e40fd8e9d7dd8b04cb060e1d4c8fcff98fdfc1754e5f22"),
]


def allocation_sha256(n_schools: int, arms: tuple[Arm, ...], strata: tuple[str, ...], seed: str) -> str:
    allocation = allocate(made(n_schools), Design(arms=arms, strata=strata), seed=seed)
    return AllocationRecord.of(allocation).allocation_sha256


def exact_distribution(frame: pd.DataFrame, design: Design) -> dict[tuple[str, ...], Fraction]:
    """Follow the draw on every course that its random numbers could take."""
    read = read_schools(frame, design)
    found: dict[tuple[str, ...], Fraction] = {}
    for arms, share in iterate_chance_courses(lambda source: draw_within(read, design, source), most=10**6):
        found[arms] = found.get(arms, Fraction(0)) + share
    assert sum(found.values()) == 1
    return found


def strata_frame(*sizes: tuple[str, str, int]) -> pd.DataFrame:
    rows = [(country, kind) for country, kind, n in sizes for _ in range(n)]
    return pd.DataFrame(rows, columns=["country", "type"]).assign(school_id=[f"{n:02d}" for n in range(len(rows))])


@pytest.mark.parametrize(("n_schools", "ratios", "strata", "seed", "sha256"), FROZEN)
def test_an_allocation_published_once_never_changes(
    n_schools: int, ratios: tuple[int, ...], strata: tuple[str, ...], seed: str, sha256: str
) -> None:
    arms = tuple(Arm(name=f"arm {k}", ratio=ratio) for k, ratio in enumerate(ratios))
    assert allocation_sha256(n_schools, arms, strata, seed) == sha256


@pytest.mark.parametrize(
    ("ratios", "sizes"),
    [
        ((1, 1), [("HU", "a", 3), ("HU", "b", 1), ("SI", "a", 1)]),
        ((1, 2), [("HU", "a", 2), ("HU", "b", 1), ("SI", "a", 2)]),
        ((2, 3), [("HU", "a", 1), ("SI", "a", 2), ("SI", "b", 1)]),
        ((1, 1, 1), [("HU", "a", 1), ("HU", "b", 2), ("SI", "a", 1)]),
        ((1, 2, 1), [("HU", "a", 2), ("SI", "a", 2)]),
    ],
)
def test_every_schools_probability_of_every_arm_is_exactly_the_ratio(
    ratios: tuple[int, ...], sizes: list[tuple[str, str, int]]
) -> None:
    design = Design(
        arms=tuple(Arm(name=f"arm {k}", ratio=ratio) for k, ratio in enumerate(ratios)), strata=("country", "type")
    )
    distribution = exact_distribution(strata_frame(*sizes), design)
    n_schools = sum(n for _, _, n in sizes)
    for school in range(n_schools):
        for name, probability in design.probabilities.items():
            assert sum(share for arms, share in distribution.items() if arms[school] == name) == probability


def test_two_even_arms_draw_every_balanced_allocation_with_the_same_probability() -> None:
    frame = strata_frame(("HU", "a", 3), ("HU", "b", 1), ("SI", "a", 1), ("SI", "b", 1))
    distribution = exact_distribution(frame, Design(arms=TWO, strata=("country", "type")))
    # HU/a has one or two pilot schools (3 ways each), HU/b the other way round, one of the two SI schools: 3 * 2 * 2.
    assert len(distribution) == 12
    assert set(distribution.values()) == {Fraction(1, 12)}


def test_pairs_are_split_and_a_triplet_goes_either_way() -> None:
    frame = strata_frame(*[("IL", f"pair {n}", 2) for n in range(3)], ("IL", "triplet", 3))
    distribution = exact_distribution(frame, Design(arms=TWO, strata=("type",)))
    assert len(distribution) == 2**3 * 6
    assert set(distribution.values()) == {Fraction(1, 48)}
    for arms in distribution:
        assert all({arms[2 * n], arms[2 * n + 1]} == {"control", "pilot"} for n in range(3))


def test_odd_strata_of_a_country_are_settled_within_it() -> None:
    frame = strata_frame(("HU", "a", 1), ("HU", "b", 1), ("SI", "a", 1), ("SI", "b", 1))
    for arms in exact_distribution(frame, Design(arms=TWO, strata=("country", "type"))):
        assert arms[0] != arms[1]
        assert arms[2] != arms[3]


def test_one_odd_stratum_a_country_is_settled_across_countries() -> None:
    frame = strata_frame(("HU", "a", 1), ("RS", "a", 1), ("SI", "a", 1), ("HR", "a", 1))
    distribution = exact_distribution(frame, Design(arms=TWO, strata=("country", "type")))
    assert {arms.count("pilot") for arms in distribution} == {2}
    assert len(distribution) == 6


def test_62_schools_of_three_countries_are_balanced_at_every_level() -> None:
    design = Design(arms=TWO, strata=("country", "type"))
    frame = made(62)
    for draw in range(20):
        allocation = allocate(frame, design, seed=f"draw {draw}")
        assert allocation.counts() == {"control": 31, "pilot": 31}
        for columns in (["country"], ["country", "type"]):
            together = frame.merge(allocation.to_frame(), on="school_id").groupby(columns)["arm"].value_counts()
            n = together.unstack()  # noqa: PD010 (no table to pivot)
            assert ((n["control"] - n["pilot"]).abs() <= 1).all()


def test_the_order_of_rows_and_further_columns_change_nothing() -> None:
    design = Design(arms=TWO, strata=("country", "type"))
    frame = made(40)
    mixed = frame.sample(frac=1, random_state=1).assign(size=range(40)).set_index("size", drop=False)
    assert allocate(mixed, design, seed="s") == allocate(frame, design, seed="s")


def test_another_seed_gives_another_allocation() -> None:
    design = Design(arms=TWO)
    assert len({allocate(made(40), design, seed=f"{n}").arms for n in range(20)}) == 20


def test_counts_by_stratum_stand_beside_their_exact_shares() -> None:
    frame = strata_frame(("HU", "a", 3), ("SI", "a", 2))
    design = Design(arms=(Arm(name="control"), Arm(name="pilot", ratio=3)), strata=("country",))
    table = allocate(frame, design, seed="1").counts_by_stratum()
    assert table.columns.tolist() == ["stratum", "arm", "n_schools", "exact_share"]
    assert table["stratum"].tolist() == ["HU", "HU", "SI", "SI"]
    assert table["exact_share"].tolist() == [0.75, 2.25, 0.5, 1.5]
    assert ((table["n_schools"] - table["exact_share"]).abs() < 1).all()


def test_an_allocation_gives_arms_as_frame_mapping_and_positions() -> None:
    allocation = allocate(strata_frame(("HU", "a", 2)), Design(arms=TWO), seed="1")
    frame = allocation.to_frame()
    assert frame.columns.tolist() == ["school_id", "stratum", "arm"]
    assert dict(zip(frame["school_id"], frame["arm"], strict=True)) == dict(allocation.arm_of)
    assert [allocation.design.names[k] for k in allocation.positions] == list(allocation.arms)
    assert allocation.probabilities == {"control": 0.5, "pilot": 0.5}
    assert str(allocation) == "2 schools in 1 strata: 1 control, 1 pilot (seed '1')"


def test_strata_of_one_school_are_allowed_and_noted() -> None:
    frame = strata_frame(("HU", "a", 1), ("HU", "b", 2), ("SI", "a", 1))
    design = Design(arms=TWO, strata=("country", "type"))
    assert allocate(frame, design, seed="1").notes == (
        "Strata 'HU / a', 'SI / a' have one school only: allocated at random, but with nothing to compare it with.",
    )
    assert allocate(frame.iloc[:3], design, seed="1").notes[0].startswith("Stratum 'HU / a' has one school only")
    assert allocate(frame.iloc[1:3], design, seed="1").notes == ()


def test_more_arms_than_schools_are_refused() -> None:
    design = Design(arms=(*TWO, Arm(name="full")))
    with pytest.raises(DesignError, match="There are 3 arms and 2 schools") as caught:
        allocate(made(2), design, seed="1")
    assert caught.value.place == "design, arms"


def test_an_arm_that_could_stay_empty_is_refused_with_the_schools_needed() -> None:
    design = Design(arms=(Arm(name="control", ratio=9), Arm(name="pilot")))
    with pytest.raises(DesignError, match="Recruit 10 schools or more") as caught:
        allocate(made(9), design, seed="1")
    assert caught.value.place == "design, arm 'pilot'"
    assert allocate(made(10), design, seed="1").counts() == {"control": 9, "pilot": 1}


@pytest.mark.parametrize("seed", ["", " ", " a", "a\n", 5, None])
def test_a_seed_must_be_a_text_on_one_line(seed: object) -> None:
    with pytest.raises(DesignError, match="cannot be a seed"):
        allocate(made(10), Design(arms=TWO), seed=seed)  # type: ignore[arg-type]
