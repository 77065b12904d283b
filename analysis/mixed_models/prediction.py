"""Predictions of a fit for rows of a frame, and the rows whose predictions are marginal means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.mixed_models.columns import build_specified_columns, get_factor_column
from analysis.mixed_models.moments import Described, Level
from analysis.mixed_models.random_effects import compute_strata_effects, effects
from analysis.mixed_models.reading import find_formula_variables
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    from analysis.mixed_models.moments import Described
    from analysis.mixed_models.working import Working
    from analysis.results import Coefficients


def predict_outcomes(
    working: Working, described: Described, coefficients: Coefficients, data: pd.DataFrame, *, random: bool
) -> np.ndarray:
    """Return predictions; see `MixedFit.predict`."""
    place = f"prediction of '{described.outcome}'"
    specs = [described.design.spec, *[spec for _, _, spec in described.random]]
    frame = build_prediction_frame(data, specs, described.levels, place=place)
    predicted = coefficients.estimate[0] * np.ones(len(frame))
    if described.design.spec is not None:
        column_positions = [described.columns.index(name) for name in coefficients.names]
        predicted = (
            build_prediction_columns(described.design.spec, frame, place=place)[:, column_positions]
            @ coefficients.estimate
        )
    strata = working.sums.strata
    if strata is not None:
        column = get_factor_column(strata.name)
        by_label = dict(
            zip(strata.labels, compute_strata_effects(working.sums, working.at) * working.sums.basis.scale, strict=True)
        )
        predicted = predicted + _find_values_by_label(group_labels(data, column, place=place), by_label, unknown=np.nan)
    if random:
        predicted = predicted + _predict_random_part(working, described, data, frame, place=place)
    return np.asarray(predicted)


def build_prediction_frame(
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
    used = {name for spec in specs if spec is not None for name in find_formula_variables(spec)}
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


def build_prediction_columns(spec: Any, frame: pd.DataFrame, *, place: str) -> np.ndarray:  # noqa: ANN401  # formulaic is not typed
    """Return the columns that a specification makes of a prepared frame, NaN in rows with a missing value.

    Raises
    ------
    EstimationError
        When a column is not there.
    """
    names = sorted(find_formula_variables(spec))
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise EstimationError(place, f"the data have no column '{missing[0]}'.", "Add it.")
    complete = frame[names].notna().all(axis=1).to_numpy()
    result = np.full((len(frame), len(spec.column_names)), np.nan)
    if complete.any():
        result[complete] = build_specified_columns(spec, frame.loc[complete, names], place=place)[0]
    return result


def group_labels(data: pd.DataFrame, column: str, *, place: str) -> list[str | None]:
    """Return a column's values as the labels of groups are written; None where they are missing."""
    if column not in data.columns:
        raise EstimationError(place, f"the data have no column '{column}'.", "Add it.")
    values = data[column]
    is_number = pd.api.types.is_numeric_dtype(values)
    return [
        None if gone else str(int(value)) if is_number and float(value).is_integer() else str(value)
        for value, gone in zip(values, values.isna(), strict=True)
    ]


def _find_values_by_label(labels: list[str | None], found: dict[str, Any], *, unknown: Any) -> np.ndarray:  # noqa: ANN401
    return np.array([unknown if label is None else found.get(label, unknown) for label in labels], dtype=float)


def _predict_random_part(
    working: Working, described: Described, data: pd.DataFrame, frame: pd.DataFrame, *, place: str
) -> np.ndarray:
    total = np.zeros(len(frame))
    for level_effects in effects(working.sums, working.optimum.variances, working.at):
        parts = [group_labels(data, name, place=place) for name in level_effects.level.name.split(":")]
        labels = [
            None if None in each else ":".join(text for text in each if text is not None)
            for each in zip(*parts, strict=True)
        ]
        none = np.zeros(level_effects.estimates.shape[1])
        effects_by_row = _find_values_by_label(
            labels, dict(zip(level_effects.level.labels, level_effects.estimates, strict=True)), unknown=none
        )
        specs = [spec for grouping, _, spec in described.random if grouping == level_effects.level.name]
        z = [
            np.ones((len(frame), 1)) if spec is None else build_prediction_columns(spec, frame, place=place)
            for spec in specs
        ]
        total = total + (np.hstack(z) * effects_by_row).sum(axis=1)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalRows:
    """Weights of coefficients and strata's effects, one row a level.

    Parameters
    ----------
    labels
        ``arm[pilot]``, length k.
    rows
        Shape (k, p).
    weights
        Shape (k, B), of all strata but the reference.
    """

    labels: tuple[str, ...]
    rows: np.ndarray
    weights: np.ndarray

    def pairs(self) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Return labels and weights of the differences of all pairs, the later less the earlier."""
        chosen = list(combinations(range(len(self.labels)), 2))
        labels = tuple(f"{self.labels[b]} - {self.labels[a]}" for a, b in chosen)
        return (
            labels,
            np.stack([self.rows[b] - self.rows[a] for a, b in chosen]),
            np.stack([self.weights[b] - self.weights[a] for a, b in chosen]),
        )


def build_marginal_rows(
    described: Described, names: Sequence[str], factor: str, *, at: Mapping[str, float | str], strata: Level | None
) -> MarginalRows:
    """Return the weights of marginal means; see `MixedFit.marginal_means`.

    Parameters
    ----------
    described
        How the data became columns.
    names
        The p coefficients.
    factor
        Whose levels.
    at
        Values of other columns.
    strata
        The factor kept out of the columns.
    """
    place = f"marginal means of '{factor}'"
    used = sorted({name for columns in described.design.factors.values() for name in columns})
    if factor not in used or factor not in described.levels:
        factors = [name for name in used if name in described.levels]
        raise EstimationError(place, "it is not a factor of the fixed part.", f"Use one of: {', '.join(factors)}.")
    strangers = sorted(set(at) - set(used))
    if strangers:
        raise EstimationError(place, f"the fixed part has no column '{strangers[0]}'.", f"Use {', '.join(used)}.")
    choices = {name: _collect_marginal_choices(name, described, at, place=place) for name in used}
    grid = pd.DataFrame(list(product(*choices.values())), columns=list(choices))
    for name, levels in described.levels.items():
        if name in choices:
            grid[name] = pd.Categorical(grid[name], categories=pd.Index(levels))
    values, _ = build_specified_columns(described.design.spec, grid, place=place)
    column_positions = [described.columns.index(name) for name in names]
    levels = described.levels[factor]
    rows = np.stack([values[(grid[factor] == level).to_numpy()][:, column_positions].mean(axis=0) for level in levels])
    n_strata = 1 if strata is None else strata.n_groups
    return MarginalRows(
        labels=tuple(f"{factor}[{level}]" for level in levels),
        rows=rows,
        weights=np.full((len(levels), n_strata - 1), 1 / n_strata),
    )


def _collect_marginal_choices(
    name: str, described: Described, at: Mapping[str, float | str], *, place: str
) -> list[object]:
    if name in at:
        if name in described.levels and at[name] not in described.levels[name]:
            raise EstimationError(
                place, f"'{at[name]}' is not a level of '{name}'.", f"Use {', '.join(described.levels[name])}."
            )
        return [at[name]]
    return list(described.levels[name]) if name in described.levels else [described.means[name]]
