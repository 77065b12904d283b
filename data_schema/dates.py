"""Dates and months as people in several countries write them."""

from __future__ import annotations

import re
from datetime import date

from data_schema.clean import CleanCell, asked

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-./] ?(\d{{1,2}})[-./] ?(\d{{1,2}})\.?{_TIME}")
_DAY_FIRST = re.compile(rf"(\d{{1,2}})\. ?(\d{{1,2}})\. ?(\d{{4}})\.?{_TIME}")
_EITHER = re.compile(rf"(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}){_TIME}")
_ISO_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_YEAR_MONTH = re.compile(r"(\d{4})[-./] ?(\d{1,2})\.?")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-./] ?(\d{4})\.?")
_YEARS = range(1900, 2101)

_REMEDY = "Write the date as 2027-10-05."


def clean_date(cell: str | date | float | bool) -> CleanCell:
    """Read a cell as a date.

    Parameters
    ----------
    cell
        What a reader found, without outer spaces.

    Returns
    -------
    CleanCell
        The date, between 1900 and 2100. Understood are ISO 8601, year first ("2027.10.05."), day first with full stops
        ("5.10.2027.") and, where only one reading exists, with slashes ("25/10/2027").
    """
    if isinstance(cell, date):
        return _within(cell)
    if not isinstance(cell, str):
        return asked("{value} is a number where a date belongs.", f"Format the cell as a date. {_REMEDY}")
    if _ISO.fullmatch(cell):
        return _made(*(int(part) for part in cell.split("-")), rules=())
    year_first = _YEAR_FIRST.fullmatch(cell)
    if year_first:
        return _made(int(year_first[1]), int(year_first[2]), int(year_first[3]))
    day_first = _DAY_FIRST.fullmatch(cell)
    if day_first:
        return _made(int(day_first[3]), int(day_first[2]), int(day_first[1]))
    either = _EITHER.fullmatch(cell)
    return _either(*(int(either[k]) for k in (1, 2, 3))) if either else asked("{value} is not a date.", _REMEDY)


def clean_month(cell: str | date | float | bool) -> CleanCell:
    """Read a cell as a month, "2027-10".

    Parameters
    ----------
    cell
        What a reader found, without outer spaces. A spreadsheet makes a date of a month: any day of it will do.
    """
    if isinstance(cell, str):
        if _ISO_MONTH.fullmatch(cell):
            return CleanCell(value=cell)
        for pattern, year, month in ((_YEAR_MONTH, 1, 2), (_MONTH_YEAR, 2, 1)):
            found = pattern.fullmatch(cell)
            if found:
                return _month(int(found[year]), int(found[month]))
    day = clean_date(cell) if isinstance(cell, str | date) else asked("", "")
    if isinstance(day.value, date):
        return _month(day.value.year, day.value.month)
    return asked("{value} is not a month.", "Write the month as 2027-10.")


def _month(year: int, month: int) -> CleanCell:
    if not 1 <= month <= 12 or year not in _YEARS:
        return asked("{value} is not a month.", "Write the month as 2027-10.")
    return CleanCell(value=f"{year}-{month:02d}", rules=("month",))


def _made(year: int, month: int, day: int, *, rules: tuple[str, ...] = ("date",)) -> CleanCell:
    try:
        made = date(year, month, day)
    except ValueError:
        return asked("{value} is no day of any calendar.", _REMEDY)
    return _within(made).after(rules)


def _within(day: date) -> CleanCell:
    if day.year not in _YEARS:
        return asked("{value} is too far from today.", _REMEDY)
    return CleanCell(value=day)


def _either(first: int, second: int, year: int) -> CleanCell:
    """Read a date with slashes, whose day may come first or second."""
    if first == second or second > 12:
        return _made(year, first, second)
    if first > 12:
        return _made(year, second, first)
    return asked("{value} can be two dates: its day may come first or second.", _REMEDY)
