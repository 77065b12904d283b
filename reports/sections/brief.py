"""The evidence summary: two pages for those who decide. Page one answers, page two says for whom, how, at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from itertools import islice

from reports.blocks import Block, Bullets, Heading, Inline, Note, PageBreak, Paragraph, Span, Title, inline
from reports.disclosure import MINIMUM_SCHOOLS
from reports.evidence import Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.sections.common import (
    cost_rows,
    country_names,
    headline_comparisons,
    key_figures,
    number_of_pupils,
    number_of_schools,
    paragraph,
    plan_note,
    price_years,
    size_phrase,
)
from reports.sections.limits import limits
from reports.sections.practice import usual_practice, without_records
from reports.selection import as_float, compared_arms, focus, has_countries, headline, of_focus, reference_arm
from reports.sentences import answer, comparison, finding, schools_of, short
from reports.tables import outcomes_table
from reports.tables.practice import (
    arm_label,
    by_indicator,
    by_wave,
    difference_of,
    few_schools_note,
    indicator_head,
    is_printable,
    money,
)
from reports.words import Words, words

MOST_OUTCOMES, MOST_LIMITS, MOST_FINDINGS = 4, 4, 2


def brief_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block; the title is the finding."""
    text = words(language)
    findings = [finding(text, one) for one in headline_comparisons(evidence)]
    title = evidence.title
    if findings and len(findings) <= MOST_FINDINGS:
        title = reduce(lambda left, right: text.text("{left}; {right}", left=left, right=right), findings)
    about = text.text("{title}, {countries}", title=evidence.title, countries=country_names(evidence, text))
    return (
        Title(
            kind=text.text("Evidence summary"),
            layout="brief",
            text=title,
            subtitle=about,
            facts=tuple(fact for fact in (size_phrase(evidence, text),) if fact),
        ),
    )


