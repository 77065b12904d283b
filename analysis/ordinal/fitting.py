"""The cumulative logit model with a random school intercept, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from analysis.binary.fitting import compute_larger_errors, describe_lacking_df
from analysis.inference.adjusted_profile import find_adjusted_profile_maximum
from analysis.ordinal.likelihood import Categories, compute_ordinal_likelihood
from analysis.outcomes import MOST_CATEGORIES
from analysis.quadrature import Patterns, information
from analysis.quadrature.patterns import find_distinct_rows
from analysis.results import Coefficients, Convergence, Estimate, Fit, create_failed_fit
from analysis.specs import Model
from analysis.sums import scale_model_columns
from analysis.terms import INTERCEPT, Columns, design_columns, refuse_weights
from data_schema.errors import EstimationError

_LEAST_NODES = 5
_STEPS = 60
_INFINITE = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdinalFit:
    """A fitted cumulative logit model.

    Parameters
    ----------
    fit
        Coefficients are log odds ratios of a higher category; ``convergence.objective`` is minus twice the
        log-likelihood.
    thresholds
        Shape (C - 1,), log odds of a category or a lower one where all columns are zero and the school is the middle
        one.
    categories
        Values of the outcome in their order.
    parameters, vcov, data, scale, centre
        Of the scaled problem: thresholds, coefficients and the school's standard deviation; None when the fit failed.
    """

    fit: Fit
    thresholds: np.ndarray
    categories: tuple[float, ...]
    parameters: np.ndarray | None = field(default=None, repr=False)
    vcov: np.ndarray | None = field(default=None, repr=False)
    data: Categories | None = field(default=None, repr=False)
    scale: np.ndarray | None = field(default=None, repr=False)
    centre: np.ndarray | None = field(default=None, repr=False)

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one log odds ratio; see `analysis.Fit.estimate`."""
        return self.fit.estimate(term, conf_level=conf_level)

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a coefficient, in the columns of the table of estimates."""
        return self.fit.tidy(conf_level=conf_level)

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit, with its thresholds."""
        named = {f"threshold_{k + 1}": float(value) for k, value in enumerate(self.thresholds)}
        return self.fit.glance().assign(**named)


def fit_ordinal(frame: pd.DataFrame, model: Model, *, n_nodes: int = 15) -> OrdinalFit:
    """Fit an outcome in ordered categories with a random school intercept.

    Parameters
    ----------
    frame
        One row per pupil; the outcome is a number that says the category, or missing.
    model
        Which column plays which part.
    n_nodes
        Nodes of adaptive Gauss-Hermite quadrature, 5 or more.

    Returns
    -------
    OrdinalFit
        P(outcome <= k) has log odds threshold_k - x'beta - school (proportional odds). Inference as that of
        `analysis.fit_logistic_mixed`: errors are the larger of those of maximum likelihood and those at the school
        variance of the adjusted profile likelihood, degrees of freedom are schools less school-level columns.

    Raises
    ------
    EstimationError
        With fewer nodes than 5.

    References
    ----------
    McCullagh (1980), JRSS B 42, 109-142; Hedeker and Gibbons (1994), Biometrics 50, 933-944.
    """
    if n_nodes < _LEAST_NODES:
        raise EstimationError(f"model of '{model.outcome}'", f"{n_nodes} nodes are too few.", "Use 5 or more.")
    refuse_weights(model)
    columns = design_columns(frame, model)
    labels = {"method": f"cumulative_logit_mixed_{n_nodes}_nodes", "se_type": "model", "df_method": "between"}
    reason = columns.reason or _describe_too_many_categories(columns) or _find_arm_of_one_category(columns)
    if not reason:
        problem = _Problem.of(columns)
        parameters, value, info, n_steps, reason = _find_ordinal_maximum(problem.data, n_nodes=n_nodes)
        reason = reason or describe_lacking_df(problem.df)
    if reason:
        fit = create_failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome)
        return OrdinalFit(fit=fit, thresholds=np.array([]), categories=())
    return _build_ordinal_fit(
        problem, columns, parameters=parameters, value=value, info=info, n_steps=n_steps, labels=labels
    )


def _describe_too_many_categories(columns: Columns) -> str:
    """Return a reason when the outcome is a measure, and not a few ordered answers."""
    n_values = len(np.unique(columns.y))
    if n_values <= MOST_CATEGORIES:
        return ""
    return f"The outcome has {n_values} values, and ordered answers at most {MOST_CATEGORIES}: use a linear model."


