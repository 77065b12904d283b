"""What the standard fields are called and mean in Hungarian, Serbian and Slovenian, and the words that schools write.

The words are in ``registers/LANGUAGE.toml``: label, definition, example and source register of each field, further
headers, answers, and words with two meanings, which are asked about and never guessed. Serbian is written there in
Cyrillic; Latin is made from it, which is the unambiguous direction, and intake compares both in Latin letters.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TypedDict, cast

from data_schema.fields import Code, normalise_header
from data_schema.language import to_latin

LANGUAGES = ("sr", "hu", "sl")
"""Languages whose words are known, beside English."""


class _Told(TypedDict, total=False):
    label: str
    definition: str
    example: str
    source: str
    headers: list[str]
    ask: dict[str, str]
    items: list[str]


class _Register(TypedDict, total=False):
    countries: list[str]
    fields: dict[str, _Told]
    never: dict[str, list[str]]
    answers: dict[str, dict[str, list[str]]]
    ask: dict[str, dict[str, list[str]]]
    words: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a language says of a standard field; each part is empty where there is nothing.

    Parameters
    ----------
    label
        What people call it, in small letters as within a sentence; empty in English.
    wording
        The question, for items of a scale.
    definition
        One sentence that says what is asked for.
    example
        An answer.
    source
        The register that a school takes it from.
    """

    label: str = ""
    wording: str = ""
    definition: str = ""
    example: str = ""
    source: str = ""

    def latin(self) -> Explained:
        """Return it in Latin letters."""
        texts = (self.label, self.wording, self.definition, self.example, self.source)
        label, wording, definition, example, source = map(to_latin, texts)
        return Explained(label=label, wording=wording, definition=definition, example=example, source=source)


@cache
def _register(language: str) -> _Register:
    text = (resources.files("data_schema") / "registers" / f"{language}.toml").read_text(encoding="utf-8")
    return cast("_Register", tomllib.loads(text))


def _find_register_entry(name: str, language: str, *, about: str = "pupil") -> tuple[_Told, int]:
    """Return what a register says of a field, and its number where it is an item of a scale; 0 otherwise."""
    fields = _register(language)["fields"]
    if (name, about) == ("name", "school"):
        return fields["school name"], 0
    if name in fields:
        return fields[name], 0
    base, _, number = name.rpartition("_")
    field_entry = fields.get(base, {}) if number.isdecimal() else {}
    return (field_entry, int(number)) if "items" in field_entry else ({}, 0)


@cache
def describe_vocabulary(name: str, language: str, *, about: str = "pupil") -> Explained:
    """Return what a language says of a field; nothing of fields that are not of the standard tables.

    Parameters
    ----------
    name
        Name of the field.
    language
        "en", "hu", "sr", "sr-Latn" or "sl"; any other is taken for English.
    about
        "school" where the field is of the table of schools, whose "name" is another.

    Examples
    --------
    >>> describe_vocabulary("engagement_2", "sl").wording, describe_vocabulary("birth_year", "sr-Latn").label
    ('Sodelujem pri tem, kar dela oddelek.', 'godina rođenja')
    >>> describe_vocabulary("shoe_size", "hu")
    Explained(label='', wording='', definition='', example='', source='')
    """
    if language == "sr-Latn":
        return describe_vocabulary(name, "sr", about=about).latin()
    spoken = language if language in LANGUAGES else "en"
    (field_entry, number), (english, _) = (
        _find_register_entry(name, spoken, about=about),
        _find_register_entry(name, "en", about=about),
    )
    items = field_entry.get("items", [])
    label = field_entry.get("label", "")
    return Explained(
        label=f"{label} {number}" if label and number else label,
        wording=items[(number or 1) - 1] if 0 < (number or 1) <= len(items) else "",
        definition=field_entry.get("definition", ""),
        example=field_entry.get("example", english.get("example", "")),
        source=field_entry.get("source", ""),
    )


def get_heading(name: str, language: str, *, about: str = "pupil") -> str:
    """Return what a language calls a standard field; empty for other fields and for English.

    Examples
    --------
    >>> get_heading("engagement_2", "sl"), get_heading("birth_year", "sr-Latn"), get_heading("shoe_size", "hu")
    ('zavzetost 2', 'godina rođenja', '')
    """
    return describe_vocabulary(name, language, about=about).label


def get_written_language(country: str) -> str:
    """Return the language whose words the schools of a country write; "" where it is none that is known."""
    return next((code for code in LANGUAGES if country in _register(code)["countries"]), "")


def _iterate_spellings(word: str, language: str) -> Iterator[str]:
    yield word
    if language == "sr" and "ђ" in word.casefold():
        # Keyboards without đ write dj.
        yield to_latin(word).replace("đ", "dj").replace("Đ", "Dj")


def _get_language_headers(name: str, language: str) -> tuple[str, ...]:
    """Return the headers of a field in one language, its label first, the question of an item of a scale last."""
    field_entry, number = _find_register_entry(name, language, about="school" if name == "school name" else "pupil")
    words = [field_entry["label"], *field_entry.get("headers", [])] if "label" in field_entry else []
    written = [spelling for word in words for spelling in _iterate_spellings(word, language)]
    asked = describe_vocabulary(name, language).wording
    return (*(f"{word} {number}" if number else word for word in written), *([asked] if asked else []))


