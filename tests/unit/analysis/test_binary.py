"""The logistic multilevel model: limiting cases by hand, derivatives, and what has no maximum."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from analysis import Fit, Model, fit_logistic_mixed
from analysis.inference.adjusted_profile import find_adjusted_profile_maximum
from analysis.quadrature import (
    Patterns,
    average_share,
    deviance,
    deviance_and_gradient,
    information,
    patterns,
    school_modes,
)

PLAIN = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"))


def counted(events: dict[str, list[int]], pupils: int) -> pd.DataFrame:
    """One school an entry of each arm's list, which says how many of its pupils had the event."""
    rows = [
        {"school": f"{arm}{k}", "arm": arm, "left": int(pupil < count)}
        for arm, counts in events.items()
        for k, count in enumerate(counts)
        for pupil in range(pupils)
    ]
    return pd.DataFrame(rows)


def drawn(n_schools: int, pupils: int, *, school_sd: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), pupils)
    arm = np.where(school % 2 == 0, "control", "pilot")
    prior = rng.standard_normal(school.size).round(1)
    odds = -1 + 0.6 * (arm == "pilot") + 0.5 * prior + school_sd * rng.standard_normal(n_schools)[school]
    left = (rng.random(school.size) < special.expit(odds)).astype(int)
    return pd.DataFrame({"school": school, "arm": arm, "prior": prior, "left": left})


def test_schools_that_do_not_differ_give_the_odds_ratio_of_the_two_by_two_table() -> None:
    frame = counted({"control": [4] * 6, "pilot": [8] * 6}, 20)
    fit = fit_logistic_mixed(frame, PLAIN)
    row = fit.estimate("arm[pilot]")
    assert fit.status == "boundary"
    assert fit.variances["school"] == 0
    assert row.estimate == pytest.approx(math.log((48 / 72) / (24 / 96)), rel=1e-8)
    assert row.std_error == pytest.approx(math.sqrt(1 / 48 + 1 / 72 + 1 / 24 + 1 / 96), rel=1e-6)
    assert row.df == 10
    cells = (
        120 * math.log(0.2) * 0.2 + 120 * math.log(0.8) * 0.8 + 120 * math.log(0.4) * 0.4 + 120 * math.log(0.6) * 0.6
    )
    assert fit.convergence.objective == pytest.approx(-2 * cells, rel=1e-10)


def test_its_risk_difference_is_then_the_difference_of_shares() -> None:
    fit = fit_logistic_mixed(counted({"control": [4] * 6, "pilot": [8] * 6}, 20), PLAIN)
    row = fit.difference("arm[pilot]")
    assert row.estimate == pytest.approx(0.2, abs=1e-9)
    assert row.std_error == pytest.approx(math.sqrt(0.4 * 0.6 / 120 + 0.2 * 0.8 / 120), rel=1e-6)


def test_with_a_school_variance_the_risk_difference_averages_over_schools() -> None:
    frame = drawn(40, 30, school_sd=1.0, seed=3)
    fit = fit_logistic_mixed(frame, PLAIN)
    observed = frame.groupby("arm")["left"].mean()
    row = fit.difference("arm[pilot]")
    assert fit.coefficients is not None
    intercept, effect = fit.coefficients.estimate
    sd = math.sqrt(fit.variances["school"])

    def share(log_odds: float) -> float:
        weight = 1 / math.sqrt(2 * math.pi)
        value, _ = integrate.quad(
            lambda z: weight * math.exp(-z * z / 2) * special.expit(log_odds + sd * z), -9, 9, epsabs=1e-12
        )
        return float(value)

    assert row.estimate == pytest.approx(share(intercept + effect) - share(intercept), abs=1e-8)
    assert row.estimate == pytest.approx(observed["pilot"] - observed["control"], abs=0.02)


def test_the_standard_error_of_the_risk_difference_is_near_that_of_school_means() -> None:
    frame = drawn(24, 25, school_sd=0.8, seed=5)
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
    row = fit_logistic_mixed(frame, model).difference("arm[pilot]")
    by_school = frame.groupby("school")["left"].mean()
    arm = frame.groupby("school")["arm"].first()
    spread = math.sqrt(sum(by_school[arm == name].var() / (arm == name).sum() for name in ("control", "pilot")))
    # The error of the unadjusted school means; the covariate takes little off between schools.
    assert row.std_error == pytest.approx(spread, rel=0.2)


