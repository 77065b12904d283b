"""A cumulative logit model with a random school intercept, whose answers are standardised over the pupils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel, Estimator

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Estimate
    from analysis.specs import Model

_BESIDE = ("odds_ratio", "probability_of_superiority")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalMixed(Estimator):
    """Proportional odds, by adaptive Gauss-Hermite quadrature; see `analysis.fit_ordinal`.

    The difference is that of mean scores, standardised over the pupils and averaged over schools: what the linear
    models of the same outcome estimate from the scores themselves. Beside it are what the model alone has: its odds
    ratio given the school, the probability of superiority, and the differences of the shares above each category; see
    `analysis.ordinal_effects`.

    Parameters
    ----------
    n_nodes
        Nodes of the quadrature, 5 or more.
    """

    n_nodes: int = 15

    name: ClassVar[str] = "ordinal_mixed"
    kinds: ClassVar[tuple[str, ...]] = ("ordinal",)
    least: ClassVar[dict[str, int]] = {"n_nodes": 5}

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.ordinal.effects import estimate_category_shares
        from analysis.ordinal.fitting import fit_ordinal

        ordinal = fit_ordinal(frame, model, n_nodes=self.n_nodes)
        if ordinal.parameters is None:
            return ArmModel(fit=ordinal.fit, standardise=lambda: estimate_category_shares(ordinal, model).means())
        shares = estimate_category_shares(ordinal, model)
        return ArmModel(
            fit=replace(ordinal.fit, differences=shares.differences()), standardise=shares.means, beside=shares.rows
        )

    def rows_of_difference(self, model: ArmModel | None, difference: Estimate) -> list[Estimate]:
        """Return the difference, and the rows that the model has beside it, with its cautions."""
        from analysis.results import create_failed_row

        if model is None or model.beside is None or difference.status == "failed":
            return [difference, *(replace(create_failed_row(difference), quantity=name) for name in _BESIDE)]
        shared = replace(
            model.fit.effect_row(outcome="", conf_level=difference.conf_level, se_type=difference.se_type),
            arm=difference.arm,
        )
        rows = model.beside(shared)
        for code in difference.cautions:
            rows = [row.with_caution(code) for row in rows]
        return [difference, *rows]
