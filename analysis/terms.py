"""Model terms to design columns: what is asked, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.specs import Model
from data_schema.errors import EstimationError

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The numbers of a model.

    Parameters
    ----------
    names
        Columns of ``x``: the intercept, arms, covariates, strata; length p.
    x
        Shape (N, p), float.
    y
        Shape (N,), float, nothing missing.
    school
        Shape (N,), position of each row's school in ``schools``.
    schools
        Names of the J schools, sorted.
    arm_terms
        Arm name to its column's name.
    n_missing_outcome, n_missing_covariate
        Rows left out, and rows with a covariate filled in (or left out, by the model's rule).
    reason
        Why the effect of the arms cannot be estimated on these rows; empty when it can.
    """

    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    school: np.ndarray
    schools: tuple[str, ...]
    arm_terms: dict[str, str]
    n_missing_outcome: int
    n_missing_covariate: int
    reason: str


def arm_term(arm: str) -> str:
    """Return the name of an arm's column."""
    return f"arm[{arm}]"


def missing_term(covariate: str) -> str:
    """Return the name of the column that marks a covariate's missing values."""
    return f"missing[{covariate}]"


def design_columns(frame: pd.DataFrame, model: Model) -> Columns:
    """Turn a frame into the columns of a model.

    Parameters
    ----------
    frame
        One row a pupil.
    model
        Which column plays which part.

    Returns
    -------
    Columns
        Rows with a missing outcome are left out and counted.

    Raises
    ------
    EstimationError
        When a column is not there, the outcome is not numeric or holds infinite values, a row has no school or no
        stratum, a school stands in two arms, or an arm is not one of the model's.
    """
    _require(frame, model)
    outcome = numeric_column(frame, model.outcome)
    kept = np.isfinite(outcome)
    data = frame.loc[kept]
    names, x, filled = _blocks(data, model)
    y, schools = outcome[kept], data[model.school].astype(str).to_numpy()
    if model.missing_covariates == "drop" and filled.any():
        x, y, schools = x[~filled], y[~filled], schools[~filled]
    codes, labels = pd.factorize(schools, sort=True)
    arm_terms = {arm: arm_term(arm) for arm in model.arms[1:]} if model.arm is not None else {}
    return Columns(
        names=tuple(names),
        x=x,
        y=y,
        school=codes,
        schools=tuple(str(label) for label in labels),
        arm_terms=arm_terms,
        n_missing_outcome=int((~kept).sum()),
        n_missing_covariate=int(filled.sum()),
        reason=_reason(x, y, names, arm_terms, n_schools=len(labels)),
    )


def _blocks(data: pd.DataFrame, model: Model) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names and values of all columns, and which rows have a covariate missing."""
    names, parts = [INTERCEPT], [np.ones((len(data), 1))]
    filled = np.zeros(len(data), dtype=bool)
    if model.arm is not None:
        block_names, block = _arm_block(data, model)
        names, parts = names + block_names, [*parts, block]
    for covariate in model.covariates:
        block_names, block, missing = _covariate_block(data, covariate)
        names, parts = names + block_names, [*parts, block]
        if missing.any() and model.missing_covariates == "indicator":
            names, parts = [*names, missing_term(covariate)], [*parts, missing[:, None].astype(float)]
        filled |= missing
    if model.strata is not None:
        block_names, block = _level_block("strata", data[model.strata])
        names, parts = names + block_names, [*parts, block]
    return names, np.hstack(parts), filled


def refuse_weights(model: Model) -> None:
    """Refuse a model with schools' weights where the method takes none, rather than leave them out in silence.

    Raises
    ------
    EstimationError
        When the model names a column of weights.
    """
    if model.weights is not None:
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"this method takes no weights of schools, and the model names '{model.weights}'.",
            "Use fit_linear_clustered, which does, or leave the weights out.",
        )


def require_columns(frame: pd.DataFrame, model: Model) -> None:
    """Refuse a frame that lacks a column of the model.

    Raises
    ------
    EstimationError
        Naming the first column that is not there, and those that are.
    """
    needed = [model.outcome, model.school, *model.covariates]
    needed += [column for column in (model.arm, model.strata) if column is not None]
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"the data have no column '{missing[0]}'.",
            f"Use one of: {', '.join(map(str, frame.columns))}.",
        )


def _require(frame: pd.DataFrame, model: Model) -> None:
    require_columns(frame, model)
    for column, what in ((model.school, "school"), (model.strata, "stratum")):
        if column is not None and frame[column].isna().any():
            raise EstimationError(
                f"model of '{model.outcome}'",
                f"{int(frame[column].isna().sum())} rows have no {what}.",
                f"Give every row the {what} of its school of randomisation.",
            )
    if model.arm is not None:
        _require_arms(frame, model)


def _require_arms(frame: pd.DataFrame, model: Model) -> None:
    unknown = sorted({str(value) for value in frame[model.arm].unique()} - set(model.arms))
    if unknown:
        raise EstimationError(
            f"column '{model.arm}'",
            f"'{unknown[0]}' is not one of the arms {', '.join(model.arms)}.",
            "Correct the arm or name it in the model.",
        )
    arms_of_school = frame.groupby(model.school, observed=True)[str(model.arm)].nunique()
    if (arms_of_school > 1).any():
        raise EstimationError(
            f"school '{arms_of_school.index[arms_of_school > 1][0]}'",
            "stands in more than one arm.",
            "Use the arm that the school was drawn into.",
        )


def numeric_column(frame: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as floats, NaN where it is missing.

    Parameters
    ----------
    frame
        Any frame.
    column
        Numbers, or yes and no as booleans; a column of any type in which everything is missing will do.

    Raises
    ------
    EstimationError
        When it holds something else, or infinite values.
    """
    values = frame[column]
    if bool(values.isna().all()):
        return np.full(len(values), np.nan)
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        raise EstimationError(f"column '{column}'", "is not numeric.", "Turn it into numbers first.")
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(numbers).any():
        raise EstimationError(
            f"column '{column}'",
            f"holds {int(np.isinf(numbers).sum())} infinite values.",
            "Correct them or set them to missing.",
        )
    return numbers


