"""The likelihood of a model with random intercepts of groups within groups, by nested adaptive quadrature.

Model: the linear predictor of pupil k of class i in school j is x'beta + s u_j + t v_i with u_j, v_i ~ N(0, 1). At each
node of u_j the classes are independent, and each is integrated by adaptive quadrature of its own at its own mode. The
nodes of u_j lie at the joint mode of (u_j, v_i ...), scaled by the curvature that is left of u_j when the classes
follow: with one node this is Laplace's approximation of the whole, as glmer has it.
Sources: Pinheiro and Chao (2006), J. Computational and Graphical Statistics 15, 58-81; Rabe-Hesketh, Skrondal and
Pickles (2005), J. Econometrics 128, 301-323.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from analysis.quadrature.likelihood import SchoolNodes, compute_node_scores
from analysis.quadrature.patterns import Patterns, sums_by_school

_MODE_STEPS = 100
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedPatterns:
    """Patterns of groups within groups.

    Parameters
    ----------
    data
        The patterns by inner group (``school`` says which).
    outer
        Shape (J,), position of each inner group's outer group, never decreasing.
    n_outer
        Number of outer groups.
    """

    data: Patterns
    outer: np.ndarray
    n_outer: int
    starts: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Find where outer groups start.

        Raises
        ------
        ValueError
            When inner groups are not sorted by outer group.
        """
        if (np.diff(self.outer) < 0).any():
            raise ValueError("Inner groups must be sorted by outer group.")
        object.__setattr__(self, "starts", np.searchsorted(self.outer, np.arange(self.n_outer)))

    def by_outer(self, values: np.ndarray) -> np.ndarray:
        """Sum values of inner groups by outer group: shape (J, ...) to (n_outer, ...)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))

    def moved(self, shift: np.ndarray) -> Patterns:
        """Return the patterns with a shift of each outer group's linear predictor."""
        added = shift[self.outer][self.data.school]
        return replace(self.data, offset=added if self.data.offset is None else self.data.offset + added)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMode:
    """The greatest joint density of outcomes and group effects.

    Parameters
    ----------
    u, v
        Shapes (n_outer,) and (J,), effects in standard deviations.
    left, curvature
        Curvature left of each u when its v follow, shape (n_outer,), and of each v, shape (J,).
    value
        The log-density, shape (n_outer,).
    """

    u: np.ndarray
    v: np.ndarray
    left: np.ndarray
    curvature: np.ndarray
    value: np.ndarray


