"""What a design accepts, says and computes."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from data_schema.errors import DesignError
from randomisation import Arm, Constraint, Design
from randomisation.canonical import format_canonical_json

TWO = (Arm(name="control"), Arm(name="pilot"))


def test_probabilities_are_the_ratios_over_their_sum() -> None:
    design = Design(arms=(Arm(name="control", ratio=2), Arm(name="light"), Arm(name="full", ratio=3)))
    assert design.probabilities == {"control": Fraction(1, 3), "light": Fraction(1, 6), "full": Fraction(1, 2)}


def test_the_first_arm_is_the_reference() -> None:
    assert Design(arms=TWO).reference_arm == "control"


def test_a_design_says_in_one_line_what_it_is() -> None:
    assert str(Design(arms=TWO, strata=("country", "type"))) == "control : pilot = 1 : 1, stratified by country, type"
    assert str(Design(arms=TWO)) == "control : pilot = 1 : 1, without strata"


def test_words_name_every_level_of_balance() -> None:
    words = Design(arms=TWO, strata=("country", "type")).in_words()
    assert words == (
        "Schools are allocated at random to control and pilot in the ratio 1:1, within strata formed by country and "
        "type. The number of schools in an arm differs from its exact share by less than one school in all schools "
        "together and within each country, and within each combination of country and type."
    )


def test_words_without_strata_are_one_sentence() -> None:
    three = Design(arms=(*TWO, Arm(name="full", ratio=2)))
    assert three.in_words() == "Schools are allocated at random to control, pilot and full in the ratio 1:1:2."


@pytest.mark.parametrize("ratio", [0, -1, 1.0, True, "1", 1001])
def test_a_ratio_that_is_no_whole_number_above_zero_is_refused_with_the_arm_named(ratio: object) -> None:
    with pytest.raises(DesignError) as caught:
        Arm(name="pilot", ratio=ratio)  # type: ignore[arg-type]
    assert caught.value.place == "design, arm 'pilot', ratio"
    assert repr(ratio) in caught.value.problem
    assert "whole numbers" in caught.value.remedy


@pytest.mark.parametrize("name", ["", " pilot", "pi\tlot", "pilot\n", 5, None])
def test_an_arm_needs_a_plain_name(name: object) -> None:
    with pytest.raises(DesignError, match="is not a name"):
        Arm(name=name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": (Arm(name="control"),)}, "Fewer than two arms"),
        ({"arms": list(TWO)}, "Fewer than two arms"),
        ({"arms": (*TWO, Arm(name="pilot", ratio=2))}, "'pilot' is stated twice"),
        ({"strata": ("country", "country")}, "'country' is stated twice"),
        ({"strata": "country"}, "is not a tuple"),
        ({"strata": ("school_id",)}, "'school_id' cannot be a stratum"),
        ({"strata": (3,)}, "3 cannot be a stratum"),
        ({"strata": (" ",)}, "cannot be a stratum"),
        ({"kind": "paired"}, "'paired' is not known"),
    ],
)
def test_an_impossible_design_cannot_be_made(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Design(**{"arms": TWO, **changes})  # type: ignore[arg-type]


def test_a_design_survives_json_values() -> None:
    design = Design(arms=(Arm(name="control", label="Kontroll"), Arm(name="pilot", ratio=2)), strata=("country",))
    values = json.loads(json.dumps(design.to_dict()))
    assert Design.from_dict(values).relabelled(design.labels) == design


def test_a_label_is_no_part_of_what_is_hashed_and_a_start_is() -> None:
    arms = (Arm(name="control"), Arm(name="pilot", starts="spring"))
    design = Design(arms=arms)
    assert design.relabelled({"pilot": "Schools with a team"}).sha256 == design.sha256
    assert Design(arms=(arms[0], Arm(name="pilot", starts="autumn"))).sha256 != design.sha256


def test_what_is_hashed_of_a_design_holds_texts_and_whole_numbers_only() -> None:
    constraint = Constraint(variables=("size",), best_share=0.1, limits=(("size", 0.5),))
    design = Design(arms=TWO, strata=("size",), cuts=(("size", (300.0, 500)),), constraint=constraint)
    text = format_canonical_json(design.to_dict())
    assert '"cuts":[["size",["300","500"]]]' in text
    assert '"best_share":"0.1"' in text
    assert Design.from_dict(json.loads(text)) == design
    with pytest.raises(DesignError, match="not a number as decimal text"):
        Design.from_dict({**design.to_dict(), "cuts": [["size", [300.0]]]})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"arms": [{"name": "a"}], "strata": []},
        {"arms": [{"nom": "a"}, {"name": "b"}], "strata": [], "kind": "stratified"},
        {"arms": 3, "strata": [], "kind": "stratified"},
        {"arms": [{"name": "a"}, {"name": "b"}], "strata": None, "kind": "stratified"},
    ],
)
def test_values_that_are_no_design_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(DesignError, match="cannot be read"):
        Design.from_dict(values)
