"""The greatest likelihood of groups within groups, and the variances that few groups call for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from analysis.quadrature.climbing import find_newton_maximum
from analysis.quadrature.nested import NestedPatterns, compute_nested_likelihood, find_joint_mode
from analysis.quadrature.patterns import sums_by_school
from analysis.quadrature.search import fit_without_schools

_LEAST_NODES = 7
_INFINITE = 15.0
_STEEP = 1e-2
# A standard deviation below this is zero when the likelihood there is as great.
_SMALL = 0.02
_NEWTON_STEPS = 40
# With more outer groups than this maximum likelihood's variances are as good.
_MANY_GROUPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedOptimum:
    """The maximum of the likelihood.

    Parameters
    ----------
    beta, spread
        Where it is: coefficients, and standard deviations of outer and inner groups.
    vcov
        Shape (p + 2, p + 2), zero for a standard deviation at zero.
    deviance
        Minus twice the log-likelihood.
    n_evaluations
        Newton's steps.
    reason
        Why there is none; empty when there is.
    """

    beta: np.ndarray
    spread: np.ndarray
    vcov: np.ndarray
    deviance: float
    n_evaluations: int
    reason: str


def find_nested_maximum(nested: NestedPatterns, *, n_nodes: int) -> NestedOptimum:
    """Return the maximum of the likelihood over coefficients and both standard deviations.

    Parameters
    ----------
    nested
        The patterns.
    n_nodes
        Nodes of each of the two quadratures: 1 is Laplace's approximation, otherwise 7 or more.
    """
    p = nested.data.x.shape[1]
    nodes = max(n_nodes, _LEAST_NODES)
    start = np.append(fit_without_schools(nested.data), [0.4, 0.4])
    top = find_newton_maximum(
        lambda at: compute_nested_likelihood(nested, at, n_nodes=nodes), start, most=2 * _INFINITE
    )
    parameters, value, slope, information = top.at.copy(), top.value, top.slope, top.information
    parameters[p:] = np.abs(parameters[p:])
    if n_nodes == 1:
        parameters, value = _find_laplace_maximum(nested, parameters)
        slope, information = np.zeros_like(slope), compute_nested_likelihood(nested, parameters, n_nodes=nodes)[2]
    parameters, value, fixed = _set_small_sds_to_zero(nested, parameters, value, n_nodes=n_nodes)
    free = np.flatnonzero(~fixed)
    reason = _describe_missing_maximum(parameters[:p], slope[free], information[np.ix_(free, free)])
    vcov = np.zeros((p + 2, p + 2))
    if not reason:
        vcov[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    return NestedOptimum(
        beta=parameters[:p],
        spread=parameters[p:],
        vcov=vcov,
        deviance=-2 * value,
        n_evaluations=top.n_steps,
        reason=reason,
    )


def _find_laplace_maximum(nested: NestedPatterns, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Finish Laplace's approximation, whose slopes are taken by differences."""

    def compute_negative_laplace(at: np.ndarray) -> float:
        return -compute_nested_likelihood(nested, at, n_nodes=1)[0]

    minimum = optimize.minimize(compute_negative_laplace, start, method="BFGS", jac="3-point", options={"gtol": 1e-6})
    estimates = np.asarray(minimum.x)
    estimates[-2:] = np.abs(estimates[-2:])
    return estimates, -float(minimum.fun)


def _set_small_sds_to_zero(
    nested: NestedPatterns, at: np.ndarray, value: float, *, n_nodes: int
) -> tuple[np.ndarray, float, np.ndarray]:
    """Set small standard deviations to zero where the likelihood is no smaller; return which parameters stand still."""
    fixed = np.zeros(len(at), dtype=bool)
    for place in (len(at) - 2, len(at) - 1):
        if at[place] < _SMALL:
            without = at.copy()
            without[place] = 0.0
            there = compute_nested_likelihood(nested, without, n_nodes=n_nodes)[0]
            if there >= value - 1e-5:
                at, value, fixed[place] = without, there, True
    return at, value, fixed


