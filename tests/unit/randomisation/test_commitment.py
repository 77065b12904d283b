"""Commitments: what they bind, and that a change of anything is found."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Commitment, Constraint, Design, Matching, adopt, allocate
from randomisation.commitment import compute_commitment_hash
from randomisation.schools import find_look_alikes

TWO = (Arm(name="control"), Arm(name="pilot"))
FRAME = pd.DataFrame({"school_id": list("abcdef"), "country": list("AAABBB"), "size": [1.5, 2, 3, 4, 5, 6]})
DESIGNS = (
    Design(arms=TWO, kind="simple"),
    Design(arms=TWO, strata=("country",)),
    Design(arms=TWO, kind="matched", matching=Matching(variables=("size",))),
    Design(arms=TWO, constraint=Constraint(variables=("size",), best_share=0.4)),
)


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_a_record_has_the_hash_of_its_commitment_and_any_other_seed_too(design: Design) -> None:
    made = Commitment.of(FRAME, design)
    for seed in ("1", "2"):
        assert (
            compute_commitment_hash(AllocationRecord.of(allocate(FRAME.iloc[::-1], design, seed=seed))) == made.sha256
        )
    assert Commitment.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_everything_that_bears_on_the_draw_bears_on_the_hash() -> None:
    design = DESIGNS[3]
    hashes = {Commitment.of(FRAME, design).sha256}
    hashes.add(Commitment.of(FRAME.assign(size=[1.6, 2, 3, 4, 5, 6]), design).sha256)
    hashes.add(Commitment.of(FRAME.iloc[:5], design).sha256)
    for share in (0.39, 0.8):
        hashes.add(
            Commitment.of(FRAME, Design(arms=TWO, constraint=Constraint(variables=("size",), best_share=share))).sha256
        )
    assert len(hashes) == 5
    assert Commitment.of(FRAME.assign(note="x"), design).sha256 in hashes


def test_a_design_that_cannot_be_drawn_is_not_committed_to() -> None:
    with pytest.raises(DesignError, match="Loosen the constraint"):
        Commitment.of(FRAME, Design(arms=TWO, constraint=Constraint(variables=("size",), at_most=0.0)))
    with pytest.raises(DesignError, match="There are 2 arms and 1 schools"):
        Commitment.of(FRAME.iloc[:1], DESIGNS[0])


@pytest.mark.parametrize("name", ["algorithm", "frame_sha256", "score_limit", "format", "design", "schools"])
def test_a_commitment_that_was_changed_or_cut_is_refused(name: str) -> None:
    values = Commitment.of(FRAME, DESIGNS[3]).to_dict()
    with pytest.raises(DesignError, match=r"was changed|cannot be read"):
        Commitment.from_dict({key: value for key, value in values.items() if key != name})
    if isinstance(values[name], str):
        with pytest.raises(DesignError, match=r"was changed|cannot be read"):
            Commitment.from_dict(values | {name: "x"})


def test_look_alikes_are_found_and_others_left_alone() -> None:
    assert find_look_alikes(["a1", "A 1", "a-01", "a11", "b1", "ß", "SS", "-", "--"]) == (
        ("a1", "A 1"),
        ("a1", "a-01"),
        ("ß", "SS"),
    )
    assert find_look_alikes(["1", "10", "100", "01a", "1b"]) == ()


def test_a_draw_made_elsewhere_under_other_spellings_is_asked_about() -> None:
    arms = dict.fromkeys("bcdef", "pilot") | {"A": "control"}
    with pytest.raises(DesignError, match="The allocation has 'A': is that the same school"):
        adopt(FRAME, DESIGNS[1], arms=arms)
