"""CSV for people: nothing in it is run by a spreadsheet."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

from data_schema.exports import encode_csv


def cells_of(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(encode_csv(frame).decode("utf-8-sig"))))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/c calc'!A1"])
def test_a_text_that_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    for kind in ("str", object, "category"):
        (cell,) = cells_of(pd.DataFrame({"value": pd.Series([text], dtype=kind)}))[1]
        assert cell == "'" + text.replace("\r", "\n")
    assert cells_of(pd.DataFrame({text: [1]}))[0] == [cell]


def test_numbers_and_ordinary_texts_stay() -> None:
    frame = pd.DataFrame({"n": [-1.5, 2.0], "t": ["a=b", None], "i": pd.Series([None, -3], dtype="Int64")})
    assert cells_of(frame)[1:] == [["-1.5", "a=b", ""], ["2.0", "", "-3"]]
    assert frame["t"].tolist()[0] == "a=b"
