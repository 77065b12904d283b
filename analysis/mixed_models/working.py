"""What the questions put to a fit are answered from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.inference import kenward_roger as kr
from analysis.mixed_models.jets import build_parameters
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.satterthwaite import compute_observed_spread
from analysis.mixed_models.search import Optimum, build_factor_map
from analysis.results import Coefficients

MixedDfMethod = Literal["kenward_roger", "satterthwaite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponent:
    """One variance or covariance of a fit.

    Parameters
    ----------
    group
        Name of the grouping; ``"residual"`` for rows.
    term, other
        Columns; ``other`` is empty for a variance.
    variance
        Variance or covariance, in squared units of the outcome (by units of the columns).
    sd
        Standard deviation, or correlation for a covariance.
    """

    group: str
    term: str
    other: str
    variance: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """What questions put to a fit are answered from; in the units of the scaled columns.

    Parameters
    ----------
    sums
        The data's sums.
    optimum
        The variances.
    at
        The likelihood there.
    slopes
        Shape (r, p, p), derivatives of the coefficients' variance by the variance parameters.
    spread
        Shape (r, r), variance of the estimated variance parameters.
    adjusted
        Shape (p, p), variance of the coefficients that tests use.
    reml
        Which likelihood.
    """

    sums: Moments
    optimum: Optimum
    at: LikelihoodSums
    slopes: np.ndarray
    spread: np.ndarray
    adjusted: np.ndarray
    reml: bool

    @property
    def to_original(self) -> np.ndarray:
        """Shape (p, p): scaled coefficients to those of the columns as they were."""
        return self.sums.basis.matrix * self.sums.basis.scale

    @property
    def estimate(self) -> np.ndarray:
        """Shape (p,), coefficients of the columns as they were."""
        return np.asarray(self.to_original @ self.at.beta + self.sums.basis.shift)

    @property
    def deviance(self) -> float:
        """Minus twice the log-likelihood (restricted where the fit is) of the columns as they were."""
        basis = self.sums.basis
        moved = self.optimum.deviance + 2 * self.at.free(reml=self.reml) * np.log(basis.scale)
        return float(moved - 2 * basis.log_det if self.reml else moved)


def build_working(sums: Moments, best: Optimum, at: LikelihoodSums, *, reml: bool, df_method: MixedDfMethod) -> Working:
    """Return what inference needs of a fit.

    Parameters
    ----------
    sums, best, at
        The data, the variances and the likelihood there.
    reml
        Which likelihood.
    df_method
        Whose errors and degrees of freedom.
    """
    if df_method == "kenward_roger":
        fitted = kr.compute_kenward_roger(at)
        slopes, spread, adjusted = fitted.slopes, fitted.spread, fitted.adjusted
    else:
        change = build_factor_map(build_parameters(sums), sums)
        spread = compute_observed_spread(at, change, best.theta, best.variances, reml=reml)
        slopes, adjusted = -at.phi @ at.first[:, :-1, :-1] @ at.phi, at.phi
    return Working(sums=sums, optimum=best, at=at, slopes=slopes, spread=spread, adjusted=adjusted, reml=reml)


def build_model_coefficients(working: Working) -> Coefficients:
    """Return the coefficients of the columns as they were with the model's errors and degrees of freedom."""
    matrix = working.to_original
    variance = np.einsum("kp,pq,kq->k", matrix, working.at.phi, matrix)
    slopes = np.einsum("kp,ipq,kq->ki", matrix, working.slopes, matrix)
    return Coefficients(
        names=working.sums.basis.names,
        estimate=working.estimate,
        vcov=matrix @ working.adjusted @ matrix.T,
        df=kr.compute_contrast_df(variance, slopes, working.spread),
    )
