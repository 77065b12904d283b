"""Sentences and blocks that several sections share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import pandas as pd

from reports.blocks import Block, Inline, KeyFigure, KeyFigures, Note, Paragraph, Span, convert_to_spans
from reports.claims import log_sentences, plan_sentences
from reports.comparisons import Comparison, Verdict, describe_schools_of_arm, format_figure
from reports.disclosure import Count
from reports.evidence import ArmFacts, Evidence
from reports.flow import build_flow
from reports.kinds import words_of_kind
from reports.selection import (
    as_float,
    convert_to_records,
    find_headline_analysis,
    get_compared_arms,
    get_focus_country,
    get_outcome,
    select_focus_rows,
)
from reports.sentences import comparison, describe_finding, format_amount, format_interval_in_words
from reports.sizes import compute_printed_sizes, get_printed_size
from reports.tables.practice import format_money, is_printable
from reports.words import Words


def find_headline_comparisons(evidence: Evidence, *, country: str | None = None) -> tuple[Comparison, ...]:
    """Return the headline analysis for each compared arm; none when there is no analysis."""
    entry = find_headline_analysis(evidence)
    if entry is None:
        return ()
    return tuple(comparison(evidence, entry, arm=arm, country=country) for arm in get_compared_arms(evidence))


MOST_FINDINGS = 2
"""Number of arms whose findings a title can hold; of more, none is in the title and each is in the text."""


def format_findings_title(evidence: Evidence, words: Words) -> str:
    """Return the finding of each arm as a title; empty where there is none, or too many for a title."""
    findings = [describe_finding(words, headline_result) for headline_result in find_headline_comparisons(evidence)]
    if not 1 <= len(findings) <= MOST_FINDINGS:
        return ""
    return reduce(lambda left, right: words.text("{left}; {right}", left=left, right=right), findings)


def attach_arm_name(words: Words, arm: ArmFacts, said: str | Inline) -> Inline:
    """Return what is said of an arm, its name before it."""
    return words.line("{label}: {text}", label=Span(text=arm.label, strong=True), text=said)


def format_country_names(evidence: Evidence, words: Words) -> str:
    """Return the countries that the report is about, as running text."""
    if evidence.country:
        return evidence.countries[evidence.country]
    return words.listed(list(evidence.countries.values()))


def count_randomised_schools(evidence: Evidence) -> int | None:
    """Return how many schools were randomised, of what the report is about; None when nobody knows."""
    flow = build_flow(evidence)
    if flow is not None and flow.randomised.schools is not None:
        return flow.randomised.schools.value
    sizes = [
        headline_result.difference.n_schools
        for headline_result in find_headline_comparisons(evidence)
        if headline_result.difference is not None
    ]
    return max(sizes, default=0) or None


def count_analysed_schools(evidence: Evidence) -> int | None:
    """Return how many of the randomised schools the headline analysis rests on; None when nobody knows."""
    answers = [
        headline_result
        for headline_result in find_headline_comparisons(evidence)
        if headline_result.verdict is not Verdict.NONE
    ]
    sizes = [
        answered_result.difference.n_schools for answered_result in answers if answered_result.difference is not None
    ]
    return max(sizes, default=0) or None


def get_analysed_pupils(evidence: Evidence) -> Count:
    """Return how many pupils the headline analysis rests on; None when it could not be made or is of very few."""
    sizes = compute_printed_sizes(evidence)
    differences = [
        headline_result.difference
        for headline_result in find_headline_comparisons(evidence)
        if headline_result.difference is not None
    ]
    largest = max(differences, key=lambda row: row.n_pupils, default=None)
    count = get_printed_size(largest, sizes)
    return count if count.value else replace(count, value=None)


def is_drawn_elsewhere(evidence: Evidence) -> bool:
    """Whether the allocation was adopted, so that nothing here shows how schools were drawn."""
    return evidence.design.get("drawn") == "elsewhere"


def format_trial_size(evidence: Evidence, words: Words) -> str:
    """Return "62 schools drawn, 61 schools and 3,401 pupils analysed", or what of it is known; else nothing."""
    schools, analysed = count_randomised_schools(evidence), format_analysed_size(evidence, words)
    parts = []
    if schools is not None and is_every_school_analysed(evidence):
        parts.append(words.schools(schools))
    elif schools is not None:
        parts.append(words.plural("{n} school drawn", "{n} schools drawn", schools))
    if analysed:
        parts.append(analysed)
    return words.text("{left}, {right}", left=parts[0], right=parts[1]) if len(parts) > 1 else "".join(parts)


def is_every_school_analysed(evidence: Evidence) -> bool:
    """Whether every randomised school is in the headline analysis, as far as anyone knows."""
    analysed = count_analysed_schools(evidence)
    return analysed is None or analysed == count_randomised_schools(evidence)


def format_analysed_size(evidence: Evidence, words: Words) -> str:
    """Return "3,401 pupils analysed", with the schools before them where not all that were drawn are analysed."""
    schools, pupils = count_analysed_schools(evidence), get_analysed_pupils(evidence)
    if pupils.value is None:
        if schools is None or is_every_school_analysed(evidence):
            return ""
        return words.plural("{n} school analysed", "{n} schools analysed", schools)
    counted = words.text("about {pupils}", pupils=words.pupils(pupils.value))
    if not pupils.is_rounded:
        counted = words.pupils(pupils.value)
    if is_every_school_analysed(evidence) or schools is None:
        return words.text("{pupils} analysed", pupils=counted)
    return words.text("{schools} and {pupils} analysed", schools=words.schools(schools), pupils=counted)


def build_primary_caution(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the caution that the headline was changed or removed after the freeze, or nothing."""
    entry = find_headline_analysis(evidence)
    if entry is None or not entry.since:
        return ()
    label = get_outcome(evidence, entry).label
    if entry.since == "removed":
        text = words.text(
            "The frozen plan leads with “{outcome}”. That analysis was removed from the protocol after the freeze.",
            outcome=label,
        )
    else:
        text = words.text(
            "The frozen plan leads with “{outcome}”. That analysis was changed after the freeze: read its result as"
            " exploratory.",
            outcome=label,
        )
    return (Note(kind="caution", title=words.text("Main analysis not as planned"), text=convert_to_spans(text)),)


