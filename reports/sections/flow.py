"""From assessment to analysis: schools and pupils."""

from __future__ import annotations

from collections.abc import Sequence

from data_schema.language import message
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
    drawn = flow_diagram(evidence, text) or flow_table(evidence, text)  # a table where arms are too many to draw
    body = [paragraph(text.joined(sentences))] if sentences else []
    body += [paragraph(text.joined(said)) for said in [consent(evidence, text, flow.arms)] if said]
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
"""What the protocol says is done with the data of pupils who refused."""


def consent(evidence: Evidence, words: Words, arms: Sequence[ArmFlow]) -> list[str]:
    """Return who refused consent, what was done with their data and on what ground; nothing where nobody refused."""
    refused = [entry for entry in arms if entry.rule]
    if not refused:
        return []
    said = [
        words.text("Consent was refused: {counts}.", counts=words.listed([_refused(words, one) for one in refused]))
    ]
    most = sum(one.mostly_refused.schools.value or 0 for one in refused if one.mostly_refused.schools is not None)
    if most:
        said.append(
            words.plural(
                "In {n} school more than half of the pupils refused.",
                "In {n} schools more than half of the pupils refused.",
                most,
            )
        )
    said.append(words.text(_DONE[refused[0].rule]))
    if evidence.legal_basis:
        return [*said, words.text("Legal basis by the protocol: {basis}.", basis=evidence.legal_basis.rstrip("."))]
    return [*said, words.text("The protocol states no legal basis for using pupils’ data.")]


def _refused(words: Words, entry: ArmFlow) -> str:
    """Return how many pupils of an arm refused; without the number where it may not be printed."""
    schools = schools_of(words, entry.arm)
    pupils = None if entry.refused.pupils is None else entry.refused.pupils.value
    if pupils is None:
        return words.text("some pupils in {schools}", schools=schools)
    return words.plural("{n} pupil in {schools}", "{n} pupils in {schools}", pupils, schools=schools)


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
