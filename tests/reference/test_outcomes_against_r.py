"""Figures of R for dropout, absence and time to leaving (``make/outcomes.R``, ``make/time_to_event.R``), without R."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis import Fit, Model, Question, estimate_effects
from analysis.binary import fit_binary_mixed, fit_logistic_mixed, fit_logistic_slopes
from analysis.counts import fit_counts
from analysis.gee import fit_gee
from analysis.ordinal import fit_ordinal
from analysis.quadrature import LOGIT, Poisson, patterns
from analysis.quadrature.nested import NestedPatterns
from analysis.quadrature.nested_search import find_nested_maximum
from analysis.time_to_event import (
    Ties,
    fit_cox,
    pseudo_values,
)

HERE = Path(__file__).parent
LEAVING = Model(outcome="left", school="school_id", arm="arm", arms=("control", "pilot"), covariates=("prior",))
THREE = Model(
    outcome="left", school="school_id", arm="arm", arms=("control", "mentor", "team"), covariates=("baseline",)
)


# Any: the figures are JSON, looked up by name.
def figures(name: str) -> dict[str, Any]:
    text = (HERE / "expected" / f"outcomes_{name}.json").read_text(encoding="utf-8")
    content: dict[str, dict[str, Any]] = json.loads(text)
    return content["figures"]


def leaving() -> pd.DataFrame:
    frame = pd.read_csv(HERE / "data" / "leaving.csv")
    return frame.assign(
        left=(frame["status"] == "left_early").astype(int),
        share=(frame["engagement"] - 1) / 4,
    )


def compare(fit: Fit, figure: dict[str, Any], *, estimate: float = 1e-4, std_error: float = 1e-3) -> None:
    """Compare coefficients by name: estimates in units of their error, errors and the school's spread by ratio."""
    assert fit.coefficients is not None
    for term, expected in figure["coefficients"].items():
        row = fit.estimate(term)
        assert row.estimate == pytest.approx(expected["estimate"], abs=estimate * expected["std_error"]), term
        assert row.std_error == pytest.approx(expected["std_error"], rel=std_error), term
    assert np.sqrt(fit.variances["school"]) == pytest.approx(figure["school_sd"], rel=estimate, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in figures("binary") if name != "leaving_cloglog_1"])
def test_binary_outcomes_with_either_link_agree_with_glmer(name: str) -> None:
    figure = figures("binary")[name]
    frame, model = leaving(), LEAVING
    if figure["set"] == "three_arms":
        frame, model = pd.read_csv(HERE / "data" / "three_arms.csv"), THREE
    link, nodes = ("cloglog" if "cloglog" in name else "logit"), figure["nodes"]
    fit = fit_binary_mixed(frame, model, link=link, n_nodes=nodes)  # type: ignore[arg-type]  # one of the two
    # glmer takes its second derivatives numerically, so that its errors have three digits or so.
    compare(fit, figure)
    assert fit.convergence.objective == pytest.approx(figure["deviance"], abs=1e-6)


@pytest.mark.parametrize(("name", "outcome"), [("logit", "left"), ("poisson", "late")])
def test_classes_in_schools_agree_with_glmers_laplace(name: str, outcome: str) -> None:
    figure = figures("nested")[name]
    frame = pd.read_csv(HERE / "data" / "leaving_classes.csv")
    classes = frame["school"] + ":" + frame["class"]
    inner, labels = pd.factorize(classes, sort=True)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["prior"]])
    y = frame[outcome].to_numpy(dtype=float)
    data = replace(patterns(x, y, inner, n_schools=len(labels)), response=LOGIT if name == "logit" else Poisson())
    outer = pd.factorize(pd.Series(labels).str.split(":").str[0], sort=True)[0]
    found = find_nested_maximum(NestedPatterns(data=data, outer=outer, n_outer=int(outer.max()) + 1), n_nodes=1)
    expected = figure["coefficients"].values()
    errors = np.array([term["std_error"] for term in expected])
    assert found.reason == ""
    assert found.beta == pytest.approx(np.array([term["estimate"] for term in expected]), abs=1e-4 * errors.min())
    assert np.sqrt(np.diag(found.vcov)[:3]) == pytest.approx(errors, rel=2e-3)
    assert found.spread == pytest.approx(np.array([figure["school_sd"], figure["class_sd"]]), rel=1e-4)
    constant = 0.0 if name == "logit" else 2 * float(special.gammaln(y + 1).sum())
    assert found.deviance + constant == pytest.approx(figure["deviance"], abs=1e-6)


