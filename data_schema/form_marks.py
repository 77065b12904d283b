"""Entry workbooks that came back: known by a hidden sheet, whatever they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from data_schema.layout import Layout
from data_schema.margins import UNFILLED
from data_schema.readers import read_file
from data_schema.readers.archives import names_sheet
from data_schema.readers.sheets import Row
from data_schema.tables import Table

MARKER = "crocoos_form"
"""Name of the hidden sheet by which an entry workbook is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMark:
    """What the hidden sheet of an entry workbook says.

    Parameters
    ----------
    school, wave
        Whose form it is, and of which wave; no school's where a partner fills it in for several.
    tables
        Name of a sheet to the name of its table.
    """

    school: str
    wave: str
    tables: Mapping[str, str]


def mark_of_form(content: bytes) -> FormMark | None:
    """Return what the hidden sheet of an entry workbook says; None for any other file."""
    if not names_sheet(content, MARKER):
        return None
    sheet = next((one for one in read_file(content, file="").sheets if one.sheet == MARKER), None)
    if sheet is None or not sheet.rows or len(sheet.rows[0]) < 3:
        return None
    head = sheet.rows[0]
    tables = {str(row[0]): str(row[1]) for row in sheet.rows[1:] if len(row) > 1}
    wave = head[3] if len(head) > 3 and head[3] is not None else ""
    school = head[2] if head[2] is not None else ""
    return FormMark(school=str(school), wave=str(wave), tables=tables)


def of_form(layout: Layout, table: Table, *, school: str) -> Layout:
    """Return the layout of a sheet of a form: its school in rows that were added, rows that nobody filled in apart.

    Parameters
    ----------
    layout
        Where the table lies.
    table
        The table.
    school
        Whose form it is; empty where each row names its school.
    """
    at = layout.columns.get("school_id")
    rows = layout.sheet.rows
    told = [column for name, column in layout.columns.items() if name not in (*table.key, "school_id", "class", "name")]
    unfilled = {
        k: UNFILLED
        for k, row in enumerate(layout.rows)
        if told and all(column >= len(rows[row]) or rows[row][column] is None for column in told)
    }
    if at is not None and school:
        records = set(layout.rows)
        rows = tuple(_with_school(row, at, school) if k in records else row for k, row in enumerate(rows))
    return replace(
        layout,
        sheet=replace(layout.sheet, rows=rows),
        apart=MappingProxyType({**layout.apart, **unfilled}),
    )


def _with_school(row: Row, at: int, school: str) -> Row:
    if at < len(row) and row[at] is not None:
        return row
    made = [*row, *[None] * (at + 1 - len(row))]
    made[at] = school
    return tuple(made)
