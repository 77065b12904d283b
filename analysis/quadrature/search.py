"""The search for the greatest likelihood: Newton's steps with the observed information of a few nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.quadrature.bounded_links import LinearShare
from analysis.quadrature.likelihood import deviance_and_gradient, deviance_gradient_information
from analysis.quadrature.patterns import Patterns

# The search begins with few nodes, which point the same way at a third of the cost.
_FEW_NODES = 5
_STEPS = 60
# A step that gains this little ends where it leads: what is left is of its square.
_LAST = 1e-7
_GAIN_LEFT = 1e-5

_Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The maximum of the likelihood.

    Parameters
    ----------
    beta, school_sd
        Where it is.
    vcov
        Shape (p + 1, p + 1), the school's standard deviation last; zero there when it is at its boundary.
    deviance
        Minus twice the log-likelihood (less the prior's, where there is one).
    n_evaluations
        How often the likelihood was evaluated.
    reason
        Why there is none; empty when there is.
    """

    beta: np.ndarray
    school_sd: float
    vcov: np.ndarray
    deviance: float
    n_evaluations: int
    reason: str


def maximise(
    data: Patterns, *, n_nodes: int, start: np.ndarray | None = None, pooled: np.ndarray | None = None
) -> Optimum:
    """Return the maximum of the likelihood over coefficients and the school's standard deviation.

    Parameters
    ----------
    data
        The patterns.
    n_nodes
        Nodes of the quadrature; 1 is Laplace's approximation.
    start
        Shape (p + 1,), where to begin; None for the fit without school intercepts.
    pooled
        Shape (p,), the maximum without school intercepts, where it is known.
    """
    p = data.x.shape[1]
    pooled = fit_without_schools(data) if pooled is None else pooled
    first = _find_newton_minimum(
        data, np.append(pooled, _get_starting_sd(data)) if start is None else start, n_nodes=_FEW_NODES, tolerance=1e-3
    )
    best = _compute_final_maximum(data, first.at, n_nodes=n_nodes)
    without = np.append(pooled, 0.0)
    at_zero = _create_deviance_objective(data, 1)(without)[0]  # without a school's part there is nothing to integrate
    free = slice(0, p + 1)
    n_evaluations = first.n_evaluations + best.n_evaluations + 1
    if at_zero <= best.value + 1e-8:
        best, free = _compute_difference_curvature(data, without, n_nodes=n_nodes), slice(0, p)
    reason = _describe_missing_maximum(best.information[free, free], best.gradient[free])
    vcov = np.zeros((p + 1, p + 1))
    if not reason:
        vcov[free, free] = np.linalg.inv(best.information[free, free])
    return Optimum(
        beta=best.at[:-1],
        school_sd=abs(float(best.at[-1])),
        vcov=vcov,
        deviance=best.value,
        n_evaluations=n_evaluations,
        reason=reason,
    )


def _get_starting_sd(data: Patterns) -> float:
    """Return a standard deviation to begin with: half a unit of log odds or rates, of shares a twentieth."""
    return 0.05 if isinstance(data.response, LinearShare) else 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a search has come to; ``information`` is half the deviance's curvature there."""

    at: np.ndarray
    value: float
    gradient: np.ndarray
    information: np.ndarray
    n_evaluations: int


def _describe_missing_maximum(information: np.ndarray, gradient: np.ndarray) -> str:
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 1e-9 * np.abs(information).max():
        return "The likelihood has no curvature at its maximum: a coefficient is infinite or cannot be distinguished."
    # What a further step would gain, whatever the units of the coefficients.
    if float(gradient @ np.linalg.solve(information, gradient)) / 4 > _GAIN_LEFT:
        return "The search for the greatest likelihood did not converge."
    return ""


def _create_deviance_objective(data: Patterns, n_nodes: int) -> _Objective:
    """Return the deviance as a function that is even in the school's standard deviation."""

    def compute_even_deviance(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        sign = -1.0 if parameters[-1] < 0 else 1.0
        value, gradient = deviance_and_gradient(data, parameters[:-1], sign * float(parameters[-1]), n_nodes=n_nodes)
        gradient[-1] *= sign
        return value, gradient

    return compute_even_deviance


def _find_newton_minimum(data: Patterns, start: np.ndarray, *, n_nodes: int, tolerance: float) -> _Place:
    """Take Newton's steps, shortened while they lead up, until the expected gain is below the tolerance."""
    parameters = start
    value, gradient, information = deviance_gradient_information(
        data, parameters[:-1], float(parameters[-1]), n_nodes=n_nodes
    )
    n_evaluations = 1
    for _ in range(_STEPS):
        step = -0.5 * _compute_newton_step(information, gradient)
        gain = -float(gradient @ step)
        if not gain > tolerance:
            break
        if gain < _LAST:
            parameters, value, gradient = parameters + step, value - gain / 2, np.zeros_like(gradient)
            break
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        while True:
            moved = parameters + step
            moved[-1] = abs(moved[-1])
            new = deviance_gradient_information(data, moved[:-1], float(moved[-1]), n_nodes=n_nodes)
            n_evaluations += 1
            if new[0] <= value + 1e-9 or float(np.abs(step).max()) < 1e-9:
                break
            step = step / 3
        if not (new[0] < value - 1e-11 or float(np.abs(new[1]).max()) < float(np.abs(gradient).max())):
            break
        parameters, (value, gradient, information) = moved, new
    return _Place(at=parameters, value=value, gradient=gradient, information=information, n_evaluations=n_evaluations)


def _compute_newton_step(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Solve by the eigenvalues' sizes, so that a step leads down where the likelihood is not curved that way."""
    if not np.isfinite(information).all():
        return np.asarray(gradient / max(float(np.abs(gradient).max()), 1.0))
    values, vectors = np.linalg.eigh(information)
    floor = max(1e-10 * float(np.abs(values).max()), 1e-12)
    return np.asarray(vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), floor)))


