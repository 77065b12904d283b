"""Cells that several tables share: places, means that may be printed, differences, intervals, verdicts."""

from __future__ import annotations

import math

from analysis.results import Estimate
from reports.blocks import Inline, Span
from reports.disclosure import Count
from reports.evidence import ArmFacts, Evidence
from reports.means import Means
from reports.selection import has_countries
from reports.sentences import VERDICTS, Comparison, disagrees, figure
from reports.tables.layout import Cell
from reports.words import Words

HIDDEN = Count(value=None)
"""A figure that is suppressed."""


def place_label(evidence: Evidence, words: Words, country: str) -> str:
    """Return what a row about a country, or about all together, is called."""
    if country:
        return evidence.countries[country]
    return words.text("All countries") if has_countries(evidence) else words.text("All schools")


def unit_phrase(words: Words, one: Comparison) -> str:
    """Return the unit in which an outcome's figures are printed."""
    return words.text("per 100 pupils") if one.outcome.kind == "binary" else one.outcome.unit or words.text("mean")


def mean_cell(words: Words, one: Comparison, arm: ArmFacts, shown: Means) -> Cell:
    """Return the mean or share of an arm, carrying its estimate."""
    key = (arm.name, one.country)
    if key not in shown:
        return words.numbers.decimal(math.nan)
    mean = shown[key]
    return HIDDEN if mean is None else figure(words, one, mean.estimate, of=mean)


def difference_cell(words: Words, one: Comparison, estimate: Estimate | None, *, strong: bool = False) -> Cell:
    """Return a difference with its sign, carrying its estimate."""
    if estimate is None or estimate.status == "failed":
        return words.numbers.decimal(math.nan)
    text = words.numbers.estimate(one.scale * estimate.estimate, digits=one.digits, sign="both")
    return Span(text=text, estimate_id=estimate.estimate_id, strong=strong)


def interval_cell(words: Words, one: Comparison, estimate: Estimate | None) -> Cell:
    """Return an interval in the outcome's units, carrying its estimate."""
    if estimate is None or estimate.status == "failed":
        return words.numbers.decimal(math.nan)
    text = words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=one.digits, scale=one.scale)
    return Span(text=text, estimate_id=estimate.estimate_id)


def p_cell(words: Words, estimate: Estimate | None) -> Cell:
    """Return a p-value without its letter, carrying its estimate."""
    if estimate is None or not math.isfinite(estimate.p_value):
        return words.numbers.decimal(math.nan)
    text = words.numbers.p_figure(estimate.p_value, alpha=1 - estimate.conf_level)
    return Span(text=text, estimate_id=estimate.estimate_id)


def verdict_cell(words: Words, one: Comparison) -> Cell:
    """Return what can be said, in a word or two; a star where interval and randomisation test do not agree."""
    said = words.text(VERDICTS[one.verdict])
    return words.text("{verdict}*", verdict=said) if disagrees(one) else said


def outcome_head(words: Words, one: Comparison, *, with_unit: bool = True) -> Inline:
    """Return an outcome's name as the head of a row, with its role where it is not a planned secondary outcome."""
    name = Span(text=one.outcome.label, strong=one.analysis.role == "primary")
    unit = unit_phrase(words, one)
    said = unit.casefold() in one.outcome.label.casefold()
    head = words.line("{outcome}, {unit}", outcome=name, unit=unit) if with_unit and not said else (name,)
    if one.analysis.role == "primary":
        return words.line("{outcome} (primary)", outcome=head)
    if one.repeated:
        return words.line("{outcome} (plan entry “{entry}”)", outcome=head, entry=one.analysis.name)
    if one.analysis.role == "exploratory":
        return words.line("{outcome} (exploratory)", outcome=head)
    return head
