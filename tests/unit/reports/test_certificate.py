"""The certificate of an allocation: one page that states what the record states, and names no school."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pypdf import PdfReader

from randomisation import AllocationRecord, Arm, Constraint, Design, Matching, adopt, allocate
from reports.blocks import Table, Title, join_plain_text
from reports.documents import Document, write_pdf
from reports.sections.certificate import DrawFacts, build_certificate, describe_design
from reports.sections.design import allocation
from reports.words import words
from tests.support.block_text import texts
from tests.support.sample_evidence import crocoos_evidence

TWO = (Arm(name="control", label="Control schools"), Arm(name="pilot", label="Pilot schools"))
FRAME = pd.DataFrame(
    {
        "school_id": [f"school-{n:02d}" for n in range(30)],
        "country": [("HU", "RS", "SI")[n % 3] for n in range(30)],
        "size": range(100, 130),
    }
)
DESIGNS = {
    "Each school was drawn by itself, in the ratio 1:1.": Design(arms=TWO, kind="simple"),
    "Drawn in the ratio 1:1, without strata.": Design(arms=TWO, kind="complete"),
    "Drawn in the ratio 1:1 within strata formed by country.": Design(arms=TWO, strata=("country",)),
    "Drawn in the ratio 1:1 within sets of schools alike in number of pupils. Sets were formed within country.": Design(
        arms=TWO, kind="matched", strata=("country",), matching=Matching(variables=("size",))
    ),
    "Drawn in the ratio 1:1, without strata. Only draws balanced in number of pupils could be used.": Design(
        arms=TWO, constraint=Constraint(variables=("size",), best_share=0.1)
    ),
}
LABELS = {"size": "number of pupils"}


def facts(design: Design, **changes: object) -> DrawFacts:
    values: dict[str, object] = {
        "title": "Early warning against early leaving",
        "record": AllocationRecord.of(allocate(FRAME, design, seed="4 19 33")),
        "drawn_at": (("2027-03-01T10:00:00+00:00", ""),),
        "labels": LABELS,
    }
    return DrawFacts(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("sentences", "design"), DESIGNS.items())
def test_every_design_is_told_in_the_reader_s_words_on_one_page(tmp_path: Path, sentences: str, design: Design) -> None:
    assert " ".join(describe_design(design, LABELS, words("en"))) == sentences
    for changes in (
        {},
        {"command": "python x.py" + " y" * 90, "commitment_sha256": "ab" * 32, "committed_at": "2027-02-01T09:00:00"},
    ):
        blocks = build_certificate(facts(design, **changes), "en")
        write_pdf(Document(blocks=blocks), tmp_path / "page.pdf", language="en")
        reader = PdfReader(tmp_path / "page.pdf")
        assert len(reader.pages) == 1
        assert "school-0" not in " ".join(texts(blocks))


def test_counts_add_up_by_country_and_in_all() -> None:
    made = facts(DESIGNS["Drawn in the ratio 1:1 within strata formed by country."], value_labels={"HU": "Hungary"})
    table = next(block for block in build_certificate(made, "en") if isinstance(block, Table))
    rows = [[join_plain_text(cell) for cell in row.cells] for row in table.rows]
    assert [row[0] for row in rows] == ["Hungary", "RS", "SI", "All schools"]
    assert rows[3] == ["All schools", "15", "15", "30"]
    assert [sum(int(row[place]) for row in rows[:3]) for place in (1, 2, 3)] == [15, 15, 30]


def test_seed_commitment_hashes_and_second_draws_are_stated() -> None:
    design = Design(arms=TWO)
    drawn = (("2027-03-01T10:00:00+00:00", ""), ("2027-03-08T10:00:00+00:00", "a school had closed"))
    made = facts(
        design,
        commitment_sha256="c0" * 32,
        committed_at="2027-02-01T09:00:00+00:00",
        seed_source="the lottery",
        drawn_at=drawn,
    )
    said = " ".join(texts(build_certificate(made, "en")))
    for fact in (
        "4 19 33",
        "c0" * 32,
        "schools and design, at 2027-02-01 09:00 UTC",
        "the lottery",
        "2027-03-01 10:00 UTC; again at 2027-03-08 10:00 UTC (a school had closed)",
        made.record.allocation_sha256,
        made.record.frame_sha256,
        "crocoos-stratified-1",
    ):
        assert fact in said
    without = " ".join(texts(build_certificate(facts(design), "en")))
    assert "nothing was published before the seed was known" in without


def test_a_draw_made_elsewhere_is_called_so() -> None:
    design = Design(arms=TWO)
    arms = dict(zip(FRAME["school_id"], ["control", "pilot"] * 15, strict=True))
    made = facts(design, record=AllocationRecord.of(adopt(FRAME, design, arms=arms)))
    blocks = build_certificate(made, "en")
    assert isinstance(blocks[0], Title)
    said = " ".join(texts(blocks))
    assert "made outside this toolkit" in said
    assert "Seed" not in said


def test_the_report_tells_a_matched_and_constrained_design_in_the_same_words() -> None:
    sentences = "Drawn in the ratio 1:1, without strata. Only draws balanced in number of pupils could be used."
    evidence = crocoos_evidence()
    facts_of_design = {**evidence.design, "specification": DESIGNS[sentences].to_dict(), "labels": LABELS}
    said = " ".join(texts(allocation(replace(evidence, design=facts_of_design), "en")))
    assert sentences in said
    assert sentences not in " ".join(texts(allocation(evidence, "en")))
