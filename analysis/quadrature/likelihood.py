"""The likelihood of a model with a random school intercept, by adaptive Gauss-Hermite quadrature.

Model: the linear predictor of pupil i in school j is x_ij' beta + s z_j with z_j ~ N(0, 1). Pupils of a school with the
same covariates contribute the same factor, so the likelihood is made of distinct covariate patterns. Quadrature is
centred at each school's mode and scaled by its curvature; one node is Laplace's approximation. The gradient is that of
the approximation itself: the modes and curvatures move with the parameters. The information is that of the likelihood
which is approximated (Louis's identity at the nodes), so that it needs several nodes.
Sources: Pinheiro and Bates (1995), J. Computational and Graphical Statistics 4, 12-35; Bates et al. (2015), lme4; Louis
(1982), JRSS B 44, 226-233.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from analysis.quadrature.patterns import Patterns, sums_by_school
from analysis.quadrature.responses import LOGIT, Response

# A Newton step of this size leads to the mode itself, since the next would be its square.
_MODE_TOLERANCE = 1e-8
_MODE_STEPS = 200
# Where a likelihood is not concave (a share of zeros whatever the rate), a step must still lead uphill.
_LEAST_CURVATURE = 0.1
# Nodes for a mean over schools: few do where schools differ little.
_FEW_NODES = 15
_MANY_NODES = 40
_NARROW = 0.7


@lru_cache(maxsize=16)
def _compute_gauss_hermite(n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights for integrals over exp(-z^2 / 2)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return nodes, weights


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
    return _compute_value_and_slopes(data, SchoolNodes.of(data, beta, school_sd, n_nodes=n_nodes))


def deviance_gradient_information(
    data: Patterns, beta: np.ndarray, school_sd: float, *, n_nodes: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return also the observed information of (beta, school_sd), shape (p + 1, p + 1): half the deviance's curvature.

    Parameters
    ----------
    data, beta, school_sd
        See `deviance`.
    n_nodes
        Three or more; the information is as exact as the quadrature.
    """
    nodes = SchoolNodes.of(data, beta, school_sd, n_nodes=n_nodes)
    return (*_compute_value_and_slopes(data, nodes), _compute_louis_information(data, nodes))


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolNodes:
    """What every school's nodes give: arrays of shape (Q, J) by school and (Q, K) by pattern.

    Parameters
    ----------
    beta, school_sd
        Where; the standard deviation may be each school's own, shape (J,), as the copies of a bootstrap have it.
    fixed
        Shape (K,), the part of the linear predictor that is not the school's.
    mode, curvature
        Shape (J,), of each school's z.
    nodes, z
        Shapes (Q,) and (Q, J): standard nodes, and where they lie.
    share
        Shape (Q, J), each node's part of its school's likelihood.
    slope, slope_by_school
        First derivatives by the linear predictor, and their sums.
    log_likelihood
        Shape (J,).
    """

    beta: np.ndarray
    school_sd: float | np.ndarray
    fixed: np.ndarray
    mode: np.ndarray
    curvature: np.ndarray
    nodes: np.ndarray
    z: np.ndarray
    share: np.ndarray
    slope: np.ndarray
    slope_by_school: np.ndarray
    log_likelihood: np.ndarray

    @classmethod
    def of(cls, data: Patterns, beta: np.ndarray, school_sd: float | np.ndarray, *, n_nodes: int) -> SchoolNodes:
        """Place the nodes and evaluate the likelihood at them."""
        fixed = data.linear(beta)
        mode, curvature = school_modes(data, fixed, school_sd)
        nodes, weights = _compute_gauss_hermite(n_nodes)
        spread = 1 / np.sqrt(curvature)
        z = mode + spread * nodes[:, None]
        eta = fixed + (school_sd * z)[:, data.school]
        value, slope = data.response.value_and_slope(eta, events=data.events, count=data.count)
        joint = np.add.reduceat(value, data.starts, axis=1) - z**2 / 2
        terms = joint + (nodes**2 / 2 + np.log(weights))[:, None]
        top = terms.max(axis=0)
        share = np.exp(terms - top)
        total = share.sum(axis=0)
        return cls(
            beta=beta,
            school_sd=school_sd,
            fixed=fixed,
            mode=mode,
            curvature=curvature,
            nodes=nodes,
            z=z,
            share=share / total,
            slope=slope,
            slope_by_school=np.add.reduceat(slope, data.starts, axis=1),
            log_likelihood=top + np.log(total) + np.log(spread) - 0.5 * np.log(2 * np.pi),
        )


