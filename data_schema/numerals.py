"""Numbers as people in several countries write them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from data_schema.clean import CleanCell, asked
from data_schema.dates import find_year
from data_schema.fields import Field
from data_schema.words import is_unit, mark_of

_SPACES = " \u00a0\u202f\u2009'’"
_MARKED = re.compile(rf"[+-]?\d+([.,{_SPACES}]\d+)+")
_DIGITS = re.compile(r"[+-]?\d+")
_BARE_FRACTION = re.compile(r"([+-]?)([.,])(\d+)")
_SCIENTIFIC = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d{1,3}")
_COMPACT_DAY = re.compile(r"\d{8}")
YEAR_OF_DATE = "year of a date"
"""Name of the repair that takes the year of a date."""

_LONGEST = 40
_LARGEST = 10**15
_NUMBER = rf"[+-]?\d[\d.,{_SPACES}]*"
_WITH_WORD = re.compile(rf"({_NUMBER})[\s(\[/:=-]*([^\W\d_%][^\d%]*?|×)[\s.)\]]*")
_AFTER_WORD = re.compile(rf"([^\W\d_%][^\d%]*?)[\s(\[/:=-]*({_NUMBER})[\s.)\]]*")
_PERCENT = re.compile(rf"({_NUMBER})\s?%")
_DIGIT_LIKE = re.compile(r"[\dOoIl]+")


def clean_number(cell: str | date | float | bool, field: Field, *, typed: bool) -> CleanCell:
    """Read a cell as a number, a whole number or a year, and check its range.

    Parameters
    ----------
    cell
        What a reader found, without outer spaces.
    field
        A field of one of the numeric types.
    typed
        Whether numbers in the file have a type of their own; one that is text was repaired then.

    Returns
    -------
    CleanCell
        The number. With `thousands` when it has two readings and both are in the field's range: `settled` takes one.
    """
    if isinstance(cell, date) and field.type == "year":
        return _take_year_of_date(cell, field)
    if isinstance(cell, bool | date):
        return _refuse_as_number(cell, field)
    if not isinstance(cell, str):
        return check_number_range(CleanCell(value=cell), field)
    minus = cell.replace("\u2212", "-")
    parsed_cell = _parse_number(minus, field) or _parse_worded_number(minus, field)
    day = find_year(minus) if field.type == "year" and (parsed_cell is None or _COMPACT_DAY.fullmatch(minus)) else None
    if day is not None:
        return _take_year_of_date(day, field)
    if parsed_cell is None:
        return _refuse_as_number(cell, field)
    if parsed_cell.problem:
        return parsed_cell
    rules = ("text to number",) if typed else ()
    return _select_plausible_reading(parsed_cell.after(rules if minus == cell else (*rules, "minus sign")), field)


def _take_year_of_date(day: date | int, field: Field) -> CleanCell:
    """Take the year of a date where a year is asked; the date itself is nobody's concern."""
    year = day.year if isinstance(day, date) else day
    return check_number_range(CleanCell(value=year, rules=(YEAR_OF_DATE,)), field)


def resolve_number(cell: CleanCell, field: Field, *, decimal: bool) -> CleanCell:
    """Take one of the two readings of a number.

    Parameters
    ----------
    cell
        A number with two readings.
    field
        Its field.
    decimal
        Whether the mark is a decimal one.
    """
    if decimal:
        rules = (*cell.rules, "decimal mark") if cell.mark == "," else cell.rules
        return check_number_range(replace(cell, rules=rules, thousands=None), field)
    return check_number_range(
        replace(cell, value=cell.thousands, rules=(*cell.rules, "thousands"), thousands=None), field
    )


def ask_for_reading(cell: CleanCell) -> CleanCell:
    """Ask which of the two readings of a number is meant."""
    return asked(
        f"{{value}} can be {cell.value} or {cell.thousands}: nothing in the column tells what the mark means.",
        "Write the number without a mark for thousands.",
    )


def check_number_range(cell: CleanCell, field: Field) -> CleanCell:
    """Check that a number is whole where it must be, and within the field's limits."""
    value = cell.value
    if not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return _refuse_as_number("", field)
    if field.type != "number" and value != int(value):
        return asked(_NOT.get(field.type, _NO_NUMBER), "Give the number without decimals.")
    if field.minimum is not None and value < field.minimum:
        return asked(f"{{value}} is below the least possible value, {field.minimum:g}.", _CHECK)
    if field.maximum is not None and value > field.maximum:
        return asked(f"{{value}} is above the greatest possible value, {field.maximum:g}.", _CHECK)
    return replace(cell, value=float(value) if field.type == "number" else int(value))


_CHECK = "Check the value, and send the right one."


_NOT = {"year": "{value} is not a year.", "whole_number": "{value} is not a whole number."}
_NO_NUMBER = "{value} is not a number."
_SEND = {
    "year": "Send the year in digits, or leave the cell empty.",
    "whole_number": "Send the whole number in digits, or leave the cell empty.",
}


