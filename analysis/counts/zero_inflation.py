"""Counts of which a share is zero whatever the rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.quadrature import Response


@dataclass(frozen=True, slots=True)
class ZeroInflated:
    """A count that is zero with a certain share, and follows another response otherwise.

    Parameters
    ----------
    base
        Poisson or negative binomial, with the exposure as an offset.
    share
        Share that is zero whatever the rate, above 0 and below 1.
    zero
        Shape (K,), true for patterns of zeros. A pattern's counts are all zero or all above it.

    References
    ----------
    Lambert (1992), Technometrics 34, 1-14.
    """

    base: Response
    share: float
    zero: np.ndarray

    def _compute_zero_likelihood(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-likelihood of one zero, and the chance that it is one of the base's."""
        none = self.base.value_and_slope(eta, events=np.array(0.0), count=np.array(1.0))[0]
        chance = (1 - self.share) * np.exp(none)
        return np.log(self.share + chance), chance / (self.share + chance)

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        value, slope = self.base.value_and_slope(eta, events=events, count=count)
        at_zero, base_share = self._compute_zero_likelihood(eta)
        return (
            np.where(self.zero, count * at_zero, value + count * np.log(1 - self.share)),
            np.where(self.zero, base_share * slope, slope),
        )

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        slope, weight, skew = self.base.slopes(eta, events=events, count=count)
        base_share = self._compute_zero_likelihood(eta)[1]
        rows = np.where(count > 0, count, 1.0)
        first, second, third = slope / rows, -weight / rows, -skew / rows
        other = base_share * (1 - base_share)
        mixed = base_share * second + other * first**2
        bend = base_share * third + 3 * other * first * second + other * (1 - 2 * base_share) * first**3
        return (
            np.where(self.zero, base_share * slope, slope),
            np.where(self.zero, -rows * mixed, weight),
            np.where(self.zero, -rows * bend, skew),
        )

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means, zeros included, and their derivatives."""
        mean, slope = self.base.mean(eta)
        return (1 - self.share) * mean, (1 - self.share) * slope

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the base's linear predictor of all rows together."""
        return self.base.start(events=events, count=count)
