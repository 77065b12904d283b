"""What schools sent, and what became of it."""

from __future__ import annotations

from reports.blocks import Block, Heading
from reports.evidence import Evidence
from reports.sections.common import paragraph
from reports.selection import of_country_files
from reports.tables import returns_table
from reports.tables.data_returns import rows_of
from reports.tables.layout import counted
from reports.words import words


def data_returns(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return how many rows schools sent and how many of them were kept."""
    text = words(language)
    heading = Heading(text=text.text("What schools sent"), anchor="returns")
    made = returns_table(evidence, text)
    if made is None:
        return heading, paragraph(text.text("No list of the files that schools sent is at hand."))
    rows = of_country_files(evidence.returns, evidence)
    files = text.plural("Schools sent {n} file", "Schools sent {n} files", len(rows))
    sent, kept = (
        counted(text, rows_of(rows, name, evidence), threshold=evidence.disclosure_threshold)
        for name in ("sent", "kept")
    )
    said = text.text("{files}. Rows sent: {sent}; rows kept: {kept}.", files=files, sent=sent, kept=kept)
    return heading, paragraph(said), made
