"""What a draw's texts, hashes and balance do in cases that trials seldom meet."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from randomisation import Arm, Design
from randomisation.canonical import json_text
from randomisation.record import frame_hash
from randomisation.standardised import cox_index


def test_a_fraction_has_no_canonical_form_wherever_it_stands() -> None:
    for values in (0.5, {"a": [1, {"b": 0.5}]}):
        with pytest.raises(TypeError, match=r"The fraction 0\.5 has no one form in JSON"):
            json_text(values)


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
