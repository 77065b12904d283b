"""One family and random part after another: columns in, estimates and what predictions need out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.binary.fitting import RESPONSES, fit_binary_columns
from analysis.binary.slopes import find_slope_modes, fit_slopes_columns
from analysis.counts.fitting import CountFamily, fit_count_rows
from analysis.outcome_models.columns import OutcomeColumns
from analysis.outcome_models.group_effects import GroupEffects, Spread
from analysis.outcome_models.nested import fit_nested
from analysis.quadrature import LOGIT, Optimum, Problem, Response, school_modes
from analysis.results import Fit
from analysis.terms import INTERCEPT

Family = Literal["binomial", "poisson", "negative_binomial"]
LinkName = Literal["logit", "cloglog", "log", "identity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fit with what predictions and standardised effects need of it.

    Parameters
    ----------
    fit
        Coefficients and how the search ended; the rest is None or empty when it failed.
    response
        The outcome's distribution.
    spread
        Of the groups' effects.
    vcov
        Shape (p + m, p + m), variance of coefficients and spread for standardised effects.
    effects
        Of the groups, outermost first.
    dispersion
        Of a negative binomial.
    note
        That a weak prior was used, and why.
    """

    fit: Fit
    response: Response | None = None
    spread: Spread | None = None
    vcov: np.ndarray | None = None
    effects: tuple[GroupEffects, ...] = ()
    dispersion: float = 0.0
    note: str = ""


def fitted(made: OutcomeColumns, *, family: Family, link: LinkName, n_nodes: int) -> Fitted:
    """Fit a model.

    Parameters
    ----------
    made
        The columns.
    family, link, n_nodes
        See `analysis.mixed_model`.
    """
    if len(made.groupings) == 2:
        return _fit_nested_intercepts(made, family=family, link=link, n_nodes=n_nodes)
    if made.slope:
        return _fit_random_slopes(made, n_nodes=n_nodes)
    if family == "binomial":
        binary = fit_binary_columns(made.columns, link=link, n_nodes=n_nodes)
        parts = (binary.problem, binary.optimum, binary.adjusted)
        return replace(
            _build_intercepts_fitted(made, binary.fit, parts), note=binary.note if binary.optimum is not None else ""
        )
    counts: CountFamily = family
    count = fit_count_rows(made.count_rows(), family=counts, zero_inflated=False, n_nodes=n_nodes)
    parts = (count.problem, count.optimum, count.adjusted)
    return replace(_build_intercepts_fitted(made, count.fit, parts), dispersion=count.dispersion)


def _build_intercepts_fitted(
    made: OutcomeColumns, fit: Fit, parts: tuple[Problem | None, Optimum | None, np.ndarray | None]
) -> Fitted:
    problem, optimum, adjusted = parts
    name = made.groupings[0].name
    fit = replace(fit, variances=dict(zip([name], fit.variances.values(), strict=bool(fit.variances))))
    if problem is None or optimum is None or adjusted is None:
        return Fitted(fit=fit)
    data, sd = problem.data, optimum.school_sd
    z, curvature = school_modes(data, data.linear(optimum.beta), sd)
    effects = GroupEffects(
        grouping=name,
        labels=made.groupings[0].labels,
        names=(INTERCEPT,),
        estimates=(sd * z)[:, None],
        errors=(sd / np.sqrt(curvature))[:, None],
        sd=np.array([sd]),
    )
    return Fitted(
        fit=fit,
        response=data.response,
        spread=Spread(theta=np.array([sd])),
        vcov=to_original(problem, adjusted),
        effects=(effects,),
    )


def to_original(problem: Problem, vcov: np.ndarray) -> np.ndarray:
    """Return the variance of the columns' coefficients as they were, and of what is beside them."""
    p = len(problem.names)
    back = np.eye(len(vcov))
    back[:p, :p] = problem.to_original()
    return np.asarray(back @ vcov @ back.T)


def _fit_nested_intercepts(made: OutcomeColumns, *, family: Family, link: LinkName, n_nodes: int) -> Fitted:
    response = RESPONSES[link] if family == "binomial" else None
    nested_fit = fit_nested(made, family=family, response=response, link=link, n_nodes=n_nodes)
    if nested_fit.problem is None or nested_fit.adjusted is None or nested_fit.spread is None:
        return Fitted(fit=nested_fit.fit)
    return Fitted(
        fit=nested_fit.fit,
        response=nested_fit.problem.data.response,
        spread=Spread(theta=nested_fit.spread),
        vcov=to_original(nested_fit.problem, nested_fit.adjusted),
        effects=nested_fit.effects,
        dispersion=nested_fit.dispersion,
        note=nested_fit.note,
    )


def _fit_random_slopes(made: OutcomeColumns, *, n_nodes: int) -> Fitted:
    slopes_fit = fit_slopes_columns(made.columns, slope=made.slope, n_nodes=n_nodes)
    name = made.groupings[0].name
    shown = {"school": name, "slope": f"{name}, {made.slope}", "covariance": f"{name}, covariance"}
    fit = replace(slopes_fit.fit, variances={shown[key]: value for key, value in slopes_fit.fit.variances.items()})
    problem, parameters = slopes_fit.problem, slopes_fit.parameters
    if problem is None or parameters is None or slopes_fit.vcov is None:
        return Fitted(fit=fit)
    p, place = len(problem.names), slopes_fit.place
    centre, scale = float(problem.centre[place]), float(problem.scale[place])
    a, b, c = parameters[p:]
    w, data = problem.data.x[:, place], problem.data
    z, curvature = find_slope_modes(data, data.linear(parameters[:p]), np.column_stack([a + b * w, c * w]))
    # Effects of the column as it was: the intercept where it is zero, and the slope by a unit.
    turn = np.array([[1.0, -centre / scale], [0.0, 1 / scale]]) @ np.array([[a, 0.0], [b, c]])
    spread = turn @ np.linalg.inv(curvature) @ turn.T
    effects = GroupEffects(
        grouping=name,
        labels=made.groupings[0].labels,
        names=(INTERCEPT, made.slope),
        estimates=z @ turn.T,
        errors=np.sqrt(np.diagonal(spread, axis1=1, axis2=2)),
        sd=np.sqrt(np.diag(turn @ turn.T)),
    )
    return Fitted(
        fit=fit,
        response=LOGIT,
        spread=Spread(theta=parameters[p:], slope=(place, centre, scale)),
        vcov=to_original(problem, slopes_fit.vcov),
        effects=(effects,),
    )
