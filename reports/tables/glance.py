"""All outcomes at a glance: means of the arms, difference with interval, what can be said."""

from __future__ import annotations

from reports.blocks import Column, Inline, Span, Table
from reports.comparisons import Comparison, Verdict
from reports.evidence import Evidence
from reports.kinds import notes_on_means
from reports.means import Means, shown_means
from reports.selection import all_estimates, compared_arms, focus, main_analyses, reference_arm
from reports.sentences import comparison, disagrees, why_not
from reports.tables.cautions import Marks, caution_notes, difference_marks, marked
from reports.tables.cells import adjusted_cell, difference_cell, interval_cell, mean_cell, outcome_head, verdict_cell
from reports.tables.layout import Line, line, table
from reports.words import Words


def outcomes_table(evidence: Evidence, words: Words, *, country: str | None = None, anchor: str = "outcomes") -> Table:
    """Return all outcomes at a glance: those that were planned and those that were added, whatever came out.

    Parameters
    ----------
    country
        Code of the place; by default the one that the report is about.
    anchor
        Name of the table in the document.
    """
    estimates, arms = all_estimates(evidence), compared_arms(evidence)
    place = focus(evidence) if country is None else country
    compared = {
        arm.label: [
            comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
            for entry in main_analyses(evidence)
        ]
        for arm in arms
    }
    rows = [one for ones in compared.values() for one in ones]
    marks = difference_marks(rows)
    lines: list[Line] = []
    for label, ones in compared.items():
        if len(arms) > 1:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        lines += [_line(words, one, shown_means(evidence, one.analysis, estimates), marks) for one in ones]
    return table(
        words,
        words.text("Outcomes at a glance"),
        columns=_columns(evidence, words, rows),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[*_note(evidence, words, rows), *caution_notes(words, marks)],
        anchor=anchor,
    )


def _columns(evidence: Evidence, words: Words, rows: list[Comparison]) -> tuple[Column, ...]:
    level = next((one.difference.conf_level for one in rows if one.difference is not None), 0.95)
    return (
        Column(label=words.text("Outcome"), width=3.0),
        Column(label=reference_arm(evidence).label, align="right", width=1.1),
        Column(label=adjusted_head(evidence, words), align="right", width=1.1),
        Column(label=words.text("Difference"), align="right", width=1.2),
        Column(label=words.text("{level} interval", level=words.numbers.level(level)), align="right", width=1.7),
        Column(label=words.text("Verdict"), width=1.4),
    )


def _line(words: Words, one: Comparison, shown: Means, marks: Marks) -> Line:
    return line(
        outcome_head(words, one),
        mean_cell(words, one, one.reference, shown),
        adjusted_cell(words, one, shown),
        difference_cell(words, one, one.difference, strong=True),
        marked(interval_cell(words, one, one.difference), one.difference, marks),
        verdict_cell(words, one),
    )


def adjusted_head(evidence: Evidence, words: Words) -> str:
    """Return the head of a column of adjusted means."""
    arms = compared_arms(evidence)
    label = arms[0].label if len(arms) == 1 else words.text("Compared schools")
    return words.text("{arm}, adjusted", arm=label)


def adjusted_note(evidence: Evidence, words: Words) -> str:
    """Return what observed and adjusted means are."""
    return words.text(
        "{reference}: as observed. Adjusted: that figure plus the difference, which is the estimate of the planned"
        " model. Each figure is rounded by itself.",
        reference=reference_arm(evidence).label,
    )


def _note(evidence: Evidence, words: Words, rows: list[Comparison]) -> list[str | Inline]:
    note: list[str | Inline] = [
        adjusted_note(evidence, words),
        *notes_on_means(words, rows),
        words.text(
            "“Better” and “worse” mean that the interval excludes no difference; otherwise the data do not tell which"
            " way the difference goes."
        ),
    ]
    if any(disagrees(one) for one in rows):
        note.append(words.text("*: the planned model’s interval and the randomisation test do not agree."))
    note.extend(failures(words, rows))
    if evidence.not_analysed:
        note.append(
            words.text("Measured, and not analysed: {outcomes}.", outcomes=words.listed(list(evidence.not_analysed)))
        )
    return note


def failures(words: Words, rows: list[Comparison]) -> list[str]:
    """Return a sentence for each outcome that could not be estimated, with the reason."""
    found = []
    for one in rows:
        if one.verdict is not Verdict.NONE:
            continue
        reason = why_not(words, one)
        said = words.text("{outcome}: not estimated.", outcome=one.outcome.label)
        if reason:
            said = words.text("{outcome}: not estimated. {reason}", outcome=one.outcome.label, reason=reason)
        found.append(said)
    return list(dict.fromkeys(found))
