"""Files as data frames: the sampling frame, one row per school; and any other tidy file, its columns as they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_schema.checks import split_bare_identifier
from data_schema.clean import format_value
from data_schema.columns import Column, build_text_series, build_typed_series, clean_column
from data_schema.errors import DataError
from data_schema.fields import Field
from data_schema.findings import Finding, Findings, Severity, format_row_ranges
from data_schema.layout import Layout, find_filled_rows, find_layout
from data_schema.readers import Cell, Reading, Sheet, read_file
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

_FURTHER = Field("further", "number")
_REMEDY = "Correct the file and read it again."

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_TWO_READINGS = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")
"""A decimal number, or one in thousands."""
_IDENTIFIER = re.compile(r"0[0-9]+")
_NOT_AVAILABLE = "NA"
_MISSING_WORDS = frozenset({"", _NOT_AVAILABLE, "NaN"})
_TRUTH = {"true": True, "false": False}
_PARQUET = b"PAR1"

ROW = "source_row"
"""Column of the row of the file that a school is in, from 1."""


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
        One row per school, sorted by `school_id`: the fields of the table that the file has, in their types, then its
        further columns under their own headers, as floats where every value is a number and as text otherwise. And
        what was found: cells that could not be read are missing and have a question.

    Raises
    ------
    DataError
        With its findings, when the file cannot be read, lacks a required column, names a school twice, leaves an
        identifier empty or lists no school.
    """
    frame, findings = read_school_rows(path, table, file=file, sheet=sheet)
    refuse(findings.by_severity("refused"))
    return frame.drop(columns=ROW), findings


def read_school_rows(
    path: Path | bytes, table: Table, *, file: str = "", sheet: str = "", numbers: Collection[str] = ()
) -> tuple[pd.DataFrame, Findings]:
    """Read the sampling frame with the row of each school in the file, whatever was found in the rows.

    Parameters
    ----------
    path, table, file, sheet
        As for `read_school_frame`.
    numbers
        Columns that the table does not know and that are used as numbers: where one holds numbers and something else,
        the latter is asked about instead of making the column text.

    Returns
    -------
    tuple
        The frame as `read_school_frame` returns it, with a column `ROW`; and what was found, refused rows included.

    Raises
    ------
    DataError
        With its findings, when the file cannot be read, lacks a required column or lists no school.
    """
    called = file or (path.name if isinstance(path, Path) else "schools.csv")
    if isinstance(path, Path) and not path.exists():
        raise DataError(
            called,
            "there is no such file.",
            "Put the list of schools there, as CSV or .xlsx; or name its file in the protocol.",
        )
    chosen = _chosen_sheet(read_file(path, file=called), file=called, sheet=sheet)
    layout = find_layout(chosen, table)
    # Notes are about columns that the table does not know; here they are kept.
    known = Findings(finding for finding in layout.findings if finding.severity != "note")
    refuse(known.by_severity("refused"))
    absent = [item.name for item in table.fields if item.required and item.name not in layout.columns]
    if absent:
        raise DataError(called, f"It has no column {absent[0]!r}.", "Add it.", findings=known)
    if not layout.rows:
        raise DataError(called, "It lists no school.", "Add one row per school.", findings=known)
    frame, row_findings = _read(layout, table, numbers)
    ordered = frame.sort_values("school_id", kind="stable", ignore_index=True)
    return ordered, Findings(
        [*row_findings, *_find_doubled_schools(frame, layout), *_find_similar_schools(frame, layout)]
    )


def _chosen_sheet(reading: Reading, *, file: str, sheet: str) -> Sheet:
    """Return the sheet of a name, or the first one; a file without sheets is a sheet of any name."""
    sheets = [
        candidate_sheet
        for candidate_sheet in reading.sheets
        if not sheet or candidate_sheet.sheet == sheet or candidate_sheet.separator
    ]
    if sheets:
        return sheets[0]
    if reading.sheets:
        raise DataError(file, f"It has no sheet {sheet!r}.", _REMEDY, findings=reading.findings)
    first_finding = reading.findings[0]
    raise DataError(file, first_finding.problem, first_finding.remedy, findings=reading.findings)


