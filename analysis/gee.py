"""Generalised estimating equations by school, with errors that hold for few schools.

Every school enters by its p-by-p information and its score, so that the corrections for few schools cost a small system
of equations per school.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.fitting import describe_lacking_df
from analysis.binary.separation import find_separated_arm, select_informative_rows
from analysis.counts.rows import count_rows
from analysis.estimating_equations import MEANS, Equations, Solution, fit_estimating_equations
from analysis.mixed_models.columns import build_school_columns
from analysis.mixed_models.moments import convert_columns_to_basis
from analysis.results import Coefficients, Convergence, Estimate, Fit, create_failed_fit
from analysis.specs import Model
from analysis.standardised import Standardised
from analysis.terms import Columns, design_columns, refuse_weights
from data_schema.errors import EstimationError

GeeLink = Literal["logit", "cloglog", "log", "identity"]
Correlation = Literal["exchangeable", "independence"]
GeeErrors = Literal["kauermann_carroll", "mancl_derouen", "fay_graubard", "robust"]

# Fay and Graubard keep a school's leverage below this.
_MOST_LEVERAGE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class GeeFit:
    """A fit by estimating equations.

    Parameters
    ----------
    fit
        Coefficients on the scale of the link; ``differences`` are differences of means, standardised over pupils.
    correlation
        Between pupils of a school; 0 where independence was assumed.
    means
        Means by arm, standardised over pupils; None where the fit failed or has no arms.
    """

    fit: Fit
    correlation: float = 0.0
    means: Standardised | None = None

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one coefficient; see `analysis.Fit.estimate`."""
        return self.fit.estimate(term, conf_level=conf_level)

    def difference(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return an arm's difference of means; see `analysis.Fit.difference`."""
        return self.fit.difference(term, conf_level=conf_level)

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row per coefficient, in the columns of the table of estimates."""
        return self.fit.tidy(conf_level=conf_level)

    def glance(self) -> pd.DataFrame:
        """Return one row for the fit, with the correlation."""
        return self.fit.glance().assign(correlation=self.correlation)


def fit_gee(
    frame: pd.DataFrame,
    model: Model,
    *,
    link: GeeLink = "logit",
    correlation: Correlation = "exchangeable",
    se_type: GeeErrors = "kauermann_carroll",
    exposure: str | None = None,
) -> GeeFit:
    """Fit means of pupils by estimating equations with schools as clusters.

    Parameters
    ----------
    frame
        One row per pupil.
    model
        Which column plays which part.
    link
        "logit" and "cloglog" for outcomes from 0 to 1 (shares too, which makes it the fractional response model of
        Papke and Wooldridge 1996) with a binomial variance; "log" for outcomes of 0 or more with a variance like the
        mean, of a binary outcome the risk ratio (Zou 2004); "identity" with a constant variance, of a binary outcome
        the risk difference.
    correlation
        "exchangeable": pupils of a school are alike by one correlation; "independence".
    se_type
        "kauermann_carroll", "mancl_derouen" and "fay_graubard" correct the sandwich for few schools; "robust" does not.
        Tests have a t distribution of schools less school-level columns in any case.
    exposure
        Column of the time in which was counted, for the log link; None for none.

    Returns
    -------
    GeeFit
        Failed when an arm has no events and the link has no finite coefficient for that; `analysis.risk_effects` has a
        weak prior. Strata and levels of covariates in which nobody had the event (for "logit" and "cloglog": or
        everybody) have infinite coefficients: they are left out of the equations and count in the means.

    Raises
    ------
    EstimationError
        When a choice is unknown or an exposure is given with another link than log.

    References
    ----------
    Liang and Zeger (1986), Biometrika 73, 13-22; Mancl and DeRouen (2001), Biometrics 57, 126-134; Kauermann and
    Carroll (2001), JASA 96, 1387-1396; Fay and Graubard (2001), Biometrics 57, 1198-1206.
    """
    refuse_weights(model)
    _check(model, link=link, correlation=correlation, se_type=se_type, exposure=exposure)
    labels = {"method": f"gee_{link}_{correlation}", "se_type": se_type, "df_method": "between"}
    every, _ = _build_gee_columns(frame, model, exposure)
    reason = every.reason or _describe_outcome_range(every, link)
    if reason:
        return _create_failed_gee_fit(reason, every, labels)
    columns, exposed = _build_gee_columns(_select_informative_groups(frame, model, link), model, exposure)
    reason = columns.reason or _describe_infinite_fit(columns, link)
    if reason:
        return _create_failed_gee_fit(reason, every, labels)
    equations = Equations.of(columns, link=link, offset=None if exposed is None else np.log(exposed))
    solution = fit_estimating_equations(equations, exchangeable=correlation == "exchangeable")
    reason = solution.reason or describe_lacking_df(equations.df)
    if reason:
        return _create_failed_gee_fit(reason, every, labels)
    vcov = _compute_sandwich_variance(solution, equations.back, se_type=se_type)
    means = _standardise_means_by_arm(equations, solution, vcov, columns=columns, every=every, arms=model.arms)
    return GeeFit(
        fit=_fit(equations, solution, vcov, columns=columns, every=every, means=means, labels=labels),
        correlation=solution.correlation,
        means=means,
    )


def _create_failed_gee_fit(reason: str, every: Columns, labels: dict[str, str]) -> GeeFit:
    return GeeFit(fit=create_failed_fit(reason, **labels, n_missing_outcome=every.n_missing_outcome))


def _select_informative_groups(frame: pd.DataFrame, model: Model, link: str) -> pd.DataFrame:
    """Return the rows of groups whose coefficient is finite: all of them where means are linear."""
    return frame if link == "identity" else select_informative_rows(frame, model, are_counts=link == "log")


def _fit(
    equations: Equations,
    solution: Solution,
    vcov: np.ndarray,
    *,
    columns: Columns,
    every: Columns,
    means: Standardised | None,
    labels: dict[str, str],
) -> Fit:
    """Return coefficients of the columns as they were, and differences of means where these are something else."""
    back, terms = equations.back, tuple(columns.arm_terms.values())
    differences = None
    if means is not None and equations.link != "identity":
        differences = replace(means.differences(), df=_compute_df_by_term(terms, columns, float(equations.df)))
    return Fit(
        method=labels["method"],
        se_type=labels["se_type"],
        df_method=labels["df_method"],
        coefficients=Coefficients(
            names=equations.names,
            estimate=back @ solution.beta,
            vcov=back @ vcov @ back.T,
            df=_compute_df_by_term(equations.names, columns, float(equations.df)),
        ),
        differences=differences,
        convergence=Convergence(status="converged", n_evaluations=solution.n_steps),
        n_pupils=len(every.y),
        n_schools=len(every.schools),
        n_missing_outcome=every.n_missing_outcome,
        n_missing_covariate=every.n_missing_covariate,
        dropped=tuple(name for name in every.names if name not in equations.names),
    )


def _check(model: Model, *, link: str, correlation: str, se_type: str, exposure: str | None) -> None:
    place = f"model of '{model.outcome}'"
    for value, known in ((link, GeeLink), (correlation, Correlation), (se_type, GeeErrors)):
        if value not in get_args(known):
            raise EstimationError(place, f"'{value}' is unknown.", f"Use one of {', '.join(get_args(known))}.")
    if exposure is not None and link != "log":
        raise EstimationError(place, "an exposure needs the log link.", "Use link='log', or leave the exposure out.")


def _build_gee_columns(frame: pd.DataFrame, model: Model, exposure: str | None) -> tuple[Columns, np.ndarray | None]:
    if exposure is None:
        return design_columns(frame, model), None
    rows = count_rows(frame, model, exposure=exposure)
    return rows.columns, rows.exposure


def _describe_outcome_range(columns: Columns, link: str) -> str:
    low, high = float(columns.y.min()), float(columns.y.max())
    if link in ("logit", "cloglog") and (low < 0 or high > 1):
        return f"The outcome of the link {link} must lie between 0 and 1."
    if link == "log" and low < 0:
        return "The outcome of the log link must be 0 or more."
    return ""


def _describe_infinite_fit(columns: Columns, link: str) -> str:
    """Return why a link has no finite fit: an arm without events, or, of means themselves, nothing left to explain."""
    if link == "identity":
        return convert_columns_to_basis(build_school_columns(columns)).basis.reason
    return find_separated_arm(columns)


def _compute_sandwich_variance(solution: Solution, back: np.ndarray, *, se_type: GeeErrors) -> np.ndarray:
    bread = np.linalg.inv(solution.information.sum(axis=0))
    leverage = solution.information @ bread
    score = solution.score
    if se_type == "mancl_derouen":
        left = np.eye(len(bread)) - leverage
        score = np.einsum("jab,jb->ja", np.linalg.pinv(left, rcond=1e-10), score)
    elif se_type == "kauermann_carroll":
        score = _adjust_score_by_half_leverage(solution.information, bread, score)
    elif se_type == "fay_graubard":
        # The diagonal depends on the columns' origin: it is that of the columns as they were.
        turn = np.linalg.inv(back).T
        diagonal = np.einsum("jaa->ja", turn @ leverage @ back.T)
        score = (score @ turn.T / np.sqrt(1 - np.minimum(diagonal, _MOST_LEVERAGE))) @ back
    return np.asarray(bread @ (score.T @ score) @ bread)


def _adjust_score_by_half_leverage(information: np.ndarray, bread: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return (I - G M)^(-1/2) u for every school, by the symmetric form M^(1/2) G M^(1/2)."""
    values, vectors = np.linalg.eigh(bread)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    unroot = vectors @ np.diag(1 / np.sqrt(values)) @ vectors.T
    inner, axes = np.linalg.eigh(root @ information @ root)
    left = np.maximum(1 - inner, 0.0)
    factor = np.where(left > 1e-8, 1 / np.sqrt(np.where(left > 1e-8, left, 1.0)), 0.0)
    turned = np.einsum("jab,jb->ja", np.swapaxes(axes, 1, 2), score @ root)
    return np.asarray(np.einsum("jab,jb->ja", axes, factor * turned) @ unroot)


def _standardise_means_by_arm(
    equations: Equations,
    solution: Solution,
    vcov: np.ndarray,
    *,
    columns: Columns,
    every: Columns,
    arms: tuple[str, ...],
) -> Standardised | None:
    """Return means by arm as if every pupil were in it; those of pupils who are left out are the same in any arm."""
    terms = tuple(columns.arm_terms.values())
    if not terms:
        return None
    values, slopes = [], []
    for chosen in (None, *terms):
        x = equations.x.copy()
        for term in terms:
            place = equations.names.index(term)
            x[:, place] = (float(term == chosen) - equations.centre[place]) / equations.scale[place]
        mean, slope = MEANS[equations.link].mean(x @ solution.beta + equations.offset)
        values.append(float(mean.sum()))
        slopes.append((slope[:, None] * x).sum(axis=0))
    left_out = float(every.y.sum() - columns.y.sum())
    n = len(every.y)
    return Standardised.by_delta(
        (np.array(values) + left_out) / n, np.array(slopes) / n, vcov, terms=terms, df=equations.df, arms=arms
    )


def _compute_df_by_term(names: tuple[str, ...], columns: Columns, df: float) -> np.ndarray:
    """Return degrees of freedom by term; NaN for an arm of one school, whose residual tells nothing of its error."""
    return np.where(np.isin(names, columns.lone_terms), np.nan, df)
