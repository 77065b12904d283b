"""Minimisation as a design: drawn from a frame, listed, recorded, and going on with schools that join later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import (
    AllocationRecord,
    Arm,
    Design,
    Minimising,
    all_allocations,
    allocate,
    assignment_probabilities,
    verify,
)
from randomisation import verify_allocation as program
from randomisation.later import draw_late
from randomisation.minimised import Joined, Minimisation, build_minimisation, get_joined_schools

TWO = (Arm(name="control"), Arm(name="pilot"))
FRAME = pd.DataFrame(
    {
        "school_id": [f"{n}" for n in range(8)],
        "country": ["HU", "SI"] * 4,
        "size": ["small", "small", "large", "large"] * 2,
        "joined": [3, 1, 2, 2, 10, 9, 8, 7],
    }
)


def design(*ratios: int, order: str = "") -> Design:
    arms = tuple(Arm(name=name, ratio=ratio) for name, ratio in zip(("control", "pilot"), ratios, strict=True))
    return Design(arms=arms, kind="minimisation", strata=("country", "size"), minimisation=Minimising(order=order))


def test_a_frame_is_drawn_as_if_its_schools_joined_one_by_one() -> None:
    drawn = allocate(FRAME, design(1, 1, order="joined"), seed="lottery")
    trial = Minimisation(arms=TWO, factors=("country", "size"), seed="lottery")
    for school in ("1", "2", "3", "0", "7", "6", "5", "4"):
        row = FRAME.loc[int(school)]
        trial = trial.join(school, country=str(row["country"]), size=str(row["size"]))
    assert {one.school: one.arm for one in trial.joined} == dict(drawn.arm_of)
    assert [one.school for one in get_joined_schools(AllocationRecord.of(drawn))] == [
        one.school for one in trial.joined
    ]


def test_schools_that_join_later_are_minimised_against_those_before() -> None:
    stated = design(1, 1)
    first = allocate(FRAME.iloc[:5], stated, seed="March")
    before = get_joined_schools(AllocationRecord.of(first))
    second = draw_late(FRAME.iloc[5:], stated, seed="April", seeds=["March"], before=before)
    trial = build_minimisation(stated, seed="April", joined=before)
    for _, row in FRAME.iloc[5:].iterrows():
        trial = trial.join(row["school_id"], country=str(row["country"]), size=str(row["size"]))
    assert [one.arm for one in trial.joined[5:]] == list(second.arms)
    values = json.loads(json.dumps(AllocationRecord.of(second).to_dict()))
    record = AllocationRecord.from_dict(values)
    assert record.before == before
    assert verify(record, FRAME.iloc[5:]).ok
    other = replace(record, before=tuple(replace(one, arm="pilot") for one in before))
    assert not verify(other, FRAME.iloc[5:]).ok


def test_the_stand_alone_verifier_counts_those_before(tmp_path: Path) -> None:
    before = tuple(Joined(school=f"b{n}", values=("HU", "small"), arm="control") for n in range(4))
    drawn = draw_late(FRAME, design(1, 1, order="joined"), seed="April", seeds=[], before=before)
    path = tmp_path / "record.json"
    values = AllocationRecord.of(drawn).to_dict()
    path.write_text(json.dumps(values), encoding="utf-8")
    assert program.Record(path).problems() == []
    path.write_text(json.dumps(values | {"before": []}), encoding="utf-8")
    assert "schools get another arm" in program.Record(path).problems()[0]


def test_uneven_ratios_have_the_chances_of_the_list() -> None:
    stated = design(1, 2)
    every = all_allocations(FRAME.iloc[:6], stated)
    told = assignment_probabilities(FRAME.iloc[:6], stated)["pilot"]
    np.testing.assert_allclose(told, every.probabilities @ every.positions, atol=4 * np.sqrt(0.25 / 100_000))


def test_an_order_that_is_no_number_is_refused() -> None:
    frame = FRAME.assign(joined=["first", "later"] * 4)
    with pytest.raises(DesignError, match=r"'0', '1'.* is not a number, and schools join in its order"):
        allocate(frame, design(1, 1, order="joined"), seed="x")


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"chance": 100}, "100 is not from 50 to 95"),
        ({"order": "school_id"}, "'school_id' cannot be a column of numbers"),
    ],
)
def test_an_impossible_rule_cannot_be_made(rule: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Minimising(**rule)  # type: ignore[arg-type]


def test_only_a_minimisation_is_minimised() -> None:
    with pytest.raises(DesignError, match="Use kind 'minimisation'"):
        build_minimisation(Design(arms=TWO), seed="x", joined=())


def test_a_record_whose_earlier_schools_cannot_be_read_is_refused() -> None:
    values = AllocationRecord.of(allocate(FRAME, design(1, 1), seed="x")).to_dict()
    for before in ("x", [{"school_id": "1"}]):
        with pytest.raises(DesignError, match="cannot be read"):
            AllocationRecord.from_dict(values | {"before": before})
