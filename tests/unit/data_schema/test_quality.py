"""High-frequency checks find what is odd, and stay silent where nothing is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_schema.quality import CHECK_COLUMNS, run_high_frequency_checks
from data_schema.school_tables import standard_tables

TABLES = standard_tables()
SCHOOLS = [f"{k:02d}" for k in range(12)]


def signals(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = len(SCHOOLS) * n
    return pd.DataFrame(
        {
            "school_id": np.repeat(SCHOOLS, n),
            "pupil_id": [f"p{k}" for k in range(rows)],
            "month": "2027-10",
            "absences_justified": rng.integers(0, 60, rows),
            "absences_unjustified": rng.integers(0, 25, rows),
            "lateness": rng.integers(0, 25, rows),
            "behaviour_notices": rng.integers(0, 25, rows),
            "average_mark": rng.uniform(2, 5, rows).round(2),
            "wave": "w",
            "country": "HU",
        }
    )


def found(frame: pd.DataFrame, table: str = "signals", **more: object) -> pd.DataFrame:
    arguments = {"tables": TABLES, "waves": ["v", "w"], **more}
    return run_high_frequency_checks({table: frame}, **arguments)  # type: ignore[arg-type]


def test_ordinary_data_are_not_odd() -> None:
    made = found(signals())
    assert made.empty
    assert tuple(made) == CHECK_COLUMNS


def told(made: pd.DataFrame, check: str) -> list[tuple[str, str, int]]:
    mine = made[made["check"] == check]
    return list(zip(mine["school_id"], mine["field"], mine["n"].tolist(), strict=True))


def test_values_far_from_those_of_the_country_are_told_by_school() -> None:
    frame = signals()
    frame.loc[[3, 5], "lateness"] = 190
    assert told(found(frame), "outliers") == [("00", "lateness", 2)]
    assert found(frame).query("check == 'outliers'")["value"].tolist() == [190.0]


def test_a_school_that_estimates_is_told_by_its_digits() -> None:
    frame = signals()
    mine = frame["school_id"] == "04"
    frame.loc[mine, "absences_justified"] = (frame.loc[mine, "absences_justified"] // 5 + 1) * 5
    ((school, field, _),) = told(found(frame), "digits")
    assert (school, field) == ("04", "absences_justified")


def test_a_school_with_another_unit_is_told_by_its_mean() -> None:
    frame = signals()
    mine = frame["school_id"] == "07"
    frame.loc[mine, "absences_justified"] = frame.loc[mine, "absences_justified"] // 8
    assert told(found(frame), "school mean") == [("07", "absences_justified", 40)]


def test_records_that_were_copied_are_told_in_every_school_that_has_them() -> None:
    frame = signals()
    values = [name for name in frame if name not in ("school_id", "pupil_id")]
    frame.loc[[45, 90], values] = frame.loc[[0], values].to_numpy()
    assert told(found(frame), "repeated records") == [("00", "", 1), ("01", "", 1), ("02", "", 1)]


def test_a_mark_that_falls_overnight_is_told() -> None:
    first, later = signals(), signals().assign(month="2027-11")
    first.loc[7, "average_mark"], later.loc[7, "average_mark"] = 5.0, 1.5
    made = found(pd.concat([first, later], ignore_index=True))
    assert told(made, "jump") == [("00", "average_mark", 1)]


def test_one_answer_to_every_question_is_told_where_it_is_common() -> None:
    rng = np.random.default_rng(1)
    items = [item.name for item in TABLES["survey"].fields if item.filled_in_by == "pupil"]
    frame = signals()[["school_id", "pupil_id", "wave", "country"]]
    answers = pd.DataFrame(rng.integers(1, 5, (len(frame), len(items))), columns=items)
    frame = pd.concat([frame, answers], axis=1)
    frame.loc[frame["school_id"] == "03", items] = 3
    assert told(found(frame, "survey"), "same answers") == [("03", "", 40)]


def test_a_pupil_back_after_leaving_is_told() -> None:
    status = pd.DataFrame(
        {
            "school_id": ["00", "00", "01", "01"],
            "pupil_id": ["a", "a", "b", "b"],
            "status": ["left_early", "enrolled", "enrolled", "left_early"],
            "wave": ["v", "w", "v", "w"],
            "country": "HU",
        }
    )
    assert told(found(status, "status"), "back after leaving") == [("00", "status", 1)]


def test_missing_values_by_arm_are_looked_at_only_when_asked_for() -> None:
    frame = signals()
    frame["average_mark"] = frame["average_mark"].mask(frame["school_id"].isin(SCHOOLS[:6]) & (frame.index % 2 == 0))
    arms = {school: "pilot" if school in SCHOOLS[:6] else "control" for school in SCHOOLS}
    assert found(frame).empty
    made = found(frame, arms=arms)
    assert told(made, "missing by arm") == [("", "average_mark", 480)]
    assert made["value"].tolist() == [pytest.approx(0.5)]
    assert "pilot 50%" in made["problem"].iloc[0]
