"""Binary outcomes whose share, or its logarithm, is linear: links that end at 0 and 1.

A normal school intercept reaches beyond any border. Beyond it the share stays at the border, which keeps the likelihood
a likelihood: concave in the linear predictor, and so steep where pupils contradict the border that no search stays
there. Where a fit puts a share of its schools beyond, the result says so (`share_beyond`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

# How near a share may come to 0 and 1: a pupil who contradicts the border costs 18 units of log-likelihood.
_NEAR = 1e-8
# Over how much a linear share bends before a border.
_BEND = 0.002
# Further beyond a border the likelihood goes on as it is here: its figures would be too small for numbers.
_FAR = 0.2


@dataclass(frozen=True, slots=True)
class LogShare:
    """A binary outcome with log(share) linear; coefficients are log risk ratios."""

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        inside, share, left = _log_share(eta)
        none, steep = count - events, _compute_steep_slope(share, left, count - events)
        value = events * inside + none * np.log(left)
        # Beyond the border the slope goes on, so that a step that led there leads back.
        return value - np.maximum(eta - inside, 0.0) * steep, np.where(eta > inside, 0.0, events) - steep

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        inside, share, left = _log_share(eta)
        none, steep = count - events, _compute_steep_slope(share, left, count - events)
        weight = none * share / left**2
        free = eta <= inside
        return (
            np.where(free, events, 0.0) - steep,
            np.where(free, weight, 0.0),
            np.where(free, weight * (1 + share) / left, 0.0),
        )

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares and their derivatives."""
        inside, share, _ = _log_share(eta)
        return share, np.where(eta <= inside, share, 0.0)

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the log share of all rows together."""
        return float(np.log((events.sum() + 0.5) / (count.sum() + 1.0)))


def _log_share(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the linear predictor kept inside, the share, and what is left of one."""
    inside = np.minimum(eta, np.log1p(-_NEAR))
    return inside, np.exp(inside), -np.expm1(inside)


def _compute_steep_slope(share: np.ndarray, left: np.ndarray, none: np.ndarray) -> np.ndarray:
    return np.asarray(none * share / left)


@dataclass(frozen=True, slots=True)
class LinearShare:
    """A binary outcome whose share itself is linear; coefficients are risk differences.

    The share bends over the last fifth of a percentage point before a border, so that the likelihood has derivatives
    there: a share of 2 % is linear to one part in ten thousand.
    """

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        share, left, steep, _, _ = _compute_share_derivatives(eta)
        none = count - events
        slope = steep * (events / share - none / left)
        return events * np.log(share) + none * np.log(left) + (eta - _keep_within_link_range(eta)) * slope, slope

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        share, left, steep, second, third = _compute_share_derivatives(eta)
        none = count - events
        by_share = events / share - none / left
        bend = -(events / share**2 + none / left**2)
        twist = 2 * (events / share**3 - none / left**3)
        weight = -(second * by_share + steep**2 * bend)
        skew = -(third * by_share + 3 * steep * second * bend + steep**3 * twist)
        free = eta == _keep_within_link_range(eta)
        return steep * by_share, np.where(free, weight, 0.0), np.where(free, skew, 0.0)

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares and their derivatives."""
        share, _, steep, _, _ = _compute_share_derivatives(eta)
        return share, steep

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return the share of all rows together."""
        return float((events.sum() + 0.5) / (count.sum() + 1.0))


def _keep_within_link_range(eta: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(eta, -_FAR, 1 + _FAR))


def _compute_share_derivatives(eta: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the share, what is left of one, and the share's first three derivatives."""
    inside = _keep_within_link_range(eta)
    low, high = inside / _BEND, (inside - 1) / _BEND
    share = _BEND * (np.logaddexp(0.0, low) - np.logaddexp(0.0, high))
    left = _BEND * (np.logaddexp(0.0, -high) - np.logaddexp(0.0, -low))
    up, down = special.expit(low), special.expit(high)
    # Near one the difference comes from the other tails.
    steep = np.where(inside > 0.5, special.expit(-high) - special.expit(-low), up - down)
    up_slope, down_slope = up * special.expit(-low), down * special.expit(-high)
    return (
        share,
        left,
        steep,
        (up_slope - down_slope) / _BEND,
        (up_slope * (1 - 2 * up) - down_slope * (1 - 2 * down)) / _BEND**2,
    )


def share_beyond(response: object, eta: np.ndarray, school_sd: float, *, count: np.ndarray) -> float:
    """Return the share of pupils and schools whose linear predictor lies beyond 0 or 1, in a normal distribution.

    Parameters
    ----------
    response
        Of the outcome; 0 for one without borders.
    eta
        Shape (K,), the linear predictor of the middle school.
    school_sd
        Of the schools.
    count
        Shape (K,), pupils.
    """
    spread = max(school_sd, 1e-12)
    if isinstance(response, LogShare):
        beyond = special.ndtr(eta / spread)
    elif isinstance(response, LinearShare):
        beyond = special.ndtr(-eta / spread) + special.ndtr((eta - 1) / spread)
    else:
        return 0.0
    return float(count @ beyond / count.sum())