def test_laplace_with_the_curvature_that_was_observed_is_nearer_to_many_nodes_than_glmers() -> None:
    # For a link that is not canonical glmer takes the expected curvature at the mode; Laplace's approximation, and each
    # adaptive quadrature of more nodes, has the observed one.
    fit = fit_binary_mixed(leaving(), LEAVING, link="cloglog", n_nodes=1)
    theirs, many = figures("binary")["leaving_cloglog_1"], figures("binary")["leaving_cloglog_15"]
    ours = fit.convergence.objective
    assert abs(ours - many["deviance"]) < abs(theirs["deviance"] - many["deviance"])
    assert ours == pytest.approx(theirs["deviance"], abs=0.2)
    term = "arm[pilot]"
    assert fit.estimate(term).estimate == pytest.approx(many["coefficients"][term]["estimate"], abs=0.02)


def test_the_real_trials_logit_meets_the_published_figures() -> None:
    path = HERE.parent.parent / "examples/achievement-awards/achievement_awards.csv.gz"
    frame = pd.read_csv(path, dtype={"school_id": str})
    frame = frame[frame["year"].astype(str) == "2001"]
    frame = frame.assign(arm=frame["treated"].map({0: "control", 1: "awards"}))
    model = Model(
        outcome="Bagrut_status",
        school="school_id",
        arm="arm",
        arms=("control", "awards"),
        covariates=("school_type",),
    )
    laplace, nodes = (fit_logistic_mixed(frame, model, n_nodes=n) for n in (1, 15))
    # The published figures are of glmer's default tolerances, which stop 1e-4 or so above the least deviance.
    assert laplace.estimate("arm[awards]").estimate == pytest.approx(0.380298, abs=2e-4)
    assert laplace.estimate("arm[awards]").std_error == pytest.approx(0.344514, abs=1e-3)
    assert laplace.convergence.objective <= 3872.0838 + 5e-5
    assert np.sqrt(laplace.variances["school"]) == pytest.approx(1.013576, abs=3e-4)
    assert nodes.estimate("arm[awards]").estimate == pytest.approx(0.380270, abs=2e-4)
    assert nodes.estimate("arm[awards]").std_error == pytest.approx(0.346336, abs=1e-3)
    assert np.sqrt(nodes.variances["school"]) == pytest.approx(1.017056, abs=3e-4)


def test_kaplan_meier_and_the_pupils_parts_in_it_agree_with_survival() -> None:
    figure, frame = figures("time_to_event"), leaving()
    for arm, mine in frame.groupby("arm"):
        time, event = mine["time"].to_numpy(), mine["left"].to_numpy() == 1
        expected = figure["kaplan_meier"][arm]
        for at, staying in zip(expected["time"], expected["share"], strict=True):
            assert 1 - pseudo_values(time, event, horizon=at).mean() == pytest.approx(staying, rel=1e-10)
        theirs = pd.DataFrame(figure["pseudo_values_4"][arm])
        parts = dict(zip(zip(time, event, strict=True), pseudo_values(time, event, horizon=4), strict=True))
        for at, left, part in zip(theirs["time"], theirs["left"], theirs["part"], strict=True):
            assert parts[at, left == 1] == pytest.approx(part, abs=1e-10)


