"""How well a signal tells who leaves: flags at a team's capacity, rates of right and wrong, area under the curve."""

from __future__ import annotations

import numpy as np

MEASURES = ("flagged", "sensitivity", "specificity", "predictive_value", "negative_predictive_value")


def flags_at_capacity(signal: np.ndarray, school: np.ndarray, *, capacity: float) -> np.ndarray:
    """Flag the most worrying pupils of each school, as many as its team can look after.

    Parameters
    ----------
    signal
        Shape (N,), more is more worrying; NaN is never flagged. A signal of two values is a flag already: those with
        the larger one are flagged while there is room.
    school
        Shape (N,), positions.
    capacity
        Share of the school's pupils.

    Returns
    -------
    numpy.ndarray
        Shape (N,), from 0 to 1: pupils whose signal is tied at the limit share the places left, so that no order of
        rows decides.

    Examples
    --------
    >>> flags_at_capacity(np.array([3.0, 1.0, 1.0, 0.0]), np.zeros(4, dtype=int), capacity=0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    flags = np.zeros(len(signal))
    for place in np.unique(school):
        school_rows = np.flatnonzero(school == place)
        room = capacity * len(school_rows)
        values, group, sizes = np.unique(-signal[school_rows], return_inverse=True, return_counts=True, equal_nan=True)
        before = np.cumsum(sizes) - sizes
        shares = np.clip((room - before) / sizes, 0.0, 1.0)
        shares[np.isnan(values)] = 0.0
        flags[school_rows] = shares[group]
    return flags


def count_flags_by_school(
    flags: np.ndarray, left: np.ndarray, chosen: np.ndarray, school: np.ndarray, n: int
) -> np.ndarray:
    """Return flagged leavers, flagged stayers, missed leavers and rightly not flagged of each school, shape (n, 4).

    Parameters
    ----------
    flags, left, chosen
        Shape (N,), how far flagged, whether left, and which pupils count.
    school
        Shape (N,), positions below ``n``.
    n
        Number of schools.
    """
    cells = np.column_stack([flags * left, flags * (1 - left), (1 - flags) * left, (1 - flags) * (1 - left)])
    cells = cells * chosen[:, None]
    return np.column_stack([np.bincount(school, weights=cell, minlength=n) for cell in cells.T])


def compute_flag_rates(cells: np.ndarray) -> np.ndarray:
    """Return the five rates of `MEASURES` from cells, shape (..., 4) to (..., 5); NaN where nobody counts.

    Parameters
    ----------
    cells
        Flagged leavers, flagged stayers, missed leavers, rightly not flagged.
    """
    hit, alarm, missed, calm = np.moveaxis(cells, -1, 0)
    pairs = (
        (hit + alarm, hit + alarm + missed + calm),
        (hit, hit + missed),
        (calm, alarm + calm),
        (hit, hit + alarm),
        (calm, missed + calm),
    )
    return np.stack([_compute_safe_share(top, bottom) for top, bottom in pairs], axis=-1)


def _compute_safe_share(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan)


def area_under_curve(signal: np.ndarray, left: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the chance that a leaver's signal is more worrying than a stayer's, ties counting half.

    Parameters
    ----------
    signal, left
        Shape (N,), no NaN; 1 for those who left.
    weight
        Shape (N,), how often each pupil counts; None for once.

    Returns
    -------
    float
        NaN without leavers or without stayers.

    References
    ----------
    Hanley and McNeil (1982), Radiology 143, 29-36.

    Examples
    --------
    >>> area_under_curve(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0, 0, 1, 1]))
    0.875
    """
    pupils = np.arange(len(signal))
    weight = np.ones(len(signal)) if weight is None else weight
    return float(compute_signal_areas(signal, left, pupils, weight[None, :])[0])


def compute_signal_areas(signal: np.ndarray, left: np.ndarray, school: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the area under the curve of every draw of schools, shape (B,).

    Parameters
    ----------
    signal, left, school
        Shape (N,), the latter positions of schools.
    draws
        Shape (B, J), how often each school counts.
    """
    values, group = np.unique(signal, return_inverse=True)
    result = np.full(len(draws), np.nan)
    for place, draw in enumerate(draws):
        weight = draw[school]
        leavers = np.bincount(group, weights=weight * left, minlength=len(values))
        stayers = np.bincount(group, weights=weight * (1 - left), minlength=len(values))
        pairs = leavers.sum() * stayers.sum()
        if pairs > 0:
            below = np.cumsum(stayers) - stayers
            result[place] = float((leavers * (below + stayers / 2)).sum() / pairs)
    return result


def draw_school_counts(n_schools: int, *, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return how often each school is drawn, shape (B, J)."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(n_schools, size=(n_bootstrap, n_schools))
    return np.stack([np.bincount(row, minlength=n_schools) for row in drawn]).astype(float)


def compute_share_interval(
    estimate: float, draws: np.ndarray, *, df: float, conf_level: float
) -> tuple[float, float, float]:
    """Return the standard error and an interval of a share on the scale of log odds, from bootstrapped shares.

    Parameters
    ----------
    estimate
        Between 0 and 1.
    draws
        Shape (B,), NaN where a draw has none.
    df
        Of the t distribution: schools less one.
    conf_level
        Level.

    Returns
    -------
    tuple of float
        NaN where the share is 0 or 1, or schools do not differ.
    """
    from scipy import stats

    usable = draws[np.isfinite(draws)]
    error = float(usable.std(ddof=1)) if len(usable) > 1 else float("nan")
    if not (0 < estimate < 1 and error > 0 and df >= 1):
        return error, float("nan"), float("nan")
    middle = np.log(estimate / (1 - estimate))
    half = float(stats.t.isf((1 - conf_level) / 2, df)) * error / (estimate * (1 - estimate))
    low, high = (1 / (1 + np.exp(-(middle + side * half))) for side in (-1, 1))
    return error, float(low), float(high)
