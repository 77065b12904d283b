"""A country's outcomes with those of all countries beside them."""

from __future__ import annotations

from reports.blocks import Column, Span, Table
from reports.evidence import Evidence
from reports.kinds import notes_on_means
from reports.means import shown_means
from reports.selection import all_estimates, compared_arms, focus, main_analyses, reference_arm
from reports.sentences import comparison
from reports.tables.cautions import caution_notes, difference_marks, marked
from reports.tables.cells import (
    adjusted_cell,
    difference_cell,
    interval_cell,
    mean_cell,
    outcome_head,
    place_label,
    verdict_cell,
)
from reports.tables.glance import adjusted_head, adjusted_note, failures
from reports.tables.layout import Line, line, table
from reports.words import Words


def beside_table(evidence: Evidence, words: Words, *, anchor: str = "outcomes") -> Table:
    """Return the country's means, difference, interval and verdict, and the difference in all countries together."""
    estimates, arms = all_estimates(evidence), compared_arms(evidence)
    compared = {
        arm.label: [
            tuple(
                comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
                for place in (focus(evidence), "")
            )
            for entry in main_analyses(evidence)
        ]
        for arm in arms
    }
    pairs = [pair for found in compared.values() for pair in found]
    marks = difference_marks([one for pair in pairs for one in pair])
    lines: list[Line] = []
    for label, found in compared.items():
        if len(arms) > 1:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        for own, everywhere in found:
            shown = shown_means(evidence, own.analysis, estimates)
            lines.append(
                line(
                    outcome_head(words, own),
                    mean_cell(words, own, own.reference, shown),
                    adjusted_cell(words, own, shown),
                    difference_cell(words, own, own.difference, strong=True),
                    marked(interval_cell(words, own, own.difference), own.difference, marks),
                    verdict_cell(words, own),
                    difference_cell(words, everywhere, everywhere.difference),
                    marked(interval_cell(words, everywhere, everywhere.difference), everywhere.difference, marks),
                )
            )
    here = place_label(evidence, words, focus(evidence))
    together = place_label(evidence, words, "")
    adjusted = adjusted_head(evidence, words)
    return table(
        words,
        words.text("Outcomes at a glance: {country}, and all countries together", country=here),
        columns=(
            Column(label=words.text("Outcome"), width=2.5),
            Column(label=reference_arm(evidence).label, align="right", width=1.1, group=here),
            Column(label=adjusted, align="right", width=1.1, group=here),
            Column(label=words.text("Difference"), align="right", width=1.3, group=here),
            Column(label=words.text("Interval"), align="right", width=1.5, group=here),
            Column(label=words.text("Verdict"), width=1.6, group=here),
            Column(label=words.text("Difference"), align="right", width=1.3, group=together),
            Column(label=words.text("Interval"), align="right", width=1.5, group=together),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            adjusted_note(evidence, words),
            *notes_on_means(words, [own for own, _ in pairs]),
            words.text("The estimate for all countries is the more precise one."),
            *failures(words, [own for own, _ in pairs]),
            *caution_notes(words, marks),
        ],
        anchor=anchor,
    )
