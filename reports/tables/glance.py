"""All outcomes at a glance: means of the arms, difference with interval, what can be said."""

from __future__ import annotations

from reports.blocks import Column, Inline, Span, Table
from reports.comparisons import Comparison, Verdict
from reports.evidence import Evidence
from reports.kinds import notes_on_means
from reports.means import Means, compute_shown_means
from reports.selection import all_estimates, find_main_analyses, get_compared_arms, get_focus_country, get_reference_arm
from reports.sentences import comparison, describe_failure_reason, has_disagreement
from reports.tables.cautions import Marks, assign_difference_marks, describe_caution_marks, mark_cell
from reports.tables.cells import (
    format_adjusted_cell,
    format_difference_cell,
    format_interval_cell,
    format_mean_cell,
    format_outcome_head,
    format_verdict_cell,
)
from reports.tables.layout import Line, build_table, line
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
    estimates, arms = all_estimates(evidence), get_compared_arms(evidence)
    place = get_focus_country(evidence) if country is None else country
    compared = {
        arm.label: [
            comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
            for entry in find_main_analyses(evidence)
        ]
        for arm in arms
    }
    rows = [outcome_result for ones in compared.values() for outcome_result in ones]
    marks = assign_difference_marks(rows)
    lines: list[Line] = []
    for label, ones in compared.items():
        if len(arms) > 1:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        lines += [
            _build_glance_line(
                words, outcome_result, compute_shown_means(evidence, outcome_result.analysis, estimates), marks
            )
            for outcome_result in ones
        ]
    return build_table(
        words,
        words.text("Outcomes at a glance"),
        columns=_build_columns(evidence, words, rows),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[*_build_note(evidence, words, rows), *describe_caution_marks(words, marks)],
        anchor=anchor,
    )


def _build_columns(evidence: Evidence, words: Words, rows: list[Comparison]) -> tuple[Column, ...]:
    level = next((row_result.difference.conf_level for row_result in rows if row_result.difference is not None), 0.95)
    return (
        Column(label=words.text("Outcome"), width=3.0),
        Column(label=get_reference_arm(evidence).label, align="right", width=1.1),
        Column(label=format_adjusted_head(evidence, words), align="right", width=1.1),
        Column(label=words.text("Difference"), align="right", width=1.2),
        Column(label=words.text("{level} interval", level=words.numbers.level(level)), align="right", width=1.7),
        Column(label=words.text("Verdict"), width=1.4),
    )


def _build_glance_line(words: Words, one: Comparison, shown: Means, marks: Marks) -> Line:
    return line(
        format_outcome_head(words, one),
        format_mean_cell(words, one, one.reference, shown),
        format_adjusted_cell(words, one, shown),
        format_difference_cell(words, one, one.difference, strong=True),
        mark_cell(format_interval_cell(words, one, one.difference), one.difference, marks),
        format_verdict_cell(words, one),
    )


def format_adjusted_head(evidence: Evidence, words: Words) -> str:
    """Return the head of a column of adjusted means."""
    arms = get_compared_arms(evidence)
    label = arms[0].label if len(arms) == 1 else words.text("Compared schools")
    return words.text("{arm}, adjusted", arm=label)


def describe_adjusted_means(evidence: Evidence, words: Words) -> str:
    """Return what observed and adjusted means are."""
    return words.text(
        "{reference}: as observed. Adjusted: that figure plus the difference, which is the estimate of the planned"
        " model. Each figure is rounded by itself.",
        reference=get_reference_arm(evidence).label,
    )


def _build_note(evidence: Evidence, words: Words, rows: list[Comparison]) -> list[str | Inline]:
    note: list[str | Inline] = [
        describe_adjusted_means(evidence, words),
        *notes_on_means(words, rows),
        words.text(
            "“Better” and “worse” mean that the interval excludes no difference; otherwise the data do not tell which"
            " way the difference goes."
        ),
    ]
    if any(has_disagreement(row_result) for row_result in rows):
        note.append(words.text("*: the planned model’s interval and the randomisation test do not agree."))
    note.extend(describe_failures(words, rows))
    if evidence.not_analysed:
        note.append(
            words.text("Measured, and not analysed: {outcomes}.", outcomes=words.listed(list(evidence.not_analysed)))
        )
    return note


def describe_failures(words: Words, rows: list[Comparison]) -> list[str]:
    """Return a sentence for each outcome that could not be estimated, with the reason."""
    sentences = []
    for row_result in rows:
        if row_result.verdict is not Verdict.NONE:
            continue
        reason = describe_failure_reason(words, row_result)
        sentence = words.text("{outcome}: not estimated.", outcome=row_result.outcome.label)
        if reason:
            sentence = words.text("{outcome}: not estimated. {reason}", outcome=row_result.outcome.label, reason=reason)
        sentences.append(sentence)
    return list(dict.fromkeys(sentences))
