"""A formula and a frame to the columns of an outcome's model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.counts.rows import CountRows, count_reason, read_exposures
from analysis.formula import MixedFormula
from analysis.guards import describe_constant_outcome, read_numeric_column, validate_frame
from analysis.mixed_models.columns import MixedColumns, build_mixed_columns
from analysis.mixed_models.groupings import Grouping
from analysis.mixed_models.moments import Described, describe_columns
from analysis.terms import INTERCEPT, Columns
from data_schema.errors import EstimationError

_MOST_GROUPINGS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeColumns:
    """What a model is fitted to.

    Parameters
    ----------
    columns
        Fixed columns, the outcome, and the inner groups as ``school``; with the reason why nothing can be fitted.
    exposure
        Shape (N,), above 0; ones without.
    n_without_exposure
        Rows left out because their exposure is missing or zero.
    groupings
        Outermost first, one or two.
    slope
        Column whose slope differs between groups; empty for intercepts alone.
    described
        What a result says about its data.
    frame
        The rows of the fit, with the columns of the formula.
    """

    columns: Columns
    exposure: np.ndarray
    n_without_exposure: int
    groupings: tuple[Grouping, ...]
    slope: str
    described: Described
    frame: pd.DataFrame

    @property
    def outer(self) -> np.ndarray:
        """Shape (J,), position of each inner group's outer group."""
        first = np.unique(self.columns.school, return_index=True)[1]
        return np.asarray(self.groupings[0].codes[first])

    def count_rows(self) -> CountRows:
        """Return the rows as counts with their exposure."""
        return CountRows(columns=self.columns, exposure=self.exposure, n_without_exposure=self.n_without_exposure)


def build_outcome_columns(
    formula: MixedFormula,
    data: pd.DataFrame,
    *,
    exposure: str | None,
    reference: Mapping[str, str] | None,
    binary: bool,
) -> OutcomeColumns:
    """Turn a frame into the columns of a formula.

    Parameters
    ----------
    formula
        What is asked.
    data
        One row per pupil. Rows with a missing value in any column of the model are left out and counted.
    exposure
        Column of the time in which was counted; None for none.
    reference
        Reference levels of factors.
    binary
        Whether the outcome is 0 or 1, and not a count.

    Raises
    ------
    EstimationError
        See `analysis.mixed_model`.
    """
    place = f"model of '{formula.outcome}'"
    slope = _parse_random_slope(formula, place)
    exposed, usable, n_without = _read_exposures(data, formula.outcome, exposure)
    formula_columns = build_mixed_columns(formula, data.loc[usable], reference=reference, absorb=False)
    if formula_columns.names[0] != INTERCEPT or not (formula_columns.x[:, 0] == 1).all():
        raise EstimationError(place, "has no intercept.", "Leave out '0 +' and '- 1'; use contrasts() for levels.")
    order = np.arange(len(formula_columns.y))
    inner, outermost = formula_columns.groupings[0], formula_columns.groupings[-1]
    if len(formula_columns.groupings) == _MOST_GROUPINGS:
        order, inner = _sort_groups_within_outer(inner, outermost)
    columns = Columns(
        names=formula_columns.names,
        x=formula_columns.x[order],
        y=formula_columns.y[order],
        school=inner.codes[order],
        schools=inner.labels,
        arm_terms={},
        n_missing_outcome=int(data.loc[usable, _find_outcome_columns(formula, data)].isna().any(axis=1).sum()),
        n_missing_covariate=0,
        reason="",
        outcome=formula.outcome,
    )
    groupings = (replace(outermost, codes=outermost.codes[order]), replace(inner, codes=inner.codes[order]))
    rows = np.flatnonzero(usable)[formula_columns.rows][order]
    reason = _describe_unfit_columns(columns, groupings[: len(formula_columns.groupings)])
    if not reason and not binary:
        reason = count_reason(columns) or _find_empty_level(formula_columns, columns)
    return OutcomeColumns(
        columns=replace(columns, reason=reason),
        exposure=exposed[rows],
        n_without_exposure=n_without,
        groupings=groupings[: len(formula_columns.groupings)],
        slope=slope,
        described=describe_columns(formula, formula_columns),
        frame=data.iloc[rows],
    )


