"""Estimators and kinds of outcomes as a plan names them: what they take, and counts from data to rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import Estimate, Question, estimate_effects, rate_effects
from analysis.estimators import ESTIMATORS, make_estimator
from analysis.outcomes import OUTCOME_KINDS
from data_schema.errors import EstimationError

QUESTION = Question(
    plan_entry="absences",
    outcome="days",
    kind="count",
    role="secondary",
    model="count_mixed",
    arms=("control", "pilot"),
    strata=None,
)


def counts(*, n_schools: int = 16, n_pupils: int = 15, seed: int = 3, spread: float = 0.3) -> pd.DataFrame:
    """Return days of absence of pupils in schools of two arms, the rate of one being 0.7 of the other's."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n_pupils)
    pilot = school % 2 == 1
    level = np.log(5) + np.log(0.7) * pilot + spread * rng.standard_normal(n_schools)[school]
    prior = rng.normal(size=len(school))
    rate = np.exp(level + 0.2 * prior) * rng.gamma(2, 1 / 2, len(school))
    return pd.DataFrame(
        {
            "school_id": [f"S{place:02d}" for place in school],
            "arm": np.where(pilot, "pilot", "control"),
            "prior": prior,
            "group": np.where(np.arange(len(school)) % 5 == 0, "few", "many"),
            "days": rng.poisson(rate).astype(float),
        }
    )


def answered(frame: pd.DataFrame, question: Question = QUESTION) -> dict[tuple[str, str], Estimate]:
    schools = frame.drop_duplicates("school_id")
    actual = np.array([question.arms.index(arm) for arm in schools["arm"]])
    rows = estimate_effects(frame, question, schools=tuple(schools["school_id"]), actual=actual, draws=None)
    return {(row.quantity, row.arm): row for row in rows}


def test_every_kind_of_outcome_has_an_estimator_and_every_estimator_a_known_kind() -> None:
    taken = {kind for estimator in ESTIMATORS.values() for kind in estimator.kinds}
    assert taken == set(OUTCOME_KINDS)
    assert all(name == estimator.name for name, estimator in ESTIMATORS.items())
    assert all(name == kind.name for name, kind in OUTCOME_KINDS.items())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_has_defaults_for_all_its_options(name: str) -> None:
    for kind in ESTIMATORS[name].kinds:
        assert make_estimator(name, {}, kind=kind) == ESTIMATORS[name]().for_kind(kind)


@pytest.mark.parametrize(
    ("name", "options", "kind", "words"),
    [
        ("cox", {}, "count", "unknown"),
        ("count_mixed", {}, "binary", "needs an outcome of the kind count"),
        ("linear_mixed", {"nodes": 3}, "count", "has no option 'nodes'"),
        ("linear_cluster", {"nodes": 3}, "count", "has no option 'nodes'"),
        ("count_mixed", {"family": "normal"}, "count", "'family' of 'count_mixed' is 'normal'"),
        ("count_mixed", {"n_nodes": 0}, "count", "'n_nodes' of 'count_mixed' is 0"),
        ("logistic_mixed", {"n_nodes": "many"}, "binary", "'n_nodes' of 'logistic_mixed' is 'many'"),
        (
            "gee",
            {"link": "log"},
            "continuous",
            "'log' of 'gee' is not for a continuous outcome. Use identity.",
        ),
        ("gee", {"link": "logit"}, "count", "is not for a count outcome. Use log or identity."),
        ("gee", {"link": "probit"}, "binary", "'link' of 'gee' is 'probit'"),
        ("logistic_mixed", {"n_nodes": True}, "binary", "'n_nodes' of 'logistic_mixed' is True"),
    ],
)
def test_an_estimator_that_cannot_be_is_refused(
    name: str, options: dict[str, str | int], kind: str, words: str
) -> None:
    with pytest.raises(EstimationError, match=words):
        make_estimator(name, options, kind=kind)
    with pytest.raises(EstimationError, match=words):
        replace(QUESTION, model=name, options=options, kind=kind)


def test_options_reach_the_fit() -> None:
    frame = counts()
    laplace = answered(frame, replace(QUESTION, options={"family": "poisson", "n_nodes": 1}))
    assert laplace["difference", "pilot"].method == "poisson_mixed_1_nodes"
    linear = replace(QUESTION, model="linear_mixed", options={"df_method": "satterthwaite"})
    assert answered(frame, linear)["difference", "pilot"].df_method == "satterthwaite"
    few = answered(frame, replace(linear, options={"df_method": "kenward_roger"}))
    assert few["difference", "pilot"].se_type == "kenward_roger"
    assert few["difference_robust", "pilot"] == answered(frame, linear)["difference_robust", "pilot"]


def test_a_ratio_has_the_errors_that_the_plan_asks_for() -> None:
    frame = counts()
    errors = {}
    for se_type in ("CR0", "CR2", "CR3"):
        found = answered(frame, replace(QUESTION, model="linear_cluster", options={"se_type": se_type}))
        assert found["rate_ratio", "pilot"].se_type == found["difference", "pilot"].se_type == se_type
        errors[se_type] = [found[quantity, "pilot"].std_error for quantity in ("difference", "rate_ratio")]
    # Eight equal schools per arm and no covariates: a school's leverage is one eighth.
    assert errors["CR2"] == pytest.approx([error * math.sqrt(8 / 7) for error in errors["CR0"]])
    assert errors["CR3"] == pytest.approx([error * 8 / 7 for error in errors["CR0"]])


