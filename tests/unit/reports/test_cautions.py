"""Cautions: what the tables say of figures whose intervals are unreliable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis import CAUTIONS
from reports.blocks import join_plain_text
from reports.selection import find_main_analyses, get_compared_arms
from reports.tables import beside_table, by_country_table, estimates_table, outcomes_table, sensitivity_table
from reports.tables.cautions import SENTENCES
from reports.words import words
from tests.support.sample_evidence import crocoos_evidence

ENGLISH = words("en")


def test_every_caution_that_an_estimate_can_have_has_its_sentence() -> None:
    assert set(SENTENCES) == set(CAUTIONS)


def test_an_estimate_with_a_caution_is_marked_and_the_note_says_why() -> None:
    evidence = crocoos_evidence()
    estimates = evidence.estimates.copy()
    estimates.loc[estimates["estimate_id"] == "dropout/all/risk_ratio/pilot", "caution"] = "few_events"
    made = estimates_table(replace(evidence, estimates=estimates), ENGLISH)
    heads = [join_plain_text(row.cells[0]) for row in made.rows]
    assert [head for head in heads if "†" in head] == ["all/risk_ratio/pilot†"]
    assert "†: fewer than ten pupils of an arm had the event" in join_plain_text(made.note)


@pytest.mark.parametrize("name", ["outcomes", "by_country", "beside", "sensitivity"])
def test_every_table_of_differences_marks_an_interval_with_a_caution(name: str) -> None:
    evidence = crocoos_evidence()
    estimates = evidence.estimates.copy()
    estimates.loc[estimates["estimate_id"] == "dropout/all/difference/pilot", "caution"] = "unequal_spread"
    first = find_main_analyses(evidence)[0]
    varied = replace(first, name="dropout_varied", role="sensitivity")
    evidence = replace(evidence, estimates=estimates, analyses=(*evidence.analyses, varied))
    made = {
        "outcomes": lambda: outcomes_table(evidence, ENGLISH),
        "by_country": lambda: by_country_table(evidence, ENGLISH, first, arm=get_compared_arms(evidence)[0]),
        "beside": lambda: beside_table(replace(evidence, country="HU"), ENGLISH),
        "sensitivity": lambda: sensitivity_table(evidence, ENGLISH),
    }[name]()
    marked = [join_plain_text(cell) for row in made.rows for cell in row.cells if join_plain_text(cell).endswith("†")]
    assert len(marked) == 1
    assert marked[0].startswith("(")
    assert "†: the arm with fewer schools has schools that differ more" in join_plain_text(made.note)


def test_a_table_without_cautions_has_no_marks() -> None:
    made = estimates_table(crocoos_evidence(), ENGLISH)
    assert "†" not in join_plain_text(made.note) + "".join(join_plain_text(row.cells[0]) for row in made.rows)
