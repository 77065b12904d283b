"""Sheets with a column per month, or per value of another field: what their headers say.

A row of a school's sheet becomes one record for each group of its columns (`data_schema.unrolling`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from data_schema.clean import format_value
from data_schema.dates import clean_month
from data_schema.fields import Code, Field, normalise_header
from data_schema.findings import Finding
from data_schema.headers import find_meant_field
from data_schema.layout import N_SEARCHED, build_unit_question, is_empty
from data_schema.readers.sheets import Cell, Row, Sheet
from data_schema.repairs import clean_cell
from data_schema.rules import Wide
from data_schema.tables import Table
from data_schema.words import find_month_number, find_stated_difference, find_unit_factor

_IN_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
_SCHOOL_YEAR = re.compile(r"(?<!\d)(20\d\d)\s*[/–-]\s*(20\d\d|\d\d)(?!\d)")
_MONTH_WORDS = frozenset(("ho", "honap", "havi", "month", "monthly", "mesec", "mjesec", "meseca"))
_LONGEST = 80
_FIRST_MONTH = 8
"""Month from which on a month is of the school year that begins then."""

WAVE = "wave"
"""What columns represent where they are of waves, which no field of a table says."""

_WHICH_YEAR = ", and nothing tells which year it is."

Window = tuple[date, date]
"""First and last day of a wave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WideColumn:
    """A column of a wide sheet.

    Parameters
    ----------
    value
        Value of the field that columns represent, such as "2027-10".
    field
        The field that its cells are of; empty where nothing tells.
    title
        What its header says, as people read it.
    """

    value: str
    field: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WideHeader:
    """The header of a wide sheet.

    Parameters
    ----------
    sheet
        The sheet, in whose last row of the header stands what the header says of other columns as well.
    at
        Position of that row.
    columns
        Position to column, for those that can be read.
    passed_over
        Positions of all columns that are none of the other fields.
    units
        Field to another unit that all of its columns state, and that the protocol converts.
    without_year
        Headers that name months of which nothing tells the year.
    is_told
        Whether the header or the rule says of all columns which field they are of.
    findings
        What was wrong or odd.
    """

    sheet: Sheet
    at: int
    columns: Mapping[int, WideColumn]
    passed_over: frozenset[int]
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    without_year: tuple[str, ...] = ()
    is_told: bool = True
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """What a header that means a value of the field says; a month without a year has no value yet."""

    value: str | None
    month: int | None = None
    rest: str = ""


class _Reader:
    """Reads headers as values of a field.

    Parameters
    ----------
    across
        The field.
    stated
        Header to value, as the protocol says.
    """

    def __init__(self, across: Field, stated: Mapping[str, str]) -> None:
        self._field = across
        self._stated = {normalise_header(header): value for header, value in stated.items()}

    def read(self, cell: Cell) -> _Header | None:
        """Return what a cell of a header means; None where it is no value of the field."""
        if cell is None:
            return None
        stated = self._stated.get(normalise_header(format_value(cell)))
        if stated is not None:
            return _Header(value=stated)
        if self._field.type == "month":
            return self._parse_month(cell)
        if self._field.type == "code" and isinstance(cell, str):
            clean_result = clean_cell(cell.strip(), self._field, typed=False)
            return (
                _Header(value=str(clean_result.value))
                if clean_result.value is not None and not clean_result.problem
                else None
            )
        return None

    def _parse_month(self, cell: Cell) -> _Header | None:
        if isinstance(cell, date):
            return _Header(value=f"{cell.year}-{cell.month:02d}")
        if not isinstance(cell, str) or len(cell) > _LONGEST:
            return None
        text = " ".join(_IN_BRACKETS.sub(" ", cell).split())
        words = text.split(" ")
        # The whole header, or a part of it at either end: "2027. október, igazolt".
        for n in range(len(words), 0, -1):
            for part, remaining_words in ((words[:n], words[n:]), (words[-n:], words[:-n])):
                month_header = _find_month(" ".join(part))
                if month_header is not None:
                    return replace(month_header, rest=" ".join(remaining_words).strip(" ,;:–-_/"))
        by_sign = re.fullmatch(r"(.+?)[_/–-]+(\d{4}-\d\d)|(\d{4}-\d\d)[_/–-]+(.+)", text)
        if by_sign is None:
            return None
        signed_month = _find_month(by_sign[2] or by_sign[3])
        return None if signed_month is None else replace(signed_month, rest=by_sign[1] or by_sign[4])


