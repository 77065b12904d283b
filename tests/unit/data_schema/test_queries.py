"""Questions to schools go out as workbooks, and their answers come back to the right cells."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import lru_cache

import openpyxl
import pytest
from openpyxl.styles import Font

from data_schema.answers import ANSWER_COLUMNS
from data_schema.fields import normalise_header
from data_schema.findings import Finding
from data_schema.intake import Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.messages import (
    get_answer_labels,
    get_field_label,
    get_language_of_country,
    remove_cell_values,
    translate_sentence,
)
from data_schema.queries import (
    MARKER,
    assign_queries_to_schools,
    is_query_workbook,
    is_school_in_path,
    query_workbook,
    read_answers,
)
from data_schema.school_tables import standard_tables
from tests.support.bad_file_cases import BAD_FILES
from tests.support.bad_files import PUPILS, RULES, SCHOOLS, book, rows, taken_in, zipped

ENGLISH = Catalogue("data_schema", Language("en"))
PATH = "HU/status_031201.csv"
LIST = "\n".join(["school_id;pupil_id", *(f"031201;{pupil}" for pupil in PUPILS)]).encode()
SENT = rows(
    "031201;0001;enrolled;;;55",
    "031201;0002;upsan;;;4",
    "031201;0003;upsan;;;4",
    "031201;0004;;;;4",
    "31201;0005;enrolled;;;4",
    "031201;0006;enrolled;;;3",
    "031201;0006;left_early;;;3",
    "031201;7;enrolled;;;3",
)


def collected(answers: Mapping[str, bytes] | None = None, *, sent: bytes = SENT) -> Intake:
    files = {"list.csv": LIST, PATH: sent, **(answers or {})}
    return read_inbox(files, rules=RULES, tables=standard_tables(), schools={"031201": "HU"}, waves=["w"])


def workbook_of(intake: Intake) -> bytes:
    return query_workbook(intake.queries["031201"], school="031201", catalogue=ENGLISH)


def answered(content: bytes, answers: Mapping[tuple[str, str], str | int]) -> bytes:
    """Fill in answers, by row and column (as the workbook calls them)."""
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    sheet = workbook.worksheets[0]
    left = dict(answers)
    for row in sheet.iter_rows(min_row=5):
        key = (str(row[3].value), str(row[4].value))
        if key in left:
            row[8].value = left.pop(key)
    assert not left
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def statuses(intake: Intake) -> dict[str, object]:
    frame = intake.frames["status"]
    return dict(zip(frame["pupil_id"], frame["status"], strict=True))


def questions(intake: Intake) -> list[tuple[int | None, str]]:
    return [(one.row, one.column) for one in intake.findings.by_severity("question")]


ANSWERS: dict[tuple[str, str], str | int] = {
    ("2", "Average mark"): 5,
    ("3–4", "Status"): "Enrolled",
    ("5", "Status"): "-",
    ("6", "School"): "031201",
    ("8", "Pupil"): "no",
    ("9", "Pupil"): "0007",
}


def test_answers_reach_their_cells_and_nothing_remains_open() -> None:
    first = collected()
    assert questions(first) == [
        (2, "average_mark"), (3, "status"), (4, "status"), (5, "status"), (6, "school_id"), (7, "pupil_id"),
        (8, "pupil_id"), (9, "pupil_id"),
    ]  # fmt: skip
    second = collected({"HU/answers.xlsx": answered(workbook_of(first), ANSWERS)})
    assert questions(second) == []
    assert second.queries == {}
    kept = statuses(second)
    assert set(kept) == {f"000{k}" for k in range(1, 8)}
    assert {status for pupil, status in kept.items() if pupil != "0004"} == {"enrolled"}
    assert kept["0004"] not in ("enrolled", "-")
    frame = second.frames["status"].set_index("pupil_id")
    assert frame.loc["0001", "average_mark"] == 5
    row = second.reconciliation.set_index("file").loc[PATH]
    assert (row["sent"], row["kept"], row["asked"], row["refused"]) == (8, 7, 0, 1)


def test_the_history_of_answers_is_kept_without_identifiers() -> None:
    log = collected({"back.xlsx": answered(workbook_of(collected()), ANSWERS)}).answers
    assert tuple(log) == ANSWER_COLUMNS
    told = log[["row", "column", "was", "became", "status"]].to_numpy().tolist()
    assert told == [
        [2, "average_mark", "55", "5", "applied"],
        [3, "status", "upsan", "Enrolled", "applied"],
        [4, "status", "upsan", "Enrolled", "applied"],
        [5, "status", "", "", "missing"],
        [6, "school_id", "31201", "031201", "applied"],
        [8, "pupil_id", "", "", "removed"],
        [9, "pupil_id", "", "", "applied"],
    ]
    assert set(log["answered_in"]) == {"back.xlsx"}


def test_what_was_not_answered_is_asked_again_and_noted() -> None:
    first = collected()
    second = collected({"back.xlsx": answered(workbook_of(first), {("2", "Average mark"): "4,5"})})
    assert len(questions(second)) == len(questions(first)) - 1
    assert [one.problem for one in second.findings if one.file == "back.xlsx"] == ["It answers questions: 1 of 7."]
    assert second.repairs.query("column == 'average_mark'")["rule"].tolist() == ["decimal mark"]


def test_yes_leaves_a_value_as_it_is_and_closes_the_question_only_where_the_row_is_kept() -> None:
    answers: dict[tuple[str, str], str | int] = {
        ("9", "Pupil"): "igen",
        ("7", "Pupil"): "yes",
        ("2", "Average mark"): "Yes",
    }
    second = collected({"back.xlsx": answered(workbook_of(collected()), answers)})
    assert (9, "pupil_id") not in questions(second)
    assert (2, "average_mark") not in questions(second)
    # Both rows of the pupil are kept out still: that cannot be closed by a yes.
    assert (7, "pupil_id") in questions(second)
    assert set(second.answers["status"]) == {"confirmed"}


def test_an_answer_that_is_wrong_itself_is_asked_about() -> None:
    second = collected({"back.xlsx": answered(workbook_of(collected()), {("2", "Average mark"): 99})})
    (found,) = [one for one in second.findings if one.row == 2]
    assert "'99' is above" in found.problem


def test_an_answer_to_another_content_of_the_file_is_not_used() -> None:
    back = answered(workbook_of(collected()), {("2", "Average mark"): 4})
    second = collected({"back.xlsx": back}, sent=SENT + b"031201;0008;enrolled;;;3\r\n")
    assert (2, "average_mark") in questions(second)
    assert second.answers["status"].tolist() == ["stale"]
    assert any("older file" in one.problem for one in second.findings if one.file == "back.xlsx")


def test_two_answers_that_differ_are_asked_about_and_two_that_agree_are_one() -> None:
    empty = workbook_of(collected())
    one, two = (answered(empty, {("2", "Average mark"): mark}) for mark in (4, 3))
    differing = collected({"a.xlsx": one, "b.xlsx": two})
    assert (2, "average_mark") in questions(differing)
    assert differing.answers["status"].tolist() == ["contradictory"]
    assert any("they differ" in one.problem for one in differing.findings.by_severity("question"))
    assert (2, "average_mark") not in questions(collected({"a.xlsx": one, "b.xlsx": one}))


def test_rows_that_were_sorted_or_removed_find_their_way_back() -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(answered(workbook_of(collected()), ANSWERS)))
    sheet = workbook.worksheets[0]
    cells = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=6)]
    for at, row in enumerate(reversed(cells), start=6):
        for column, value in enumerate(row, start=1):
            sheet.cell(row=at, column=column).value = value
    sheet.delete_rows(6)
    made = io.BytesIO()
    workbook.save(made)
    assert len(collected({"back.xlsx": made.getvalue()}).answers) == 6


def test_a_workbook_is_known_by_its_mark_alone() -> None:
    content = workbook_of(collected())
    assert is_query_workbook(content)
    for other in (book([[MARKER]]), b"PK", b"", zipped({"content.xml": b"<a/>"}), content[:500]):
        assert not is_query_workbook(other)
    assert is_query_workbook(zipped({"content.xml": f'<table name="{MARKER}"/>'.encode()}))


def test_places_that_were_tampered_with_are_left_out() -> None:
    content = workbook_of(collected())
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    sheet = workbook.worksheets[0]
    for row, text in (
        (6, "{"),
        (7, "{}"),
        (8, json.dumps({"file": 1, "sheet": 1, "rows": "x", "column": 1, "sha256": 1})),
    ):
        sheet.cell(row=row, column=11, value=text)
        sheet.cell(row=row, column=9, value="4")
    made = io.BytesIO()
    workbook.save(made)
    answers, findings, n_open = read_answers(made.getvalue(), file="a.xlsx")
    assert (answers, len(findings), n_open) == ((), 0, 4)


def test_no_name_and_no_identifier_of_a_pupil_is_in_a_workbook() -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(workbook_of(collected())))
    cells = [str(cell.value) for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.value]
    assert any("031201" in cell for cell in cells)
    assert not any(re.search(rf"\b{pupil}\b", cell) for cell in cells for pupil in PUPILS)


def test_the_same_questions_are_the_same_bytes() -> None:
    assert workbook_of(collected()) == workbook_of(collected())


def test_a_question_goes_to_the_school_that_can_answer_it() -> None:
    queries = collected().queries["031201"]
    by_row = assign_queries_to_schools(queries, rows={(PATH, "", 2): "RS-101"}, files={}, schools=SCHOOLS)
    assert {school: len(mine) for school, mine in by_row.items()} == {"031201": 6, "RS-101": 1}
    by_file = assign_queries_to_schools(queries, rows={}, files={PATH: {"RS-101"}}, schools=SCHOOLS)
    assert {school: len(mine) for school, mine in by_file.items()} == {"RS-101": 7}
    assert set(assign_queries_to_schools(queries, rows={}, files={}, schools=["x"])) == {""}
    assert is_school_in_path("HU/status_031201.csv", "031201")
    assert is_school_in_path("status-rs-101 (2).xlsx", "RS-101")
    assert not is_school_in_path("status_0312011.csv", "031201")


@lru_cache(maxsize=1)
def asked_in_the_corpus() -> tuple[Finding, ...]:
    """Everything that a school is asked, or told that it was refused, about the corpus of bad files."""
    quick = [bad for bad in BAD_FILES if len(bad.content) < 50_000 and "illion" not in bad.name]
    return tuple(one for bad in quick for one in taken_in(bad).findings if one.severity != "note")


@pytest.mark.parametrize("language", ["hu", "sr", "sr-Latn", "sl"])
def test_everything_that_a_school_is_asked_about_the_corpus_is_said_in_its_language(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    for one in asked_in_the_corpus():
        for text in (one.problem, one.remedy):
            assert remove_cell_values(text) != "There is a question about it.", text
            said = translate_sentence(text, catalogue)
            assert said != text
            assert "{" not in said.replace(one.value, "")


@pytest.mark.parametrize("language", ["hu", "sr", "sl"])
def test_names_of_fields_tables_and_answers_in_a_sentence_are_said_too(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    told = [
        "The same pupil (school_id, pupil_id) is in row 89 with other values.",
        "Give one of: enrolled, left_early.",
        "None of its first 30 rows is a header of the table status.",
        "It has no column 'school_id' and no column 'status', which every row needs.",
    ]
    said = " ".join(translate_sentence(text, catalogue) for text in told)
    assert not re.search(r"school_id|pupil_id|row 89|enrolled|left_early|status(?! dijaka)|no column", said)
    assert "89" in said


@pytest.mark.parametrize("language", ["en", "hu", "sr", "sr-Latn", "sl"])
def test_labels_and_answers_in_a_language_are_understood_by_intake(language: str) -> None:
    catalogue = Catalogue("data_schema", Language(language))
    country = {"hu": "HU", "sr": "RS", "sr-Latn": "RS", "sl": "SI"}.get(language, "")
    for table in standard_tables().values():
        for field in table.in_country(country).fields:
            label = get_field_label(field, catalogue, about=table.about)
            assert normalise_header(label) in field.header_keys
            assert [field.code_of(word) for word in get_answer_labels(field, catalogue)] == list(field.codes)
            if field.type == "code" and language != "en" and field.name != "currency":
                assert all(
                    word != code.name
                    for word, code in zip(get_answer_labels(field, catalogue), field.codes, strict=True)
                )


def test_a_country_has_its_language() -> None:
    assert [get_language_of_country(country) for country in ("HU", "RS", "SI", "PT")] == ["hu", "sr", "sl", "en"]
    assert translate_sentence("", ENGLISH) == ""
    assert translate_sentence("Something {odd}.", ENGLISH) == "Something {odd}."


def struck_out(cells: Mapping[str, bool]) -> bytes:
    """Return a workbook of three pupils in which cells are struck through; False takes the strike away again."""
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in ("school_id pupil_id status average_mark", *(f"031201 000{k} enrolled 4" for k in (1, 2, 3))):
        sheet.append(row.split())
    for cell, strike in cells.items():
        sheet[cell].font = Font(strike=strike)
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def taken(content: bytes, answers: Mapping[str, bytes] | None = None) -> Intake:
    files = {"list.csv": LIST, "HU/status_031201.xlsx": content, **(answers or {})}
    return read_inbox(files, rules=RULES, tables=standard_tables(), schools={"031201": "HU"}, waves=["w"])


def test_a_row_that_is_struck_through_is_asked_about_and_kept_out_until_somebody_answers() -> None:
    content = struck_out({"A3": True, "B3": True, "C3": True, "D4": True, "D2": False})
    first = taken(content)
    assert questions(first) == [(3, ""), (4, "")]
    assert set(statuses(first)) == {"0001"}
    row = first.reconciliation.set_index("file").loc["HU/status_031201.xlsx"]
    assert (row["sent"], row["kept"], row["asked"], row["refused"]) == (3, 1, 2, 0)
    given: dict[tuple[str, str], str | int] = {("3", "None"): "no", ("4", "None"): "yes"}
    second = taken(content, {"back.xlsx": answered(workbook_of(first), given)})
    assert questions(second) == []
    assert set(statuses(second)) == {"0001", "0003"}
    assert second.answers["status"].tolist() == ["removed", "confirmed"]


def test_a_strike_in_the_header_or_beside_the_table_or_on_an_empty_cell_asks_nothing() -> None:
    intake = taken(struck_out({"A1": True, "F2": True, "E3": True}))
    assert questions(intake) == []
    assert set(statuses(intake)) == {"0001", "0002", "0003"}
