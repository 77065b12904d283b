"""Web pages and XML that registers save as .xls: tables are read as they are shown, all else is called by name."""

from __future__ import annotations

from datetime import date

import pytest

from data_schema.intake import InboxRule, read_inbox
from data_schema.readers import Reading, read_file
from data_schema.school_tables import standard_tables

HEAD = '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n'
NAMES = 'xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"'


def page(rows: str, *, around: str = "{}", charset: str = "") -> bytes:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">' if charset else ""
    text = (
        f"<html><head>{meta}<title>School</title></head><body>{around.format(f'<table>{rows}</table>')}</body></html>"
    )
    return text.encode(charset or "utf-8")


def workbook(rows: str, *, options: str = "") -> bytes:
    sheet = f'<Worksheet ss:Name="Diák"><Table>{rows}</Table>{options}</Worksheet>'
    return f"{HEAD}<Workbook {NAMES}>{sheet}</Workbook>".encode()


def read(content: bytes) -> Reading:
    return read_file(content, file="a.xls")


ROWS = "<tr><th>school_id<th>pupil_id<th>name</tr><tr><td>031201<td>0001<td>Őze&nbsp;Zsófia</tr>"


@pytest.mark.parametrize("charset", ["", "utf-8", "windows-1250", "iso-8859-2", "no-such-letters"])
def test_a_table_of_a_web_page_is_read_as_it_is_shown_in_the_letters_that_it_names(charset: str) -> None:
    content = page(ROWS, charset=charset) if charset != "no-such-letters" else page(ROWS, charset="utf-8").replace(
        b"utf-8", b"no-such-letters"
    )  # fmt: skip
    reading = read(content)
    assert reading.sheets[0].rows == (("school_id", "pupil_id", "name"), ("031201", "0001", "Őze Zsófia"))
    assert [one.severity for one in reading.findings] == ["note"]
    assert "its tables are read" in reading.findings[0].problem


def test_a_page_of_a_register_is_taken_in() -> None:
    rows = "<tr><td>school_id<td>pupil_id<td>status</tr><tr><td>031201<td>0001<td>enrolled</tr>"
    intake = read_inbox(
        {"HU/status_1.xls": page(rows)},
        rules=[InboxRule("HU/status_*.csv", "status", wave="w")],
        tables=standard_tables(),
        schools={"031201": "HU"},
        waves=["w"],
        lists=(),
    )
    assert intake.frames["status"]["pupil_id"].tolist() == ["0001"]


def test_cells_that_span_hidden_rows_struck_texts_and_scripts() -> None:
    rows = (
        "<tr><td rowspan=2>9.a<td>x<td>1</tr><tr style='display: none'><td><s>y</s><td>a<br>b</tr>"
        "<tr><td colspan=2>z<td><script>alert(1)</script>2</tr>"
    )
    sheet = read(page(rows)).sheets[0]
    assert sheet.rows == (("9.a", "x", "1"), ("9.a", "y", "a\nb"), ("z", None, "2"))
    assert (sheet.merged, sheet.hidden_rows, sheet.struck) == (("A1:A2",), (2,), ((2, 2),))


def test_tables_within_and_beside_each_other_are_sheets_of_their_own() -> None:
    inner = f"<table>{ROWS}</table>"
    reading = read(page(f"<tr><td>{inner}</td></tr>", around="<div>{}</div><table>" + ROWS * 2 + "</table>"))
    assert [(one.sheet, len(one.rows)) for one in reading.sheets] == [("1", 2), ("2", 4)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><frameset><frame src='sheet001.htm'></frameset></html>", "It is a web page"),
        (b"<!DOCTYPE html><html><body><p>Log in</p><table><tr><td>Name</table></body></html>", "It is a web page"),
        (b'<?xml version="1.0"?><html><body></body></html>', "It is a web page"),
        (b'<?xml version="1.0"?><Invoice/>', "It is an XML file."),
        (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><Workbook ' + NAMES.encode() + b"/>",
            "It is an XML file.",
        ),
        (workbook("<Row><Cell><Data")[:-40], "It is damaged"),
        (workbook('<Row ss:Index="2"/><Row ss:Index="1"/>'), "It is no workbook that can be read"),
        (workbook('<Row><Cell ss:Index="999999999"/></Row>'), "It is no workbook that can be read"),
    ],
)
def test_what_is_no_table_is_called_by_name(content: bytes, said: str) -> None:
    (finding,) = read(content).findings
    assert (finding.severity, finding.problem[: len(said)]) == ("refused", said)


def test_a_workbook_saved_as_xml_keeps_the_types_of_its_cells() -> None:
    rows = (
        '<Row><Cell><Data ss:Type="String">Őze &amp; fia</Data></Cell>'
        '<Cell ss:Index="3"><Data ss:Type="Number">4.5</Data></Cell>'
        '<Cell><Data ss:Type="Number">7</Data></Cell><Cell><Data ss:Type="Boolean">1</Data></Cell>'
        '<Cell><Data ss:Type="DateTime">2028-01-05T00:00:00.000</Data></Cell>'
        '<Cell ss:Formula="=1/0"><Data ss:Type="Error">#DIV/0!</Data></Cell><Cell ss:Formula="=A1"/></Row>'
        '<Row ss:Index="4" ss:Hidden="1"><Cell ss:MergeDown="1"><Data ss:Type="String">9.a</Data></Cell>'
        '<Cell><Data ss:Type="String">x</Data></Cell></Row>'
        '<Row><Cell ss:Index="2"><Data ss:Type="String">y</Data></Cell></Row>'
    )
    options = "<WorksheetOptions><Visible>SheetHidden</Visible></WorksheetOptions>"
    (sheet,) = read(workbook(rows, options=options)).sheets
    assert sheet.rows == (
        ("Őze & fia", None, 4.5, 7, True, date(2028, 1, 5), "#DIV/0!", "=A1"),
        (),
        (),
        ("9.a", "x"),
        ("9.a", "y"),
    )
    assert (sheet.sheet, sheet.is_hidden, sheet.hidden_rows, sheet.merged) == ("Diák", True, (4,), ("A4:A5",))