def _find_month(text: str) -> _Header | None:
    bare = " ".join(word for word in text.strip(" ,;:–-").split(" ") if normalise_header(word) not in _MONTH_WORDS)
    clean_result = clean_month(bare) if any(map(str.isdigit, bare)) else None
    if clean_result is not None and isinstance(clean_result.value, str) and not clean_result.problem:
        return _Header(value=clean_result.value)
    # "októberi" is "of October" in Hungarian.
    number = find_month_number(bare) or find_month_number(bare.removesuffix("i"))
    return None if number is None else _Header(value=None, month=number)


def find_wide(
    sheet: Sheet,
    table: Table,
    wide: Wide,
    *,
    owner: Mapping[str, str],
    told: frozenset[str],
    window: Window | None,
    units: Mapping[str, float],
    waves: Collection[str] = (),
) -> WideHeader | None:
    """Find the header of a wide sheet.

    Parameters
    ----------
    sheet
        The sheet.
    table
        The table that should be there.
    wide
        What its columns represent.
    owner
        Field that each header means.
    told
        Fields that need no column.
    window
        First and last day of the wave, by which months without a year are known.
    units
        Unit that a header may state to what one of it is in the field's own, as the protocol says.
    waves
        Names of the waves, which headers may say where columns represent waves.

    Returns
    -------
    WideHeader or None
        None where no row of the header has a column for a value of the field.
    """
    across_field = (
        Field(WAVE, "code", codes=tuple(map(Code, waves))) if wide.across == WAVE else table.field(wide.across)
    )
    reader = _Reader(across_field, wide.columns)
    best: tuple[int, int, dict[int, tuple[_Header, str]], bool] | None = None
    key = set(table.key) - told - {wide.across}
    for header_position in range(min(len(sheet.rows), N_SEARCHED)):
        for has_two in (False, True) if header_position else (False,):
            read = _match_wide_columns(sheet, header_position, table, wide, reader, owner=owner, has_two=has_two)
            if not read:
                continue
            named = {name for _, name in _iterate_other_columns(sheet, header_position, read, owner, has_two=has_two)}
            # A row of values is no header, and a sheet with a column of the field is not wide.
            if (key and not key & named) or wide.across in named or len(read) + len(named) < 2:
                continue
            n_told = sum(bool(name) for _, name in read.values())
            score = 100 * len(key & named) + 10 * n_told + len(named) + len(read)
            if best is None or score > best[0]:
                best = (score, header_position, read, has_two)
    if best is None:
        return None
    _, header_position, read, has_two = best
    columns, findings = _resolve_wide_columns(sheet, header_position, wide, read, window=window, has_two=has_two)
    columns, stated, in_doubt = _split_doubtful_columns(sheet, header_position, table, columns, units)
    rows = (
        *sheet.rows[:header_position],
        _merge_header_rows(sheet, header_position, has_two=has_two),
        *sheet.rows[header_position + 1 :],
    )
    return WideHeader(
        sheet=replace(sheet, rows=rows) if has_two else sheet,
        at=header_position,
        columns=MappingProxyType(columns),
        passed_over=frozenset(read),
        units=MappingProxyType(stated),
        without_year=tuple(finding.column for finding in findings if finding.problem.endswith(_WHICH_YEAR)),
        is_told=all(name for _, name in read.values()),
        findings=(*findings, *in_doubt),
    )


