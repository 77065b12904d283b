"""Sentences and blocks that several sections share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import pandas as pd

from reports.blocks import Block, Inline, KeyFigure, KeyFigures, Note, Paragraph, Span, inline
from reports.claims import log_sentences, plan_sentences
from reports.comparisons import Comparison, Verdict, figure, schools_of
from reports.disclosure import Count
from reports.evidence import ArmFacts, Evidence
from reports.flow import flow_of
from reports.kinds import words_of_kind
from reports.selection import as_float, compared_arms, focus, headline, of_focus, outcome_of, records
from reports.sentences import amount, comparison, finding, span
from reports.sizes import printed_sizes, size_of
from reports.tables.practice import is_printable, money
from reports.words import Words


def headline_comparisons(evidence: Evidence, *, country: str | None = None) -> tuple[Comparison, ...]:
    """Return the headline analysis for each compared arm; none when there is no analysis."""
    entry = headline(evidence)
    if entry is None:
        return ()
    return tuple(comparison(evidence, entry, arm=arm, country=country) for arm in compared_arms(evidence))


MOST_FINDINGS = 2
"""Number of arms whose findings a title can hold; of more, none is in the title and each is in the text."""


def findings_title(evidence: Evidence, words: Words) -> str:
    """Return the finding of each arm as a title; empty where there is none, or too many for a title."""
    findings = [finding(words, one) for one in headline_comparisons(evidence)]
    if not 1 <= len(findings) <= MOST_FINDINGS:
        return ""
    return reduce(lambda left, right: words.text("{left}; {right}", left=left, right=right), findings)


def arm_line(words: Words, arm: ArmFacts, said: str | Inline) -> Inline:
    """Return what is said of an arm, its name before it."""
    return words.line("{label}: {text}", label=Span(text=arm.label, strong=True), text=said)


def country_names(evidence: Evidence, words: Words) -> str:
    """Return the countries that the report is about, as running text."""
    if evidence.country:
        return evidence.countries[evidence.country]
    return words.listed(list(evidence.countries.values()))


def number_of_schools(evidence: Evidence) -> int | None:
    """Return how many schools were randomised, of what the report is about; None when nobody knows."""
    flow = flow_of(evidence)
    if flow is not None and flow.randomised.schools is not None:
        return flow.randomised.schools.value
    sizes = [one.difference.n_schools for one in headline_comparisons(evidence) if one.difference is not None]
    return max(sizes, default=0) or None


def number_analysed(evidence: Evidence) -> int | None:
    """Return how many of the randomised schools the headline analysis rests on; None when nobody knows."""
    answers = [one for one in headline_comparisons(evidence) if one.verdict is not Verdict.NONE]
    sizes = [one.difference.n_schools for one in answers if one.difference is not None]
    return max(sizes, default=0) or None


def pupils_analysed(evidence: Evidence) -> Count:
    """Return how many pupils the headline analysis rests on; None when it could not be made or is of very few."""
    sizes = printed_sizes(evidence)
    found = [one.difference for one in headline_comparisons(evidence) if one.difference is not None]
    largest = max(found, key=lambda row: row.n_pupils, default=None)
    count = size_of(largest, sizes)
    return count if count.value else replace(count, value=None)


def was_drawn_elsewhere(evidence: Evidence) -> bool:
    """Whether the allocation was adopted, so that nothing here shows how schools were drawn."""
    return evidence.design.get("drawn") == "elsewhere"


def size_phrase(evidence: Evidence, words: Words) -> str:
    """Return "62 schools drawn, 61 schools and 3,401 pupils analysed", or what of it is known; else nothing."""
    schools, analysed = number_of_schools(evidence), analysed_phrase(evidence, words)
    parts = []
    if schools is not None and are_all_analysed(evidence):
        parts.append(words.schools(schools))
    elif schools is not None:
        parts.append(words.plural("{n} school drawn", "{n} schools drawn", schools))
    if analysed:
        parts.append(analysed)
    return words.text("{left}, {right}", left=parts[0], right=parts[1]) if len(parts) > 1 else "".join(parts)


def are_all_analysed(evidence: Evidence) -> bool:
    """Whether every randomised school is in the headline analysis, as far as anyone knows."""
    analysed = number_analysed(evidence)
    return analysed is None or analysed == number_of_schools(evidence)


def analysed_phrase(evidence: Evidence, words: Words) -> str:
    """Return "3,401 pupils analysed", with the schools before them where not all that were drawn are analysed."""
    schools, pupils = number_analysed(evidence), pupils_analysed(evidence)
    if pupils.value is None:
        if schools is None or are_all_analysed(evidence):
            return ""
        return words.plural("{n} school analysed", "{n} schools analysed", schools)
    counted = words.text("about {pupils}", pupils=words.pupils(pupils.value))
    if not pupils.is_rounded:
        counted = words.pupils(pupils.value)
    if are_all_analysed(evidence) or schools is None:
        return words.text("{pupils} analysed", pupils=counted)
    return words.text("{schools} and {pupils} analysed", schools=words.schools(schools), pupils=counted)


def primary_note(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the caution that the headline was changed or removed after the freeze, or nothing."""
    entry = headline(evidence)
    if entry is None or not entry.since:
        return ()
    label = outcome_of(evidence, entry).label
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
    return (Note(kind="caution", title=words.text("Main analysis not as planned"), text=inline(text)),)


