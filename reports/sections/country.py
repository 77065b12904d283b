"""The head of a country report: the country's own result with that of all countries beside it."""

from __future__ import annotations

from reports.blocks import Block, Heading, Note, Paragraph, Title
from reports.evidence import Evidence
from reports.figures.forest import forest_plot
from reports.figures.shares import shares_plot
from reports.sections.common import (
    country_names,
    findings_title,
    headline_comparisons,
    key_figures,
    paragraph,
    plan_note,
    primary_note,
    size_phrase,
)
from reports.selection import compared_arms, has_countries, headline
from reports.sentences import answer, check
from reports.tables import beside_table, outcomes_table
from reports.words import words


def country_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block: the country and what was found there."""
    text = words(language)
    name = country_names(evidence, text)
    found = findings_title(evidence, text)
    title = text.text("{country}: {finding}", country=name, finding=found) if found else name
    return (
        Title(
            kind=text.text("Country report"),
            text=title,
            subtitle=text.text("{title}: a cluster randomised trial", title=evidence.title),
            facts=tuple(fact for fact in (size_phrase(evidence, text), evidence.registration) if fact),
        ),
    )


def country_answer(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the country's answer, then that of all countries together."""
    text = words(language)
    name = country_names(evidence, text)
    blocks: list[Block] = [Heading(text=text.text("The answer for {country}", country=name), anchor="answer")]
    blocks += [*plan_note(evidence, text), *primary_note(evidence, text)]
    for one in headline_comparisons(evidence):
        said = text.joined([answer(text, one), check(text, one)])
        blocks.append(Paragraph(text=said, style="lead"))
    blocks += key_figures(evidence, text)
    if has_countries(evidence):
        for one in headline_comparisons(evidence, country=""):
            said = answer(text, one)
            title = text.text("All countries together")
            if len(compared_arms(evidence)) > 1:
                title = text.text("All countries together: {arm}", arm=one.arm.label)
            blocks.append(Note(kind="info", title=title, text=said))
    return tuple(blocks)


def country_outcomes(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return all outcomes with those of all countries beside them, and the forest plot of the main one."""
    text = words(language)
    entry = headline(evidence)
    blocks: list[Block] = [Heading(text=text.text("Results"), anchor="results")]
    if not has_countries(evidence):
        blocks.append(outcomes_table(evidence, text))
        plot = shares_plot(evidence, text, entry) if entry is not None else None
        return (*blocks, *([plot] if plot is not None else []))
    blocks.append(
        paragraph(
            text.text(
                "One country’s estimate rests on fewer schools, so its interval is wider. Differences between countries"
                " can be chance."
            )
        )
    )
    blocks.append(beside_table(evidence, text))
    if entry is not None:
        plots = [forest_plot(evidence, text, entry, arm=arm) for arm in compared_arms(evidence)]
        blocks += [plot for plot in plots if plot is not None]
    return tuple(blocks)
