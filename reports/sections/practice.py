"""What schools put into practice, and what it cost, arm by arm."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.comparisons import describe_schools_of_arm
from reports.evidence import Evidence
from reports.sections.common import (
    build_paragraph,
    describe_price_years,
    get_printable_cost_rows,
    select_costs_of_place,
)
from reports.selection import get_reference_arm, select_focus_rows
from reports.tables import costs_table, implementation_table
from reports.words import Words, words


def implementation(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what schools of each arm put into practice, as a description."""
    text = words(language)
    heading = Heading(text=text.text("In practice"), anchor="implementation")
    practice_block = implementation_table(evidence, text)
    if practice_block is None:
        return heading, build_paragraph(text.text("No records of what schools put into practice were collected."))
    sentences = [
        text.text(
            "The table describes what schools of each arm reported; differences between arms show the contrast in"
            " services, and are not tested."
        ),
        text.text(
            "Within an arm schools chose how much they did, and they are not compared as if that had been randomised:"
            " it does not show what more or less of it would bring about."
        ),
        *describe_missing_records(evidence, text),
    ]
    return heading, build_paragraph(text.joined(sentences)), practice_block


def describe_missing_records(evidence: Evidence, words: Words) -> list[str]:
    """Return a sentence for each arm that reported nothing of what it did, where another arm did."""
    reporting_arms = set(select_focus_rows(evidence.implementation, evidence)["arm"])
    return [
        words.text("Not reported by {schools}.", schools=describe_schools_of_arm(words, arm))
        for arm in evidence.arms
        if arm.name not in reporting_arms
    ]


def costs(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return costs per school and per pupil in each arm."""
    text = words(language)
    heading = Heading(text=text.text("Costs"), anchor="costs")
    costs_block = costs_table(evidence, text)
    if costs_block is None:
        return heading, build_paragraph(text.text("No costs were collected."))
    sentences = [
        text.text("Costs are those that schools reported."),
        *describe_price_years(text, get_printable_cost_rows(evidence)),
    ]
    return heading, build_paragraph(text.joined([*sentences, *describe_usual_costs(evidence, text)])), costs_block


def describe_usual_costs(evidence: Evidence, words: Words) -> list[str]:
    """Describe what the costs of the reference arm are, or that it reported none."""
    unknown = describe_unknown_usual_costs(evidence, words)
    schools = describe_schools_of_arm(words, get_reference_arm(evidence))
    return unknown or [words.text("Those of {schools} are the costs of what they did as usual.", schools=schools)]


def describe_unknown_usual_costs(evidence: Evidence, words: Words) -> list[str]:
    """State that the reference arm reported no costs; nothing where it did."""
    reference = get_reference_arm(evidence)
    if reference.name in set(select_costs_of_place(evidence)["arm"]):
        return []
    schools = describe_schools_of_arm(words, reference)
    return [words.text("What it cost {schools} to go on as usual was not reported.", schools=schools)]
