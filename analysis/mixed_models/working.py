"""What the questions put to a fit are answered from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.search import Optimum


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
