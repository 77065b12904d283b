"""The logistic model with a random school intercept, by maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special

from analysis.inference.adjusted_profile import adjusted_profile, information
from analysis.quadrature import Patterns, average_share, deviance_and_gradient, patterns
from analysis.results import Coefficients, Convergence, Fit, failed_fit
from analysis.specs import Model
from analysis.sums import scaled_columns
from analysis.terms import Columns, design_columns, numeric_column

_Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]

# Log odds beyond this are a share of 0 or 1 to six digits: the likelihood has no maximum, the search only stopped.
_INFINITE_LOG_ODDS = 15.0


def fit_logistic_mixed(frame: pd.DataFrame, model: Model, *, n_nodes: int = 15) -> Fit:
    """Fit a logistic model with a random school intercept by maximum likelihood.

    Parameters
    ----------
    frame
        One row a pupil; the outcome is 0, 1 or missing.
    model
        Which column plays which part.
    n_nodes
        Nodes of adaptive Gauss-Hermite quadrature, 1 or more; 1 is Laplace's approximation.

    Returns
    -------
    Fit
        Coefficients are log odds given the school; variance ``school`` on the logit scale; ``differences`` are risk
        differences: shares if every pupil were in the arm less shares if every pupil were in the reference arm,
        averaged over pupils and schools, with standard errors by the delta method. Estimates, their variance and the
        school variance are those of maximum likelihood, as glmer has them; tests, intervals and the errors of the
        differences use the school variance of the adjusted profile likelihood, since maximum likelihood's is too small
        where schools are few, and as many degrees of freedom as schools less school-level columns.
        ``convergence.objective`` is the deviance, minus twice the log-likelihood. Strata and levels of covariates in
        which everybody or nobody had the event tell nothing of the odds ratio and are left out of the search.
    """
    labels = {"method": f"logistic_mixed_{n_nodes}_nodes", "se_type": "model", "df_method": "between"}
    columns = design_columns(frame, model)
    reason = columns.reason or _not_binary(columns) or _separation(columns)
    n_missing = columns.n_missing_outcome
    if reason:
        return failed_fit(reason, **labels, n_missing_outcome=n_missing)
    every = columns
    columns = design_columns(_informative(frame, model), model)
    reason = columns.reason or _separation(columns)
    if reason:
        return failed_fit(reason, **labels, n_missing_outcome=n_missing)
    problem = _Problem.of(columns)
    optimum = _optimum(problem.data, n_nodes=n_nodes)
    df = _between_df(problem.data)
    adjusted = _adjusted_vcov(problem.data, optimum, n_nodes=n_nodes)
    reason = optimum.reason or _infinite(problem, optimum, columns) or _too_few(df)
    if reason:
        return failed_fit(reason, **labels, n_missing_outcome=n_missing)
    back, p = problem.to_original(), len(problem.names)
    return Fit(
        **labels,
        coefficients=Coefficients(
            names=problem.names,
            estimate=back @ optimum.beta,
            vcov=back @ optimum.vcov[:p, :p] @ back.T,
            df=np.full(p, float(df)),
            test_error=_larger_errors(back @ optimum.vcov[:p, :p] @ back.T, back @ adjusted[:p, :p] @ back.T),
        ),
        differences=_risk_differences(
            problem, optimum, adjusted, terms=columns.arm_terms, share_informative=len(columns.y) / len(every.y), df=df
        ),
        convergence=Convergence(
            status="boundary" if optimum.school_sd == 0 else "converged",
            objective=optimum.deviance,
            n_evaluations=optimum.n_evaluations,
        ),
        n_pupils=len(every.y),
        n_schools=len(every.schools),
        n_missing_outcome=n_missing,
        n_missing_covariate=every.n_missing_covariate,
        variances={"school": optimum.school_sd**2},
        dropped=tuple(name for name in every.names if name not in problem.names),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Patterns of centred and scaled columns, with the way back."""

    data: Patterns
    names: tuple[str, ...]
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, columns: Columns) -> _Problem:
        kept, values, centre, scale = scaled_columns(columns)
        return cls(
            data=patterns(values[:, :-1], columns.y, columns.school, n_schools=len(columns.schools)),
            names=tuple(columns.names[k] for k in kept),
            centre=centre[:-1],
            scale=scale[:-1],
        )

    def to_original(self) -> np.ndarray:
        """Return the matrix that turns scaled coefficients into those of the columns as they were."""
        back = np.diag(1 / self.scale)
        back[0] -= self.centre / self.scale
        return back

    def level(self, name: str, value: float) -> float:
        """Return a column's value, scaled."""
        place = self.names.index(name)
        return float((value - self.centre[place]) / self.scale[place])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Optimum:
    """The maximum of the likelihood; ``vcov`` has shape (p + 1, p + 1), the school's standard deviation last."""

    beta: np.ndarray
    school_sd: float
    vcov: np.ndarray
    deviance: float
    n_evaluations: int
    reason: str


