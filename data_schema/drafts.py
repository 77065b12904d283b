"""A table's cells from all its sheets, cleaned, before rows are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_schema.clean import shown
from data_schema.columns import Column, clean_columns
from data_schema.layout import Layout
from data_schema.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sheet that holds a table.

    Parameters
    ----------
    layout
        Where the table lies in it.
    wave
        Its wave; empty when the table has none.
    country
        Country of the file, as far as its path tells.
    school
        The school whose form it is, or that the file, a title or a sheet is named for; empty for others.
    sha256
        Hash of the file's content.
    """

    layout: Layout
    wave: str
    country: str
    school: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A table's cells, cleaned, before rows are judged.

    Parameters
    ----------
    table
        The table.
    parts
        The sheets that they come from.
    columns
        Field to its cells.
    part_of, rows
        Position in `parts`, and number in findings (see `Layout.numbers`), of each row of the table; shape (n_rows,).
    """

    table: Table
    parts: tuple[Part, ...]
    columns: Mapping[str, Column]
    part_of: np.ndarray
    rows: np.ndarray

    def private_texts(self, privacy: str) -> list[str]:
        """Return what was sent in fields of a kind of privacy."""
        texts: list[str] = []
        for column in self.columns.values():
            if column.field.privacy == privacy:
                texts += [cell if isinstance(cell, str) else shown(cell) for cell in column.raw if cell is not None]
        return texts


def draft(table: Table, parts: Sequence[Part]) -> Draft:
    """Clean all cells of a table.

    Parameters
    ----------
    table
        The table.
    parts
        The sheets that hold it, all of them usable.
    """
    layouts = [part.layout for part in parts]
    sizes = [len(layout.rows) for layout in layouts]
    return Draft(
        table=table,
        parts=tuple(parts),
        columns=clean_columns(table.fields, layouts),
        part_of=np.repeat(np.arange(len(parts)), sizes),
        rows=np.array([number for layout in layouts for number in layout.row_numbers()], dtype=np.int64),
    )
