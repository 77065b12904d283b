"""Dates and months as people in several countries write them."""

from __future__ import annotations

import re
from datetime import date

from data_schema.clean import CleanCell, asked
from data_schema.words import find_month_number

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})(?:[-./] ?| )(\d{{1,2}})(?:[-./] ?| )(\d{{1,2}})\.?{_TIME}")
_DAY_FIRST = re.compile(rf"(\d{{1,2}})\. ?(\d{{1,2}})\. ?(\d{{4}})\.?{_TIME}")
_EITHER = re.compile(rf"(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}){_TIME}")
_DAY_WORD = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-. ] ?([^\W\d_]+)[-. ,]{1,2}(\d{4})\.?")
_WORD_DAY = re.compile(r"(\d{4})[. ] ?([^\W\d_]+)[. ]{1,2}(\d{1,2})\.?(?:-?[aáeé]n)?")
_WORD_FIRST = re.compile(r"([^\W\d_]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? ?(?<=[, ])(\d{4})")
_WORD_YEAR = re.compile(r"([^\W\d_]+)[./ ]{1,2}(\d{4})\.?")
_YEAR_WORD = re.compile(r"(\d{4})[./ ]{1,2}([^\W\d_]+)\.?")
_SHORT_YEAR = re.compile(r"\d{1,2}[-./] ?\d{1,2}[-./] ?\d{2}\.?")
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_AROUND_MARKS = re.compile(r"\s*([./-])\s*(?=\S)|\s+([./-])$")
_YEAR_MARK = re.compile(r"\s*\b(?:god(?:ine)?|g|год(?:ине)?|г|leta|év)\.?$", re.IGNORECASE)
_ISO_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_YEAR_MONTH = re.compile(r"(\d{4})[-./] ?(\d{1,2})\.?")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-./] ?(\d{4})\.?")
_LAST_YEAR = re.compile(r"\d{1,2}\s?[-./]\s?\d{1,2}\s?[-./]\s?(\d{4})\.?")
_YEARS = range(1900, 2101)
_LONGEST = 40

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
        ("5.10.2027."), months in words or Roman numerals ("5. X. 2027", "2027. október 5.") and, where only one
        reading exists, with slashes ("25/10/2027").
    """
    if isinstance(cell, date):
        return _check_date_range(cell)
    if not isinstance(cell, str):
        remedy = "Format the cell as a date, or write the date as 2027-10-05."
        return asked("{value} is a number where a date belongs.", remedy)
    if _ISO.fullmatch(cell):
        return _build_date_cell(*(int(part) for part in cell.split("-")), rules=())
    return (
        _parse_digit_date(cell) or _parse_worded_date(cell) or _parse_tidied_digit_date(cell) or _refuse_as_date(cell)
    )


def _parse_digit_date(cell: str) -> CleanCell | None:
    year_first = _YEAR_FIRST.fullmatch(cell) or _COMPACT.fullmatch(cell)
    if year_first:
        return _build_date_cell(int(year_first[1]), int(year_first[2]), int(year_first[3]))
    day_first = _DAY_FIRST.fullmatch(cell)
    if day_first:
        return _build_date_cell(int(day_first[3]), int(day_first[2]), int(day_first[1]))
    either = _EITHER.fullmatch(cell)
    return _resolve_day_order(*(int(either[k]) for k in (1, 2, 3))) if either else None


def _parse_tidied_digit_date(cell: str) -> CleanCell | None:
    """Read a date once more without spaces around its marks and without the word for "year" behind it."""
    if len(cell) > _LONGEST:
        return None
    bare = _YEAR_MARK.sub("", cell)
    tidy = _AROUND_MARKS.sub(lambda found: found[1] or found[2], bare)
    return None if tidy == cell else _parse_digit_date(tidy) or _parse_worded_date(bare)


def _parse_worded_date(cell: str) -> CleanCell | None:
    """Read a date whose month is a word or a Roman numeral; it can be read in one way only."""
    if len(cell) > _LONGEST:
        return None
    for pattern, year, month, day in ((_DAY_WORD, 3, 2, 1), (_WORD_DAY, 1, 2, 3), (_WORD_FIRST, 3, 1, 2)):
        match = pattern.fullmatch(cell)
        number = find_month_number(match[month]) if match else None
        if match and number:
            return _build_date_cell(int(match[year]), number, int(match[day]))
    return None


def _refuse_as_date(cell: str) -> CleanCell:
    if _SHORT_YEAR.fullmatch(cell):
        return asked("The year in {value} has two digits, and it is not sure which of the three it is.", _REMEDY)
    return asked("{value} is not a date.", _REMEDY)


def find_year(cell: str) -> int | None:
    """Return the year of what is a date or a month, whatever its day; None where it is neither or the year is not sure.

    Examples
    --------
    >>> [find_year(text) for text in ("2011.03.15.", "3/4/2011", "2011. március", "15.03.11", "2011")]
    [2011, 2011, 2011, None, None]
    """
    backwards = _LAST_YEAR.fullmatch(cell.strip())
    if backwards:
        return int(backwards[1]) if int(backwards[1]) in _YEARS else None
    for read in (clean_date, clean_month):
        value = read(cell).value
        if value is not None:
            return value.year if isinstance(value, date) else int(str(value)[:4])
    return None


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
            match = pattern.fullmatch(cell)
            if match:
                return _build_month_cell(int(match[year]), int(match[month]))
        for pattern, year, month in ((_WORD_YEAR, 2, 1), (_YEAR_WORD, 1, 2)):
            match = pattern.fullmatch(cell[:_LONGEST])
            number = find_month_number(match[month]) if match else None
            if match and number:
                return _build_month_cell(int(match[year]), number)
    day = clean_date(cell) if isinstance(cell, str | date) else asked("", "")
    if isinstance(day.value, date):
        return _build_month_cell(day.value.year, day.value.month)
    return asked("{value} is not a month.", "Write the month as 2027-10.")


def _build_month_cell(year: int, month: int) -> CleanCell:
    if not 1 <= month <= 12 or year not in _YEARS:
        return asked("{value} is not a month.", "Write the month as 2027-10.")
    return CleanCell(value=f"{year}-{month:02d}", rules=("month",))


def _build_date_cell(year: int, month: int, day: int, *, rules: tuple[str, ...] = ("date",)) -> CleanCell:
    try:
        calendar_date = date(year, month, day)
    except ValueError:
        return asked("{value} is no day of any calendar.", _REMEDY)
    return _check_date_range(calendar_date).after(rules)


def _check_date_range(day: date) -> CleanCell:
    if day.year not in _YEARS:
        return asked("{value} is too far from today.", _REMEDY)
    return CleanCell(value=day)


def _resolve_day_order(first: int, second: int, year: int) -> CleanCell:
    """Read a date with slashes, whose day may come first or second."""
    if first == second or second > 12:
        return _build_date_cell(year, first, second)
    if first > 12:
        return _build_date_cell(year, second, first)
    return asked("{value} can be two dates: its day may come first or second.", _REMEDY)
