"""The linear model by formula: limiting cases by hand, dense matrices beside the small ones, and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from analysis import Model, fit_linear_clustered
from analysis.inference.cluster_designs import build_least_squares_design
from analysis.inference.cluster_robust import SeType, cluster_robust
from analysis.linear_models import LinearModelFit, linear_model
from analysis.simulation import simulate_scores
from analysis.sums import compute_school_products
from data_schema.errors import EstimationError
from tests.support.designs import random_design


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    frame = simulate_scores(12, 7, icc=0.3, effect=0.4, seed=3, size_cv=0.5)
    rng = np.random.default_rng(3)
    frame["weight"] = rng.uniform(0.3, 3, len(frame))
    frame["pair"] = frame["school"] // 4
    frame["grade"] = rng.integers(1, 4, len(frame)).astype(str)
    return frame


def dense(
    x: np.ndarray, y: np.ndarray, school: np.ndarray, *, weight: np.ndarray, working: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CR2 by N-by-N matrices as Pustejovsky and Tipton (2018) write it: coefficients, errors, degrees of freedom."""
    bread = np.linalg.inv(x.T @ weight @ x)
    beta = bread @ x.T @ weight @ y
    off = np.eye(len(y)) - x @ bread @ x.T @ weight
    spread = off @ working @ off.T
    adjust = np.zeros_like(off)
    meat = np.zeros_like(bread)
    for name in np.unique(school):
        mine = np.flatnonzero(school == name)
        block = np.ix_(mine, mine)
        root = np.linalg.cholesky(working[block]).T
        values, vectors = np.linalg.eigh(root @ spread[block] @ root.T)
        kept = values > 1e-10 * values.max()
        half = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        adjust[block] = root.T @ half @ root
        score = x[mine].T @ weight[block] @ adjust[block] @ (y - x @ beta)[mine]
        meat += np.outer(score, score)
    df = []
    for row in bread:
        pieces = np.stack(
            [np.where(school == name, adjust @ (weight @ x @ row), 0.0) for name in np.unique(school)], axis=1
        )
        product = pieces.T @ spread @ pieces
        df.append(np.trace(product) ** 2 / np.sum(product**2))
    return beta, np.sqrt(np.diag(bread @ meat @ bread)), np.array(df)


def same(fit: LinearModelFit, expected: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    p = len(fit.coefficients.names)
    assert fit.coefficients.estimate == pytest.approx(expected[0][:p], rel=1e-8)
    assert np.sqrt(np.diag(fit.coefficients.vcov)) == pytest.approx(expected[1][:p], rel=1e-8)
    assert fit.coefficients.df == pytest.approx(expected[2][:p], rel=1e-8)


def parts(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["baseline"]]).astype(float)
    return x, frame["score"].to_numpy(), frame["school"].to_numpy()


