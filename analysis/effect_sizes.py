"""Effects on common scales: Hedges' g of a school-randomised trial, the Cox index of a share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analysis.results import Estimate, failed_row
from randomisation.standardised import cox_index, small_sample_factor


def total_variance_factor(*, sizes_reference: np.ndarray, sizes_arm: np.ndarray, icc: float) -> float:
    """Return the factor that turns difference / total SD into Hedges' g_T when schools differ in size.

    Parameters
    ----------
    sizes_reference, sizes_arm
        Pupils a school in each arm, every school one pupil or more, two schools an arm or more.
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
    n_c, n_t = (_mean_size(sizes) for sizes in (sizes_reference, sizes_arm))
    m_c, m_t = len(sizes_reference), len(sizes_arm)
    taken = icc * (n_pupils - n_t * m_t - n_c * m_c + n_t + n_c - 2) / (n_pupils - 2)
    return math.sqrt(1 - taken)


def _mean_size(sizes: np.ndarray) -> float:
    """Return the size that stands for unequal schools: (N^2 - sum n^2) / (N (m - 1))."""
    total = float(sizes.sum())
    return (total**2 - float((sizes.astype(float) ** 2).sum())) / (total * (len(sizes) - 1))


def hedges_g(
    difference: Estimate,
    *,
    school_variance: float,
    pupil_variance: float,
    sizes_reference: np.ndarray,
    sizes_arm: np.ndarray,
) -> Estimate:
    """Return an adjusted difference on the scale of the total standard deviation.

    Parameters
    ----------
    difference
        The adjusted difference with its t interval.
    school_variance, pupil_variance
        Of the model without covariates, so that trials with other covariates compare.
    sizes_reference, sizes_arm
        Pupils a school in each arm.

    Returns
    -------
    Estimate
        ``quantity="hedges_g"``. The interval is the difference's own, rescaled: it keeps the small-sample degrees of
        freedom and takes the standard deviation as known, where a normal interval would be too narrow for few schools.

    References
    ----------
    Hedges (2007), equation 18; Education Endowment Foundation, statistical analysis guidance.
    """
    total = school_variance + pupil_variance
    if difference.status == "failed" or not total > 0 or min(len(sizes_reference), len(sizes_arm)) < 2:
        reason = difference.reason or "Two schools an arm are needed for a standardised effect."
        return replace(failed_row(difference), quantity="hedges_g", reason=reason)
    icc = school_variance / total
    factor = total_variance_factor(sizes_reference=sizes_reference, sizes_arm=sizes_arm, icc=icc) / math.sqrt(total)
    return _scaled(difference, factor=factor, quantity="hedges_g")


def _scaled(row: Estimate, *, factor: float, quantity: str) -> Estimate:
    return replace(
        row,
        quantity=quantity,
        estimate=row.estimate * factor,
        std_error=row.std_error * factor,
        conf_low=row.conf_low * factor,
        conf_high=row.conf_high * factor,
    )


def cox_index_of(difference: Estimate, *, share_reference: float, n_pupils: int) -> Estimate:
    """Return an adjusted difference of shares as a Cox index.

    Parameters
    ----------
    difference
        The adjusted difference of shares with its t interval.
    share_reference
        Observed share of the reference arm; the other arm's share is this one and the difference.
    n_pupils
        Pupils in both arms.

    Returns
    -------
    Estimate
        ``quantity="cox_index"``. The interval is the difference's own, rescaled by index over difference, so that both
        exclude zero or neither does; failed where a share is 0 or 1.
    """
    row = replace(difference, quantity="cox_index")
    if difference.status == "failed":
        return row
    share_arm = share_reference + difference.estimate
    index = cox_index(share_reference=share_reference, share_arm=share_arm, n_pupils=n_pupils)
    if not math.isfinite(index):
        reason = "A share of 0 or 1 has no log odds."
        return replace(failed_row(row), reason=reason)
    slope = small_sample_factor(n_pupils) / (1.65 * share_reference * (1 - share_reference))
    factor = index / difference.estimate if abs(difference.estimate) > 1e-9 else slope
    return _scaled(difference, factor=factor, quantity="cox_index")


def relative_rows(difference: Estimate, *, share_reference: float) -> list[Estimate]:
    """Return an adjusted difference of shares as a risk ratio, an odds ratio and a number needed to treat.

    Parameters
    ----------
    difference
        The adjusted difference of shares with its t interval.
    share_reference
        Observed share of the reference arm, taken as known; the other arm's share is this one and the difference.

    Returns
    -------
    list of Estimate
        ``quantity`` "risk_ratio", "marginal_odds_ratio" and "number_needed_to_treat". Intervals are the difference's
        own, carried over, so that all exclude no effect or none does; standard errors are those of the logarithm. A
        limit beyond 0 or 1 is that border. Failed where a share is 0 or 1.

    Examples
    --------
    >>> row = Estimate(estimate=-0.05, std_error=0.02, conf_low=-0.09, conf_high=-0.01)
    >>> [round(found.estimate, 3) for found in relative_rows(row, share_reference=0.2)]
    [0.75, 0.706, 20.0]
    """
    rows = [replace(difference, quantity=name) for name in ("risk_ratio", "marginal_odds_ratio")]
    share = share_reference + difference.estimate
    known = difference.status != "failed"
    if not known or not (0 < share_reference < 1 and 0 < share < 1):
        reason = difference.reason if not known else "A share of 0 or 1 has no ratio and no odds."
        done = [replace(failed_row(row), reason=reason) for row in rows]
        return [*done, number_needed_to_treat(difference)]
    ends = [min(max(share_reference + end, 0.0), 1.0) for end in (difference.conf_low, difference.conf_high)]
    ratio, odds = (
        replace(
            row,
            estimate=scale(share),
            std_error=error,
            conf_low=scale(ends[0]),
            conf_high=scale(ends[1]),
        )
        for row, scale, error in (
            (rows[0], lambda at: at / share_reference, difference.std_error / share),
            (rows[1], lambda at: _odds(at) / _odds(share_reference), difference.std_error / (share * (1 - share))),
        )
    )
    return [ratio, odds, number_needed_to_treat(difference)]


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def odds_ratio(log_odds: Estimate) -> Estimate:
    """Return a log odds ratio's row as an odds ratio; its standard error stays that of the logarithm."""
    if log_odds.status == "failed":
        return replace(log_odds, quantity="odds_ratio")
    return replace(
        log_odds,
        quantity="odds_ratio",
        estimate=math.exp(log_odds.estimate),
        conf_low=math.exp(log_odds.conf_low),
        conf_high=math.exp(log_odds.conf_high),
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
        return replace(failed_row(row), reason=reason)
    low, high = (math.inf if bound == 0 else -1 / bound for bound in (difference.conf_low, difference.conf_high))
    reason = difference.reason
    if difference.conf_low <= 0 <= difference.conf_high:
        reason = "The interval of the difference holds zero, so that of this number passes through infinity."
    return replace(row, estimate=-1 / difference.estimate, conf_low=low, conf_high=high, reason=reason)
