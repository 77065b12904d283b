"""What schools put into practice, and what it cost."""

from __future__ import annotations

import math

from reports.blocks import Block, Heading
from reports.evidence import Evidence
from reports.sections.common import cost_row, paragraph
from reports.selection import as_float
from reports.tables import costs_table, implementation_table
from reports.words import words


def implementation(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what schools put into practice, as a description."""
    text = words(language)
    heading = Heading(text=text.text("In practice"), anchor="implementation")
    made = implementation_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No records of what schools put into practice were collected."))
    said = text.text(
        "The table describes what schools reported. Schools chose how much they did, so it does not show what more or"
        " less of it would bring about."
    )
    return heading, paragraph(said), made


def costs(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return costs a school and a pupil."""
    text = words(language)
    heading = Heading(text=text.text("Costs"), anchor="costs")
    made = costs_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No costs were collected."))
    row = cost_row(evidence)
    year = as_float(row.get("price_year")) if row is not None else math.nan
    priced = [text.text("Prices are those of {year}.", year=f"{year:.0f}")] if math.isfinite(year) else []
    said = text.text("Costs are those that schools reported.")
    return heading, paragraph(text.joined([said, *priced])), made
