"""Columns of cells -> typed columns, with every repair and every question; a table's cells from all its sheets.

Cells are cleaned once a distinct value, so that a column of 10,000 answers costs as much as its few different ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_schema.clean import CleanCell, Value, format_value
from data_schema.fields import Field
from data_schema.layout import Layout
from data_schema.numerals import ask_for_reading, resolve_number
from data_schema.readers.sheets import Cell
from data_schema.repairs import PLUSES, ask_about_tick, clean_cell, find_non_plain_cells
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field's cells from many sheets, cleaned once a distinct value; where hardly two are alike, one by one.

    Parameters
    ----------
    field
        The field.
    codes
        For each cell the position of its value; shape (n_rows,).
    raw
        What was sent, one a value.
    meanings
        What it means, one a value; None where it is missing. Object array.
    odd
        Position of a value to what became of it, for those that were repaired or are asked about; any other
        means what was sent.
    """

    field: Field
    codes: np.ndarray
    raw: Sequence[Cell]
    meanings: np.ndarray
    odd: Mapping[int, CleanCell]

    @property
    def found(self) -> list[Value]:
        """Value of each cell; None where it is missing."""
        cell_values: list[Value] = self.array().tolist()
        return cell_values

    @property
    def sent(self) -> list[Cell]:
        """What was in each cell."""
        return [self.raw[code] for code in self.codes.tolist()]

    @property
    def cells(self) -> list[CleanCell]:
        """What became of each cell."""
        return [self.cell(position) for position in range(len(self.codes))]

    def array(self) -> np.ndarray:
        """Value of each cell, as an object array."""
        array: np.ndarray = self.meanings[self.codes]
        return array

    def cell(self, position: int) -> CleanCell:
        """Return what became of one cell."""
        code = int(self.codes[position])
        odd_cell = self.odd.get(code)
        return CleanCell(value=self.meanings[code]) if odd_cell is None else odd_cell

    def repaired(self) -> np.ndarray:
        """Positions of the cells that were repaired and have no question."""
        return self.where([code for code, cell in self.odd.items() if cell.rules and not cell.problem])

    def questions(self) -> np.ndarray:
        """Positions of the cells to ask about."""
        return self.where([code for code, cell in self.odd.items() if cell.problem])

    def is_missing(self) -> np.ndarray:
        """Whether each cell is without a value; shape (n_rows,)."""
        is_missing: np.ndarray = np.array([value is None for value in self.meanings], dtype=bool)[self.codes]
        return is_missing

    def series(self) -> pd.Series:
        """Return the values as a column with the field's type."""
        return build_typed_series(self.meanings.tolist(), self.field).take(self.codes).reset_index(drop=True)

    def changed(self, made: Mapping[int, CleanCell]) -> Column:
        """Return the column with something else made of some distinct values."""
        meanings = self.meanings.copy()
        for code, cell in made.items():
            meanings[code] = cell.value
        return replace(self, meanings=meanings, odd={**self.odd, **made})

    def emptied(self, positions: np.ndarray, cell: CleanCell) -> Column:
        """Return the column without what was in some cells, of which only what is asked about them is left."""
        codes, meanings = self.codes.copy(), np.append(self.meanings, np.array([None], dtype=object))
        codes[positions] = len(self.raw)
        odd = {**self.odd, len(self.raw): cell} if cell.problem else self.odd
        return replace(self, codes=codes, raw=[*self.raw, None], meanings=meanings, odd=odd)

    def n_distinct(self, positions: np.ndarray) -> int:
        """Return how many different things some cells mean, a missing value being one; codes may mean the same."""
        return len(set(self.meanings[self.codes[positions]].tolist()))

    def codes_of_texts(self) -> dict[str, list[int]]:
        """Return each text that is in the column with all positions of it among the values."""
        codes: dict[str, list[int]] = {}
        for code, value in enumerate(self.meanings):
            if isinstance(value, str):
                codes.setdefault(value, []).append(code)
        return codes

    def where(self, codes: Sequence[int]) -> np.ndarray:
        """Positions of the cells of some values."""
        if not codes:
            return np.empty(0, dtype=np.intp)
        is_one = np.zeros(len(self.meanings), dtype=bool)
        is_one[list(codes)] = True
        return np.flatnonzero(is_one[self.codes])


