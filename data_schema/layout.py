"""Where a table lies in a sheet: its header, its columns, its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from data_schema.fields import header_key
from data_schema.findings import Finding, Severity
from data_schema.readers.sheets import Cell, Row, Sheet
from data_schema.tables import Table

_N_SEARCHED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A table found in a sheet.

    Parameters
    ----------
    sheet
        The sheet.
    header
        Position of the header in ``sheet.rows``; None when there is none.
    columns
        Field to the position of its column.
    rows
        Positions in ``sheet.rows`` of the rows that hold anything, below the header.
    findings
        What was wrong or odd about the header.
    """

    sheet: Sheet
    header: int | None
    columns: dict[str, int]
    rows: tuple[int, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the rows can be read; a finding says why when not."""
        return all(finding.severity != "refused" for finding in self.findings)

    @property
    def width(self) -> int:
        """Number of columns of the header."""
        return 0 if self.header is None else len(self.sheet.rows[self.header])

    def cells(self, field: str) -> list[Cell]:
        """Return the cells of a field, row by row; empty where a row is short or the column is not there."""
        at, rows = self.columns.get(field), self.sheet.rows
        if at is None:
            return [None] * len(self.rows)
        return [row[at] if at < len(row) else None for row in map(rows.__getitem__, self.rows)]

    def overlong(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) with cells beyond the header's columns."""
        rows, width = self.sheet.rows, self.width
        return [k for k, at in enumerate(self.rows) if len(rows[at]) > width and not is_empty(rows[at][width:])]


def is_empty(row: Sequence[Cell]) -> bool:
    """Whether no cell of a row holds anything but spaces."""
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in row)


def headers_of(table: Table) -> dict[str, str]:
    """Return the field that each header means, headers as `header_key` makes them."""
    return {header: item.name for item in table.fields for header in item.header_keys}


def lay_out(sheet: Sheet, table: Table, *, headers: dict[str, str] | None = None) -> Layout:
    """Find a table in a sheet.

    Parameters
    ----------
    sheet
        Cells of the sheet. Titles above the header are passed over.
    table
        The table that should be there.
    headers
        What `headers_of` returns for it, when many sheets are laid out.

    Returns
    -------
    Layout
        Where it is. Columns that the table does not know are named in a note, and so are those it misses; for required
        ones it is a question, and without those of the key nothing can be used.
    """
    owner = headers_of(table) if headers is None else headers
    header = _header_row(sheet, table, owner)
    if header is None:
        filled = tuple(k for k, row in enumerate(sheet.rows) if not is_empty(row))
        return Layout(sheet=sheet, header=None, columns={}, rows=filled, findings=(_no_header(sheet, table, filled),))
    columns, findings = _columns(sheet, table, header, owner)
    rows = tuple(k for k in range(header + 1, len(sheet.rows)) if not is_empty(sheet.rows[k]))
    if not rows:
        problem, remedy = "It has a header and no rows below it.", "Send the rows, if the school has them."
        findings = (*findings, _finding(sheet, problem, remedy, row=header, severity="question"))
    return Layout(sheet=sheet, header=header, columns=columns, rows=rows, findings=findings)


def _no_header(sheet: Sheet, table: Table, filled: tuple[int, ...]) -> Finding:
    if not filled:
        return _finding(sheet, "It has no rows.", "Send it again; it may have been cut off on its way.")
    problem = f"None of its first {_N_SEARCHED} rows is a header of the table {table.name!r}."
    remedy = f"Put a row with the names of the columns above the data: {', '.join(table.names)}."
    return _finding(sheet, problem, remedy)


def _header_row(sheet: Sheet, table: Table, owner: dict[str, str]) -> int | None:
    """Return the row that names most fields; two at least, or all there are."""
    best, most = None, min(2, len(table.fields)) - 1
    for position, row in enumerate(sheet.rows[:_N_SEARCHED]):
        named = {owner[key] for key in _keys(row) if key in owner}
        if len(named) > most:
            best, most = position, len(named)
        if set(table.key) <= named:
            break
    return best


def _keys(row: Row) -> list[str]:
    return [header_key(cell) if isinstance(cell, str) else "" for cell in row]


def _columns(
    sheet: Sheet, table: Table, header: int, owner: dict[str, str]
) -> tuple[dict[str, int], tuple[Finding, ...]]:
    row = sheet.rows[header]
    columns: dict[str, int] = {}
    findings: list[Finding] = []
    for at, key in enumerate(_keys(row)):
        name = owner.get(key)
        if name is None:
            findings += _left_out(sheet, table, header, at)
        elif name in columns:
            problem = f"Two of its columns are {name!r}: {row[columns[name]]!r} and {row[at]!r}."
            findings.append(_finding(sheet, problem, "Keep one of them.", row=header, column=name))
        else:
            columns[name] = at
    return columns, (*findings, *_absent(sheet, table, header, columns))


def _absent(sheet: Sheet, table: Table, header: int, columns: Collection[str]) -> Iterator[Finding]:
    """Tell of fields without a column: refuse without the key, ask for required ones, note the others."""
    absent = [item for item in table.fields if item.name not in columns]
    in_key = [item.name for item in absent if item.name in table.key]
    if in_key:
        problem = f"It has no column {' and no column '.join(map(repr, in_key))}, without which no row can be told."
        yield _finding(sheet, problem, "Add the column.", row=header)
        return
    required = [item.name for item in absent if item.required]
    if required:
        problem = f"It has no column {' and no column '.join(map(repr, required))}, which every row needs."
        yield _finding(sheet, problem, "Add the column.", row=header, severity="question")
    others = [item.name for item in absent if not item.required]
    if others:
        problem = f"It has no column {', '.join(map(repr, others))}; the values are missing."
        yield _finding(sheet, problem, "Nothing, unless the school has them.", row=header, severity="note")


def _left_out(sheet: Sheet, table: Table, header: int, at: int) -> list[Finding]:
    """Tell of a column that no field takes, if it holds anything."""
    title = sheet.rows[header][at]
    if title is None and all(at >= len(row) or is_empty((row[at],)) for row in sheet.rows[header + 1 :]):
        return []
    name = "" if title is None else str(title)
    called = f"Column {at + 1} has no header" if title is None else f"The table {table.name!r} has no such column"
    remedy = "Give it a header, or nothing if it is not needed." if title is None else "Nothing, if it is not needed."
    return [_finding(sheet, f"{called}; its values are left out.", remedy, row=header, column=name, severity="note")]


def _finding(
    sheet: Sheet,
    problem: str,
    remedy: str,
    *,
    row: int | None = None,
    column: str = "",
    severity: Severity = "refused",
) -> Finding:
    return Finding(
        file=sheet.file,
        sheet=sheet.sheet,
        row=None if row is None else row + 1,
        column=column,
        problem=problem,
        remedy=remedy,
        severity=severity,
    )
