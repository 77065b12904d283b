"""Fidelity: how much of the intervention a school put into practice, by an index that was declared beforehand.

The index describes schools. Schools choose how much they do, so that nothing here compares outcomes by it: such a
comparison would look like an effect and be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.guards import checked_frame, numeric_column
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One record of implementation and what was agreed of it.

    Parameters
    ----------
    column
        Its column, 0 or more.
    target
        The number at which it counts as done in full, above 0; more counts no more.
    weight
        In the index, above 0.
    """

    column: str
    target: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an indicator that nothing could reach."""
        if not (self.target > 0 and self.weight > 0):
            raise EstimationError(
                f"indicator '{self.column}'", "its target and weight must be above 0.", "Correct the declared rule."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """The index by school.

    Parameters
    ----------
    by_school
        A row per school: the school, the share of each indicator's target reached (0 to 1), ``n_indicators`` known and
        ``index``, their weighted mean; missing where too few are known.
    indicators
        The declared rule.
    """

    by_school: pd.DataFrame
    indicators: tuple[Indicator, ...]

    def tidy(self) -> pd.DataFrame:
        """Return the index by school."""
        return self.by_school.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: schools, those with an index, its median, least and greatest."""
        index = self.by_school["index"]
        return pd.DataFrame(
            [
                {
                    "n_schools": len(index),
                    "n_with_index": int(index.notna().sum()),
                    "median": float(index.median()),
                    "least": float(index.min()),
                    "greatest": float(index.max()),
                }
            ]
        )


def fidelity_index(
    implementation: pd.DataFrame,
    indicators: Sequence[Indicator],
    *,
    school: str = "school_id",
    least_known: float = 0.5,
) -> Fidelity:
    """Describe schools by how much of what was agreed they did.

    Parameters
    ----------
    implementation
        One row per school.
    indicators
        The declared rule, one or more.
    school
        Column of the school.
    least_known
        Share of the weights that must be known for an index, 0 to 1.

    Raises
    ------
    EstimationError
        When a column is not there, a school stands twice, a record is below zero, or no indicator is named.

    Examples
    --------
    >>> records = pd.DataFrame({"school_id": ["a", "b"], "meetings": [8, 20], "visits": [4, np.nan]})
    >>> rule = [Indicator(column="meetings", target=16), Indicator(column="visits", target=8)]
    >>> fidelity_index(records, rule).by_school["index"].tolist()
    [0.5, 1.0]
    """
    place = "fidelity index"
    if not indicators:
        raise EstimationError(place, "no indicator is named.", "Declare one or more.")
    columns = (school, *(indicator.column for indicator in indicators))
    implementation = checked_frame(implementation, columns, place=place)
    twice = implementation[school][implementation[school].duplicated()]
    if len(twice):
        raise EstimationError(f"school '{twice.iloc[0]}'", "has two rows.", "Add its records up, one row a school.")
    table = pd.DataFrame({school: implementation[school].to_numpy()})
    for indicator in indicators:
        values = numeric_column(implementation, indicator.column)
        if (values < 0).any():
            raise EstimationError(f"column '{indicator.column}'", "holds values below 0.", "Correct the records.")
        table[indicator.column] = np.minimum(values / indicator.target, 1.0)
    reached = table[[indicator.column for indicator in indicators]].to_numpy(dtype=float)
    weights = np.array([indicator.weight for indicator in indicators])
    known = np.isfinite(reached)
    mass = known @ weights
    total = np.where(known, reached, 0.0) @ weights
    enough = (mass > 0) & (mass >= least_known * weights.sum())
    table["n_indicators"] = known.sum(axis=1)
    table["index"] = np.where(enough, total / np.where(mass > 0, mass, 1.0), np.nan)
    return Fidelity(by_school=table, indicators=tuple(indicators))
