"""Comparisons in trials of three arms or more: arms beside one another, all together, and the factors of a design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from analysis.results import Estimate
from reports.blocks import Column, Table
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.selection import all_estimates, as_estimate, compared_arms, focus, main_analyses, records
from reports.sentences import comparison
from reports.tables.cautions import Marks, caution_marks
from reports.tables.differences import difference_line, differences_table, outcome_line
from reports.tables.layout import Line
from reports.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two groups of schools of which not both are a compared arm and the reference; ``label`` names them."""

    label: str
    difference: Estimate
    test: Estimate | None


def contrasts_table(evidence: Evidence, words: Words, *, anchor: str = "contrasts") -> Table | None:
    """Return the differences between arms other than the reference, and of all together; None without any."""
    every = {entry: list(contrasts_of(evidence, words, entry)) for entry in main_analyses(evidence)}
    rows = [row for found in every.values() for one in found for row in (one.difference, one.test)]
    marks = caution_marks(row for row in rows if row is not None)
    lines: list[Line] = []
    for entry, found in every.items():
        if found:
            one = comparison(evidence, entry)
            lines.append(outcome_line(words, one))
            lines += [
                difference_line(words, one, contrast.label, contrast.difference, contrast.test, marks)
                for contrast in found
            ]
    if not lines:
        return None
    return differences_table(
        evidence,
        words,
        title=words.text("Arms beside one another"),
        first=Column(label=words.text("Arms compared"), width=3.4),
        lines=lines,
        marks=marks,
        note=words.text(
            "The first arm minus the second. These comparisons are exploratory, and those of the table of outcomes"
            " do not count them."
        ),
        anchor=anchor,
    )


def contrasts_of(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[Contrast]:
    """Yield the contrasts of an analysis in the place that the report is about."""
    labels = {arm.name: arm.label for arm in evidence.arms}
    compared = {arm.name for arm in compared_arms(evidence)}
    rows = [as_estimate(row) for row in records(evidence.estimates)]
    mine = [row for row in rows if row.plan_entry == entry.name and row.country == focus(evidence)]
    tests = {(row.arm, row.reference): row for row in mine if row.quantity == "randomisation_test"}
    for row in mine:
        between = row.reference in compared
        if row.quantity != "difference" or not (between or row.arm not in labels):
            continue
        first = labels.get(row.arm) or words.listed([labels[name] for name in labels if name in compared])
        label = words.text("{first} minus {second}", first=first, second=labels.get(row.reference, row.reference))
        yield Contrast(label=label, difference=row, test=tests.get((row.arm, row.reference)))


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
