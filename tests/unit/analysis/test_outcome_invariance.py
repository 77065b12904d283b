"""Names of schools and the order of rows change nothing; swapping the arms turns every difference round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import Estimate, Model
from analysis.binary import fit_logistic_slopes, risk_effects
from analysis.counts import rate_effects
from analysis.gee import fit_gee
from analysis.ordinal import ordinal_effects
from analysis.time_to_event import fit_cox
from data_schema.errors import EstimationError

MODEL = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))


def pupils() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(14), 16)
    pilot, level = school % 2 == 1, 0.5 * rng.standard_normal(14)[school]
    prior = rng.standard_normal(school.size).round(1)
    left = rng.random(school.size) < 1 / (1 + np.exp(1.3 + 0.5 * pilot - 0.4 * prior - level))
    return pd.DataFrame(
        {
            "school": [f"s{number:02d}" for number in school],
            "arm": np.where(pilot, "pilot", "control"),
            "prior": prior,
            "left": left.astype(int),
            "time": np.where(left, rng.integers(1, 5, size=school.size), 5).astype(float),
            "status": np.where(left, "left_early", "enrolled"),
            "days": rng.integers(100, 180, size=school.size),
            "absences": rng.poisson(6 * np.exp(level) * rng.gamma(1.0, 1.0, size=school.size)),
            "answer": rng.integers(1, 5, size=school.size),
        }
    )


Answer = Callable[[pd.DataFrame, Model], Estimate]


def risks(frame: pd.DataFrame, model: Model) -> Estimate:
    return risk_effects(frame, model).row("risk_difference", model.arms[1])


def slopes(frame: pd.DataFrame, model: Model) -> Estimate:
    return fit_logistic_slopes(frame, model, slope="prior").difference(f"arm[{model.arms[1]}]")


def rates(frame: pd.DataFrame, model: Model) -> Estimate:
    counted = replace(model, outcome="absences")
    return rate_effects(frame, counted, exposure="days").row("rate_difference", model.arms[1])


def equations(frame: pd.DataFrame, model: Model) -> Estimate:
    return fit_gee(frame, model).difference(f"arm[{model.arms[1]}]")


def answers(frame: pd.DataFrame, model: Model) -> Estimate:
    return ordinal_effects(frame, replace(model, outcome="answer")).row("share_difference_above_2", model.arms[1])


def cox(frame: pd.DataFrame, model: Model) -> Estimate:
    return fit_cox(frame, replace(model, covariates=()), time="time").estimate(f"arm[{model.arms[1]}]")


ANSWERS: list[Answer] = [risks, slopes, rates, equations, answers, cox]


@pytest.mark.parametrize("answer", ANSWERS)
def test_names_of_schools_and_the_order_of_rows_change_nothing(answer: Answer) -> None:
    frame = pupils()
    names = dict(zip(sorted(frame["school"].unique()), np.random.default_rng(1).permutation(900)[:14], strict=True))
    other = frame.assign(school=frame["school"].map(names)).sample(frac=1, random_state=3).reset_index(drop=True)
    one, two = answer(frame, MODEL), answer(other, MODEL)
    assert one.status != "failed"
    assert two.estimate == pytest.approx(one.estimate, rel=1e-4, abs=1e-7)
    assert two.std_error == pytest.approx(one.std_error, rel=1e-3)
    assert two.df == pytest.approx(one.df, rel=1e-6)


@pytest.mark.parametrize("answer", ANSWERS)
def test_swapping_the_arms_turns_the_difference_round(answer: Answer) -> None:
    frame = pupils()
    turned = ("pilot", "control")
    one = answer(frame, MODEL)
    two = answer(frame, replace(MODEL, arms=turned))
    assert two.estimate == pytest.approx(-one.estimate, rel=1e-4, abs=1e-7)
    assert two.std_error == pytest.approx(one.std_error, rel=1e-3)
    assert two.p_value == pytest.approx(one.p_value, rel=5e-3)


def test_weights_of_schools_are_refused_and_not_left_out_in_silence() -> None:
    frame = pd.DataFrame({"school": np.repeat(np.arange(8), 10), "left": 0, "weight": 1.0})
    frame["arm"] = np.where(frame["school"] % 2, "pilot", "control")
    model = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), weights="weight")
    asked: tuple[Callable[[], object], ...] = (
        lambda: risk_effects(frame, model),
        lambda: rate_effects(frame, model),
        lambda: ordinal_effects(frame, model),
        lambda: fit_gee(frame, model),
    )
    for ask in asked:
        with pytest.raises(EstimationError, match="takes no weights of schools"):
            ask()
