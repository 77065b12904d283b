"""The factors of a factorial design, each over all levels of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from reports.blocks import Column, Span, Table
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.selection import all_estimates, compared_arms, focus, main_analyses
from reports.sentences import comparison
from reports.tables.cautions import Marks, caution_marks, caution_notes, marked
from reports.tables.cells import difference_cell, interval_cell, p_cell, unit_phrase
from reports.tables.layout import Line, line, table
from reports.words import Words


def factors_of(evidence: Evidence) -> Mapping[str, str]:
    """Return name and label of each factor; none unless the design is factorial."""
    return cast("Mapping[str, str]", evidence.design.get("factors") or {})


def factors_table(evidence: Evidence, words: Words, *, anchor: str = "factors") -> Table | None:
    """Return each factor's effect on each outcome, over schools with and without the other; None without factors."""
    factors = factors_of(evidence)
    if not factors:
        return None
    arm = compared_arms(evidence)[0]
    entries, estimates = main_analyses(evidence), all_estimates(evidence)
    found = [
        estimates.usable(entry.name, quantity, arm=name, country=focus(evidence))
        for entry in entries
        for name in factors
        for quantity in ("factor_difference", "factor_test")
    ]
    marks = caution_marks(row for row in found if row is not None)
    lines: list[Line] = []
    for entry in entries:
        lines += _lines(evidence, words, entry, arm, marks)
    return table(
        words,
        words.text("The effect of each factor"),
        columns=(
            Column(label=words.text("Factor"), width=2.6),
            Column(label=words.text("Difference"), align="right", width=1.1),
            Column(label=words.text("Interval"), align="right", width=1.7),
            Column(label=words.text("p"), align="right", width=0.8),
            Column(label=words.text("p, randomisation test"), align="right", width=1.0),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Schools with a factor against those without it, whatever the other factor: its mean effect over both."
                " Where the factors act on one another, the combinations in the other tables say how."
            ),
            *caution_notes(words, marks),
        ],
        anchor=anchor,
    )


def _lines(evidence: Evidence, words: Words, entry: AnalysisFacts, arm: ArmFacts, marks: Marks) -> list[Line]:
    place = focus(evidence)
    estimates = all_estimates(evidence)
    one = comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
    heading = words.line(
        "{outcome}, {unit}", outcome=Span(text=one.outcome.label, strong=True), unit=unit_phrase(words, one)
    )
    rows = [line(heading, kind="section")]
    for name, label in factors_of(evidence).items():
        difference = estimates.find(entry.name, "factor_difference", arm=name, country=place)
        test = estimates.find(entry.name, "factor_test", arm=name, country=place)
        interval = marked(interval_cell(words, one, difference), difference, marks)
        cells = (difference_cell(words, one, difference), interval)
        rows.append(line(label, *cells, p_cell(words, difference), marked(p_cell(words, test), test, marks)))
    return rows
