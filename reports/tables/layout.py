"""The one place where tables are made: each passes through `table` and so through disclosure control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.blocks import Column, Inline, Row, Span, Table, convert_to_spans
from reports.disclosure import Count, check_count, check_declared, check_threshold
from reports.words import Words, message

Cell = str | Span | Inline | Count

SUPPRESSED = message("c")
"""What is printed in place of a suppressed figure: c for confidential, as statistical offices do."""


ROUNDED = message("≈{number}")
"""How a rounded number of pupils is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a table to be: a "section" line has its heading in the first cell and no others."""

    cells: tuple[Cell, ...]
    kind: Literal["body", "section", "total"] = "body"


def line(*cells: Cell, kind: Literal["body", "section", "total"] = "body") -> Line:
    """Return a row of a table to be."""
    return Line(cells=cells, kind=kind)


def build_table(
    words: Words,
    caption: str | Inline,
    *,
    columns: Sequence[Column],
    lines: Iterable[Line],
    threshold: int,
    note: Sequence[str | Inline] = (),
    anchor: str = "",
) -> Table:
    """Return a table whose counts have been checked.

    Parameters
    ----------
    words
        The language.
    caption
        What the table shows.
    columns
        Heads; the first is that of the rows' own heads.
    lines
        Rows, a cell a column each. A `Count` of None is printed as "c", and the note says what that means.
    threshold
        Smallest count of pupils that may be printed.
    note
        Sentences below the table.
    anchor
        Name of the table in the document.

    Raises
    ------
    DisclosureError
        When a small count of pupils is among the cells, or the threshold protects nobody.
    """
    limit = check_threshold(threshold)
    rows, hidden, about = [], False, False
    for entry in lines:
        hidden = hidden or any(is_suppressed(cell) for cell in entry.cells)
        about = about or any(is_rounded(cell) for cell in entry.cells)
        cells = tuple(_convert_cell_to_spans(words, cell, limit) for cell in entry.cells)
        rows.append(Row(cells=cells + ((),) * (len(columns) - len(cells)), kind=entry.kind))
    sentences = [
        *note,
        *([describe_suppression(words, limit)] if hidden else []),
        *([describe_rounding(words, limit)] if about else []),
    ]
    return Table(
        caption=convert_to_spans(caption),
        columns=tuple(columns),
        rows=tuple(rows),
        note=words.joined([convert_to_spans(sentence) for sentence in sentences]),
        anchor=anchor,
    )


def is_suppressed(cell: Cell) -> bool:
    """Whether a cell holds a suppressed figure."""
    return isinstance(cell, Count) and cell.value is None


def is_rounded(cell: Cell) -> bool:
    """Whether a cell holds a rounded number of pupils."""
    return isinstance(cell, Count) and cell.is_rounded and cell.value is not None


def describe_rounding(words: Words, threshold: int) -> str:
    """Return what the sign of a rounded number means."""
    return words.text(
        "{mark}: rounded in steps of {n}, so that no small number of pupils can be worked out from it.",
        mark=words.text(ROUNDED, number=""),
        n=words.numbers.count(threshold),
    )


def describe_suppression(words: Words, threshold: int) -> str:
    """Return what "c" means."""
    return words.text(
        "{mark}: not printed, to protect pupils; it represents fewer than {n}, or would give away a figure that does.",
        mark=words.text(SUPPRESSED),
        n=words.numbers.count(threshold),
    )


def format_count(words: Words, count: Count, *, threshold: int) -> str:
    """Return a count as text after checking it; "c" when it is suppressed."""
    check_count(count, threshold=threshold)
    if count.value is None:
        return words.text(SUPPRESSED)
    number = words.numbers.count(count.value)
    return words.text(ROUNDED, number=number) if count.is_rounded else number


def format_count_span(words: Words, count: Count, *, threshold: int) -> Span:
    """Return a count as text that carries the set of pupils it counts."""
    text = format_count(words, count, threshold=threshold)
    check_declared(count)
    return Span(text=text, pupils="" if count.pupils is None else count.pupils.key)


def _convert_cell_to_spans(words: Words, cell: Cell, threshold: int) -> Inline:
    return convert_to_spans(format_count_span(words, cell, threshold=threshold) if isinstance(cell, Count) else cell)
