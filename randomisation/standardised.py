"""Standardised differences of two groups' means and shares, as the What Works Clearinghouse makes them."""

from __future__ import annotations

import math

COX = 1.65
"""What a difference of log odds is divided by to be like one of standard deviations (Cox 1970)."""


def compute_small_sample_factor(n: int) -> float:
    """Return Hedges' omega, 1 - 3 / (4 N - 9), of N rows in both groups.

    Examples
    --------
    >>> round(compute_small_sample_factor(20), 4)
    0.9577
    """
    return 1 - 3 / (4 * n - 9)


def compute_pooled_sd(sd_reference: float, sd_arm: float, *, n_reference: int, n_arm: int) -> float:
    """Return the standard deviation within groups: variances weighted by rows less one.

    Parameters
    ----------
    sd_reference, sd_arm
        Of each group.
    n_reference, n_arm
        Rows with a value.

    Returns
    -------
    float
        NaN with fewer than two rows in either group.

    Examples
    --------
    >>> compute_pooled_sd(3.0, 4.0, n_reference=6, n_arm=3)
    3.3166247903554
    """
    if min(n_reference, n_arm) < 2:
        return math.nan
    squares = (n_reference - 1) * sd_reference**2 + (n_arm - 1) * sd_arm**2
    return math.sqrt(squares / (n_reference + n_arm - 2))


def cox_index(*, share_reference: float, share_arm: float, n_pupils: int) -> float:
    """Return the standardised difference of two shares: their difference in log odds over 1.65.

    Parameters
    ----------
    share_reference, share_arm
        Between 0 and 1, exclusive; NaN comes back when either is 0 or 1.
    n_pupils
        Pupils in both groups.

    References
    ----------
    What Works Clearinghouse, Procedures Handbook: omega (logit p_t - logit p_c) / 1.65 with omega = 1 - 3/(4N - 9).

    Examples
    --------
    >>> round(cox_index(share_reference=0.5, share_arm=0.6, n_pupils=1000), 4)
    0.2456
    """
    if not (0 < share_reference < 1 and 0 < share_arm < 1):
        return math.nan
    logits = [math.log(share / (1 - share)) for share in (share_reference, share_arm)]
    return compute_small_sample_factor(n_pupils) * (logits[1] - logits[0]) / COX


def adjust_share_by_half_case(share: float, n: int) -> float:
    """Return a share with half a case added to those who have the event and to those who do not.

    A share of 0 or 1 has no log odds; with half a case more on either side it has the odds of least bias.

    References
    ----------
    Haldane (1956), Annals of Human Genetics 20, 309-311; Anscombe (1956), Biometrika 43, 461-464.

    Examples
    --------
    >>> adjust_share_by_half_case(0.0, 9), adjust_share_by_half_case(1.0, 9)
    (0.05, 0.95)
    """
    return (share * n + 0.5) / (n + 1)
