"""What schools put into practice, and what it cost, arm by arm."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.comparisons import schools_of
from reports.evidence import Evidence
from reports.sections.common import cost_rows, costs_of_place, paragraph, price_years
from reports.selection import of_focus, reference_arm
from reports.tables import costs_table, implementation_table
from reports.words import Words, words


def implementation(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what schools of each arm put into practice, as a description."""
    text = words(language)
    heading = Heading(text=text.text("In practice"), anchor="implementation")
    made = implementation_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No records of what schools put into practice were collected."))
    said = [
        text.text(
            "The table describes what schools of each arm reported; differences between arms show the contrast in"
            " services, and are not tested."
        ),
        text.text(
            "Within an arm schools chose how much they did, and they are not compared as if that had been randomised:"
            " it does not show what more or less of it would bring about."
        ),
        *without_records(evidence, text),
    ]
    return heading, paragraph(text.joined(said)), made


def without_records(evidence: Evidence, words: Words) -> list[str]:
    """Return a sentence for each arm that reported nothing of what it did, where another arm did."""
    told = set(of_focus(evidence.implementation, evidence)["arm"])
    return [
        words.text("Not reported by {schools}.", schools=schools_of(words, arm))
        for arm in evidence.arms
        if arm.name not in told
    ]


def costs(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return costs per school and per pupil in each arm."""
    text = words(language)
    heading = Heading(text=text.text("Costs"), anchor="costs")
    made = costs_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No costs were collected."))
    said = [text.text("Costs are those that schools reported."), *price_years(text, cost_rows(evidence))]
    return heading, paragraph(text.joined([*said, *usual_costs(evidence, text)])), made


def usual_costs(evidence: Evidence, words: Words) -> list[str]:
    """Describe what the costs of the reference arm are, or that it reported none."""
    unknown = unknown_usual_costs(evidence, words)
    schools = schools_of(words, reference_arm(evidence))
    return unknown or [words.text("Those of {schools} are the costs of what they did as usual.", schools=schools)]


def unknown_usual_costs(evidence: Evidence, words: Words) -> list[str]:
    """State that the reference arm reported no costs; nothing where it did."""
    reference = reference_arm(evidence)
    if reference.name in set(costs_of_place(evidence)["arm"]):
        return []
    schools = schools_of(words, reference)
    return [words.text("What it cost {schools} to go on as usual was not reported.", schools=schools)]