def _refuse_as_number(cell: object, field: Field) -> CleanCell:
    problem = _NOT.get(field.type, _NO_NUMBER)
    if isinstance(cell, str) and _DIGIT_LIKE.fullmatch(cell) and any(letter in cell for letter in "OoIl"):
        return asked(problem, "Was a letter written for a digit (O for 0, I for 1)? Send the number in digits.")
    return asked(problem, _SEND.get(field.type, "Send the number in digits, or leave the cell empty."))


def _parse_number(text: str, field: Field) -> CleanCell | None:
    if len(text) > _LONGEST:
        return None
    if _DIGITS.fullmatch(text):
        return CleanCell(value=int(text))
    if _MARKED.fullmatch(text):
        return _parse_marked_digits(text)
    if _SCIENTIFIC.fullmatch(text):
        return CleanCell(value=float(text.replace(",", ".")), rules=("decimal mark",) if "," in text else ())
    fraction = _BARE_FRACTION.fullmatch(text)
    if fraction:
        return _build_decimal_cell(f"{fraction[1]}0", fraction[2], fraction[3])
    if field.type != "number" and text.endswith(".") and _DIGITS.fullmatch(text[:-1]):
        # An ordinal, as years are written in Hungarian and Serbian.
        return CleanCell(value=int(text[:-1]), rules=("full stop",))
    return None


def _parse_worded_number(text: str, field: Field) -> CleanCell | None:
    """Read a number with a word or a sign beside it: a mark in words, a unit, a percentage of a share."""
    if len(text) > _LONGEST:
        return None
    percent = _PERCENT.fullmatch(text)
    if percent and field.unit == "share":
        parsed_cell = _parse_number(percent[1].strip(), field)
        return parsed_cell and replace(_convert_percent(parsed_cell), rules=(*parsed_cell.rules, "percent"))
    first, last = _WITH_WORD.fullmatch(text), _AFTER_WORD.fullmatch(text)
    number, word = (first[1], first[2]) if first else (last[2], last[1]) if last else ("", text)
    if field.unit == "mark" and not number and field.type == "whole_number":
        mark = mark_of(word)
        return None if mark is None else CleanCell(value=mark, rules=("mark in words",))
    parsed_cell = _parse_number(number.strip(), field) if number else None
    if parsed_cell is None or not isinstance(parsed_cell.value, int | float):
        return None
    mark = mark_of(word) if field.unit == "mark" else None
    if mark is not None:
        # A mean of 4.5 is rounded up, as schools do.
        if int(parsed_cell.value + 0.5) != mark:
            return asked("{value} says two things: the number is not the mark in words.", _CHECK)
        return parsed_cell.after(("mark in words",))
    return parsed_cell.after(("unit",)) if is_unit(word, field.unit) else None


def _convert_percent(cell: CleanCell) -> CleanCell:
    value = cell.value if isinstance(cell.value, int | float) else 0
    # Of two readings the decimal one: no share has thousands of percent.
    return replace(cell, value=round(value / 100, 12), thousands=None)


def _parse_marked_digits(text: str) -> CleanCell | None:
    """Read digits with marks between them: of thousands, of decimals, or of both."""
    marks = re.findall(rf"[.,{_SPACES}]", text)
    parts = re.split(rf"[.,{_SPACES}]", text)
    last = marks[-1]
    if len(marks) == 1 and last in ".,":
        head, tail = parts
        grouped = len(tail) == 3 and len(head.lstrip("+-")) <= 3 and not head.lstrip("+-").startswith("0")
        if grouped:
            return CleanCell(value=float(f"{head}.{tail}"), thousands=int(head + tail), mark=last)
        return _build_decimal_cell(head, last, tail)
    if len(set(marks)) == 1:
        return _parse_grouped_digits(parts, last)
    others = set(marks[:-1])
    if last in ".," and len(others) == 1 and last not in others and _parse_grouped_digits(parts[:-1], marks[0]):
        whole_digits = "".join(parts[:-1])
        return replace(_build_decimal_cell(whole_digits, last, parts[-1]), rules=("thousands", "decimal mark"))
    return None


def _build_decimal_cell(head: str, mark: str, tail: str) -> CleanCell:
    rules = ("decimal mark",) if mark == "," else ()
    return CleanCell(value=float(f"{head}.{tail}"), rules=rules, mark=f"{mark}d")


def _parse_grouped_digits(parts: list[str], mark: str) -> CleanCell | None:
    first, *later_parts = parts
    if not 1 <= len(first.lstrip("+-")) <= 3 or any(len(part) != 3 for part in later_parts):
        return None
    return CleanCell(value=int("".join(parts)), rules=("thousands",), mark=f"{mark}t" if mark in ".," else "")


def _select_plausible_reading(cell: CleanCell, field: Field) -> CleanCell:
    """Of two readings, take the one that the field allows; keep both where it allows both."""
    if cell.thousands is None:
        return check_number_range(cell, field)
    readings = [resolve_number(cell, field, decimal=decimal) for decimal in (True, False)]
    possible = [reading for reading in readings if not reading.problem]
    if len(possible) == 2:
        return replace(cell, value=readings[0].value)
    return possible[0] if possible else readings[0]
