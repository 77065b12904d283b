"""Families of hypotheses: against R, by hand, and by what shared draws are for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis import Model, randomisation_inference
from analysis.inference.multiplicity import (
    Adjustment,
    adjusted_p_values,
    randomisation_family,
    step_down_p_values,
)
from analysis.simulation import simulate_scores
from data_schema.errors import EstimationError

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


@settings(max_examples=20)  # statsmodels looks for garbage at each call
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12))
def test_adjusted_p_values_are_those_of_statsmodels(values: list[float]) -> None:
    p_values = np.array(values)
    for method, theirs in (("holm", "holm"), ("benjamini_hochberg", "fdr_bh")):
        ours = adjusted_p_values(p_values, method=method)  # type: ignore[arg-type]  # the two names
        assert ours == pytest.approx(multipletests(p_values, method=theirs)[1], rel=1e-12)
        assert (ours >= p_values * (1 - 1e-12)).all()


_FIGURES = json.loads((Path(__file__).parents[2] / "reference/expected/multiplicity.json").read_text("utf-8"))[
    "figures"
]


@pytest.mark.parametrize("family", _FIGURES)
@pytest.mark.parametrize("method", ["holm", "benjamini_hochberg"])
def test_adjusted_p_values_are_those_of_r(family: str, method: Adjustment) -> None:
    figure = {name: np.array(values, dtype=float) for name, values in _FIGURES[family].items()}
    adjusted = adjusted_p_values(figure["p_values"], method=method)
    assert adjusted == pytest.approx(figure[method], rel=1e-11, nan_ok=True)


def test_equal_p_values_by_hand() -> None:
    equal = np.full(5, 0.03)
    # Holm: the smallest times five, and none is below an earlier one. Benjamini-Hochberg: the greatest times 5 / 5.
    assert adjusted_p_values(equal, method="holm") == pytest.approx([0.15] * 5)
    assert adjusted_p_values(equal, method="benjamini_hochberg") == pytest.approx([0.03] * 5)
    # One p-value of zero stays, and the rest is a family of four to Holm.
    one = np.array([0.0, 0.03, 0.03, 0.03, 0.03])
    assert adjusted_p_values(one, method="holm") == pytest.approx([0.0, *[0.12] * 4])
    assert adjusted_p_values(np.array([np.nan])).shape == (1,)


def test_hypotheses_without_a_test_are_not_counted() -> None:
    found = adjusted_p_values(np.array([0.01, np.nan, 0.04]))
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(found[1])
    with pytest.raises(EstimationError, match="'bonferroni' is unknown"):
        adjusted_p_values(np.array([0.5]), method="bonferroni")  # type: ignore[arg-type]


def test_step_down_by_hand() -> None:
    statistics = np.array([1.0, -3.0, 2.0])
    draws = np.array([[0.5, 0.1, 0.2], [1.5, 1.0, 0.1], [0.2, -2.5, 1.0], [0.9, 3.5, 0.3]])
    # 3: draw 4 only. 2: of outcomes 1 and 3, none. 1: of outcome 1 alone, draw 2; no p-value below an earlier one.
    assert step_down_p_values(statistics, draws) == pytest.approx([2 / 5, 2 / 5, 2 / 5])
    assert step_down_p_values(statistics, draws, all_draws=True) == pytest.approx([1 / 4, 1 / 4, 1 / 4])
    assert step_down_p_values(np.array([2.9, -3.6, np.nan]), draws) == pytest.approx(
        [1 / 5, 1 / 5, np.nan], nan_ok=True
    )


def test_draws_in_which_a_statistic_is_not_defined_are_left_out() -> None:
    draws = np.array([[0.5, 0.1], [np.nan, 4.0], [0.2, 0.3]])
    assert step_down_p_values(np.array([1.0, 2.0]), draws) == pytest.approx([1 / 3, 1 / 3])


@given(st.integers(0, 10_000))
def test_step_down_lies_between_the_p_value_alone_and_the_sum_over_outcomes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    statistics, draws = rng.normal(0, 2, 4), rng.normal(0, 1, (199, 4))
    alone = np.array([step_down_p_values(statistics[[k]], draws[:, [k]])[0] for k in range(4)])
    stepped = step_down_p_values(statistics, draws)
    assert (stepped >= alone - 1e-12).all()
    # The greatest of four is beyond the greatest statistic at most as often as the four are together.
    beyond = int((np.abs(draws) >= np.abs(statistics).max() * (1 - 1e-9)).sum())
    assert stepped.min() <= (1 + beyond) / 200 + 1e-12


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    frame = simulate_scores(14, 8, icc=0.2, effect=0.6, seed=5).astype({"school": str})
    rng = np.random.default_rng(1)
    frame["twin"] = frame["score"] + 0.05 * rng.standard_normal(len(frame))
    frame["other"] = rng.standard_normal(len(frame))
    frame["empty"] = np.nan
    return frame


def test_the_family_by_re_draws_has_each_outcomes_own_test(pupils: pd.DataFrame) -> None:
    by_school = pupils.groupby("school")["arm"].first()
    schools, actual = tuple(by_school.index), (by_school == "pilot").to_numpy().astype(int)
    draws = np.random.default_rng(1).permuted(np.tile(actual, (499, 1)), axis=1)
    models = {name: replace(MODEL, outcome=name) for name in ("score", "twin", "other", "empty")}
    family = randomisation_family(pupils, models, schools=schools, actual=actual, draws=draws)
    for test in family[:3]:
        model = models[test.outcome]
        alone = randomisation_inference(pupils, model, schools=schools, actual=actual, draws=draws)["pilot"]
        assert test.p_value == pytest.approx(alone.p_value)
        assert test.p_value <= test.p_step_down <= test.p_holm + 0.02
    # Two outcomes that are almost one cost almost nothing, where Holm counts three.
    assert family[0].p_step_down < 0.75 * family[0].p_holm
    assert family[3].reason == "No pupil has this outcome."
    assert np.isnan(family[3].p_holm)
