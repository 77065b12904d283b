"""The head of the experimental report: title and structured summary."""

from __future__ import annotations

from reports.blocks import Block, Bullets, Heading, Inline, Paragraph, Span, Title
from reports.evidence import Evidence
from reports.sections.common import (
    analysed_phrase,
    are_all_analysed,
    arm_line,
    country_names,
    headline_comparisons,
    key_figures,
    number_of_schools,
    plan_note,
    primary_note,
    size_phrase,
    was_drawn_elsewhere,
)
from reports.selection import compared_arms, main_analyses
from reports.sentences import answer, check, comparison, finding, short
from reports.words import Words, words


def report_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block: what was tried, that it was a cluster randomised trial, and what was found."""
    text = words(language)
    facts = [country_names(evidence, text), size_phrase(evidence, text)]
    if evidence.registration:
        facts.append(text.text("Registration: {registration}", registration=evidence.registration))
    if evidence.funder:
        facts.append(text.text("Funded by {funder}", funder=evidence.funder))
    return (
        Title(
            kind=text.text("Experimental report"),
            text=text.text("{title}: a cluster randomised trial", title=evidence.title),
            subtitle=" ".join(
                text.text("{finding}.", finding=finding(text, one)) for one in headline_comparisons(evidence)
            ),
            facts=tuple(fact for fact in facts if fact),
        ),
    )


def summary(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the structured summary: the answer, then design, schools and other outcomes, a line each."""
    text = words(language)
    answers = tuple(
        Paragraph(text=text.joined([answer(text, one), check(text, one)]), style="lead")
        for one in headline_comparisons(evidence)
    )
    return (
        Heading(text=text.text("Summary"), anchor="summary"),
        *plan_note(evidence, text),
        *primary_note(evidence, text),
        *answers,
        *key_figures(evidence, text),
        Bullets(items=tuple(_points(evidence, text))),
    )


def _points(evidence: Evidence, words: Words) -> list[Inline]:
    points = [_point(words, words.text("Design"), _design(evidence, words))]
    if evidence.intervention:
        points.append(_point(words, words.text("Intervention"), evidence.intervention))
    arms = compared_arms(evidence)
    points += [arm_line(words, arm, arm.description) for arm in arms if arm.description]
    if evidence.comparison:
        points.append(_point(words, words.text("Comparison"), evidence.comparison))
    for arm in arms:
        others = [short(words, comparison(evidence, entry, arm=arm)) for entry in main_analyses(evidence)[1:]]
        label = words.text("Other outcomes")
        if len(arms) > 1:
            label = words.text("Other outcomes, {arm}", arm=arm.label)
        points += [_point(words, label, words.joined(others))] if others else []
    return points


def _design(evidence: Evidence, words: Words) -> str:
    schools, analysed = number_of_schools(evidence), analysed_phrase(evidence, words)
    if schools is None:
        return words.text("schools were drawn by lot, and pupils analysed with the school they were in at the start.")
    if was_drawn_elsewhere(evidence):
        return words.plural(
            "the draw of {n} school was made elsewhere and adopted; {analysed}, with the school that pupils were in at"
            " the start.",
            "the draw of {n} schools was made elsewhere and adopted; {analysed}, with the school that pupils were in at"
            " the start.",
            schools,
            analysed=analysed or words.text("pupils analysed"),
        )
    if not are_all_analysed(evidence):
        return words.plural(
            "{n} school was drawn by lot; {analysed}, with the school that pupils were in at the start.",
            "{n} schools were drawn by lot; {analysed}, with the school that pupils were in at the start.",
            schools,
            analysed=analysed,
        )
    return words.plural(
        "{n} school was drawn by lot, and pupils analysed with the school they were in at the start.",
        "{n} schools were drawn by lot, and pupils analysed with the school they were in at the start.",
        schools,
    )


def _point(words: Words, label: str, said: str | Inline) -> Inline:
    return words.line("{label}: {text}", label=Span(text=label, strong=True), text=said)
