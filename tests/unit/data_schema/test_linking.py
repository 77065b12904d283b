"""Pupils whose identifier changes are followed across waves, and never on a guess."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.linking import LINK_COLUMNS, compute_likeness, find_candidates
from data_schema.queries import query_workbook
from data_schema.school_tables import standard_tables
from data_schema.tables import extended
from tests.unit.data_schema.test_queries import answered

TABLES = dict(standard_tables())
TABLES["pupil"] = extended(TABLES["pupil"], [Field("birth_date", "date")])
SCHOOLS = {"031201": "HU", "031202": "HU"}
RULES = [
    InboxRule("a_*.csv", "pupil", wave="a"),
    InboxRule("b_*.csv", "pupil", wave="b"),
    InboxRule("status.csv", "status", wave="b"),
]
HEADER = "school_id;pupil_id;name;class;birth_date;birth_year;gender\n"
FIRST = HEADER + (
    "031201;0001;Kiss Anna;9.a;2011-05-06;2011;girl\n"
    "031201;0002;Nagy Bence;9.a;2011-07-08;2011;boy\n"
    "031201;0003;Szabó Éva;9.a;;2012;girl\n"
)


def taken_in(later: str, *, follow: bool = True, files: Mapping[str, bytes] | None = None) -> Intake:
    status = b"school_id;pupil_id;status\n031202;77;enrolled\n031201;0002;enrolled\n"
    sent = {"a_1.csv": FIRST.encode(), "b_1.csv": (HEADER + later).encode(), "status.csv": status, **(files or {})}
    return read_inbox(sent, rules=RULES, tables=TABLES, schools=SCHOOLS, waves=["a", "b"], follow=follow)


KEPT = "031201;0002;Nagy Bence;10.a;2011-07-08;2011;boy\n"


def test_a_pupil_who_moves_to_a_school_of_the_trial_is_followed_and_counts_for_the_first_one() -> None:
    intake = taken_in(f"{KEPT}031202;77;ANNA  KISS;10.b;2011. május 6.;2011;girl\n")
    pupils = intake.frames["pupil"].query("wave == 'b'")
    assert pupils[["school_id", "pupil_id"]].to_numpy().tolist() == [["031201", "0001"], ["031201", "0002"]]
    statuses = intake.frames["status"]
    assert statuses[["school_id", "pupil_id"]].to_numpy().tolist() == [["031201", "0001"], ["031201", "0002"]]
    assert intake.links is not None
    (link,) = intake.links.to_dict("records")
    assert (link["status"], link["school_id"], link["first_school_id"]) == ("certain", "031202", "031201")
    (note,) = [one for one in intake.findings if "are linked" in one.problem]
    assert (note.file, note.row, note.severity) == ("b_1.csv", 3, "note")
    assert "Kiss" not in str(note)


def test_without_the_date_of_birth_the_school_is_asked_and_its_yes_links() -> None:
    later = f"{KEPT}031201;0099;Szabó Éva;10.a;;2012;girl\n"
    intake = taken_in(later)
    assert [(one.row, one.column) for one in intake.findings.by_severity("question") if one.file == "b_1.csv"] == [
        (3, "pupil_id")
    ]
    assert "0099" in intake.frames["pupil"]["pupil_id"].tolist()
    content = query_workbook(
        intake.queries["031201"], school="031201", catalogue=Catalogue("data_schema", Language("en"))
    )
    back = answered(content, {("3", "Pupil"): "yes"})
    again = taken_in(later, files={"back.xlsx": back})
    assert not [one for one in again.findings.by_severity("question") if one.file == "b_1.csv"]
    assert "0099" not in again.frames["pupil"]["pupil_id"].tolist()
    assert again.links is not None
    assert again.links["status"].tolist() == ["confirmed"]


def test_two_who_are_alike_are_asked_about_and_none_is_linked() -> None:
    intake = taken_in(
        f"{KEPT}031201;0098;Kiss Anna;10.a;2011-05-06;2011;girl\n031202;0097;Kiss Anna;10.a;2011-05-06;2011;girl\n"
    )
    assert intake.links is not None
    assert intake.links["status"].tolist() == ["asked", "asked"]
    assert {"0098", "0097"} <= set(intake.frames["pupil"]["pupil_id"])
    assert sum("listed by another school" in one.problem for one in intake.findings) == 2


def test_another_birth_or_another_name_is_another_pupil() -> None:
    intake = taken_in(
        f"{KEPT}031201;0098;Kiss Anna;10.a;2010-01-01;2010;girl\n031201;0097;Tóth Réka;10.a;2011-05-06;2011;girl\n"
    )
    assert intake.links is not None
    assert intake.links.empty
    assert tuple(intake.links) == LINK_COLUMNS


def test_a_record_of_the_first_school_in_the_same_wave_stays_beside_that_of_the_new_one() -> None:
    intake = taken_in(f"{KEPT}031202;77;Kiss Anna;10.b;2011-05-06;2011;girl\n")
    status = b"school_id;pupil_id;status\n031202;77;enrolled\n031201;0001;transferred\n"
    both = taken_in(f"{KEPT}031202;77;Kiss Anna;10.b;2011-05-06;2011;girl\n", files={"status.csv": status})
    assert len(intake.frames["status"]) == len(both.frames["status"]) == 2
    assert not both.frames["status"].duplicated(["school_id", "pupil_id", "wave"]).any()


def test_nobody_is_followed_unless_it_is_asked_for() -> None:
    intake = taken_in("031202;77;Kiss Anna;10.b;2011-05-06;2011;girl\n", follow=False)
    assert intake.links is None
    assert "77" in intake.frames["pupil"]["pupil_id"].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [("Đorđević Žarko", "Жарко Ђорђевић"), ("Szűcs Árpád", "szucs arpad"), ("Čuček, Žiga", "Ziga Cucek")],
)
def test_names_are_alike_in_any_script_case_and_order(one: str, other: str) -> None:
    assert compute_likeness(one, other) > 0.95


def test_a_letter_of_difference_is_sure_only_with_the_date_of_birth() -> None:
    old = pd.DataFrame({"name": ["Kovács Katalin"], "birth_date": pd.to_datetime(["2011-01-02"])})
    new = pd.DataFrame({"name": ["Kovács Katallin"], "birth_date": pd.to_datetime(["2011-01-02"])})
    (found,) = find_candidates(new, old)
    assert found.is_sure
    (unsure,) = find_candidates(new.drop(columns="birth_date"), old.drop(columns="birth_date"))
    assert not unsure.is_sure
    assert find_candidates(new.assign(name="Nagy Béla"), old) == []