def _find_outcome_columns(formula: MixedFormula, data: pd.DataFrame) -> list[str]:
    return [formula.outcome] if formula.outcome in data.columns else []


def _parse_random_slope(formula: MixedFormula, place: str) -> str:
    """Return the slope's column; refuse what there is no quadrature for."""
    groupings = {term.grouping for term in formula.random}
    plain = [term for term in formula.random if term.columns == "1"]
    if len(formula.random) == 1 and not plain:
        first, _, slope = formula.random[0].columns.partition(" + ")
        if first == "1" and slope.isidentifier():
            return slope
    if len(plain) < len(formula.random) or len(groupings) < len(formula.random) or len(groupings) > _MOST_GROUPINGS:
        shown = " + ".join(map(str, formula.random))
        raise EstimationError(
            place,
            f"the random part '{shown}' has no quadrature.",
            "Use '(1 | school)', '(1 | school/class)' for two nested levels, or '(1 + x | school)' with one numeric x.",
        )
    return ""


def _sort_groups_within_outer(inner: Grouping, outer: Grouping) -> tuple[np.ndarray, Grouping]:
    """Return the order of rows in which inner groups are sorted by outer group, and the inner groups numbered so."""
    first = np.unique(inner.codes, return_index=True)[1]
    order = np.argsort(outer.codes[first], kind="stable")
    number = np.empty(len(order), dtype=np.intp)
    number[order] = np.arange(len(order))
    labels = tuple(inner.labels[place] for place in order)
    codes = number[inner.codes]
    return np.argsort(codes, kind="stable"), replace(inner, codes=codes, labels=labels)


def _read_exposures(data: pd.DataFrame, outcome: str, exposure: str | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return exposures by row, which rows have one, and how many with an outcome have none."""
    if exposure is None:
        return np.ones(len(data)), np.ones(len(data), dtype=bool), 0
    place = f"model of '{outcome}'"
    if outcome not in data.columns:
        raise EstimationError(place, "an exposure needs an outcome that is one column.", "Add it to the data first.")
    data = validate_frame(data, (outcome, exposure), place=place)
    counts = read_numeric_column(data, outcome)
    exposed = read_exposures(data, exposure, counts=counts)
    usable = np.isfinite(exposed) & (exposed > 0)
    if not usable.any():
        raise EstimationError(
            f"column '{exposure}'", "no row has an exposure above 0.", "Give the time that was counted."
        )
    return exposed, usable, int((np.isfinite(counts) & ~usable).sum())


def _find_empty_level(made: MixedColumns, columns: Columns) -> str:
    """Name a level of a factor in which every count is zero, by its column or by what is left for the reference."""
    for term, places in made.design.terms.items():
        if made.design.factors[term] != (term,) or term not in made.levels:
            continue
        rows = [columns.x[:, place] == 1 for place in places]
        for level, is_at_level in zip(made.levels[term], [~np.any(rows, axis=0), *rows], strict=False):
            if is_at_level.any() and not columns.y[is_at_level].any():
                return f"Every count where '{term}' is '{level}' is zero: the rate ratio is zero or infinite."
    return ""


def _describe_unfit_columns(columns: Columns, groupings: tuple[Grouping, ...]) -> str:
    if describe_constant_outcome(columns.y):
        return describe_constant_outcome(columns.y)
    if columns.x.shape[1] >= len(columns.y):
        return f"{len(columns.y)} rows are too few for a model of {columns.x.shape[1]} columns."
    for grouping in groupings:
        if len(grouping.labels) >= len(columns.y):
            return f"Every group of '{grouping.name}' has one row: groups and rows cannot be distinguished."
        if len(grouping.labels) < 3:
            return (
                f"There are {len(grouping.labels)} groups of '{grouping.name}'; how groups differ needs three or more."
            )
    if len(groupings) == _MOST_GROUPINGS and len(groupings[0].labels) == len(groupings[1].labels):
        return f"Every group of '{groupings[0].name}' holds one of '{groupings[1].name}': they cannot be distinguished."
    return ""
