"""Binary outcomes and counts by formula: figures of the functions for them, words of the linear result."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis import Model, mixed_model, rate_effects, risk_effects
from analysis.binary import fit_logistic_slopes
from analysis.mixed_models.fit import MixedFit
from analysis.outcome_models import OutcomeFit
from data_schema.errors import EstimationError

MODEL = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))


def drawn(n_schools: int = 24, pupils: int = 20, *, seed: int = 1, effect: float = -0.6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), pupils)
    room = np.tile(np.arange(pupils) % 2, n_schools)
    arm = np.where(school % 2 == 0, "control", "pilot")
    prior = rng.standard_normal(school.size).round(1)
    level = 0.6 * rng.standard_normal(n_schools)[school] + 0.4 * rng.standard_normal(2 * n_schools)[2 * school + room]
    odds = -1.0 + effect * (arm == "pilot") + 0.5 * prior + level
    days = rng.integers(100, 180, size=school.size)
    return pd.DataFrame(
        {
            "school": school,
            "room": room,
            "arm": arm,
            "prior": prior,
            "left": (rng.random(school.size) < special.expit(odds)).astype(int),
            "days": days,
            "absent": rng.poisson(0.05 * days * np.exp(0.3 * level) * rng.gamma(1.5, 1 / 1.5, size=school.size)),
        }
    )


FRAME = drawn()


def binomial(formula: str = "left ~ arm + prior + (1 | school)", **more: Any) -> OutcomeFit:  # noqa: ANN401  # as given
    return mixed_model(formula, more.pop("data", FRAME), family="binomial", **more)


@pytest.mark.parametrize("link", ["logit", "cloglog", "log"])
def test_a_binary_outcome_gives_the_figures_of_risk_effects(link: str) -> None:
    fit = binomial(link=link)
    effects = risk_effects(FRAME, MODEL, link=link)  # type: ignore[arg-type]  # one of them
    # Log shares of these pupils reach the border, which both say.
    assert fit.status == effects.fit.status == ("boundary" if link == "log" else "ok")
    assert fit.convergence.objective == pytest.approx(effects.fit.convergence.objective, abs=1e-9)
    by_formula, by_model = fit.estimate("arm[pilot]"), effects.fit.estimate("arm[pilot]")
    for name in ("estimate", "std_error", "p_value", "conf_low", "df"):
        assert getattr(by_formula, name) == pytest.approx(getattr(by_model, name), rel=1e-9)
    rows = fit.effects("arm")
    for quantity in ("risk_difference", "risk_ratio", "marginal_odds_ratio", "number_needed_to_treat"):
        found, expected = rows.row(quantity, "pilot"), effects.row(quantity, "pilot")
        for name in ("estimate", "conf_low", "conf_high", "p_value"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-7), (quantity, name)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_a_count_with_exposure_gives_the_figures_of_rate_effects(family: str) -> None:
    fit = mixed_model("absent ~ arm + prior + (1 | school)", FRAME, family=family, exposure="days")  # type: ignore[call-overload]
    model = Model(outcome="absent", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
    effects = rate_effects(FRAME, model, family=family, exposure="days", per=100)  # type: ignore[arg-type]
    assert fit.dispersion == pytest.approx(effects.fit.dispersion)
    rows = fit.effects("arm", per=100)
    for quantity in ("rate_difference", "mean_difference"):
        found, expected = rows.row(quantity, "pilot"), effects.row(quantity, "pilot")
        assert found.estimate == pytest.approx(expected.estimate, rel=1e-7)
        assert found.std_error == pytest.approx(expected.std_error, rel=1e-7)


def test_slopes_give_the_figures_of_their_function() -> None:
    fit = binomial("left ~ arm + prior + (1 + prior | school)")
    expected = fit_logistic_slopes(FRAME, MODEL, slope="prior")
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(expected.estimate("arm[pilot]").estimate, abs=1e-8)
    assert fit.effects("arm").row("risk_difference", "pilot").estimate == pytest.approx(
        expected.difference("arm[pilot]").estimate, abs=1e-6
    )
    components = fit.variance_components()
    assert components["term"].tolist() == ["(Intercept)", "prior", "prior"]
    assert components["variance"].tolist()[2] == pytest.approx(expected.variances["covariance"])


def test_classes_in_schools_have_degrees_of_freedom_of_the_level_where_a_column_varies() -> None:
    frame = FRAME.assign(room_kind=np.where((FRAME["room"] + FRAME["school"] // 3) % 2, "a", "b"))
    fit = binomial("left ~ arm + room_kind + prior + (1 | school/room)", data=frame)
    assert fit.status == "ok"
    df = dict(zip(fit.tidy()["term"], fit.tidy()["df"], strict=True))
    assert df["arm[pilot]"] == 24 - 2
    assert df["room_kind[b]"] == df["prior"] == 48 - 24 - 1
    assert fit.groups == {"school": 24, "school:room": 48}
    assert fit.icc()["icc"].is_monotonic_increasing
    plain = binomial("left ~ arm + prior + (1 | school)", data=frame)
    assert fit.convergence.objective <= plain.convergence.objective + 2


def test_risks_of_classes_in_schools_are_those_of_an_independent_integration() -> None:
    fit = binomial("left ~ arm + prior + (1 | school/room)")
    (intercept, effect, slope), nodes = fit.tidy()["estimate"].to_numpy(float), np.linspace(-9, 9, 1801)
    weights = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    outer, inner = (part.sd for part in fit.components)
    for arm, treated in (("control", 0.0), ("pilot", 1.0)):
        eta = intercept + effect * treated + slope * np.unique(FRAME["prior"])
        both = special.expit(eta[:, None, None] + outer * nodes[::20, None] + inner * nodes[::20])
        plane = np.trapezoid(
            np.trapezoid(both * weights[::20], nodes[::20], axis=2) * weights[::20], nodes[::20], axis=1
        )
        share = FRAME["prior"].map(dict(zip(np.unique(FRAME["prior"]), plane, strict=True))).mean()
        assert fit.effects("arm").row("risk", arm).estimate == pytest.approx(share, abs=1e-6)


def test_the_order_of_rows_and_the_names_of_groups_change_nothing() -> None:
    fit = binomial("left ~ arm + prior + (1 | school/room)")
    mixed = FRAME.sample(frac=1, random_state=1).assign(school=lambda t: "x" + (99 - t["school"]).astype(str))
    other = binomial("left ~ arm + prior + (1 | school/room)", data=mixed)
    assert other.tidy()["estimate"].to_numpy(float) == pytest.approx(fit.tidy()["estimate"].to_numpy(float), abs=1e-6)
    assert other.predict(mixed) == pytest.approx(fit.predict(FRAME)[mixed.index], abs=1e-5)


def test_predictions_follow_schools_that_were_seen_and_average_over_others() -> None:
    fit = binomial()
    known, unknown = fit.predict(FRAME), fit.predict(FRAME.assign(school=999))
    assert known.mean() == pytest.approx(FRAME["left"].mean(), abs=0.01)
    assert unknown == pytest.approx(fit.predict(FRAME, random=False))
    schools = FRAME.assign(known=known).groupby("school")[["known", "left"]].mean()
    assert np.corrcoef(schools["known"], schools["left"])[0, 1] > 0.9
    nodes = np.linspace(-8, 8, 4001)
    weights = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    eta = fit.design(FRAME.head(3)) @ fit.tidy()["estimate"].to_numpy(float)
    sd = float(fit.components[0].sd)
    exact = np.trapezoid(special.expit(eta[:, None] + sd * nodes) * weights, nodes, axis=1)
    assert unknown[:3] == pytest.approx(exact, abs=1e-6)
    gap = FRAME.head(2).assign(prior=[np.nan, 0.0])
    assert np.isnan(fit.predict(gap)).tolist() == [True, False]


def test_a_class_not_seen_of_a_school_that_was_keeps_the_schools_effect() -> None:
    fit = binomial("left ~ arm + prior + (1 | school/room)")
    effects = fit.random_effects()
    own = effects[effects["group"] == "school"].set_index("label")["estimate"]
    high, low = own.idxmax(), own.idxmin()
    rows = FRAME.head(2).assign(school=[int(str(high)), int(str(low))], room=7, prior=0.0, arm="control")
    predicted = fit.predict(rows)
    assert predicted[0] > fit.predict(rows, random=False)[0] > predicted[1]


def test_interactions_and_functions_of_columns_are_what_the_formula_says() -> None:
    fit = binomial("left ~ arm * prior + I(prior**2) + (1 | school)")
    assert list(fit.tidy()["term"]) == ["(Intercept)", "arm[pilot]", "prior", "I(prior ** 2)", "arm[pilot]:prior"]
    total = fit.contrast({"arm[pilot]": 1, "arm[pilot]:prior": 2})
    estimates = fit.tidy().set_index("term")["estimate"]
    assert total.estimate == pytest.approx(estimates["arm[pilot]"] + 2 * estimates["arm[pilot]:prior"])
    assert total.std_error > 0
    reference = binomial(reference={"arm": "pilot"})
    assert reference.estimate("arm[control]").estimate == pytest.approx(-binomial().estimate("arm[pilot]").estimate)


def test_both_results_answer_the_same_questions() -> None:
    asked = "tidy glance vcov predict summary estimate contrast variance_components random_effects icc status n_schools"
    for name in [*asked.split(), "n_missing", "notes", "groups"]:
        assert hasattr(MixedFit, name), name
        assert hasattr(OutcomeFit, name), name
    fit = binomial()
    linear = mixed_model("left ~ arm + prior + (1 | school)", FRAME)
    assert list(fit.tidy()) == list(linear.tidy())
    shared = ["method", "n_schools", "n_pupils", "deviance", "aic", "status", "n_groups_school"]
    assert set(shared) <= set(fit.glance()) & set(linear.glance())
    assert list(fit.variance_components()) == list(linear.variance_components())
    assert list(fit.random_effects()) == list(linear.random_effects())
    assert fit.vcov.shape == linear.vcov.shape
    assert list(inspect.signature(fit.predict).parameters) == list(inspect.signature(linear.predict).parameters)
    text = fit.summary()
    for part in ("arm[pilot]", "480 rows in 24 groups of 'school'", "log odds", "15 nodes"):
        assert part in text
    assert str(fit).endswith("converged, 480 rows")


def test_separated_events_get_the_weak_prior_and_a_note() -> None:
    frame = FRAME.assign(left=np.where(FRAME["arm"] == "pilot", 0, FRAME["left"]))
    for random in ("(1 | school)", "(1 | school/room)"):
        fit = binomial(f"left ~ arm + {random}", data=frame)
        assert fit.status in ("ok", "boundary")
        assert "weak_prior" in fit.method
        assert any("infinite" in note for note in fit.notes)
        assert np.isfinite(fit.effects("arm").row("risk_difference", "pilot").estimate)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (FRAME.assign(left=0), "Every pupil"),
        (FRAME.assign(left=1), "Every pupil"),
        (FRAME.assign(left=FRAME["left"] * 2), "0 or 1"),
        (FRAME[FRAME["school"] < 2], "three or more"),
        (FRAME.assign(school=range(len(FRAME))), "has one row"),
        (FRAME.assign(prior=[f"p{k}" for k in range(len(FRAME))]), "too few for a model of"),
    ],
)
def test_what_cannot_be_fitted_fails_with_a_reason_and_keeps_its_rows(data: pd.DataFrame, reason: str) -> None:
    fit = binomial(data=data)
    assert fit.status == "failed"
    assert reason in fit.convergence.reason
    assert fit.tidy().empty
    assert reason in fit.summary()
    assert fit.effects("arm").row("risk_difference", "pilot").status == "failed"
    assert fit.estimate("arm[pilot]").reason == fit.convergence.reason
    with pytest.raises(EstimationError, match="not fitted"):
        fit.predict(FRAME)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"family": "gaussian", "link": "logit"}, "'link' does not belong"),
        ({"family": "gaussian", "n_nodes": 7}, "'n_nodes' does not belong"),
        ({"family": "gaussian", "exposure": "days"}, "'exposure' does not belong"),
        ({"family": "binomial", "reml": True}, "'reml' belongs to the linear model"),
        ({"family": "binomial", "df_method": "kenward_roger"}, "'df_method' belongs"),
        ({"family": "poisson", "weights": "days"}, "'weights' belongs"),
        ({"family": "poisson", "residual_by": "arm"}, "'residual_by' belongs"),
        ({"family": "binomial", "se_type": "CR2"}, "'se_type' belongs"),
        ({"family": "binomial", "exposure": "days"}, "no exposure"),
        ({"family": "binomial", "link": "probit"}, "does not go with binomial"),
        ({"family": "poisson", "link": "logit"}, "does not go with poisson"),
        ({"family": "gamma"}, "'gamma' is unknown"),
        ({"family": "binomial", "n_nodes": 0}, "0 nodes"),
        ({"family": "binomial", "n_nodes": 15.0}, "15.0 nodes"),
    ],
)
def test_arguments_that_do_not_belong_are_errors_with_a_remedy(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(EstimationError, match=problem) as raised:
        mixed_model("left ~ arm + (1 | school)", FRAME, **arguments)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("left ~ arm + (1 | school) + (1 | arm) + (1 | room)", "no quadrature"),
        ("left ~ arm + (1 + prior | school/room)", "no quadrature"),
        ("left ~ arm + (0 + prior | school)", "no quadrature"),
        ("left ~ arm + (1 + prior || school)", "no quadrature"),
        ("left ~ 0 + arm + (1 | school)", "no intercept"),
        ("gone ~ arm + (1 | school)", "no column 'gone'"),
        ("left ~ arm + (1 | room) + (1 | school)", "crossed"),
    ],
)
def test_formulas_without_a_model_are_errors_with_a_remedy(formula: str, problem: str) -> None:
    with pytest.raises(EstimationError, match=problem) as raised:
        binomial(formula)
    assert raised.value.remedy


def test_few_nodes_do_not_do_for_two_levels_nor_slopes_of_counts() -> None:
    with pytest.raises(EstimationError, match="5 nodes do not do"):
        binomial("left ~ arm + (1 | school/room)", n_nodes=5)
    with pytest.raises(EstimationError, match="slopes"):
        mixed_model("absent ~ arm + prior + (1 + prior | school)", FRAME, family="poisson")
    laplace = binomial("left ~ arm + (1 | school/room)", n_nodes=1)
    assert laplace.status == "ok"
    assert "Laplace" in laplace.summary()


def test_rows_without_exposure_are_left_out_and_counted() -> None:
    frame = FRAME.assign(days=FRAME["days"].astype(float))
    frame.loc[[3, 4], "days"] = [0.0, np.nan]
    frame.loc[3, "absent"] = 0
    fit = mixed_model("absent ~ arm + (1 | school)", frame, family="negative_binomial", exposure="days")
    assert fit.n_pupils == len(frame) - 2
    assert int(fit.glance()["n_without_exposure"].iloc[0]) == 2
    assert any("2 rows were left out" in note for note in fit.notes)
    doubled = FRAME.assign(days=2 * FRAME["days"])
    once, twice = (
        mixed_model("absent ~ arm + (1 | school)", data, family="poisson", exposure="days").predict(data)
        for data in (FRAME, doubled)
    )
    assert once == pytest.approx(twice, rel=1e-6)
    frame.loc[3, "absent"] = 5
    with pytest.raises(EstimationError, match="exposure of zero"):
        mixed_model("absent ~ arm + (1 | school)", frame, family="poisson", exposure="days")


def test_counts_that_are_all_zero_at_a_level_fail_and_name_it() -> None:
    for arm in ("pilot", "control"):
        frame = FRAME.assign(absent=np.where(FRAME["arm"] == arm, 0, FRAME["absent"] + 1))
        fit = mixed_model("absent ~ arm + prior + (1 | school)", frame, family="poisson")
        assert fit.convergence.reason.startswith(f"Every count where 'arm' is '{arm}' is zero")


def test_clumsy_choices_are_errors_with_a_remedy() -> None:
    with pytest.raises(EstimationError, match="no row has an exposure above 0"):
        mixed_model("absent ~ arm + (1 | school)", FRAME.assign(days=0, absent=0), family="poisson", exposure="days")
    counts = mixed_model("absent ~ arm + (1 | school)", FRAME, family="poisson", exposure="days")
    with pytest.raises(EstimationError, match="per 0 units"):
        counts.effects("arm", per=0)
    with pytest.raises(EstimationError, match="conf_level 95"):
        counts.estimate("arm[pilot]", conf_level=95)
    with pytest.raises(EstimationError, match="'prior' is not a factor"):
        binomial().effects("prior")
    with pytest.raises(EstimationError, match="not a level of 'arm'"):
        binomial().predict(FRAME.assign(arm="mentor"))
    assert "no term arm" in binomial().estimate("arm").reason
