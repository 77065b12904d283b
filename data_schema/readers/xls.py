"""A workbook of the old kind (.xls, BIFF 2 to 8) -> cells with their types.

Read with xlrd (BSD licence), which keeps errors (#REF!) and the types of cells; calamine hands both on as empty cells.
It neither computes formulas nor follows links. What a formula showed last is stored beside it; some libraries store a
zero there and leave the sum to the program that opens the file, which a mark of the record shows.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from data_schema.findings import Finding, Findings
from data_schema.readers.archives import UnreadableError
from data_schema.readers.sheets import (
    Budget,
    Cell,
    Reading,
    Row,
    Sheet,
    apply_merged_values,
    ensure_text_bounds,
    refuse_file,
)

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.sheet import Sheet as Page

STARTS = (b"\xd0\xcf\x11\xe0", b"\x09\x08", b"\x09\x00\x04", b"\x09\x02\x06", b"\x09\x04\x06")
"""How files of the kind start: in a compound file, or bare, by version."""

_OTHERS = {
    "EncryptedPackage": ("It has a password.", "Send it without a password, in a way that is safe by itself."),
    "WordDocument": ("It is a text document.", "Send the table itself, as .xlsx or .csv."),
    "PowerPoint Document": ("It is a presentation.", "Send the table itself, as .xlsx or .csv."),
    "__substg1.0_": ("It is a mail.", "Send the file that was attached to it."),
}
"""Parts of compound files that are no workbooks, and what to say of them."""

_REMEDY = "Open it in a spreadsheet program, save it as .xlsx anew, and send that."
_TEXT, _DATE, _TRUTH, _ERROR = 1, 3, 4, 5
_NOTHING = (0, 6)
"""Kinds of cells, as xlrd numbers them; an empty one may have a format of its own."""

_PADDED = re.compile("0{2,20}")
_CENTRAL_EUROPE = "cp1250"
_RECORD = struct.Struct("<HH")
_FORMULA, _END, _STRING = 0x0006, 0x000A, b"\x07\x02"
_UNCOMPUTED = "=?"
_ON_LOAD = 0x0002
_WITH_MARK, _IN_UNICODE = 50, 80
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What xlrd raises over a damaged file, beside an error of its own."""


