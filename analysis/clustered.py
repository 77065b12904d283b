"""Least squares with errors that are robust to schools: the linear model, and the linear probability model.

The estimator asks nothing of the outcome's distribution within schools, so that the difference of a binary outcome is a
risk difference with a valid standard error; CR2 and Satterthwaite degrees of freedom make it hold for few schools.
"""

from __future__ import annotations

import pandas as pd

from analysis.inference.cluster_robust import cr2
from analysis.mixed_models.moments import prepared_columns
from analysis.results import Coefficients, Convergence, Fit, failed_fit
from analysis.specs import Model
from analysis.sums import school_columns, school_cross_products
from analysis.terms import Columns, design_columns

METHOD = "linear_clustered"


def fit_linear_clustered(frame: pd.DataFrame, model: Model) -> Fit:
    """Fit a linear model by least squares with CR2 standard errors by school.

    Parameters
    ----------
    frame
        One row a pupil.
    model
        Which column plays which part.

    Returns
    -------
    Fit
        With Satterthwaite degrees of freedom under independent errors, as clubSandwich has them for ``lm``.

    References
    ----------
    Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018), J. Business and Economic
    Statistics 36, 672-683.
    """
    return linear_clustered_of(design_columns(frame, model))


def linear_clustered_of(columns: Columns) -> Fit:
    """Fit the model of columns that are already made; see `fit_linear_clustered`.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them.
    """
    labels = {"method": METHOD, "se_type": "CR2", "df_method": "satterthwaite"}
    if columns.reason:
        return failed_fit(columns.reason, **labels, n_missing_outcome=columns.n_missing_outcome)
    prepared = prepared_columns(school_columns(columns))
    basis, n_schools = prepared.basis, len(columns.schools)
    products = school_cross_products(prepared.values, columns.school, n_schools=n_schools)
    matrix = basis.matrix * basis.scale
    answer = cr2(products, contrasts=matrix)
    return Fit(
        method=METHOD,
        se_type="CR2",
        df_method="satterthwaite",
        coefficients=Coefficients(
            names=basis.names,
            estimate=matrix @ answer.beta + basis.shift,
            vcov=matrix @ answer.vcov @ matrix.T,
            df=answer.df,
        ),
        convergence=Convergence(status="converged"),
        n_pupils=len(columns.y),
        n_schools=n_schools,
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        dropped=tuple(basis.dropped),
    )