def test_the_gradient_is_that_of_the_deviance() -> None:
    frame = drawn(9, 12, school_sd=0.8, seed=1)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["prior"]]).astype(float)
    data = patterns(x, frame["left"].to_numpy(), frame["school"].to_numpy(), n_schools=9)
    at = np.array([-0.8, 0.4, 0.3, 0.9])
    for n_nodes in (1, 7, 15):
        value, gradient = deviance_and_gradient(data, at[:-1], at[-1], n_nodes=n_nodes)
        assert value == deviance(data, at[:-1], at[-1], n_nodes=n_nodes)
        for place in range(4):
            step = np.zeros(4)
            step[place] = 1e-5
            high, low = (deviance(data, (at + s)[:-1], (at + s)[-1], n_nodes=n_nodes) for s in (step, -step))
            assert gradient[place] == pytest.approx((high - low) / 2e-5, rel=1e-5, abs=1e-5)


def test_quadrature_agrees_with_adaptive_integration() -> None:
    frame = drawn(6, 9, school_sd=1.0, seed=2)
    x = np.column_stack([np.ones(len(frame)), frame["prior"]])
    data = patterns(x, frame["left"].to_numpy(), frame["school"].to_numpy(), n_schools=6)
    beta, sd = np.array([-0.5, 0.6]), 1.3
    total = 0.0
    for school in range(6):
        mine = data.school == school

        def likelihood(z: float, mine: np.ndarray = mine) -> float:
            eta = data.x[mine] @ beta + sd * z
            log = float((data.events[mine] * eta - data.count[mine] * np.logaddexp(0, eta)).sum())
            return math.exp(log - z * z / 2) / math.sqrt(2 * math.pi)

        total += math.log(integrate.quad(likelihood, -9, 9, epsabs=1e-14)[0])
    assert deviance(data, beta, sd, n_nodes=25) == pytest.approx(-2 * total, abs=1e-6)
    # Laplace's approximation is near, and not the same.
    assert 1e-4 < abs(deviance(data, beta, sd, n_nodes=1) + 2 * total) < 0.5


@pytest.mark.parametrize("school_sd", [0.0, 0.5, 5.0, 60.0])
def test_modes_are_found_however_much_schools_differ(school_sd: float) -> None:
    data = Patterns(
        x=np.ones((4, 1)),
        school=np.arange(4),
        count=np.array([1000.0, 1000.0, 50.0, 3.0]),
        events=np.array([0.0, 1000.0, 25.0, 1.0]),
        n_schools=4,
    )
    fixed = np.array([3.0, -8.0, 0.0, 2.0])
    z, curvature = school_modes(data, fixed, school_sd)
    slope = school_sd * (data.events - data.count * special.expit(fixed + school_sd * z)) - z
    assert slope == pytest.approx(np.zeros(4), abs=1e-8)
    assert (curvature >= 1).all()


def test_average_share_without_school_variance_is_the_mean_of_shares() -> None:
    fixed = np.array([0.0, 1.0])
    share, gradient = average_share(fixed, 0.0, x=np.ones((2, 1)), count=np.array([3.0, 1.0]))
    chances = special.expit(fixed)
    assert share == pytest.approx(0.75 * chances[0] + 0.25 * chances[1])
    assert gradient[0] == pytest.approx(0.75 * chances[0] * (1 - chances[0]) + 0.25 * chances[1] * (1 - chances[1]))
    assert gradient[1] == pytest.approx(0, abs=1e-12)


def test_patterns_keep_every_pupil_and_event() -> None:
    frame = drawn(5, 30, school_sd=0.5, seed=1)
    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot"]).astype(float)
    data = patterns(x, frame["left"].to_numpy(), frame["school"].to_numpy(), n_schools=5)
    assert len(data.count) == 5
    assert data.count.tolist() == [30] * 5
    assert data.events.tolist() == frame.groupby("school")["left"].sum().tolist()


def test_an_arm_without_events_has_no_odds_ratio_by_maximum_likelihood() -> None:
    fit = fit_logistic_mixed(counted({"control": [3, 2, 4], "pilot": [0, 0, 0]}, 10), PLAIN, separation="fail")
    assert fit.status == "failed"
    assert fit.convergence.reason == "Nobody in the arm pilot had the event: the odds ratio is infinite."