@cache
def _index_owners_by_header(language: str) -> Mapping[str, str]:
    """Return the field that each header means in a language, headers as they are compared."""
    fields = (name for name in _register(language)["fields"] if name != "school name")
    return MappingProxyType(
        {normalise_header(word): name for name in fields for word in _get_language_headers(name, language)}
    )


def collect_headers(name: str, *, item: int | None = None) -> tuple[str, ...]:
    """Return the headers that schools write for a standard field, of all languages: those that mean it in each.

    Parameters
    ----------
    name
        Name of the field, or of the scale that it is an item of.
    item
        Number of the item, for items of a scale.

    Examples
    --------
    >>> collect_headers("engagement", item=2)[:2]
    ('ангажованост 2', 'Учествујем у ономе што одељење ради.')
    """
    full = name if item is None else f"{name}_{item}"
    words = (word for language in (*LANGUAGES, "en") for word in _get_language_headers(full, language))
    same = {name, full}
    shared_words = (
        word
        for word in words
        if all(_index_owners_by_header(code).get(normalise_header(word), name) in same for code in LANGUAGES)
    )
    return tuple(dict.fromkeys(shared_words))


def get_known_headers(name: str) -> tuple[str, ...]:
    """Return what the languages call a field of a standard name; nothing for any other name.

    Examples
    --------
    >>> get_known_headers("month"), get_known_headers("shoe_size")
    (('месец', 'hónap', 'mesec'), ())
    """
    words = (get_heading(name, language) for language in LANGUAGES)
    return tuple(dict.fromkeys(word for word in words if word))


def get_local_headers(name: str, country: str) -> tuple[str, ...]:
    """Return the headers that schools of a country write for a field; none where its words are not known."""
    language = get_written_language(country)
    return _get_language_headers(name, language) if language else ()


@cache
def get_doubtful_headers(country: str) -> Mapping[str, tuple[str, str]]:
    """Return headers that may mean a field or something else, as they are compared: the field, and that something.

    Parameters
    ----------
    country
        The country whose schools write; of all languages where its words are not known.
    """
    meanings_by_header: dict[str, tuple[str, str]] = {}
    for language in _get_languages_for(country):
        for name, field_entry in _register(language)["fields"].items():
            for word, meaning in field_entry.get("ask", {}).items():
                meanings_by_header |= {
                    normalise_header(spelling): (name, meaning) for spelling in _iterate_spellings(word, language)
                }
    return MappingProxyType(meanings_by_header)


@cache
def get_unwanted_headers(country: str) -> Mapping[str, str]:
    """Return headers of columns that no trial collects, as they are compared: "national", "parent" or "contact"."""
    kinds = [(kind, words) for code in _get_languages_for(country) for kind, words in _register(code)["never"].items()]
    return MappingProxyType({normalise_header(word): kind for kind, words in kinds for word in words})


def _get_languages_for(country: str) -> tuple[str, ...]:
    language = get_written_language(country)
    return (language,) if language else LANGUAGES


@cache
def collect_spoken_words(what: str) -> frozenset[str]:
    """Return the words of all languages for "unknown" (nobody knows) or "no_mark" (not marked), in small letters."""
    words = (word for language in LANGUAGES for word in _register(language)["words"][what])
    return frozenset(spelling for word in words for spelling in (word, to_latin(word)))


def get_doubtful_answers(name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return words that schools write for more than one answer of a standard field, with these answers.

    Examples
    --------
    >>> dict(get_doubtful_answers("status"))["izpisan"]
    ('transferred', 'left_early')
    """
    doubtful_words = (entry for language in LANGUAGES for entry in _register(language)["ask"].get(name, {}).items())
    return tuple((word, tuple(codes)) for word, codes in doubtful_words)


def _add_words_to_codes(name: str, *codes: Code) -> tuple[Code, ...]:
    """Return the answers of a field with the words of all languages for them."""
    answers = [(language, _register(language)["answers"].get(name, {})) for language in LANGUAGES]
    return tuple(
        replace(
            code,
            synonyms=(
                *code.synonyms,
                *(
                    spelling
                    for language, words_by_answer in answers
                    for word in words_by_answer.get(code.name, [])
                    for spelling in _iterate_spellings(word, language)
                ),
            ),
        )
        for code in codes
    )


GENDER = _add_words_to_codes(
    "gender", Code("girl", "Girl", ("female",)), Code("boy", "Boy", ("male",)), Code("other", "Other")
)
"""Without "f": it represents a girl in English and for a boy ("fiú") in Hungarian, so it is asked about."""

STATUS = _add_words_to_codes(
    "status",
    Code("enrolled", "Enrolled"),
    Code("transferred", "Transferred"),
    Code("completed", "Completed"),
    Code("left_early", "Left early"),
    Code("unknown", "Unknown"),
)
SCHOOL_TYPE = _add_words_to_codes(
    "type", Code("vocational", "Vocational"), Code("general", "General"), Code("mixed", "Mixed")
)
SETTLEMENT = _add_words_to_codes("settlement", Code("city", "City"), Code("town", "Town"), Code("village", "Village"))
