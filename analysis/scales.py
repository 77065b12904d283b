"""Survey scales: items to one score per pupil."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


def scale_score(
    items: pd.DataFrame, *, reverse: Mapping[str, tuple[float, float]], least_answered: float = 0.5
) -> pd.Series[float]:
    """Return the mean of a pupil's answered items.

    Parameters
    ----------
    items
        One column an item, one row per pupil; missing answers are NaN.
    reverse
        Items worded the other way, with the lowest and highest possible answer; they are turned round.
    least_answered
        Share of items that must be answered, 0 to 1; with fewer the score is missing.

    Returns
    -------
    pandas.Series
        In the items' units, on the frame's index.

    Examples
    --------
    >>> items = pd.DataFrame({"a": [5.0, 1.0], "b": [1.0, np.nan]})
    >>> scale_score(items, reverse={"b": (1, 5)}).tolist()
    [5.0, 1.0]
    """
    values = convert_reversed_items(items, reverse)
    answered = values.notna().mean(axis=1)
    return values.mean(axis=1).where(answered >= least_answered)


def convert_reversed_items(items: pd.DataFrame, reverse: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Return items as numbers, those worded the other way turned round: lowest + highest possible answer - answer."""
    values = items.astype("Float64").astype(float)
    for name, (low, high) in reverse.items():
        values[name] = low + high - values[name]
    return values


def cronbach_alpha(items: pd.DataFrame, names: Sequence[str]) -> float:
    """Return Cronbach's alpha of the pupils who answered every item.

    Parameters
    ----------
    items
        One row per pupil, items already turned the same way.
    names
        Two or more items.

    Returns
    -------
    float
        k/(k - 1) (1 - sum of item variances / variance of the sum); NaN with fewer than two complete pupils.

    References
    ----------
    Cronbach (1951), Psychometrika 16, 297-334.
    """
    complete = items[list(names)].astype(float).dropna()
    total = float(complete.sum(axis=1).var(ddof=1)) if len(complete) > 1 else 0.0
    if total == 0 or len(names) < 2:
        return math.nan
    k = len(names)
    return k / (k - 1) * (1 - float(np.sum(complete.var(axis=0, ddof=1))) / total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How well the items of a scale go together.

    Parameters
    ----------
    alpha
        Cronbach's alpha; NaN where it cannot be computed.
    conf_low, conf_high
        Its confidence interval.
    n_items, n_pupils
        Items, and pupils who answered all of them.
    """

    alpha: float
    conf_low: float
    conf_high: float
    n_items: int
    n_pupils: int


def reliability(
    items: pd.DataFrame, *, reverse: Mapping[str, tuple[float, float]], conf_level: float = 0.95
) -> Reliability:
    """Return Cronbach's alpha of a scale with Feldt's interval.

    Parameters
    ----------
    items
        One column an item, one row per pupil; missing answers are NaN. Pupils who answered every item count.
    reverse
        As for `scale_score`.
    conf_level
        Level of the interval.

    Returns
    -------
    Reliability
        With (1 - alpha) / (1 - estimate) taken to follow the F distribution with n - 1 and (n - 1)(k - 1) degrees of
        freedom: exact for parallel normal items of independent pupils, too narrow where pupils of a school are alike.

    References
    ----------
    Feldt (1965), The approximate sampling distribution of Kuder-Richardson reliability coefficient twenty,
    Psychometrika 30, 357-370.

    Examples
    --------
    >>> items = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 3], "b": [2.0, 2, 3, 5, 5, 2], "c": [4.0, 4, 3, 1, 2, 4]})
    >>> found = reliability(items, reverse={"c": (1, 5)})
    >>> round(found.alpha, 3), round(found.conf_low, 3), round(found.conf_high, 3)
    (0.951, 0.794, 0.993)
    """
    from scipy.stats import f

    complete = convert_reversed_items(items, reverse).dropna()
    n, k = complete.shape
    alpha = cronbach_alpha(complete, list(complete.columns))
    if math.isnan(alpha):
        return Reliability(alpha=alpha, conf_low=math.nan, conf_high=math.nan, n_items=k, n_pupils=n)
    tail, degrees = (1 - conf_level) / 2, (n - 1, (n - 1) * (k - 1))
    low, high = (1 - (1 - alpha) * float(quantile(tail, *degrees)) for quantile in (f.isf, f.ppf))
    return Reliability(alpha=alpha, conf_low=low, conf_high=high, n_items=k, n_pupils=n)
