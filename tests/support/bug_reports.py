"""Files as public bug reports describe them, each with the report; rebuilt here, from what the report says.

What was searched for, in trackers of programs that read tables: separators at the ends of lines, leading zeros, false
dimensions, cells without references, phonetic runs, escaped control signs, other namespaces, the calendar of 1904,
Unicode text, byte order marks, ends of lines, spaces between thousands, repeated rows and columns, groups of exports.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from datetime import date

from openpyxl.worksheet.worksheet import Worksheet

from tests.support.bad_files import GOOD, HEADER, book, ods, rows, statuses, text, zipped

ROW = ("031201", "0001", "enrolled", date(2027, 10, 5), "yes", 4.5)
GOOD_BOOK = statuses(ROW)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET = "xl/worksheets/sheet1.xml"


def edited(content: bytes, changes: Mapping[str, Callable[[str], str]]) -> bytes:
    """Return an archive with other text in some of its parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, change in changes.items():
        before = parts[name].decode()
        after = change(before)
        assert before != after, name
        parts[name] = after.encode()
    return zipped(parts)


def _without(pattern: str) -> Callable[[str], str]:
    return lambda part: re.sub(pattern, "", part)


def _put(pattern: str, to: str) -> Callable[[str], str]:
    return lambda part: re.sub(pattern, to, part)


def _inline(*cells: str) -> bytes:
    """Return a workbook whose second row has cells with some content each: what "<is>" holds."""
    row = f'<row r="2">{"".join(f"""<c t="inlineStr"><is>{cell}</is></c>""" for cell in cells)}</row>'
    return _with_row(row)


def _with_row(row: str) -> bytes:
    return edited(book(GOOD_BOOK), {_SHEET: lambda part: re.sub(r"<row r=\"2\".*?</row>", row, part, flags=re.S)})


def _other_namespace(part: str) -> str:
    """Return a part whose elements have a prefix, as the Open XML SDK writes them."""
    part = part.replace(f'xmlns="{_MAIN}"', f'xmlns:x="{_MAIN}"')
    return re.sub(r"<(/?)([a-zA-Z])", r"<\1x:\2", part).replace("<?x:xml", "<?xml")


