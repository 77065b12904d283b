"""One outcome for all countries together and for each, with the two-stage summary across countries."""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.blocks import Column, Inline, Table
from reports.comparisons import Comparison, Verdict, describe_schools_of_arm
from reports.disclosure import Count
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.kinds import notes_on_means
from reports.means import Means, compute_shown_means, find_places
from reports.selection import Estimates, all_estimates, get_compared_arms, get_reference_arm, has_countries
from reports.sentences import comparison, describe_failure_reason
from reports.sizes import Sizes, compute_printed_sizes, get_printed_size
from reports.tables.cautions import Marks, assign_difference_marks, describe_caution_marks, mark_cell
from reports.tables.cells import (
    format_adjusted_cell,
    format_difference_cell,
    format_interval_cell,
    format_mean_cell,
    format_p_value_cell,
    format_place_label,
    format_unit_phrase,
)
from reports.tables.layout import Line, build_table, line
from reports.words import Words


def by_country_table(
    evidence: Evidence, words: Words, analysis: AnalysisFacts, *, arm: ArmFacts, only: tuple[str, ...] | None = None
) -> Table:
    """Return the results of one analysis by country.

    Parameters
    ----------
    arm
        The arm that is compared with the reference.
    only
        Codes of the places to show, "" for all together; all of them by default.
    """
    estimates = all_estimates(evidence)
    shown = compute_shown_means(evidence, analysis, estimates)
    shown_places = find_places(evidence) if only is None else only
    rows = [comparison(evidence, analysis, arm=arm, country=place, estimates=estimates) for place in shown_places]
    marks = assign_difference_marks(rows)
    sizes = compute_printed_sizes(evidence)
    lines = [_build_country_line(evidence, words, row_result, shown, marks, sizes) for row_result in rows]
    if has_countries(evidence) and only is None:
        lines += _build_two_stage_lines(words, rows[0], estimates)
    level = next((row_result.difference.conf_level for row_result in rows if row_result.difference is not None), 0.95)
    caption = words.text("{outcome}, {unit}", outcome=rows[0].outcome.label, unit=format_unit_phrase(words, rows[0]))
    if len(get_compared_arms(evidence)) > 1:
        caption = words.text("{outcome}: {arm}", outcome=caption, arm=arm.label)
    return build_table(
        words,
        caption,
        columns=(
            Column(label=words.text("Place") if has_countries(evidence) else words.text("Sample"), width=2.4),
            Column(label=words.text("Schools"), align="right", width=0.9),
            Column(label=words.text("Pupils"), align="right", width=0.9),
            Column(label=get_reference_arm(evidence).label, align="right", width=1.1),
            Column(label=arm.label, align="right", width=1.1),
            Column(label=words.text("{arm}, adjusted", arm=arm.label), align="right", width=1.1),
            Column(label=words.text("Difference"), align="right", width=1.2),
            Column(label=words.text("{level} interval", level=words.numbers.level(level)), align="right", width=1.8),
            Column(label=words.text("p"), align="right", width=0.8),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[*_build_note(evidence, words, rows), *describe_caution_marks(words, marks)],
        anchor=f"results-{analysis.name}-{arm.name}",
    )


def _build_country_line(
    evidence: Evidence, words: Words, one: Comparison, shown: Means, marks: Marks, sizes: Sizes
) -> Line:
    return line(
        format_place_label(evidence, words, one.country),
        Count(value=0 if one.difference is None else one.difference.n_schools, unit="schools"),
        get_printed_size(one.difference, sizes),
        format_mean_cell(words, one, one.reference, shown),
        format_mean_cell(words, one, one.arm, shown),
        format_adjusted_cell(words, one, shown),
        format_difference_cell(words, one, one.difference, strong=one.country == ""),
        mark_cell(format_interval_cell(words, one, one.difference), one.difference, marks),
        format_p_value_cell(words, one.difference),
    )


def _build_two_stage_lines(words: Words, one: Comparison, estimates: Estimates) -> list[Line]:
    """Rows of the two-stage summary: the mean effect over countries and what a further country might see."""
    pooled = estimates.usable(one.analysis.name, "pooled_difference", arm=one.arm.name)
    ahead = estimates.usable(one.analysis.name, "prediction_interval", arm=one.arm.name)
    lines = []
    if pooled is not None:
        label = words.text("Mean of the countries’ differences")
        lines.append(_build_summary_line(words, one, pooled, label))
    if ahead is not None:
        lines.append(_build_summary_line(words, one, ahead, words.text("Range for a further country")))
    return lines


def _build_summary_line(words: Words, one: Comparison, estimate: Estimate, label: str) -> Line:
    empty = ("", "", "", "", "")
    centre = format_difference_cell(words, one, estimate) if math.isfinite(estimate.estimate) else ""
    p = format_p_value_cell(words, estimate) if math.isfinite(estimate.p_value) else ""
    return line(label, *empty, centre, format_interval_cell(words, one, estimate), p, kind="total")


def _build_note(evidence: Evidence, words: Words, rows: list[Comparison]) -> list[str | Inline]:
    note: list[str | Inline] = [
        words.text(
            "Means and numbers per 100 are as observed, but for the adjusted ones: the observed figure of {reference}"
            " plus the difference, which is the estimate of the planned model.",
            reference=describe_schools_of_arm(words, rows[0].reference),
        ),
        *notes_on_means(words, rows),
    ]
    for row_result in rows:
        if row_result.verdict is not Verdict.NONE:
            continue
        place, reason = (
            format_place_label(evidence, words, row_result.country),
            describe_failure_reason(words, row_result),
        )
        failure_text = words.text("{outcome}: not estimated.", outcome=place)
        note.append(
            words.text("{outcome}: not estimated. {reason}", outcome=place, reason=reason) if reason else failure_text
        )
    return note
