"""Ordered categories: derivatives, two categories as a logistic model, limiting cases, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis import Model, fit_logistic_mixed, risk_effects
from analysis.ordinal import fit_ordinal, ordinal_effects
from analysis.ordinal.effects import estimate_category_shares
from analysis.ordinal.likelihood import Cumulative
from data_schema.errors import EstimationError

MODEL = Model(outcome="answer", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
PLAIN = Model(outcome="answer", school="school", arm="arm", arms=("control", "pilot"))


def drawn(n_schools: int, n: int, *, seed: int, school_sd: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    pilot = school % 2 == 1
    prior = rng.standard_normal(school.size).round(1)
    latent = 0.7 * pilot - 0.5 * prior + school_sd * rng.standard_normal(n_schools)[school]
    answer = 1 + np.digitize(latent + rng.logistic(size=school.size), [-1.5, 0.0, 1.5])
    arm = np.where(pilot, "pilot", "control")
    return pd.DataFrame({"school": school, "arm": arm, "prior": prior, "answer": answer})


def test_derivatives_of_a_category_are_those_of_its_log_likelihood() -> None:
    response = Cumulative(np.array([-np.inf, -1.0, 0.5, 1.5]), np.array([-1.0, 0.5, 1.5, np.inf]))
    eta, count, events = np.array([-0.5, 0.4, 2.0, -1.0]), np.array([1.0, 2.0, 1.0, 3.0]), np.zeros(4)
    step = 1e-5

    def both(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return response.value_and_slope(at, events=events, count=count)

    slope, weight, skew = response.slopes(eta, events=events, count=count)
    assert slope == pytest.approx((both(eta + step)[0] - both(eta - step)[0]) / (2 * step), abs=1e-8)
    assert weight == pytest.approx(-(both(eta + step)[1] - both(eta - step)[1]) / (2 * step), abs=1e-8)
    ahead, behind = (response.slopes(eta + s, events=events, count=count)[1] for s in (step, -step))
    assert skew == pytest.approx((ahead - behind) / (2 * step), abs=1e-8)
    assert response.start(events=events, count=count) == 0
    mean, mean_slope = response.mean(eta)
    assert mean_slope == pytest.approx((response.mean(eta + step)[0] - response.mean(eta - step)[0]) / (2 * step))
    assert np.log(mean) * count == pytest.approx(both(eta)[0])


def test_a_category_far_from_its_thresholds_keeps_its_digits() -> None:
    response = Cumulative(np.array([-45.0, 44.0]), np.array([-44.0, 45.0]))
    value, _ = response.value_and_slope(np.zeros(2), events=np.zeros(2), count=np.ones(2))
    assert value[0] == pytest.approx(value[1], rel=1e-12)


def test_two_categories_are_the_logistic_model() -> None:
    frame = drawn(16, 15, seed=1)
    frame["high"] = (frame["answer"] > 2).astype(int)
    model = Model(outcome="high", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
    ours, logistic = fit_ordinal(frame, model), fit_logistic_mixed(frame, model)
    for term in ("arm[pilot]", "prior"):
        assert ours.estimate(term).estimate == pytest.approx(logistic.estimate(term).estimate, abs=1e-6)
        assert ours.estimate(term).std_error == pytest.approx(logistic.estimate(term).std_error, rel=1e-5)
        assert ours.estimate(term).p_value == pytest.approx(logistic.estimate(term).p_value, rel=0.02)
    assert ours.thresholds[0] == pytest.approx(-logistic.estimate("(Intercept)").estimate, abs=1e-6)
    assert ours.fit.convergence.objective == pytest.approx(logistic.convergence.objective, abs=1e-8)


def test_schools_that_do_not_differ_give_the_thresholds_of_the_shares() -> None:
    frame = pd.DataFrame(
        {
            "school": np.repeat(np.arange(6), 10),
            "arm": np.repeat(["control", "pilot"], 30),
            "answer": np.tile([1, 1, 1, 2, 2, 2, 2, 3, 3, 3], 6),
        }
    )
    fit = fit_ordinal(frame, PLAIN)
    assert fit.fit.status == "boundary"
    assert fit.thresholds == pytest.approx(special.logit([0.3, 0.7]), abs=1e-5)
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(0, abs=1e-6)
    effects = ordinal_effects(frame, PLAIN)
    assert effects.row("share_above_1", "pilot").estimate == pytest.approx(0.7, abs=1e-6)
    assert effects.row("share_difference_above_2", "pilot").estimate == pytest.approx(0, abs=1e-6)


def test_shares_are_near_the_observed_ones_and_the_same_whatever_the_answers_are_called() -> None:
    frame = drawn(40, 20, seed=2)
    effects = ordinal_effects(frame, MODEL)
    observed = frame.assign(high=frame["answer"] > 2).groupby("arm")["high"].mean()
    for arm in ("control", "pilot"):
        row = effects.row("share_above_2", arm)
        assert row.estimate == pytest.approx(observed[arm], abs=0.05)
        assert row.conf_low < row.estimate < row.conf_high
    named = ordinal_effects(frame.assign(answer=10.0 ** frame["answer"]), MODEL)
    assert named.row("share_difference_above_100", "pilot").estimate == pytest.approx(
        effects.row("share_difference_above_2", "pilot").estimate, abs=1e-12
    )
    with pytest.raises(KeyError):
        named.row("share_above_2", "pilot")


def test_units_of_a_covariate_do_not_matter() -> None:
    frame = drawn(14, 15, seed=3)
    one, other = fit_ordinal(frame, MODEL), fit_ordinal(frame.assign(prior=1e4 + 50 * frame["prior"]), MODEL)
    assert other.estimate("arm[pilot]").estimate == pytest.approx(one.estimate("arm[pilot]").estimate, rel=1e-5)
    assert other.estimate("prior").estimate == pytest.approx(one.estimate("prior").estimate / 50, rel=1e-5)


def test_an_arm_at_the_end_of_the_scale_and_answers_all_alike_fail_with_a_reason() -> None:
    frame = drawn(8, 10, seed=4)
    top = ordinal_effects(frame.assign(answer=np.where(frame["arm"] == "pilot", 4, frame["answer"])), PLAIN)
    assert [row.status for row in top.rows] == ["failed"] * 3
    assert "arm pilot" in top.rows[0].reason
    assert "same value" in fit_ordinal(frame.assign(answer=2), PLAIN).fit.convergence.reason
    measured = fit_ordinal(frame.assign(answer=np.arange(len(frame))), PLAIN).fit.convergence.reason
    assert f"{len(frame)} values" in measured
    telling = fit_ordinal(frame.assign(prior=frame["answer"] + 0.001 * frame["prior"]), MODEL)
    assert telling.fit.status == "failed"
    assert math.isnan(telling.estimate("arm[pilot]").estimate)


def test_requests_that_make_no_sense_are_refused() -> None:
    frame = drawn(8, 10, seed=5)
    with pytest.raises(EstimationError, match="nodes are too few"):
        fit_ordinal(frame, PLAIN, n_nodes=1)
    with pytest.raises(EstimationError, match="need arms"):
        ordinal_effects(frame, Model(outcome="answer", school="school"))


def test_tables_have_a_row_a_quantity() -> None:
    effects = ordinal_effects(drawn(12, 12, seed=6), PLAIN)
    assert effects.tidy()["quantity"].tolist()[:4] == [
        "odds_ratio",
        "share_above_1",
        "share_above_1",
        "share_difference_above_1",
    ]
    assert {"threshold_1", "threshold_3"} <= set(effects.glance().columns)
    assert effects.fit.tidy()["term"].tolist() == ["arm[pilot]"]


def test_two_categories_have_the_risks_of_the_logistic_model() -> None:
    frame = drawn(16, 15, seed=1)
    frame["high"] = (frame["answer"] > 2).astype(int)
    model = replace(MODEL, outcome="high")
    ours, risks = ordinal_effects(frame, model), risk_effects(frame, model)
    difference, risk = ours.row("mean_difference", "pilot"), risks.row("risk_difference", "pilot")
    assert difference.estimate == pytest.approx(risk.estimate, abs=1e-7)
    assert difference.std_error == pytest.approx(risk.std_error, rel=0.2)  # the school variance is another
    # Of two answers the one is higher, the other is, or they are alike: half of one more than the difference.
    assert ours.row("probability_of_superiority", "pilot").estimate == pytest.approx(0.5 + risk.estimate / 2, abs=1e-7)


def test_schools_that_do_not_differ_have_the_shares_superiority_and_means_of_their_answers() -> None:
    answers = {"control": [1] * 4 + [2] * 4 + [3] * 2, "pilot": [1] * 2 + [2] * 4 + [3] * 4}
    frame = pd.DataFrame(
        {
            "school": np.repeat(np.arange(12), 10),
            "arm": np.repeat(["control", "pilot"], 60),
            "answer": [*answers["control"] * 6, *answers["pilot"] * 6],
        }
    )
    effects = ordinal_effects(frame, PLAIN)
    # Odds are proportional here but for the rounding: (6/4) / (8/2) and (2/8) / (4/6) are both 3/8.
    assert effects.row("odds_ratio", "pilot").estimate == pytest.approx(8 / 3, abs=1e-5)
    assert effects.row("mean_difference", "pilot").estimate == pytest.approx(0.4, abs=1e-6)
    assert effects.row("share_difference_above_1", "pilot").estimate == pytest.approx(0.2, abs=1e-6)
    # By counting pairs: a pilot answer of 2 is above 40 % of the others, one of 3 above 80 %; alike are 8, 16 and 8 %.
    assert effects.row("probability_of_superiority", "pilot").estimate == pytest.approx(
        0.4 * 0.4 + 0.4 * 0.8 + (0.08 + 0.16 + 0.08) / 2, abs=1e-6
    )


def test_derivatives_of_standardised_quantities_are_those_of_small_steps() -> None:
    frame = drawn(14, 15, seed=7)
    fit = fit_ordinal(frame, MODEL)
    found = estimate_category_shares(fit, MODEL)
    assert fit.parameters is not None
    step = 1e-5
    for place in range(len(fit.parameters)):
        moved = [fit.parameters.copy(), fit.parameters.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        ahead, behind = (estimate_category_shares(replace(fit, parameters=one), MODEL) for one in moved)
        assert found.slopes[:, :, place] == pytest.approx((ahead.above - behind.above) / (2 * step), abs=1e-7)
        one, other = ahead.superiority("pilot")[0], behind.superiority("pilot")[0]
        assert found.superiority("pilot")[1][place] == pytest.approx((one - other) / (2 * step), abs=1e-7)


def test_turned_round_answers_turn_every_effect_round() -> None:
    frame = drawn(16, 15, seed=8)
    ahead, back = (ordinal_effects(one, MODEL) for one in (frame, frame.assign(answer=5 - frame["answer"])))
    for quantity, turned in (("mean_difference", -1.0), ("probability_of_superiority", 1.0)):
        one, other = ahead.row(quantity, "pilot"), back.row(quantity, "pilot")
        assert other.estimate == pytest.approx((1 if turned > 0 else 0) + (-1) * one.estimate, abs=1e-6)
        assert other.p_value == pytest.approx(one.p_value, rel=1e-3)
        assert other.conf_high - other.conf_low == pytest.approx(one.conf_high - one.conf_low, rel=1e-3)
    assert back.row("odds_ratio", "pilot").estimate == pytest.approx(
        1 / ahead.row("odds_ratio", "pilot").estimate, rel=1e-5
    )
    assert back.row("share_difference_above_1", "pilot").estimate == pytest.approx(
        -ahead.row("share_difference_above_3", "pilot").estimate, abs=1e-6
    )


def test_renamed_and_reordered_schools_change_nothing() -> None:
    frame = drawn(16, 15, seed=9)
    other = frame.assign(school=100 - frame["school"]).sample(frac=1, random_state=1)
    for row, same in zip(ordinal_effects(frame, MODEL).rows, ordinal_effects(other, MODEL).rows, strict=True):
        assert same.estimate == pytest.approx(row.estimate, rel=1e-5, abs=1e-7)
        assert same.conf_low == pytest.approx(row.conf_low, rel=1e-4, abs=1e-6)


def test_a_share_of_few_pupils_has_a_caution_and_others_have_none() -> None:
    frame = drawn(16, 15, seed=10)
    frame.loc[frame["answer"] == 4, "answer"] = 3
    frame.loc[frame.index[:3], "answer"] = 4
    effects = ordinal_effects(frame, PLAIN)
    assert effects.row("share_difference_above_3", "pilot").cautions == ("few_events",)
    assert effects.row("share_difference_above_2", "pilot").cautions == ()