def _compute_value_and_slopes(data: Patterns, at: SchoolNodes) -> tuple[float, np.ndarray]:
    slope = _compute_mode_slopes(data, at.school_sd, fixed=at.fixed, mode=at.mode, curvature=at.curvature)
    by_z = at.share * (at.school_sd * at.slope_by_school - at.z)
    weight = data.school_weight
    mean_slope = np.einsum("qk,qk->k", at.share[:, data.school], at.slope)
    by_sd = np.einsum("qj,qj,qj->j", at.share, at.z, at.slope_by_school)
    along_mode, along_spread = by_z.sum(axis=0), at.nodes @ by_z + np.sqrt(at.curvature)
    if weight is not None:
        mean_slope = mean_slope * weight[data.school]
        by_sd, along_mode, along_spread = by_sd * weight, along_mode * weight, along_spread * weight
    gradient = np.append(mean_slope @ data.x, by_sd.sum()) + along_mode @ slope.mode + along_spread @ slope.spread
    value, gradient = -2 * data.weighted_sum(at.log_likelihood), -2 * gradient
    if data.prior is not None:
        penalty, by_beta, _ = data.prior.deviance(at.beta)
        value, gradient = value + penalty, gradient + np.append(by_beta, 0.0)
    return value, gradient


def _compute_louis_information(data: Patterns, at: SchoolNodes) -> np.ndarray:
    """Return the mean of minus the second derivatives less the variance of the first, over the nodes of each school."""
    p = data.x.shape[1]
    count = np.ones(data.n_schools) if data.school_weight is None else data.school_weight
    eta = at.fixed + at.school_sd * at.z[:, data.school]
    weight = data.response.slopes(eta, events=data.events, count=data.count)[1]
    weight = weight * (at.share * count)[:, data.school]
    w, z = weight.sum(axis=0), at.z[:, data.school]
    wz, wzz = np.einsum("qk,qk->k", weight, z), float(np.einsum("qk,qk,qk->", weight, z, z))
    result = np.empty((p + 1, p + 1))
    result[:p, :p] = data.x.T @ (w[:, None] * data.x)
    result[:p, p] = result[p, :p] = wz @ data.x
    result[p, p] = wzz
    scores = compute_node_scores(data, at)
    mean = np.einsum("qj,aqj->ja", at.share, scores)
    weighted = (scores * (at.share * count)).reshape(p + 1, -1)
    result -= weighted @ scores.reshape(p + 1, -1).T - (mean * count[:, None]).T @ mean
    if data.prior is not None:
        result[:p, :p] += np.diag(data.prior.deviance(at.beta)[2])
    return result


def compute_node_scores(data: Patterns, at: SchoolNodes) -> np.ndarray:
    """Return first derivatives by (beta, school_sd) at every node, shape (p + 1, Q, J).

    Parameters
    ----------
    data, at
        The patterns and their nodes.
    """
    first = data.x[data.starts]
    constant = (data.x == first[data.school]).all(axis=0)
    rows = []
    for place in range(data.x.shape[1]):
        if constant[place]:
            rows.append(first[:, place] * at.slope_by_school)
        else:
            rows.append(np.add.reduceat(at.slope * data.x[:, place], data.starts, axis=1))
    return np.stack([*rows, at.z * at.slope_by_school])


