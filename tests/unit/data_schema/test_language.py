"""Languages, catalogues and the Latin spelling of Serbian."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schema.errors import ProtocolError
from data_schema.language import LANGUAGES, PSEUDO, Catalogue, Language, get_available_languages, to_latin

PO = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {forms};\\n"

msgid "Schools"
msgstr "{schools}"

msgid "{{n}} school"
msgid_plural "{{n}} schools"
{plurals}
"""
SLOVENIAN = PO.format(
    forms="nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3)",
    schools="Šole",
    plurals='msgstr[0] "{n} šola"\nmsgstr[1] "{n} šoli"\nmsgstr[2] "{n} šole"\nmsgstr[3] "{n} šol"',
)
SERBIAN = PO.format(
    forms="nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2)",
    schools="Школе",
    plurals='msgstr[0] "{n} школа"\nmsgstr[1] "{n} школе"\nmsgstr[2] "{n} школа"',
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Make a package with Slovenian and Serbian texts that can be imported."""
    name = f"translated_{abs(hash(request.node.name))}"
    folder = tmp_path / name / "locales"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "sl.po").write_text(SLOVENIAN, encoding="utf-8")
    (folder / "sr.po").write_text(SERBIAN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop(name, None)
    return name


def test_english_needs_no_file() -> None:
    assert Catalogue("reports", Language("en")).text("{n} of {all}", n="1", all="2") == "1 of 2"


def test_a_plural_follows_the_number() -> None:
    catalogue = Catalogue("reports", Language("en"))
    forms = [catalogue.plural("{n} school", "{n} schools", count) for count in (0, 1, 2)]
    assert forms == ["0 schools", "1 school", "2 schools"]


def test_a_finished_number_replaces_the_plain_one() -> None:
    assert Catalogue("reports", Language("en")).plural("{n} row", "{n} rows", 1200, n="1,200") == "1,200 rows"


def test_slovenian_has_its_dual(package: str) -> None:
    catalogue = Catalogue(package, Language("sl"))
    forms = [catalogue.plural("{n} school", "{n} schools", count) for count in (1, 2, 3, 5, 101, 102)]
    assert forms == ["1 šola", "2 šoli", "3 šole", "5 šol", "101 šola", "102 šoli"]


def test_serbian_latin_is_made_from_the_cyrillic_file(package: str) -> None:
    assert Catalogue(package, Language("sr")).text("Schools") == "Школе"
    assert Catalogue(package, Language("sr-Latn")).text("Schools") == "Škole"
    assert Catalogue(package, Language("sr-Latn")).plural("{n} school", "{n} schools", 22) == "22 škole"


def test_values_are_not_transliterated(package: str) -> None:
    template = Catalogue(package, Language("sr-Latn")).text("{name}", name="Ниш")
    assert template == "Ниш"


def test_what_is_not_translated_is_english(package: str) -> None:
    assert Catalogue(package, Language("sl")).text("Pupils") == "Pupils"


def test_a_language_without_texts_is_refused_with_those_that_have_some(package: str) -> None:
    with pytest.raises(ProtocolError, match=r"no texts of .* in magyar"):
        Catalogue(package, Language("hu")).text("Schools")
    assert get_available_languages(package) == ("en", "sr", "sr-Latn", "sl")


def test_an_unknown_language_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ProtocolError, match=r"'de' is not a language.*en, hu, sr, sr-Latn, sl"):
        Language("de")


def test_the_pseudo_language_marks_literal_passages_only() -> None:
    catalogue = Catalogue("reports", Language(PSEUDO))
    assert catalogue.text("{a} of {b} schools {{", a="x", b="y") == "x⟦ of ⟧y⟦ schools {⟧"


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_every_language_has_name_locale_and_tag(code: str) -> None:
    language = Language(code)
    assert language.name == LANGUAGES[code]
    assert language.locale
    assert language.tag.startswith(code.split("-", maxsplit=1)[0])


@pytest.mark.parametrize(
    ("cyrillic", "latin"),
    [
        ("Љубав", "Ljubav"),
        ("ЊЕГОШ", "NJEGOŠ"),
        ("Џ", "Dž"),
        ("ИЗ Љ", "IZ Lj"),
        ("ђак и ћирилица", "đak i ćirilica"),
        ("ОЈ", "OJ"),
    ],
)
def test_cyrillic_becomes_latin(cyrillic: str, latin: str) -> None:
    assert to_latin(cyrillic) == latin


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF)))
def test_latin_text_stays_what_it_is(text: str) -> None:
    assert to_latin(text) == text


@given(st.text(alphabet="абвгдђежзијклљмнњопрстћуфхцчџшАБВГДЂЕЖЗИЈКЛЉМНЊОПРСТЋУФХЦЧЏШ "))
def test_no_cyrillic_letter_is_left(text: str) -> None:
    assert not any("\u0400" <= letter <= "\u04ff" for letter in to_latin(text))
