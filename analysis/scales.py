"""Survey scales: items to one score a pupil."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def scale_score(
    items: pd.DataFrame, *, reverse: Mapping[str, tuple[float, float]], least_answered: float = 0.5
) -> pd.Series[float]:
    """Return the mean of a pupil's answered items.

    Parameters
    ----------
    items
        One column an item, one row a pupil; missing answers are NaN.
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
    values = items.astype(float).copy()
    for name, (low, high) in reverse.items():
        values[name] = low + high - values[name]
    answered = values.notna().mean(axis=1)
    return values.mean(axis=1).where(answered >= least_answered)


def cronbach_alpha(items: pd.DataFrame, names: Sequence[str]) -> float:
    """Return Cronbach's alpha of the pupils who answered every item.

    Parameters
    ----------
    items
        One row a pupil, items already turned the same way.
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
