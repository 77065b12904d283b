"""Relative and standardised effects and intraclass correlations of all outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import Evidence
from reports.kinds import words_of_kind
from reports.means import compute_shown_means
from reports.selection import Estimates, all_estimates, find_main_analyses, get_compared_arms, get_focus_country
from reports.sentences import comparison
from reports.tables.cautions import Marks, assign_caution_marks, describe_caution_marks, mark_cell
from reports.tables.cells import HIDDEN, format_outcome_head, format_p_value_cell
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words

_PRINTED = ("risk_ratio", "rate_ratio", "cox_index", "hedges_g", "hedges_g_unconditional")


def effect_sizes_table(evidence: Evidence, words: Words, *, anchor: str = "effect-sizes") -> Table:
    """Return relative change, standardised effects, intraclass correlations and randomisation test of each outcome.

    Standardised effects of means and intraclass correlations are given twice, under their names: within arms and
    strata, and unconditional as the EEF reports them.
    """
    estimates, arms = all_estimates(evidence), get_compared_arms(evidence)
    compared = {
        arm.name: [
            comparison(evidence, entry, arm=arm, country=get_focus_country(evidence), estimates=estimates)
            for entry in find_main_analyses(evidence)
        ]
        for arm in arms
    }
    every = [outcome_result for ones in compared.values() for outcome_result in ones]
    marks = assign_caution_marks(
        row for outcome_result in every for row in _collect_printed_estimates(outcome_result, estimates)
    )
    lines: list[Line] = []
    for arm in arms:
        if len(arms) > 1:
            lines.append(line((Span(text=arm.label, strong=True),), kind="section"))
        lines += [
            _build_effect_line(evidence, words, outcome_result, estimates, marks)
            for outcome_result in compared[arm.name]
        ]
    return build_table(
        words,
        words.text("Relative and standardised effects, with intervals"),
        columns=_build_columns(words),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[_build_note(words), *_collect_ratio_notes(words, every), *describe_caution_marks(words, marks)],
        anchor=anchor,
    )


def _build_columns(words: Words) -> tuple[Column, ...]:
    return (
        Column(label=words.text("Outcome"), width=2.2),
        Column(label=words.text("Relative change"), align="right", width=1.7),
        Column(
            label=words.text("Within arms and strata"),
            group=words.text("Standardised effect"),
            align="right",
            width=1.9,
        ),
        Column(label=words.text("Unconditional"), group=words.text("Standardised effect"), align="right", width=1.9),
        Column(
            label=words.text("Within arms and strata"),
            group=words.text("Intraclass correlation"),
            align="right",
            width=2.0,
        ),
        Column(label=words.text("Unconditional"), group=words.text("Intraclass correlation"), align="right", width=1.1),
        Column(label=words.text("p by re-draws"), align="right", width=0.9),
    )


def _build_note(words: Words) -> str:
    return words.text(
        "Relative change: the adjusted share in these schools over the adjusted share in the schools compared with,"
        " less one; the interval allows for the error of both. Standardised effect: Hedges’ g for means, the Cox index"
        " for shares. Intraclass correlation: the part of the variation between pupils that lies between schools."
        " Within arms and strata: what arms, strata and countries differ by is left out of the variation; plan another"
        " trial with these figures. Unconditional: it is left in, as the Education Endowment Foundation (EEF) reports"
        " effect sizes."
    )


def _collect_ratio_notes(words: Words, every: Sequence[Comparison]) -> list[str]:
    ratio_notes = [words_of_kind(outcome_result.outcome).note_on_ratio(words) for outcome_result in every]
    return [note for note in dict.fromkeys(ratio_notes) if note]


def _collect_printed_estimates(one: Comparison, estimates: Estimates) -> list[Estimate]:
    entry, arm, country = one.analysis.name, one.arm.name, one.country
    rows = [estimates.usable(entry, quantity, arm=arm, country=country) for quantity in _PRINTED]
    rows += [one.test, estimates.usable(entry, "icc", country=country)]
    return [row for row in rows if row is not None]


def _build_effect_line(evidence: Evidence, words: Words, one: Comparison, estimates: Estimates, marks: Marks) -> Line:
    entry, country = one.analysis.name, one.country

    def find_effect(quantity: str) -> Estimate | None:
        return estimates.usable(entry, quantity, arm=one.arm.name, country=country)

    kind = one.outcome.outcome_kind
    secret = bool(kind.ratio) and _is_secret(evidence, one, estimates)
    standardised, ratio = find_effect(kind.standardised), find_effect(kind.ratio) if kind.ratio else None
    icc = estimates.usable(entry, "icc", country=country)
    cells: list[Cell] = [
        HIDDEN if secret else mark_cell(_format_relative_change(words, ratio), ratio, marks),
        # A Cox index gives the share away as a ratio does.
        HIDDEN
        if secret and kind.is_share
        else mark_cell(_format_with_interval(words, standardised), standardised, marks),
        _format_with_interval(words, find_effect("hedges_g_unconditional")),
        mark_cell(_format_with_interval(words, icc, digits=3), icc, marks),
        _format_with_interval(words, estimates.usable(entry, "icc_unconditional", country=country), digits=3),
    ]
    return line(
        format_outcome_head(words, one, with_unit=False),
        *cells,
        mark_cell(format_p_value_cell(words, one.test), one.test, marks),
    )


def _is_secret(evidence: Evidence, one: Comparison, estimates: Estimates) -> bool:
    """Whether the share of one of the two arms is suppressed, which a ratio would give away."""
    shown = compute_shown_means(evidence, one.analysis, estimates)
    keys = [(arm.name, one.country) for arm in (one.reference, one.arm)]
    return any(key in shown and shown[key] is None for key in keys)


def _format_with_interval(words: Words, estimate: Estimate | None, *, digits: int = 2) -> Cell:
    if estimate is None or not math.isfinite(estimate.estimate):
        return words.numbers.decimal(math.nan)
    number = Span(text=words.numbers.estimate(estimate.estimate, digits=digits), estimate_id=estimate.estimate_id)
    if not math.isfinite(estimate.conf_low):
        return (number,)
    interval = words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=digits)
    return words.line("{estimate} {interval}", estimate=number, interval=interval)


def _format_relative_change(words: Words, ratio: Estimate | None) -> Cell:
    """Return a risk ratio less one, in percent."""
    if ratio is None or not math.isfinite(ratio.estimate):
        return words.numbers.decimal(math.nan)
    return words.line(
        "{estimate} {interval}",
        estimate=Span(text=words.numbers.percent(ratio.estimate - 1, digits=0), estimate_id=ratio.estimate_id),
        interval=words.numbers.interval(ratio.conf_low - 1, ratio.conf_high - 1, digits=0, scale=100.0),
    )
