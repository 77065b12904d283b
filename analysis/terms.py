"""Model terms to design columns: what is asked, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.guards import (
    as_numbers,
    describe_constant_outcome,
    find_independent_columns,
    is_numeric,
    read_numeric_column,
    require_arms,
    require_filled,
    require_hashable,
    standardise_varying_columns,
    validate_frame,
)
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
    outcome
        Name of the outcome.
    level
        Name of the groups within schools; empty without, and where every school has one of them, which says nothing
        that the school does not.
    groups
        Shape (N,), position of each row's group among those of all schools; None without a level.
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
    outcome: str = ""
    level: str = ""
    groups: np.ndarray | None = None

    @property
    def lone_terms(self) -> tuple[str, ...]:
        """Columns of arms whose effect rests on one school alone: theirs, or the reference arm's."""
        terms = tuple(self.arm_terms.values())
        first = np.unique(self.school, return_index=True)[1]
        arms = self.x[first][:, [self.names.index(term) for term in terms]] == 1
        if int((~arms.any(axis=1)).sum()) == 1:
            return terms
        return tuple(term for term, n_schools in zip(terms, arms.sum(axis=0), strict=True) if n_schools == 1)


def format_arm_term(arm: str) -> str:
    """Return the name of an arm's column."""
    return f"arm[{arm}]"


def format_missing_term(covariate: str) -> str:
    """Return the name of the column that marks a covariate's missing values."""
    return f"missing[{covariate}]"


def design_columns(frame: pd.DataFrame, model: Model) -> Columns:
    """Turn a frame into the columns of a model.

    Parameters
    ----------
    frame
        One row per pupil.
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
        stratum, a school is in two arms, or an arm is not one of the model's.
    """
    frame = validate_frame(frame, model.columns, place=model.place)
    return build_columns_with_outcome(frame, model, read_numeric_column(frame, model.outcome))


def build_columns_with_outcome(frame: pd.DataFrame, model: Model, outcome: np.ndarray) -> Columns:
    """Turn a checked frame and an outcome that was made of it into the columns of a model; see `design_columns`.

    Parameters
    ----------
    frame
        As `analysis.guards.validate_frame` returns it.
    model
        Which column plays which part; its outcome is not read from the frame.
    outcome
        Shape (N,), NaN where it is missing.
    """
    _require_structure(frame, model)
    has_outcome = np.isfinite(outcome)
    data = frame.loc[has_outcome]
    names, x, filled = _build_column_blocks(data, model)
    y, schools = outcome[has_outcome], data[model.school].astype(str).to_numpy()
    if model.missing_covariates == "drop" and filled.any():
        x, y, schools, data = x[~filled], y[~filled], schools[~filled], data.loc[~filled]
    codes, labels = pd.factorize(schools, sort=True)
    groups, no_groups = (None, "") if model.level is None else _groups(data[model.level], codes, level=model.level)
    arm_terms = {arm: format_arm_term(arm) for arm in model.arms[1:]} if model.arm is not None else {}
    return Columns(
        names=tuple(names),
        x=x,
        y=y,
        school=codes,
        schools=tuple(str(label) for label in labels),
        arm_terms=arm_terms,
        n_missing_outcome=int((~has_outcome).sum()),
        n_missing_covariate=int(filled.sum()),
        outcome=model.outcome,
        reason=_describe_unfit_outcome(x, y, names, arm_terms, n_schools=len(labels)) or no_groups,
        level="" if groups is None else str(model.level),
        groups=groups,
    )


def _groups(values: pd.Series[str], school: np.ndarray, *, level: str) -> tuple[np.ndarray | None, str]:
    """Return the position of each row's group within its school, or why there are none; neither with one per school."""
    n_without = int(values.isna().sum())
    if n_without:
        return None, f"{n_without} pupils with this outcome have no value of '{level}': their group is not known."
    named, labels = pd.factorize(values.astype(str), sort=True)
    found, groups = np.unique(school * len(labels) + named, return_inverse=True)
    if len(found) == len(np.unique(school)):
        return None, ""
    if len(found) == len(school):
        return None, f"Every group of '{level}' has one pupil: groups and pupils cannot be distinguished."
    return np.asarray(groups, dtype=np.intp), ""


