"""Filled-in forms, and the bytes of the files that they arrive in."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from openpyxl import Workbook

Cell = str | int | float | date | None

_EPOCH = (1980, 1, 1, 0, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One table as one school or partner filled it in.

    Parameters
    ----------
    file
        Path below the inbox, parts divided by "/".
    sheet
        Name of the sheet; empty in CSV files.
    table, wave, country
        What it is about; the wave is empty for a table that has none.
    columns
        Names of the fields, in the order of the columns.
    header
        What the header calls them.
    rows
        Cells, row by row.
    title
        Lines above the header.
    encoding
        Of a CSV file.
    """

    file: str
    sheet: str
    table: str
    wave: str
    country: str
    columns: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: tuple[str, ...] = ()
    encoding: str = "utf-8-sig"

    @property
    def first_row(self) -> int:
        """Row of the first record as a spreadsheet numbers it, from 1."""
        return len(self.title) + 2

    def cell(self, row: int, column: str) -> Cell:
        """Cell of a record (from 0) and a field."""
        return self.rows[row][self.columns.index(column)]

    def with_cell(self, row: int, column: str, value: Cell) -> Form:
        """Return the form with one cell changed."""
        column_index = self.columns.index(column)
        changed = (*self.rows[row][:column_index], value, *self.rows[row][column_index + 1 :])
        return replace(self, rows=(*self.rows[:row], changed, *self.rows[row + 1 :]))


def encode_form_as_csv(form: Form) -> bytes:
    """Write a form as CSV with semicolons and the line ends of Windows, as a spreadsheet of the country does."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(form.header)
    writer.writerows([["" if cell is None else cell for cell in row] for row in form.rows])
    return text.getvalue().encode(form.encoding)


def encode_forms_as_xlsx(forms: Sequence[Form]) -> bytes:
    """Write forms as the sheets of a workbook; the same forms give the same bytes."""
    workbook = Workbook(write_only=True)
    for form in forms:
        sheet = workbook.create_sheet(form.sheet)
        for line in form.title:
            sheet.append([line])
        sheet.append(list(form.header))
        for row in form.rows:
            sheet.append(list(row))
    xlsx_buffer = io.BytesIO()
    workbook.save(xlsx_buffer)
    return _remove_write_time(xlsx_buffer.getvalue())


def _remove_write_time(workbook: bytes) -> bytes:
    """Take the time of writing out of a workbook: from the archive's entries and from the document's properties."""
    xlsx_buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as source,
        zipfile.ZipFile(xlsx_buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>2027-09-01T00:00:00Z", content)
            # ZipInfo takes the operating system from where it runs, unless it is given.
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 0
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return xlsx_buffer.getvalue()
