"""What every estimator checks of its data, whichever entry point was called: each fault has one check and one sentence.

What was handed over wrongly (no frame, a column that is not there or there twice, infinite values, dates, a row without
a school) is an error with a remedy. What the data cannot answer (an outcome that does not vary, that is not 0 or 1, or
that the model explains without any error) is a reason, with which an estimate fails and its row stays.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_schema.errors import EstimationError

SAME_OUTCOME = "Every pupil has the same value of this outcome."
NO_OUTCOME = "No pupil has this outcome."
EXPLAINED = "The model explains the outcome without any error."

FLAT = 1e-12
"""A column varies when its spread is more than this share of its size, which is what rounding leaves of a constant."""

NO_ERROR = 1e-13
"""Share of the outcome's variance that rounding alone leaves of an outcome that the columns explain."""

# Rounding of the outcome itself, in units of its size.
_ROUNDING = 8 * float(np.finfo(float).eps)
_NUMBERS = ("integer", "floating", "mixed-integer-float", "boolean")
_KINDS = {"m": "durations", "c": "complex numbers", "M": "dates"}
_MOST_SHOWN = 5


def validate_frame(data: object, columns: Iterable[str | None], *, place: str) -> pd.DataFrame:
    """Return a frame that has each of the columns once, none of them also a name of its index.

    Parameters
    ----------
    data
        What was handed over.
    columns
        Names of the columns that are used; None for one that is not.
    place
        What an error is about.

    Raises
    ------
    EstimationError
        When it is no data frame, a column is not there or there twice, or has cells such as lists.
    """
    frame = require_frame(data, place=place)
    for name in columns:
        if name is not None:
            require_column(frame, name, place=place)
            require_hashable(frame[name])
    # pandas refuses to group by a name that means a column and the index; rows are found by position throughout.
    named = any(name is not None and name in frame.columns for name in frame.index.names)
    return frame.reset_index(drop=True) if named else frame


def require_frame(data: object, *, place: str) -> pd.DataFrame:
    """Refuse data that are no data frame of pandas.

    Raises
    ------
    EstimationError
        With what to hand over.
    """
    if isinstance(data, pd.DataFrame):
        return data
    kind, module = type(data).__name__, type(data).__module__.partition(".")[0]
    problem = f"the data are a {kind}{'' if module in ('builtins', 'pandas') else f' of {module}'}."
    remedy = "Hand over `data.to_pandas()`." if hasattr(data, "to_pandas") else "Hand over a pandas data frame."
    raise EstimationError(place, problem, remedy)


def require_column(frame: pd.DataFrame, name: str, *, place: str) -> None:
    """Refuse a frame that does not have a column once.

    Raises
    ------
    EstimationError
        With the columns that are nearest in spelling.
    """
    there = list(map(str, frame.columns))
    if name not in frame.columns:
        near = difflib.get_close_matches(name, there, n=3, cutoff=0.6) or [
            other for other in there if other.lower() == name.lower()
        ]
        meant = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise EstimationError(place, f"the data have no column '{name}'.", f"{meant}Use one of: {', '.join(there)}.")
    if not frame.columns.is_unique and not isinstance(frame[name], pd.Series):
        raise EstimationError(
            place, f"the data have {there.count(name)} columns '{name}'.", "Rename them, or keep the one that is meant."
        )


def require_filled(frame: pd.DataFrame, column: str, what: str, *, place: str) -> None:
    """Refuse rows without a school, stratum or arm.

    Raises
    ------
    EstimationError
        With their number.
    """
    gone = int(frame[column].isna().sum())
    if gone:
        raise EstimationError(
            place, f"{gone} rows have no {what}.", f"Give every row the {what} of its school of randomisation."
        )


def require_arms(frame: pd.DataFrame, *, arm: str, arms: Sequence[str], school: str, place: str) -> None:
    """Refuse rows without an arm or of another arm, and a school in two.

    Raises
    ------
    EstimationError
        Naming the arm or the school.
    """
    require_filled(frame, arm, "arm", place=place)
    unknown = sorted({str(value) for value in frame[arm].unique()} - set(arms))
    if unknown:
        raise EstimationError(
            f"column '{arm}'",
            f"'{unknown[0]}' is not one of the arms {', '.join(arms)}.",
            "Correct the arm or name it in the model.",
        )
    arms_of_school = frame.groupby(school, observed=True)[arm].nunique()
    if (arms_of_school > 1).any():
        raise EstimationError(
            f"school '{arms_of_school.index[arms_of_school > 1][0]}'",
            "is in more than one arm.",
            "Use the arm that the school was drawn into.",
        )


def is_numeric(values: pd.Series[Any]) -> bool:
    """Whether a column holds numbers: of any numeric type, yes and no, or numbers in a column of objects.

    Parameters
    ----------
    values
        A column. Decimals and text that looks like numbers are categories.

    Raises
    ------
    EstimationError
        When it holds dates, durations or complex numbers, which are neither numbers nor categories.
    """
    kind = "M" if pd.api.types.is_datetime64_any_dtype(values) else values.dtype.kind
    if kind in _KINDS:
        raise EstimationError(
            f"column '{values.name}'", f"holds {_KINDS[kind]}.", "Turn them into numbers, such as ages, first."
        )
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return True
    if values.dtype != object:
        return False
    first = next((value for value in values if not _is_gone(value)), None)
    return isinstance(first, int | float | np.number | np.bool_) and (
        pd.api.types.infer_dtype(values, skipna=True) in _NUMBERS
    )


