"""Counts that add up."""

from __future__ import annotations

import pytest

from data_schema.errors import DataError
from data_schema.returns import RECONCILIATION_COLUMNS, Tally, build_reconciliation


@pytest.mark.parametrize(("sent", "kept", "asked", "refused"), [(3, 1, 1, 0), (1, 1, 1, 0), (1, 2, 0, -1)])
def test_rows_that_do_not_add_up_are_an_error(sent: int, kept: int, asked: int, refused: int) -> None:
    with pytest.raises(DataError, match=f"{sent} rows were sent") as caught:
        Tally(file="a.csv", sheet="", table="pupil", wave="", sent=sent, kept=kept, asked=asked, refused=refused)
    assert caught.value.place == "a.csv"


def test_tallies_are_rows_in_the_order_of_files() -> None:
    tallies = [
        Tally(file=file, sheet=sheet, table="t", wave="w", country="HU", sent=n, kept=n)
        for file, sheet, n in (("b", "", 1), ("a", "2", 2), ("a", "1", 3))
    ]
    frame = build_reconciliation(tallies)
    assert tuple(frame) == RECONCILIATION_COLUMNS
    assert frame["sent"].tolist() == [3, 2, 1]
    assert frame["country"].tolist() == ["HU"] * 3


def test_no_files_are_a_frame_with_the_same_types() -> None:
    one = build_reconciliation([Tally(file="a", sheet="", table="t", wave="")])
    assert build_reconciliation([]).dtypes.equals(one.dtypes)
