"""Further files as public bug reports describe them: what programs write otherwise than spreadsheets do.

What was searched for, in the same trackers: separators said in a first line, web pages and XML called .xls, marks that
only show, numbers as text and text as numbers, merged cells, paths and names of parts of a workbook, parts that are not
there, dates in ISO 8601, comments in cells, layouts of several rows of headers.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

from openpyxl.worksheet.worksheet import Worksheet

from tests.support.bad_files import CELLS, GOOD, HEADER, book, ods, rows, statuses, text, zipped
from tests.support.bug_reports import GOOD_BOOK, ROW, edited

_SHEET, _LINKS = "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"
_PLAIN = statuses(("031201", "0001", "enrolled", None, None, 4.5))
_TAGGED = "".join(f"<td>{cell}</td>" for cell in GOOD.split(";"))
_HEADS = "".join(f"<th>{name}</th>" for name in HEADER.split(";"))
_PAGE = f"<table><tr>{_HEADS}</tr><tr>{_TAGGED}</tr></table>"
_OF_2003 = "".join(
    f"<Row>{''.join(f'<Cell><Data ss:Type={kind!r}>{cell}</Data></Cell>' for kind, cell in line)}</Row>"
    for line in (
        [("String", name) for name in ("school_id", "pupil_id", "status", "average_mark")],
        [("String", "031201"), ("String", "0001"), ("String", "enrolled"), ("Number", "4.5")],
    )
)
_WORKBOOK_OF_2003 = (
    '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
    'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet ss:Name="Sheet1"><Table>'
    f"{_OF_2003}</Table></Worksheet></Workbook>"
)


def _renamed(content: bytes, change: Callable[[str], str]) -> bytes:
    """Return an archive whose parts have other names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped({change(name): archive.read(name) for name in archive.namelist()})


