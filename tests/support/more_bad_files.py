"""More files as schools send them: what spreadsheets, mail programs and old encodings make of a table."""

from __future__ import annotations

from datetime import date, datetime, time

import pandas as pd
from openpyxl.comments import Comment
from openpyxl.worksheet.worksheet import Worksheet

from tests.support.bad_file_cases import refused
from tests.support.bad_files import (
    CELLS,
    GOOD,
    GOOD_ROW,
    HEADER,
    BadFile,
    book,
    ods,
    rows,
    stata,
    statuses,
    text,
    zipped,
)

XLSX = "HU/status_x.xlsx"
OTHER = "031201;0002;enrolled;;;4"
OTHER_ROW = ("031201", "0002", "enrolled", None, None, 4)


def status(**cells: object) -> tuple[object, ...]:
    """Return a good row with some other cells."""
    return tuple(cells.get(name, value) for name, value in zip(CELLS, GOOD_ROW, strict=True))


def dated(*texts: str) -> bytes:
    """Return a record for each date."""
    return rows(*[f"031201;{k:04d};enrolled;{day};;" for k, day in enumerate(texts, start=1)])


def _filtered(sheet: Worksheet) -> None:
    sheet.auto_filter.ref = "A1:F3"
    sheet.row_dimensions[3].hidden = True


def _commented(sheet: Worksheet) -> None:
    sheet["C2"].comment = Comment("moved to another school", "secretary")


def _percent(sheet: Worksheet) -> None:
    sheet["F2"].number_format = "0%"


def _count_from_1904(sheet: Worksheet) -> None:
    assert sheet.parent is not None
    sheet.parent.epoch = datetime(1904, 1, 1)  # noqa: DTZ001 -- a day


def damaged_letters(meant: str, *, taken_for: str) -> str:
    """Return what a program makes of UTF-8 that it takes for a code page."""
    return "".join(
        bytes([byte]).decode(taken_for) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in meant.encode()
    )


LETTERS = (
    BadFile(
        name="letters encoded twice, as from a Western page",
        content=rows(damaged_letters("031201;0001;végzett;;;4.5", taken_for="cp1252")),
        kept=1,
        repairs=frozenset({("status", "completed", "synonym")}),
        notes=("encoded twice",),
    ),
    BadFile(
        name="letters encoded twice, as from a Central European page",
        path="RS/status_x.csv",
        content=rows(damaged_letters("RS-101;0001;završio;;;4.5", taken_for="cp1250")),
        kept=1,
        repairs=frozenset({("status", "completed", "synonym")}),
        notes=("encoded twice",),
    ),
    BadFile(
        name="letters of a Western page in a Hungarian list",
        path="HU/pupil_x.csv",
        content=text("school_id;pupil_id;name", "031201;0010;Erdõs Gyõzõ"),
        kept=1,
        cells={"name": "Erdõs Gyõzõ"},
        notes=("not written in its country: õ", "no column"),
    ),
    BadFile(
        name="question marks where letters were",
        path="HU/pupil_x.csv",
        content=text("school_id;pupil_id;name", "031201;0010;Erd?s Gyula"),
        kept=1,
        questions=("letters that were lost",),
        notes=("no column",),
    ),
    refused(
        "two encodings in one file",
        rows(GOOD) + "031201;0002;végzett;;;\r\n".encode() + "031201;0003;végzett;;;\r\n".encode("cp1250"),
        "encoding is not known",
    ),
    BadFile(name="utf-16, big end first, without a mark", content=rows(GOOD, encoding="utf-16-be"), kept=1),
    BadFile(
        name="a mark of the encoding in the middle, where two files were joined",
        content=rows(GOOD, encoding="utf-8-sig") + rows(OTHER, encoding="utf-8-sig"),
        kept=2,
        refused=1,
        notes=("the header again",),
    ),
    refused("zero bytes", rows(GOOD, "031201;0002;enrol\x00led;;;4"), "zero bytes"),
    refused("zero bytes to the end of the disk's block", rows(GOOD) + bytes(512), "zero bytes"),
    BadFile(
        name="a school in letters of two alphabets",
        path="RS/status_x.csv",
        content=rows("RЅ-101;0001;enrolled;;;4"),
        asked=1,
        questions=("differs by leading zeros or signs",),
    ),
)

