"""Numbers of a column whose header states another unit, turned into the field's own as the protocol says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from data_schema.clean import shown
from data_schema.fields import Field
from data_schema.header_units import factor_of
from data_schema.layout import Layout
from data_schema.readers.sheets import Cell
from data_schema.repairs import clean_cell
from data_schema.tables import Table
from data_schema.versions import Repair


def converted(layout: Layout, table: Table, units: Mapping[str, float]) -> tuple[Layout, list[Repair]]:
    """Turn the numbers of columns in another unit into the field's own, as the protocol says.

    Returns
    -------
    tuple
        The layout with the numbers in their cells, and one repair for each; what is no number stays as it is.
    """
    factors = {name: factor for name, said in layout.units.items() if (factor := factor_of(said, units)) is not None}
    if not factors:
        return layout, []
    rows = list(layout.sheet.rows)
    repairs: list[Repair] = []
    for name, factor in factors.items():
        at, item = layout.columns[name], table.field(name)
        for k, was, became in _numbers(layout, at, Field(item.name, "number"), factor):
            rows[k] = (*rows[k][:at], became, *rows[k][at + 1 :])
            place = (layout.sheet.file, layout.sheet.sheet, k + 1, name)
            repairs.append((*place, shown(was), shown(became), f"unit {layout.units[name]}"))
    return replace(layout, sheet=replace(layout.sheet, rows=tuple(rows))), repairs


def _numbers(layout: Layout, at: int, field: Field, factor: float) -> Iterator[tuple[int, Cell, float | int]]:
    for k in layout.rows:
        row = layout.sheet.rows[k]
        cell = row[at] if at < len(row) else None
        value = clean_cell(cell, field, typed=False).value
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = round(value * factor, 10)
            yield k, cell, int(number) if float(number).is_integer() else number
