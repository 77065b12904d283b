"""Groups within groups: schools of a country, classes of a school."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import optimize

from analysis.binary.fitting import METHODS, WITH_PRIOR, build_tested_coefficients, describe_prior_reason
from analysis.binary.separation import create_weak_prior
from analysis.counts.fitting import LOG_DISPERSIONS, NO_DISPERSION, count_constant, count_patterns
from analysis.guards import describe_nonbinary_values
from analysis.outcome_models.columns import OutcomeColumns
from analysis.outcome_models.group_effects import GroupEffects
from analysis.quadrature import NegativeBinomial, Poisson, Problem, Response
from analysis.quadrature.nested import NestedPatterns, find_joint_mode
from analysis.quadrature.nested_search import NestedOptimum, compute_nested_adjusted_vcov, find_nested_maximum
from analysis.results import Convergence, Fit, create_failed_fit
from analysis.terms import INTERCEPT

_FEW_NODES = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedFit:
    """A fit with what predictions need of it.

    Parameters
    ----------
    fit
        The fit; the rest is None or empty when it failed.
    problem, adjusted, spread
        The patterns; variance of (beta, standard deviations) that few groups call for; the standard deviations.
    effects
        Of the groups, outermost first.
    dispersion, note
        See `analysis.outcome_models.fitted.Fitted`.
    """

    fit: Fit
    problem: Problem | None = None
    adjusted: np.ndarray | None = None
    spread: np.ndarray | None = None
    effects: tuple[GroupEffects, ...] = field(default=())
    dispersion: float = 0.0
    note: str = ""


def fit_nested(made: OutcomeColumns, *, family: str, response: Response | None, link: str, n_nodes: int) -> NestedFit:
    """Fit random intercepts of two nested groupings.

    Parameters
    ----------
    made
        The columns.
    family, n_nodes
        See `analysis.mixed_model`.
    response
        Of a binary outcome; None for counts.
    link
        Of a binary outcome.
    """
    columns = made.columns
    name = METHODS[link].removesuffix("_mixed") if response is not None else family
    method = f"{name}_nested_{n_nodes}_nodes"
    reason = columns.reason or (describe_nonbinary_values(columns.y, columns.outcome) if response is not None else "")
    if reason:
        return NestedFit(fit=create_failed_fit(reason, method=method, se_type="model", df_method="between"))
    problem = Problem.of(columns, make=count_patterns(made.exposure)) if response is None else Problem.of(columns)
    nested = NestedPatterns(
        data=replace(problem.data, response=response or Poisson()),
        outer=made.outer,
        n_outer=len(made.groupings[0].labels),
    )
    dispersion = _find_nested_dispersion(nested, columns.y) if family == "negative_binomial" else 0.0
    if dispersion:
        nested = replace(nested, data=replace(nested.data, response=NegativeBinomial(dispersion=dispersion)))
    maximum, note = find_nested_maximum(nested, n_nodes=n_nodes), ""
    if maximum.reason and response is not None and link in WITH_PRIOR:
        note = describe_prior_reason(maximum.reason)
        nested = replace(nested, data=replace(nested.data, prior=create_weak_prior(problem)))
        maximum = find_nested_maximum(nested, n_nodes=n_nodes)
        method += "_weak_prior"
    df = compute_column_df(nested)
    reason = maximum.reason or (
        "" if df.min() >= 1 else "There are no more groups than columns that vary between them."
    )
    if reason:
        return NestedFit(fit=create_failed_fit(reason, method=method, se_type="model", df_method="between"))
    adjusted = compute_nested_adjusted_vcov(nested, maximum)
    constant = 0.0 if response is not None else 2 * count_constant(columns.y, dispersion=dispersion)
    return NestedFit(
        fit=_fit(made, problem, maximum, adjusted, method=method, df=df, constant=constant),
        problem=replace(problem, data=nested.data),
        adjusted=adjusted,
        spread=maximum.spread,
        effects=_build_nested_effects(made, nested, maximum),
        dispersion=dispersion,
        note=note,
    )


def _find_nested_dispersion(nested: NestedPatterns, counts: np.ndarray) -> float:
    """Return the dispersion of the greatest likelihood; 0 where Poisson's is as great."""

    def compute_dispersion_deviance(log_dispersion: float) -> float:
        size = float(np.exp(log_dispersion))
        dispersed_patterns = replace(nested, data=replace(nested.data, response=NegativeBinomial(dispersion=size)))
        return find_nested_maximum(dispersed_patterns, n_nodes=_FEW_NODES).deviance - 2 * count_constant(
            counts, dispersion=size
        )

    best = optimize.minimize_scalar(
        compute_dispersion_deviance, bounds=LOG_DISPERSIONS, method="bounded", options={"xatol": 1e-4}
    )
    dispersion = float(np.exp(best.x))
    return dispersion if dispersion >= NO_DISPERSION else 0.0


