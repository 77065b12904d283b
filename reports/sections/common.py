"""Sentences and blocks that several sections share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from reports.blocks import Block, Inline, KeyFigure, KeyFigures, Note, Paragraph, Span, inline
from reports.evidence import Evidence
from reports.means import shown_means
from reports.selection import all_estimates, as_float, compared_arms, focus, headline, of_focus, records
from reports.sentences import (
    Comparison,
    Verdict,
    amount,
    comparison,
    figure,
    schools_of,
    span,
    unit_of,
    who_of,
)
from reports.tables.flow import flow_of
from reports.tables.practice import is_printable, money
from reports.words import Words


def headline_comparisons(evidence: Evidence, *, country: str | None = None) -> tuple[Comparison, ...]:
    """Return the headline analysis for each compared arm; none when there is no analysis."""
    entry = headline(evidence)
    if entry is None:
        return ()
    return tuple(comparison(evidence, entry, arm=arm, country=country) for arm in compared_arms(evidence))


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


def number_of_pupils(evidence: Evidence) -> int | None:
    """Return how many pupils the headline analysis rests on; None when it could not be made or is of very few."""
    sizes = [one.difference.n_pupils for one in headline_comparisons(evidence) if one.difference is not None]
    largest = max(sizes, default=0)
    return largest if largest >= evidence.disclosure_threshold else None


def size_phrase(evidence: Evidence, words: Words) -> str:
    """Return "62 schools, 3,401 pupils analysed", or what of it is known; empty when nothing is."""
    schools, pupils = number_of_schools(evidence), number_of_pupils(evidence)
    parts = []
    if schools is not None:
        parts.append(words.schools(schools))
    if pupils is not None:
        parts.append(words.plural("{n} pupil analysed", "{n} pupils analysed", pupils))
    return words.text("{left}, {right}", left=parts[0], right=parts[1]) if len(parts) > 1 else "".join(parts)


def plan_note(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the caution that the plan was not frozen, or nothing."""
    if evidence.design.get("plan_frozen"):
        return ()
    text = words.text(
        "The analysis plan was not frozen before the results were seen. Read every estimate as exploratory."
    )
    return (Note(kind="caution", title=words.text("No frozen plan"), text=inline(text)),)


def key_figures(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return the headline in large numbers: the difference, the levels, the size of the trial, the cost."""
    found = [_difference(words, one) for one in headline_comparisons(evidence)[:1]]
    found += [_level(evidence, words, one) for one in headline_comparisons(evidence)[:1]]
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
    if one.outcome.kind == "binary":
        label = words.text("{who} per 100 pupils in {schools}", who=who_of(words, one.outcome), schools=schools)
    elif one.outcome.unit:
        label = words.text(
            "{outcome} in {schools}, {unit}", outcome=one.outcome.label, schools=schools, unit=unit_of(one.outcome)
        )
    else:
        label = words.text("{outcome} in {schools}", outcome=one.outcome.label, schools=schools)
    level = words.numbers.level(difference.conf_level)
    detail = words.text("{level} interval: {interval}", level=level, interval=_plain(span(words, one)))
    return KeyFigure(value=amount(words, one, difference.estimate, of=difference), label=label, detail=detail)


def _level(evidence: Evidence, words: Words, one: Comparison) -> KeyFigure | None:
    shown = shown_means(evidence, one.analysis, all_estimates(evidence))
    before, after = shown.get((one.reference.name, one.country)), shown.get((one.arm.name, one.country))
    if before is None or after is None or one.outcome.kind != "binary" or not one.outcome.event:
        return None
    return KeyFigure(
        value=(figure(words, one, after.estimate, of=after),),
        label=words.text(
            "of every 100 pupils {event} in {schools}", event=one.outcome.event, schools=schools_of(words, one.arm)
        ),
        detail=words.text(
            "{n} in {schools}",
            n=_plain((figure(words, one, before.estimate, of=before),)),
            schools=schools_of(words, one.reference),
        ),
    )


def _size(evidence: Evidence, words: Words) -> KeyFigure | None:
    schools, pupils = number_of_schools(evidence), number_of_pupils(evidence)
    if schools is None:
        return None
    detail = "" if pupils is None else words.plural("{n} pupil analysed", "{n} pupils analysed", pupils)
    label = words.plural("school drawn by lot", "schools drawn by lot", schools)
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
