"""Times until an event: shares by a horizon, Cox's model, and the rows of a plan; limiting cases by hand, bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from analysis import Estimate, Model, Question, estimate_effects
from analysis.time_to_event import fit_cox, pseudo_values
from data_schema.errors import EstimationError

ARMS = ("control", "pilot")
MODEL = Model(outcome="left", school="school_id", arm="arm", arms=ARMS)
QUESTION = Question(
    plan_entry="leaving",
    outcome="left",
    kind="time_to_event",
    role="primary",
    model="survival_cluster",
    arms=ARMS,
    strata=None,
    horizon=4.0,
)


def pupils(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["school_id", "arm", "left.time", "left"])


SMALL = pupils(
    [
        ("a", "control", 1, 1),
        ("a", "control", 2, 0),
        ("b", "control", 2, 1),
        ("b", "control", 3, 0),
        ("c", "pilot", 2, 1),
        ("c", "pilot", 3, 0),
        ("d", "pilot", 3, 1),
        ("d", "pilot", 3, 0),
    ]
)


def drawn(n_schools: int, n: int, *, seed: int, effect: float = -0.5, lost: bool = True) -> pd.DataFrame:
    """Return pupils who leave at some time, some of whom are lost from view before the sixth term ends."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    pilot = school % 2 == 1
    prior = rng.standard_normal(school.size)
    rate = 0.08 * np.exp(effect * pilot + 0.4 * prior + 0.3 * rng.standard_normal(n_schools)[school])
    left, moved = rng.exponential(1 / rate), rng.exponential(30.0 if lost else math.inf, size=school.size)
    time = np.minimum(np.ceil(np.minimum(left, moved)), 6.0)
    event = (left < moved) & (np.ceil(left) <= 6)
    arm = np.where(pilot, "pilot", "control")
    names = [f"S{number:02d}" for number in school]
    return pd.DataFrame(
        {"school_id": names, "arm": arm, "prior": prior, "left.time": time, "left": event.astype(float)}
    )


def answered(frame: pd.DataFrame, question: Question = QUESTION) -> dict[tuple[str, str], Estimate]:
    schools = frame.drop_duplicates("school_id")
    actual = np.array([question.arms.index(arm) for arm in schools["arm"]])
    draws = np.random.default_rng(1).permuted(np.tile(actual, (99, 1)), axis=1)
    rows = estimate_effects(frame, question, schools=tuple(schools["school_id"]), actual=actual, draws=draws)
    return {(row.quantity, row.arm): row for row in rows}


def test_a_share_by_hand_and_each_pupils_part_in_it() -> None:
    time, event = np.array([1.0, 2, 2, 3]), np.array([True, False, True, False])
    # Of four one leaves, and of the three that are left one: a half, of which the pupil with the second event has more.
    assert pseudo_values(time, event, horizon=2.5).mean() == pytest.approx(1 / 4 + 3 / 4 / 3)
    assert pseudo_values(time, event, horizon=1.5).tolist() == pytest.approx([1, 0, 0, 0])
    assert pseudo_values(time, event, horizon=0.5).tolist() == [0, 0, 0, 0]


def test_where_the_last_pupil_who_was_seen_left_the_share_is_everybody() -> None:
    assert pseudo_values(np.array([1.0, 2]), np.array([False, True]), horizon=3).tolist() == [1, 1]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=40),
    st.integers(1, 12),
)
def test_parts_average_to_the_share_of_kaplan_and_meier(rows: list[tuple[int, bool]], horizon: int) -> None:
    time, event = np.array([float(at) for at, _ in rows]), np.array([left for _, left in rows])
    staying = 1.0
    for at in sorted(set(time[event & (time <= horizon)])):
        staying *= 1 - (event & (time == at)).sum() / (time >= at).sum()
    values = pseudo_values(time, event, horizon=horizon)
    assert values.mean() == pytest.approx(1 - staying, abs=1e-12)
    # A share is at least that of the pupils seen to have the event, and leaves room for those seen to have it not.
    assert (event & (time <= horizon)).mean() <= values.mean() + 1e-12
    assert values.mean() <= 1 - (time > horizon).mean() + 1e-12
    assert pseudo_values(30 * time, event, horizon=30 * horizon) == pytest.approx(values)