def _compute_final_maximum(data: Patterns, at: np.ndarray, *, n_nodes: int) -> _Place:
    """Come to the maximum with the nodes that were asked for."""
    if n_nodes >= _FEW_NODES:
        return _find_newton_minimum(data, at, n_nodes=n_nodes, tolerance=1e-12)
    moved, n_evaluations = _apply_polishing_steps(_create_deviance_objective(data, n_nodes), at)
    return replace(_compute_difference_curvature(data, moved, n_nodes=n_nodes), n_evaluations=n_evaluations)


def _compute_difference_curvature(data: Patterns, at: np.ndarray, *, n_nodes: int) -> _Place:
    """Return the curvature by differences of the gradient, which are right for any number of nodes and at zero."""
    objective = _create_deviance_objective(data, n_nodes)
    value, gradient = objective(at)
    information = _compute_difference_hessian(objective, at) / 2
    return _Place(at=at, value=value, gradient=gradient, information=information, n_evaluations=2 * len(at) + 1)


def _apply_polishing_steps(objective: _Objective, parameters: np.ndarray) -> tuple[np.ndarray, int]:
    """Take Newton steps from where the search stopped, as long as they lower the gradient."""
    value, gradient = objective(parameters)
    n_evaluations = 1
    for _ in range(10):
        if float(np.abs(gradient).max()) < 1e-7:
            break
        step = -0.5 * _compute_newton_step(_compute_difference_hessian(objective, parameters) / 2, gradient)
        n_evaluations += 2 * len(parameters)
        new_value, new_gradient = objective(parameters + step)
        while new_value > value + 1e-9 and float(np.abs(step).max()) > 1e-9:
            step = step / 3
            new_value, new_gradient = objective(parameters + step)
            n_evaluations += 1
        if new_value > value - 1e-11 and np.abs(new_gradient).max() >= np.abs(gradient).max():
            break
        parameters, value, gradient = parameters + step, new_value, new_gradient
    return parameters, n_evaluations


def _compute_difference_hessian(objective: _Objective, centre: np.ndarray) -> np.ndarray:
    """Return central differences of the exact gradient, relative error about 1e-8."""
    size = len(centre)
    hessian = np.empty((size, size))
    for place in range(size):
        step = np.zeros(size)
        step[place] = 1e-4 * max(abs(float(centre[place])), 0.5)
        hessian[place] = (objective(centre + step)[1] - objective(centre - step)[1]) / (2 * step[place])
    return (hessian + hessian.T) / 2


def fit_without_schools(data: Patterns) -> np.ndarray:
    """Return the maximum of the likelihood without school intercepts, by Newton's steps.

    Parameters
    ----------
    data
        The patterns; the first column of ``x`` is the intercept.
    """
    row_weight = 1.0 if data.school_weight is None else data.school_weight[data.school]
    beta = np.zeros(data.x.shape[1])
    shift = 0.0 if data.offset is None else float(np.average(data.offset))
    beta[0] = data.response.start(events=data.events, count=data.count) - shift
    for _ in range(50):
        slope, weight, _ = data.response.slopes(data.linear(beta), events=data.events, count=data.count)
        gradient = data.x.T @ (slope * row_weight)
        information = data.x.T @ (data.x * np.maximum(weight * row_weight, 1e-10)[:, None])
        if data.prior is not None:
            _, by_beta, bend = data.prior.deviance(beta)
            gradient, information = gradient - by_beta / 2, information + np.diag(bend)
        step = np.clip(np.linalg.lstsq(information, gradient, rcond=None)[0], -5.0, 5.0)
        step = _scale_step_by_halving(data, beta, step, row_weight=row_weight)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta


def _scale_step_by_halving(
    data: Patterns, beta: np.ndarray, step: np.ndarray, *, row_weight: np.ndarray | float
) -> np.ndarray:
    """Return the step, halved while it leads down, as one beyond the border of a log or identity link does."""

    def compute_penalised_likelihood(at: np.ndarray) -> float:
        rows = data.response.value_and_slope(data.linear(at), events=data.events, count=data.count)[0]
        penalty = 0.0 if data.prior is None else data.prior.deviance(at)[0] / 2
        return float((rows * row_weight).sum()) - penalty

    before = compute_penalised_likelihood(beta)
    for _ in range(30):
        if compute_penalised_likelihood(beta + step) >= before - 1e-10 * max(1.0, abs(before)):
            break
        step = step / 2
    return step
