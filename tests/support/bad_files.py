"""Files as schools send them, wrong in a hundred ways, and what intake must make of each."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

import pandas as pd
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import Table

SCHOOLS = {"031201": "HU", "RS-101": "RS", "SI-04": "SI"}
RULES = (
    InboxRule("list.csv", "pupil", wave="w"),
    InboxRule("*/pupil_*.csv", "pupil", wave="w"),
    InboxRule("*/status_*.csv", "status", wave="w"),
    InboxRule("*/status_*.xlsx", "status", wave="w"),
    InboxRule("*/signals_*.csv", "signals", wave="w"),
    InboxRule("*/book_*.xlsx", "status", wave="w", sheet="Status"),
    InboxRule("*/book_*.xlsx", "survey", wave="w", sheet="Anketa"),
)
PUPILS = tuple(f"{k:04d}" for k in range(1, 10))
HEADER = "school_id;pupil_id;status;status_date;destination_confirmed;average_mark"
SIGNALS = "school_id;pupil_id;month;absences_justified;absences_unjustified;average_mark"
CELLS = ("school_id", "pupil_id", "status", "status_date", "destination_confirmed", "average_mark")
GOOD_ROW = ("031201", "0001", "enrolled", None, None, 4.5)
GOOD = "031201;0001;enrolled;;;4.5"

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class BadFile:
    """A file, and what is to come of it.

    ``repairs`` are (column, became, rule); ``questions``, ``refusals`` and ``notes`` are passages, one for each finding
    of that severity, in the order of the findings.
    """

    name: str
    content: bytes
    path: str = "HU/status_x.csv"
    kept: int = 0
    asked: int = 0
    refused: int = 0
    repairs: frozenset[tuple[str, str, str]] = frozenset()
    questions: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: Mapping[str, object] = field(default_factory=dict)


def taken_in(bad: BadFile) -> Intake:
    """Read a file together with the list of the schools' pupils."""
    lines = [f"{school};{pupil}" for school in SCHOOLS for pupil in PUPILS]
    listed = "\n".join(["school_id;pupil_id", *lines]).encode()
    return read_inbox(
        {"list.csv": listed, bad.path: bad.content},
        rules=RULES,
        tables={name: _asked_always(table) for name, table in standard_tables().items()},
        schools=SCHOOLS,
        waves=["w"],
    )


def _asked_always(table: Table) -> Table:
    """Return a table whose fields have no conditions: the corpus is of reading, not of what a record may hold."""
    return replace(table, fields=tuple(replace(item, asked_if=None) for item in table.fields))


def text(*lines: str, encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    """Return lines as the bytes of a file."""
    return (end.join(lines) + end).encode(encoding)


def rows(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> bytes:
    """Return records below a header as CSV."""
    return text(header, *lines, encoding=encoding)


def book(cells: Rows, change: Callable[[Worksheet], object] | None = None, *, title: str = "Sheet1") -> bytes:
    """Return a workbook with one sheet."""
    return books({title: cells}, change)


def books(sheets: Mapping[str, Rows], change: Callable[[Worksheet], object] | None = None) -> bytes:
    """Return a workbook; the change is made to its first sheet."""
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    for name, cells in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in cells:
            sheet.append(list(row))
    if change:
        change(workbook.worksheets[0])
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zipped folder."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"'
)


def ods_cell(value: object) -> str:
    """Return a cell as an OpenDocument spreadsheet has it."""
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, date):
        kind = f'office:value-type="date" office:date-value="{value.isoformat()}"'
        return f"<table:table-cell {kind}><text:p>x</text:p></table:table-cell>"
    if isinstance(value, int | float):
        shown = f"<text:p>{value}</text:p>"
        return f'<table:table-cell office:value-type="float" office:value="{value}">{shown}</table:table-cell>'
    return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'


def old_book(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """Return a workbook of the old kind (.xls)."""
    import xlwt

    made, day = xlwt.Workbook(encoding="utf-8"), xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for title, rows in sheets.items():
        sheet = made.add_sheet(title)
        for at, row in enumerate(rows):
            for k, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write(at, k, cell, day)
                elif cell is not None:
                    sheet.write(at, k, cell)
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def ods(cells: Rows, *, after: str = "", styles: str = "", table: str = "") -> bytes:
    """Return an OpenDocument spreadsheet with one sheet; ``after`` stands below its rows."""
    lines = "".join(f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>" for row in cells)
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMES}>{styles}<office:body>'
        f'<office:spreadsheet><table:table table:name="List1"{table}>{lines}{after}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "content.xml": content.encode()})


def stata(frame: pd.DataFrame, *, version: Literal[114, 117, 118, 119] = 118, **labels: Any) -> bytes:  # noqa: ANN401 -- as pandas has them
    """Return a Stata file."""
    made = io.BytesIO()
    frame.to_stata(made, write_index=False, version=version, **labels)
    return made.getvalue()


def statuses(*cells: Sequence[object]) -> Rows:
    """Return a header and records for a workbook."""
    return [CELLS, *cells]
