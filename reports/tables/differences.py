"""What tables of differences between groups of schools beside the planned ones share: columns, headings, notes."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import Evidence
from reports.tables.cautions import Marks, describe_caution_marks, mark_cell
from reports.tables.cells import format_difference_cell, format_interval_cell, format_p_value_cell, format_unit_phrase
from reports.tables.layout import Line, build_table, line
from reports.words import Words


def build_differences_table(
    evidence: Evidence,
    words: Words,
    *,
    title: str,
    first: Column,
    lines: Sequence[Line],
    marks: Marks,
    note: str,
    anchor: str,
) -> Table:
    """Return a table of differences with their intervals and both p-values.

    Parameters
    ----------
    evidence, words
        What the report is about, and its language.
    title, note
        Caption, and what stands below it before the cautions.
    first
        Column of what is compared.
    lines
        As `build_outcome_line` and `build_difference_line` make them.
    marks
        Cautions of the differences.
    anchor
        Name of the table in the document.
    """
    return build_table(
        words,
        title,
        columns=(
            first,
            Column(label=words.text("Difference"), align="right", width=1.1),
            Column(label=words.text("Interval"), align="right", width=1.7),
            Column(label=words.text("p"), align="right", width=0.8),
            Column(label=words.text("p by re-draws"), align="right", width=1.0),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[note, *describe_caution_marks(words, marks)],
        anchor=anchor,
    )


def build_outcome_line(words: Words, one: Comparison) -> Line:
    """Return the line above the differences in an outcome."""
    heading = words.line(
        "{outcome}, {unit}", outcome=Span(text=one.outcome.label, strong=True), unit=format_unit_phrase(words, one)
    )
    return line(heading, kind="section")


def build_difference_line(
    words: Words, one: Comparison, label: str, difference: Estimate | None, test: Estimate | None, marks: Marks
) -> Line:
    """Return the line of a difference: what is compared, the difference, its interval and both p-values."""
    return line(
        label,
        format_difference_cell(words, one, difference),
        mark_cell(format_interval_cell(words, one, difference), difference, marks),
        format_p_value_cell(words, difference),
        format_p_value_cell(words, test),
    )