@pytest.mark.parametrize("name", ["plain", "adjusted"])
def test_the_difference_of_shares_agrees_with_survival_and_clubsandwich(name: str) -> None:
    expected, frame = figures("time_to_event")[f"difference_4_{name}"], leaving()
    question = Question(
        plan_entry="leaving",
        outcome="left",
        kind="time_to_event",
        role="primary",
        model="survival_cluster",
        arms=("control", "pilot"),
        covariates=("prior",) if name == "adjusted" else (),
        strata=None,
        horizon=4.0,
    )
    schools = frame.drop_duplicates("school_id")
    rows = estimate_effects(
        frame.rename(columns={"time": "left.time"}),
        question,
        schools=tuple(schools["school_id"]),
        actual=(schools["arm"] == "pilot").to_numpy().astype(int),
        draws=None,
    )
    difference, ratio = (next(row for row in rows if row.quantity == it) for it in ("difference", "hazard_ratio"))
    for column in ("estimate", "std_error", "df", "p_value"):
        assert getattr(difference, column) == pytest.approx(expected[column], rel=1e-7)
    jackknife = figures("time_to_event")[f"hazard_ratio_{name}"]
    assert ratio.estimate == pytest.approx(jackknife["estimate"], rel=1e-8)
    assert ratio.std_error == pytest.approx(jackknife["std_error"], rel=1e-6)
    assert (ratio.conf_low, ratio.conf_high) == pytest.approx((jackknife["conf_low"], jackknife["conf_high"]), rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_coxs_model_with_errors_for_schools_agrees_with_survival(ties: Ties) -> None:
    figure = figures("time_to_event")[f"cox_{ties}"]
    fit = fit_cox(leaving(), LEAVING, time="time", ties=ties, se_type="school_robust")
    assert fit.convergence.objective == pytest.approx(-2 * figure["log_likelihood"], abs=1e-8)
    for term, expected in figure["coefficients"].items():
        assert fit.estimate(term).estimate == pytest.approx(expected["estimate"], abs=1e-8)
        assert fit.estimate(term).std_error == pytest.approx(expected["std_error"], rel=1e-8)


ABSENCES = Model(outcome="absences", school="school_id", arm="arm", arms=("control", "pilot"), covariates=("prior",))


@pytest.mark.parametrize("nodes", [1, 15])
def test_poisson_counts_with_exposure_agree_with_glmer(nodes: int) -> None:
    figure = figures("counts")[f"poisson_{nodes}"]
    fit = fit_counts(leaving(), ABSENCES, family="poisson", exposure="days", n_nodes=nodes)
    compare(fit.fit, figure)
    if nodes == 1:  # with more nodes glmer's log-likelihood leaves constants out
        assert fit.fit.convergence.objective == pytest.approx(figure["deviance"], abs=1e-6)


def test_negative_binomial_counts_agree_with_glmer_or_have_a_better_optimum() -> None:
    many, laplace = (figures("counts")[f"negative_binomial_{nodes}"] for nodes in (15, 1))
    fit = fit_counts(leaving(), ABSENCES, exposure="days", n_nodes=15)
    assert fit.dispersion == pytest.approx(0.929224342752, rel=1e-5)  # what glmer was given
    compare(fit.fit, many, estimate=1e-3)
    # glmer.nb has Laplace's approximation with the expected curvature: near, and worse.
    one = fit_counts(leaving(), ABSENCES, exposure="days", n_nodes=1)
    assert one.dispersion == pytest.approx(laplace["dispersion"], rel=1e-3)
    assert one.fit.convergence.objective <= laplace["deviance"]
    assert one.fit.convergence.objective == pytest.approx(fit.fit.convergence.objective, abs=0.01)


def test_a_negative_binomial_without_schools_is_no_better_than_mass_says() -> None:
    # With a school's intercept the deviance can only be lower, and the dispersion takes less.
    fit = fit_counts(leaving(), ABSENCES, exposure="days")
    plain = figures("counts")["glm_nb"]
    assert plain["deviance"] - 5 < fit.fit.convergence.objective < plain["deviance"]
    assert fit.dispersion < plain["dispersion"]


GEE = {
    "logit": ("left", "logit", None),
    "log": ("left", "log", None),
    "identity": ("left", "identity", None),
    "poisson": ("absences", "log", "days"),
    "fractional": ("share", "logit", None),
}


@pytest.mark.parametrize("name", figures("gee"))
def test_estimating_equations_with_the_plain_sandwich_agree_with_geepack(name: str) -> None:
    figure = figures("gee")[name]
    kind, correlation = name.split("_")
    outcome, link, exposure = GEE[kind]
    covariates = ("prior",) if "prior" in figure["coefficients"] else ()
    model = replace(LEAVING, outcome=outcome, covariates=covariates)
    fit = fit_gee(leaving(), model, link=link, correlation=correlation, se_type="robust", exposure=exposure)  # type: ignore[arg-type]
    for term, expected in figure["coefficients"].items():
        assert fit.estimate(term).estimate == pytest.approx(expected["estimate"], abs=1e-8)
        assert fit.estimate(term).std_error == pytest.approx(expected["std_error"], rel=1e-7)
    assert fit.correlation == pytest.approx(figure["correlation"], abs=1e-8)


def test_the_cumulative_logit_with_school_effects_agrees_with_ordinals_clmm() -> None:
    figure = figures("ordinal")["clmm_15"]
    fit = fit_ordinal(leaving(), replace(LEAVING, outcome="engagement"))
    compare(fit.fit, figure)
    assert fit.thresholds == pytest.approx(figure["thresholds"], abs=1e-5)
    assert fit.fit.convergence.objective == pytest.approx(figure["deviance"], abs=1e-6)


def test_slopes_that_differ_between_schools_agree_with_glmer() -> None:
    figure = figures("slopes")["laplace"]
    frame = leaving().assign(high=lambda f: (f["engagement"] >= 4).astype(int))
    fit = fit_logistic_slopes(frame, replace(LEAVING, outcome="high"), slope="prior", n_nodes=1)
    assert fit.convergence.objective == pytest.approx(figure["deviance"], abs=1e-6)
    for name in ("school", "slope", "covariance"):
        assert fit.variances[name] == pytest.approx(figure[name], abs=1e-4)
    for term, expected in figure["coefficients"].items():
        assert fit.estimate(term).estimate == pytest.approx(expected["estimate"], abs=1e-4)
        # Errors are of the information with seven nodes, glmer's of Laplace's: two per cent apart.
        assert fit.estimate(term).std_error == pytest.approx(expected["std_error"], rel=0.03)
