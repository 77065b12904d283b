"""The standard tables, and a trial's own."""

from __future__ import annotations

import re

import pytest

from analysis.simulation import SimulatedTrial, simulate_pupils, simulate_schools
from analysis.simulation.names import convert_cyrillic_to_latin
from data_schema.errors import ProtocolError
from data_schema.fields import Code, Field, normalise_header
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended

TABLES = standard_tables()


def test_the_standard_tables_have_the_columns_that_the_simulation_makes() -> None:
    spec = SimulatedTrial.small()
    schools = simulate_schools(spec, seed=1)
    data = simulate_pupils(spec, schools, dict.fromkeys(schools["school_id"], spec.arm), seed=1)
    assert set(TABLES["school"].names) == set(schools.columns)
    assert set(TABLES) == {"school", *data.tables}
    for name, frame in data.tables.items():
        assert set(TABLES[name].names) == set(frame.columns) - {"wave"}
        assert TABLES[name].by_wave == ("wave" in frame)
        key = [*TABLES[name].key, *(["wave"] if TABLES[name].by_wave else [])]
        assert not frame.duplicated(key).any()


def test_every_field_has_headers_in_both_serbian_scripts() -> None:
    for table in TABLES.values():
        there = table.in_country("RS")
        for item in there.fields:
            cyrillic = next(text for text in item.headers if re.search("[Ѐ-ӿ]", text))
            assert {normalise_header(cyrillic), normalise_header(convert_cyrillic_to_latin(cyrillic))} <= set(
                item.header_keys
            )
            assert item.label
            assert item.label[0].isupper()


def test_only_the_pupils_name_is_direct_and_only_their_identifier_becomes_a_pseudonym() -> None:
    private = {
        (table.name, item.name): item.privacy for table in TABLES.values() for item in table.fields if item.is_private
    }
    assert {place for place, privacy in private.items() if privacy == "direct"} == {("pupil", "name")}
    assert {name for (_, name), privacy in private.items() if privacy == "identifier"} == {"pupil_id"}
    assert {table for table, name in private if name == "pupil_id"} == {"pupil", "status", "signals", "survey"}


def test_a_field_is_found_by_its_name() -> None:
    assert TABLES["status"].field("status").required
    with pytest.raises(KeyError):
        TABLES["status"].field("statues")


def test_an_extended_table_replaces_adds_and_leaves_out() -> None:
    made = extended(TABLES["pupil"], [Field("gender", "text"), Field("siblings", "whole_number")], without=["class"])
    assert made.field("gender").type == "text"
    assert made.names[-1] == "siblings"
    assert "class" not in made.names
    assert made.names.index("gender") == TABLES["pupil"].names.index("gender") - 1
    assert "class" in TABLES["pupil"].names


@pytest.mark.parametrize(
    ("fields", "without", "text"),
    [
        ([], ["nothing"], "no such field"),
        ([], ["pupil_id"], "its key needs"),
        ([Field("sex", "text", headers=("Gender",))], [], "means both"),
        ([Field("wave", "text")], [], "intake adds itself"),
        ([Field("pupil_id", "identifier", waves=("w",))], [], "asked in some waves only"),
        ([Field("plan", "text", asked_if=("gender", ("nobody",)))], [], "field 'plan': it is asked only if 'gender'"),
        ([Field("plan", "text", asked_if=("shoe_size", ("42",)))], [], "which cannot be"),
    ],
)
def test_a_table_that_contradicts_itself_cannot_be_made(fields: list[Field], without: list[str], text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        extended(TABLES["pupil"], fields, without=without)


def test_a_table_about_pupils_needs_both_identifiers_and_every_table_a_key() -> None:
    school = Field("school_id", "identifier")
    with pytest.raises(ProtocolError, match="pupil_id"):
        Table(name="exam", fields=(school,), key=("school_id",))
    with pytest.raises(ProtocolError, match="its key needs a field"):
        Table(name="exam", fields=(school,), key=(), about="school")
    with pytest.raises(ProtocolError, match="two fields"):
        Table(name="exam", fields=(school, school), key=("school_id",), about="school")


def test_a_table_has_the_fields_that_a_wave_asks_for() -> None:
    later = extended(TABLES["status"], [Field("job", "text", waves=("followup",))])
    assert "job" not in later.in_wave("baseline").names
    assert later.in_wave("followup") == later
    with pytest.raises(ProtocolError, match="not collected by wave"):
        extended(TABLES["costs"], [Field("source", "text", waves=("followup",))])


def test_a_field_is_asked_always_where_the_answers_that_it_is_asked_with_are_gone() -> None:
    assert TABLES["status"].field("destination_confirmed").asked_if == ("status", ("transferred",))
    other = Field("status", "code", codes=(Code("there"), Code("gone")))
    assert extended(TABLES["status"], [other]).field("destination_confirmed").asked_if is None
    assert extended(TABLES["status"], [], without=["status"]).field("status_date").asked_if is None