def read_xls(content: bytes, *, file: str) -> Reading:
    """Read all sheets of a workbook.

    Parameters
    ----------
    content
        The file's content; see `STARTS`.
    file
        What findings call it.

    Returns
    -------
    Reading
        Its sheets in their order, with cells as `data_schema.readers.xlsx.read_xlsx` has them.
    """
    import xlrd

    try:
        return _read(content, file)
    except UnreadableError as error:
        return refuse_file(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except (xlrd.XLRDError, xlrd.compdoc.CompDocError) as error:
        return refuse_file(file, *_describe_non_workbook(content, is_encrypted="encrypted" in str(error)))
    except _DAMAGED:
        return refuse_file(file, *_describe_non_workbook(content, is_encrypted=False))


def _describe_non_workbook(content: bytes, *, is_encrypted: bool) -> tuple[str, str]:
    """Return what to say of a file that is no workbook: what else it is, by the parts that are named in it."""
    others = (explanation for part, explanation in _OTHERS.items() if part.encode("utf-16-le") in content)
    if is_encrypted:
        return _OTHERS["EncryptedPackage"]
    return next(others, ("It is damaged: its content is not that of a workbook.", _REMEDY))


def _read(content: bytes, file: str) -> Reading:
    """Read a workbook; by the letters of Central Europe where an old one does not say which it has."""
    book = _open_book(content)
    is_told = book.biff_version >= _IN_UNICODE or book.codepage is not None
    if not is_told:
        book = _open_book(content, encoding=_CENTRAL_EUROPE)
    sheets, notes = tuple(_Book(book).sheets(file)), list(_find_comments(book, file))
    texts = (cell for sheet in sheets for row in sheet.rows for cell in row if isinstance(cell, str))
    if not is_told and not all(map(str.isascii, texts)):
        problem = "Its encoding is not told in it; its letters are read as those of Central Europe."
        remedy = "Nothing, if names are right; otherwise save it as 'CSV UTF-8' and send it again."
        notes.append(Finding(file=file, problem=problem, remedy=remedy, severity="note"))
    return Reading(sheets=sheets, findings=Findings(notes))


def _open_book(content: bytes, *, encoding: str | None = None) -> Book:
    import xlrd

    return xlrd.open_workbook(
        file_contents=content,
        logfile=io.StringIO(),
        formatting_info=True,
        ragged_rows=True,
        # Sheets are read one by one, and the records stay at hand.
        on_demand=True,
        encoding_override=encoding,
    )


def _find_comments(book: Book, file: str) -> Iterator[Finding]:
    if any(sheet.cell_note_map for sheet in book.sheets()):
        problem = "It has comments beside its cells; they are not read."
        remedy = "Read them; what they say of a pupil belongs into the cells."
        yield Finding(file=file, problem=problem, remedy=remedy, severity="note")


class _Book:
    """A workbook and what the cells of all its sheets refer to."""

    def __init__(self, book: Book) -> None:
        from xlrd import error_text_from_code

        self._errors: dict[int, str] = error_text_from_code
        self._book = book
        self._budget = Budget()
        self._epoch = datetime(1904, 1, 1) if book.datemode else datetime(1899, 12, 30)  # noqa: DTZ001 -- no zones here
        formats = [getattr(book.format_map.get(xf.format_key), "format_str", "") for xf in book.xf_list]
        self._padded = {k: len(code) for k, code in enumerate(formats) if code and _PADDED.fullmatch(code)}
        fonts = {k for k, font in enumerate(book.font_list) if font.struck_out}
        self._struck = frozenset(k for k, xf in enumerate(book.xf_list) if xf.font_index in fonts)

    def sheets(self, file: str) -> Iterator[Sheet]:
        """Yield the sheets that hold cells."""
        # Where the records of each sheet begin.
        places = self._book._sh_abs_posn
        if len(set(places)) < len(places):
            raise UnreadableError("two of its sheets are the same part")
        for number in range(self._book.nsheets):
            sheet = self._book.sheet_by_index(number)
            rows = [self._make_row(sheet, row_index) for row_index in range(sheet.nrows)]
            for row, column in self._find_uncomputed_cells(places[number]):
                if row < len(rows):
                    cells = (*rows[row], *[None] * (column + 1 - len(rows[row])))
                    rows[row] = (*cells[:column], _UNCOMPUTED, *cells[column + 1 :])
            areas = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
            filled_rows, merged = apply_merged_values(rows, areas)
            yield Sheet(
                file=file,
                sheet=sheet.name,
                rows=filled_rows,
                is_hidden=sheet.visibility != 0,
                hidden_rows=tuple(
                    sorted(row_index + 1 for row_index, about in sheet.rowinfo_map.items() if about.hidden)
                ),
                hidden_columns=tuple(
                    sorted(column_index + 1 for column_index, about in sheet.colinfo_map.items() if about.hidden)
                ),
                merged=tuple(merged),
                struck=tuple(self._find_struck_cells(sheet, rows)),
            )

    def _make_row(self, sheet: Page, at: int) -> Row:
        both = zip(sheet.row_types(at), sheet.row_values(at), strict=True)
        cells: list[Cell] = [
            (ensure_text_bounds(value) or None)
            if kind == _TEXT
            else None
            if kind in _NOTHING
            else self._convert_other_value(kind, value)
            for kind, value in both
        ]
        if self._padded:
            cells = [
                cell if not isinstance(cell, int) else self._format_shown_number(cell, sheet.cell_xf_index(at, k))
                for k, cell in enumerate(cells)
            ]
        while cells and cells[-1] is None:
            cells.pop()
        self._budget.spend(len(cells))
        return tuple(cells)

    def _convert_other_value(self, kind: int, value: float) -> Cell:
        if kind == _TRUTH:
            return bool(value)
        if kind == _ERROR:
            return self._errors.get(int(value), "#N/A")
        if kind == _DATE and value >= 1:
            return (self._epoch + timedelta(days=value)).date()
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value

    def _format_shown_number(self, number: int, style: int) -> Cell:
        """Return a number as its format shows it: "031201" is what people see, whatever is stored."""
        width = 0 if isinstance(number, bool) else self._padded.get(style, 0)
        return str(number).zfill(width) if width else number

    def _find_struck_cells(self, sheet: Page, rows: list[Row]) -> Iterator[tuple[int, int]]:
        if not self._struck:
            return
        for row_index, row in enumerate(rows):
            for k, cell in enumerate(row):
                if cell is not None and sheet.cell_xf_index(row_index, k) in self._struck:
                    yield row_index + 1, k + 1

    def _find_uncomputed_cells(self, at: int) -> Iterator[tuple[int, int]]:
        """Yield row and column of formulas of a sheet that the program that opens the file is to compute.

        The records of the sheet begin at a place; older versions have other ones, and no such mark.
        """
        content = self._book.mem if self._book.biff_version >= _WITH_MARK else b""
        end = len(content)
        while at + _RECORD.size <= end:
            kind, size = _RECORD.unpack_from(content, at)
            at += _RECORD.size
            if kind == _FORMULA and at + 16 <= end:
                row, column = _RECORD.unpack_from(content, at)
                (flags,) = struct.unpack_from("<H", content, at + 14)
                follows = content[at + size : at + size + 2]
                if flags & _ON_LOAD and _is_nothing(content[at + 6 : at + 14], follows):
                    yield row, column
            elif kind == _END:
                return
            at += size


def _is_nothing(result: bytes, follows: bytes) -> bool:
    """Whether what is stored as the result of a formula is a zero, or the promise of a text that does not follow."""
    if result[6:] == b"\xff\xff" and result[0] == 0:
        return follows != _STRING
    return result == bytes(8)
