"""What schools sent, and what became of it."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.evidence import Evidence
from reports.sections.common import build_paragraph
from reports.selection import select_country_file_rows
from reports.tables import returns_table
from reports.tables.data_returns import count_file_rows
from reports.tables.layout import format_count
from reports.words import words


def data_returns(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how many rows schools sent and how many of them were kept."""
    text = words(language)
    heading = Heading(text=text.text("What schools sent"), anchor="returns")
    returns_block = returns_table(evidence, text)
    if returns_block is None:
        return heading, build_paragraph(text.text("No list of the files that schools sent is at hand."))
    rows = select_country_file_rows(evidence.returns, evidence)
    files = text.plural("Schools sent {n} file", "Schools sent {n} files", len(rows))
    sent, kept_count = (
        format_count(text, count_file_rows(rows, name, evidence), threshold=evidence.disclosure_threshold)
        for name in ("sent", "kept")
    )
    sentence = text.text("{files}. Rows sent: {sent}; rows kept: {kept}.", files=files, sent=sent, kept=kept_count)
    return heading, build_paragraph(sentence), returns_block