def _without_part(content: bytes, part: str) -> bytes:
    """Return a workbook without a part and what points to it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != f"xl/{part}"}
    base = part.removesuffix(".xml")
    parts[_LINKS] = re.sub(rb"<Relationship [^>]*%s.xml[^>]*/>" % base.encode(), b"", parts[_LINKS])
    return zipped(parts)


def _shared(content: bytes, *, part: str = "sharedStrings.xml", opening: str = "<t>") -> bytes:
    """Return a workbook whose texts are in a part of their own."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    texts: list[str] = []

    def _numbered(found: re.Match[str]) -> str:
        texts.append(found[2])
        return f'<c{found[1]} t="s"><v>{len(texts) - 1}</v></c>'

    parts[_SHEET] = re.sub(
        r'<c([^>]*?) t="inlineStr"([^>]*)><is><t>(.*?)</t></is></c>',
        lambda found: _numbered(re.match(r"(.*)\n(.*)", f"{found[1]}{found[2]}\n{found[3]}") or found),
        parts[_SHEET],
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    items = "".join(f"<si>{opening}{one}</t></si>" for one in texts)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
    link = f'<Relationship Id="rIdTexts" Type="{kind}" Target="/xl/sharedStrings.xml"/></Relationships>'
    parts[_LINKS] = parts[_LINKS].replace("</Relationships>", link)
    parts[f"xl/{part}"] = f'<sst xmlns="{main}">{items}</sst>'
    assert texts
    return zipped({name: part.encode() for name, part in parts.items()})


def _second_row(cells: str) -> bytes:
    return edited(
        book(GOOD_BOOK), {_SHEET: lambda part: re.sub(r"<row r=\"2\".*?</row>", f'<row r="2">{cells}</row>', part)}
    )


def _inline(*cells: str) -> str:
    return "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)


def _quoted(sheet: Worksheet) -> None:
    for cell in sheet[2]:
        cell.quotePrefix = True


def _said_to_be_text(sheet: Worksheet) -> None:
    for cell in sheet[2]:
        cell.number_format = "@"
    sheet["F2"] = 4.5


def _padded(sheet: Worksheet) -> None:
    sheet["A2"], sheet["B2"] = 31201, 1
    sheet["A2"].number_format, sheet["B2"].number_format = "000000", "0000"


def _commented(part: str, cell: str) -> str:
    note = "<office:annotation><text:p>enrolled again?</text:p></office:annotation>"
    return part.replace(f"<text:p>{cell}</text:p>", f"{note}<text:p>{cell}</text:p>")


PROGRAM_FILES: dict[str, tuple[str, bytes, str]] = {
    "the separator said in a first line": ("PowerShell/PowerShell#7776", b"sep=;\r\n" + rows(GOOD), "csv"),
    "the same with a mark of the order of bytes": (
        "mholt/PapaParse#951",
        b"\xef\xbb\xbfsep=;\r\n" + rows(GOOD),
        "csv",
    ),
    "a tab said in a first line": (
        "complexlogic/rsgain#56",
        b"sep=\t\r\n" + rows(GOOD).replace(b";", b"\t"),
        "csv",
    ),
    "semicolons between cells, points in numbers": (
        "tidyverse/readr#1445",
        rows(GOOD, "031201;0002;enrolled;;;3.25"),
        "csv",
    ),
    "text with tabs that is called an old workbook": (
        "python-excel/xlrd#351",
        text(HEADER.replace(";", "\t"), GOOD.replace(";", "\t")),
        "xls",
    ),
    "a web page that begins with a division": (
        "python-excel/xlrd#350",
        f"<div>\r\n\t{_PAGE}</div>".encode(),
        "xls",
    ),
    "headers of a web page in cells of their own": (
        "SheetJS/sheetjs#1178",
        f"<html>\n\t{_PAGE}</html>".encode(),
        "xls",
    ),
    "a tag over several lines": (
        "SheetJS/sheetjs#2543",
        f"<html><body>{_PAGE}</body></html>".replace("<table>", '<table\n  border="1"\n  cellspacing="0">').encode(),
        "xls",
    ),
    "a web page in a mail": (
        "wireservice/csvkit#847",
        f"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<html>{_PAGE}</html>".encode(),
        "xls",
    ),
    "an XML workbook of 2003": (
        "python-excel/xlrd#188",
        f'<?xml version="1.0" encoding="UTF-8"?><?mso-application progid="Excel.Sheet"?>{_WORKBOOK_OF_2003}'.encode(),
        "xls",
    ),
    "the same without its instruction": (
        "PHPOffice/PhpSpreadsheet#522",
        f'<?xml version="1.0"?>\n{_WORKBOOK_OF_2003}'.encode(),
        "xls",
    ),
    "a workbook of 1992": (
        "PHPOffice/PhpSpreadsheet#2490",
        bytes.fromhex("0904 0600 0000 1000 0000") + b"\x0a\x00\x00\x00",
        "xls",
    ),
    "a mark that only shows before a text": ("PHPOffice/PhpSpreadsheet#1061", book(GOOD_BOOK, _quoted), "xlsx"),
    "spaces that are to be kept": (
        "ycphs/openxlsx#427",
        _shared(book(GOOD_BOOK), opening='<t xml:space="preserve">'),
        "xlsx",
    ),
    "a number with all its digits": (
        "tidyverse/readxl#743",
        _second_row(f"{_inline('031201', '0001', 'enrolled')}<c/><c/><c><v>4.5000000000000004</v></c>"),
        "xlsx",
    ),
    "numbers with a power of ten": (
        "tidyverse/readxl#298",
        edited(
            book(GOOD_BOOK, _padded),
            {
                _SHEET: lambda part: part.replace("<v>31201</v>", "<v>3.1201E4</v>").replace(
                    "<v>4.5</v>", "<v>45E-1</v>"
                )
            },
        ),
        "xlsx",
    ),
    "numbers of which the format says text": ("tidyverse/readxl#796", book(_PLAIN, _said_to_be_text), "xlsx"),
    "numbers that stand as text": ("tidyverse/readxl#217", book(statuses((*ROW[:5], "4.5"))), "xlsx"),
    "a school in merged cells": (
        "frictionlessdata/tabulator-py#171",
        book(statuses(ROW, (None, "0002", "enrolled", None, None, 3)), lambda sheet: sheet.merge_cells("A2:A3")),
        "xlsx",
    ),
    "merged cells above the header": (
        "frictionlessdata/tabulator-py#320",
        book([("Pupil", None, "State", None, None, None), CELLS, ROW], lambda sheet: sheet.merge_cells("A1:B1")),
        "xlsx",
    ),
    "paths with backslashes": (
        "PHPOffice/PhpSpreadsheet#3472",
        _renamed(book(GOOD_BOOK), lambda name: name.replace("/", "\\")),
        "xlsx",
    ),
    "a path from the root to the workbook": (
        "doy/spreadsheet-parsexlsx#46",
        edited(book(GOOD_BOOK), {"_rels/.rels": lambda part: part.replace('"xl/workbook.xml"', '"/xl/workbook.xml"')}),
        "xlsx",
    ),
    "a path from the workbook to its sheet": (
        "box/spout#499",
        edited(book(GOOD_BOOK), {_LINKS: lambda part: part.replace('"/xl/', '"')}),
        "xlsx",
    ),
    "a part that is called in other letters": (
        "python-excel/xlrd#169",
        _shared(book(GOOD_BOOK), part="SharedStrings.xml"),
        "xlsx",
    ),
    "no part of shared texts": (
        "xavier/xlsx_reader#32",
        edited(
            book(_PLAIN),
            {
                _SHEET: lambda part: re.sub(
                    r"<sheetData>.*</sheetData>",
                    f"<sheetData><row>{_inline('school_id', 'pupil_id', 'status', 'average_mark')}</row>"
                    f"<row>{_inline('031201', '0001', 'enrolled')}<c><v>4.5</v></c></row></sheetData>",
                    part,
                )
            },
        ),
        "xlsx",
    ),
    "no part of styles": ("catamphetamine/read-excel-file#88", _without_part(book(_PLAIN), "styles.xml"), "xlsx"),
    "a date in the form of ISO 8601": (
        "ExcelDataReader/ExcelDataReader#221",
        _second_row(
            f'{_inline("031201", "0001", "enrolled")}<c t="d"><v>2027-10-05</v></c>{_inline("yes")}<c><v>4.5</v></c>'
        ),
        "xlsx",
    ),
    "a comment in a cell": (
        "ropensci/readODS#52",
        edited(ods(GOOD_BOOK), {"content.xml": lambda part: _commented(part, "enrolled")}),
        "ods",
    ),
    "a comment beside a number and an identifier": (
        "pandas-dev/pandas#55200",
        edited(ods(GOOD_BOOK), {"content.xml": lambda part: _commented(_commented(part, "4.5"), "0001")}),
        "ods",
    ),
}
