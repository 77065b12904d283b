"""The logistic model in which schools differ in their level and in the slope of one column.

The linear predictor of pupil i in school j is x'beta + a z1 + w (b z1 + c z2) with z1, z2 ~ N(0, 1): a, b and c are the
Cholesky factor of the covariance of intercept and slope. Quadrature is over the plane, at each school's mode, turned
and scaled by its curvature. Given z the predictor is linear in beta, a, b and c, so that the identities of Fisher and
Louis give slopes and information as in a regression on (x, z1, w z1, w z2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize

from analysis.binary.fitting import describe_lacking_df
from analysis.binary.separation import find_separated_arm
from analysis.guards import describe_nonbinary_values
from analysis.quadrature import Patterns, Problem
from analysis.quadrature.climbing import find_newton_maximum
from analysis.quadrature.search import fit_without_schools
from analysis.results import Coefficients, Convergence, Fit, create_failed_fit
from analysis.specs import Model
from analysis.standardised import Standardised
from analysis.terms import Columns, design_columns, refuse_weights
from data_schema.errors import EstimationError

_MODE_STEPS = 60
_FEW_NODES = 5
_GOOD_NODES = 7
_INFINITE = 15.0


def fit_logistic_slopes(frame: pd.DataFrame, model: Model, *, slope: str, n_nodes: int = 7) -> Fit:
    """Fit a logistic model in which the slope of one covariate differs between schools, as their level does.

    Parameters
    ----------
    frame
        One row per pupil; the outcome is 0, 1 or missing.
    model
        Which column plays which part; ``slope`` is one of its covariates.
    slope
        A numeric covariate that varies within schools.
    n_nodes
        Nodes along each of the two axes: 1 is Laplace's approximation (as glmer has it), otherwise 5 or more.

    Returns
    -------
    Fit
        Variances ``school`` (of the level where the column is zero), ``slope`` and their ``covariance``;
        ``differences`` are risk differences averaged over pupils and schools. Errors are those of maximum likelihood
        with schools less school-level columns as degrees of freedom: with few schools they are too small, and a model
        with an intercept alone (`fit_logistic_mixed`) is the one for the trial's headline.

    Raises
    ------
    EstimationError
        When the slope is no covariate of the model, or nodes are 2 to 4.
    """
    refuse_weights(model)
    if slope not in model.covariates:
        raise EstimationError(
            f"model of '{model.outcome}'", f"'{slope}' is not one of its covariates.", "Name it among them."
        )
    if n_nodes < 1 or 1 < n_nodes < _FEW_NODES:
        raise EstimationError(f"model of '{model.outcome}'", f"{n_nodes} nodes do not do.", "Use 1, or 5 or more.")
    return fit_slopes_columns(design_columns(frame, model), slope=slope, n_nodes=n_nodes).fit


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopesFit:
    """A fit with what predictions need of it.

    Parameters
    ----------
    fit
        The fit; failed when the others are None.
    problem
        The patterns.
    parameters, vcov
        Shapes (p + 3,) and (p + 3, p + 3): scaled coefficients and the Cholesky factor (a, b, c).
    place
        Position of the slope's column.
    """

    fit: Fit
    problem: Problem | None = None
    parameters: np.ndarray | None = None
    vcov: np.ndarray | None = None
    place: int = 0


def fit_slopes_columns(columns: Columns, *, slope: str, n_nodes: int) -> SlopesFit:
    """Fit columns that are made already; see `fit_logistic_slopes`.

    Parameters
    ----------
    columns
        The first is the intercept.
    slope
        One of them.
    n_nodes
        1, or 5 or more.
    """
    labels = {"method": f"logistic_slopes_{n_nodes}_nodes", "se_type": "model", "df_method": "between"}
    reason = columns.reason or describe_nonbinary_values(columns.y, columns.outcome) or find_separated_arm(columns)
    if not reason and slope not in columns.names:
        reason = f"The covariate {slope} is not a number, and its levels have no one slope."
    problem = None if reason else Problem.of(columns)
    if problem is not None and (slope not in problem.names or not _has_varying_slope_column(problem, slope)):
        reason = f"The column {slope} does not vary within schools."
    if problem is None or reason:
        return SlopesFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome))
    maximum = _find_slope_maximum(problem.data, problem.names.index(slope), n_nodes=n_nodes)
    reason = maximum.reason or describe_lacking_df(problem.between_df())
    if reason:
        return SlopesFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome))
    return SlopesFit(
        fit=_fit(problem, maximum, columns, slope=slope, labels=labels),
        problem=problem,
        parameters=maximum.parameters,
        vcov=maximum.vcov,
        place=problem.names.index(slope),
    )


def _fit(problem: Problem, found: _Found, columns: Columns, *, slope: str, labels: dict[str, str]) -> Fit:
    back, p, df = problem.to_original(), len(problem.names), problem.between_df()
    place = problem.names.index(slope)
    covariance = _transform_slope_covariance(
        found.parameters[p:], centre=problem.centre[place], scale=problem.scale[place]
    )
    terms = tuple(columns.arm_terms.values())
    return Fit(
        **labels,
        coefficients=Coefficients(
            names=problem.names,
            estimate=back @ found.parameters[:p],
            vcov=back @ found.vcov[:p, :p] @ back.T,
            df=np.full(p, float(df)),
        ),
        differences=_estimate_share_differences(problem, found, place, terms=terms, df=df),
        convergence=Convergence(
            status="boundary" if found.boundary else "converged", objective=found.deviance, n_evaluations=found.n_steps
        ),
        n_pupils=len(columns.y),
        n_schools=len(columns.schools),
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        variances={
            "school": float(covariance[0, 0]),
            "slope": float(covariance[1, 1]),
            "covariance": float(covariance[0, 1]),
        },
        dropped=problem.dropped,
    )


def _has_varying_slope_column(problem: Problem, slope: str) -> bool:
    values = problem.data.x[:, problem.names.index(slope)]
    return bool((values != values[problem.data.starts][problem.data.school]).any())


def _transform_slope_covariance(factor: np.ndarray, *, centre: float, scale: float) -> np.ndarray:
    """Return the covariance of intercept and slope for the column as it was."""
    lower = np.array([[factor[0], 0.0], [factor[1], factor[2]]])
    turn = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])
    return np.asarray(turn @ lower @ lower.T @ turn.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The maximum over (beta, a, b, c)."""

    parameters: np.ndarray
    vcov: np.ndarray
    deviance: float
    n_steps: int
    boundary: bool
    reason: str


