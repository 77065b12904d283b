"""Where each number comes from: hashes, versions, and all estimates by id."""

from __future__ import annotations

from reports.blocks import Block, Column, Heading, Span
from reports.evidence import Evidence
from reports.sections.common import build_paragraph
from reports.tables import estimates_table
from reports.tables.layout import build_table, line
from reports.words import words


def provenance(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return what identifies plan, draw, data and program, so that the results can be checked."""
    text = words(language)
    design = evidence.design
    facts = (
        (text.text("Registration"), evidence.registration),
        (text.text("Analysis plan, SHA-256"), str(design.get("plan_sha256") or "")),
        (text.text("Allocation, SHA-256"), str(design.get("allocation_sha256") or "")),
        (text.text("Seed of the draw"), str(design.get("seed") or "")),
        (text.text("Algorithm of the draw"), str(design.get("algorithm") or "")),
        (text.text("Data, SHA-256"), evidence.data_sha256),
        *((f"{text.text('Data, SHA-256')}: {wave}", sha256) for wave, sha256 in evidence.frozen_waves.items()),
        (text.text("Version of crocoos"), evidence.version),
        (text.text("Protocol, data and code"), evidence.read_more),
    )
    provenance_block = build_table(
        text,
        text.text("What the results rest on"),
        columns=(Column(label=text.text("Fact"), width=1.6), Column(label=text.text("Value"), width=4.4)),
        lines=[line(label, Span(text=value)) for label, value in facts if value],
        threshold=evidence.disclosure_threshold,
        anchor="provenance-table",
    )
    explanation = text.line(
        "Every figure in this report is one of the {table}; on screen, figures lead there.",
        table=Span(text=text.text("estimates in the appendix"), link="#estimates"),
    )
    return Heading(text=text.text("Provenance"), anchor="provenance"), build_paragraph(explanation), provenance_block


def all_estimates(evidence: Evidence, language: str) -> tuple[Block, ...]:
    """Return the appendix with every estimate."""
    text = words(language)
    return Heading(text=text.text("Appendix: all estimates"), anchor="appendix"), estimates_table(evidence, text)
