"""Times to leaving: histories, curves, restricted means, Cox, hazards; limiting cases by hand, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

from analysis.time_to_event import (
    TimeToEvent,
    cumulative_incidence,
    durations,
    fit_cox,
    hazard_effects,
    kaplan_meier,
    leaving_effects,
    leaving_times,
    pupil_terms,
)
from data_schema.errors import EstimationError

QUESTION = TimeToEvent(time="time", status="status", school="school", arm="arm", arms=("control", "pilot"))


def pupils(rows: list[tuple[str, str, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["school", "arm", "time", "status"])


SMALL = pupils(
    [
        ("a", "control", 1, "left_early"),
        ("a", "control", 2, "transferred"),
        ("b", "control", 2, "left_early"),
        ("b", "control", 3, "enrolled"),
        ("c", "pilot", 2, "left_early"),
        ("c", "pilot", 3, "enrolled"),
        ("d", "pilot", 3, "left_early"),
        ("d", "pilot", 3, "enrolled"),
    ]
)


def drawn(n_schools: int, n: int, *, seed: int, effect: float = -0.5, school_sd: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    pilot = school % 2 == 1
    prior = rng.standard_normal(school.size)
    rate = 0.08 * np.exp(effect * pilot + 0.4 * prior + school_sd * rng.standard_normal(n_schools)[school])
    left, moved = rng.exponential(1 / rate), rng.exponential(30.0, size=school.size)
    time = np.minimum(np.ceil(np.minimum(left, moved)), 6.0)
    status = np.where(
        np.ceil(np.minimum(left, moved)) > 6, "enrolled", np.where(left < moved, "left_early", "transferred")
    )
    arm = np.where(pilot, "pilot", "control")
    return pd.DataFrame({"school": school, "arm": arm, "prior": prior, "time": time, "status": status})


def records(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"school_id": "s", "pupil_id": pupil, "status": status, "status_date": date} for pupil, status, date in rows]
    )


START, END = pd.Timestamp("2027-10-01"), pd.Timestamp("2028-06-30")


@pytest.mark.parametrize(
    ("rows", "time", "status", "problem"),
    [
        ([("enrolled", None), ("left_early", "2027-10-11")], 10.0, "left_early", ""),
        ([("enrolled", None), ("enrolled", None)], 273.0, "enrolled", ""),
        ([("left_early", "2028-01-01"), ("left_early", "2028-01-01")], 92.0, "left_early", ""),
        ([("left_early", "2028-09-01")], 273.0, "enrolled", ""),
        ([("left_early", "2027-09-01")], math.nan, "left_early", "left before the start"),
        ([("left_early", None)], math.nan, "left_early", "an ending without a date"),
        (
            [("left_early", "2028-01-01"), ("enrolled", None)],
            math.nan,
            "left_early",
            "the records contradict each other",
        ),
        (
            [("left_early", "2028-01-01"), ("transferred", "2028-01-01")],
            math.nan,
            "left_early",
            "the records contradict each other",
        ),
        ([("unknown", None)], math.nan, "unknown", "nothing is known"),
        ([("enrolled", "2028-01-01"), ("unknown", None)], 92.0, "unknown", ""),
        ([("enrolled", None), ("unknown", None)], math.nan, "unknown", "enrolled at first, then nothing is known"),
    ],
)
def test_a_history_gives_a_time_or_says_why_it_cannot(
    rows: list[tuple[str, str | None]], time: float, status: str, problem: str
) -> None:
    table = records(*[("p", word, day) for word, day in rows])
    found = leaving_times(table, start=START, end=END).times.iloc[0]
    assert found["time"] == pytest.approx(time, nan_ok=True)
    assert (found["status"], found["problem"]) == (status, problem)


def test_follow_up_that_differs_by_country_ends_there_and_problems_are_counted() -> None:
    table = records(("p", "enrolled", None), ("q", "enrolled", None), ("r", "left_early", None))
    table["country"] = ["HU", "RS", "RS"]
    histories = leaving_times(table, start=START, end={"HU": END, "RS": pd.Timestamp("2028-01-01")})
    assert histories.times["time"].tolist()[:2] == [273.0, 92.0]
    assert histories.problems().to_dict("list") == {"problem": ["an ending without a date"], "n_pupils": [1]}
    with pytest.raises(EstimationError, match="RS has none"):
        leaving_times(table, start=START, end={"HU": END})
    with pytest.raises(EstimationError, match="'gone' is not a status"):
        leaving_times(records(("p", "gone", None)), start=START, end=END)


def test_kaplan_meier_by_hand() -> None:
    table = kaplan_meier(SMALL, QUESTION).tidy()
    control = table[table["arm"] == "control"]
    # Of four one leaves, of three one leaves and one moves away, of one nobody leaves.
    assert control["at_risk"].tolist() == [4, 3, 1]
    assert control["share"].tolist() == pytest.approx([3 / 4, 3 / 4 * 2 / 3, 1 / 2])
    # Greenwood: share times the root of 1 / (4 * 3), and then of that and 1 / (3 * 2).
    assert control["std_error"].tolist()[:2] == pytest.approx(
        [0.75 * math.sqrt(1 / 12), 0.5 * math.sqrt(1 / 12 + 1 / 6)]
    )
    # Without school a: of two one leaves at 2. Without b: of two one leaves at 1, and the other moves.
    assert control["school_error"].tolist() == pytest.approx(
        [math.sqrt(0.5 * 2 * 0.25**2), math.sqrt(0.5 * 2 * 0.0), math.sqrt(0.0)], abs=1e-12
    )


def test_cumulative_incidence_and_staying_add_up_to_one() -> None:
    frame = drawn(12, 20, seed=1)
    table = cumulative_incidence(frame, QUESTION).tidy()
    ended = table[table["time"] == 6].groupby("arm")["share"].sum()
    # Nobody is censored before the end, so that shares are counts.
    observed = frame.assign(gone=frame["status"] != "enrolled").groupby("arm")["gone"].mean()
    assert ended["control"] == pytest.approx(observed["control"])
    assert ended["pilot"] == pytest.approx(observed["pilot"])
    inside = table.dropna(subset=["conf_low"])
    assert ((inside["conf_low"] < inside["share"]) & (inside["share"] < inside["conf_high"])).all()


def test_the_jackknife_over_schools_of_equal_size_is_the_error_of_school_means() -> None:
    frame = drawn(20, 15, seed=3)
    row = leaving_effects(frame, QUESTION).row("incidence_difference", "pilot")
    by_school = frame.assign(left=frame["status"] == "left_early").groupby(["arm", "school"])["left"].mean()
    arms = [by_school[arm].to_numpy() for arm in ("control", "pilot")]
    assert row.estimate == pytest.approx(arms[1].mean() - arms[0].mean())
    assert row.std_error == pytest.approx(math.sqrt(sum(arm.var(ddof=1) / 10 for arm in arms)))
    assert 9 <= row.df <= 18


def test_the_restricted_mean_is_the_mean_of_times_when_nobody_is_censored() -> None:
    frame = drawn(12, 20, seed=5)
    effects = leaving_effects(frame, QUESTION)
    means = frame.groupby("arm")["time"].mean()
    assert effects.horizon == 6
    assert effects.row("restricted_mean", "control").estimate == pytest.approx(means["control"])
    difference = effects.row("restricted_mean_difference", "pilot")
    assert difference.estimate == pytest.approx(means["pilot"] - means["control"])
    assert math.isnan(effects.row("restricted_mean", "control").p_value)


def test_a_horizon_beyond_a_countrys_follow_up_fails_and_the_default_keeps_within_it() -> None:
    frame = drawn(16, 10, seed=2)
    frame["country"] = np.where(frame["school"] < 8, "HU", "RS")
    short = (frame["country"] == "RS") & (frame["time"] > 4)
    frame.loc[short, "status"] = "enrolled"
    frame.loc[short, "time"] = 4.0
    question = replace(QUESTION, country="country")
    assert leaving_effects(frame, question).horizon == 4
    failed = leaving_effects(frame, question, horizon=6)
    assert {row.status for row in failed.rows} == {"failed"}
    assert "ends at 4" in failed.rows[0].reason


def test_an_arm_without_pupils_fails_with_a_reason() -> None:
    effects = leaving_effects(SMALL[SMALL["arm"] == "control"], QUESTION)
    assert {row.status for row in effects.rows} == {"failed"}
    assert "arm pilot" in effects.rows[0].reason


def test_an_arm_in_which_nobody_leaves_has_a_share_of_zero_and_still_a_difference() -> None:
    frame = SMALL.assign(status=np.where(SMALL["arm"] == "pilot", "enrolled", SMALL["status"]))
    effects = leaving_effects(frame, QUESTION, horizon=2)
    pilot = effects.row("cumulative_incidence", "pilot")
    assert (pilot.estimate, pilot.status) == (0.0, "boundary")


def test_pupils_before_the_start_and_without_a_time_are_left_out_and_counted() -> None:
    frame = pd.concat([SMALL, pupils([("a", "control", 0, "left_early"), ("a", "control", math.nan, "enrolled")])])
    data = durations(frame, QUESTION)
    assert (data.n_before_start, data.n_missing, len(data.time)) == (1, 1, 8)
    glance = kaplan_meier(frame, QUESTION).glance()
    assert glance[["n_missing", "n_before_start"]].to_numpy().tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("frame", "question", "words"),
    [
        (SMALL.assign(status="away"), QUESTION, "neither the event"),
        (SMALL.assign(arm="third"), QUESTION, "is not one of the arms"),
        (SMALL.assign(school="one"), QUESTION, "more than one arm"),
        (SMALL.drop(columns="time"), QUESTION, "no column 'time'"),
        (SMALL.assign(time=-1.0), QUESTION, "no pupil has one above 0"),
    ],
)
def test_times_that_cannot_be_read_are_refused(frame: pd.DataFrame, question: TimeToEvent, words: str) -> None:
    with pytest.raises(EstimationError, match=words):
        durations(frame, question)


def test_a_status_in_two_roles_and_unknown_choices_are_refused() -> None:
    with pytest.raises(EstimationError, match="'enrolled' is used twice"):
        replace(QUESTION, competing=("enrolled",))
    with pytest.raises(EstimationError, match="ties='exact'"):
        fit_cox(SMALL, QUESTION, ties="exact")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="has no length"):
        pupil_terms(SMALL, QUESTION, term_length=0)


def test_coxs_model_maximises_the_partial_likelihood_written_out() -> None:
    frame = drawn(8, 6, seed=4)
    question = replace(QUESTION, covariates=("prior",))
    fit = fit_cox(frame, question, ties="breslow")
    x = np.column_stack([frame["arm"] == "pilot", frame["prior"]]).astype(float)
    time, event = frame["time"].to_numpy(), (frame["status"] == "left_early").to_numpy()

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
    frame["time"] = frame["time"] + 0.001 * rng.permutation(len(frame))
    question = replace(QUESTION, covariates=("prior",))
    one, other = (fit_cox(frame, question, ties=ties) for ties in ("efron", "breslow"))
    assert one.estimate("arm[pilot]").estimate == pytest.approx(other.estimate("arm[pilot]").estimate, rel=1e-10)
    far = fit_cox(frame.assign(prior=1e5 + 100 * frame["prior"], time=30 * frame["time"]), question)
    assert far.estimate("arm[pilot]").estimate == pytest.approx(one.estimate("arm[pilot]").estimate, rel=1e-6)
    assert far.estimate("prior").estimate == pytest.approx(one.estimate("prior").estimate / 100, rel=1e-6)


def test_score_residuals_by_school_vanish_in_sum_and_the_jackknife_is_larger() -> None:
    frame = drawn(12, 15, seed=7)
    robust, jackknife = (
        fit_cox(frame, QUESTION, se_type=kind).estimate("arm[pilot]") for kind in ("school_robust", "school_jackknife")
    )
    assert jackknife.std_error > robust.std_error
    assert jackknife.std_error == pytest.approx(robust.std_error, rel=0.35)
    assert jackknife.df == 10


def test_strata_have_hazards_of_their_own() -> None:
    frame = drawn(16, 12, seed=8)
    frame["pair"] = frame["school"] // 2
    fit = fit_cox(frame, replace(QUESTION, strata="pair"))
    assert fit.coefficients is not None
    assert fit.coefficients.names == ("arm[pilot]",)
    # Hazards that differ between pairs by a factor leave the comparison within pairs alone.
    slower = frame.assign(time=frame["time"] * (1 + frame["pair"]))
    again = fit_cox(slower, replace(QUESTION, strata="pair"))
    assert again.estimate("arm[pilot]").estimate == pytest.approx(fit.estimate("arm[pilot]").estimate, rel=1e-9)


def test_an_arm_in_which_nobody_leaves_has_no_hazard_ratio() -> None:
    frame = SMALL.assign(status=np.where(SMALL["arm"] == "pilot", "enrolled", SMALL["status"]))
    fit = fit_cox(frame, QUESTION)
    assert fit.status == "failed"
    assert fit.convergence.reason.startswith("Nobody in the arm pilot")


def test_pupils_terms_are_those_at_risk_and_an_event_is_in_its_own() -> None:
    terms = pupil_terms(SMALL, QUESTION)
    assert len(terms) == int(SMALL["time"].sum())
    assert terms["event"].sum() == (SMALL["status"] == "left_early").sum()
    assert terms.loc[terms["event"] == 1, "term"].astype(int).tolist() == [1, 2, 2, 3]
    halves = pupil_terms(SMALL.assign(time=SMALL["time"] / 2), QUESTION, term_length=0.5)
    assert len(halves) == len(terms)


def test_without_covariates_and_school_effects_the_risk_is_that_of_observed_hazards() -> None:
    frame = drawn(12, 40, seed=9, school_sd=0.0)
    effects = hazard_effects(frame, QUESTION)
    by_arm = effects.hazards.groupby("arm")["share"].apply(lambda share: 1 - float(np.prod(1 - share)))
    # The model has one ratio of hazards for all terms, so that risks are near the observed ones and not the same.
    for arm in ("control", "pilot"):
        assert effects.row("risk", arm).estimate == pytest.approx(by_arm[arm], abs=0.02)
    ratio = effects.row("hazard_ratio", "pilot")
    cox = fit_cox(frame, QUESTION).estimate("arm[pilot]")
    assert math.log(ratio.estimate) == pytest.approx(cox.estimate, abs=0.05)
    assert effects.row("risk_difference", "pilot").status in ("ok", "boundary")


def test_the_slopes_of_the_risk_are_derivatives() -> None:
    from analysis.binary.fitting import fit_binary, fitted_parts
    from analysis.time_to_event import hazard

    frame = drawn(14, 15, seed=10)
    model = replace(QUESTION.model(outcome="event"), covariates=("term",))
    binary = fit_binary(pupil_terms(frame, QUESTION), model, link="cloglog", n_nodes=15)
    problem, optimum, _ = fitted_parts(binary)
    terms = list(binary.terms)
    at = np.append(optimum.beta, 0.4)
    _, slope = hazard._risk(problem, at[:-1], at[-1], terms=terms, chosen=terms[0])
    for place in range(len(at)):
        step = np.zeros(len(at))
        step[place] = 1e-6
        high, low = (
            hazard._risk(problem, (at + s)[:-1], (at + s)[-1], terms=terms, chosen=terms[0])[0] for s in (step, -step)
        )
        assert slope[place] == pytest.approx((high - low) / 2e-6, rel=1e-4, abs=1e-8)


def test_hazards_without_events_fail_with_a_reason_in_every_row() -> None:
    frame = SMALL.assign(status="enrolled")
    effects = hazard_effects(frame, QUESTION, link="logit")
    assert [row.quantity for row in effects.rows] == ["risk", "risk", "risk_difference", "odds_ratio"]
    assert {row.status for row in effects.rows} == {"failed"}
    assert effects.tidy()["reason"].str.len().min() > 0
    assert effects.glance()["note"].tolist() == [""]
