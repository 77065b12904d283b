"""What came out: at a glance, outcome by outcome, country by country, under other assumptions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

from analysis.results import Estimate
from reports.blocks import Block, Heading, Inline, Paragraph, Span
from reports.comparisons import Comparison, format_figure
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.kinds import words_of_kind
from reports.sections.common import attach_arm_name, build_paragraph
from reports.selection import (
    all_estimates,
    find_headline_analysis,
    find_main_analyses,
    find_sensitivity_analyses,
    get_compared_arms,
    get_outcome,
    has_countries,
)
from reports.sentences import answer, check, comparison, describe_effect, describe_number_needed, is_repeated
from reports.tables import (
    by_country_table,
    categories_table,
    contrasts_table,
    effect_sizes_table,
    factors_table,
    outcomes_table,
    ratios_table,
    sensitivity_table,
)
from reports.tables.adjustment import build_adjustment_table, describe_adjustment
from reports.tables.cells import SINCE
from reports.words import Words, message, words


def main_results(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return all outcomes at a glance, factors and contrasts between arms, relative and standardised sizes."""
    text = words(language)
    extra = (factors_table(evidence, text), contrasts_table(evidence, text))
    said_otherwise = (ratios_table(evidence, text), categories_table(evidence, text))
    return (
        Heading(text=text.text("Results"), anchor="results"),
        outcomes_table(evidence, text),
        *(difference_block for difference_block in extra if difference_block is not None),
        effect_sizes_table(evidence, text),
        *(ratio_block for ratio_block in said_otherwise if ratio_block is not None),
    )


