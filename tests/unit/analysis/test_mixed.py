"""The multilevel engine: limiting cases by hand, invariances, two roads to one figure, bad input."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import analysis
from analysis import Model, fit_linear_mixed, mixed_models
from analysis.formula import parse_formula
from analysis.mixed import MixedSums, fit_mixed_sums, merge_mixed_sums, mixed_model, mixed_sums
from analysis.mixed_models import streaming
from analysis.mixed_models.columns import build_mixed_columns
from analysis.mixed_models.comparison import likelihood_ratio_test
from analysis.mixed_models.fit import MixedFit
from analysis.mixed_models.intercept import find_intercept_optimum
from analysis.mixed_models.jets import build_parameters, compute_likelihood_jet
from analysis.mixed_models.likelihood import build_likelihood_sums
from analysis.mixed_models.moments import compute_moments
from analysis.mixed_models.plain_design import PlainDesign
from analysis.mixed_models.search import find_likelihood_optimum
from analysis.mixed_models.working import MixedDfMethod
from analysis.outcome_models import OutcomeFit
from data_schema.errors import EstimationError


def trial(n_schools: int = 16, *, seed: int = 1, n_strata: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), rng.integers(3, 12, size=n_schools))
    x = rng.standard_normal(school.size)
    u = rng.standard_normal((n_schools, 2))
    return pd.DataFrame(
        {
            "school": [f"s{place:02d}" for place in school],
            "country": [f"c{place % 4}" for place in school],
            "stratum": [f"b{place % n_strata:02d}" for place in school],
            "arm": np.where((school // 12 + school) % 2 == 0, "control", "pilot"),
            "x": x,
            "weight": 0.5 + rng.random(school.size),
            "sex": rng.choice(["boy", "girl"], size=school.size),
            "score": 50 + x + 0.8 * u[school, 0] + 0.4 * u[school, 1] * x + rng.standard_normal(school.size),
        }
    )


PLAIN = "score ~ arm + x + (1 | school)"


def test_names_are_exported_lazily() -> None:
    assert analysis.mixed_model is mixed_model


def test_the_random_intercept_model_agrees_with_the_toolkits_older_estimator() -> None:
    frame = trial()
    older = fit_linear_mixed(
        frame,
        Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("x",)),
        df_method="satterthwaite",
    )
    fit = mixed_model(PLAIN, frame, df_method="satterthwaite")
    assert fit.coefficients is not None
    assert older.coefficients is not None
    np.testing.assert_allclose(fit.coefficients.estimate, older.coefficients.estimate, rtol=1e-8)
    np.testing.assert_allclose(fit.coefficients.vcov, older.coefficients.vcov, rtol=1e-6)
    np.testing.assert_allclose(fit.coefficients.df, older.coefficients.df, rtol=1e-6)
    assert fit.convergence.objective == pytest.approx(older.convergence.objective, rel=1e-11)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", [PLAIN, "score ~ arm + x + stratum + (1 | school)"])
def test_the_quick_road_of_one_intercept_and_the_general_one_meet(formula: str, reml: bool) -> None:
    sums = compute_moments(build_mixed_columns(parse_formula(formula), trial(30)))
    quick, at = find_intercept_optimum(sums, reml=reml)
    general = find_likelihood_optimum(sums, reml=reml)
    np.testing.assert_allclose(quick.theta, general.theta, rtol=1e-6)
    assert quick.deviance == pytest.approx(general.deviance, rel=1e-12)
    jet = compute_likelihood_jet(sums, build_parameters(sums), quick.variances, order=2)
    slow = build_likelihood_sums(jet, n_parameters=2, n=sums.n, n_fixed=sums.n_fixed)
    ours, others = at.full(reml=reml), slow.full(reml=reml)
    assert ours[0] == pytest.approx(others[0], rel=1e-10)
    np.testing.assert_allclose(ours[1], others[1], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ours[2], others[2], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(at.strata[2], slow.strata[2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "formula",
    [
        PLAIN,
        "score ~ arm * x + (1 + x | school)",
        "score ~ arm + x + (1 + x || school)",
        "score ~ arm + x + (1 | country/school)",
        "score ~ x + stratum + (1 + x | school)",
    ],
)
@pytest.mark.parametrize(("weights", "residual_by"), [(None, None), ("weight", None), (None, "sex")])
def test_derivatives_of_the_deviance_are_those_of_differences(
    formula: str, weights: str | None, residual_by: str | None
) -> None:
    columns = build_mixed_columns(parse_formula(formula), trial(30), weights=weights, residual_by=residual_by)
    sums = compute_moments(columns)
    which = build_parameters(sums)
    values = np.where(np.arange(which.n) >= len(which.level), 1.3, 0.1)
    values[: len(which.level)][which.row == which.column] = 0.6

    def at(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        jet = compute_likelihood_jet(sums, which, point, order=2)
        return build_likelihood_sums(jet, n_parameters=which.n, n=sums.n, n_fixed=sums.n_fixed).full(reml=True)

    _, gradient, hessian = at(values)
    for i, unit in enumerate(np.eye(which.n) * 1e-5):
        up, down = at(values + unit), at(values - unit)
        assert gradient[i] == pytest.approx((up[0] - down[0]) / 2e-5, rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(hessian[i], (up[1] - down[1]) / 2e-5, rtol=1e-5, atol=1e-4)


def test_strata_kept_out_of_the_columns_change_nothing() -> None:
    frame = trial(30)
    formula = parse_formula("score ~ arm + x + stratum + (1 | school)")
    dense = compute_moments(build_mixed_columns(formula, frame, absorb=False))
    assert dense.strata is None
    methods: tuple[MixedDfMethod, ...] = ("kenward_roger", "satterthwaite")
    for method in methods:
        fit = mixed_model("score ~ arm + x + stratum + (1 | school)", frame, df_method=method)
        # A dense column with the same strata: an interaction with itself keeps the factor among the columns.
        other = mixed_model("score ~ arm + x + stratum + stratum:I(0 * x) + (1 | school)", frame, df_method=method)
        assert fit.coefficients is not None
        assert other.coefficients is not None
        assert len(fit.coefficients.names) == len(fit.tidy(strata=False)) == 3
        assert len(fit.tidy()) == 14
        assert "and 11 effects of strata" in fit.summary()
        with pytest.raises(EstimationError, match="kept out of the dense columns"):
            fit.f_test("stratum")
        for term in ("(Intercept)", "arm[pilot]", "x", "stratum[b05]", "stratum[b11]"):
            a, b = fit.estimate(term), other.estimate(term)
            assert (a.estimate, a.std_error, a.df) == pytest.approx((b.estimate, b.std_error, b.df), rel=1e-6)
        assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-10)


@settings(max_examples=12, deadline=None)
@given(shift=st.sampled_from([0.0, 1e3, 1e6, 1e8]), scale=st.sampled_from([1e-3, 1.0, 1e4]))
def test_moving_and_scaling_outcome_and_covariate_moves_and_scales_the_figures(shift: float, scale: float) -> None:
    frame = trial()
    formula = "score ~ arm + x + (1 + x | school)"
    plain = mixed_model(formula, frame)
    moved = mixed_model(formula, frame.assign(score=scale * frame["score"] + shift, x=frame["x"] + shift))
    tolerance = max(1e-6, shift / scale * 1e-13, shift * 1e-13)
    for term in ("arm[pilot]", "x"):
        a, b = plain.estimate(term), moved.estimate(term)
        assert b.estimate == pytest.approx(scale * a.estimate, rel=tolerance * 10)
        assert b.std_error == pytest.approx(scale * a.std_error, rel=tolerance * 10)
        assert b.df == pytest.approx(a.df, rel=tolerance * 100)


def test_names_and_order_of_schools_change_nothing() -> None:
    frame = trial()
    renamed = frame.assign(school=frame["school"].map(lambda name: f"z{hash(name) % 9973}{name}")).sample(
        frac=1, random_state=3
    )
    a, b = mixed_model(PLAIN, frame).estimate("arm[pilot]"), mixed_model(PLAIN, renamed).estimate("arm[pilot]")
    assert (a.estimate, a.std_error, a.df) == pytest.approx((b.estimate, b.std_error, b.df), rel=1e-8)


def test_equal_schools_without_covariates_give_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(5)
    school = np.repeat(np.arange(8), 6)
    frame = pd.DataFrame({"school": school, "score": rng.standard_normal(48) + school % 3})
    means = frame.groupby("school")["score"].mean()
    within = float(((frame["score"] - means.loc[frame["school"]].to_numpy()) ** 2).sum() / 40)
    between = (6 * float(means.var(ddof=1)) - within) / 6
    fit = mixed_model("score ~ 1 + (1 | school)", frame)
    found = fit.variance_components().set_index("group")["variance"]
    assert found["residual"] == pytest.approx(within, rel=1e-9)
    assert found["school"] == pytest.approx(between, rel=1e-9)
    row = fit.estimate("(Intercept)")
    assert (row.estimate, row.df) == pytest.approx((float(frame["score"].mean()), 7.0))
    assert row.std_error == pytest.approx(float(means.std(ddof=1)) / np.sqrt(8), rel=1e-9)


def test_a_variance_of_zero_is_an_answer() -> None:
    frame = trial()
    frame["score"] = np.random.default_rng(2).standard_normal(len(frame))
    frame["score"] -= frame.groupby("school")["score"].transform("mean")
    fit = mixed_model(PLAIN, frame)
    assert fit.status == "boundary"
    assert fit.variance_components()["variance"][0] == 0.0
    assert fit.estimate("arm[pilot]").status == "boundary"
    assert "zero" in fit.summary()


def test_slopes_without_variance_are_singular_and_have_the_likelihood_of_the_smaller_model() -> None:
    rng = np.random.default_rng(3)
    frame = trial(20).assign(score=lambda f: rng.standard_normal(len(f)))
    frame["score"] -= frame.groupby("school")["score"].transform("mean")
    large = mixed_model("score ~ arm + x + (1 + x || school)", frame)
    assert large.status == "boundary"
    assert large.log_likelihood >= mixed_model(PLAIN, frame).log_likelihood - 1e-9


def test_collinear_columns_are_left_out_and_named() -> None:
    frame = trial().assign(twice=lambda f: 2 * f["x"] + 3, same=7.0)
    fit = mixed_model("score ~ arm + x + twice + same + (1 | school)", frame)
    assert set(fit.dropped) == {"twice", "same"}
    assert fit.dropped["twice"] == "twice is a combination of x."
    assert fit.dropped["same"] == "same has the same value in every row."
    row = fit.estimate("twice")
    assert (row.status, row.reason) == ("failed", fit.dropped["twice"])
    assert fit.estimate("x").estimate == pytest.approx(mixed_model(PLAIN, frame).estimate("x").estimate, rel=1e-9)


def test_nearly_collinear_columns_are_kept_and_right() -> None:
    rng = np.random.default_rng(8)
    frame = trial().assign(near=lambda f: f["x"] + 1e-5 * rng.standard_normal(len(f)))
    fit = mixed_model("score ~ x + near + (1 | school)", frame)
    apart = frame.assign(near=(frame["near"] - frame["x"]) * 1e5)
    other = mixed_model("score ~ x + near + (1 | school)", apart)
    assert not fit.dropped
    assert fit.estimate("near").estimate == pytest.approx(1e5 * other.estimate("near").estimate, rel=1e-6)


def test_a_covariate_that_strata_settle_is_left_out_in_the_formulas_order() -> None:
    frame = trial(30)
    frame["rural"] = frame["stratum"].isin(["b00", "b03"]).astype(float)
    fit = mixed_model("score ~ arm + stratum + rural + (1 | school)", frame)
    assert list(fit.dropped) == ["rural"]
    first = mixed_model("score ~ arm + rural + stratum + (1 | school)", frame)
    assert "rural" not in first.dropped
    assert len(first.dropped) == 1


def test_a_level_that_vanishes_with_missing_rows_is_noted() -> None:
    frame = trial()
    frame["arm"] = pd.Categorical(frame["arm"], categories=["control", "pilot", "mentor"])
    frame.loc[0, "arm"] = "mentor"
    frame.loc[0, "score"] = np.nan
    fit = mixed_model(PLAIN, frame)
    assert fit.n_missing == {"score": 1, "rows": 1}
    assert "No row of mentor in 'arm' is left" in fit.notes[0]
    assert "1 rows were left out" in fit.summary()


def test_a_school_in_both_arms_and_an_arm_of_one_school_are_noted() -> None:
    frame = trial()
    frame.loc[0, "arm"] = "pilot"
    assert any("are in more than one level of 'arm': s00" in note for note in mixed_model(PLAIN, frame).notes)
    lonely = trial().assign(arm=lambda f: np.where(f["school"] == "s03", "pilot", "control"))
    assert any("Only one group of 'school' has 'arm' = 'pilot'" in note for note in mixed_model(PLAIN, lonely).notes)


@pytest.mark.parametrize(
    ("change", "formula", "problem"),
    [
        ({"score": "text"}, PLAIN, "not numeric"),
        ({"x": np.inf}, PLAIN, "infinite"),
        ({"score": np.nan}, PLAIN, "'score' is missing in every row"),
        ({}, "score ~ nothing + (1 | school)", "no column 'nothing'"),
        ({}, "score ~ np.log(x) + (1 | school)", "not finite"),
        ({}, "score ~ np.nothing(x) + (1 | school)", "cannot be evaluated"),
        ({}, "score ~ x + (1 | school) + (1 | sex)", "crossed"),
        ({"weight": 0.0}, PLAIN, "not all above 0"),
    ],
)
def test_unusable_input_is_refused(change: dict[str, object], formula: str, problem: str) -> None:
    with pytest.raises(EstimationError, match=problem):
        mixed_model(formula, trial().assign(**change), weights="weight")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": 3.0}, "same value"),
        ({"school": "one"}, "one group"),
    ],
)
def test_what_cannot_be_fitted_is_a_failed_fit_with_a_reason(change: dict[str, object], reason: str) -> None:
    fit = mixed_model(PLAIN, trial().assign(**change))  # type: ignore[arg-type]
    assert fit.status == "failed"
    assert reason in fit.convergence.reason
    assert fit.estimate("arm[pilot]").status == "failed"
    assert fit.tidy().empty
    assert fit.glance()["status"][0] == "failed"
    assert "Not fitted" in fit.summary()


def test_no_error_left_and_pupils_all_alike_are_failed_fits() -> None:
    frame = trial()
    exact = mixed_model(PLAIN, frame.assign(score=3 + 2 * frame["x"]))
    assert "without any error" in exact.convergence.reason
    alike = mixed_model("score ~ arm + (1 | school)", frame.assign(score=frame["school"].str[1:].astype(float)))
    assert "a row a group" in alike.convergence.reason
    single = mixed_model(PLAIN, frame.assign(school=np.arange(len(frame))))
    assert "one row" in single.convergence.reason


def test_kenward_and_rogers_method_needs_restricted_likelihood() -> None:
    with pytest.raises(EstimationError, match="restricted"):
        mixed_model(PLAIN, trial(), reml=False, df_method="kenward_roger")
    assert mixed_model(PLAIN, trial(), reml=False).df_method == "satterthwaite"


def test_the_reference_level_can_be_chosen() -> None:
    a = mixed_model(PLAIN, trial()).estimate("arm[pilot]")
    b = mixed_model(PLAIN, trial(), reference={"arm": "pilot"}).estimate("arm[control]")
    assert (a.estimate, a.std_error) == pytest.approx((-b.estimate, b.std_error), rel=1e-9)
    with pytest.raises(EstimationError, match="no row is 'nobody'"):
        mixed_model(PLAIN, trial(), reference={"arm": "nobody"})


def test_a_contrast_is_the_effect_of_the_model_written_otherwise() -> None:
    frame = trial()
    other = mixed_model("score ~ 0 + arm + x + (1 | school)", frame)
    row = other.contrast({"arm[pilot]": 1, "arm[control]": -1}, null=0.5, name="pilot")
    plain = mixed_model(PLAIN, frame).estimate("arm[pilot]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx((plain.estimate, plain.std_error, plain.df), rel=1e-8)
    assert row.conf_low == pytest.approx(plain.conf_low, rel=1e-7)
    assert row.statistic == pytest.approx((plain.estimate - 0.5) / plain.std_error, rel=1e-8)
    with pytest.raises(EstimationError, match="no effect 'arm\\[nobody\\]'"):
        other.contrast({"arm[nobody]": 1})


def test_predictions_with_and_without_the_groups_effects() -> None:
    frame = trial(30)
    fit = mixed_model("score ~ arm * x + stratum + (1 + x | school)", frame)
    fixed, both = fit.predict(frame, random=False), fit.predict(frame)
    effects = fit.random_effects().pivot_table(index="label", columns="term", values="estimate").loc[frame["school"]]
    own = effects["(Intercept)"].to_numpy() + effects["x"].to_numpy() * frame["x"].to_numpy()
    np.testing.assert_allclose(both - fixed, own, atol=1e-10)
    residual = fit.variance_components().set_index("group").loc["residual", "variance"]
    assert ((frame["score"] - both) ** 2).mean() < residual
    assert ((frame["score"] - fixed) ** 2).mean() > residual
    new = frame.head(3).assign(school="new", x=[np.nan, 1.0, 2.0])
    made = fit.predict(new)
    assert np.isnan(made[0])
    np.testing.assert_allclose(made[1:], fit.predict(new, random=False)[1:])
    with pytest.raises(EstimationError, match="not a level of 'arm'"):
        fit.predict(frame.assign(arm="other"))
    with pytest.raises(EstimationError, match="no column 'x'"):
        fit.predict(frame.drop(columns="x"))


def test_the_intraclass_correlation_has_an_interval_and_nests() -> None:
    one = mixed_model(PLAIN, trial(30)).icc().iloc[0]
    assert 0 <= one["conf_low"] < one["icc"] < one["conf_high"] <= 1
    frame = trial(40, seed=4)
    frame["score"] += frame["country"].map({"c0": -2.0, "c1": -0.5, "c2": 1.0, "c3": 2.0})
    fit = mixed_model("score ~ x + (1 | country/school)", frame)
    rows = fit.icc().set_index("group")
    parts = fit.variance_components().set_index("group")["variance"]
    assert rows.loc["country", "icc"] == pytest.approx(parts["country"] / parts.sum())
    assert rows.loc["country:school", "icc"] == pytest.approx(
        (parts["country"] + parts["country:school"]) / parts.sum()
    )
    assert (rows["conf_low"] < rows["icc"]).all()
    assert (rows["icc"] < rows["conf_high"]).all()


def test_tidy_glance_and_vcov_say_the_same() -> None:
    fit = mixed_model(PLAIN, trial())
    table = fit.tidy().set_index("term")
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), table["std_error"])
    assert fit.glance().loc[0, "n_groups_school"] == fit.n_schools == 16
    assert fit.glance().loc[0, "aic"] == pytest.approx(-2 * fit.log_likelihood + 2 * 5)
    assert str(fit).startswith("score ~ arm + x + (1 | school) by linear_mixed_reml: converged")
    assert "arm[pilot]" in fit.summary()


def test_sums_do_not_grow_with_pupils() -> None:
    frame = trial(20)
    small = mixed_sums(PLAIN, frame).moments
    large = mixed_sums(PLAIN, pd.concat([frame] * 5, ignore_index=True)).moments
    assert small.levels[0].cross.shape == large.levels[0].cross.shape == (1, 20, 1, 4)
    assert large.n == 5 * small.n


def test_plain_columns_are_formulaics() -> None:
    frame = trial()
    frame["grade"] = pd.Categorical(frame["sex"], categories=["girl", "boy"])
    made = build_mixed_columns(parse_formula("score ~ arm + x + grade + country + (1 | school)"), frame)
    other = build_mixed_columns(parse_formula("score ~ I(arm) + x + grade + country + (1 | school)"), frame)
    assert made.names == tuple(name.replace("I(arm)", "arm") for name in other.names)
    np.testing.assert_array_equal(made.x, other.x)
    assert set(made.design.terms) == {"1", "arm", "x", "grade", "country"}
    fit = mixed_model("score ~ arm + x + grade + country + (1 | school)", frame)
    np.testing.assert_allclose(fit.predict(frame, random=False), made.x @ fit.tidy()["estimate"].to_numpy())


@pytest.mark.parametrize(
    "fixed",
    [
        "arm + x",
        "arm * x",
        "arm * sex * x",
        "country * sex + x:arm + x + arm",
        "(country + sex + x) ** 2",
        "x * country * arm - x:country:arm",
        "arm + country:sex",  # without its parts: formulaic's own
        "x + arm:x",
    ],
)
def test_products_of_columns_are_formulaics(fixed: str) -> None:
    frame = trial()
    ours = build_mixed_columns(parse_formula(f"score ~ {fixed} + (1 | school)"), frame)
    theirs = Formula(fixed).get_model_matrix(frame)
    names = [str(name).replace("[T.", "[").replace("Intercept", "(Intercept)") for name in theirs.columns]
    assert list(ours.names) == names
    np.testing.assert_allclose(ours.x, theirs.to_numpy(dtype=float))
    assert isinstance(ours.design.spec, PlainDesign) == (fixed not in ("arm + country:sex", "x + arm:x"))
    fit = mixed_model(f"score ~ {fixed} + (1 | school)", frame)
    kept = [names.index(name) for name in fit.coefficients.names]  # type: ignore[union-attr]
    estimates = fit.coefficients.estimate  # type: ignore[union-attr]
    np.testing.assert_allclose(fit.predict(frame, random=False), ours.x[:, kept] @ estimates)


def test_strata_may_stand_beside_functions_of_columns_with_any_name() -> None:
    frame = trial(60).rename(columns={"x": "pre test", "stratum": "pair of schools"})
    formula = "score ~ arm + bs(`pre test`, df=4) + `pair of schools` + (1 | school)"
    fit = mixed_model(formula, frame)
    assert len(fit.strata_effects()) == 11
    plain = mixed_model("score ~ arm + bs(x, df=4) + stratum + (1 | school)", trial(60))
    assert fit.estimate("arm[pilot]").std_error == pytest.approx(plain.estimate("arm[pilot]").std_error)
    np.testing.assert_allclose(fit.predict(frame), plain.predict(trial(60)))


@pytest.mark.parametrize("name", ["scale", "Treatment", "center", "lag"])
def test_a_column_may_be_called_like_a_function_of_formulas(name: str) -> None:
    frame = trial()
    plain = mixed_model("score ~ arm * x + (1 | school)", frame)
    other = mixed_model(f"score ~ {name} * x + (1 | school)", frame.rename(columns={"arm": name}))
    assert other.estimate(f"{name}[pilot]:x").estimate == plain.estimate("arm[pilot]:x").estimate
    np.testing.assert_array_equal(other.predict(frame.rename(columns={"arm": name})), plain.predict(frame))


def test_marginal_means_and_contrasts_average_over_the_other_factors() -> None:
    frame = trial(30)
    fit = mixed_model("score ~ arm * sex + x + (1 | school)", frame)
    table = fit.marginal_means("arm")
    x = frame["x"].mean()
    wanted = fit.contrast({"(Intercept)": 1, "sex[girl]": 0.5, "x": x, "arm[pilot]": 1, "arm[pilot]:sex[girl]": 0.5})
    row = table[table["term"] == "arm[pilot]"].iloc[0]
    for name in ("estimate", "std_error", "df", "conf_low"):
        assert row[name] == pytest.approx(getattr(wanted, name), rel=1e-8)
    pair = fit.marginal_contrasts("arm").iloc[0]
    assert pair["term"] == "arm[pilot] - arm[control]"
    assert pair["estimate"] == pytest.approx(table["estimate"][1] - table["estimate"][0])
    girls = fit.marginal_contrasts("arm", at={"sex": "girl"}).iloc[0]
    direct = fit.contrast({"arm[pilot]": 1, "arm[pilot]:sex[girl]": 1})
    assert (girls["estimate"], girls["df"]) == pytest.approx((direct.estimate, direct.df), rel=1e-8)
    with pytest.raises(EstimationError, match="not a factor"):
        fit.marginal_means("x")
    with pytest.raises(EstimationError, match="no column 'nothing'"):
        fit.marginal_means("arm", at={"nothing": 1.0})
    with pytest.raises(EstimationError, match="'other' is not a level"):
        fit.marginal_means("arm", at={"sex": "other"})


def test_marginal_means_average_over_strata_that_are_no_columns() -> None:
    frame = trial(30)
    absorbed = mixed_model("score ~ arm + x + stratum + (1 | school)", frame).marginal_means("arm")
    dense = mixed_model("score ~ arm + x + stratum + stratum:I(0 * x) + (1 | school)", frame).marginal_means("arm")
    for name in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(absorbed[name].to_numpy(float), dense[name].to_numpy(float), rtol=1e-6)


def test_a_likelihood_ratio_test_of_a_variance_knows_its_boundary() -> None:
    frame = trial(30)
    smaller, larger = (
        mixed_model("score ~ x + (1 | school)", frame),
        mixed_model("score ~ x + (1 + x || school)", frame),
    )
    row = likelihood_ratio_test(smaller, larger).iloc[0]
    statistic = 2 * (larger.log_likelihood - smaller.log_likelihood)
    assert row["statistic"] == pytest.approx(statistic)
    assert row["p_value"] == pytest.approx(0.5 * stats.chi2.sf(statistic, 1))
    assert row["distribution"] == "0.5 chi2(0) + 0.5 chi2(1)"
    full = likelihood_ratio_test(smaller, mixed_model("score ~ x + (1 + x | school)", frame)).iloc[0]
    tails = 0.5 * stats.chi2.sf(full["statistic"], 1) + 0.5 * stats.chi2.sf(full["statistic"], 2)
    assert full["p_value"] == pytest.approx(tails)


def test_a_likelihood_ratio_test_of_fixed_effects_needs_maximum_likelihood() -> None:
    frame = trial(30)
    small, large = "score ~ x + (1 | school)", "score ~ arm + x + sex + (1 | school)"
    row = likelihood_ratio_test(mixed_model(small, frame, reml=False), mixed_model(large, frame, reml=False)).iloc[0]
    assert row["df"] == 2
    assert row["p_value"] == pytest.approx(stats.chi2.sf(row["statistic"], 2))
    with pytest.raises(EstimationError, match="restricted likelihoods of different fixed effects"):
        likelihood_ratio_test(mixed_model(small, frame), mixed_model(large, frame))
    with pytest.raises(EstimationError, match="same rows"):
        likelihood_ratio_test(mixed_model(small, frame.head(80)), mixed_model(large, frame))
    with pytest.raises(EstimationError, match="smaller first"):
        likelihood_ratio_test(mixed_model(large, frame, reml=False), mixed_model(small, frame, reml=False))
    with pytest.raises(EstimationError, match="not fitted"):
        likelihood_ratio_test(mixed_model(small, frame.assign(score=1.0)), mixed_model(small, frame))


@pytest.mark.parametrize(
    "formula",
    ["score ~ arm + x + (1 | school)", "score ~ arm + x + stratum + (1 | school)", "score ~ x + (1 + x | school)"],
)
def test_at_a_profile_limit_of_an_effect_the_deviance_has_risen_by_the_quantile(formula: str) -> None:
    frame = trial(30)
    fit = mixed_model(formula, frame, reml=False)
    row = fit.profile_intervals(["x"], conf_level=0.9).iloc[0]
    for limit in (row["conf_low"], row["conf_high"]):
        less = formula.replace("x + stratum", "stratum").replace("arm + x +", "arm +").replace("~ x +", "~ 1 +")
        held = mixed_model(less, frame.assign(score=frame["score"] - limit * frame["x"]), reml=False)
        rise = 2 * (fit.log_likelihood - held.log_likelihood)
        assert rise == pytest.approx(stats.chi2.isf(0.1, 1), rel=1e-6)


def test_profile_intervals_of_the_dyestuff_data_are_lme4s() -> None:
    # Davies (1947), Statistical Methods in Research and Production, table 6.1; intervals: Bates, lme4, section 1.5.
    yields = [
        [1545, 1440, 1440, 1520, 1580],
        [1540, 1555, 1490, 1560, 1495],
        [1595, 1550, 1605, 1510, 1560],
        [1445, 1440, 1595, 1465, 1545],
        [1595, 1630, 1515, 1635, 1625],
        [1520, 1455, 1450, 1480, 1445],
    ]
    frame = pd.DataFrame({"batch": np.repeat(list("ABCDEF"), 5), "score": np.ravel(yields)})
    table = mixed_model("score ~ 1 + (1 | batch)", frame).profile_intervals().set_index("group")
    wanted = {"batch": (12.197, 84.063), "residual": (38.230, 67.658), "fixed": (1486.452, 1568.548)}
    for group, limits in wanted.items():
        assert (table.loc[group, "conf_low"], table.loc[group, "conf_high"]) == pytest.approx(limits, rel=1e-4)


def test_a_standard_deviation_that_may_be_zero_has_zero_as_its_limit_and_slopes_have_their_own() -> None:
    frame = trial(30)
    table = mixed_model("score ~ x + (1 + x | school)", frame, residual_by="sex").profile_intervals()
    assert table["group"].tolist() == ["fixed", "fixed", "school", "school", "residual", "residual"]
    fit = mixed_model("score ~ x + (1 + x | school)", frame, residual_by="sex", reml=False)
    inside = [row.sd for row in fit.components if not row.other]
    assert (table["conf_low"].to_numpy(float)[2:] < inside).all()
    assert (inside < table["conf_high"].to_numpy(float)[2:]).all()
    nothing = frame.assign(score=np.random.default_rng(4).standard_normal(len(frame)))
    low = (
        mixed_model("score ~ x + (1 | school)", nothing)
        .profile_intervals()
        .set_index("group")
        .loc["school", "conf_low"]
    )
    assert low == 0.0


@pytest.mark.parametrize("fixed", ["arm + x", "1 + arm", "sex + arm + x", "sex * arm * age + x"])
@pytest.mark.parametrize("random", ["(1 | school)", "(1 | country/school)"])
def test_large_frames_are_summed_block_by_block_to_the_same_figures(
    fixed: str, random: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = trial(40).assign(x=lambda f: f["x"] + 1e6, score=lambda f: f["score"] + 1e8, age=lambda f: f.index % 7)
    frame.loc[3, "score"] = np.nan
    whole = mixed_model(f"score ~ {fixed} + {random}", frame)
    monkeypatch.setattr(streaming, "_BLOCK", 50)
    read = parse_formula(f"score ~ {fixed} + {random}")
    found = streaming.compute_streamed_sums(read, frame, reference={}, least_rows=1)
    assert found is not None
    fit = fit_mixed_sums(MixedSums(moments=found[0], described=found[1]))
    assert fit.coefficients is not None
    assert whole.coefficients is not None
    # The outcome stands at 1e8, where doubles are 1.5e-8 apart.
    apart = np.abs(fit.coefficients.estimate - whole.coefficients.estimate)
    assert (apart < 1e-6 * np.sqrt(np.diag(whole.coefficients.vcov))).all()
    np.testing.assert_allclose(fit.coefficients.vcov, whole.coefficients.vcov, rtol=1e-5)
    np.testing.assert_allclose(fit.coefficients.df, whole.coefficients.df, rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-8)
    assert (fit.n_missing, fit.notes, fit.groups) == (whole.n_missing, whole.notes, whole.groups)
    np.testing.assert_allclose(fit.random_effects()["estimate"], whole.random_effects()["estimate"], atol=1e-4)
    np.testing.assert_allclose(fit.predict(frame.head(20)), whole.predict(frame.head(20)), rtol=1e-11)


def test_what_cannot_be_summed_block_by_block_takes_the_other_road() -> None:
    frame = trial(40).assign(twice=lambda f: 2 * f["x"], same=1.0)
    for formula in (
        "score ~ x + twice + (1 | school)",
        "score ~ x + same + (1 | school)",
        "score ~ x + (1 + x | school)",
        "score ~ arm:x + (1 | school)",
        "score ~ x + stratum + (1 | school)",
        "np.log(score) ~ x + (1 | school)",
    ):
        assert streaming.compute_streamed_sums(parse_formula(formula), frame, reference={}, least_rows=1) is None
    assert streaming.compute_streamed_sums(parse_formula(PLAIN), frame, reference={}) is None
    read = parse_formula(PLAIN)
    same = streaming.compute_streamed_sums(read, frame.assign(score=1.0), reference={}, least_rows=1)
    exact = streaming.compute_streamed_sums(read, frame.assign(score=lambda f: 3 * f["x"]), reference={}, least_rows=1)
    assert same is not None
    assert exact is not None
    assert "same value" in same[0].basis.reason
    assert "without any error" in exact[0].basis.reason
    with pytest.raises(EstimationError, match="infinite"):
        streaming.compute_streamed_sums(read, frame.assign(x=np.inf), reference={}, least_rows=1)


def test_splines_polynomials_and_factors_of_numbers_are_formulaics() -> None:
    frame = trial(30).assign(grade=lambda f: f["school"].str[1:].astype(int) % 3)
    curve = mixed_model("score ~ bs(x, df=4) + poly(x, 2):arm + (1 | school)", frame)
    assert curve.status == "ok"
    np.testing.assert_allclose(curve.predict(frame.iloc[[5, 9]]), curve.predict(frame)[[5, 9]])
    fit = mixed_model("score ~ C(grade) + (1 | school)", frame)
    other = mixed_model("score ~ grade + (1 | school)", frame.assign(grade=frame["grade"].astype(str)))
    assert fit.tidy()["term"].tolist() == ["(Intercept)", "C(grade)[1]", "C(grade)[2]"]
    np.testing.assert_allclose(fit.tidy()["df"].to_numpy(float), other.tidy()["df"].to_numpy(float))


def test_categories_of_schools_without_rows_are_not_worth_a_note() -> None:
    frame = trial().assign(school=lambda f: pd.Categorical(f["school"]))
    fit = mixed_model(PLAIN, frame[frame["school"] != "s03"])
    assert fit.notes == ()
    assert fit.n_schools == 15


def test_columns_may_be_nullable_or_boolean() -> None:
    frame = trial().assign(flag=lambda f: f["sex"] == "girl")
    plain = mixed_model("score ~ flag + x + (1 | school)", frame.assign(flag=frame["flag"].astype(float)))
    for dtype in ("bool", "boolean", "Int64"):
        fit = mixed_model("score ~ flag + x + (1 | school)", frame.assign(flag=frame["flag"].astype(dtype)))
        assert fit.estimate("flag").estimate == pytest.approx(plain.estimate("flag").estimate, rel=1e-10)


def test_data_that_are_no_frame_are_refused() -> None:
    with pytest.raises(EstimationError, match="the data are a dict"):
        mixed_model(PLAIN, {"score": [1.0]})  # type: ignore[call-overload]


def test_code_in_the_engines_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(mixed_models.__file__).parent / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102  # our own text
    assert "Intraclass correlation" in capsys.readouterr().out


def test_the_page_for_users_of_other_software_names_what_is_there() -> None:
    text = (Path(analysis.__file__).parent / "FOR_USERS_OF.md").read_text(encoding="utf-8")
    there = {*dir(MixedFit), *dir(OutcomeFit), *analysis.__all__}
    ours = re.findall(r"\| `?[^|\n]*`? \| (.+) \|", text)
    called = {name for cell in ours for name in re.findall(r"`(?:fit\.)?(\w+)\(", cell)}
    assert len(called) >= 10
    assert called <= there | {"summary"}


def test_a_term_of_several_columns_is_tested_jointly_and_named_effects_likewise() -> None:
    frame = trial(30).assign(third=lambda f: f["school"].str[1:].astype(int).mod(3).map(str))
    methods: tuple[MixedDfMethod, ...] = get_args(MixedDfMethod)
    for method in methods:
        fit = mixed_model("score ~ third + x + (1 | school)", frame, df_method=method)
        joint, named = fit.f_test("third").iloc[0], fit.f_test(["third[1]", "third[2]"]).iloc[0]
        assert joint["df_numerator"] == 2
        assert joint["statistic"] == pytest.approx(named["statistic"])
        assert joint["p_value"] == pytest.approx(stats.f.sf(joint["statistic"], 2, joint["df_denominator"]))
        single = fit.f_test("1").iloc[0]
        assert single["statistic"] == pytest.approx(fit.estimate("(Intercept)").statistic ** 2)


@pytest.mark.parametrize(
    "formula", [PLAIN, "score ~ arm + x + (1 | country/school)", "score ~ arm + x + stratum + (1 | school)"]
)
@pytest.mark.parametrize("weights", [None, "weight"])
def test_sums_of_stretches_add_up_to_those_of_all_rows(formula: str, weights: str | None) -> None:
    frame = trial(60)
    frame.loc[4, "score"] = np.nan
    pieces = [frame.iloc[start::3] for start in range(3)]  # a school has rows in all of them
    pieces[1] = pieces[1].iloc[::-1]
    merged = merge_mixed_sums([mixed_sums(formula, piece, weights=weights) for piece in pieces])
    fit, whole = fit_mixed_sums(merged), mixed_model(formula, frame, weights=weights)
    figures = ["estimate", "std_error", "df"]
    np.testing.assert_allclose(fit.tidy()[figures].to_numpy(float), whole.tidy()[figures].to_numpy(float), rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-10)
    assert (fit.n_missing, fit.n_pupils, fit.groups) == (whole.n_missing, whole.n_pupils, whole.groups)
    np.testing.assert_allclose(fit.random_effects()["estimate"], whole.random_effects()["estimate"], atol=1e-6)
    assert fit.random_effects()["label"].tolist() == whole.random_effects()["label"].tolist()
    np.testing.assert_allclose(fit.marginal_means("arm")["estimate"], whole.marginal_means("arm")["estimate"])


def test_stretches_that_do_not_belong_together_are_refused() -> None:
    frame = trial(30)
    one = mixed_sums(PLAIN, frame)
    with pytest.raises(EstimationError, match="there are none"):
        merge_mixed_sums([])
    with pytest.raises(EstimationError, match="columns differ"):
        merge_mixed_sums([one, mixed_sums("score ~ x + (1 | school)", frame)])
    with pytest.raises(EstimationError, match="full set of columns"):
        merge_mixed_sums([one, mixed_sums(PLAIN, frame.assign(score=1.0))])
    with pytest.raises(EstimationError, match="columns differ"):
        merge_mixed_sums([one, mixed_sums("score ~ arm + x + (1 + x | school)", frame)])
    nested = "score ~ x + (1 | country) + (1 | school)"
    moved = frame.assign(country=lambda f: f["country"].map({"c0": "c1", "c1": "c2", "c2": "c3", "c3": "c0"}))
    with pytest.raises(EstimationError, match="lies in two groups"):
        merge_mixed_sums([mixed_sums(nested, frame), mixed_sums(nested, moved)])


def test_a_residual_variance_on_its_way_to_zero_is_told_by_name() -> None:
    frame = trial(6)
    frame["kind"] = np.where(np.arange(len(frame)) < 2, "few", "many")
    frame.loc[frame["kind"] == "few", "score"] = frame.loc[frame["kind"] == "few", "x"] + 50.0
    fit = mixed_model("score ~ x + (1 + x | school)", frame, residual_by="kind", df_method="satterthwaite")
    assert fit.convergence.status == "failed"
    assert "residual variance of 'few' goes to zero" in fit.convergence.reason
