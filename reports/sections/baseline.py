"""How alike the arms were before the trial."""

from __future__ import annotations

import math

from reports.blocks import Block, Heading
from reports.evidence import Evidence
from reports.figures.love import ADJUST, love_plot
from reports.sections.common import paragraph
from reports.selection import as_float, compared_arms, focus, has_countries, records
from reports.tables.balance import balance_rows, balance_table
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
    sentences = [_far(evidence, text), _joint(evidence, text)]
    return (heading, paragraph(text.joined(sentences)), *(plot for plot in plots if plot is not None), made)


def _far(evidence: Evidence, words: Words) -> str:
    sizes = [abs(as_float(row["std_difference"])) for row in records(balance_rows(evidence)) if not row["hidden"]]
    sizes = [size for size in sizes if math.isfinite(size)]
    far = sum(size > ADJUST + 1e-9 for size in sizes)
    limit = words.numbers.decimal(ADJUST, digits=2)
    if not far:
        return words.text(
            "No printed characteristic differs between the arms by more than {limit} standard deviations.", limit=limit
        )
    return words.plural(
        "{n} of {all} characteristics differs between the arms by more than {limit} standard deviations.",
        "{n} of {all} characteristics differ between the arms by more than {limit} standard deviations.",
        far,
        all=words.numbers.count(len(sizes)),
        limit=limit,
    )


def _joint(evidence: Evidence, words: Words) -> str:
    p, n_draws = evidence.balance_test.get("p_value", math.nan), evidence.balance_test.get("n_draws", math.nan)
    if not (math.isfinite(p) and math.isfinite(n_draws)):
        return words.text("No joint test of baseline differences was made.")
    tested = words.plural(
        "A joint test with {n} re-draw of the design gives {p}:",
        "A joint test with {n} re-draws of the design gives {p}:",
        int(n_draws),
        p=words.numbers.p_value(p),
    )
    usual = words.text("differences of this size are what a draw like this one produces by chance.")
    rare = words.text("differences of this size are unusual for a draw like this one.")
    said = words.text("{first} {second}", first=tested, second=rare if p < RARE else usual)
    if focus(evidence) and has_countries(evidence):
        return words.text("{sentence} The test is of all countries together.", sentence=said)
    return said
