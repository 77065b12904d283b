"""Designs and sample sizes against randomizr, cvcrand and PowerUpR (make/designs.R; cvcrand's published example)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.power import SchoolTrial, WithinSchoolTrial, mdes, power_of
from randomisation import Arm, Constraint, Design, all_allocations, assignment_probabilities, n_allocations, validity
from randomisation.acceptance import SCORE_UNIT, build_acceptance
from randomisation.constrained import enumerate_candidates
from randomisation.schools import read_schools

EXPECTED = Path(__file__).parent / "expected"


def read(name: str) -> Any:  # noqa: ANN401 (JSON of several shapes)
    return json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))


RANDOMIZR = read("randomizr")["figures"]
POWERUPR = read("powerupr")["figures"]
CVCRAND = read("cvcrand")
DICKINSON = pd.DataFrame(CVCRAND["schools"]).assign(school_id=[f"{n:02d}" for n in range(1, 17)])
CONSTRAINED = Design(
    arms=(Arm(name="population-based"), Arm(name="practice-based")),
    kind="complete",
    constraint=Constraint(variables=tuple(CVCRAND["schools"]), best_share=0.1),
)


@pytest.mark.parametrize("name", RANDOMIZR)
def test_counts_and_probabilities_are_those_of_randomizr(name: str) -> None:
    figures = RANDOMIZR[name]
    strata = np.repeat(np.arange(len(figures["sizes"])), figures["sizes"])
    frame = pd.DataFrame({"school_id": [f"{n:02d}" for n in range(len(strata))], "stratum": strata})
    arms = tuple(Arm(name=f"arm {place}", ratio=ratio) for place, ratio in enumerate(figures["ratios"]))
    design = Design(arms=arms, strata=("stratum",))
    assert n_allocations(frame, design) == figures["n_allocations"]
    stated = assignment_probabilities(frame, design).iloc[0, 1:].tolist()
    assert stated == pytest.approx(figures["probabilities"], abs=1e-12)
    if figures["n_allocations"] < 5000:
        every = all_allocations(frame, design)
        listed = [float(every.probabilities @ (every.positions[:, 0] == arm)) for arm in range(len(arms))]
        assert listed == pytest.approx(figures["probabilities"], abs=1e-12)


def test_scores_of_the_dickinson_example_are_those_of_cvcrand() -> None:
    drawn = enumerate_candidates(DICKINSON, CONSTRAINED)
    rule = build_acceptance(read_schools(DICKINSON, CONSTRAINED), CONSTRAINED)
    assert rule is not None
    scores = 16 * rule.scores(drawn.draws) / SCORE_UNIT["l2"]
    assert len(scores) == CVCRAND["n_allocations"]
    for share, score in CVCRAND["quantiles"].items():
        # Standardised values are cut off at the fifth decimal; cvcrand prints three.
        assert np.quantile(scores, float(share)) == pytest.approx(score, rel=4e-5, abs=6e-4)
    assert scores.mean() == pytest.approx(CVCRAND["mean"], abs=1e-3)
    assert scores.std(ddof=1) == pytest.approx(CVCRAND["sd"], abs=1.5e-3)
    selected = np.array([[int(arm) for arm in CVCRAND["selected"]["allocation"]]])
    assert 16 * rule.scores(selected)[0] / SCORE_UNIT["l2"] == pytest.approx(CVCRAND["selected"]["score"], abs=6e-4)


def test_the_constrained_set_of_the_dickinson_example_is_that_of_cvcrand_and_a_mirror_image() -> None:
    ours = {"".join(map(str, row)) for row in all_allocations(DICKINSON, CONSTRAINED).positions.tolist()}
    theirs = set(CVCRAND["constrained"])
    assert len(theirs) == CVCRAND["n_constrained"]
    assert theirs <= ours
    # A draw and its mirror image have one score, and cvcrand cuts between the two: the tenth of 12,870 is odd.
    (one,) = ours - theirs
    assert "".join("10"[int(arm)] for arm in one) in theirs
    found = validity(DICKINSON, CONSTRAINED)
    assert (found.always_together, found.never_together) == ((), ())


@pytest.mark.parametrize("row", POWERUPR["cra2"])
def test_effects_and_power_of_two_levels_are_those_of_powerupr(row: dict[str, float]) -> None:
    size = SchoolTrial(
        n_schools=row["J"], pupils_per_school=row["n"], icc=row["rho2"], r2_school=row["r22"], r2_pupil=0.3,
        n_covariates=int(row["g2"]), share_treated=row["p"],
    )  # fmt: skip
    assert mdes(size) == pytest.approx(row["mdes"], rel=1e-9)
    assert power_of(size, effect=0.3) == pytest.approx(row["power"], rel=1e-6)


@pytest.mark.parametrize("row", POWERUPR["cra3"])
def test_effects_of_three_levels_are_those_of_powerupr(row: dict[str, float]) -> None:
    size = SchoolTrial(
        n_schools=row["K"], classes_per_school=row["J"], pupils_per_school=row["n"], icc=row["rho3"],
        icc_class=row["rho2"], r2_school=0.4, r2_class=0.2, r2_pupil=0.3, n_covariates=1,
    )  # fmt: skip
    assert mdes(size) == pytest.approx(row["mdes"], rel=1e-9)


@pytest.mark.parametrize("row", POWERUPR["bira2"])
def test_effects_of_pupils_drawn_within_schools_are_those_of_powerupr(row: dict[str, float]) -> None:
    size = WithinSchoolTrial(
        n_schools=row["J"], pupils_per_school=row["n"], icc=row["rho2"], effect_heterogeneity=row["omega2"],
        r2_school=0.2, r2_pupil=0.4,
    )  # fmt: skip
    assert mdes(size) == pytest.approx(row["mdes"], rel=1e-9)


@pytest.mark.parametrize("row", POWERUPR["bcra3f2"])
def test_effects_of_schools_drawn_within_strata_are_those_of_powerupr(row: dict[str, float]) -> None:
    size = SchoolTrial(
        n_schools=row["J"] * row["K"], pupils_per_school=row["n"], icc=row["rho2"], r2_school=0.3,
        n_strata=int(row["K"]), effects_differ=True,
    )  # fmt: skip
    assert mdes(size) == pytest.approx(row["mdes"], rel=1e-9)
