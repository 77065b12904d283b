"""Randomisation tests and their intervals against an enumeration in plain R."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import Model, Permutations, randomisation_inference

EXPECTED = json.loads((Path(__file__).parent / "expected" / "randomisation.json").read_text(encoding="utf-8"))
MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "mentor", "team"), covariates=("baseline",))


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    return pd.DataFrame(EXPECTED["data"])


def allocation(pupils: pd.DataFrame, arms: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    by_school = pupils.groupby("school")["arm"].first()
    return tuple(by_school.index), np.array([arms.index(arm) for arm in by_school])


def test_one_arm_beside_another_is_tested_and_bounded_as_by_enumeration_in_r(pupils: pd.DataFrame) -> None:
    schools, actual = allocation(pupils, MODEL.arms)
    permutations = Permutations(schools=schools, actual=actual, strata=("all",) * 12, n_draws=2000, seed="x")
    sampled = np.random.default_rng(1).permuted(np.tile(actual, (50, 1)), axis=1)
    found = randomisation_inference(
        pupils, MODEL, schools=schools, actual=actual, draws=sampled, permutations=permutations, statistic="ols"
    )["team"]
    expected = EXPECTED["team_given_mentor"]
    assert (found.exact, found.n_draws) == (True, expected["n"])
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-9)
    assert found.p_value == expected["n_as_far"] / expected["n"]
    # R halves an interval of 0.25 thirty times.
    assert (found.conf_low, found.conf_high) == pytest.approx((expected["conf_low"], expected["conf_high"]), abs=1e-5)


def test_all_arms_together_are_tested_as_by_enumeration_in_r(pupils: pd.DataFrame) -> None:
    together = pupils.assign(arm=pupils["arm"].where(pupils["arm"] == "control", "any"))
    model = Model(outcome="score", school="school", arm="arm", arms=("control", "any"), covariates=("baseline",))
    schools, actual = allocation(together, model.arms)
    draws = np.array([np.isin(np.arange(12), places) for places in itertools.combinations(range(12), 8)]).astype(int)
    share = np.full(len(draws), 1 / len(draws))
    found = randomisation_inference(
        together, model, schools=schools, actual=actual, draws=draws, probabilities=share, statistic="ols"
    )["any"]
    expected = EXPECTED["any_together"]
    assert found.n_draws == expected["n"]
    assert found.statistic == pytest.approx(expected["statistic"], rel=1e-9)
    assert found.p_value == expected["n_as_far"] / expected["n"]
