"""Pooling a handful of countries: random effects with Hartung and Knapp's interval, and a prediction interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.results import Estimate
from analysis.terms import format_arm_term

METHOD = "two_stage_reml_hartung_knapp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """A pooled effect.

    Parameters
    ----------
    estimate, std_error, df, p_value, conf_low, conf_high
        Of the mean effect over countries; df is the number of countries less one.
    tau2
        Variance of the true effects between countries.
    predicted_low, predicted_high
        Interval for the effect in a further country; NaN with fewer than three countries.
    n_countries
        Countries pooled.
    """

    estimate: float
    std_error: float
    df: int
    p_value: float
    conf_low: float
    conf_high: float
    tau2: float
    predicted_low: float
    predicted_high: float
    n_countries: int


def pool_countries(estimates: np.ndarray, std_errors: np.ndarray, *, conf_level: float = 0.95) -> Pooled:
    """Pool independent estimates by random effects (REML) with the Hartung-Knapp adjustment.

    Parameters
    ----------
    estimates, std_errors
        Shape (k,), k of 2 or more countries, standard errors above zero.
    conf_level
        Level of both intervals.

    Returns
    -------
    Pooled
        Never narrower than the fixed-effect interval: the adjustment factor is held at 1 or more.

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889; Roever, Knapp and Friede (2015), BMC Medical
    Research Methodology 15, 99, for the floor; Higgins, Thompson and Spiegelhalter (2009), JRSS A 172, 137-159, for
    prediction.

    Raises
    ------
    ValueError
        With fewer than two estimates or a standard error that is not above zero.
    """
    from scipy import stats

    if len(estimates) < 2 or not (np.asarray(std_errors) > 0).all():
        raise ValueError("Pooling needs two or more estimates with standard errors above zero.")
    variances = np.asarray(std_errors, dtype=float) ** 2
    tau2 = _estimate_reml_tau2(np.asarray(estimates, dtype=float), variances)
    weights = 1 / (variances + tau2)
    mean = float((weights * estimates).sum() / weights.sum())
    df = len(estimates) - 1
    factor = max(float((weights * (estimates - mean) ** 2).sum()) / df, 1.0)
    std_error = math.sqrt(factor / float(weights.sum()))
    half = float(stats.t.isf((1 - conf_level) / 2, df)) * std_error
    wide = math.nan
    if df >= 2:
        wide = float(stats.t.isf((1 - conf_level) / 2, df - 1)) * math.sqrt(tau2 + std_error**2)
    return Pooled(
        estimate=mean,
        std_error=std_error,
        df=df,
        p_value=float(2 * stats.t.sf(abs(mean) / std_error, df)),
        conf_low=mean - half,
        conf_high=mean + half,
        tau2=tau2,
        predicted_low=mean - wide,
        predicted_high=mean + wide,
        n_countries=len(estimates),
    )


def _estimate_reml_tau2(estimates: np.ndarray, variances: np.ndarray) -> float:
    """Maximise the restricted likelihood of the variance between countries over 0 and above."""
    from scipy import optimize

    def compute_restricted_deviance(tau2: float) -> float:
        weights = 1 / (variances + tau2)
        mean = (weights * estimates).sum() / weights.sum()
        return float(-np.log(weights).sum() + np.log(weights.sum()) + (weights * (estimates - mean) ** 2).sum())

    top = 10 * float(np.var(estimates)) + 10 * float(variances.max())
    grid = np.concatenate([[0.0], np.geomspace(top * 1e-8, top, 60)])
    best = int(np.argmin([compute_restricted_deviance(float(value)) for value in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    minimum = optimize.minimize_scalar(
        compute_restricted_deviance, bounds=(low, high), method="bounded", options={"xatol": 1e-12 * top}
    )
    return 0.0 if compute_restricted_deviance(0.0) <= float(minimum.fun) else float(minimum.x)


def pool_country_differences(differences: Sequence[Estimate], *, arm: str, conf_level: float) -> list[Estimate]:
    """Pool the countries' differences of one arm into rows of the table of estimates.

    Parameters
    ----------
    differences
        One row per country; failed ones are left out, and named in the reason.
    arm
        The arm that they are about.
    conf_level
        Level of both intervals.

    Returns
    -------
    list of Estimate
        ``pooled_difference`` and, where three or more countries are differences, ``prediction_interval`` (only its
        limits); failed where fewer than two countries have a difference.
    """
    usable = [row for row in differences if row.status != "failed"]
    left_out = sorted(row.country for row in differences if row.status == "failed")
    note = f"Without {', '.join(left_out)}, which could not be estimated." if left_out else ""
    shared = Estimate(
        term=format_arm_term(arm),
        arm=arm,
        conf_level=conf_level,
        n_schools=sum(row.n_schools for row in usable),
        n_pupils=sum(row.n_pupils for row in usable),
        method=METHOD,
        se_type="hartung_knapp",
        df_method="countries",
        reason=note,
    )
    mean = replace(shared, quantity="pooled_difference")
    interval = replace(shared, quantity="prediction_interval")
    too_few = f"{len(usable)} of {len(differences)} countries have a difference"
    if len(usable) < 2:
        return [replace(mean, status="failed", reason=f"{too_few}; pooling needs two or more.")]
    pooled = pool_countries(
        np.array([row.estimate for row in usable]), np.array([row.std_error for row in usable]), conf_level=conf_level
    )
    mean = replace(
        mean,
        estimate=pooled.estimate,
        std_error=pooled.std_error,
        statistic=pooled.estimate / pooled.std_error,
        df=float(pooled.df),
        p_value=pooled.p_value,
        conf_low=pooled.conf_low,
        conf_high=pooled.conf_high,
        status="boundary" if pooled.tau2 == 0 else "ok",
    )
    if len(usable) >= 3:
        interval = replace(
            interval,
            df=float(pooled.df - 1),
            conf_low=pooled.predicted_low,
            conf_high=pooled.predicted_high,
            se_type="prediction",
        )
        return [mean, interval]
    return [mean]
