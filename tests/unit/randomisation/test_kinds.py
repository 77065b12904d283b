"""Every kind of design: what it accepts, says, draws, draws again, counts and gives as probabilities."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import randomisation
from data_schema.errors import DesignError
from randomisation import (
    AllocationRecord,
    Arm,
    Constraint,
    Design,
    Matching,
    Minimising,
    adopt,
    all_allocations,
    allocate,
    assignment_probabilities,
    n_allocations,
    replay,
    verify,
)
from randomisation import verify_allocation as program
from randomisation.designs.simple import compute_simple_probabilities
from randomisation.misfits import KNOWN

Change = Callable[[dict[str, Any]], dict[str, Any]]
TWO = (Arm(name="control"), Arm(name="pilot"))
UNEQUAL = (Arm(name="control"), Arm(name="pilot", ratio=2))
FOUR = tuple(Arm(name=name) for name in ("neither", "mentor", "ews", "both"))
SMALL = pd.DataFrame(
    {
        "school_id": [f"{n}" for n in range(1, 9)],
        "country": ["HU"] * 5 + ["SI"] * 3,
        "size": [310, 480, 220, 510, 400, 260, 330, 290],
        "type": ["a", "b", "a", "b", "a", "b", "a", "b"],
    }
)
SIZE = Constraint(variables=("size",), best_share=0.4)
LIMITS = Constraint(
    variables=("size", "type"), score="max_difference", at_most=2.0, limits=(("size", 0.9),), categories=("type",)
)
DESIGNS = {
    "simple": Design(arms=TWO, kind="simple"),
    "simple, unequal": Design(arms=UNEQUAL, kind="simple"),
    "complete": Design(arms=TWO, kind="complete"),
    "stratified": Design(arms=TWO, strata=("country",)),
    "stratified, unequal": Design(arms=UNEQUAL, strata=("country",)),
    "three arms": Design(arms=(*TWO, Arm(name="full")), strata=("country",)),
    "pairs": Design(arms=TWO, kind="matched", matching=Matching(variables=("size",))),
    "pairs in strata": Design(
        arms=TWO, kind="matched", strata=("country",), matching=Matching(variables=("size", "type"), limit=1.0)
    ),
    "triplets": Design(arms=UNEQUAL, kind="matched", matching=Matching(variables=("size",))),
    "constrained": Design(arms=TWO, constraint=SIZE),
    "constrained, unequal": Design(arms=UNEQUAL, constraint=SIZE),
    "misfits within strata": Design(arms=UNEQUAL, strata=("country",), misfits="strata"),
    "misfits together by the ratio": Design(arms=UNEQUAL, strata=("country", "type"), misfits="wglobal"),
    "limits and categories": Design(arms=UNEQUAL, constraint=LIMITS),
    "mahalanobis": Design(
        arms=TWO, constraint=Constraint(variables=("size", "type"), score="mahalanobis", best_share=0.5)
    ),
    "factorial": Design(
        arms=tuple(Arm(name=name) for name in ("neither", "mentor", "ews", "both")), strata=("country",)
    ),
    "stepped wedge": Design(arms=tuple(Arm(name=f"step {step}") for step in (3, 2, 1)), strata=("country",)),
    "minimisation": Design(
        arms=TWO, kind="minimisation", strata=("country", "type"), minimisation=Minimising(order="size")
    ),
    "constrained pairs": Design(arms=TWO, kind="matched", matching=Matching(variables=("type",)), constraint=SIZE),
}
every_design = pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS.keys())


@every_design
def test_draws_have_the_probabilities_of_the_list_of_all_draws(design: Design) -> None:
    # A chi-square test of 400 published draws on all the draws that there are: it fails for any other distribution.
    every = all_allocations(SMALL, design)
    place = {tuple(row): number for number, row in enumerate(every.positions.tolist())}
    drawn = [place[allocate(SMALL, design, seed=f"seed {n}").positions] for n in range(400)]
    counts = np.bincount(drawn, minlength=len(place))
    # Draws are put together to some twenty groups, so that each is expected often enough.
    groups = np.arange(len(place)) * 20 // max(len(place), 20)
    expected = np.bincount(groups, weights=every.probabilities) * 400
    observed = np.bincount(groups, weights=counts)
    assert stats.chisquare(observed, expected).pvalue > 0.001


@every_design
def test_redraws_have_the_stated_probabilities(design: Design) -> None:
    draws = replay(SMALL, design, n_draws=8000, seed="once more")
    stated = assignment_probabilities(SMALL, design)
    every = all_allocations(SMALL, design)
    place = {tuple(row): number for number, row in enumerate(every.positions.tolist())}
    counts = np.bincount([place[tuple(row)] for row in draws.tolist()], minlength=len(place))
    assert stats.chisquare(counts, every.probabilities * 8000).pvalue > 0.001
    for arm, name in enumerate(design.names):
        assert np.abs((draws == arm).mean(axis=0) - stated[name].to_numpy()).max() < 0.025
        listed = every.probabilities @ (every.positions == arm)
        np.testing.assert_allclose(stated[name], listed, rtol=0, atol=1e-12)
    assert np.array_equal(replay(SMALL, design, n_draws=9, seed="once more", start=600), draws[600:609])


@every_design
def test_a_record_is_verified_and_one_of_another_school_order_is_the_same(design: Design) -> None:
    allocation = allocate(SMALL, design, seed="2027")
    record = AllocationRecord.from_dict(json.loads(json.dumps(AllocationRecord.of(allocation).to_dict())))
    assert verify(record, SMALL).ok
    assert allocate(SMALL.iloc[::-1], design, seed="2027") == allocation
    changed = SMALL.assign(size=[311, *SMALL["size"][1:]])
    assert verify(record, changed).ok == ("size" not in design.variables)


@every_design
def test_the_stand_alone_verifier_draws_the_same(design: Design, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for number in range(3):
        values = AllocationRecord.of(allocate(SMALL, design, seed=f"{number}")).to_dict()
        path.write_text(json.dumps(values), encoding="utf-8")
        assert program.Record(path).problems() == []


@every_design
def test_a_design_survives_json_and_explains_itself(design: Design) -> None:
    assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design
    assert design.in_words().startswith(f"Schools are allocated at random to {design.names[0]}")
    order = {design.minimisation.order} if design.minimisation is not None else set()
    assert all(name in design.in_words() for name in {*design.strata, *design.variables} - order)
    assert len(str(design)) < 120


def test_counts_of_allocations_are_those_of_combinatorics() -> None:
    counts = {name: n_allocations(SMALL, design) for name, design in DESIGNS.items()}
    assert counts["simple"] == 2**8 - 2
    assert counts["complete"] == 70
    assert counts["stratified"] == 2 * 10 * 3
    assert counts["pairs"] == 2**4
    # 0.4 of 70 are 28; the mirror image of a draw has its score.
    assert counts["constrained"] == 28


def test_simple_probabilities_are_those_of_the_list() -> None:
    shares = compute_simple_probabilities((1, 2), 3)
    # Of 27 equally likely triples of slots, 1 has no pilot and 8 no control: 12 of the other 18 x 3 are control's.
    assert shares == [Fraction(4, 9), Fraction(5, 9)]


def test_a_constraint_with_unequal_ratios_gives_schools_unequal_probabilities() -> None:
    shares = assignment_probabilities(SMALL, DESIGNS["constrained, unequal"])["pilot"]
    assert shares.max() - shares.min() > 0.05
    assert shares.mean() == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "simple", "strata": ("country",)}, "A simple draw has no strata"),
        ({"kind": "complete", "strata": ("country",)}, "A complete draw has no strata"),
        ({"kind": "simple", "constraint": SIZE}, "A simple draw cannot be constrained"),
        ({"kind": "matched"}, "The kind is 'matched', and matching is missing"),
        ({"matching": Matching(variables=("size",))}, "The kind is 'stratified', and matching is stated"),
        (
            {
                "kind": "matched",
                "matching": Matching(variables=("size",)),
                "arms": (Arm(name="a", ratio=2), Arm(name="b", ratio=2)),
            },
            "makes sets of 4 schools",
        ),
        ({"strata": ("matched_set",)}, "'matched_set' is reserved"),
        ({"kind": "minimisation", "strata": ("country",)}, "a rule of minimisation is missing"),
        ({"strata": ("country",), "minimisation": Minimising()}, "a rule of minimisation is stated"),
        ({"kind": "minimisation", "minimisation": Minimising()}, "It needs strata to keep alike"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Design(**{"arms": TWO, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"variables": ()}, "No variables are named"),
        ({"variables": ("school_id",)}, "'school_id' cannot be a variable"),
        ({"variables": ("size", "size")}, "'size' is stated twice"),
        ({"score": "l1"}, "The score 'l1' is not known"),
        ({"at_most": 1.0}, "Both best_share and at_most"),
        ({"best_share": None}, "Nothing is constrained"),
        ({"best_share": 1.0}, "best_share is 1.0"),
        ({"limits": (("type", 0.1),)}, "'type' is none of the variables"),
        ({"limits": (("size", -0.1),)}, "-0.1 is no limit"),
        ({"categories": ("type",)}, "'type' is none of the variables"),
    ],
)
def test_an_impossible_constraint_cannot_be_made(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Constraint(**{"variables": ("size",), "best_share": 0.1, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"distance": "taxi"}, "'taxi' is not known"), ({"limit": 0.0}, "The limit 0.0 is no distance")],
)
def test_an_impossible_matching_cannot_be_made(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Matching(**{"variables": ("size",), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["x"] * 8, "All schools have the same value"),
        ([1.0] * 8, "All schools have the same value"),
        ([float("inf"), *range(7)], "is not finite"),
        ([None, *range(7)], "No value for school '1'"),
        (["3,1", "4,8", "2,2", "5,1", "4,0", "2,6", "3,3", "2,9"], "8 different texts for 8 schools"),
    ],
)
def test_a_variable_that_cannot_be_balanced_is_refused(values: list[object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        allocate(SMALL.assign(size=pd.Series(values)), DESIGNS["constrained"], seed="1")


def test_very_small_numbers_are_written_without_an_exponent() -> None:
    allocation = allocate(SMALL.assign(size=[1e-7 * n for n in range(8)]), DESIGNS["constrained"], seed="1")
    assert allocation.variable_values[1] == ("0.0000001",)


def test_a_simple_draw_needs_no_more_schools_than_arms() -> None:
    assert set(allocate(SMALL.iloc[:2], DESIGNS["simple"], seed="1").arms) == {"control", "pilot"}
    with pytest.raises(DesignError, match="There are 2 arms and 1 schools"):
        allocate(SMALL.iloc[:1], DESIGNS["simple"], seed="1")


def test_a_draw_made_elsewhere_may_be_of_any_kind() -> None:
    for design in DESIGNS.values():
        arms = dict(zip(SMALL["school_id"], allocate(SMALL, design, seed="x").arms, strict=True))
        adopted = adopt(SMALL, design, arms=arms)
        assert adopted.notes == tuple(note for note in adopted.notes if "could not have drawn" not in note)
        assert verify(AllocationRecord.of(adopted), SMALL).ok


def test_the_printed_examples_of_all_kinds_are_what_is_drawn() -> None:
    text = (Path(randomisation.__file__).parent / "ALGORITHM.md").read_text(encoding="utf-8")
    rows = [row[:3] for row in re.findall(r"^\| (\d\d) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)]
    frame = pd.DataFrame(rows, columns=["school_id", "country", "type"])
    frame["size"] = [310, 480, 220, 510, 400, 260, 330, 290, 350, 270]
    size = Matching(variables=("size",))
    mahalanobis = Constraint(variables=("size", "type"), score="mahalanobis", at_most=1.0)
    uneven = (Arm(name="control", ratio=2), Arm(name="pilot"))
    printed = (
        Design(arms=TWO, kind="simple"),
        Design(arms=TWO, kind="matched", matching=size),
        Design(arms=TWO, kind="matched", strata=("country",), matching=size),
        Design(arms=TWO, kind="complete", constraint=Constraint(variables=("size",), best_share=0.2)),
        Design(arms=TWO, strata=("country",), constraint=mahalanobis),
        *(Design(arms=uneven, strata=("country", "type"), misfits=name) for name in KNOWN if name != "balanced"),
    )
    for design in printed:
        record = AllocationRecord.of(allocate(frame, design, seed="2027-03-01"))
        assert f"| {' '.join(arm[0] for arm in record.arms)} | `{record.allocation_sha256}` |" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda values: values | {"score_limit": "many"}, "'score_limit' is 'many', not a whole number"),
        (lambda values: values | {"schools": [row | {"values": "x"} for row in values["schools"]]}, "cannot be read"),
    ],
)
def test_a_constrained_record_of_another_form_is_refused(change: Change, problem: str) -> None:
    values = AllocationRecord.of(allocate(SMALL, DESIGNS["constrained"], seed="1")).to_dict()
    with pytest.raises(DesignError, match=problem):
        AllocationRecord.from_dict(change(values))


def test_another_limit_of_the_score_in_the_record_is_found() -> None:
    values = AllocationRecord.of(allocate(SMALL, DESIGNS["constrained"], seed="1")).to_dict()
    record = AllocationRecord.from_dict(values | {"score_limit": "1"})
    assert verify(record, SMALL).problems[0].startswith("The largest usable score is ")


def test_scores_that_do_not_fit_into_their_bits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("randomisation.acceptance._MOST", 10**9)
    with pytest.raises(DesignError, match="Its scores are too large to compute"):
        allocate(SMALL, DESIGNS["constrained"], seed="1")