def _find_arm_of_one_category(columns: Columns) -> str:
    """Name an arm in which everybody has the lowest, or the highest, category."""
    groups = {arm: columns.x[:, columns.names.index(term)] == 1 for arm, term in columns.arm_terms.items()}
    if groups:
        groups["reference"] = ~np.any(list(groups.values()), axis=0)
    for arm, rows in groups.items():
        for end in (columns.y.min(), columns.y.max()):
            if (columns.y[rows] == end).all():
                return f"Everybody in the arm {arm} is in one category at the end of the scale: its odds are infinite."
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Scaled columns without the intercept."""

    data: Categories
    names: tuple[str, ...]
    levels: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    df: int

    @classmethod
    def of(cls, columns: Columns) -> _Problem:
        positions, values, centre, scale = scale_model_columns(columns)
        keep = [k for k, place in enumerate(positions) if columns.names[place] != INTERCEPT]
        x = values[:, :-1][:, keep]
        levels, category = np.unique(columns.y, return_inverse=True)
        first, place = find_distinct_rows(np.column_stack([x, category]), columns.school)
        count = np.bincount(place, minlength=len(first)).astype(float)
        data = Patterns(
            x=x[first],
            school=columns.school[first],
            count=count,
            events=np.zeros(len(first)),
            n_schools=len(columns.schools),
        )
        constant = (data.x == data.x[data.starts][data.school]).all(axis=0)
        return cls(
            data=Categories(data=data, category=category[first], n_categories=len(levels)),
            names=tuple(columns.names[positions[k]] for k in keep),
            levels=levels,
            scale=scale[keep],
            centre=centre[keep],
            df=len(columns.schools) - 1 - int(constant.sum()),
        )


def _find_ordinal_maximum(data: Categories, *, n_nodes: int) -> tuple[np.ndarray, float, np.ndarray, int, str]:
    """Take Newton's steps, halved while they lead down or put thresholds out of order."""
    c, p = data.n_categories - 1, data.data.x.shape[1]
    below = np.bincount(data.category, weights=data.data.count, minlength=c + 1).cumsum()[:-1]
    share = below / data.data.count.sum()
    parameters = np.concatenate([np.log(share / (1 - share)), np.zeros(p), [0.5]])
    value, slope, info = compute_ordinal_likelihood(data, parameters, n_nodes=n_nodes)
    for number in range(1, _STEPS + 1):
        values, vectors = np.linalg.eigh(info)
        floor = 1e-8 * float(np.abs(values).max())
        step = vectors @ ((vectors.T @ slope) / np.maximum(np.abs(values), floor))
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        while True:
            moved = parameters + step
            moved[-1] = abs(moved[-1])
            if (np.diff(moved[:c]) > 0).all():
                new = compute_ordinal_likelihood(data, moved, n_nodes=n_nodes)
                if new[0] >= value - 1e-10 * max(1.0, abs(value)):
                    break
            if float(np.abs(step).max()) < 1e-10:
                return parameters, value, info, number, _describe_search_failure(parameters, slope, info, c)
            step = step / 2
        small = float(np.abs(step).max()) < 1e-8
        parameters, (value, slope, info) = moved, new
        if small or float(np.abs(parameters[:-1]).max()) > 2 * _INFINITE:
            return parameters, value, info, number, _describe_search_failure(parameters, slope, info, c)
    return parameters, value, info, _STEPS, "The search for the greatest likelihood did not converge."


def _describe_search_failure(at: np.ndarray, slope: np.ndarray, info: np.ndarray, c: int) -> str:
    if float(np.abs(at[c:-1]).max(initial=0.0)) > _INFINITE:
        return "A coefficient is infinite: columns tell the categories apart."
    free = slice(0, len(at) if at[-1] > 1e-4 else len(at) - 1)
    curved = np.linalg.eigvalsh(info[free, free])[0] > 0
    return "" if curved and float(np.abs(slope[free]).max()) < 1e-2 else "The likelihood has no maximum."


def _build_ordinal_fit(
    problem: _Problem,
    columns: Columns,
    *,
    parameters: np.ndarray,
    value: float,
    info: np.ndarray,
    n_steps: int,
    labels: dict[str, str],
) -> OrdinalFit:
    c = problem.data.n_categories - 1
    boundary = parameters[-1] < 1e-4
    free = len(parameters) - int(boundary)
    vcov = np.zeros(info.shape)
    vcov[:free, :free] = np.linalg.inv(info[:free, :free])
    adjusted = _compute_adjusted_variance(problem.data, parameters)
    back = np.diag(1 / problem.scale)
    fit = Fit(
        method=labels["method"],
        se_type=labels["se_type"],
        df_method=labels["df_method"],
        coefficients=Coefficients(
            names=problem.names,
            estimate=back @ parameters[c:-1],
            vcov=back @ vcov[c:-1, c:-1] @ back,
            df=np.full(len(problem.names), float(problem.df)),
            test_error=compute_larger_errors(back @ vcov[c:-1, c:-1] @ back, back @ adjusted @ back),
        ),
        convergence=Convergence(
            status="boundary" if boundary else "converged", objective=-2 * value, n_evaluations=n_steps
        ),
        n_pupils=len(columns.y),
        n_schools=len(columns.schools),
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        variances={"school": 0.0 if boundary else float(parameters[-1] ** 2)},
        dropped=tuple(name for name in columns.names if name not in (*problem.names, INTERCEPT)),
    )
    return OrdinalFit(
        fit=fit,
        thresholds=parameters[:c] + float(parameters[c:-1] @ (problem.centre / problem.scale)),
        categories=tuple(float(level) for level in problem.levels),
        parameters=parameters,
        vcov=vcov,
        data=problem.data,
        scale=problem.scale,
        centre=problem.centre,
    )


def _compute_adjusted_variance(data: Categories, parameters: np.ndarray) -> np.ndarray:
    """Return the coefficients' variance at the school variance that few schools call for.

    The distances between thresholds stay; their place moves as an intercept does.
    """
    c = data.n_categories - 1
    patterns = data.data
    shifted = replace(
        patterns,
        x=np.column_stack([np.ones(len(patterns.x)), patterns.x]),
        response=data.response(parameters[:c]),
    )
    start = np.append(0.0, parameters[c:-1])
    beta, school_sd = find_adjusted_profile_maximum(shifted, start, float(parameters[-1]), n_nodes=_LEAST_NODES)
    return np.linalg.pinv(information(shifted, beta, school_sd), hermitian=True)[1:, 1:]
