"""Encodings, told by the letters of the country."""

from __future__ import annotations

import pytest

from data_schema.readers.alphabets import ALPHABETS, decode_text

NAMES = {
    "HU": "Őri Győző; Szűcs Árpád – Éva, Íjász Öcsi, Üveges Ödön",
    "RS": "Đorđević Žarko; Čolić Šćepan",
    "SI": "Špela Kožuh; Žiga Čuček",
}
CYRILLIC = "Љиљана Ђорђевић; Шћекић Џорџ"


@pytest.mark.parametrize("country", NAMES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1250", "cp852"])
def test_a_file_in_a_usual_encoding_is_read_as_it_was_written(country: str, encoding: str) -> None:
    # cp852 has no dash.
    text = NAMES[country].replace("–", "-") if encoding == "cp852" else NAMES[country]
    assert decode_text(text.encode(encoding), countries=[country]) == (text,)


@pytest.mark.parametrize("country", ["RS", "SI"])
def test_latin_2_is_not_taken_for_cp1250(country: str) -> None:
    text = NAMES[country]
    assert decode_text(text.encode("iso8859_2"), countries=[country]) == (text,)


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-16-le", "utf-16-be"])
def test_cyrillic_is_read(encoding: str) -> None:
    text = CYRILLIC if encoding in ("cp1251", "utf-8") else f"a;b\n{CYRILLIC}"
    assert decode_text(text.encode(encoding), countries=["RS"]) == (text,)


def test_letters_of_no_country_named_are_none() -> None:
    assert decode_text("Łódź".encode("cp1250"), countries=["SI"]) == ()


def test_without_country_all_alphabets_are_tried() -> None:
    assert "Kožuh" in decode_text("Kožuh".encode("cp1250"))
    assert decode_text("Kožuh".encode("cp1250"), countries=["XX"]) == decode_text("Kožuh".encode("cp1250"))


def test_bytes_that_are_unicode_by_chance_are_read_in_the_letters_of_the_country() -> None:
    content = "čšž".encode("cp1250")
    assert content.decode("utf-8") == "蚞"
    assert decode_text(content, countries=["SI"]) == ("čšž",)


def test_letters_of_another_country_stay_in_unicode() -> None:
    assert decode_text("François Łódź 蚞".encode(), countries=["SI"]) == ("François Łódź 蚞",)
    assert decode_text("蚞".encode("utf-8-sig"), countries=["SI"]) == ("蚞",)


def test_text_that_makes_sense_twice_is_given_twice() -> None:
    # One byte, E7: a letter of cp852 and one of cp1251.
    readings = decode_text(b"\xe7", countries=["RS"])
    assert set(readings) == {"š", "з"}


def test_decomposed_accents_are_composed() -> None:
    assert decode_text("Ko\u017e".encode()) == decode_text("Koz\u030c".encode())


def test_broken_unicode_is_not_guessed_at() -> None:
    assert decode_text(b"\xff\xfe\x00") == ()
    assert decode_text(b"a\x00b\x00\x00") == ()


def test_alphabets_are_in_lower_case_and_beyond_ascii() -> None:
    for letters in ALPHABETS.values():
        assert letters == letters.lower()
        assert not any(letter.isascii() for letter in letters)
