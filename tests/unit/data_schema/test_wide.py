"""Sheets with a column per month, or per answer, read as one record for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from data_schema.decisions import Decisions
from data_schema.fields import Code, Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.queries import query_workbook
from data_schema.rules import Wide
from data_schema.school_tables import standard_tables
from data_schema.tables import Table
from tests.support.answers import answer_all
from tests.unit.data_schema.test_sources import NAMES, SCHOOLS, Rows, workbook

ABSENCES = Wide(across="month", field="absences_unjustified")
HEADER = ("school_id", "pupil_id")
NO_DECISIONS = Decisions()
AUTUMN = {"followup": (date(2026, 9, 1), date(2027, 1, 31))}


def taken_in(
    files: Mapping[str, bytes],
    wide: Wide = ABSENCES,
    *,
    tables: Mapping[str, Table] | None = None,
    waves: Mapping[str, tuple[date, date]] = AUTUMN,
    table: str = "signals",
    decisions: Decisions = NO_DECISIONS,
    **keys: object,
) -> Intake:
    rule = InboxRule("*.xlsx", table, wave="followup", wide=wide, **keys)  # type: ignore[arg-type]
    return read_inbox(
        files,
        rules=[rule],
        tables=tables or standard_tables(),
        schools=SCHOOLS,
        names=NAMES,
        waves=["baseline", "followup"],
        wave_dates=waves,
        lists=("pupil",),
        decisions=decisions,
    )


def read(rows: Rows, wide: Wide = ABSENCES, **keys: object) -> Intake:
    return taken_in({"a.xlsx": workbook({"S": rows})}, wide, **keys)  # type: ignore[arg-type]


def records(intake: Intake, *fields: str, table: str = "signals") -> list[list[object]]:
    frame = intake.frames[table]
    return [list(row) for row in frame[[*fields]].astype(object).where(frame[[*fields]].notna(), None).to_numpy()]


def counts(intake: Intake) -> list[int]:
    row = intake.reconciliation[["sent", "kept", "asked", "refused"]].sum()
    assert row["sent"] == row["kept"] + row["asked"] + row["refused"]
    return [int(n) for n in row]


def questions(intake: Intake) -> list[str]:
    """Return what is asked, but for pupils who are in no list: no list is sent here."""
    return [str(one) for one in intake.findings if one.severity != "note" and "in no list" not in one.problem]


def test_each_month_of_a_pupil_is_a_record_whatever_the_order_of_the_columns() -> None:
    intake = read([(*HEADER, "november", "október"), ("031202", "7001", 4, 3), ("031202", "7002", None, 5)])
    assert records(intake, "pupil_id", "month", "absences_unjustified", "source_row") == [
        ["7001", "2026-10", 3, 2], ["7001", "2026-11", 4, 2], ["7002", "2026-10", 5, 3], ["7002", "2026-11", None, 3]
    ]  # fmt: skip
    assert questions(intake) == []
    assert counts(intake) == [4, 4, 0, 0]
    assert "Columns represent month: 2 rows with 2 of them each are 4 records." in str(intake.findings)
    assert "'november' is 2026-11, 'október' is 2026-10" in str(intake.findings)


@pytest.mark.parametrize(
    "header",
    [
        "2026-10", "10/2026", "2026. 10.", "2026. október", "Október 2026", "október", "okt.", "októberi hó",
        "október hó", "Октобар", "oktobar 2026.", "oktober", "October", "OCT", "X.", "X", date(2026, 10, 1),
        "2026. okt. (óra)", "hónap: október",
    ],
)  # fmt: skip
def test_months_are_known_in_every_language_and_form(header: object) -> None:
    intake = read([(*HEADER, header), ("031202", "7001", 4)])
    assert records(intake, "month", "absences_unjustified") == [["2026-10", 4]]
    assert questions(intake) == []


def test_headers_of_ones_own_are_said_by_the_rule() -> None:
    wide = Wide(across="month", field="lateness", columns={"I.": "2026-09", "3": "2026-11"})
    intake = read([(*HEADER, "I.", 3, "Összesen"), ("031202", "7001", 4, 5, 9)], wide)
    assert records(intake, "month", "lateness") == [["2026-09", 4], ["2026-11", 5]]


@pytest.mark.parametrize(
    ("title", "waves", "months"),
    [
        ("Hiányzások, 2025/2026. tanév", AUTUMN, ["2025-10", "2026-02"]),
        ("Izostanci, školska 2025/26. godina", {}, ["2025-10", "2026-02"]),
        ("", {"followup": (date(2026, 2, 1), date(2026, 6, 30))}, ["2025-10", "2026-02"]),
        ("", {"followup": (date(2026, 9, 1), date(2027, 6, 30))}, ["2026-10", "2027-02"]),
    ],
)
def test_a_month_without_a_year_is_of_the_school_year_above_or_of_the_wave(
    title: str, waves: Mapping[str, tuple[date, date]], months: Sequence[str]
) -> None:
    rows = [(title,), (), (*HEADER, "február", "október"), ("031202", "7001", 4, 5)]
    assert sorted(str(month) for (month,) in records(read(rows, waves=waves), "month")) == months


def test_the_rule_says_the_school_year_of_months() -> None:
    wide = Wide(across="month", field="lateness", school_year=2024)
    intake = read([("2025/2026",), (*HEADER, "június", "szeptember"), ("031202", "7001", 4, 5)], wide)
    assert records(intake, "month", "lateness") == [["2024-09", 5], ["2025-06", 4]]


@pytest.mark.parametrize("waves", [{}, {"followup": (date(2025, 9, 1), date(2026, 12, 1))}])
def test_a_month_of_no_sure_year_is_asked_about(waves: Mapping[str, tuple[date, date]]) -> None:
    intake = read([(*HEADER, "október", "2026-11"), ("031202", "7001", 4, 5)], waves=waves)
    assert records(intake, "month", "absences_unjustified") == [["2026-11", 5]]
    (question,) = questions(intake)
    assert "a.xlsx, sheet 'S', row 1, column 'október': The header 'október' names a month without a year" in question


def test_two_columns_of_one_month_are_asked_about_and_neither_is_read() -> None:
    intake = read([(*HEADER, "október", "okt.", "november"), ("031202", "7001", 4, 5, 6)])
    assert records(intake, "month", "absences_unjustified") == [["2026-11", 6]]
    assert "More than one of its columns is of '2026-10' and 'absences_unjustified'" in questions(intake)[0]


def test_an_empty_month_makes_no_records_and_is_told() -> None:
    rows = [(*HEADER, "október", "november"), ("031202", "7001", 4, None), ("031202", "7002", 4, " ")]
    intake = read(rows)
    assert counts(intake) == [2, 2, 0, 0]
    assert "The columns of month '2026-11' are empty; no records are made of them." in str(intake.findings)
    empty = read([row[:2] + (None,) * len(row[2:]) if place else row for place, row in enumerate(rows)])
    assert counts(empty) == [2, 0, 2, 0]
    assert "All columns of month are empty: '2026-10', '2026-11'." in questions(empty)[0]


@pytest.mark.parametrize(
    "header",
    [
        [(None, None, "október", None, "november", None), (*HEADER,)],
        [(*HEADER, "október", None, "november", None), (None, None, "igazolt hiányzás", "igazolatlan hiányzás")],
        [(*HEADER, "igazolt hiányzás", "igazolatlan hiányzás")],
    ],
)
def test_the_month_stands_above_the_fields(header: list[tuple[object, ...]]) -> None:
    fields = ("igazolt hiányzás", "igazolatlan hiányzás")
    if len(header) == 1:
        header = [(*HEADER, "október igazolt hiányzás", "október: igazolatlan hiányzás", "absences_justified_2026-11",
                   "igazolatlan hiányzás 2026-11")]  # fmt: skip
    else:
        header = [header[0], (*header[1][:2], *fields, *fields)]
    rows = [("Kossuth Lajos Gimnázium",), *header, ("031202", "7001", 1, 2, 3, 4), ("Összesen", None, 1, 2, 3, 4)]
    intake = read(rows, Wide(across="month"))
    told = records(intake, "pupil_id", "month", "absences_justified", "absences_unjustified")
    assert told == [["7001", "2026-10", 1, 2], ["7001", "2026-11", 3, 4]]
    assert questions(intake) == []
    assert counts(intake) == [3, 2, 0, 1]


def test_the_months_stand_below_the_fields() -> None:
    rows = [
        (None, None, "igazolt hiányzás", None, "késés", None), (*HEADER, "október", "november", "október", "november"),
        ("031202", "7001", 1, 2, 3, 4),
    ]  # fmt: skip
    intake = read(rows, Wide(across="month"))
    told = records(intake, "month", "absences_justified", "lateness")
    assert told == [["2026-10", 1, 3], ["2026-11", 2, 4]]


def test_a_month_of_no_field_is_asked_about() -> None:
    intake = read([(*HEADER, "október"), ("031202", "7001", 4)], Wide(across="month"))
    assert "The column is of month '2026-10', and nothing tells which field its values are of." in questions(intake)[0]
    assert counts(intake) == [1, 0, 1, 0]


def test_a_cell_is_asked_about_by_the_row_and_the_header_that_the_school_sees_and_the_answer_is_for_it() -> None:
    rows = [("Cím",), (*HEADER, "október", "november"), ("031202", "7001", 3, "x"), ("031202", "7002", "y", 4)]
    files = {"a.xlsx": workbook({"S": rows})}
    before = taken_in(files)
    asked = [one for one in before.findings if one.problem.endswith("is not a whole number.")]
    assert [(one.row, one.column, one.value) for one in asked] == [(3, "november", "x"), (4, "október", "y")]
    content = query_workbook(
        before.queries["031202"], school="031202", catalogue=Catalogue("data_schema", Language("hu"))
    )
    said = {("3", "november"): 7, ("4", "október"): "-"}
    after = taken_in({**files, "back.xlsx": answer_all(content, said)})
    told = records(after, "pupil_id", "month", "absences_unjustified")
    assert told == [["7001", "2026-10", 3], ["7001", "2026-11", 7], ["7002", "2026-10", None], ["7002", "2026-11", 4]]
    assert [one for one in after.findings if "whole number" in one.problem] == []
    log = after.answers[["row", "column", "was", "became", "status"]].to_numpy().tolist()
    assert log == [[3, "november", "x", "7", "applied"], [4, "október", "y", "", "missing"]]


def test_a_question_about_what_the_months_share_is_asked_once_and_its_answer_is_for_all() -> None:
    rows = [(*HEADER, "október", "november"), ("31202", "7001", 3, 4)]
    files = {"a.xlsx": workbook({"S": rows})}
    before = taken_in(files)
    (question,) = questions(before)
    assert "row 2, column 'school_id': '31202' is no school of the trial" in question
    assert counts(before) == [2, 0, 2, 0]
    content = query_workbook(
        before.queries["031202"], school="031202", catalogue=Catalogue("data_schema", Language("en"))
    )
    after = taken_in({**files, "back.xlsx": answer_all(content, {("2", "School"): "031202"})})
    assert records(after, "school_id", "month") == [["031202", "2026-10"], ["031202", "2026-11"]]
    assert len(after.answers) == 1


def test_a_pupil_who_stands_twice_is_asked_about_by_rows_of_the_sheet() -> None:
    rows = [(*HEADER, "október", "november"), ("031202", "7001", 3, 1), ("031202", "7001", 4, 2)]
    intake = read(rows)
    told = [(one.row, one.problem.partition(" is in ")[2]) for one in intake.findings if one.severity == "question"]
    assert told == [(2, "row 3 with other values."), (3, "row 2 with other values.")]
    assert counts(intake) == [4, 0, 4, 0]


def test_a_unit_in_the_header_is_converted_or_asked_about() -> None:
    rows = [(*HEADER, "október (nap)", "november (nap)"), ("031202", "7001", 2, 1)]
    assert "'nap'" in questions(read(rows))[0]
    intake = read(rows, units={"days": 6})
    assert records(intake, "month", "absences_unjustified") == [["2026-10", 12], ["2026-11", 6]]
    assert intake.repairs[["row", "column", "became"]].to_numpy().tolist() == [
        [2, "november (nap)", "6"], [2, "október (nap)", "12"]
    ]  # fmt: skip


def test_titles_headings_totals_and_sheets_go_together() -> None:
    def sheet(title: str, *rows: Sequence[object]) -> Rows:
        return [(f"{title} – hiányzások",), (), ("pupil_id", "okt.", "nov."), *rows]

    content = workbook(
        {
            "1": sheet(
                "Kossuth Lajos Gimnázium", ("9.a",), ("7001", 1, 2), ("9.b",), ("7002", 3, 4), ("Összesen", 4, 6)
            ),
            "2": sheet("OŠ Ivana Cankarja", ("7001", 5, 6)),
        }
    )
    intake = taken_in({"a.xlsx": content}, school_from="title", class_from="headings")
    assert records(intake, "school_id", "pupil_id", "month", "absences_unjustified", "source_row") == [
        ["031202", "7001", "2026-10", 1, 5], ["031202", "7001", "2026-11", 2, 5],
        ["031202", "7002", "2026-10", 3, 7], ["031202", "7002", "2026-11", 4, 7],
        ["SI-01", "7001", "2026-10", 5, 4], ["SI-01", "7001", "2026-11", 6, 4],
    ]  # fmt: skip
    assert questions(intake) == []
    assert counts(intake) == [9, 6, 0, 3]


def test_a_file_with_a_row_per_month_is_read_by_the_same_rule() -> None:
    intake = read([(*HEADER, "month", "absences_unjustified"), ("031202", "7001", "2026-10", 4)])
    assert records(intake, "month", "absences_unjustified") == [["2026-10", 4]]


def test_without_a_rule_the_finding_names_the_key_that_helps() -> None:
    rule = InboxRule("*.xlsx", "signals", wave="followup")
    rows = [("pupil_id", "lateness", "október"), ("7001", 1, 4)]
    intake = read_inbox(
        {"a.xlsx": workbook({"S": rows})}, rules=[rule], tables=standard_tables(), schools=SCHOOLS, waves=["followup"]
    )
    remedy = "Add the column 'school_id' and 'month', or say where it is with 'school_from' and 'wide' in [[inbox]]."
    assert remedy in str(intake.findings)


def test_answers_stand_as_columns_too() -> None:
    subject = Field("subject", "code", codes=(Code("maths", synonyms=("matematika",)), Code("reading")), required=True)
    pupil = standard_tables()["pupil"]
    marks = Table(
        name="marks",
        fields=(pupil.field("school_id"), pupil.field("pupil_id"), subject, Field("mark", "number", minimum=1)),
        key=("school_id", "pupil_id", "subject"),
        by_wave=True,
    )
    intake = read(
        [(*HEADER, "Matematika", "Olvasás"), ("031202", "7001", 4, 5)],
        Wide(across="subject", field="mark", columns={"olvasás": "reading"}),
        tables={"marks": marks},
        table="marks",
    )
    assert records(intake, "subject", "mark", table="marks") == [["maths", 4.0], ["reading", 5.0]]


def test_waves_stand_as_columns_and_each_cell_is_asked_about_and_answered_by_itself() -> None:
    rows = [
        (None, None, "baseline", None, "Follow-up (2028)", None), (*HEADER, "status", "átlag", "status", "átlag"),
        ("031202", "7001", "jogviszonyban", 4, "jogviszonyban", 5),
        ("031202", "7002", "jogviszonyban", 3, "jogviszonyban", 9),
    ]  # fmt: skip
    files = {"a.xlsx": workbook({"S": rows})}
    rule = InboxRule(
        "*.xlsx",
        "status",
        wide=Wide(across="wave", columns={"Follow-up (2028)": "followup"}),
        headers={"átlag": "average_mark"},
    )

    def taken(files: Mapping[str, bytes]) -> Intake:
        return read_inbox(
            files, rules=[rule], tables=standard_tables(), schools=SCHOOLS, waves=["baseline", "followup"], lists=()
        )

    before = taken(files)
    frame = before.frames["status"]
    assert frame[["pupil_id", "wave", "average_mark"]].fillna(0).to_numpy().tolist() == [
        ["7001", "baseline", 4], ["7001", "followup", 5], ["7002", "baseline", 3], ["7002", "followup", 0]
    ]  # fmt: skip
    assert before.reconciliation[["wave", "sent", "kept"]].to_numpy().tolist() == [
        ["baseline", 2, 2],
        ["followup", 2, 2],
    ]
    (asked,) = questions(before)
    assert "row 4, column 'Follow-up (2028), átlag': '9' is above the greatest possible value, 5." in asked
    content = query_workbook(
        before.queries["031202"], school="031202", catalogue=Catalogue("data_schema", Language("en"))
    )
    after = taken({**files, "back.xlsx": answer_all(content, {("4", "Follow-up (2028), átlag"): 2})})
    assert after.frames["status"]["average_mark"].tolist() == [4, 5, 3, 2]
    assert questions(after) == []
    assert after.answers[["row", "status"]].to_numpy().tolist() == [[4, "applied"]]


def test_a_sheet_without_a_wave_in_its_header_is_asked_about() -> None:
    rule = InboxRule("*.xlsx", "status", wide=Wide(across="wave"))
    intake = read_inbox(
        {"a.xlsx": workbook({"S": [(*HEADER, "status"), ("031202", "7001", "jogviszonyban")]})},
        rules=[rule], tables=standard_tables(), schools=SCHOOLS, waves=["baseline", "followup"], lists=(),
    )  # fmt: skip
    assert "None of its headers names a wave" in questions(intake)[0]
    assert counts(intake) == [1, 0, 1, 0]


MONTHS = ("2026-09", "2026-10")
PUPIL_ROWS = [("031201", f"700{k}", k, k + 1) for k in range(1, 5)]


@pytest.mark.parametrize("reason", ["totals", "blank lines", "withdrawn", "frozen", "copied", "no school", "no pupil"])
def test_counts_add_up_whatever_becomes_of_the_rows_of_a_wide_sheet(reason: str) -> None:
    rows: list[tuple[object, ...]] = [(*HEADER, *MONTHS), *PUPIL_ROWS]
    sheets = {"a.xlsx": workbook({"S": rows})}
    decisions = Decisions()
    match reason:
        case "totals":
            sheets = {"a.xlsx": workbook({"S": [*rows, ("Összesen", None, 10, 14)]})}
        case "blank lines":
            sheets = {"a.xlsx": workbook({"S": [*rows[:3], (), *rows[3:]]})}
        case "withdrawn":
            decisions = Decisions(withdrawn={"a.xlsx": ""})
        case "frozen":
            decisions = Decisions(frozen={"followup": ()})
        case "copied":
            sheets["b.xlsx"] = sheets["a.xlsx"]
        case "no school":
            sheets = {"a.xlsx": workbook({"S": [*rows, ("999999", "7009", 1, 2)]})}
        case "no pupil":
            sheets = {"a.xlsx": workbook({"S": [*rows, ("031201", None, 1, 2)]})}
    intake = taken_in(sheets, decisions=decisions)
    kept, asked, refused = {
        "totals": (8, 0, 1),
        "withdrawn": (0, 0, 8),
        "frozen": (0, 0, 8),
        "copied": (8, 0, 8),
        "no school": (8, 2, 0),
        "no pupil": (8, 2, 0),
    }.get(reason, (8, 0, 0))
    assert counts(intake) == [kept + asked + refused, kept, asked, refused]


def test_blank_cells_of_a_wide_sheet_are_missing_values_and_no_row_is_lost() -> None:
    rows = [
        (*HEADER, *MONTHS),
        ("031201", "7001", None, 3),
        ("031201", "7002", 4, None),
        ("031201", "7003", None, None),
    ]
    intake = read(rows)
    told = records(intake, "pupil_id", "month", "absences_unjustified")
    assert told[:4] == [
        ["7001", "2026-09", None], ["7001", "2026-10", 3], ["7002", "2026-09", 4], ["7002", "2026-10", None]
    ]  # fmt: skip
    assert told[4:] == [["7003", "2026-09", None], ["7003", "2026-10", None]]
    assert counts(intake) == [6, 6, 0, 0]


def test_units_are_converted_in_all_columns_of_a_wide_sheet_and_blank_cells_stay_missing() -> None:
    header = (*HEADER, "2026-09 [days]", "2026-10 [days]")
    intake = read([header, ("031201", "7001", 2, None), ("031201", "7002", 1, 3)], units={"days": 6})
    assert records(intake, "month", "absences_unjustified") == [
        ["2026-09", 12], ["2026-10", None], ["2026-09", 6], ["2026-10", 18]
    ]  # fmt: skip
    assert sorted(zip(intake.repairs["row"], intake.repairs["was"], strict=True)) == [(2, "2"), (3, "1"), (3, "3")]


def test_codes_in_wide_columns_are_read_by_the_dictionary() -> None:
    dictionary = "\n".join(
        [
            '"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"',
            "pupil_id,f,text,Record ID,",
            'school_id,f,dropdown,School,"1, 031201"',
            "class,f,text,Class,",
            'status_1,f,radio,Status before,"1, Left early | 2, Enrolled"',
            'status_2,f,radio,Status after,"1, Left early | 2, Enrolled"',
        ]
    )
    data = "pupil_id,school_id,average_mark,status_1,status_2\n7001,1,,2,1\n7002,1,,2,2\n7003,1,,,2\n"
    wide = Wide(across="wave", field="status", columns={"status_1": "baseline", "status_2": "followup"})
    intake = read_inbox(
        {"all.csv": data.encode(), "d.csv": dictionary.encode()},
        rules=[InboxRule("all.csv", "status", wide=wide, dictionary="d.csv")],
        tables=standard_tables(), schools=SCHOOLS, waves=["baseline", "followup"], lists=(),
    )  # fmt: skip
    frame = intake.frames["status"]
    told = frame[["pupil_id", "wave", "status"]].dropna().to_numpy().tolist()
    assert told == [
        ["7001", "baseline", "enrolled"], ["7001", "followup", "left_early"],
        ["7002", "baseline", "enrolled"], ["7002", "followup", "enrolled"], ["7003", "followup", "enrolled"],
    ]  # fmt: skip
    assert counts(intake)[0] == 6
