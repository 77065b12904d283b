"""The binary outcome with a random school intercept, by maximum likelihood or, where that is infinite, a weak prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.separation import (
    create_weak_prior,
    find_infinite_term,
    find_separated_arm,
    select_informative_rows,
)
from analysis.guards import describe_nonbinary_values
from analysis.inference.adjusted_profile import compute_adjusted_vcov
from analysis.quadrature import (
    LOGIT,
    ComplementaryLogLog,
    LinearShare,
    LogShare,
    Optimum,
    Problem,
    Response,
    average_mean,
    maximise,
    share_beyond,
)
from analysis.results import Coefficients, Convergence, Fit, create_failed_fit
from analysis.specs import Model
from analysis.standardised import Standardised
from analysis.terms import Columns, design_columns, refuse_weights
from data_schema.errors import EstimationError

Link = Literal["logit", "cloglog", "log", "identity"]
Separation = Literal["weak_prior", "fail"]

RESPONSES: dict[str, Response] = {
    "logit": LOGIT,
    "cloglog": ComplementaryLogLog(),
    "log": LogShare(),
    "identity": LinearShare(),
}
METHODS = {"logit": "logistic_mixed", "cloglog": "cloglog_mixed", "log": "log_mixed", "identity": "identity_mixed"}
# Links that a prior on log odds (or log hazards) makes sense for; the others fail where events are separated.
WITH_PRIOR = ("logit", "cloglog")
# Where more of the pupils and schools than this lie beyond 0 or 1, the link is not theirs.
_BEYOND = 1e-3


def fit_logistic_mixed(
    frame: pd.DataFrame, model: Model, *, n_nodes: int = 15, separation: Separation = "weak_prior"
) -> Fit:
    """Fit a logistic model with a random school intercept by maximum likelihood.

    Parameters
    ----------
    frame
        One row per pupil; the outcome is 0, 1 or missing.
    model
        Which column plays which part.
    n_nodes
        Nodes of adaptive Gauss-Hermite quadrature, 1 or more; 1 is Laplace's approximation.
    separation
        What to do where the likelihood has no maximum, because nobody (or everybody) in an arm had the event or
        covariates tell all events apart: "weak_prior" puts a log-F(1, 1) prior on the coefficients (``method`` then
        ends with "_weak_prior"), "fail" returns a failed fit.

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

    References
    ----------
    Greenland and Mansournia (2015), Statistics in Medicine 34, 3133-3143, for the prior.
    """
    return fit_binary_mixed(frame, model, link="logit", n_nodes=n_nodes, separation=separation)


def fit_binary_mixed(
    frame: pd.DataFrame,
    model: Model,
    *,
    link: Link = "logit",
    n_nodes: int = 15,
    separation: Separation = "weak_prior",
) -> Fit:
    """Fit a binary outcome with a random school intercept by maximum likelihood.

    Parameters
    ----------
    frame, model, n_nodes, separation
        See `fit_logistic_mixed`.
    link
        "logit" (coefficients are log odds), "cloglog" (log hazards of a time that is seen term by term), "log" (log
        risk ratios) or "identity" (risk differences). Normal school intercepts reach beyond the borders of the last
        two: shares stop there, and where more than one in a thousand does, the fit is "boundary" and says so. They have
        no weak prior: separated events fail.

    Raises
    ------
    EstimationError
        For another link, or fewer nodes than one.
    """
    return fit_binary(frame, model, link=link, n_nodes=n_nodes, separation=separation).fit


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryFit:
    """A fit with what risks need of it.

    Parameters
    ----------
    fit
        The fit; failed when the others are None.
    problem, optimum
        The patterns and where their likelihood is greatest.
    adjusted
        Shape (p + 1, p + 1), variance of (beta, school_sd) that few schools call for.
    share_informative
        Share of the pupils who are in the search; the risk of the others is ``share_left_out_events`` in either arm.
    share_left_out_events
        Share of all pupils who are left out of the search and had the event.
    terms
        Columns of the arms other than the reference, which are in the fit.
    note
        That a prior was used, and why; empty without one.
    """

    fit: Fit
    problem: Problem | None = None
    optimum: Optimum | None = None
    adjusted: np.ndarray | None = None
    share_informative: float = 1.0
    share_left_out_events: float = 0.0
    terms: tuple[str, ...] = ()
    note: str = ""


def fit_binary(
    frame: pd.DataFrame, model: Model, *, link: Link, n_nodes: int, separation: Separation = "weak_prior"
) -> BinaryFit:
    """Fit as `fit_binary_mixed` does, and keep what risks need."""
    refuse_weights(model)
    _check(model, link=link, n_nodes=n_nodes, separation=separation)
    labels = {"method": f"{METHODS[link]}_{n_nodes}_nodes", "se_type": "model", "df_method": "between"}
    every = design_columns(frame, model)
    reason = every.reason or describe_nonbinary_values(every.y, every.outcome)
    if not reason:
        # A linear share has no infinite coefficient: strata without events tell as much as others.
        informative_frame = frame if link == "identity" else select_informative_rows(frame, model)
        columns = every if informative_frame is frame else design_columns(informative_frame, model)
        reason = columns.reason or find_separated_arm(columns)
    if not reason:
        tried = _fit_by_search(columns, every, labels=labels, response=RESPONSES[link], n_nodes=n_nodes, note="")
        if not tried.note:
            return tried
        reason = tried.note
    if (
        separation == "fail"
        or link not in WITH_PRIOR
        or every.reason
        or describe_nonbinary_values(every.y, every.outcome)
    ):
        return BinaryFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=every.n_missing_outcome))
    usable = every if columns.reason else columns
    labels = {**labels, "method": labels["method"] + "_weak_prior"}
    return _fit_by_search(
        usable, every, labels=labels, response=RESPONSES[link], n_nodes=n_nodes, note=describe_prior_reason(reason)
    )


def fit_binary_columns(columns: Columns, *, link: Link, n_nodes: int) -> BinaryFit:
    """Fit columns that are made already; where a coefficient is infinite, with the weak prior.

    Parameters
    ----------
    columns
        The first is the intercept.
    link, n_nodes
        See `fit_binary_mixed`.
    """
    labels = {"method": f"{METHODS[link]}_{n_nodes}_nodes", "se_type": "model", "df_method": "between"}
    reason = columns.reason or describe_nonbinary_values(columns.y, columns.outcome)
    if reason:
        return BinaryFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome))
    tried = _fit_by_search(columns, columns, labels=labels, response=RESPONSES[link], n_nodes=n_nodes, note="")
    if not tried.note or link not in WITH_PRIOR:
        return replace(tried, note="")
    labels = {**labels, "method": labels["method"] + "_weak_prior"}
    return _fit_by_search(
        columns,
        columns,
        labels=labels,
        response=RESPONSES[link],
        n_nodes=n_nodes,
        note=describe_prior_reason(tried.note),
    )


def describe_prior_reason(reason: str) -> str:
    """Describe why a prior was used."""
    return f"{reason} A weak log-F(1, 1) prior on the coefficients keeps the estimates finite."


def _check(model: Model, *, link: str, n_nodes: int, separation: str) -> None:
    if link not in get_args(Link):
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"the link '{link}' is unknown.",
            f"Use one of {', '.join(get_args(Link))}.",
        )
    if separation not in get_args(Separation):
        raise EstimationError(
            f"model of '{model.outcome}'",
            f"separation='{separation}' is unknown.",
            f"Use one of {', '.join(get_args(Separation))}.",
        )
    if n_nodes < 1:
        raise EstimationError(f"model of '{model.outcome}'", f"{n_nodes} nodes are too few.", "Use 1 or more.")


def _fit_by_search(
    columns: Columns, every: Columns, *, labels: dict[str, str], response: Response, n_nodes: int, note: str
) -> BinaryFit:
    """Search for the maximum; ``note`` is not empty when a prior is to be used, or is the reason for one."""
    problem = Problem.of(columns)
    data = replace(problem.data, response=response, prior=create_weak_prior(problem) if note else None)
    problem = replace(problem, data=data)
    optimum = maximise(data, n_nodes=n_nodes)
    if not note:
        infinite = optimum.reason or find_infinite_term(problem, optimum, columns)
        if infinite:
            fit = create_failed_fit(infinite, **labels, n_missing_outcome=every.n_missing_outcome)
            return BinaryFit(fit=fit, note=infinite)
    df = problem.between_df()
    reason = optimum.reason or describe_lacking_df(df)
    if reason:
        return BinaryFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=every.n_missing_outcome))
    adjusted = compute_adjusted_vcov(data, optimum, n_nodes=n_nodes)
    draft = BinaryFit(
        fit=create_failed_fit("", **labels, n_missing_outcome=0),
        problem=problem,
        optimum=optimum,
        adjusted=adjusted,
        share_informative=len(columns.y) / len(every.y),
        share_left_out_events=float(every.y.sum() - columns.y.sum()) / len(every.y),
        terms=tuple(columns.arm_terms.values()),
        note=note,
    )
    return replace(draft, fit=_fit(draft, every, labels=labels, df=df))


def _fit(draft: BinaryFit, every: Columns, *, labels: dict[str, str], df: int) -> Fit:
    problem, optimum, adjusted = require_fitted_parts(draft)
    dfs = np.full(len(problem.names), float(df))
    return Fit(
        **labels,
        coefficients=build_tested_coefficients(
            problem, beta=optimum.beta, vcov=optimum.vcov, adjusted=adjusted, df=dfs
        ),
        differences=_estimate_risk_differences(draft, df=df),
        convergence=describe_search_end(problem, optimum),
        n_pupils=len(every.y),
        n_schools=len(every.schools),
        n_missing_outcome=every.n_missing_outcome,
        n_missing_covariate=every.n_missing_covariate,
        variances={"school": optimum.school_sd**2},
        dropped=tuple(name for name in every.names if name not in problem.names),
    )


def describe_search_end(problem: Problem, optimum: Optimum) -> Convergence:
    """Describe how a search ended: with schools that do not differ, or with shares beyond the borders of the link."""
    data = problem.data
    beyond = share_beyond(data.response, data.linear(optimum.beta), optimum.school_sd, count=data.count)
    reason = ""
    if beyond > _BEYOND:
        reason = (
            f"Of pupils and schools, {100 * beyond:.1f} in 100 lie beyond the border of the link, where shares stop: "
            "use the logit link, which gives a risk difference and a risk ratio too."
        )
    return Convergence(
        status="boundary" if reason or optimum.school_sd == 0 else "converged",
        objective=optimum.deviance,
        n_evaluations=optimum.n_evaluations,
        reason=reason,
    )


def require_fitted_parts(binary: BinaryFit) -> tuple[Problem, Optimum, np.ndarray]:
    """Return the parts of a fit that did not fail.

    Raises
    ------
    ValueError
        When it failed.
    """
    if binary.problem is None or binary.optimum is None or binary.adjusted is None:
        raise ValueError("The fit failed and has no parts.")
    return binary.problem, binary.optimum, binary.adjusted


def compute_larger_errors(*vcovs: np.ndarray) -> np.ndarray:
    """Return, term by term, the largest standard error of several variances."""
    return np.asarray(np.sqrt(np.max([np.diag(vcov) for vcov in vcovs], axis=0)))


def build_tested_coefficients(
    problem: Problem, *, beta: np.ndarray, vcov: np.ndarray, adjusted: np.ndarray, df: np.ndarray
) -> Coefficients:
    """Return a fit's coefficients on the outcome's scale, tested with the larger of two errors.

    Parameters
    ----------
    problem
        Of p scaled columns.
    beta
        Shape (p,), scaled.
    vcov, adjusted
        Shape (p or more, p or more), scaled, columns first: by maximum likelihood, and at the adjusted school variance.
    df
        Shape (p,), degrees of freedom.
    """
    back, p = problem.to_original(), len(problem.names)
    by_likelihood = back @ vcov[:p, :p] @ back.T
    return Coefficients(
        names=problem.names,
        estimate=back @ beta,
        vcov=by_likelihood,
        df=df,
        test_error=compute_larger_errors(by_likelihood, back @ adjusted[:p, :p] @ back.T),
    )


def describe_lacking_df(df: int) -> str:
    """Return a reason when there are no degrees of freedom between schools."""
    return "" if df >= 1 else "There are no more schools than school-level columns: the schools' variance is unknown."


def standardise_arm_risks(
    problem: Problem, beta: np.ndarray, school_sd: float, *, terms: tuple[str, ...], n_nodes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Standardise shares over the pupils of the fit, the reference arm first.

    Parameters
    ----------
    problem
        The patterns; schools that count several times do so here.
    beta, school_sd
        Scaled coefficients and the school's standard deviation, over which shares are averaged.
    terms
        Columns of the arms other than the reference.
    n_nodes
        Nodes of the quadrature over schools; None for as many as it takes.

    Returns
    -------
    tuple of numpy.ndarray
        Shapes (A,) and (A, p + 1): shares and their derivatives by (beta, school_sd).
    """
    data = problem.data
    count = data.count if data.school_weight is None else data.count * data.school_weight[data.school]
    shares = []
    for chosen in (None, *terms):
        x = problem.with_arm(list(terms), chosen=chosen)
        shares.append(average_mean(x @ beta, school_sd, x=x, count=count, response=data.response, n_nodes=n_nodes))
    return np.array([share[0] for share in shares]), np.array([share[1] for share in shares])


def _estimate_risk_differences(draft: BinaryFit, *, df: int) -> Coefficients:
    """Standardise shares over the pupils of the fit; in strata left out the difference is zero."""
    problem, optimum, adjusted = require_fitted_parts(draft)
    shares, slopes = standardise_arm_risks(problem, optimum.beta, optimum.school_sd, terms=draft.terms)
    informative = draft.share_informative
    risks = Standardised.by_delta(shares * informative, slopes * informative, adjusted, terms=draft.terms, df=df)
    return risks.differences()
