"""Files as public bug reports describe them are read as their senders meant them, or asked about."""

from __future__ import annotations

import pytest

from tests.support.bad_files import BadFile, taken_in
from tests.support.bug_reports import FILES as TABLE_FILES
from tests.support.bug_reports_of_programs import PROGRAM_FILES

FILES = {**TABLE_FILES, **PROGRAM_FILES}

COUNTS = {
    "a separator at the end of each record": (2, 0, 0),
    "a separator at the end of the first record alone": (2, 0, 0),
    "lines that end as on an old Mac": (2, 0, 0),
    "line feeds in cells, other ends of lines": (2, 0, 0),
    "records that begin with an empty column": (2, 0, 0),
    "one column more in a record": (0, 1, 0),
    "a second row of tags": (1, 1, 0),
    "a row that represents two": (1, 0, 1),
    "semicolons between cells, points in numbers": (2, 0, 0),
    "a school in merged cells": (2, 0, 0),
    "a web page in a mail": (0, 0, 0),
    "a workbook of 1992": (0, 0, 0),
}
"""Rows that are kept, asked about and refused, where that is not one that is kept."""

WITHOUT_MARK = {
    "how a word is pronounced",
    "a word in two scripts",
    "an escaped end of line",
    "what looks escaped and is not",
    "a text that is a direct child of its cell",
}
DAYS = {name: "2031-10-06" for name in FILES if "1904" in name}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_bug_report_is_read_as_it_was_meant(name: str) -> None:
    _, content, kind = FILES[name]
    path = f"HU/status_x.{kind}"
    intake = taken_in(BadFile(name=name, content=content, path=path))
    (counts,) = intake.reconciliation.loc[
        intake.reconciliation["file"] == path, ["kept", "asked", "refused"]
    ].values.tolist()
    assert tuple(counts) == COUNTS.get(name, (1, 0, 0))
    if not counts[0]:
        assert [one for one in intake.findings if one.file == path and one.severity != "note"]
        return
    first = intake.frames["status"].iloc[0]
    pupil = "A_x0041_" if name == "what looks escaped and is not" else "0001"
    assert (first["school_id"], first["pupil_id"], first["status"]) == ("031201", pupil, "enrolled")
    assert first["average_mark"] != first["average_mark"] if name in WITHOUT_MARK else first["average_mark"] == 4.5
    if kind != "csv" and name not in WITHOUT_MARK and first["status_date"] == first["status_date"]:
        assert str(first["status_date"].date()) == DAYS.get(name, "2027-10-05")


def test_each_file_names_its_report() -> None:
    assert all(report.count("/") == 1 and report.partition("#")[2].isdigit() for report, _, _ in FILES.values())
    assert len(FILES) >= 60
