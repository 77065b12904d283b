"""Canonical text and bytes."""

from __future__ import annotations

import pytest

from randomisation.canonical import compute_sha256, encode_table, format_quoted_list, is_plain


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a\tb", "a\nb", "a\x00", "a\x85b", "\u2028b", "\ud800", "a\xa0"])
def test_text_that_could_fake_a_column_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize("text", ["05", "Szeged 05", "Техничка школа", "a/b, c; d"])
def test_ordinary_text_is_plain(text: str) -> None:
    assert is_plain(text)


def test_a_table_ends_every_line_with_a_line_feed() -> None:
    assert encode_table(("school_id", "arm"), [("Ő1", "a b")]) == "school_id\tarm\nŐ1\ta b\n".encode()


def test_sha256_is_that_of_the_standard() -> None:
    assert compute_sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_long_lists_are_cut() -> None:
    assert format_quoted_list(["a"]) == "'a'"
    assert format_quoted_list(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more"
