"""Figures of R packages, committed with the script that made them (``make/figures.R``); no R is needed here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import (
    Fit,
    Model,
    fit_linear_clustered,
    fit_linear_mixed,
    fit_logistic_mixed,
    pool_countries,
)
from analysis.inference.cluster_robust import SeType

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ARMS = {"awards": ("control", "awards"), "three_arms": ("control", "mentor", "team")}


# Any: the figures are JSON, looked up by name.
def figures(name: str) -> dict[str, Any]:
    content: dict[str, dict[str, Any]] = json.loads((HERE / "expected" / f"{name}.json").read_text(encoding="utf-8"))
    return content["figures"]


def read_set(name: str) -> pd.DataFrame:
    if name != "awards":
        return pd.read_csv(HERE / "data" / f"{name}.csv")
    frame = pd.read_csv(ROOT / "examples/achievement-awards/achievement_awards.csv.gz", dtype={"school_id": str})
    frame = frame[frame["year"].astype(str) == "2001"]
    arm = frame["treated"].map({0: "control", 1: "awards"})
    return frame.assign(arm=arm, strata=frame["pair"].map("pair {:02d}".format))


def model_of(figure: dict[str, Any]) -> Model:
    """Read R's formula: outcome ~ arm + covariates + strata."""
    outcome, right = figure["formula"].split(" ~ ")
    terms = [] if right == "1" else right.split(" + ")
    return Model(
        outcome=outcome,
        school="school_id",
        arm="arm" if "arm" in terms else None,
        arms=ARMS.get(figure["set"], ("control", "pilot")) if "arm" in terms else (),
        covariates=tuple(term for term in terms if term not in ("arm", "strata")),
        strata="strata" if "strata" in terms else None,
    )


def compare(fit: Fit, figure: dict[str, Any], **tolerances: float) -> None:
    """Compare every coefficient by name; a tolerance is relative to the figure, or to the error for estimates."""
    assert fit.coefficients is not None
    assert set(fit.coefficients.names) == set(figure["coefficients"])
    assert fit.n_pupils == figure["n"]
    for term, expected in figure["coefficients"].items():
        row = fit.estimate(term)
        for name, tolerance in tolerances.items():
            size = expected["std_error"] if name == "estimate" else abs(expected[name])
            assert getattr(row, name) == pytest.approx(expected[name], abs=tolerance * size), f"{term}: {name}"


@pytest.mark.parametrize("name", figures("linear_mixed"))
def test_the_linear_multilevel_model_agrees_with_lmertest(name: str) -> None:
    figure = figures("linear_mixed")[name]
    fit = fit_linear_mixed(read_set(figure["set"]), model_of(figure), df_method="satterthwaite")
    # lmerTest takes its derivatives numerically: four digits or so of the degrees of freedom are right.
    compare(fit, figure, estimate=1e-5, std_error=1e-5, df=5e-4, p_value=5e-4)
    assert fit.variances["pupil"] == pytest.approx(figure["pupil_variance"], rel=1e-5)
    assert fit.variances["school"] == pytest.approx(figure["school_variance"], rel=1e-4, abs=1e-9)
    assert fit.convergence.objective == pytest.approx(figure["deviance"], abs=1e-6)


def test_a_school_variance_of_zero_is_found_and_said() -> None:
    figure = figures("linear_mixed")["flat"]
    fit = fit_linear_mixed(read_set("flat"), model_of(figure))
    assert fit.variances["school"] == 0
    assert fit.status == "boundary"
    # lmerTest counts pupils there (133 degrees of freedom); twelve schools in two arms cannot back more than 10.
    assert figure["coefficients"]["arm[pilot]"]["df"] == pytest.approx(133)
    assert fit.estimate("arm[pilot]").df == 10
    assert fit.estimate("arm[pilot]").std_error == pytest.approx(2.664179, abs=1e-5)


KENWARD_ROGER = [name for name in figures("linear_mixed") if name in figures("mixed_models")]


@pytest.mark.parametrize("name", KENWARD_ROGER)
def test_kenward_rogers_errors_and_degrees_of_freedom_agree_with_pbkrtest(name: str) -> None:
    figure = figures("linear_mixed")[name]
    fit = fit_linear_mixed(read_set(figure["set"]), model_of(figure), df_method="kenward_roger")
    assert (fit.se_type, fit.df_method) == ("kenward_roger", "kenward_roger")
    for term, expected in figures("mixed_models")[name]["coefficients"].items():
        row = fit.estimate(term)
        assert row.std_error == pytest.approx(expected["std_error_kenward_roger"], rel=1e-6)
        assert row.df == pytest.approx(expected["df_kenward_roger"], rel=1e-4)


# R solves with a matrix that is singular but for rounding where a school is a stratum of its own.
SINGULAR = ("pairs_strata", "CR3")
TYPES = [
    (name, se_type)
    for name in figures("linear_cluster")
    if name in figures("cluster_robust")
    for se_type in figures("cluster_robust")[name]["plain"]
    if (name, se_type) != SINGULAR
]


@pytest.mark.parametrize(("name", "se_type"), TYPES)
def test_every_type_of_error_of_the_model_of_a_plan_agrees_with_clubsandwich(name: str, se_type: SeType) -> None:
    figure = figures("cluster_robust")[name]
    model = model_of(figure)
    model = replace(model, strata="strata") if figure["fixed_effects"] else model
    fit = fit_linear_clustered(read_set(figure["set"]), model, se_type=se_type)
    assert fit.se_type == se_type
    for arm in model.arms[1:]:
        expected, row = figure["plain"][se_type][f"arm[{arm}]"], fit.estimate(f"arm[{arm}]")
        assert row.estimate == pytest.approx(expected["estimate"], abs=1e-8 * expected["std_error"])
        assert (row.std_error, row.df) == pytest.approx((expected["std_error"], expected["df"]), rel=1e-8)


