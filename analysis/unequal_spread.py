"""Whether schools of a small arm spread more than those of a large one: where a model's one variance misleads.

A random-intercept model has one variance of schools for all arms. With equal arms that is harmless; where the smaller
arm has the larger variance the pooled one is mostly the other arm's, and errors of the difference are too small.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.inference.cluster_robust import SeType
from analysis.linear import METHOD, Fitted
from analysis.mixed_models.cluster_rows import build_cluster_rows
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.moments import convert_columns_to_basis
from analysis.mixed_models.robust import compute_robust_errors
from analysis.mixed_models.working import build_model_coefficients
from analysis.results import Fit, create_failed_fit
from analysis.terms import Columns
from data_schema.errors import EstimationError

ROBUST_ERRORS: SeType = "CR2"
ROBUST_DF = "satterthwaite"
"""The errors beside those of the model, and their degrees of freedom, as the table of estimates names them."""

MISJUDGED = 1.25
"""Ratio of a difference's variance by each arm's own variance to that by the common one, above which spread counts as
unequal: reached with twice the schools and half the variance in the larger arm, or half as many schools again and a
variance of two sevenths."""


def replace_with_robust_errors(fit: Fit, found: Fitted, columns: Columns) -> Fit:
    """Return a linear mixed model's estimates with CR2 errors by school, valid whatever each arm's variance is.

    Parameters
    ----------
    fit, found
        The model as `analysis.linear.fit_of` and `fit_restricted_likelihood` return it.
    columns
        What it was fitted to.

    Returns
    -------
    Fit
        With Satterthwaite's degrees of freedom, as clubSandwich has them; failed where the fit is.

    References
    ----------
    Pustejovsky and Tipton (2018), J. Business and Economic Statistics 36, 672-683.
    """
    if found.working is None:
        return replace(fit, se_type=ROBUST_ERRORS, df_method=ROBUST_DF)
    school_model = build_school_columns(columns)
    working = found.working
    try:
        rows = build_cluster_rows(
            school_model, convert_columns_to_basis(school_model), place=f"model of '{columns.outcome}'"
        )
    except EstimationError as error:
        return create_failed_fit(error.problem, method=METHOD, se_type=ROBUST_ERRORS, df_method=ROBUST_DF)
    errors = compute_robust_errors(rows, working.sums, working.optimum, se_type=ROBUST_ERRORS)
    matrix = working.to_original
    coefficients = replace(build_model_coefficients(working), vcov=matrix @ errors.vcov @ matrix.T, df=errors.df)
    return replace(fit, se_type=ROBUST_ERRORS, df_method=ROBUST_DF, coefficients=coefficients)


def find_unequal_spread_terms(found: Fitted, columns: Columns) -> tuple[str, ...]:
    """Return the terms of arms of which the smaller side of the comparison has schools that spread more.

    A descriptive rule: the variance of the difference of schools' mean residuals is more than `MISJUDGED` times as
    large with each side's own variance as with a common one. In equal arms both are the same. With few schools that
    happens by chance as well, and is missed as often: it says which interval to prefer, and is no test.

    Parameters
    ----------
    found
        The model, fitted; without a fit there are no terms.
    columns
        What it was fitted to.

    References
    ----------
    Box (1954), Annals of Mathematical Statistics 25, 290-302, and Scheffe (1959), The Analysis of Variance, section
    10.4: unequal variances are of little consequence in equal groups, and make tests reject too often where the smaller
    group has the larger variance.
    """
    if found.working is None:
        return ()
    sums, likelihood = found.working.sums, found.working.at
    by_school = sums.levels[-1].cross[0, :, 0, :]
    left = (by_school[:, -1] - by_school[:, : sums.p] @ likelihood.beta) / by_school[:, 0]
    first = np.unique(columns.school, return_index=True)[1]
    arms = {term: columns.x[first, columns.names.index(term)] == 1 for term in columns.arm_terms.values()}
    reference = ~np.any(list(arms.values()), axis=0) if arms else np.zeros(0, dtype=bool)
    return tuple(term for term, is_in_arm in arms.items() if _is_wider(left[is_in_arm], left[reference]))


def _is_wider(one: np.ndarray, other: np.ndarray) -> bool:
    if min(len(one), len(other)) < 2:
        return False
    unequal_variance = one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)
    squares = one.var(ddof=1) * (len(one) - 1) + other.var(ddof=1) * (len(other) - 1)
    common = squares / (len(one) + len(other) - 2) * (1 / len(one) + 1 / len(other))
    return bool(unequal_variance > MISJUDGED * common)
