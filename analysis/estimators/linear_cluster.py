"""Least squares with errors that are robust to schools, of shares the linear probability model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel, Estimator

if TYPE_CHECKING:
    import pandas as pd

    from analysis.inference.cluster_robust import SeType
    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearCluster(Estimator):
    """Least squares with errors by school and Satterthwaite degrees of freedom; see `analysis.fit_linear_clustered`.

    Parameters
    ----------
    se_type
        "CR2" (unbiased under independent errors), "CR3" (near the jackknife, on the safe side), "CR1", "CR1S" (Stata's)
        or "CR0" (too small where schools are few); see `analysis.cluster_robust`.
    """

    se_type: SeType = "CR2"

    name: ClassVar[str] = "linear_cluster"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "binary", "count", "ordinal")
    takes_weights: ClassVar[bool] = True
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"se_type": ("CR2", "CR3", "CR1", "CR1S", "CR0")}

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.arm_risks import estimate_clustered_shares
        from analysis.clustered import collect_school_weights, fit_clustered_columns
        from analysis.terms import design_columns

        columns = design_columns(frame, model)
        weights = collect_school_weights(frame, model, columns.schools)
        return ArmModel(
            fit=fit_clustered_columns(columns, weights=weights, se_type=self.se_type),
            standardise=lambda: estimate_clustered_shares(columns, model.arms, weights=weights, se_type=self.se_type),
        )
