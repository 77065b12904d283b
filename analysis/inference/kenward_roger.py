"""Kenward and Roger's method for few groups, from the derivatives of the likelihood's sums.

With Phi = (X'V^(-1)X)^(-1) the published quantities P_i, Q_ij and the traces of n-by-n matrices are derivatives by the
variances: P_i = d(X'V^(-1)X), Q_ij + Q_ji = dd(X'V^(-1)X), and twice the expected information of the variances is
-dd(log|V| + log|X'V^(-1)X|). So Phi_A = Phi - sum_ij W_ij dd_ij Phi, with W twice the inverse of that information, and
no matrix larger than p-by-p is ever formed. The covariance being linear in its parameters, the term with second
derivatives of V is nought.

Sources: Kenward and Roger (1997), Biometrics 53, 983-997; Halekoh and Hojsgaard (2014), J. Statistical Software 59(9),
section 4, for the form and for F tests in doubtful cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from analysis.mixed_models.likelihood import LikelihoodSums


@dataclass(frozen=True, slots=True, kw_only=True)
class KenwardRoger:
    """What tests by Kenward and Roger's method need.

    Parameters
    ----------
    phi
        Shape (p, p), (X'V^(-1)X)^(-1).
    adjusted
        Shape (p, p), the variance of the coefficients that allows for the variances being estimates.
    slopes
        Shape (r, p, p), derivatives of ``phi`` by the variance parameters.
    spread
        Shape (r, r), variance of the estimated variance parameters.
    """

    phi: np.ndarray
    adjusted: np.ndarray
    slopes: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """A joint test.

    Parameters
    ----------
    statistic
        F, scaled.
    df_numerator, df_denominator
        Degrees of freedom.
    scaling
        What the unscaled statistic was multiplied by.
    """

    statistic: float
    df_numerator: int
    df_denominator: float
    scaling: float = 1.0


def build_f_test_frame(test: FTest, term: str, *, df_method: str) -> pd.DataFrame:
    """Return a joint test as a row: term, statistic, df_numerator, df_denominator, p_value, scaling, df_method."""
    import pandas as pd
    from scipy import stats

    row = {
        "term": term,
        "statistic": test.statistic,
        "df_numerator": test.df_numerator,
        "df_denominator": test.df_denominator,
        "p_value": float(stats.f.sf(test.statistic, test.df_numerator, test.df_denominator)),
        "scaling": test.scaling,
        "df_method": df_method,
    }
    return pd.DataFrame([row])


def compute_variance_spread(at: LikelihoodSums) -> np.ndarray:
    """Return the variance of the estimated variance parameters from their expected information, shape (r, r).

    Directions of which the data know nothing have none.
    """
    information = -(at.log_det_v[2] + at.log_det_x[2])
    size = np.sqrt(np.abs(np.diag(information)))
    size = np.where(size > 0, size, 1.0)
    roots, vectors = np.linalg.eigh(information / np.outer(size, size))
    known = np.abs(roots) > 1e-12 * np.abs(roots).max()
    inverse = (vectors * np.where(known, 1 / np.where(known, roots, 1.0), 0.0)) @ vectors.T
    return np.asarray(2 * inverse / np.outer(size, size))


def compute_kenward_roger(at: LikelihoodSums) -> KenwardRoger:
    """Adjust the variance of the coefficients of a model fitted by restricted maximum likelihood.

    Parameters
    ----------
    at
        The likelihood at the optimum, with derivatives by every variance and covariance.
    """
    phi = at.phi
    spread = compute_variance_spread(at)
    first = at.first[:, :-1, :-1]
    slopes = -phi @ first @ phi
    curvature = np.tensordot(spread, at.second[:, :, :-1, :-1], axes=2)
    pushed = first @ phi
    twice = np.einsum("ij,ipq,jqs->ps", spread, pushed, first)
    return KenwardRoger(phi=phi, adjusted=phi + phi @ (curvature - 2 * twice) @ phi, slopes=slopes, spread=spread)


def compute_contrast_df(variance: np.ndarray, slopes: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return degrees of freedom of single contrasts.

    Parameters
    ----------
    variance
        Shape (k,), of the contrasts, unadjusted.
    slopes
        Shape (k, r), their derivatives by the variance parameters.
    spread
        Shape (r, r), see `compute_variance_spread`.
    """
    noise = np.einsum("ki,ij,kj->k", slopes, spread, slopes)
    return np.asarray(2 * variance**2 / np.where(noise > 0, noise, np.nan))


def compute_kenward_roger_f_test(fitted: KenwardRoger, contrasts: np.ndarray, difference: np.ndarray) -> FTest:
    """Test contrasts of the coefficients jointly.

    Parameters
    ----------
    fitted
        The model.
    contrasts
        Shape (k, p), of full row rank.
    difference
        Shape (k,), the contrasts' estimates less their values under the null hypothesis.
    """
    q = len(contrasts)
    adjusted = contrasts @ fitted.adjusted @ contrasts.T
    unscaled = float(difference @ np.linalg.solve(adjusted, difference)) / q
    turned = contrasts.T @ np.linalg.solve(contrasts @ fitted.phi @ contrasts.T, contrasts)
    each = turned @ fitted.slopes
    traces = np.trace(each, axis1=1, axis2=2)
    a1 = float(traces @ fitted.spread @ traces)
    a2 = float(np.einsum("ij,ipq,jqp->", fitted.spread, each, each))
    df, scaling = _match_f_moments(a1, a2, q)
    return FTest(statistic=scaling * unscaled, df_numerator=q, df_denominator=df, scaling=scaling)


def _match_f_moments(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Return degrees of freedom and scale of the F distribution whose two moments match."""
    if a2 <= 0:
        return np.inf, 1.0
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    below = 3 * q + 2 * (1 - g)
    v0, v1, v2 = 1 + g / below * b, 1 - (q - g) / below * b, 1 - (q + 2 - g) / below * b
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    mean = 1 - a2 / q
    ratio = 1.0 if abs(mean) < 1e-14 and abs(v1) < 1e-14 else mean / v1
    rho = ratio**2 * v0 / v2 / q
    df = 4 + (q + 2) / (q * rho - 1)
    return float(df), 1.0 if abs(df - 2) < 1e-2 else float(df * mean / (df - 2))
