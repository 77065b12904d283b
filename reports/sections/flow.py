"""From assessment to analysis: schools and pupils."""

from __future__ import annotations

from collections.abc import Sequence

from data_schema.language import message
from reports.blocks import Block, Heading
from reports.comparisons import describe_schools_of_arm
from reports.evidence import ArmFacts, Evidence
from reports.figures.flow import flow_diagram
from reports.flow import ArmFlow, WithoutConsent, build_flow
from reports.sections.common import build_paragraph
from reports.tables.flow import flow_table
from reports.words import Words, words


def participant_flow(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the flow of schools and pupils: how many have the primary outcome, and why the others have not."""
    text = words(language)
    heading = Heading(text=text.text("Schools and pupils"), anchor="flow")
    flow = build_flow(evidence)
    if flow is None:
        return heading, build_paragraph(text.text("Nothing is known about the flow of schools and pupils."))
    sentences = [retention for entry in flow.arms if (retention := _describe_retention(text, entry))]
    drawn = flow_diagram(evidence, text) or flow_table(evidence, text)  # a table where arms are too many to draw
    body = [build_paragraph(text.joined(sentences))] if sentences else []
    body += [
        build_paragraph(text.joined(consent_sentences))
        for consent_sentences in [describe_consent(evidence, text, flow.arms)]
        if consent_sentences
    ]
    return (heading, *body, *([drawn] if drawn is not None else []))


_DONE = {
    "exclude": message(
        "By the protocol their data are kept out: they are in no table, estimate or file beside this count."
    ),
    "aggregate_only": message(
        "By the protocol their data count in tables and estimates, and are in no file with rows of pupils that leaves"
        " the trial."
    ),
    "keep": message("By the protocol the answer is recorded and changes nothing: their data are used as others are."),
}
"""What the protocol says is done with the data of pupils who did not consent."""


def describe_consent(evidence: Evidence, words: Words, arms: Sequence[ArmFlow]) -> list[str]:
    """Return who did not consent, what was done with their data and on what ground; nothing where all did."""
    rule = next((entry.rule for entry in arms if entry.rule), "")
    if not rule:
        return []
    sentences = [*_describe_refusals(words, arms), *_describe_unanswered(words, arms), words.text(_DONE[rule])]
    if evidence.legal_basis:
        return [*sentences, words.text("Legal basis by the protocol: {basis}.", basis=evidence.legal_basis.rstrip("."))]
    return [*sentences, words.text("The protocol states no legal basis for using pupils’ data.")]


def _describe_refusals(words: Words, arms: Sequence[ArmFlow]) -> list[str]:
    """Return how many pupils refused, and in how many schools most did."""
    counts = [_format_arm_count(words, entry.arm, entry.refused) for entry in arms if entry.refused.is_any]
    sentences = [words.text("Consent was refused: {counts}.", counts=words.listed(counts))] if counts else []
    most = _count_mostly_without([entry.refused for entry in arms])
    if most:
        sentences.append(
            words.plural(
                "In {n} school more than half of the pupils refused.",
                "In {n} schools more than half of the pupils refused.",
                most,
            )
        )
    return sentences


def _describe_unanswered(words: Words, arms: Sequence[ArmFlow]) -> list[str]:
    """Return how many pupils have no answer, and in how many schools most have none."""
    counts = [_format_arm_count(words, entry.arm, entry.unanswered) for entry in arms if entry.unanswered.is_any]
    if not counts:
        return []
    sentences = [
        words.text(
            "No answer on consent was given, which is no consent: {counts}.",
            counts=words.listed(counts),
        )
    ]
    most = _count_mostly_without([entry.unanswered for entry in arms])
    if most:
        sentences.append(
            words.plural(
                "In {n} school more than half of the pupils have no answer.",
                "In {n} schools more than half of the pupils have no answer.",
                most,
            )
        )
    return sentences


def _count_mostly_without(arms: Sequence[WithoutConsent]) -> int:
    return sum(
        without_consent.mostly.schools.value or 0
        for without_consent in arms
        if without_consent.mostly.schools is not None
    )


def _format_arm_count(words: Words, arm: ArmFacts, without: WithoutConsent) -> str:
    """Return how many pupils of an arm; without the number where it may not be printed."""
    schools = describe_schools_of_arm(words, arm)
    pupils = None if without.counted.pupils is None else without.counted.pupils.value
    if pupils is None:
        return words.text("some pupils in {schools}", schools=schools)
    return words.plural("{n} pupil in {schools}", "{n} pupils in {schools}", pupils, schools=schools)


def _describe_retention(words: Words, entry: ArmFlow) -> str:
    """Return what part of an arm's pupils has the outcome; empty when the counts may not be printed."""
    start, end = entry.baseline.pupils, entry.analysed.pupils
    if start is None or end is None or not start.value or end.value is None:
        return ""
    return words.plural(
        "In {schools}, {kept} of the {n} pupil enrolled at baseline ({share}) are in the primary analysis.",
        "In {schools}, {kept} of the {n} pupils enrolled at baseline ({share}) are in the primary analysis.",
        start.value,
        schools=describe_schools_of_arm(words, entry.arm),
        kept=words.numbers.count(end.value),
        share=words.numbers.percent(end.value / start.value),
    )
