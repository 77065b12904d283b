"""The linear multilevel model of a school trial: a random school intercept, from each school's sums.

Model: y_ij = x_ij' beta + u_j + e_ij with u_j ~ N(0, s_u^2), e_ij ~ N(0, s^2), pupils i in schools j.
With l = s_u^2 / s^2 the inverse of a school's covariance is (I - l/(1 + l n_j) 11') / s^2, so that every quantity of
the restricted likelihood follows from the total cross-product of [X y] and the schools' column sums; the likelihood is
then maximised over the one number l (profile over beta and s), as in Bates et al. (2015), J. Statistical Software
67(1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from analysis.inference.satterthwaite import satterthwaite_df
from analysis.results import Coefficients, Convergence, Fit, failed_fit
from analysis.specs import DfMethod, Model
from analysis.sums import SchoolSums, school_sums
from analysis.terms import Columns, design_columns

METHOD = "linear_mixed_reml"

# The search's end for the standard deviation of schools over that of pupils; beyond it pupils of a school are alike.
_GREATEST_THETA = 100.0
# Pupil variance, of an outcome scaled to variance 1, that rounding alone makes.
_NO_ERROR = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The restricted likelihood at one variance ratio.

    Parameters
    ----------
    ratio
        l = school variance over pupil variance, 0 or more.
    deviance
        Minus twice the restricted log-likelihood, of the scaled columns.
    beta
        Shape (p,), generalised least squares at this ratio, scaled.
    inverse
        Shape (p, p), inverse of X'WX, scaled.
    residual
        Sum of squares left, y'Wy - beta'X'Wy.
    sigma2
        residual / (N - p), the pupil variance, scaled.
    """

    ratio: float
    deviance: float
    beta: np.ndarray
    inverse: np.ndarray
    residual: float
    sigma2: float


def weighted_products(sums: SchoolSums, ratio: float) -> np.ndarray:
    """Return [X y]'W[X y] at a variance ratio, shape (p + 1, p + 1)."""
    weight = ratio / (1 + ratio * sums.n)
    return np.asarray(sums.total - (sums.by_school * weight[:, None]).T @ sums.by_school)


def profile(sums: SchoolSums, ratio: float) -> Profile:
    """Evaluate the restricted likelihood at a variance ratio."""
    products = weighted_products(sums, ratio)
    inverse = np.linalg.inv(products[:-1, :-1])
    beta = inverse @ products[:-1, -1]
    residual = float(products[-1, -1] - beta @ products[:-1, -1])
    free = sums.n_pupils - len(sums.names)
    sigma2 = max(residual, float(np.finfo(float).tiny)) / free
    _, log_det = np.linalg.slogdet(products[:-1, :-1])
    deviance = free * (np.log(2 * np.pi * sigma2) + 1) + float(np.log1p(ratio * sums.n).sum()) + log_det
    return Profile(ratio=ratio, deviance=float(deviance), beta=beta, inverse=inverse, residual=residual, sigma2=sigma2)


def best_profile(sums: SchoolSums) -> tuple[Profile, int]:
    """Maximise the restricted likelihood over the variance ratio.

    A grid finds the basin, since the profile of a small trial can have two, and Brent's method its bottom.

    Returns
    -------
    tuple
        The best profile and the number of evaluations. The ratio is exactly 0 when the likelihood falls from there.
    """
    # theta = sqrt(l) is the scale of lme4; even steps of its logarithm cover ICCs of schools from 1e-6 up.
    grid = np.concatenate([[0.0], np.geomspace(1e-3, _GREATEST_THETA, 24)])
    best = int(_deviances(sums, grid**2).argmin())
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda theta: profile(sums, theta**2).deviance, bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    at_optimum = profile(sums, _polished(sums, float(found.x)) ** 2)
    at_zero = profile(sums, 0.0)
    chosen = at_zero if at_zero.deviance <= at_optimum.deviance + 1e-10 else at_optimum
    return chosen, len(grid) + int(found.nfev) + 2