def _strict(part: str) -> str:
    part = part.replace(_MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main")
    return part.replace(
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "http://purl.oclc.org/ooxml/officeDocument/relationships",
    )


def _all_parts(content: bytes, change: Callable[[str], str], names: Callable[[str], bool]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped({name: change(part.decode()).encode() if names(name) else part for name, part in parts.items()})


def _is_sheet_part(name: str) -> bool:
    return name.endswith(".xml") and name.startswith("xl/") and "theme" not in name


def _zeros(sheet: Worksheet) -> None:
    sheet["A2"], sheet["B2"] = 31201, 1
    sheet["A2"].number_format, sheet["B2"].number_format = "000000", "0000"


FILES: dict[str, tuple[str, bytes, str]] = {
    "a separator at the end of each record": (
        "pandas-dev/pandas#14124",
        rows(f"{GOOD};", "031201;0002;enrolled;;;3;"),
        "csv",
    ),
    "a separator at the end of the first record alone": (
        "pandas-dev/pandas#9295",
        rows(f"{GOOD};", "031201;0002;enrolled;;;3"),
        "csv",
    ),
    "a separator at the end of the header alone": (
        "fsprojects/FSharp.Data#688",
        rows(GOOD, header=f"{HEADER};"),
        "csv",
    ),
    "a separator at the end of header and records": (
        "deephaven/deephaven-core#1800",
        rows(f"{GOOD};", header=f"{HEADER};"),
        "csv",
    ),
    "one column more in a record": ("pandas-dev/pandas#15203", rows(f"{GOOD};extra"), "csv"),
    "Unicode text of a spreadsheet, with tabs": (
        "SheetJS/sheetjs#575",
        text(HEADER.replace(";", "\t"), GOOD.replace(";", "\t"), encoding="utf-16"),
        "csv",
    ),
    "the same in the other order of bytes": (
        "Unstructured-IO/unstructured#4443",
        b"\xfe\xff" + text(HEADER, GOOD, encoding="utf-16-be"),
        "csv",
    ),
    "the same without the mark of the order": (
        "microsoft/vscode-mssql#774",
        text(HEADER, GOOD, encoding="utf-16-le"),
        "csv",
    ),
    "text with tabs that is called a workbook": (
        "SheetJS/sheetjs#575",
        text(HEADER.replace(";", "\t"), GOOD.replace(";", "\t"), encoding="utf-16"),
        "xlsx",
    ),
    "the mark of the order before the first header": (
        "alphagov/notifications-utils#536",
        b"\xef\xbb\xbf" + rows(GOOD),
        "csv",
    ),
    "the mark twice": ("biolab/orange3#7000", b"\xef\xbb\xbf\xef\xbb\xbf" + rows(GOOD), "csv"),
    "the mark within quotation marks": (
        "wligithub/tax-tool#7",
        b'\xef\xbb\xbf"school_id";' + rows(GOOD)[len("school_id;") :],
        "csv",
    ),
    "lines that end as on an old Mac": (
        "mholt/PapaParse#43",
        text(HEADER, GOOD, "031201;0002;enrolled;;;3", end="\r"),
        "csv",
    ),
    "line feeds in cells, other ends of lines": (
        "mholt/PapaParse#344",
        b'school_id;pupil_id;status;"average\r\nmark"\n031201;0001;enrolled;4,5\n031201;0002;enrolled;3\n',
        "csv",
    ),
    "a line break in a quoted header": (
        "mholt/PapaParse#252",
        b'school_id;pupil_id;"status\r";average_mark\n031201;0001;enrolled;4,5\n',
        "csv",
    ),
    "records that begin with an empty column": (
        "simonw/csv-diff#26",
        text(f";{HEADER}", f"1;{GOOD}", f"2;{GOOD.replace('0001', '0002')}"),
        "csv",
    ),
    "false dimensions of a sheet": (
        "tealeg/xlsx#199",
        edited(book(GOOD_BOOK), {_SHEET: _put(r'<dimension ref="[^"]*"', '<dimension ref="A1"')}),
        "xlsx",
    ),
    "no dimensions": (
        "JuliaData/XLSX.jl#222",
        edited(book(GOOD_BOOK), {_SHEET: _without(r"<dimension [^>]*>")}),
        "xlsx",
    ),
    "dimensions of a million rows": (
        "SheetJS/sheetjs#1557",
        edited(book(GOOD_BOOK), {_SHEET: _put(r'<dimension ref="[^"]*"', '<dimension ref="A1:XFD1048576"')}),
        "xlsx",
    ),
    "cells without references": (
        "tafia/calamine#261",
        edited(book(GOOD_BOOK), {_SHEET: _without(r'(?<=<c) r="[A-Z]+\d+"')}),
        "xlsx",
    ),
    "rows and cells without references": (
        "box/spout#267",
        edited(book(GOOD_BOOK), {_SHEET: _without(r'(?<=<c) r="[A-Z]+\d+"|(?<=<row) r="\d+"')}),
        "xlsx",
    ),
    "only some cells with references": (
        "exceljs/exceljs#537",
        edited(book(GOOD_BOOK), {_SHEET: _without(r'(?<=<c) r="[B-F]\d+"')}),
        "xlsx",
    ),
    "elements with a prefix": (
        "exceljs/exceljs#1437",
        _all_parts(book(GOOD_BOOK), _other_namespace, lambda name: _is_sheet_part(name) and "styles" not in name),
        "xlsx",
    ),
    "a prefix in the list of relations": (
        "ExcelDataReader/ExcelDataReader#682",
        edited(
            book(GOOD_BOOK),
            {
                "xl/_rels/workbook.xml.rels": lambda part: re.sub(r"<(/?)R", r"<\1ns0:R", part).replace(
                    "xmlns=", "xmlns:ns0="
                )
            },
        ),
        "xlsx",
    ),
    "the strict kind of workbook": (
        "tidyverse/readxl#202",
        _all_parts(book(GOOD_BOOK), _strict, lambda name: name.endswith((".xml", ".rels"))),
        "xlsx",
    ),
    "how a word is pronounced": (
        "awalker89/openxlsx#374",
        _inline("<t>031201</t>", '<t>0001</t><rPh sb="0" eb="1"><t>dao</t></rPh>', "<t>enrolled</t>"),
        "xlsx",
    ),
    "a word in two scripts": (
        "xlprotips/xl#8",
        _inline("<t>031201</t>", "<t>0001</t>", "<r><t>enr</t></r><r><t>olled</t></r>"),
        "xlsx",
    ),
    "an escaped end of line": (
        "doy/spreadsheet-parsexlsx#81",
        _inline("<t>031201_x000D_</t>", "<t>0001</t>", "<t>enrolled_x000D_\n</t>"),
        "xlsx",
    ),
    "what looks escaped and is not": (
        "SheetJS/sheetjs#557",
        _inline("<t>031201</t>", "<t>A_x005F_x0041_</t>", "<t>enrolled</t>"),
        "xlsx",
    ),
    "the calendar of 1904": (
        "exceljs/exceljs#219",
        edited(book(GOOD_BOOK), {"xl/workbook.xml": _put(r"<workbookPr[^>]*>", '<workbookPr date1904="1"/>')}),
        "xlsx",
    ),
    "the calendar of 1904, said in a word": (
        "monitorjbl/excel-streaming-reader#218",
        edited(book(GOOD_BOOK), {"xl/workbook.xml": _put(r"<workbookPr[^>]*>", '<workbookPr date1904="true"/>')}),
        "xlsx",
    ),
    "zeros that a format shows": ("tidyverse/readxl#389", book(GOOD_BOOK, _zeros), "xlsx"),
    "a text that is a direct child of its cell": (
        "use-agent-os/agent-os#2242",
        _with_row(
            '<row r="2"><c t="inlineStr"><is><t>031201</t></is></c><c t="str"><v>0001</v></c>'
            '<c t="str"><v>enrolled</v></c></row>'
        ),
        "xlsx",
    ),
    "sixteen thousand empty cells at the end of a row": (
        "openspout/openspout#399",
        ods(
            GOOD_BOOK,
            after='<table:table-row><table:table-cell table:number-columns-repeated="16374"/></table:table-row>',
        ),
        "ods",
    ),
    "a million empty rows below": (
        "tdf/odftoolkit#64",
        ods(
            GOOD_BOOK,
            after='<table:table-row table:number-rows-repeated="1048574">'
            '<table:table-cell table:number-columns-repeated="1024"/></table:table-row>',
        ),
        "ods",
    ),
    "a row that represents two": (
        "ropensci/readODS#81",
        edited(
            ods(GOOD_BOOK),
            {
                "content.xml": _put(
                    r"<table:table-row>(?=<table:table-cell[^>]*><text:p>031201)",
                    '<table:table-row table:number-rows-repeated="2">',
                )
            },
        ),
        "ods",
    ),
    "groups before the names of columns": (
        "getodk/briefcase#689",
        text(
            "SubmissionDate,meta-instanceID,about-school_id,about-pupil_id,now-status,now-average_mark,KEY",
            "2027-10-05T10:00:00Z,uuid:1,031201,0001,enrolled,4.5,uuid:1",
        ),
        "csv",
    ),
    "a second row of tags": ("kobotoolbox/formpack#134", rows("#school;#pupil;#status;;;#mark", GOOD), "csv"),
    "a number in spaces that do not break": (
        "tidyverse/readr#796",
        rows("031201;0001;enrolled;;;\u202f4,5\u00a0"),
        "csv",
    ),
}
