"""Warning signals: by hand, against pairs counted one by one, by group and lead time, and what cannot be told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from analysis.warning_signals import (
    SignalQuestion,
    area_under_curve,
    evaluate_signals,
    flags_at_capacity,
    signal_shares,
)
from data_schema.errors import EstimationError

QUESTION = SignalQuestion(outcome="left", signals=("absences",), capacity=0.25, school="school")


def drawn(n_schools: int = 20, n: int = 40, *, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    absences, notices, marks = (rng.standard_normal(school.size) for _ in range(3))
    odds = -2.0 + 1.2 * absences + 0.4 * notices + 0.4 * rng.standard_normal(n_schools)[school]
    left = (rng.random(school.size) < special.expit(odds)).astype(int)
    return pd.DataFrame(
        {
            "school": school,
            "left": left,
            "absences": absences,
            "notices": notices,
            "marks": marks,
            "country": np.where(school < n_schools / 2, "HU", "RS"),
            "gender": np.where(rng.random(school.size) < 0.5, "girl", "boy"),
            "lead": np.where(left == 1, rng.integers(0, 18, size=school.size).astype(float), np.nan),
        }
    )


SMALL = pd.DataFrame(
    {
        "school": ["a"] * 4 + ["b"] * 4,
        "left": [1, 0, 0, 0, 1, 1, 0, 0],
        "absences": [9.0, 5, 1, 0, 2, 8, 7, math.nan],
    }
)


def test_rates_at_capacity_by_hand() -> None:
    # One pupil of four can be looked after: the one with 9 (who left) in a, the one with 8 (who left) in b.
    result = evaluate_signals(SMALL, QUESTION, n_bootstrap=20)
    figures = {
        measure: result.figure("absences", measure)["estimate"]
        for measure in ("flagged", "sensitivity", "specificity", "predictive_value", "negative_predictive_value")
    }
    assert figures == {
        "flagged": pytest.approx(0.25),
        "sensitivity": pytest.approx(2 / 3),
        "specificity": pytest.approx(1.0),
        "predictive_value": pytest.approx(1.0),
        "negative_predictive_value": pytest.approx(5 / 6),
    }
    # 9 beats 5, 1, 0, 7; 2 beats 1, 0; 8 beats all four: ten of twelve pairs.
    assert result.figure("absences", "auc")["estimate"] == pytest.approx(10 / 12)


def test_ties_share_the_places_left_and_a_missing_signal_is_not_flagged() -> None:
    school = np.array([0, 0, 0, 0, 1, 1])
    signal = np.array([1.0, 1.0, 1.0, 0.0, math.nan, 2.0])
    assert flags_at_capacity(signal, school, capacity=0.5).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0, 0, 1])
    flagged = flags_at_capacity(np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(4, dtype=int), capacity=0.25)
    assert flagged.tolist() == [1, 0, 0, 0]


def test_the_area_under_the_curve_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(3)
    signal, left = rng.integers(6, size=60).astype(float), rng.integers(2, size=60)
    ones, zeros = signal[left == 1], signal[left == 0]
    pairs = (ones[:, None] > zeros).mean() + 0.5 * (ones[:, None] == zeros).mean()
    assert area_under_curve(signal, left) == pytest.approx(pairs)
    assert area_under_curve(-signal, left) == pytest.approx(1 - pairs)
    doubled = area_under_curve(np.append(signal, signal[:9]), np.append(left, left[:9]))
    weight = np.ones(60)
    weight[:9] = 2
    assert area_under_curve(signal, left, weight) == pytest.approx(doubled)
    assert math.isnan(area_under_curve(signal, np.zeros(60)))


def test_a_signal_that_tells_nothing_has_an_area_of_a_half_and_flags_leavers_as_others() -> None:
    frame = drawn()
    question = replace(QUESTION, signals=("absences", "marks"))
    result = evaluate_signals(frame, question, n_bootstrap=100)
    nothing = result.figure("marks", "auc")
    assert nothing["conf_low"] < 0.5 < nothing["conf_high"]
    assert result.figure("marks", "sensitivity")["estimate"] == pytest.approx(0.25, abs=0.08)
    assert result.figure("absences", "auc")["conf_low"] > 0.6
    assert result.figure("absences", "flagged")["estimate"] == pytest.approx(0.25)


def test_countries_groups_and_lead_times_add_up_to_the_whole() -> None:
    frame = drawn()
    question = replace(QUESTION, country="country", groups=("gender",), lead_time="lead")
    table = evaluate_signals(frame, question, n_bootstrap=50).tidy()
    sensitivity = table[table["measure"] == "sensitivity"]
    whole = sensitivity[sensitivity["by"] == ""].iloc[0]
    for by in ("country", "gender", "lead_time"):
        parts = sensitivity[sensitivity["by"] == by]
        assert parts["n_events"].sum() == whole["n_events"]
        assert np.average(parts["estimate"], weights=parts["n_events"]) == pytest.approx(whole["estimate"])
    assert sensitivity[sensitivity["by"] == "lead_time"]["level"].tolist() == [
        "0 to 3",
        "3 to 6",
        "6 to 12",
        "12 and more",
    ]
    assert set(table[table["by"] == "lead_time"]["measure"]) == {"sensitivity"}


def test_a_gap_between_groups_is_one_less_the_other() -> None:
    frame = drawn()
    # Girls' absences are written down half as often: the same risk, a weaker signal.
    frame.loc[frame["gender"] == "girl", "absences"] -= 1.5
    result = evaluate_signals(frame, replace(QUESTION, groups=("gender",)), n_bootstrap=100)
    girls, boys = (
        result.figure("absences", "sensitivity", by="gender", level=level)["estimate"] for level in ("girl", "boy")
    )
    gap = result.figure("absences", "gap_sensitivity", by="gender", level="girl")
    assert gap["estimate"] == pytest.approx(girls - boys)
    assert gap["conf_high"] < 0


def test_only_schools_of_the_reference_arm_are_used_and_the_others_counted() -> None:
    frame = drawn()
    frame["arm"] = np.where(frame["school"] % 2 == 0, "control", "pilot")
    frame["left"] = frame["left"].astype(float)
    frame.loc[0, "left"] = np.nan
    question = replace(QUESTION, arm="arm", reference_arm="control")
    result = evaluate_signals(frame, question, n_bootstrap=20)
    assert result.figure("absences", "auc")["n_schools"] == 10
    assert result.glance()[["n_missing_outcome", "n_other_arms"]].to_numpy().tolist() == [[1, 400]]


def test_a_group_without_leavers_fails_with_a_reason_and_nobody_else() -> None:
    frame = drawn()
    frame["country"] = np.where((frame["left"] == 0) & (frame["school"] == 0), "SI", "HU")
    table = evaluate_signals(frame, replace(QUESTION, country="country"), n_bootstrap=20).tidy()
    lonely = table[(table["level"] == "SI") & (table["measure"].isin(["sensitivity", "auc"]))]
    assert set(lonely["status"]) == {"failed"}
    assert (lonely["reason"] != "").all()
    assert set(table[table["by"] == ""]["status"]) == {"ok"}


def test_intervals_over_schools_widen_when_schools_differ() -> None:
    frame = drawn(n_schools=16, n=50, seed=5)
    alike = evaluate_signals(frame, QUESTION, n_bootstrap=200).figure("absences", "sensitivity")
    deaf = frame.assign(absences=np.where(frame["school"] % 2 == 0, -frame["absences"], frame["absences"]))
    mixed = evaluate_signals(deaf, QUESTION, n_bootstrap=200).figure("absences", "sensitivity")
    assert mixed["std_error"] > 1.5 * alike["std_error"]


def test_draws_repeat_themselves_and_a_row_that_is_not_there_is_an_error() -> None:
    one, two = (evaluate_signals(drawn(), QUESTION, n_bootstrap=20, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(one.tidy(), two.tidy())
    with pytest.raises(KeyError):
        one.figure("absences", "lift")


KINDS = {"attendance": ("absences",), "behaviour": ("notices",), "marks": ("marks",)}
THREE = replace(QUESTION, signals=("absences", "notices", "marks"))


def test_the_kind_that_carries_the_warning_is_found() -> None:
    shares = signal_shares(drawn(n=60), THREE, KINDS, n_bootstrap=100)
    loss = shares.tidy().query("measure == 'loss'").set_index("kind")
    assert loss["estimate"].idxmax() == "attendance"
    lowest = dict(loss["conf_low"])
    assert lowest["attendance"] > 0
    assert lowest["marks"] < 0.005
    alone = shares.tidy().query("measure == 'auc'").set_index("kind")["estimate"]
    assert alone["all"] > alone["behaviour"] > alone["marks"]


def test_risks_of_schools_that_were_not_in_the_model_are_calibrated() -> None:
    frame = drawn(n_schools=30, n=60)
    shares = signal_shares(frame, THREE, KINDS, n_bootstrap=50)
    table = shares.tidy().query("kind == 'all'").set_index("measure")
    low, high = dict(table["conf_low"]), dict(table["conf_high"])
    assert low["calibration_slope"] < 1 < high["calibration_slope"]
    assert table.loc["calibration_intercept", "estimate"] == pytest.approx(0, abs=0.05)
    assert shares.calibration["n_pupils"].sum() == len(frame)
    assert shares.calibration["observed"].corr(shares.calibration["predicted"]) > 0.95
    assert float(shares.glance()["calibration_error"].iloc[0]) < 0.03
    assert shares.risk.index.equals(frame.sort_values("school", key=lambda s: s.astype(str), kind="stable").index)


def test_kinds_that_do_not_fit_the_signals_are_refused() -> None:
    with pytest.raises(EstimationError, match="kinds and signals differ"):
        signal_shares(drawn(), THREE, {"attendance": ("absences",), "marks": ("marks",)})
    with pytest.raises(EstimationError, match="missing for every pupil"):
        signal_shares(drawn().assign(marks=np.nan), THREE, KINDS)
    with pytest.raises(EstimationError, match="one school"):
        signal_shares(drawn().assign(school=1), THREE, KINDS)


@pytest.mark.parametrize(
    ("frame", "change", "words"),
    [
        (SMALL.assign(left=0), {}, "nobody left"),
        (SMALL.assign(left=2), {}, "not 0 or 1"),
        (SMALL.drop(columns="absences"), {}, "no column 'absences'"),
        (SMALL, {"capacity": 1.0}, "is no share"),
        (SMALL, {"signals": ()}, "no signal"),
        (SMALL, {"arm": "arm"}, "belong together"),
        (SMALL, {"lead_bounds": (3.0, 1.0)}, "do not increase"),
    ],
)
def test_questions_that_make_no_sense_are_refused(frame: pd.DataFrame, change: dict[str, object], words: str) -> None:
    with pytest.raises(EstimationError, match=words):
        evaluate_signals(frame, replace(QUESTION, **change), n_bootstrap=5)  # type: ignore[arg-type]