def test_the_model_of_columns_and_the_model_by_formula_are_one(pupils: pd.DataFrame) -> None:
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))
    one, other = (
        fit_linear_clustered(pupils, model).estimate("arm[pilot]"),
        linear_model("score ~ arm + baseline", pupils),
    )
    row = other.estimate("arm[pilot]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx((one.estimate, one.std_error, one.df), rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_cr2_is_that_of_dense_matrices(pupils: pd.DataFrame, *, weighted: bool) -> None:
    x, y, school = parts(pupils)
    scale = pupils["weight"].to_numpy() if weighted else np.ones(len(y))
    fit = linear_model("score ~ arm + baseline", pupils, weights="weight" if weighted else None)
    same(fit, dense(x, y, school, weight=np.diag(scale), working=np.eye(len(y))))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("effects", ["pair", "grade"])
def test_fixed_effects_above_and_within_schools_are_those_of_dummies(
    pupils: pd.DataFrame, effects: str, *, weighted: bool
) -> None:
    weights = "weight" if weighted else None
    absorbed = linear_model("score ~ arm + baseline", pupils, weights=weights, fixed_effects=effects)
    dummies = linear_model(f"score ~ arm + baseline + C({effects})", pupils, weights=weights)
    for term in ("arm[pilot]", "baseline"):
        one, other = absorbed.estimate(term), dummies.estimate(term)
        assert (one.estimate, one.std_error, one.df) == pytest.approx(
            (other.estimate, other.std_error, other.df), rel=1e-8
        )
    assert absorbed.dropped == ()
    assert absorbed.residual_sd == pytest.approx(dummies.residual_sd, rel=1e-10)
    assert absorbed.r_squared == pytest.approx(dummies.r_squared, rel=1e-10)
    assert absorbed.predict(pupils) == pytest.approx(dummies.predict(pupils), rel=1e-8)


def test_the_random_intercepts_cr2_is_that_of_dense_matrices(pupils: pd.DataFrame) -> None:
    x, y, school = parts(pupils)
    ratio = 0.4
    covariance = np.eye(len(y)) + ratio * (school[:, None] == school[None, :])
    expected = dense(x, y, school, weight=np.linalg.inv(covariance), working=covariance)
    products = compute_school_products(np.column_stack([x, np.ones(len(y)), y]), school, n_schools=12)
    answer = cluster_robust(random_design(products, relative_covariance=np.array([[ratio]])), contrasts=np.eye(3))
    assert answer.beta == pytest.approx(expected[0], rel=1e-8)
    assert np.sqrt(np.diag(answer.vcov)) == pytest.approx(expected[1], rel=1e-8)
    assert answer.df == pytest.approx(expected[2], rel=1e-8)


def test_random_slopes_are_another_matrix_and_nothing_else(pupils: pd.DataFrame) -> None:
    x, y, school = parts(pupils)
    z = x[:, [0, 2]]
    relative = np.array([[0.4, 0.05], [0.05, 0.1]])
    blocks = [z[school == name] @ relative @ z[school == name].T for name in range(12)]
    order = np.argsort(school, kind="stable")
    covariance = np.eye(len(y)) + linalg.block_diag(*blocks)
    x, y, school, z = x[order], y[order], school[order], z[order]
    expected = dense(x, y, school, weight=np.linalg.inv(covariance), working=covariance)
    products = compute_school_products(np.column_stack([x, z, y]), school, n_schools=12)
    answer = cluster_robust(random_design(products, relative_covariance=relative), contrasts=np.eye(3))
    assert np.sqrt(np.diag(answer.vcov)) == pytest.approx(expected[1], rel=1e-8)
    assert answer.df == pytest.approx(expected[2], rel=1e-8)


def test_no_variance_between_schools_makes_gls_least_squares(pupils: pd.DataFrame) -> None:
    x, y, school = parts(pupils)
    products = compute_school_products(np.column_stack([x, np.ones(len(y)), y]), school, n_schools=12)
    gls = cluster_robust(random_design(products, relative_covariance=np.zeros((1, 1))), contrasts=np.eye(3))
    plain = np.delete(np.delete(products, 3, axis=1), 3, axis=2)
    ols = cluster_robust(build_least_squares_design(plain, n_rows=len(y)), contrasts=np.eye(3))
    assert gls.vcov == pytest.approx(ols.vcov, rel=1e-8)
    assert gls.df == pytest.approx(ols.df, rel=1e-8)


@pytest.mark.parametrize("se_type", ["CR0", "CR1", "CR1S", "CR2", "CR3"])
def test_offsets_and_units_of_any_size_cost_no_digits(pupils: pd.DataFrame, se_type: SeType) -> None:
    far = pupils.assign(score=pupils["score"] * 1e3 + 1e8, baseline=pupils["baseline"] * 1e-4 - 1e3)
    here = linear_model("score ~ arm + baseline", pupils, se_type=se_type).estimate("baseline")
    there = linear_model("score ~ arm + baseline", far, se_type=se_type).estimate("baseline")
    assert there.std_error == pytest.approx(here.std_error * 1e7, rel=1e-5)
    assert there.df == pytest.approx(here.df, rel=1e-5)


def test_the_jackknife_is_cr3_but_for_its_factor(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm + baseline", pupils, se_type="CR3")
    left_out = np.array(
        [
            linear_model("score ~ arm + baseline", pupils[pupils["school"] != name]).coefficients.estimate
            for name in range(12)
        ]
    )
    off = left_out - fit.coefficients.estimate
    assert fit.coefficients.vcov == pytest.approx(off.T @ off, rel=1e-8)


def test_schools_alone_in_their_stratum_change_nothing_of_the_arms(pupils: pd.DataFrame) -> None:
    alone = pupils.assign(pair=np.where(pupils["school"] == 5, 99, pupils["pair"]))
    for weights in (None, "weight"):
        kept = linear_model("score ~ arm", alone[alone["school"] != 5], fixed_effects="pair", weights=weights)
        fit = linear_model("score ~ arm", alone, fixed_effects="pair", weights=weights)
        one, other = fit.estimate("arm[pilot]"), kept.estimate("arm[pilot]")
        assert (one.estimate, one.std_error, one.df) == pytest.approx(
            (other.estimate, other.std_error, other.df), rel=1e-8
        )


def test_an_arm_of_one_school_has_an_estimate_but_no_error(pupils: pd.DataFrame) -> None:
    one = pupils.assign(arm=np.where(pupils["school"] == 4, "pilot", "control"))
    row = linear_model("score ~ arm", one).estimate("arm[pilot]")
    assert row.status == "failed"
    assert "one cluster alone" in row.reason


def test_rows_with_missing_values_are_left_out_and_counted(pupils: pd.DataFrame) -> None:
    holes = pupils.astype({"baseline": "Float64"})
    holes.loc[holes.index[:3], "baseline"] = pd.NA
    holes.loc[holes.index[5], "score"] = np.nan
    fit = linear_model("score ~ arm + baseline", holes)
    assert fit.n_missing == 4
    assert "4 rows were left out" in fit.summary()
    assert np.isnan(fit.predict(pupils.assign(baseline=np.nan))).all()


def test_a_level_that_vanishes_and_columns_that_repeat_others_are_named(pupils: pd.DataFrame) -> None:
    frame = pupils.assign(
        kind=pd.Categorical(pupils["grade"], categories=["1", "2", "3", "4"]), twice=2 * pupils["baseline"]
    )
    fit = linear_model("score ~ arm + baseline + twice + kind", frame)
    assert fit.dropped == ("twice",)
    assert fit.estimate("twice").status == "failed"
    assert "Left out as combinations of other columns: twice" in fit.summary()
    assert fit.notes == ("No row of 4 in 'kind' is left: the level is not in the model.",)


def test_weights_of_zero_are_rows_that_are_not_there(pupils: pd.DataFrame) -> None:
    weights = np.where(pupils["school"] == 2, 0.0, 3.0)
    one = linear_model("score ~ arm", pupils.assign(weight=weights), weights="weight")
    other = linear_model("score ~ arm", pupils[pupils["school"] != 2])
    assert one.n_clusters == 11
    assert one.vcov.to_numpy() == pytest.approx(other.vcov.to_numpy(), rel=1e-8)


def test_statas_degrees_of_freedom_are_clusters_less_one(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm", pupils, se_type="CR1S", df_method="clusters")
    assert fit.estimate("arm[pilot]").df == 11
    assert fit.glance().loc[0, "df_method"] == "clusters"


def test_the_result_is_a_tidy_table_a_variance_and_a_line(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm + np.log(weight)", pupils)
    table = fit.tidy().set_index("term")
    assert list(table.index) == ["(Intercept)", "arm[pilot]", "np.log(weight)"]
    variance = fit.vcov.to_numpy()[1, 1]
    assert table["std_error"].to_numpy()[1] == pytest.approx(math.sqrt(variance))
    assert str(fit) == f"score ~ arm + np.log(weight): {len(pupils)} rows in 12 clusters, CR2"


@pytest.mark.parametrize(
    ("formula", "changes", "options", "match"),
    [
        ("score ~ arm *", {}, {}, "cannot be read"),
        ("~ arm", {}, {}, "has no outcome and terms"),
        ("score ~ nowhere", {}, {}, "no column 'nowhere'"),
        ("score ~ arm + baseline", {"baseline": np.inf}, {}, "infinite values"),
        ("score ~ np.log(zero)", {"zero": 0.0}, {}, "not finite"),
        ("arm ~ baseline", {}, {}, "is not numeric"),
        ("score ~ arm", {"school": None}, {}, "rows have no cluster"),
        ("score ~ arm", {"school": "s"}, {}, "1 cluster"),
        ("score ~ arm", {"score": np.nan}, {}, "missing in every row"),
        ("score ~ arm", {"weight": -1.0}, {"weights": "weight"}, "below 0"),
        ("score ~ arm", {"weight": "much"}, {"weights": "weight"}, "not numeric"),
        ("score ~ arm", {}, {"se_type": "HC3"}, "'HC3' is unknown"),
        ("score ~ arm", {}, {"df_method": "z"}, "'z' is unknown"),
        ("score ~ 0 + arm", {"arm": "pilot", "pair": 1}, {"fixed_effects": "pair"}, "no column left"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_that_says_why(
    pupils: pd.DataFrame, formula: str, changes: dict[str, Any], options: dict[str, Any], match: str
) -> None:
    # Any: what is handed over is wrong on purpose.
    with pytest.raises(EstimationError, match=match):
        linear_model(formula, pupils.assign(**changes), **options)


def test_a_model_without_an_intercept_gives_each_arm_its_mean(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ 0 + arm", pupils)
    means = pupils.groupby("arm")["score"].mean()
    assert fit.coefficients.names == ("arm[control]", "arm[pilot]")
    assert fit.coefficients.estimate == pytest.approx(means.to_numpy(), rel=1e-10)
    difference = linear_model("score ~ arm", pupils).estimate("arm[pilot]")
    variance = fit.vcov.to_numpy()
    assert math.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1]) == pytest.approx(difference.std_error)


def test_fixed_effects_within_schools_in_their_thousands_are_refused(pupils: pd.DataFrame) -> None:
    many = pd.concat([pupils] * 40, ignore_index=True)
    many["row"] = np.arange(len(many)) // 2
    with pytest.raises(EstimationError, match="1400 levels that are weighted or lie within clusters are too many"):
        linear_model("score ~ baseline", many, fixed_effects="row")


def test_a_function_that_is_not_known_is_an_error_that_says_so(pupils: pd.DataFrame) -> None:
    with pytest.raises(EstimationError, match="cannot be evaluated"):
        linear_model("score ~ np.magic(baseline)", pupils)
