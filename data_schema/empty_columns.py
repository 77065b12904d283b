"""Columns that results are made from, and in which a school has filled in nothing: a question to the school."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from data_schema.findings import Finding
from data_schema.layout import is_empty
from data_schema.returns import asked_rows

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.layout import Layout
    from data_schema.tables import Table

_SHEET = ["source_file", "source_sheet"]


def empty_columns(
    frames: Mapping[str, pd.DataFrame],
    *,
    tables: Mapping[str, Table],
    layouts: Mapping[tuple[str, str, str], Layout],
    needed: Mapping[tuple[str, str], Collection[str]],
) -> Iterator[Finding]:
    """Ask about columns that are there and empty in all rows of a school that were to be filled in.

    Parameters
    ----------
    frames
        Table to its rows that were kept.
    tables
        The tables, by name.
    layouts
        File, sheet and wave to where its table lies. A column that is not there at all is asked about by `lay_out`.
    needed
        Table and wave to the fields that the results of the trial are made from.
    """
    for (name, wave), fields in needed.items():
        frame = frames.get(name)
        mine = None if frame is None else frame.loc[frame["wave"] == wave]
        if mine is None or mine.empty:
            continue
        for item in tables[name].fields:
            if item.name in fields and item.name in mine:
                yield from _of_column(mine.loc[asked_rows(mine, item)], item.name, layouts, wave)


def _of_column(
    rows: pd.DataFrame, column: str, layouts: Mapping[tuple[str, str, str], Layout], wave: str
) -> Iterator[Finding]:
    n_filled = rows.groupby([*_SHEET, "school_id"])[column].transform("count")
    suspect = rows.loc[n_filled == 0]
    n_schools = rows.groupby(_SHEET)["school_id"].nunique().to_dict() if len(suspect) else {}
    for (file, sheet, school), part in suspect.groupby([*_SHEET, "school_id"], sort=True):
        layout = layouts.get((str(file), str(sheet), wave))
        at = None if layout is None else layout.columns.get(column)
        # A sign that nobody knows, and a value that cannot be read, are answers: the latter is asked about by itself.
        if layout is None or at is None or _is_filled(layout, part["source_row"].tolist(), at):
            continue
        is_shared = n_schools[file, sheet] > 1
        yield Finding(
            file=str(file),
            sheet=str(sheet),
            row=None if is_shared or layout.header is None else layout.header + 1,
            column="school_id" if is_shared else column,
            value=str(school) if is_shared else "",
            problem=f"The column {column!r}, which the results of the trial are made from, is empty.",
            remedy="Fill in the column and send the file again.",
            severity="question",
        )


def _is_filled(layout: Layout, numbers: Sequence[int], at: int) -> bool:
    """Whether any of some rows, by their numbers in findings, holds something in a column."""
    place_of = {number: place for place, number in enumerate(layout.numbers)}
    rows = (layout.sheet.rows[place_of.get(number, number - 1)] for number in numbers)
    return any(not is_empty(row[at : at + 1]) for row in rows)
