"""Jackknife and bootstraps of whole schools, beside fits of the data that they represent."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import Model, design_columns, fit_linear_mixed, linear_model
from analysis.inference.cluster_bootstrap import jackknife, pairs_bootstrap, residual_bootstrap
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    frame = simulate_scores(12, 7, icc=0.3, effect=0.4, seed=3, size_cv=0.5)
    frame["weight"] = np.random.default_rng(3).uniform(0.3, 3, len(frame))
    return frame.assign(pair=frame["school"] // 4, school=frame["school"].map("s{:02d}".format))


NAMES = [f"s{number:02d}" for number in range(12)]


@pytest.mark.parametrize(("weights", "effects"), [(None, None), ("weight", None), (None, "pair"), ("weight", "pair")])
def test_the_jackknife_is_the_fit_without_each_school(
    pupils: pd.DataFrame, weights: str | None, effects: str | None
) -> None:
    fit = linear_model("score ~ arm + baseline", pupils, weights=weights, fixed_effects=effects)
    place = fit.place("arm[pilot]")
    p = len(fit.coefficients.names)
    contrasts = np.hstack([fit.to_original, np.zeros((p, len(fit.design.beta) - p))])
    answer = jackknife(fit.design, contrasts=contrasts)
    rest = [
        linear_model("score ~ arm + baseline", pupils[pupils["school"] != name], weights=weights, fixed_effects=effects)
        for name in NAMES
    ]
    expected = np.array([other.estimate("arm[pilot]").estimate for other in rest])
    assert answer.without[:, place] == pytest.approx(expected, rel=1e-8)
    off = expected - fit.estimate("arm[pilot]").estimate
    assert answer.std_error[place] == pytest.approx(math.sqrt(11 / 12 * (off**2).sum()), rel=1e-8)


def test_a_school_that_cannot_be_spared_is_left_in(pupils: pd.DataFrame) -> None:
    one = pupils.assign(arm=np.where(pupils["school"] == "s04", "pilot", "control"))
    fit = linear_model("score ~ arm", one)
    answer = jackknife(fit.design, contrasts=fit.to_original)
    assert np.isnan(answer.without).any(axis=1).tolist() == [name == "s04" for name in NAMES]
    assert np.isfinite(answer.vcov).all()


def test_a_draw_of_schools_is_the_fit_of_a_frame_that_holds_them_so_often(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm + baseline", pupils)
    arms = pupils.drop_duplicates("school").sort_values("school")["arm"].tolist()
    drawn = pairs_bootstrap(fit.design, contrasts=np.eye(3), groups=arms, n_bootstrap=3, seed=4)
    generator = np.random.default_rng(4)
    counts = np.zeros((3, 12))
    for arm in ("control", "pilot"):
        places = np.flatnonzero(np.array(arms) == arm)
        counts[:, places] = generator.multinomial(len(places), np.full(len(places), 1 / len(places)), size=3)
    for draw, count in zip(drawn.draws, counts, strict=True):
        frame = pd.concat([pupils[pupils["school"] == NAMES[k]] for k in range(12) for _ in range(int(count[k]))])
        x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["baseline"]]).astype(float)
        expected = np.linalg.lstsq(x, frame["score"].to_numpy(), rcond=None)[0]
        # The design is of scaled columns: the slope and the arm's difference by their own scale.
        assert (fit.to_original @ draw)[1:] == pytest.approx(expected[1:], rel=1e-7)


def test_the_pairs_bootstraps_error_is_near_the_robust_one() -> None:
    frame = simulate_scores(80, 6, icc=0.2, effect=0.4, seed=3)
    fit = linear_model("score ~ arm", frame)
    drawn = pairs_bootstrap(fit.design, contrasts=fit.to_original, n_bootstrap=1_999, seed=2)
    assert drawn.n_failed == 0
    assert drawn.std_error[1] == pytest.approx(fit.estimate("arm[pilot]").std_error, rel=0.08)
    low, high = drawn.interval()[1]
    assert low < fit.estimate("arm[pilot]").estimate < high


def test_draws_without_an_arm_are_counted_as_failed(pupils: pd.DataFrame) -> None:
    four = pupils[pupils["school"] < "s04"]
    fit = linear_model("score ~ arm", four.assign(arm=np.where(four["school"] < "s02", "control", "pilot")))
    drawn = pairs_bootstrap(fit.design, contrasts=fit.to_original, n_bootstrap=400, seed=2)
    assert drawn.n_failed / 400 == pytest.approx(2 / 2**4, abs=0.04)
    assert len(drawn.draws) == 400 - drawn.n_failed


def test_pairs_of_absorbed_strata_are_refused(pupils: pd.DataFrame) -> None:
    fit = linear_model("score ~ arm", pupils, fixed_effects="pair")
    with pytest.raises(EstimationError, match="strata were absorbed"):
        pairs_bootstrap(fit.design, contrasts=np.eye(1))


def test_the_residual_bootstraps_error_is_near_the_models() -> None:
    frame = simulate_scores(40, 8, icc=0.2, effect=0.4, seed=3)
    fit = fit_linear_mixed(frame, MODEL)
    assert fit.coefficients is not None
    drawn = residual_bootstrap(design_columns(frame, MODEL), n_bootstrap=400, seed=2)
    assert drawn.estimate == pytest.approx(fit.coefficients.estimate, rel=1e-10)
    errors = np.sqrt(np.diag(fit.coefficients.vcov))
    # A standard deviation of 400 draws is right within 3.5 %, and three of those are allowed.
    assert drawn.std_error == pytest.approx(errors, rel=0.11)


def test_a_model_that_cannot_be_fitted_cannot_be_bootstrapped() -> None:
    frame = simulate_scores(6, 5, icc=0.2, effect=0.4, seed=3)
    with pytest.raises(EstimationError, match="the same value"):
        residual_bootstrap(design_columns(frame.assign(score=1.0), MODEL))
    with pytest.raises(EstimationError, match="without any error"):
        residual_bootstrap(design_columns(frame.assign(score=frame["baseline"]), MODEL))
