"""Slopes that differ between schools: derivatives, limiting cases, units, and bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

from analysis import Model, fit_logistic_mixed
from analysis.binary import fit_logistic_slopes
from analysis.binary.slopes import _compute_slope_likelihood
from analysis.quadrature import patterns
from data_schema.errors import EstimationError

MODEL = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))


def drawn(n_schools: int, n: int, *, seed: int, slope_sd: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    prior = rng.standard_normal(school.size).round(1)
    level, steep = 0.6 * rng.standard_normal(n_schools), 0.5 + slope_sd * rng.standard_normal(n_schools)
    odds = -0.8 - 0.4 * (school % 2) + level[school] + steep[school] * prior
    left = (rng.random(school.size) < special.expit(odds)).astype(int)
    return pd.DataFrame(
        {"school": school, "arm": np.where(school % 2 == 1, "pilot", "control"), "prior": prior, "left": left}
    )


def test_slopes_and_information_are_derivatives_of_the_likelihood() -> None:
    frame = drawn(6, 10, seed=1)
    x = np.column_stack([np.ones(60), frame["arm"] == "pilot", frame["prior"]]).astype(float)
    data = patterns(x, frame["left"].to_numpy(dtype=float), frame["school"].to_numpy(), n_schools=6)
    at = np.array([-0.6, -0.3, 0.4, 0.7, 0.2, 0.5])
    _, slope, information = _compute_slope_likelihood(data, at, 2, n_nodes=21)
    for place in range(6):
        step = np.zeros(6)
        step[place] = 1e-5
        high, low = (_compute_slope_likelihood(data, at + s, 2, n_nodes=21) for s in (step, -step))
        assert slope[place] == pytest.approx((high[0] - low[0]) / 2e-5, abs=1e-5)
        assert information[place] == pytest.approx(-(high[1] - low[1]) / 2e-5, abs=1e-4)


def test_the_likelihood_is_that_of_an_integral_over_the_plane() -> None:
    frame = drawn(3, 6, seed=2)
    x = np.column_stack([np.ones(18), frame["prior"]])
    left = frame["left"].to_numpy(dtype=float)
    data = patterns(x, left, frame["school"].to_numpy(), n_schools=3)
    a, b, c = 0.8, -0.2, 0.6
    total = 0.0
    for school in range(3):
        mine = (frame["school"] == school).to_numpy()

        def joint(z2: float, z1: float, mine: np.ndarray = mine) -> float:
            eta = -0.5 + 0.3 * x[mine, 1] + a * z1 + x[mine, 1] * (b * z1 + c * z2)
            log = float((left[mine] * eta - np.logaddexp(0, eta)).sum())
            return math.exp(log - (z1 * z1 + z2 * z2) / 2) / (2 * math.pi)

        total += math.log(integrate.dblquad(joint, -8, 8, -8, 8, epsabs=1e-11)[0])
    assert _compute_slope_likelihood(data, np.array([-0.5, 0.3, a, b, c]), 1, n_nodes=25)[0] == pytest.approx(
        total, abs=1e-7
    )


def test_slopes_that_do_not_differ_are_the_model_with_an_intercept() -> None:
    frame = drawn(20, 20, seed=3, slope_sd=0.0)
    slopes, plain = fit_logistic_slopes(frame, MODEL, slope="prior"), fit_logistic_mixed(frame, MODEL)
    assert slopes.convergence.objective <= plain.convergence.objective + 1e-6
    assert slopes.convergence.objective == pytest.approx(plain.convergence.objective, abs=4)
    assert slopes.variances["slope"] < 0.1
    assert slopes.difference("arm[pilot]").estimate == pytest.approx(plain.difference("arm[pilot]").estimate, abs=0.01)


def test_slopes_that_differ_are_found_and_units_do_not_matter() -> None:
    frame = drawn(40, 25, seed=6)
    one = fit_logistic_slopes(frame, MODEL, slope="prior")
    assert math.sqrt(one.variances["slope"]) == pytest.approx(0.6, abs=0.2)
    assert one.convergence.objective < fit_logistic_mixed(frame, MODEL).convergence.objective - 20
    other = fit_logistic_slopes(frame.assign(prior=10 + 2 * frame["prior"]), MODEL, slope="prior")
    assert other.variances["slope"] == pytest.approx(one.variances["slope"] / 4, rel=1e-4)
    # The level is now that at a prior of zero, ten away from where pupils are.
    moved = one.variances["school"] - 2 * 5 * one.variances["covariance"] + 25 * one.variances["slope"]
    assert other.variances["school"] == pytest.approx(moved, rel=1e-4)
    assert other.estimate("arm[pilot]").estimate == pytest.approx(one.estimate("arm[pilot]").estimate, abs=1e-4)
    assert one.tidy()["df"].tolist() == [38.0] * 3


def test_a_slope_that_is_none_is_refused_or_fails_with_a_reason() -> None:
    frame = drawn(8, 10, seed=5)
    frame["size"] = frame["school"] * 1.0
    frame["kind"] = "general"
    frame.loc[frame["prior"] > 0, "kind"] = "mixed"
    with pytest.raises(EstimationError, match="not one of its covariates"):
        fit_logistic_slopes(frame, MODEL, slope="size")
    with pytest.raises(EstimationError, match="nodes do not do"):
        fit_logistic_slopes(frame, MODEL, slope="prior", n_nodes=3)
    size = fit_logistic_slopes(frame, replace(MODEL, covariates=("size",)), slope="size")
    assert "does not vary within schools" in size.convergence.reason
    kind = fit_logistic_slopes(frame, replace(MODEL, covariates=("kind",)), slope="kind")
    assert "is not a number" in kind.convergence.reason
    none = frame.assign(left=np.where(frame["arm"] == "pilot", 0, frame["left"]))
    assert "arm pilot" in fit_logistic_slopes(none, MODEL, slope="prior").convergence.reason
