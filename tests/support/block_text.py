"""Reads the text of blocks, so that tests can look at what a page says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reports.blocks import (
    Block,
    Bullets,
    Figure,
    Heading,
    Inline,
    KeyFigures,
    Note,
    PageBreak,
    Paragraph,
    Span,
    Table,
    Title,
    join_plain_text,
)

Part = str | Inline


def parts(blocks: Sequence[Block]) -> Iterator[Part]:
    """Yield every text of blocks, those drawn in figures and alternative texts included."""
    for block in blocks:
        yield from _parts(block)


def texts(blocks: Sequence[Block]) -> list[str]:
    """Return every text of blocks without its setting; empty ones are left out."""
    found = (part if isinstance(part, str) else join_plain_text(part) for part in parts(blocks))
    return [text for text in found if text]


def spans(blocks: Sequence[Block]) -> list[Span]:
    """Return every run of text of blocks."""
    return [span for part in parts(blocks) if not isinstance(part, str) for span in part]


def drawn(figure: Figure) -> list[str]:
    """Return the texts that are drawn in a figure; matplotlib names each beside its letters' outlines."""
    return [text.strip() for text in re.findall(r"<!--(.*?)-->", figure.svg, flags=re.DOTALL)]


def _parts(block: Block) -> Iterator[Part]:
    match block:
        case Title():
            yield from (block.text, block.kind, block.subtitle, *block.facts)
        case Heading():
            yield block.text
        case Paragraph():
            yield block.text
        case Bullets():
            yield from block.items
        case Table():
            yield from (block.caption, block.note)
            yield from (text for column in block.columns for text in (column.label, column.group))
            yield from (cell for row in block.rows for cell in row.cells)
        case Figure():
            yield from (block.caption, block.alt, block.note, " ".join(drawn(block)))
        case Note():
            yield from (block.title, block.text)
        case KeyFigures():
            yield from (text for entry in block.figures for text in (entry.value, entry.label, entry.detail))
        case PageBreak():
            return