LINES = (
    BadFile(
        name="line ends of three systems",
        content=f"{HEADER}\r\n{GOOD}\n{OTHER}\r031201;0003;enrolled;;;3\r\n".encode(),
        kept=3,
    ),
    BadFile(
        name="a line break inside a cell",
        content=rows('031201;0001;"enrolled\n";;;4.5'),
        kept=1,
        repairs=frozenset({("status", "enrolled", "spaces")}),
    ),
    BadFile(
        name="a quotation mark that closes two rows below",
        content=rows(GOOD, '031201;0002;"enrolled;;;4', '031201;0003;enrolled";;;4', "031201;0004;enrolled;;;4"),
        refusals=("made one cell of several rows",),
    ),
    BadFile(
        name="a hint of another separator than usual",
        content=text("sep=,", HEADER.replace(";", ","), GOOD.replace(";", ",")),
        kept=1,
    ),
    BadFile(
        name="decimal commas between commas",
        content=text(HEADER.replace(";", ","), "031201,0001,enrolled,,,4,5"),
        asked=1,
        questions=("more cells than the header",),
    ),
    BadFile(name="separators at the end of every line", content=text(f"{HEADER};;;", f"{GOOD};;;"), kept=1),
    BadFile(
        name="rows that end early",
        content=rows("031201;0001;enrolled", "031201;0002"),
        kept=2,
        questions=("'status' is missing",),
    ),
    BadFile(
        name="hard spaces below the header",
        content=rows(" ; ; ", "\u00a0;\u00a0;;;;"),
        questions=("no rows below",),
    ),
    BadFile(
        name="a ruled line below the header",
        content=rows("---;---;---;---;---;---", GOOD),
        kept=1,
        refused=1,
        notes=("line of signs",),
    ),
    BadFile(
        name="date, stamp, name and office of who signed",
        content=rows(
            GOOD, ";;;;;", "Kelt: Budapest, 2027. október 5.", "P.H.", "Kovács Béla", "igazgató", "2027.10.05."
        ),
        kept=1,
        refused=5,
        notes=("remark below",) * 5,
    ),
    BadFile(
        name="a line of totals for each class",
        content=rows(GOOD, "9.a összesen;;;;;4,5", OTHER),
        kept=2,
        refused=1,
        notes=("row of totals",),
    ),
    BadFile(
        name="a line of averages without a word",
        content=rows(GOOD, ";;;;;4,5"),
        asked=1,
        kept=1,
        questions=("no 'school_id'", "no 'pupil_id'"),
    ),
    refused("columns as rows", text("school_id;031201", "pupil_id;0001", "status;enrolled"), "is a header", n_rows=3),
    BadFile(
        name="three hundred columns of something else",
        content=text(";".join([HEADER, *(f"q{k}" for k in range(300))]), GOOD + ";1" * 300),
        kept=1,
        notes=("300 of its columns",),
    ),
)

VALUES = (
    BadFile(
        name="identifiers that a spreadsheet rounded",
        content=rows("031201;1.23E+05;enrolled;;;4"),
        asked=1,
        questions=("turned into a rounded number",),
    ),
    BadFile(
        name="identifiers with a decimal nought",
        content=rows("031201;1.0;enrolled;;;4", "031201.0;0002;enrolled;;;4"),
        asked=2,
        questions=("turned into a decimal number", "turned into a decimal number"),
    ),
    BadFile(
        name="dates in the words of five languages",
        content=dated(
            "2027. okt. 5.",
            "5. oktobra 2027",
            "5. октобра 2027.",
            "4. srpnja 2027.",
            "05-Oct-2027",
            "October 5th, 2027",
        ),
        kept=6,
        repairs=frozenset({("status_date", "2027-10-05", "date"), ("status_date", "2027-07-04", "date")}),
    ),
    BadFile(
        name="a month that is another one across the border",
        content=dated("5. listopada 2027."),
        kept=1,
        questions=("not a date",),
    ),
    BadFile(
        name="words for no answer",
        content=rows("031201;0001;enrolled;nincs adat;nema podataka;n.d."),
        kept=1,
        repairs=frozenset((name, "", "missing mark") for name in CELLS[3:]),
    ),
    BadFile(
        name="a mark that became a date",
        path=XLSX,
        content=book(statuses(status(average_mark=date(2027, 5, 4)))),
        kept=1,
        questions=("'2027-05-04' is not a number",),
    ),
    BadFile(
        name="a mark that became a time of day",
        path=XLSX,
        content=book(statuses(status(average_mark=time(4, 30)))),
        kept=1,
        questions=("below the least",),
    ),
    BadFile(
        name="an identifier that became a date",
        path=XLSX,
        content=book(statuses(status(pupil_id=date(2027, 5, 4)))),
        asked=1,
        questions=("not an identifier",),
    ),
    BadFile(
        name="an identifier of more digits than a spreadsheet keeps",
        path=XLSX,
        content=book(statuses(status(pupil_id=70031201001123456))),
        asked=1,
        questions=("not an identifier",),
    ),
    BadFile(
        name="a mark shown as percent",
        path=XLSX,
        content=book(statuses(status(average_mark=0.9)), _percent),
        kept=1,
        questions=("below the least",),
    ),
)

