"""Multilevel models of real data that ship with R, in R's own formulas, against lme4, lmerTest and pbkrtest.

The figures are from ``make/real_data.R``; no R is needed here. Tolerances are those of all reference figures: estimates
and errors 1e-6, log-likelihood 1e-8, variances and degrees of freedom 1e-4. Where R stopped short of the optimum, ours
has the higher likelihood and the other figures are not compared.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.mixed import mixed_model
from analysis.mixed_models.fit import MixedFit
from analysis.mixed_models.working import MixedDfMethod

HERE = Path(__file__).parent
# Any: the figures are JSON, looked up by name.
EVERY: dict[str, Any] = json.loads((HERE / "expected" / "real_data.json").read_text(encoding="utf-8"))
FIGURES: list[dict[str, Any]] = EVERY["figures"]
NAMES = [f"{entry['set']}: {entry['r']}{'' if entry['reml'] else ' ML'} {entry['weights']}" for entry in FIGURES]
# lme4 ends at a log-likelihood 4.2 below ours, which its own criterion confirms at our variances.
SHORT = {"Fatigue"}


@cache
def read_set(name: str) -> pd.DataFrame:
    path = HERE / "data" / f"real_{name}.csv"
    frame = pd.read_csv(path, keep_default_na=False, na_values=["NA"])
    for column, levels in EVERY["factors"][name].items():
        frame[column] = pd.Categorical(frame[column].astype("string"), categories=levels)
    return frame


@cache
def fitted(place: int, df_method: MixedDfMethod) -> MixedFit:
    entry = FIGURES[place]
    return mixed_model(
        entry["ours"],
        read_set(entry["set"]),
        weights=entry["weights"] or None,
        reml=entry["reml"],
        df_method=df_method,
    )


@pytest.mark.parametrize("place", range(len(FIGURES)), ids=NAMES)
def test_real_data_have_lme4s_optimum_or_a_better_one(place: int) -> None:
    entry, fit = FIGURES[place], fitted(place, "satterthwaite")
    tolerance = 1e-8 * max(1.0, abs(entry["log_likelihood"]))
    assert fit.n_pupils == entry["n"]
    assert not fit.dropped
    assert fit.log_likelihood >= entry["log_likelihood"] - tolerance
    assert (fit.log_likelihood > entry["log_likelihood"] + tolerance) == (entry["set"] in SHORT)
    assert (fit.status == "boundary") == entry["singular"]


@pytest.mark.parametrize("place", [k for k, entry in enumerate(FIGURES) if entry["set"] not in SHORT])
def test_real_data_have_lmertests_estimates_errors_and_degrees_of_freedom(place: int) -> None:
    entry, fit = FIGURES[place], fitted(place, "satterthwaite")
    table = fit.tidy()
    error = np.array(entry["std_error"])
    assert len(table) == len(entry["names"])
    apart = np.abs(table["estimate"].to_numpy(float) - np.array(entry["estimate"]))
    assert (apart <= 1e-6 * np.maximum(np.abs(entry["estimate"]), error)).all()
    np.testing.assert_allclose(table["std_error"].to_numpy(float), error, rtol=1e-6)
    np.testing.assert_allclose(table["df"].to_numpy(float), entry["df"], rtol=1e-4)


@pytest.mark.parametrize("place", [k for k, entry in enumerate(FIGURES) if entry["set"] not in SHORT])
def test_real_data_have_lme4s_variances(place: int) -> None:
    entry, fit = FIGURES[place], fitted(place, "satterthwaite")
    ours, theirs = np.sort([part.variance for part in fit.components]), np.sort(entry["variances"])
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-8 * theirs.max())


@pytest.mark.parametrize(
    "place", [k for k, entry in enumerate(FIGURES) if entry["kenward_roger"] and entry["set"] not in SHORT]
)
def test_real_data_have_pbkrtests_errors_and_degrees_of_freedom(place: int) -> None:
    entry, table = FIGURES[place], fitted(place, "kenward_roger").tidy()
    np.testing.assert_allclose(table["std_error"].to_numpy(float), entry["kenward_roger"]["std_error"], rtol=1e-6)
    np.testing.assert_allclose(table["df"].to_numpy(float), entry["kenward_roger"]["df"], rtol=1e-4)


def test_real_data_are_of_many_kinds() -> None:
    assert len({entry["set"] for entry in FIGURES}) >= 20
    assert any(entry["singular"] for entry in FIGURES)
    assert any(read_set(entry["set"]).isna().any(axis=None) for entry in FIGURES)
