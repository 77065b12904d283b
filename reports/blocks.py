"""What a report is made of: blocks that every writer knows how to print.

A notebook's cell shows blocks; they travel in the executed notebook's outputs under a MIME type of their own, as JSON,
and writers turn them into pages. A block holds finished text: numbers have been written by ``reports.numbers``,
sentences come from the catalogue, and tables have passed disclosure control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

BLOCK_MIME = "application/vnd.crocoos.block+json"
"""MIME type of a block in a notebook's output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of text in a paragraph, a cell or a caption.

    Parameters
    ----------
    text
        Finished text.
    strong, emphasis
        How it is set.
    link
        Where it leads: a relative address, a web address or "#anchor"; empty for none.
    estimate_id
        The estimate that the text states, so that a reader can follow a number to its row; empty for none.
    pupils
        The key of the set of pupils whose number the text is (`reports.counted.Pupils`); empty for none.
    """

    text: str
    strong: bool = False
    emphasis: bool = False
    link: str = ""
    estimate_id: str = ""
    pupils: str = ""


Inline = tuple[Span, ...]


def convert_to_spans(text: str | Span | Iterable[str | Span]) -> Inline:
    """Return text as spans.

    Examples
    --------
    >>> convert_to_spans("plain")
    (Span(text='plain', strong=False, emphasis=False, link='', estimate_id='', pupils=''),)
    """
    parts = [text] if isinstance(text, str | Span) else list(text)
    return tuple(part if isinstance(part, Span) else Span(text=part) for part in parts)


def join_plain_text(text: Inline) -> str:
    """Return the text of spans without their setting."""
    return "".join(span.text for span in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """The document's title block: one a document, the first block.

    ``kind`` names the sort of document above the title ("Evidence summary"), ``facts`` are short lines under it. A
    "brief" is set closer than a "report", for documents of a page or two, and has no list of contents.
    """

    text: str
    kind: str = ""
    subtitle: str = ""
    facts: tuple[str, ...] = ()
    layout: Literal["report", "brief"] = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading; ``level`` 1 for sections, 2 for subsections. ``anchor`` is unique in the document."""

    text: str
    level: Literal[1, 2] = 1
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text. "lead" is set larger, "small" smaller."""

    text: Inline
    style: Literal["body", "lead", "small"] = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list of points; ``numbered`` for steps and numbered findings."""

    items: tuple[Inline, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its head, how its cells are aligned, its width relative to the other columns'.

    Neighbouring columns with the same non-empty ``group`` stand under one spanning head.
    """

    label: str
    align: Literal["left", "right", "centre"] = "left"
    width: float = 1.0
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table: one cell a column, the first being the row's head.

    "section" rows hold a heading in the first cell and nothing else; "total" rows are set off.
    """

    cells: tuple[Inline, ...]
    kind: Literal["body", "section", "total"] = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: caption above, note below. ``anchor`` is unique in the document."""

    caption: Inline
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: Inline = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture: SVG source, a caption that says what to see, and a text for those who cannot see it.

    ``width`` is the share of the text's width, above 0 to 1. ``numbers`` are the numbers of pupils that are drawn, each
    with the key of its set.
    """

    svg: str
    caption: Inline
    alt: str
    note: Inline = ()
    anchor: str = ""
    width: float = 1.0
    numbers: Inline = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A passage set apart: "info", "caution" (read this before you use the number), "finding" (a key message)."""

    kind: Literal["info", "caution", "finding"]
    text: Inline
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One large number with what it is: part of `KeyFigures`."""

    value: Inline
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """Two to four large numbers side by side."""

    figures: tuple[KeyFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBreak:
    """A new page in print; nothing on screen."""


Block = Title | Heading | Paragraph | Bullets | Table | Figure | Note | KeyFigures | PageBreak

_BLOCKS: Mapping[str, type[Block]] = {
    kind.__name__: kind for kind in (Title, Heading, Paragraph, Bullets, Table, Figure, Note, KeyFigures, PageBreak)
}
_PARTS: Mapping[str, type] = {kind.__name__: kind for kind in (Span, Column, Row, KeyFigure)}


def to_json(block: Block) -> dict[str, object]:
    """Return a block as JSON values; every dataclass carries its name as "is"."""
    return cast("dict[str, object]", _encode_value(block))


def from_json(value: Mapping[str, object]) -> Block:
    """Return the block that `to_json` wrote.

    Raises
    ------
    ValueError
        When the value is not a block.
    """
    block = _decode_value(value)
    if not isinstance(block, tuple(_BLOCKS.values())):
        raise ValueError(f"{value.get('is')!r} is not a block.")  # noqa: TRY004 -- the value is wrong, not its type
    return cast("Block", block)


def _encode_value(value: object) -> object:
    if isinstance(value, tuple):
        return [_encode_value(item) for item in value]
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return value
    return {"is": type(value).__name__} | {name: _encode_value(getattr(value, name)) for name in fields}


def _decode_value(value: object) -> object:
    if isinstance(value, list):
        return tuple(_decode_value(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    kind = _BLOCKS.get(str(value.get("is"))) or _PARTS.get(str(value.get("is")))
    if kind is None:
        raise ValueError(f"{value.get('is')!r} is neither a block nor a part of one.")
    return kind(**{str(name): _decode_value(item) for name, item in value.items() if name != "is"})


def show(blocks: Block | Sequence[Block]) -> None:
    """Show blocks in a notebook: each becomes an output that writers find again."""
    from IPython import display as ipython

    display: Callable[..., object] = ipython.display  # IPython has no types for it
    is_one = isinstance(blocks, tuple(_BLOCKS.values()))
    for block in cast("Sequence[Block]", (blocks,) if is_one else blocks):
        display({BLOCK_MIME: to_json(block), "text/plain": repr(block)[:200]}, raw=True)