def test_where_everybody_is_seen_to_the_horizon_the_rows_are_those_of_a_binary_outcome() -> None:
    frame = drawn(12, 15, seed=4, lost=False)
    frame["by"] = ((frame["left"] == 1) & (frame["left.time"] <= 4)).astype(float)
    ours = answered(frame, replace(QUESTION, covariates=("prior",)))
    binary = Question(
        plan_entry="leaving",
        outcome="by",
        kind="binary",
        role="primary",
        model="linear_cluster",
        arms=ARMS,
        strata=None,
        covariates=("prior",),
    )
    theirs = answered(frame, binary)
    assert set(ours) - set(theirs) == {("hazard_ratio", "pilot")}
    for key, row in theirs.items():
        assert ours[key].estimate == pytest.approx(row.estimate, nan_ok=True)
        assert ours[key].conf_low == pytest.approx(row.conf_low, nan_ok=True)
        assert ours[key].p_value == pytest.approx(row.p_value, nan_ok=True)
        assert (ours[key].caution, ours[key].status) == (row.caution, row.status)


def test_without_covariates_the_difference_is_that_of_the_two_curves() -> None:
    frame = drawn(12, 15, seed=3)
    rows = answered(frame)
    difference = rows["difference", "pilot"]
    assert difference.estimate == pytest.approx(rows["mean", "pilot"].estimate - rows["mean", "control"].estimate)
    assert rows["adjusted_mean", "pilot"].estimate == pytest.approx(rows["mean", "pilot"].estimate)
    assert rows["mean", "pilot"].method == "kaplan_meier"
    assert (difference.se_type, difference.df_method) == ("CR2", "satterthwaite")
    assert difference.conf_low < difference.estimate < difference.conf_high


def test_the_unit_of_the_time_changes_nothing() -> None:
    frame = drawn(12, 15, seed=5)
    days = frame.assign(**{"left.time": 30 * frame["left.time"]})
    ours, theirs = answered(frame), answered(days, replace(QUESTION, horizon=120.0))
    for key, row in ours.items():
        assert theirs[key].estimate == pytest.approx(row.estimate, nan_ok=True, rel=1e-9)


def test_a_randomisation_test_asks_of_curves_that_no_allocation_changes() -> None:
    frame = drawn(12, 15, seed=6)
    swapped = frame.assign(arm=np.where(frame["arm"] == "pilot", "control", "pilot"))
    rows, others = answered(frame), answered(swapped)
    assert rows["randomisation_test", "pilot"].p_value == pytest.approx(others["randomisation_test", "pilot"].p_value)


def test_pupils_without_a_time_or_an_event_are_left_out_and_counted() -> None:
    frame = drawn(8, 10, seed=7)
    frame.loc[0, "left"] = math.nan
    whole = answered(frame.drop(index=0))
    assert answered(frame)["difference", "pilot"].n_pupils == whole["difference", "pilot"].n_pupils == 79
    assert answered(frame)["difference", "pilot"].estimate == pytest.approx(whole["difference", "pilot"].estimate)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (SMALL.assign(left=2.0), "must be 0 or 1"),
        (SMALL.assign(**{"left.time": -1.0}), "has times below 0"),
        (SMALL, "No pupil of the arm control was followed for 4 (the longest time is 3)"),
    ],
)
def test_outcomes_that_cannot_be_answered_fail_with_a_reason(frame: pd.DataFrame, words: str) -> None:
    row = answered(frame)["difference", "pilot"]
    assert row.status == "failed"
    assert words in row.reason


def test_an_arm_in_which_nobody_leaves_has_a_share_and_no_hazard_ratio() -> None:
    frame = drawn(8, 10, seed=8)
    frame["left"] = frame["left"].where(frame["arm"] == "control", 0.0)
    rows = answered(frame)
    assert rows["mean", "pilot"].estimate == 0
    assert "few_events" in rows["difference", "pilot"].caution
    assert rows["hazard_ratio", "pilot"].reason.startswith("Nobody in the arm pilot")


