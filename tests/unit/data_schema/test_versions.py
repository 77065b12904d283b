"""Tables whose fields change between waves: files of each wave are read by its version, and every step is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data_schema.errors import ProtocolError
from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import Earlier, Table, extended
from evaluation.specifications import build_tables
from tests.support.protocols import changed

WAVES = ["baseline", "followup"]
FIRST = Earlier(
    name="2027",
    waves=("baseline",),
    renamed={"average_mark": "grade point"},
    recoded={"status": {"1": "enrolled", "2": "left_early", "gone": "unknown"}, "destination_confirmed": {"2": "no"}},
)
HOBBY = Field("hobby", "text", waves=("followup",), required=True)


def status(*versions: Earlier) -> Table:
    return replace(extended(standard_tables()["status"], [HOBBY]), earlier=versions)


def taken_in(table: Table, **files: str) -> Intake:
    return read_inbox(
        {f"{wave}.csv": text.encode() for wave, text in files.items()},
        rules=[InboxRule(f"{wave}.csv", "status", wave=wave) for wave in WAVES],
        tables={"status": table},
        schools={"01": "HU"},
        waves=WAVES,
    )


HEADER = "school_id;pupil_id;status;grade point;destination_confirmed"
THEN = f"{HEADER}\n01;a;1;4.5;2\n01;b; 2 ;3;1\n01;c;GONE;;\n01;d;enrolled;;"
NOW = "school_id;pupil_id;status;average_mark;hobby\n01;a;enrolled;2;chess\n01;b;2;3;"


def test_files_of_an_earlier_version_become_those_of_now() -> None:
    intake = taken_in(status(FIRST), baseline=THEN, followup=NOW)
    then = intake.frames["status"].query("wave == 'baseline'")
    assert then["status"].tolist() == ["enrolled", "left_early", "unknown", "enrolled"]
    assert then["average_mark"].dropna().tolist() == [4.5, 3.0]
    assert then["destination_confirmed"].dropna().tolist() == [False, True]
    assert then["hobby"].isna().all()
    assert intake.reconciliation["kept"].tolist() == [4, 2]


def test_each_recoded_cell_is_a_repair_and_each_file_has_a_note() -> None:
    intake = taken_in(status(FIRST), baseline=THEN, followup=NOW)
    steps = intake.repairs[intake.repairs["rule"] == "version 2027"]
    assert steps[["file", "row", "column", "was", "became"]].to_numpy().tolist() == [
        ["baseline.csv", 2, "destination_confirmed", "2", "no"],
        ["baseline.csv", 2, "status", "1", "enrolled"],
        ["baseline.csv", 3, "status", " 2 ", "left_early"],
        ["baseline.csv", 4, "status", "GONE", "unknown"],
    ]
    (note,) = [one for one in intake.findings if "version '2027'" in one.problem]
    assert (note.file, note.severity) == ("baseline.csv", "note")
    assert "average_mark ('grade point')" in note.problem


def test_a_wave_of_now_knows_nothing_of_earlier_names_and_answers() -> None:
    intake = taken_in(status(FIRST), followup=THEN)
    assert [one.value for one in intake.findings.by_severity("question") if one.column == "status"] == [
        "1",
        "2",
        "GONE",
    ]
    assert any(one.column == "grade point" and "no such column" in one.problem for one in intake.findings)


def test_a_field_that_was_not_asked_then_is_not_missed() -> None:
    intake = taken_in(status(FIRST), baseline=THEN, followup=NOW)
    told = [one for one in intake.findings if "hobby" in one.problem]
    # The pupil of the later wave who has none.
    assert [(one.file, one.row, one.severity) for one in told] == [("followup.csv", 3, "question")]


def test_versions_that_cannot_be_are_refused_with_their_place() -> None:
    for version, problem in (
        (replace(FIRST, waves=()), "names no wave"),
        (replace(FIRST, renamed={"gradepoint": "x"}), "'gradepoint' is no field"),
        (replace(FIRST, recoded={"state": {}}), "'state' is no field"),
        (replace(FIRST, recoded={"status": {"3": "dead"}}), "'dead' is no answer"),
        (replace(FIRST, recoded={"pupil_id": {"1": "2"}}), "who somebody is"),
    ):
        with pytest.raises(ProtocolError, match=problem) as raised:
            status(version)
        assert "version '2027'" in str(raised.value)
    with pytest.raises(ProtocolError, match="another version too"):
        status(FIRST, replace(FIRST, name="2028"))
    with pytest.raises(ProtocolError, match="not collected by wave"):
        replace(standard_tables()["costs"], earlier=(Earlier(name="1", waves=("baseline",)),))
    with pytest.raises(ProtocolError, match="means both"):
        status(replace(FIRST, renamed={"average_mark": "datum"})).in_wave("baseline")


def test_a_protocol_states_the_versions_of_its_tables() -> None:
    version = {"name": "2027", "waves": ["baseline"], "renamed": {"grade": "year of study"}}
    made = changed(lambda values: values.update(tables={"pupil": {"earlier": [version]}}))
    pupil = build_tables(made)["pupil"]
    assert "year of study" in pupil.in_wave("baseline").field("grade").headers
    assert "year of study" not in pupil.in_wave("followup").field("grade").headers
    with pytest.raises(ProtocolError, match=r"\[tables.pupil\], \[\[earlier\]\] '2027', key 'waves'"):
        changed(lambda values: values.update(tables={"pupil": {"earlier": [{**version, "waves": ["never"]}]}}))
