"""Least squares with errors that are robust to schools: the linear model, and the linear probability model.

The estimator asks nothing of the outcome's distribution within schools, so that the difference of a binary outcome is a
risk difference with a valid standard error; CR2 and Satterthwaite degrees of freedom make it hold for few schools.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.inference.cluster_robust import cr2
from analysis.results import Coefficients, Convergence, Fit, failed_fit
from analysis.specs import Model
from analysis.sums import SchoolSums, scaled_columns, school_cross_products
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
    kept, values, centre, scale = scaled_columns(columns)
    n_schools = len(columns.schools)
    products = school_cross_products(values, columns.school, n_schools=n_schools)
    sums = SchoolSums(
        names=tuple(columns.names[k] for k in kept),
        n=np.bincount(columns.school, minlength=n_schools).astype(float),
        by_school=products[:, 0, :],
        total=products.sum(axis=0),
        centre=centre,
        scale=scale,
        dropped=tuple(name for k, name in enumerate(columns.names) if k not in set(kept.tolist())),
    )
    matrix, shift = sums.to_original()
    answer = cr2(products, contrasts=matrix)
    return Fit(
        method=METHOD,
        se_type="CR2",
        df_method="satterthwaite",
        coefficients=Coefficients(
            names=sums.names,
            estimate=matrix @ answer.beta + shift,
            vcov=matrix @ answer.vcov @ matrix.T,
            df=answer.df,
        ),
        convergence=Convergence(status="converged"),
        n_pupils=sums.n_pupils,
        n_schools=n_schools,
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        dropped=sums.dropped,
    )
