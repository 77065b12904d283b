"""Tables that ODK Central, KoBoToolbox and SurveyCTO hand back of the toolkit's own forms are read without loss."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date
from typing import Literal, get_args

import openpyxl
import pytest

from data_schema.fields import normalise_header
from data_schema.headers import index_fields_by_header
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.messages import get_field_question, get_language_of_country
from data_schema.queries import query_workbook
from data_schema.school_tables import standard_tables
from data_schema.submissions import KnownForm, detect_collected_form
from data_schema.tables import Table
from data_schema.xlsforms import FieldForm, encode_pupil_list
from tests.support.collectors import converted, grouped, kobotoolbox, odk_central, surveycto

TABLES = standard_tables()
SCHOOLS = {"031204": "HU", "031205": "HU"}
NAMES = {"031204": "Kossuth Lajos Technikum", "031205": ""}
RECORDS = (
    {"school_id": "031204", "pupil_id": "70031204001", "status": "enrolled", "average_mark": "4.2"},
    {"school_id": "031204", "pupil_id": "70031204002", "status": "transferred", "status_date": "2028-02-14",
     "destination_confirmed": "yes"},
    {"school_id": "031205", "pupil_id": "70031205001", "status": "left_early", "status_date": "2028-03-01"},
)  # fmt: skip
COLUMNS = ["school_id", "pupil_id", "status", "status_date", "destination_confirmed", "average_mark"]


def form() -> bytes:
    return field_form().workbook()


How = Literal["typed", "chosen", "checked"]


def field_form(*, pupils: How = "typed", wave: str = "followup") -> FieldForm:
    catalogues = [Catalogue("data_schema", Language(code)) for code in ("hu", "en", "sr")]
    name = f"status_school_{wave}_HU"
    return FieldForm(table=TABLES["status"], catalogues=catalogues, form_id=name, schools=NAMES, pupils=pupils)


def known_forms() -> dict[str, KnownForm]:
    """Return the forms of a trial that asks for statuses in two waves."""
    made = {
        wave: [field_form(wave=wave, pupils=how).version for how in get_args(How)] for wave in ("baseline", "followup")
    }
    return {
        f"status_school_{wave}_HU": KnownForm(table="status", wave=wave, versions=frozenset(versions))
        for wave, versions in made.items()
    }


def read(content: bytes, *, name: str = "status_1.csv", table: str = "status") -> Intake:
    return read_inbox(
        {f"followup/HU/{name}": content},
        rules=[InboxRule("followup/*/*.csv", table, wave="followup")],
        tables=TABLES,
        schools=SCHOOLS,
        waves=["baseline", "followup"],
        lists=(),
        known_forms=known_forms,
    )


def kept(intake: Intake) -> list[list[str]]:
    frame = intake.frames["status"][COLUMNS]
    return [["" if str(cell) in ("nan", "NaT", "<NA>") else str(cell)[:10] for cell in row] for row in frame.to_numpy()]


EXPECTED = [
    ["031204", "7003120400", "enrolled", "", "", "4.2"],
    ["031204", "7003120400", "transferre", "2028-02-14", "True", ""],
    ["031205", "7003120500", "left_early", "2028-03-01", "", ""],
]
IN_WORDS = {"transferred": {"status_date": "Feb 14, 2028"}, "left_early": {"status_date": "Mar 1, 2028"}}
CHOSEN = [
    {**one, "pupil_listed": one["pupil_id"] if k else "not_listed", "pupil_typed": "" if k else one["pupil_id"]}
    for k, one in enumerate(RECORDS)
]
HANDED_BACK: dict[str, Callable[[], bytes]] = {
    "ODK": lambda: odk_central(form(), RECORDS),
    "ODK, questions in a group": lambda: odk_central(grouped(form(), "pupil"), RECORDS),
    "ODK, groups in groups": lambda: odk_central(grouped(form(), "visit", "school"), RECORDS),
    "KoBoToolbox": lambda: kobotoolbox(form(), RECORDS),
    "KoBoToolbox, questions in groups": lambda: kobotoolbox(grouped(form(), "a", "b_c"), RECORDS),
    "KoBoToolbox, another sign between groups": lambda: kobotoolbox(grouped(form(), "a"), RECORDS, between=":"),
    "KoBoToolbox, in Hungarian": lambda: kobotoolbox(form(), RECORDS, language="hu"),
    "KoBoToolbox, in Serbian": lambda: kobotoolbox(form(), RECORDS, language="sr"),
    "KoBoToolbox, in English, in groups": lambda: kobotoolbox(grouped(form(), "a", "b"), RECORDS, language="en"),
    "SurveyCTO": lambda: surveycto(form(), RECORDS),
    "ODK, pupils chosen": lambda: odk_central(grouped(field_form(pupils="chosen").workbook(), "a"), CHOSEN),
    "KoBoToolbox, pupils chosen": lambda: kobotoolbox(field_form(pupils="chosen").workbook(), CHOSEN, language="hu"),
    "SurveyCTO, pupils chosen": lambda: surveycto(field_form(pupils="chosen").workbook(), CHOSEN),
    "ODK, identifiers checked": lambda: odk_central(field_form(pupils="checked").workbook(), RECORDS),
    "SurveyCTO, dates in words": lambda: surveycto(form(), [one | IN_WORDS.get(one["status"], {}) for one in RECORDS]),
}  # fmt: skip


@pytest.mark.parametrize("made", HANDED_BACK.values(), ids=HANDED_BACK)
def test_what_a_program_hands_back_of_our_own_form_is_read_without_loss(made: Callable[[], bytes]) -> None:
    intake = read(made())
    assert kept(intake) == EXPECTED
    assert [str(one) for one in intake.findings if one.severity != "note"] == []
    assert "is not read" in intake.findings[0].problem
    assert "Teszt Elek" not in str(intake)


def test_a_workbook_of_kobotoolbox_is_read_as_its_csv_is() -> None:
    lines = kobotoolbox(form(), RECORDS, language="hu").decode("utf-8-sig").splitlines()
    book = openpyxl.Workbook()
    for line in lines:
        book.worksheets[0].append([cell.strip('"') for cell in line.split('";"')])
    made = io.BytesIO()
    book.save(made)
    assert kept(read(made.getvalue(), name="status.xlsx")) == EXPECTED


@pytest.mark.parametrize("country", ["HU", "RS", "SI", "ME", "AT"])
def test_every_question_of_a_form_is_known_as_a_header_in_the_language_of_its_country(country: str) -> None:
    catalogue = Catalogue("data_schema", Language(get_language_of_country(country)))
    for table in TABLES.values():
        owner = index_fields_by_header(table.in_country(country))
        for field in table.fields:
            assert owner[normalise_header(get_field_question(field, catalogue, about=table.about))] == field.name


def test_two_groups_with_a_question_of_one_name_are_asked_about_and_nothing_is_refused() -> None:
    head = "SubmissionDate,school_id,pupil_id,autumn-status,spring-status,meta-instanceID,KEY,Status,ReviewState"
    rows = ["2028-10-05,031204,7001,enrolled,left_early,uuid:1,uuid:1,,", "2028-10-05,031204,7002,enrolled,,u,u,,"]
    intake = read("\n".join([head, *rows]).encode())
    (asked,) = [one for one in intake.findings if "More than one" in one.problem]
    assert (asked.severity, asked.column) == ("question", "status")
    assert "'autumn-status', 'spring-status'" in asked.problem
    assert len(intake.frames["status"]) == 2
    assert intake.frames["status"]["status"].isna().all()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (odk_central(form(), [{**RECORDS[0], "ReviewState": "rejected"}, *RECORDS[1:]]), "refused"),
        (odk_central(form(), [{**RECORDS[0], "ReviewState": "hasIssues"}, *RECORDS[1:]]), "asked"),
        (odk_central(form(), [{"Status": "not decrypted"}, *RECORDS[1:]]), "refused"),
        (kobotoolbox(form(), [{**RECORDS[0], "_validation_status": "Not Approved"}, *RECORDS[1:]]), "refused"),
        (kobotoolbox(form(), [{**RECORDS[0], "_validation_status": "On Hold"}, *RECORDS[1:]]), "asked"),
        (surveycto(form(), [{**RECORDS[0], "review_status": "REJECTED"}, *RECORDS[1:]]), "refused"),
        (surveycto(form(), [{**RECORDS[0], "review_status": "PENDING"}, *RECORDS[1:]]), "asked"),
        (surveycto(form(), [{**RECORDS[0], "review_quality": "FAKE"}, *RECORDS[1:]]), "asked"),
    ],
)  # fmt: skip
def test_a_submission_that_a_review_has_not_let_pass_is_not_taken_in_silence(content: bytes, state: str) -> None:
    intake = read(content)
    assert kept(intake) == EXPECTED[1:]
    assert intake.reconciliation[["sent", "kept", state]].iloc[0].tolist() == [3, 2, 1]
    assert any(one.row == 2 for one in intake.findings)


def test_the_school_can_say_that_a_submission_in_doubt_holds() -> None:
    content = odk_central(form(), [{**RECORDS[0], "ReviewState": "hasIssues"}, *RECORDS[1:]])
    first = read(content)
    book = openpyxl.load_workbook(
        io.BytesIO(
            query_workbook(first.queries["031204"], school="031204", catalogue=Catalogue("data_schema", Language("en")))
        )
    )
    sheet = book.worksheets[0]
    (row,) = [
        at
        for at, line in enumerate(sheet.iter_rows(), start=1)
        if any("has not said that it holds" in str(cell.value) for cell in line)
    ]
    at = next(k for k, cell in enumerate(sheet[row], start=1) if not cell.protection.locked)
    sheet.cell(row=row, column=at).value = "yes"
    made = io.BytesIO()
    book.save(made)
    again = read_inbox(
        {"followup/HU/status_1.csv": content, "back.xlsx": made.getvalue()},
        rules=[InboxRule("followup/*/*.csv", "status", wave="followup")],
        tables=TABLES,
        schools=SCHOOLS,
        waves=["baseline", "followup"],
        lists=(),
    )
    assert kept(again) == EXPECTED


def test_a_pupil_who_was_submitted_twice_is_asked_about_and_the_same_submission_is_taken_once() -> None:
    other = {**RECORDS[0], "status": "unknown", "average_mark": ""}
    intake = read(odk_central(form(), [RECORDS[0], other, RECORDS[1], RECORDS[1]]))
    assert intake.reconciliation[["sent", "kept", "asked", "refused"]].iloc[0].tolist() == [4, 1, 2, 1]
    assert sum("is in" in one.problem for one in intake.findings.by_severity("question")) == 2


def test_a_zipped_folder_with_what_was_attached_is_read_and_names_what_is_not() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("status_school_followup.csv", odk_central(form(), RECORDS))
        archive.writestr("media/audit-1.jpg", b"\xff\xd8\xff\xe0picture")
    intake = read(made.getvalue(), name="export.zip")
    assert kept(intake) == EXPECTED
    (note,) = [one for one in intake.findings if one.file.endswith(".jpg")]
    assert (note.severity, note.problem) == ("note", "It was attached to a submission; it is not read.")


def test_answers_of_a_question_with_many_are_not_taken_for_other_fields() -> None:
    head = "school_id;pupil_id;status;support;support/status;support/meals;_id;_uuid;_submission_time"
    intake = read(f"{head}\n031204;7001;enrolled;status meals;1;1;1;u;2028-10-05T10:00:00".encode())
    assert intake.frames["status"]["status"].tolist() == ["enrolled"]
    assert sum("has no such column" in one.problem for one in intake.findings) == 3


def test_remarks_of_reviewers_are_told_of_and_not_repeated() -> None:
    intake = read(kobotoolbox(form(), [{**RECORDS[0], "_notes": "Kiss Anna moved"}]))
    assert any("Reviewers have written" in one.problem for one in intake.findings)
    assert "Kiss" not in str(intake)


def test_a_file_of_a_school_with_a_column_called_status_twice_is_no_export() -> None:
    intake = read(b"school_id;pupil_id;status;Status\n031204;7001;enrolled;enrolled")
    assert any("Two of its columns" in one.problem for one in intake.findings.by_severity("refused"))


def test_submissions_of_an_older_version_of_the_form_are_told_of_and_taken() -> None:
    older = odk_central(form(), RECORDS).replace(field_form().version.encode(), b"0000000001")
    intake = read(older)
    assert kept(intake) == EXPECTED
    (told,) = [one for one in intake.findings if "another version" in one.problem]
    assert told.problem == "3 of its submissions are of another version of the form than the one of now."


@pytest.mark.parametrize("made", [odk_central, kobotoolbox, surveycto])
def test_submissions_of_the_form_of_another_wave_are_kept_out_and_asked_about(made: Callable[..., bytes]) -> None:
    intake = read(made(field_form(wave="baseline").workbook(), RECORDS))
    assert kept(intake) == []
    assert intake.reconciliation[["sent", "refused"]].iloc[0].tolist() == [3, 3]
    (asked,) = intake.findings.by_severity("question")
    assert "are of the form 'status_school_baseline_HU', which is of something else" in asked.problem


def test_the_version_of_a_form_is_made_from_what_it_asks() -> None:
    assert field_form().version == field_form().version
    assert field_form().workbook() == field_form().workbook()
    versions = {field_form().version, field_form(pupils="chosen").version, field_form(wave="baseline").version}
    assert len(versions) == 3
    assert all(len(one) == 10 and one.isdecimal() for one in versions)


@pytest.mark.parametrize("how", ["chosen", "checked"])
@pytest.mark.parametrize("table", [one for one in TABLES.values() if "pupil_id" in one.key], ids=lambda one: one.name)
def test_a_form_with_a_list_of_pupils_is_one_that_pyxform_converts(table: Table, how: How) -> None:
    catalogues = [Catalogue("data_schema", Language(code)) for code in ("sl", "en")]
    made = converted(FieldForm(table=table, catalogues=catalogues, schools=NAMES, pupils=how).workbook())
    assert "jr://file-csv/pupils.csv" in made
    assert made.count("/data/pupil_id") >= 1
    assert (", s seznama" in made) == (how == "chosen")


def test_the_list_has_identifiers_and_classes_and_a_choice_for_those_who_are_not_on_it() -> None:
    pupils = {"031204": [{"pupil_id": "7001", "class": "9.a"}, {"pupil_id": "7002"}]}
    content = encode_pupil_list(pupils, Catalogue("data_schema", Language("hu"))).decode()
    assert content.splitlines() == [
        "name,label,school_id,key",
        "7001,7001 · 9.a,031204,031204 7001",
        "7002,7002,031204,031204 7002",
        "not_listed,Nincs a listán,031204,",
    ]


def test_submissions_that_nobody_sent_are_asked_about_as_tests_of_a_draft() -> None:
    unsigned = {"SubmitterID": "", "SubmitterName": ""}
    intake = read(odk_central(form(), [RECORDS[0] | unsigned, *RECORDS[1:]]))
    asked = [one.row for one in intake.findings.by_severity("question")]
    assert asked == [2]
    assert any("1 of its submissions have no submitter" in one.problem for one in intake.findings)
    assert intake.reconciliation[["sent", "kept", "asked"]].to_numpy().tolist() == [[3, 2, 1]]
    assert [one.row for one in read(odk_central(form(), RECORDS)).findings.by_severity("question")] == []


@pytest.mark.parametrize("early", [1, 3])
def test_submissions_from_before_the_wave_are_asked_about(early: int) -> None:
    told = [one | {"_submission_time": "2028-09-01T10:00:00"} for one in RECORDS[:early]]
    content = kobotoolbox(form(), [*told, *RECORDS[early:]])
    intake = read_inbox(
        {"status_1.csv": content},
        rules=[InboxRule("status_*", "status", wave="followup")],
        tables=TABLES,
        schools=SCHOOLS,
        waves=["baseline", "followup"],
        wave_dates={"followup": (date(2028, 10, 1), date(2029, 6, 30))},
        lists=(),
    )
    said = [one for one in intake.findings if "before 2028-10-01, when the wave began" in one.problem]
    assert len(said) == 1
    rows = [one.row for one in intake.findings.by_severity("question") if one.row and not one.column]
    assert rows == ([2] if early == 1 else [])
    assert said[0].severity == ("note" if early == 1 else "question")


def test_the_day_in_words_of_surveycto_is_read() -> None:
    content = surveycto(form(), RECORDS).replace(b"Oct 5, 2028", b"Sep 5, 2028", 1)
    found = detect_collected_form(
        tuple(next(csv.reader(io.StringIO(content.decode())))), index_fields_by_header(TABLES["status"])
    )
    assert found is not None
    rows = list(csv.reader(io.StringIO(content.decode())))[1:]
    assert [found.day_sent(tuple(row)) for row in rows] == [date(2028, 9, 5), date(2028, 10, 5), date(2028, 10, 5)]
