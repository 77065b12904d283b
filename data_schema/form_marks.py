"""Marks by which an entry workbook, and each column of its sheets, is known again whatever people see or change.

Three things say what a form is, so that any one may be lost: a hidden sheet lists its tables; a hidden row below each
table holds a mark in every column; and the headers that people see. The marks are cells, because cells are all that
spreadsheet programs, Google's and CSV keep alike: they move with their column when one is inserted and with their sheet
when it is renamed, copied or put into another workbook, where defined names are lost or point elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from data_schema.readers import Cell, Sheet, names_sheet, read_file
from data_schema.readers.sheets import Reading, Row

MARKER = "crocoos_form"
"""Name of the hidden sheet by which an entry workbook is known."""

LISTS = "crocoos_lists"
"""Name of the hidden sheet that holds the answers to choose from."""

_VERSION = 2
_START = f'["{MARKER}", '
_TABLE, _KNOWN, _PRINTED = "table", "known", "printed"
_N_LOOKED_AT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMark:
    """What the hidden sheet of an entry workbook says.

    Parameters
    ----------
    school, wave
        Whose form it is, and of which wave; no school's where a partner fills it in for several.
    tables
        Name of a sheet to the name of its table.
    fields
        Table to the fields that the form has columns for; empty in forms of earlier versions of the toolkit.
    known
        Table to the identifiers of the pupils or schools that were in the form when it was sent out.
    printed
        Digests of the texts that the form's other sheets were sent out with.
    """

    school: str
    wave: str
    tables: Mapping[str, str]
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    known: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    printed: frozenset[str] = frozenset()

    def is_printed(self, cell: Cell) -> bool:
        """Whether a cell was in the form when it was sent out."""
        return _compute_text_digest(str(cell)) in self.printed


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetMark:
    """What the hidden row of a form's sheet says.

    Parameters
    ----------
    school, wave, table
        Whose form it is, of which wave, and the table that the sheet contains.
    columns
        Field to the position of its column.
    rows
        Positions of the rows that hold marks and nothing else.
    """

    school: str
    wave: str
    table: str
    columns: Mapping[str, int]
    rows: tuple[int, ...]


def build_column_marks(fields: Iterable[str], *, table: str, school: str, wave: str) -> list[str]:
    """Return the cells of a hidden row, one for each column of a form's sheet."""
    return [json.dumps([MARKER, school, wave, table, name], ensure_ascii=False) for name in fields]


def build_marker_rows(mark: FormMark, *, printed: Iterable[str]) -> list[list[str | int]]:
    """Return the cells of the hidden sheet of an entry workbook.

    Parameters
    ----------
    mark
        What the sheet says.
    printed
        Texts of the form's other sheets.
    """
    rows: list[list[str | int]] = [[MARKER, _VERSION, mark.school, mark.wave]]
    rows += [[_TABLE, title, table, *mark.fields[table]] for title, table in mark.tables.items()]
    rows += [[_KNOWN, table, *sorted(known)] for table, known in mark.known.items() if known]
    rows.append([_PRINTED, *sorted({_compute_text_digest(text) for text in printed})])
    return rows


def mark_of_form(content: bytes) -> FormMark | None:
    """Return what the hidden sheet of an entry workbook says; None for any other file."""
    return mark_in(read_file(content, file="")) if names_sheet(content, MARKER) else None


def mark_in(reading: Reading) -> FormMark | None:
    """Return what the hidden sheet of an entry workbook says, or else the marks of its sheets; None without either."""
    sheet = next((candidate_sheet for candidate_sheet in reading.sheets if candidate_sheet.sheet == MARKER), None)
    stated_mark = None if sheet is None else _parse_form_mark(sheet.rows)
    return stated_mark or _from_sheets(reading.sheets)


def _parse_form_mark(rows: Sequence[Row]) -> FormMark | None:
    if not rows or len(rows[0]) < 3 or rows[0][0] != MARKER:
        return None
    head = ["" if cell is None else str(cell) for cell in rows[0]]
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows[1:]]
    school, wave = head[2], head[3] if len(head) > 3 else ""
    if head[1] == "1":
        return FormMark(school=school, wave=wave, tables={row[0]: row[1] for row in texts if len(row) > 1})
    listed = [row for row in texts if row[:1] == [_TABLE] and len(row) > 2]
    return FormMark(
        school=school,
        wave=wave,
        tables={row[1]: row[2] for row in listed},
        fields={row[2]: tuple(row[3:]) for row in listed},
        known={row[1]: frozenset(row[2:]) for row in texts if row[:1] == [_KNOWN]},
        printed=frozenset(cell for row in texts if row[:1] == [_PRINTED] for cell in row[1:]),
    )


def _from_sheets(sheets: Sequence[Sheet]) -> FormMark | None:
    """Return what the marks of sheets say that were taken out of their workbook."""
    marks = [(sheet.sheet, mark) for sheet in sheets if (mark := mark_of_sheet(sheet)) is not None]
    if not marks:
        return None
    first = marks[0][1]
    return FormMark(school=first.school, wave=first.wave, tables={title: mark.table for title, mark in marks})


def has_marks(sheet: Sheet) -> bool:
    """Whether a sheet seems to have a row of marks: a quick look at its first columns."""
    return any(isinstance(cell, str) and cell.startswith(_START) for row in sheet.rows for cell in row[:_N_LOOKED_AT])


def mark_of_sheet(sheet: Sheet) -> SheetMark | None:
    """Return what the hidden row of a form's sheet says; None where there is none."""
    marks_by_row = {
        row_position: marks for row_position, row in enumerate(sheet.rows) if (marks := _parse_column_marks(row))
    }
    if not marks_by_row:
        return None
    fullest_marks = max(marks_by_row.values(), key=len)
    school, wave, table = next(iter(fullest_marks.values()))[:3]
    columns = {name: column_index for column_index, (*_, name) in reversed(fullest_marks.items())}
    return SheetMark(school=school, wave=wave, table=table, columns=columns, rows=tuple(marks_by_row))


def _parse_column_marks(row: Row) -> dict[int, tuple[str, str, str, str]]:
    marks: dict[int, tuple[str, str, str, str]] = {}
    for column_index, cell in enumerate(row):
        if isinstance(cell, str) and cell.startswith(_START):
            try:
                _, school, wave, table, name = json.loads(cell)
            except ValueError:
                continue
            marks[column_index] = (str(school), str(wave), str(table), str(name))
    return marks


def _compute_text_digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:8]
