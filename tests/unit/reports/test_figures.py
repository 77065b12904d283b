"""Figures: what is drawn, for whom, and the same bytes every time."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from reports.blocks import Figure, join_plain_text
from reports.evidence import Evidence
from reports.figures import flow_diagram, forest_plot, love_plot, shares_plot
from reports.figures.forest import build_forest_rows
from reports.figures.style import WIDTH, compute_axis_limits
from reports.words import words
from tests.support.block_text import drawn
from tests.support.sample_evidence import (
    awards_evidence,
    bare_evidence,
    crocoos_evidence,
    three_arms_evidence,
    two_countries_evidence,
)

ENGLISH = words("en")
CROCOOS, AWARDS = crocoos_evidence(), awards_evidence()


def all_figures(evidence: Evidence) -> list[Figure]:
    """Return every figure that can be drawn of a trial."""
    made = [
        flow_diagram(evidence, ENGLISH),
        love_plot(evidence, ENGLISH, arm=evidence.arms[1]),
        forest_plot(evidence, ENGLISH, evidence.analyses[0], arm=evidence.arms[1]),
        shares_plot(evidence, ENGLISH, evidence.analyses[0]),
    ]
    return [figure for figure in made if figure is not None]


def test_the_forest_plot_has_countries_first_then_all_then_the_range() -> None:
    rows = build_forest_rows(CROCOOS, ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    assert [(row.label, row.kind) for row in rows] == [
        ("Hungary", "country"),
        ("Serbia", "country"),
        ("Slovenia", "country"),
        ("All countries", "pooled"),
        ("Range for a further country", "range"),
    ]
    assert rows[0].text == "−3.2 (−6.0 to −0.4)"
    assert rows[0].low == pytest.approx(-6.01)


def test_the_forest_plot_says_which_way_is_good_and_what_the_axis_shows() -> None:
    lower = forest_plot(CROCOOS, ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    higher = forest_plot(CROCOOS, ENGLISH, CROCOOS.analyses[1], arm=CROCOOS.arms[1])
    assert lower is not None
    assert higher is not None
    assert "← favours pilot schools" in drawn(lower)
    assert "favours pilot schools →" in drawn(higher)
    assert "Difference per 100 pupils (pilot schools minus control schools)" in drawn(lower)
    assert "Difference in points (pilot schools minus control schools)" in drawn(higher)


def test_a_range_that_goes_on_beyond_the_axis_does_not_squeeze_the_countries() -> None:
    estimates = CROCOOS.estimates.copy()
    estimates.loc[estimates["quantity"] == "prediction_interval", ["conf_low", "conf_high"]] = [-9.0, 9.0]
    wide = forest_plot(replace(CROCOOS, estimates=estimates), ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    usual = forest_plot(CROCOOS, ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    assert wide is not None
    assert usual is not None
    assert "(−900.0 to 900.0)" in drawn(wide)
    numbers = [[text for text in drawn(figure) if re.fullmatch(r"−?\d+", text)] for figure in (wide, usual)]
    assert numbers[0] == numbers[1]


def test_a_country_without_an_estimate_keeps_its_row() -> None:
    estimates = CROCOOS.estimates.copy()
    chosen = (estimates["country"] == "RS") & (estimates["quantity"] == "difference")
    estimates.loc[chosen, "status"] = "failed"
    figure = forest_plot(replace(CROCOOS, estimates=estimates), ENGLISH, CROCOOS.analyses[0], arm=CROCOOS.arms[1])
    assert figure is not None
    assert "not estimated" in drawn(figure)
    assert "Serbia" in drawn(figure)


def test_nothing_is_drawn_of_what_could_not_be_estimated() -> None:
    hebrew = AWARDS.analyses[2]
    assert forest_plot(AWARDS, ENGLISH, hebrew, arm=AWARDS.arms[1]) is None
    assert shares_plot(AWARDS, ENGLISH, hebrew) is None
    assert all_figures(bare_evidence()) == []


def test_dots_name_their_arms_and_values() -> None:
    figure = shares_plot(CROCOOS, ENGLISH, CROCOOS.analyses[0])
    assert figure is not None
    assert {"Control", "Pilot", "12.0", "8.7", "Pupils of every 100 who left school early"} <= set(drawn(figure))


def test_dots_of_means_have_their_unit_and_no_axis_from_zero() -> None:
    figure = shares_plot(CROCOOS, ENGLISH, CROCOOS.analyses[1])
    assert figure is not None
    assert "Engagement with school, points" in drawn(figure)
    assert {"3.35", "3.44"} <= set(drawn(figure))
    assert "0.0" not in drawn(figure)


def test_a_share_that_is_kept_back_is_not_drawn() -> None:
    estimates = CROCOOS.estimates.copy()
    chosen = (estimates["quantity"] == "mean") & (estimates["plan_entry"] == "dropout")
    estimates.loc[chosen & (estimates["country"] == "SI") & (estimates["arm"] == "pilot"), "estimate"] = 0.01
    figure = shares_plot(replace(CROCOOS, estimates=estimates), ENGLISH, CROCOOS.analyses[0])
    assert figure is not None
    assert "1.0" not in drawn(figure)
    assert "Slovenia" not in drawn(figure)


def test_the_love_plot_leaves_out_what_disclosure_control_hides() -> None:
    figure = love_plot(CROCOOS, ENGLISH, arm=CROCOOS.arms[1])
    assert figure is not None
    assert "Gender: boy" in drawn(figure)
    assert "Gender: other" not in drawn(figure)
    assert "0.25" in drawn(figure)


def test_the_flow_diagram_has_schools_and_pupils_in_the_boxes_of_every_arm() -> None:
    figure = flow_diagram(CROCOOS, ENGLISH)
    assert figure is not None
    said = drawn(figure)
    assert "Assessed for eligibility" in said
    assert "73 schools" in said
    assert "Not included: 11 schools" in said
    assert "30 schools, 1,712 pupils" in said
    assert "School sent nothing: 1 school, 24 pupils" in said
    assert "status unknown: 39 pupils" in said


def test_the_flow_diagram_has_erased_pupils_last_among_those_without_an_outcome() -> None:
    flow, erased = CROCOOS.flow, "consent withdrawn, data erased"
    first = flow[(flow["step"] == "outcome_missing")].index[0]
    gone = flow.loc[[first]].assign(reason=erased, n_pupils=14, n_schools=0)
    figure = flow_diagram(replace(CROCOOS, flow=pd.concat([gone, flow], ignore_index=True)), ENGLISH)
    assert figure is not None
    said = drawn(figure)
    assert said.index("School sent nothing: 1 school, 24 pupils") < said.index(
        "Consent withdrawn, data erased: 14 pupils"
    )


def test_the_flow_diagram_of_a_small_country_keeps_few_pupils_back() -> None:
    figure = flow_diagram(crocoos_evidence("SI"), ENGLISH)
    assert figure is not None
    assert "status unknown: c pupils" in drawn(figure)
    assert join_plain_text(figure.note).startswith("c: not printed")


def test_a_flow_diagram_with_more_arms_than_can_be_read_is_not_drawn() -> None:
    evidence = three_arms_evidence()
    assert flow_diagram(evidence, ENGLISH) is not None
    more = tuple(replace(evidence.arms[1], name=f"arm{k}") for k in range(5))
    assert flow_diagram(replace(evidence, arms=(*evidence.arms, *more)), ENGLISH) is None


@pytest.mark.parametrize(
    "evidence", [CROCOOS, crocoos_evidence("SI"), AWARDS, three_arms_evidence(), two_countries_evidence()]
)
def test_every_figure_is_well_formed_as_wide_as_the_text_and_described(evidence: Evidence) -> None:
    for figure in all_figures(evidence):
        root = ET.fromstring(figure.svg)  # noqa: S314 -- our own drawing
        assert float(root.attrib["width"].removesuffix("pt")) == pytest.approx(WIDTH * 72, abs=0.1)
        assert len(figure.alt) > 40
        assert join_plain_text(figure.caption)
        ids = re.findall(r'\bid="([^"]+)"', figure.svg)
        assert len(ids) == len(set(ids))
        assert all(name.startswith(figure.anchor) for name in ids)


def test_the_same_evidence_gives_the_same_bytes_without_a_date() -> None:
    once, again = all_figures(CROCOOS), all_figures(crocoos_evidence())
    assert [figure.svg for figure in once] == [figure.svg for figure in again]
    assert not any("date" in figure.svg.lower() for figure in once)


def test_drawing_leaves_matplotlib_s_parameters_as_they_were() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    all_figures(CROCOOS)
    assert dict(mpl.rcParams) == before


def test_limits_hold_what_is_drawn_and_zero() -> None:
    assert compute_axis_limits([], include_zero=False) == (-1.0, 1.0)
    low, high = compute_axis_limits([2.0, 3.0, float("nan")])
    assert low < 0 < 3 < high
