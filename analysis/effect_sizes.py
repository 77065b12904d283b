"""Effects on common scales: Hedges' g of a school-randomised trial, the Cox index of a share."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np

from analysis.results import Estimate, create_failed_row

# Where t^2 / (2h) is more, the deviation has too few degrees of freedom for limits far from the estimate.
_MOST_LOST = 0.5


def total_variance_factor(*, sizes_reference: np.ndarray, sizes_arm: np.ndarray, icc: float) -> float:
    """Return the factor that turns difference / total SD into Hedges' g_T when schools differ in size.

    Parameters
    ----------
    sizes_reference, sizes_arm
        Pupils per school in each arm, every school one pupil or more, two schools per arm or more.
    icc
        Intraclass correlation of the model without covariates, 0 to 1.

    Returns
    -------
    float
        sqrt(1 - icc (N - n_t m_t - n_c m_c + n_t + n_c - 2) / (N - 2)).

    References
    ----------
    Hedges (2007), J. Educational and Behavioral Statistics 32, 341-370, equation 18.

    Examples
    --------
    >>> round(total_variance_factor(sizes_reference=np.full(10, 25), sizes_arm=np.full(10, 25), icc=0.2), 6)
    0.990315
    """
    n_pupils = float(sizes_reference.sum() + sizes_arm.sum())
    n_c, n_t = (_compute_effective_mean_size(sizes) for sizes in (sizes_reference, sizes_arm))
    m_c, m_t = len(sizes_reference), len(sizes_arm)
    taken = icc * (n_pupils - n_t * m_t - n_c * m_c + n_t + n_c - 2) / (n_pupils - 2)
    return math.sqrt(1 - taken)


def _compute_effective_mean_size(sizes: np.ndarray) -> float:
    """Return the size that represents unequal schools: (N^2 - sum n^2) / (N (m - 1))."""
    total = float(sizes.sum())
    return (total**2 - float((sizes.astype(float) ** 2).sum())) / (total * (len(sizes) - 1))


def hedges_g(difference: Estimate, *, total_variance: float, variance_df: float) -> Estimate:
    """Return an adjusted difference in standard deviations of pupils of one arm and stratum.

    Parameters
    ----------
    difference
        The adjusted difference with its t interval.
    total_variance
        Between and within schools, of the model with arms and strata and without covariates, squared units.
    variance_df
        Degrees of freedom h of that variance.

    Returns
    -------
    Estimate
        ``quantity="hedges_g"``: omega b / sqrt(total variance) with omega = 1 - 3/(4h - 1). Hedges' factor that turns
        the pooled deviation of all pupils of an arm into this one is not needed, since the components are estimated.
        The interval has the difference's degrees of freedom and the error of the deviation in it, and excludes zero
        where that of the difference does. The test is the difference's.

    References
    ----------
    Hedges (2007), J. Educational and Behavioral Statistics 32, 341-370; What Works Clearinghouse, Procedures Handbook.
    """
    if difference.status == "failed" or not total_variance > 0 or not variance_df > 1:
        reason = difference.reason or "The variances between and within schools, by which g is divided, are unknown."
        return replace(create_failed_row(difference), quantity="hedges_g", reason=reason)
    factor = (1 - 3 / (4 * variance_df - 1)) / math.sqrt(total_variance)
    return _scale_by_deviation(difference, factor=factor, variance_df=variance_df, quantity="hedges_g")


def hedges_g_unconditional(
    difference: Estimate,
    *,
    school_variance: float,
    pupil_variance: float,
    variance_df: float,
    sizes_reference: np.ndarray,
    sizes_arm: np.ndarray,
) -> Estimate:
    """Return an adjusted difference on the scale of the unconditional total deviation, as the EEF reports it.

    Parameters
    ----------
    difference
        The adjusted difference with its t interval.
    school_variance, pupil_variance
        Of the model without arms, strata and covariates: what arms, strata and countries differ by is in them.
    variance_df
        Degrees of freedom of their sum.
    sizes_reference, sizes_arm
        Pupils per school in each arm.

    Returns
    -------
    Estimate
        ``quantity="hedges_g_unconditional"``; its interval and test as those of `hedges_g`, where a normal interval
        would be too narrow for few schools.

    References
    ----------
    Hedges (2007), equation 18; Education Endowment Foundation, statistical analysis guidance.
    """
    total = school_variance + pupil_variance
    quantity = "hedges_g_unconditional"
    if difference.status == "failed" or not total > 0 or min(len(sizes_reference), len(sizes_arm)) < 2:
        reason = difference.reason or "Two schools per arm are needed for a standardised effect."
        return replace(create_failed_row(difference), quantity=quantity, reason=reason)
    icc = school_variance / total
    factor = total_variance_factor(sizes_reference=sizes_reference, sizes_arm=sizes_arm, icc=icc) / math.sqrt(total)
    return _scale_by_deviation(difference, factor=factor, variance_df=variance_df, quantity=quantity)


def _scale_by_deviation(difference: Estimate, *, factor: float, variance_df: float, quantity: str) -> Estimate:
    """Divide a difference by an estimated deviation, the error of both in the interval.

    The limits are the values d with (g - d)^2 = t^2 (e^2 + d^2 / (2h)), e being the error of the difference in
    deviations and d^2 / (2h) the variance that the deviation adds; at d = 0 it adds none.
    """
    from scipy import stats

    row = scale_estimate(difference, factor=factor, quantity=quantity)
    t = float(stats.t.isf((1 - difference.conf_level) / 2, difference.df))
    half = (row.conf_high - row.conf_low) / 2
    error = math.hypot(row.std_error, row.estimate / math.sqrt(2 * variance_df))
    lost = t**2 / (2 * variance_df)
    if lost < _MOST_LOST:
        centre = row.estimate / (1 - lost)
        half = math.sqrt(centre**2 - (row.estimate**2 - half**2) / (1 - lost))
    else:  # so few schools that limits far from zero could not be determined: the variance at the estimate
        centre, half = row.estimate, math.hypot(half, t * row.estimate / math.sqrt(2 * variance_df))
    return replace(row, std_error=error, conf_low=centre - half, conf_high=centre + half)


def scale_estimate(row: Estimate, *, factor: float, quantity: str) -> Estimate:
    """Return an estimate in other units, under another name; its test stays.

    Parameters
    ----------
    row
        With its interval.
    factor
        Above 0, taken as known.
    quantity
        Of the new row.
    """
    return replace(
        row,
        quantity=quantity,
        estimate=row.estimate * factor,
        std_error=row.std_error * factor,
        conf_low=row.conf_low * factor,
        conf_high=row.conf_high * factor,
    )


def odds_ratio(log_odds: Estimate) -> Estimate:
    """Return a log odds ratio's row as an odds ratio; its standard error stays that of the logarithm."""
    if log_odds.status == "failed":
        return replace(log_odds, quantity="odds_ratio")
    return replace(
        log_odds,
        quantity="odds_ratio",
        estimate=_convert_log_to_ratio(log_odds.estimate),
        conf_low=_convert_log_to_ratio(log_odds.conf_low),
        conf_high=_convert_log_to_ratio(log_odds.conf_high),
    )