def _split_doubtful_columns(
    sheet: Sheet, at: int, table: Table, columns: Mapping[int, WideColumn], units: Mapping[str, float]
) -> tuple[dict[int, WideColumn], dict[str, str], list[Finding]]:
    """Leave out columns whose header states another unit than their field has, unless all can be converted alike."""
    stated_units = {
        c: find_stated_difference(wide_column.title, table.field(wide_column.field))
        for c, wide_column in columns.items()
    }
    by_field: dict[str, set[str]] = {}
    for c, field_column in columns.items():
        by_field.setdefault(field_column.field, set()).add(stated_units[c])
    stated = {name: next(iter(field_units)) for name, field_units in by_field.items() if len(field_units) == 1}
    stated = {name: unit for name, unit in stated.items() if unit and find_unit_factor(unit, units) is not None}
    doubtful = {c for c, wide_column in columns.items() if stated_units[c] and wide_column.field not in stated}
    findings = [
        build_unit_question(sheet, at, table.field(columns[c].field), stated_units[c], columns[c].title)
        for c in sorted(doubtful)
    ]
    return {c: wide_column for c, wide_column in columns.items() if c not in doubtful}, stated, findings


def _match_wide_columns(
    sheet: Sheet, at: int, table: Table, wide: Wide, reader: _Reader, *, owner: Mapping[str, str], has_two: bool
) -> dict[int, tuple[_Header, str]]:
    """Return the columns that a row of the header, or it and the one above, say are of values of the field."""
    lower = sheet.rows[at]
    upper = _apply_upper_headers(sheet.rows[at - 1], len(lower)) if has_two else [None] * len(lower)
    fields = {item.name for item in table.fields if item.name not in table.key}
    header_columns: dict[int, tuple[_Header, str]] = {}
    uses_upper = False
    for c, cell in enumerate(lower):
        above = upper[c] if c < len(upper) else None
        cell_header, over = reader.read(cell), reader.read(above)
        field_below, field_above = _find_field_in_cell(cell, owner, fields), _find_field_in_cell(above, owner, fields)
        if cell_header is not None and not cell_header.rest:
            header_columns[c] = (cell_header, field_above or wide.field)
            uses_upper |= bool(field_above)
        elif cell_header is not None and (name := _find_field_in_cell(cell_header.rest, owner, fields)):
            header_columns[c] = (cell_header, name)
        elif over is not None and not over.rest and field_below:
            header_columns[c] = (over, field_below)
            uses_upper = True
    return {} if has_two and not uses_upper else header_columns


def _apply_upper_headers(row: Row, width: int) -> list[Cell]:
    """Return the cells of an upper row of a header, each standing over the empty ones beside it."""
    carried: list[Cell] = []
    current: Cell = None
    for column_index in range(width):
        cell = row[column_index] if column_index < len(row) else None
        current = cell if not is_empty((cell,)) else current
        carried.append(current)
    return carried


def _find_field_in_cell(cell: Cell, owner: Mapping[str, str], fields: set[str]) -> str:
    name = find_meant_field(cell, owner) if isinstance(cell, str) else None
    return name if name in fields else ""


def _iterate_other_columns(
    sheet: Sheet, at: int, read: Mapping[int, object], owner: Mapping[str, str], *, has_two: bool
) -> Iterator[tuple[int, str]]:
    """Yield the columns of other fields, named in either row of the header."""
    for c, cell in enumerate(_merge_header_rows(sheet, at, has_two=has_two)):
        name = find_meant_field(cell, owner) if c not in read and isinstance(cell, str) else None
        if name is not None:
            yield c, name


def _merge_header_rows(sheet: Sheet, at: int, *, has_two: bool) -> Row:
    """Return the last row of a header, its empty cells filled from the one above."""
    lower, upper = sheet.rows[at], sheet.rows[at - 1] if has_two else ()
    width = max(len(lower), len(upper))
    return tuple(
        lower[c] if c < len(lower) and not is_empty((lower[c],)) else (upper[c] if c < len(upper) else None)
        for c in range(width)
    )