def _is_gone(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def as_numbers(values: pd.Series[Any]) -> np.ndarray:
    """Return a column as floats, NaN where it is missing.

    Parameters
    ----------
    values
        A column; of any type where everything is missing.

    Raises
    ------
    EstimationError
        When it holds something else, or infinite values.
    """
    if not is_numeric(values) and not bool(values.isna().all()):
        raise EstimationError(f"column '{values.name}'", "is not numeric.", "Turn it into numbers first.")
    numbers = np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise EstimationError(
            f"column '{values.name}'", f"holds {infinite} infinite values.", "Correct them or set them to missing."
        )
    return numbers


def read_numeric_column(frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column of a frame as floats; see `as_numbers`."""
    return as_numbers(frame[column])


def require_hashable(values: pd.Series[Any]) -> None:
    """Refuse cells that are neither numbers nor text, such as lists.

    Raises
    ------
    EstimationError
        Naming the column.
    """
    if values.dtype != object:
        return
    try:
        values.nunique()
    except TypeError as error:
        raise create_category_error(values.name) from error


def create_category_error(column: object) -> EstimationError:
    """Return the error of a column whose cells cannot be distinguished."""
    return EstimationError(
        f"column '{column}'", "holds values that are neither numbers nor text.", "Turn them into one of these first."
    )


def describe_constant_outcome(y: np.ndarray) -> str:
    """Return a reason when there is no outcome, or one value of it; empty when it varies.

    Parameters
    ----------
    y
        Shape (N,), nothing missing.
    """
    if len(y) == 0:
        return NO_OUTCOME
    return SAME_OUTCOME if float(np.ptp(y)) == 0.0 else ""


def describe_nonbinary_values(y: np.ndarray, outcome: str) -> str:
    """Describe how many rows of a binary outcome are neither 0 nor 1, and what they are; empty when there are none.

    Parameters
    ----------
    y
        Shape (N,); NaN where it is missing.
    outcome
        Its name.
    """
    return _describe_invalid_values(y, np.isin(y, (0.0, 1.0)), outcome, rule="0 or 1")


def describe_noncount_values(y: np.ndarray, outcome: str) -> str:
    """Return how many rows of a count are no whole numbers from 0, and what they are; empty when there are none.

    Parameters
    ----------
    y, outcome
        See `describe_nonbinary_values`.
    """
    return _describe_invalid_values(y, (y >= 0) & (y == np.rint(y)), outcome, rule="a whole number, 0 or more")


def _describe_invalid_values(y: np.ndarray, valid: np.ndarray, outcome: str, *, rule: str) -> str:
    other = y[~(valid | np.isnan(y))]
    if not len(other):
        return ""
    values = [f"{value:g}" for value in np.unique(other)]
    more = ", ..." if len(values) > _MOST_SHOWN else ""
    rows = "1 row has" if len(other) == 1 else f"{len(other)} rows have"
    return f"The outcome '{outcome}' must be {rule}, and {rows} another value: {', '.join(values[:_MOST_SHOWN])}{more}."


def describe_explained_outcome(left: float, *, spread: float, size: float) -> str:
    """Return a reason when columns explain an outcome up to rounding: its errors are of arithmetic, not of a trial.

    Parameters
    ----------
    left
        Root mean square of what the columns leave of the outcome.
    spread
        Standard deviation of the outcome.
    size
        Its largest absolute value.

    Returns
    -------
    str
        Empty when there is something left.
    """
    return EXPLAINED if left <= max(NO_ERROR**0.5 * spread, _ROUNDING * size) else ""


def standardise_varying_columns(
    x: np.ndarray, *, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns less their means, zero where nothing but rounding is left of them, with means and spreads.

    A decision on rank that is made of columns as they are drops what stands far from zero: a year of birth, an
    identifier, an amount in another currency. It is made of these columns instead.

    Parameters
    ----------
    x
        Shape (N, p).
    weights
        Shape (N,), or None.

    Returns
    -------
    tuple of numpy.ndarray
        Shapes (N, p), (p,) and (p,); the spread of a column that does not vary is 0.
    """
    if x.size == 0:
        return x, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    centre = np.average(x, axis=0, weights=weights)
    moved = x - centre
    spread = np.sqrt(np.average(moved**2, axis=0, weights=weights))
    flat = spread <= FLAT * np.abs(centre)
    return np.where(flat, 0.0, moved), centre, np.where(flat, 0.0, spread)


def find_independent_columns(x: np.ndarray) -> np.ndarray:
    """Return the positions of columns that are not combinations of earlier ones.

    Parameters
    ----------
    x
        Shape (N, p); centred, where an intercept is among them or was taken off.

    Returns
    -------
    numpy.ndarray
        Increasing positions. A column is left out when what earlier columns leave of it is below 1e-7 of its length,
        the tolerance of R's ``lm``.
    """
    if x.shape[0] == 0:
        return np.arange(0)
    lengths = np.sqrt((x**2).sum(axis=0))
    independent_places: list[int] = []
    basis = np.zeros((x.shape[0], 0))
    for place in range(x.shape[1]):
        if lengths[place] == 0:
            continue
        left = x[:, place] / lengths[place]
        for _ in range(2):  # twice is enough to keep the basis orthogonal in floating point
            left = left - basis @ (basis.T @ left)
        size = float(np.sqrt(left @ left))
        if size > 1e-7:
            independent_places.append(place)
            basis = np.column_stack([basis, left / size])
    return np.array(independent_places, dtype=int)
