"""Headers that are nearly known, and signs in place of answers -> read, or asked about with the right reason."""

from __future__ import annotations

import io

import openpyxl
import pytest

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables

HEADER = "school_id;pupil_id;name;class;grade;disadvantaged;prior_average;consent"


def taken_in(text: str, *, table: str = "pupil") -> Intake:
    return read_inbox(
        {"a.csv": text.encode()},
        rules=[InboxRule("*", table, wave="w")],
        tables=standard_tables(),
        schools={"1": "HU"},
        waves=["w"],
    )


def questions(intake: Intake) -> list[tuple[int | None, str, str]]:
    return [(one.row, one.column, one.problem) for one in intake.findings.by_severity("question")]


@pytest.mark.parametrize(
    "header",
    [
        "prior\u00adaverage",
        "prior_average¹",
        "prior_average *",
        "prior_average 2)",
        "prior\u200b average",
        "prior_average†",
    ],
)
def test_a_header_with_a_hidden_hyphen_or_the_mark_of_a_footnote_is_its_field_s(header: str) -> None:
    if "\u00ad" in header:
        header = header.replace("\u00ad", "_\u00ad")
    intake = taken_in(f"school_id;pupil_id;{header}\n1;1;4\n")
    assert intake.frames["pupil"]["prior_average"].tolist() == [4.0]
    assert questions(intake) == []


def test_a_column_lost_through_a_misspelt_header_is_asked_about() -> None:
    (found,) = questions(taken_in("school_id;pupil_id;prior_avrage\n1;1;4\n"))
    assert found == (1, "prior_avrage", "The table 'pupil' has no such column; its values are left out.")
    assert questions(taken_in("school_id;pupil_id;prior_avrage\n1;1;\n")) == [], "nothing is lost"
    assert questions(taken_in("school_id;pupil_id;prior_average;prior_avrage\n1;1;4;4\n")) == [], (
        "the field has its own"
    )


DITTO = "means 'the same as above'"


@pytest.mark.parametrize("sign", ['"', "''", "〃", "-||-", '-"-', "u.o.", "idem", "„"])
def test_a_ditto_mark_in_a_workbook_is_asked_about(sign: str) -> None:
    book = openpyxl.Workbook()
    for row in (["school_id", "pupil_id", "class", "grade"], ["1", "1", "9.a", 9], ["1", "2", sign, sign]):
        book.worksheets[0].append(row)
    made = io.BytesIO()
    book.save(made)
    intake = read_inbox(
        {"a.xlsx": made.getvalue()}, rules=[InboxRule("*", "pupil", wave="w")], tables=standard_tables(),
        schools={"1": "HU"}, waves=["w"],
    )  # fmt: skip
    assert [(row, column) for row, column, problem in questions(intake) if DITTO in problem] == [
        (3, "class"),
        (3, "grade"),
    ]
    assert intake.frames["pupil"]["class"].isna().tolist() == [False, True]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_lone_quotation_mark_in_a_text_file_is_a_ditto_mark(end: str) -> None:
    lines = [HEADER, "1;1;A;9.a;9;no;4;yes", *(f'1;{k};B;";9;no;4;yes' for k in range(2, 7)), '1;7;C;";9;no;4;"', ""]
    intake = taken_in(end.join(lines))
    assert len(intake.frames["pupil"]) == 7
    asked = [(row, column) for row, column, problem in questions(intake) if DITTO in problem]
    assert asked == [(row, "class") for row in range(3, 8)] + [(8, "class"), (8, "consent")]


def test_quotation_marks_that_quote_are_left_alone() -> None:
    intake = taken_in(f'{HEADER}\n1;1;"A;B";"9.a";9;no;4;yes\n1;2;";";9.a;9;no;4;yes\n1;3;"C ""D""";9.a;9;no;4;yes\n')
    assert intake.frames["pupil"]["name"].tolist() == ["A;B", ";", 'C "D"']
    assert questions(intake) == []


def test_plus_and_minus_are_asked_about_both_and_minus_alone_is_what_it_was() -> None:
    intake = taken_in("school_id;pupil_id;disadvantaged;consent\n1;1;+;-\n1;2;-;yes\n1;3;✓;no\n")
    asked = [(row, column) for row, column, problem in questions(intake) if "signs such as" in problem]
    assert asked == [(2, "disadvantaged"), (3, "disadvantaged"), (4, "disadvantaged")]
    assert intake.repairs[["column", "rule"]].to_numpy().tolist() == [["consent", "missing mark"]]
