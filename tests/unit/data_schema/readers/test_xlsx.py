"""Workbooks: cells with their types, in the places where a spreadsheet shows them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime

import pytest
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from data_schema.readers import Reading, Sheet
from data_schema.readers.xlsx import read_xlsx


def saved(workbook: Workbook) -> bytes:
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def workbook_of(*rows: tuple[object, ...]) -> bytes:
    workbook = Workbook()
    for row in rows:
        workbook.worksheets[0].append(list(row))
    return saved(workbook)


def sheet_of(content: bytes) -> Sheet:
    reading = read_xlsx(content, file="a.xlsx")
    assert not reading.findings
    return reading.sheets[0]


def changed(content: bytes, name: str, change: Callable[[str], str]) -> bytes:
    """Return the workbook with one file of its archive changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.namelist():
            text = source.read(entry)
            target.writestr(entry, change(text.decode()).encode() if entry == name else text)
    return made.getvalue()


def with_sheet(xml: str) -> bytes:
    data = f"<sheetData>{xml}</sheetData>"
    return changed(workbook_of((1,)), "xl/worksheets/sheet1.xml", lambda text: replaced(text, data))


def replaced(text: str, data: str) -> str:
    head, _, rest = text.partition("<sheetData>")
    return head + data + rest.partition("</sheetData>")[2]


def refusal(reading: Reading) -> str:
    (finding,) = reading.findings
    assert finding.severity == "refused"
    assert finding.file == "a.xlsx"
    assert not reading.sheets
    return finding.problem


def test_cells_keep_their_types() -> None:
    row = ("001", 7, 4.5, True, False, date(2027, 10, 5), datetime(2027, 10, 5, 12, 30), None, "x")  # noqa: DTZ001
    cells = sheet_of(workbook_of(row)).rows[0]
    assert cells == ("001", 7, 4.5, True, False, date(2027, 10, 5), date(2027, 10, 5), None, "x")
    assert [type(cell) for cell in cells[:4]] == [str, int, float, bool]


def test_all_sheets_are_read_in_their_order_with_their_names() -> None:
    workbook = Workbook()
    workbook.worksheets[0].title = "Učenici"
    workbook.create_sheet("Status & more").append(["a"])
    sheets = read_xlsx(saved(workbook), file="a.xlsx").sheets
    assert [(sheet.sheet, sheet.rows) for sheet in sheets] == [("Učenici", ()), ("Status & more", (("a",),))]
    assert {sheet.separator for sheet in sheets} == {""}


def test_rows_and_columns_that_are_left_out_keep_their_places() -> None:
    workbook = Workbook()
    workbook.worksheets[0]["C3"] = "x"
    assert sheet_of(saved(workbook)).rows == ((), (), (None, None, "x"))


def test_cells_without_a_reference_follow_each_other() -> None:
    rows = sheet_of(with_sheet("<row><c><v>1</v></c><c/><c><v>3</v></c><c/></row><row><c><v>4</v></c></row>")).rows
    assert rows == ((1, None, 3), (4,))


def test_a_wrong_note_of_the_size_cuts_nothing_off() -> None:
    content = changed(workbook_of((1, 2), (3, 4)), "xl/worksheets/sheet1.xml", lambda text: text.replace("A1:B2", "A1"))
    assert sheet_of(content).rows == ((1, 2), (3, 4))


def test_a_workbook_without_styles_has_no_dates() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook_of((46_300,)))) as source, zipfile.ZipFile(made, "w") as target:
        for entry in set(source.namelist()) - {"xl/styles.xml", "xl/sharedStrings.xml"}:
            target.writestr(entry, source.read(entry))
    assert sheet_of(made.getvalue()).rows == ((46_300,),)


def test_text_in_several_fonts_is_one_text() -> None:
    rich = CellRichText("Kiss ", TextBlock(InlineFont(b=True), "Anna"))
    assert sheet_of(workbook_of((rich,))).rows == (("Kiss Anna",),)


