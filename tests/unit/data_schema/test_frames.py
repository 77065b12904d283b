"""The sampling frame, and other tidy files."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from data_schema.errors import DataError
from data_schema.fields import Code, Field
from data_schema.frames import read_data_frame, read_school_frame
from data_schema.school_tables import standard_tables
from data_schema.tables import extended

SCHOOL = standard_tables()["school"]
HEADER = "school_id,name,country,type,size,prior_dropout_rate,consent,pair,note\n"
ROWS = (
    "RS-101,Техничка школа,RS,vocational,402,0.131,yes,2,by train\n",
    '031201,"Szegedi Technikum, 1.",HU,general,251,0.052,no,1.5,\n',
)


def read(*rows: str, header: str = HEADER) -> tuple[pd.DataFrame, list[str]]:
    frame, findings = read_school_frame((header + "".join(rows)).encode(), SCHOOL, file="schools.csv")
    return frame, [str(finding) for finding in findings]


def test_schools_come_sorted_with_zeros_kept_and_further_columns_read_as_what_they_are() -> None:
    frame, findings = read_school_frame((HEADER + "".join(ROWS)).encode(), SCHOOL)
    assert frame["school_id"].tolist() == ["031201", "RS-101"]
    assert frame["size"].tolist() == [251, 402]
    assert frame["consent"].tolist() == [False, True]
    assert frame["pair"].tolist() == [1.5, 2.0]
    assert frame["note"].fillna("").tolist() == ["", "by train"]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "school_id": "str",
        "name": "str",
        "country": "str",
        "type": "str",
        "size": "Int64",
        "prior_dropout_rate": "float64",
        "consent": "boolean",
        "pair": "float64",
        "note": "str",
    }
    assert list(findings) == []


def test_a_headers_own_spelling_of_a_further_column_stays() -> None:
    frame, _ = read_school_frame(b"school_id;country;Pupils (2026) ;\n1;HU;5;\n", SCHOOL)
    assert list(frame) == ["school_id", "country", "Pupils (2026)"]


def test_a_cell_that_cannot_be_read_is_missing_and_asked_about() -> None:
    frame, findings = read(ROWS[0], ROWS[1].replace("251", "25I"))
    assert findings == [
        "schools.csv, row 3, column 'size': '25I' is not a whole number. Was a letter written for a digit (O for 0, I "
        "for 1)? Send the number in digits."
    ]
    assert frame["size"].isna().tolist() == [True, False]


def test_a_trials_own_school_types_replace_the_standard_ones() -> None:
    table = extended(SCHOOL, [Field("type", "code", codes=(Code("Secular"), Code("Arab")))])
    frame, findings = read_school_frame(b"school_id,country,type\n1,IL,Arab\n2,IL,secular\n", table)
    assert frame["type"].tolist() == ["Arab", "Secular"]
    assert not findings


def test_a_country_that_is_missing_is_asked_for() -> None:
    _, findings = read(ROWS[0].replace(",RS,", ",,"))
    assert [text for text in findings if "'country' is missing" in text]


def test_schools_that_differ_by_a_leading_zero_are_asked_about() -> None:
    frame, findings = read(ROWS[1], ROWS[1].replace("031201", "31201"))
    assert len(frame) == 2
    assert len(findings) == 2
    assert "'031201' differs from '31201'" in findings[0]


@pytest.mark.parametrize(
    ("content", "place", "text", "n_findings"),
    [
        (HEADER + ROWS[0] + ROWS[1] + ROWS[0], "schools.csv, row 2, column 'school_id'", "twice.*row 4", 2),
        (HEADER + ROWS[0].replace("RS-101", ""), "schools.csv, row 2, column 'school_id'", "missing", 1),
        (HEADER + ROWS[0].replace("RS-101", "7.0E+5"), "schools.csv, row 2, column 'school_id'", "rounded", 1),
        (HEADER, "schools.csv", "lists no school", 1),
        ("school_id,size\n1,2\n", "schools.csv", "no column 'country'", 1),
        ("name,country\nx,HU\n", "schools.csv, row 1", "no column 'school_id'", 1),
        ("a,b\n1,2\n", "schools.csv", "is a header", 1),
        ("", "schools.csv", "empty", 1),
    ],
)
def test_a_frame_that_cannot_be_used_is_an_error_with_its_findings(
    content: str, place: str, text: str, n_findings: int
) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_school_frame(content.encode(), SCHOOL)
    assert caught.value.place == place
    assert caught.value.findings is not None
    assert len(caught.value.findings) == n_findings


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file") as caught:
        read_school_frame(tmp_path / "schools.csv", SCHOOL)
    assert caught.value.place == "schools.csv"


def test_a_sheet_that_is_not_there_is_an_error() -> None:
    book, made = Workbook(), io.BytesIO()
    book.create_sheet("Schools").append(["school_id", "country"])
    book["Schools"].append(["01", "HU"])
    book.save(made)
    content = made.getvalue()
    assert read_school_frame(content, SCHOOL, sheet="Schools")[0]["school_id"].tolist() == ["01"]
    with pytest.raises(DataError, match="no sheet 'Schulen'"):
        read_school_frame(content, SCHOOL, sheet="Schulen")


def read_tidy(folder: Path, text: str) -> pd.DataFrame:
    (folder / "pupils.csv").write_text(text, encoding="utf-8")
    return read_data_frame(folder / "pupils.csv")


def test_columns_of_a_tidy_file_are_numbers_truth_or_text(tmp_path: Path) -> None:
    text = "school,arm,score,left,small\n007,control,1.5,TRUE,1e-3\n012,NA,NA,false,\n013,pilot,-2.25,,3\n"
    frame = read_tidy(tmp_path, text)
    assert frame["school"].tolist() == ["007", "012", "013"], "zeros of an identifier stay"
    assert frame["arm"].isna().tolist() == [False, True, False]
    assert frame["score"].tolist()[::2] == [1.5, -2.25]
    assert frame["left"].tolist() == [True, False, pd.NA]
    assert frame["small"].tolist()[::2] == [0.001, 3.0]


def test_numbers_with_two_readings_are_settled_by_the_others_of_their_column(tmp_path: Path) -> None:
    frame = read_tidy(tmp_path, "a;b\n1.234;1.234\n5.678;0,5\n")
    assert frame["b"].tolist() == [1234.0, 0.5]
    assert read_tidy(tmp_path, "a,b\n1.234,x\n5.6,y\n")["a"].tolist() == [1.234, 5.6]
    assert read_tidy(tmp_path, "a,b\n1e999,x\n2,y\n")["a"].tolist() == ["1e999", "2"], "infinite is no number"


def test_plain_numbers_are_read_as_the_repairing_reader_reads_them(tmp_path: Path) -> None:
    plain = ["0.5", "-12", "3e2", "1234567.25", "0", ""]
    quick = read_tidy(tmp_path, "a,b\n" + "".join(f"{one},x\n" for one in plain))["a"].tolist()
    slow = read_tidy(tmp_path, "a,b\n" + "".join(f"{one},x\n" for one in [*plain, '"2 000"']))["a"].tolist()
    assert quick[:-1] == slow[:-2]
    assert pd.isna(quick[-1])
    assert pd.isna(slow[-2])
