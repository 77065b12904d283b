"""The corpus of bad files: at least sixty, each with the repairs, questions and refusals that it must lead to."""

from __future__ import annotations

from datetime import date

import pandas as pd
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from tests.support.bad_files import (
    GOOD,
    GOOD_ROW,
    HEADER,
    SIGNALS,
    BadFile,
    book,
    books,
    ods,
    rows,
    stata,
    statuses,
    text,
    zipped,
)

CYRILLIC = "шифра школе;шифра ученика;статус;датум;нова школа потврдила;просек оцена"
LATIN = "šifra škole;šifra učenika;status;datum;nova škola potvrdila;prosek ocena"
HUNGARIAN = "iskola azonosítója;tanuló azonosítója;jogviszony;dátum;új iskola megerősítette;tanulmányi átlag"
CSV = "HU/status_x.csv"
XLSX = "HU/status_x.xlsx"


def one(name: str, line: str, **expected: object) -> BadFile:
    """Return a case of one record below the usual header."""
    return BadFile(name=name, content=rows(line), **{"kept": 1, **expected})  # type: ignore[arg-type]


def repaired(name: str, line: str, *repairs: tuple[str, str, str]) -> BadFile:
    """Return a case whose cells are repaired without a question."""
    return BadFile(name=name, content=rows(line), kept=1, repairs=frozenset(repairs))


def asked_cell(name: str, line: str, question: str, **more: object) -> BadFile:
    """Return a case of a record that is kept with an empty cell and a question."""
    return BadFile(name=name, content=rows(line), kept=1, questions=(question,), **more)  # type: ignore[arg-type]


def refused(name: str, content: bytes, refusal: str, path: str = CSV, *, n_rows: int = 0) -> BadFile:
    """Return a case of a file that is refused as a whole, with the rows that it has."""
    return BadFile(name=name, content=content, path=path, refusals=(refusal,), refused=n_rows)


def _hide_rows(sheet: Worksheet) -> None:
    sheet.row_dimensions[3].hidden = True


def _hide_column(sheet: Worksheet) -> None:
    sheet.column_dimensions["F"].hidden = True


def _merge_school(sheet: Worksheet) -> None:
    sheet.merge_cells("A2:A4")


def _merge_title(sheet: Worksheet) -> None:
    sheet["A1"] = "Status, 2028"
    sheet["A1"].font = Font(bold=True)
    sheet.merge_cells("A1:F1")


def _padded(sheet: Worksheet) -> None:
    sheet["A2"].number_format = "000000"
    sheet["B2"].number_format = "0000"


ENCODINGS = (
    BadFile(
        name="utf-16 with a mark, tabs",
        content=text(HEADER.replace(";", "\t"), GOOD.replace(";", "\t"), encoding="utf-16"),
        kept=1,
    ),
    BadFile(name="utf-16 without a mark", content=rows(GOOD, encoding="utf-16-le"), kept=1),
    BadFile(name="utf-8 with a mark", content=rows(GOOD, encoding="utf-8-sig"), kept=1),
    BadFile(
        name="cp1250, Serbian Latin",
        path="RS/status_x.csv",
        content=rows("RS-101;0001;završio;5.10.2027.;da;4,5", header=LATIN, encoding="cp1250"),
        kept=1,
        repairs=frozenset(
            {
                ("status", "completed", "synonym"),
                ("status_date", "2027-10-05", "date"),
                ("destination_confirmed", "yes", "synonym"),
                ("average_mark", "4.5", "decimal mark"),
            }
        ),
    ),
    BadFile(
        name="cp852, Serbian Latin",
        path="RS/status_x.csv",
        content=rows("RS-101;0001;završio;;;", header=LATIN, encoding="cp852"),
        kept=1,
        repairs=frozenset({("status", "completed", "synonym")}),
    ),
    BadFile(
        name="cp1251, Cyrillic",
        path="RS/status_x.csv",
        content=rows("RS-101;0001;завршио;;да;4,5", header=CYRILLIC, encoding="cp1251"),
        kept=1,
        repairs=frozenset(
            {
                ("status", "completed", "synonym"),
                ("destination_confirmed", "yes", "synonym"),
                ("average_mark", "4.5", "decimal mark"),
            }
        ),
    ),
    BadFile(
        name="cp1250, Hungarian",
        content=rows("031201;0001;végzett;2027. október 5.;igen;4,5", header=HUNGARIAN, encoding="cp1250"),
        kept=1,
        repairs=frozenset(
            {
                ("status", "completed", "synonym"),
                ("status_date", "2027-10-05", "date"),
                ("destination_confirmed", "yes", "synonym"),
                ("average_mark", "4.5", "decimal mark"),
            }
        ),
    ),
    refused("bytes of no encoding", b"school_id;pupil_id\r\n\x81\x83\x88\x90\x98;\xff\r\n", "encoding is not known"),
    BadFile(name="line ends of an old Macintosh", content=text(HEADER, GOOD, end="\r"), kept=1),
)