def information(data: Patterns, beta: np.ndarray, school_sd: float) -> np.ndarray:
    """Return the information of the coefficients, X'(W - W Z (Z'WZ + I / s^2)^(-1) Z'W) X at the schools' modes."""
    fixed = data.linear(beta)
    mode, curvature = school_modes(data, fixed, school_sd)
    eta = fixed + school_sd * mode[data.school]
    weight = data.response.slopes(eta, events=data.events, count=data.count)[1]
    count = np.ones(data.n_schools) if data.school_weight is None else data.school_weight
    weighted = weight[:, None] * data.x
    by_school = sums_by_school(data, weighted)
    result = (weighted * count[data.school][:, None]).T @ data.x
    result = result - (by_school * (count * school_sd**2 / curvature)[:, None]).T @ by_school
    if data.prior is not None:
        result = result + np.diag(data.prior.deviance(beta)[2])
    return np.asarray(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slopes:
    """Derivatives of each school's mode and spread by (beta, school_sd), shape (J, p + 1)."""

    mode: np.ndarray
    spread: np.ndarray


def _compute_mode_slopes(
    data: Patterns, school_sd: float | np.ndarray, *, fixed: np.ndarray, mode: np.ndarray, curvature: np.ndarray
) -> _Slopes:
    """Differentiate s (sum of slopes) - z = 0, which the mode solves, and the curvature there."""
    eta, by_row = fixed + (school_sd * mode)[data.school], np.reshape(school_sd, (-1, 1))
    left, weight, skew = data.response.slopes(eta, events=data.events, count=data.count)
    by_x = sums_by_school(data, weight[:, None] * data.x)
    by_weight, by_skew = sums_by_school(data, weight), sums_by_school(data, skew)
    mode_slope = np.column_stack([-by_row * by_x, sums_by_school(data, left) - school_sd * mode * by_weight])
    mode_slope = mode_slope / curvature[:, None]
    skew_x = sums_by_school(data, skew[:, None] * data.x)
    curvature_slope = by_row**2 * np.column_stack([skew_x, mode * by_skew])
    curvature_slope = curvature_slope + by_row**3 * by_skew[:, None] * mode_slope
    curvature_slope[:, -1] += 2 * school_sd * by_weight
    return _Slopes(mode=mode_slope, spread=-0.5 * curvature_slope / curvature[:, None] ** 1.5)


def school_modes(data: Patterns, fixed: np.ndarray, school_sd: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each school's mode of z and the curvature there.

    The mode solves z = s (sum of slopes at z). The right side falls with z, so the mode lies between any z and z plus
    what is left there. Newton steps that leave this bracket, which shrinks every step, or that do not halve the step
    before are replaced by the bracket's middle: where a school has many pupils and schools differ much they would go in
    circles.

    Parameters
    ----------
    data
        The patterns.
    fixed
        Shape (K,), the part of the linear predictor that is not the school's.
    school_sd
        0 or more, of all schools or each school's own, shape (J,).
    """
    z = np.zeros(data.n_schools)
    low, high, last = np.full_like(z, -np.inf), np.full_like(z, np.inf), np.full_like(z, np.inf)
    for _ in range(_MODE_STEPS):
        eta = fixed + (school_sd * z)[data.school]
        slope, weight, _ = data.response.slopes(eta, events=data.events, count=data.count)
        left = school_sd * sums_by_school(data, slope) - z
        low = np.maximum(low, np.minimum(z, z + left))
        high = np.minimum(high, np.maximum(z, z + left))
        curvature = np.maximum(school_sd**2 * sums_by_school(data, weight) + 1, _LEAST_CURVATURE)
        step = left / curvature
        close = np.abs(step) <= _MODE_TOLERANCE * np.maximum(1.0, np.abs(z))
        if close.all():
            z = z + step
            break
        astray = (z + step < low) | (z + step > high) | (np.abs(step) > 0.5 * last)
        step = np.where(astray & ~close & np.isfinite(last), (low + high) / 2 - z, step)
        z, last = z + step, np.abs(step)
    return z, np.asarray(curvature)


def average_mean(
    fixed: np.ndarray,
    school_sd: float,
    *,
    x: np.ndarray,
    count: np.ndarray,
    response: Response = LOGIT,
    n_nodes: int | None = None,
) -> tuple[float, np.ndarray]:
    """Return the mean outcome over pupils and schools, and its derivatives by (beta, school_sd).

    Parameters
    ----------
    fixed
        Shape (K,), x' beta.
    school_sd
        Standard deviation of the school intercept, over which the mean is averaged.
    x, count
        Shapes (K, p) and (K,), patterns and how many pupils have them.
    response
        The outcome's distribution.
    n_nodes
        Nodes of the (plain) quadrature over the school intercept; None for as many as make it exact to 1e-10 (for a
        standard deviation up to 1.5).
    """
    nodes, weights = _compute_gauss_hermite(n_nodes or (_FEW_NODES if school_sd < _NARROW else _MANY_NODES))
    weights = weights / weights.sum()
    share = count / count.sum()
    average, by_eta, by_sd = np.zeros(len(fixed)), np.zeros(len(fixed)), np.zeros(len(fixed))
    for node, weight in zip(nodes, weights, strict=True):
        mean, slope = response.mean(fixed + school_sd * node)
        average += weight * mean
        by_eta += weight * slope
        by_sd += (weight * node) * slope
    return float((share * average).sum()), np.append((share * by_eta) @ x, (share * by_sd).sum())


def average_share(
    fixed: np.ndarray, school_sd: float, *, x: np.ndarray, count: np.ndarray, n_nodes: int | None = None
) -> tuple[float, np.ndarray]:
    """Return the share of events over pupils and schools, and its derivatives by (beta, school_sd).

    Parameters
    ----------
    fixed, school_sd, x, count, n_nodes
        See `average_mean`; the log odds are linear.
    """
    return average_mean(fixed, school_sd, x=x, count=count, n_nodes=n_nodes)
