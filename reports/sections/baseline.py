"""How alike the arms were before the trial."""

from __future__ import annotations

import math

from randomisation.balance import ADJUST
from reports.blocks import Block, Figure, Heading, Inline, inline
from reports.comparisons import schools_of
from reports.evidence import ArmFacts, Evidence
from reports.figures.balance_map import balance_map
from reports.figures.love import love_plot
from reports.sections.common import paragraph
from reports.selection import as_float, compared_arms, focus, has_countries, records, reference_arm
from reports.tables.balance import balance_rows, balance_table, rows_of_all_places
from reports.tables.equivalence import equivalence_sentence, equivalence_table
from reports.words import Words, words

RARE = 0.05
"""p of the joint test below which differences at baseline are called unusual for a draw."""


def baseline(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the comparison of the arms at baseline: sentence, love plot, table, joint test."""
    text = words(language)
    heading = Heading(text=text.text("Before the trial"), anchor="baseline")
    made = balance_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No baseline measures were compared."))
    plots = [love_plot(evidence, text, arm=arm) for arm in compared_arms(evidence)]
    sentences: list[Inline | str] = [_far(evidence, text), _joint(evidence, text), _pupils(evidence, text)]
    plots += _maps(evidence, text)
    shown = [plot for plot in plots if plot is not None]
    return (heading, paragraph(text.joined(sentences)), *shown, made, *analysed(evidence, text))


def analysed(evidence: Evidence, words: Words) -> tuple[Block, ...]:
    """Return how alike the arms were among the pupils who have each outcome; nothing where that is not known."""
    made = equivalence_table(evidence, words)
    return () if made is None else (paragraph(equivalence_sentence(evidence, words)), made)


def _maps(evidence: Evidence, words: Words) -> list[Figure | None]:
    """Return the differences by country as heat maps, in the report about all of them."""
    frame = rows_of_all_places(evidence)
    if focus(evidence) or not has_countries(evidence) or frame.empty:
        return []
    shown = frame.assign(
        difference=frame["std_difference"].astype(float).where(~frame["hidden"]),
        stratum=frame["country"].map({"": "", **evidence.countries}),
    )
    reference = reference_arm(evidence)
    return [
        balance_map(shown, words, arm=arm, reference=reference, by="country", anchor=f"map-{arm.name}")
        for arm in compared_arms(evidence)
    ]


def _pupils(evidence: Evidence, words: Words) -> str:
    """Describe what the test of pupils' characteristics alone gives; nothing where none was made."""
    p = evidence.balance_test.get("p_value_pupils", math.nan)
    if not math.isfinite(p):
        return ""
    return words.text("For pupils' characteristics alone, by school means, it gives {p}.", p=words.numbers.p_value(p))


def _far(evidence: Evidence, words: Words) -> Inline:
    """Describe how many characteristics differ much, of each arm that is compared."""
    arms = compared_arms(evidence)
    said = [_far_of(evidence, words, arm) for arm in arms]
    if len(arms) == 1:
        return inline(said[0])
    return words.joined(
        [words.text("{arm}: {sentence}", arm=arm.label, sentence=text) for arm, text in zip(arms, said, strict=True)]
    )


def _far_of(evidence: Evidence, words: Words, arm: ArmFacts) -> str:
    rows = [row for row in records(balance_rows(evidence)) if row["arm"] == arm.name and not row["hidden"]]
    sizes = [abs(as_float(row["std_difference"])) for row in rows]
    sizes = [size for size in sizes if math.isfinite(size)]
    far = sum(size > ADJUST + 1e-9 for size in sizes)
    named = {"reference": schools_of(words, reference_arm(evidence)), "limit": words.numbers.decimal(ADJUST, digits=2)}
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


def _joint(evidence: Evidence, words: Words) -> str:
    p, n_draws = evidence.balance_test.get("p_value", math.nan), evidence.balance_test.get("n_draws", math.nan)
    if not (math.isfinite(p) and math.isfinite(n_draws)):
        return words.text("No joint test of baseline differences was made.")
    said = words.numbers.p_value(p)
    if evidence.balance_test.get("exact", 0.0):
        tested = words.plural(
            "A joint test over {n} possible allocation, the only one, gives {p}:",
            "A joint test over all {n} possible allocations gives {p}:",
            int(n_draws),
            p=said,
        )
    else:
        tested = words.plural(
            "A joint test with {n} re-draw of the design gives {p}:",
            "A joint test with {n} re-draws of the design gives {p}:",
            int(n_draws),
            p=said,
        )
    usual = words.text("differences of this size are what a draw like this one produces by chance.")
    rare = words.text("differences of this size are unusual for a draw like this one.")
    said = words.text("{first} {second}", first=tested, second=rare if p < RARE else usual)
    if focus(evidence) and has_countries(evidence):
        return words.text("{sentence} The test is of all countries together.", sentence=said)
    return said