SHAPES = (
    BadFile(name="TSV", path="HU/status_x.tsv", content=rows(GOOD).replace(b";", b"\t"), kept=1),
    BadFile(name="commas", content=rows(GOOD).replace(b";", b","), kept=1),
    BadFile(name="bars", content=rows(GOOD).replace(b";", b"|"), kept=1),
    BadFile(name="a hint of the separator", content=text("sep=;", HEADER, GOOD), kept=1),
    BadFile(name="each line between quotation marks", content=text(f'"{HEADER}"', f'"{GOOD}"'), kept=1),
    BadFile(name="titles above", content=text("Status of pupils;;", "School 031201", "", HEADER, GOOD), kept=1),
    BadFile(
        name="totals below",
        content=rows(GOOD, "Ukupno;;;;;4,5"),
        kept=1,
        refused=1,
        notes=("row of totals",),
    ),
    BadFile(
        name="totals in Hungarian, beside the key",
        content=rows(GOOD, "031201;Összesen: 1;;;;"),
        kept=1,
        refused=1,
        notes=("row of totals",),
    ),
    BadFile(
        name="the header on every page",
        content=rows(GOOD, HEADER, "031201;0002;enrolled;;;4"),
        kept=2,
        refused=1,
        notes=("the header again",),
    ),
    BadFile(
        name="a signature below",
        content=rows(GOOD, "", "Igazgató: ____________;;;;;"),
        kept=1,
        refused=1,
        notes=("remark below",),
    ),
    BadFile(
        name="a record cut into more cells",
        content=rows("031201;0001;enrolled;;;4;5"),
        asked=1,
        questions=("more cells than the header",),
    ),
    BadFile(
        name="a quotation mark that never closes",
        content=rows('031201;"0001;enrolled;;;4.5', GOOD),
        refusals=("quotation mark opens",),
    ),
    BadFile(name="a header and nothing else", content=text(HEADER), questions=("no rows below",)),
    refused("no header", text(GOOD, GOOD), "is a header of the table", n_rows=2),
    refused("no column of pupils", text("school_id;status", "031201;enrolled"), "no column 'pupil_id'", n_rows=1),
    BadFile(
        name="no column of what is asked",
        content=text("school_id;pupil_id;average_mark", "031201;0001;4.5"),
        kept=1,
        questions=("no column 'status'",),
        notes=("no column 'status_date'",),
    ),
    refused(
        "two columns of one name",
        text(f"{HEADER};Status", f"{GOOD};enrolled"),
        "Two of its columns",
        n_rows=1,
    ),
    BadFile(
        name="a column that nobody knows",
        content=text(f"{HEADER};shoe size", f"{GOOD};42"),
        kept=1,
        notes=("no such column",),
    ),
    BadFile(
        name="headers with units, numbers and translations",
        content=text(
            "1. school_id (šifra škole);2. pupil_id;Status / állapot;status_date;destination_confirmed;"
            "average_mark [1-5]",
            GOOD,
        ),
        kept=1,
        notes=("taken for 'school_id'", "taken for 'pupil_id'", "taken for 'status'", "taken for 'average_mark'"),
    ),
    refused("a line of a million columns", b"school_id;pupil_id" + b";" * 1_000_000, "more cells than any spreadsheet"),
    refused("a cell of a hundred thousand letters", rows(f"031201;{'x' * 200_000};enrolled;;;"), "It is no table"),
)

