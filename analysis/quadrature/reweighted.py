"""Maxima of one likelihood under many weightings of its schools, climbed together: the draws of a bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.quadrature.likelihood import SchoolNodes, compute_node_scores
from analysis.quadrature.patterns import Patterns

_STEPS = 40
_LONGEST = 3.0
# A step that gains this little of the deviance ends where it leads; the mean score at five nodes and the slope of the
# likelihood that they approximate are as near to one another.
_LAST = 1e-6
# Where a coefficient runs off to infinity the curvature fades, and so does what a step gains.
_CURVED = 1e-6
# As many values at once as stay near the processor.
_TOGETHER = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Maxima:
    """Where each weighting's likelihood is greatest.

    Parameters
    ----------
    parameters
        Shape (B, p + 1), coefficients and the school's standard deviation.
    found
        Shape (B,), whether the climb ended at a maximum; where not, they are where it stopped.
    """

    parameters: np.ndarray
    found: np.ndarray


def reweighted_maxima(data: Patterns, weights: np.ndarray, *, start: np.ndarray, n_nodes: int) -> Maxima:
    """Return the maximum of the likelihood for each weighting of the schools.

    Newton's steps with the mean score and the observed information at each school's nodes (Louis's identities), for all
    weightings at a time: a step costs little more than one weighting's, as long as schools and patterns are few.

    Parameters
    ----------
    data
        The patterns; a prior and school weights of their own are not looked at.
    weights
        Shape (B, J), how often each school counts.
    start
        Shape (p + 1,), where every climb begins; its standard deviation above 0.
    n_nodes
        Nodes of the quadrature, three or more.
    """
    parameters = np.tile(start, (len(weights), 1))
    has_maximum = np.zeros(len(weights), dtype=bool)
    size = max(1, _TOGETHER // (n_nodes * len(data.count)))
    for first in range(0, len(weights), size):
        part = slice(first, first + size)
        parameters[part], has_maximum[part] = _find_reweighted_maxima(
            data, weights[part], parameters[part], n_nodes=n_nodes
        )
    return Maxima(parameters=parameters, found=has_maximum)


def _find_reweighted_maxima(
    data: Patterns, weights: np.ndarray, start: np.ndarray, *, n_nodes: int
) -> tuple[np.ndarray, np.ndarray]:
    parameters, step = start.copy(), np.zeros_like(start)
    value, has_maximum = np.full(len(start), np.inf), np.zeros(len(start), dtype=bool)
    active = np.arange(len(start))
    for _ in range(_STEPS):
        moved = parameters[active] + step[active]
        moved[:, -1] = np.abs(moved[:, -1])
        new, gradient, information = _compute_deviances(data, weights[active], moved, n_nodes=n_nodes)
        lower = new <= value[active] + _LAST
        better = active[lower]
        parameters[better], value[better] = moved[lower], new[lower]
        step[active[~lower]] /= 3
        step[better], gain, curved = _compute_downward_steps(gradient[lower], information[lower])
        last = better[gain < _LAST]
        parameters[last] += step[last]
        has_maximum[last] = curved[gain < _LAST]
        active = np.setdiff1d(active, last, assume_unique=True)
        if not len(active):
            break
    parameters[:, -1] = np.abs(parameters[:, -1])
    return parameters, has_maximum


def _compute_downward_steps(gradient: np.ndarray, information: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return steps that lead down whatever the curvature, what they gain, and whether it is that of a maximum."""
    values, vectors = np.linalg.eigh(information)
    largest = np.abs(values).max(axis=1)
    floor = np.maximum(1e-10 * largest, 1e-12)
    along = np.einsum("bij,bi->bj", vectors, gradient) / np.maximum(np.abs(values), floor[:, None])
    step = -0.5 * np.einsum("bij,bj->bi", vectors, along)
    gain = -np.einsum("bi,bi->b", gradient, step)
    size = np.abs(step).max(axis=1)
    return (
        step * np.minimum(1.0, _LONGEST / np.maximum(size, _LONGEST))[:, None],
        gain,
        values[:, 0] > _CURVED * largest,
    )


def _compute_deviances(
    data: Patterns, weights: np.ndarray, at: np.ndarray, *, n_nodes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return deviances, their slopes and half their curvature, shapes (B,), (B, p + 1) and (B, p + 1, p + 1)."""
    n, n_patterns, p = len(at), *data.x.shape
    copies = _copy_patterns_by_weighting(data, at)
    school_sd = np.repeat(at[:, -1], data.n_schools)
    nodes = SchoolNodes.of(copies, np.zeros(p), school_sd, n_nodes=n_nodes)
    value = -2 * (weights * nodes.log_likelihood.reshape(n, -1)).sum(axis=1)
    scores = compute_node_scores(copies, nodes).reshape(p + 1, n_nodes, n, -1)
    share = nodes.share.reshape(n_nodes, n, -1)
    mean = np.einsum("qbj,aqbj->baj", share, scores)
    gradient = -2 * np.einsum("bj,baj->ba", weights, mean)
    columns = scores.transpose(2, 0, 1, 3).reshape(n, p + 1, -1)
    weighted = columns * (share * weights).transpose(1, 0, 2).reshape(n, 1, -1)
    spread = weighted @ columns.transpose(0, 2, 1) - (mean * weights[:, None]) @ mean.transpose(0, 2, 1)
    eta = nodes.fixed + (school_sd * nodes.z)[:, copies.school]
    bend = data.response.slopes(eta, events=copies.events, count=copies.count)[1]
    bend = bend * (nodes.share * weights.reshape(-1))[:, copies.school]
    by_z = nodes.z[:, copies.school]
    moments = [(bend * power).sum(axis=0).reshape(n, n_patterns) for power in (1.0, by_z, by_z**2)]
    information = np.empty((n, p + 1, p + 1))
    information[:, :p, :p] = np.einsum("bk,ka,kc->bac", moments[0], data.x, data.x, optimize=True)
    information[:, :p, p] = information[:, p, :p] = moments[1] @ data.x
    information[:, p, p] = moments[2].sum(axis=1)
    return value, gradient, information - spread


def _copy_patterns_by_weighting(data: Patterns, at: np.ndarray) -> Patterns:
    """Return the patterns once for each weighting, their linear predictor as the offset."""
    n = len(at)
    fixed = at[:, :-1] @ data.x.T
    return replace(
        data,
        x=np.tile(data.x, (n, 1)),
        school=(data.school + data.n_schools * np.arange(n)[:, None]).reshape(-1),
        count=np.tile(data.count, n),
        events=np.tile(data.events, n),
        n_schools=n * data.n_schools,
        offset=(fixed if data.offset is None else fixed + data.offset).reshape(-1),
        school_weight=None,
        prior=None,
    )
