from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from reports.blocks import (
    Block,
    Figure,
    Heading,
    Paragraph,
    Span,
    Title,
    convert_to_spans,
    from_json,
    join_plain_text,
    to_json,
)
from tests.support.block_strategies import blocks, titles
from tests.support.demonstration import demonstration


@given(blocks | titles)
def test_a_block_survives_the_way_through_json(block: Block) -> None:
    assert from_json(json.loads(json.dumps(to_json(block)))) == block


def test_every_block_of_a_whole_report_survives_the_way_through_json() -> None:
    blocks_shown = demonstration().blocks
    assert len({type(block) for block in blocks_shown}) == 9, "the demonstration shows every kind of block"
    assert tuple(from_json(json.loads(json.dumps(to_json(block)))) for block in blocks_shown) == blocks_shown


@pytest.mark.parametrize(
    "value",
    [
        {"is": "Nothing"},
        {"is": "Span", "text": "a part, not a block"},
        {"text": "unmarked"},
        {"is": "Paragraph", "text": [{"is": "Else"}]},
    ],
)
def test_what_is_no_block_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is not a block|neither a block"):
        from_json(value)


def test_strings_and_spans_may_be_mixed_in_a_line() -> None:
    line = convert_to_spans(("Fell by ", Span(text="2.1", strong=True)))
    assert line == (Span(text="Fell by "), Span(text="2.1", strong=True))
    assert join_plain_text(line) == "Fell by 2.1"
    assert convert_to_spans("x") == (Span(text="x"),) == convert_to_spans(Span(text="x"))


def test_a_title_of_earlier_notebooks_without_a_layout_is_a_report() -> None:
    assert from_json({"is": "Title", "text": "T"}) == Title(text="T", layout="report")


def test_a_heading_keeps_its_level_and_a_figure_its_width() -> None:
    shown: tuple[Block, ...] = (
        Heading(text="H", level=2),
        Figure(svg="<svg/>", caption=convert_to_spans("C"), alt="A", width=0.5),
    )
    assert tuple(from_json(to_json(block)) for block in shown) == shown
    assert from_json(to_json(Paragraph(text=()))) == Paragraph(text=())
