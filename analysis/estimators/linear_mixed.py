"""A linear model with random intercepts of schools and of groups within them, with CR2 errors by school beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, get_args

from analysis.estimators.estimator import ArmModel, Estimator
from analysis.specs import DfMethod

if TYPE_CHECKING:
    import pandas as pd

    from analysis.results import Estimate
    from analysis.specs import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMixed(Estimator):
    """Restricted maximum likelihood with degrees of freedom for few schools; see `analysis.fit_linear_mixed`.

    Parameters
    ----------
    df_method
        "satterthwaite_bounded", "satterthwaite", or "kenward_roger", which corrects the errors for few schools as well.
    level
        Field of the list of pupils with the groups within schools that have random intercepts as well, such as "class";
        empty for schools alone. Groups are distinguished within their school.
    """

    df_method: DfMethod = "satterthwaite_bounded"
    level: str = ""

    name: ClassVar[str] = "linear_mixed"
    kinds: ClassVar[tuple[str, ...]] = ("continuous", "binary", "count", "ordinal")
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"df_method": get_args(DfMethod)}
    fields_of_pupils: ClassVar[tuple[str, ...]] = ("level",)

    def fit(self, frame: pd.DataFrame, model: Model) -> ArmModel:
        """Fit the model of the arms to one row per pupil."""
        from analysis.arm_risks import estimate_mixed_shares
        from analysis.linear import fit_of, fit_restricted_likelihood
        from analysis.terms import design_columns
        from analysis.unequal_spread import find_unequal_spread_terms, replace_with_robust_errors

        columns = design_columns(frame, replace(model, level=self.level or None))
        working = fit_restricted_likelihood(columns)
        fit = fit_of(working, columns, df_method=self.df_method)
        return ArmModel(
            fit=fit,
            standardise=lambda: estimate_mixed_shares(columns, model.arms, working),
            robust=replace_with_robust_errors(fit, working, columns),
            unequal=find_unequal_spread_terms(working, columns),
        )

    def rows_of_difference(self, model: ArmModel | None, difference: Estimate) -> list[Estimate]:
        """Return the difference, with a caution where arms spread unequally, and the one with robust errors."""
        from analysis.arms import mark_few_df
        from analysis.unequal_spread import ROBUST_DF, ROBUST_ERRORS

        second = replace(difference, se_type=ROBUST_ERRORS, df_method=ROBUST_DF)
        if model is None or model.robust is None:
            return [difference, replace(second, quantity="difference_robust")]
        if difference.status != "failed":
            robust = model.robust.difference(difference.term, conf_level=difference.conf_level)
            second = mark_few_df(replace(robust, arm=difference.arm, caution=""))
            for code in ("few_events", "few_schools"):
                second = second.with_caution(code) if code in difference.cautions else second
        unequal = difference.term in model.unequal
        first = difference.with_caution("unequal_spread") if unequal else difference
        return [first, replace(second, quantity="difference_robust")]
