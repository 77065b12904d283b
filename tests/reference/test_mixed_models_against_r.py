"""Multilevel models against the figures of lme4, lmerTest and pbkrtest from ``make/mixed_models.R``; no R is needed.

Tolerances are those of the issue, for all sets alike: estimates and errors 1e-6, log-likelihood 1e-8, variances 1e-4,
degrees of freedom 1e-4. Where R's optimiser stopped short of the optimum, ours must have the higher likelihood.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.estimators import make_estimator
from analysis.mixed import mixed_model
from analysis.mixed_models.fit import MixedFit
from analysis.mixed_models.working import MixedDfMethod
from analysis.specs import Model

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Any: the figures are JSON, looked up by name.
FIGURES: dict[str, Any] = json.loads((HERE / "expected" / "mixed_models.json").read_text(encoding="utf-8"))["figures"]

MORE: dict[str, Any] = json.loads((HERE / "expected" / "mixed_models_more.json").read_text(encoding="utf-8"))["figures"]


@lru_cache
def read_set(name: str) -> pd.DataFrame:
    if name.startswith("awards"):
        path = ROOT / "examples/achievement-awards/achievement_awards.csv.gz"
        frame = pd.read_csv(path, dtype={"school_id": str, "year": str})
        frame["arm"] = frame["treated"].map({0: "control", 1: "awards"})
        frame["strata"] = frame["pair"].map("pair {:02d}".format)
        frame = frame.assign(school=frame["school_id"])
        return frame if name == "awards_all" else frame[frame["year"] == "2001"]
    file = HERE / "data" / f"mixed_{name}.csv"
    frame = pd.read_csv(file if file.exists() else HERE / "data" / f"{name}.csv")
    return frame.assign(school=frame["school_id"]) if "school_id" in frame else frame


def fitted(figure: dict[str, Any], *, reml: bool = True, df_method: MixedDfMethod | None = None) -> MixedFit:
    frame = read_set(figure["set"])
    reference = {"arm": "control"} if "arm" in figure["formula"] else None
    return mixed_model(
        figure["formula"], frame, weights=figure["weights"] or None, reference=reference, reml=reml, df_method=df_method
    )


def close(ours: float, theirs: float, *, relative: float, scale: float = 0.0) -> None:
    assert ours == pytest.approx(theirs, rel=relative, abs=relative * scale)


@pytest.mark.parametrize("name", FIGURES)
def test_a_model_has_lme4s_optimum_or_a_better_one(name: str) -> None:
    figure = FIGURES[name]
    for reml, wanted in ((True, figure["log_likelihood"]), (False, figure["log_likelihood_ml"])):
        fit = fitted(figure, reml=reml)
        assert fit.n_pupils == figure["n"]
        assert fit.log_likelihood >= wanted - 1e-8 * max(1.0, abs(wanted))
    assert (fitted(figure).status == "boundary") == figure["singular"]


def at_the_same_optimum(fit: MixedFit, wanted: float) -> bool:
    """Whether R reached the optimum, within 1e-8 of the log-likelihood."""
    return abs(fit.log_likelihood - wanted) <= 1e-8 * max(1.0, abs(wanted))


@pytest.mark.parametrize("name", FIGURES)
def test_estimates_and_errors_are_lme4s(name: str) -> None:
    figure = FIGURES[name]
    for reml, suffix, wanted in ((True, "", figure["log_likelihood"]), (False, "_ml", figure["log_likelihood_ml"])):
        fit = fitted(figure, reml=reml, df_method="satterthwaite")
        assert at_the_same_optimum(fit, wanted)
        assert fit.coefficients is not None
        terms = {term for term in fit.tidy()["term"] if not term.startswith("stratum[")}
        assert terms == {*figure["coefficients"], *(["(Intercept)"] if name == "offset" else [])}
        for term, row in figure["coefficients"].items():
            ours = fit.estimate(term)
            close(ours.estimate, row[f"estimate{suffix}"], relative=1e-6, scale=row[f"std_error{suffix}"])
            close(ours.std_error, row[f"std_error{suffix}"], relative=1e-6)


@pytest.mark.parametrize("name", FIGURES)
def test_variances_are_lme4s(name: str) -> None:
    figure = FIGURES[name]
    fit = fitted(figure)
    residual = next(row["variance"] for row in figure["components"] if row["group"] == "Residual")
    assert len(fit.components) == len(figure["components"])
    for row in figure["components"]:
        group = set(row["group"].removesuffix(".1").split(":"))  # lme4 numbers a grouping's further terms
        found = [
            c.variance
            for c in fit.components
            if (set(c.group.split(":")) == group or (c.group == "residual" and group == {"Residual"}))
            and (group == {"Residual"} or {c.term, c.other} == {row["term"], row["other"]})
        ]
        assert len(found) == 1, row
        close(found[0], row["variance"], relative=1e-4, scale=1e-4 * residual)


@pytest.mark.parametrize("name", FIGURES)
def test_satterthwaite_degrees_of_freedom_are_lmertests(name: str) -> None:
    figure = FIGURES[name]
    fit = fitted(figure, df_method="satterthwaite")
    for term, row in figure["coefficients"].items():
        close(fit.estimate(term).df, row["df_satterthwaite"], relative=1e-4)


# pbkrtest leaves weights out of the residual variance; a model by hand is used instead (unit tests).
@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if not figure["weights"]])
def test_kenward_roger_errors_and_degrees_of_freedom_are_pbkrtests(name: str) -> None:
    figure = FIGURES[name]
    fit = fitted(figure, df_method="kenward_roger")
    for term, row in figure["coefficients"].items():
        close(fit.estimate(term).std_error, row["std_error_kenward_roger"], relative=1e-6)
        close(fit.estimate(term).df, row["df_kenward_roger"], relative=1e-4)


@pytest.mark.parametrize("df_method", ["satterthwaite", "kenward_roger"])
def test_classes_within_schools_that_a_plan_names_are_those_of_lme4(df_method: str) -> None:
    figure = FIGURES["classes"]
    options = {"df_method": df_method, "level": "room"}
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "mentor", "team"), covariates=("x",))
    fit = make_estimator("linear_mixed", options, kind="continuous").fit(read_set("classes"), model).fit
    suffix = "_kenward_roger" if df_method == "kenward_roger" else ""
    for term, row in figure["coefficients"].items():
        ours = fit.estimate(term)
        close(ours.estimate, row["estimate"], relative=1e-6, scale=row["std_error"])
        close(ours.std_error, row[f"std_error{suffix}"], relative=1e-6)
        close(ours.df, row[f"df_{df_method}"], relative=1e-4)
    variances = {tuple(sorted(row["group"].split(":"))): row["variance"] for row in figure["components"]}
    theirs = [variances["school",], variances["room", "school"], variances["Residual",]]
    assert list(fit.variances.values()) == pytest.approx(theirs, rel=1e-4)
    assert list(fit.variances) == ["school", "level", "pupil"]


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure["joint"]])
def test_joint_tests_are_those_of_lmertest_and_pbkrtest(name: str) -> None:
    figure = FIGURES[name]
    methods: tuple[MixedDfMethod, ...] = ("satterthwaite", "kenward_roger")
    for method in methods[:1] if figure["weights"] else methods:
        row = fitted(figure, df_method=method).f_test(figure["joint"]["term"]).iloc[0]
        wanted = figure["joint"][method]
        close(row["statistic"], wanted["statistic"], relative=1e-5)
        assert row["df_numerator"] == wanted["df_numerator"]
        close(row["df_denominator"], wanted["df_denominator"], relative=1e-4)
        if method == "kenward_roger":
            close(row["scaling"], wanted["scaling"], relative=1e-4)


@pytest.mark.parametrize("name", FIGURES)
def test_predicted_effects_of_groups_are_lme4s(name: str) -> None:
    figure = FIGURES[name]
    frame = fitted(figure).random_effects()
    spread = math.sqrt(max(row["variance"] for row in figure["components"]))
    for row in figure["effects"]:
        group = set(row["group"].split(":"))
        label = set(row["label"].split(":"))
        chosen = frame[
            frame["group"].map(lambda name, group=group: set(name.split(":")) == group)
            & frame["label"].map(lambda text, label=label: set(text.split(":")) == label)
            & (frame["term"] == row["term"])
        ]
        assert len(chosen) == 1, row
        close(chosen["estimate"].iloc[0], row["estimate"], relative=1e-4, scale=spread)
        close(chosen["std_error"].iloc[0], row["std_error"], relative=1e-4, scale=spread)


@pytest.mark.parametrize("place", range(len(MORE["marginal"])))
@pytest.mark.parametrize("method", ["kenward_roger", "satterthwaite"])
def test_marginal_means_and_contrasts_are_those_of_emmeans(place: int, method: MixedDfMethod) -> None:
    figure = MORE["marginal"][place]
    fit = fitted({**figure, "weights": ""}, df_method=method)
    means = fit.marginal_means(figure["factor"]).set_index("term")
    for row in figure[method]["means"]:
        ours = means.loc[f"{figure['factor']}[{row['level']}]"].to_dict()
        close(ours["estimate"], row["estimate"], relative=1e-6)
        close(ours["std_error"], row["std_error"], relative=1e-6)
        close(ours["df"], row["df"], relative=1e-4)
    pairs = fit.marginal_contrasts(figure["factor"]).set_index("term")
    assert len(pairs) == len(figure[method]["pairs"])
    for row in figure[method]["pairs"]:
        left, right = row["contrast"].split(" - ")
        ours = pairs.loc[f"{figure['factor']}[{left}] - {figure['factor']}[{right}]"].to_dict()
        close(ours["estimate"], row["estimate"], relative=1e-6, scale=row["std_error"])
        close(ours["std_error"], row["std_error"], relative=1e-6)
        close(ours["df"], row["df"], relative=1e-4)


@pytest.mark.parametrize("place", range(len(MORE["residual_by"])))
@pytest.mark.parametrize("which", ["reml", "ml"])
def test_residual_variances_by_group_are_those_of_nlme(place: int, which: str) -> None:
    figure = MORE["residual_by"][place]
    wanted = figure[which]
    fit = mixed_model(
        figure["formula"],
        read_set(figure["set"]),
        residual_by=figure["by"],
        reference={"arm": "control"},
        reml=which == "reml",
        df_method="satterthwaite",
    )
    assert fit.log_likelihood >= wanted["log_likelihood"] - 1e-8 * abs(wanted["log_likelihood"])
    assert fit.log_likelihood == pytest.approx(wanted["log_likelihood"], rel=1e-8)
    for name, estimate, error in zip(wanted["names"], wanted["estimate"], wanted["std_error"], strict=True):
        close(fit.estimate(name).estimate, estimate, relative=1e-5, scale=error)
        close(fit.estimate(name).std_error, error, relative=1e-5)
    parts = {(part.group, part.term): part.variance for part in fit.components}
    close(parts["school", "(Intercept)"], wanted["school_variance"], relative=1e-4)
    for level, variance in zip(wanted["levels"], wanted["residual_variances"], strict=True):
        close(parts["residual", level], variance, relative=1e-4)
