"""The wild cluster bootstrap beside a slow one that draws outcomes and fits by statsmodels or dense matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from analysis import linear_model
from analysis.inference.wild_bootstrap import WildWeights, apply_wild_bootstrap, wild_bootstrap
from analysis.simulation import simulate_scores
from analysis.sums import compute_school_products
from data_schema.errors import EstimationError
from tests.support.designs import random_design

SIX = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    frame = simulate_scores(7, 6, icc=0.2, effect=0.9, seed=5, size_cv=0.4)
    frame["weight"] = np.random.default_rng(3).uniform(0.3, 3, len(frame))
    return frame.assign(pair=frame["school"] // 3)


def slow(
    x: np.ndarray,
    y: np.ndarray,
    school: np.ndarray,
    *,
    weight: np.ndarray,
    null: float,
    draws: np.ndarray,
    impose_null: bool = True,
) -> tuple[float, np.ndarray]:
    """The statistic of the second column and those of all draws, by outcomes that are drawn and fitted again."""
    bread = np.linalg.inv(x.T @ weight @ x)

    def statistic(outcome: np.ndarray, value: float) -> float:
        beta = bread @ x.T @ weight @ outcome
        score = np.array(
            [bread[1] @ x.T @ weight @ np.where(school == name, outcome - x @ beta, 0.0) for name in np.unique(school)]
        )
        return float((beta[1] - value) / np.sqrt((score**2).sum()))

    beta = bread @ x.T @ weight @ y
    if impose_null:
        beta = beta - bread[:, 1] * (beta[1] - null) / bread[1, 1]
    value = null if impose_null else beta[1]
    names = {name: place for place, name in enumerate(np.unique(school))}
    codes = np.array([names[name] for name in school])
    found = [statistic(x @ beta + (y - x @ beta) * draw[codes], value) for draw in draws]
    return statistic(y, null), np.array(found)


def share_as_far(statistic: float, draws: np.ndarray) -> float:
    return float(np.mean(np.abs(draws) >= abs(statistic) * (1 - 1e-9)))


def numbers(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["baseline"]]).astype(float)
    return x, frame["score"].to_numpy(), frame["school"].to_numpy()


SIGNS = np.array(list(itertools.product([-1.0, 1.0], repeat=7)))


@pytest.mark.parametrize("null", [0.0, 0.4])
@pytest.mark.parametrize("impose_null", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_all_signs_give_the_p_value_of_outcomes_drawn_and_fitted_again(
    pupils: pd.DataFrame, null: float, *, impose_null: bool, weighted: bool
) -> None:
    x, y, school = numbers(pupils)
    scale = pupils["weight"].to_numpy() if weighted else np.ones(len(y))
    fit = linear_model("score ~ arm + baseline", pupils, weights="weight" if weighted else None)
    answer = wild_bootstrap(fit, "arm[pilot]", null=null, impose_null=impose_null)
    statistic, draws = slow(x, y, school, weight=np.diag(scale), null=null, draws=SIGNS, impose_null=impose_null)
    assert answer.enumerated
    assert answer.p_value == pytest.approx(share_as_far(statistic, draws), abs=1e-12)
    assert (2 / 128 if impose_null else 0) <= answer.p_value < 1
    assert answer.statistic == pytest.approx(statistic * np.sqrt(6 / 7), rel=1e-9)


def test_absorbed_strata_are_those_of_dummies(pupils: pd.DataFrame) -> None:
    absorbed = linear_model("score ~ arm + baseline", pupils, fixed_effects="pair")
    dummies = linear_model("score ~ arm + baseline + C(pair)", pupils)
    one, other = wild_bootstrap(absorbed, "arm[pilot]"), wild_bootstrap(dummies, "arm[pilot]")
    assert one.p_value == other.p_value
    assert (one.conf_low, one.conf_high) == pytest.approx((other.conf_low, other.conf_high), rel=1e-5)
    x, y, school = numbers(pupils)
    x = np.column_stack([x, pupils["pair"] == 1, pupils["pair"] == 2])
    statistic, draws = slow(x, y, school, weight=np.eye(len(y)), null=0.0, draws=SIGNS)
    assert one.p_value == pytest.approx(share_as_far(statistic, draws), abs=1e-12)


def test_a_hundred_strata_take_another_product_and_give_the_same() -> None:
    frame = simulate_scores(48, 5, icc=0.2, effect=0.3, seed=2)
    frame["pair"] = frame["school"] // 2
    one = wild_bootstrap(linear_model("score ~ arm", frame, fixed_effects="pair"), "arm[pilot]", n_bootstrap=499)
    other = wild_bootstrap(linear_model("score ~ arm + C(pair)", frame), "arm[pilot]", n_bootstrap=499)
    assert one.p_value == pytest.approx(other.p_value, abs=1e-12)
    assert one.conf_low == pytest.approx(other.conf_low, abs=1e-5)


def test_the_multilevel_models_gls_is_bootstrapped_at_its_variances(pupils: pd.DataFrame) -> None:
    x, y, school = numbers(pupils)
    ratio = 0.3
    weight = np.linalg.inv(np.eye(len(y)) + ratio * (school[:, None] == school[None, :]))
    products = compute_school_products(np.column_stack([x, np.ones(len(y)), y]), school, n_schools=7)
    design = random_design(products, relative_covariance=np.array([[ratio]]))
    answer = apply_wild_bootstrap(design, np.array([0.0, 1.0, 0.0]), null=0.1)
    statistic, draws = slow(x, y, school, weight=weight, null=0.1, draws=SIGNS)
    assert answer.p_value == pytest.approx(share_as_far(statistic, draws), abs=1e-12)


@pytest.mark.parametrize("distribution", ["rademacher", "webb"])
def test_random_draws_give_the_p_value_of_the_same_draws_by_the_slow_road(distribution: WildWeights) -> None:
    frame = simulate_scores(9, 5, icc=0.2, effect=0.6, seed=4)
    x, y, school = numbers(frame)
    fit = linear_model("score ~ arm + baseline", frame)
    answer = wild_bootstrap(fit, "arm[pilot]", distribution=distribution, n_bootstrap=299, seed=8)
    points = SIX if distribution == "webb" else np.array([-1.0, 1.0])
    weights = points[np.random.default_rng(8).integers(0, len(points), size=(299, 9), dtype=np.int8)]
    statistic, draws = slow(x, y, school, weight=np.eye(len(y)), null=0.0, draws=weights)
    assert not answer.enumerated
    assert answer.p_value == pytest.approx((1 + 299 * share_as_far(statistic, draws)) / 300, abs=1e-12)


def test_the_statistic_is_that_of_statsmodels() -> None:
    frame = simulate_scores(15, 8, icc=0.2, effect=0.4, seed=4, size_cv=0.4)
    theirs = smf.ols("score ~ arm + baseline", frame).fit(
        cov_type="cluster", cov_kwds={"groups": frame["school"], "use_correction": False}
    )
    answer = wild_bootstrap(linear_model("score ~ arm + baseline", frame), "arm[pilot]", null=0.1, n_bootstrap=99)
    expected = (theirs.params["arm[T.pilot]"] - 0.1) / (theirs.bse["arm[T.pilot]"] * np.sqrt(15 / 14))
    assert answer.statistic == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("impose_null", [True, False])
def test_the_interval_holds_the_values_that_are_not_rejected(*, impose_null: bool) -> None:
    frame = simulate_scores(20, 8, icc=0.2, effect=0.4, seed=4)
    fit = linear_model("score ~ arm + baseline", frame)
    answer = wild_bootstrap(fit, "arm[pilot]", n_bootstrap=999, impose_null=impose_null)
    for limit, outward in ((answer.conf_low, -1), (answer.conf_high, 1)):
        step = outward * 1e-5
        inside = wild_bootstrap(fit, "arm[pilot]", null=limit - step, n_bootstrap=999, impose_null=impose_null)
        outside = wild_bootstrap(fit, "arm[pilot]", null=limit + step, n_bootstrap=999, impose_null=impose_null)
        assert inside.p_value > 0.05
        assert outside.p_value <= 0.05
    assert answer.conf_low < answer.estimate < answer.conf_high


def test_the_intercept_is_tested_in_the_outcomes_units() -> None:
    frame = simulate_scores(20, 8, icc=0.2, effect=0.4, seed=4)
    frame["score"] += 500
    fit = linear_model("score ~ arm + baseline", frame)
    answer = wild_bootstrap(fit, "(Intercept)", null=500.0, n_bootstrap=499)
    assert answer.estimate == pytest.approx(fit.estimate("(Intercept)").estimate, rel=1e-10)
    assert answer.conf_low < answer.estimate < answer.conf_high
    assert answer.p_value > 0.05


def test_few_schools_have_an_interval_without_an_end_where_no_value_can_be_rejected() -> None:
    frame = simulate_scores(5, 8, icc=0.2, effect=0.4, seed=4)
    answer = wild_bootstrap(linear_model("score ~ arm", frame), "arm[pilot]")
    assert answer.n_bootstrap == 32
    assert answer.p_value >= 2 / 32
    assert answer.conf_high == np.inf


def test_signs_that_repeat_give_way_to_six_points_below_twelve_schools() -> None:
    frame = simulate_scores(10, 5, icc=0.2, effect=0.4, seed=4)
    fit = linear_model("score ~ arm", frame)
    assert wild_bootstrap(fit, "arm[pilot]", n_bootstrap=999).distribution == "webb"
    assert wild_bootstrap(fit, "arm[pilot]", n_bootstrap=1024).distribution == "rademacher"


def test_what_cannot_be_drawn_is_refused(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm", pupils)
    with pytest.raises(EstimationError, match="'mammen' is unknown"):
        wild_bootstrap(fit, "arm[pilot]", distribution="mammen")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="0 draws"):
        wild_bootstrap(fit, "arm[pilot]", n_bootstrap=0)
    with pytest.raises(EstimationError, match="no term 'arm'"):
        wild_bootstrap(fit, "arm")
    one = pupils.assign(arm=np.where(pupils["school"] == 4, "pilot", "control"), score=1.0)
    with pytest.raises(EstimationError, match="same value of this outcome"):
        wild_bootstrap(linear_model("score ~ arm", one), "arm[pilot]")