def _build_column_blocks(data: pd.DataFrame, model: Model) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names and values of all columns, and which rows have a covariate missing."""
    names, parts = [INTERCEPT], [np.ones((len(data), 1))]
    filled = np.zeros(len(data), dtype=bool)
    if model.arm is not None:
        block_names, block = _build_arm_block(data, model)
        names, parts = names + block_names, [*parts, block]
    for covariate in model.covariates:
        block_names, block, missing = _build_covariate_block(data, covariate)
        names, parts = names + block_names, [*parts, block]
        if missing.any() and model.missing_covariates == "indicator":
            names, parts = [*names, format_missing_term(covariate)], [*parts, missing[:, None].astype(float)]
        filled |= missing
    if model.strata is not None:
        block_names, block = _build_level_block("strata", data[model.strata])
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


def _require_structure(frame: pd.DataFrame, model: Model) -> None:
    """Refuse rows without a school, stratum or arm, and schools in two arms."""
    require_filled(frame, model.school, "school", place=model.place)
    if model.strata is not None:
        require_filled(frame, model.strata, "stratum", place=model.place)
    if model.arm is not None:
        require_arms(frame, arm=model.arm, arms=model.arms, school=model.school, place=model.place)


def _build_arm_block(data: pd.DataFrame, model: Model) -> tuple[list[str], np.ndarray]:
    arms = data[str(model.arm)].astype(str).to_numpy()
    others = model.arms[1:]
    return [format_arm_term(arm) for arm in others], np.column_stack([(arms == arm).astype(float) for arm in others])


def _build_covariate_block(data: pd.DataFrame, covariate: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    values = data[covariate]
    if is_numeric(values):
        numbers = as_numbers(values)
        missing = np.isnan(numbers)
        mean = float(numbers[~missing].mean()) if not missing.all() else 0.0
        return [covariate], np.where(missing, mean, numbers)[:, None], missing
    require_hashable(values)
    names, levels = _build_level_block(covariate, values)
    return names, levels, values.isna().to_numpy()


def _build_level_block(name: str, values: pd.Series[str]) -> tuple[list[str], np.ndarray]:
    # Levels are few and rows many: only the levels are turned into text.
    value_codes, distinct = pd.factorize(values)
    order, labels = pd.factorize(pd.Series(distinct).astype(str), sort=True)
    codes = np.append(order, -1)[value_codes]
    dummies = codes[:, None] == np.arange(1, len(labels))[None, :]
    return [f"{name}[{label}]" for label in labels[1:]], dummies.astype(float)


def _describe_unfit_outcome(
    x: np.ndarray, y: np.ndarray, names: list[str], arm_terms: dict[str, str], *, n_schools: int
) -> str:
    steady = describe_constant_outcome(y)
    if steady:
        return steady
    if n_schools < 3:
        return f"Only {n_schools} schools have this outcome; a comparison of schools needs three or more."
    places = [names.index(term) for term in arm_terms.values()]
    for arm, place in zip(arm_terms, places, strict=True):
        if not x[:, place].any():
            return f"No pupil of the arm {arm} has this outcome."
    if places and not (x[:, places].sum(axis=1) == 0).any():
        return "No pupil of the reference arm has this outcome."
    others = [place for place in range(x.shape[1]) if place not in places]
    centred = np.column_stack([x[:, :1], standardise_varying_columns(x[:, 1:])[0]])
    if len(find_independent_columns(centred[:, [*others, *places]])) < len(
        find_independent_columns(centred[:, others])
    ) + len(places):
        return "The arms cannot be distinguished from the strata or covariates: no stratum holds schools of both arms."
    return ""
