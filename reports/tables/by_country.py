"""One outcome for all countries together and for each, with the two-stage summary across countries."""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.blocks import Column, Inline, Table
from reports.comparisons import Comparison, Verdict, schools_of
from reports.disclosure import Count
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.kinds import notes_on_means
from reports.means import Means, places, shown_means
from reports.selection import Estimates, all_estimates, compared_arms, has_countries, reference_arm
from reports.sentences import comparison, why_not
from reports.sizes import Sizes, printed_sizes, size_of
from reports.tables.cautions import Marks, caution_notes, difference_marks, marked
from reports.tables.cells import (
    adjusted_cell,
    difference_cell,
    interval_cell,
    mean_cell,
    p_cell,
    place_label,
    unit_phrase,
)
from reports.tables.layout import Line, line, table
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
    shown = shown_means(evidence, analysis, estimates)
    shown_places = places(evidence) if only is None else only
    rows = [comparison(evidence, analysis, arm=arm, country=place, estimates=estimates) for place in shown_places]
    marks = difference_marks(rows)
    sizes = printed_sizes(evidence)
    lines = [_line(evidence, words, one, shown, marks, sizes) for one in rows]
    if has_countries(evidence) and only is None:
        lines += _across(words, rows[0], estimates)
    level = next((one.difference.conf_level for one in rows if one.difference is not None), 0.95)
    caption = words.text("{outcome}, {unit}", outcome=rows[0].outcome.label, unit=unit_phrase(words, rows[0]))
    if len(compared_arms(evidence)) > 1:
        caption = words.text("{outcome}: {arm}", outcome=caption, arm=arm.label)
    return table(
        words,
        caption,
        columns=(
            Column(label=words.text("Place") if has_countries(evidence) else words.text("Sample"), width=2.4),
            Column(label=words.text("Schools"), align="right", width=0.9),
            Column(label=words.text("Pupils"), align="right", width=0.9),
            Column(label=reference_arm(evidence).label, align="right", width=1.1),
            Column(label=arm.label, align="right", width=1.1),
            Column(label=words.text("{arm}, adjusted", arm=arm.label), align="right", width=1.1),
            Column(label=words.text("Difference"), align="right", width=1.2),
            Column(label=words.text("{level} interval", level=words.numbers.level(level)), align="right", width=1.8),
            Column(label=words.text("p"), align="right", width=0.8),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[*_note(evidence, words, rows), *caution_notes(words, marks)],
        anchor=f"results-{analysis.name}-{arm.name}",
    )


def _line(evidence: Evidence, words: Words, one: Comparison, shown: Means, marks: Marks, sizes: Sizes) -> Line:
    return line(
        place_label(evidence, words, one.country),
        Count(value=0 if one.difference is None else one.difference.n_schools, unit="schools"),
        size_of(one.difference, sizes),
        mean_cell(words, one, one.reference, shown),
        mean_cell(words, one, one.arm, shown),
        adjusted_cell(words, one, shown),
        difference_cell(words, one, one.difference, strong=one.country == ""),
        marked(interval_cell(words, one, one.difference), one.difference, marks),
        p_cell(words, one.difference),
    )


def _across(words: Words, one: Comparison, estimates: Estimates) -> list[Line]:
    """Rows of the two-stage summary: the mean effect over countries and what a further country might see."""
    pooled = estimates.usable(one.analysis.name, "pooled_difference", arm=one.arm.name)
    ahead = estimates.usable(one.analysis.name, "prediction_interval", arm=one.arm.name)
    lines = []
    if pooled is not None:
        label = words.text("Mean of the countries’ differences")
        lines.append(_summary(words, one, pooled, label))
    if ahead is not None:
        lines.append(_summary(words, one, ahead, words.text("Range for a further country")))
    return lines


def _summary(words: Words, one: Comparison, estimate: Estimate, label: str) -> Line:
    empty = ("", "", "", "", "")
    centre = difference_cell(words, one, estimate) if math.isfinite(estimate.estimate) else ""
    p = p_cell(words, estimate) if math.isfinite(estimate.p_value) else ""
    return line(label, *empty, centre, interval_cell(words, one, estimate), p, kind="total")


def _note(evidence: Evidence, words: Words, rows: list[Comparison]) -> list[str | Inline]:
    note: list[str | Inline] = [
        words.text(
            "Means and numbers per 100 are as observed, but for the adjusted ones: the observed figure of {reference}"
            " plus the difference, which is the estimate of the planned model.",
            reference=schools_of(words, rows[0].reference),
        ),
        *notes_on_means(words, rows),
    ]
    for one in rows:
        if one.verdict is not Verdict.NONE:
            continue
        place, reason = place_label(evidence, words, one.country), why_not(words, one)
        said = words.text("{outcome}: not estimated.", outcome=place)
        note.append(words.text("{outcome}: not estimated. {reason}", outcome=place, reason=reason) if reason else said)
    return note
