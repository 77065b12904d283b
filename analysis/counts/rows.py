"""Rows of counts with their exposure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.guards import NO_OUTCOME, describe_constant_outcome, read_numeric_column, validate_frame
from analysis.specs import Model
from analysis.terms import Columns, build_columns_with_outcome, refuse_weights
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRows:
    """Columns of a model of counts; ``columns.y`` are the counts.

    Parameters
    ----------
    columns
        With the reason why there is nothing to estimate, if so.
    exposure
        Shape (N,), above 0.
    n_without_exposure
        Rows with a count whose exposure is missing or zero, which are left out.
    """

    columns: Columns
    exposure: np.ndarray
    n_without_exposure: int


def count_rows(frame: pd.DataFrame, model: Model, *, exposure: str | None) -> CountRows:
    """Turn a frame into columns, counts and exposures.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Its outcome is a whole number, 0 or more, or missing.
    exposure
        Column of the time that was counted; None for the same for all.

    Raises
    ------
    EstimationError
        When an exposure is below zero, or a count is above zero where nothing was exposed.
    """
    refuse_weights(model)
    frame = validate_frame(frame, (*model.columns, exposure), place=model.place)
    counts = read_numeric_column(frame, model.outcome)
    exposed = np.ones(len(frame)) if exposure is None else read_exposures(frame, exposure, counts=counts)
    usable = np.isfinite(counts) & np.isfinite(exposed) & (exposed > 0)
    positions = np.where(usable, np.arange(len(frame)), np.nan)
    columns = build_columns_with_outcome(frame, model, positions)
    places = columns.y.astype(int)
    columns = replace(columns, y=counts[places], n_missing_outcome=int((~np.isfinite(counts)).sum()))
    return CountRows(
        columns=replace(columns, reason=columns.reason or count_reason(columns)),
        exposure=exposed[places],
        n_without_exposure=int((np.isfinite(counts) & ~usable).sum()),
    )


def read_exposures(frame: pd.DataFrame, exposure: str, *, counts: np.ndarray) -> np.ndarray:
    """Return the time in which was counted, NaN where it is missing.

    Parameters
    ----------
    frame
        One row per pupil.
    exposure
        The column.
    counts
        Shape (N,), NaN where missing.

    Raises
    ------
    EstimationError
        When an exposure is below zero, or a count is above zero where nothing was exposed.
    """
    exposed = read_numeric_column(frame, exposure)
    below = int((exposed < 0).sum())
    if below:
        raise EstimationError(
            f"column '{exposure}'", f"{below} exposures are below zero.", "Correct them or set them to missing."
        )
    impossible = int(((exposed == 0) & (counts > 0)).sum())
    if impossible:
        raise EstimationError(
            f"column '{exposure}'",
            f"{impossible} rows count something in an exposure of zero.",
            "Correct the count or the exposure.",
        )
    return exposed


def count_reason(columns: Columns) -> str:
    """Describe why counts cannot be modelled; empty when they can."""
    if len(columns.y) == 0:
        return NO_OUTCOME
    if (columns.y < 0).any() or (columns.y != np.rint(columns.y)).any():
        return "The outcome of a model of counts must be whole numbers, 0 or more."
    if not columns.y.any():
        return "Every count is zero."
    if describe_constant_outcome(columns.y):
        return describe_constant_outcome(columns.y)
    groups = {arm: columns.x[:, columns.names.index(term)] == 1 for arm, term in columns.arm_terms.items()}
    if groups:
        groups["reference"] = ~np.any(list(groups.values()), axis=0)
    for arm, rows in groups.items():
        if not columns.y[rows].any():
            return f"Every count in the arm {arm} is zero: the rate ratio is zero or infinite."
    return ""
