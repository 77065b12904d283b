"""Relative and standardised effects and intraclass correlations of all outcomes."""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.evidence import Evidence
from reports.means import shown_means
from reports.selection import Estimates, all_estimates, compared_arms, focus, main_analyses
from reports.sentences import Comparison, comparison
from reports.tables.cells import HIDDEN, outcome_head, p_cell
from reports.tables.layout import Cell, Line, line, table
from reports.words import Words


def effect_sizes_table(evidence: Evidence, words: Words, *, anchor: str = "effect-sizes") -> Table:
    """Return relative change, standardised effect, intraclass correlation and randomisation test of each outcome."""
    estimates, arms = all_estimates(evidence), compared_arms(evidence)
    lines: list[Line] = []
    for arm in arms:
        if len(arms) > 1:
            lines.append(line((Span(text=arm.label, strong=True),), kind="section"))
        for entry in main_analyses(evidence):
            one = comparison(evidence, entry, arm=arm, country=focus(evidence), estimates=estimates)
            lines.append(_line(evidence, words, one, estimates))
    return table(
        words,
        words.text("Relative and standardised effects, with intervals"),
        columns=(
            Column(label=words.text("Outcome"), width=2.6),
            Column(label=words.text("Relative change"), align="right", width=2.0),
            Column(label=words.text("Standardised effect"), align="right", width=2.2),
            Column(label=words.text("Intraclass correlation"), align="right", width=2.2),
            Column(label=words.text("p by re-draws"), align="right", width=1.0),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Relative change: the difference over the number per 100 in the schools compared with, which is taken"
                " as exact. Standardised effect: Hedges’ g for means, the Cox index for shares. Intraclass correlation:"
                " the part of the variation between pupils that lies between schools. p by re-draws: randomisation"
                " test."
            )
        ],
        anchor=anchor,
    )


def _line(evidence: Evidence, words: Words, one: Comparison, estimates: Estimates) -> Line:
    entry, arm, country = one.analysis.name, one.arm.name, one.country
    index = "cox_index" if one.outcome.kind == "binary" else "hedges_g"
    relative = _relative(evidence, words, one, estimates)
    standardised = _with_interval(words, estimates.usable(entry, index, arm=arm, country=country))
    return line(
        outcome_head(words, one, with_unit=False),
        relative,
        HIDDEN if relative is HIDDEN else standardised,  # a Cox index gives the share away as a ratio does
        _with_interval(words, estimates.usable(entry, "icc", country=country), digits=3),
        p_cell(words, one.test),
    )


def _with_interval(words: Words, estimate: Estimate | None, *, digits: int = 2) -> Cell:
    if estimate is None or not math.isfinite(estimate.estimate):
        return words.numbers.decimal(math.nan)
    number = Span(text=words.numbers.estimate(estimate.estimate, digits=digits), estimate_id=estimate.estimate_id)
    if not math.isfinite(estimate.conf_low):
        return number
    interval = words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=digits)
    return words.line("{estimate} {interval}", estimate=number, interval=interval)


def _relative(evidence: Evidence, words: Words, one: Comparison, estimates: Estimates) -> Cell:
    """Return the difference of a binary outcome in percent of the share in the reference arm."""
    if one.outcome.kind != "binary" or one.difference is None or one.difference.status == "failed":
        return words.numbers.decimal(math.nan)
    key = (one.reference.name, one.country)
    shown = shown_means(evidence, one.analysis, estimates)
    base = shown.get(key)
    if key in shown and base is None:
        return HIDDEN
    if base is None or not base.estimate > 0:
        return words.numbers.decimal(math.nan)
    low, high = one.difference.conf_low / base.estimate, one.difference.conf_high / base.estimate
    number = words.numbers.percent(one.difference.estimate / base.estimate, digits=0)
    return words.line(
        "{estimate} {interval}",
        estimate=Span(text=number, estimate_id=one.difference.estimate_id),
        interval=words.numbers.interval(low, high, digits=0, scale=100.0),
    )
