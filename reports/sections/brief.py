"""The evidence summary: two pages for those who decide. Page one answers, page two says for whom, how, at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from data_schema.language import message
from reports.blocks import Block, Bullets, Heading, Inline, Note, PageBreak, Paragraph, Span, Title, convert_to_spans
from reports.claims import plan_sentences
from reports.comparisons import describe_schools_of_arm
from reports.disclosure import MINIMUM_SCHOOLS
from reports.evidence import AnalysisFacts, ArmFacts, Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.sections.common import (
    attach_arm_name,
    build_key_figures,
    build_paragraph,
    build_primary_caution,
    count_randomised_schools,
    describe_price_years,
    find_headline_comparisons,
    format_analysed_size,
    format_country_names,
    format_findings_title,
    format_trial_size,
    get_printable_cost_rows,
    is_drawn_elsewhere,
    plan_note,
    select_costs_of_place,
)
from reports.sections.limits import describe_limits
from reports.sections.practice import describe_missing_records, describe_unknown_usual_costs
from reports.selection import (
    as_float,
    find_headline_analysis,
    get_compared_arms,
    get_focus_country,
    get_reference_arm,
    has_countries,
    select_focus_rows,
)
from reports.sentences import answer, comparison, summarise_comparison
from reports.tables import outcomes_table
from reports.tables.practice import (
    compute_arm_difference,
    describe_few_schools,
    format_indicator_head,
    format_money,
    get_arm_label,
    is_printable,
    iterate_by_indicator,
    iterate_by_wave,
)
from reports.words import Words, words


def brief_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block; the title is the finding."""
    text = words(language)
    title = format_findings_title(evidence, text) or evidence.title
    about = text.text("{title}, {countries}", title=evidence.title, countries=format_country_names(evidence, text))
    return (
        Title(
            kind=text.text("Evidence summary"),
            layout="brief",
            text=title,
            subtitle=about,
            facts=tuple(fact for fact in (format_trial_size(evidence, text),) if fact),
        ),
    )


