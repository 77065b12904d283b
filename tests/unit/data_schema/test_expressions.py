"""The language of rules: what it works out, what it does not know, and what it refuses."""

from __future__ import annotations

import pandas as pd
import pytest

from data_schema.errors import ProtocolError
from data_schema.expressions import checked, get_kinds_of_names
from data_schema.fields import Code, Field

FIELDS = (
    Field("a", "number"),
    Field("b", "whole_number"),
    Field("when", "date"),
    Field("month", "month"),
    Field("moved", "yes_no"),
    Field("state", "code", codes=(Code("in"), Code("out"))),
    Field("name", "text", privacy="direct"),
)


def broken(text: str, **cells: object) -> bool:
    """Return whether one record breaks a rule."""
    record = {
        "a": pd.Series([cells.get("a")], dtype="Float64"),
        "b": pd.Series([cells.get("b")], dtype="Int64"),
        "when": pd.to_datetime(pd.Series([cells.get("when")])),
        "month": pd.Series([cells.get("month")], dtype="str"),
        "moved": pd.Series([cells.get("moved")], dtype="boolean"),
        "state": pd.Series([cells.get("state")], dtype="str"),
        "wave": ["w"],
        "wave_opens": pd.to_datetime(["2027-10-15"]),
        "wave_closes": pd.to_datetime(["2027-12-31"]),
    }
    (found,) = checked(text, FIELDS, place="p").is_broken(pd.DataFrame(record), get_kinds_of_names(FIELDS)).tolist()
    return bool(found)


@pytest.mark.parametrize(
    ("text", "cells", "is_broken"),
    [
        ("a <= b", {"a": 2, "b": 3}, False),
        ("a <= b", {"a": 4, "b": 3}, True),
        ("a <= b", {"a": 4}, False),
        ("a + b * 2 - 1 <= 10", {"a": 4, "b": 4}, True),
        ("-a < 0 and b > 1", {"a": 4, "b": 0}, True),
        ("a > 1 and b > 1", {"a": 0}, True),
        ("a > 1 and b > 1", {"a": 2}, False),
        ("a > 1 or b > 1", {"a": 2}, False),
        ("a > 1 or b > 1", {"a": 0}, False),
        ("not (a > 1)", {"a": 2}, True),
        ("state == 'in' or given(when)", {"state": "out"}, True),
        ("state == 'in' or given(when)", {"state": "out", "when": "2027-11-01"}, False),
        ("missing(a) or moved == True", {"moved": False, "a": 1}, True),
        ("not moved or state in ('out',)", {"moved": True, "state": "in"}, True),
        ("state not in ('out', 'in')", {"state": "in"}, True),
        ("state in ('out', 'in')", {}, False),
        ("wave_opens <= when <= wave_closes", {"when": "2027-10-14"}, True),
        ("wave_opens <= when <= wave_closes", {"when": "2027-10-15"}, False),
        ("wave_opens <= month <= wave_closes", {"month": "2027-10"}, False),
        ("wave_opens <= month <= wave_closes", {"month": "2028-01"}, True),
        ("when > '2027-11-30'", {"when": "2027-11-30"}, True),
        ("wave == 'w' and a > 3", {"a": 3}, True),
    ],
)
def test_a_rule_is_broken_where_it_is_known_not_to_hold(text: str, cells: dict[str, object], is_broken: bool) -> None:
    assert broken(text, **cells) is is_broken


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "a.real > 1", "a[0] > 1", "[one for one in (1,)] == a", "open('x') == a",
        "lambda: 1", "a if b else 1", "f'{a}' == state", "a ** 99 > 1", "(a := 1) > 1", "name == 'Ana'", "shoes > 1",
        "a", "a + 1", "state > 'in'", "state == 'inn'", "a == 'in'", "given(1)", "given(a, b)", "a and b", "a <", "",
        "when > 'yesterday'", "state in state", "not a", "-state == 'in'", "None == a", "a is b", "1e999 > a and " * 40,
        "(" * 90 + "a" + ")" * 90, "not " * 60 + "moved",
    ],
)  # fmt: skip
def test_what_is_not_of_the_language_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        checked(text, FIELDS, place="[[rules]]")
    assert caught.value.remedy
