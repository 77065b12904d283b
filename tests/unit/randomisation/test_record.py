"""Records: what they hold, what tampering they show, allocations drawn elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import (
    AllocationRecord,
    Arm,
    Design,
    adopt,
    allocate,
    allocation_hash,
    frame_hash,
    verify,
)
from randomisation.record import build_stratum_labels

DESIGN = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
SCHOOLS = pd.DataFrame(
    {"school_id": [f"{n:02d}" for n in range(1, 11)], "country": ["HU"] * 5 + ["SI"] * 5, "size": range(10)}
)
ARMS = {school: ("control", "pilot")[place % 2] for place, school in enumerate(SCHOOLS["school_id"])}


def record() -> AllocationRecord:
    return AllocationRecord.of(allocate(SCHOOLS, DESIGN, seed="2027-03-01"))


def swapped(arms: tuple[str, ...]) -> tuple[str, ...]:
    """Exchange the arms of the first two schools that differ."""
    other = next(place for place, arm in enumerate(arms) if arm != arms[0])
    return (arms[other], *arms[1:other], arms[0], *arms[other + 1 :])


def test_a_record_survives_json() -> None:
    assert AllocationRecord.from_dict(json.loads(json.dumps(record().to_dict()))) == record()


def test_a_record_verifies_by_drawing_again() -> None:
    found = verify(record(), SCHOOLS)
    assert found.ok
    assert found.problems == ()
    assert str(found) == "10 schools were drawn again from seed '2027-03-01' with the same result."


def test_a_record_verifies_against_shuffled_rows_and_other_sizes() -> None:
    assert verify(record(), SCHOOLS.iloc[::-1].assign(size=0)).ok


def test_two_arms_exchanged_by_hand_are_found_by_hash() -> None:
    problems = verify(replace(record(), arms=swapped(record().arms)), SCHOOLS).problems
    assert problems == ("The record's arms do not have the hash that it states: it was changed.",)


def test_two_arms_exchanged_with_their_hash_are_found_by_drawing_again() -> None:
    arms = swapped(record().arms)
    forged = replace(record(), arms=arms, allocation_sha256=allocation_hash(record().schools, arms))
    found = verify(forged, SCHOOLS)
    assert not found.ok
    assert found.notes == ()
    assert found.problems[0].startswith("The draw gives 2 of 10 schools another arm than the record: ")
    assert str(found) == found.problems[0]


def test_another_seed_in_the_record_is_found_by_drawing_again() -> None:
    assert "another arm" in verify(replace(record(), seed="2027-03-02"), SCHOOLS).problems[0]


def test_schools_taken_off_and_put_on_the_frame_are_named() -> None:
    changed = SCHOOLS.assign(school_id=["99", *SCHOOLS["school_id"][1:]])
    assert verify(record(), changed).problems == (
        "The school frame no longer has school '01'.",
        "The school frame has schools that were not randomised: '99'.",
    )


def test_a_stratum_that_changed_since_the_draw_is_named() -> None:
    changed = SCHOOLS.assign(country=["SI", *SCHOOLS["country"][1:]])
    assert verify(record(), changed).problems == ("The strata changed since the draw for school '01'.",)


def test_strata_changed_in_record_and_frame_alike_are_found_by_hash() -> None:
    moved = replace(record(), stratum_values=(("SI",), *record().stratum_values[1:]))
    changed = SCHOOLS.assign(country=["SI", *SCHOOLS["country"][1:]])
    assert verify(moved, changed).problems == (
        "The record's schools and strata do not have the hash that it states: it was changed.",
    )


def test_an_arm_that_the_design_does_not_know_is_named() -> None:
    odd = replace(record(), arms=("extra", *record().arms[1:]))
    assert "arms that its design does not know: 'extra'" in verify(odd, SCHOOLS).problems[-1]


def test_a_record_of_another_algorithm_is_not_drawn_again() -> None:
    problems = verify(replace(record(), algorithm="crocoos-stratified-2"), SCHOOLS).problems
    assert problems == ("The algorithm is 'crocoos-stratified-2'; this version can only draw 'crocoos-stratified-1'.",)


def test_hashes_are_those_of_tab_separated_tables() -> None:
    import hashlib

    table = "school_id\tcountry\n" + "".join(
        f"{school}\t{country}\n" for school, country in zip(SCHOOLS["school_id"], SCHOOLS["country"], strict=True)
    )
    assert frame_hash(SCHOOLS, DESIGN) == record().frame_sha256 == hashlib.sha256(table.encode()).hexdigest()
    assert allocation_hash(["b", "a"], ["x", "y"]) == hashlib.sha256(b"school_id\tarm\na\ty\nb\tx\n").hexdigest()


def test_the_frames_hash_does_not_see_what_does_not_matter_and_sees_what_does() -> None:
    assert frame_hash(SCHOOLS.sample(frac=1, random_state=3).drop(columns="size"), DESIGN) == frame_hash(
        SCHOOLS, DESIGN
    )
    assert frame_hash(SCHOOLS.iloc[1:], DESIGN) != frame_hash(SCHOOLS, DESIGN)
    assert frame_hash(SCHOOLS, Design(arms=DESIGN.arms)) != frame_hash(SCHOOLS, DESIGN)


def test_an_adopted_allocation_keeps_its_arms_and_says_that_it_cannot_be_drawn_again() -> None:
    allocation = adopt(SCHOOLS, DESIGN, arms=ARMS)
    assert dict(allocation.arm_of) == ARMS
    assert allocation.notes == ()
    assert str(allocation) == "10 schools in 2 strata: 5 control, 5 pilot (drawn elsewhere)"
    adopted = AllocationRecord.of(allocation)
    assert (adopted.drawn, adopted.seed, adopted.algorithm) == ("elsewhere", "", "")
    found = verify(AllocationRecord.from_dict(adopted.to_dict()), SCHOOLS)
    assert found.ok
    assert (
        str(found)
        == "The allocation was drawn elsewhere: schools, strata and hashes were checked, the draw itself cannot be."
    )


def test_an_adopted_allocation_changed_afterwards_does_not_verify() -> None:
    adopted = AllocationRecord.of(adopt(SCHOOLS, DESIGN, arms=ARMS))
    assert not verify(replace(adopted, arms=swapped(adopted.arms)), SCHOOLS).ok


def test_adopting_counts_the_design_could_not_draw_is_noted() -> None:
    lopsided = dict.fromkeys(ARMS, "control") | {"01": "pilot", "06": "pilot"}
    (note,) = adopt(SCHOOLS, DESIGN, arms=lopsided).notes
    assert "'all schools (8 control, 2 pilot)', 'HU (4 control, 1 pilot)', 'SI (4 control, 1 pilot)'" in note


@pytest.mark.parametrize(
    ("arms", "problem"),
    [
        ({school: arm for school, arm in ARMS.items() if school != "03"}, "School '03' has no arm"),
        (ARMS | {"3": "pilot"}, "School '3' is not in the school frame"),
        (ARMS | {"03": "Pilot"}, "Arm 'Pilot' is not in the design"),
        (dict.fromkeys(ARMS, "control"), "Arm 'pilot' has no school"),
    ],
)
def test_an_allocation_that_does_not_fit_the_frame_or_the_design_is_not_adopted(
    arms: dict[str, str], problem: str
) -> None:
    with pytest.raises(DesignError, match=problem) as caught:
        adopt(SCHOOLS, DESIGN, arms=arms)
    assert caught.value.place == "recorded allocation"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": "something else"}, "format"),
        ({"design": None}, "no design or no schools"),
        ({"schools": {}}, "no design or no schools"),
        ({"seed": 7}, "'seed' is 7, not text"),
        ({"frame_sha256": None}, "'frame_sha256' is None"),
        ({"drawn": "somewhere"}, "'drawn' is 'somewhere'"),
        ({"schools": ["01"]}, "One of its schools cannot be read: '01'"),
        ({"schools": [{"school_id": 1, "strata": ["HU"], "arm": "pilot"}]}, "One of its schools"),
        ({"schools": [{"school_id": "1", "strata": ["HU", "x"], "arm": "pilot"}]}, "One of its schools"),
        ({"schools": [{"school_id": "1", "strata": [3], "arm": "pilot"}]}, "One of its schools"),
    ],
)
def test_values_that_are_no_record_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem) as caught:
        AllocationRecord.from_dict(record().to_dict() | changes)
    assert "Restore the record" in caught.value.remedy


def test_a_record_names_the_stratum_of_each_school_as_the_draw_does() -> None:
    frame = pd.DataFrame({"school_id": ["a", "b", "c", "d"], "country": ["HU", "HU", "SI", "SI"], "type": list("vgvg")})
    arms = (Arm(name="control"), Arm(name="pilot"))
    for strata in ((), ("country", "type")):
        drawn = allocate(frame, Design(arms=arms, strata=strata), seed="x")
        assert build_stratum_labels(AllocationRecord.of(drawn)) == dict(zip(drawn.schools, drawn.strata, strict=True))
