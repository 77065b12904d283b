"""How alike the arms were before the trial."""

from __future__ import annotations

import math

from randomisation.balance import ADJUST
from reports.blocks import Block, Figure, Heading, Inline, convert_to_spans
from reports.comparisons import describe_schools_of_arm
from reports.evidence import ArmFacts, Evidence
from reports.figures.balance_map import balance_map
from reports.figures.love import love_plot
from reports.sections.common import build_paragraph
from reports.selection import (
    as_float,
    convert_to_records,
    get_compared_arms,
    get_focus_country,
    get_reference_arm,
    has_countries,
)
from reports.tables.balance import balance_rows, balance_table, get_rows_of_all_places
from reports.tables.equivalence import build_equivalence_table, describe_equivalence
from reports.words import Words, words

RARE = 0.05
"""p of the joint test below which differences at baseline are called unusual for a draw."""


def baseline(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the comparison of the arms at baseline: sentence, love plot, table, joint test."""
    text = words(language)
    heading = Heading(text=text.text("Before the trial"), anchor="baseline")
    balance_block = balance_table(evidence, text)
    if balance_block is None:
        return heading, build_paragraph(text.text("No baseline measures were compared."))
    plots = [love_plot(evidence, text, arm=arm) for arm in get_compared_arms(evidence)]
    sentences: list[Inline | str] = [
        _describe_large_differences(evidence, text),
        _describe_joint_test(evidence, text),
        _describe_pupil_test(evidence, text),
    ]
    plots += _draw_balance_maps(evidence, text)
    shown = [plot for plot in plots if plot is not None]
    return (
        heading,
        build_paragraph(text.joined(sentences)),
        *shown,
        balance_block,
        *describe_analysed_balance(evidence, text),
    )


def describe_analysed_balance(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return how alike the arms were among the pupils who have each outcome; nothing where that is not known."""
    equivalence_block = build_equivalence_table(evidence, words)
    return (
        () if equivalence_block is None else (build_paragraph(describe_equivalence(evidence, words)), equivalence_block)
    )


def _draw_balance_maps(evidence: Evidence, words: Words) -> list[Figure | None]:
    """Return the differences by country as heat maps, in the report about all of them."""
    frame = get_rows_of_all_places(evidence)
    if get_focus_country(evidence) or not has_countries(evidence) or frame.empty:
        return []
    shown = frame.assign(
        difference=frame["std_difference"].astype(float).where(~frame["hidden"]),
        stratum=frame["country"].map({"": "", **evidence.countries}),
    )
    reference = get_reference_arm(evidence)
    return [
        balance_map(shown, words, arm=arm, reference=reference, by="country", anchor=f"map-{arm.name}")
        for arm in get_compared_arms(evidence)
    ]


def _describe_pupil_test(evidence: Evidence, words: Words) -> str:
    """Describe what the test of pupils' characteristics alone gives; nothing where none was made."""
    p = evidence.balance_test.get("p_value_pupils", math.nan)
    if not math.isfinite(p):
        return ""
    return words.text("For pupils' characteristics alone, by school means, it gives {p}.", p=words.numbers.p_value(p))


def _describe_large_differences(evidence: Evidence, words: Words) -> Inline:
    """Describe how many characteristics differ much, of each arm that is compared."""
    arms = get_compared_arms(evidence)
    arm_sentences = [_describe_differences_in_arm(evidence, words, arm) for arm in arms]
    if len(arms) == 1:
        return convert_to_spans(arm_sentences[0])
    return words.joined(
        [
            words.text("{arm}: {sentence}", arm=arm.label, sentence=text)
            for arm, text in zip(arms, arm_sentences, strict=True)
        ]
    )


def _describe_differences_in_arm(evidence: Evidence, words: Words, arm: ArmFacts) -> str:
    rows = [row for row in convert_to_records(balance_rows(evidence)) if row["arm"] == arm.name and not row["hidden"]]
    sizes = [abs(as_float(row["std_difference"])) for row in rows]
    sizes = [size for size in sizes if math.isfinite(size)]
    far = sum(size > ADJUST + 1e-9 for size in sizes)
    named = {
        "reference": describe_schools_of_arm(words, get_reference_arm(evidence)),
        "limit": words.numbers.decimal(ADJUST, digits=2),
    }
    if not far:
        return words.text(
            "No printed characteristic differs from that of {reference} by more than {limit} standard deviations.",
            **named,
        )
    return words.plural(
        "{n} of {all} characteristics differs from that of {reference} by more than {limit} standard deviations.",
        "{n} of {all} characteristics differ from those of {reference} by more than {limit} standard deviations.",
        far,
        all=words.numbers.count(len(sizes)),
        **named,
    )


def _describe_joint_test(evidence: Evidence, words: Words) -> str:
    p, n_draws = evidence.balance_test.get("p_value", math.nan), evidence.balance_test.get("n_draws", math.nan)
    if not (math.isfinite(p) and math.isfinite(n_draws)):
        return words.text("No joint test of baseline differences was made.")
    result_text = words.numbers.p_value(p)
    if evidence.balance_test.get("exact", 0.0):
        tested = words.plural(
            "A joint test over {n} possible allocation, the only one, gives {p}:",
            "A joint test over all {n} possible allocations gives {p}:",
            int(n_draws),
            p=result_text,
        )
    else:
        tested = words.plural(
            "A joint test with {n} re-draw of the design gives {p}:",
            "A joint test with {n} re-draws of the design gives {p}:",
            int(n_draws),
            p=result_text,
        )
    usual = words.text("differences of this size are what a draw like this one produces by chance.")
    rare = words.text("differences of this size are unusual for a draw like this one.")
    result_text = words.text("{first} {second}", first=tested, second=rare if p < RARE else usual)
    if get_focus_country(evidence) and has_countries(evidence):
        return words.text("{sentence} The test is of all countries together.", sentence=result_text)
    return result_text
