"""OpenDocument spreadsheets: cells with their types, in bounds."""

from __future__ import annotations

from datetime import date

import pytest

from data_schema.readers.ods import read_ods
from data_schema.readers.sheets import Row, Sheet
from tests.support.bad_files import ods, zipped

HIDDEN = (
    '<office:automatic-styles><style:style style:name="ta1" style:family="table">'
    '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
)


def sheet_of(content: bytes) -> Sheet:
    reading = read_ods(content, file="a.ods")
    assert not reading.findings
    return reading.sheets[0]


def rows_after(xml: str) -> tuple[Row, ...]:
    return sheet_of(ods([], after=f"<table:table-row>{xml}</table:table-row>")).rows


def test_cells_keep_their_types() -> None:
    row = ("001", 7, 4.5, date(2027, 10, 5), None, "x")
    sheet = sheet_of(ods([row]))
    assert (sheet.sheet, sheet.rows) == ("List1", (row,))
    assert [type(cell) for cell in sheet.rows[0][:3]] == [str, int, float]


def test_truth_values_formulas_errors_and_shown_zeros_are_told_as_they_are() -> None:
    assert rows_after(
        '<table:table-cell office:value-type="boolean" office:boolean-value="true"/>'
        '<table:table-cell table:formula="of:=SUM([.A1])"/>'
        '<table:table-cell office:value-type="string"><text:p>Err:502</text:p></table:table-cell>'
        '<table:table-cell office:value-type="float" office:value="31201"><text:p>031201</text:p></table:table-cell>'
        '<table:table-cell office:value-type="percentage" office:value="0.5"><text:p>50 %</text:p></table:table-cell>'
    ) == ((True, "=SUM([.A1])", "Err:502", "031201", 0.5),)


def test_text_keeps_its_spaces_and_lines_and_loses_remarks() -> None:
    cell = (
        '<table:table-cell office:value-type="string"><office:annotation><text:p>remark</text:p></office:annotation>'
        '<text:p>a<text:s text:c="2"/>b<text:span>c</text:span><text:tab/>e<text:line-break/>f</text:p>'
        "<text:p>d</text:p></table:table-cell>"
    )
    assert rows_after(cell) == (("a  bc\te\nf\nd",),)


def test_repeated_cells_and_rows_are_in_their_places() -> None:
    repeated = (
        '<table:table-cell table:number-columns-repeated="2"/>'
        '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="2"/>'
    )
    rows = (
        '<table:table-row table:number-rows-repeated="2"><table:table-cell/></table:table-row>'
        f'<table:table-row table:number-rows-repeated="2">{repeated}</table:table-row>'
    )
    filled = (None, None, 1, 1)
    assert sheet_of(ods([], after=rows)).rows == ((), (), filled, filled)


def test_hidden_sheets_rows_and_columns_are_told() -> None:
    columns = '<table:table-column table:number-columns-repeated="2"/><table:table-column table:visibility="collapse"/>'
    cell = '<table:table-cell office:value-type="float" office:value="1"/>'
    rows = f'<table:table-row table:visibility="filter">{cell}</table:table-row>'
    sheet = sheet_of(ods([("a",)], after=columns + rows, styles=HIDDEN, table=' table:style-name="ta1"'))
    assert (sheet.is_hidden, sheet.hidden_rows, sheet.hidden_columns) == (True, (2,), (3,))
    assert not sheet_of(ods([("a",)])).is_hidden


def test_a_merged_cell_stands_in_each_of_its_rows() -> None:
    merged = (
        '<table:table-row><table:table-cell office:value-type="string" table:number-rows-spanned="2">'
        "<text:p>x</text:p></table:table-cell><table:table-cell office:value-type='float' office:value='1'/>"
        "</table:table-row><table:table-row><table:covered-table-cell/>"
        "<table:table-cell office:value-type='float' office:value='2'/></table:table-row>"
    )
    sheet = sheet_of(ods([], after=merged))
    assert sheet.rows == (("x", 1), ("x", 2))
    assert sheet.merged == ("A1:A2",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<a/>"}), "another kind"),
        (zipped({"content.xml": b"<a/>"}), "another kind"),
        (zipped({"META-INF/manifest.xml": b"<manifest:encryption-data/>", "content.xml": b""}), "password"),
        (zipped({"content.xml": b"<a"}), "damaged"),
        (zipped({"content.xml": b"<!DOCTYPE a><a/>"}), "declares"),
        (ods([("a",)])[:-40], "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(content: bytes, problem: str) -> None:
    reading = read_ods(content, file="a.ods")
    assert not reading.sheets
    assert problem in reading.findings[0].problem


def test_more_columns_than_a_spreadsheet_has_are_refused() -> None:
    cell = '<table:table-cell office:value-type="float" office:value="1" table:number-columns-repeated="20000"/>'
    reading = read_ods(ods([], after=f"<table:table-row>{cell}</table:table-row>"), file="a.ods")
    assert "more columns" in reading.findings[0].problem