BOOKS = (
    BadFile(
        name="days counted from 1904",
        path=XLSX,
        content=book(statuses(status(status_date=date(2027, 10, 5))), _count_from_1904),
        kept=1,
        cells={"status_date": pd.Timestamp(2027, 10, 5)},
    ),
    BadFile(
        name="a filter that hides a row",
        path=XLSX,
        content=book(statuses(GOOD_ROW, OTHER_ROW), _filtered),
        kept=2,
        notes=("Rows are hidden (3)",),
    ),
    BadFile(
        name="comments beside cells",
        path=XLSX,
        content=book(statuses(GOOD_ROW), _commented),
        kept=1,
        notes=("comments beside its cells",),
    ),
    BadFile(
        name="a second row of the header, of units and codes",
        path=XLSX,
        content=book([list(CELLS), ["(code)", "(code)", None, "(date)", "(yes/no)", "(1-5)"], list(GOOD_ROW)]),
        kept=1,
        refused=1,
        notes=("says how to fill in",),
    ),
    BadFile(
        name="a header of two rows, the first of groups",
        path=XLSX,
        content=book([["Pupil", None, "Status of the pupil", None, None, None], list(CELLS), list(GOOD_ROW)]),
        kept=1,
    ),
    BadFile(
        name="a header that is split over two rows",
        path=XLSX,
        content=book(
            [["School", "Pupil", "Status", "Status"], ["ID", "ID", None, "date"], ["031201", "0001", "enrolled"]]
        ),
        refused=2,
        refusals=("Two of its columns",),
        notes=("no column",),
    ),
    refused(
        "a damaged workbook older than its name", b"\x09\x08\x10\x00\x00\x06\x05\x00" + bytes(500), "damaged", XLSX
    ),
    refused("a table of a web page", b"<table><tr><td>school_id</table>", "web page", "HU/status_x.xls"),
    refused(
        "a web page that starts otherwise", b"<meta charset=utf-8><table><tr></table>", "web page", "HU/status_x.xls"
    ),
    refused("a binary workbook", zipped({"xl/workbook.bin": b""}), "binary workbook", "HU/status_x.xlsb"),
    refused("a workbook of a Macintosh", zipped({"Index/Document.iwa": b""}), ".numbers", "HU/status_x.numbers"),
    BadFile(
        name="a workbook that a mail program called a folder",
        path="HU/status_x.zip",
        content=book(statuses(GOOD_ROW)),
        kept=1,
    ),
    BadFile(name="CSV that calls itself a workbook", path=XLSX, content=rows(GOOD), kept=1),
    refused("an empty zipped folder", zipped({}), "nothing in it", "HU/all.zip"),
    BadFile(
        name="a row of ODS that represents two",
        path="SI/status_x.ods",
        content=ods(
            statuses(("SI-04", "0001", "enrolled", None, None, 4.5)),
            after='<table:table-row table:number-rows-repeated="2">'
            + "".join(
                f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
                for cell in ("SI-04", "0002", "enrolled")
            )
            + "</table:table-row>",
        ),
        kept=2,
        refused=1,
        notes=("says the same as row 3",),
    ),
    BadFile(
        name="Stata, with an answer that has no label",
        path="HU/status_x.dta",
        content=stata(
            pd.DataFrame({"school_id": ["031201", "031201"], "pupil_id": ["0001", "0002"], "status": [1, 9]}),
            value_labels={"status": {1: "enrolled"}},
            variable_labels={},
        ),
        kept=2,
        questions=("'9' is not one of the answers",),
        notes=("no column",),
    ),
)


def _merged_header(sheet: Worksheet) -> None:
    for area in ("A1:A2", "B1:B2", "C1:F1"):
        sheet.merge_cells(area)


SIGNS = (
    BadFile(
        name="a header of two rows, merged downwards and across",
        path=XLSX,
        content=book([["school_id", "pupil_id", "Status"], [None, None, *CELLS[2:]], list(GOOD_ROW)], _merged_header),
        kept=1,
        cells={"average_mark": 4.5},
        notes=("Cells are merged",),
    ),
    BadFile(
        name="a line end that XML cannot hold",
        path=XLSX,
        content=book(statuses(status(status="enrolled_x000D_"))),
        kept=1,
        repairs=frozenset({("status", "enrolled", "spaces")}),
    ),
    BadFile(
        name="spaces before quotation marks",
        content=text(HEADER.replace(";", ", "), '031201, "0001", "enrolled", , , "4,5"'),
        kept=1,
        repairs=frozenset({("average_mark", "4.5", "decimal mark")}),
    ),
    BadFile(
        name="signs that show nothing, inside words",
        content=rows("031\u00ad201;0001;enrol\u200dled;;;4.5"),
        kept=1,
        repairs=frozenset({("school_id", "031201", "spaces"), ("status", "enrolled", "spaces")}),
    ),
    BadFile(
        name="a school's number in groups",
        content=rows("031 201;0001;enrolled;;;4"),
        asked=1,
        questions=("differs by leading zeros or signs",),
    ),
    BadFile(
        name="what programs write for nothing",
        content=rows("031201;0001;enrolled;None;(null);\\N"),
        kept=1,
        repairs=frozenset((name, "", "missing mark") for name in CELLS[3:]),
    ),
    refused("a mail", b"Return-Path: <school@example.org>\r\nSubject: data\r\n", "a mail"),
    refused("a file of XML without its first line", b"<data><row/></data>", "XML file"),
)

MORE_BAD_FILES = (*LETTERS, *LINES, *VALUES, *BOOKS, *SIGNS)
