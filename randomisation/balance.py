"""How alike the arms are at baseline: standardised differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_schema.errors import DesignError
from randomisation.canonical import listed

if TYPE_CHECKING:
    import pandas as pd

SATISFIED = 0.05
"""Up to this absolute standardised difference a baseline counts as equivalent (What Works Clearinghouse)."""

ADJUST = 0.25
"""Up to this one it does when the analysis adjusts for it, above it does not (What Works Clearinghouse)."""

_ROUNDING = 1e-9
_PLACE = "balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A baseline variable to compare.

    Parameters
    ----------
    name
        Its column.
    label
        Its name in reports; the name where empty.
    kind
        "number" for means and standard deviations, "category" for shares of each value (also yes/no).
    """

    name: str
    label: str = ""
    kind: Literal["number", "category"] = "number"

    def __post_init__(self) -> None:
        """Check the kind."""
        if self.kind not in ("number", "category"):
            raise DesignError(
                f"{_PLACE}, variable '{self.name}'", f"Its kind is '{self.kind}'.", "Use 'number' or 'category'."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One arm's figures of one variable: schools or pupils with a value, mean, standard deviation, share missing."""

    n: int
    mean: float
    sd: float
    missing: float


def balance_table(
    frame: pd.DataFrame,
    *,
    variables: Sequence[Variable],
    arms: Sequence[str],
    arm: str = "arm",
    level: Literal["school", "pupil"] = "school",
    country_column: str | None = "country",
    school: str | None = None,
) -> pd.DataFrame:
    """Compare every arm with the reference, for all countries together and each one.

    Parameters
    ----------
    frame
        One row a school or a pupil.
    variables
        What to compare.
    arms
        Names of the arms, the reference first. Rows of other arms, or without one, are an error.
    arm
        Column of the arm.
    level
        What a row is; goes into the table.
    country_column
        Column of the country, or None for all together only.
    school
        Column of the school; when given, each school must be in one arm and, at level "school", in one row.

    Returns
    -------
    pandas.DataFrame
        One row a variable (and category), country ("" for all; each one when there are two or more) and arm other than
        the reference: `level, variable, label, category, country, arm, n_reference, n_arm` (rows with a value),
        `mean_reference, mean_arm` (shares for categories), `sd_reference, sd_arm, std_difference, variance_ratio`
        (numbers only), `missing_reference, missing_arm` (shares), `wwc` ("satisfied", "adjust", "not_satisfied", ""
        where the standardised difference is undefined). Undefined figures are NaN. A country has no row for a category
        that none of its rows has.

    Notes
    -----
    The standardised difference is arm minus reference over the root of the mean of the two variances; for numbers
    times 1 - 3 / (4 N - 9) with N rows that have a value (Hedges), for categories with variances p (1 - p). It is 0
    when the means are the same, also where nothing varies, and undefined when they differ and nothing varies.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"arm": ["control"] * 3 + ["pilot"] * 3, "size": [100, 200, 300, 300, 400, 500]})
    >>> table = balance_table(frame, variables=[Variable(name="size")], arms=("control", "pilot"), country_column=None)
    >>> table[["mean_reference", "mean_arm", "std_difference", "wwc"]].round(3).values.tolist()
    [[200.0, 400.0, 1.6, 'not_satisfied']]
    """
    import pandas as pd

    wanted = [
        arm,
        *(variable.name for variable in variables),
        *(column for column in (country_column, school) if column),
    ]
    check_columns(frame, wanted)
    _check_arms(frame, arm=arm, arms=arms, school=school, one_row=level == "school")
    rows = [
        {"level": level, "variable": variable.name, "label": variable.label or variable.name, **row}
        for variable in variables
        for category, values in columns_of(frame, variable)
        for row in _rows(frame, values, category, variable.kind, (arm, tuple(arms), country_column))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


COLUMNS = (
    "level", "variable", "label", "category", "country", "arm", "n_reference", "n_arm", "mean_reference", "mean_arm",
    "sd_reference", "sd_arm", "std_difference", "variance_ratio", "missing_reference", "missing_arm", "wwc",
)  # fmt: skip
"""Columns of the balance table."""


def wwc(std_difference: float) -> str:
    """Return what the What Works Clearinghouse makes of a standardised difference; "" for NaN.

    Examples
    --------
    >>> [wwc(value) for value in (0.05, -0.25, 0.26)]
    ['satisfied', 'adjust', 'not_satisfied']
    """
    if np.isnan(std_difference):
        return ""
    size = abs(std_difference) - _ROUNDING
    return "satisfied" if size <= SATISFIED else "adjust" if size <= ADJUST else "not_satisfied"


def check_columns(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Raise DesignError if the frame lacks one of the columns."""
    unknown = [column for column in wanted if column not in frame.columns]
    if unknown:
        raise DesignError(_PLACE, f"There is no column {listed(unknown)}.", "Correct the names, or add the columns.")


def _check_arms(frame: pd.DataFrame, *, arm: str, arms: Sequence[str], school: str | None, one_row: bool) -> None:
    if len(arms) < 2:
        raise DesignError(
            _PLACE, "Fewer than two arms are stated.", "State the reference and the arms to compare with it."
        )
    others = sorted({str(value) for value in frame[arm].unique()} - set(arms))
    if others:
        raise DesignError(
            f"{_PLACE}, column '{arm}'",
            f"{listed(others)} is no arm.",
            "Leave out rows of schools that were not randomised.",
        )
    if school is None:
        return
    groups = frame.groupby(school, observed=True)[arm]
    split = groups.nunique()
    if (split > 1).any():
        name = str(split.index[split > 1][0])
        raise DesignError(f"{_PLACE}, school '{name}'", "It is in more than one arm.", "Give each school one arm.")
    if one_row and (groups.size() > 1).any():
        name = str(groups.size().idxmax())
        raise DesignError(f"{_PLACE}, school '{name}'", "It has more than one row.", "Keep one row a school.")


def columns_of(frame: pd.DataFrame, variable: Variable) -> Iterator[tuple[str, np.ndarray]]:
    """Give the variable as numbers with NaN for missing: itself, or a column of zeros and ones for each category."""
    column = frame[variable.name]
    if variable.kind == "number":
        yield "", _numbers(column, variable.name)
        return
    missing = column.isna().to_numpy()
    texts = np.array(["" if gone else _category(value) for value, gone in zip(column.tolist(), missing, strict=True)])
    for category in sorted(set(texts[~missing].tolist())):
        yield category, np.where(missing, np.nan, texts == category)


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    known = column.infer_objects()
    if not (known.isna().all() or known.dtype.kind in "biuf"):
        raise DesignError(
            f"{_PLACE}, column '{name}'",
            "It does not hold numbers.",
            "State its kind as 'category', or correct the column.",
        )
    values: np.ndarray = known.astype(object).to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _category(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _rows(
    frame: pd.DataFrame,
    values: np.ndarray,
    category: str,
    kind: str,
    where: tuple[str, tuple[str, ...], str | None],
) -> Iterator[dict[str, object]]:
    """Give the table's rows of one column: countries times arms."""
    arm, arms, country_column = where
    arm_of = frame[arm].astype(str).to_numpy()
    for country, within in _countries(frame, country_column):
        sides = {name: _side(values[within & (arm_of == name)], kind) for name in arms}
        if country and kind == "category" and not any(side.mean > 0 for side in sides.values()):
            continue
        reference = sides[arms[0]]
        for name in arms[1:]:
            side = sides[name]
            difference = _std_difference(reference, side, kind)
            yield {
                "category": category,
                "country": country,
                "arm": name,
                "n_reference": reference.n,
                "n_arm": side.n,
                "mean_reference": reference.mean,
                "mean_arm": side.mean,
                "sd_reference": reference.sd,
                "sd_arm": side.sd,
                "std_difference": difference,
                "variance_ratio": (side.sd / reference.sd) ** 2 if kind == "number" and reference.sd > 0 else np.nan,
                "missing_reference": reference.missing,
                "missing_arm": side.missing,
                "wwc": wwc(difference),
            }


def _countries(frame: pd.DataFrame, column: str | None) -> Iterator[tuple[str, np.ndarray]]:
    yield "", np.ones(len(frame), dtype=bool)
    if column is None:
        return
    country_of = frame[column].astype(str).to_numpy()
    found = sorted(set(country_of[frame[column].notna().to_numpy()].tolist()))
    if len(found) > 1:
        for country in found:
            yield country, country_of == country


def _side(values: np.ndarray, kind: str) -> _Side:
    present = values[~np.isnan(values)]
    n = len(present)
    missing = float(1 - n / len(values)) if len(values) else np.nan
    if n == 0:
        return _Side(n=0, mean=np.nan, sd=np.nan, missing=missing)
    mean = float(present.mean())
    if kind == "category":
        return _Side(n=n, mean=mean, sd=float(np.sqrt(mean * (1 - mean))), missing=missing)
    return _Side(n=n, mean=mean, sd=float(present.std(ddof=1)) if n > 1 else np.nan, missing=missing)


def _std_difference(reference: _Side, side: _Side, kind: str) -> float:
    difference = side.mean - reference.mean
    # Means of the same constant may differ in the last digit.
    scale = max(abs(side.mean), abs(reference.mean))
    if abs(difference) <= _ROUNDING * scale:
        return 0.0
    spread = np.sqrt((reference.sd**2 + side.sd**2) / 2)
    if not spread > _ROUNDING * scale:
        return np.nan
    n = reference.n + side.n
    correction = 1 - 3 / (4 * n - 9) if kind == "number" else 1.0
    return float(correction * difference / spread)
