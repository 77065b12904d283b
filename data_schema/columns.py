"""Columns of cells -> typed columns, with every repair and every question.

Cells are cleaned once a distinct value, so that a column of 10,000 answers costs as much as its few different ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_schema.clean import CleanCell, Value
from data_schema.fields import Field
from data_schema.layout import Layout
from data_schema.numerals import settled, unsettled
from data_schema.readers.sheets import Cell
from data_schema.repairs import clean_cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field's cells from many sheets, cleaned.

    Parameters
    ----------
    field
        The field.
    sent
        What stood in each cell.
    cells
        What became of each, in the same order.
    """

    field: Field
    sent: list[Cell]
    cells: list[CleanCell]

    @property
    def found(self) -> list[Value]:
        """Value of each cell; None where it is missing."""
        return [cell.value for cell in self.cells]

    def repaired(self) -> Iterator[int]:
        """Positions of the cells that were repaired and have no question."""
        return (k for k, cell in enumerate(self.cells) if cell.rules and not cell.problem)

    def questions(self) -> Iterator[int]:
        """Positions of the cells to ask about."""
        return (k for k, cell in enumerate(self.cells) if cell.problem)


def clean_column(field: Field, layouts: Sequence[Layout]) -> Column:
    """Clean a field's cells in all sheets that have a table.

    Parameters
    ----------
    field
        The field.
    layouts
        Where the table lies in each sheet.

    Returns
    -------
    Column
        The cells of all sheets, one sheet after the other. A number with two readings ("1.234") is settled by the other
        numbers in its column of its sheet, and then by the separator of its file.
    """
    known: tuple[dict[tuple[type, Cell], CleanCell], ...] = ({}, {})
    sent: list[Cell] = []
    cells: list[CleanCell] = []
    for layout in layouts:
        typed = not layout.sheet.separator
        raw = layout.cells(field.name)
        clean = _cleaned(raw, field, typed=typed, known=known[typed])
        if any(cell.thousands is not None for cell in clean):
            clean = _settled(clean, field, separator=layout.sheet.separator)
        sent += raw
        cells += clean
    return Column(field=field, sent=sent, cells=cells)


def _cleaned(
    raw: list[Cell], field: Field, *, typed: bool, known: dict[tuple[type, Cell], CleanCell]
) -> list[CleanCell]:
    result = []
    for cell in raw:
        # The type is in the key because 1, 1.0 and True are one key otherwise.
        key = (cell.__class__, cell)
        clean = known.get(key)
        if clean is None:
            clean = known[key] = clean_cell(cell, field, typed=typed)
        result.append(clean)
    return result


def _settled(cells: list[CleanCell], field: Field, *, separator: str) -> list[CleanCell]:
    uses = {cell.mark for cell in cells if cell.thousands is None}
    if separator == "," and not uses & {".d", ".t"}:
        # Commas that divide cells cannot be decimal marks; programs that write such files use points.
        uses.add(".d")
    return [cell if cell.thousands is None else _one(cell, field, uses) for cell in cells]


def _one(cell: CleanCell, field: Field, uses: set[str]) -> CleanCell:
    decimal, thousands = f"{cell.mark}d" in uses, f"{cell.mark}t" in uses
    if decimal == thousands:
        other = "," if cell.mark == "." else "."
        # A mark is of thousands where the other one is of decimals.
        if decimal or (f"{other}d" in uses) == (f"{other}t" in uses):
            return unsettled(cell)
        decimal = f"{other}t" in uses
    return settled(cell, field, decimal=decimal)


def typed_series(values: Sequence[object], field: Field) -> pd.Series:
    """Return values of a field as a column with the field's type.

    Parameters
    ----------
    values
        Clean values; None where missing.
    field
        The field.

    Returns
    -------
    pandas.Series
        identifier, text, code, month: "str" ("object" before pandas 3); yes_no: "boolean"; date: "datetime64[us]";
        year, whole_number: "Int64"; number: "float64".
    """
    import pandas as pd

    match field.type:
        case "yes_no":
            return pd.Series(list(values), dtype="boolean")
        case "date":
            return pd.Series(np.array(values, dtype="datetime64[D]").astype("datetime64[us]"))
        case "year" | "whole_number":
            return pd.Series(list(values), dtype="Int64")
        case "number":
            return pd.Series(np.array(values, dtype="float64"))
        case _:
            return text_series(values)


def text_series(values: Sequence[object]) -> pd.Series:
    """Return texts as a column; None stays missing."""
    import pandas as pd

    has_text_type = int(pd.__version__.partition(".")[0]) >= 3
    return pd.Series(list(values), dtype="str" if has_text_type else "object")
