"""Cluster-robust variances against clubSandwich and estimatr (``make/cluster_robust.R``); no R is needed here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.inference.cluster_robust import SeType, cluster_robust
from analysis.linear_columns import read_linear_columns
from analysis.linear_models import LinearModelFit, linear_model
from analysis.mixed import mixed_model
from analysis.mixed_models.robust import MixedSeType
from analysis.sums import compute_school_products
from tests.support.designs import random_design

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Any: the figures are JSON, looked up by name.
FIGURES: dict[str, Any] = json.loads((HERE / "expected" / "cluster_robust.json").read_text(encoding="utf-8"))["figures"]
MULTILEVEL: dict[str, Any] = json.loads((HERE / "expected" / "cluster_robust.json").read_text(encoding="utf-8"))[
    "multilevel"
]
# R solves with a matrix that is singular but for rounding where a school is a stratum of its own.
SINGULAR = {("pairs_strata", "plain", "CR3")}
CASES = [
    (name, kind, se_type)
    for name, figure in FIGURES.items()
    for kind in ("plain", "weighted")
    for se_type in figure[kind]
    if (name, kind, se_type) not in SINGULAR
]


@cache
def read_set(name: str) -> pd.DataFrame:
    if name == "awards":
        frame = pd.read_csv(ROOT / "examples/achievement-awards/achievement_awards.csv.gz", dtype={"school_id": str})
        frame = frame[frame["year"].astype(str) == "2001"]
        arm = frame["treated"].map({0: "control", 1: "awards"})
        frame = frame.assign(arm=arm, strata=frame["pair"].map("pair {:02d}".format))
    else:
        frame = pd.read_csv(HERE / "data" / f"{ {'far': 'flat', 'few': 'pairs'}.get(name, name) }.csv")
    if name == "few":
        frame = frame[frame["school_id"] <= "s07"]
    if name == "far":
        frame = frame.assign(score=frame["score"] + 1e6)
    return frame.assign(w=0.5 + (np.arange(1, len(frame) + 1) % 7) / 4)


def our_formula(figure: dict[str, Any]) -> str:
    base = "C(arm, contr.treatment('control'))"
    return str(figure["formula"]).replace("arm", base) if figure["set"] == "awards" else str(figure["formula"])


def our_term(term: str, figure: dict[str, Any]) -> str:
    base = "C(arm, contr.treatment('control'))"
    return term.replace("arm[", f"{base}[") if figure["set"] == "awards" else term


def close(fit: LinearModelFit, expected: dict[str, Any], figure: dict[str, Any], *, tolerance: float = 1e-8) -> None:
    for term, row in expected.items():
        ours = our_term(term, figure)
        if ours not in fit.coefficients.names:
            # R's intercept is that of the first stratum.
            assert term == "(Intercept)"
            assert fit.fixed_effects is not None
            continue
        place = fit.place(ours)
        error = float(np.sqrt(fit.coefficients.vcov[place, place]))
        if "estimate" in row:
            assert fit.coefficients.estimate[place] == pytest.approx(row["estimate"], abs=1e-8 * row["std_error"])
        assert error == pytest.approx(row["std_error"], rel=tolerance), term
        assert fit.coefficients.df[place] == pytest.approx(row["df"], rel=tolerance), term


@pytest.mark.parametrize(("name", "kind", "se_type"), CASES)
def test_every_type_agrees_with_clubsandwich_plain_weighted_and_with_absorbed_strata(
    name: str, kind: str, se_type: SeType
) -> None:
    figure = FIGURES[name]
    fit = linear_model(
        our_formula(figure),
        read_set(figure["set"]),
        cluster="school_id",
        se_type=se_type,
        weights="w" if kind == "weighted" else None,
        fixed_effects=figure["fixed_effects"] or None,
    )
    assert fit.n_rows == figure["n"]
    close(fit, figure[kind][se_type], figure)


@pytest.mark.parametrize("name", FIGURES)
def test_cr2_agrees_with_estimatr_with_its_own_absorbed_fixed_effects(name: str) -> None:
    figure = FIGURES[name]
    fit = linear_model(
        our_formula(figure),
        read_set(figure["set"]),
        cluster="school_id",
        fixed_effects=figure["fixed_effects"] or None,
    )
    close(fit, figure["estimatr"], figure)


@pytest.mark.parametrize(
    ("name", "se_type"), [(name, se_type) for name, figure in FIGURES.items() for se_type in figure["mixed"]]
)
def test_the_multilevel_models_gls_agrees_with_clubsandwich_on_lmer(name: str, se_type: SeType) -> None:
    figure = FIGURES[name]
    formula = our_formula(figure) + (" + strata" if figure["fixed_effects"] else "")
    columns = read_linear_columns(formula, read_set(figure["set"]), cluster="school_id")
    # Scaled, as a fit would do it; the errors of the slopes are scaled back below.
    centre, scale = columns.x.mean(axis=0), columns.x.std(axis=0)
    centre[0], scale[0] = 0.0, 1.0
    x = (columns.x - centre) / scale
    values = np.column_stack([x, np.ones(len(x)), columns.y - columns.y.mean()])
    products = compute_school_products(values, columns.cluster, n_schools=len(columns.clusters))
    design = random_design(products, relative_covariance=np.array([[figure["variance_ratio"]]]))
    answer = cluster_robust(design, contrasts=np.eye(len(columns.names)), se_type=se_type)
    for term, row in figure["mixed"][se_type].items():
        place = columns.names.index(our_term(term, figure))
        if place == 0:
            continue
        error = np.sqrt(answer.vcov[place, place]) / scale[place]
        # lmer's bread is made with its own penalised solution; eight digits of the rest are right.
        assert answer.beta[place] / scale[place] == pytest.approx(row["estimate"], abs=1e-7 * row["std_error"])
        assert error == pytest.approx(row["std_error"], rel=1e-8)
        assert answer.df[place] == pytest.approx(row["df"], rel=1e-8)


@pytest.mark.parametrize(
    ("name", "se_type"),
    [(name, kind) for name, entry in MULTILEVEL.items() for kind in entry["figures"]],
)
def test_a_mixed_model_fitted_here_has_clubsandwichs_errors_for_lmers_fit(name: str, se_type: MixedSeType) -> None:
    entry = MULTILEVEL[name]
    frame = pd.read_csv(HERE / "data" / f"mixed_{entry['set']}.csv")
    fit = mixed_model(entry["formula"], frame, se_type=se_type, reference={"arm": "control"})
    assert fit.n_pupils == entry["n"]
    for term, row in entry["figures"][se_type].items():
        found = fit.estimate(term)
        assert found.estimate == pytest.approx(row["estimate"], abs=1e-6 * row["std_error"])
        assert found.std_error == pytest.approx(row["std_error"], rel=1e-6)
        assert found.df == pytest.approx(row["df"], rel=1e-6)
        assert found.p_value == pytest.approx(row["p_value"], rel=1e-5)
