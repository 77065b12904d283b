"""A model of counts with a log link and a random school intercept, whose means are standardised over the pupils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel, Estimator

if TYPE_CHECKING:
    import pandas as pd

    from analysis.counts.fitting import CountFamily
    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class CountMixed(Estimator):
    """Maximum likelihood by adaptive Gauss-Hermite quadrature; see `analysis.fit_counts`.

    Parameters
    ----------
    family
        "negative_binomial" or "poisson", whose errors are too small wherever pupils of a school differ.
    n_nodes
        Nodes of the quadrature; 1 is Laplace's approximation.
    """

    family: CountFamily = "negative_binomial"
    n_nodes: int = 15

    name: ClassVar[str] = "count_mixed"
    kinds: ClassVar[tuple[str, ...]] = ("count",)
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"family": ("negative_binomial", "poisson")}

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.counts.fitting import fit_counts
        from analysis.counts.rates import estimate_standardised_rates

        counts = fit_counts(frame, model, family=self.family, n_nodes=self.n_nodes)
        if counts.optimum is None:
            return ArmModel(fit=counts.fit, standardise=lambda: estimate_standardised_rates(counts, model)[0])
        means, _ = estimate_standardised_rates(counts, model)
        return ArmModel(fit=replace(counts.fit, differences=means.differences()), standardise=lambda: means)