def read_data_frame(path: Path, *, sheet: str = "", numbers: Collection[str] = ()) -> pd.DataFrame:
    """Read a tidy file: a header, then one row per observation.

    Parameters
    ----------
    path
        CSV, a workbook, a file of Stata or SPSS, or Parquet.
    sheet
        Name of the sheet of a workbook; the first one when empty.
    numbers
        Columns that must be numbers: in one that holds numbers and something else, the latter is refused with its row
        instead of making the column text.

    Returns
    -------
    pandas.DataFrame
        The columns under their own headers: floats where every value is a number (but for numbers that begin with a
        zero, which are identifiers), yes and no where every value is TRUE or FALSE, and text otherwise. Empty cells, NA
        and NaN are missing. Parquet has types of its own, which stay.

    Raises
    ------
    DataError
        When the file cannot be read, has no row below its header or two columns of one name, or a number is none.
    """
    import pandas as pd

    if _is_parquet(path):
        return _read_parquet(path)
    chosen = _chosen_sheet(read_file(path, file=path.name), file=path.name, sheet=sheet)
    filled = find_filled_rows(chosen.rows, 0)
    layout = Layout(sheet=chosen, header=filled[0] if filled else None, columns={}, rows=filled[1:])
    if not layout.rows:
        raise DataError(path.name, "It has no row below its header.", "Name a file with a header and rows.")
    columns: dict[str, pd.Series] = {}
    findings: list[Finding] = []
    for column_index, name in _titles(layout):
        if name in columns:
            raise DataError(path.name, f"It has two columns {name!r}.", "Rename one of them.")
        columns[name], odd = _data_column(layout, column_index, name, numbers)
        findings += [replace(finding, severity="refused") for finding in odd]
    refuse(findings)
    return pd.DataFrame(columns)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError:
        # What cannot be opened is a finding of the reader, which says why.
        return False


def _read_parquet(path: Path) -> pd.DataFrame:
    import duckdb

    try:
        with duckdb.connect() as connection:
            frame: pd.DataFrame = connection.from_parquet(str(path)).df()
    except duckdb.Error as error:
        problem = "It is damaged: its content is not that of a Parquet file."
        raise DataError(path.name, problem, "Write it again, or save the table as CSV.") from error
    return frame


def _data_column(layout: Layout, at: int, name: str, numbers: Collection[str]) -> tuple[pd.Series, list[Finding]]:
    """Read a column of a tidy file; see `read_data_frame`."""
    import pandas as pd

    cells = _cells_at(layout, at)
    texts = {
        text for cell in set(cells) if cell is not None and (text := format_value(cell).strip()) not in _MISSING_WORDS
    }
    if texts and {text.casefold() for text in texts} <= set(_TRUTH):
        truth = [None if cell is None else _TRUTH.get(format_value(cell).strip().casefold()) for cell in cells]
        return pd.Series(truth, dtype="boolean"), []
    is_identifier = any(isinstance(cell, str) and _IDENTIFIER.fullmatch(cell.strip()) for cell in set(cells))
    if not is_identifier or name in numbers:
        series, odd = _further_column(layout, at, name, numbers)
        if odd or series.dtype.kind == "f":
            return series, odd
    shown_cells = ["" if cell is None else format_value(cell).strip() for cell in cells]
    return build_text_series([None if text in _MISSING_WORDS else text for text in shown_cells]), []


def _cells_at(layout: Layout, at: int) -> list[Cell]:
    """Return the cells of the column at a position."""
    placed = replace(layout, columns={_FURTHER.name: at})
    return [cell for block in placed.blocks() for cell in placed.cells(_FURTHER.name, block)]


def _titles(layout: Layout) -> Iterator[tuple[int, str]]:
    """Yield the position and the header of each column that has one."""
    for column_index, title in enumerate(layout.sheet.rows[layout.header or 0]):
        if title is not None:
            yield column_index, str(title).strip()


def refuse(findings: Sequence[Finding]) -> None:
    """Raise all findings as one error; do nothing where there are none.

    Raises
    ------
    DataError
        With the findings; each is a line of the text where there are several.
    """
    condensed = Findings(findings).condensed()
    if len(condensed) == 1:
        raise DataError(condensed[0].place, condensed[0].problem, condensed[0].remedy, findings=Findings(findings))
    if condensed:
        others = "".join(f"\n  - {further_finding}" for further_finding in condensed[1:])
        problem = f"{condensed[0].problem} {condensed[0].remedy} {len(condensed) - 1} more:{others}\n"
        raise DataError(condensed[0].place, problem, _REMEDY, findings=Findings(findings))


def _read(layout: Layout, table: Table, numbers: Collection[str]) -> tuple[pd.DataFrame, list[Finding]]:
    import pandas as pd

    findings: list[Finding] = []
    columns: dict[str, pd.Series] = {}
    for item in table.fields:
        if item.name not in layout.columns:
            continue
        column = clean_column(item, [layout])
        columns[item.name] = build_typed_series(column.found, item)
        odd = [
            _build_unreadable_cell_question(layout, column, position, item.name)
            for position in column.questions().tolist()
        ]
        findings += (
            [replace(odd_finding, severity="refused") for odd_finding in odd] if item.name == "school_id" else odd
        )
        findings += _find_missing_values(layout, column)
    further, odd = _read_further_columns(layout, numbers)
    return pd.DataFrame({**columns, **further, ROW: [row_position + 1 for row_position in layout.rows]}), [
        *findings,
        *odd,
    ]


