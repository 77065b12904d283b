"""Checks across rows and tables."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from data_schema.checks import (
    SchoolNames,
    check_across_tables,
    find_contradicting_files,
    find_duplicates,
    find_missing_answers,
    find_missing_keys,
    split_bare_identifier,
)
from data_schema.fields import Field
from data_schema.school_tables import standard_tables
from data_schema.tables import Table

TABLES = standard_tables()
SCHOOLS = ["031201", "RS-101", "SI-04", "si-4b"]


@pytest.mark.parametrize(
    ("sent", "school"),
    [("031201", "031201"), ("rs-101", "RS-101"), ("31201", None), ("SI-4", None), ("RS101", None), ("99", None)],
)
def test_a_school_is_matched_in_any_case_and_in_no_other_way(sent: str, school: str | None) -> None:
    assert SchoolNames(SCHOOLS).match(sent).school == school


@pytest.mark.parametrize(("sent", "meant"), [("31201", "031201"), ("SI-4", "SI-04"), ("RS 101", "RS-101")])
def test_a_school_that_looks_alike_is_suggested(sent: str, meant: str) -> None:
    assert f"Is {meant!r} meant?" in SchoolNames(SCHOOLS).match(sent).remedy


def test_two_schools_that_look_alike_are_both_suggested() -> None:
    assert "Is '01' or '001' meant?" in SchoolNames(["001", "01"]).match("1").remedy.replace(
        "'001' or '01'", "'01' or '001'"
    )


def test_a_school_that_was_chosen_in_a_form_is_known_by_its_identifier_before_its_name() -> None:
    chosen = SchoolNames(SCHOOLS).match("031201 Kossuth Lajos")
    assert (chosen.school, chosen.rule) == ("031201", "synonym")
    assert SchoolNames(SCHOOLS).match("Kossuth 031201").school is None


def test_two_schools_that_differ_by_case_are_not_guessed_between() -> None:
    assert SchoolNames(["ab", "AB"]).match("Ab").school is None
    assert SchoolNames(["ab", "AB"]).match("ab").school == "ab"


def test_identifiers_without_zeros_and_signs() -> None:
    assert split_bare_identifier("SI-004") == split_bare_identifier("si 4") == ("si", "4")
    assert split_bare_identifier("000") == ("0",)
    assert split_bare_identifier("10") != split_bare_identifier("1")


def test_an_empty_part_of_the_key_is_asked_for_once() -> None:
    values = {"school_id": ["1", None, None], "pupil_id": [None, "2", "3"]}
    found = list(find_missing_keys(values, TABLES["status"], asked={2}))
    assert [(problem.position, problem.column, problem.outcome) for problem in found] == [
        (1, "school_id", "asked"),
        (0, "pupil_id", "asked"),
    ]


def test_a_column_may_be_an_array() -> None:
    values = {"school_id": np.array(["1", None], dtype=object), "pupil_id": np.array(["1", "2"], dtype=object)}
    assert [problem.position for problem in find_missing_keys(values, TABLES["status"], asked=set())] == [1]


def test_a_missing_required_answer_leaves_the_row_in() -> None:
    found = list(find_missing_answers({"status": ["enrolled", None, None]}, TABLES["status"], asked={2}))
    assert [(problem.position, problem.column, problem.outcome) for problem in found] == [(1, "status", "kept")]


def rows(*answers: tuple[str, str, str], files: tuple[str, ...] = ()) -> pd.DataFrame:
    n = len(answers)
    frame = pd.DataFrame(answers, columns=["school_id", "item", "currency"]).assign(hours=1.0, amount=2.0)
    return frame.assign(
        price_year=2027, wave="", source_file=list(files) or ["a.csv"] * n, source_sheet="", source_row=range(2, n + 2)
    )


def test_a_repeated_row_is_kept_once() -> None:
    (problem,) = find_duplicates(rows(("1", "x", "EUR"), ("1", "x", "EUR"), ("1", "y", "EUR")), TABLES["costs"])
    assert (problem.position, problem.outcome, problem.severity) == (1, "refused", "note")
    assert "as row 2" in problem.problem


def test_a_row_that_contradicts_another_names_it_with_its_file() -> None:
    frame = rows(("1", "x", "EUR"), ("1", "x", "HUF"), files=("a.csv", "b.csv"))
    found = list(find_duplicates(frame, TABLES["costs"]))
    assert [(problem.position, problem.outcome, problem.column) for problem in found] == [
        (0, "asked", "item"),
        (1, "asked", "item"),
    ]
    assert "b.csv, row 3" in found[0].problem
    assert "a.csv, row 2" in found[1].problem


def test_a_contradiction_about_a_pupil_speaks_of_the_pupil_and_one_about_a_school_of_a_record() -> None:
    table = TABLES["pupil"]
    frame = pd.DataFrame({name: ["1", "1"] for name in table.names}).assign(
        grade=[9, 10], wave="", source_file="a.csv", source_sheet="", source_row=[2, 3]
    )
    first, second = find_duplicates(frame, table)
    assert first.problem == "The same pupil (school_id, pupil_id) is in row 3 with other values."
    assert (first.column, second.column) == ("pupil_id", "pupil_id")
    record = next(iter(find_duplicates(rows(("1", "x", "EUR"), ("1", "x", "HUF")), TABLES["costs"])))
    assert record.problem.startswith("The same record (")


def test_another_sheet_of_the_file_is_named() -> None:
    frame = rows(("1", "x", "EUR"), ("1", "x", "EUR")).assign(source_sheet=["A", "B"])
    (problem,) = find_duplicates(frame, TABLES["costs"])
    assert "a.csv, sheet 'A', row 2" in problem.problem


def test_rows_without_a_double_have_no_problem() -> None:
    assert list(find_duplicates(rows(("1", "x", "EUR"), ("2", "x", "EUR")), TABLES["costs"])) == []


def pupils(*told: tuple[str, str, int | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(told, columns=["pupil_id", "wave", "birth_year", "gender"]).assign(school_id="1")
    return frame.assign(source_file=frame["wave"] + ".csv", source_sheet="S", source_row=range(2, len(told) + 2))


def test_a_pupil_of_no_list_is_asked_about_and_one_of_a_row_in_question_is_not() -> None:
    listed = pupils(("a", "baseline", 2011, "girl"))
    status = pupils(("a", "f", None, None), ("b", "f", None, None), ("c", "f", None, None))
    (found,) = check_across_tables({"pupil": listed, "status": status}, TABLES, pending=[("1", "b")])
    assert (found.file, found.sheet, found.row, found.column, found.value) == ("f.csv", "S", 4, "pupil_id", "")
    assert found.severity == "question"


def test_a_pupil_whose_identifier_lost_a_zero_gets_that_hint() -> None:
    listed, status = pupils(("007", "baseline", 2011, "girl")), pupils(("7", "f", None, None))
    (found,) = check_across_tables({"pupil": listed, "status": status}, TABLES)
    assert "leading zeros" in found.remedy


def test_tables_about_schools_name_no_pupils() -> None:
    costs = rows(("1", "x", "EUR"))
    assert check_across_tables({"pupil": pupils(), "costs": costs}, TABLES) == []


@pytest.mark.parametrize(
    ("later", "columns"),
    [
        ((2010, "girl"), ["birth_year"]),
        ((2010, "boy"), ["birth_year", "gender"]),
        ((2011, "girl"), []),
        ((None, None), []),
    ],
)
def test_one_identifier_with_other_traits_may_be_two_pupils(
    later: tuple[int | None, str | None], columns: list[str]
) -> None:
    frame = pupils(("a", "baseline", 2011, "girl"), ("a", "followup", *later), ("b", "followup", 2010, "boy"))
    found = check_across_tables({"pupil": frame}, TABLES)
    assert [(one.file, one.row, one.column) for one in found] == [("followup.csv", 3, column) for column in columns]
    assert all("baseline.csv, row 2" in one.problem for one in found)


def test_traits_that_a_trial_does_not_collect_are_not_compared() -> None:
    frame = pupils(("a", "b", 2011, "girl"), ("a", "f", 2010, "girl")).drop(columns=["birth_year", "gender"])
    assert check_across_tables({"pupil": frame}, TABLES) == []


DATES = {"baseline": (date(2027, 9, 1), date(2027, 12, 31)), "followup": (date(2028, 9, 1), date(2028, 12, 31))}


@pytest.mark.parametrize(
    ("day", "n_asked"), [("2027-09-01", 0), ("2028-12-31", 0), ("2027-08-31", 1), ("2029-01-01", 1), (None, 0)]
)
def test_a_status_outside_the_time_of_the_trial_is_asked_about(day: str | None, n_asked: int) -> None:
    status = pupils(("a", "followup", None, None)).assign(status_date=pd.to_datetime(pd.Series([day])))
    found = check_across_tables({"status": status}, TABLES, wave_dates=DATES)
    assert [one.severity for one in found] == ["question"] * n_asked
    assert [one.value for one in found] == [day] * n_asked


def test_a_wave_without_dates_and_a_table_without_dates_are_not_checked() -> None:
    status = pupils(("a", "other", None, None)).assign(status_date=pd.to_datetime(["1999-01-01"]))
    assert check_across_tables({"status": status}, TABLES, wave_dates=DATES) == []
    assert check_across_tables({"status": status.drop(columns="status_date")}, TABLES, wave_dates=DATES) == []


def test_a_trial_without_list_of_pupils_has_no_cross_checks_of_pupils() -> None:
    school, pupil = TABLES["pupil"].fields[:2]
    exam = Table(name="exam", fields=(school, pupil, Field("mark", "number")), key=("school_id", "pupil_id"))
    assert check_across_tables({"exam": pupils(("a", "b", 1, "x"))}, {"exam": exam}) == []


def test_two_files_that_contradict_each_other_are_told_once_with_the_number_of_rows() -> None:
    answers = [("1", "x", "EUR"), ("1", "x", "HUF"), ("1", "y", "EUR"), ("1", "y", "HUF"), ("1", "z", "EUR")]
    frame = rows(*answers, files=("a.csv", "b.csv", "a.csv", "b.csv", "a.csv"))
    (found,) = find_contradicting_files(frame, TABLES["costs"])
    assert (found.file, found.severity) == ("b.csv", "note")
    assert "2 of its rows" in found.problem
    assert found.problem.endswith("rows of a.csv.")


@pytest.mark.parametrize("files", [("a.csv", "a.csv"), ("a.csv", "b.csv")])
def test_rows_of_one_file_or_with_the_same_values_contradict_no_file(files: tuple[str, str]) -> None:
    currencies = ("EUR", "HUF") if files[0] == files[1] else ("EUR", "EUR")
    frame = rows(*(("1", "x", currency) for currency in currencies), files=files)
    assert list(find_contradicting_files(frame, TABLES["costs"])) == []
    assert list(find_contradicting_files(frame[:1], TABLES["costs"])) == []


@pytest.mark.parametrize("sent", ["RЅ-101", "ＲＳ-101", "RS 101"])
def test_letters_of_another_alphabet_are_asked_about_with_the_school_that_they_look_like(sent: str) -> None:
    found = SchoolNames(SCHOOLS).match(sent)
    assert found.school is None
    assert "Is 'RS-101' meant?" in found.remedy