KINDS = (
    refused("nothing", b"", "It is empty"),
    refused("spaces only", b" \r\n \r\n", "It is empty"),
    refused("a damaged old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "damaged", "HU/status_x.xls"),
    refused("a PDF", b"%PDF-1.7 ...", "It is a PDF", "HU/status_x.pdf"),
    refused("a web page that calls itself a workbook", b"<html><table>", "web page", "HU/status_x.xls"),
    refused("JSON", b'[{"school_id": "031201"}]', "JSON"),
    refused("a picture", b"\x89PNG\r\n\x1a\n", "picture"),
    refused("Parquet", b"PAR1 and more", "Parquet"),
    refused("a workbook cut off on its way", book(statuses(GOOD_ROW))[:900], "damaged", XLSX),
    refused(
        "a text document", zipped({"[Content_Types].xml": b"", "word/document.xml": b"<a/>"}), "text document", XLSX
    ),
    refused("a workbook that declares entities", zipped({"xl/workbook.xml": b"<!DOCTYPE a>"}), "declares", XLSX),
    BadFile(
        name="a file for which there is no rule",
        path="HU/notes.csv",
        content=rows(GOOD),
        questions=("no rule says what it is",),
    ),
    BadFile(
        name="what a program left behind", path="HU/~$status_x.xlsx", content=b"x", notes=("A program left it behind",)
    ),
)

WORKBOOKS = (
    BadFile(name="a workbook where CSV was asked for", content=book(statuses(GOOD_ROW)), kept=1),
    BadFile(
        name="a merged title",
        path=XLSX,
        content=book([[None], [], *statuses(GOOD_ROW)], _merge_title),
        kept=1,
    ),
    BadFile(
        name="a school merged over its pupils",
        path=XLSX,
        content=book(
            statuses(GOOD_ROW, (None, "0002", "enrolled", None, None, 4), (None, "0003", "enrolled", None, None, 3)),
            _merge_school,
        ),
        kept=3,
        notes=("Cells are merged (A2:A4)",),
    ),
    BadFile(
        name="hidden rows",
        path=XLSX,
        content=book(statuses(GOOD_ROW, ("031201", "0002", "enrolled", None, None, 4)), _hide_rows),
        kept=2,
        notes=("Rows are hidden (3)",),
    ),
    BadFile(
        name="a hidden column",
        path=XLSX,
        content=book(statuses(GOOD_ROW), _hide_column),
        kept=1,
        notes=("Columns are hidden (F)",),
    ),
    BadFile(
        name="numbers shown with leading zeros",
        path=XLSX,
        content=book(statuses((31201, 1, "enrolled", None, None, 4.5)), _padded),
        kept=1,
    ),
    BadFile(
        name="identifiers that lost their zeros",
        path=XLSX,
        content=book(statuses((31201, "0001", "enrolled", None, None, 4.5))),
        asked=1,
        questions=("differs by leading zeros",),
    ),
    BadFile(
        name="dates and numbers as text",
        path=XLSX,
        content=book(statuses(("031201", "0001", "enrolled", "2027.10.05.", "igen", "4,5"))),
        kept=1,
        repairs=frozenset(
            {
                ("status_date", "2027-10-05", "date"),
                ("destination_confirmed", "yes", "synonym"),
                ("average_mark", "4.5", "text to number, decimal mark"),
            }
        ),
    ),
    BadFile(
        name="a formula that was never computed",
        path=XLSX,
        content=book(statuses(("031201", "0001", "enrolled", None, None, "=AVERAGE(A1:A9)"))),
        kept=1,
        questions=("formula without a result",),
    ),
    BadFile(
        name="a formula that calls a program",
        path=XLSX,
        content=book(statuses(("031201", "0001", "=cmd|'/c calc'!A1", None, None, 4.5))),
        kept=1,
        questions=("formula without a result",),
    ),
    BadFile(
        name="an error of the spreadsheet",
        path=XLSX,
        content=book(statuses(("031201", "0001", "enrolled", None, None, "#REF!"))),
        kept=1,
        questions=("error of a spreadsheet",),
    ),
    BadFile(
        name="a cover sheet first",
        path=XLSX,
        content=books({"Upute": [["Please fill in the next sheet."]], "Podaci": statuses(GOOD_ROW)}),
        kept=1,
        notes=("No rule asks for this sheet", "has the header of the table"),
    ),
    BadFile(
        name="a sheet a class",
        path=XLSX,
        content=books({"9.a": statuses(GOOD_ROW), "9.b": statuses(("031201", "0002", "enrolled", None, None, 4))}),
        kept=2,
        notes=("has the header of the table",),
    ),
    BadFile(
        name="sheets without their accents, and one that is missing",
        path="RS/book_x.xlsx",
        content=books({"STATUS": statuses(("RS-101", "0001", "enrolled", None, None, 4)), "Napomene": [["call"]]}),
        kept=1,
        notes=("no sheet 'Anketa'", "No rule asks"),
    ),
    BadFile(
        name="a sheet under another name",
        path="RS/book_x.xlsx",
        content=books({"Sheet1": statuses(("RS-101", "0001", "enrolled", None, None, 4))}),
        questions=("no sheet 'Status'", "no sheet 'Anketa'"),
        notes=("No rule asks for this sheet",),
    ),
    BadFile(
        name="a million empty rows before the next cell",
        path=XLSX,
        content=book(statuses(GOOD_ROW), lambda sheet: sheet.__setitem__("A1048576", "end of the list")),
        kept=1,
        refused=1,
        notes=("remark below",),
    ),
)

OTHER_PROGRAMS = (
    BadFile(
        name="ODS",
        path="SI/status_x.ods",
        content=ods(statuses(("SI-04", "0001", "vpisan", date(2027, 10, 5), "da", 4.5))),
        kept=1,
        repairs=frozenset({("status", "enrolled", "synonym"), ("destination_confirmed", "yes", "synonym")}),
    ),
    BadFile(
        name="ODS whose last row is repeated to the end of the sheet",
        path="SI/status_x.ods",
        content=ods(
            statuses(("SI-04", "0001", "enrolled", None, None, 4.5)),
            after='<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
            'table:number-columns-repeated="16384"/></table:table-row>',
        ),
        kept=1,
    ),
    refused(
        "ODS of sixteen billion cells",
        ods(
            statuses(("SI-04", "0001", "enrolled", None, None, 4.5)),
            after='<table:table-row table:number-rows-repeated="1000000"><table:table-cell office:value-type="float" '
            'office:value="1" table:number-columns-repeated="16384"/></table:table-row>',
        ),
        "too large",
        "SI/status_x.ods",
    ),
    BadFile(
        name="ODS with an error and hidden rows",
        path="SI/status_x.ods",
        content=ods(
            statuses(("SI-04", "0001", "enrolled", None, None, "#REF!")),
            after='<table:table-row table:visibility="collapse"><table:table-cell office:value-type="string"><text:p>'
            "SI-04</text:p></table:table-cell><table:table-cell office:value-type='string'><text:p>0002</text:p>"
            "</table:table-cell><table:table-cell office:value-type='string'><text:p>enrolled</text:p>"
            "</table:table-cell></table:table-row>",
        ),
        kept=2,
        questions=("error of a spreadsheet",),
        notes=("Rows are hidden (3)",),
    ),
    BadFile(
        name="Stata, with coded answers",
        path="HU/status_x.dta",
        content=stata(
            pd.DataFrame({"school_id": ["031201"], "pupil_id": ["0001"], "v3": [2], "average_mark": [4.5]}),
            value_labels={"v3": {1: "jogviszonyban", 2: "lemorzsolódott"}},
            variable_labels={"v3": "Status"},
        ),
        kept=1,
        repairs=frozenset({("status", "left_early", "synonym")}),
        notes=("no column 'status_date'", "taken for 'status'"),
    ),
    refused("Stata, cut off", stata(pd.DataFrame({"a": [1]}))[:400], "damaged", "HU/status_x.dta"),
    refused("SPSS, damaged", b"$FL2@(#)" + bytes(400), "damaged", "HU/status_x.sav"),
    BadFile(
        name="a zipped folder",
        path="HU/all.zip",
        content=zipped({"school/status_a.csv": rows(GOOD), "__MACOSX/x": b"", "school/readme.doc": b"x"}),
        kept=1,
        questions=("no rule says what it is",),
    ),
    refused("a zipped folder with nothing in it", zipped({"__MACOSX/x": b""}), "nothing in it", "HU/all.zip"),
    BadFile(
        name="a zipped folder in a zipped folder",
        path="HU/all.zip",
        content=zipped({"status_1.zip": zipped({"status_a.csv": rows(GOOD)})}),
        refusals=("within a zipped folder",),
    ),
    refused("a zip bomb", zipped({"status_1.csv": bytes(250_000_000)}), "too large", "HU/all.zip"),
)

CELLS_OF = (
    repaired("spaces around", " 031201 ; 0001;enrolled ;;; 4.5", ("school_id", "031201", "spaces"),
             ("pupil_id", "", "spaces"), ("status", "enrolled", "spaces"), ("average_mark", "4.5", "spaces")),
    repaired("a mark with its word", "031201;0001;enrolled;;;5 (odličan)", ("average_mark", "5", "mark in words")),
    asked_cell("a mark whose word says otherwise", "031201;0001;enrolled;;;5 (dobar)", "says two things"),
    asked_cell("a mark of another scale", "031201;0001;enrolled;;;55", "above the greatest possible value"),
    asked_cell("a letter for a digit", "031201;0001;enrolled;;;4,O", "is not a number"),
    repaired("a date in words", "031201;0001;enrolled;5. октобра 2027. године;;4",
             ("status_date", "2027-10-05", "date")),
    repaired("a date with a Roman month", "031201;0001;enrolled;5. X. 2027.;;4", ("status_date", "2027-10-05", "date")),
    asked_cell("a date that reads both ways", "031201;0001;enrolled;5/10/2027;;4", "can be two dates"),
    asked_cell("a year of two digits", "031201;0001;enrolled;05.10.27;;4", "has two digits"),
    asked_cell("a day that there is not", "031201;0001;enrolled;31.2.2027;;4", "no day of any calendar"),
    repaired("an answer with its number", "031201;0001;1 - upisan;;;4", ("status", "enrolled", "synonym")),
    repaired("an answer for both genders", "031201;0001;upisan/a;;;4", ("status", "enrolled", "synonym")),
    asked_cell("an answer that nobody defined", "031201;0001;on leave;;;4", "is not one of the answers"),
    asked_cell("no answer where one is needed", "031201;0001;;;;4", "'status' is missing"),
    repaired("yes in Hungarian", "031201;0001;enrolled;;IGEN;4", ("destination_confirmed", "yes", "synonym")),
    repaired("marks for missing", "031201;0001;enrolled;-;n/a;NA", ("status_date", "", "missing mark"),
             ("destination_confirmed", "", "missing mark"), ("average_mark", "", "missing mark")),
    repaired("identifiers kept as text", '"=""031201""";\'0001;enrolled;;;4', ("school_id", "031201", "kept as text"),
             ("pupil_id", "", "kept as text")),
    BadFile(name="an identifier with decimals", content=rows("031201;1.0;enrolled;;;4"), asked=1,
            questions=("turned into a decimal number",)),
    BadFile(name="an identifier that was rounded", content=rows("031201;1,0E+10;enrolled;;;4"), asked=1,
            questions=("rounded number",)),
    BadFile(name="a school of no trial", content=rows("999999;0001;enrolled;;;4"), asked=1,
            questions=("is no school of the trial",)),
    BadFile(name="no pupil", content=rows("031201;;enrolled;;;4"), asked=1, questions=("has no 'pupil_id'",)),
    BadFile(name="a pupil without the zeros", content=rows("031201;1;enrolled;;;4"), kept=1,
            questions=("in no list of pupils",)),
    BadFile(name="one record twice", content=rows(GOOD, GOOD), kept=1, refused=1, notes=("says the same as row 2",)),
    BadFile(name="one pupil, two answers", content=rows(GOOD, GOOD.replace("enrolled", "left_early")), asked=2,
            questions=("with other values", "with other values")),
    BadFile(
        name="thousands with thin spaces, hours with their unit",
        path="HU/signals_x.csv",
        content=rows("031201;0001;október 2027;12 óra;1\u2009234;4,5", header=SIGNALS),
        kept=1,
        repairs=frozenset({("month", "2027-10", "month"), ("absences_justified", "12", "unit"),
                           ("average_mark", "4.5", "decimal mark")}),
        questions=("above the greatest possible value",),
        notes=("no column",),
    ),
)  # fmt: skip

BAD_FILES = (*ENCODINGS, *SHAPES, *KINDS, *WORKBOOKS, *OTHER_PROGRAMS, *CELLS_OF)
"""All of them."""
