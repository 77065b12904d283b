"""The codebook: what the tables hold, without giving anybody away."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schema.codebook import CODEBOOK_COLUMNS, codebook, table_schema
from data_schema.errors import DisclosureError
from data_schema.tables import standard_tables

TABLES = standard_tables()


def statuses(counts: dict[str | None, int], wave: str = "w") -> pd.DataFrame:
    values = [value for value, count in counts.items() for _ in range(count)]
    marks = [float(k % 5 + 1) for k in range(len(values))]
    frame = pd.DataFrame({"status": pd.Series(values, dtype="str"), "average_mark": marks})
    return frame.assign(wave=wave, destination_confirmed=pd.Series([True] * len(values), dtype="boolean"))


def told(frame: pd.DataFrame, field: str, *, threshold: int = 5) -> dict[str, int | None]:
    made = codebook({"status": TABLES["status"]}, {"status": frame}, threshold=threshold)
    mine = made[(made["field"] == field) & (made["answer"] != "")]
    return {str(row["answer"]): None if pd.isna(row["n"]) else int(row["n"]) for row in mine.to_dict("records")}


def test_answers_have_their_counts() -> None:
    found = told(statuses({"enrolled": 20, "left_early": 6, "completed": 0}), "status")
    assert found == {"enrolled": 20, "transferred": 0, "completed": 0, "left_early": 6, "unknown": 0}


def test_a_small_count_is_hidden_with_the_next_so_that_it_cannot_be_recovered() -> None:
    found = told(statuses({"enrolled": 20, "left_early": 3, "completed": 9}), "status")
    assert (found["left_early"], found["completed"], found["enrolled"]) == (None, None, 20)
    two = told(statuses({"enrolled": 20, "left_early": 3, "completed": 2}), "status")
    assert (two["left_early"], two["completed"], two["enrolled"]) == (None, None, 20)


@given(st.lists(st.integers(0, 30), min_size=5, max_size=5), st.integers(3, 12))
def test_no_small_count_is_told_or_follows_from_the_others(counts: list[int], threshold: int) -> None:
    codes = [code.name for code in TABLES["status"].field("status").codes]
    frame = statuses(dict(zip(codes, counts, strict=True)))
    found = told(frame, "status", threshold=threshold) if sum(counts) else {}
    shown = [count for count in found.values() if count is not None]
    assert all(count == 0 or count >= threshold for count in shown)
    hidden = [name for name, count in found.items() if count is None]
    largest = [count for count in counts if count >= threshold]
    assert len(hidden) != 1 or not largest


def test_missing_values_are_counted_and_hidden_together_with_the_rest() -> None:
    made = codebook({"status": TABLES["status"]}, {"status": statuses({"enrolled": 20, None: 2})}, threshold=5)
    row = made[(made["field"] == "status") & (made["answer"] == "")].iloc[0]
    assert row[["n", "n_missing"]].isna().all()
    many = codebook({"status": TABLES["status"]}, {"status": statuses({"enrolled": 20, None: 8})}, threshold=5)
    assert many[(many["field"] == "status") & (many["answer"] == "")][["n", "n_missing"]].to_numpy().tolist() == [
        [20, 8]
    ]


def test_numbers_have_moments_only_where_there_are_enough_of_them() -> None:
    made = codebook({"status": TABLES["status"]}, {"status": statuses({"enrolled": 10})}, threshold=5)
    row = made[made["field"] == "average_mark"].iloc[0]
    assert (row["mean"], row["p10"], row["p90"]) == (3.0, 1.0, 5.0)
    few = codebook({"status": TABLES["status"]}, {"status": statuses({"enrolled": 9})}, threshold=5)
    assert few[few["field"] == "average_mark"]["mean"].isna().all()


def test_every_field_but_names_is_described_also_without_data() -> None:
    made = codebook(TABLES, {}, threshold=5)
    assert tuple(made) == CODEBOOK_COLUMNS
    described = set(zip(made["table"], made["field"], strict=True))
    expected = {(name, field.name) for name, table in TABLES.items() for field in table.fields}
    assert expected - described == {("pupil", "name")}
    assert made.loc[made["answer"] == "left_early", "answer_label"].tolist() == ["Left early"]


def test_each_wave_is_described_by_itself() -> None:
    both = pd.concat([statuses({"enrolled": 10}, "a"), statuses({"enrolled": 30}, "b")])
    made = codebook({"status": TABLES["status"]}, {"status": both}, threshold=5)
    mine = made[(made["field"] == "status") & (made["answer"] == "enrolled")]
    assert mine[["wave", "n"]].to_numpy().tolist() == [["a", 10], ["b", 30]]


def test_a_threshold_that_hides_nothing_is_refused() -> None:
    with pytest.raises(DisclosureError, match="hides nothing"):
        codebook(TABLES, {}, threshold=2)


def test_a_table_schema_has_types_limits_answers_and_the_key() -> None:
    schema = table_schema(TABLES["status"])
    fields = {field["name"]: field for field in schema["fields"]}  # type: ignore[attr-defined]
    assert fields["status"]["constraints"]["enum"][0] == "enrolled"
    assert fields["status"]["constraints"]["required"] is True
    assert fields["average_mark"]["constraints"] == {"minimum": 1, "maximum": 5}
    assert fields["status_date"]["type"] == "date"
    assert fields["destination_confirmed"]["type"] == "boolean"
    assert schema["primaryKey"] == ["school_id", "pupil_id", "wave"]
    assert "name" not in {field["name"] for field in table_schema(TABLES["pupil"])["fields"]}  # type: ignore[attr-defined]
    assert table_schema(TABLES["costs"])["primaryKey"] == ["school_id", "item"]
    signals = {field["name"]: field for field in table_schema(TABLES["signals"])["fields"]}  # type: ignore[attr-defined]
    assert signals["lateness"]["constraints"] == {"minimum": 0, "maximum": 200}
    assert "hours a month" in signals["absences_justified"]["description"]
