"""Poisson and negative binomial models with exposure and a random school intercept, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import optimize, special

from analysis.binary.fitting import build_tested_coefficients, describe_lacking_df
from analysis.binary.separation import select_informative_rows
from analysis.counts.rows import CountRows, count_rows
from analysis.counts.zero_inflation import ZeroInflated
from analysis.inference.adjusted_profile import compute_adjusted_vcov
from analysis.quadrature import NegativeBinomial, Optimum, Patterns, Poisson, Problem, Response, deviance, maximise
from analysis.quadrature.patterns import find_distinct_rows
from analysis.results import Convergence, Estimate, Fit, create_failed_fit
from analysis.specs import Model
from analysis.terms import Columns
from data_schema.errors import EstimationError

CountFamily = Literal["negative_binomial", "poisson"]

_FEW_NODES = 5
# Between them a dispersion is anything from none to one that no school has; below the first the counts are Poisson's.
LOG_DISPERSIONS = (-12.0, 5.0)
NO_DISPERSION = 1e-4
LOGIT_SHARES = (-12.0, 6.0)
_DIFFERENCE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class CountFit:
    """A fitted model of counts.

    Parameters
    ----------
    fit
        Coefficients are log rates; ``convergence.objective`` is minus twice the log-likelihood, constants included.
    dispersion
        Variance beyond Poisson's: mean + dispersion mean^2 given the school; 0 for Poisson.
    zero_share
        Share that is zero whatever the rate; 0 without zero inflation.
    n_without_exposure
        Rows left out because their exposure is missing or zero.
    share_informative
        Share of the exposure that is in the search. The rest is of strata and levels of covariates in which every count
        is zero: their rate is 0 in either arm.
    problem, optimum, adjusted, terms
        What rates need; None and empty when the fit failed.
    """

    fit: Fit
    dispersion: float = 0.0
    zero_share: float = 0.0
    n_without_exposure: int = 0
    share_informative: float = 1.0
    problem: Problem | None = field(default=None, repr=False)
    optimum: Optimum | None = field(default=None, repr=False)
    adjusted: np.ndarray | None = field(default=None, repr=False)
    terms: tuple[str, ...] = ()

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one log rate ratio; see `analysis.Fit.estimate`."""
        return self.fit.estimate(term, conf_level=conf_level)

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a coefficient, in the columns of the table of estimates."""
        return self.fit.tidy(conf_level=conf_level)

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit."""
        return self.fit.glance().assign(
            dispersion=self.dispersion, zero_share=self.zero_share, n_without_exposure=self.n_without_exposure
        )


def fit_counts(
    frame: pd.DataFrame,
    model: Model,
    *,
    family: CountFamily = "negative_binomial",
    exposure: str | None = None,
    zero_inflated: bool = False,
    n_nodes: int = 15,
) -> CountFit:
    """Fit a model of counts with a log link, exposure and a random school intercept by maximum likelihood.

    Parameters
    ----------
    frame
        One row per pupil; the outcome is a whole number, 0 or more, or missing.
    model
        Which column plays which part.
    family
        "negative_binomial" (variance mean + dispersion mean^2 between a school's pupils) or "poisson", whose errors are
        too small wherever pupils of a school differ in more than luck, as they do in absence.
    exposure
        Column of the time in which was counted, such as the school days enrolled; None for the same for all.
    zero_inflated
        Whether a share of the counts is zero whatever the rate. With Poisson, what pupils differ by is taken for such
        zeros, and intervals hold the truth too seldom (``HONESTY_OUTCOMES.md``).
    n_nodes
        Nodes of adaptive Gauss-Hermite quadrature; 1 is Laplace's approximation.

    Returns
    -------
    CountFit
        Tests and intervals as those of `analysis.fit_logistic_mixed`: the school variance of the adjusted profile
        likelihood, degrees of freedom of schools less school-level columns. A negative binomial without dispersion is
        Poisson's, and its ``method`` says so.

    Raises
    ------
    EstimationError
        When the family is unknown or an exposure is impossible.
    """
    if family not in get_args(CountFamily) or n_nodes < 1:
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"family='{family}' with {n_nodes} nodes is unknown.",
            f"Use one of {', '.join(get_args(CountFamily))}, and 1 node or more.",
        )
    every = count_rows(frame, model, exposure=exposure)
    if every.columns.reason:
        return fit_count_rows(every, family=family, zero_inflated=zero_inflated, n_nodes=n_nodes)
    informative = select_informative_rows(frame, model, are_counts=True)
    if informative is frame:
        return fit_count_rows(every, family=family, zero_inflated=zero_inflated, n_nodes=n_nodes)
    rows = count_rows(informative, model, exposure=exposure)
    informative_fit = fit_count_rows(rows, family=family, zero_inflated=zero_inflated, n_nodes=n_nodes)
    return _add_uninformative_pupils(informative_fit, every, share=float(rows.exposure.sum() / every.exposure.sum()))


