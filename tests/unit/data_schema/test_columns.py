"""Cells of many sheets as one column."""

from __future__ import annotations

import pytest

from data_schema.columns import build_typed_series, clean_column
from data_schema.fields import Code, Field
from data_schema.layout import Layout
from data_schema.readers import Cell, Sheet

AMOUNT = Field("amount", "number", minimum=0)


def layout(*cells: Cell, separator: str = ";") -> Layout:
    sheet = Sheet(file="f", sheet="", rows=(("amount",), *((cell,) for cell in cells)), separator=separator)
    return Layout(sheet=sheet, header=0, columns={"amount": 0}, rows=tuple(range(1, len(cells) + 1)))


@pytest.mark.parametrize(
    ("cells", "separator", "value"),
    [
        (("1.234", "1.5"), ";", 1.234),
        (("1.234", "1.234.567"), ";", 1234),
        (("1.234", "0,5"), ";", 1234),
        (("1,234", "0,5"), ";", 1.234),
        (("1,234", "0.5"), ";", 1234),
        (("1.234",), ",", 1.234),
        (("1.234", "1.234.567"), ",", 1234),
        (("1.234", "7"), ";", None),
        (("1.234", "0.5", "1.234.567"), ";", None),
        (("1.234", "1.234,5"), ";", 1234),
    ],
)
def test_a_mark_is_settled_by_the_other_numbers_of_its_column(
    cells: tuple[str, ...], separator: str, value: float | None
) -> None:
    column = clean_column(AMOUNT, [layout(*cells, separator=separator)])
    assert column.found[0] == value
    assert (0 in column.questions()) == (value is None)


def test_a_mark_is_not_settled_by_another_file() -> None:
    column = clean_column(AMOUNT, [layout("1.234"), layout("0.5")])
    assert list(column.questions()) == [0]


def test_a_truth_value_is_not_taken_for_the_number_before_it() -> None:
    column = clean_column(AMOUNT, [layout(1, True, 1.0, separator="")])
    assert column.found == [1.0, None, 1.0]


def test_text_that_is_a_number_is_a_repair_in_a_workbook_only() -> None:
    field = AMOUNT
    assert list(clean_column(field, [layout("12", separator="")]).repaired()) == [0]
    assert list(clean_column(field, [layout("12")]).repaired()) == []


def test_a_field_without_column_is_missing() -> None:
    assert clean_column(Field("other", "text"), [layout(1, 2)]).found == [None, None]


@pytest.mark.parametrize(
    ("field", "dtype"),
    [
        (Field("a", "identifier"), "str"),
        (Field("a", "text"), "str"),
        (Field("a", "code", codes=(Code("x"),)), "str"),
        (Field("a", "month"), "str"),
        (Field("a", "yes_no"), "boolean"),
        (Field("a", "date"), "datetime64[us]"),
        (Field("a", "year"), "Int64"),
        (Field("a", "whole_number"), "Int64"),
        (Field("a", "number"), "float64"),
    ],
)
def test_a_column_has_the_type_of_its_field_also_without_values(field: Field, dtype: str) -> None:
    assert str(build_typed_series([], field).dtype) == dtype
    assert str(build_typed_series([None, None], field).dtype) == dtype
    assert build_typed_series([None, None], field).isna().all()
