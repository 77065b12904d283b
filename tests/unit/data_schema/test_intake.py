"""Files of an inbox -> tables, findings, repairs, counts."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from data_schema.errors import ProtocolError
from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

SCHOOLS = {"031201": "HU", "031202": "HU", "RS-101": "RS", "SI-01": "SI"}
TABLES = standard_tables()
PUPILS = InboxRule("baseline/*/pupil_*", "pupil", wave="baseline")
STATUS = InboxRule("followup/*/status_*", "status", wave="followup")
HEADER = "school_id;pupil_id;name;class;birth_year;gender;disadvantaged;prior_average\n"


def taken_in(
    files: Mapping[str, Path | bytes],
    rules: Sequence[InboxRule] = (PUPILS, STATUS),
    *,
    tables: Mapping[str, Table] = TABLES,
    schools: Mapping[str, str] = SCHOOLS,
) -> Intake:
    return read_inbox(files, rules=rules, tables=tables, schools=schools, waves=["baseline", "followup"])


def csv(*rows: str, header: str = HEADER, encoding: str = "utf-8") -> bytes:
    return (header + "\n".join(rows) + "\n").encode(encoding)


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    book = Workbook(write_only=True)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def problems(intake: Intake, severity: str = "") -> list[str]:
    return [finding.problem for finding in intake.findings if severity in ("", finding.severity)]


GOOD = csv("031201;0001;Kiss Anna;9.a;2011;lány;nem;4,5", "031201;0002;Nagy Bence;9.a;2012;fiú;igen;3,8")


def test_a_tidy_file_comes_back_typed_and_in_order() -> None:
    intake = taken_in({"baseline/HU/pupil_031201.csv": GOOD})
    frame = intake.frames["pupil"]
    assert frame["pupil_id"].tolist() == ["0001", "0002"]
    assert frame["prior_average"].tolist() == [4.5, 3.8]
    assert frame["disadvantaged"].tolist() == [False, True]
    assert frame["gender"].tolist() == ["girl", "boy"]
    assert list(frame.columns) == [
        *TABLES["pupil"].names, "wave", "country", "source_file", "source_sheet", "source_row"
    ]  # fmt: skip
    assert frame[["wave", "country", "source_file", "source_sheet", "source_row"]].to_numpy().tolist() == [
        ["baseline", "HU", "baseline/HU/pupil_031201.csv", "", row] for row in (2, 3)
    ]
    assert problems(intake, "question") == problems(intake, "refused") == []


def test_every_repair_is_written_down_with_what_stood_there() -> None:
    intake = taken_in({"baseline/HU/pupil_031201.csv": csv(" 031201;0001; Kiss Anna ; 9.a;2011;LÁNY;-; 4,5")})
    told = intake.repairs.set_index("column")[["was", "became", "rule"]].T.to_dict("list")
    assert told == {
        "school_id": [" 031201", "031201", "spaces"],
        "name": ["", "", "spaces"],
        "class": [" 9.a", "9.a", "spaces"],
        "gender": ["LÁNY", "girl", "synonym"],
        "disadvantaged": ["-", "", "missing mark"],
        "prior_average": [" 4,5", "4.5", "spaces, decimal mark"],
    }
    assert set(intake.repairs["row"]) == {2}
    assert list(intake.repairs) == ["file", "sheet", "row", "column", "was", "became", "rule"]


def test_a_school_in_other_case_is_repaired() -> None:
    intake = taken_in({"baseline/RS/pupil_x.csv": csv("rs-101;1;A B;1;2011;m;da;4")})
    assert intake.frames["pupil"]["school_id"].tolist() == ["RS-101"]
    assert intake.repairs.query("column == 'school_id'")[["was", "became", "rule"]].to_numpy().tolist() == [
        ["rs-101", "RS-101", "case"]
    ]


def test_repairs_of_rows_that_are_kept_out_are_not_told() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": csv("999;1;A B;1;2011;fiú;igen;4,5")})
    assert intake.repairs.empty
    assert list(intake.repairs["row"]) == []


def test_the_sheets_of_a_workbook_go_to_their_tables() -> None:
    rules = [
        InboxRule("baseline/*/school_*.xlsx", "pupil", wave="baseline", sheet="učenici"),
        InboxRule("baseline/*/school_*.xlsx", "status", wave="baseline", sheet="Status"),
        InboxRule("baseline/*/school_*.xlsx", "survey", wave="baseline", sheet="Anketa"),
    ]
    book = workbook(
        {
            "Učenici": [["Title"], ["school_id", "pupil_id", "grade"], ["RS-101", "1", 9]],
            "Status": [["school_id", "pupil_id", "status"], ["RS-101", "1", "уписан"]],
            "Notes": [["call back"]],
            "Empty": [],
        }
    )
    intake = taken_in({"baseline/RS/school_RS-101.xlsx": book}, rules)
    assert intake.frames["pupil"]["grade"].tolist() == [9]
    assert intake.frames["status"]["status"].tolist() == ["enrolled"]
    assert intake.frames["pupil"]["source_row"].tolist() == [3]
    assert intake.reconciliation["sheet"].tolist() == ["Status", "Učenici"]
    notes = [(finding.sheet, finding.problem) for finding in intake.findings if finding.severity == "note"]
    assert ("Notes", "No rule asks for this sheet; it is left out.") in notes
    assert any("no sheet 'Anketa'" in problem for _, problem in notes)
    assert not any(sheet == "Empty" for sheet, _ in notes)


def test_a_rule_without_sheet_takes_the_first_one() -> None:
    book = workbook({"Any": [["school_id", "pupil_id"], ["SI-01", "E1"]], "More": [["x"]]})
    intake = taken_in({"baseline/SI/pupil_1.xlsx": book})
    assert intake.frames["pupil"]["pupil_id"].tolist() == ["E1"]


def test_two_rules_for_one_sheet_read_it_for_neither() -> None:
    rules = [PUPILS, InboxRule("baseline/**", "status", wave="baseline")]
    intake = taken_in({"baseline/HU/pupil_1.csv": GOOD}, rules)
    assert "'pupil' (baseline) and 'status' (baseline)" in problems(intake, "refused")[0]
    assert all(frame.empty for frame in intake.frames.values())


def test_one_rule_said_twice_reads_a_file_once() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": GOOD}, [PUPILS, PUPILS])
    assert intake.reconciliation["sent"].tolist() == [2]


@pytest.mark.parametrize(
    ("file", "severity"),
    [
        ("notes.txt", "question"),
        ("baseline/pupil_1.csv", "question"),
        ("baseline/HU/.DS_Store", "note"),
        ("baseline/HU/~$pupil.xlsx", "note"),
        ("Thumbs.db", "note"),
    ],
)
def test_a_file_that_no_rule_speaks_of_is_named(file: str, severity: str) -> None:
    (finding,) = taken_in({file: GOOD}).findings
    assert (finding.file, finding.severity, finding.row) == (file, severity, None)


def test_files_that_cannot_be_read_are_named_and_the_others_taken_in(tmp_path: Path) -> None:
    files: dict[str, Path | bytes] = {
        "baseline/HU/pupil_empty.csv": b"",
        "baseline/HU/pupil_gone.csv": tmp_path / "gone.csv",
        "baseline/RS/pupil_broken.xlsx": b"PK\x03\x04 broken",
        "baseline/HU/pupil_noise.csv": b"a;b\n\x81\x8d\x90;\xff\n",
        "baseline/HU/pupil_header.csv": HEADER.encode(),
        "baseline/HU/pupil_good.csv": GOOD,
    }
    intake = taken_in(files)
    assert len(intake.frames["pupil"]) == 2
    refused = {finding.file for finding in intake.findings.by_severity("refused")}
    assert refused == set(files) - {"baseline/HU/pupil_good.csv", "baseline/HU/pupil_header.csv"}
    asked = {finding.file for finding in intake.findings.by_severity("question")}
    assert asked == {"baseline/HU/pupil_header.csv"}
    assert set(intake.reconciliation["file"]) == set(files)
    assert intake.reconciliation.query("sent > 0")["file"].tolist() == ["baseline/HU/pupil_good.csv"]


def test_a_sheet_without_header_is_refused_with_all_its_rows() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": b"031201;0001;Kiss Anna\n031201;0002;Nagy Bence\n"})
    (tally,) = intake.reconciliation.to_dict("records")
    assert (tally["sent"], tally["refused"], tally["country"]) == (2, 2, "HU")
    assert "Kiss" not in str(intake.findings)


def test_a_sheet_without_rows_is_refused() -> None:
    intake = taken_in({"baseline/SI/pupil_1.xlsx": workbook({"Empty": []})})
    assert problems(intake) == ["It has no rows."]
    assert intake.reconciliation["sent"].tolist() == [0]


def test_the_encoding_of_a_file_is_told_by_the_schools_that_it_names() -> None:
    rule = InboxRule("*.csv", "pupil", wave="baseline")
    content = csv("SI-01;1;Špela Kožuh;1;2011;ž;da;4", encoding="iso8859_2")
    assert taken_in({"a.csv": content}, [rule]).frames["pupil"]["name"].tolist() == ["Špela Kožuh"]


def test_a_file_sent_twice_is_kept_once_and_the_copy_noted() -> None:
    files = {"baseline/HU/pupil_031201.csv": GOOD, "baseline/HU/pupil_031201 (1).csv": GOOD}
    intake = taken_in(files)
    assert len(intake.frames["pupil"]) == 2
    assert intake.reconciliation[["kept", "refused"]].to_numpy().tolist() == [[2, 0], [0, 2]]
    (told,) = [finding for finding in intake.findings if "is the same as" in finding.problem]
    assert (told.file, told.row, told.severity) == ("baseline/HU/pupil_031201.csv", None, "note")


def test_rows_of_an_overlapping_file_are_kept_once_and_each_noted() -> None:
    files = {"baseline/HU/pupil_031201.csv": GOOD, "baseline/HU/pupil_031201 (1).csv": GOOD + b"\r\n"}
    intake = taken_in(files)
    assert intake.reconciliation[["kept", "refused"]].to_numpy().tolist() == [[2, 0], [0, 2]]
    assert [finding.row for finding in intake.findings if "says the same" in finding.problem] == [2, 3]


def test_one_key_in_two_waves_is_no_double() -> None:
    rules = [PUPILS, InboxRule("followup/*/pupil_*", "pupil", wave="followup")]
    intake = taken_in({"baseline/HU/pupil_1.csv": GOOD, "followup/HU/pupil_1.csv": GOOD}, rules)
    assert intake.frames["pupil"]["wave"].tolist() == ["baseline", "followup"] * 2


def test_a_table_without_waves_has_an_empty_wave() -> None:
    content = csv("031201;fees;100", header="school_id;item;amount\n")
    intake = taken_in({"costs.csv": content}, [InboxRule("costs.csv", "costs")])
    assert intake.frames["costs"][["wave", "amount"]].to_numpy().tolist() == [["", 100.0]]


def test_the_order_and_the_names_of_files_are_of_no_effect_on_the_data() -> None:
    other = csv("031202;0001;Tóth Réka;9.a;2011;lány;nem;4,5")
    one = taken_in({"baseline/HU/pupil_a.csv": GOOD, "baseline/HU/pupil_b.csv": other}).frames["pupil"]
    two = taken_in({"baseline/HU/pupil_z.csv": GOOD, "baseline/HU/pupil_b.csv": other}).frames["pupil"]
    fields = list(TABLES["pupil"].names)
    pd.testing.assert_frame_equal(one[fields], two[fields])


def test_tables_that_nobody_sent_have_their_columns_and_types() -> None:
    intake = taken_in({})
    assert set(intake.frames) == set(TABLES) - {"school"}
    full = taken_in({"baseline/HU/pupil_1.csv": GOOD}).frames["pupil"]
    assert intake.frames["pupil"].dtypes.equals(full.dtypes)
    assert len(intake.reconciliation) == len(intake.repairs) == len(intake.findings) == 0
    assert intake.reconciliation["sent"].sum() == 0


def test_a_country_is_of_its_schools_and_else_of_the_folder() -> None:
    files = {
        "baseline/HU/pupil_a.csv": csv("RS-101;1;;;;;;"),
        "baseline/HU/pupil_b.csv": csv("RS-101;2;;;;;;", "SI-01;2;;;;;;"),
        "baseline/hu/pupil_c.csv": csv("999;1;;;;;;"),
    }
    intake = taken_in(files)
    assert intake.reconciliation["country"].tolist() == ["RS", "", "HU"]
    assert set(intake.frames["pupil"]["country"]) == {"RS", "SI"}


def test_a_tables_own_columns_are_read_under_other_headers() -> None:
    pupil = extended(TABLES["pupil"], [Field("siblings", "whole_number", headers=("testvérek",))], without=["name"])
    content = csv("031201;1;3", header="school_id;student_id;TESTVEREK\n")
    intake = taken_in({"baseline/HU/pupil_1.csv": content}, tables={**TABLES, "pupil": pupil})
    assert intake.frames["pupil"]["siblings"].tolist() == [3]


def test_columns_that_are_unknown_or_absent_are_noted() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": csv("031201;1;x;y", header="school_id;pupil_id;phone;\n")})
    notes = problems(intake, "note")
    assert any("no such column" in note for note in notes)
    assert any("Column 4 has no header" in note for note in notes)
    assert any("no column 'name'" in note for note in notes)


def test_progress_is_told_from_nothing_to_everything() -> None:
    told: list[tuple[str, int, int]] = []
    read_inbox(
        {"baseline/HU/pupil_1.csv": GOOD},
        rules=[PUPILS],
        tables=TABLES,
        schools=SCHOOLS,
        waves=["baseline"],
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert told[0] == ("Reading files", 0, 1)
    assert ("Reading files", 1, 1) in told
    assert told[-1] == ("Checking tables", 6, 6)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (InboxRule("*", "pupils", wave="baseline"), "table 'pupils' is not known"),
        (InboxRule("*", "pupil", wave="base"), "wave 'base' is not known"),
        (InboxRule("*", "pupil"), "wave '' is not known"),
        (InboxRule("*", "costs", wave="baseline"), "not collected by wave"),
        (InboxRule("*", "school"), "field 'country'"),
    ],
)
def test_a_rule_about_what_there_is_not_is_an_error(rule: InboxRule, text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        taken_in({}, [rule])


NAMES = ("Kiss Anna", "Nagy Bence", "Szabó-Tóth Réka")


def told(intake: Intake) -> str:
    return intake.findings.to_frame().to_csv() + intake.repairs.to_csv() + str(intake.findings)


@pytest.mark.parametrize(
    "rows",
    [
        # The cells of the second row have moved by one.
        ("031201;70031201001;Kiss Anna;9.a;2011;lány;nem;4", "031201;70031201002;x;Kiss Anna;Nagy Bence;Anna;Kiss;4"),
        ("70031201001;031201;Kiss Anna;9.a;2011;lány;nem;4", "031201;70031201001;Nagy Bence;9.a;2011;;;"),
        (" 031201 ;70031201001;Kiss Anna; Kiss Anna ;2011;lány;nem;4",),
        ("031201;70031201001;Nagy Bence;9.a;2011;x;x;4", "031201;70031201001;Nagy Bence;9.a;2011;y;x;4"),
        ("031201;70031201001;Nagy Bence;9.a;2011;BENCE;Bence nagy;70031201001",),
        ("031201;70031201001;Nagy Bence;9.a;2011;fiú;nem;4;Nagy Bence",),
    ],
)
def test_names_and_identifiers_of_pupils_are_never_told(rows: tuple[str, ...]) -> None:
    text = told(taken_in({"baseline/HU/pupil_1.csv": csv(*rows)}))
    assert "70031201001" not in text
    assert not any(word.casefold() in text.casefold() for name in NAMES for word in name.split())


def test_a_name_in_an_open_column_is_taken_out_and_asked_about() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": csv("031201;1;Kiss Anna;9.a ANNA KISS;2011;lány;nem;4")})
    assert intake.frames["pupil"]["class"].isna().all()
    assert problems(intake, "question") == ["The name of a pupil stands here; it is not taken in."]


def test_a_header_that_is_a_name_is_not_told() -> None:
    header = "school_id;pupil_id;name;Nagy Bence\n"
    intake = taken_in({"baseline/HU/pupil_1.csv": csv("031201;1;Nagy Bence;x", header=header)})
    assert "Bence" not in told(intake)


def test_a_wrong_value_that_is_no_name_is_told() -> None:
    intake = taken_in({"baseline/HU/pupil_1.csv": csv("031201;1;Kiss Anna;9.a;2O11;lány;nem;4")})
    (finding,) = intake.findings.by_severity("question")
    assert finding.value == "2O11"
    assert "'2O11' is not a year." in str(finding)


def test_a_required_answer_is_missed_only_where_it_was_to_be_asked() -> None:
    sat = Field("sat", "yes_no", required=True)
    points = Field("points", "number", required=True, asked_if=("sat", ("yes",)))
    tables = {"pupil": extended(standard_tables()["pupil"], [sat, points])}
    content = "school_id;pupil_id;sat;points\n1;a;yes;3\n1;b;no;\n1;c;yes;\n1;d;;\n"
    made = read_inbox(
        {"p.csv": content.encode()},
        rules=[InboxRule("p.csv", "pupil", wave="w")],
        tables=tables,
        schools={"1": "SI"},
        waves=["w"],
    )
    asked = [(one.row, one.column) for one in made.findings if one.severity == "question"]
    assert asked == [(4, "points"), (5, "sat")]