@pytest.mark.parametrize("name", figures("linear_cluster"))
def test_least_squares_with_cr2_agrees_with_clubsandwich(name: str) -> None:
    figure = figures("linear_cluster")[name]
    fit = fit_linear_clustered(read_set(figure["set"]), model_of(figure))
    alone = _rests_on_one_school(figure)
    kept = {term: row for term, row in figure["coefficients"].items() if term not in alone}
    assert fit.coefficients is not None
    for term in alone:
        assert fit.estimate(term).status == "failed"
    for term, expected in kept.items():
        row = fit.estimate(term)
        assert row.estimate == pytest.approx(expected["estimate"], abs=1e-8 * expected["std_error"])
        assert row.std_error == pytest.approx(expected["std_error"], rel=1e-8)
        assert row.df == pytest.approx(expected["df"], rel=1e-8)
        assert row.p_value == pytest.approx(expected["p_value"], rel=1e-7)


def _rests_on_one_school(figure: dict[str, Any]) -> tuple[str, ...]:
    """Pair 9 has one school only: its own coefficient has no error, whatever a package prints."""
    return ("strata[pair 9]",) if "strata[pair 9]" in figure["coefficients"] else ()


@pytest.mark.parametrize("name", figures("linear_cluster"))
def test_clubsandwich_and_estimatr_agree_with_each_other_on_the_arms(name: str) -> None:
    figure = figures("linear_cluster")[name]
    for term, expected in figure["coefficients"].items():
        if term.startswith("arm"):
            assert figure["estimatr"][term]["std_error"] == pytest.approx(expected["std_error"], rel=1e-9)
            assert figure["estimatr"][term]["df"] == pytest.approx(expected["df"], rel=1e-9)


@pytest.mark.parametrize("name", figures("logistic_mixed"))
def test_the_logistic_multilevel_model_agrees_with_glmer(name: str) -> None:
    figure = figures("logistic_mixed")[name]
    fit = fit_logistic_mixed(read_set(figure["set"]), model_of(figure), n_nodes=figure["nodes"])
    # glmer takes its Hessian by differences: its standard errors move by 2e-3 from optimiser to optimiser.
    compare(fit, figure, estimate=2e-4, std_error=2e-3)
    assert np.sqrt(fit.variances["school"]) == pytest.approx(figure["school_sd"], rel=1e-4, abs=2e-3)
    assert fit.convergence.objective == pytest.approx(figure["deviance"], abs=2e-5)
    # Never above the deviance that glmer found.
    assert fit.convergence.objective < figure["deviance"] + 1e-7


@pytest.mark.parametrize("name", figures("pooling"))
def test_pooling_agrees_with_metafor(name: str) -> None:
    figure = figures("pooling")[name]
    pooled = pool_countries(np.array(figure["estimates"]), np.array(figure["std_errors"]))
    expected = figure["adhoc"]  # Hartung and Knapp with the floor, where it binds; else the same as "knha"
    assert figure["adhoc"]["std_error"] >= figure["knha"]["std_error"] * (1 - 1e-12)
    assert pooled.tau2 == pytest.approx(expected["tau2"], rel=1e-6, abs=1e-12)
    for part in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
        assert getattr(pooled, part) == pytest.approx(expected[part], rel=1e-6), part
    assert pooled.df == expected["df"]


def test_without_the_floor_the_pooled_error_would_be_that_of_plain_hartung_and_knapp() -> None:
    figure = figures("pooling")["apart"]
    assert figure["adhoc"]["std_error"] == figure["knha"]["std_error"]
    pooled = pool_countries(np.array(figure["estimates"]), np.array(figure["std_errors"]))
    assert pooled.std_error == pytest.approx(figure["knha"]["std_error"], rel=1e-6)


AWARDS = Model(
    outcome="Bagrut_status", school="school_id", arm="arm", arms=("control", "awards"), covariates=("school_type",)
)


def test_the_risk_difference_of_the_awards_is_met_to_the_digits_given() -> None:
    row = fit_linear_clustered(read_set("awards"), AWARDS).estimate("arm[awards]")
    assert (row.n_pupils, row.n_schools) == (3821, 39)
    assert f"{row.estimate:.7f}" == "0.0560973"
    assert f"{row.std_error:.7f}" == "0.0489372"
    assert f"{row.df:.4f}" == "25.1067"


@pytest.mark.parametrize(
    ("nodes", "estimate", "std_error", "school_sd"),
    [(1, 0.380298, 0.344514, 1.013576), (15, 0.380270, 0.346336, 1.017056)],
)
def test_the_odds_ratio_of_the_awards_is_met_as_closely_as_glmer_had_converged(
    nodes: int, estimate: float, std_error: float, school_sd: float
) -> None:
    # Printed with glmer's default tolerances, which stop 1e-4 above the least deviance (Laplace) or at a gradient that
    # is not yet zero; with tighter ones glmer moves to 0.380426 and 0.380250, which the test against R holds us to.
    fit = fit_logistic_mixed(read_set("awards"), AWARDS, n_nodes=nodes)
    row = fit.estimate("arm[awards]")
    assert row.estimate == pytest.approx(estimate, abs=2e-4)
    assert row.std_error == pytest.approx(std_error, abs=1e-3)
    assert np.sqrt(fit.variances["school"]) == pytest.approx(school_sd, abs=3e-4)
    if nodes == 1:
        assert fit.convergence.objective == pytest.approx(3872.0838, abs=2e-4)
        assert fit.convergence.objective < 3872.0838
