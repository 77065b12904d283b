"""Least squares with errors that are robust to schools, of shares the linear probability model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel, Estimator

if TYPE_CHECKING:
    import pandas as pd

    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearCluster(Estimator):
    """Least squares with CR2 errors and Satterthwaite degrees of freedom; see `analysis.fit_linear_clustered`."""

    name: ClassVar[str] = "linear_cluster"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "binary", "count")
    takes_weights: ClassVar[bool] = True

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.arm_risks import clustered_shares
        from analysis.clustered import linear_clustered_of, school_weights
        from analysis.terms import design_columns

        columns = design_columns(frame, model)
        weights = school_weights(frame, model, columns.schools)
        return ArmModel(
            fit=linear_clustered_of(columns, weights=weights),
            standardise=lambda: clustered_shares(columns, model.arms, weights=weights),
        )
