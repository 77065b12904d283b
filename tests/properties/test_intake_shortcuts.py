"""What makes intake fast changes nothing: with and without each shortcut, the same files give the same."""

from __future__ import annotations

import random
from unittest.mock import patch

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from data_schema import columns, layout
from data_schema.fields import Field
from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.personal import names as names_of_persons
from data_schema.personal.names import KnownPersons
from data_schema.readers import alphabets
from data_schema.readers.alphabets import ALPHABETS, decode_text
from data_schema.repairs import find_non_plain_cells
from data_schema.school_tables import standard_tables

SCHOOLS = {"031201": "HU", "RS-101": "RS", "RS-102": "RS"}
WORDS = {
    "school_id": ["031201", "RS-101", "rs-101", "31201", "RS-999", "", "Total"],
    "pupil_id": ["0001", "0002", "3", " 4", "", "1.0", "1E+05", "#REF!", "NA", "Kiss Anna"],
    "name": ["Kiss Anna", " Nagy  Bence", "Đorđević Žarko", "Анна", "", "-", "=A1"],
    "class": ["9.a", "Kiss Anna", "9.a ", "12/c"],
    "birth_year": ["2010", "2010.", "11", "Kiss"],
    "gender": ["girl", "LÁNY", "f", ""],
    "prior_average": ["4,5", "4.5", "1.234", "55", "-", "jó"],
}
cells = st.lists(st.fixed_dictionaries({name: st.sampled_from(words) for name, words in WORDS.items()}), max_size=40)


def csv_of(rows: list[dict[str, str]]) -> bytes:
    lines = [";".join(WORDS), *(";".join(row.values()) for row in rows)]
    return "\n".join(lines).encode()


def taken_in(files: dict[str, bytes]) -> Intake:
    rules = [InboxRule("*.csv", "pupil", wave="baseline")]
    return read_inbox(files, rules=rules, tables=standard_tables(), schools=SCHOOLS, waves=["baseline"])


def assert_same(one: Intake, other: Intake) -> None:
    assert one.findings == other.findings
    assert one.queries == other.queries
    pd.testing.assert_frame_equal(one.repairs, other.repairs)
    pd.testing.assert_frame_equal(one.reconciliation, other.reconciliation)
    assert one.frames.keys() == other.frames.keys()
    for name, frame in one.frames.items():
        pd.testing.assert_frame_equal(frame, other.frames[name])


@settings(max_examples=60, deadline=None)
@given(cells, cells)
def test_cells_judged_one_by_one_and_by_their_distinct_values_give_the_same(
    first: list[dict[str, str]], second: list[dict[str, str]]
) -> None:
    files = {"a.csv": csv_of(first), "b.csv": csv_of(second)}
    by_value = taken_in(files)
    with patch.object(columns, "_N_TRIED", -1), patch.object(columns, "_SHARE_SINGLE", -1.0):
        one_by_one = taken_in(files)
    with patch.object(layout, "_BLOCK", 1):
        row_by_row = taken_in(files)
    assert_same(by_value, one_by_one)
    assert_same(by_value, row_by_row)


def test_what_many_pupils_have_is_no_persons_name_however_its_cells_are_gone_through() -> None:
    head = "school_id;pupil_id;class;gender"
    of_many = [f"031201;{k:04d};Kiss Anna;girl" for k in range(4)]
    of_one = [f"031201;{written};Nagy Bence;girl" for written in ("0009", " 0009", "0009 ")]
    files = {"a.csv": "\n".join([head, *of_many, *of_one]).encode()}
    by_value = taken_in(files)
    with patch.object(columns, "_N_TRIED", -1), patch.object(columns, "_SHARE_SINGLE", -1.0):
        one_by_one = taken_in(files)
    assert_same(by_value, one_by_one)
    asked = [(one.row, one.problem) for one in by_value.findings if one.column == "class"]
    assert [row for row, problem in asked if "the name of a person" in problem] == [6]  # Its copies are not kept.


def test_a_file_of_many_pupils_is_judged_like_its_rows_alone() -> None:
    rng = random.Random(3)  # noqa: S311 -- no secret
    rows = []
    for k in range(7_000):
        row = {name: rng.choice(words) for name, words in WORDS.items()}
        rows.append(row | {"pupil_id": f"{k:05d}"} if rng.random() < 0.98 else row)
    files = {"a.csv": csv_of(rows)}
    by_value = taken_in(files)
    with patch.object(columns, "_N_TRIED", 10**9):
        never_single = taken_in(files)
    assert_same(by_value, never_single)
    assert by_value.reconciliation["sent"].item() == len(rows)


any_cell = st.one_of(
    st.none(), st.text(max_size=12), st.integers(), st.from_regex(r"[\w.,()\n -]{0,12}"), st.sampled_from(["NA", "N/A"])
)
words = st.sampled_from(["0001", "Kiss Anna", "9.a", "ž", "z\u030c", "NA", "a\nb"])


@given(st.lists(st.one_of(any_cell, words), max_size=12), st.sampled_from(["identifier", "text"]))
def test_cells_looked_at_together_are_plain_when_each_alone_is(cells: list[str | int | None], kind: str) -> None:
    field = Field("x", "identifier" if kind == "identifier" else "text")
    alone = [at for at, cell in enumerate(cells) if list(find_non_plain_cells([cell], field))]
    assert list(find_non_plain_cells(cells, field)) == alone


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from('abcxz ;\n"–\u00a0“§' + "".join(sorted(set("".join(ALPHABETS.values()))))), min_size=1),
    st.sampled_from(["cp1250", "cp1251", "cp852", "iso8859_2", "utf-8"]),
    st.sampled_from(sorted(ALPHABETS)),
)
def test_letters_with_their_neighbours_tell_the_encoding_as_the_whole_text_does(
    text: str, page: str, country: str
) -> None:
    content = text.encode(page, errors="ignore")
    by_neighbours = decode_text(content, countries=[country])
    with patch.object(alphabets, "_extract_letter_contexts", lambda whole: whole):
        by_the_whole = decode_text(content, countries=[country])
    assert by_neighbours == by_the_whole
    with patch.object(alphabets, "_N_SORTED", 0):
        assert decode_text(content, countries=[country]) == by_neighbours


names = st.lists(st.sampled_from(["Kiss Anna", "Nagy Bence ", "Đorđević Žarko", "Bo Li", "Annamária Kis"]))
texts = st.lists(st.sampled_from(["Anna", "KISS anna", "annam", "Zarko", "9.a", "mária", "00123", "kiss nagy anna"]))


@given(names, texts)
def test_names_looked_for_in_one_text_and_in_a_list_of_words_are_the_same(sent: list[str], asked: list[str]) -> None:
    looked_for = KnownPersons(names=sent, identifiers=[])
    with patch.object(names_of_persons, "_N_LOOKED_FOR", 0):
        listed = KnownPersons(names=sent, identifiers=[])
        by_list = [(listed.covers(text), listed.is_name(text)) for text in asked]
    assert [(looked_for.covers(text), looked_for.is_name(text)) for text in asked] == by_list
