"""What must not be shown."""

from __future__ import annotations

import pytest

from data_schema.personal.names import KnownPersons, is_like_name

WITHHELD = KnownPersons(
    names=["Kiss Anna", "Đorđević Žarko ", "Bo Li", "1"], identifiers=["70031201001", " 001/27 ", "12"]
)


@pytest.mark.parametrize(
    "text", ["Kiss", "anna k.", "KISS ANNA", "zarko", "x Đorđević", "70031201001", " 001/27", "Ánna"]
)
def test_words_of_names_and_identifiers_are_covered(text: str) -> None:
    assert WITHHELD.covers(text)


@pytest.mark.parametrize("text", ["", "55", "12", "1", "Kissing", "Bo", "70031201002", "9.a", "???"])
def test_other_words_and_short_numbers_are_not(text: str) -> None:
    assert not WITHHELD.covers(text)


def test_a_whole_name_is_told_from_one_word_of_it() -> None:
    assert WITHHELD.is_name("class of Anna KISS")
    assert not WITHHELD.is_name("Anna")
    assert not WITHHELD.is_name("Anna Žarko")
    assert not WITHHELD.is_name("9.a")


def test_without_names_nothing_is_covered() -> None:
    nothing = KnownPersons(names=[], identifiers=[])
    assert not nothing.covers("Anna")
    assert not nothing.is_name("Kiss Anna")


@pytest.mark.parametrize(
    ("text", "where_words_belong", "elsewhere"),
    [
        ("Nagy Bence", True, True),
        ("Li-Bo", True, True),
        ("Bence", False, True),
        ("jó", False, False),
        ("2O11", False, False),
        ("SI-LJ-04", False, False),
        ("???", False, False),
        ("31.2.2027", False, False),
    ],
)
def test_what_may_be_a_name_depends_on_where_it_stands(text: str, *, where_words_belong: bool, elsewhere: bool) -> None:
    assert is_like_name(text, among_words=True) == where_words_belong
    assert is_like_name(text, among_words=False) == elsewhere