def brief_answer(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what was tried and the answer in one or two sentences, then the large numbers."""
    text = words(language)
    blocks: list[Block] = [*plan_note(evidence, text), *build_primary_caution(evidence, text)]
    if evidence.intervention:
        blocks.append(Paragraph(text=convert_to_spans(evidence.intervention), style="lead"))
    described = [arm for arm in get_compared_arms(evidence) if arm.description]
    if described:
        blocks.append(Bullets(items=tuple(attach_arm_name(text, arm, arm.description) for arm in described)))
    answers = find_headline_comparisons(evidence)
    for headline_result in answers:
        title = text.text("Did it work?")
        if len(answers) > 1:
            title = text.text("Did it work? {arm}", arm=headline_result.arm.label)
        blocks.append(Note(kind="finding", title=title, text=answer(text, headline_result)))
    return (*blocks, *build_key_figures(evidence, text))


def brief_outcomes(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the table of all outcomes and the headline's figures, and end the page.

    Of several arms there is one figure that names them all; the forest plot of each is in the experimental report.
    """
    text = words(language)
    entry, arms = find_headline_analysis(evidence), get_compared_arms(evidence)
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
    entry = find_headline_analysis(evidence)
    if entry is not None and has_countries(evidence):
        blocks.append(Heading(text=text.text("Country by country"), anchor="where"))
        blocks.append(Bullets(items=tuple(_iterate_country_headlines(evidence, text, entry))))
        plot = shares_plot(evidence, text, entry)
        blocks += [plot] if plot is not None else []
    blocks.append(Heading(text=text.text("Was it put into practice?"), anchor="practice"))
    blocks += _build_practice_blocks(evidence, text)
    blocks.append(Heading(text=text.text("What did it cost?"), anchor="cost"))
    blocks += _build_cost_blocks(evidence, text)
    return tuple(blocks)


def _iterate_country_headlines(evidence: Evidence, words: Words, entry: AnalysisFacts) -> Iterator[Inline]:
    """Yield the headline of each country, and of each arm where there are several."""
    arms = get_compared_arms(evidence)
    for code, name in evidence.countries.items():
        for arm in arms:
            place = name if len(arms) == 1 else words.text("{country}, {arm}", country=name, arm=arm.label)
            yield words.line(
                "{country}. {result}",
                country=Span(text=place, strong=True),
                result=summarise_comparison(words, comparison(evidence, entry, arm=arm, country=code)),
            )


def brief_unknowns(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return everything that is not known, the most important first."""
    text = words(language)
    points = tuple(describe_limits(evidence, text))
    return Heading(text=text.text("What do we not know?"), anchor="unknown"), Bullets(items=points)


def brief_what_follows(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what the evaluators conclude; a plain sentence where they have not concluded anything yet."""
    text = words(language)
    heading = Heading(text=text.text("What follows?"), anchor="follows")
    if not evidence.recommendations:
        return heading, build_paragraph(text.text("The evaluators have made no recommendations."))
    return heading, Bullets(items=tuple(convert_to_spans(point) for point in evidence.recommendations))


def brief_trial(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how the trial was done, in four lines."""
    text = words(language)
    points: list[str] = []
    schools, analysed = count_randomised_schools(evidence), format_analysed_size(evidence, text)
    if schools is not None:
        arms = text.listed([arm.label for arm in evidence.arms])
        schools_point = text.plural(
            "Schools: {n} drawn by lot ({arms}).", "Schools: {n} drawn by lot ({arms}).", schools, arms=arms
        )
        if is_drawn_elsewhere(evidence):
            schools_point = text.plural(
                "Schools: {n} drawn elsewhere ({arms}).", "Schools: {n} drawn elsewhere ({arms}).", schools, arms=arms
            )
        points.append(schools_point)
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
    return heading, Bullets(items=(*(convert_to_spans(point) for point in points), _plan(evidence, text)))


def brief_where(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return where to read more."""
    text = words(language)
    pointer: Inline = text.line("Full results, methods and limits: the experimental report of this trial.")
    if evidence.read_more:
        link = Span(text=evidence.read_more, link=evidence.read_more)
        pointer = text.line(
            "Full results, methods and limits: the experimental report of this trial, at {address}.", address=link
        )
    return (Paragraph(text=pointer, style="small"),)


def _build_practice_blocks(evidence: Evidence, words: Words) -> list[Block]:
    """Return every indicator in each arm, and the difference between arms."""
    rows = select_focus_rows(evidence.implementation, evidence)
    if rows.empty:
        return [build_paragraph(words.text("No records of what schools put into practice were collected."))]
    reporting_arms = [arm for arm in evidence.arms if arm.name in set(rows["arm"])]
    points = [
        words.text(
            "{indicator} {figures}", indicator=format_indicator_head(evidence, words, label, wave), figures=figures
        )
        for wave, of_wave in iterate_by_wave(rows)
        for label, indicator_rows in iterate_by_indicator(of_wave)
        if (
            figures := _format_indicator_means(
                reporting_arms, words, indicator_rows, reference=get_reference_arm(evidence).name
            )
        )
    ]
    if not points:
        return [build_paragraph(describe_few_schools(words))]
    template = message("Reported means in {arms} (difference): {points}.")
    if get_reference_arm(evidence) not in reporting_arms:
        template = message("Reported means in {arms}: {points}.")
    sentences = [
        words.text(
            template,
            arms=words.listed([describe_schools_of_arm(words, arm) for arm in reporting_arms]),
            points=reduce(lambda left, right: words.text("{left}; {right}", left=left, right=right), points),
        )
    ]
    if (rows["n_schools"] < MINIMUM_SCHOOLS).any():
        sentences.append(describe_few_schools(words))
    return [Paragraph(text=words.joined([*sentences, *describe_missing_records(evidence, words)]), style="small")]


def _format_indicator_means(
    arms: Sequence[ArmFacts], words: Words, found: Mapping[str, Mapping[str, object]], *, reference: str
) -> str:
    """Return the means of an indicator in the arms' order; empty where none may be printed."""
    if not any(is_printable(row) for row in found.values()):
        return ""
    parts = []
    for arm in arms:
        is_known = arm.name in found and is_printable(found[arm.name])
        mean = words.numbers.estimate(as_float(found[arm.name]["mean"]) if is_known else math.nan)
        contrast = compute_arm_difference(found, arm.name, reference=reference)
        if not arm.is_reference and math.isfinite(contrast):
            difference = words.numbers.estimate(contrast, sign="both")
            mean = words.text("{mean} ({difference})", mean=mean, difference=difference)
        parts.append(mean)
    return words.listed(parts)


def _build_cost_blocks(evidence: Evidence, words: Words) -> list[Block]:
    """Return costs in each arm, of all schools or of each country where they have no common currency."""
    if evidence.costs.empty:
        return [build_paragraph(words.text("No costs were collected."))]
    rows = get_printable_cost_rows(evidence)
    if not rows:
        return [build_paragraph(describe_few_schools(words))]
    sentences = [_describe_cost(evidence, words, row) for row in rows] + describe_price_years(words, rows)
    if len(rows) < len(select_costs_of_place(evidence)):
        sentences.append(describe_few_schools(words))
    return [build_paragraph(words.joined([*sentences, *describe_unknown_usual_costs(evidence, words)]))]


def _describe_cost(evidence: Evidence, words: Words, row: Mapping[str, object]) -> str:
    values = {
        name: format_money(words, as_float(row[f"cost_per_{name}"]), currency=str(row["currency"]))
        for name in ("pupil", "school")
    }
    arm = get_arm_label(evidence, str(row["arm"]))
    if row["country"] and not get_focus_country(evidence) and has_countries(evidence):
        arm = words.text("{country}, {arm}", country=evidence.countries[str(row["country"])], arm=arm)
    return words.text("{arm}: {pupil} per pupil, {school} per school.", arm=arm, **values)


def _plan(evidence: Evidence, words: Words) -> Inline:
    sentences = list(plan_sentences(evidence.plan, words))
    if evidence.registration:
        stated = words.text(
            "Registration, as the protocol states it: {registration}.", registration=evidence.registration
        )
    else:
        stated = words.text("The protocol states no registration.")
    return words.joined([*sentences, stated])
