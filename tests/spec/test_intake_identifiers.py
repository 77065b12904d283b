"""Identifiers as they were sent -> what becomes of the pupil and what is asked, as small drawn tables."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from data_schema.errors import ProtocolError
from data_schema.fields import CheckDigits, Field, Scope
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.patterns import draw_identifiers
from data_schema.repairs import clean_cell
from data_schema.school_tables import standard_tables
from data_schema.tables import Table

TABLES = standard_tables()
SCHOOLS = {"031201": "HU", "031202": "HU", "RS-101": "RS"}
RULES = [InboxRule(f"{wave}/*", "pupil", wave=wave) for wave in ("baseline", "followup")]
HEADER = "school_id;pupil_id;name;birth_year;gender"

NO_IDENTIFIER = "is no identifier; it says that there is none"
A_DATE = "is a date where an identifier belongs"
SENT = {
    NO_IDENTIFIER: (
        "?",
        "???",
        "x",
        "XX",
        "none",
        "nincs",
        "nincs adat",
        "NEMA",
        "нема",
        "ni podatka",
        "...",
        "*",
        "--",
    ),
    A_DATE: (
        "27-Jan",
        "Jan-27",
        "jan.27",
        "márc. 5",
        "12. okt",
        "5.X.2027",
        "27.01.2027",
        "2027.01.27.",
        "1/2/2027",
        "3.4.",
    ),
    "is an error of a spreadsheet": ("#HIÁNYZIK", "#ÉRTÉK!", "#N/D", "#ВРЕДНОСТ!", "#REF!", "#BESKED?", "Err:502"),
    "has letters of two alphabets": ("А12B", "RS-Ј1a", "ΑB7"),
    "turned into a rounded number": ("7,00E+10",),
}


@pytest.mark.parametrize(("problem", "sent"), [(one, text) for one, texts in SENT.items() for text in texts])
def test_what_is_no_identifier_is_asked_about(problem: str, sent: str) -> None:
    field = TABLES["pupil"].field("pupil_id")
    cell = clean_cell(sent, field, typed=False)
    assert cell.value is None
    assert problem in cell.problem


@pytest.mark.parametrize(
    "sent",
    ["1", "007", "031201", "SI-04", "RS-101", "70031204001", "HU/2027/12", "a1b2", "9.a/12", "MAJA1x", "12-34", "0000"],
)
def test_identifiers_as_schools_have_them_are_kept(sent: str) -> None:
    assert clean_cell(sent, TABLES["pupil"].field("pupil_id"), typed=False).value == sent


def taken_in(
    *lists: str,
    pattern: tuple[tuple[str, str], ...] = (),
    check_digits: tuple[tuple[str, CheckDigits], ...] = (),
    scope: Scope = "school",
) -> Intake:
    """Return what intake makes of lists of pupils, in turn of the baseline and of the follow-up."""
    own = replace(TABLES["pupil"].field("pupil_id"), pattern=pattern, check_digits=check_digits, scope=scope)
    pupil = replace(
        TABLES["pupil"], fields=tuple(own if one.name == own.name else one for one in TABLES["pupil"].fields)
    )
    waves = ("baseline", "followup")
    files = {f"{wave}/list.csv": f"{HEADER}\n{rows}\n".encode() for wave, rows in zip(waves, lists, strict=False)}
    tables: dict[str, Table] = {"pupil": pupil}
    return read_inbox(files, rules=RULES, tables=tables, schools=SCHOOLS, waves=waves)


def questions(intake: Intake) -> list[tuple[str, int | None, str]]:
    return [
        (one.file, one.row, one.column)
        for one in intake.findings.by_severity("question")
        if "is the same as" not in one.problem
    ]


LATER = "followup/list.csv"
BOTH: list[tuple[str, int | None, str]] = [("baseline/list.csv", 2, "pupil_id"), (LATER, 2, "pupil_id")]
ONE = "031201;1;Kovács Petra;2012;girl"
CASES: dict[str, tuple[tuple[str, ...], list[tuple[str, int | None, str]]]] = {
    "the same pupil": ((ONE, ONE), []),
    "the same name in other letters and order": ((ONE, "031201;1;PETRA KOVACS;2012;girl"), []),
    "a name that was misspelt": ((ONE, "031201;1;Kovács Perta;2012;girl"), []),
    "another person": ((ONE, "031201;1;Varga Ilona;2012;girl"), [(LATER, 2, "name")]),
    "a sister or brother": ((ONE, "031201;1;Kovács Ilona;2012;girl"), [(LATER, 2, "name")]),
    "another year of birth": ((ONE, "031201;1;Kovács Petra;2010;girl"), [(LATER, 2, "birth_year")]),
    "another letter case": (("031201;a1x;A;2012;girl", "031201;A1X;A;2012;girl"), BOTH),
    "another alphabet": (("031201;AB/1;A;2012;girl", "031201;АВ/1;A;2012;girl"), BOTH),
    "another dash": (("031201;A-1/2;A;2012;girl", "031201;A–1/2;A;2012;girl"), BOTH),
    "a leading zero is another identifier": (("031201;01;A;2012;girl\n031201;1;B;2012;girl",), []),
    "one name and year of birth in two schools": ((f"{ONE}\n031202;7;Kovács Petra;2012;girl",), []),
    "one pupil in two schools by identifier and name": (
        (f"{ONE}\n031202;1;Kovács Petra;2012;girl",),
        [("baseline/list.csv", 2, "pupil_id"), ("baseline/list.csv", 3, "pupil_id")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lists", "asked"), CASES.values(), ids=CASES)
def test_identifiers_across_lists(lists: tuple[str, ...], asked: list[tuple[str, int | None, str]]) -> None:
    intake = taken_in(*lists)
    assert questions(intake) == asked
    assert not any("Kov" in str(one) or "Varga" in str(one) for one in intake.findings), "no name passes intake"


def test_a_declared_pattern_is_held_to_country_by_country() -> None:
    rows = "031201;70031201001;A;2012;girl\n031201;8003;B;2012;girl\nRS-101;x1y;C;2012;girl"
    intake = taken_in(rows, pattern=(("HU", "7[0-9]{10}"),))
    assert intake.frames["pupil"]["pupil_id"].tolist() == ["70031201001", "x1y"]
    (found,) = [one for one in intake.findings if "form that identifiers have" in one.problem]
    assert (found.row, found.value) == (3, "")
    everywhere = taken_in(rows, pattern=(("", "[0-9]+"),))
    assert everywhere.frames["pupil"]["pupil_id"].tolist() == ["70031201001", "8003"]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("national", "031201;70000000007", "031201;70000000017"),
        ("national", "031201;7000 0000 007", "031201;70000000700"),
        ("national", "RS-101;0101006500006", "RS-101;0101006500060"),
        ("luhn", "031201;79927398713", "031201;79927398731"),
        ("verhoeff", "031201;2363", "031201;2336"),
        ("damm", "031201;5724", "031201;5742"),
        ("mod_11_10", "031201;794623", "031201;796423"),
        ("mod_97_10", "031201;9999123456789012141490", "031201;9999123456789012141940"),
        ("mod_37_36", "031201;A12425GABC1234002M", "031201;A12425GABC1243002M"),
    ],
)
def test_an_identifier_with_two_digits_exchanged_is_asked_about_where_check_digits_are_declared(
    kind: CheckDigits, right: str, wrong: str
) -> None:
    intake = taken_in(f"{right};A;2012;girl\n{wrong};B;2011;boy", check_digits=(("", kind),))
    assert intake.frames["pupil"]["pupil_id"].tolist() == [right.partition(";")[2]]
    asked = [(one.row, one.value) for one in intake.findings if "check digit" in one.problem]
    assert asked == [(3, "")]


def test_check_digits_and_patterns_hold_for_the_countries_that_they_are_declared_for() -> None:
    rows = "031201;70000000008;A;2012;girl\nRS-101;70000000008;B;2011;boy\nRS-101;8;C;2010;girl"
    intake = taken_in(rows, pattern=(("RS", "7[0-9]{10}"),), check_digits=(("HU", "national"),))
    assert intake.frames["pupil"]["school_id"].tolist() == ["RS-101"]
    asked = {one.row: one.problem for one in intake.findings}
    assert "check digit" in asked[2]
    example = re.search(r"such as (7[0-9]{10})\.", asked[4])
    assert example is not None, "a school reads an identifier, not an expression"


@pytest.mark.parametrize(
    "pattern", ["7[0-9]{10}", "HU/20[0-9]{2}/[0-9]{1,3}", "[A-Z]{2}-?[0-9]+", "(A|B)[0-9]{4}[a-z]?"]
)
@pytest.mark.parametrize("check_digits", [(), (("", "luhn"),)])
def test_identifiers_that_are_drawn_are_as_they_are_declared(
    pattern: str, check_digits: tuple[tuple[str, CheckDigits], ...]
) -> None:
    item = replace(TABLES["pupil"].field("pupil_id"), pattern=(("", pattern),), check_digits=check_digits)
    if check_digits and not pattern.startswith("7"):
        item = replace(item, pattern=(("", "[0-9]{6}"),))
    drawn = draw_identifiers(item, "HU", 40, seed="a")
    assert len(set(drawn)) == 40
    assert drawn == draw_identifiers(item, "HU", 40, seed="a")
    rows = "\n".join(f"031201;{one};;2012;girl" for one in drawn)
    intake = taken_in(rows, pattern=item.pattern, check_digits=check_digits)
    assert len(intake.frames["pupil"]) == 40


def test_a_pattern_that_is_too_narrow_for_all_pupils_says_so() -> None:
    item = replace(TABLES["pupil"].field("pupil_id"), pattern=(("", "[0-9]"),))
    with pytest.raises(ProtocolError, match="11 different identifiers of the pattern"):
        draw_identifiers(item, "HU", 11, seed="a")


def test_what_has_the_declared_pattern_is_an_identifier_whatever_it_looks_like() -> None:
    intake = taken_in("031201;27-Jan;A;2012;girl", pattern=(("", "[0-9]{2}-[A-Z][a-z]{2}"),))
    assert intake.frames["pupil"]["pupil_id"].tolist() == ["27-Jan"]


@pytest.mark.parametrize(("scope", "n_asked"), [("school", 0), ("country", 2), ("trial", 3)])
def test_an_identifier_in_two_schools_is_asked_about_where_it_should_be_one_pupil_s(scope: Scope, n_asked: int) -> None:
    rows = "031201;5;A;2012;girl\n031202;5;B;2011;boy\nRS-101;5;C;2010;girl"
    found = [one for one in taken_in(rows, scope=scope).findings if "list of another school" in one.problem]
    assert len(found) == n_asked


def test_a_pattern_that_is_none_and_one_of_a_number_are_refused() -> None:
    for pattern, kind in ((("", "["), "identifier"), (("", "1"), "text")):
        with pytest.raises(Exception, match="pattern"):
            Field("x", kind, pattern=(pattern,))  # type: ignore[arg-type]
