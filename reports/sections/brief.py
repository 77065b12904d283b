"""The evidence summary: two pages for those who decide. Page one answers, page two says for whom, how, at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from data_schema.language import message
from reports.blocks import Block, Bullets, Heading, Inline, Note, PageBreak, Paragraph, Span, Title, inline
from reports.claims import plan_sentences
from reports.comparisons import schools_of
from reports.disclosure import MINIMUM_SCHOOLS
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.sections.common import (
    analysed_phrase,
    arm_line,
    cost_rows,
    costs_of_place,
    country_names,
    findings_title,
    headline_comparisons,
    key_figures,
    number_of_schools,
    paragraph,
    plan_note,
    price_years,
    primary_note,
    size_phrase,
    was_drawn_elsewhere,
)
from reports.sections.limits import limits
from reports.sections.practice import unknown_usual_costs, without_records
from reports.selection import as_float, compared_arms, focus, has_countries, headline, of_focus, reference_arm
from reports.sentences import answer, comparison, short
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


def brief_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block; the title is the finding."""
    text = words(language)
    title = findings_title(evidence, text) or evidence.title
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
    blocks: list[Block] = [*plan_note(evidence, text), *primary_note(evidence, text)]
    if evidence.intervention:
        blocks.append(Paragraph(text=inline(evidence.intervention), style="lead"))
    described = [arm for arm in compared_arms(evidence) if arm.description]
    if described:
        blocks.append(Bullets(items=tuple(arm_line(text, arm, arm.description) for arm in described)))
    answers = headline_comparisons(evidence)
    for one in answers:
        title = text.text("Did it work?")
        if len(answers) > 1:
            title = text.text("Did it work? {arm}", arm=one.arm.label)
        blocks.append(Note(kind="finding", title=title, text=answer(text, one)))
    return (*blocks, *key_figures(evidence, text))