def results_by_outcome(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return each outcome in words and in a table by country, the primary ones first."""
    text = words(language)
    blocks: list[Block] = []
    estimates = all_estimates(evidence)
    for entry in find_main_analyses(evidence):
        outcome = get_outcome(evidence, entry)
        blocks.append(
            Heading(text=_format_heading(evidence, text, entry, outcome.label), level=2, anchor=f"outcome-{entry.name}")
        )
        if entry.since == "removed":
            blocks.append(build_paragraph(describe_effect(text, comparison(evidence, entry))))
            continue
        if entry.role == "exploratory":
            blocks.append(Paragraph(text=_describe_exploratory(text), style="small"))
        for arm in get_compared_arms(evidence):
            arm_result = comparison(evidence, entry, arm=arm)
            number = estimates.usable(entry.name, "number_needed_to_treat", arm=arm.name, country=arm_result.country)
            sentences = [
                answer(text, arm_result),
                describe_number_needed(text, arm_result, number),
                check(text, arm_result),
                _describe_robust_errors(evidence, text, arm_result),
            ]
            sentences += [_describe_icc(evidence, text, arm_result)] if arm is get_compared_arms(evidence)[0] else []
            blocks.append(build_paragraph(text.joined([*sentences, describe_adjustment(evidence, text, arm_result)])))
            blocks.append(by_country_table(evidence, text, entry, arm=arm))
            moved = build_adjustment_table(evidence, text, arm_result)
            blocks += [moved] if moved is not None else []
    return tuple(blocks)


def results_by_country(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return forest plots and observed means by country; for a trial in one country, its plot alone."""
    text = words(language)
    several = has_countries(evidence)
    title = text.text("Country by country") if several else text.text("The main result as a picture")
    heading = Heading(text=title, anchor="countries")
    blocks: list[Block] = []
    first = find_headline_analysis(evidence)
    for entry in find_main_analyses(evidence):
        plots = [forest_plot(evidence, text, entry, arm=arm) for arm in get_compared_arms(evidence)] if several else []
        if entry is first:
            plots.append(shares_plot(evidence, text, entry))
        blocks += [plot for plot in plots if plot is not None]
    if not blocks:
        return heading, build_paragraph(text.text("There is nothing to draw: no outcome could be estimated."))
    sentences = [build_paragraph(_describe_wide_intervals(text))] if first and several else []
    if first and several:
        ahead = [(arm, _describe_further_country(evidence, text, first, arm)) for arm in get_compared_arms(evidence)]
        named = len(ahead) > 1
        sentences += [
            build_paragraph(attach_arm_name(text, arm, further_text) if named else further_text)
            for arm, further_text in ahead
            if further_text
        ]
    return (heading, *sentences, *blocks)


def sensitivity(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the primary question under other assumptions; nothing when the plan has no such analysis."""
    text = words(language)
    if not find_sensitivity_analyses(evidence):
        return ()
    return (
        Heading(text=text.text("Under other assumptions"), level=2, anchor="other-assumptions"),
        build_paragraph(
            text.text("The plan asks the same question with other models or other assumptions about missing outcomes.")
        ),
        *(_describe_same_for_all(evidence, text)),
        sensitivity_table(evidence, text),
    )


def _describe_same_for_all(evidence: Evidence, words: Words) -> Iterator[Block]:
    """Describe what it means to count every unknown outcome alike, where an analysis does."""
    if any(entry.missing_outcome != "leave_out" for entry in find_sensitivity_analyses(evidence)):
        yield build_paragraph(
            words.text(
                "Counting all unknown outcomes as the event, or none of them, moves both arms in the same direction. It"
                " shows how far the result rests on the assumption about these pupils; the true difference can lie"
                " beyond both."
            )
        )


def _format_heading(evidence: Evidence, words: Words, entry: AnalysisFacts, label: str) -> str:
    marks = [words.text(HEADS[entry.standing])] if entry.standing in HEADS else []
    if not marks and is_repeated(evidence, entry):
        marks = [words.text("plan entry “{entry}”", entry=entry.name)]
    marks += [words.text(SINCE[entry.since])] if entry.since else []
    if not marks:
        return label
    joined_marks = reduce(lambda left, right: words.text("{left}, {right}", left=left, right=right), marks)
    return words.text("{outcome} ({marks})", outcome=label, marks=joined_marks)


HEADS = {"primary": message("primary outcome"), "exploratory": message("exploratory")}
"""How the heading of an outcome says its role."""


def _describe_exploratory(words: Words) -> Inline:
    return (Span(text=words.text("This analysis is exploratory: it suggests questions and does not settle them.")),)


def _describe_robust_errors(evidence: Evidence, words: Words, one: Comparison) -> Inline:
    """Describe what errors give that do not rest on the model; nothing where there are none."""
    robust_difference = all_estimates(evidence).usable(
        one.analysis.name, "difference_robust", arm=one.arm.name, country=one.country
    )
    if robust_difference is None or one.difference is None or not math.isfinite(robust_difference.conf_low):
        return ()
    ends = {
        "low": _format_interval_end(words, one, robust_difference, robust_difference.conf_low),
        "high": _format_interval_end(words, one, robust_difference, robust_difference.conf_high),
    }
    p = words.numbers.p_value(robust_difference.p_value)
    return words_of_kind(one.outcome).robust_interval(words, {**ends, "p": p, "errors": robust_difference.se_type})


def _describe_icc(evidence: Evidence, words: Words, one: Comparison) -> Inline:
    icc = all_estimates(evidence).usable(one.analysis.name, "icc", country=one.country)
    if icc is None or not math.isfinite(icc.estimate):
        return ()
    number = Span(text=words.numbers.estimate(icc.estimate, digits=3), estimate_id=icc.estimate_id)
    if not math.isfinite(icc.conf_low) or icc.cautions:
        return words.line("Within arms and strata, the intraclass correlation of schools is {icc}.", icc=number)
    return words.line(
        "Within arms and strata, the intraclass correlation of schools is {icc} {interval}.",
        icc=number,
        interval=words.numbers.interval(icc.conf_low, icc.conf_high, digits=3),
    )


def _describe_wide_intervals(words: Words) -> str:
    return words.text(
        "Intervals of single countries are wide: a country whose interval includes no difference has not been shown to"
        " differ from the others."
    )


def _describe_further_country(evidence: Evidence, words: Words, entry: AnalysisFacts, arm: ArmFacts) -> Inline:
    """Describe what the two-stage summary says about a further country; nothing where there is no such interval."""
    overall_result = comparison(evidence, entry, arm=arm, country="")
    ahead = all_estimates(evidence).usable(entry.name, "prediction_interval", arm=arm.name)
    if ahead is None or not math.isfinite(ahead.conf_low):
        return ()
    ends = {
        "low": _format_interval_end(words, overall_result, ahead, ahead.conf_low),
        "high": _format_interval_end(words, overall_result, ahead, ahead.conf_high),
    }
    return words_of_kind(overall_result.outcome).further_country(words, ends)


def _format_interval_end(words: Words, one: Comparison, estimate: Estimate, value: float) -> Span:
    return format_figure(words, one, value, of=estimate)
