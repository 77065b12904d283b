"""Errors that hold where arms spread differently, beside the model's; a caution where the smaller arm spreads more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import Fit, Model, Question, design_columns, estimate_effects, fit_linear_mixed, mixed_model
from analysis.arms import collect_observed_arms
from analysis.contrasts import estimate_difference_rows, estimate_effect_rows
from analysis.linear import fit_of, fit_restricted_likelihood
from analysis.unequal_spread import find_unequal_spread_terms, replace_with_robust_errors

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("x",))
QUESTION = Question(
    plan_entry="main",
    outcome="score",
    kind="continuous",
    role="primary",
    model="linear_mixed",
    arms=("control", "pilot"),
    covariates=("x",),
    school="school",
    strata=None,
)


def trial(*, n_pilot: int, n_control: int, spread: float, seed: int = 2) -> pd.DataFrame:
    """Return pupils of schools whose means differ ``spread`` times as much among pilot schools."""
    rng = np.random.default_rng(seed)
    pilot = np.arange(n_pilot + n_control) < n_pilot
    # The same deviations in any arm, so that what the rule sees does not hang on a draw.
    level = np.where(np.arange(len(pilot)) % 2 == 0, 0.5, -0.5) * np.where(pilot, spread, 1.0)
    school = np.repeat(np.arange(len(pilot)), 15)
    x = rng.standard_normal(len(school))
    score = 0.3 * x + level[school] + rng.standard_normal(len(school))
    return pd.DataFrame({"school": school, "arm": np.where(pilot[school], "pilot", "control"), "x": x, "score": score})


def fitted(frame: pd.DataFrame) -> tuple[Fit, Fit, tuple[str, ...]]:
    columns = design_columns(frame, MODEL)
    found = fit_restricted_likelihood(columns)
    fit = fit_of(found, columns)
    return fit, replace_with_robust_errors(fit, found, columns), find_unequal_spread_terms(found, columns)


def test_the_robust_row_is_the_mixed_model_with_clubsandwich_errors() -> None:
    frame = trial(n_pilot=4, n_control=8, spread=3.0)
    fit, robust, _ = fitted(frame)
    ours, theirs = robust.estimate("arm[pilot]"), mixed_model(
        "score ~ arm + x + (1 | school)", frame, se_type="CR2"
    ).estimate("arm[pilot]")  # fmt: skip
    for name in ("estimate", "std_error", "df", "conf_low", "p_value"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-6)
    plain = fit_linear_mixed(frame, MODEL).estimate("arm[pilot]")
    assert fit.estimate("arm[pilot]") == plain
    assert (ours.se_type, ours.estimate) == ("CR2", plain.estimate)
    # The smaller arm spreads more: the model's error is too small.
    assert ours.std_error > plain.std_error


@pytest.mark.parametrize(
    ("n_pilot", "n_control", "spread", "marked"),
    [
        (4, 8, 3.0, True),
        (8, 4, 0.2, True),
        (4, 8, 1.0, False),
        (8, 4, 3.0, False),
        (6, 6, 3.0, False),
        (6, 9, 3.0, True),
        (6, 9, 1.5, False),
        (2, 9, 0.5, False),
    ],
)
def test_the_smaller_arm_that_spreads_more_marks_the_models_row(
    n_pilot: int, n_control: int, spread: float, marked: bool
) -> None:
    frame = trial(n_pilot=n_pilot, n_control=n_control, spread=spread)
    assert fitted(frame)[2] == (("arm[pilot]",) if marked else ())
    question = QUESTION
    by_school = frame.drop_duplicates("school")
    schools, actual = tuple(map(str, by_school["school"])), (by_school["arm"] == "pilot").to_numpy().astype(int)
    rows = estimate_effects(frame, question, schools=schools, actual=actual, draws=None)
    found = {row.quantity: row for row in rows}
    assert ("unequal_spread" in found["difference"].cautions) == marked
    assert "unequal_spread" not in found["difference_robust"].cautions
    assert found["difference_robust"].estimate == found["difference"].estimate
    other = estimate_effects(
        frame, replace(question, model="linear_cluster"), schools=schools, actual=actual, draws=None
    )
    assert "difference_robust" not in {row.quantity for row in other}


def test_a_model_that_fails_has_a_failed_robust_row() -> None:
    frame = trial(n_pilot=4, n_control=8, spread=1.0).assign(score=1.0)
    fit, robust, unequal = fitted(frame)
    assert fit.estimate("arm[pilot]").status == robust.estimate("arm[pilot]").status == "failed"
    assert unequal == ()


@pytest.mark.parametrize("model", ["linear_mixed", "linear_cluster"])
@pytest.mark.parametrize(
    ("n_pilot", "n_control", "warned"), [(4, 8, True), (7, 11, True), (7, 10, False), (8, 16, False), (4, 4, False)]
)
def test_few_schools_in_one_arm_and_more_in_the_other_have_a_caution_whatever_they_spread(
    n_pilot: int, n_control: int, warned: bool, model: str
) -> None:
    frame = trial(n_pilot=n_pilot, n_control=n_control, spread=1.0)
    question = replace(QUESTION, model=model)
    found = {
        row.quantity: row for row in estimate_effect_rows(frame, question, arms=collect_observed_arms(frame, question))
    }
    for row in found.values():
        assert ("few_schools" in row.cautions) == warned, row.quantity


@pytest.mark.parametrize(("n_treated", "warned"), [(2, True), (6, False)])
def test_a_difference_with_fewer_than_four_degrees_of_freedom_has_a_caution(n_treated: int, warned: bool) -> None:
    generator = np.random.default_rng(5)
    school = np.repeat(np.arange(12), 15)
    y = 0.4 * generator.standard_normal(12)[school] + generator.standard_normal(len(school))
    arm = np.where(school < n_treated, "pilot", "control")
    frame = pd.DataFrame({"school_id": [f"s{k:02d}" for k in school], "arm": arm, "y": y})
    question = Question(
        plan_entry="e",
        outcome="y",
        kind="continuous",
        role="primary",
        model="linear_cluster",
        arms=("control", "pilot"),
        strata=None,
    )
    row = estimate_difference_rows(frame, question, arms=collect_observed_arms(frame, question))[0]
    assert (row.df < 4) == warned
    assert ("few_df" in row.cautions) == warned