def brief_outcomes(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the table of all outcomes and the headline's figures, and end the page.

    Of several arms there is one figure that names them all; the forest plot of each is in the experimental report.
    """
    text = words(language)
    entry, arms = headline(evidence), compared_arms(evidence)
    blocks: list[Block] = [outcomes_table(evidence, text)]
    turn = (PageBreak(),) if len(arms) == 1 else ()  # tables of several arms are long: the text goes on below them
    if entry is None:
        return (*blocks, *turn)
    shares = None if has_countries(evidence) else shares_plot(evidence, text, entry)
    forest = forest_plot(evidence, text, entry, arm=arms[0]) if len(arms) == 1 else None
    if shares is not None:
        return (*blocks, shares, *turn, *((forest,) if forest is not None else ()))
    return (*blocks, *((forest,) if forest is not None else ()), *turn)


def brief_practice(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return for whom, how it was put into practice and what it cost."""
    text = words(language)
    blocks: list[Block] = []
    entry = headline(evidence)
    if entry is not None and has_countries(evidence):
        blocks.append(Heading(text=text.text("Country by country"), anchor="where"))
        blocks.append(Bullets(items=tuple(_by_country(evidence, text, entry))))
        plot = shares_plot(evidence, text, entry)
        blocks += [plot] if plot is not None else []
    blocks.append(Heading(text=text.text("Was it put into practice?"), anchor="practice"))
    blocks += _practice(evidence, text)
    blocks.append(Heading(text=text.text("What did it cost?"), anchor="cost"))
    blocks += _costs(evidence, text)
    return tuple(blocks)


def _by_country(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[Inline]:
    """Yield the headline of each country, and of each arm where there are several."""
    arms = compared_arms(evidence)
    for code, name in evidence.countries.items():
        for arm in arms:
            place = name if len(arms) == 1 else words.text("{country}, {arm}", country=name, arm=arm.label)
            yield words.line(
                "{country}. {result}",
                country=Span(text=place, strong=True),
                result=short(words, comparison(evidence, entry, arm=arm, country=code)),
            )


def brief_unknowns(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return everything that is not known, the most important first."""
    text = words(language)
    points = tuple(limits(evidence, text))
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
    schools, analysed = number_of_schools(evidence), analysed_phrase(evidence, text)
    if schools is not None:
        arms = text.listed([arm.label for arm in evidence.arms])
        said = text.plural(
            "Schools: {n} drawn by lot ({arms}).", "Schools: {n} drawn by lot ({arms}).", schools, arms=arms
        )
        if was_drawn_elsewhere(evidence):
            said = text.plural(
                "Schools: {n} drawn elsewhere ({arms}).", "Schools: {n} drawn elsewhere ({arms}).", schools, arms=arms
            )
        points.append(said)
    if analysed:
        points.append(text.text("In the main analysis: {analysed}.", analysed=analysed))
    if evidence.comparison:
        points.append(text.text("Compared with: {comparison}", comparison=evidence.comparison))
    dates = [
        text.text("{wave} ({date})", wave=label, date=date) if date else label
        for label, date in evidence.waves.values()
    ]
    if dates:
        points.append(text.text("Data: {waves}.", waves=text.listed(dates)))
    heading = Heading(text=text.text("How was the trial done?"), anchor="how")
    return heading, Bullets(items=(*(inline(point) for point in points), _plan(evidence, text)))


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
    told = [arm for arm in evidence.arms if arm.name in set(rows["arm"])]
    points = [
        words.text("{indicator} {figures}", indicator=indicator_head(evidence, words, label, wave), figures=figures)
        for wave, of_wave in by_wave(rows)
        for label, found in by_indicator(of_wave)
        if (figures := _contrasts(told, words, found, reference=reference_arm(evidence).name))
    ]
    if not points:
        return [paragraph(few_schools_note(words))]
    template = message("Reported means in {arms} (difference): {points}.")
    if reference_arm(evidence) not in told:
        template = message("Reported means in {arms}: {points}.")
    said = [
        words.text(
            template,
            arms=words.listed([schools_of(words, arm) for arm in told]),
            points=reduce(lambda left, right: words.text("{left}; {right}", left=left, right=right), points),
        )
    ]
    if (rows["n_schools"] < MINIMUM_SCHOOLS).any():
        said.append(few_schools_note(words))
    return [Paragraph(text=words.joined([*said, *without_records(evidence, words)]), style="small")]


def _contrasts(
    arms: Sequence[ArmFacts], words: Words, found: Mapping[str, Mapping[str, object]], *, reference: str
) -> str:
    """Return the means of an indicator in the arms' order; empty where none may be printed."""
    if not any(is_printable(row) for row in found.values()):
        return ""
    parts = []
    for arm in arms:
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
    said = [_cost(evidence, words, row) for row in rows] + price_years(words, rows)
    if len(rows) < len(costs_of_place(evidence)):
        said.append(few_schools_note(words))
    return [paragraph(words.joined([*said, *unknown_usual_costs(evidence, words)]))]


def _cost(evidence: Evidence, words: Words, row: Mapping[str, object]) -> str:
    values = {
        name: money(words, as_float(row[f"cost_per_{name}"]), currency=str(row["currency"]))
        for name in ("pupil", "school")
    }
    arm = arm_label(evidence, str(row["arm"]))
    if row["country"] and not focus(evidence) and has_countries(evidence):
        arm = words.text("{country}, {arm}", country=evidence.countries[str(row["country"])], arm=arm)
    return words.text("{arm}: {pupil} per pupil, {school} per school.", arm=arm, **values)


def _plan(evidence: Evidence, words: Words) -> Inline:
    said = list(plan_sentences(evidence.plan, words))
    if evidence.registration:
        stated = words.text(
            "Registration, as the protocol states it: {registration}.", registration=evidence.registration
        )
    else:
        stated = words.text("The protocol states no registration.")
    return words.joined([*said, stated])
