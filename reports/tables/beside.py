"""A country's outcomes with those of all countries beside them."""

from __future__ import annotations

from reports.blocks import Column, Span, Table
from reports.evidence import Evidence
from reports.kinds import notes_on_means
from reports.means import compute_shown_means
from reports.selection import all_estimates, find_main_analyses, get_compared_arms, get_focus_country, get_reference_arm
from reports.sentences import comparison
from reports.tables.cautions import assign_difference_marks, describe_caution_marks, mark_cell
from reports.tables.cells import (
    format_adjusted_cell,
    format_difference_cell,
    format_interval_cell,
    format_mean_cell,
    format_outcome_head,
    format_place_label,
    format_verdict_cell,
)
from reports.tables.glance import describe_adjusted_means, describe_failures, format_adjusted_head
from reports.tables.layout import Line, build_table, line
from reports.words import Words


def beside_table(evidence: Evidence, words: Words, *, anchor: str = "outcomes") -> Table:
    """Return the country's means, difference, interval and verdict, and the difference in all countries together."""
    estimates, arms = all_estimates(evidence), get_compared_arms(evidence)
    compared = {
        arm.label: [
            tuple(
                comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
                for place in (get_focus_country(evidence), "")
            )
            for entry in find_main_analyses(evidence)
        ]
        for arm in arms
    }
    pairs = [pair for country_pairs in compared.values() for pair in country_pairs]
    marks = assign_difference_marks([pair_member for pair in pairs for pair_member in pair])
    lines: list[Line] = []
    for label, arm_pairs in compared.items():
        if len(arms) > 1:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        for own, everywhere in arm_pairs:
            shown = compute_shown_means(evidence, own.analysis, estimates)
            lines.append(
                line(
                    format_outcome_head(words, own),
                    format_mean_cell(words, own, own.reference, shown),
                    format_adjusted_cell(words, own, shown),
                    format_difference_cell(words, own, own.difference, strong=True),
                    mark_cell(format_interval_cell(words, own, own.difference), own.difference, marks),
                    format_verdict_cell(words, own),
                    format_difference_cell(words, everywhere, everywhere.difference),
                    mark_cell(
                        format_interval_cell(words, everywhere, everywhere.difference), everywhere.difference, marks
                    ),
                )
            )
    country_label = format_place_label(evidence, words, get_focus_country(evidence))
    together = format_place_label(evidence, words, "")
    adjusted = format_adjusted_head(evidence, words)
    return build_table(
        words,
        words.text("Outcomes at a glance: {country}, and all countries together", country=country_label),
        columns=(
            Column(label=words.text("Outcome"), width=2.5),
            Column(label=get_reference_arm(evidence).label, align="right", width=1.1, group=country_label),
            Column(label=adjusted, align="right", width=1.1, group=country_label),
            Column(label=words.text("Difference"), align="right", width=1.3, group=country_label),
            Column(label=words.text("Interval"), align="right", width=1.5, group=country_label),
            Column(label=words.text("Verdict"), width=1.6, group=country_label),
            Column(label=words.text("Difference"), align="right", width=1.3, group=together),
            Column(label=words.text("Interval"), align="right", width=1.5, group=together),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            describe_adjusted_means(evidence, words),
            *notes_on_means(words, [country_result for country_result, _ in pairs]),
            words.text("The estimate for all countries is the more precise one."),
            *describe_failures(words, [country_result for country_result, _ in pairs]),
            *describe_caution_marks(words, marks),
        ],
        anchor=anchor,
    )