def _deviances(sums: SchoolSums, ratios: np.ndarray) -> np.ndarray:
    """Return the deviance at many ratios, the small matrices of all at once."""
    products = np.stack([weighted_products(sums, ratio) for ratio in ratios])
    moment = products[:, :-1, -1]
    beta = np.linalg.solve(products[:, :-1, :-1], moment[:, :, None])[:, :, 0]
    free = sums.n_pupils - len(sums.names)
    sigma2 = np.maximum(products[:, -1, -1] - (beta * moment).sum(axis=1), np.finfo(float).tiny) / free
    schools = np.log1p(ratios[:, None] * sums.n).sum(axis=1)
    return np.asarray(free * np.log(sigma2) + schools + np.linalg.slogdet(products[:, :-1, :-1])[1])


def _polished(sums: SchoolSums, theta: float) -> float:
    """Take Newton steps on the analytic derivatives, which see further than differences of the deviance."""
    from analysis.inference.satterthwaite import deviance_curvature

    for _ in range(4):
        slope, curvature = deviance_curvature(sums, profile(sums, theta**2))
        if curvature <= 0 or theta <= 0:
            break
        step = slope / curvature
        if abs(step) > 0.5 * theta:
            break
        theta -= step
    return theta


def fit_linear_mixed(frame: pd.DataFrame, model: Model, *, df_method: DfMethod = "satterthwaite_bounded") -> Fit:
    """Fit a linear model with a random school intercept by restricted maximum likelihood.

    Parameters
    ----------
    frame
        One row a pupil.
    model
        Which column plays which part.
    df_method
        "satterthwaite" as lmerTest computes it. "satterthwaite_bounded" (the default) never lets a coefficient of a
        school-level column have more degrees of freedom than schools less school-level columns: where the school
        variance is estimated at or near zero the plain method counts pupils, which a trial of few schools cannot back.

    Returns
    -------
    Fit
        With variances ``school`` and ``pupil`` in squared units of the outcome.

    References
    ----------
    Kuznetsova, Brockhoff and Christensen (2017), lmerTest, J. Statistical Software 82(13).
    """
    return linear_mixed_of(design_columns(frame, model), df_method=df_method)


