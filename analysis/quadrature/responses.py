"""How an outcome depends on its linear predictor: log-likelihoods of patterns and their derivatives.

A pattern is a number of rows (``count``) with the same linear predictor and the sum of their outcomes (``events``). The
log-likelihood of every response here is a function of the two alone, up to a constant that no coefficient moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Linear predictors beyond this are the same to double precision, and exp() of them still is a number.
_LARGEST = 35.0
_LEAST = 600.0


class Response(Protocol):
    """What the likelihood asks of an outcome's distribution.

    Shapes: ``eta`` is (..., K), ``events`` and ``count`` are (K,).
    """

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and their first derivatives by ``eta``."""
        ...

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, minus the second (the weight), and the weight's own derivative."""
        ...

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the outcome at a linear predictor, and its derivative."""
        ...

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the linear predictor of all rows together."""
        ...


def _compute_clipped_expit(eta: np.ndarray) -> np.ndarray:
    """Return expit(eta), which is 1 to double precision beyond the largest linear predictor."""
    odds = np.exp(np.minimum(eta, _LARGEST))
    return np.asarray(odds / (1.0 + odds))


def _compute_expit_and_log(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return expit(eta) and log(1 + exp(eta)) from one exponential."""
    inner = np.minimum(eta, _LARGEST)
    odds = np.exp(inner)
    denominator = 1.0 + odds
    return odds / denominator, np.log(denominator) + (eta - inner)


@dataclass(frozen=True, slots=True)
class Logit:
    """A binary outcome whose log odds are linear; also a share, of which it is the quasi-likelihood."""

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        chance, softplus = _compute_expit_and_log(eta)
        return events * eta - count * softplus, events - count * chance

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        chance = _compute_clipped_expit(eta)
        weight = count * chance * (1 - chance)
        return events - count * chance, weight, weight * (1 - 2 * chance)

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares and their derivatives."""
        chance = _compute_clipped_expit(eta)
        return chance, chance * (1 - chance)

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the log odds of all rows together."""
        share = _compute_inner_share(events, count)
        return float(np.log(share / (1 - share)))


@dataclass(frozen=True, slots=True)
class ComplementaryLogLog:
    """A binary outcome with log(-log(1 - share)) linear: a hazard in continuous time, seen term by term."""

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        rate = np.exp(np.clip(eta, -_LEAST, _LARGEST))
        ratio = _compute_rate_ratio(rate)
        none = count - events
        return events * np.log(-np.expm1(-rate)) - none * rate, events * ratio - none * rate

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        rate = np.exp(np.clip(eta, -_LEAST, _LARGEST))
        ratio = _compute_rate_ratio(rate)
        none = count - events
        bend = ratio * (1 - rate - ratio)
        third = bend * (1 - rate - ratio) + ratio * (-rate - bend)
        return events * ratio - none * rate, none * rate - events * bend, none * rate - events * third

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares and their derivatives."""
        rate = np.exp(np.clip(eta, -_LEAST, _LARGEST))
        return -np.expm1(-rate), rate * np.exp(-rate)

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the linear predictor of all rows together."""
        return float(np.log(-np.log1p(-_compute_inner_share(events, count))))


def _compute_rate_ratio(rate: np.ndarray) -> np.ndarray:
    """Return rate / (exp(rate) - 1), which is 1 at a rate of zero."""
    return np.asarray(rate / np.expm1(np.minimum(rate, 700.0)))


def _compute_inner_share(events: np.ndarray, count: np.ndarray) -> float:
    """Return the share of events, kept off 0 and 1 by half an event."""
    return float((events.sum() + 0.5) / (count.sum() + 1.0))


@dataclass(frozen=True, slots=True)
class Poisson:
    """A count with a log rate that is linear; ``count`` is the pattern's exposure."""

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        expected = count * np.exp(np.minimum(eta, _LARGEST))
        return events * eta - expected, events - expected

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        expected = count * np.exp(np.minimum(eta, _LARGEST))
        return events - expected, expected, expected

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rates and their derivatives, which are the same."""
        rate = np.exp(np.minimum(eta, _LARGEST))
        return rate, rate

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the log rate of all rows together."""
        return float(np.log((events.sum() + 0.5) / count.sum()))


@dataclass(frozen=True, slots=True)
class NegativeBinomial:
    """A count with variance mu + dispersion mu^2; patterns share their exposure, which is an offset.

    Parameters
    ----------
    dispersion
        Above 0.
    """

    dispersion: float

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        chance, softplus = _compute_expit_and_log(eta + np.log(self.dispersion))
        size = events + count / self.dispersion
        return events * eta - size * softplus, events - size * chance

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        chance = _compute_clipped_expit(eta + np.log(self.dispersion))
        size = events + count / self.dispersion
        weight = size * chance * (1 - chance)
        return events - size * chance, weight, weight * (1 - 2 * chance)

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and their derivatives, which are the same."""
        mean = np.exp(np.minimum(eta, _LARGEST))
        return mean, mean

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the log mean of all rows together."""
        return float(np.log((events.sum() + 0.5) / count.sum()))


LOGIT = Logit()
