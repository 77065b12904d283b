"""What is asked: a model of one outcome, and a question of the analysis plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from data_schema.errors import EstimationError

OutcomeKind = Literal["binary", "continuous"]
ModelKind = Literal["linear_mixed", "linear_cluster", "logistic_mixed"]
MissingCovariates = Literal["indicator", "drop"]
DfMethod = Literal["satterthwaite", "satterthwaite_bounded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The columns of a model of a school trial.

    Parameters
    ----------
    outcome
        Numeric column; shares and 0/1 for binary outcomes.
    school
        Column that names the school of randomisation.
    arm
        Column of arm names; None for a model without arms (the unconditional model).
    arms
        Arm names, the reference first. Rows of other arms are an error.
    covariates
        Columns: numbers enter as they are, text enters as categories (first level in sorted order is the reference).
    strata
        Column of the design's strata, entered as fixed effects; None for none.
    missing_covariates
        "indicator": a missing value is replaced by the column's mean and marked by an indicator column, unbiased in a
        randomised trial because assignment is independent of the covariate's missingness (White and Thompson 2005,
        Statistics in Medicine 24, 993-1007); "drop": the row is left out.
    weights
        Column of the schools' weights, one value above 0 a school: the inverse of its probability of its arm where
        schools differ in that. None for equal ones. For "linear_cluster" only.
    """

    outcome: str
    school: str
    arm: str | None = None
    arms: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    missing_covariates: MissingCovariates = "indicator"
    weights: str | None = None

    def __post_init__(self) -> None:
        """Refuse a model that contradicts itself."""
        if self.arm is not None and len(self.arms) < 2:
            raise EstimationError(
                f"model of '{self.outcome}'",
                f"{len(self.arms)} arm is not enough for a comparison.",
                "Name the reference arm first and at least one other arm.",
            )
        if len(set(self.arms)) < len(self.arms):
            raise EstimationError(
                f"model of '{self.outcome}'", f"the arms {', '.join(self.arms)} name one twice.", "Name each arm once."
            )
        named = self.columns
        repeated = sorted({name for name in named if named.count(name) > 1})
        if repeated:
            raise EstimationError(
                f"model of '{self.outcome}'",
                f"the column '{repeated[0]}' is used twice.",
                "Use each column in one role.",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a frame that the model uses."""
        structure = [column for column in (self.arm, self.strata, self.weights) if column is not None]
        return (self.outcome, self.school, *self.covariates, *structure)

    @property
    def place(self) -> str:
        """What an error about the model is about."""
        return f"model of '{self.outcome}'"


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
        "binary" or "continuous".
    role
        "primary", "secondary" or "exploratory".
    model
        "linear_mixed" (random school intercept, REML, bounded Satterthwaite), "linear_cluster" (least squares, CR2 by
        school; of a binary outcome the risk difference) or "logistic_mixed" (random school intercept; binary only).
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

    Raises
    ------
    EstimationError
        When the question contradicts itself.
    """

    plan_entry: str
    outcome: str
    kind: OutcomeKind
    role: str
    model: ModelKind
    arms: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    arm: str = "arm"
    school: str = "school_id"
    strata: str | None = "stratum"
    country: str = "country"
    conf_level: float = 0.95
    weights: str | None = None

    def __post_init__(self) -> None:
        """Refuse a question that contradicts itself."""
        if self.kind not in get_args(OutcomeKind):
            raise self._impossible(f"kind '{self.kind}' is unknown.", "Use 'binary' or 'continuous'.")
        if self.model not in get_args(ModelKind):
            raise self._impossible(f"model '{self.model}' is unknown.", f"Use one of {', '.join(get_args(ModelKind))}.")
        if self.model == "logistic_mixed" and self.kind != "binary":
            raise self._impossible("a logistic model needs a binary outcome.", "Use a linear model.")
        if not 0 < self.conf_level < 1:
            raise self._impossible(f"conf_level {self.conf_level} is not between 0 and 1.", "Use 0.95.")
        self.effect_model()

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

    def _impossible(self, problem: str, remedy: str) -> EstimationError:
        return EstimationError(f"plan entry '{self.plan_entry}'", problem, remedy)
