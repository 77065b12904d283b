"""The head of a country report: the country's own result with that of all countries beside it."""

from __future__ import annotations

from reports.blocks import Block, Heading, Note, Paragraph, Title
from reports.evidence import Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.sections.common import (
    build_key_figures,
    build_paragraph,
    build_primary_caution,
    find_headline_comparisons,
    format_country_names,
    format_findings_title,
    format_trial_size,
    plan_note,
)
from reports.selection import find_headline_analysis, get_compared_arms, has_countries
from reports.sentences import answer, check
from reports.tables import beside_table, outcomes_table
from reports.words import words


def country_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block: the country and what was found there."""
    text = words(language)
    name = format_country_names(evidence, text)
    country_findings = format_findings_title(evidence, text)
    title = text.text("{country}: {finding}", country=name, finding=country_findings) if country_findings else name
    return (
        Title(
            kind=text.text("Country report"),
            text=title,
            subtitle=text.text("{title}: a cluster randomised trial", title=evidence.title),
            facts=tuple(fact for fact in (format_trial_size(evidence, text), evidence.registration) if fact),
        ),
    )


def country_answer(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the country's answer, then that of all countries together."""
    text = words(language)
    name = format_country_names(evidence, text)
    blocks: list[Block] = [Heading(text=text.text("The answer for {country}", country=name), anchor="answer")]
    blocks += [*plan_note(evidence, text), *build_primary_caution(evidence, text)]
    for headline_result in find_headline_comparisons(evidence):
        answer_text = text.joined([answer(text, headline_result), check(text, headline_result)])
        blocks.append(Paragraph(text=answer_text, style="lead"))
    blocks += build_key_figures(evidence, text)
    if has_countries(evidence):
        for headline_result in find_headline_comparisons(evidence, country=""):
            answer_text = answer(text, headline_result)
            title = text.text("All countries together")
            if len(get_compared_arms(evidence)) > 1:
                title = text.text("All countries together: {arm}", arm=headline_result.arm.label)
            blocks.append(Note(kind="info", title=title, text=answer_text))
    return tuple(blocks)


def country_outcomes(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return all outcomes with those of all countries beside them, and the forest plot of the main one."""
    text = words(language)
    entry = find_headline_analysis(evidence)
    blocks: list[Block] = [Heading(text=text.text("Results"), anchor="results")]
    if not has_countries(evidence):
        blocks.append(outcomes_table(evidence, text))
        plot = shares_plot(evidence, text, entry) if entry is not None else None
        return (*blocks, *([plot] if plot is not None else []))
    blocks.append(
        build_paragraph(
            text.text(
                "One country’s estimate rests on fewer schools, so its interval is wider. Differences between countries"
                " can be chance."
            )
        )
    )
    blocks.append(beside_table(evidence, text))
    if entry is not None:
        plots = [forest_plot(evidence, text, entry, arm=arm) for arm in get_compared_arms(evidence)]
        blocks += [plot for plot in plots if plot is not None]
    return tuple(blocks)
