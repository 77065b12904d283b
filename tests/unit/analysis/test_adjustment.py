"""Consequences of adjustment: known shifts, no shift where arms are alike, failures that stay rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.adjustment import compare_adjusted_estimates
from analysis.linear import fit_linear_mixed
from analysis.questions import Question
from analysis.terms import format_arm_term

QUESTION = Question(
    plan_entry="main", outcome="score", kind="continuous", role="primary", model="linear_mixed",
    arms=("control", "pilot"), covariates=("prior", "even"), strata=None,
)  # fmt: skip


def frame() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    school = np.repeat(np.arange(20), 15)
    treated = school % 2
    prior = generator.normal(size=300) + 0.5 * treated
    score = prior + 0.3 * treated + generator.normal(size=20)[school] * 0.3 + generator.normal(size=300)
    return pd.DataFrame(
        {
            "school_id": [f"{k:02d}" for k in school],
            "arm": np.where(treated, "pilot", "control"),
            "country": "HU",
            "prior": prior,
            "even": np.tile([0.0, 1.0, 1.0], 100),
            "score": score,
        }
    )


def test_estimates_are_those_of_the_models_and_shifts_those_of_the_imbalance() -> None:
    data = frame()
    table = compare_adjusted_estimates(data, QUESTION)
    assert table["covariates"].tolist() == ["none", "prior", "even", "all"]
    estimates = table["estimate"].to_numpy(dtype=float)
    shifts, errors = (table[name].to_numpy(dtype=float) for name in ("shift", "shift_in_errors"))
    for place, covariates in enumerate(((), ("prior",), ("even",), ("prior", "even"))):
        fit = fit_linear_mixed(data, replace(QUESTION, covariates=covariates).effect_model())
        assert estimates[place] == pytest.approx(fit.difference(format_arm_term("pilot")).estimate)
    assert shifts[0] == 0
    assert shifts[1] < -0.3
    assert abs(errors[2]) < 0.05
    assert errors[1] == pytest.approx(shifts[1] / table["std_error"].iloc[0])


def test_what_cannot_be_estimated_keeps_its_row() -> None:
    table = compare_adjusted_estimates(frame().assign(score=np.nan), QUESTION)
    assert set(table["status"]) == {"failed"}
    assert table["shift"].isna().all()


def test_a_logistic_model_gives_differences_of_risks() -> None:
    data = frame().assign(score=lambda rows: (rows["score"] > 0.5).astype(float))
    asked = replace(QUESTION, kind="binary", model="logistic_mixed", covariates=("prior",))
    table = compare_adjusted_estimates(data, asked)
    assert table["estimate"].abs().max() < 1
    assert len(table) == 3
