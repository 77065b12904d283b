"""Balance looked at more closely: within strata, in each stratum, and where the arms' distributions overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from randomisation.balance import (
    Variable,
    check_columns,
    compute_standardised_difference,
    iterate_variable_columns,
    summarise_side,
)

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-9


def within_strata(
    frame: pd.DataFrame, *, variables: Sequence[Variable], arms: Sequence[str], strata: str, arm: str = "arm"
) -> pd.DataFrame:
    """Compare arms with the reference before and after allowing for strata, which is what the analysis does.

    Parameters
    ----------
    frame
        One row per school or per pupil.
    variables
        What to compare; rows without a value are left out.
    arms
        Names of the arms, the reference first.
    strata
        Column of the stratum.
    arm
        Column of the arm.

    Returns
    -------
    pandas.DataFrame
        One row per variable (and category) and arm: `variable, label, category, arm, std_difference` (as in
        `balance_table`), `std_difference_within` (the same with the arm's coefficient in a regression on arm and strata
        in place of the difference of means), `overlap`. NaN where undefined.

    Notes
    -----
    The overlap is 1 less the largest difference of the two arms' distribution functions (Kolmogorov's distance): 1 when
    they are the same, 0 when no value of one arm lies among those of the other.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"arm": ["control", "pilot"] * 4, "stratum": list("aaaaaabb")})
    >>> frame["size"] = [1, 2, 3, 4, 5, 6, 9, 9]
    >>> table = within_strata(frame, variables=[Variable(name="size")], arms=("control", "pilot"), strata="stratum")
    >>> table[["std_difference", "std_difference_within", "overlap"]].round(2).values.tolist()
    [[0.2, 0.2, 0.75]]
    """
    import pandas as pd

    check_columns(frame, [arm, strata, *(variable.name for variable in variables)])
    arm_of, stratum_of = frame[arm].astype(str).to_numpy(), pd.factorize(frame[strata])[0]
    rows = []
    for variable in variables:
        for category, values in iterate_variable_columns(frame, variable):
            for name in arms[1:]:
                used = np.isfinite(values) & np.isin(arm_of, (arms[0], name)) & (stratum_of >= 0)
                figures = _compare_arms(
                    values[used], arm_of[used] == name, stratum_of[used], kind="category" if category else "number"
                )
                rows.append((variable.name, variable.label or variable.name, category, name, *figures))
    names = ["variable", "label", "category", "arm", "std_difference", "std_difference_within", "overlap"]
    return pd.DataFrame(rows, columns=names)


def _compare_arms(
    values: np.ndarray, treated: np.ndarray, stratum: np.ndarray, *, kind: str
) -> tuple[float, float, float]:
    """Return the standardised difference, that within strata, and the overlap."""
    if not treated.any() or treated.all():
        return np.nan, np.nan, np.nan
    first, second = values[~treated], values[treated]
    reference, side = summarise_side(first, kind), summarise_side(second, kind)
    level = replace(side, mean=reference.mean + _estimate_within_strata(values, treated, stratum))
    between, within = (compute_standardised_difference(reference, arm, kind) for arm in (side, level))
    return between, within, compute_overlap(first, second)


def _compute_variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else np.nan


def _estimate_within_strata(values: np.ndarray, treated: np.ndarray, stratum: np.ndarray) -> float:
    """Return the coefficient of the arm beside fixed effects of strata; NaN when no stratum has both arms."""
    n = np.bincount(stratum)
    share = np.bincount(stratum, weights=treated) / np.maximum(n, 1)
    mean = np.bincount(stratum, weights=values) / np.maximum(n, 1)
    centred_treated = treated - share[stratum]
    square = float(centred_treated @ centred_treated)
    return float(centred_treated @ (values - mean[stratum])) / square if square > _ROUNDING else np.nan


def compute_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return how far two samples lie in the same places: 1 less Kolmogorov's distance.

    Examples
    --------
    >>> low, high = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    >>> compute_overlap(low, high), compute_overlap(np.arange(3), np.arange(3))
    (0.5, 1.0)
    """
    every = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(values), every, side="right") / len(values) for values in (first, second)]
    return float(1 - np.abs(below[0] - below[1]).max())


def by_stratum(
    frame: pd.DataFrame, *, variables: Sequence[Variable], arms: Sequence[str], strata: str, arm: str = "arm"
) -> pd.DataFrame:
    """Compare arms with the reference in each stratum, on one scale: the standard deviation of all rows.

    Parameters
    ----------
    frame, variables, arms, strata, arm
        As for `within_strata`.

    Returns
    -------
    pandas.DataFrame
        One row per variable (and category), arm and stratum, and one for all strata (`stratum` ""): `variable, label,
        category, stratum, arm, n_reference, n_arm, difference` (of means, in standard deviations of all rows). NaN
        where an arm has no value in the stratum, or the variable does not vary.
    """
    import pandas as pd

    check_columns(frame, [arm, strata, *(variable.name for variable in variables)])
    rows = [row for variable in variables for row in _iterate_stratum_rows(frame, variable, tuple(arms), (strata, arm))]
    names = ["variable", "label", "category", "stratum", "arm", "n_reference", "n_arm", "difference"]
    return pd.DataFrame(rows, columns=names)


def _iterate_stratum_rows(
    frame: pd.DataFrame, variable: Variable, arms: tuple[str, ...], columns: tuple[str, str]
) -> Iterator[tuple[object, ...]]:
    stratum_of, arm_of = (frame[name].astype(str).to_numpy() for name in columns)
    for category, values in iterate_variable_columns(frame, variable):
        known = np.isfinite(values)
        spread = float(np.sqrt(_compute_variance(values[known]))) if known.any() else np.nan
        for stratum in ("", *sorted(set(stratum_of.tolist()))):
            inside = known & ((stratum_of == stratum) if stratum else True)
            first = values[inside & (arm_of == arms[0])]
            for name in arms[1:]:
                second = values[inside & (arm_of == name)]
                both = len(first) and len(second) and spread > _ROUNDING
                difference = (second.mean() - first.mean()) / spread if both else np.nan
                label = variable.label or variable.name
                yield variable.name, label, category, stratum, name, len(first), len(second), float(difference)
