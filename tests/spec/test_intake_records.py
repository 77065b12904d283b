"""Records as they were sent -> what of them cannot be together, as a small drawn table."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import RecordRule, Table, extended

TABLES = standard_tables()
WINDOWS = {"baseline": (date(2027, 9, 1), date(2027, 12, 31)), "followup": (date(2028, 9, 1), date(2028, 12, 31))}
STATUS = "school_id;pupil_id;status;status_date;destination_confirmed;average_mark"
SIGNALS = "school_id;pupil_id;month;absences_unjustified"


def taken_in(name: str, text: str, *, table: Table | None = None) -> Intake:
    return read_inbox(
        {f"{name}.csv": text.encode()},
        rules=[InboxRule("*.csv", name, wave="followup")],
        tables={**TABLES, name: table or TABLES[name]},
        schools={"1": "HU"},
        waves=list(WINDOWS),
        wave_dates=WINDOWS,
    )


CASES = {
    "a record that fits": ("status", STATUS, "1;1;left_early;2028-03-01;;", []),
    "a pupil who left has a mark": ("status", STATUS, "1;1;left_early;2028-03-01;;4", ["average_mark"]),
    "a leaver has a new school": (
        "status",
        STATUS,
        "1;1;left_early;2028-03-01;yes;",
        ["destination_confirmed"],
    ),
    "an enrolled pupil has a day of leaving": ("status", STATUS, "1;1;enrolled;2028-03-01;;4", ["status_date"]),
    "an unknown status has a mark": ("status", STATUS, "1;1;unknown;;;4", ["average_mark"]),
    "without a status nothing is known": ("status", STATUS, "1;1;;2028-03-01;;4", ["status"]),
    "a day before the trial": ("status", STATUS, "1;1;left_early;2019-01-10;;", ["status_date"]),
    "a day after the wave": ("status", STATUS, "1;1;left_early;2099-01-01;;", ["status_date"]),
    "a month of the wave": ("signals", SIGNALS, "1;1;2028-09;1", []),
    "a month of the wave before": ("signals", SIGNALS, "1;1;2027-10;1", ["month"]),
    "a month to come": ("signals", SIGNALS, "1;1;2029-01;1", ["month"]),
}


@pytest.mark.parametrize(("table", "header", "row", "columns"), CASES.values(), ids=CASES)
def test_records_that_cannot_be_are_asked_about_and_kept(table: str, header: str, row: str, columns: list[str]) -> None:
    intake = taken_in(table, f"{header}\n{row}\n")
    asked = [one for one in intake.findings.by_severity("question") if "no list of pupils" not in one.problem]
    assert [one.column for one in asked] == columns
    assert len(intake.frames[table]) == 1


def test_a_rule_of_a_trial_asks_in_its_own_words_at_its_field() -> None:
    rule = RecordRule(
        holds="absences_unjustified <= absences_justified", message="More unjustified absences than justified ones.",
        field="absences_justified",
    )  # fmt: skip
    table = replace(TABLES["signals"], rules=(*TABLES["signals"].rules, rule))
    intake = taken_in("signals", f"{SIGNALS};absences_justified\n1;1;2028-09;5;3\n1;2;2028-09;5;\n", table=table)
    (found,) = [one for one in intake.findings if one.problem.startswith("More unjustified")]
    assert (found.row, found.column, found.value, found.severity) == (2, "absences_justified", "3", "question")


def test_the_rules_of_a_standard_table_go_with_the_fields_that_they_speak_of() -> None:
    assert len(TABLES["status"].rules) == 1
    assert extended(TABLES["status"], [], without=["status_date"]).rules == ()
    assert TABLES["status"].in_wave("baseline").rules == TABLES["status"].rules