def _add_uninformative_pupils(found: CountFit, every: CountRows, *, share: float) -> CountFit:
    """Return a fit to the pupils who tell something of the arms, with the others in its numbers and rates."""
    columns = every.columns
    fit = replace(
        found.fit,
        n_pupils=len(columns.y) if found.fit.n_pupils else 0,
        n_schools=len(columns.schools) if found.fit.n_schools else 0,
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        dropped=tuple(name for name in columns.names if found.problem and name not in found.problem.names),
    )
    return replace(found, fit=fit, n_without_exposure=every.n_without_exposure, share_informative=share)


def fit_count_rows(rows: CountRows, *, family: CountFamily, zero_inflated: bool, n_nodes: int) -> CountFit:
    """Fit rows that are made already; see `fit_counts`.

    Parameters
    ----------
    rows
        Columns, the first of which is the intercept, with counts and exposure.
    family, zero_inflated, n_nodes
        See `fit_counts`.
    """
    columns = rows.columns
    method = f"{'zero_inflated_' if zero_inflated else ''}{family}_mixed_{n_nodes}_nodes"
    if columns.reason:
        return _create_failed_count_fit(columns.reason, method, rows)
    best = _find_best_likelihood(rows, family=family, zero_inflated=zero_inflated, n_nodes=n_nodes)
    df = best.problem.between_df()
    reason = best.optimum.reason or describe_lacking_df(df)
    if reason:
        return _create_failed_count_fit(reason, method, rows)
    adjusted = compute_adjusted_vcov(best.problem.data, best.optimum, n_nodes=n_nodes)
    boundary = best.optimum.school_sd == 0 or (family == "negative_binomial" and best.dispersion == 0)
    return CountFit(
        fit=_fit(best, adjusted, columns, method=method, df=df, boundary=boundary),
        dispersion=best.dispersion,
        zero_share=best.zero_share,
        n_without_exposure=rows.n_without_exposure,
        problem=best.problem,
        optimum=best.optimum,
        adjusted=adjusted,
        terms=tuple(columns.arm_terms.values()),
    )


def _create_failed_count_fit(reason: str, method: str, rows: CountRows) -> CountFit:
    fit = create_failed_fit(
        reason, method=method, se_type="model", df_method="between", n_missing_outcome=rows.columns.n_missing_outcome
    )
    return CountFit(fit=fit, n_without_exposure=rows.n_without_exposure)


