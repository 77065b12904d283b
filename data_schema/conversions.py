"""Cells brought to what a table has now: answers of an earlier version of it, numbers of another unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from data_schema.clean import format_value
from data_schema.fields import Field, normalise_word
from data_schema.findings import Finding
from data_schema.layout import Layout
from data_schema.readers.sheets import Cell, Row
from data_schema.repairs import clean_cell
from data_schema.tables import Earlier, Table
from data_schema.words import find_unit_factor

Repair = tuple[str, str, int, str, str, str, str]
"""File, sheet, row, column, what it was, what it became, rule."""


def convert_earlier_answers(layout: Layout, earlier: Earlier) -> tuple[Layout, list[Repair]]:
    """Put the answers of now into the place of those of an earlier version.

    Parameters
    ----------
    layout
        Where the table lies, its columns found under their earlier names.
    earlier
        The version.

    Returns
    -------
    tuple
        The layout, with a note that names the version; and one repair for each cell that was changed. Answers that the
        version does not name are those of now.
    """
    rows = list(layout.sheet.rows)
    repairs: list[Repair] = []
    rule = f"version {earlier.name}"
    for field, answers in earlier.recoded.items():
        column_index = layout.columns.get(field)
        if column_index is None:
            continue
        now = {normalise_word(then): answer for then, answer in answers.items()}
        for k in layout.rows:
            was = _get_cell(rows[k], column_index)
            became = None if was is None else now.get(normalise_word(format_value(was)))
            if became is not None:
                rows[k] = (*rows[k][:column_index], became, *rows[k][column_index + 1 :])
                repairs.append(
                    (layout.sheet.file, layout.sheet.sheet, layout.number_at(k), field, format_value(was), became, rule)
                )
    note = Finding(
        file=layout.sheet.file,
        sheet=layout.sheet.sheet,
        problem=_describe_earlier_version(layout.columns, earlier),
        remedy="Nothing, if that is right.",
        severity="note",
    )
    sheet = replace(layout.sheet, rows=tuple(rows))
    return replace(layout, sheet=sheet, findings=(*layout.findings, note)), repairs


def _get_cell(row: Row, at: int) -> Cell:
    return row[at] if at < len(row) else None


def _describe_earlier_version(columns: Mapping[str, int], earlier: Earlier) -> str:
    """Return the sentence that names the version, and the columns whose header or answers were others then."""
    renamed = [f"{field} ({then!r})" for field, then in earlier.renamed.items() if field in columns]
    recoded = [field for field in earlier.recoded if field in columns and field not in earlier.renamed]
    if not renamed and not recoded:
        return f"It is read by the version {earlier.name!r} of its table."
    other = ", ".join([*renamed, *recoded])
    return f"It is read by the version {earlier.name!r} of its table, which has other columns or answers: {other}."


def convert_units(layout: Layout, table: Table, units: Mapping[str, float]) -> tuple[Layout, list[Repair]]:
    """Turn the numbers of columns in another unit into the field's own, as the protocol says.

    Returns
    -------
    tuple
        The layout with the numbers in their cells, and one repair for each; what is no number stays as it is.
    """
    factors = {
        name: factor
        for name, stated_unit in layout.units.items()
        if (factor := find_unit_factor(stated_unit, units)) is not None
    }
    if not factors:
        return layout, []
    rows = list(layout.sheet.rows)
    repairs: list[Repair] = []
    for name, factor in factors.items():
        column_index, item = layout.columns[name], table.field(name)
        for k, was, became in _iterate_converted_numbers(layout, column_index, Field(item.name, "number"), factor):
            rows[k] = (*rows[k][:column_index], became, *rows[k][column_index + 1 :])
            place = (layout.sheet.file, layout.sheet.sheet, layout.number_at(k), name)
            repairs.append((*place, format_value(was), format_value(became), f"unit {layout.units[name]}"))
    return replace(layout, sheet=replace(layout.sheet, rows=tuple(rows))), repairs


def _iterate_converted_numbers(
    layout: Layout, at: int, field: Field, factor: float
) -> Iterator[tuple[int, Cell, float | int]]:
    for k in layout.rows:
        row = layout.sheet.rows[k]
        cell = row[at] if at < len(row) else None
        value = clean_cell(cell, field, typed=False).value
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = round(value * factor, 10)
            yield k, cell, int(number) if float(number).is_integer() else number