def plan_note(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the cautions that the plan was not frozen before results, and that the log is not whole; or nothing."""
    notes = []
    if not evidence.plan.is_prior:
        said = [*plan_sentences(evidence.plan, words), words.text("Read every estimate as exploratory.")]
        notes.append(Note(kind="caution", title=words.text("No plan before the results"), text=words.joined(said)))
    said = list(log_sentences(evidence.log, words))
    if said:
        notes.append(Note(kind="caution", title=words.text("The trial’s log"), text=words.joined(said)))
    return tuple(notes)


def key_figures(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the headline in large numbers: the difference of each arm, the level, the size of the trial, the cost.

    They follow the verdict: where the direction is unclear, none of them is a single estimate or a level that it gives.
    """
    answers = headline_comparisons(evidence)
    found = [_difference(words, one) for one in answers]
    found += [_level(words, one) for one in answers if len(answers) == 1]
    found += [_size(evidence, words), _cost(evidence, words)]
    figures = tuple(entry for entry in found if entry is not None)
    return (KeyFigures(figures=figures),) if len(figures) > 1 else ()


def cost_rows(evidence: Evidence, *, arm: str | None = None) -> list[dict[str, object]]:
    """Return the rows of costs that may be printed: of all countries together, or of each where these have none.

    Parameters
    ----------
    evidence
        The evidence; a country's report has that country's rows.
    arm
        The arm; all of them when None. There is a row for each currency.
    """
    return [row for row in records(costs_of_place(evidence)) if is_printable(row) and arm in (None, row["arm"])]


def costs_of_place(evidence: Evidence) -> pd.DataFrame:
    """Return the costs of all countries together, or of each where these have none; those of a country's report."""
    frame = of_focus(evidence.costs, evidence)
    return frame if len(frame) or focus(evidence) else evidence.costs


def price_years(words: Words, rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a sentence on the years of the prices in rows of costs; none where no year was stated."""
    years = [row for row in rows if as_float(row["price_year"]) > 0]
    if not years:
        return []
    first = min(int(as_float(row["price_year_first"])) for row in years)
    last = max(int(as_float(row["price_year"])) for row in years)
    if first == last:
        return [words.text("Prices are those of {year}.", year=str(first))]
    return [words.text("Prices are those of {first} to {last}.", first=str(first), last=str(last))]


def paragraph(text: str | Inline) -> Paragraph:
    """Return running text."""
    return Paragraph(text=inline(text))


def _difference(words: Words, one: Comparison) -> KeyFigure | None:
    difference = one.difference
    if difference is None or one.verdict is Verdict.NONE:
        return None
    schools = schools_of(words, one.arm)
    label = words_of_kind(one.outcome).tile(words, one, schools)
    level = words.numbers.level(difference.conf_level)
    if one.verdict is Verdict.UNCLEAR:
        ends = [amount(words, one, end, of=difference) for end in (difference.conf_low, difference.conf_high)]
        detail = words.text("{level} interval: direction unclear", level=level)
        return KeyFigure(value=words.line("{low} to {high}", low=ends[0], high=ends[1]), label=label, detail=detail)
    detail = words.text("{level} interval: {interval}", level=level, interval=_plain(span(words, one)))
    return KeyFigure(value=amount(words, one, difference.estimate, of=difference), label=label, detail=detail)


def _level(words: Words, one: Comparison) -> KeyFigure | None:
    before, after, kind = one.mean_reference, one.adjusted_mean, words_of_kind(one.outcome)
    reference = schools_of(words, one.reference)
    label = kind.level_tile(words, one, reference)
    if before is None or not label:
        return None
    if one.verdict is Verdict.UNCLEAR:
        return KeyFigure(value=(figure(words, one, before.estimate, of=before),), label=label, detail="")
    if after is None or one.verdict is Verdict.NONE:
        return None
    return KeyFigure(
        value=(figure(words, one, after.estimate, of=after),),
        label=kind.level_tile(words, one, schools_of(words, one.arm)),
        detail=words.text(
            "{n} in {schools}", n=_plain((figure(words, one, before.estimate, of=before),)), schools=reference
        ),
    )


def _size(evidence: Evidence, words: Words) -> KeyFigure | None:
    schools = number_of_schools(evidence)
    if schools is None:
        return None
    detail = analysed_phrase(evidence, words)
    label = words.plural("school drawn by lot", "schools drawn by lot", schools)
    if was_drawn_elsewhere(evidence):
        label = words.plural("school drawn elsewhere", "schools drawn elsewhere", schools)
    return KeyFigure(value=inline(words.numbers.count(schools)), label=label, detail=detail)


def _cost(evidence: Evidence, words: Words) -> KeyFigure | None:
    """Return the cost per pupil in the first compared arm; None where there is none for all of the report's schools."""
    arm = compared_arms(evidence)[0]
    rows = [row for row in cost_rows(evidence, arm=arm.name) if math.isfinite(as_float(row["cost_per_pupil"]))]
    if len(rows) != 1:
        return None
    amount_text = money(words, as_float(rows[0]["cost_per_pupil"]), currency=str(rows[0]["currency"]))
    return KeyFigure(
        value=(Span(text=amount_text),),
        label=words.text("cost per pupil in {schools}", schools=schools_of(words, arm)),
        detail=" ".join(price_years(words, rows)),
    )


def _plain(text: Inline) -> str:
    return "".join(part.text for part in text)
