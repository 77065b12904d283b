"""Files as they lie in the inbox -> what becomes of rows that belong elsewhere, as a small drawn table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.queries import query_workbook
from data_schema.school_tables import standard_tables

SCHOOLS = {"031201": "HU", "031202": "HU", "RS-101": "RS", "12": "HU"}
RULES = [
    InboxRule(f"{wave}/**/{table}_*", table, wave=wave)
    for wave in ("baseline", "followup")
    for table in ("pupil", "status", "survey")
]


def taken_in(files: dict[str, bytes]) -> Intake:
    return read_inbox(
        files, rules=RULES, tables=standard_tables(), schools=SCHOOLS, waves=["baseline", "followup"], lists=["pupil"]
    )


def survey(school: str, *, shift: int = 0, n: int = 12, first: int = 1) -> bytes:
    """Return answers of pupils to three questions, which hardly two pupils answer alike."""
    rows = [
        f"{school};{k};{1 + (k + shift) % 5};{1 + (k // 2 + shift) % 5};{1 + k * k % 5}"
        for k in range(first, first + n)
    ]
    return "\n".join(["school_id;pupil_id;engagement_1;engagement_2;belonging_1", *rows, ""]).encode()


def all_alike(school: str) -> bytes:
    return "\n".join(["school_id;pupil_id;engagement_1", *(f"{school};{k};3" for k in range(1, 31)), ""]).encode()


def edited(content: bytes, *, row: int) -> bytes:
    """Return a file with another answer in one row."""
    lines = content.decode().split("\n")
    lines[row] = ";".join([*lines[row].split(";")[:2], "5", "5", "5"])
    return "\n".join(lines).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Files; rows that are kept of each, and what the questions say, one for each."""

    files: dict[str, bytes]
    kept: dict[str, int]
    asked: tuple[str, ...] = ()


