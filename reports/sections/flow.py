"""From assessment to analysis: schools and pupils."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.evidence import Evidence
from reports.figures.flow import flow_diagram
from reports.sections.common import paragraph
from reports.sentences import schools_of
from reports.tables.flow import ArmFlow, flow_of, flow_table
from reports.words import Words, words


def participant_flow(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the flow of schools and pupils: how many have the primary outcome, and why the others have not."""
    text = words(language)
    heading = Heading(text=text.text("Schools and pupils"), anchor="flow")
    flow = flow_of(evidence)
    if flow is None:
        return heading, paragraph(text.text("Nothing is known about the flow of schools and pupils."))
    sentences = [said for entry in flow.arms if (said := _kept(text, entry))]
    drawn = flow_diagram(evidence, text) or flow_table(evidence, text)
    body = [paragraph(text.joined(sentences))] if sentences else []
    return (heading, *body, *([drawn] if drawn is not None else []))


def _kept(words: Words, entry: ArmFlow) -> str:
    """Return what part of an arm's pupils has the outcome; empty when the counts may not be printed."""
    start, end = entry.baseline.pupils, entry.analysed.pupils
    if start is None or end is None or not start.value or end.value is None:
        return ""
    return words.plural(
        "In {schools}, {kept} of the {n} pupil enrolled at baseline ({share}) are in the primary analysis.",
        "In {schools}, {kept} of the {n} pupils enrolled at baseline ({share}) are in the primary analysis.",
        start.value,
        schools=schools_of(words, entry.arm),
        kept=words.numbers.count(end.value),
        share=words.numbers.percent(end.value / start.value),
    )
