"""A logistic model with a random school intercept, whose risks are standardised over the trial's pupils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel, Estimator

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Estimate
    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticMixed(Estimator):
    """Maximum likelihood by adaptive Gauss-Hermite quadrature; see `analysis.fit_logistic_mixed`.

    Parameters
    ----------
    n_nodes
        Nodes of the quadrature; 1 is Laplace's approximation.
    """

    n_nodes: int = 15

    name: ClassVar[str] = "logistic_mixed"
    kinds: ClassVar[tuple[str, ...]] = ("binary",)

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.binary.fitting import fit_binary
        from analysis.binary.risks import estimate_standardised_risks

        binary = fit_binary(frame, model, link="logit", n_nodes=self.n_nodes)
        return ArmModel(fit=binary.fit, standardise=lambda: estimate_standardised_risks(binary, model.arms))

    def rows_of_difference(self, model: ArmModel | None, difference: Estimate) -> list[Estimate]:
        """Return the difference, and the odds ratio given the school, which is the model's own coefficient."""
        from analysis.effect_sizes import odds_ratio
        from analysis.results import create_failed_row

        if model is None or difference.status == "failed":
            return [difference, replace(create_failed_row(difference), quantity="odds_ratio")]
        row = model.fit.estimate(difference.term, conf_level=difference.conf_level)
        return [difference, replace(odds_ratio(row), arm=difference.arm, caution=difference.caution)]