def test_a_formula_is_its_last_value_and_its_text_where_none_was_stored() -> None:
    assert sheet_of(with_sheet("<row><c><f>1+1</f><v>2</v></c><c><f>A1</f></c></row>")).rows == ((2, "=A1"),)
    assert sheet_of(with_sheet('<row><c t="str"><f>""</f><v></v></c><c><v>1</v></c></row>')).rows == ((None, 1),)


def test_errors_iso_dates_and_endless_numbers_are_told_as_they_are() -> None:
    cells = '<c t="e"><v>#REF!</v></c><c t="d"><v>2027-10-05T00:00:00</v></c><c><v>1e999</v></c><c><v>-3</v></c>'
    assert sheet_of(with_sheet(f"<row>{cells}</row>")).rows == (("#REF!", date(2027, 10, 5), "1e999", -3),)


def test_dates_of_the_other_epoch_are_the_same_days() -> None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    workbook = Workbook()
    workbook.epoch = CALENDAR_MAC_1904
    workbook.worksheets[0].append([date(2027, 10, 5)])
    assert sheet_of(saved(workbook)).rows == ((date(2027, 10, 5),),)


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("yyyy\\.mm\\.dd\\.", True),
        ("[$-409]d. mmm yyyy;@", True),
        ("0.00", False),
        ('0.0" days"', False),
        ("[Red]0", False),
        ("General", False),
        ("#,##0\\ _d", False),
    ],
)
def test_dates_are_told_by_the_format_of_the_cell(code: str, is_date: bool) -> None:
    workbook = Workbook()
    workbook.worksheets[0]["A1"] = 46_300
    workbook.worksheets[0]["A1"].number_format = code
    ((cell,),) = sheet_of(saved(workbook)).rows
    assert cell == (date(2026, 10, 5) if is_date else 46_300)


def test_a_sheet_of_a_chart_is_passed_over() -> None:
    workbook = Workbook()
    workbook.create_chartsheet("Chart")
    assert [sheet.sheet for sheet in read_xlsx(saved(workbook), file="a.xlsx").sheets] == ["Sheet"]


def test_an_archive_that_is_damaged_is_refused() -> None:
    content = workbook_of((1, 2))
    assert "damaged" in refusal(read_xlsx(content[:200], file="a.xlsx"))
    assert "damaged" in refusal(read_xlsx(with_sheet("<row"), file="a.xlsx"))
    assert "damaged" in refusal(read_xlsx(with_sheet('<row><c t="s"><v>9</v></c></row>'), file="a.xlsx"))


def test_an_archive_that_is_no_workbook_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("content.xml", "<x/>")
    assert "holds no workbook" in refusal(read_xlsx(made.getvalue(), file="a.xlsx"))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert "no workbook" in refusal(read_xlsx(empty.getvalue(), file="a.xlsx"))


def test_entities_are_refused_before_they_are_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    content = changed(workbook_of((1,)), "xl/worksheets/sheet1.xml", lambda text: bomb + text)
    assert "no workbook needs" in refusal(read_xlsx(content, file="a.xlsx"))


@pytest.mark.parametrize(
    "xml",
    [
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>',
        '<row r="1"><c r="ZZZ1"><v>1</v></c></row>',
        '<row r="1"><c r="1A"><v>1</v></c></row>',
        '<row r="2000000"><c><v>1</v></c></row>',
    ],
)
def test_cells_out_of_their_places_are_refused(xml: str) -> None:
    assert "no workbook that can be read" in refusal(read_xlsx(with_sheet(xml), file="a.xlsx"))


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("a_x000D_b", "a\rb"),
        ("_x005F_x000D_", "_x000D_"),
        ("_xD83D_", "_xD83D_"),
        ("a_x0000_", "a"),
        ("_xyz_", "_xyz_"),
    ],
)
def test_escaped_signs_are_read_and_halves_of_pairs_stay_as_they_are(stored: str, text: str) -> None:
    (sheet,) = read_xlsx(workbook_of((stored,)), file="a.xlsx").sheets
    assert sheet.rows == ((text,),)
