"""Cautions below tables: which figures rest on conditions in which their intervals or tests are known to be unreliable.

Each caution of a table gets a footnote mark; the marks stand behind the figures that have it, their sentences below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from analysis.results import CAUTIONS, Estimate
from reports.blocks import Span, convert_to_spans
from reports.comparisons import Comparison
from reports.tables.layout import Cell
from reports.words import Words, message

SENTENCES: dict[str, str] = {
    "few_events": message(
        "fewer than ten pupils of an arm had the event, or did not have it. The interval is approximate: with so few"
        " events it holds the true value more or less often than its level says."
    ),
    "unequal_spread": message(
        "the arm with fewer schools has schools that differ more from each other, for which the model has one"
        " variance: its interval may be too narrow. Prefer the one with standard errors that do not rest on the model."
    ),
    "few_schools": message(
        "one arm has fewer than eight schools, and the other at least half as many again. The interval is right where"
        " schools of both arms differ from each other to the same degree, which so few schools cannot show."
    ),
    "few_df": message(
        "too few schools stand behind one side of the comparison for its error to be known well: fewer than four"
        " degrees of freedom are left. The interval is approximate; where there is a randomisation test without a"
        " caution, rely on that."
    ),
    "few_allocations": message(
        "the possible allocations, or their re-draws, are so few that no effect of any size would give a p-value that"
        " is small enough: that this test does not reject says nothing."
    ),
    "skewed": message(
        "the interval of the intraclass correlation is made for values that spread evenly about their mean, and counts"
        " do not: it holds the true value less often than its level says (92 to 95 of 100 times at a level of 95)."
    ),
}
"""What a caution of `analysis.results.CAUTIONS` says of a figure; a test holds the two to each other."""

_MARKS = ("†", "‡", "§", "¶", "††", "‡‡", "§§", "¶¶")

Marks = Mapping[str, str]
"""Marks by caution, as one table uses them."""


def assign_caution_marks(rows: Iterable[Estimate]) -> Marks:
    """Return the marks of a table's cautions, in the order of `CAUTIONS`.

    Parameters
    ----------
    rows
        The estimates that the table prints.
    """
    present = {code for row in rows for code in row.cautions}
    return dict(zip((code for code in CAUTIONS if code in present), _MARKS, strict=False))


def assign_difference_marks(ones: Iterable[Comparison]) -> Marks:
    """Return the marks of a table of comparisons, whose intervals are those of their differences."""
    return assign_caution_marks(table_result.difference for table_result in ones if table_result.difference is not None)


def mark_cell(cell: Cell, estimate: Estimate | None, marks: Marks) -> Cell:
    """Return a cell with the marks of its estimate's cautions behind it; a suppressed figure has none."""
    caution_signs = "".join(marks[code] for code in estimate.cautions if code in marks) if estimate is not None else ""
    if not caution_signs or not isinstance(cell, str | Span | tuple):
        return cell
    return (*convert_to_spans(cell), Span(text=caution_signs))


def describe_caution_marks(words: Words, marks: Marks) -> list[str]:
    """Return the sentences below a table that explain its marks."""
    return [
        words.text("{mark}: {caution}", mark=mark, caution=words.text(SENTENCES[code])) for code, mark in marks.items()
    ]
