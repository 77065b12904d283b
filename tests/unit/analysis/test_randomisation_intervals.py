"""Randomisation inference beside slow roads: every draw fitted, every effect taken off the pupils' outcomes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import Model, fit_linear_mixed, linear_model
from analysis.inference.design_redraws import design_redraws
from analysis.inference.randomisation_intervals import RandomisationInference, StatisticName, randomisation_inference
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError
from randomisation import Arm, Design

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))
PLAIN = replace(MODEL, covariates=())
STATISTICS: tuple[StatisticName, ...] = ("mixed_t", "reml_t", "ols", "ols_t", "school_means", "school_means_t")


def trial(n_schools: int, *, seed: int = 4, effect: float = 0.4, size_cv: float = 0.4) -> pd.DataFrame:
    frame = simulate_scores(n_schools, 6, icc=0.2, effect=effect, seed=seed, size_cv=size_cv)
    return frame.assign(school=frame["school"].map("s{:03d}".format), stratum=frame["school"] // 4)


def positions(frame: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
    by_school = frame.groupby("school")["arm"].first()
    return tuple(by_school.index), (by_school == "pilot").to_numpy().astype(int)


def every(actual: np.ndarray) -> np.ndarray:
    """All allocations with as many schools in the arm."""
    chosen = itertools.combinations(range(len(actual)), int(actual.sum()))
    return np.array([np.isin(np.arange(len(actual)), places).astype(int) for places in chosen])


def redrawn(frame: pd.DataFrame, draw: np.ndarray) -> pd.DataFrame:
    names = sorted(frame["school"].unique())
    arms = dict(zip(names, np.array(["control", "pilot"])[draw], strict=True))
    return frame.assign(arm=frame["school"].map(arms))


def infer(frame: pd.DataFrame, model: Model = MODEL, **options: object) -> RandomisationInference:
    schools, actual = positions(frame)
    draws = options.pop("draws", None)
    if draws is None:
        draws = np.random.default_rng(1).permuted(np.tile(actual, (399, 1)), axis=1)
    return randomisation_inference(frame, model, schools=schools, actual=actual, draws=draws, **options)["pilot"]  # type: ignore[arg-type]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(one.mean() - other.mean())


def slow_statistic(frame: pd.DataFrame, name: StatisticName, *, covariates: bool = True) -> float:
    """One allocation's statistic by the toolkit's own fits or by hand."""
    formula = "score ~ arm + baseline" if covariates else "score ~ arm"
    if name == "reml_t":
        return fit_linear_mixed(frame, MODEL).estimate("arm[pilot]").statistic
    if name in ("ols", "ols_t"):
        row = linear_model(formula, frame, se_type="CR0").estimate("arm[pilot]")
        return row.estimate if name == "ols" else row.estimate / row.std_error
    left = frame["score"]
    if covariates:
        x = np.column_stack([np.ones(len(frame)), frame["baseline"]])
        left = left - x @ np.linalg.lstsq(x, left.to_numpy(), rcond=None)[0]
    means = left.groupby(frame["school"]).mean()
    arm = frame.groupby("school")["arm"].first()
    one, other = means[arm == "pilot"], means[arm == "control"]
    if name == "school_means":
        return float(one.mean() - other.mean())
    return float(stats.ttest_ind(one, other, equal_var=False).statistic)


@pytest.mark.parametrize("name", ["reml_t", "ols", "ols_t", "school_means", "school_means_t"])
def test_every_statistic_is_that_of_a_fit_of_each_allocation(name: StatisticName) -> None:
    frame = trial(6)
    _, actual = positions(frame)
    draws = every(actual)
    slow = np.array([slow_statistic(redrawn(frame, draw), name) for draw in draws])
    here = slow_statistic(frame, name)
    expected = float(np.mean(np.abs(slow) >= abs(here) * (1 - 1e-7)))
    share = np.full(len(draws), 1 / len(draws))
    answer = infer(frame, draws=draws, probabilities=share, statistic=name)
    assert answer.exact
    # REML's statistic is interpolated between points of its grid.
    assert answer.statistic == pytest.approx(here, rel=1e-4 if name == "reml_t" else 1e-8)
    assert answer.p_value == pytest.approx(expected, abs=1e-12)
    assert 0 < expected < 1


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("strata", [None, "stratum"])
def test_the_interval_ends_where_the_test_of_outcomes_less_the_effect_begins_to_reject(
    name: StatisticName, strata: str | None
) -> None:
    frame = trial(16)
    model = replace(MODEL, strata=strata)
    answer = infer(frame, model, statistic=name)
    treated = (frame["arm"] == "pilot").to_numpy()
    for limit, outward in ((answer.conf_low, -1.0), (answer.conf_high, 1.0)):
        for step, rejected in ((-1e-4, False), (1e-4, True)):
            effect = limit + outward * step
            less = frame.assign(score=frame["score"] - effect * treated)
            p_value = infer(less, model, statistic=name, interval="none").p_value
            assert (p_value <= 0.05) == rejected
    assert answer.conf_low < answer.estimate < answer.conf_high


def test_all_allocations_of_equal_schools_give_the_permutation_test_of_their_means() -> None:
    frame = trial(8, size_cv=0.0)
    _, actual = positions(frame)
    draws = every(actual)
    answer = infer(frame, PLAIN, draws=draws, probabilities=np.full(70, 1 / 70), statistic="school_means")
    means = frame.groupby("school")["score"].mean().to_numpy()
    test = stats.permutation_test(
        (means[actual == 1], means[actual == 0]), difference, vectorized=False, n_resamples=9_999
    )
    assert answer.p_value == pytest.approx(float(test.pvalue), abs=1e-12)
    # The interval of Hodges and Lehmann's kind has the ends at which exact p-values pass 5 %.
    treated = (frame["arm"] == "pilot").to_numpy()
    past = frame.assign(score=frame["score"] - (answer.conf_high + 1e-4) * treated)
    shares = np.full(70, 1 / 70)
    assert infer(past, PLAIN, draws=draws, probabilities=shares, statistic="school_means").p_value <= 0.05


def test_unequal_probabilities_weigh_allocations() -> None:
    frame = trial(6)
    _, actual = positions(frame)
    draws = every(actual)
    chance = np.arange(1.0, 21.0) / 210
    slow = np.array([slow_statistic(redrawn(frame, draw), "ols") for draw in draws])
    expected = float(chance[np.abs(slow) >= abs(slow_statistic(frame, "ols")) * (1 - 1e-9)].sum())
    assert infer(frame, draws=draws, probabilities=chance, statistic="ols").p_value == pytest.approx(expected)


def test_renaming_and_scaling_change_names_and_scales_only() -> None:
    frame = trial(14)
    once = infer(frame)
    scaled = infer(frame.assign(score=frame["score"] * 1e4 + 1e8))
    assert scaled.p_value == once.p_value
    assert (scaled.conf_low, scaled.conf_high) == pytest.approx((once.conf_low * 1e4, once.conf_high * 1e4), rel=1e-3)


@pytest.mark.parametrize("name", ["ols", "ols_t", "mixed_t"])
def test_an_interaction_is_the_coefficient_of_the_product(name: StatisticName) -> None:
    frame = trial(14)
    frame["score"] += 0.5 * frame["baseline"] * (frame["arm"] == "pilot")
    answer = infer(frame, statistic=name, moderator="baseline")
    if name != "mixed_t":
        row = linear_model("score ~ arm * baseline", frame, se_type="CR0").estimate("arm[pilot]:baseline")
        # The hypothesis of one effect for all takes off an estimate of it, which leaves the product's statistic.
        expected = row.estimate if name == "ols" else row.statistic
        assert answer.statistic == pytest.approx(expected, rel=1e-6)
    assert answer.conf_low < 0.5 < answer.conf_high
    assert answer.p_value < 0.05
    assert answer.held == "Main effects of pilot are held at their estimates."
    assert not infer(frame, statistic=name).held


def test_three_arms_have_each_their_interval() -> None:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(15), 10)
    arms = np.array(["control", "mentor", "team"])
    actual = np.arange(15) % 3
    score = rng.standard_normal(150) + 2.0 * (actual[school] == 2)
    frame = pd.DataFrame({"school": np.char.mod("s%02d", school), "arm": arms[actual[school]], "score": score})
    names = tuple(sorted(frame["school"].unique()))
    draws = np.stack([rng.permutation(actual) for _ in range(399)])
    model = Model(outcome="score", school="school", arm="arm", arms=tuple(arms))
    for name in ("mixed_t", "ols", "school_means_t", "ols_t"):
        new = randomisation_inference(frame, model, schools=names, actual=actual, draws=draws, statistic=name)
        assert new["team"].conf_low < 2.0 < new["team"].conf_high
        assert new["mentor"].conf_low < 0.0 < new["mentor"].conf_high
        assert not new["team"].held


def test_too_few_draws_for_the_level_leave_the_interval_without_ends() -> None:
    frame = trial(10)
    _, actual = positions(frame)
    draws = np.random.default_rng(1).permuted(np.tile(actual, (18, 1)), axis=1)
    answer = infer(frame, draws=draws)
    assert (answer.conf_low, answer.conf_high) == (-math.inf, math.inf)


def test_a_design_with_few_allocations_is_enumerated_and_a_large_one_drawn() -> None:
    schools = pd.DataFrame({"school_id": [f"s{k:02d}" for k in range(10)], "country": ["HU"] * 6 + ["SI"] * 4})
    design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
    few = design_redraws(schools, design, n_draws=999, seed="inference")
    assert few.draws.shape == (120, 10)
    assert few.probabilities == pytest.approx(np.full(120, 1 / 120))
    many = design_redraws(schools, design, n_draws=50, seed="inference")
    assert many.probabilities is None
    assert many.draws.shape == (50, 10)
    assert many.schools == tuple(schools["school_id"])


def test_what_cannot_be_tested_has_a_reason() -> None:
    frame = trial(6)
    empty = infer(frame.assign(score=np.nan))
    assert empty.reason == "No pupil has this outcome."
    assert "without any error" in infer(frame.assign(score=frame["baseline"])).reason
    same = frame.assign(arm=np.where(frame["school"] < "s003", "control", "pilot"))
    same["stratum"] = np.where(same["school"] < "s003", "a", "b")
    assert "cannot be distinguished" in infer(same, replace(MODEL, strata="stratum")).reason


def test_bad_requests_are_refused() -> None:
    frame = trial(6)
    with pytest.raises(EstimationError, match="'median' is unknown"):
        infer(frame, statistic="median")
    with pytest.raises(EstimationError, match="no interaction"):
        infer(frame, statistic="school_means", moderator="baseline")
    with pytest.raises(EstimationError, match="probabilities"):
        infer(frame, probabilities=np.ones(399))
    with pytest.raises(EstimationError, match="several strata in one school"):
        infer(frame.assign(stratum=np.arange(len(frame)) % 2), replace(MODEL, strata="stratum"))
    with pytest.raises(EstimationError, match="rows have no stratum"):
        infer(frame.assign(stratum=None), replace(MODEL, strata="stratum"))
