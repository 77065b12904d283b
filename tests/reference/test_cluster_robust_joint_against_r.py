"""Joint tests, weights and residual variances by group against clubSandwich (``make/cluster_robust_more.R``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.inference.cluster_robust import SeType
from analysis.linear_models import linear_model
from analysis.mixed import mixed_model
from analysis.mixed_models.robust import MixedSeType

HERE = Path(__file__).parent
# Any: the figures are JSON, looked up by name.
FIGURES: dict[str, Any] = json.loads((HERE / "expected" / "cluster_robust_more.json").read_text(encoding="utf-8"))


def read_set(name: str) -> pd.DataFrame:
    frame = pd.read_csv(HERE / "data" / f"{name}.csv")
    return frame.assign(
        w=0.5 + (np.arange(1, len(frame) + 1) % 7) / 4,
        arm=pd.Categorical(frame["arm"], categories=sorted(frame["arm"].unique(), key=lambda arm: arm != "control")),
    )


def same_test(ours: pd.Series[Any], expected: dict[str, Any], *, tolerance: float) -> None:
    for name in ("statistic", "scaling", "df_denominator", "p_value"):
        # R's figures were made in doubles of a p-value that can be very small.
        assert ours[name] == pytest.approx(expected[name], rel=tolerance, abs=1e-12), name


@pytest.mark.parametrize(
    ("name", "kind", "se_type"),
    [
        (name, kind, se_type)
        for name, entry in FIGURES["plain"].items()
        for kind, joint in entry["joint"].items()
        for se_type in joint["figures"]
    ],
)
def test_joint_tests_of_least_squares_are_clubsandwichs(name: str, kind: str, se_type: SeType) -> None:
    entry = FIGURES["plain"][name]
    fit = linear_model(
        entry["formula"],
        read_set(entry["set"]),
        cluster="school_id",
        se_type=se_type,
        weights="w" if kind == "weighted" else None,
        fixed_effects=entry["fixed_effects"] or None,
    )
    joint = entry["joint"][kind]
    same_test(fit.f_test(joint["tested"]).iloc[0], joint["figures"][se_type], tolerance=1e-6)


@pytest.mark.parametrize(
    ("name", "se_type"),
    [(name, se_type) for name, entry in FIGURES["multilevel"].items() for se_type in entry["joint"]["figures"]],
)
def test_joint_tests_of_multilevel_models_are_clubsandwichs(name: str, se_type: MixedSeType) -> None:
    entry = FIGURES["multilevel"][name]
    fit = mixed_model(entry["formula"], read_set(entry["set"]), se_type=se_type)
    joint = entry["joint"]
    same_test(fit.f_test(joint["tested"]).iloc[0], joint["figures"][se_type], tolerance=1e-5)


@pytest.mark.parametrize(
    ("name", "se_type"), [(name, se_type) for name, entry in FIGURES["lme"].items() for se_type in entry["figures"]]
)
def test_weights_and_residual_variances_by_group_have_clubsandwichs_errors_for_lmes_fit(
    name: str, se_type: MixedSeType
) -> None:
    entry = FIGURES["lme"][name]
    frame = read_set(entry["set"])
    fit = mixed_model(
        f"{entry['formula']} + ({entry['random'].removeprefix('~')})",
        frame[frame.groupby("school")["school"].transform("size") > 1],  # see the script
        se_type=se_type,
        weights=entry["weights"] or None,
        residual_by=entry["residual_by"] or None,
    )
    # lme stops a little short of the optimum: never above ours.
    assert fit.log_likelihood == pytest.approx(entry["log_likelihood"], abs=1e-6)
    assert fit.log_likelihood > entry["log_likelihood"] - 1e-9
    for term, row in entry["figures"][se_type].items():
        found = fit.estimate(term)
        assert found.estimate == pytest.approx(row["estimate"], abs=1e-5 * row["std_error"])
        assert found.std_error == pytest.approx(row["std_error"], rel=1e-5)
        assert found.df == pytest.approx(row["df"], rel=1e-4)
    joint = entry["joint"]
    same_test(fit.f_test(joint["tested"]).iloc[0], joint["figures"][se_type], tolerance=1e-4)