def compute_column_df(nested: NestedPatterns) -> np.ndarray:
    """Return degrees of freedom by column, between and within groups.

    A column that is the same throughout every outer group has those of the outer groups, less such columns; one that
    varies within them those of the inner groups, less outer groups and columns that vary between inner ones.

    Parameters
    ----------
    nested
        The patterns.
    """
    data = nested.data
    by_outer = nested.outer[data.school]
    first = np.unique(by_outer, return_index=True)[1]
    outer = (data.x == data.x[first][by_outer]).all(axis=0)
    inner = (data.x == data.x[data.starts][data.school]).all(axis=0) & ~outer
    between = nested.n_outer - int(outer.sum())
    within = data.n_schools - nested.n_outer - int(inner.sum())
    return np.where(outer, between, within).astype(float)


def _fit(
    made: OutcomeColumns,
    problem: Problem,
    found: NestedOptimum,
    adjusted: np.ndarray,
    *,
    method: str,
    df: np.ndarray,
    constant: float,
) -> Fit:
    columns = made.columns
    names = [grouping.name for grouping in made.groupings]
    return Fit(
        method=method,
        se_type="model",
        df_method="between",
        coefficients=build_tested_coefficients(problem, beta=found.beta, vcov=found.vcov, adjusted=adjusted, df=df),
        convergence=Convergence(
            status="boundary" if (found.spread == 0).any() else "converged",
            objective=found.deviance - constant,
            n_evaluations=found.n_evaluations,
        ),
        n_pupils=len(columns.y),
        n_schools=len(made.groupings[0].labels),
        variances=dict(zip(names, map(float, found.spread**2), strict=True)),
        dropped=problem.dropped,
    )


def _build_nested_effects(
    made: OutcomeColumns, nested: NestedPatterns, found: NestedOptimum
) -> tuple[GroupEffects, ...]:
    """Return both groupings' effects at their joint mode; a class's error allows for its school's."""
    data, (outer_sd, inner_sd) = nested.data, (float(found.spread[0]), float(found.spread[1]))
    mode = find_joint_mode(nested, data.linear(found.beta), (outer_sd, inner_sd))
    outer_error = outer_sd / np.sqrt(mode.left)
    # How much of its school's effect a class's own takes up: 1 - 1 / curvature.
    taken = (1 - 1 / mode.curvature) * (outer_error[nested.outer] if outer_sd > 0 else 0.0)
    inner_error = np.sqrt(inner_sd**2 / mode.curvature + taken**2) if inner_sd > 0 else np.zeros(len(mode.v))
    parts = ((outer_sd * mode.u, outer_error, outer_sd), (inner_sd * mode.v, inner_error, inner_sd))
    return tuple(
        GroupEffects(
            grouping=grouping.name,
            labels=grouping.labels,
            names=(INTERCEPT,),
            estimates=estimates[:, None],
            errors=errors[:, None],
            sd=np.array([sd]),
        )
        for grouping, (estimates, errors, sd) in zip(made.groupings, parts, strict=True)
    )
