"""Counts with exposure: limiting cases by hand, numeric integration, zero inflation, and what cannot be counted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from analysis import Model
from analysis.counts import CountFamily, fit_counts, rate_effects
from analysis.counts.zero_inflation import ZeroInflated
from analysis.quadrature import NegativeBinomial, Poisson, Response
from data_schema.errors import EstimationError

MODEL = Model(outcome="absences", school="school", arm="arm", arms=("control", "pilot"))


def drawn(
    n_schools: int, n: int, *, seed: int, school_sd: float = 0.3, dispersion: float = 0.5, zeros: float = 0.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), n)
    pilot = school % 2 == 1
    days = rng.integers(60, 181, size=school.size)
    mean = days * np.exp(-3.0 - 0.4 * pilot + school_sd * rng.standard_normal(n_schools)[school])
    spread = rng.gamma(1 / dispersion, dispersion, size=school.size) if dispersion else 1.0
    absences = np.where(rng.random(school.size) < zeros, 0, rng.poisson(mean * spread))
    arm = np.where(pilot, "pilot", "control")
    return pd.DataFrame({"school": school, "arm": arm, "days": days, "absences": absences})


def test_schools_that_do_not_differ_give_the_ratio_of_the_rates() -> None:
    frame = pd.DataFrame(
        {
            "school": np.repeat(np.arange(8), 2),
            "arm": np.repeat(["control", "pilot"], 8),
            "days": [100, 50] * 8,
            "absences": [10, 4] * 4 + [4, 3] * 4,
        }
    )
    effects = rate_effects(frame, MODEL, family="poisson", exposure="days", per=100)
    assert effects.fit.fit.status == "boundary"
    assert effects.row("rate", "control").estimate == pytest.approx(100 * 56 / 600)
    ratio = effects.row("rate_ratio", "pilot")
    assert ratio.estimate == pytest.approx(28 / 56)
    assert ratio.std_error == pytest.approx(math.sqrt(1 / 28 + 1 / 56), rel=1e-5)
    assert effects.row("rate_difference", "pilot").estimate == pytest.approx(100 * (28 - 56) / 600)
    # A pupil is enrolled 75 days in the mean.
    assert effects.row("mean_difference", "pilot").estimate == pytest.approx(75 * (28 - 56) / 600)


def minus_twice(frame: pd.DataFrame, density: object, *, school_sd: float, intercept: float, effect: float) -> float:
    total = 0.0
    for _, mine in frame.groupby("school"):
        base = intercept + effect * (mine["arm"].iloc[0] == "pilot") + np.log(mine["days"].to_numpy())
        counts = mine["absences"].to_numpy()

        def joint(z: float, base: np.ndarray = base, counts: np.ndarray = counts) -> float:
            assert callable(density)
            return float(np.prod(density(counts, np.exp(base + school_sd * z)))) * math.exp(-z * z / 2)

        total += math.log(integrate.quad(joint, -6, 6, epsabs=0, epsrel=1e-10, limit=200)[0] / math.sqrt(2 * math.pi))
    return -2 * total


@pytest.mark.parametrize("zero_inflated", [False, True])
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_the_deviance_is_that_of_densities_integrated_over_schools(family: CountFamily, zero_inflated: bool) -> None:
    frame = drawn(10, 8, seed=3, zeros=0.3 if zero_inflated else 0.0)
    fit = fit_counts(frame, MODEL, family=family, exposure="days", zero_inflated=zero_inflated, n_nodes=25)
    coefficients = fit.fit.coefficients
    assert coefficients is not None

    def at(dispersion: float, zero_share: float) -> float:
        def density(counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
            if dispersion:
                size = 1 / dispersion
                own = stats.nbinom.pmf(counts, size, size / (size + mean))
            else:
                own = stats.poisson.pmf(counts, mean)
            return np.asarray(zero_share * (counts == 0) + (1 - zero_share) * own)

        return minus_twice(
            frame,
            density,
            school_sd=math.sqrt(fit.fit.variances["school"]),
            intercept=coefficients.estimate[0],
            effect=coefficients.estimate[1],
        )

    expected = at(fit.dispersion, fit.zero_share)
    assert fit.fit.convergence.objective == pytest.approx(expected, abs=1e-4)
    for factor in (0.98, 1.02):
        if fit.dispersion:
            assert at(fit.dispersion * factor, fit.zero_share) > expected
        if fit.zero_share:
            assert at(fit.dispersion, fit.zero_share * factor) > expected
    assert (fit.zero_share > 0.1) == zero_inflated
    assert (fit.dispersion > 0) == (family == "negative_binomial")


def test_poissons_errors_are_too_small_where_pupils_differ() -> None:
    frame = drawn(20, 20, seed=5, dispersion=1.5)
    poisson, negative = (
        fit_counts(frame, MODEL, family=family, exposure="days") for family in ("poisson", "negative_binomial")
    )
    assert negative.dispersion == pytest.approx(1.5, rel=0.3)
    assert negative.fit.convergence.objective < poisson.fit.convergence.objective - 100
    assert negative.estimate("arm[pilot]").df == 18


def test_counts_without_dispersion_are_poissons_and_it_is_said() -> None:
    frame = drawn(12, 15, seed=2, dispersion=0.0)
    frame["absences"] = np.random.default_rng(1).binomial(40, 0.1, size=len(frame))
    fit = fit_counts(frame, MODEL)
    plain = fit_counts(frame, MODEL, family="poisson")
    assert fit.dispersion == 0
    assert fit.fit.status == "boundary"
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(plain.estimate("arm[pilot]").estimate, rel=1e-8)


def test_counts_without_dispersion_or_zeros_of_their_own_are_poissons_though_both_were_asked_for() -> None:
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(14), 20)
    arm = np.where(school % 2 == 1, "pilot", "control")
    frame = pd.DataFrame({"school": school, "arm": arm, "absences": np.maximum(rng.poisson(4.0, school.size), 1)})
    fit = fit_counts(frame, MODEL, zero_inflated=True)
    plain = fit_counts(frame, MODEL, family="poisson")
    assert fit.fit.status == "boundary"
    assert fit.dispersion == 0
    assert fit.zero_share < 1e-4
    assert fit.fit.convergence.objective == pytest.approx(plain.fit.convergence.objective, abs=0.01)
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(plain.estimate("arm[pilot]").estimate, abs=1e-3)


def test_without_exposure_everybody_is_exposed_alike_and_units_do_not_matter() -> None:
    frame = drawn(12, 15, seed=4)
    one = fit_counts(frame.assign(days=1), MODEL, exposure="days").estimate("arm[pilot]")
    other = fit_counts(frame, MODEL).estimate("arm[pilot]")
    assert (one.estimate, one.std_error) == (other.estimate, other.std_error)
    weeks = fit_counts(frame.assign(days=frame["days"] / 5), MODEL, exposure="days").estimate("arm[pilot]")
    days = fit_counts(frame, MODEL, exposure="days").estimate("arm[pilot]")
    assert weeks.estimate == pytest.approx(days.estimate, rel=1e-6)
    assert weeks.std_error == pytest.approx(days.std_error, rel=1e-5)


def test_missing_counts_and_exposures_are_left_out_and_counted_with_covariates_in_step() -> None:
    frame = drawn(12, 15, seed=6)
    frame["prior"] = np.random.default_rng(2).standard_normal(len(frame))
    holes = frame.astype({"absences": float, "days": float})
    holes.loc[[0, 20], "absences"] = np.nan
    holes.loc[[1, 30], "days"] = np.nan
    holes.loc[40, ["days", "absences"]] = 0.0
    holes.loc[50, "prior"] = np.nan
    model = replace(MODEL, covariates=("prior",), missing_covariates="drop")
    fit = fit_counts(holes, model, exposure="days")
    kept = frame.drop(index=[0, 20, 1, 30, 40, 50])
    alone = fit_counts(kept, model, exposure="days")
    assert (fit.fit.n_missing_outcome, fit.n_without_exposure, fit.fit.n_pupils) == (2, 3, len(kept))
    assert fit.estimate("arm[pilot]").estimate == pytest.approx(alone.estimate("arm[pilot]").estimate, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"days": -1.0}, "below zero"),
        ({"days": 0.0, "absences": 3}, "exposure of zero"),
    ],
)
def test_impossible_exposures_are_refused(change: dict[str, float], words: str) -> None:
    frame = drawn(6, 5, seed=1).astype({"days": float})
    for column, value in change.items():
        frame.loc[0, column] = value
    with pytest.raises(EstimationError, match=words):
        fit_counts(frame, MODEL, exposure="days")


def test_impossible_requests_are_refused() -> None:
    frame = drawn(6, 5, seed=1)
    with pytest.raises(EstimationError, match="no column 'hours'"):
        fit_counts(frame, MODEL, exposure="hours")
    with pytest.raises(EstimationError, match="family"):
        fit_counts(frame, MODEL, family="normal")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="need arms"):
        rate_effects(frame, Model(outcome="absences", school="school"))


@pytest.mark.parametrize(
    ("absences", "words"),
    [
        (lambda frame: frame["absences"] + 0.5, "whole numbers"),
        (lambda frame: 0 * frame["absences"], "Every"),
        (lambda frame: np.where(frame["arm"] == "pilot", 0, frame["absences"]), "arm pilot"),
    ],
)
def test_counts_that_cannot_be_modelled_fail_with_a_reason_in_every_row(absences: object, words: str) -> None:
    frame = drawn(8, 6, seed=1)
    assert callable(absences)
    effects = rate_effects(frame.assign(absences=absences(frame)), MODEL, exposure="days")
    assert [row.quantity for row in effects.rows] == [
        "rate",
        "rate",
        "rate_ratio",
        "rate_difference",
        "mean_difference",
    ]
    assert {row.status for row in effects.rows} == {"failed"}
    assert words in effects.rows[0].reason
    assert effects.glance()["per"].tolist() == [1.0]


@pytest.mark.parametrize("base", [Poisson(), NegativeBinomial(dispersion=0.8)])
def test_derivatives_of_zero_inflated_counts_are_those_of_their_log_likelihood(base: Response) -> None:
    zero = np.array([True, False, True, False])
    response = ZeroInflated(base, 0.2, zero)
    eta, events, count = np.array([-0.5, 0.2, 1.0, 2.0]), np.array([0.0, 3.0, 0.0, 9.0]), np.array([2.0, 2.0, 1.0, 3.0])
    step = 1e-5

    def both(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return response.value_and_slope(at, events=events, count=count)

    slope, weight, skew = response.slopes(eta, events=events, count=count)
    assert slope == pytest.approx((both(eta + step)[0] - both(eta - step)[0]) / (2 * step), abs=1e-7)
    assert weight == pytest.approx(-(both(eta + step)[1] - both(eta - step)[1]) / (2 * step), abs=1e-7)
    ahead, behind = (response.slopes(eta + s, events=events, count=count)[1] for s in (step, -step))
    assert skew == pytest.approx((ahead - behind) / (2 * step), abs=1e-6)
    assert response.mean(eta)[0] == pytest.approx(0.8 * base.mean(eta)[0])


def test_tables_have_a_row_a_term_and_say_what_was_used() -> None:
    fit = fit_counts(drawn(10, 10, seed=8), MODEL, exposure="days")
    assert fit.tidy()["term"].tolist() == ["(Intercept)", "arm[pilot]"]
    assert {"dispersion", "zero_share", "n_without_exposure"} <= set(fit.glance().columns)
