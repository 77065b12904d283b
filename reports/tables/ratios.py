"""Differences of shares said in other ways: risk ratio, odds ratio, number needed to treat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import Evidence
from reports.means import shown_means
from reports.selection import Estimates, all_estimates, compared_arms, focus, main_analyses, outcome_of
from reports.sentences import comparison
from reports.tables.cautions import Marks, caution_marks, caution_notes, marked
from reports.tables.cells import HIDDEN, outcome_head
from reports.tables.layout import Cell, Line, line, table
from reports.words import Words, message

_RATIOS = ("risk_ratio", "marginal_odds_ratio")
_OF_TIMES = "hazard_ratio"
_HAZARDS = message(
    "Hazard ratio: how often it happens, at any time, to pupils in these schools to whom it has not happened yet, over"
    " the same in the schools compared with; 1 is no effect. It takes this ratio to be the same at all times, from the"
    " start to the last day that a pupil was seen."
)
_FEWER, _MORE = message("{n} for one fewer"), message("{n} for one more")
_LESS, _GREATER = message("{n} fewer"), message("{n} more")


def ratios_table(evidence: Evidence, words: Words, *, anchor: str = "ratios") -> Table | None:
    """Return ratios and numbers needed to treat of the outcomes that are shares; None without any."""
    estimates, arms = all_estimates(evidence), compared_arms(evidence)
    entries = [entry for entry in main_analyses(evidence) if outcome_of(evidence, entry).outcome_kind.is_share]
    compared: dict[str, list[Comparison]] = {}
    for arm in arms:
        ones = [comparison(evidence, entry, arm=arm, country=focus(evidence), estimates=estimates) for entry in entries]
        compared[arm.label] = [one for one in ones if _found(estimates, one, "number_needed_to_treat") is not None]
    marks = caution_marks(row for ones in compared.values() for one in ones for row in _printed(estimates, one))
    has_hazards = any(_found(estimates, one, _OF_TIMES) is not None for ones in compared.values() for one in ones)
    quantities = (*_RATIOS, _OF_TIMES) if has_hazards else _RATIOS
    lines: list[Line] = []
    for label, ones in compared.items():
        if len(arms) > 1 and ones:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        lines += [_line(evidence, words, one, estimates, marks, quantities) for one in ones]
    if not lines:
        return None
    return table(
        words,
        words.text("The differences in shares, said in other ways"),
        columns=(
            Column(label=words.text("Outcome"), width=1.9),
            Column(label=words.text("Risk ratio"), align="right", width=1.8),
            Column(label=words.text("Odds ratio"), align="right", width=1.8),
            *((Column(label=words.text("Hazard ratio"), align="right", width=1.8),) if has_hazards else ()),
            Column(label=words.text("Pupils needed"), align="right", width=1.3),
            Column(label=words.text("Interval"), align="right", width=2.0),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Risk ratio: the adjusted share in these schools over the adjusted share in the schools compared"
                " with; 1 is no effect. Odds ratio: the same of the odds, further from 1. Their intervals allow for"
                " the error of both shares. Pupils needed (number needed to treat): pupils in these schools for one of"
                " them fewer, or more, to whom it happens; ∞ is no effect. Where the interval of the difference"
                " includes no effect, that of the number runs through ∞."
            ),
            *((words.text(_HAZARDS),) if has_hazards else ()),
            *caution_notes(words, marks),
        ],
        anchor=anchor,
    )


def _found(estimates: Estimates, one: Comparison, quantity: str) -> Estimate | None:
    return estimates.usable(one.analysis.name, quantity, arm=one.arm.name, country=one.country)


def _printed(estimates: Estimates, one: Comparison) -> list[Estimate]:
    rows = [_found(estimates, one, quantity) for quantity in (*_RATIOS, _OF_TIMES, "number_needed_to_treat")]
    return [row for row in rows if row is not None]


def _line(
    evidence: Evidence,
    words: Words,
    one: Comparison,
    estimates: Estimates,
    marks: Marks,
    quantities: Sequence[str],
) -> Line:
    shown = shown_means(evidence, one.analysis, estimates)
    secret = any(shown.get((arm.name, one.country)) is None for arm in (one.reference, one.arm))
    ratios = [_found(estimates, one, quantity) for quantity in quantities]
    cells: list[Cell] = [HIDDEN if secret else marked(_ratio(words, ratio), ratio, marks) for ratio in ratios]
    number, interval = _needed(words, one, estimates)
    number = number if secret else marked(number, _found(estimates, one, "number_needed_to_treat"), marks)
    return line(outcome_head(words, one, with_unit=False), *cells, number, interval)


def _ratio(words: Words, estimate: Estimate | None) -> Cell:
    if estimate is None:
        return words.numbers.decimal(math.nan)
    return words.line(
        "{estimate} {interval}",
        estimate=Span(
            text=words.numbers.estimate(estimate.estimate, digits=2, null=1.0), estimate_id=estimate.estimate_id
        ),
        interval=words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=2, null=1.0),
    )


def _needed(words: Words, one: Comparison, estimates: Estimates) -> tuple[Cell, Cell]:
    """Return the number needed to treat and its interval, which runs through infinity where no effect is in it."""
    estimate = _found(estimates, one, "number_needed_to_treat")
    if estimate is None:
        return words.numbers.decimal(math.nan), words.numbers.decimal(math.nan)
    number = Span(text=fewer_or_more(words, estimate.estimate, _FEWER, _MORE), estimate_id=estimate.estimate_id)
    low, high = estimate.conf_low, estimate.conf_high
    if low <= high:
        return number, words.numbers.interval(*sorted((pupils_needed(low), pupils_needed(high))), digits=0)
    ends = {name: fewer_or_more(words, end, _LESS, _GREATER) for name, end in (("low", low), ("high", high))}
    return number, words.text("({low} to ∞ to {high})", **ends)


def fewer_or_more(words: Words, needed: float, fewer: str, more: str) -> str:
    """Return a number needed to treat with what it is needed for."""
    if not math.isfinite(needed):
        return "∞"
    return words.text(fewer if needed > 0 else more, n=words.numbers.count(pupils_needed(needed)))


def pupils_needed(needed: float) -> float:
    """Return a number needed to treat as a number of pupils: whole, and rather one more than one too few."""
    return float(math.ceil(abs(needed) - 1e-9)) if math.isfinite(needed) else math.inf
