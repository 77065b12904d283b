"""Messages and numbers of one language in one hand."""

from __future__ import annotations

import pytest

from reports.blocks import Span, join_plain_text
from reports.words import words


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b, c and d"),
    ],
)
def test_items_are_listed_as_running_text(items: list[str], text: str) -> None:
    assert words("en").listed(items) == text


def test_a_span_in_a_sentence_keeps_its_estimate() -> None:
    line = words("en").line("{outcome}: {n} fewer", outcome="Early leaving", n=Span(text="2.3", estimate_id="a/all"))
    assert join_plain_text(line) == "Early leaving: 2.3 fewer"
    assert [span.estimate_id for span in line if span.text == "2.3"] == ["a/all"]


def test_a_plural_line_writes_its_number_as_the_language_does() -> None:
    text = words("en")
    assert join_plain_text(text.plural_line("{n} school", "{n} schools", 1)) == "1 school"
    assert join_plain_text(text.plural_line("{n} school", "{n} schools", 1200)) == "1,200 schools"


def test_sentences_are_joined_with_a_space_and_empty_ones_left_out() -> None:
    assert join_plain_text(words("en").joined(["One.", "", (), "Two."])) == "One. Two."


def test_braces_in_a_value_are_left_alone() -> None:
    assert words("en").text("{outcome}: not estimated.", outcome="{x}") == "{x}: not estimated."