def _optimum(data: Patterns, *, n_nodes: int) -> _Optimum:
    p = data.x.shape[1]

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        sign = -1.0 if parameters[-1] < 0 else 1.0
        value, gradient = deviance_and_gradient(data, parameters[:-1], sign * float(parameters[-1]), n_nodes=n_nodes)
        gradient[-1] *= sign
        return value, gradient

    pooled = _pooled_logit(data)
    found = optimize.minimize(objective, np.append(pooled, 0.5), jac=True, method="BFGS", options={"gtol": 1e-6})
    parameters, n_polish = _polished(objective, found.x)
    value = objective(parameters)[0]
    at_zero = objective(np.append(pooled, 0.0))[0]
    n_evaluations = int(found.nfev) + n_polish + 2
    free = slice(0, p + 1)
    if at_zero <= value + 1e-8:
        parameters, value, free = np.append(pooled, 0.0), at_zero, slice(0, p)
    hessian = _hessian(objective, parameters)[free, free]
    vcov = np.zeros((p + 1, p + 1))
    reason = ""
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 1e-9 * np.abs(hessian).max():
        reason = "The likelihood has no curvature at its maximum: a coefficient is infinite or cannot be told apart."
    elif float(np.abs(objective(parameters)[1][free]).max()) > 1e-2:
        reason = "The search for the greatest likelihood did not converge."
    else:
        vcov[free, free] = 2 * np.linalg.inv(hessian)
    return _Optimum(
        beta=parameters[:-1],
        school_sd=abs(float(parameters[-1])),
        vcov=vcov,
        deviance=value,
        n_evaluations=n_evaluations,
        reason=reason,
    )


def _polished(objective: _Objective, parameters: np.ndarray) -> tuple[np.ndarray, int]:
    """Take Newton steps from where BFGS stopped, as long as they lower the gradient."""
    value, gradient = objective(parameters)
    n_evaluations = 1
    for _ in range(5):
        hessian = _hessian(objective, parameters)
        n_evaluations += 2 * len(parameters)
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            break
        moved = parameters - np.linalg.solve(hessian, gradient)
        new_value, new_gradient = objective(moved)
        n_evaluations += 1
        if not new_value <= value + 1e-9 or np.abs(new_gradient).max() >= np.abs(gradient).max():
            break
        parameters, value, gradient = moved, new_value, new_gradient
        if float(np.abs(gradient).max()) < 1e-9:
            break
    return parameters, n_evaluations


def _hessian(objective: _Objective, centre: np.ndarray) -> np.ndarray:
    """Return central differences of the exact gradient, relative error about 1e-8."""
    size = len(centre)
    hessian = np.empty((size, size))
    for place in range(size):
        step = np.zeros(size)
        step[place] = 1e-4 * max(abs(float(centre[place])), 0.5)
        hessian[place] = (objective(centre + step)[1] - objective(centre - step)[1]) / (2 * step[place])
    return (hessian + hessian.T) / 2


def _pooled_logit(data: Patterns) -> np.ndarray:
    """Return the maximum of the likelihood without school intercepts, by iteratively weighted least squares."""
    beta = np.zeros(data.x.shape[1])
    for _ in range(50):
        chance = special.expit(np.clip(data.x @ beta, -30, 30))
        weight = np.maximum(data.count * chance * (1 - chance), 1e-10)
        slope = data.x.T @ (data.events - data.count * chance)
        step = np.linalg.lstsq(data.x.T @ (data.x * weight[:, None]), slope, rcond=None)[0]
        beta = beta + np.clip(step, -5.0, 5.0)
        if float(np.abs(step).max()) < 1e-12:
            break
    return beta


def _adjusted_vcov(data: Patterns, optimum: _Optimum, *, n_nodes: int) -> np.ndarray:
    """Return the variance of (beta, school_sd) at the school variance that few schools call for."""
    p = len(optimum.beta)
    vcov = optimum.vcov.copy()
    if not optimum.reason:
        beta, school_sd = adjusted_profile(data, optimum.beta, optimum.school_sd, n_nodes=n_nodes)
        vcov[:p, :p] = np.linalg.pinv(information(data, beta, school_sd), hermitian=True)
        vcov[:p, p:] = vcov[p:, :p] = 0.0
    return vcov