def number_needed_to_treat(difference: Estimate) -> Estimate:
    """Return a risk difference's row as a number needed to treat; see `analysis.risk_effects`.

    Parameters
    ----------
    difference
        With its interval.

    Examples
    --------
    >>> row = number_needed_to_treat(Estimate(estimate=-0.05, conf_low=-0.08, conf_high=-0.02))
    >>> row.estimate, row.conf_low, row.conf_high
    (20.0, 12.5, 50.0)
    """
    row = replace(difference, quantity="number_needed_to_treat", std_error=math.nan, statistic=math.nan)
    if difference.status == "failed" or difference.estimate == 0:
        reason = difference.reason or "The difference is zero: no number of pupils makes one event less."
        return replace(create_failed_row(row), reason=reason)
    low, high = (math.inf if bound == 0 else -1 / bound for bound in (difference.conf_low, difference.conf_high))
    reason = difference.reason
    if difference.conf_low <= 0 <= difference.conf_high:
        reason = "The interval of the difference holds zero, so that of this number passes through infinity."
    return replace(row, estimate=-1 / difference.estimate, conf_low=low, conf_high=high, reason=reason)


def _convert_log_to_ratio(logarithm: float) -> float:
    """Return the ratio of a logarithm; infinity where three schools or so leave a limit that no number holds."""
    return math.exp(logarithm) if not logarithm > _LARGEST_LOGARITHM else math.inf


_LARGEST_LOGARITHM = math.log(sys.float_info.max)
