"""Comparisons in trials of three arms or more: arms beside one another, all together, and the factors of a design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from analysis.results import Estimate
from reports.blocks import Column, Table
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.selection import (
    all_estimates,
    as_estimate,
    convert_to_records,
    find_main_analyses,
    get_compared_arms,
    get_focus_country,
)
from reports.sentences import comparison
from reports.tables.cautions import Marks, assign_caution_marks
from reports.tables.differences import build_difference_line, build_differences_table, build_outcome_line
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
    every = {entry: list(iterate_contrasts(evidence, words, entry)) for entry in find_main_analyses(evidence)}
    rows = [
        row
        for entry_contrasts in every.values()
        for entry_contrast in entry_contrasts
        for row in (entry_contrast.difference, entry_contrast.test)
    ]
    marks = assign_caution_marks(row for row in rows if row is not None)
    lines: list[Line] = []
    for entry, found in every.items():
        if found:
            entry_result = comparison(evidence, entry)
            lines.append(build_outcome_line(words, entry_result))
            lines += [
                build_difference_line(words, entry_result, contrast.label, contrast.difference, contrast.test, marks)
                for contrast in found
            ]
    if not lines:
        return None
    return build_differences_table(
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


def iterate_contrasts(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[Contrast]:
    """Yield the contrasts of an analysis in the place that the report is about."""
    labels = {arm.name: arm.label for arm in evidence.arms}
    compared = {arm.name for arm in get_compared_arms(evidence)}
    rows = [as_estimate(row) for row in convert_to_records(evidence.estimates)]
    entry_estimates = [
        row for row in rows if row.plan_entry == entry.name and row.country == get_focus_country(evidence)
    ]
    tests = {(row.arm, row.reference): row for row in entry_estimates if row.quantity == "randomisation_test"}
    for row in entry_estimates:
        between = row.reference in compared
        if row.quantity != "difference" or not (between or row.arm not in labels):
            continue
        first = labels.get(row.arm) or words.listed([labels[name] for name in labels if name in compared])
        label = words.text("{first} minus {second}", first=first, second=labels.get(row.reference, row.reference))
        yield Contrast(label=label, difference=row, test=tests.get((row.arm, row.reference)))


def get_factor_labels(evidence: Evidence) -> Mapping[str, str]:
    """Return name and label of each factor; none unless the design is factorial."""
    return cast("Mapping[str, str]", evidence.design.get("factors") or {})


def factors_table(evidence: Evidence, words: Words, *, anchor: str = "factors") -> Table | None:
    """Return each factor's effect on each outcome, over schools with and without the other; None without factors."""
    factors = get_factor_labels(evidence)
    if not factors:
        return None
    arm = get_compared_arms(evidence)[0]
    entries, estimates = find_main_analyses(evidence), all_estimates(evidence)
    factor_estimates = [
        estimates.usable(entry.name, quantity, arm=name, country=get_focus_country(evidence))
        for entry in entries
        for name in factors
        for quantity in ("factor_difference", "factor_test")
    ]
    marks = assign_caution_marks(row for row in factor_estimates if row is not None)
    lines: list[Line] = []
    for entry in entries:
        lines += _build_contrast_lines(evidence, words, entry, arm, marks)
    return build_differences_table(
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


def _build_contrast_lines(
    evidence: Evidence, words: Words, entry: AnalysisFacts, arm: ArmFacts, marks: Marks
) -> list[Line]:
    place = get_focus_country(evidence)
    estimates = all_estimates(evidence)
    outcome_result = comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
    rows = [build_outcome_line(words, outcome_result)]
    for name, label in get_factor_labels(evidence).items():
        difference = estimates.find(entry.name, "factor_difference", arm=name, country=place)
        test = estimates.find(entry.name, "factor_test", arm=name, country=place)
        rows.append(build_difference_line(words, outcome_result, label, difference, test, marks))
    return rows
