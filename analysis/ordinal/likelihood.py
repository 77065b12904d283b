"""The cumulative logit with a random school intercept: likelihood, slopes and information by adaptive quadrature.

P(Y <= k) = F(threshold_k - eta) with F logistic. The derivatives of log(F(u) - F(l)) by the two ends are f(u) / D and
-f(l) / D with D the difference; along eta they simplify to F(u) + F(l) - 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.quadrature import Patterns, school_modes

_LARGEST = 35.0


def _compute_logistic_share(eta: np.ndarray) -> np.ndarray:
    odds = np.exp(np.clip(eta, -700.0, _LARGEST))
    return np.asarray(odds / (1.0 + odds))


@dataclass(frozen=True, slots=True)
class Cumulative:
    """A category between two thresholds, each pattern its own; infinite at the ends of the scale.

    Parameters
    ----------
    lower, upper
        Shape (K,).
    """

    lower: np.ndarray
    upper: np.ndarray

    def ends(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return F at the upper and lower end, and the chance of the category between them."""
        high, low = _compute_logistic_share(self.upper - eta), _compute_logistic_share(self.lower - eta)
        # Far to the right both ends are near one: the difference comes from the other tails.
        other = _compute_logistic_share(eta - self.lower) - _compute_logistic_share(eta - self.upper)
        return high, low, np.maximum(np.where(low > 0.5, other, high - low), 1e-300)

    def value_and_slope(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log-likelihoods and first derivatives."""
        high, low, chance = self.ends(eta)
        return count * np.log(chance) + 0 * events, count * (high + low - 1)

    def slopes(
        self, eta: np.ndarray, *, events: np.ndarray, count: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the first derivative, the weight and its derivative."""
        high, low, _ = self.ends(eta)
        steep_high, steep_low = high * (1 - high), low * (1 - low)
        skew = -steep_high * (1 - 2 * high) - steep_low * (1 - 2 * low)
        return count * (high + low - 1) + 0 * events, count * (steep_high + steep_low), count * skew

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the chance of the category and its derivative."""
        high, low, chance = self.ends(eta)
        return chance, chance * (high + low - 1)

    def start(self, *, events: np.ndarray, count: np.ndarray) -> float:
        """Return zero: thresholds say where the scale lies."""
        return 0.0 * float(events.sum() + count.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """Patterns of covariates and category.

    Parameters
    ----------
    data
        ``count`` says how many pupils; the first column of ``x`` is not the intercept.
    category
        Shape (K,), from 0 to C - 1.
    n_categories
        C.
    """

    data: Patterns
    category: np.ndarray
    n_categories: int

    def response(self, thresholds: np.ndarray) -> Cumulative:
        """Return the response at thresholds, shape (C - 1,)."""
        ends = np.concatenate([[-np.inf], thresholds, [np.inf]])
        return Cumulative(ends[self.category], ends[self.category + 1])


def compute_ordinal_likelihood(
    categories: Categories, parameters: np.ndarray, *, n_nodes: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood, its slopes and information by (thresholds, coefficients, school_sd).

    Parameters
    ----------
    categories
        The patterns.
    parameters
        Shape (C - 1 + p + 1,).
    n_nodes
        Five or more: slopes are those of the integral, by Fisher's identity, not of its approximation.
    """
    data, c = categories.data, categories.n_categories - 1
    thresholds, beta, sd = parameters[:c], parameters[c:-1], float(parameters[-1])
    response = categories.response(thresholds)
    data = replace(data, response=response)
    fixed = data.linear(beta)
    mode, curvature = school_modes(data, fixed, sd)
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    z = mode + nodes[:, None] / np.sqrt(curvature)
    eta = fixed + sd * z[:, data.school]
    value, slope = response.value_and_slope(eta, events=data.events, count=data.count)
    joint = np.add.reduceat(value, data.starts, axis=1) - z**2 / 2 + (nodes**2 / 2 + np.log(weights))[:, None]
    top = joint.max(axis=0)
    share = np.exp(joint - top)
    total = share.sum(axis=0)
    share /= total
    log_likelihood = float((top + np.log(total) - 0.5 * np.log(curvature) - 0.5 * np.log(2 * np.pi)).sum())
    scores, information = _compute_louis_information(categories, data, response, eta=eta, z=z, slope=slope, share=share)
    return log_likelihood, scores, information


def _compute_louis_information(
    categories: Categories,
    data: Patterns,
    response: Cumulative,
    *,
    eta: np.ndarray,
    z: np.ndarray,
    slope: np.ndarray,
    share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and information: what is expected of the second derivatives, less the scores' variance."""
    c = categories.n_categories - 1
    high, low, chance = response.ends(eta)
    up, down = high * (1 - high) / chance, -low * (1 - low) / chance
    upper = (categories.category[:, None] == np.arange(c)).astype(float)
    lower = (categories.category[:, None] - 1 == np.arange(c)).astype(float)
    z_rows = z[:, data.school]
    parts = [data.count * (up * upper[:, m] + down * lower[:, m]) for m in range(c)]
    parts += [slope * column for column in data.x.T]
    parts.append(slope * z_rows)
    scores = np.stack([np.add.reduceat(part, data.starts, axis=1) for part in parts])
    mean = np.einsum("qj,aqj->ja", share, scores)
    size = len(scores)
    spread = (scores * share).reshape(size, -1) @ scores.reshape(size, -1).T - mean.T @ mean
    # Second derivatives by the two ends; eta is taken off both.
    second = (up * (1 - 2 * high) - up**2, down * (1 - 2 * low) - down**2, -up * down)
    weight = data.count * share[:, data.school]
    zero = np.zeros((len(data.x), 1))
    threshold_columns = np.hstack([upper, -data.x, zero]), np.hstack([lower, -data.x, zero])
    along = np.hstack([np.zeros((len(data.x), size - 1)), np.ones((len(data.x), 1))])
    expected = np.zeros((size, size))
    for part, first_columns, other in (
        (second[0], threshold_columns[0], threshold_columns[0]),
        (second[1], threshold_columns[1], threshold_columns[1]),
        (second[2], threshold_columns[0], threshold_columns[1]),
    ):
        term = _sum_weighted_products(weight * part, z_rows, first_columns, other, along)
        expected += term if first_columns is other else term + term.T
    return mean.sum(axis=0), -expected - spread


def _sum_weighted_products(
    weight: np.ndarray, z: np.ndarray, one: np.ndarray, other: np.ndarray, along: np.ndarray
) -> np.ndarray:
    """Return the sum over nodes and patterns of weight (one - z along) (other - z along)'."""
    w0, w1, w2 = weight.sum(axis=0), (weight * z).sum(axis=0), (weight * z**2).sum(axis=0)
    mixed = one.T @ (w1[:, None] * along) + along.T @ (w1[:, None] * other)
    return np.asarray(one.T @ (w0[:, None] * other) - mixed + along.T @ (w2[:, None] * along))
