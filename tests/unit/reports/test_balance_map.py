"""Heat map of baseline differences: figures in cells, nothing by colour alone, few strata left out."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from randomisation import Variable, by_stratum
from reports.blocks import join_plain_text
from reports.evidence import ArmFacts
from reports.figures.balance_map import MOST_STRATA, balance_map
from reports.words import words
from tests.support.block_text import drawn

ARMS = ("control", "pilot")
CONTROL = ArmFacts(name="control", label="Control schools", is_reference=True)
PILOT = ArmFacts(name="pilot", label="Pilot schools", is_reference=False)


def table(n_strata: int) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    n = 6 * n_strata
    frame = pd.DataFrame(
        {
            "arm": list(ARMS) * (n // 2),
            "stratum": [f"stratum {k % n_strata:02d}" for k in range(n)],
            "size": generator.normal(size=n),
            "kind": ["x", "y", "z"] * (n // 3),
        }
    )
    variables = [Variable(name="size", label="Pupils"), Variable(name="kind", label="Kind", kind="category")]
    return by_stratum(frame, variables=variables, arms=ARMS, strata="stratum")


def test_the_map_has_a_caption_a_note_and_words_for_those_who_cannot_see() -> None:
    made = balance_map(table(4), words("en"), arm=PILOT, reference=CONTROL)
    assert made is not None
    assert (
        join_plain_text(made.caption) == "Differences at baseline between pilot schools and control schools, by stratum"
    )
    assert "Differences of Pilot schools from Control schools" in join_plain_text(made.note)
    assert "Pilot schools compared with Control schools" in drawn(made)
    assert made.alt.startswith("Differences at baseline, all schools together. Pupils: ")
    assert all(f"Kind: {kind}:" in made.alt for kind in "xyz")
    assert all(name.startswith("balance-map-") for name in re.findall(r'id="([^"]+)"', made.svg))
    assert made == balance_map(table(4), words("en"), arm=PILOT, reference=CONTROL)


def test_one_stratum_has_no_map_and_of_many_the_largest_are_drawn() -> None:
    assert balance_map(table(1), words("en"), arm=PILOT, reference=CONTROL) is None
    many = balance_map(table(30), words("en"), arm=PILOT, reference=CONTROL)
    few = balance_map(table(MOST_STRATA), words("en"), arm=PILOT, reference=CONTROL)
    assert many is not None
    assert few is not None
    assert many.svg.count("<path") < 1.5 * few.svg.count("<path")


def test_a_map_that_leaves_strata_out_says_how_many_and_where_they_are() -> None:
    many = balance_map(table(30), words("en"), arm=PILOT, reference=CONTROL)
    few = balance_map(table(MOST_STRATA), words("en"), arm=PILOT, reference=CONTROL)
    assert many is not None
    assert few is not None
    said = "16 smaller strata are not drawn: by_stratum.csv has them."
    assert said in join_plain_text(many.note)
    assert said in " ".join(drawn(many))
    assert "not drawn" not in join_plain_text(few.note)


def test_cells_without_schools_of_both_arms_are_dashes() -> None:
    frame = table(3)
    frame.loc[frame["stratum"] == "stratum 01", "difference"] = np.nan
    frame.loc[frame["stratum"] == "", "difference"] = np.nan
    made = balance_map(frame, words("en"), arm=PILOT, reference=CONTROL)
    assert made is not None
    assert made.alt == "Differences at baseline, all schools together."
