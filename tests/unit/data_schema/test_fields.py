"""One column: its headers, its answers, its contradictions."""

from __future__ import annotations

import pytest

from data_schema.errors import ProtocolError
from data_schema.fields import YES_NO, Code, Field, normalise_header, normalise_word


def test_words_are_compared_without_case_accents_and_outer_spaces() -> None:
    assert normalise_word(" DEČAK ") == normalise_word("decak") == "decak"
    assert normalise_word("left_early") == normalise_word("Left  Early")
    assert normalise_word("Đak") == "dak"
    assert normalise_word("ДЕЧАК") == normalise_word("dečak")
    assert normalise_word("љ") != normalise_word("л")


def test_headers_are_compared_without_punctuation() -> None:
    assert normalise_header("School-ID:") == normalise_header("school_id") == "school id"


def test_a_code_is_found_by_its_name_its_label_and_its_synonyms() -> None:
    field = Field("gender", "code", codes=(Code("girl", "A girl", ("lány",)), Code("boy")))
    assert [field.code_of(word) for word in ("GIRL", "a girl", "lany", "boy")] == [
        *[field.codes[0]] * 3,
        field.codes[1],
    ]
    assert field.code_of("other") is None


def test_a_field_of_yes_and_no_has_words_in_five_languages() -> None:
    field = Field("consent", "yes_no")
    assert field.codes == YES_NO
    for yes, no in (("yes", "no"), ("igen", "nem"), ("да", "не"), ("da", "ne")):
        found = [field.code_of(word) for word in (yes, no)]
        assert [code.name if code else "" for code in found] == ["yes", "no"]


def test_a_field_keeps_its_own_words_for_yes_and_no() -> None:
    own = (Code("yes", synonyms=("oui",)), Code("no", synonyms=("non",)))
    assert Field("consent", "yes_no", codes=own).code_of("da") is None


def test_only_open_fields_may_be_shown() -> None:
    assert not Field("class", "text").is_private
    assert Field("pupil_id", "identifier", privacy="identifier").is_private
    assert Field("name", "text", privacy="direct").is_private


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("1st", {}, "is no name"),
        ("two words", {}, "is no name"),
        ("a", {"type": "float"}, "type 'float' is not known"),
        ("a", {"privacy": "secret"}, "privacy 'secret' is not known"),
        ("a", {"filled_in_by": "nobody"}, "filled_in_by 'nobody' is not known"),
        ("a", {"type": "code"}, "has 0 codes"),
        ("a", {"codes": (Code("x"),)}, "has 1 codes"),
        ("a", {"type": "yes_no", "codes": (Code("x"),)}, "not 'yes' and 'no'"),
        ("a", {"type": "code", "codes": (Code("x", synonyms=("Ž",)), Code("z"))}, "means both 'x' and 'z'"),
        ("a", {"type": "code", "codes": (Code("x"), Code("x"))}, "one name"),
        ("a", {"minimum": 1}, "least or greatest"),
        ("a", {"type": "number", "minimum": 2, "maximum": 1}, "above its maximum"),
    ],
)
def test_a_field_that_contradicts_itself_cannot_be_made(name: str, values: dict[str, object], text: str) -> None:
    arguments: dict[str, object] = {"type": "text", **values}
    with pytest.raises(ProtocolError, match=text) as caught:
        Field(name, **arguments)  # type: ignore[arg-type]
    assert caught.value.place == f"field {name!r}"
