"""The likelihood of a logistic model with a random school intercept, by adaptive Gauss-Hermite quadrature.

Model: logit P(y_ij = 1) = x_ij' beta + s z_j with z_j ~ N(0, 1). Pupils of a school with the same covariates contribute
the same factor, so the likelihood is made of distinct covariate patterns (a count and a number of events each).
Quadrature is centred at each school's mode and scaled by its curvature; one node is Laplace's approximation. The
gradient is that of the approximation itself: the modes and curvatures move with the parameters.
Sources: Pinheiro and Bates (1995), J. Computational and Graphical Statistics 4, 12-35; Bates et al. (2015), lme4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

_MODE_TOLERANCE = 1e-12
_MODE_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Distinct covariate patterns by school.

    Parameters
    ----------
    x
        Shape (K, p).
    school
        Shape (K,), position of the pattern's school.
    count, events
        Shape (K,), pupils of the pattern and how many had the event.
    n_schools
        J.
    """

    x: np.ndarray
    school: np.ndarray
    count: np.ndarray
    events: np.ndarray
    n_schools: int


def patterns(x: np.ndarray, y: np.ndarray, school: np.ndarray, *, n_schools: int) -> Patterns:
    """Compress pupils to distinct covariate patterns by school.

    Parameters
    ----------
    x
        Shape (N, p).
    y
        Shape (N,), 0 or 1.
    school
        Shape (N,), positions from 0 to ``n_schools`` - 1.
    n_schools
        J.
    """
    distinct, place = np.unique(np.column_stack([school.astype(float), x]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    return Patterns(
        x=distinct[:, 1:],
        school=distinct[:, 0].astype(int),
        count=np.bincount(place).astype(float),
        events=np.bincount(place, weights=y),
        n_schools=n_schools,
    )


def deviance(data: Patterns, beta: np.ndarray, school_sd: float, *, n_nodes: int) -> float:
    """Return minus twice the marginal log-likelihood.

    Parameters
    ----------
    data
        The patterns.
    beta
        Shape (p,).
    school_sd
        Standard deviation of the school intercept, 0 or more.
    n_nodes
        Nodes of the quadrature a school; 1 is Laplace's approximation.
    """
    return deviance_and_gradient(data, beta, school_sd, n_nodes=n_nodes)[0]


def deviance_and_gradient(
    data: Patterns, beta: np.ndarray, school_sd: float, *, n_nodes: int
) -> tuple[float, np.ndarray]:
    """Return minus twice the marginal log-likelihood and its derivatives by (beta, school_sd), shape (p + 1,)."""
    fixed = data.x @ beta
    mode, curvature = school_modes(data, fixed, school_sd)
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    spread = 1 / np.sqrt(curvature)
    z = mode[:, None] + spread[:, None] * nodes
    eta = fixed[:, None] + school_sd * z[data.school]
    joint = sums_by_school(data, data.events[:, None] * eta - data.count[:, None] * np.logaddexp(0.0, eta)) - z**2 / 2
    terms = joint + nodes**2 / 2 + np.log(weights)
    total = special.logsumexp(terms, axis=1)
    log_likelihood = total + np.log(spread) - 0.5 * np.log(2 * np.pi)
    share = np.exp(terms - total[:, None])
    slope = _slopes(data, school_sd, fixed=fixed, mode=mode, curvature=curvature)
    left = data.events[:, None] - data.count[:, None] * special.expit(eta)
    by_school = sums_by_school(data, left)
    by_z = share * (school_sd * by_school - z)
    gradient = data.x.T @ (share[data.school] * left).sum(axis=1)
    gradient = np.append(gradient, float((share * z * by_school).sum()))
    gradient = gradient + by_z.sum(axis=1) @ slope.mode + (by_z @ nodes) @ slope.spread
    gradient = gradient + (1 / spread) @ slope.spread
    return -2 * float(log_likelihood.sum()), -2 * gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slopes:
    """Derivatives of each school's mode and spread by (beta, school_sd), shape (J, p + 1)."""

    mode: np.ndarray
    spread: np.ndarray


def _slopes(data: Patterns, school_sd: float, *, fixed: np.ndarray, mode: np.ndarray, curvature: np.ndarray) -> _Slopes:
    """Differentiate s (events - expected) - z = 0, which the mode solves, and the curvature there."""
    z = mode[data.school]
    chance = special.expit(fixed + school_sd * z)
    left = data.events - data.count * chance
    weight = data.count * chance * (1 - chance)
    skew = weight * (1 - 2 * chance)
    by_x = sums_by_school(data, weight[:, None] * data.x)
    by_weight, by_skew = sums_by_school(data, weight), sums_by_school(data, skew)
    mode_slope = np.column_stack([-school_sd * by_x, sums_by_school(data, left) - school_sd * mode * by_weight])
    mode_slope = mode_slope / curvature[:, None]
    skew_x = sums_by_school(data, skew[:, None] * data.x)
    curvature_slope = school_sd**2 * np.column_stack([skew_x, mode * by_skew])
    curvature_slope = curvature_slope + school_sd**3 * by_skew[:, None] * mode_slope
    curvature_slope[:, -1] += 2 * school_sd * by_weight
    return _Slopes(mode=mode_slope, spread=-0.5 * curvature_slope / curvature[:, None] ** 1.5)


def sums_by_school(data: Patterns, values: np.ndarray) -> np.ndarray:
    """Sum values of patterns by school: shape (K,) to (J,), or (K, q) to (J, q)."""
    if values.ndim == 1:
        return np.bincount(data.school, weights=values, minlength=data.n_schools)
    columns = [np.bincount(data.school, weights=column, minlength=data.n_schools) for column in values.T]
    return np.column_stack(columns)


def school_modes(data: Patterns, fixed: np.ndarray, school_sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each school's mode of z and the curvature there.

    The mode solves z = s (events - expected events), so it lies between -s times those without and s times those with
    the event. Newton steps that leave this bracket, which shrinks every step, or that do not halve the step before are
    replaced by the bracket's middle: where a school has many pupils and schools differ much they would go in circles.

    Parameters
    ----------
    data
        The patterns.
    fixed
        Shape (K,), the part of the log odds that is not the school's.
    school_sd
        0 or more.
    """
    high = school_sd * sums_by_school(data, data.events)
    low = school_sd * sums_by_school(data, data.events - data.count)
    z, last = np.zeros(data.n_schools), high - low
    for _ in range(_MODE_STEPS):
        chance = special.expit(fixed + school_sd * z[data.school])
        slope = school_sd * sums_by_school(data, data.events - data.count * chance) - z
        low, high = np.where(slope > 0, z, low), np.where(slope > 0, high, z)
        step = slope / (school_sd**2 * sums_by_school(data, data.count * chance * (1 - chance)) + 1)
        close = np.abs(step) <= _MODE_TOLERANCE * np.maximum(1.0, np.abs(z))
        astray = (z + step < low) | (z + step > high) | (np.abs(step) > 0.5 * last)
        step = np.where(astray & ~close, (low + high) / 2 - z, step)
        z, last = z + step, np.abs(step)
        if close.all():
            break
    chance = special.expit(fixed + school_sd * z[data.school])
    return z, school_sd**2 * sums_by_school(data, data.count * chance * (1 - chance)) + 1


def average_share(
    fixed: np.ndarray, school_sd: float, *, x: np.ndarray, count: np.ndarray, n_nodes: int = 40
) -> tuple[float, np.ndarray]:
    """Return the share of events over pupils and schools, and its derivatives by (beta, school_sd).

    Parameters
    ----------
    fixed
        Shape (K,), x' beta.
    school_sd
        Standard deviation of the school intercept, over which the share is averaged.
    x, count
        Shapes (K, p) and (K,), patterns and how many pupils have them.
    n_nodes
        Nodes of the (plain) quadrature over the school intercept.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    weights = weights / weights.sum()
    chance = special.expit(fixed[:, None] + school_sd * nodes)
    share = count / count.sum()
    steep = chance * (1 - chance) * weights
    gradient = np.append((share * steep.sum(axis=1)) @ x, float(share @ (steep @ nodes)))
    return float(share @ (chance @ weights)), gradient
