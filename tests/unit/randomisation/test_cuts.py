"""Strata cut from numbers: classes by hand, refused cuts, records that anyone can check."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from data_schema.errors import DesignError
from randomisation import AllocationRecord, Arm, Commitment, Design, allocate, verify
from randomisation import verify_allocation as program
from randomisation.canonical import format_decimal
from randomisation.cuts import build_class_names, find_class

TWO = (Arm(name="control"), Arm(name="pilot"))
DESIGN = Design(arms=TWO, strata=("country", "size"), cuts=(("size", (300, 450.5)),))
SCHOOLS = pd.DataFrame(
    {
        "school_id": [f"{n:02d}" for n in range(12)],
        "country": ["HU", "SI"] * 6,
        "size": [299, 300, 301, 450, 450.5, 451, 100, 120, 300, 310, 900, 950],
    }
)


def test_schools_are_drawn_within_classes() -> None:
    allocation = allocate(SCHOOLS, DESIGN, seed="1")
    labels = dict(zip(allocation.schools, allocation.strata, strict=True))
    assert labels["00"] == "HU / a: below 300"
    assert labels["01"] == "SI / b: 300 to below 450.5"
    assert labels["04"] == "HU / c: 450.5 and more"
    counts = allocation.counts_by_stratum()
    assert (abs(counts["n_schools"] - counts["exact_share"]) < 1).all()


def test_the_record_is_verified_by_both_from_the_numbers_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = AllocationRecord.of(allocate(SCHOOLS, DESIGN, seed="1"))
    values = json.loads(json.dumps(record.to_dict()))
    assert verify(AllocationRecord.from_dict(values), SCHOOLS).ok
    (tmp_path / "record.json").write_text(json.dumps(values), encoding="utf-8")
    SCHOOLS.to_csv(tmp_path / "schools.csv", index=False)
    files = [str(tmp_path / "record.json"), str(tmp_path / "schools.csv")]
    assert program.main([*files, "--commitment", Commitment.of(SCHOOLS, DESIGN).sha256]) == 0
    SCHOOLS.assign(size=[301, *SCHOOLS["size"][1:]]).to_csv(tmp_path / "schools.csv", index=False)
    assert program.main(files) == 1
    assert "'size' is 'b: 300 to below 450.5', but was 'a: below 300' at the draw" in capsys.readouterr().out
    assert not verify(record, SCHOOLS.assign(size=[301, *SCHOOLS["size"][1:]])).ok
    # Within a class a number may be corrected.
    assert verify(record, SCHOOLS.assign(size=[250, *SCHOOLS["size"][1:]])).ok


@pytest.mark.parametrize("at", [(1.0,), (0.5, 1e-7 + 1), (300, 500, 700), tuple(range(20))])
@pytest.mark.parametrize("text", ["0", "-3", "1", "300", "499.999", "1e3", "28.5"])
def test_both_programs_name_classes_alike(text: str, at: tuple[float, ...]) -> None:
    assert find_class(text, at) == program.find_class(text, [format_decimal(limit) for limit in at])
    assert list(build_class_names(at)) == sorted(build_class_names(at))


def test_a_design_with_cuts_says_so_and_survives_json() -> None:
    assert "Classes of size: a: below 300, b: 300 to below 450.5, c: 450.5 and more." in DESIGN.in_words()
    assert Design.from_dict(json.loads(json.dumps(DESIGN.to_dict()))) == DESIGN
    assert "cuts" not in Design(arms=TWO, strata=("country",)).to_dict()


@pytest.mark.parametrize(
    ("cuts", "problem"),
    [
        ([("size", (1,))], "is not a tuple"),
        ((("prior", (1,)),), "'prior' is cut and is no stratum"),
        ((("size", (1,)), ("size", (2,))), "is cut twice"),
        ((("size", ()),), "does not cut 'size'"),
        ((("size", (2, 1)),), "does not cut 'size'"),
        ((("size", tuple(range(21))),), "does not cut 'size'"),
        ((("size", (float("nan"),)),), "does not cut 'size'"),
    ],
)
def test_impossible_cuts_are_refused(cuts: object, problem: str) -> None:
    with pytest.raises(DesignError, match=problem):
        Design(arms=TWO, strata=("size",), cuts=cuts)  # type: ignore[arg-type]


def test_a_value_that_is_no_number_is_named_with_its_school() -> None:
    frame = SCHOOLS.assign(size=["many", *SCHOOLS["size"][1:].astype(str)])
    with pytest.raises(DesignError, match="The value of school '00' is not a number"):
        allocate(frame, DESIGN, seed="1")
    assert find_class("Infinity", (1,)) is None
