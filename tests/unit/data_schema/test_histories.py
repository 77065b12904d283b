"""Records of one pupil that cannot all be right: back after leaving, a mark that fell, more absence than school."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schema.columns import build_typed_series
from data_schema.fields import Field
from data_schema.findings import Finding
from data_schema.record_rules import check_pupil_histories
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

TABLES = standard_tables()
WAVES = ["baseline", "middle", "followup"]


def frame_of(table: Table, *rows: Mapping[str, object]) -> pd.DataFrame:
    names = [name for name in table.names if any(name in row for row in rows)]
    columns = {name: build_typed_series([row.get(name) for row in rows], table.field(name)) for name in names}
    frame = pd.DataFrame(columns)
    waves = [str(row.get("wave", "baseline")) for row in rows]
    files = [f"{wave}.csv" for wave in waves]
    return frame.assign(wave=waves, source_file=files, source_sheet="", source_row=range(2, len(rows) + 2))


def asked(name: str, *rows: Mapping[str, object], tables: Mapping[str, Table] | None = None) -> list[Finding]:
    known = dict(tables or TABLES)
    every = [{"school_id": "1", "pupil_id": "a", **row} for row in rows]
    return list(check_pupil_histories({name: frame_of(known[name], *every)}, known, waves=WAVES))


@pytest.mark.parametrize("left", ["left_early", "completed"])
def test_a_pupil_back_after_leaving_is_asked_about_with_the_place_of_the_leaving(left: str) -> None:
    (found,) = asked("status", {"status": "enrolled", "wave": "followup"}, {"status": left, "wave": "baseline"})
    assert (found.file, found.row, found.column, found.severity) == ("followup.csv", 2, "status", "question")
    assert f"was {left.replace('_', ' ')} in baseline.csv, row 3" in found.problem


@pytest.mark.parametrize(
    "rows",
    [
        [("enrolled", "baseline"), ("left_early", "followup")],
        [("left_early", "baseline"), ("unknown", "followup")],
        [("left_early", "baseline"), ("completed", "followup")],
        [("transferred", "baseline"), ("enrolled", "followup")],
        [("left_early", "baseline")],
    ],
)
def test_a_pupil_who_is_not_back_is_not_asked_about(rows: list[tuple[str, str]]) -> None:
    assert asked("status", *({"status": status, "wave": wave} for status, wave in rows)) == []


def test_another_pupil_of_the_same_school_is_another_history() -> None:
    rows = ({"status": "left_early"}, {"status": "enrolled", "wave": "followup", "pupil_id": "b"})
    assert asked("status", *rows) == []


@pytest.mark.parametrize(("marks", "n"), [((5, 1), 1), ((5, 2), 0), ((1, 5), 0), ((5, None, 1), 1), ((5, 3, 1), 0)])
def test_a_mark_that_falls_from_the_best_to_the_worst_is_asked_about(marks: tuple[float | None, ...], n: int) -> None:
    rows = [
        {"status": "enrolled", "average_mark": mark, "wave": wave} for mark, wave in zip(marks, WAVES, strict=False)
    ]
    found = asked("status", *rows)
    assert len(found) == n
    assert all("It is 1 and was 5" in one.problem and one.column == "average_mark" for one in found)


def test_months_are_in_their_order_whatever_the_order_of_the_rows() -> None:
    rows = ({"month": "2027-11", "average_mark": 1.0}, {"month": "2027-10", "average_mark": 5.0})
    (found,) = asked("signals", *rows)
    assert found.row == 2


# October 2027 has 21 days from Monday to Friday: 168 hours.
@pytest.mark.parametrize(
    ("justified", "unjustified", "n"), [(100, 68, 0), (100, 69, 1), (169, None, 1), (None, None, 0)]
)
def test_more_hours_of_absence_than_of_school_are_asked_about(
    justified: int | None, unjustified: int | None, n: int
) -> None:
    row = {"month": "2027-10", "absences_justified": justified, "absences_unjustified": unjustified}
    found = asked("signals", row)
    assert len(found) == n
    assert all("are 169 hours; 21 days of school have 168" in one.problem for one in found)


@pytest.mark.parametrize(("days", "n"), [(10, 1), (11, 0), (None, 0)])
def test_a_trial_that_asks_for_days_of_school_is_taken_at_its_word(days: int | None, n: int) -> None:
    signals = extended(TABLES["signals"], [Field("school_days", "whole_number", minimum=0, maximum=31)])
    row = {"month": "2027-10", "absences_justified": 81, "school_days": days}
    found = asked("signals", row, tables={**TABLES, "signals": signals})
    assert len(found) == n


def test_a_trial_without_absences_and_marks_is_not_asked_about_them() -> None:
    signals = extended(TABLES["signals"], [], without=["absences_justified", "absences_unjustified", "average_mark"])
    assert asked("signals", {"month": "2027-10", "lateness": 1}, tables={**TABLES, "signals": signals}) == []
    assert asked("survey", {"engagement_1": 1}, {"engagement_1": 5, "wave": "followup"}) == []


STORY = (("enrolled", "baseline", 5.0), ("left_early", "middle", None), ("enrolled", "followup", 1.0))


@given(st.permutations(range(6)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    rows: list[dict[str, object]] = [
        {"status": status, "wave": wave, "pupil_id": pupil, "average_mark": mark}
        for pupil in "ab"
        for status, wave, mark in STORY
    ]
    found = asked("status", *(rows[k] for k in order))
    assert sorted(one.column for one in found) == ["average_mark", "average_mark", "status", "status"]
    assert {one.file for one in found} == {"followup.csv"}
