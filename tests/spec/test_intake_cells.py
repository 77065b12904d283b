"""The tables of cells in data_schema/README.md: what was sent -> value, repairs, question."""

from __future__ import annotations

from pathlib import Path

import pytest

import data_schema
from data_schema.clean import format_value
from data_schema.columns import clean_column
from data_schema.fields import Field
from data_schema.layout import Layout
from data_schema.readers import Cell, Sheet
from data_schema.school_tables import standard_tables

README = Path(data_schema.__file__).with_name("README.md")
TABLES = standard_tables()
FIELDS = {
    "number": Field("number", "number", minimum=1, maximum=5),
    "amount": Field("amount", "number", minimum=0),
    "count": Field("count", "whole_number", minimum=0, maximum=400),
    "mark": Field("mark", "number", minimum=1, maximum=5, unit="mark"),
    "share": Field("share", "number", minimum=0, maximum=1, unit="share"),
    "hours": Field("hours", "whole_number", minimum=0, maximum=400, unit="hours a month"),
    "year": Field("year", "year", minimum=1980, maximum=2060),
    "gender": TABLES["pupil"].field("gender"),
    "status": TABLES["status"].field("status"),
    "yes_no": Field("yes_no", "yes_no"),
    "date": Field("date", "date"),
    "month": Field("month", "month"),
    "identifier": Field("identifier", "identifier"),
    "text": Field("text", "text"),
}


def rows_of_readme() -> list[tuple[str, ...]]:
    lines = README.read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines if line.startswith("|")]
    return [row for row in rows if len(row) == 5 and row[0] in FIELDS]


def cell_of(text: str) -> Cell:
    if text.startswith('"'):
        return text.strip('"').replace("␣", " ") or None
    if text in ("true", "false"):
        return text == "true"
    return float(text) if "." in text else int(text)


def test_the_readme_has_a_row_for_every_field() -> None:
    rows = rows_of_readme()
    assert {row[0] for row in rows} == set(FIELDS)
    assert len(rows) > 55


@pytest.mark.parametrize("row", rows_of_readme(), ids=" ".join)
def test_a_cell_becomes_what_the_readme_says(row: tuple[str, ...]) -> None:
    field, sent, value, repairs, question = row
    # Text is a CSV file's, whose cells have no types; the rest is a workbook's.
    sheet = Sheet(file="f", sheet="", rows=((field,), (cell_of(sent),)), separator=";" if sent.startswith('"') else "")
    column = clean_column(FIELDS[field], [Layout(sheet=sheet, header=0, columns={field: 0}, rows=(1,))])
    (cell,) = column.cells
    assert format_value(cell.value) == value
    assert ", ".join(cell.rules) == repairs
    assert cell.problem.replace("{value}", repr(format_value(column.sent[0]))) == question
    assert bool(cell.problem) == bool(cell.remedy)
