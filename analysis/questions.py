"""What is asked: a question of the analysis plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.estimators import Estimator, make_estimator
from analysis.outcomes import OUTCOME_KINDS, OutcomeKind
from analysis.specs import Model
from data_schema.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One entry of the analysis plan: what is to be estimated, for each country and for all together.

    Parameters
    ----------
    plan_entry
        Name of the entry; it begins every estimate's id.
    outcome
        Numeric column; 0, 1 or missing for a binary outcome.
    kind
        Name of the kind of outcome, in `OUTCOME_KINDS`.
    role
        "primary", "secondary" or "exploratory".
    model
        Name of the estimator, in `ESTIMATORS`.
    arms
        Arm names, the reference first, two or more.
    covariates
        Columns, see `Model`.
    arm, school, country
        Columns of structure. Country codes tell apart where the question is asked.
    strata
        Column of the design's strata; None for a design without.
    conf_level
        Level of the intervals, between 0 and 1.
    weights
        Column of the schools' weights, see `Model`; a model that takes none is then a row with a reason.
    options
        Options of the estimator that differ from its defaults, by name.
    horizon
        For times until an event: by when pupils are counted who had it, in units of the time; NaN for other kinds.

    Raises
    ------
    EstimationError
        When the question contradicts itself.
    """

    plan_entry: str
    outcome: str
    kind: str
    role: str
    model: str
    arms: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    arm: str = "arm"
    school: str = "school_id"
    strata: str | None = "stratum"
    country: str = "country"
    conf_level: float = 0.95
    weights: str | None = None
    options: Mapping[str, str | int] = field(default_factory=dict)
    horizon: float = math.nan

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        if self.kind not in OUTCOME_KINDS:
            raise self._create_entry_error(f"kind '{self.kind}' is unknown.", f"Use one of {', '.join(OUTCOME_KINDS)}.")
        try:
            make_estimator(self.model, self.options, kind=self.kind)
        except EstimationError as error:
            raise self._create_entry_error(error.problem, error.remedy) from None
        if not 0 < self.conf_level < 1:
            raise self._create_entry_error(f"conf_level {self.conf_level} is not between 0 and 1.", "Use 0.95.")
        if ("horizon" in self.outcome_kind.needs) != (self.horizon > 0):
            remedy = "State it above 0 for times until an event, and for no other outcome."
            raise self._create_entry_error(
                f"the horizon {self.horizon:g} does not go with the kind '{self.kind}'.", remedy
            )
        self.effect_model()

    @property
    def outcome_kind(self) -> OutcomeKind:
        """What kind of outcome is asked about."""
        return OUTCOME_KINDS[self.kind]

    @property
    def estimator(self) -> Estimator:
        """How the effects are estimated."""
        return make_estimator(self.model, self.options, kind=self.kind)

    def effect_model(self) -> Model:
        """Return the model of the arms' effects."""
        return Model(
            outcome=self.outcome,
            school=self.school,
            arm=self.arm,
            arms=self.arms,
            covariates=self.covariates,
            strata=self.strata,
            weights=self.weights,
        )

    def unconditional_model(self) -> Model:
        """Return the model without arms, covariates and strata, whose variances the EEF standardises effects by."""
        return Model(outcome=self.outcome, school=self.school)

    def _create_entry_error(self, problem: str, remedy: str) -> EstimationError:
        return EstimationError(f"plan entry '{self.plan_entry}'", problem, remedy)
