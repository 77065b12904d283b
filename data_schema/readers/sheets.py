"""What a reader hands on: sheets of cells, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from data_schema.findings import Finding, Findings, Severity

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


def unreadable(file: str, problem: str, remedy: str, *, sheet: str = "", row: int | None = None) -> Reading:
    """Refuse a file as a whole."""
    finding = Finding(file=file, sheet=sheet, row=row, problem=problem, remedy=remedy, severity="refused")
    return Reading(findings=Findings([finding]))
