"""Whether the pupils who have an outcome were alike at baseline: by outcome, with the limits and what is adjusted."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from reports import sections
from reports.blocks import Table
from reports.evidence import Evidence
from reports.tables.equivalence import Verdict, judge_equivalences
from tests.support.block_text import texts
from tests.support.sample_evidence import crocoos_evidence

CROCOOS = crocoos_evidence()
OUTCOME = CROCOOS.analyses[0].outcome


def compared(*differences: tuple[str, float, str, bool], n: int = 400, share: float = 0.3) -> Evidence:
    """Return evidence in which the first outcome's pupils differ so in characteristics."""
    rows = [
        {
            "outcome": OUTCOME,
            "adjusted": adjusted,
            "level": "pupil",
            "variable": label,
            "label": label,
            "category": "yes",
            "country": "",
            "arm": "pilot",
            "n_reference": n,
            "n_arm": n,
            "mean_reference": share,
            "mean_arm": share,
            "std_difference": difference,
            "wwc": wwc,
        }
        for label, difference, wwc, adjusted in differences
    ]
    return replace(CROCOOS, equivalence=pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("rows", "verdict", "said"),
    [
        ([("Late", 0.04, "satisfied", False)], "satisfied", "the arms were equivalent at baseline for every outcome"),
        ([("Late", -0.2, "adjust", True)], "adjusted", "the arms were equivalent at baseline for every outcome"),
        ([("Late", 0.2, "adjust", False)], "unadjusted", "the arms were not equivalent at baseline for:"),
        (
            [("Late", 0.2, "adjust", True), ("Poor", -0.31, "not_satisfied", True)],
            "not_satisfied",
            "the arms were not equivalent at baseline for:",
        ),
        ([("Late", float("nan"), "", False)], "unknown", "It is not known whether they were equivalent for:"),
    ],
)
def test_the_worst_characteristic_decides_and_the_section_says_for_which_outcome(
    rows: list[tuple[str, float, str, bool]], verdict: Verdict, said: str
) -> None:
    evidence = compared(*rows)
    assert [one.verdict for one in judge_equivalences(evidence)] == [verdict]
    blocks = sections.baseline(evidence, "en")
    assert any(said in text for text in texts(blocks))
    made = next(block for block in blocks if isinstance(block, Table) and block.anchor == "equivalence")
    assert len(made.rows) == 1
    if verdict == "not_satisfied":
        assert "Poor: yes" in texts((made,))


def test_a_difference_that_few_pupils_stand_behind_is_not_printed() -> None:
    evidence = compared(("Late", 0.9, "not_satisfied", False), share=0.005)
    (one,) = judge_equivalences(evidence)
    assert (one.verdict, one.furthest) == ("not_satisfied", None)
    assert not [text for text in texts(sections.baseline(evidence, "en")) if "0.90" in text]


def test_without_analysed_samples_nothing_is_said() -> None:
    assert not [text for text in texts(sections.baseline(CROCOOS, "en")) if "whose outcome is known" in text]
