"""Sheets with a column per month, or per value of another field: what their headers say.

A row of a school's sheet becomes one record for each group of its columns (`data_schema.unrolling`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType

from data_schema.clean import shown
from data_schema.dates import clean_month
from data_schema.fields import Code, Field, header_key
from data_schema.findings import Finding
from data_schema.layout import N_SEARCHED, is_empty, meant_by, unit_in_doubt
from data_schema.readers.sheets import Cell, Row, Sheet
from data_schema.repairs import clean_cell
from data_schema.rules import Wide
from data_schema.tables import Table
from data_schema.words import factor_of, month_of, stated_otherwise

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
        self._stated = {header_key(header): value for header, value in stated.items()}

    def read(self, cell: Cell) -> _Header | None:
        """Return what a cell of a header means; None where it is no value of the field."""
        if cell is None:
            return None
        stated = self._stated.get(header_key(shown(cell)))
        if stated is not None:
            return _Header(value=stated)
        if self._field.type == "month":
            return self._month(cell)
        if self._field.type == "code" and isinstance(cell, str):
            made = clean_cell(cell.strip(), self._field, typed=False)
            return _Header(value=str(made.value)) if made.value is not None and not made.problem else None
        return None

    def _month(self, cell: Cell) -> _Header | None:
        if isinstance(cell, date):
            return _Header(value=f"{cell.year}-{cell.month:02d}")
        if not isinstance(cell, str) or len(cell) > _LONGEST:
            return None
        text = " ".join(_IN_BRACKETS.sub(" ", cell).split())
        words = text.split(" ")
        # The whole header, or a part of it at either end: "2027. október, igazolt".
        for n in range(len(words), 0, -1):
            for part, rest in ((words[:n], words[n:]), (words[-n:], words[:-n])):
                found = _month_in(" ".join(part))
                if found is not None:
                    return replace(found, rest=" ".join(rest).strip(" ,;:–-_/"))
        by_sign = re.fullmatch(r"(.+?)[_/–-]+(\d{4}-\d\d)|(\d{4}-\d\d)[_/–-]+(.+)", text)
        if by_sign is None:
            return None
        made = _month_in(by_sign[2] or by_sign[3])
        return None if made is None else replace(made, rest=by_sign[1] or by_sign[4])


def _month_in(text: str) -> _Header | None:
    bare = " ".join(word for word in text.strip(" ,;:–-").split(" ") if header_key(word) not in _MONTH_WORDS)
    made = clean_month(bare) if any(map(str.isdigit, bare)) else None
    if made is not None and isinstance(made.value, str) and not made.problem:
        return _Header(value=made.value)
    # "októberi" is "of October" in Hungarian.
    number = month_of(bare) or month_of(bare.removesuffix("i"))
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
    own = Field(WAVE, "code", codes=tuple(map(Code, waves))) if wide.across == WAVE else table.field(wide.across)
    reader = _Reader(own, wide.columns)
    best: tuple[int, int, dict[int, tuple[_Header, str]], bool] | None = None
    key = set(table.key) - told - {wide.across}
    for at in range(min(len(sheet.rows), N_SEARCHED)):
        for has_two in (False, True) if at else (False,):
            read = _columns_of(sheet, at, table, wide, reader, owner=owner, has_two=has_two)
            if not read:
                continue
            named = {name for _, name in _others(sheet, at, read, owner, has_two=has_two)}
            # A row of values is no header, and a sheet with a column of the field is not wide.
            if (key and not key & named) or wide.across in named or len(read) + len(named) < 2:
                continue
            n_told = sum(bool(name) for _, name in read.values())
            score = 100 * len(key & named) + 10 * n_told + len(named) + len(read)
            if best is None or score > best[0]:
                best = (score, at, read, has_two)
    if best is None:
        return None
    _, at, read, has_two = best
    columns, findings = _resolved(sheet, at, wide, read, window=window, has_two=has_two)
    columns, stated, in_doubt = _without_doubtful(sheet, at, table, columns, units)
    rows = (*sheet.rows[:at], _both(sheet, at, has_two=has_two), *sheet.rows[at + 1 :])
    return WideHeader(
        sheet=replace(sheet, rows=rows) if has_two else sheet,
        at=at,
        columns=MappingProxyType(columns),
        passed_over=frozenset(read),
        units=MappingProxyType(stated),
        without_year=tuple(one.column for one in findings if one.problem.endswith(_WHICH_YEAR)),
        is_told=all(name for _, name in read.values()),
        findings=(*findings, *in_doubt),
    )


def _without_doubtful(
    sheet: Sheet, at: int, table: Table, columns: Mapping[int, WideColumn], units: Mapping[str, float]
) -> tuple[dict[int, WideColumn], dict[str, str], list[Finding]]:
    """Leave out columns whose header states another unit than their field has, unless all can be converted alike."""
    said = {c: stated_otherwise(one.title, table.field(one.field)) for c, one in columns.items()}
    by_field: dict[str, set[str]] = {}
    for c, one in columns.items():
        by_field.setdefault(one.field, set()).add(said[c])
    stated = {name: next(iter(found)) for name, found in by_field.items() if len(found) == 1}
    stated = {name: unit for name, unit in stated.items() if unit and factor_of(unit, units) is not None}
    doubtful = {c for c, one in columns.items() if said[c] and one.field not in stated}
    findings = [
        unit_in_doubt(sheet, at, table.field(columns[c].field), said[c], columns[c].title) for c in sorted(doubtful)
    ]
    return {c: one for c, one in columns.items() if c not in doubtful}, stated, findings


def _columns_of(
    sheet: Sheet, at: int, table: Table, wide: Wide, reader: _Reader, *, owner: Mapping[str, str], has_two: bool
) -> dict[int, tuple[_Header, str]]:
    """Return the columns that a row of the header, or it and the one above, say are of values of the field."""
    lower = sheet.rows[at]
    upper = _carried(sheet.rows[at - 1], len(lower)) if has_two else [None] * len(lower)
    fields = {item.name for item in table.fields if item.name not in table.key}
    found: dict[int, tuple[_Header, str]] = {}
    uses_upper = False
    for c, cell in enumerate(lower):
        above = upper[c] if c < len(upper) else None
        own, over = reader.read(cell), reader.read(above)
        field_below, field_above = _field_in(cell, owner, fields), _field_in(above, owner, fields)
        if own is not None and not own.rest:
            found[c] = (own, field_above or wide.field)
            uses_upper |= bool(field_above)
        elif own is not None and (name := _field_in(own.rest, owner, fields)):
            found[c] = (own, name)
        elif over is not None and not over.rest and field_below:
            found[c] = (over, field_below)
            uses_upper = True
    return {} if has_two and not uses_upper else found


def _carried(row: Row, width: int) -> list[Cell]:
    """Return the cells of an upper row of a header, each standing over the empty ones beside it."""
    carried: list[Cell] = []
    current: Cell = None
    for at in range(width):
        cell = row[at] if at < len(row) else None
        current = cell if not is_empty((cell,)) else current
        carried.append(current)
    return carried


def _field_in(cell: Cell, owner: Mapping[str, str], fields: set[str]) -> str:
    name = meant_by(cell, owner) if isinstance(cell, str) else None
    return name if name in fields else ""


def _others(
    sheet: Sheet, at: int, read: Mapping[int, object], owner: Mapping[str, str], *, has_two: bool
) -> Iterator[tuple[int, str]]:
    """Yield the columns of other fields, named in either row of the header."""
    for c, cell in enumerate(_both(sheet, at, has_two=has_two)):
        name = meant_by(cell, owner) if c not in read and isinstance(cell, str) else None
        if name is not None:
            yield c, name


def _both(sheet: Sheet, at: int, *, has_two: bool) -> Row:
    """Return the last row of a header, its empty cells filled from the one above."""
    lower, upper = sheet.rows[at], sheet.rows[at - 1] if has_two else ()
    width = max(len(lower), len(upper))
    return tuple(
        lower[c] if c < len(lower) and not is_empty((lower[c],)) else (upper[c] if c < len(upper) else None)
        for c in range(width)
    )


def _resolved(
    sheet: Sheet,
    at: int,
    wide: Wide,
    read: Mapping[int, tuple[_Header, str]],
    *,
    window: Window | None,
    has_two: bool,
) -> tuple[dict[int, WideColumn], list[Finding]]:
    """Give months without a year their year, and ask about columns that cannot be read."""
    year_of = _years_by(sheet, at, wide, window)
    columns: dict[int, WideColumn] = {}
    findings: list[Finding] = []
    taken: dict[str, list[str]] = {}
    for c, (header, name) in read.items():
        title = _title(sheet, at, c, header, has_two=has_two)
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
        told = ", ".join(f"{title!r} is {value}" for value, titles in taken.items() for title in titles[:1])
        problem = f"Its headers name months without a year: {told}."
        findings.append(sheet.finding(problem, "Nothing, if that is right.", row=at, severity="note"))
    doubled = list(_doubled(columns))
    for places in doubled:
        first = columns[places[0]]
        problem = f"More than one of its columns is of {first.value!r} and {first.field!r}; none of them is read."
        remedy = "Correct the headers, and send the file again."
        findings.append(sheet.finding(problem, remedy, row=at, column=first.title))
    out = {c for places in doubled for c in places}
    return {c: one for c, one in columns.items() if c not in out}, findings


def _doubled(columns: Mapping[int, WideColumn]) -> Iterator[list[int]]:
    places: dict[tuple[str, str], list[int]] = {}
    for c, one in columns.items():
        places.setdefault((one.value, one.field), []).append(c)
    yield from (found for found in places.values() if len(found) > 1)


def _title(sheet: Sheet, at: int, c: int, header: _Header, *, has_two: bool) -> str:
    lower = " ".join(shown(sheet.rows[at][c]).split())
    if not has_two:
        return header.value or "" if isinstance(sheet.rows[at][c], date) else lower
    above = _carried(sheet.rows[at - 1], c + 1)[c]
    upper = header.value or "" if isinstance(above, date) else " ".join(shown(above).split())
    return f"{upper}, {lower}" if upper else lower


def _years_by(sheet: Sheet, at: int, wide: Wide, window: Window | None) -> Callable[[int], str | None]:
    """Return how a month without a year gets one: from the school year that the rule or a title says, or the wave."""
    if wide.school_year:
        return lambda month: f"{wide.school_year + (month < _FIRST_MONTH)}-{month:02d}"
    lines = [shown(cell) for row in sheet.rows[:at] for cell in row if cell is not None]
    years = {
        int(found[1]) for text in (*lines, sheet.sheet) for found in _SCHOOL_YEAR.finditer(text) if _follows(found)
    }

    def by_school_year(month: int) -> str | None:
        (year,) = years
        return f"{year + (month < _FIRST_MONTH)}-{month:02d}"

    def by_window(month: int) -> str | None:
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

    return by_school_year if len(years) == 1 else by_window


def _follows(found: re.Match[str]) -> bool:
    return (int(found[1]) + 1) % 100 == int(found[2]) % 100
