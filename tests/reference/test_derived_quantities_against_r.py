"""Ratios of standardised shares, exact ICC intervals and Hedges' g against R (``make/derived_quantities.R``)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import Estimate, Question, design_components, hedges_g
from analysis.arms import collect_observed_arms
from analysis.contrasts import estimate_effect_rows
from analysis.results import build_t_estimate

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Any: the figures are JSON, looked up by name.
EXPECTED: dict[str, Any] = json.loads((HERE / "expected" / "derived_quantities.json").read_text(encoding="utf-8"))
MODELS = {"plain": "linear_cluster", "weighted": "linear_cluster", "mixed": "linear_mixed"}
ARMS = {"awards": ("control", "awards"), "three_arms": ("control", "mentor", "team")}


def read_set(name: str) -> pd.DataFrame:
    if name == "awards":
        frame = pd.read_csv(ROOT / "examples/achievement-awards/achievement_awards.csv.gz", dtype={"school_id": str})
        frame = frame[frame["year"].astype(str) == "2001"]
        frame = frame.assign(arm=frame["treated"].map({0: "control", 1: "awards"}))
    else:
        frame = pd.read_csv(HERE / "data" / f"{name}.csv")
    place = np.unique(frame["school_id"], return_inverse=True)[1] + 1
    return frame.assign(w=0.5 + (place % 7) / 4)


def question_of(figure: dict[str, Any], *, kind: str) -> Question:
    outcome, right = figure["formula"].split(" ~ ")
    terms = right.split(" + ")
    weighted = figure.get("model") == "weighted"
    return Question(
        plan_entry="p",
        outcome=outcome,
        kind=kind,
        role="primary",
        model=MODELS[figure.get("model", "mixed")],
        arms=ARMS.get(figure["set"], ("control", "pilot")),
        covariates=tuple(term for term in terms if term not in ("arm", "strata")),
        strata="strata" if "strata" in terms else None,
        weights="w" if weighted else None,
    )


@pytest.mark.parametrize("name", EXPECTED["ratios"])
def test_ratios_and_their_errors_are_those_of_clubsandwich(name: str) -> None:
    figure = EXPECTED["ratios"][name]
    frame, question = read_set(figure["set"]), question_of(figure, kind="binary")
    rows = {
        (row.quantity, row.arm): row
        for row in estimate_effect_rows(frame, question, arms=collect_observed_arms(frame, question))
    }
    # lme4 stops searching for the ratio of variances a little before the maximum.
    loose = 20 if figure["model"] == "mixed" else 1
    for arm, quantities in figure["arms"].items():
        for quantity, expected in quantities.items():
            row = rows[quantity, arm]
            assert math.log(row.estimate) == pytest.approx(expected["estimate"], rel=1e-6 * loose)
            assert row.std_error == pytest.approx(expected["std_error"], rel=1e-6 * loose)
            assert row.df == pytest.approx(expected["df"], rel=1e-6 * loose)
            assert row.se_type == "CR2"
        log_odds = quantities["marginal_odds_ratio"]["estimate"]
        index = rows["cox_index", arm]
        n_pupils = int(frame["arm"].isin([question.arms[0], arm])[frame[question.outcome].notna()].sum())
        assert index.estimate == pytest.approx((1 - 3 / (4 * n_pupils - 9)) * log_odds / 1.65, rel=1e-6 * loose)


@pytest.mark.parametrize("name", EXPECTED["components"])
def test_variances_exact_limits_and_hedges_g_are_those_of_lme4_and_the_written_out_formulas(name: str) -> None:
    figure = EXPECTED["components"][name]
    found = design_components(read_set(figure["set"]), question_of(figure, kind="continuous"))
    assert (found.school, found.pupil) == pytest.approx((figure["school"], figure["pupil"]), rel=2e-4, abs=1e-6)
    assert (found.icc_low, found.icc_high) == pytest.approx((figure["icc_low"], figure["icc_high"]), rel=1e-6, abs=1e-9)
    assert found.variance_df == pytest.approx(figure["variance_df"], rel=2e-4)
    difference = build_t_estimate(Estimate(), estimate=figure["effect"], std_error=1.0, df=10)
    g = hedges_g(difference, total_variance=found.total, variance_df=found.variance_df)
    assert g.estimate == pytest.approx(figure["hedges_g"], rel=2e-4)
