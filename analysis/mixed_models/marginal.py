"""Marginal means: which weighted sums of coefficients they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from analysis.mixed_models.columns import evaluated
from analysis.mixed_models.moments import Described, Level
from data_schema.errors import EstimationError


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


def marginal_rows(
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
    choices = {name: _choices(name, described, at, place=place) for name in used}
    grid = pd.DataFrame(list(product(*choices.values())), columns=list(choices))
    for name, levels in described.levels.items():
        if name in choices:
            grid[name] = pd.Categorical(grid[name], categories=pd.Index(levels))
    values, _ = evaluated(described.design.spec, grid, place=place)
    kept = [described.columns.index(name) for name in names]
    levels = described.levels[factor]
    rows = np.stack([values[(grid[factor] == level).to_numpy()][:, kept].mean(axis=0) for level in levels])
    n_strata = 1 if strata is None else strata.n_groups
    return MarginalRows(
        labels=tuple(f"{factor}[{level}]" for level in levels),
        rows=rows,
        weights=np.full((len(levels), n_strata - 1), 1 / n_strata),
    )


def _choices(name: str, described: Described, at: Mapping[str, float | str], *, place: str) -> list[object]:
    if name in at:
        if name in described.levels and at[name] not in described.levels[name]:
            raise EstimationError(
                place, f"'{at[name]}' is not a level of '{name}'.", f"Use {', '.join(described.levels[name])}."
            )
        return [at[name]]
    return list(described.levels[name]) if name in described.levels else [described.means[name]]
