"""Late schools and reserves: the earlier draw stays, what is added is drawn by itself and can be checked."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Design, allocate, verify
from randomisation import verify_allocation as program
from randomisation.later import Replacement, extend, replace_school, replay_draws

DESIGN = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
FIRST = pd.DataFrame({"school_id": [f"{n:02d}" for n in range(8)], "country": ["HU", "SI"] * 4})
LATE = pd.DataFrame({"school_id": ["21", "22", "23"], "country": ["HU", "HU", "SI"]})
DRAWN = allocate(FIRST, DESIGN, seed="March")


def test_the_earlier_draw_stays_and_late_schools_are_drawn_among_one_another() -> None:
    first, second = extend([DRAWN], LATE, seed="April")
    assert first is DRAWN
    assert second == allocate(LATE, DESIGN, seed="April")
    assert verify(AllocationRecord.of(second), LATE).ok
    third = extend([first, second], LATE.assign(school_id=["31", "32", "33"]), seed="May")
    assert len(third) == 3


@pytest.mark.parametrize(
    ("changes", "seed", "problem"),
    [
        ({}, "March", "The seed 'March' was used before"),
        ({"school_id": ["01", "22", "23"]}, "April", "School '01' was drawn before"),
        ({"school_id": ["1", "22", "23"]}, "April", "'1' can be taken for '01'"),
        ({"country": ["HU", "HU", None]}, "April", "No value for school '23'"),
    ],
)
def test_what_would_touch_the_earlier_draw_is_refused(
    changes: dict[str, list[object]], seed: str, problem: str
) -> None:
    late = LATE.assign(**{name: pd.Series(values) for name, values in changes.items()})
    with pytest.raises(DesignError, match=problem):
        extend([DRAWN], late, seed=seed)


def test_there_must_be_an_earlier_draw_and_enough_late_schools() -> None:
    with pytest.raises(DesignError, match="There is no earlier draw"):
        extend([], LATE, seed="April")
    simple = allocate(FIRST, Design(arms=DESIGN.arms, kind="simple"), seed="March")
    with pytest.raises(DesignError, match="There are 2 arms and 1 schools"):
        extend([simple], LATE.iloc[:1], seed="April")


def test_a_single_late_school_gets_each_arm_as_often() -> None:
    alone = [extend([DRAWN], LATE.iloc[:1], seed=f"{n}")[1] for n in range(400)]
    n_pilot = sum(drawn.arms == ("pilot",) for drawn in alone)
    assert abs(n_pilot - 200) < 4 * 10
    assert verify(AllocationRecord.of(alone[0]), LATE.iloc[:1]).ok
    draws = replay_draws([FIRST, LATE.iloc[:1]], (DRAWN, alone[0]), n_draws=400, seed="x")
    assert abs(int(draws[:, -1].sum()) - 200) < 4 * 10


def test_redraws_keep_each_draw_to_its_own_schools() -> None:
    draws = replay_draws([FIRST, LATE], extend([DRAWN], LATE, seed="April"), n_draws=500, seed="x")
    assert draws.shape == (500, 11)
    assert set(draws[:, :8].sum(axis=1)) == {4}
    assert set(draws[:, 8:].sum(axis=1)) == {1, 2}
    assert abs(np.corrcoef(draws[:, 0], draws[:, 8])[0, 1]) < 0.15


def test_a_reserve_takes_the_place_and_the_arm_and_everybody_can_draw_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = replace_school(DRAWN.arm_of, "03", reserves=["R3", "R1", "R2"], seed="lottery", reason="closed")
    assert found.arm == DRAWN.arm_of["03"]
    assert found.reserves == ("R1", "R2", "R3")
    assert found.holds()
    assert Replacement.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    other = replace(found, chosen=next(name for name in found.reserves if name != found.chosen))
    assert not other.holds()
    for one, code in ((found, 0), (other, 1)):
        (tmp_path / "replacement.json").write_text(json.dumps(one.to_dict()), encoding="utf-8")
        assert program.main([str(tmp_path / "replacement.json")]) == code
    assert "The draw gives school" in capsys.readouterr().out
    (tmp_path / "replacement.json").write_text(json.dumps(found.to_dict() | {"reserves": 3}), encoding="utf-8")
    assert program.main([str(tmp_path / "replacement.json")]) == 2
    assert "is not an allocation record" in capsys.readouterr().out


def test_a_record_of_an_allocation_needs_the_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "record.json").write_text(json.dumps(AllocationRecord.of(DRAWN).to_dict()), encoding="utf-8")
    with pytest.raises(SystemExit):
        program.main([str(tmp_path / "record.json")])
    assert "State the sampling frame" in capsys.readouterr().err


def test_every_reserve_has_the_same_chance() -> None:
    chosen = Counter(
        replace_school(DRAWN.arm_of, "03", reserves=["A", "B", "C"], seed=f"{n}", reason="x").chosen for n in range(900)
    )
    assert all(abs(n - 300) < 60 for n in chosen.values())
    assert len(chosen) == 3


@pytest.mark.parametrize(
    ("withdrawn", "reserves", "reason", "problem"),
    [
        ("99", ["R1"], "closed", "It is not in the draw"),
        ("03", ["R1"], " ", "No reason is stated"),
        ("03", [], "closed", "The reserves are none"),
        ("03", ["R1", "R1"], "closed", "one is there twice"),
        ("03", ["04"], "closed", "School '04' is in the draw itself"),
    ],
)
def test_a_replacement_that_is_none_is_refused(withdrawn: str, reserves: list[str], reason: str, problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        replace_school(DRAWN.arm_of, withdrawn, reserves=reserves, seed="1", reason=reason)


def test_a_replacement_that_cannot_be_read_is_refused() -> None:
    values = replace_school(DRAWN.arm_of, "03", reserves=["R1"], seed="1", reason="closed").to_dict()
    for changed in (values | {"format": "x"}, values | {"reserves": "R1"}, {}):
        with pytest.raises(DesignError, match="cannot be read"):
            Replacement.from_dict(changed)
