"""Wide sheets -> one row per record, and places in them as people see them.

Each record knows the row and each of its cells the header that it comes from, so that questions name what a
school sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_schema.findings import ROW_STEP, Finding
from data_schema.layout import Layout, is_empty
from data_schema.readers.sheets import Row
from data_schema.rules import Wide
from data_schema.tables import Table
from data_schema.wide import WAVE, WideHeader

if TYPE_CHECKING:
    import pandas as pd


def reshape_to_records(layout: Layout, header: WideHeader, table: Table, wide: Wide) -> Layout:
    """Return a layout with one row per record, where one row has the cells of many.

    Parameters
    ----------
    layout
        Where the table lies in the sheet as it was sent, without the wide columns.
    header
        Its header.
    table
        The table.
    wide
        What its columns represent.

    Returns
    -------
    Layout
        Each row is as many records as there are values of the field among the columns that hold anything. Rows that
        are no records stay one each.
    """
    if layout.header is None or not layout.is_usable:
        return layout
    layout = replace(layout, findings=(*layout.findings, *header.findings))
    if layout.is_open or not header.columns:
        return replace(layout, is_open=True)
    # What is stated elsewhere than in a column may have got one before the others.
    shift = layout.width - len(header.sheet.rows[header.at])
    records = [row_position for k, row_position in enumerate(layout.rows) if k not in layout.apart]
    by_value: dict[str, dict[str, int]] = {}
    for c, value_column in header.columns.items():
        by_value.setdefault(value_column.value, {})[value_column.field] = c + shift
    filled, blank = {}, []
    for value, columns in by_value.items():
        if any(
            not is_empty(layout.sheet.rows[row_position][c : c + 1])
            for row_position in records
            for c in columns.values()
        ):
            filled[value] = columns
        else:
            blank.append(value)
    notes = list(_iterate_unrolling_notes(layout, wide, filled, blank, n_rows=len(records)))
    if not filled:
        return replace(layout, findings=(*layout.findings, *notes), is_open=True)
    layout = replace(layout, units={**layout.units, **header.units})
    unrolled_rows = _Unrolled(
        layout, table, wide, filled, {(c + shift): wide_column.title for c, wide_column in header.columns.items()}
    )
    return replace(unrolled_rows.layout(), findings=(*layout.findings, *notes))


def _iterate_unrolling_notes(
    layout: Layout, wide: Wide, filled: Mapping[str, object], blank: Sequence[str], *, n_rows: int
) -> Iterator[Finding]:
    sheet, header_position = layout.sheet, layout.header or 0
    columns = ", ".join(map(repr, blank))
    if not filled:
        problem = f"All columns of {wide.across} are empty: {columns}."
        yield sheet.finding(
            problem, "Fill in the columns and send the file again.", row=header_position, severity="question"
        )
        return
    if blank:
        problem = f"The columns of {wide.across} {columns} are empty; no records are made of them."
        yield sheet.finding(problem, "Nothing, if that is right.", row=header_position, severity="note")
    n_values = len(filled)
    problem = (
        f"Columns represent {wide.across}: {n_rows} rows with {n_values} of them each are {n_rows * n_values} records."
    )
    yield sheet.finding(problem, "Nothing, if that is right.", row=header_position, severity="note")


class _Unrolled:
    """Makes the records of a wide sheet; used once."""

    def __init__(
        self,
        layout: Layout,
        table: Table,
        wide: Wide,
        by_value: Mapping[str, Mapping[str, int]],
        titles: Mapping[int, str],
    ) -> None:
        self.source, self.by_value = layout, by_value
        self.shared = [name for name in layout.columns if name != wide.across]
        values = {name for columns in by_value.values() for name in columns}
        self.values = [name for name in table.names if name in values and name not in self.shared]
        self.names = [*self.shared, wide.across, *self.values]
        self.titles = {
            (number, name): titles[c]
            for number, columns in enumerate(by_value.values(), start=1)
            for name, c in columns.items()
        }
        for number, columns in enumerate(by_value.values(), start=1):
            self.titles[number, wide.across] = titles[next(iter(columns.values()))]
        self.rows: list[Row] = [tuple(self.names)]
        self.numbers = [(layout.header or 0) + 1]
        self.apart: dict[int, str] = {}
        self.classes: list[str | None] = []
        self.struck: list[tuple[int, int]] = []
        self.in_doubt: set[int] = set()
        self.places_of_shared = [layout.columns[name] for name in self.shared]

    def layout(self) -> Layout:
        layout = self.source
        struck: dict[int, set[int]] = {}
        for row, column in layout.sheet.struck:
            struck.setdefault(row, set()).add(column - 1)
        for k, row_position in enumerate(layout.rows):
            if k in layout.apart:
                self.apart[len(self.rows) - 1] = layout.apart[k]
                self._add(k, row_position, 0, {}, struck)
                continue
            for number, (value, columns) in enumerate(self.by_value.items(), start=1):
                self._add(k, row_position, number, columns, struck, value=value)
        sheet = replace(layout.sheet, rows=tuple(self.rows), struck=tuple(self.struck))
        return replace(
            layout,
            sheet=sheet,
            header=0,
            columns={name: c for c, name in enumerate(self.names)},
            rows=tuple(range(1, len(self.rows))),
            apart=MappingProxyType(self.apart),
            classes=tuple(self.classes) if layout.classes else (),
            in_doubt=frozenset(self.in_doubt),
            units={name: stated_unit for name, stated_unit in layout.units.items() if name in self.names},
            numbers=tuple(self.numbers),
            titles=MappingProxyType(self.titles),
        )

    def _add(
        self,
        k: int,
        at: int,
        number: int,
        columns: Mapping[str, int],
        struck: Mapping[int, set[int]],
        *,
        value: str | None = None,
    ) -> None:
        layout = self.source
        row = layout.sheet.rows[at]
        places = [*self.places_of_shared, None, *(columns.get(name) for name in self.values)]
        cells = [None if c is None or c >= len(row) else row[c] for c in places]
        cells[len(self.shared)] = value
        beyond = row[layout.width :] if len(row) > layout.width else ()
        self.struck += [
            (len(self.rows) + 1, to + 1) for to, c in enumerate(places) if c is not None and c in struck.get(at + 1, ())
        ]
        if at + 1 in layout.in_doubt:
            self.in_doubt.add(len(self.rows) + 1)
        self.rows.append((*cells, *beyond))
        self.numbers.append(at + 1 + number * ROW_STEP)
        if layout.classes:
            self.classes.append(layout.classes[k])


def split_by_wave(layout: Layout, waves: Iterable[str]) -> Iterator[tuple[str, Layout]]:
    """Yield the records of each wave, of a sheet whose columns represent waves.

    Parameters
    ----------
    layout
        All its records.
    waves
        Names of the waves. A sheet that cannot be used is the first one's, and so are rows that are no records.
    """
    waves = list(waves)
    wave_column = layout.columns.get(WAVE)
    if wave_column is None or not layout.numbers:
        if layout.is_usable and not layout.is_open:
            problem = "None of its headers names a wave, and its columns are to represent waves."
            remedy = "Say it with columns of wide in [[inbox]]; or write the wave into the header."
            asked = layout.sheet.finding(problem, remedy, row=layout.header or 0)
            layout = replace(layout, findings=(*layout.findings, asked), is_open=True)
        yield waves[0], layout
        return
    columns = {name: place for name, place in layout.columns.items() if name != WAVE}
    of_wave = {place: layout.sheet.rows[place][wave_column] for place in layout.rows}
    present = [wave for wave in waves if wave in of_wave.values()]
    for wave in present:
        is_first = wave == present[0]
        wave_rows = [
            k for k, place in enumerate(layout.rows) if of_wave[place] == wave or (is_first and k in layout.apart)
        ]
        yield (
            wave,
            replace(
                layout,
                columns=columns,
                rows=tuple(layout.rows[k] for k in wave_rows),
                apart=MappingProxyType({new: layout.apart[k] for new, k in enumerate(wave_rows) if k in layout.apart}),
                classes=tuple(layout.classes[k] for k in wave_rows) if layout.classes else (),
                findings=layout.findings if is_first else (),
            ),
        )


class SeenPlaces:
    """Tells places of records as people see them: by the row of the sheet and the header above the cell.

    Parameters
    ----------
    layouts
        Where tables lie.
    """

    def __init__(self, layouts: Iterable[Layout]) -> None:
        self._titles: dict[tuple[str, str], Mapping[tuple[int, str], str]] = {
            (unrolled_layout.sheet.file, unrolled_layout.sheet.sheet): unrolled_layout.titles
            for unrolled_layout in layouts
            if unrolled_layout.numbers
        }

    def findings(self, found: Iterable[Finding]) -> list[Finding]:
        """Return findings at their places; what is said of a cell that many records share is said once."""
        if not self._titles:
            return list(found)
        return list(
            dict.fromkeys(self._build_finding(finding) if finding.row is not None else finding for finding in found)
        )

    def _build_finding(self, found: Finding) -> Finding:
        number, row = divmod(found.row or 0, ROW_STEP)
        return replace(found, row=row, column=self._get_title(found.file, found.sheet, number, found.column))

    def _get_title(self, file: str, sheet: str, number: int, column: str) -> str:
        return self._titles.get((file, sheet), {}).get((number, column), column)

    def rows(self, frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        """Return a frame whose columns of numbers hold the rows of sheets."""
        if not self._titles:
            return frame
        return frame.assign(**{name: frame[name] % ROW_STEP for name in columns if name in frame})

    def repairs(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return repairs at their places, each once."""
        if not self._titles or not len(frame):
            return frame
        numbers = (frame["row"] // ROW_STEP).tolist()
        places = zip(frame["file"], frame["sheet"], numbers, frame["column"], strict=True)
        shown_repairs = frame.assign(column=[self._get_title(*place) for place in places]).astype(
            {"column": frame["column"].dtype}
        )
        shown_repairs = self.rows(shown_repairs, "row").drop_duplicates()
        return shown_repairs.sort_values(["file", "sheet", "row", "column"], kind="stable", ignore_index=True)
