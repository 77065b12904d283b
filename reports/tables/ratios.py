"""Differences said in other ways: of shares as ratios and numbers needed to treat, of answers category by category."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from analysis.arms import FEW_EVENTS
from analysis.results import Estimate
from reports.blocks import Column, Span, Table
from reports.comparisons import Comparison
from reports.evidence import Evidence
from reports.means import compute_shown_means
from reports.selection import (
    Estimates,
    all_estimates,
    find_main_analyses,
    get_compared_arms,
    get_focus_country,
    get_outcome,
)
from reports.sentences import comparison
from reports.tables.cautions import Marks, assign_caution_marks, describe_caution_marks, mark_cell
from reports.tables.cells import HIDDEN, format_outcome_head
from reports.tables.layout import Cell, Line, build_table, line
from reports.words import Words, message

_RATIOS = ("risk_ratio", "marginal_odds_ratio")
_OF_TIMES = "hazard_ratio"
_HAZARDS = message(
    "Hazard ratio: how often it happens, at any time, to pupils in these schools to whom it has not happened yet, over"
    " the same in the schools compared with; 1 is no effect. It takes this ratio to be the same at all times, from the"
    " start to the last day that a pupil was seen."
)
_SUPERIORITY, _ODDS, _ABOVE = "probability_of_superiority", "odds_ratio", "share_difference_above_"
_FEWER, _MORE = message("{n} for one fewer"), message("{n} for one more")
_HIGHEST, _OR_HIGHER = message("“{category}”, per 100 pupils"), message("“{category}” or higher, per 100 pupils")
_LESS, _GREATER = message("{n} fewer"), message("{n} more")


def ratios_table(evidence: Evidence, words: Words, *, anchor: str = "ratios") -> Table | None:
    """Return ratios and numbers needed to treat of the outcomes that are shares; None without any."""
    estimates, arms = all_estimates(evidence), get_compared_arms(evidence)
    entries = [entry for entry in find_main_analyses(evidence) if get_outcome(evidence, entry).outcome_kind.is_share]
    compared: dict[str, list[Comparison]] = {}
    for arm in arms:
        ones = [
            comparison(evidence, entry, arm=arm, country=get_focus_country(evidence), estimates=estimates)
            for entry in entries
        ]
        compared[arm.label] = [
            outcome_result
            for outcome_result in ones
            if _find_estimate(estimates, outcome_result, "number_needed_to_treat") is not None
        ]
    marks = assign_caution_marks(
        row
        for ones in compared.values()
        for outcome_result in ones
        for row in _collect_printed_ratios(estimates, outcome_result)
    )
    has_hazards = any(
        _find_estimate(estimates, outcome_result, _OF_TIMES) is not None
        for ones in compared.values()
        for outcome_result in ones
    )
    quantities = (*_RATIOS, _OF_TIMES) if has_hazards else _RATIOS
    lines: list[Line] = []
    for label, ones in compared.items():
        if len(arms) > 1 and ones:
            lines.append(line((Span(text=label, strong=True),), kind="section"))
        lines += [
            _build_ratio_line(evidence, words, outcome_result, estimates, marks, quantities) for outcome_result in ones
        ]
    if not lines:
        return None
    return build_table(
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
            *describe_caution_marks(words, marks),
        ],
        anchor=anchor,
    )


def categories_table(evidence: Evidence, words: Words, *, anchor: str = "categories") -> Table | None:
    """Return how answers in ordered categories differ, category by category; None without a model of categories."""
    estimates, place = all_estimates(evidence), get_focus_country(evidence)
    entries = [entry for entry in find_main_analyses(evidence) if get_outcome(evidence, entry).outcome_kind.is_ordered]
    compared = [
        comparison(evidence, entry, arm=arm, country=place, estimates=estimates)
        for entry in entries
        for arm in get_compared_arms(evidence)
    ]
    compared = [
        outcome_result
        for outcome_result in compared
        if _find_estimate(estimates, outcome_result, _SUPERIORITY) is not None
    ]
    if not compared:
        return None
    threshold = evidence.disclosure_threshold
    marks = assign_caution_marks(
        row for outcome_result in compared for row in _collect_printed_categories(estimates, outcome_result, threshold)
    )
    lines: list[Line] = []
    for one in compared:
        label = format_outcome_head(words, one, with_unit=False)
        if len(get_compared_arms(evidence)) > 1:
            label = words.line("{outcome}: {arm}", outcome=label, arm=one.arm.label)
        lines.append(line(label, kind="section"))
        lines += _build_category_lines(words, estimates, one, marks, threshold)
    return build_table(
        words,
        words.text("Differences in answers, category by category"),
        columns=(
            Column(label=words.text("Answers"), width=4.0),
            Column(label=words.text("Estimate"), align="right", width=1.3),
            Column(label=words.text("Interval"), align="right", width=2.0),
        ),
        lines=lines,
        threshold=threshold,
        note=[
            words.text(
                "Shares: adjusted, in these schools less in the schools compared with. Probability of a higher answer:"
                " of a pupil of these schools beside one of the others, both drawn by lot, equal answers counting half;"
                " 0.5 is no difference. Odds ratio: of a higher answer, for pupils of one and the same school; 1 is no"
                " difference. All are of a model in which the odds ratio is the same for every category (proportional"
                " odds), and none rests on how far the categories are apart."
            ),
            *describe_caution_marks(words, marks),
        ],
        anchor=anchor,
    )


def is_revealing_few(row: Estimate, *, threshold: int) -> bool:
    """Whether a row is a difference of shares of which one may be of few pupils, or of all but few.

    The caution says it of fewer than `FEW_EVENTS`; below a higher threshold nothing shows that they are more.
    """
    return row.quantity.startswith(_ABOVE) and (threshold > FEW_EVENTS or "few_events" in row.cautions)


def _collect_printed_categories(estimates: Estimates, one: Comparison, threshold: int) -> list[Estimate]:
    steps = [f"{_ABOVE}{score}" for score, _ in one.outcome.scale]
    rows = [_find_estimate(estimates, one, quantity) for quantity in (*steps, _SUPERIORITY, _ODDS)]
    return [row for row in rows if row is not None and not is_revealing_few(row, threshold=threshold)]


def _build_category_lines(
    words: Words, estimates: Estimates, one: Comparison, marks: Marks, threshold: int
) -> list[Line]:
    """Return a line per category but the lowest, and the two figures that are about all of them."""
    numbers, lines = words.numbers, []
    for (below, _), (_, category) in pairwise(one.outcome.scale):
        row = _find_estimate(estimates, one, f"{_ABOVE}{below}")
        if row is None:
            continue
        is_highest = category == one.outcome.scale[-1][1]
        name = words.text(_HIGHEST if is_highest else _OR_HIGHER, category=category)
        number = Span(text=numbers.estimate(100 * row.estimate, digits=1, sign="both"), estimate_id=row.estimate_id)
        ends = numbers.interval(row.conf_low, row.conf_high, digits=1, scale=100.0)
        cells = (
            (HIDDEN, HIDDEN) if is_revealing_few(row, threshold=threshold) else (mark_cell(number, row, marks), ends)
        )
        lines.append(line(name, *cells))
    titles = {_SUPERIORITY: words.text("Probability of a higher answer"), _ODDS: words.text("Odds ratio")}
    for quantity, null in ((_SUPERIORITY, 0.5), (_ODDS, 1.0)):
        row = _find_estimate(estimates, one, quantity)
        if row is not None:
            text = numbers.estimate(row.estimate, digits=2, null=null)
            ends = numbers.interval(row.conf_low, row.conf_high, digits=2, null=null)
            number = Span(text=text, estimate_id=row.estimate_id)
            lines.append(line(titles[quantity], mark_cell(number, row, marks), ends))
    return lines


def _find_estimate(estimates: Estimates, one: Comparison, quantity: str) -> Estimate | None:
    return estimates.usable(one.analysis.name, quantity, arm=one.arm.name, country=one.country)


def _collect_printed_ratios(estimates: Estimates, one: Comparison) -> list[Estimate]:
    rows = [_find_estimate(estimates, one, quantity) for quantity in (*_RATIOS, _OF_TIMES, "number_needed_to_treat")]
    return [row for row in rows if row is not None]


def _build_ratio_line(
    evidence: Evidence,
    words: Words,
    one: Comparison,
    estimates: Estimates,
    marks: Marks,
    quantities: Sequence[str],
) -> Line:
    shown = compute_shown_means(evidence, one.analysis, estimates)
    secret = any(shown.get((arm.name, one.country)) is None for arm in (one.reference, one.arm))
    ratios = [_find_estimate(estimates, one, quantity) for quantity in quantities]
    cells: list[Cell] = [HIDDEN if secret else mark_cell(_format_ratio(words, ratio), ratio, marks) for ratio in ratios]
    number, interval = _format_number_needed(words, one, estimates)
    number = number if secret else mark_cell(number, _find_estimate(estimates, one, "number_needed_to_treat"), marks)
    return line(format_outcome_head(words, one, with_unit=False), *cells, number, interval)


def _format_ratio(words: Words, estimate: Estimate | None) -> Cell:
    if estimate is None:
        return words.numbers.decimal(math.nan)
    return words.line(
        "{estimate} {interval}",
        estimate=Span(
            text=words.numbers.estimate(estimate.estimate, digits=2, null=1.0), estimate_id=estimate.estimate_id
        ),
        interval=words.numbers.interval(estimate.conf_low, estimate.conf_high, digits=2, null=1.0),
    )


def _format_number_needed(words: Words, one: Comparison, estimates: Estimates) -> tuple[Cell, Cell]:
    """Return the number needed to treat and its interval, which runs through infinity where no effect is in it."""
    estimate = _find_estimate(estimates, one, "number_needed_to_treat")
    if estimate is None:
        return words.numbers.decimal(math.nan), words.numbers.decimal(math.nan)
    number = Span(
        text=describe_number_needed_for(words, estimate.estimate, _FEWER, _MORE), estimate_id=estimate.estimate_id
    )
    low, high = estimate.conf_low, estimate.conf_high
    if low <= high:
        return number, words.numbers.interval(*sorted((round_number_needed(low), round_number_needed(high))), digits=0)
    ends = {
        name: describe_number_needed_for(words, end, _LESS, _GREATER) for name, end in (("low", low), ("high", high))
    }
    return number, words.text("({low} to ∞ to {high})", **ends)


def describe_number_needed_for(words: Words, needed: float, fewer: str, more: str) -> str:
    """Return a number needed to treat with what it is needed for."""
    if not math.isfinite(needed):
        return "∞"
    return words.text(fewer if needed > 0 else more, n=words.numbers.count(round_number_needed(needed)))


def round_number_needed(needed: float) -> float:
    """Return a number needed to treat as a number of pupils: whole, and rather one more than one too few."""
    return float(math.ceil(abs(needed) - 1e-9)) if math.isfinite(needed) else math.inf