def _arm_block(data: pd.DataFrame, model: Model) -> tuple[list[str], np.ndarray]:
    arms = data[str(model.arm)].astype(str).to_numpy()
    others = model.arms[1:]
    return [arm_term(arm) for arm in others], np.column_stack([(arms == arm).astype(float) for arm in others])


def _covariate_block(data: pd.DataFrame, covariate: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    values = data[covariate]
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        numbers = numeric_column(data, covariate)
        missing = np.isnan(numbers)
        mean = float(numbers[~missing].mean()) if not missing.all() else 0.0
        return [covariate], np.where(missing, mean, numbers)[:, None], missing
    if pd.api.types.is_datetime64_any_dtype(values):
        raise EstimationError(
            f"covariate '{covariate}'", "holds dates.", "Turn them into numbers, such as ages, first."
        )
    names, levels = _level_block(covariate, values)
    return names, levels, values.isna().to_numpy()


def _level_block(name: str, values: pd.Series[str]) -> tuple[list[str], np.ndarray]:
    texts = values.astype(object).where(values.isna(), values.astype(str))
    codes, labels = pd.factorize(texts, sort=True)
    dummies = codes[:, None] == np.arange(1, len(labels))[None, :]
    return [f"{name}[{label}]" for label in labels[1:]], dummies.astype(float)


def independent_columns(x: np.ndarray) -> np.ndarray:
    """Return the positions of columns that are not combinations of earlier ones.

    Parameters
    ----------
    x
        Shape (N, p).

    Returns
    -------
    numpy.ndarray
        Increasing positions. A column is left out when what earlier columns leave of it is below 1e-7 of its length,
        the tolerance of R's ``lm``.
    """
    if x.shape[0] == 0:
        return np.arange(0)
    lengths = np.sqrt((x**2).sum(axis=0))
    kept: list[int] = []
    basis = np.zeros((x.shape[0], 0))
    for place in range(x.shape[1]):
        if lengths[place] == 0:
            continue
        left = x[:, place] / lengths[place]
        for _ in range(2):  # twice is enough to keep the basis orthogonal in floating point
            left = left - basis @ (basis.T @ left)
        size = float(np.sqrt(left @ left))
        if size > 1e-7:
            kept.append(place)
            basis = np.column_stack([basis, left / size])
    return np.array(kept, dtype=int)


def _reason(x: np.ndarray, y: np.ndarray, names: list[str], arm_terms: dict[str, str], *, n_schools: int) -> str:
    if len(y) == 0:
        return "No pupil has this outcome."
    if float(np.ptp(y)) == 0.0:
        return "Every pupil has the same value of this outcome."
    if n_schools < 3:
        return f"Only {n_schools} schools have this outcome; a comparison of schools needs three or more."
    places = [names.index(term) for term in arm_terms.values()]
    for arm, place in zip(arm_terms, places, strict=True):
        if not x[:, place].any():
            return f"No pupil of the arm {arm} has this outcome."
    if places and not (x[:, places].sum(axis=1) == 0).any():
        return "No pupil of the reference arm has this outcome."
    others = [place for place in range(x.shape[1]) if place not in places]
    centred = x - np.append(0.0, x[:, 1:].mean(axis=0))
    if len(independent_columns(centred[:, [*others, *places]])) < len(independent_columns(centred[:, others])) + len(
        places
    ):
        return "The arms cannot be told apart from the strata or covariates: no stratum holds schools of both arms."
    return ""