def find_slope_modes(data: Patterns, fixed: np.ndarray, loads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each school's mode, shape (J, 2), and the curvature there, shape (J, 2, 2).

    Parameters
    ----------
    data, fixed
        Patterns and x'beta.
    loads
        Shape (K, 2), what z1 and z2 are multiplied with.
    """
    z = np.zeros((data.n_schools, 2))
    outer = (loads[:, :, None] * loads[:, None, :]).reshape(-1, 4)

    def compute_mode_objective(at: np.ndarray) -> np.ndarray:
        eta = fixed + (loads * at[data.school]).sum(axis=1)
        value, _ = data.response.value_and_slope(eta, events=data.events, count=data.count)
        return np.asarray(np.add.reduceat(value, data.starts) - (at**2).sum(axis=1) / 2)

    best, curvature = compute_mode_objective(z), np.tile(np.eye(2), (data.n_schools, 1, 1))
    for _ in range(_MODE_STEPS):
        eta = fixed + (loads * z[data.school]).sum(axis=1)
        slope, weight, _ = data.response.slopes(eta, events=data.events, count=data.count)
        left = np.add.reduceat(slope[:, None] * loads, data.starts, axis=0) - z
        curvature = np.add.reduceat(weight[:, None] * outer, data.starts, axis=0).reshape(-1, 2, 2) + np.eye(2)
        step = np.linalg.solve(curvature, left[:, :, None])[:, :, 0]
        if float(np.abs(step).max()) < 1e-9:
            break
        factor = np.ones(data.n_schools)
        for _ in range(20):
            moved = compute_mode_objective(z + factor[:, None] * step)
            worse = moved < best - 1e-10 * np.maximum(1.0, np.abs(best))
            if not worse.any():
                break
            factor = np.where(worse, factor / 2, factor)
        z, best = z + factor[:, None] * step, moved
    return z, curvature


def _compute_slope_likelihood(
    data: Patterns, at: np.ndarray, place: int, *, n_nodes: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood, its slopes and information by (beta, a, b, c)."""
    p = data.x.shape[1]
    beta, (a, b, c) = at[:p], at[p:]
    w = data.x[:, place]
    fixed, loads = data.linear(beta), np.column_stack([a + b * w, c * w])
    mode, curvature = find_slope_modes(data, fixed, loads)
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    grid = np.array([(node, other) for node in nodes for other in nodes])
    log_weight = np.array([np.log(node_weight * other) for node_weight in weights for other in weights])
    root = np.linalg.cholesky(np.linalg.inv(curvature))
    z = mode + np.einsum("jab,qb->qja", root, grid)
    eta = fixed + np.einsum("ka,qka->qk", loads, z[:, data.school])
    value, slope = data.response.value_and_slope(eta, events=data.events, count=data.count)
    joint = np.add.reduceat(value, data.starts, axis=1) - (z**2).sum(axis=2) / 2
    joint += ((grid**2).sum(axis=1) / 2 + log_weight)[:, None]
    top = joint.max(axis=0)
    share = np.exp(joint - top)
    total = share.sum(axis=0)
    share /= total
    determinant = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    log_likelihood = float((top + np.log(total) + determinant - np.log(2 * np.pi)).sum())
    weight = data.response.slopes(eta, events=data.events, count=data.count)[1] * share[:, data.school]
    z1, z2 = z[:, data.school, 0], z[:, data.school, 1]
    random = [z1, w * z1, w * z2]
    parts = [slope * column for column in data.x.T] + [slope * part for part in random]
    scores = np.stack([np.add.reduceat(part, data.starts, axis=1) for part in parts])
    mean = np.einsum("qj,aqj->ja", share, scores)
    size = len(scores)
    information = np.empty((size, size))
    information[:p, :p] = data.x.T @ (weight.sum(axis=0)[:, None] * data.x)
    for k, random_slope in enumerate(random):
        information[:p, p + k] = information[p + k, :p] = (weight * random_slope).sum(axis=0) @ data.x
        for m, other in enumerate(random):
            information[p + k, p + m] = float((weight * random_slope * other).sum())
    information -= (scores * share).reshape(size, -1) @ scores.reshape(size, -1).T - mean.T @ mean
    return log_likelihood, mean.sum(axis=0), information


def _find_slope_maximum(data: Patterns, place: int, *, n_nodes: int) -> _Found:
    """Take Newton's steps, halved while they lead down; Laplace's approximation is finished without derivatives."""
    p = data.x.shape[1]
    nodes = n_nodes if n_nodes >= _FEW_NODES else _GOOD_NODES
    top = find_newton_maximum(
        lambda at: _compute_slope_likelihood(data, at, place, n_nodes=nodes),
        np.append(fit_without_schools(data), [0.5, 0.0, 0.3]),
        most=2 * _INFINITE,
    )
    estimates, value, slope, information, n_steps = top.at, top.value, top.slope, top.information, top.n_steps
    if n_nodes == 1:

        def compute_negative_laplace(parameters: np.ndarray) -> float:
            return -_compute_slope_likelihood(data, parameters, place, n_nodes=1)[0]

        laplace = optimize.minimize(compute_negative_laplace, estimates, method="BFGS", options={"gtol": 1e-5})
        estimates, value = laplace.x, -float(laplace.fun)
    reason = ""
    if float(np.abs(estimates[:p]).max()) > _INFINITE or float(np.abs(slope).max()) > 0.05:
        reason = "The search for the greatest likelihood did not converge."
    spread = abs(float(estimates[p])), float(np.hypot(estimates[p + 1], estimates[p + 2]))
    # A correlation of one leaves c at zero, where the likelihood is flat in its sign.
    boundary = min(*spread, abs(float(estimates[p + 2]))) < 1e-3
    vcov = np.linalg.pinv(information, rcond=1e-8, hermitian=True)
    return _Found(
        parameters=estimates, vcov=vcov, deviance=-2 * value, n_steps=n_steps, boundary=boundary, reason=reason
    )


def _estimate_share_differences(
    problem: Problem, found: _Found, place: int, *, terms: tuple[str, ...], df: int
) -> Coefficients:
    """Average shares over pupils and over the plane of school effects."""
    data, p = problem.data, len(problem.names)
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    weights = weights / weights.sum()
    a, b, c = found.parameters[p:]
    share = data.count / data.count.sum()
    values, slopes = [], []
    for chosen in (None, *terms):
        x = problem.with_arm(list(terms), chosen=chosen)
        w, fixed = x[:, place], x @ found.parameters[:p]
        total, by = 0.0, np.zeros(p + 3)
        for z1, node_weight in zip(nodes, weights, strict=True):
            for z2, other in zip(nodes, weights, strict=True):
                mean, steep = data.response.mean(fixed + a * z1 + w * (b * z1 + c * z2))
                total += node_weight * other * float(share @ mean)
                random = np.array([z1 * (share @ steep), z1 * (share @ (w * steep)), z2 * (share @ (w * steep))])
                by += node_weight * other * np.concatenate([(share * steep) @ x, random])
        values.append(total)
        slopes.append(by)
    return Standardised.by_delta(np.array(values), np.array(slopes), found.vcov, terms=terms, df=df).differences()
