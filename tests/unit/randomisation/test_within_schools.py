"""Draws within schools: classes against one another, and shares of pupils."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Design, allocate, n_allocations, verify
from randomisation.within_schools import replay_saturation, saturate, units_of_schools

TWO = (Arm(name="control"), Arm(name="pilot"))
CLASSES = pd.DataFrame({"school_id": ["05"] * 3 + ["06"] * 3 + ["07"] * 2, "class": list("abcabcab")})
SCHOOLS = pd.DataFrame({"school_id": [f"{n}" for n in range(9)], "country": ["HU"] * 6 + ["SI"] * 3})
PUPILS = pd.DataFrame({"school_id": np.repeat(SCHOOLS["school_id"], 7), "pupil": [f"p{n % 7}" for n in range(63)]})
SHARES = {"none": Fraction(0), "third": Fraction(1, 3), "all": Fraction(1)}


def test_classes_are_balanced_in_every_school_and_in_all() -> None:
    units = units_of_schools(CLASSES, unit="class")
    design = Design(arms=TWO, strata=("school",))
    allocation = allocate(units, design, seed="1")
    assert sorted(allocation.counts().values()) == [4, 4]
    counts = allocation.counts_by_stratum().set_index(["stratum", "arm"])["n_schools"]
    assert counts["07"].tolist() == [1, 1]
    assert sorted(counts["05"].tolist()) == [1, 2]
    # In one of the two schools of three classes the pilot has two: 2 x 3 x 3 ways, times 2 in the school of two.
    assert n_allocations(units, design) == 36
    assert verify(AllocationRecord.of(allocation), units).ok


@pytest.mark.parametrize(("column", "value"), [("class", "a / b"), ("class", ""), ("school_id", 5)])
def test_names_that_would_be_mistaken_are_refused(column: str, value: object) -> None:
    frame = CLASSES.assign(**{column: pd.Series([value, *CLASSES[column][1:]], dtype=object)})
    with pytest.raises(DesignError, match="is no name"):
        units_of_schools(frame, unit="class")
    with pytest.raises(DesignError, match="no column 'group'"):
        units_of_schools(CLASSES, unit="group")


def test_each_school_has_its_share_of_pupils_and_draws_them_by_itself() -> None:
    drawn = saturate(SCHOOLS, PUPILS, shares=SHARES, unit="pupil", seed="1", strata=("country",))
    table = drawn.to_frame()
    assert len(table) == 63
    treated = table.groupby(["saturation", "school_id"])["treated"].sum()
    assert set(treated["none"]) == {0}
    assert set(treated["third"]) <= {2, 3}
    assert set(treated["all"]) == {7}
    assert sorted(drawn.schools.counts().values()) == [3, 3, 3]
    chosen = {
        tuple(part.loc[part["treated"] == 1, "unit"])
        for _, part in table[table["saturation"] == "third"].groupby("school_id")
    }
    assert len(chosen) > 1
    shuffled = saturate(
        SCHOOLS.iloc[::-1],
        PUPILS.sample(frac=1, random_state=1),
        shares=SHARES,
        unit="pupil",
        seed="1",
        strata=("country",),
    )
    pd.testing.assert_frame_equal(shuffled.to_frame(), table)


def test_every_record_of_a_saturation_can_be_verified() -> None:
    drawn = saturate(SCHOOLS, PUPILS, shares=SHARES, unit="pupil", seed="1")
    units = units_of_schools(PUPILS, unit="pupil")
    first, *others = drawn.records()
    assert verify(first, SCHOOLS).ok
    assert len(others) == 3
    for record in others:
        school = record.schools[0].split(" / ")[0]
        assert record.seed == f"1 {school}"
        assert verify(record, units[units["school"] == school]).ok


def test_probabilities_are_those_of_redraws() -> None:
    drawn = saturate(SCHOOLS, PUPILS, shares=SHARES, unit="pupil", seed="1")
    stated = drawn.probabilities()
    assert stated == {
        ("none", 0): Fraction(1, 3),
        ("third", 0): Fraction(2, 9),
        ("third", 1): Fraction(1, 9),
        ("all", 1): Fraction(1, 3),
    }
    draws = replay_saturation(drawn, SCHOOLS, n_draws=4000, seed="2")
    assert draws.shape == (4000, 63)
    assert np.abs(draws.mean(axis=0) - 4 / 9).max() < 0.035


def test_what_cannot_be_saturated_is_said() -> None:
    with pytest.raises(DesignError, match=r"0\.5 is no share"):
        saturate(SCHOOLS, PUPILS, shares={"none": Fraction(0), "half": 0.5}, unit="pupil", seed="1")  # type: ignore[dict-item]
    with pytest.raises(DesignError, match="School '8' has no pupils"):
        saturate(SCHOOLS, PUPILS.iloc[:56], shares=SHARES, unit="pupil", seed="1")
