"""The linear multilevel model of a school trial: a random school intercept, by the multilevel engine.

Model: y_ij = x_ij' beta + u_j + e_ij with u_j ~ N(0, s_u^2), e_ij ~ N(0, s^2), pupils i in schools j; with
a level, such as classes, v_jk ~ N(0, s_v^2) of the groups k of schools is added. What
`analysis.mixed_model` does by formula, `fit_linear_mixed` does for the `Model` of a plan: the same sums, the same
likelihood, with a bound on the degrees of freedom that a trial of few schools can back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.intercept import find_best_likelihood, find_constant_columns
from analysis.mixed_models.moments import Moments, compute_moments
from analysis.mixed_models.working import Working, build_model_coefficients, build_working
from analysis.results import Convergence, Fit, create_failed_fit
from analysis.specs import DfMethod, Model
from analysis.terms import Columns, design_columns

METHOD = "linear_mixed_reml"


def fit_linear_mixed(frame: pd.DataFrame, model: Model, *, df_method: DfMethod = "satterthwaite_bounded") -> Fit:
    """Fit a linear model with a random school intercept by restricted maximum likelihood.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Which column plays which part.
    df_method
        "satterthwaite" as lmerTest computes it. "satterthwaite_bounded" (the default) never lets a coefficient of a
        school-level column have more degrees of freedom than schools less school-level columns: where the school
        variance is estimated at or near zero the plain method counts pupils, which a trial of few schools cannot back.
        "kenward_roger" as pbkrtest computes it: its errors allow for the variances being estimates as well, so that
        ``se_type`` is "kenward_roger" too, and its degrees of freedom do not count pupils at a variance of zero.

    Returns
    -------
    Fit
        With variances ``school``, ``pupil`` and, for a model with a level of which schools have several groups,
        ``level`` in squared units of the outcome.

    References
    ----------
    Kuznetsova, Brockhoff and Christensen (2017), lmerTest, J. Statistical Software 82(13); Kenward and Roger (1997),
    Biometrics 53, 983-997.
    """
    return fit_mixed_columns(design_columns(frame, model), df_method=df_method)


def fit_mixed_columns(columns: Columns, *, df_method: DfMethod = "satterthwaite_bounded") -> Fit:
    """Fit the model of columns that are already made; see `fit_linear_mixed`.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them.
    df_method
        See `fit_linear_mixed`.
    """
    return fit_of(fit_restricted_likelihood(columns), columns, df_method=df_method)


def fit_restricted_likelihood(columns: Columns) -> Fitted:
    """Return the model of columns with what inference needs, or why there is none."""
    return (
        Fitted(reason=columns.reason)
        if columns.reason
        else fit_school_moments(compute_moments(build_school_columns(columns)))
    )


def fit_of(found: Fitted, columns: Columns, *, df_method: DfMethod = "satterthwaite_bounded") -> Fit:
    """Return a model's coefficients with their errors.

    Parameters
    ----------
    found
        As `fit_restricted_likelihood` returns it.
    columns
        What it was fitted to.
    df_method
        See `fit_linear_mixed`.
    """
    se_type = "kenward_roger" if df_method == "kenward_roger" else "model"
    if found.working is None:
        return create_failed_fit(
            found.reason,
            method=METHOD,
            se_type=se_type,
            df_method=df_method,
            n_missing_outcome=columns.n_missing_outcome,
        )
    working, sums = found.working, found.working.sums
    if df_method == "kenward_roger":
        working = build_working(sums, working.optimum, working.at, reml=True, df_method="kenward_roger")
    coefficients = build_model_coefficients(working)
    most = _compute_largest_df(sums)
    df = np.minimum(coefficients.df, most) if df_method == "satterthwaite_bounded" else coefficients.df
    return Fit(
        method=METHOD,
        se_type=se_type,
        df_method=df_method,
        # As many school-level columns as schools: nothing is left to tell how schools differ, and so no error.
        coefficients=replace(coefficients, df=np.where(most >= 1, df, np.nan)),
        convergence=Convergence(
            status="boundary" if found.has_zero_variance else "converged",
            objective=working.deviance,
            n_evaluations=working.optimum.n_evaluations,
        ),
        n_pupils=sums.n,
        n_schools=sums.levels[-1].n_groups,
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        variances=found.variances,
        dropped=tuple(sums.basis.dropped),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model with a random school intercept, fitted, or why there is none.

    Parameters
    ----------
    working
        What inference needs; None when there is no fit.
    reason
        A sentence then: too few pupils for the columns, nothing left to explain, or pupils of a school all alike.
    """

    working: Working | None = None
    reason: str = ""

    @property
    def variances(self) -> dict[str, float]:
        """Variances between schools, groups within schools (``level``) and pupils, squared units of the outcome."""
        if self.working is None:
            return {"school": np.nan, "pupil": np.nan}
        unit = self.working.sums.basis.scale**2
        *level, school, pupil = map(float, self.working.optimum.variances * unit)
        return {"school": school, **({"level": level[0]} if level else {}), "pupil": pupil}

    @property
    def school_variance(self) -> float:
        """Variance between schools, squared units of the outcome."""
        return self.variances["school"]

    @property
    def pupil_variance(self) -> float:
        """Variance between pupils of a school or, with a level, of a group, squared units of the outcome."""
        return self.variances["pupil"]

    @property
    def has_zero_variance(self) -> bool:
        """Whether the variance between schools, or between groups within them, is estimated at zero."""
        if self.working is not None and len(self.working.sums.levels) > 1:
            return self.working.optimum.singular
        return self.school_variance == 0


def fit_school_moments(sums: Moments) -> Fitted:
    """Maximise the restricted likelihood of a model's sums, as far as it has a maximum.

    Parameters
    ----------
    sums
        Of `analysis.sums.build_school_columns`.
    """
    if sums.n <= sums.p + 1:
        return Fitted(reason=f"{sums.n} pupils are too few for a model of {sums.p} columns.")
    if sums.basis.reason:
        return Fitted(reason=sums.basis.reason)
    best, likelihood = find_best_likelihood(sums, reml=True)
    if best.reason and int(find_constant_columns(sums).sum()) >= sums.levels[-1].n_groups:
        return Fitted(reason="The schools are too few for the columns of the model that belong to schools.")
    if best.reason:
        reason = (
            "Pupils of a school have the same value of this outcome: it is one of schools and needs one row per school."
        )
        return Fitted(reason=reason)
    return Fitted(working=build_working(sums, best, likelihood, reml=True, df_method="satterthwaite"))


def _compute_largest_df(sums: Moments) -> np.ndarray:
    at_school = find_constant_columns(sums)
    return np.where(at_school, float(sums.levels[-1].n_groups - int(at_school.sum())), np.inf)
