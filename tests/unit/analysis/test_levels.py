"""Classes within schools, which a plan's linear mixed model can have as a level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.clustered import fit_linear_clustered
from analysis.estimators import ArmModel, make_estimator
from analysis.questions import Question
from analysis.specs import Model
from analysis.variance_components import level_estimates
from data_schema.errors import EstimationError

ARMS = ("control", "pilot")
MODEL = Model(outcome="score", school="school", arm="arm", arms=ARMS)


def drawn(
    *, n_schools: int = 12, n_classes: int = 3, size: int = 6, class_sd: float = 0.7, seed: int = 1
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n_classes * size)
    place = np.tile(np.repeat(np.arange(n_classes), size), n_schools)
    class_effect = class_sd * rng.standard_normal((n_schools, n_classes))
    score = (
        0.4 * rng.standard_normal(n_schools)[school] + class_effect[school, place] + rng.standard_normal(len(school))
    )
    return pd.DataFrame(
        {
            "school": [f"s{number:02d}" for number in school],
            "class": np.array(["7a", "7b", "7c"])[place],
            "arm": np.array(ARMS)[school % 2],
            "score": score,
        }
    )


def fitted(frame: pd.DataFrame, **options: str) -> ArmModel:
    return make_estimator("linear_mixed", options, kind="continuous").fit(frame, MODEL)


def asked(frame: pd.DataFrame, **options: str) -> dict[str, float | str]:
    question = Question(
        plan_entry="main",
        outcome="score",
        kind="continuous",
        role="primary",
        model="linear_mixed",
        arms=ARMS,
        school="school",
        strata=None,
        options=options,
    )
    return {row.quantity: row.reason or row.estimate for row in level_estimates(frame, question)}


def test_in_a_balanced_trial_estimate_and_error_are_those_of_the_means_of_schools() -> None:
    frame = drawn()
    means = frame.groupby(["school", "arm"], as_index=False)["score"].mean()
    pilot, control = (means.loc[means["arm"] == arm, "score"] for arm in ("pilot", "control"))
    row = fitted(frame, level="class").fit.estimate("arm[pilot]")
    assert row.estimate == pytest.approx(pilot.mean() - control.mean(), abs=1e-9)
    pooled = (pilot.var(ddof=1) + control.var(ddof=1)) / 2
    assert row.std_error == pytest.approx(np.sqrt(pooled * 2 / 6), rel=1e-6)
    assert row.df == pytest.approx(10, rel=1e-6)


def test_variances_of_a_balanced_trial_are_those_of_the_analysis_of_variance() -> None:
    frame = drawn(class_sd=1.0)
    by_class = frame.groupby(["school", "class"])["score"]
    within = float((by_class.var(ddof=1)).mean())
    classes = frame.pivot_table(index="school", columns="class", values="score")
    between_classes = float(classes.var(axis=1, ddof=1).mean())
    schools = classes.mean(axis=1)
    arm_of = frame.groupby("school")["arm"].first()
    between_schools = float(schools.groupby(arm_of).var(ddof=1).mean())
    variances = fitted(frame, level="class").fit.variances
    assert variances["pupil"] == pytest.approx(within, rel=1e-5)
    assert variances["level"] == pytest.approx(between_classes - within / 6, rel=1e-5)
    assert variances["school"] == pytest.approx(between_schools - between_classes / 3, rel=1e-4)
    figures = asked(frame, level="class")
    total = sum(variances.values())
    assert figures["level_sd"] == pytest.approx(np.sqrt(variances["level"]))
    assert figures["icc_level"] == pytest.approx(variances["level"] / total)
    assert figures["icc_beside_level"] == pytest.approx(variances["school"] / total)


def test_one_class_in_every_school_is_the_model_without_classes_and_its_variance_is_not_estimated() -> None:
    frame = drawn(n_classes=1, size=15)
    with_level, without = fitted(frame, level="class"), fitted(frame)
    assert with_level.fit.estimate("arm[pilot]") == without.fit.estimate("arm[pilot]")
    assert with_level.fit.variances == without.fit.variances
    assert set(asked(frame, level="class").values()) == {
        "No school has two groups of 'class' with this outcome: they cannot be distinguished from schools."
    }


def test_classes_of_one_name_in_two_schools_are_two_classes() -> None:
    frame = drawn()
    named = frame.assign(**{"class": frame["school"] + frame["class"]})
    ours, theirs = (fitted(data, level="class").fit.estimate("arm[pilot]") for data in (frame, named))
    assert ours == theirs


def test_errors_by_school_beside_the_model_are_those_of_schools_not_of_classes() -> None:
    frame = drawn()
    robust = fitted(frame, level="class").robust
    assert robust is not None
    # In a balanced trial generalised least squares is ordinary least squares.
    plain = fit_linear_clustered(frame, MODEL).estimate("arm[pilot]")
    assert robust.estimate("arm[pilot]").std_error == pytest.approx(plain.std_error, rel=1e-6)
    assert robust.estimate("arm[pilot]").df == pytest.approx(plain.df, rel=1e-6)


def test_degrees_of_freedom_stay_within_what_schools_can_back() -> None:
    rng = np.random.default_rng(3)
    frame = drawn(seed=4)
    frame["score"] = rng.standard_normal(len(frame))
    frame["score"] -= frame.groupby("school")["score"].transform("mean")
    fit = fitted(frame, level="class").fit
    assert fit.convergence.status == "boundary"
    assert fit.estimate("arm[pilot]").df <= 10
    assert fitted(frame, level="class", df_method="satterthwaite").fit.estimate("arm[pilot]").df > 10


def test_a_pupil_without_a_class_is_not_left_out_in_silence() -> None:
    frame = drawn()
    frame.loc[[0, 5], "class"] = None
    reason = fitted(frame, level="class").fit.convergence.reason
    assert reason == "2 pupils with this outcome have no value of 'class': their group is not known."
    assert set(asked(frame, level="class").values()) == {reason}
    frame.loc[[0, 5], "score"] = np.nan
    assert fitted(frame, level="class").fit.convergence.status == "converged"


def test_classes_of_one_pupil_cannot_be_told_from_pupils() -> None:
    frame = drawn()
    frame["class"] = np.arange(len(frame))
    reason = fitted(frame, level="class").fit.convergence.reason
    assert reason == "Every group of 'class' has one pupil: groups and pupils cannot be distinguished."


def test_a_level_is_the_name_of_a_field() -> None:
    with pytest.raises(EstimationError, match="Name a field of the list of pupils"):
        make_estimator("linear_mixed", {"level": 3}, kind="continuous")


def test_without_a_level_there_are_no_rows_of_it() -> None:
    assert asked(drawn()) == {}