def test_a_reference_arm_in_which_everybody_had_the_event_has_no_odds_ratio_by_maximum_likelihood() -> None:
    frame = counted({"control": [10, 10, 10], "pilot": [3, 5, 2]}, 10)
    assert "Everybody in the arm reference" in fit_logistic_mixed(frame, PLAIN, separation="fail").convergence.reason


def separated_within_strata() -> tuple[pd.DataFrame, Model]:
    frame = counted({"control": [0, 0, 4, 3], "pilot": [5, 6, 10, 10]}, 10)
    frame["stratum"] = frame["school"].str[-1].map({"0": "low", "1": "low", "2": "high", "3": "high"})
    return frame, Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")


def test_arms_that_are_separated_within_strata_have_no_odds_ratio_by_maximum_likelihood() -> None:
    # Not separated as a whole: 7 of 40 and 31 of 40 had the event. Within the strata nobody, and everybody.
    fit = fit_logistic_mixed(*separated_within_strata(), separation="fail")
    assert fit.status == "failed"
    assert "infinite" in fit.convergence.reason


def test_a_weak_prior_answers_where_maximum_likelihood_is_infinite_and_is_said() -> None:
    for frame, model in (
        (counted({"control": [3, 2, 4], "pilot": [0, 0, 0]}, 10), PLAIN),
        (counted({"control": [10, 10, 10], "pilot": [3, 5, 2]}, 10), PLAIN),
        separated_within_strata(),
    ):
        fit = fit_logistic_mixed(frame, model)
        row, shares = fit.estimate("arm[pilot]"), frame.groupby("arm")["left"].mean()
        assert fit.method == "logistic_mixed_15_nodes_weak_prior"
        assert math.isfinite(row.std_error)
        assert np.sign(row.estimate) == np.sign(shares["pilot"] - shares["control"])
        assert fit.difference("arm[pilot]").estimate == pytest.approx(shares["pilot"] - shares["control"], abs=0.12)


def test_a_covariate_that_tells_all_events_apart_gets_the_weak_prior() -> None:
    frame = drawn(12, 20, school_sd=0.4, seed=2)
    frame["telling"] = np.arange(len(frame)) % 7 + 10.0 * frame["left"]
    model = replace(PLAIN, covariates=("telling",))
    assert fit_logistic_mixed(frame, model, separation="fail").status == "failed"
    fit = fit_logistic_mixed(frame, model)
    assert fit.method.endswith("_weak_prior")
    assert math.isfinite(fit.estimate("arm[pilot]").conf_high)


def test_a_stratum_in_which_nobody_had_the_event_is_left_out_of_the_odds_ratio_only() -> None:
    frame = counted({"control": [4, 3, 0, 0, 5], "pilot": [8, 7, 0, 0, 6]}, 20)
    frame["stratum"] = frame["school"].str[-1].map({"0": "a", "1": "a", "2": "b", "3": "b", "4": "a"})
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    fit = fit_logistic_mixed(frame, model)
    alone = fit_logistic_mixed(frame[frame["stratum"] == "a"], PLAIN)
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(alone.estimate("arm[pilot]").estimate, rel=1e-7)
    assert (fit.n_schools, fit.n_pupils) == (10, 200)
    # Nobody leaves there in either arm: the difference of shares is that of the others times their part.
    whole, part = fit.difference("arm[pilot]"), alone.difference("arm[pilot]")
    assert whole.estimate == pytest.approx(0.6 * part.estimate, rel=1e-7)
    assert whole.std_error == pytest.approx(0.6 * part.std_error, rel=1e-5)


def test_a_category_in_which_nobody_had_the_event_does_not_spoil_the_odds_ratio() -> None:
    frame = drawn(14, 30, school_sd=0.6, seed=4)
    rare = (np.arange(len(frame)) % 40 == 7) & (frame["left"] == 0)
    frame["gender"] = np.where(rare, "other", np.where(np.arange(len(frame)) % 2 == 0, "girl", "boy"))
    frame["flag"] = np.where(rare, 1.0, 0.0)
    frame["gap"] = frame["prior"].where(~rare)
    plain = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"))
    alone = fit_logistic_mixed(frame[~rare], plain)
    for covariate in ("flag", "kind"):
        model = replace(plain, covariates=(covariate,))
        fit = fit_logistic_mixed(frame.assign(kind=np.where(rare, "rare", "usual")), model)
        assert fit.status == "ok"
        assert figures(fit) == pytest.approx(figures(alone), rel=1e-6)
        assert fit.n_pupils == len(frame)
        assert len(fit.dropped) == 1
    assert fit_logistic_mixed(frame, replace(plain, covariates=("gender",))).status == "ok"
    assert fit_logistic_mixed(frame, replace(plain, covariates=("gap",))).status == "ok"


