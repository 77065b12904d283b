"""What a reader hands on: cells with places -> rows of sheets, within bounds; or the reason why there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from data_schema.findings import Finding, Findings, Severity
from data_schema.readers.archives import UnreadableError
from data_schema.readers.limits import LONGEST_CELL, N_CELLS, N_COLUMNS, N_ROWS

Cell = str | date | int | float | bool | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Cells of one sheet, or of a file without sheets.

    Parameters
    ----------
    file
        Path of the file below the inbox, or its name.
    sheet
        Name of the sheet; empty for a CSV file.
    rows
        All rows from the first one on, as a spreadsheet numbers them: ``rows[0]`` is row 1. An empty cell is None.
    separator
        What divides the cells of a CSV file; empty for workbooks, whose cells have types of their own.
    labels
        Second names of the columns, for files that have them beside the header in ``rows[0]``; empty otherwise.
    is_hidden
        Whether the sheet is hidden.
    hidden_rows
        Rows that are hidden, from 1; they are read like others.
    hidden_columns
        Columns that are hidden, from 1; they are read like others.
    merged
        Ranges of merged cells, such as "A2:A31", whose value was put into each of their rows.
    struck
        Row and column, from 1, of the cells whose text is struck through; they are read like others.
    """

    file: str
    sheet: str
    rows: tuple[Row, ...]
    separator: str = ""
    labels: tuple[str, ...] = ()
    is_hidden: bool = False
    hidden_rows: tuple[int, ...] = ()
    hidden_columns: tuple[int, ...] = ()
    merged: tuple[str, ...] = ()
    struck: tuple[tuple[int, int], ...] = ()

    def finding(
        self, problem: str, remedy: str, *, row: int | None = None, column: str = "", severity: Severity = "question"
    ) -> Finding:
        """Return a finding about the sheet, or one of its rows, by its position in ``rows``."""
        return Finding(
            file=self.file,
            sheet=self.sheet,
            row=None if row is None else row + 1,
            column=column,
            problem=problem,
            remedy=remedy,
            severity=severity,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Outcome of reading a file.

    Parameters
    ----------
    sheets
        Its sheets in their order; none when it could not be read.
    findings
        Why it could not be read, or what was odd about it.
    """

    sheets: tuple[Sheet, ...] = ()
    findings: Findings = field(default_factory=Findings)


def refuse_file(file: str, problem: str, remedy: str, *, sheet: str = "", row: int | None = None) -> Reading:
    """Refuse a file as a whole."""
    finding = Finding(file=file, sheet=sheet, row=row, problem=problem, remedy=remedy, severity="refused")
    return Reading(findings=Findings([finding]))


_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_N_MERGED = 10_000


class Budget:
    """Counts the cells of a workbook, so that a small file cannot represent a huge one."""

    __slots__ = ("_left",)

    def __init__(self, n_cells: int = N_CELLS) -> None:
        self._left = n_cells

    def spend(self, n_cells: int) -> None:
        """Take cells off.

        Raises
        ------
        UnreadableError
            When none are left.
        """
        self._left -= n_cells
        if self._left < 0:
            raise UnreadableError("it is too large")


def ensure_text_bounds(text: str) -> str:
    """Return a cell's text.

    Raises
    ------
    UnreadableError
        When it is longer than any answer: three times what a spreadsheet can hold.
    """
    if len(text) > LONGEST_CELL:
        raise UnreadableError("a cell holds more text than a spreadsheet can")
    return text


def parse_reference(reference: str) -> tuple[int, int]:
    """Return row and column, from 0, of a reference such as "B7".

    Raises
    ------
    UnreadableError
        When it is none, or lies beyond any spreadsheet.
    """
    match = _REFERENCE.fullmatch(reference)
    number = parse_column_letters(match[1]) if match else N_COLUMNS + 1
    if match is None or number > N_COLUMNS or not 1 <= int(match[2]) <= N_ROWS:
        raise UnreadableError("a cell stands nowhere")
    return int(match[2]) - 1, number - 1


def parse_column_letters(letters: str) -> int:
    """Return the number, from 1, of a column such as "AB"."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number


def format_column_letters(number: int) -> str:
    """Return the letters of a column, from 1.

    Examples
    --------
    >>> format_column_letters(28)
    'AB'
    """
    letters = ""
    while number:
        number, remainder = divmod(number - 1, 26)
        letters = chr(65 + remainder) + letters
    return letters


def apply_merged_values(
    rows: Sequence[Row], areas: Iterable[tuple[int, int, int, int]]
) -> tuple[tuple[Row, ...], list[str]]:
    """Put the value of merged cells into each row that they span, as people read them.

    Parameters
    ----------
    rows
        Rows of a sheet.
    areas
        First row, first column, last row, last column of each merged range, from 0.

    Returns
    -------
    tuple
        The rows, and the ranges that were filled in: those that span rows with further values. Titles, which span
        columns only, stay as they are.
    """
    result = list(rows)
    merged_areas = []
    for top, left, bottom, right in list(areas)[:_N_MERGED]:
        if bottom == top or top >= len(result) or left >= len(result[top]) or result[top][left] is None:
            continue
        value = result[top][left]
        changed = False
        for row_index in range(top + 1, min(bottom + 1, len(result))):
            filled_row = _insert_merged_value(result[row_index], left, right, value)
            changed = changed or filled_row is not None
            result[row_index] = result[row_index] if filled_row is None else filled_row
        if changed:
            merged_areas.append(
                f"{format_column_letters(left + 1)}{top + 1}:{format_column_letters(right + 1)}{bottom + 1}"
            )
    return tuple(result), merged_areas


def _insert_merged_value(row: Row, left: int, right: int, value: Cell) -> Row | None:
    """Return a row with a value in its merged cells; None when it holds nothing else, or something there."""
    others = [cell for column_index, cell in enumerate(row) if cell is not None and not left <= column_index <= right]
    if not others or any(cell is not None for cell in row[left : right + 1]):
        return None
    cells = [*row, *[None] * (left + 1 - len(row))]
    cells[left] = value
    return tuple(cells)
