"""Numbers beyond the spec table of the README: the ends of what is a number."""

from __future__ import annotations

import pytest

from data_schema.fields import Field
from data_schema.numerals import clean_number, resolve_number

AMOUNT, COUNT = Field("x", "number"), Field("x", "whole_number")


@pytest.mark.parametrize("text", ["9" * 41, "9" * 5000, "1e999", "1" * 16, "inf", "nan", "0x10", "1_000", "١٢٣x"])
def test_what_no_answer_can_be_is_asked_about(text: str) -> None:
    cell = clean_number(text, AMOUNT, typed=False)
    assert cell.value is None
    assert cell.problem


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1e300, 10**400])
def test_a_number_of_a_workbook_that_is_none_is_asked_about(number: float) -> None:
    assert clean_number(number, COUNT, typed=True).problem


def test_both_readings_of_a_mark_can_be_taken() -> None:
    cell = clean_number("1,234", AMOUNT, typed=False)
    assert (cell.value, cell.thousands, cell.mark) == (1.234, 1234, ",")
    assert resolve_number(cell, AMOUNT, decimal=True).rules == ("decimal mark",)
    assert resolve_number(cell, AMOUNT, decimal=False).value == 1234.0


def test_the_reading_that_a_field_allows_is_taken() -> None:
    assert clean_number("1.234", COUNT, typed=False).value == 1234
    assert clean_number("1.234", Field("x", "number", maximum=5), typed=False).value == 1.234
    assert clean_number("1.234", Field("x", "number", minimum=100), typed=False).value == 1234
    assert clean_number("-1,234", Field("x", "number", maximum=-100), typed=False).value == -1234
    assert clean_number("7.500", Field("x", "number", maximum=5), typed=False).problem


def test_a_letter_in_a_number_gets_that_hint_and_a_word_does_not() -> None:
    assert "letter" in clean_number("1O", COUNT, typed=False).remedy
    assert "letter" not in clean_number("ten", COUNT, typed=False).remedy
    assert "whole number" in clean_number("ten", COUNT, typed=False).remedy
