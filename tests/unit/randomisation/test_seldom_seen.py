"""What a draw's texts, hashes and balance do in cases that trials seldom meet."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Design, Variable, allocate, balance_test
from randomisation.canonical import format_canonical_json
from randomisation.record import frame_hash
from randomisation.schools import read_schools
from randomisation.standardised import cox_index


def test_a_fraction_has_no_canonical_form_wherever_it_stands() -> None:
    for values in (0.5, {"a": [1, {"b": 0.5}]}):
        with pytest.raises(TypeError, match=r"The fraction 0\.5 has no one form in JSON"):
            format_canonical_json(values)


def test_a_share_of_nothing_or_of_everything_has_no_cox_index() -> None:
    for share in (0.0, 1.0):
        assert math.isnan(cox_index(share_reference=share, share_arm=0.5, n_pupils=100))
        assert math.isnan(cox_index(share_reference=0.5, share_arm=share, n_pupils=100))


def test_when_an_arm_starts_and_its_factors_are_part_of_the_design() -> None:
    arms = (Arm(name="control"), Arm(name="pilot", starts="followup", factors=("mentor",)))
    plain = (Arm(name="control"), Arm(name="pilot"))
    one, other = Design(arms=arms).to_dict(), Design(arms=plain).to_dict()
    assert one != other
    assert Design.from_dict(one).to_dict() == one


def test_the_hash_of_what_a_draw_looks_at_ignores_other_columns() -> None:
    design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
    frame = pd.DataFrame({"school_id": ["1", "2"], "country": ["HU", "SI"]})
    assert frame_hash(frame, design) == frame_hash(frame.assign(size="400"), design)
    assert frame_hash(frame, design) != frame_hash(frame.assign(country="HU"), design)


def test_a_record_without_a_label_for_each_arm_is_refused() -> None:
    frame = pd.DataFrame({"school_id": ["1", "2"]})
    design = Design(arms=(Arm(name="control"), Arm(name="pilot")))
    values = AllocationRecord.of(allocate(frame, design, seed="1")).to_dict()
    for labels in ({"control": "Control"}, {"control": "Control", "pilot": 3}, "Control", None):
        with pytest.raises(DesignError, match="not a text for each arm"):
            AllocationRecord.from_dict({**values, "arm_labels": labels})


def test_schools_that_were_read_for_another_design_are_refused() -> None:
    arms = (Arm(name="control"), Arm(name="pilot"))
    frame = pd.DataFrame({"school_id": ["1", "2"], "country": ["HU", "SI"]})
    read = read_schools(frame, Design(arms=arms, strata=("country",)))
    with pytest.raises(DesignError, match="It has 'country', and the design looks at none"):
        read.seen_by(Design(arms=arms))


def test_allocations_of_unequal_chances_are_weighed_in_the_joint_test() -> None:
    # Four schools, x = 0 1 2 3, arms 0 0 1 1. The six allocations differ by 2, 1, 0, 0, -1, -2 in mean; with chances
    # 1/4, 1/8, 1/8, 1/8, 1/8, 1/4 those that are as far off as the actual one have a half of all.
    data = pd.DataFrame({"school_id": list("abcd"), "x": [0, 1, 2, 3]})
    draws = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]])
    chances = np.array([0.25, 0.125, 0.125, 0.125, 0.125, 0.25])
    found = balance_test(
        data,
        variables=[Variable(name="x")],
        schools=tuple("abcd"),
        actual=[0, 0, 1, 1],
        draws=draws,
        probabilities=chances,
    )
    assert found["p_value"] == pytest.approx(0.5)
    # The second moment about zero with these chances: 4/2 + 1/4 = 9/4, so the statistic is 4 / (9/4).
    assert found["statistic"] == pytest.approx(16 / 9)