def _larger_errors(*vcovs: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.max([np.diag(vcov) for vcov in vcovs], axis=0)))


def _risk_differences(
    problem: _Problem,
    optimum: _Optimum,
    vcov: np.ndarray,
    *,
    terms: Mapping[str, str],
    share_informative: float,
    df: int,
) -> Coefficients:
    """Standardise shares over the pupils of the fit; in strata left out the difference is zero."""
    names = list(terms.values())
    places = [problem.names.index(term) for term in names]
    reference = problem.data.x.copy()
    for term, place in zip(names, places, strict=True):
        reference[:, place] = problem.level(term, 0.0)
    shares = []
    for chosen in (None, *names):
        x = reference.copy()
        if chosen is not None:
            x[:, problem.names.index(chosen)] = problem.level(chosen, 1.0)
        shares.append(average_share(x @ optimum.beta, optimum.school_sd, x=x, count=problem.data.count))
    slopes = [share[1] - shares[0][1] for share in shares[1:]]
    gradient = np.array(slopes).reshape(len(names), len(vcov)) * share_informative
    return Coefficients(
        names=tuple(names),
        estimate=np.array([share[0] - shares[0][0] for share in shares[1:]]) * share_informative,
        vcov=gradient @ vcov @ gradient.T,
        df=np.full(len(names), float(df)),
    )


def _not_binary(columns: Columns) -> str:
    if np.isin(columns.y, (0.0, 1.0)).all():
        return ""
    return "The outcome of a logistic model must be 0 or 1."


def _separation(columns: Columns) -> str:
    """Name an arm in which nobody or everybody had the event: its log odds are infinite."""
    groups = {arm: columns.x[:, columns.names.index(term)] == 1 for arm, term in columns.arm_terms.items()}
    if groups:
        groups["reference"] = ~np.any(list(groups.values()), axis=0)
    for arm, rows in groups.items():
        if float(np.ptp(columns.y[rows])) == 0:
            share = "Nobody" if columns.y[rows][0] == 0 else "Everybody"
            return f"{share} in the arm {arm} had the event: the odds ratio is infinite."
    return ""


def _informative(frame: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Return the rows that tell something of the arms.

    A stratum or a level of a covariate in which nobody (or everybody) had the event has infinite log odds: its pupils'
    shares are 0 (or 1) in either arm, and the likelihood of the others is the same without them.
    """
    outcome = numeric_column(frame, model.outcome)
    groups = _groups(frame, model)
    kept: np.ndarray = np.isfinite(outcome)
    while True:
        before = int(kept.sum())
        for codes in groups:
            values = pd.Series(np.where(kept, outcome, np.nan)).groupby(codes)
            varies = (values.transform("max") > values.transform("min")).to_numpy(dtype=bool)
            kept = kept & (varies | (codes < 0))
        if int(kept.sum()) == before:
            return frame.loc[kept]


def _groups(frame: pd.DataFrame, model: Model) -> list[np.ndarray]:
    """Return the group of each row by stratum and by each covariate; -1 for rows that a number tells apart."""
    groups = [pd.factorize(frame[model.strata])[0]] if model.strata is not None else []
    for covariate in model.covariates:
        values = frame[covariate]
        codes = pd.factorize(values, use_na_sentinel=False)[0]
        few = values.nunique() <= 2 or not pd.api.types.is_numeric_dtype(values)
        groups.append(codes if few else np.where(values.isna(), 0, -1))
    return groups


def _infinite(problem: _Problem, optimum: _Optimum, columns: Columns) -> str:
    """Name an arm whose log odds only stopped growing, or whose error says as much."""
    back, p = problem.to_original(), len(problem.names)
    estimate = back @ optimum.beta
    error = np.sqrt(np.diag(back @ optimum.vcov[:p, :p] @ back.T))
    for arm, term in columns.arm_terms.items():
        place = problem.names.index(term)
        if max(abs(float(estimate[place])), float(error[place])) > _INFINITE_LOG_ODDS:
            return f"The odds ratio of the arm {arm} is infinite: strata or covariates separate the arms' events."
    return ""


def _too_few(df: int) -> str:
    return "" if df >= 1 else "There are no more schools than school-level columns: the schools' variance is unknown."


def _between_df(data: Patterns) -> int:
    """Return schools less columns that are constant within every school."""
    highest = np.full((data.n_schools, data.x.shape[1]), -np.inf)
    lowest = np.full((data.n_schools, data.x.shape[1]), np.inf)
    np.maximum.at(highest, data.school, data.x)
    np.minimum.at(lowest, data.school, data.x)
    return data.n_schools - int((highest == lowest).all(axis=0).sum())
