"""Tables of REDCap: codes are read by the data dictionary beside them, records of several events by their wave."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

TABLES = standard_tables()
SCHOOLS = {"031204": "HU", "031205": "HU"}
DICTIONARY = "\n".join(
    [
        '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
        '"Choices, Calculations, OR Slider Labels","Field Note","Identifier?"',
        'pupil_id,visit,,text,"Record ID",,,y',
        'school_id,visit,,dropdown,School,"1, 031204 Kossuth | 2, 031205 Petőfi",,',
        'stat,visit,,radio,"<b>Tanulói jogviszony</b>","7, Enrolled | 8, Transferred | 9, Left early",,',
        'status_date,visit,,text,"Date of the status",,,',
        'destination_confirmed,visit,,yesno,"Destination confirmed",,,',
        'average_mark,visit,,radio,"Average mark","1, insufficient | 4, good | 5, excellent",,',
        'help,visit,,checkbox,Help,"1, Meals | 2, Bus, free",,',
    ]
).encode()
RAW = "pupil_id,school_id,stat,status_date,destination_confirmed,average_mark,help___1,help___2,visit_complete"
RAW_ROWS = ("7001,1,7,,,4,1,0,2", "7002,1,8,2028-02-14,1,,0,0,2", "7003,2,9,2028-03-01,,,0,1,0")
LABELS = (
    "Record ID,School,Tanulói jogviszony,Date of the status,Destination confirmed,Average mark,"
    'Help (choice=Meals),"Help (choice=Bus, free)",Complete?'
)
LABEL_ROWS = (
    "7001,031204 Kossuth,Enrolled,,,good,Checked,Unchecked,Complete",
    "7002,031204 Kossuth,Transferred,2028-02-14,Yes,,Unchecked,Unchecked,Complete",
    "7003,031205 Petőfi,Left early,2028-03-01,,,Unchecked,Checked,Incomplete",
)
RULE = InboxRule("followup/*.csv", "status", wave="followup", dictionary="redcap/dictionary.csv")
WITH_HELP = extended(TABLES["status"], [Field("help_1", "yes_no"), Field("help_2", "yes_no")])


def read(
    content: bytes | str, *, rule: InboxRule = RULE, dictionary: bytes | None = DICTIONARY, table: Table = WITH_HELP
) -> Intake:
    files: Mapping[str, bytes] = {"followup/all.csv": content.encode() if isinstance(content, str) else content}
    files = files if dictionary is None else {**files, "redcap/Dictionary.csv": dictionary}
    return read_inbox(
        files,
        rules=[rule],
        tables={**TABLES, "status": table},
        schools=SCHOOLS,
        waves=["baseline", "followup"],
        lists=(),
    )


def kept(intake: Intake) -> list[list[str]]:
    names = ["school_id", "pupil_id", "status", "destination_confirmed", "average_mark", "help_1", "help_2"]
    frame = intake.frames["status"]
    return [
        ["" if str(cell) in ("nan", "<NA>") else str(cell) for cell in row]
        for row in frame[[name for name in names if name in frame]].to_numpy()
    ]


EXPECTED = [
    ["031204", "7001", "enrolled", "", "4.0", "True", "False"],
    ["031204", "7002", "transferred", "True", "", "False", "False"],
    ["031205", "7003", "left_early", "", "", "False", "True"],
]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join([RAW, *RAW_ROWS]).encode(),
        "\n".join([LABELS, *LABEL_ROWS]).encode(),
        b"\xef\xbb\xbf" + "\n".join([RAW, *RAW_ROWS]).replace(",", ";").encode(),
    ],
    ids=["codes", "labels", "semicolons and a mark of the byte order"],
)
def test_codes_and_labels_are_read_by_the_dictionary(content: bytes) -> None:
    intake = read(content)
    assert kept(intake) == EXPECTED
    assert [str(one) for one in intake.findings if one.severity != "note"] == []
    assert set(intake.repairs["rule"]) <= {"dictionary", "synonym", "case"}
    assert "redcap/Dictionary.csv" in intake.digests


def test_a_code_that_the_dictionary_does_not_have_is_asked_about_even_where_it_means_something_by_itself() -> None:
    dictionary = DICTIONARY.replace(b"yesno,", b"radio,").replace(
        b'"Destination confirmed",', b'"Destination confirmed","1, No | 2, Yes"'
    )
    intake = read(
        "\n".join([RAW, *RAW_ROWS, "7004,1,8,2028-02-14,0,,0,0,2", "7005,1,3,,,,0,0,2"]), dictionary=dictionary
    )
    assert [row[3] for row in kept(intake)] == ["", "False", "", "", ""], "1 is no, whatever it means elsewhere"
    asked = [(one.row, one.column, one.value) for one in intake.findings.by_severity("question")]
    assert (5, "destination_confirmed", "0 [?]") in asked
    assert (6, "status", "3 [?]") in asked
    assert any("does not have the answers '0'" in one.problem for one in intake.findings)


def test_without_its_dictionary_no_code_is_guessed() -> None:
    for dictionary in (None, b"a,b\n1,2\n"):
        intake = read("\n".join([RAW, *RAW_ROWS]), dictionary=dictionary)
        assert kept(intake) == []
        assert any("Its data dictionary" in one.problem for one in intake.findings.by_severity("refused"))
        assert intake.reconciliation["refused"].tolist() == [3]


EVENTS = "\n".join(
    [
        "pupil_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_data_access_group,school_id,stat,"
        "status_date,destination_confirmed,average_mark,help___1,help___2,visit_complete",
        "7001,baseline_arm_1,,,kossuth,1,7,,,5,0,0,2",
        "7001,followup_arm_1,,,kossuth,,8,2028-02-14,1,,0,0,2",
        "7002,baseline_arm_2,,,kossuth,1,7,,,5,0,0,2",
        "7002,followup_arm_2,,,kossuth,,9,2028-02-14,,,0,0,2",
        "7003,baseline_arm_1,,,petofi,2,7,,,5,0,0,2",
        "7003,followup_arm_1,,,petofi,,,,,,,,0",
        "7003,followup_arm_1,signals,1,petofi,,,,,,,,",
    ]
)


def test_of_several_events_the_one_that_is_called_as_the_wave_is_read_and_its_records_have_their_school() -> None:
    intake = read(EVENTS)
    assert [row[:3] for row in kept(intake)] == [["031204", "7001", "transferred"], ["031204", "7002", "left_early"]]
    assert intake.frames["status"]["source_row"].tolist() == [3, 5]
    assert any("Nothing was filled in" in one.problem and one.row == 7 for one in intake.findings)
    counts = intake.reconciliation
    assert (counts["sent"] == counts["kept"] + counts["asked"] + counts["refused"]).all()


def test_events_that_are_not_called_as_the_wave_are_asked_about_and_named_in_the_rule() -> None:
    other = EVENTS.replace("followup_arm", "visit_2_arm")
    intake = read(other)
    assert kept(intake) == []
    (asked,) = [one for one in intake.findings if "is called as the wave" in one.problem]
    assert (asked.severity, "visit_2_arm_1" in asked.problem) == ("question", True)
    named = InboxRule("followup/*.csv", "status", wave="followup", dictionary=RULE.dictionary, sheet="visit_2_arm_?")
    assert [row[1] for row in kept(read(other, rule=named))] == ["7001", "7002"]


def test_a_group_of_users_can_be_the_school() -> None:
    rule = InboxRule(
        "followup/*.csv",
        "status",
        wave="followup",
        dictionary=RULE.dictionary,
        headers={"redcap_data_access_group": "school_id"},
    )
    content = EVENTS.replace("kossuth", "031204").replace("petofi", "031205").replace(",school_id,", ",site,")
    assert [row[:2] for row in kept(read(content, rule=rule))] == [["031204", "7001"], ["031204", "7002"]]


def test_a_dictionary_of_the_programming_interface_is_one_too() -> None:
    names = b"field_name,form_name,section_header,field_type,field_label,select_choices_or_calculations,field_note,"
    content = names + b"identifier" + DICTIONARY[DICTIONARY.index(b"\n") :]
    assert kept(read("\n".join([RAW, *RAW_ROWS]), dictionary=content)) == EXPECTED


def test_one_event_is_the_rules_own_unless_it_is_called_as_another_wave() -> None:
    lines = EVENTS.splitlines()
    one = "\n".join([lines[0], lines[1], lines[3]])
    assert kept(read(one)) == []
    assert any("None of its events ('baseline_arm_1', 'baseline_arm_2')" in one.problem for one in read(one).findings)
    other = "\n".join([lines[0], lines[1]])
    (asked,) = read(other).findings.by_severity("question")
    assert "is called as the wave" in asked.problem
    assert [row[1] for row in kept(read(other.replace("baseline_arm_1", "event_1_arm_1")))] == ["7001"]


PROJECT = "\n".join(
    [
        '"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"',
        'pupil_id,enrolment,text,"Record ID",',
        'school_id,enrolment,dropdown,School,"1, 031204 Kossuth | 2, 031205 Petőfi"',
        'gender,enrolment,radio,Gender,"1, Girl | 2, Boy"',
        "consent,enrolment,yesno,Consent,",
        "engagement_1,survey,text,E1,",
        'status,state,radio,Status,"7, Enrolled | 8, Transferred"',
        "average_mark,state,text,Mark,",
        "month,signals,text,Month,",
        "lateness,signals,text,Lateness,",
    ]
).encode()
OF_ALL = (
    "pupil_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,school_id,gender,consent,engagement_1,"
    "status,average_mark,month,lateness,enrolment_complete"
)
OF_ALL_ROWS = (
    "7001,baseline_arm_1,,,1,1,1,3,7,5,,,2",
    "7001,baseline_arm_1,signals,1,,,,,,,2026-10,2,",
    "7001,baseline_arm_1,signals,2,,,,,,,2026-11,3,",
    "7001,followup_arm_1,,,,,,5,8,,,,2",
    "7001,followup_arm_1,signals,1,,,,,,,2027-10,1,",
    "7002,baseline_arm_1,,,2,2,1,,7,4,,,2",
    "7002,followup_arm_1,,,,,,2,7,3,,,2",
)


def test_a_row_with_fields_of_several_tables_is_a_record_of_each_and_events_are_waves() -> None:
    rules = [
        InboxRule("data.csv", table, wave=wave, dictionary="dictionary.csv")
        for table in ("pupil", "survey", "status", "signals")
        for wave in ("baseline", "followup")
        if (table, wave) != ("pupil", "followup")
    ]
    intake = read_inbox(
        {"data.csv": "\n".join([OF_ALL, *OF_ALL_ROWS]).encode(), "dictionary.csv": PROJECT},
        rules=rules,
        tables=TABLES,
        schools=SCHOOLS,
        waves=["baseline", "followup"],
        lists=("pupil",),
    )
    assert intake.frames["pupil"][["school_id", "pupil_id", "gender"]].to_numpy().tolist() == [
        ["031204", "7001", "girl"], ["031205", "7002", "boy"]
    ]  # fmt: skip
    assert intake.frames["survey"][["pupil_id", "wave", "engagement_1"]].to_numpy().tolist() == [
        ["7001", "baseline", 3], ["7001", "followup", 5], ["7002", "followup", 2]
    ]  # fmt: skip
    assert intake.frames["status"]["status"].tolist() == ["enrolled", "transferred", "enrolled", "enrolled"]
    assert intake.frames["signals"][["month", "lateness"]].to_numpy().tolist() == [
        ["2026-10", 2], ["2026-11", 3], ["2027-10", 1]
    ]  # fmt: skip
    assert [str(one) for one in intake.findings if one.severity != "note"] == []
    assert not [one for one in intake.findings if "has no such column" in one.problem]
    counts = intake.reconciliation.query("wave == 'baseline'")[["table", "sent", "kept", "refused"]].to_numpy().tolist()
    assert ["survey", 2, 1, 1] in counts
    assert ["pupil", 2, 2, 0] in counts


def test_a_column_that_no_table_of_the_project_knows_is_still_told() -> None:
    rows = [f"{OF_ALL},shoes", *(f"{row},42" for row in OF_ALL_ROWS)]
    rules = [InboxRule("data.csv", table, wave="baseline", dictionary="d.csv") for table in ("pupil", "survey")]
    intake = read_inbox(
        {"data.csv": "\n".join(rows).encode(), "d.csv": PROJECT},
        rules=rules, tables=TABLES, schools=SCHOOLS, waves=["baseline", "followup"], lists=("pupil",),
    )  # fmt: skip
    told = [one for one in intake.findings if "has no such column" in one.problem and one.column == "shoes"]
    assert len(told) == 2
