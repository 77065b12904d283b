"""The school and the class of rows, told by names of files, titles, sheets and headings."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pytest
from openpyxl import Workbook

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.named_schools import SchoolFinder
from data_schema.school_tables import standard_tables
from data_schema.sources import find_classes

SCHOOLS = {"031201": "HU", "031202": "HU", "031203": "HU", "RS-101": "RS", "SI-01": "SI"}
NAMES = {
    "031201": "Általános Iskola Szeged",
    "031202": "Kossuth Lajos Gimnázium",
    "031203": "Kossuth Lajos Gimnázium és Kollégium",
    "RS-101": "ОШ „Вук Караџић”",
    "SI-01": "OŠ Ivana Cankarja",
}
FILE = "baseline/lista.xlsx"
PUPILS = [("pupil_id", "gender"), ("7001", "fiú"), ("7002", "lány")]

Rows = Sequence[Sequence[object]]


def workbook(sheets: Mapping[str, Rows], *, merged: str = "") -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        if merged:
            sheet.merge_cells(merged)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def taken_in(files: Mapping[str, bytes], **keys: object) -> Intake:
    rule = InboxRule("**", "pupil", wave="baseline", **keys)  # type: ignore[arg-type]
    return read_inbox(
        files,
        rules=[rule],
        tables=standard_tables(),
        schools=SCHOOLS,
        school_names=tuple(NAMES.values()),
        names=NAMES,
        waves=["baseline", "followup"],
    )


def asked(intake: Intake) -> list[str]:
    return [str(one) for one in intake.findings if one.severity != "note"]


def counts(intake: Intake) -> list[int]:
    row = intake.reconciliation[["sent", "kept", "asked", "refused"]].sum()
    assert row["sent"] == row["kept"] + row["asked"] + row["refused"]
    return [int(n) for n in row]


@pytest.mark.parametrize(
    ("title", "school"),
    [
        ("Általános Iskola Szeged – 9. évfolyam", "031201"),
        ("ÁLTALÁNOS ISKOLA SZEGED, 2026/2027. tanév", "031201"),
        ("OM azonosító: 031202", "031202"),
        ("Kossuth Lajos Gimnázium és Kollégium – hiányzások", "031203"),
        ("Kossuth Lajos Gimnázium 10.b", "031202"),
        ('OŠ "Vuk Karadžić", Beograd', "RS-101"),
        ("ОШ Вук Караџић – IX-2", "RS-101"),
        ("Osnovna šola: OŠ Ivana Cankarja", "SI-01"),
        ("School si-01, list of pupils", "SI-01"),
    ],
)
def test_a_title_in_any_language_names_the_school_by_identifier_or_by_name(title: str, school: str) -> None:
    content = workbook({"Munka1": [(title,), (), *PUPILS]})
    intake = taken_in({FILE: content}, school_from="title")
    assert intake.frames["pupil"]["school_id"].tolist() == [school] * 2
    assert intake.frames["pupil"]["source_row"].tolist() == [4, 5]
    assert f"The school is {school!r}, told by school_from = 'title'." in str(intake.findings)
    assert asked(intake) == []


@pytest.mark.parametrize(
    ("keys", "file", "sheet"),
    [
        ({"school_from": "file"}, "baseline/031202 tanulók.xlsx", "Munka1"),
        ({"school_from": "file"}, "baseline/Kossuth_Lajos_Gimnázium.xlsx", "Munka1"),
        ({"school_from": "folder"}, "baseline/HU/Kossuth Lajos Gimnázium/lista.xlsx", "Munka1"),
        ({"school_from": "folder"}, "baseline/031202/lista.xlsx", "Munka1"),
        ({"school_from": "sheet"}, FILE, "031202"),
        ({"school_from": "sheet"}, FILE, "Kossuth Lajos Gimnázium"),
    ],
)
def test_a_path_or_a_sheet_names_the_school(keys: Mapping[str, str], file: str, sheet: str) -> None:
    intake = taken_in({file: workbook({sheet: PUPILS})}, **keys)
    assert intake.frames["pupil"]["school_id"].tolist() == ["031202"] * 2
    assert asked(intake) == []


@pytest.mark.parametrize(
    ("title", "problem", "remedy"),
    [
        ("Ady Endre Gimnázium", "No school of the trial is named", "Answer with the identifier of the school."),
        ("OM 31202", "No school of the trial is named", "Is '031202' meant?"),
        ("031201 és 031202", "More than one school can be meant", "Answer with the identifier"),
        ("031202 Általános Iskola Szeged", "More than one school can be meant", "Answer with the identifier"),
    ],
)
def test_a_school_that_is_not_sure_is_asked_about_and_no_row_is_used(title: str, problem: str, remedy: str) -> None:
    intake = taken_in({FILE: workbook({"Munka1": [(title,), *PUPILS]})}, school_from="title")
    (question,) = asked(intake)
    assert problem in question
    assert remedy in question
    assert counts(intake) == [2, 0, 2, 0]


def test_a_school_of_another_country_than_the_folder_is_asked_about() -> None:
    intake = taken_in({"HU/SI-01.xlsx": workbook({"a": PUPILS})}, school_from="file")
    assert "The file lies with those of 'HU', and school_from = 'file' tells the school 'SI-01'." in asked(intake)[0]
    assert counts(intake) == [2, 0, 2, 0]


def test_a_title_of_another_school_than_the_name_of_the_file_is_asked_about() -> None:
    content = workbook({"a": [("Kossuth Lajos Gimnázium",), *PUPILS]})
    intake = taken_in({"baseline/031201.xlsx": content}, school_from="title")
    assert "The file is named for '031201', and school_from = 'title' tells the school '031202'." in asked(intake)[0]


def test_rows_that_name_another_school_than_the_title_are_asked_about() -> None:
    rows = [("Kossuth Lajos Gimnázium",), ("school_id", *PUPILS[0]), ("031202", "1"), ("031201", "2"), (None, "3")]
    intake = taken_in({FILE: workbook({"a": rows})}, school_from="title")
    assert intake.frames["pupil"][["school_id", "pupil_id"]].to_numpy().tolist() == [["031202", "1"], ["031202", "3"]]
    assert [one.row for one in intake.findings if one.severity == "question"] == [4]
    assert counts(intake) == [3, 2, 1, 0]


def test_without_a_rule_the_finding_names_the_key_that_helps() -> None:
    intake = taken_in({FILE: workbook({"a": PUPILS})})
    assert "Add the column 'school_id', or say where it is with 'school_from' in [[inbox]]." in asked(intake)[0]


@pytest.mark.parametrize("merged", ["", "A3:B3"])
def test_headings_give_the_class_to_the_rows_below_them(merged: str) -> None:
    rows = [
        PUPILS[0],
        ("6999", "fiú"),
        ("9.a osztály (2 fő)",),
        *PUPILS[1:],
        ("Összesen", 2),
        ("Osztály:", "9/B"),
        ("7003", "fiú"),
    ]
    intake = taken_in({"031202.xlsx": workbook({"a": rows}, merged=merged)}, school_from="file", class_from="headings")
    frame = intake.frames["pupil"].sort_values("source_row")
    assert frame["class"].fillna("").tolist() == ["", "9.a", "9.a", "9/B"]
    assert frame["source_row"].tolist() == [2, 4, 5, 8]
    (question,) = asked(intake)
    assert "row 2, column 'class': No heading of a class stands above the row" in question
    assert counts(intake) == [7, 4, 0, 3]


def test_a_class_in_the_column_that_is_not_the_headings_is_asked_about() -> None:
    rows = [("pupil_id", "class"), ("9.a",), ("1", "9/A"), ("2", "9.b"), ("3", None)]
    intake = taken_in({"031202.xlsx": workbook({"a": rows})}, school_from="file", class_from="headings")
    assert intake.frames["pupil"]["class"].tolist() == ["9/A", "9.b", "9.a"]
    (question,) = asked(intake)
    assert "row 4, column 'class': '9.b' is not the class that is stated elsewhere, '9.a'." in question


def test_every_sheet_is_a_class() -> None:
    sheets: dict[str, Rows] = {"9.a": PUPILS, "9. b": [PUPILS[0], ("7003", "fiú")], "Borító": [("Tartalom",)]}
    intake = taken_in({"031202.xlsx": workbook(sheets)}, school_from="file", class_from="sheet", sheet="9*")
    assert intake.frames["pupil"]["class"].tolist() == ["9.a", "9.a", "9. b"]
    assert asked(intake) == []
    assert counts(intake) == [3, 3, 0, 0]
    whole = taken_in({"031202.xlsx": workbook(sheets)}, school_from="file", class_from="sheet", sheet="*")
    assert counts(whole) == [4, 3, 0, 1]
    assert "sheet 'Borító'" in asked(whole)[0]


def test_a_sheet_that_names_no_class_is_asked_about() -> None:
    intake = taken_in({"031202.xlsx": workbook({"Munka1": PUPILS})}, school_from="file", class_from="sheet")
    assert "No class is named where class_from = 'sheet' looks." in asked(intake)[0]
    assert counts(intake) == [2, 2, 0, 0]


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("9. a", ["9. a"]), ("10/B", ["10/B"]), ("IX-2", ["IX-2"]), ("одељење II-4", ["II-4"]),
        ("1. b razred", ["1. b"]), ("9.kny", ["9.kny"]), ("absences_9a_2027", ["9a"]), ("Razred R1A", ["R1A"]),
        ("2/3", ["2/3"]), ("12 fő", []), ("9. évfolyam", []), ("9. razred", []), ("2026/2027. tanév", []),
        ("Munka1", []), ("List 2", []), ("Kossuth Lajos Gimnázium", []), ("9. év", []), ("5. okt", []), ("9.", []),
        ("1. letnik", []), ("Sheet1", []),
    ],
)  # fmt: skip
def test_classes_are_known_by_their_form(text: str, classes: Sequence[str]) -> None:
    assert find_classes(text) == list(classes)


def test_headers_of_ones_own_count_before_the_words_that_are_known() -> None:
    rows = [("Kód", "pupil_id", "Neme"), ("7001", "x", "fiú"), ("7002", "y", "lány")]
    own = {"KÓD:": "pupil_id", "nincs ilyen": "grade"}
    intake = taken_in({"031202.xlsx": workbook({"a": rows})}, school_from="file", headers=own)
    assert intake.frames["pupil"]["pupil_id"].tolist() == ["7001", "7002"]
    assert intake.frames["pupil"]["gender"].tolist() == ["boy", "girl"]
    assert asked(intake) == [
        "**: No file of the rule has the header 'nincs ilyen', which its headers name. "
        "Correct the header in [[inbox]], or take it out."
    ]


def test_a_name_that_two_schools_have_means_neither() -> None:
    finder = SchoolFinder({"1234": "HU", "1235": "HU"}, {"1234": "Petőfi Iskola", "1235": "Petőfi Iskola"})
    assert finder.of("Petőfi Iskola") == {"1234", "1235"}
    assert finder.of("Petőfi Iskola (1235)") == {"1235"}


MORE = {
    "031204": "Petőfi Sándor Általános Iskola",
    "031205": "Kossuth Lajos Általános Iskola",
    "SI-07": "Osnovna šola Prežihov Voranc, Ravne",
    "RS-110": "Основна школа Вук Караџић",
}


def finder() -> SchoolFinder:
    return SchoolFinder(dict.fromkeys(MORE, "HU"), MORE)


@pytest.mark.parametrize(
    ("text", "school", "others"),
    [
        ("031204 Kossuth Lajos", "031204", ["031205"]),
        ("031204_kossuth_lajos_ált_isk", "031204", ["031205"]),
        ("031204 – Kossuth L. Ált. Isk., 9.a", "031204", ["031205"]),
        ("031204 Ady Endre Gimnázium", "031204", []),
        ("RS-110 ОШ Бранко Радичевић", "RS-110", []),
        ("SI-07 Vuk Karadžić", "SI-07", ["RS-110"]),
    ],
)
def test_an_identifier_beside_another_schools_name_speaks_against_itself(
    text: str, school: str, others: list[str]
) -> None:
    assert finder().contradicted(school, [text]) == others


@pytest.mark.parametrize(
    ("text", "school"),
    [
        ("031204 Petőfi", "031204"),
        ("031204 Petofi S. alt. isk. 9.b", "031204"),
        ("031204", "031204"),
        ("pupil_031204_baseline", "031204"),
        ("031204 Hiányzások október VÉGLEGES", "031204"),
        ("RS-110 ОШ В. Караџић", "RS-110"),
        ("SI-07 OŠ Prežihovega Voranca", "SI-07"),
        ("Status SI-07 Follow Up", "SI-07"),
    ],
)
def test_a_name_that_is_shortened_or_no_name_speaks_against_no_school(text: str, school: str) -> None:
    assert finder().contradicted(school, [text]) is None


@pytest.mark.parametrize(
    ("text", "schools"),
    [
        ("Kossuth L. Ált. Isk.", ["031205"]),
        ("OŠ Prežihov", ["SI-07"]),
        ("ОШ Вук", ["RS-110"]),
        ("petofi s 9a", ["031204"]),
        ("Kosuth Lajos", ["031205"]),
        ("Osnovna šola", []),
        ("Pupils of the school, October", []),
    ],
)
def test_a_shortened_name_suggests_its_school(text: str, schools: list[str]) -> None:
    assert finder().of(text) == frozenset()
    assert finder().suggested([text]) == schools


@pytest.mark.parametrize(
    ("keys", "file", "sheet", "above"),
    [
        ({"school_from": "file"}, "baseline/031201 Kossuth Lajos.xlsx", "Munka1", []),
        ({"school_from": "folder"}, "baseline/031201_kossuth_lajos/lista.xlsx", "Munka1", []),
        ({"school_from": "sheet"}, FILE, "031201 Kossuth Lajos", []),
        ({"school_from": "title"}, FILE, "Munka1", [("OM azonosító: 031201",), ("Kossuth L. Gimnázium",)]),
    ],
)
def test_a_contradiction_is_asked_about_and_the_answer_takes_the_rows_in(
    keys: Mapping[str, str], file: str, sheet: str, above: Sequence[Sequence[object]]
) -> None:
    intake = taken_in({file: workbook({sheet: [*above, *PUPILS]})}, **keys)
    (question,) = asked(intake)
    assert f"The identifier is that of the school '031201', told by school_from = {keys['school_from']!r}" in question
    assert "Is '031202' or '031203' meant?" in question or "Is '031202' meant?" in question
    assert counts(intake) == [2, 0, 2, 0]


def test_a_shortened_name_is_asked_about_with_the_school_that_it_suggests() -> None:
    intake = taken_in({"baseline/Kossuth L. gimn. és koll..xlsx": workbook({"Munka1": PUPILS})}, school_from="file")
    (question,) = asked(intake)
    assert "Is '031203' meant? Answer with the identifier of the school." in question
    assert counts(intake) == [2, 0, 2, 0]
