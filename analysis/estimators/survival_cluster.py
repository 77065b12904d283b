"""Shares who had an event by a time, compared with errors robust to schools, and the hazard ratio beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from analysis.estimators.estimator import ArmModel
from analysis.estimators.linear_cluster import LinearCluster
from analysis.outcomes.kind import further_column

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Estimate, Fit
    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalCluster(LinearCluster):
    """Least squares of the pupils' parts in the arms' shares with CR2 errors by school, and Cox's model beside it.

    The difference is that of the shares who would have had the event by the horizon if all had been seen that long,
    adjusted for strata and covariates; without these it is the difference of the curves of Kaplan and Meier at the
    horizon. It rests on no proportional hazards. The hazard ratio does, is one over the whole of the follow-up and not
    given the school, with errors by leaving each school out in turn; see `analysis.fit_cox`.

    References
    ----------
    Logan, Zhang and Klein (2011), Biometrics 67, 1-7, equation 4, with the independence working correlation.
    """

    name: ClassVar[str] = "survival_cluster"
    kinds: ClassVar[tuple[str, ...]] = ("time_to_event",)

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        fitted = super(SurvivalCluster, self).fit(frame, model)
        return replace(fitted, fit_hazards=lambda: _fit_hazards(frame, model))

    def rows_of_difference(self, model: ArmModel | None, difference: Estimate) -> list[Estimate]:
        """Return the difference, and the ratio of the hazards."""
        from analysis.effect_sizes import odds_ratio
        from analysis.results import create_failed_row

        row = replace(create_failed_row(difference), quantity="hazard_ratio")
        if model is None or model.fit_hazards is None or difference.status == "failed":
            return [difference, row]
        ratio = odds_ratio(model.fit_hazards().estimate(difference.term, conf_level=difference.conf_level))
        return [difference, replace(ratio, quantity="hazard_ratio", arm=difference.arm, caution=difference.caution)]


def _fit_hazards(frame: pd.DataFrame, model: Model) -> Fit:
    from analysis.time_to_event.cox import fit_cox

    of_event = replace(model, outcome=further_column(model.outcome, "event"))
    return fit_cox(frame, of_event, time=further_column(model.outcome, "time"))