def _build_unreadable_cell_question(layout: Layout, column: Column, position: int, name: str) -> Finding:
    """Ask about a cell that could not be read."""
    value = "" if column.field.is_private else format_value(column.raw[column.codes[position]]).strip()
    problem = column.cell(position).problem.replace("{value}", repr(value) if value else "What stands here")
    finding = _build_finding(layout, position, name, problem, column.cell(position).remedy)
    return replace(finding, value=value, severity="question")


def _find_missing_values(layout: Layout, column: Column) -> Iterator[Finding]:
    """Report required values that are missing; without its identifier nothing can be done with a school."""
    name = column.field.name
    severity: Severity = "refused" if name == "school_id" else "question"
    for position, cell in enumerate(column.cells):
        if column.field.required and cell.value is None and not cell.problem:
            yield replace(_build_finding(layout, position, name, f"{name!r} is missing.", _REMEDY), severity=severity)


def _read_further_columns(layout: Layout, numbers: Collection[str]) -> tuple[dict[str, pd.Series], list[Finding]]:
    """Read the columns that the table does not know: as numbers if all values are, as text otherwise.

    One that is used as numbers, and has some, is read as numbers, with a question about its other values.
    """
    taken = set(layout.columns.values())
    further: dict[str, pd.Series] = {}
    findings: list[Finding] = []
    for column_index, name in _titles(layout):
        if column_index not in taken:
            further[name], odd = _further_column(layout, column_index, name, numbers)
            findings += odd
    return further, findings


def _further_column(layout: Layout, at: int, name: str, numbers: Collection[str]) -> tuple[pd.Series, list[Finding]]:
    """Read one column as `_read_further_columns` does."""
    import pandas as pd

    plain = _plain_numbers(_cells_at(layout, at))
    if plain is not None:
        return pd.Series(plain), []
    column = clean_column(_FURTHER, [replace(layout, columns={_FURTHER.name: at})])
    odd = column.questions().tolist()
    if name in numbers and 0 < len(odd) < int((~column.is_missing()).sum()):
        return build_typed_series(column.found, _FURTHER), [
            _build_unreadable_cell_question(layout, column, position, name) for position in odd
        ]
    if odd:
        return build_text_series([format_value(cell).strip() or None for cell in column.sent]), []
    return build_typed_series(column.found, _FURTHER), []


def _plain_numbers(cells: Sequence[Cell]) -> np.ndarray | None:
    """Return numbers that can be read in one way only, a hundred times sooner; None where there is another one."""
    kinds = set(map(type, cells)) - {type(None)}
    if not kinds <= {int, float, str} or not kinds:
        return None
    texts = [cell for cell in cells if isinstance(cell, str) and cell != _NOT_AVAILABLE]
    if not all(map(_PLAIN_NUMBER.fullmatch, texts)):
        return None
    # A point before any other number of digits than three is a decimal point, and so are then all of the column.
    pointed = [text for text in texts if "." in text]
    if pointed and all(map(_TWO_READINGS.fullmatch, pointed)):
        return None
    is_gone = {None, _NOT_AVAILABLE}
    values = np.array([np.nan if cell in is_gone else cell for cell in cells], dtype=float)
    return None if np.isinf(values).any() else values


def _find_doubled_schools(frame: pd.DataFrame, layout: Layout) -> Iterator[Finding]:
    """Refuse every row of a school that is listed more than once."""
    for school, rows in frame.groupby("school_id", sort=False)[ROW]:
        for row in rows if len(rows) > 1 else ():
            others = format_row_ranges(int(other) for other in rows if other != row)
            problem = f"The school {school!r} is listed twice: row {others} names it as well."
            yield _build_row_finding(
                layout, int(row), "school_id", problem, "Keep one row per school.", value=str(school)
            )


def _find_similar_schools(frame: pd.DataFrame, layout: Layout) -> Iterator[Finding]:
    """Ask about schools whose identifiers differ by leading zeros or signs only."""
    named = frame.loc[frame["school_id"].notna()].drop_duplicates("school_id")
    by_bare = named.groupby(named["school_id"].map(split_bare_identifier), sort=False)
    for _, group in by_bare:
        for school, row in zip(group["school_id"], group[ROW], strict=True) if len(group) > 1 else ():
            others = ", ".join(repr(other) for other in group["school_id"] if other != school)
            problem = f"{school!r} differs from {others} by leading zeros or signs only."
            finding = _build_row_finding(
                layout, int(row), "school_id", problem, "Check that they are two schools.", value=str(school)
            )
            yield replace(finding, severity="question")


def _build_finding(layout: Layout, position: int, column: str, problem: str, remedy: str) -> Finding:
    return _build_row_finding(layout, layout.rows[position] + 1, column, problem, remedy)


def _build_row_finding(layout: Layout, row: int, column: str, problem: str, remedy: str, *, value: str = "") -> Finding:
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
