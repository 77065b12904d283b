"""What came out: at a glance, outcome by outcome, country by country, under other assumptions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce

from analysis.results import Estimate
from reports.blocks import Block, Heading, Inline, Paragraph, Span
from reports.comparisons import Comparison, figure
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.kinds import words_of_kind
from reports.sections.common import arm_line, paragraph
from reports.selection import (
    all_estimates,
    compared_arms,
    has_countries,
    headline,
    main_analyses,
    outcome_of,
    sensitivity_analyses,
)
from reports.sentences import answer, check, comparison, effect, is_repeated, needed
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
from reports.tables.adjustment import adjustment_sentence, adjustment_table
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
        *(made for made in extra if made is not None),
        effect_sizes_table(evidence, text),
        *(made for made in said_otherwise if made is not None),
    )


def results_by_outcome(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return each outcome in words and in a table by country, the primary ones first."""
    text = words(language)
    blocks: list[Block] = []
    found = all_estimates(evidence)
    for entry in main_analyses(evidence):
        outcome = outcome_of(evidence, entry)
        blocks.append(
            Heading(text=_heading(evidence, text, entry, outcome.label), level=2, anchor=f"outcome-{entry.name}")
        )
        if entry.since == "removed":
            blocks.append(paragraph(effect(text, comparison(evidence, entry))))
            continue
        if entry.role == "exploratory":
            blocks.append(Paragraph(text=_exploratory(text), style="small"))
        for arm in compared_arms(evidence):
            one = comparison(evidence, entry, arm=arm)
            number = found.usable(entry.name, "number_needed_to_treat", arm=arm.name, country=one.country)
            said = [answer(text, one), needed(text, one, number), check(text, one), _robust(evidence, text, one)]
            said += [_alike(evidence, text, one)] if arm is compared_arms(evidence)[0] else []
            blocks.append(paragraph(text.joined([*said, adjustment_sentence(evidence, text, one)])))
            blocks.append(by_country_table(evidence, text, entry, arm=arm))
            moved = adjustment_table(evidence, text, one)
            blocks += [moved] if moved is not None else []
    return tuple(blocks)


def results_by_country(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return forest plots and observed means by country; for a trial in one country, its plot alone."""
    text = words(language)
    several = has_countries(evidence)
    title = text.text("Country by country") if several else text.text("The main result as a picture")
    heading = Heading(text=title, anchor="countries")
    blocks: list[Block] = []
    first = headline(evidence)
    for entry in main_analyses(evidence):
        plots = [forest_plot(evidence, text, entry, arm=arm) for arm in compared_arms(evidence)] if several else []
        if entry is first:
            plots.append(shares_plot(evidence, text, entry))
        blocks += [plot for plot in plots if plot is not None]
    if not blocks:
        return heading, paragraph(text.text("There is nothing to draw: no outcome could be estimated."))
    sentences = [paragraph(_wide(text))] if first and several else []
    if first and several:
        ahead = [(arm, _ahead(evidence, text, first, arm)) for arm in compared_arms(evidence)]
        named = len(ahead) > 1
        sentences += [paragraph(arm_line(text, arm, said) if named else said) for arm, said in ahead if said]
    return (heading, *sentences, *blocks)


def sensitivity(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the primary question under other assumptions; nothing when the plan has no such analysis."""
    text = words(language)
    if not sensitivity_analyses(evidence):
        return ()
    return (
        Heading(text=text.text("Under other assumptions"), level=2, anchor="other-assumptions"),
        paragraph(
            text.text("The plan asks the same question with other models or other assumptions about missing outcomes.")
        ),
        *(_same_for_all(evidence, text)),
        sensitivity_table(evidence, text),
    )


def _same_for_all(evidence: Evidence, words: Words) -> Iterator[Block]:
    """Describe what it means to count every unknown outcome alike, where an analysis does."""
    if any(entry.missing_outcome != "leave_out" for entry in sensitivity_analyses(evidence)):
        yield paragraph(
            words.text(
                "Counting all unknown outcomes as the event, or none of them, moves both arms in the same direction. It"
                " shows how far the result rests on the assumption about these pupils; the true difference can lie"
                " beyond both."
            )
        )


def _heading(evidence: Evidence, words: Words, entry: AnalysisFacts, label: str) -> str:
    marks = [words.text(HEADS[entry.standing])] if entry.standing in HEADS else []
    if not marks and is_repeated(evidence, entry):
        marks = [words.text("plan entry “{entry}”", entry=entry.name)]
    marks += [words.text(SINCE[entry.since])] if entry.since else []
    if not marks:
        return label
    said = reduce(lambda left, right: words.text("{left}, {right}", left=left, right=right), marks)
    return words.text("{outcome} ({marks})", outcome=label, marks=said)


HEADS = {"primary": message("primary outcome"), "exploratory": message("exploratory")}
"""How the heading of an outcome says its role."""


def _exploratory(words: Words) -> Inline:
    return (Span(text=words.text("This analysis is exploratory: it suggests questions and does not settle them.")),)


def _robust(evidence: Evidence, words: Words, one: Comparison) -> Inline:
    """Describe what errors give that do not rest on the model; nothing where there are none."""
    found = all_estimates(evidence).usable(
        one.analysis.name, "difference_robust", arm=one.arm.name, country=one.country
    )
    if found is None or one.difference is None or not math.isfinite(found.conf_low):
        return ()
    ends = {"low": _end(words, one, found, found.conf_low), "high": _end(words, one, found, found.conf_high)}
    p = words.numbers.p_value(found.p_value)
    return words_of_kind(one.outcome).robust_interval(words, {**ends, "p": p, "errors": found.se_type})


def _alike(evidence: Evidence, words: Words, one: Comparison) -> Inline:
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


def _wide(words: Words) -> str:
    return words.text(
        "Intervals of single countries are wide: a country whose interval includes no difference has not been shown to"
        " differ from the others."
    )


def _ahead(evidence: Evidence, words: Words, entry: AnalysisFacts, arm: ArmFacts) -> Inline:
    """Describe what the two-stage summary says about a further country; nothing where there is no such interval."""
    one = comparison(evidence, entry, arm=arm, country="")
    ahead = all_estimates(evidence).usable(entry.name, "prediction_interval", arm=arm.name)
    if ahead is None or not math.isfinite(ahead.conf_low):
        return ()
    ends = {"low": _end(words, one, ahead, ahead.conf_low), "high": _end(words, one, ahead, ahead.conf_high)}
    return words_of_kind(one.outcome).further_country(words, ends)


def _end(words: Words, one: Comparison, estimate: Estimate, value: float) -> Span:
    return figure(words, one, value, of=estimate)