def plan_note(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the cautions that the plan was not frozen before results, and that the log is not whole; or nothing."""
    notes = []
    if not evidence.plan.is_prior:
        sentences = [*plan_sentences(evidence.plan, words), words.text("Read every estimate as exploratory.")]
        notes.append(Note(kind="caution", title=words.text("No plan before the results"), text=words.joined(sentences)))
    sentences = list(log_sentences(evidence.log, words))
    if sentences:
        notes.append(Note(kind="caution", title=words.text("The trial’s log"), text=words.joined(sentences)))
    return tuple(notes)


def build_key_figures(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the headline in large numbers: the difference of each arm, the level, the size of the trial, the cost.

    They follow the verdict: where the direction is unclear, none of them is a single estimate or a level that it gives.
    """
    answers = find_headline_comparisons(evidence)
    possible_figures = [_build_difference_figure(words, answered_result) for answered_result in answers]
    possible_figures += [
        _build_level_figure(words, answered_result) for answered_result in answers if len(answers) == 1
    ]
    possible_figures += [_build_size_figure(evidence, words), _build_cost_figure(evidence, words)]
    figures = tuple(entry for entry in possible_figures if entry is not None)
    return (KeyFigures(figures=figures),) if len(figures) > 1 else ()


def get_printable_cost_rows(evidence: Evidence, *, arm: str | None = None) -> list[dict[str, object]]:
    """Return the rows of costs that may be printed: of all countries together, or of each where these have none.

    Parameters
    ----------
    evidence
        The evidence; a country's report has that country's rows.
    arm
        The arm; all of them when None. There is a row for each currency.
    """
    return [
        row
        for row in convert_to_records(select_costs_of_place(evidence))
        if is_printable(row) and arm in (None, row["arm"])
    ]


def select_costs_of_place(evidence: Evidence) -> pd.DataFrame:
    """Return the costs of all countries together, or of each where these have none; those of a country's report."""
    frame = select_focus_rows(evidence.costs, evidence)
    return frame if len(frame) or get_focus_country(evidence) else evidence.costs


def describe_price_years(words: Words, rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a sentence on the years of the prices in rows of costs; none where no year was stated."""
    years = [row for row in rows if as_float(row["price_year"]) > 0]
    if not years:
        return []
    first = min(int(as_float(row["price_year_first"])) for row in years)
    last = max(int(as_float(row["price_year"])) for row in years)
    if first == last:
        return [words.text("Prices are those of {year}.", year=str(first))]
    return [words.text("Prices are those of {first} to {last}.", first=str(first), last=str(last))]


def build_paragraph(text: str | Inline) -> Paragraph:
    """Return running text."""
    return Paragraph(text=convert_to_spans(text))


def _build_difference_figure(words: Words, one: Comparison) -> KeyFigure | None:
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return None
    schools = describe_schools_of_arm(words, one.arm)
    label = words_of_kind(one.outcome).tile(words, one, schools)
    level = words.numbers.level(difference.conf_level)
    if one.verdict is Verdict.UNCLEAR:
        ends = [format_amount(words, one, end, of=difference) for end in (difference.conf_low, difference.conf_high)]
        detail = words.text("{level} interval: direction unclear", level=level)
        return KeyFigure(value=words.line("{low} to {high}", low=ends[0], high=ends[1]), label=label, detail=detail)
    detail = words.text(
        "{level} interval: {interval}", level=level, interval=_join_plain_text(format_interval_in_words(words, one))
    )
    return KeyFigure(value=format_amount(words, one, difference.estimate, of=difference), label=label, detail=detail)


def _build_level_figure(words: Words, one: Comparison) -> KeyFigure | None:
    before, after, kind = one.mean_reference, one.adjusted_mean, words_of_kind(one.outcome)
    reference = describe_schools_of_arm(words, one.reference)
    label = kind.level_tile(words, one, reference)
    if before is None or not label:
        return None
    if one.verdict is Verdict.UNCLEAR:
        return KeyFigure(value=(format_figure(words, one, before.estimate, of=before),), label=label, detail="")
    if after is None or one.verdict is Verdict.NONE:
        return None
    return KeyFigure(
        value=(format_figure(words, one, after.estimate, of=after),),
        label=kind.level_tile(words, one, describe_schools_of_arm(words, one.arm)),
        detail=words.text(
            "{n} in {schools}",
            n=_join_plain_text((format_figure(words, one, before.estimate, of=before),)),
            schools=reference,
        ),
    )


def _build_size_figure(evidence: Evidence, words: Words) -> KeyFigure | None:
    schools = count_randomised_schools(evidence)
    if schools is None:
        return None
    detail = format_analysed_size(evidence, words)
    label = words.plural("school drawn by lot", "schools drawn by lot", schools)
    if is_drawn_elsewhere(evidence):
        label = words.plural("school drawn elsewhere", "schools drawn elsewhere", schools)
    return KeyFigure(value=convert_to_spans(words.numbers.count(schools)), label=label, detail=detail)


def _build_cost_figure(evidence: Evidence, words: Words) -> KeyFigure | None:
    """Return the cost per pupil in the first compared arm; None where there is none for all of the report's schools."""
    arm = get_compared_arms(evidence)[0]
    rows = [
        row for row in get_printable_cost_rows(evidence, arm=arm.name) if math.isfinite(as_float(row["cost_per_pupil"]))
    ]
    if len(rows) != 1:
        return None
    amount_text = format_money(words, as_float(rows[0]["cost_per_pupil"]), currency=str(rows[0]["currency"]))
    return KeyFigure(
        value=(Span(text=amount_text),),
        label=words.text("cost per pupil in {schools}", schools=describe_schools_of_arm(words, arm)),
        detail=" ".join(describe_price_years(words, rows)),
    )


def _join_plain_text(text: Inline) -> str:
    return "".join(part.text for part in text)
