"""Cohorts before and after, and waves: by hand in balanced cases, by planted effects, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import Model, fit_linear_clustered
from analysis.growth import difference_in_differences, wave_effects
from data_schema.errors import EstimationError

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"))


def cohorts(n_schools: int, n: int, *, seed: int, effect: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for school in range(n_schools):
        level, pilot = rng.standard_normal(), school % 2
        for year in (0, 1, 2):
            drift = 0.1 * year + 0.3 * rng.standard_normal() + effect * pilot * (year == 2)
            rows.append(
                pd.DataFrame(
                    {
                        "school": school,
                        "arm": ["control", "pilot"][pilot],
                        "year": year,
                        "score": level + drift + rng.standard_normal(n),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def test_two_cohorts_of_equal_size_give_the_t_test_of_the_schools_changes() -> None:
    frame = cohorts(14, 10, seed=1)
    frame = frame[frame["year"] != 0]
    result = difference_in_differences(frame, MODEL, cohort="year", after=[2])
    means = frame.pivot_table(index=["arm", "school"], columns="year", values="score")
    change = means[2] - means[1]
    test = stats.ttest_ind(change["pilot"], change["control"])
    row = result.row("difference_in_differences", "pilot")
    assert row.estimate == pytest.approx(change["pilot"].mean() - change["control"].mean())
    assert row.statistic == pytest.approx(test.statistic)
    assert row.df == pytest.approx(12)
    assert row.p_value == pytest.approx(test.pvalue)
    assert result.n_schools_compared == 14


def test_the_schools_own_levels_do_not_matter() -> None:
    frame = cohorts(12, 8, seed=2)
    moved = frame.assign(score=frame["score"] + 100.0 * frame["school"])
    one, other = (
        difference_in_differences(f, MODEL, cohort="year", after=[2]).row("difference_in_differences", "pilot")
        for f in (frame, moved)
    )
    assert other.estimate == pytest.approx(one.estimate, abs=1e-9)
    assert other.std_error == pytest.approx(one.std_error, rel=1e-9)


def test_pairs_may_change_by_amounts_of_their_own() -> None:
    frame = cohorts(16, 8, seed=3)
    frame["pair"] = frame["school"] // 2
    frame["score"] += 2.0 * frame["pair"] * (frame["year"] == 2)
    plain = difference_in_differences(frame, MODEL, cohort="year", after=[2]).row("difference_in_differences", "pilot")
    paired = difference_in_differences(frame, replace(MODEL, strata="pair"), cohort="year", after=[2])
    row = paired.row("difference_in_differences", "pilot")
    assert row.estimate == pytest.approx(plain.estimate, abs=1e-9)
    assert row.std_error < 0.2 * plain.std_error
    assert row.df == pytest.approx(7)


def test_covariates_and_missing_outcomes_are_taken_as_elsewhere() -> None:
    frame = cohorts(12, 10, seed=4)
    frame["girl"] = (np.arange(len(frame)) % 2).astype(float)
    frame["score"] += 3.0 * frame["girl"]
    frame.loc[[0, 5], "score"] = np.nan
    frame.loc[3, "girl"] = np.nan
    model = replace(MODEL, covariates=("girl",))
    result = difference_in_differences(frame, model, cohort="year", after=[2])
    fit = result.fits["cohorts"]
    assert fit.n_missing_outcome == 2
    assert fit.estimate("girl").estimate == pytest.approx(3.0, abs=0.3)
    assert result.glance()["n_compared"].tolist() == [12]
    assert result.tidy()["term"].tolist() == ["after:arm[pilot]"]


def test_the_planted_effect_is_in_the_interval() -> None:
    row = difference_in_differences(cohorts(60, 20, seed=5), MODEL, cohort="year", after=[2]).rows[0]
    assert row.conf_low < 0.5 < row.conf_high
    assert row.conf_low > 0


def test_an_arm_without_pupils_before_fails_with_a_reason() -> None:
    frame = cohorts(10, 6, seed=6)
    frame = frame[(frame["arm"] == "control") | (frame["year"] == 2)]
    result = difference_in_differences(frame, MODEL, cohort="year", after=[2])
    assert result.rows[0].status == "failed"
    assert result.n_schools_compared == 5
    with pytest.raises(KeyError):
        result.row("change", "pilot")


def test_differences_at_a_wave_are_those_of_that_wave_alone() -> None:
    frame = cohorts(16, 12, seed=7)
    result = wave_effects(frame, MODEL, wave="year")
    for year in (0, 1, 2):
        alone = fit_linear_clustered(frame[frame["year"] == year], MODEL).estimate("arm[pilot]")
        row = result.row("difference", "pilot", term=str(year))
        assert row.estimate == pytest.approx(alone.estimate, abs=1e-9)
        # CR2's leverage sees the other waves, which changes the error a little.
        assert row.std_error == pytest.approx(alone.std_error, rel=0.05)
    for year in (1, 2):
        change = result.row("change", "pilot", term=str(year)).estimate
        first, later = (result.row("difference", "pilot", term=str(k)).estimate for k in (0, year))
        assert change == pytest.approx(later - first, abs=1e-9)


def test_growth_is_the_slope_of_the_differences() -> None:
    frame = cohorts(16, 12, seed=8)
    result = wave_effects(frame, MODEL, wave="year")
    differences = [result.row("difference", "pilot", term=str(k)).estimate for k in (0, 1, 2)]
    # Waves of equal size: least squares through the differences.
    assert result.row("growth", "pilot").estimate == pytest.approx((differences[2] - differences[0]) / 2, abs=1e-9)
    years = wave_effects(frame.assign(year=2027 + 2 * frame["year"]), MODEL, wave="year")
    assert years.row("growth", "pilot").estimate == pytest.approx(result.row("growth", "pilot").estimate / 2)
    assert set(result.glance()["model"]) == {"difference", "change", "growth"}


def test_outcomes_all_alike_fail_with_a_reason() -> None:
    result = wave_effects(cohorts(8, 5, seed=9).assign(score=1.0), MODEL, wave="year")
    assert [row.status for row in result.rows] == ["failed"]
    assert math.isnan(result.rows[0].estimate)
    assert result.rows[0].reason
    same = cohorts(8, 5, seed=9).assign(score=1.0)
    assert difference_in_differences(same, MODEL, cohort="year", after=[2]).rows[0].status == "failed"


@pytest.mark.parametrize(
    ("change", "after", "words"),
    [
        ({}, [9], "all rows are before"),
        ({}, [0, 1, 2], "all rows are after"),
        ({"year": np.nan}, [2], "have no wave"),
    ],
)
def test_cohorts_that_cannot_be_compared_are_refused(change: dict[str, float], after: list[int], words: str) -> None:
    with pytest.raises(EstimationError, match=words):
        difference_in_differences(cohorts(8, 5, seed=1).assign(**change), MODEL, cohort="year", after=after)


def test_requests_that_make_no_sense_are_refused() -> None:
    frame = cohorts(8, 5, seed=1)
    bare = Model(outcome="score", school="school")
    for model, wave, words in (
        (bare, "year", "needs arms"),
        (MODEL, "month", "no column 'month'"),
        (replace(MODEL, missing_covariates="drop"), "year", "cannot be dropped"),
        (MODEL, "arm", "is not numeric"),
    ):
        with pytest.raises(EstimationError, match=words):
            wave_effects(frame, model, wave=wave)
    with pytest.raises(EstimationError, match="1 wave is not enough"):
        wave_effects(frame[frame["year"] == 1], MODEL, wave="year")
