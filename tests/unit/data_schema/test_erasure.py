"""Pupils whose consent was withdrawn: gone, and counted."""

from __future__ import annotations

import pandas as pd

from data_schema.erasure import ERASED_COLUMNS, compute_tombstone, remove_erased_pupils, remove_places_from_intake
from data_schema.intake import read_inbox
from data_schema.pseudonyms import pseudonymised
from data_schema.school_tables import standard_tables
from tests.support.bad_files import RULES, rows

KEY = b"a key of sixteen bytes or more"
TABLES = standard_tables()
FILES = {
    "list.csv": b"school_id;pupil_id;name\n031201;0001;Kiss Anna\n031201;0002;Nagy Bence\n",
    "HU/status_1.csv": rows("031201;0001;ENROLLED;;;55", "031201;0002;Enrolled;;;4"),
}


def test_rows_findings_repairs_and_the_key_table_lose_the_pupil_and_counts_keep_adding_up() -> None:
    intake = read_inbox(FILES, rules=RULES, tables=TABLES, schools={"031201": "HU"}, waves=["w"])
    frames, key_table = pseudonymised(intake.frames, key=KEY, tables=TABLES)
    mark = str(key_table["pseudonym"].iloc[0])
    erased = remove_erased_pupils(frames, key_table, tombstones={compute_tombstone(mark, key=KEY)}, key=KEY)
    assert len(frames["status"]) == 2
    assert erased.frames["status"]["pupil_id"].tolist() == [key_table["pseudonym"].iloc[1]]
    assert erased.key_table["name"].tolist() == ["Nagy Bence"]
    assert tuple(erased.counts) == ERASED_COLUMNS
    assert erased.counts.to_numpy().tolist() == [["031201", "pupil", "w", 1], ["031201", "status", "w", 1]]
    told = remove_places_from_intake(intake, erased)
    assert set(told.repairs["row"]) == {3}
    assert not told.findings.by_severity("question")
    assert told.queries == {}
    counts = told.reconciliation.set_index("table")[["sent", "kept", "refused"]].to_numpy().tolist()
    assert counts == [[2, 1, 1], [2, 1, 1]]
    assert [one.file for one in told.findings.by_severity("note") if "erased" in one.problem] == [
        "HU/status_1.csv", "list.csv",
    ]  # fmt: skip


def test_without_tombstones_nothing_changes() -> None:
    intake = read_inbox(FILES, rules=RULES, tables=TABLES, schools={"031201": "HU"}, waves=["w"])
    frames, key_table = pseudonymised(intake.frames, key=KEY, tables=TABLES)
    erased = remove_erased_pupils(frames, key_table, tombstones=(), key=KEY)
    assert remove_places_from_intake(intake, erased) is intake
    pd.testing.assert_frame_equal(erased.frames["status"], frames["status"])


def test_a_tombstone_is_another_one_under_another_key() -> None:
    assert (
        compute_tombstone("p1", key=KEY)
        != compute_tombstone("p1", key=KEY + b"x")
        != compute_tombstone("p2", key=KEY + b"x")
    )
