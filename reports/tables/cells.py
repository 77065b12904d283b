"""Cells that several tables share: places, means that may be printed, differences, intervals, verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

from analysis.results import Estimate
from reports.blocks import Inline, Span
from reports.comparisons import VERDICTS, Comparison, Verdict, format_figure
from reports.disclosure import Count
from reports.evidence import ArmFacts, Evidence
from reports.kinds import words_of_kind
from reports.means import Means
from reports.selection import has_countries
from reports.sentences import has_disagreement
from reports.tables.layout import Cell
from reports.words import Words, message

HIDDEN = Count(value=None)
"""A figure that is suppressed."""


def format_place_label(evidence: Evidence, words: Words, country: str) -> str:
    """Return what a row about a country, or about all together, is called."""
    if country:
        return evidence.countries[country]
    return words.text("All countries") if has_countries(evidence) else words.text("All schools")


def format_unit_phrase(words: Words, one: Comparison) -> str:
    """Return the unit in which an outcome's figures are printed."""
    return words_of_kind(one.outcome).unit(words, one.outcome)


def format_mean_cell(words: Words, one: Comparison, arm: ArmFacts, shown: Means) -> Cell:
    """Return the mean or share of an arm, carrying its estimate."""
    key = (arm.name, one.country)
    if key not in shown:
        return words.numbers.decimal(math.nan)
    mean = shown[key]
    return HIDDEN if mean is None else format_figure(words, one, mean.estimate, of=mean)


def format_adjusted_cell(words: Words, one: Comparison, shown: Means) -> Cell:
    """Return the adjusted mean or share of the compared arm, carrying its estimate."""
    keys = [(arm.name, one.country) for arm in (one.reference, one.arm)]
    if any(key in shown and shown[key] is None for key in keys):
        return HIDDEN
    mean = one.adjusted_mean
    return words.numbers.decimal(math.nan) if mean is None else format_figure(words, one, mean.estimate, of=mean)


def format_difference_cell(words: Words, one: Comparison, estimate: Estimate | None, *, strong: bool = False) -> Cell:
    """Return a difference with its sign, carrying its estimate."""
    if estimate is None or estimate.status == "failed":
        return words.numbers.decimal(math.nan)
    text = words.numbers.estimate(one.scale * estimate.estimate, digits=one.digits, sign="both")
    return Span(text=text, estimate_id=estimate.estimate_id, strong=strong)


def format_interval_cell(words: Words, one: Comparison, estimate: Estimate | None) -> Cell:
    """Return an interval in the outcome's units, carrying its estimate."""
    if estimate is None or estimate.status == "failed":
        return words.numbers.decimal(math.nan)
    text = words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=one.digits, scale=one.scale)
    return Span(text=text, estimate_id=estimate.estimate_id)


def format_p_value_cell(words: Words, estimate: Estimate | None) -> Cell:
    """Return a p-value without its letter, carrying its estimate."""
    if estimate is None or not math.isfinite(estimate.p_value):
        return words.numbers.decimal(math.nan)
    text = words.numbers.p_figure(estimate.p_value, alpha=1 - estimate.conf_level)
    return Span(text=text, estimate_id=estimate.estimate_id)


def format_verdict_cell(words: Words, one: Comparison) -> Cell:
    """Return what can be said, in a word or two; a star where interval and randomisation test do not agree."""
    verdict_text = words.text(VERDICTS[one.verdict])
    marked = words.text("{verdict}*", verdict=verdict_text) if has_disagreement(one) else verdict_text
    return Span(text=marked, strong=one.verdict is Verdict.WORSE)


def format_outcome_head(words: Words, one: Comparison, *, with_unit: bool = True) -> Inline:
    """Return an outcome's name as the head of a row, with its role where it is not a planned secondary outcome."""
    name = Span(text=one.outcome.label, strong=one.analysis.role == "primary")
    unit = format_unit_phrase(words, one)
    is_unit_in_label = unit.casefold() in one.outcome.label.casefold()
    head = words.line("{outcome}, {unit}", outcome=name, unit=unit) if with_unit and not is_unit_in_label else (name,)
    marks = list(_iterate_analysis_marks(words, one))
    if not marks:
        return head
    together = reduce(lambda left, right: words.text("{left}, {right}", left=left, right=right), marks)
    return words.line("{outcome} ({marks})", outcome=head, marks=together)


def _iterate_analysis_marks(words: Words, one: Comparison) -> Iterator[str]:
    """Yield the role of an analysis, which of several it is, and what became of it after the freeze."""
    entry = one.analysis
    if entry.standing == "primary":
        yield words.text("primary")
    elif one.repeated:
        yield words.text("plan entry “{entry}”", entry=entry.name)
    elif entry.standing == "exploratory":
        yield words.text("exploratory")
    if entry.since:
        yield words.text(SINCE[entry.since])


SINCE = {
    "changed": message("changed after the freeze"),
    "removed": message("removed after the freeze"),
}
"""What became of a planned analysis."""