def compute_meaning_numbers(
    columns: Sequence[Column], positions: np.ndarray, *, first: np.ndarray | None = None
) -> np.ndarray:
    """Return a number for what some columns mean in each of some rows, the same for the same.

    Parameters
    ----------
    columns
        The columns.
    positions
        Rows; shape (n,).
    first
        Numbers that tell rows apart beforehand; shape (n,).
    """
    import pandas as pd

    combined = np.zeros(len(positions), dtype=np.int64) if first is None else first
    for column in columns:
        # Two distinct cells may mean the same.
        of_code, distinct = pd.factorize(column.meanings, use_na_sentinel=False)
        # Numbered anew each time, so that no product of counts is too large.
        combined = pd.factorize(combined * (len(distinct) + 1) + of_code[column.codes[positions]])[0]
    return combined


def clean_columns(fields: Sequence[Field], layouts: Sequence[Layout]) -> dict[str, Column]:
    """Clean the cells of a table's fields in all sheets that have it.

    Parameters
    ----------
    fields
        The fields.
    layouts
        Where the table lies in each sheet.

    Returns
    -------
    dict of str to Column
        Field to the cells of all sheets, one sheet after the other. A number with two readings ("1.234") is settled by
        the other numbers in its column of its sheet, and then by the separator of its file.
    """
    distinct_by_field = {field.name: _Distinct(field) for field in fields}
    for layout in layouts:
        typed = not layout.sheet.separator
        pieces: dict[str, list[np.ndarray]] = {name: [] for name in distinct_by_field}
        for block in layout.blocks():
            for name, distinct_cells in distinct_by_field.items():
                pieces[name].append(distinct_cells.codes_of(layout.cells(name, block), typed=typed))
        for name, distinct_cells in distinct_by_field.items():
            distinct_cells.take_in(pieces[name], separator=layout.sheet.separator)
    return {name: distinct_values.column() for name, distinct_values in distinct_by_field.items()}


def clean_column(field: Field, layouts: Sequence[Layout]) -> Column:
    """Clean the cells of one field, as `clean_columns` does."""
    return clean_columns([field], layouts)[field.name]


_MINUSES = frozenset({"-", "–", "—", "−", "--"})
_TEXT_TYPES = {str, type(None)}
_N_TRIED = 5_000
_SHARE_SINGLE = 0.9


