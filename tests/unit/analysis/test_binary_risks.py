"""Risks by arm: limiting cases by hand, numeric integration, separation, bootstrap and re-draws."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

from analysis import Estimate, Model, fit_logistic_mixed, number_needed_to_treat
from analysis.binary import fit_binary_mixed, risk_effects
from data_schema.errors import EstimationError

PLAIN = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"))
QUANTITIES = ["risk_difference", "risk_ratio", "odds_ratio", "marginal_odds_ratio", "number_needed_to_treat"]


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
    odds = -1.5 - 0.6 * (arm == "pilot") + 0.5 * prior + school_sd * rng.standard_normal(n_schools)[school]
    left = (rng.random(school.size) < special.expit(odds)).astype(int)
    return pd.DataFrame({"school": school, "arm": arm, "prior": prior, "left": left})


def test_schools_that_do_not_differ_give_the_figures_of_the_two_by_two_table() -> None:
    effects = risk_effects(counted({"control": [8] * 6, "pilot": [4] * 6}, 20), PLAIN)
    assert effects.row("risk", "control").estimate == pytest.approx(0.4, abs=1e-9)
    assert effects.row("risk", "pilot").estimate == pytest.approx(0.2, abs=1e-9)
    assert effects.row("risk_difference", "pilot").estimate == pytest.approx(-0.2, abs=1e-9)
    ratio = effects.row("risk_ratio", "pilot")
    assert ratio.estimate == pytest.approx(0.5, abs=1e-9)
    assert ratio.std_error == pytest.approx(math.sqrt(0.6 / 48 + 0.8 / 24), rel=1e-6)
    odds = (24 / 96) / (48 / 72)
    assert effects.row("odds_ratio", "pilot").estimate == pytest.approx(odds, rel=1e-8)
    assert effects.row("marginal_odds_ratio", "pilot").estimate == pytest.approx(odds, rel=1e-8)
    number = effects.row("number_needed_to_treat", "pilot")
    difference = effects.row("risk_difference", "pilot")
    assert number.estimate == pytest.approx(5)
    assert (number.conf_low, number.conf_high) == pytest.approx((-1 / difference.conf_low, -1 / difference.conf_high))
    assert effects.note == ""


def test_risks_agree_with_an_independent_integration_over_schools_and_pupils() -> None:
    frame = drawn(30, 20, school_sd=1.0, seed=3)
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
    effects = risk_effects(frame, model)
    fit = effects.fit
    assert fit.coefficients is not None
    intercept, effect, slope = fit.coefficients.estimate
    sd = math.sqrt(fit.variances["school"])

    def share(treated: float) -> float:
        odds = intercept + effect * treated + slope * frame["prior"].to_numpy()

        def over_pupils(z: float) -> float:
            return float(special.expit(odds + sd * z).mean()) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        return float(integrate.quad(over_pupils, -10, 10, epsabs=1e-12, limit=200)[0])

    assert effects.row("risk", "control").estimate == pytest.approx(share(0.0), abs=1e-9)
    assert effects.row("risk", "pilot").estimate == pytest.approx(share(1.0), abs=1e-9)


def test_the_complementary_log_log_gives_hazard_ratios_and_nearly_the_same_risks() -> None:
    frame = drawn(30, 20, school_sd=0.5, seed=4)
    logit, other = (risk_effects(frame, PLAIN, link=link) for link in ("logit", "cloglog"))
    assert other.row("hazard_ratio", "pilot").status == "ok"
    for arm in ("control", "pilot"):
        assert other.row("risk", arm).estimate == pytest.approx(logit.row("risk", arm).estimate, abs=2e-3)
    with pytest.raises(KeyError):
        other.row("odds_ratio", "pilot")


def test_an_interval_of_the_difference_that_holds_zero_makes_that_of_the_number_pass_through_infinity() -> None:
    row = number_needed_to_treat(Estimate(estimate=-0.02, conf_low=-0.05, conf_high=0.01))
    assert row.estimate == pytest.approx(50)
    assert row.conf_low == pytest.approx(20)
    assert row.conf_high == pytest.approx(-100)
    assert "infinity" in row.reason
    assert row.status == "ok"
    assert number_needed_to_treat(Estimate(estimate=0.0, conf_low=-0.1, conf_high=0.1)).status == "failed"


def test_an_arm_without_events_gets_finite_figures_and_the_prior_is_said() -> None:
    frame = counted({"control": [6, 4, 5, 7], "pilot": [0, 0, 0, 0]}, 25)
    effects = risk_effects(frame, PLAIN)
    assert effects.fit.method == "logistic_mixed_15_nodes_weak_prior"
    assert effects.note.startswith("Nobody in the arm pilot had the event")
    # Without differences between schools the prior is as Firth's: half an event more in the arm.
    assert effects.row("risk", "pilot").estimate == pytest.approx(0.5 / 100, rel=0.05)
    difference = effects.row("risk_difference", "pilot")
    assert difference.estimate == pytest.approx(-0.22 + 0.005, abs=0.01)
    assert -0.35 < difference.conf_low < difference.estimate < difference.conf_high < -0.1
    ratio = effects.row("risk_ratio", "pilot")
    assert 0 < ratio.conf_low < ratio.estimate < ratio.conf_high < 1
    assert [row.status for row in effects.rows] == [effects.fit.status] * 7


def test_firths_estimate_of_a_two_by_two_table_is_met_when_an_arm_has_no_events() -> None:
    # Firth adds half a pupil to each cell: log odds ratio log(0.5 / 40.5) - log(10.5 / 30.5).
    frame = counted({"control": [2, 3, 2, 3], "pilot": [0, 0, 0, 0]}, 10)
    row = fit_logistic_mixed(frame, PLAIN).estimate("arm[pilot]")
    firth = math.log(0.5 / 40.5) - math.log(10.5 / 30.5)
    assert row.estimate == pytest.approx(firth, abs=0.15)
    assert row.std_error == pytest.approx(math.sqrt(1 / 0.5 + 1 / 40.5 + 1 / 10.5 + 1 / 30.5), rel=0.05)


def test_a_bootstrap_of_schools_is_not_offered_for_an_arm_without_events() -> None:
    frame = counted({"control": [6, 4, 5, 7], "pilot": [0, 0, 0, 0]}, 25)
    effects = risk_effects(frame, PLAIN, interval="cluster_bootstrap", n_bootstrap=5)
    assert effects.draws is None
    assert "bootstrap of schools cannot" in effects.note
    assert {row.se_type for row in effects.rows if row.quantity == "risk"} == {"delta"}


@pytest.mark.parametrize("events", [{"control": [0, 0, 0], "pilot": [0, 0, 0]}, {"control": [9] * 3, "pilot": [9] * 3}])
def test_no_events_or_all_events_fail_with_a_reason_in_every_row(events: dict[str, list[int]]) -> None:
    effects = risk_effects(counted(events, 9), PLAIN)
    assert len(effects.rows) == 7
    assert {row.status for row in effects.rows} == {"failed"}
    assert {row.reason for row in effects.rows} == {"Every pupil has the same value of this outcome."}
    assert [row.quantity for row in effects.rows[2:]] == QUANTITIES


def test_a_school_without_events_is_kept() -> None:
    effects = risk_effects(counted({"control": [6, 4, 5, 0], "pilot": [2, 3, 0, 1]}, 25), PLAIN)
    assert effects.fit.n_schools == 8
    assert effects.note == ""
    assert effects.row("risk_difference", "pilot").status in ("ok", "boundary")


def test_the_bootstrap_over_schools_is_near_the_delta_method_and_repeats_itself() -> None:
    frame = drawn(40, 25, school_sd=0.6, seed=7)
    delta = risk_effects(frame, PLAIN).row("risk_difference", "pilot")
    one, two = (risk_effects(frame, PLAIN, interval="cluster_bootstrap", n_bootstrap=150, seed=3) for _ in range(2))
    row = one.row("risk_difference", "pilot")
    assert row == two.row("risk_difference", "pilot")
    assert row.estimate == delta.estimate
    # 150 draws put a standard error within 12 % or so; the two methods differ by less than that again.
    assert row.std_error == pytest.approx(delta.std_error, rel=0.3)
    assert one.draws is not None
    assert one.draws.shape == (150, 2)


def test_a_bootstrap_of_four_schools_an_arm_has_the_variance_of_means_of_schools() -> None:
    # Schools of one size whose likelihood is all but linear: the share's variance is that of a mean of four schools.
    events = {"control": [22, 25, 28, 25], "pilot": [20, 26, 23, 27]}
    effects = risk_effects(counted(events, 50), PLAIN, interval="cluster_bootstrap", n_bootstrap=4000)
    for arm, shares in events.items():
        expected = np.std(np.array(shares) / 50, ddof=1) / 2
        assert effects.row("risk", arm).std_error == pytest.approx(expected, rel=0.06)


def test_draws_of_schools_without_any_event_in_an_arm_are_finite() -> None:
    # With one school of four that had events, every third draw leaves it out.
    frame = counted({"control": [6, 4, 5, 7], "pilot": [5, 0, 0, 0]}, 25)
    draws = risk_effects(frame, PLAIN, interval="cluster_bootstrap", n_bootstrap=60).draws
    assert draws is not None
    assert len(draws) > 50
    assert ((draws > 0) & (draws < 1)).all()
    assert (draws[:, 1] < 0.02).any()


def test_every_arm_and_covariate_has_its_part_in_a_bootstrap_and_its_middle_is_the_estimate() -> None:
    frame = drawn(45, 20, school_sd=0.4, seed=11)
    third = frame["school"] % 3
    frame["arm"] = third.map({0: "control", 1: "pilot", 2: "mentors"})
    model = Model(
        outcome="left", school="school", arm="arm", arms=("control", "pilot", "mentors"), covariates=("prior",)
    )
    effects = risk_effects(frame, model, interval="cluster_bootstrap", n_bootstrap=60)
    assert effects.draws is not None
    assert effects.draws.shape == (60, 3)
    risks = [effects.row("risk", arm).estimate for arm in model.arms]
    spread = effects.draws.std(axis=0)
    assert (np.abs(effects.draws.mean(axis=0) - risks) < 4 * spread / np.sqrt(60) + 0.1 * spread).all()
    rates = frame.groupby("arm")["left"].mean()
    assert effects.draws.mean(axis=0) == pytest.approx([rates[arm] for arm in model.arms], abs=0.04)


def test_impossible_requests_are_refused_with_a_remedy() -> None:
    frame = drawn(8, 10, school_sd=0.3, seed=1)
    with pytest.raises(EstimationError, match="cloglog"):
        fit_binary_mixed(frame, PLAIN, link="probit")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="separation"):
        fit_binary_mixed(frame, PLAIN, separation="hope")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="nodes"):
        fit_binary_mixed(frame, PLAIN, n_nodes=0)
    with pytest.raises(EstimationError, match="need arms"):
        risk_effects(frame, Model(outcome="left", school="school"))
    with pytest.raises(EstimationError, match="interval"):
        risk_effects(frame, PLAIN, interval="bayes")  # type: ignore[arg-type]


def test_the_table_of_risks_has_a_row_a_quantity_and_the_glance_says_what_was_used() -> None:
    effects = risk_effects(drawn(12, 20, school_sd=0.4, seed=6), PLAIN)
    assert effects.tidy()["quantity"].tolist() == ["risk", "risk", *QUANTITIES]
    assert effects.glance()["note"].tolist() == [""]