def brief_answer(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what was tried and the answer in one or two sentences, then the large numbers."""
    text = words(language)
    blocks: list[Block] = list(plan_note(evidence, text))
    if evidence.intervention:
        blocks.append(Paragraph(text=inline(evidence.intervention), style="lead"))
    answers = headline_comparisons(evidence)
    if len(answers) == 1:
        blocks.append(Note(kind="finding", title=text.text("Did it work?"), text=answer(text, answers[0])))
        return (*blocks, *key_figures(evidence, text))
    for one in answers:
        title = text.text("Did it work? {arm}", arm=one.arm.label)
        blocks.append(Note(kind="finding", title=title, text=answer(text, one)))
    return tuple(blocks)


def brief_outcomes(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the table of up to four outcomes and one figure, and end the page."""
    text = words(language)
    entry = headline(evidence)
    most = max(1, MOST_OUTCOMES // len(compared_arms(evidence)))
    blocks: list[Block] = [outcomes_table(evidence, text, most=most)]
    if entry is not None:
        arm = compared_arms(evidence)[0]
        plots = [forest_plot(evidence, text, entry, arm=arm)]
        if not has_countries(evidence):
            plots.insert(0, shares_plot(evidence, text, entry))
        blocks += [plot for plot in plots if plot is not None]
    return (*blocks, PageBreak())


def brief_practice(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return for whom, how it was put into practice and what it cost."""
    text = words(language)
    blocks: list[Block] = []
    entry = headline(evidence)
    if entry is not None and has_countries(evidence):
        arm = compared_arms(evidence)[0]
        points = [
            text.line(
                "{country}. {result}",
                country=Span(text=name, strong=True),
                result=short(text, comparison(evidence, entry, arm=arm, country=code)),
            )
            for code, name in evidence.countries.items()
        ]
        blocks.append(Heading(text=text.text("Country by country"), anchor="where"))
        blocks.append(Bullets(items=tuple(points)))
        plot = shares_plot(evidence, text, entry)
        blocks += [plot] if plot is not None else []
    blocks.append(Heading(text=text.text("Was it put into practice?"), anchor="practice"))
    blocks += _practice(evidence, text)
    blocks.append(Heading(text=text.text("What did it cost?"), anchor="cost"))
    blocks += _costs(evidence, text)
    return tuple(blocks)


def brief_unknowns(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what is not known, the most important first."""
    text = words(language)
    points = tuple(islice(limits(evidence, text), MOST_LIMITS))
    return Heading(text=text.text("What do we not know?"), anchor="unknown"), Bullets(items=points)


def brief_what_follows(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what the evaluators conclude; a plain sentence where they have not concluded anything yet."""
    text = words(language)
    heading = Heading(text=text.text("What follows?"), anchor="follows")
    if not evidence.recommendations:
        return heading, paragraph(text.text("The evaluators have made no recommendations."))
    return heading, Bullets(items=tuple(inline(point) for point in evidence.recommendations))


def brief_trial(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how the trial was done, in four lines."""
    text = words(language)
    points: list[str] = []
    schools, pupils = number_of_schools(evidence), number_of_pupils(evidence)
    if schools is not None:
        arms = text.listed([arm.label for arm in evidence.arms])
        said = text.plural(
            "Schools: {n} drawn by lot ({arms}).", "Schools: {n} drawn by lot ({arms}).", schools, arms=arms
        )
        points.append(said)
    if pupils is not None:
        points.append(text.plural("Pupils: {n} analysed.", "Pupils: {n} analysed.", pupils))
    if evidence.comparison:
        points.append(text.text("Compared with: {comparison}", comparison=evidence.comparison))
    dates = [
        text.text("{wave} ({date})", wave=label, date=date) if date else label
        for label, date in evidence.waves.values()
    ]
    if dates:
        points.append(text.text("Data: {waves}.", waves=text.listed(dates)))
    points.append(_plan(evidence, text))
    heading = Heading(text=text.text("How was the trial done?"), anchor="how")
    return heading, Bullets(items=tuple(inline(point) for point in points))


def brief_where(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return where to read more."""
    text = words(language)
    said: Inline = text.line("Full results, methods and limits: the experimental report of this trial.")
    if evidence.read_more:
        link = Span(text=evidence.read_more, link=evidence.read_more)
        said = text.line(
            "Full results, methods and limits: the experimental report of this trial, at {address}.", address=link
        )
    return (Paragraph(text=said, style="small"),)


def _practice(evidence: Evidence, words: Words) -> list[Block]:
    """Return every indicator in each arm, and the difference between arms."""
    rows = of_focus(evidence.implementation, evidence)
    if rows.empty:
        return [paragraph(words.text("No records of what schools put into practice were collected."))]
    points = [
        words.text("{indicator} {figures}", indicator=indicator_head(evidence, words, label, wave), figures=figures)
        for wave, of_wave in by_wave(rows)
        for label, found in by_indicator(of_wave)
        if (figures := _contrasts(evidence, words, found))
    ]
    if not points:
        return [paragraph(few_schools_note(words))]
    said = [
        words.text(
            "Means that schools reported, in {arms} (difference): {points}.",
            arms=words.listed([schools_of(words, arm) for arm in evidence.arms]),
            points=reduce(lambda left, right: words.text("{left}; {right}", left=left, right=right), points),
        )
    ]
    if (rows["n_schools"] < MINIMUM_SCHOOLS).any():
        said.append(few_schools_note(words))
    return [paragraph(words.joined([*said, *without_records(evidence, words)]))]


def _contrasts(evidence: Evidence, words: Words, found: Mapping[str, Mapping[str, object]]) -> str:
    """Return the means of an indicator in the arms' order; empty where none may be printed."""
    reference = reference_arm(evidence).name
    if not any(is_printable(row) for row in found.values()):
        return ""
    parts = []
    for arm in evidence.arms:
        is_known = arm.name in found and is_printable(found[arm.name])
        mean = words.numbers.estimate(as_float(found[arm.name]["mean"]) if is_known else math.nan)
        contrast = difference_of(found, arm.name, reference=reference)
        if not arm.is_reference and math.isfinite(contrast):
            difference = words.numbers.estimate(contrast, sign="both")
            mean = words.text("{mean} ({difference})", mean=mean, difference=difference)
        parts.append(mean)
    return words.listed(parts)


def _costs(evidence: Evidence, words: Words) -> list[Block]:
    """Return costs in each arm, of all schools or of each country where they have no common currency."""
    if evidence.costs.empty:
        return [paragraph(words.text("No costs were collected."))]
    rows = cost_rows(evidence)
    if not rows:
        return [paragraph(few_schools_note(words))]
    said = [_cost(evidence, words, row) for row in rows]
    return [paragraph(words.joined([*said, *price_years(words, rows), *usual_practice(evidence, words)]))]


def _cost(evidence: Evidence, words: Words, row: Mapping[str, object]) -> str:
    values = {
        name: money(words, as_float(row[f"cost_per_{name}"]), currency=str(row["currency"]))
        for name in ("pupil", "school")
    }
    arm = arm_label(evidence, str(row["arm"]))
    if row["country"] and not focus(evidence) and has_countries(evidence):
        arm = words.text("{country}, {arm}", country=evidence.countries[str(row["country"])], arm=arm)
    return words.text("{arm}: {pupil} per pupil, {school} per school.", arm=arm, **values)


def _plan(evidence: Evidence, words: Words) -> str:
    frozen = bool(evidence.design.get("plan_frozen"))
    if evidence.registration and frozen:
        return words.text(
            "Plan: registered ({registration}) and frozen before the results were seen.",
            registration=evidence.registration,
        )
    if evidence.registration:
        return words.text("Plan: registered ({registration}).", registration=evidence.registration)
    if frozen:
        return words.text("Plan: frozen before the results were seen.")
    return words.text("Plan: neither registered nor frozen before the results were seen.")
