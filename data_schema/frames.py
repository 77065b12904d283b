"""The sampling frame: schools.csv -> one row a school, identifiers untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.checks import bare_identifier
from data_schema.clean import shown
from data_schema.columns import Column, clean_column, text_series, typed_series
from data_schema.errors import DataError
from data_schema.fields import Field
from data_schema.findings import Finding, Findings, Severity, row_ranges
from data_schema.layout import Layout, lay_out
from data_schema.readers import read_file
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

_FURTHER = Field("further", "number")
_REMEDY = "Correct the file and read it again."


def read_school_frame(
    path: Path | bytes, table: Table, *, file: str = "", sheet: str = ""
) -> tuple[pd.DataFrame, Findings]:
    """Read the sampling frame.

    Parameters
    ----------
    path
        The file (CSV or workbook), or its content.
    table
        The school table, with `school_id` in its key.
    file
        What findings call it; its name when empty.
    sheet
        Name of the sheet of a workbook; the first one when empty.

    Returns
    -------
    tuple
        One row a school, sorted by `school_id`: the fields of the table that the file has, in their types, then its
        further columns under their own headers, as floats where every value is a number and as text otherwise. And
        what was found: cells that could not be read are missing and have a question.

    Raises
    ------
    DataError
        With its findings, when the file cannot be read, lacks a required column, names a school twice, leaves an
        identifier empty or lists no school.
    """
    called = file or (path.name if isinstance(path, Path) else "schools.csv")
    reading = read_file(path, file=called)
    sheets = [one for one in reading.sheets if not sheet or one.sheet == sheet or one.separator]
    if not sheets:
        problem = f"It has no sheet {sheet!r}." if reading.sheets else str(reading.findings[0].problem)
        raise DataError(called, problem, _REMEDY, findings=reading.findings)
    layout = lay_out(sheets[0], table)
    # Notes are about columns that the table does not know; here they are kept.
    known = Findings(finding for finding in layout.findings if finding.severity != "note")
    _stop(known)
    absent = [item.name for item in table.fields if item.required and item.name not in layout.columns]
    if absent:
        raise DataError(called, f"It has no column {absent[0]!r}.", "Add it.", findings=known)
    if not layout.rows:
        raise DataError(called, "It lists no school.", "Add one row a school.", findings=known)
    frame, found = _read(layout, table)
    _stop(Findings([*found, *_doubled(frame, layout)]))
    ordered = frame.drop(columns="_row").sort_values("school_id", kind="stable", ignore_index=True)
    return ordered, Findings([*found, *_alike(frame, layout)])


def _stop(findings: Findings) -> None:
    refused = findings.by_severity("refused")
    if refused:
        more = f" ({len(refused) - 1} more findings.)" if len(refused) > 1 else ""
        raise DataError(refused[0].place, f"{refused[0].problem}{more}", refused[0].remedy, findings=findings)


def _read(layout: Layout, table: Table) -> tuple[pd.DataFrame, list[Finding]]:
    import pandas as pd

    findings: list[Finding] = []
    columns: dict[str, pd.Series] = {}
    for item in table.fields:
        if item.name not in layout.columns:
            continue
        column = clean_column(item, [layout])
        columns[item.name] = typed_series(column.found, item)
        for position in column.questions().tolist():
            value = "" if item.is_private else shown(column.raw[column.codes[position]]).strip()
            problem = column.cell(position).problem.replace("{value}", repr(value) if value else "What stands here")
            found = _finding(layout, position, item.name, problem, column.cell(position).remedy)
            findings.append(replace(found, value=value, severity="refused" if item.name == "school_id" else "question"))
        findings += _missing(layout, column)
    columns |= _further(layout)
    return pd.DataFrame(columns).assign(_row=[at + 1 for at in layout.rows]), findings


def _missing(layout: Layout, column: Column) -> Iterator[Finding]:
    """Tell of required values that are missing; without its identifier nothing can be done with a school."""
    name = column.field.name
    severity: Severity = "refused" if name == "school_id" else "question"
    for position, cell in enumerate(column.cells):
        if column.field.required and cell.value is None and not cell.problem:
            yield replace(_finding(layout, position, name, f"{name!r} is missing.", _REMEDY), severity=severity)


def _further(layout: Layout) -> dict[str, pd.Series]:
    """Read the columns that the table does not know: as numbers if all values are, as text otherwise."""
    taken = set(layout.columns.values())
    further: dict[str, pd.Series] = {}
    for at, title in enumerate(layout.sheet.rows[layout.header or 0]):
        if at in taken or title is None:
            continue
        column = clean_column(_FURTHER, [replace(layout, columns={_FURTHER.name: at})])
        if len(column.questions()):
            series = text_series([shown(cell).strip() or None for cell in column.sent])
        else:
            series = typed_series(column.found, _FURTHER)
        further[str(title).strip()] = series
    return further


def _doubled(frame: pd.DataFrame, layout: Layout) -> Iterator[Finding]:
    """Refuse every row of a school that is listed more than once."""
    for school, rows in frame.groupby("school_id", sort=False)["_row"]:
        for row in rows if len(rows) > 1 else ():
            others = row_ranges(int(other) for other in rows if other != row)
            problem = f"The school {school!r} is listed twice: row {others} names it as well."
            yield _in_row(layout, int(row), "school_id", problem, "Keep one row a school.", value=str(school))


def _alike(frame: pd.DataFrame, layout: Layout) -> Iterator[Finding]:
    """Ask about schools whose identifiers differ by leading zeros or signs only."""
    by_bare = frame.groupby(frame["school_id"].map(bare_identifier), sort=False)
    for _, group in by_bare:
        for school, row in zip(group["school_id"], group["_row"], strict=True) if len(group) > 1 else ():
            others = ", ".join(repr(other) for other in group["school_id"] if other != school)
            problem = f"{school!r} differs from {others} by leading zeros or signs only."
            found = _in_row(
                layout, int(row), "school_id", problem, "Check that they are two schools.", value=str(school)
            )
            yield replace(found, severity="question")


def _finding(layout: Layout, position: int, column: str, problem: str, remedy: str) -> Finding:
    return _in_row(layout, layout.rows[position] + 1, column, problem, remedy)


def _in_row(layout: Layout, row: int, column: str, problem: str, remedy: str, *, value: str = "") -> Finding:
    return Finding(
        file=layout.sheet.file,
        sheet=layout.sheet.sheet,
        row=row,
        column=column,
        value=value,
        problem=problem,
        remedy=remedy,
        severity="refused",
    )
