"""Every way into an estimate of the arms, as functions of one frame: what twins are compared over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis import (
    Estimate,
    Model,
    Question,
    estimate_effects,
    fit_binary_mixed,
    fit_counts,
    fit_cox,
    fit_gee,
    fit_linear_clustered,
    fit_linear_mixed,
    fit_logistic_mixed,
    fit_logistic_slopes,
    fit_ordinal,
    linear_model,
    mixed_model,
    ordinal_effects,
    randomisation_inference,
    rate_effects,
    risk_effects,
)
from analysis.simulation import simulate_scores

ARMS = ("control", "pilot")
TERM = "arm[pilot]"
Entry = Callable[[pd.DataFrame], Estimate]


def pupils(*, n_schools: int = 12, n_pupils: int = 8, seed: int = 1) -> pd.DataFrame:
    """Return pupils with an outcome of every kind."""
    frame = simulate_scores(n_schools, n_pupils, icc=0.2, effect=0.3, seed=seed)
    score = frame["score"]
    return frame.assign(
        left=(score > 0).astype(int),
        days=np.maximum(0, np.round(2 * score + 3)).astype(int),
        grade=np.clip(np.round(score + 2), 0, 4),
        time=np.round(np.exp(score) * 3) + 1,
        wave=np.arange(len(frame)) % 2,
    )


def model(outcome: str) -> Model:
    return Model(outcome=outcome, school="school", arm="arm", arms=ARMS, covariates=("baseline",))


def _formula(outcome: str) -> str:
    return f"{outcome} ~ arm + baseline"


def _mixed(outcome: str) -> str:
    return f"{_formula(outcome)} + (1 | school)"


def _draws(frame: pd.DataFrame) -> dict[str, object]:
    """Return the allocation and a few others of the frame's schools."""
    arm_of = dict(zip(frame["school"].astype(str), frame["arm"].astype(str), strict=True))
    schools = tuple(sorted(arm_of))
    actual = np.array([int(arm_of[school] == "pilot") for school in schools])
    draws = np.random.default_rng(1).permuted(np.tile(actual, (40, 1)), axis=1)
    return {"schools": schools, "actual": actual, "draws": draws}


def _inverted(frame: pd.DataFrame) -> Estimate:
    found = randomisation_inference(frame, model("score"), **_draws(frame))["pilot"]  # type: ignore[arg-type]
    status = "failed" if found.reason else "ok"
    return Estimate(p_value=found.p_value, reason=found.reason, status=status)  # type: ignore[arg-type]


def _effects(frame: pd.DataFrame) -> Estimate:
    question = Question(
        plan_entry="main",
        outcome="score",
        kind="continuous",
        role="primary",
        model="linear_mixed",
        arms=ARMS,
        covariates=("baseline",),
        school="school",
        strata=None,
    )
    drawn = _draws(frame)
    rows = estimate_effects(frame, question, schools=drawn["schools"], actual=drawn["actual"], draws=None)  # type: ignore[arg-type]
    return next(row for row in rows if row.quantity == "difference")


LINEAR: dict[str, Entry] = {
    "linear_model": lambda frame: linear_model(_formula("score"), frame).estimate(TERM),
    "mixed_model": lambda frame: mixed_model(_mixed("score"), frame).estimate(TERM),
    "mixed_model CR2": lambda frame: mixed_model(_mixed("score"), frame, se_type="CR2").estimate(TERM),
    "fit_linear_mixed": lambda frame: fit_linear_mixed(frame, model("score")).estimate(TERM),
    "fit_linear_clustered": lambda frame: fit_linear_clustered(frame, model("score")).estimate(TERM),
    "fit_gee identity": lambda frame: fit_gee(frame, model("score"), link="identity").estimate(TERM),
    "randomisation_inference": _inverted,
    "estimate_effects": _effects,
}
"""Of the score: models that are linear in it."""

BINARY: dict[str, Entry] = {
    "fit_logistic_mixed": lambda frame: fit_logistic_mixed(frame, model("left")).estimate(TERM),
    "fit_binary_mixed identity": lambda frame: fit_binary_mixed(frame, model("left"), link="identity").estimate(TERM),
    "fit_logistic_slopes": lambda frame: fit_logistic_slopes(frame, model("left"), slope="baseline").estimate(TERM),
    "risk_effects": lambda frame: risk_effects(frame, model("left")).rows[2],
    "mixed_model binomial": lambda frame: mixed_model(_mixed("left"), frame, family="binomial").estimate(TERM),
}
"""Of leaving: models of 0 and 1."""

OTHERS: dict[str, Entry] = {
    "fit_gee logit": lambda frame: fit_gee(frame, model("left")).estimate(TERM),
    "fit_counts": lambda frame: fit_counts(frame, model("days")).estimate(TERM),
    "rate_effects": lambda frame: rate_effects(frame, model("days")).rows[-1],
    "mixed_model counts": lambda frame: mixed_model(_mixed("days"), frame, family="negative_binomial").estimate(TERM),
    "fit_ordinal": lambda frame: fit_ordinal(frame, model("grade")).estimate(TERM),
    "ordinal_effects": lambda frame: ordinal_effects(frame, model("grade")).rows[-1],
    "fit_cox": lambda frame: fit_cox(frame, model("left"), time="time").estimate(TERM),
}
"""Of counts, ordered answers and times."""

EVERY = LINEAR | BINARY | OTHERS
WITH_ALLOCATION = ("randomisation_inference", "estimate_effects")
"""Those whose allocation these tests read from the frame first."""

SLOW = ("fit_binary_mixed identity", "rate_effects", "mixed_model counts")
OUTCOMES = ("score", "left", "days", "grade", "time")