def linear_mixed_of(columns: Columns, *, df_method: DfMethod = "satterthwaite_bounded") -> Fit:
    """Fit the model of columns that are already made; see `fit_linear_mixed`.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them.
    df_method
        "satterthwaite" or "satterthwaite_bounded".
    """
    if columns.reason:
        return failed_fit(
            columns.reason,
            method=METHOD,
            se_type="model",
            df_method=df_method,
            n_missing_outcome=columns.n_missing_outcome,
        )
    sums = school_sums(columns)
    found = maximum(sums)
    if found.best is None:
        return failed_fit(
            found.reason,
            method=METHOD,
            se_type="model",
            df_method=df_method,
            n_missing_outcome=columns.n_missing_outcome,
        )
    return _fit(
        sums,
        found.best,
        n_evaluations=found.n_evaluations,
        df_method=df_method,
        n_missing=(columns.n_missing_outcome, columns.n_missing_covariate),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """The greatest restricted likelihood, or why there is none.

    Parameters
    ----------
    best
        The profile there; None when there is none.
    n_evaluations
        How often the likelihood was evaluated.
    reason
        A sentence when there is none: too few pupils for the columns, nothing left to explain, or pupils of a school
        all alike.
    """

    best: Profile | None
    n_evaluations: int = 0
    reason: str = ""


def maximum(sums: SchoolSums) -> Maximum:
    """Maximise the restricted likelihood of a model's sums, as far as it has a maximum."""
    if sums.n_pupils <= len(sums.names) + 1:
        reason = f"{sums.n_pupils} pupils are too few for a model of {len(sums.names)} columns."
        return Maximum(best=None, reason=reason)
    if profile(sums, 0.0).sigma2 < _NO_ERROR:
        return Maximum(best=None, reason="The model explains the outcome without any error.")
    best, n_evaluations = best_profile(sums)
    if best.ratio > 0.99 * _GREATEST_THETA**2:
        reason = (
            "Pupils of a school have the same value of this outcome: it is one of schools and needs a row a school."
        )
        return Maximum(best=None, reason=reason)
    return Maximum(best=best, n_evaluations=n_evaluations)


def _fit(
    sums: SchoolSums, best: Profile, *, n_evaluations: int, df_method: DfMethod, n_missing: tuple[int, int]
) -> Fit:
    matrix, shift = sums.to_original()
    p = len(sums.names)
    unit = float(sums.scale[-1]) ** 2
    df = satterthwaite_df(sums, best, contrasts=matrix)
    most = _most_df(sums)
    if df_method == "satterthwaite_bounded":
        df = np.minimum(df, most)
    # As many school-level columns as schools: nothing is left to tell how schools differ, and so no error.
    df = np.where(most >= 1, df, np.nan)
    free = sums.n_pupils - p
    # The deviance of the original columns: scaling the outcome and the columns moves it by a constant.
    deviance = best.deviance + free * np.log(unit) + 2 * float(np.log(sums.scale[:p]).sum())
    return Fit(
        method=METHOD,
        se_type="model",
        df_method=df_method,
        coefficients=Coefficients(
            names=sums.names,
            estimate=matrix @ best.beta + shift,
            vcov=best.sigma2 * matrix @ best.inverse @ matrix.T,
            df=df,
        ),
        convergence=Convergence(
            status="boundary" if best.ratio == 0 else "converged",
            objective=float(deviance),
            n_evaluations=n_evaluations,
        ),
        n_pupils=sums.n_pupils,
        n_schools=len(sums.n),
        n_missing_outcome=n_missing[0],
        n_missing_covariate=n_missing[1],
        variances={"school": best.ratio * best.sigma2 * unit, "pupil": best.sigma2 * unit},
        dropped=sums.dropped,
    )


def school_level_columns(sums: SchoolSums) -> np.ndarray:
    """Return which columns are constant within every school, shape (p,), bool.

    A column is constant within schools when its sum of squares equals that of the schools' means.
    """
    between = (sums.by_school**2 / sums.n[:, None]).sum(axis=0)
    total = np.diag(sums.total)
    return np.asarray((total - between)[:-1] <= 1e-10 * total[:-1])


def _most_df(sums: SchoolSums) -> np.ndarray:
    at_school = school_level_columns(sums)
    return np.where(at_school, float(len(sums.n) - int(at_school.sum())), np.inf)


def icc_interval(sums: SchoolSums, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return a profile-likelihood interval of the intraclass correlation.

    Parameters
    ----------
    sums
        Of the model whose ICC is meant.
    conf_level
        Level, between 0 and 1.

    Returns
    -------
    tuple of float
        Limits between 0 and 1; the lower limit is 0 where the likelihood does not rule that out.
    """
    from scipy import stats

    best, _ = best_profile(sums)
    limit = best.deviance + float(stats.chi2.isf(1 - conf_level, 1))

    def excess(theta: float) -> float:
        return profile(sums, theta**2).deviance - limit

    start = float(np.sqrt(best.ratio))
    low = optimize.brentq(excess, 0.0, start) if start > 0 and excess(0.0) > 0 else 0.0
    far = max(2 * start, 0.1)
    while excess(far) < 0 and far < 1e4:
        far *= 2
    high = optimize.brentq(excess, start, far) if excess(far) > 0 else np.inf
    return tuple(_icc(float(theta)) for theta in (low, high))  # type: ignore[return-value]  # two in, two out


def _icc(theta: float) -> float:
    return 1.0 if np.isinf(theta) else theta**2 / (1 + theta**2)
