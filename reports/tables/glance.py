"""All outcomes at a glance: means of the arms, difference with interval, what can be said."""

from __future__ import annotations

import math

from reports.blocks import Column, Inline, Span, Table
from reports.evidence import Evidence
from reports.means import Means, shown_means
from reports.selection import all_estimates, compared_arms, focus, main_analyses, reference_arm
from reports.sentences import Comparison, comparison, disagrees
from reports.tables.cells import difference_cell, interval_cell, mean_cell, outcome_head, verdict_cell
from reports.tables.layout import Line, line, table
from reports.words import Words


def outcomes_table(
    evidence: Evidence, words: Words, *, country: str | None = None, most: int | None = None, anchor: str = "outcomes"
) -> Table:
    """Return all outcomes at a glance.

    Parameters
    ----------
    country
        Code of the place; by default the one that the report is about.
    most
        Greatest number of outcomes; None for all.
    anchor
        Name of the table in the document.
    """
    estimates, arms = all_estimates(evidence), compared_arms(evidence)
    place = focus(evidence) if country is None else country
    lines: list[Line] = []
    rows: list[Comparison] = []
    for arm in arms:
        if len(arms) > 1:
            lines.append(line((Span(text=arm.label, strong=True),), kind="section"))
        for entry in main_analyses(evidence)[:most]:
            one = comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
            rows.append(one)
            lines.append(_line(words, one, shown_means(evidence, entry, estimates)))
    return table(
        words,
        words.text("Outcomes at a glance"),
        columns=_columns(evidence, words, rows),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=_note(words, rows),
        anchor=anchor,
    )


def _columns(evidence: Evidence, words: Words, rows: list[Comparison]) -> tuple[Column, ...]:
    arms = compared_arms(evidence)
    level = next((one.difference.conf_level for one in rows if one.difference is not None), 0.95)
    return (
        Column(label=words.text("Outcome"), width=3.0),
        Column(label=reference_arm(evidence).label, align="right", width=1.1),
        Column(label=arms[0].label if len(arms) == 1 else words.text("Compared schools"), align="right", width=1.1),
        Column(label=words.text("Difference"), align="right", width=1.2),
        Column(label=words.text("{level} interval", level=words.numbers.level(level)), align="right", width=1.7),
        Column(label=words.text("Verdict"), width=1.4),
    )


def _line(words: Words, one: Comparison, shown: Means) -> Line:
    return line(
        outcome_head(words, one),
        mean_cell(words, one, one.reference, shown),
        mean_cell(words, one, one.arm, shown),
        difference_cell(words, one, one.difference, strong=True),
        interval_cell(words, one, one.difference),
        verdict_cell(words, one),
    )


def _note(words: Words, rows: list[Comparison]) -> list[str | Inline]:
    note: list[str | Inline] = [
        words.text(
            "Means and numbers per 100 are as observed; differences are estimates of the planned models. “Better” and"
            " “worse” mean that the interval excludes no difference; otherwise the data do not tell which way the"
            " difference goes."
        )
    ]
    if any(disagrees(one) for one in rows):
        note.append(words.text("*: interval and randomisation test do not agree."))
    note.extend(failures(words, rows))
    return note


def failures(words: Words, rows: list[Comparison]) -> list[str]:
    """Return a sentence for each outcome that could not be estimated, with the reason."""
    found = []
    for one in rows:
        if one.difference is None:
            found.append(words.text("{outcome}: not estimated.", outcome=one.outcome.label))
        elif one.difference.status == "failed" or not math.isfinite(one.difference.estimate):
            reason = one.difference.reason
            found.append(words.text("{outcome}: not estimated. {reason}", outcome=one.outcome.label, reason=reason))
    return list(dict.fromkeys(found))