def figures(fit: Fit) -> tuple[float, float]:
    row = fit.estimate("arm[pilot]")
    return row.estimate, row.std_error


def test_an_outcome_that_is_not_binary_is_refused_with_a_reason() -> None:
    frame = counted({"control": [3, 2, 4], "pilot": [2, 5, 1]}, 10)
    frame["left"] = frame["left"] * 2
    assert "must be 0 or 1, and " in fit_logistic_mixed(frame, PLAIN).convergence.reason


def test_schools_no_more_than_columns_leave_no_error_to_report() -> None:
    frame = counted({"control": [3, 2], "pilot": [2]}, 10)
    frame["stratum"] = frame["school"].map({"control0": "a", "control1": "b", "pilot0": "a"})
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="stratum")
    assert "no more schools than" in fit_logistic_mixed(frame, model).convergence.reason


def test_units_of_a_covariate_do_not_matter() -> None:
    frame = drawn(12, 25, school_sd=0.7, seed=8)
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
    one = fit_logistic_mixed(frame, model)
    other = fit_logistic_mixed(frame.assign(prior=1e6 + 1000 * frame["prior"]), model)
    for term in ("arm[pilot]",):
        assert other.estimate(term).estimate == pytest.approx(one.estimate(term).estimate, rel=1e-6)
        assert other.estimate(term).std_error == pytest.approx(one.estimate(term).std_error, rel=1e-5)
    assert other.estimate("prior").estimate == pytest.approx(one.estimate("prior").estimate / 1000, rel=1e-6)
    assert other.convergence.objective == pytest.approx(one.convergence.objective, abs=1e-7)


def test_large_schools_in_pairs_give_the_paired_t_test_of_their_log_odds() -> None:
    # With 4,000 pupils per school the log odds of schools are all but known, and what is left is a linear model.
    rng = np.random.default_rng(12)
    odds = -1 + 0.5 * rng.standard_normal((6, 2)) + np.array([0.0, 0.7])
    events = np.rint(4000 * special.expit(odds)).astype(int)
    frame = counted({"control": events[:, 0].tolist(), "pilot": events[:, 1].tolist()}, 4000)
    frame["pair"] = frame["school"].str[-1]
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), strata="pair")
    row = fit_logistic_mixed(frame, model).estimate("arm[pilot]")
    shares = events / 4000
    logits = np.log(shares / (1 - shares))
    paired = stats.ttest_rel(logits[:, 1], logits[:, 0])
    assert row.df == 5
    assert row.estimate == pytest.approx(float((logits[:, 1] - logits[:, 0]).mean()), rel=0.01)
    assert row.statistic == pytest.approx(float(paired.statistic), rel=0.01)
    assert row.p_value == pytest.approx(float(paired.pvalue), rel=0.03)
    # By maximum likelihood alone the error is that of 12 schools where there are 5 degrees of freedom.
    assert row.std_error == pytest.approx(row.estimate / row.statistic * math.sqrt(5 / 12), rel=0.02)


def test_the_adjusted_variance_is_restricted_maximum_likelihoods_for_large_schools() -> None:
    rng = np.random.default_rng(3)
    events = np.rint(4000 * special.expit(-1 + 0.6 * rng.standard_normal(9)))
    data = Patterns(x=np.ones((9, 1)), school=np.arange(9), count=np.full(9, 4000.0), events=events, n_schools=9)
    logits = special.logit(events / 4000)
    beta, school_sd = find_adjusted_profile_maximum(data, np.array([-1.0]), 0.5, n_nodes=7)
    assert beta[0] == pytest.approx(logits.mean(), abs=1e-3)
    assert school_sd**2 == pytest.approx(logits.var(ddof=1), rel=0.01)
    found = 1 / information(data, beta, school_sd)[0, 0]
    assert found == pytest.approx(logits.var(ddof=1) / 9, rel=0.01)