def _fit(found: _Found, adjusted: np.ndarray, columns: Columns, *, method: str, df: int, boundary: bool) -> Fit:
    problem, optimum = found.problem, found.optimum
    dfs = np.full(len(problem.names), float(df))
    return Fit(
        method=method,
        se_type="model",
        df_method="between",
        coefficients=build_tested_coefficients(
            problem, beta=optimum.beta, vcov=optimum.vcov, adjusted=adjusted, df=dfs
        ),
        convergence=Convergence(
            status="boundary" if boundary else "converged",
            objective=found.deviance,
            n_evaluations=optimum.n_evaluations,
        ),
        n_pupils=len(columns.y),
        n_schools=len(columns.schools),
        n_missing_outcome=columns.n_missing_outcome,
        n_missing_covariate=columns.n_missing_covariate,
        variances={"school": optimum.school_sd**2},
        dropped=tuple(name for name in columns.names if name not in problem.names),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The maximum, with the parameters beside the coefficients."""

    problem: Problem
    optimum: Optimum
    dispersion: float
    zero_share: float
    deviance: float


def _find_best_likelihood(rows: CountRows, *, family: CountFamily, zero_inflated: bool, n_nodes: int) -> _Found:
    """Minimise the deviance over dispersion and share of zeros, each with its best coefficients."""
    problem = Problem.of(rows.columns, make=count_patterns(rows.exposure))
    likelihood = _Likelihood(
        problem=problem,
        counts=rows.columns.y,
        zero=problem.data.events == 0,
        overdispersed=family == "negative_binomial",
        zero_inflated=zero_inflated,
    )
    answer = likelihood.at(_find_best_extras(likelihood), n_nodes=n_nodes)
    if family == "negative_binomial" and answer.dispersion < NO_DISPERSION:
        plain = _find_best_likelihood(rows, family="poisson", zero_inflated=zero_inflated, n_nodes=n_nodes)
        return plain if plain.deviance <= answer.deviance + 1e-3 else answer
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Likelihood:
    """The likelihood as a function of log dispersion and logit of the share of zeros, where it has them."""

    problem: Problem
    counts: np.ndarray
    zero: np.ndarray
    overdispersed: bool
    zero_inflated: bool

    def bounds(self) -> list[tuple[float, float]]:
        return [LOG_DISPERSIONS] * self.overdispersed + [LOGIT_SHARES] * self.zero_inflated

    def guess(self) -> np.ndarray:
        return np.array([0.0] * self.overdispersed + [-1.5] * self.zero_inflated)

    def given(self, extras: np.ndarray) -> tuple[Problem, float, float]:
        """Return the problem with a response, its dispersion and its share of zeros."""
        dispersion = float(np.exp(extras[0])) if self.overdispersed else 0.0
        share = float(special.expit(extras[-1])) if self.zero_inflated else 0.0
        base: Response = NegativeBinomial(dispersion=dispersion) if dispersion else Poisson()
        response = ZeroInflated(base, share, self.zero) if self.zero_inflated else base
        return replace(self.problem, data=replace(self.problem.data, response=response)), dispersion, share

    def at(self, extras: np.ndarray, *, n_nodes: int, start: np.ndarray | None = None) -> _Found:
        """Return the best coefficients."""
        problem, dispersion, share = self.given(extras)
        optimum = maximise(problem.data, n_nodes=n_nodes, start=start)
        value = optimum.deviance - 2 * count_constant(self.counts, dispersion=dispersion)
        return _Found(problem=problem, optimum=optimum, dispersion=dispersion, zero_share=share, deviance=value)

    def slope(self, extras: np.ndarray, optimum: Optimum) -> np.ndarray:
        """Return the deviance's slopes by central differences at the best coefficients, which need not move along."""

        def compute_deviance_at(moved: np.ndarray) -> float:
            problem, dispersion, _ = self.given(moved)
            deviance_value = deviance(problem.data, optimum.beta, optimum.school_sd, n_nodes=_FEW_NODES)
            return deviance_value - 2 * count_constant(self.counts, dispersion=dispersion)

        steps = _DIFFERENCE * np.eye(len(extras))
        return np.array(
            [
                (compute_deviance_at(extras + step) - compute_deviance_at(extras - step)) / (2 * _DIFFERENCE)
                for step in steps
            ]
        )


def _find_best_extras(likelihood: _Likelihood) -> np.ndarray:
    """Search the parameters beside the coefficients, each place beginning where the last one ended."""
    guess, bounds = likelihood.guess(), likelihood.bounds()
    start: list[np.ndarray | None] = [None]

    def compute_fit_at_extras(extras: np.ndarray) -> _Found:
        evaluated = likelihood.at(extras, n_nodes=_FEW_NODES, start=start[0])
        if not evaluated.optimum.reason:
            start[0] = np.append(evaluated.optimum.beta, max(evaluated.optimum.school_sd, 0.05))
        return evaluated

    def compute_deviance_and_slope(extras: np.ndarray) -> tuple[float, np.ndarray]:
        evaluated = compute_fit_at_extras(extras)
        return evaluated.deviance, likelihood.slope(extras, evaluated.optimum)

    if len(guess) == 0:
        return guess
    if len(guess) == 1:
        minimum = optimize.minimize_scalar(
            lambda extra: compute_fit_at_extras(np.array([extra])).deviance,
            bounds=bounds[0],
            method="bounded",
            options={"xatol": 1e-6},
        )
        return np.atleast_1d(minimum.x)
    both = optimize.minimize(
        compute_deviance_and_slope,
        guess,
        jac=True,
        bounds=bounds,
        method="L-BFGS-B",
        options={"ftol": 1e-13, "gtol": 1e-4},
    )
    return np.asarray(both.x)


def count_constant(counts: np.ndarray, *, dispersion: float) -> float:
    """Return the part of the log-likelihood that no coefficient moves.

    Parameters
    ----------
    counts
        Shape (N,).
    dispersion
        Of the negative binomial; 0 for Poisson.
    """
    total = -float(special.gammaln(counts + 1).sum())
    if dispersion:
        size = 1 / dispersion
        total += float((special.gammaln(counts + size) - special.gammaln(size) + counts * np.log(dispersion)).sum())
    return total


def count_patterns(exposure: np.ndarray) -> Callable[[np.ndarray, Columns], Patterns]:
    """Return patterns of the same covariates, exposure, and zero or not, the exposure being an offset."""

    def make(x: np.ndarray, columns: Columns) -> Patterns:
        values = np.column_stack([x, exposure, columns.y > 0])
        first, place = find_distinct_rows(values, columns.school)
        return Patterns(
            x=x[first],
            school=columns.school[first],
            count=np.bincount(place, minlength=len(first)).astype(float),
            events=np.bincount(place, weights=columns.y, minlength=len(first)),
            n_schools=len(columns.schools),
            offset=np.log(exposure[first]),
        )

    return make
