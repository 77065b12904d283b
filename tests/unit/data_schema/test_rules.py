"""Patterns of files."""

from __future__ import annotations

import unicodedata

import pytest

from data_schema.errors import ProtocolError
from data_schema.intake import Intake, read_inbox
from data_schema.rules import InboxRule, Wide
from data_schema.school_tables import standard_tables


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("baseline/*/pupil_*.csv", "baseline/HU/pupil_1.csv", True),
        ("baseline/*/pupil_*.csv", "BASELINE/hu/Pupil_1.CSV", True),
        ("baseline/*/pupil_*.csv", "baseline/HU/x/pupil_1.csv", False),
        ("baseline/*/pupil_*.csv", "x/baseline/HU/pupil_1.csv", False),
        ("baseline/*/pupil_*.csv", "baseline/HU/pupil_1.csv.bak", False),
        ("pupil_?.csv", "pupil_1.csv", True),
        ("pupil_?.csv", "pupil_12.csv", False),
        ("**/pupil.csv", "pupil.csv", True),
        ("**/pupil.csv", "a/b/pupil.csv", True),
        ("**/pupil.csv", "a/b/mypupil.csv", False),
        ("baseline/**", "baseline/a/b.csv", True),
        ("a+b (1).csv", "a+b (1).csv", True),
        ("pupil.csv", "pupilxcsv", False),
    ],
)
def test_a_pattern_matches_whole_paths_part_by_part(pattern: str, path: str, matches: bool) -> None:
    assert InboxRule(pattern, "pupil").matches(path) == matches


def test_a_name_that_a_mac_decomposed_is_the_same_name() -> None:
    assert InboxRule("učenici.csv", "pupil").matches(unicodedata.normalize("NFD", "učenici.csv"))


SHEET = b"school_id;pupil_id;C;lateness;2031-10\n1201;7001;9.a;1;2\n1201;7002;9.b;3;4\n"
PLAIN = b"school_id;pupil_id;gender\n1201;7001;girl\n1201;7002;boy\n"


def taken_in(file: str, content: bytes, *rules: InboxRule) -> Intake:
    return read_inbox(
        {file: content}, rules=rules, tables=standard_tables(), schools={"1201": "HU"}, waves=["before", "after"]
    )


def of_pupils(pattern: str, **keys: object) -> InboxRule:
    return InboxRule(pattern, "pupil", wave="before", **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (of_pupils("a/list*", headers={"C": "class"}), "headers"),
        (of_pupils("a/list*", school_from="file"), "school_from"),
        (of_pupils("**", class_from="title"), "class_from"),
        (of_pupils("a/*.csv", units={"days": 6}), "units"),
        (of_pupils("a/*.csv", dictionary="x.csv"), "dictionary"),
        (of_pupils("*/list.csv", wide=Wide(across="wave")), "wide"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_two_rules_that_read_one_sheet_differently_are_named_and_no_row_is_lost(
    other: InboxRule, key: str, is_first: bool
) -> None:
    rules = [of_pupils("a/*"), other]
    intake = taken_in("a/list.csv", SHEET, *(rules if is_first else rules[::-1]))
    (refusal,) = intake.findings.by_severity("refused")
    assert f"they differ in {key!r}; it is not read." in refusal.problem
    assert all(rule.pattern in refusal.problem for rule in rules)
    assert refusal.remedy == "Make the patterns of the rules differ."
    assert intake.reconciliation[["sent", "kept", "asked", "refused"]].to_numpy().tolist() == [[2, 0, 0, 2]]


def test_rules_that_say_the_same_of_a_sheet_are_one() -> None:
    intake = taken_in("a/list.csv", PLAIN, of_pupils("a/*"), of_pupils("**"))
    assert len(intake.frames["pupil"]) == 2
    assert not [one for one in intake.findings if one.severity != "note"]


def test_rows_that_two_tables_claim_are_counted() -> None:
    intake = taken_in("a/list.csv", PLAIN, of_pupils("a/*"), InboxRule("**", "status", wave="before"))
    (refusal,) = intake.findings.by_severity("refused")
    assert refusal.problem == "Rules say that it is 'pupil' (before) and 'status' (before); it is not read."
    assert intake.reconciliation[["sent", "kept", "asked", "refused"]].to_numpy().tolist() == [[2, 0, 0, 2]]


def test_a_rule_that_no_file_has_the_pattern_of_is_told() -> None:
    intake = taken_in("a/list.csv", PLAIN, of_pupils("a/*"), of_pupils("b/*"))
    (note,) = [one for one in intake.findings if "pattern" in one.problem]
    assert (note.file, note.severity) == ("b/*", "note")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of_pupils("a/*"), of_pupils("A/*", school_from="file")),
        (of_pupils("a/*", sheet="9.a"), of_pupils("a/*", sheet=" 9.A", headers={"C": "class"})),
        (of_pupils("a/*", sheet="9.a"), InboxRule("a/*", "status", wave="before", sheet="9.a")),
        (InboxRule("a/*", "status", wide=Wide(across="wave")), InboxRule("a/*", "status", wave="before")),
    ],
)
def test_two_rules_of_the_same_sheets_are_refused_before_anything_is_read(one: InboxRule, other: InboxRule) -> None:
    with pytest.raises(ProtocolError, match="another rule has the same pattern and means the same sheets"):
        taken_in("a/list.csv", PLAIN, one, other)
    taken_in("a/list.csv", PLAIN, one)


def test_rules_of_one_pattern_for_two_tables_or_two_events_stand_beside_each_other() -> None:
    taken_in("a/list.csv", PLAIN, of_pupils("a/*"), InboxRule("a/*", "status", wave="before"))
    taken_in("a/list.csv", PLAIN, of_pupils("a/*"), InboxRule("a/*", "pupil", wave="after"))