def find_joint_mode(nested: NestedPatterns, fixed: np.ndarray, spread: tuple[float, float]) -> JointMode:
    """Find the mode of the group effects by Newton's steps, halved in the outer groups where they lead down.

    Parameters
    ----------
    nested
        The patterns.
    fixed
        Shape (K,), the part of the linear predictor that is no group's.
    spread
        Standard deviations of outer and inner groups.
    """
    data, (outer_sd, inner_sd) = nested.data, spread
    u, v = np.zeros(nested.n_outer), np.zeros(data.n_schools)

    def compute_linear_predictor(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.asarray(fixed + (outer_sd * u[nested.outer] + inner_sd * v)[data.school])

    def compute_joint_log_density(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        rows, _ = data.response.value_and_slope(compute_linear_predictor(u, v), events=data.events, count=data.count)
        return np.asarray(nested.by_outer(sums_by_school(data, rows) - v**2 / 2) - u**2 / 2)

    best = compute_joint_log_density(u, v)
    left, curvature = np.ones_like(u), np.ones_like(v)
    for _ in range(_MODE_STEPS):
        slope, weight, _ = data.response.slopes(compute_linear_predictor(u, v), events=data.events, count=data.count)
        slope, weight = sums_by_school(data, slope), np.maximum(sums_by_school(data, weight), 0.0)
        curvature = inner_sd**2 * weight + 1
        across = outer_sd * inner_sd * weight
        left = outer_sd**2 * nested.by_outer(weight / curvature) + 1
        by_v, by_u = inner_sd * slope - v, outer_sd * nested.by_outer(slope) - u
        step_u = (by_u - nested.by_outer(across * by_v / curvature)) / left
        step_v = (by_v - across * step_u[nested.outer]) / curvature
        if max(float(np.abs(step_u).max()), float(np.abs(step_v).max())) < _CLOSE:
            break
        factor = np.ones(nested.n_outer)
        for _ in range(30):
            moved = compute_joint_log_density(u + factor * step_u, v + factor[nested.outer] * step_v)
            worse = moved < best - 1e-10 * np.maximum(1.0, np.abs(best))
            if not worse.any():
                break
            factor = np.where(worse, factor / 2, factor)
        u, v, best = u + factor * step_u, v + factor[nested.outer] * step_v, moved
    return JointMode(u=u, v=v, left=left, curvature=curvature, value=best)


def compute_nested_likelihood(
    nested: NestedPatterns, parameters: np.ndarray, *, n_nodes: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood, its slopes and its information by (beta, outer_sd, inner_sd).

    Parameters
    ----------
    nested
        The patterns.
    parameters
        Shape (p + 2,); standard deviations count by their size.
    n_nodes
        Nodes for each outer group, and for each inner group at each of them. Slopes and information are those of the
        integral (Fisher's and Louis's identities at the nodes), which one node does not give.
    """
    p = nested.data.x.shape[1]
    beta, spread = parameters[:p], (abs(float(parameters[p])), abs(float(parameters[p + 1])))
    sign = np.append(np.ones(p), np.where(parameters[p:] < 0, -1.0, 1.0))
    mode = find_joint_mode(nested, nested.data.linear(beta), spread)
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    width = 1 / np.sqrt(mode.left)
    places = [mode.u + width * node for node in nodes]
    parts = [SchoolNodes.of(nested.moved(spread[0] * u), beta, spread[1], n_nodes=n_nodes) for u in places]
    joint = np.stack(
        [
            nested.by_outer(part.log_likelihood) - u**2 / 2 + node**2 / 2 + np.log(weight)
            for part, u, node, weight in zip(parts, places, nodes, weights, strict=True)
        ]
    )
    top = joint.max(axis=0)
    share = np.exp(joint - top)
    total = share.sum(axis=0)
    value = float((top + np.log(total) + np.log(width) - 0.5 * np.log(2 * np.pi)).sum())
    slope, information = _compute_louis_slopes(nested, parts, places, share / total)
    if nested.data.prior is not None:
        penalty, by_beta, bend = nested.data.prior.deviance(beta)
        value, slope[:p] = value - penalty / 2, slope[:p] - by_beta / 2
        information[:p, :p] += np.diag(bend)
    return value, sign * slope, sign[:, None] * information * sign


def _compute_louis_slopes(
    nested: NestedPatterns, parts: list[SchoolNodes], places: list[np.ndarray], share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and information: what is expected of the second derivatives less the scores' variance."""
    data = nested.data
    p = data.x.shape[1]
    information, mean = np.zeros((p + 2, p + 2)), np.zeros((nested.n_outer, p + 2))
    for part, u, outer_share in zip(parts, places, share, strict=True):
        scores = compute_node_scores(data, part)
        by_u = u[nested.outer] * part.slope_by_school
        scores = np.concatenate([scores[:p], by_u[None], scores[p:]])
        inner = outer_share[nested.outer]
        mean_scores = np.einsum("qj,aqj->ja", part.share, scores)
        weighted = (scores * (part.share * inner)).reshape(p + 2, -1)
        information -= weighted @ scores.reshape(p + 2, -1).T - (mean_scores * inner[:, None]).T @ mean_scores
        across = nested.by_outer(mean_scores)
        information -= (across * outer_share[:, None]).T @ across
        mean += outer_share[:, None] * across
        information += _compute_expected_curvature(nested, part, u, inner)
    return mean.sum(axis=0), information + mean.T @ mean


def _compute_expected_curvature(
    nested: NestedPatterns, part: SchoolNodes, u: np.ndarray, inner: np.ndarray
) -> np.ndarray:
    """Return minus the second derivatives by (beta, outer_sd, inner_sd), over the nodes of the inner groups."""
    data = nested.data
    p = data.x.shape[1]
    eta = part.fixed + part.school_sd * part.z[:, data.school]
    weight = data.response.slopes(eta, events=data.events, count=data.count)[1]
    weight = weight * (part.share * inner)[:, data.school]
    v, u_rows = part.z[:, data.school], u[nested.outer][data.school]
    w, wv = weight.sum(axis=0), np.einsum("qk,qk->k", weight, v)
    result = np.zeros((p + 2, p + 2))
    result[:p, :p] = data.x.T @ (w[:, None] * data.x)
    result[:p, p] = result[p, :p] = (w * u_rows) @ data.x
    result[:p, p + 1] = result[p + 1, :p] = wv @ data.x
    result[p, p] = float(w @ u_rows**2)
    result[p, p + 1] = result[p + 1, p] = float(wv @ u_rows)
    result[p + 1, p + 1] = float(np.einsum("qk,qk,qk->", weight, v, v))
    return result