def _describe_missing_maximum(beta: np.ndarray, slope: np.ndarray, information: np.ndarray) -> str:
    if float(np.abs(beta).max()) > _INFINITE:
        return "A coefficient is infinite: columns tell all events apart."
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 1e-9 * np.abs(information).max():
        return "The likelihood has no curvature at its maximum: a coefficient is infinite or cannot be distinguished."
    if float(np.abs(slope).max()) > _STEEP:
        return "The search for the greatest likelihood did not converge."
    return ""


def compute_nested_adjusted_vcov(nested: NestedPatterns, found: NestedOptimum) -> np.ndarray:
    """Return the variance of (beta, spread) at the standard deviations that few groups call for.

    They are those of the restricted likelihood: coefficients are integrated out with the groups' effects, by Laplace's
    approximation (Stiratelli, Laird and Ware 1984, Biometrics 40, 961-971; Breslow and Clayton 1993).

    Parameters
    ----------
    nested
        The patterns.
    found
        Of the likelihood.
    """
    p = len(found.beta)
    vcov = np.zeros((p + 2, p + 2))
    if nested.n_outer > _MANY_GROUPS:
        vcov[:p, :p] = np.linalg.pinv(compute_restricted_deviance(nested, found.beta, found.spread)[2], hermitian=True)
        return vcov
    latest_beta = [found.beta]

    def compute_deviance_at_spread(spread: np.ndarray) -> float:
        value, latest_beta[0], _ = compute_restricted_deviance(nested, latest_beta[0], np.abs(spread))
        return value

    start = np.maximum(found.spread, 0.1)
    simplex = np.array([start, start * [1.3, 1.0], start * [1.0, 1.3]])
    best = optimize.minimize(
        compute_deviance_at_spread,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-4},
    )
    vcov[:p, :p] = np.linalg.pinv(
        compute_restricted_deviance(nested, latest_beta[0], np.abs(best.x))[2], hermitian=True
    )
    return vcov


def compute_restricted_deviance(
    nested: NestedPatterns, beta: np.ndarray, spread: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the restricted deviance, the coefficients of the joint mode, and their information there.

    Parameters
    ----------
    nested
        The patterns.
    beta
        Where to begin.
    spread
        Standard deviations of outer and inner groups.
    """
    data, sds = nested.data, (float(spread[0]), float(spread[1]))
    value, information, mode = -np.inf, np.eye(len(beta)), find_joint_mode(nested, data.linear(beta), sds)
    for _ in range(_NEWTON_STEPS):
        eta = data.linear(beta) + (sds[0] * mode.u[nested.outer] + sds[1] * mode.v)[data.school]
        slope, weight, _ = data.response.slopes(eta, events=data.events, count=data.count)
        information = _compute_swept_information(nested, weight, sds)
        gradient, value = slope @ data.x, float(mode.value.sum())
        if data.prior is not None:
            penalty, by_beta, bend = data.prior.deviance(beta)
            gradient, information = gradient - by_beta / 2, information + np.diag(bend)
            value -= penalty / 2
        step = np.clip(np.linalg.lstsq(information, gradient, rcond=None)[0], -2.0, 2.0)
        beta = beta + step
        mode = find_joint_mode(nested, data.linear(beta), sds)
        if float(np.abs(step).max()) < 1e-5:
            break
    sizes = float(np.log(mode.curvature).sum() + np.log(mode.left).sum()) + float(np.linalg.slogdet(information)[1])
    return -2 * value + sizes, beta, information


def _compute_swept_information(nested: NestedPatterns, weight: np.ndarray, spread: tuple[float, float]) -> np.ndarray:
    """Return the coefficients' information once inner and outer groups' effects are swept out."""
    data, (outer_sd, inner_sd) = nested.data, spread
    weighted = weight[:, None] * data.x
    by_inner, w = sums_by_school(data, weighted), sums_by_school(data, weight)
    curvature = inner_sd**2 * w + 1
    by_outer = nested.by_outer(by_inner / curvature[:, None])
    left = outer_sd**2 * nested.by_outer(w / curvature) + 1
    swept = (by_inner * (inner_sd**2 / curvature)[:, None]).T @ by_inner
    swept = swept + (by_outer * (outer_sd**2 / left)[:, None]).T @ by_outer
    return np.asarray(weighted.T @ data.x - swept)