class _Distinct:
    """Gathers the distinct values of a column while its sheets are gone through."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.raw: list[Cell] = []
        self.meanings: list[Value] = []
        self.odd: dict[int, CleanCell] = {}
        self.codes: list[np.ndarray] = []
        self._n_seen = 0
        # Texts of CSV files and of workbooks apart: a number that is text was repaired in the latter.
        self._ticks: set[int] = set()
        self._known: tuple[dict[Hashable, int], dict[Hashable, int]] = ({}, {})

    def column(self) -> Column:
        meanings = np.empty(len(self.meanings), dtype=object)
        meanings[:] = self.meanings
        codes = np.concatenate(self.codes) if self.codes else np.empty(0, dtype=np.intp)
        return Column(field=self.field, codes=codes, raw=self.raw, meanings=meanings, odd=self.odd)

    def codes_of(self, cells: Sequence[Cell], *, typed: bool) -> np.ndarray:
        """Return the positions of the values of some cells; new ones are added and cleaned."""
        known = self._known[typed]
        self._n_seen += len(cells)
        if self._is_of_single_values():
            return self._add_cells(cells, typed=typed)
        keys: Sequence[Hashable] = cells
        if not set(map(type, cells)) <= _TEXT_TYPES:
            # Other cells with their type, because 1, 1.0 and True are one key otherwise.
            keys = [cell if isinstance(cell, str) else (type(cell), cell) for cell in cells]
        new = [key for key in dict.fromkeys(keys) if key not in known]
        if new:
            fresh: list[Cell] = [key[1] if isinstance(key, tuple) else key for key in new]  # type: ignore[misc]
            known.update(zip(new, self._add_cells(fresh, typed=typed).tolist(), strict=True))
        return np.fromiter(map(known.__getitem__, keys), dtype=np.intp, count=len(keys))

    def _is_of_single_values(self) -> bool:
        """Whether hardly two cells are alike, as with identifiers and names: looking for equal ones is then in vain."""
        return self._n_seen > _N_TRIED and len(self.raw) > _SHARE_SINGLE * self._n_seen

    def _add_cells(self, cells: Sequence[Cell], *, typed: bool) -> np.ndarray:
        """Add cells as values of their own, and clean them; returns their positions."""
        start = len(self.raw)
        self.raw += cells
        self.meanings += cells
        for position in find_non_plain_cells(cells, self.field):
            self._clean(start + position, cells[position], typed=typed)
        return np.arange(start, start + len(cells))

    def take_in(self, pieces: Sequence[np.ndarray], *, separator: str) -> None:
        """Add the cells of a sheet."""
        if pieces:
            codes = np.concatenate(pieces)
            if self._ticks:
                codes = self._mark_doubtful_ticks(codes)
            self.codes.append(self._resolve_numbers(codes, separator=separator))

    def _mark_doubtful_ticks(self, codes: np.ndarray) -> np.ndarray:
        """Ask about "-" where it is beside "+": it may mean no there, and is no mark for what is missing."""
        present_codes = set(np.unique(codes).tolist())
        minus = [code for code in present_codes if isinstance(cell := self.raw[code], str) and cell.strip() in _MINUSES]
        if not present_codes & self._ticks or not minus:
            return codes
        changed = codes.copy()
        for code in minus:
            self.odd[len(self.raw)] = ask_about_tick()
            changed[codes == code] = len(self.raw)
            self.raw.append(self.raw[code])
            self.meanings.append(None)
        return changed

    def _clean(self, code: int, cell: Cell, *, typed: bool) -> None:
        clean_result = clean_cell(cell, self.field, typed=typed)
        self.meanings[code] = clean_result.value
        if clean_result.rules or clean_result.problem or clean_result.mark or clean_result.thousands is not None:
            self.odd[code] = clean_result
        if self.field.type == "yes_no" and isinstance(cell, str) and cell.strip() in PLUSES:
            self._ticks.add(code)

    def _resolve_numbers(self, codes: np.ndarray, *, separator: str) -> np.ndarray:
        """Settle numbers with two readings by the others of the sheet; each meaning is a distinct value of its own."""
        if not any(cell.thousands is not None for cell in self.odd.values()):
            return codes
        present_odd_codes = [code for code in np.unique(codes).tolist() if code in self.odd]
        unsure = [code for code in present_odd_codes if self.odd[code].thousands is not None]
        if not unsure:
            return codes
        uses = {self.odd[code].mark for code in present_odd_codes if self.odd[code].thousands is None}
        if separator == "," and not uses & {".d", ".t"}:
            # Commas that divide cells cannot be decimal marks; programs that write such files use points.
            uses.add(".d")
        changed = codes.copy()
        for code in unsure:
            settled_cell = _resolve_number(self.odd[code], self.field, uses)
            self.odd[len(self.raw)] = settled_cell
            changed[codes == code] = len(self.raw)
            self.raw.append(self.raw[code])
            self.meanings.append(settled_cell.value)
        return changed


def _resolve_number(cell: CleanCell, field: Field, uses: set[str]) -> CleanCell:
    decimal, thousands = f"{cell.mark}d" in uses, f"{cell.mark}t" in uses
    if decimal == thousands:
        other = "," if cell.mark == "." else "."
        # A mark is of thousands where the other one is of decimals.
        if decimal or (f"{other}d" in uses) == (f"{other}t" in uses):
            return ask_for_reading(cell)
        decimal = f"{other}t" in uses
    return resolve_number(cell, field, decimal=decimal)


def build_typed_series(values: Sequence[object], field: Field) -> pd.Series:
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
            return build_text_series(values)


def build_text_series(values: Sequence[object]) -> pd.Series:
    """Return texts as a column; None stays missing."""
    import pandas as pd

    has_text_type = int(pd.__version__.partition(".")[0]) >= 3
    return pd.Series(list(values), dtype="str" if has_text_type else "object")


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
                texts += [
                    cell if isinstance(cell, str) else format_value(cell) for cell in column.raw if cell is not None
                ]
        return texts


def build_draft(table: Table, parts: Sequence[Part]) -> Draft:
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