FIRST, LATER = "baseline/HU/survey_031201.csv", "followup/HU/survey_031201.csv"
CASES = {
    "other answers in the next wave": Case(
        files={FIRST: survey("031201"), LATER: survey("031201", shift=1)}, kept={FIRST: 12, LATER: 12}
    ),
    "one file in two waves": Case(
        files={FIRST: survey("031201"), LATER: survey("031201")},
        kept={FIRST: 12, LATER: 0},
        asked=(f"The file is the same as {FIRST}, which is of the wave 'baseline'; its rows are kept out.",),
    ),
    "one file in two waves in which all answer alike": Case(
        files={FIRST: all_alike("031201"), LATER: all_alike("031201")},
        kept={FIRST: 30, LATER: 0},
        asked=(f"The file is the same as {FIRST}, which is of the wave 'baseline'; its rows are kept out.",),
    ),
    "nearly the same rows in two waves": Case(
        files={FIRST: survey("031201"), LATER: edited(survey("031201"), row=3)},
        kept={FIRST: 12, LATER: 1},
        asked=(f"11 of its 12 rows say in every cell what {FIRST} says in the wave 'baseline'; they are kept out.",),
    ),
    "pupils who all answer alike, in both waves": Case(
        files={FIRST: all_alike("031201"), LATER: all_alike("031201") + b"\n"}, kept={FIRST: 30, LATER: 30}
    ),
    "one list of pupils in two waves": Case(
        files={
            "baseline/HU/pupil_031201.csv": b"school_id;pupil_id\n031201;1\n031201;2\n",
            "followup/HU/pupil_031201.csv": b"school_id;pupil_id\n031201;1\n031201;2\n",
        },
        kept={"baseline/HU/pupil_031201.csv": 2, "followup/HU/pupil_031201.csv": 2},
        asked=(
            "The file is the same as baseline/HU/pupil_031201.csv, which is of the wave 'baseline'; one of the two may "
            "lie in the wrong place.",
        ),
    ),
    "a file named for one school with another's rows": Case(
        files={FIRST: survey("031202", n=2)},
        kept={FIRST: 0},
        asked=("The file is that of the school '031201', and the row is of '031202'.",) * 2,
    ),
    "a folder named for one school with another's rows": Case(
        files={"baseline/HU/031201/survey_9a.csv": survey("031202", n=1)},
        kept={"baseline/HU/031201/survey_9a.csv": 0},
        asked=("The file is that of the school '031201', and the row is of '031202'.",),
    ),
    "one row of another school": Case(
        files={FIRST: survey("031201", n=2) + b"031202;9;1;1;1\n"},
        kept={FIRST: 2},
        asked=("The file is that of the school '031201', and the row is of '031202'.",),
    ),
    "a file named for the schools that are in it": Case(
        files={"baseline/HU/survey_031201_031202.csv": survey("031201", n=1) + b"031202;9;1;1;1\n"},
        kept={"baseline/HU/survey_031201_031202.csv": 2},
    ),
    "a number in a name that may be anything": Case(
        files={"baseline/HU/survey_12.csv": survey("031201", n=1)}, kept={"baseline/HU/survey_12.csv": 1}
    ),
    "a country's rows in another's folder": Case(
        files={"baseline/HU/survey_a.csv": survey("RS-101", n=1)},
        kept={"baseline/HU/survey_a.csv": 1},
        asked=("The file lies with those of 'HU', and 'RS-101' is a school of 'RS'.",),
    ),
    "one file under the names of two schools": Case(
        files={FIRST: survey("031201", n=2), "baseline/HU/survey_031202.csv": survey("031201", n=2)},
        kept={FIRST: 2, "baseline/HU/survey_031202.csv": 0},
        asked=(f"The file is the same as {FIRST}, though another school or country is in its name.",),
    ),
    "a school's rows under another school's identifier": Case(
        files={FIRST: survey("031201"), "baseline/HU/survey_031202.csv": survey("031202")},
        kept={FIRST: 12, "baseline/HU/survey_031202.csv": 0},
        asked=(f"12 of its 12 rows say in every cell what {FIRST} says of another school; they are kept out.",),
    ),
    "a school's answers under other pupils' identifiers": Case(
        files={FIRST: survey("031201"), "baseline/HU/survey_031202.csv": survey("031202", first=6, shift=-5)},
        kept={FIRST: 12, "baseline/HU/survey_031202.csv": 12},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_files_in_the_wrong_place_are_asked_about(case: Case) -> None:
    intake = taken_in(case.files)
    assert dict(zip(intake.reconciliation["file"], intake.reconciliation["kept"], strict=True)) == case.kept
    assert (intake.reconciliation["sent"] == intake.reconciliation[["kept", "asked", "refused"]].sum(axis=1)).all()
    expected = ("no list", "is missing", "It has no column")
    asked = [one.problem for one in intake.findings.by_severity("question")]
    assert tuple(one for one in asked if not any(text in one for text in expected)) == case.asked


def answered(files: dict[str, bytes], answer: str) -> Intake:
    """Return what intake makes of the files with one answer to all their questions."""
    import io

    import openpyxl

    intake = taken_in(files)
    sent = dict(files)
    for school, queries in intake.queries.items():
        english = Catalogue("data_schema", Language("en"))
        book = openpyxl.load_workbook(io.BytesIO(query_workbook(queries, school=school, catalogue=english)))
        for row in book.worksheets[0].iter_rows(min_row=6):
            if row[6].value and ("row is of" in str(row[6].value) or "is the same as" in str(row[6].value)):
                row[8].value = answer
        made = io.BytesIO()
        book.save(made)
        sent[f"answers_{school}.xlsx"] = made.getvalue()
    return taken_in(sent)


def test_rows_of_another_school_that_the_school_confirms_are_kept() -> None:
    intake = answered({FIRST: survey("031202", n=2)}, "yes")
    assert intake.frames["survey"]["school_id"].tolist() == ["031202"] * 2
    assert not any("row is of" in one.problem for one in intake.findings)


def test_the_right_school_in_an_answer_takes_the_place_of_the_wrong_one() -> None:
    intake = answered({FIRST: survey("031202", n=2)}, "031201")
    assert intake.frames["survey"]["school_id"].tolist() == ["031201"] * 2
