"""Rows as they were sent -> what becomes of each and what is found, as small drawn tables."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables

SCHOOLS = {"031201": "HU", "RS-101": "RS"}
FILE = "followup/all/status.csv"
"""In no country's folder: there are rows of two countries in it."""
HEADER = "school_id;pupil_id;status;status_date;destination_confirmed;average_mark"


def intake_of(text: str, *, table: str = "status") -> Intake:
    return read_inbox(
        {FILE: text.encode()},
        rules=[InboxRule("followup/*/*.csv", table, wave="followup")],
        tables=standard_tables(),
        schools=SCHOOLS,
        waves=["baseline", "followup"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Rows with what becomes of each: k kept, a asked, r refused; and the findings as row, column, severity."""

    rows: tuple[tuple[str, str], ...]
    findings: tuple[tuple[int, str, str], ...] = ()


CASES = {
    "good rows are kept": Case(rows=(("k", "031201;1;enrolled;;;4,5"), ("k", "RS-101;1;completed;;;3"))),
    "an empty row is no row": Case(rows=(("", ";;;;;"), ("k", "031201;1;enrolled;;;4,5"))),
    "a short row has empty cells at its end": Case(rows=(("k", "031201;1;enrolled"),)),
    "a value out of range is asked about and its row kept": Case(
        rows=(("k", "031201;1;enrolled;;;55"),), findings=((2, "average_mark", "question"),)
    ),
    "each cell with a question has its own": Case(
        rows=(("k", "031201;1;?;31.2.2027;?;55"),),
        findings=(
            (2, "average_mark", "question"),
            (2, "destination_confirmed", "question"),
            (2, "status", "question"),
            (2, "status_date", "question"),
        ),
    ),
    "a required answer that is missing is asked for, also beside another question": Case(
        rows=(("k", "031201;1;;;;55"),), findings=((2, "average_mark", "question"), (2, "status", "question"))
    ),
    "a school that was never randomised": Case(
        rows=(("a", "999999;1;enrolled;;;4"),), findings=((2, "school_id", "question"),)
    ),
    "a school without its leading zero": Case(
        rows=(("a", "31201;1;enrolled;;;4"),), findings=((2, "school_id", "question"),)
    ),
    "a school in other case is the school": Case(rows=(("k", "rs-101;1;enrolled;;;4"),)),
    "no pupil": Case(rows=(("a", "031201;;enrolled;;;4"),), findings=((2, "pupil_id", "question"),)),
    "no school": Case(rows=(("a", ";1;enrolled;;;4"),), findings=((2, "school_id", "question"),)),
    "a pupil's identifier that a spreadsheet spoilt": Case(
        rows=(("a", "031201;7,00E+10;enrolled;;;4"),), findings=((2, "pupil_id", "question"),)
    ),
    "one pupil twice with other values": Case(
        rows=(("a", "031201;1;enrolled;;;4"), ("a", "031201;1;completed;;;4"), ("k", "031201;2;enrolled;;;4")),
        findings=((2, "pupil_id", "question"), (3, "pupil_id", "question")),
    ),
    "one pupil twice with the same values": Case(
        rows=(("k", "031201;1;enrolled;;;4"), ("r", "031201;1;Enrolled;;; 4,0")),
        findings=((3, "pupil_id", "note"),),
    ),
    "twice the same and once otherwise": Case(
        rows=(("a", "031201;1;enrolled;;;4"), ("a", "031201;1;enrolled;;;4"), ("a", "031201;1;unknown;;;4")),
        findings=((2, "pupil_id", "question"), (3, "pupil_id", "question"), (4, "pupil_id", "question")),
    ),
    "one identifier in two schools is two pupils": Case(
        rows=(("k", "031201;1;enrolled;;;4"), ("k", "RS-101;1;completed;;;4"))
    ),
    "identifiers that differ by a leading zero are two pupils": Case(
        rows=(("k", "031201;01;enrolled;;;4"), ("k", "031201;1;completed;;;4"))
    ),
    "more cells than columns": Case(
        rows=(("a", "031201;1;enrolled;;;4;5"), ("k", "031201;2;enrolled;;;4;;")), findings=((2, "", "question"),)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rows_become_what_is_drawn(case: Case) -> None:
    # Pupils are in no list here; that cross check has tests of its own.
    intake = intake_of("\n".join([HEADER, *(row for _, row in case.rows)]))
    found = [finding for finding in intake.findings if "no list of pupils" not in finding.problem]
    (tally,) = intake.reconciliation.to_dict("records")
    outcomes = "".join(outcome for outcome, _ in case.rows)
    assert [tally[name] for name in ("sent", "kept", "asked", "refused")] == [
        len(outcomes),
        outcomes.count("k"),
        outcomes.count("a"),
        outcomes.count("r"),
    ]
    assert sorted(intake.frames["status"]["source_row"]) == [
        k + 2 for k, (out, _) in enumerate(case.rows) if out == "k"
    ]
    assert [(finding.row, finding.column, finding.severity) for finding in found] == list(case.findings)
    assert {finding.file for finding in found} <= {FILE}


HEADERS = {
    "in Hungarian": ("iskola azonosítója;tanuló azonosítója;jogviszony", "031201;1;végzett", 1, ()),
    "in Serbian Cyrillic, in capitals": ("ШИФРА ШКОЛЕ;Шифра ученика;Статус", "RS-101;1;завршила", 1, ()),
    "in Serbian Latin without accents": ("sifra skole;sifra ucenika;status", "RS-101;1;zavrsio", 1, ()),
    "below two titles": ("Iskola;\n;\nschool_id;pupil_id;status", "031201;1;completed", 1, ()),
    "in another order": ("status;Pupil ID;School-ID", "completed;1;031201", 1, ()),
    "without the pupil": ("school_id;status", "031201;completed", 0, ("refused",)),
    "without the status": ("school_id;pupil_id;average_mark", "031201;1;4", 1, ("question",)),
    "with a column twice": ("school_id;pupil_id;status;Status", "031201;1;completed;enrolled", 0, ("refused",)),
    "with no name that is known": ("a;b;c", "031201;1;completed", 0, ("refused",)),
}


@pytest.mark.parametrize(("header", "row", "kept", "severities"), HEADERS.values(), ids=HEADERS)
def test_a_header_is_found_however_it_is_written(header: str, row: str, kept: int, severities: tuple[str, ...]) -> None:
    intake = intake_of(f"{header}\n{row}\n")
    (tally,) = intake.reconciliation.to_dict("records")
    assert tally["kept"] == kept
    found = [finding for finding in intake.findings if "no list of pupils" not in finding.problem]
    assert tuple(finding.severity for finding in found if finding.severity != "note") == severities
    if kept and not severities:
        assert intake.frames["status"]["status"].tolist() == ["completed"]
