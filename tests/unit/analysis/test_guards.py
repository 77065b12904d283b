"""Whichever entry point is called, the same fault of the data has the same answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import Question, adjusted_p_values, estimate_effects, linear_model, wild_bootstrap
from analysis.guards import (
    EXPLAINED,
    SAME_OUTCOME,
    describe_explained_outcome,
    describe_nonbinary_values,
    is_numeric,
    standardise_varying_columns,
)
from data_schema.errors import EstimationError
from tests.support.entry_points import BINARY, EVERY, LINEAR, OTHERS, OUTCOMES, TERM, WITH_ALLOCATION, Entry, pupils

FRAME = pupils()


def twice(name: str) -> pd.DataFrame:
    return pd.concat([FRAME, FRAME[[name]]], axis=1)


def with_infinite(*names: str) -> pd.DataFrame:
    return FRAME.assign(**{name: FRAME[name].astype(float).mask(FRAME.index == 3, np.inf) for name in names})


REFUSED: dict[str, tuple[pd.DataFrame, str]] = {
    "a covariate twice": (twice("baseline"), "2 columns 'baseline'"),
    "the school twice": (twice("school"), "2 columns 'school'"),
    "the arm twice": (twice("arm"), "2 columns 'arm'"),
    "a covariate that is not there": (FRAME.drop(columns="baseline"), "no column 'baseline'"),
    "infinite covariates": (with_infinite("baseline"), "holds 1 infinite values"),
    "infinite outcomes": (with_infinite(*OUTCOMES), "holds 1 infinite values"),
    "dates": (FRAME.assign(baseline=pd.Timestamp("2027-03-01")), "'baseline': holds dates"),
    "durations": (FRAME.assign(baseline=pd.to_timedelta(FRAME.index, unit="D")), "'baseline': holds durations"),
    "complex numbers": (FRAME.assign(baseline=FRAME["baseline"] + 1j), "'baseline': holds complex numbers"),
    "cells that are tables": (
        FRAME.assign(baseline=pd.Series([{}] * len(FRAME), dtype=object)),
        "neither numbers nor text",
    ),
    "schools that are lists": (
        FRAME.assign(school=pd.Series([[name] for name in FRAME["school"]], dtype=object)),
        "neither numbers nor text",
    ),
    "outcomes of text": (FRAME.assign(**{name: FRAME[name].map(str) for name in OUTCOMES}), "is not numeric"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_one_error_with_a_remedy_at_every_entry_point(case: str) -> None:
    frame, told = REFUSED[case]
    for name, entry in EVERY.items():
        if case.endswith("twice") and name in WITH_ALLOCATION:
            continue
        with pytest.raises(EstimationError, match=told) as caught:
            entry(frame)
        assert caught.value.remedy, name
        assert len(str(caught.value).splitlines()) == 1, name


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_that_stands_twice_is_refused_by_name(outcome: str) -> None:
    entries = {"score": LINEAR, "left": BINARY}.get(outcome) or {
        name: entry for name, entry in OTHERS.items() if name.startswith(_of(outcome))
    }
    for name, entry in entries.items():
        with pytest.raises(EstimationError, match=f"2 columns '{outcome}'"):
            entry(twice(outcome))
        assert name


def _of(outcome: str) -> tuple[str, ...]:
    names = {"days": ("fit_counts", "rate", "mixed"), "grade": ("fit_ordinal", "ordinal")}
    return names.get(outcome, ("fit_cox", "hazard", "leaving"))


def test_what_is_no_frame_is_refused() -> None:
    for name, entry in EVERY.items():
        if name in WITH_ALLOCATION:
            continue
        with pytest.raises(EstimationError, match="the data are a dict"):
            entry({"score": [1.0]})  # type: ignore[arg-type]


FAILED: dict[str, tuple[dict[str, Any], dict[str, Entry], str]] = {
    "one value": (
        dict.fromkeys(("score", "left", "days", "grade"), 1),
        {name: entry for name, entry in EVERY.items() if name != "fit_cox"},
        SAME_OUTCOME,
    ),
    "explained": ({"score": 2 * FRAME["baseline"] + 1}, LINEAR, EXPLAINED),
    "explained far from zero": ({"score": 2 * FRAME["baseline"] + 1e9}, LINEAR, EXPLAINED),
    "a two": (
        {"left": FRAME["left"].mask(FRAME.index < 3, 2)},
        BINARY,
        "The outcome 'left' must be 0 or 1, and 3 rows have another value: 2.",
    ),
}


@pytest.mark.parametrize("case", FAILED)
def test_it_fails_with_one_sentence_at_every_entry_point(case: str) -> None:
    values, entries, reason = FAILED[case]
    for name, entry in entries.items():
        row = entry(FRAME.assign(**values))
        assert (row.status, row.reason) == ("failed", reason), name
        assert np.isnan(row.p_value), name


def test_least_squares_never_finds_an_effect_in_an_outcome_that_covariates_explain() -> None:
    for seed in range(40):
        frame = pupils(n_schools=8, n_pupils=4, seed=seed)
        frame = frame.assign(stratum=frame["school"].astype(int) // 2, weight=1 + frame["wave"])
        exact = frame.assign(score=0.1 * frame["baseline"] + 1 / 3)
        for more in ({}, {"fixed_effects": "stratum"}, {"weights": "weight"}):
            fit = linear_model("score ~ arm + baseline", exact, **more)  # type: ignore[arg-type]
            assert fit.estimate(TERM).reason == EXPLAINED
            assert fit.glance()["status"].tolist() == ["failed"]
            assert EXPLAINED in fit.summary()


def test_nothing_is_tested_of_a_fit_that_failed() -> None:
    fit = linear_model("score ~ arm + baseline", FRAME.assign(score=2 * FRAME["baseline"]))
    for test in (
        lambda: fit.f_test("arm"),
        lambda: wild_bootstrap(fit, TERM, n_bootstrap=9),
    ):
        with pytest.raises(EstimationError, match="without any error"):
            test()
    assert adjusted_p_values(np.array([0.5]), method="holm").tolist() == [0.5]


def test_an_arm_of_one_school_has_no_robust_error() -> None:
    alone = FRAME[(FRAME["arm"] == "control") | (FRAME["school"] == FRAME.loc[FRAME["arm"] == "pilot", "school"].min())]
    for name in ("linear_model", "mixed_model CR2", "fit_linear_clustered", "fit_gee identity"):
        assert LINEAR[name](alone).status == "failed", name
    for name in ("fit_gee logit", "fit_cox"):
        assert OTHERS[name](alone).status == "failed", name


def test_an_arm_that_is_absent_is_named() -> None:
    for name, entry in EVERY.items():
        if "mixed_model" in name or name in ("linear_model", "randomisation_inference"):
            continue  # formulas have no list of arms
        row = entry(FRAME[FRAME["arm"] == "control"])
        assert row.status == "failed", name
        assert "pilot" in row.reason, name


def test_a_binary_question_with_a_two_prints_no_share_and_no_number_needed_to_treat() -> None:
    question = Question(
        plan_entry="main",
        outcome="left",
        kind="binary",
        role="primary",
        model="linear_cluster",
        arms=("control", "pilot"),
        school="school",
        strata=None,
    )
    by_school = FRAME.drop_duplicates("school")
    schools = tuple(map(str, by_school["school"]))
    actual = (by_school["arm"] == "pilot").to_numpy().astype(int)
    draws = np.random.default_rng(1).permuted(np.tile(actual, (30, 1)), axis=1)
    wrong = FRAME.assign(
        left=FRAME["left"].mask(FRAME.index < 2, 2), country=np.where(FRAME["school"].astype(int) < 6, "HU", "SI")
    )
    rows = estimate_effects(wrong, question, schools=schools, actual=actual, draws=draws)
    for row in rows:
        # The twos are Hungary's: what is of Slovenia alone stays.
        if row.country == "SI":
            assert "must be 0 or 1" not in row.reason
        elif row.quantity not in ("pooled_difference", "prediction_interval"):
            assert row.status == "failed", row.quantity
            assert row.reason == "The outcome 'left' must be 0 or 1, and 2 rows have another value: 2."
            assert np.isnan(row.estimate)
            assert np.isnan(row.p_value)
    assert {row.quantity for row in rows} >= {"mean", "difference", "number_needed_to_treat", "risk_ratio", "icc"}


def test_small_decisions() -> None:
    assert describe_nonbinary_values(np.array([0.0, 1.0, np.nan]), "left") == ""
    assert "6 rows have another value: 2, 3, 4, 5, 6, ..." in describe_nonbinary_values(np.arange(8.0), "left")
    assert describe_explained_outcome(1e-8, spread=1.0, size=1.0) == EXPLAINED
    assert describe_explained_outcome(1e-6, spread=1.0, size=1.0) == ""
    # Rounding of an outcome of a thousand million is all that is left.
    assert describe_explained_outcome(1e-7, spread=1e-3, size=1e9) == EXPLAINED
    moved, centre, spread = standardise_varying_columns(np.column_stack([[1e9, 1e9 + 1, 1e9 + 2], [0.1, 0.1, 0.1]]))
    assert moved[:, 0].tolist() == [-1.0, 0.0, 1.0]
    assert (moved[:, 1] == 0).all()
    assert spread[1] == 0.0
    assert centre[0] == 1e9 + 1
    for values, answer in (([1, None, 2.5], True), ([True, None], True), ([None, "1"], False), (["a", 1], False)):
        assert is_numeric(pd.Series(values, dtype=object)) is answer
