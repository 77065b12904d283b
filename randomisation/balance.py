"""How alike the arms are at baseline: standardised differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_schema.errors import DesignError
from randomisation.canonical import format_quoted_list
from randomisation.standardised import (
    adjust_share_by_half_case,
    compute_pooled_sd,
    compute_small_sample_factor,
    cox_index,
)

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
        "number" for means and standard deviations (of zeros and ones: a share), "category" for shares of each value.
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
class Side:
    """One arm's figures of one variable.

    Parameters
    ----------
    n
        Schools or pupils with a value.
    mean, sd
        Of these; a share and its standard deviation for a category.
    missing
        Share without a value.
    """

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
        One row per school or per pupil.
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
        One row per variable (and category), country ("" for all; each one when there are two or more) and arm other
        than the reference: `level, variable, label, category, country, arm, n_reference, n_arm` (rows with a value),
        `mean_reference, mean_arm` (shares for categories), `sd_reference, sd_arm, std_difference, variance_ratio`
        (numbers only), `missing_reference, missing_arm` (shares), `wwc` ("satisfied", "adjust", "not_satisfied", ""
        where the standardised difference is undefined). Undefined figures are NaN. A country has no row for a category
        that none of its rows has.

    Notes
    -----
    The standardised difference is that of the What Works Clearinghouse (Procedures Handbook): for numbers arm minus
    reference over the standard deviation within arms, pooled with weights n - 1; for shares the Cox index, the
    difference of log odds over 1.65, since 5 and 8 in 100 are further apart than 45 and 48; both times
    1 - 3 / (4 N - 9) with N rows that have a value (Hedges). Each level of a category has its own. A share of 0 or 1
    beside another has half a case added in both arms (Haldane 1956, Anscombe 1956). The difference is 0 when the means
    are the same, also where nothing varies, and undefined when they differ and nothing varies.

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
        for category, values in iterate_variable_columns(frame, variable)
        for row in _iterate_column_rows(frame, values, category, (arm, tuple(arms), country_column))
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
        raise DesignError(
            _PLACE, f"There is no column {format_quoted_list(unknown)}.", "Correct the names, or add the columns."
        )


def _check_arms(frame: pd.DataFrame, *, arm: str, arms: Sequence[str], school: str | None, one_row: bool) -> None:
    if len(arms) < 2:
        raise DesignError(
            _PLACE, "Fewer than two arms are stated.", "State the reference and the arms to compare with it."
        )
    others = sorted({str(value) for value in frame[arm].unique()} - set(arms))
    if others:
        raise DesignError(
            f"{_PLACE}, column '{arm}'",
            f"{format_quoted_list(others)} is no arm.",
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
        raise DesignError(f"{_PLACE}, school '{name}'", "It has more than one row.", "Keep one row per school.")


def iterate_variable_columns(frame: pd.DataFrame, variable: Variable) -> Iterator[tuple[str, np.ndarray]]:
    """Give the variable as numbers with NaN for missing: itself, or a column of zeros and ones for each category.

    Numbers that are all 0 or 1 are a share: that of the category "yes".
    """
    column = frame[variable.name]
    if variable.kind == "number":
        values = _convert_to_numbers(column, variable.name)
        yield ("yes" if _is_share(values) else ""), values
        return
    missing = column.isna().to_numpy()
    texts = np.array(
        ["" if gone else _format_category(value) for value, gone in zip(column.tolist(), missing, strict=True)]
    )
    for category in sorted(set(texts[~missing].tolist())):
        yield category, np.where(missing, np.nan, texts == category)


def _is_share(values: np.ndarray) -> bool:
    return set(np.unique(values[~np.isnan(values)]).tolist()) == {0.0, 1.0}


def _convert_to_numbers(column: pd.Series, name: str) -> np.ndarray:
    known = column.infer_objects()
    if not (known.isna().all() or known.dtype.kind in "biuf"):
        raise DesignError(
            f"{_PLACE}, column '{name}'",
            "It has values that are not numbers.",
            "State its kind as 'category', or correct the column.",
        )
    values: np.ndarray = known.astype(object).to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _format_category(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _iterate_column_rows(
    frame: pd.DataFrame,
    values: np.ndarray,
    category: str,
    where: tuple[str, tuple[str, ...], str | None],
) -> Iterator[dict[str, object]]:
    """Give the table's rows of one column: countries times arms."""
    arm, arms, country_column = where
    kind = "category" if category else "number"
    arm_of = frame[arm].astype(str).to_numpy()
    for country, within in _iterate_country_masks(frame, country_column):
        sides = {name: summarise_side(values[within & (arm_of == name)], kind) for name in arms}
        if country and kind == "category" and not any(side.mean > 0 for side in sides.values()):
            continue
        reference = sides[arms[0]]
        for name in arms[1:]:
            side = sides[name]
            difference = compute_standardised_difference(reference, side, kind)
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


def _iterate_country_masks(frame: pd.DataFrame, column: str | None) -> Iterator[tuple[str, np.ndarray]]:
    yield "", np.ones(len(frame), dtype=bool)
    if column is None:
        return
    country_of = frame[column].astype(str).to_numpy()
    country_names = sorted(set(country_of[frame[column].notna().to_numpy()].tolist()))
    if len(country_names) > 1:
        for country in country_names:
            yield country, country_of == country


def summarise_side(values: np.ndarray, kind: str) -> Side:
    """Return one arm's figures of a column, NaN where a value is missing."""
    present = values[~np.isnan(values)]
    n = len(present)
    missing = float(1 - n / len(values)) if len(values) else np.nan
    if n == 0:
        return Side(n=0, mean=np.nan, sd=np.nan, missing=missing)
    mean = float(present.mean())
    if kind == "category":
        return Side(n=n, mean=mean, sd=float(np.sqrt(mean * (1 - mean))), missing=missing)
    return Side(n=n, mean=mean, sd=float(present.std(ddof=1)) if n > 1 else np.nan, missing=missing)


def compute_standardised_difference(reference: Side, side: Side, kind: str) -> float:
    """Return the difference of an arm from the reference in standard deviations, or the Cox index of two shares.

    Parameters
    ----------
    reference, side
        The two arms' figures.
    kind
        "number" or "category".

    Returns
    -------
    float
        0 where the means are the same, also where nothing varies; NaN where they differ and nothing varies, or an arm
        has no value.
    """
    difference = side.mean - reference.mean
    # Means of the same constant may differ in the last digit.
    scale = max(abs(side.mean), abs(reference.mean))
    if abs(difference) <= _ROUNDING * scale:
        return 0.0
    n = reference.n + side.n
    if kind == "category":
        return _compute_cox_index(reference, side)
    spread = compute_pooled_sd(reference.sd, side.sd, n_reference=reference.n, n_arm=side.n)
    if not spread > _ROUNDING * scale:
        return np.nan
    return float(compute_small_sample_factor(n) * difference / spread)


def _compute_cox_index(reference: Side, side: Side) -> float:
    """Return the Cox index, with half a case added in both arms where one of the shares is 0 or 1."""
    if not (reference.n and side.n):
        return np.nan
    shares = [reference.mean, side.mean]
    if not all(0 < share < 1 for share in shares):
        shares = [adjust_share_by_half_case(arm.mean, arm.n) for arm in (reference, side)]
    return cox_index(share_reference=shares[0], share_arm=shares[1], n_pupils=reference.n + side.n)
