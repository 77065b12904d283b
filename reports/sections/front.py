"""The head of the experimental report: title and structured summary."""

from __future__ import annotations

from reports.blocks import Block, Bullets, Heading, Inline, Paragraph, Span, Title
from reports.evidence import Evidence
from reports.sections.common import (
    attach_arm_name,
    build_key_figures,
    build_primary_caution,
    count_randomised_schools,
    find_headline_comparisons,
    format_analysed_size,
    format_country_names,
    format_trial_size,
    is_drawn_elsewhere,
    is_every_school_analysed,
    plan_note,
)
from reports.selection import find_main_analyses, get_compared_arms
from reports.sentences import answer, check, comparison, describe_finding, summarise_comparison
from reports.words import Words, words


def report_title(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the title block: what was tried, that it was a cluster randomised trial, and what was found."""
    text = words(language)
    facts = [format_country_names(evidence, text), format_trial_size(evidence, text)]
    if evidence.registration:
        facts.append(text.text("Registration: {registration}", registration=evidence.registration))
    if evidence.funder:
        facts.append(text.text("Funded by {funder}", funder=evidence.funder))
    return (
        Title(
            kind=text.text("Experimental report"),
            text=text.text("{title}: a cluster randomised trial", title=evidence.title),
            subtitle=" ".join(
                text.text("{finding}.", finding=describe_finding(text, headline_result))
                for headline_result in find_headline_comparisons(evidence)
            ),
            facts=tuple(fact for fact in facts if fact),
        ),
    )


def summary(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the structured summary: the answer, then design, schools and other outcomes, a line each."""
    text = words(language)
    answers = tuple(
        Paragraph(text=text.joined([answer(text, headline_result), check(text, headline_result)]), style="lead")
        for headline_result in find_headline_comparisons(evidence)
    )
    return (
        Heading(text=text.text("Summary"), anchor="summary"),
        *plan_note(evidence, text),
        *build_primary_caution(evidence, text),
        *answers,
        *build_key_figures(evidence, text),
        Bullets(items=tuple(_build_points(evidence, text))),
    )


def _build_points(evidence: Evidence, words: Words) -> list[Inline]:
    points = [_format_point(words, words.text("Design"), _describe_design(evidence, words))]
    if evidence.intervention:
        points.append(_format_point(words, words.text("Intervention"), evidence.intervention))
    arms = get_compared_arms(evidence)
    points += [attach_arm_name(words, arm, arm.description) for arm in arms if arm.description]
    if evidence.comparison:
        points.append(_format_point(words, words.text("Comparison"), evidence.comparison))
    for arm in arms:
        others = [
            summarise_comparison(words, comparison(evidence, entry, arm=arm))
            for entry in find_main_analyses(evidence)[1:]
        ]
        label = words.text("Other outcomes")
        if len(arms) > 1:
            label = words.text("Other outcomes, {arm}", arm=arm.label)
        points += [_format_point(words, label, words.joined(others))] if others else []
    return points


def _describe_design(evidence: Evidence, words: Words) -> str:
    schools, analysed = count_randomised_schools(evidence), format_analysed_size(evidence, words)
    if schools is None:
        return words.text("schools were drawn by lot, and pupils analysed with the school they were in at the start.")
    if is_drawn_elsewhere(evidence):
        return words.plural(
            "the draw of {n} school was made elsewhere and adopted; {analysed}, with the school that pupils were in at"
            " the start.",
            "the draw of {n} schools was made elsewhere and adopted; {analysed}, with the school that pupils were in at"
            " the start.",
            schools,
            analysed=analysed or words.text("pupils analysed"),
        )
    if not is_every_school_analysed(evidence):
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


def _format_point(words: Words, label: str, said: str | Inline) -> Inline:
    return words.line("{label}: {text}", label=Span(text=label, strong=True), text=said)