def test_kenward_rogers_method_of_equal_schools_is_the_t_test_of_their_means() -> None:
    frame = counts(spread=1.0)
    question = replace(QUESTION, kind="continuous", model="linear_mixed", options={"df_method": "kenward_roger"})
    row = answered(frame, question)["difference", "pilot"]
    means = frame.groupby(["arm", "school_id"])["days"].mean()
    expected = stats.ttest_ind(means["pilot"], means["control"])
    assert (row.statistic, row.df) == pytest.approx((expected.statistic, 14))
    assert row.p_value == pytest.approx(expected.pvalue)


def test_counts_are_answered_as_rate_effects_does() -> None:
    frame = counts()
    question = replace(QUESTION, covariates=("prior",))
    found, twin = answered(frame, question), rate_effects(frame, question.effect_model())
    difference, ratio = found["difference", "pilot"], found["rate_ratio", "pilot"]
    expected = twin.row("mean_difference", "pilot")
    assert (difference.estimate, difference.std_error, difference.df) == pytest.approx(
        (expected.estimate, expected.std_error, expected.df)
    )
    assert ratio.estimate == pytest.approx(twin.row("rate_ratio", "pilot").estimate)
    assert found["adjusted_mean", "pilot"].estimate == pytest.approx(
        found["mean", "control"].estimate + difference.estimate
    )


@pytest.mark.parametrize("model", ["count_mixed", "linear_mixed", "linear_cluster", "gee"])
def test_without_covariates_in_equal_schools_the_ratio_is_that_of_the_observed_means(model: str) -> None:
    frame = counts(spread=0.0)
    # Schools of an arm differ by one day in one pupil, which leaves the arm's mean as it is.
    values = [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 11, 15]
    frame["days"] = np.tile(values, 16) * np.where(frame["arm"] == "pilot", 1.0, 2.0)
    last = frame.groupby("school_id").tail(1).index
    frame.loc[last, "days"] += np.tile([1.0, 1.0, -1.0, -1.0], 4)
    found = answered(frame, replace(QUESTION, model=model))
    assert found["rate_ratio", "pilot"].estimate == pytest.approx(0.5, rel=1e-6)
    mean = sum(values) / len(values)
    assert found["mean", "control"].estimate == pytest.approx(2 * mean)
    assert found["adjusted_mean", "pilot"].estimate == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("model", ["count_mixed", "gee"])
def test_a_level_without_any_count_keeps_the_ratio_and_enters_the_means(model: str) -> None:
    frame = counts().assign(days=lambda table: table["days"].where(table["group"] == "many", 0.0))
    others = frame[frame["group"] == "many"]
    with_zeros = answered(frame, replace(QUESTION, model=model, covariates=("group",)))
    without = answered(others, replace(QUESTION, model=model))
    share = len(others) / len(frame)
    assert with_zeros["rate_ratio", "pilot"].estimate == pytest.approx(without["rate_ratio", "pilot"].estimate)
    assert with_zeros["difference", "pilot"].estimate == pytest.approx(share * without["difference", "pilot"].estimate)
    assert with_zeros["difference", "pilot"].p_value == pytest.approx(without["difference", "pilot"].p_value)
    assert with_zeros["difference", "pilot"].n_pupils == len(frame)


@pytest.mark.parametrize("model", ["count_mixed", "linear_mixed", "linear_cluster", "gee"])
def test_renamed_and_reordered_schools_change_nothing(model: str) -> None:
    frame = counts()
    renamed = frame.assign(school_id="Z" + frame["school_id"].str[::-1]).sample(frac=1, random_state=1)
    question = replace(QUESTION, model=model)
    for key, row in answered(frame, question).items():
        assert answered(renamed, question)[key].estimate == pytest.approx(row.estimate, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize(
    ("value", "words"), [(2.5, "1 row has another value: 2.5"), (-1.0, "1 row has another value: -1")]
)
def test_what_is_no_count_fails_in_every_row(value: float, words: str) -> None:
    frame = counts()
    frame.loc[3, "days"] = value
    found = answered(frame)
    assert {row.status for row in found.values()} == {"failed"}
    assert all(words in row.reason for row in found.values())


def test_an_arm_without_any_count_has_no_ratio_and_says_so() -> None:
    frame = counts().assign(days=lambda table: table["days"].where(table["arm"] == "control", 0.0))
    for model in ("count_mixed", "linear_mixed", "gee"):
        ratio = answered(frame, replace(QUESTION, model=model))["rate_ratio", "pilot"]
        assert ratio.status == "failed"
        assert ratio.reason
        assert math.isnan(ratio.estimate)


def test_the_interval_of_the_icc_of_a_count_has_a_caution_and_that_of_a_mean_has_none() -> None:
    frame = counts()
    assert answered(frame)["icc", ""].caution == "skewed"
    score = replace(QUESTION, kind="continuous", model="linear_mixed")
    assert answered(frame, score)["icc", ""].caution == ""