def _resolve_wide_columns(
    sheet: Sheet,
    at: int,
    wide: Wide,
    read: Mapping[int, tuple[_Header, str]],
    *,
    window: Window | None,
    has_two: bool,
) -> tuple[dict[int, WideColumn], list[Finding]]:
    """Give months without a year their year, and ask about columns that cannot be read."""
    year_of = _build_year_rule(sheet, at, wide, window)
    columns: dict[int, WideColumn] = {}
    findings: list[Finding] = []
    taken: dict[str, list[str]] = {}
    for c, (header, name) in read.items():
        title = _format_column_title(sheet, at, c, header, has_two=has_two)
        value = header.value if header.value is not None else year_of(header.month or 0)
        if header.value is None and value is not None:
            taken.setdefault(value, []).append(title)
        if value is None:
            problem = f"The header {title!r} names a month without a year{_WHICH_YEAR}"
            remedy = "Say it with school_year of wide in [[inbox]]; or write the year into the header."
            findings.append(sheet.finding(problem, remedy, row=at, column=title))
        elif not name:
            problem = f"The column is of {wide.across} {value!r}, and nothing tells which field its values are of."
            remedy = "Say it with field of wide in [[inbox]]; or write the field into the header."
            findings.append(sheet.finding(problem, remedy, row=at, column=title))
        else:
            columns[c] = WideColumn(value=value, field=name, title=title)
    if taken:
        month_texts = ", ".join(f"{title!r} is {value}" for value, titles in taken.items() for title in titles[:1])
        problem = f"Its headers name months without a year: {month_texts}."
        findings.append(sheet.finding(problem, "Nothing, if that is right.", row=at, severity="note"))
    doubled = list(_iterate_doubled_columns(columns))
    for places in doubled:
        first = columns[places[0]]
        problem = f"More than one of its columns is of {first.value!r} and {first.field!r}; none of them is read."
        remedy = "Correct the headers, and send the file again."
        findings.append(sheet.finding(problem, remedy, row=at, column=first.title))
    out = {c for places in doubled for c in places}
    return {c: wide_column for c, wide_column in columns.items() if c not in out}, findings


def _iterate_doubled_columns(columns: Mapping[int, WideColumn]) -> Iterator[list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for c, wide_column in columns.items():
        places.setdefault((wide_column.value, wide_column.field), []).append(c)
    yield from (shared_columns for shared_columns in places.values() if len(shared_columns) > 1)


def _format_column_title(sheet: Sheet, at: int, c: int, header: _Header, *, has_two: bool) -> str:
    lower = " ".join(format_value(sheet.rows[at][c]).split())
    if not has_two:
        return header.value or "" if isinstance(sheet.rows[at][c], date) else lower
    above = _apply_upper_headers(sheet.rows[at - 1], c + 1)[c]
    upper = header.value or "" if isinstance(above, date) else " ".join(format_value(above).split())
    return f"{upper}, {lower}" if upper else lower


def _build_year_rule(sheet: Sheet, at: int, wide: Wide, window: Window | None) -> Callable[[int], str | None]:
    """Return how a month without a year gets one: from the school year that the rule or a title says, or the wave."""
    if wide.school_year:
        return lambda month: f"{wide.school_year + (month < _FIRST_MONTH)}-{month:02d}"
    lines = [format_value(cell) for row in sheet.rows[:at] for cell in row if cell is not None]
    years = {
        int(match[1])
        for text in (*lines, sheet.sheet)
        for match in _SCHOOL_YEAR.finditer(text)
        if _is_following_year(match)
    }

    def find_month_in_school_year(month: int) -> str | None:
        (year,) = years
        return f"{year + (month < _FIRST_MONTH)}-{month:02d}"

    def find_month_in_window(month: int) -> str | None:
        if window is None:
            return None
        opens, closes = window
        within = [
            f"{year}-{month:02d}"
            for year in range(opens.year, closes.year + 1)
            if (opens.year, opens.month) <= (year, month) <= (closes.year, closes.month)
        ]
        if within:
            return within[0] if len(within) == 1 else None
        # A month that the wave does not reach into is the last one before it.
        return f"{closes.year if month <= closes.month else closes.year - 1}-{month:02d}"

    return find_month_in_school_year if len(years) == 1 else find_month_in_window


def _is_following_year(found: re.Match[str]) -> bool:
    return (int(found[1]) + 1) % 100 == int(found[2]) % 100