@pytest.mark.parametrize(
    ("kind", "model", "horizon"), [("time_to_event", "survival_cluster", math.nan), ("binary", "linear_cluster", 4.0)]
)
def test_a_horizon_goes_with_times_and_with_nothing_else(kind: str, model: str, horizon: float) -> None:
    with pytest.raises(EstimationError, match="does not go with the kind"):
        replace(QUESTION, kind=kind, model=model, horizon=horizon)


def test_coxs_model_maximises_the_partial_likelihood_written_out() -> None:
    frame = drawn(8, 6, seed=4)
    fit = fit_cox(frame, replace(MODEL, covariates=("prior",)), time="left.time", ties="breslow")
    x = np.column_stack([frame["arm"] == "pilot", frame["prior"]]).astype(float)
    time, event = frame["left.time"].to_numpy(), (frame["left"] == 1).to_numpy()

    def minus_log_likelihood(beta: np.ndarray) -> float:
        eta = x @ beta
        return -sum(float(eta[i] - math.log(np.exp(eta[time >= time[i]]).sum())) for i in range(len(time)) if event[i])

    best = optimize.minimize(minus_log_likelihood, np.zeros(2), method="BFGS", options={"gtol": 1e-8})
    assert fit.coefficients is not None
    assert fit.coefficients.estimate == pytest.approx(best.x, abs=1e-5)
    assert fit.convergence.objective == pytest.approx(2 * best.fun, abs=1e-8)


def test_without_ties_efron_and_breslow_are_the_same_and_units_do_not_matter() -> None:
    frame = drawn(10, 8, seed=6)
    rng = np.random.default_rng(1)
    frame["left.time"] = frame["left.time"] + 0.001 * rng.permutation(len(frame))
    model = replace(MODEL, covariates=("prior",))
    one, other = (fit_cox(frame, model, time="left.time", ties=ties) for ties in ("efron", "breslow"))
    assert one.estimate("arm[pilot]").estimate == pytest.approx(other.estimate("arm[pilot]").estimate, rel=1e-10)
    moved = frame.assign(prior=1e5 + 100 * frame["prior"], **{"left.time": 30 * frame["left.time"]})
    far = fit_cox(moved, model, time="left.time")
    assert far.estimate("arm[pilot]").estimate == pytest.approx(one.estimate("arm[pilot]").estimate, rel=1e-6)
    assert far.estimate("prior").estimate == pytest.approx(one.estimate("prior").estimate / 100, rel=1e-6)


def test_score_residuals_by_school_vanish_in_sum_and_the_jackknife_is_larger() -> None:
    frame = drawn(12, 15, seed=7)
    robust, jackknife = (
        fit_cox(frame, MODEL, time="left.time", se_type=kind).estimate("arm[pilot]")
        for kind in ("school_robust", "school_jackknife")
    )
    assert jackknife.std_error > robust.std_error
    assert jackknife.std_error == pytest.approx(robust.std_error, rel=0.35)
    assert jackknife.df == 10


def test_strata_have_hazards_of_their_own() -> None:
    frame = drawn(16, 12, seed=8)
    frame["pair"] = pd.factorize(frame["school_id"])[0] // 2
    model = replace(MODEL, strata="pair")
    fit = fit_cox(frame, model, time="left.time")
    assert fit.coefficients is not None
    assert fit.coefficients.names == ("arm[pilot]",)
    # Hazards that differ between pairs by a factor leave the comparison within pairs alone.
    slower = frame.assign(**{"left.time": frame["left.time"] * (1 + frame["pair"])})
    again = fit_cox(slower, model, time="left.time")
    assert again.estimate("arm[pilot]").estimate == pytest.approx(fit.estimate("arm[pilot]").estimate, rel=1e-9)


def test_coxs_model_takes_no_weights_unknown_ties_or_times_below_zero() -> None:
    weighted = fit_cox(SMALL.assign(weight=1.0), replace(MODEL, weights="weight"), time="left.time")
    assert "takes no weights" in weighted.convergence.reason
    below = fit_cox(SMALL.assign(**{"left.time": -1.0}), MODEL, time="left.time")
    assert below.convergence.reason == "A time is below 0."
    with pytest.raises(EstimationError, match="ties='exact'"):
        fit_cox(SMALL, MODEL, time="left.time", ties="exact")  # type: ignore[arg-type]
