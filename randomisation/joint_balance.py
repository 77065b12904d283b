"""Are the arms as alike at baseline as the design makes them? One test of all variables, by re-draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.balance import Variable, check_columns, iterate_variable_columns
from randomisation.canonical import format_quoted_list

if TYPE_CHECKING:
    import pandas as pd

_ROUNDING = 1e-9


def balance_test(
    frame: pd.DataFrame,
    *,
    variables: Sequence[Variable],
    schools: Sequence[str],
    actual: np.ndarray | Sequence[int],
    draws: np.ndarray,
    probabilities: np.ndarray | None = None,
    school: str = "school_id",
) -> dict[str, float]:
    """Test all baseline variables jointly by re-drawing the design.

    Parameters
    ----------
    frame
        One row per school (means of pupils for variables of pupils).
    variables
        Variables to test. A missing value counts as the mean, and that it is missing as a variable of its own.
    schools
        Randomised schools, sorted as in `Allocation.schools`, length J. Schools that are not in the frame are left out.
    actual
        Shape (J,): positions of the schools' arms in the design (`Allocation.positions`).
    draws
        Shape (B, J): the same of each re-draw (`replay`), or of all allocations with their ``probabilities``.
    probabilities
        Shape (B,), sum 1, when ``draws`` are all allocations that the design can make (`all_allocations`).
    school
        Column of the school.

    Returns
    -------
    dict
        ``statistic``: squared Mahalanobis distance of the arms' mean differences from zero, with the covariance that
        the design gives them (over the re-draws and the actual draw, or over all allocations). ``p_value``:
        (1 + b) / (1 + B), b re-draws being as far off as the actual draw; or the probability of the allocations that
        are. ``n_draws``: B, re-draws or allocations in which each arm has a school of the frame. NaN, NaN and 0 when no
        variable varies.

    References
    ----------
    Hansen and Bowers (2008), Statistical Science 23(2), 219-236, for the joint distance; Phipson and Smyth (2010),
    Statistical Applications in Genetics and Molecular Biology 9(1), 39, for the p-value.
    """
    check_columns(frame, [school, *(variable.name for variable in variables)])
    place = {name: position for position, name in enumerate(schools)}
    strangers = [str(name) for name in frame[school] if name not in place]
    if strangers or frame[school].duplicated().any():
        raise DesignError(
            f"balance, column '{school}'",
            f"{format_quoted_list(strangers)} was not randomised." if strangers else "A school has more than one row.",
            "Keep one row for each randomised school.",
        )
    chosen = np.array([place[name] for name in frame[school]], dtype=int)
    every = np.vstack([np.asarray(actual)[None, :], draws])[:, chosen]
    nothing = {"statistic": np.nan, "p_value": np.nan, "n_draws": 0}
    columns = _build_joint_columns(frame, variables)
    if columns.shape[1] == 0:
        return nothing
    differences = _compute_mean_differences(every, columns, n_arms=int(np.max(every)) + 1)
    defined = np.isfinite(differences).all(axis=1)
    if not defined[0] or defined.sum() < 2:
        return nothing
    chances = np.ones(len(every)) if probabilities is None else np.concatenate([[0.0], probabilities])
    chances = chances[defined] / chances[defined].sum()
    distances = _compute_mahalanobis_distances(differences[defined], chances)
    as_far = distances[1:] >= distances[0] * (1 - _ROUNDING)
    n_draws = len(distances) - 1
    p_value = (
        (1 + int(as_far.sum())) / (1 + n_draws)
        if probabilities is None
        else _compute_probability_share(as_far, chances[1:])
    )
    return {"statistic": float(distances[0]), "p_value": p_value, "n_draws": n_draws}


def _compute_probability_share(chosen: np.ndarray, chances: np.ndarray) -> float:
    """Return the probability of some allocations of all; a ratio of whole numbers where all are as likely."""
    if np.ptp(chances) <= _ROUNDING * chances.max():
        return int(chosen.sum()) / len(chosen)
    return float(chances[chosen].sum())


def _build_joint_columns(frame: pd.DataFrame, variables: Sequence[Variable]) -> np.ndarray:
    """Return the columns that vary, standardised; shape (schools, columns)."""
    columns = []
    for variable in variables:
        for _, values in iterate_variable_columns(frame, variable):
            missing = np.isnan(values)
            if not missing.all():
                columns += [np.where(missing, values[~missing].mean(), values), missing.astype(float)]
    table = np.array(columns).reshape(len(columns), len(frame)).T
    table = table[:, np.ptp(table, axis=0) > _ROUNDING] if len(frame) else table[:, :0]
    return (table - table.mean(axis=0)) / table.std(axis=0) if table.shape[1] else table


def _compute_mean_differences(every: np.ndarray, columns: np.ndarray, *, n_arms: int) -> np.ndarray:
    """Return each draw's differences of means from the reference; shape (B + 1, (arms - 1) * columns)."""
    with np.errstate(invalid="ignore"):
        means = [((every == k) @ columns) / (every == k).sum(axis=1, keepdims=True) for k in range(n_arms)]
    differences = np.hstack([mean - means[0] for mean in means[1:]])
    return np.where(np.abs(differences) < _ROUNDING, 0.0, differences)


def _compute_mahalanobis_distances(differences: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distance from zero of each row, by the rows' second moments."""
    covariance = (differences * chances[:, None]).T @ differences
    inverse = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
    return np.asarray(np.einsum("da,ab,db->d", differences, inverse, differences))
