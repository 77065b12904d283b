"""Headers that state a unit or a scale -> the values are taken, converted or asked about, as a small drawn table."""

from __future__ import annotations

import pytest

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables


def taken_in(table: str, header: str, value: str, units: dict[str, float] | None = None) -> Intake:
    key = "school_id;pupil_id;month" if table == "signals" else "school_id;pupil_id"
    row = "1;1;2027-10" if table == "signals" else "1;1"
    content = f"{key};{header}\n{row};{value}\n".encode()
    rule = InboxRule("*.csv", table, wave="w", units=units or {})
    return read_inbox({"a.csv": content}, rules=[rule], tables=standard_tables(), schools={"1": "HU"}, waves=["w"])


CASES: dict[str, tuple[str, str, str, float | None]] = {
    "its own unit": ("signals", "absences_unjustified (hours)", "2", 2),
    "its own unit in Hungarian": ("signals", "absences_unjustified [óra]", "2", 2),
    "its own unit and the time it is for": ("signals", "absences_unjustified (hours / month)", "2", 2),
    "the time it is for alone": ("signals", "absences_unjustified (month)", "2", 2),
    "a translation": ("signals", "absences_unjustified (igazolatlan hiányzás)", "2", 2),
    "days": ("signals", "absences_unjustified [days]", "2", None),
    "days in Hungarian": ("signals", "absences_unjustified [nap]", "2", None),
    "days in Serbian": ("signals", "неоправдани изостанци (дани)", "2", None),
    "days behind a comma": ("signals", "igazolatlan hiányzás / nap", "2", None),
    "minutes": ("signals", "lateness (perc)", "2", None),
    "percent": ("signals", "failing_subjects (%)", "2", None),
    "marks the other way round": ("signals", "average_mark (1 = best, 6 = worst)", "2", None),
    "marks the other way round, on the same scale": (
        "signals",
        "average_mark (1 = legjobb, 5 = legrosszabb)",
        "2",
        None,
    ),
    "marks of another scale": ("signals", "average_mark (1-6)", "2", None),
    "marks of another scale in words": ("signals", "average_mark (1 to 10)", "2", None),
    "marks of the scale": ("signals", "average_mark (1-5)", "2", 2),
    "marks of the scale in words": ("signals", "average_mark (1 = elégtelen, 5 = jeles)", "2", 2),
    "a question turned round": ("survey", "engagement_1 (1 = always, 5 = never)", "2", None),
    "a question as it is": ("survey", "engagement_1 (1 = never, 5 = always)", "2", 2),
    "grades of the school": ("pupil", "grade (9-12)", "9", 9),
}


@pytest.mark.parametrize(("table", "header", "sent", "value"), CASES.values(), ids=CASES)
def test_a_header_that_states_another_unit_or_scale_is_asked_about(
    table: str, header: str, sent: str, value: float | None
) -> None:
    intake = taken_in(table, header, sent)
    asked = [one for one in intake.findings.by_severity("question") if "The header says" in one.problem]
    assert len(asked) == (value is None)
    frame = intake.frames[table].drop(columns="source_row").select_dtypes("number")
    assert [float(one) for name in frame for one in frame[name].dropna()] == ([] if value is None else [value])


def test_the_protocol_says_what_one_of_another_unit_is() -> None:
    intake = taken_in("signals", "absences_unjustified [nap]", "2", {"days": 6})
    assert intake.frames["signals"]["absences_unjustified"].tolist() == [12]
    assert intake.repairs[["column", "was", "became", "rule"]].to_numpy().tolist() == [
        ["absences_unjustified", "2", "12", "unit nap"]
    ]
    assert not any("The header says" in one.problem for one in intake.findings)
    half = taken_in("signals", "absences_unjustified [days]", "2,5", {"nap": 6})
    assert half.frames["signals"]["absences_unjustified"].tolist() == [15]
    other = taken_in("signals", "absences_unjustified [weeks]", "2", {"days": 6})
    assert any("The header says 'weeks'" in one.problem for one in other.findings)


def test_a_number_out_of_range_after_conversion_is_asked_about() -> None:
    intake = taken_in("signals", "absences_unjustified [days]", "200", {"days": 6})
    assert any("above the greatest possible value" in one.problem for one in intake.findings)
