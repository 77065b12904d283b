"""Predictions of a fit for rows of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.mixed_models.columns import evaluated, factor_column
from analysis.mixed_models.random_effects import effects, strata_effects
from analysis.mixed_models.reading import variables_of
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    from analysis.mixed_models.moments import Described
    from analysis.mixed_models.working import Working
    from analysis.results import Coefficients


def predictions(
    working: Working, described: Described, coefficients: Coefficients, data: pd.DataFrame, *, random: bool
) -> np.ndarray:
    """Return predictions; see `MixedFit.predict`."""
    place = f"prediction of '{described.outcome}'"
    specs = [described.design.spec, *[spec for _, _, spec in described.random]]
    frame = prepared_frame(data, specs, described.levels, place=place)
    made = coefficients.estimate[0] * np.ones(len(frame))
    if described.design.spec is not None:
        kept = [described.columns.index(name) for name in coefficients.names]
        made = columns_of(described.design.spec, frame, place=place)[:, kept] @ coefficients.estimate
    strata = working.sums.strata
    if strata is not None:
        column = factor_column(strata.name)
        by_label = dict(
            zip(strata.labels, strata_effects(working.sums, working.at) * working.sums.basis.scale, strict=True)
        )
        made = made + _looked_up(group_labels(data, column, place=place), by_label, unknown=np.nan)
    if random:
        made = made + _random(working, described, data, frame, place=place)
    return np.asarray(made)


def prepared_frame(
    data: pd.DataFrame,
    specs: Sequence[Any],  # formulaic is not typed
    levels_of: Mapping[str, tuple[str, ...]],
    *,
    place: str,
) -> pd.DataFrame:
    """Return new data with the categories that were fitted.

    Parameters
    ----------
    data
        Rows with the model's columns.
    specs
        What makes the model's columns.
    levels_of
        Categories by column.
    place
        For errors.

    Raises
    ------
    EstimationError
        When a row has a level that was not seen.
    """
    frame = data.copy(deep=False)
    used = {name for spec in specs if spec is not None for name in variables_of(spec)}
    for name, levels in levels_of.items():
        if name not in used or name not in frame.columns:
            continue
        texts = group_labels(data, name, place=place)
        strangers = sorted({text for text in texts if text is not None} - set(levels))
        if strangers:
            raise EstimationError(
                place, f"'{strangers[0]}' is not a level of '{name}' in the model.", f"Use one of {', '.join(levels)}."
            )
        frame[name] = pd.Categorical(texts, categories=pd.Index(levels))
    return frame


def columns_of(spec: Any, frame: pd.DataFrame, *, place: str) -> np.ndarray:  # noqa: ANN401  # formulaic is not typed
    """Return the columns that a specification makes of a prepared frame, NaN in rows with a missing value.

    Raises
    ------
    EstimationError
        When a column is not there.
    """
    names = sorted(variables_of(spec))
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise EstimationError(place, f"the data have no column '{missing[0]}'.", "Add it.")
    complete = frame[names].notna().all(axis=1).to_numpy()
    result = np.full((len(frame), len(spec.column_names)), np.nan)
    if complete.any():
        result[complete] = evaluated(spec, frame.loc[complete, names], place=place)[0]
    return result


def group_labels(data: pd.DataFrame, column: str, *, place: str) -> list[str | None]:
    """Return a column's values as the labels of groups are written; None where they are missing."""
    if column not in data.columns:
        raise EstimationError(place, f"the data have no column '{column}'.", "Add it.")
    values = data[column]
    whole = pd.api.types.is_numeric_dtype(values)
    return [
        None if gone else str(int(value)) if whole and float(value).is_integer() else str(value)
        for value, gone in zip(values, values.isna(), strict=True)
    ]


def _looked_up(labels: list[str | None], found: dict[str, Any], *, unknown: Any) -> np.ndarray:  # noqa: ANN401
    return np.array([unknown if label is None else found.get(label, unknown) for label in labels], dtype=float)


def _random(
    working: Working, described: Described, data: pd.DataFrame, frame: pd.DataFrame, *, place: str
) -> np.ndarray:
    total = np.zeros(len(frame))
    for found in effects(working.sums, working.optimum.variances, working.at):
        parts = [group_labels(data, name, place=place) for name in found.level.name.split(":")]
        labels = [
            None if None in each else ":".join(text for text in each if text is not None)
            for each in zip(*parts, strict=True)
        ]
        none = np.zeros(found.estimates.shape[1])
        own = _looked_up(labels, dict(zip(found.level.labels, found.estimates, strict=True)), unknown=none)
        specs = [spec for grouping, _, spec in described.random if grouping == found.level.name]
        z = [np.ones((len(frame), 1)) if spec is None else columns_of(spec, frame, place=place) for spec in specs]
        total = total + (np.hstack(z) * own).sum(axis=1)
    return total
