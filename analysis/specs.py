"""What is fitted: the columns of a model of one outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_schema.errors import EstimationError

MissingCovariates = Literal["indicator", "drop"]
DfMethod = Literal["satterthwaite_bounded", "satterthwaite", "kenward_roger"]


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
        schools differ in that. None for equal ones. Only some estimators take them.
    level
        Column of the groups within schools whose intercepts are random as well, such as classes; names may be the same
        in several schools. None for schools alone. Only some estimators take it.
    """

    outcome: str
    school: str
    arm: str | None = None
    arms: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    missing_covariates: MissingCovariates = "indicator"
    weights: str | None = None
    level: str | None = None

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
        structure = [column for column in (self.arm, self.strata, self.weights, self.level) if column is not None]
        return (self.outcome, self.school, *self.covariates, *structure)

    @property
    def place(self) -> str:
        """What an error about the model is about."""
        return f"model of '{self.outcome}'"
