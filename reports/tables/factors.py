"""The factors of a factorial design, each over all levels of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from reports.blocks import Column, Table
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.selection import all_estimates, compared_arms, focus, main_analyses
from reports.sentences import comparison
from reports.tables.cautions import Marks, caution_marks
from reports.tables.differences import difference_line, differences_table, outcome_line
from reports.tables.layout import Line
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
    return differences_table(
        evidence,
        words,
        title=words.text("The effect of each factor"),
        first=Column(label=words.text("Factor"), width=2.6),
        lines=lines,
        marks=marks,
        note=words.text(
            "Schools with a factor against those without it, whatever the other factor: its mean effect over both."
            " Where the factors act on one another, the combinations in the other tables say how."
        ),
        anchor=anchor,
    )


def _lines(evidence: Evidence, words: Words, entry: AnalysisFacts, arm: ArmFacts, marks: Marks) -> list[Line]:
    place = focus(evidence)
    estimates = all_estimates(evidence)
    one = comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
    rows = [outcome_line(words, one)]
    for name, label in factors_of(evidence).items():
        difference = estimates.find(entry.name, "factor_difference", arm=name, country=place)
        test = estimates.find(entry.name, "factor_test", arm=name, country=place)
        rows.append(difference_line(words, one, label, difference, test, marks))
    return rows
