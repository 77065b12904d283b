"""Generalised estimating equations by school, with errors that hold for few schools.

Every school enters by its p-by-p information and its score, so that the corrections for few schools cost a small system
of equations a school.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.fitting import too_few
from analysis.binary.separation import separated_arm
from analysis.counts.rows import count_rows
from analysis.estimating_equations import MEANS, Equations, Solution, solve_equations
from analysis.mixed_models.moments import prepared_columns
from analysis.results import Coefficients, Convergence, Estimate, Fit, failed_fit
from analysis.specs import Model
from analysis.standardised import Standardised
from analysis.sums import school_columns
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
    """

    fit: Fit
    correlation: float

    def estimate(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return one coefficient; see `analysis.Fit.estimate`."""
        return self.fit.estimate(term, conf_level=conf_level)

    def difference(self, term: str, *, conf_level: float = 0.95) -> Estimate:
        """Return an arm's difference of means; see `analysis.Fit.difference`."""
        return self.fit.difference(term, conf_level=conf_level)

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Return one row a coefficient, in the columns of the table of estimates."""
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
        One row a pupil.
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
        weak prior.

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
    columns, exposed = _columns(frame, model, exposure)
    labels = {"method": f"gee_{link}_{correlation}", "se_type": se_type, "df_method": "between"}
    reason = columns.reason or _range(columns, link) or _unfit(columns, link)
    if reason:
        fit = failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome)
        return GeeFit(fit=fit, correlation=0.0)
    equations = Equations.of(columns, link=link, offset=None if exposed is None else np.log(exposed))
    solution = solve_equations(equations, exchangeable=correlation == "exchangeable")
    reason = solution.reason or too_few(equations.df)
    if reason:
        fit = failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome)
        return GeeFit(fit=fit, correlation=solution.correlation)
    back = equations.back
    vcov = _sandwich(solution, back, se_type=se_type)
    return GeeFit(
        fit=Fit(
            method=labels["method"],
            se_type=se_type,
            df_method="between",
            coefficients=Coefficients(
                names=equations.names,
                estimate=back @ solution.beta,
                vcov=back @ vcov @ back.T,
                df=_df(equations.names, columns, float(equations.df)),
            ),
            differences=_differences(equations, solution, vcov, columns=columns),
            convergence=Convergence(status="converged", n_evaluations=solution.n_steps),
            n_pupils=len(columns.y),
            n_schools=len(columns.schools),
            n_missing_outcome=columns.n_missing_outcome,
            n_missing_covariate=columns.n_missing_covariate,
            dropped=tuple(name for name in columns.names if name not in equations.names),
        ),
        correlation=solution.correlation,
    )


def _check(model: Model, *, link: str, correlation: str, se_type: str, exposure: str | None) -> None:
    place = f"model of '{model.outcome}'"
    for value, known in ((link, GeeLink), (correlation, Correlation), (se_type, GeeErrors)):
        if value not in get_args(known):
            raise EstimationError(place, f"'{value}' is unknown.", f"Use one of {', '.join(get_args(known))}.")
    if exposure is not None and link != "log":
        raise EstimationError(place, "an exposure needs the log link.", "Use link='log', or leave the exposure out.")


def _columns(frame: pd.DataFrame, model: Model, exposure: str | None) -> tuple[Columns, np.ndarray | None]:
    if exposure is None:
        return design_columns(frame, model), None
    rows = count_rows(frame, model, exposure=exposure)
    return rows.columns, rows.exposure


def _range(columns: Columns, link: str) -> str:
    low, high = float(columns.y.min()), float(columns.y.max())
    if link in ("logit", "cloglog") and (low < 0 or high > 1):
        return f"The outcome of the link {link} must lie between 0 and 1."
    if link == "log" and low < 0:
        return "The outcome of the log link must be 0 or more."
    return ""


def _unfit(columns: Columns, link: str) -> str:
    """Say why a link has no finite fit: an arm without events, or, of means themselves, nothing left to explain."""
    if link == "identity":
        return prepared_columns(school_columns(columns)).basis.reason
    return separated_arm(columns)


def _sandwich(solution: Solution, back: np.ndarray, *, se_type: GeeErrors) -> np.ndarray:
    bread = np.linalg.inv(solution.information.sum(axis=0))
    leverage = solution.information @ bread
    score = solution.score
    if se_type == "mancl_derouen":
        left = np.eye(len(bread)) - leverage
        score = np.einsum("jab,jb->ja", np.linalg.pinv(left, rcond=1e-10), score)
    elif se_type == "kauermann_carroll":
        score = _half_corrected(solution.information, bread, score)
    elif se_type == "fay_graubard":
        # The diagonal depends on the columns' origin: it is that of the columns as they were.
        turn = np.linalg.inv(back).T
        diagonal = np.einsum("jaa->ja", turn @ leverage @ back.T)
        score = (score @ turn.T / np.sqrt(1 - np.minimum(diagonal, _MOST_LEVERAGE))) @ back
    return np.asarray(bread @ (score.T @ score) @ bread)


def _half_corrected(information: np.ndarray, bread: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return (I - G M)^(-1/2) u for every school, by the symmetric form M^(1/2) G M^(1/2)."""
    values, vectors = np.linalg.eigh(bread)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    unroot = vectors @ np.diag(1 / np.sqrt(values)) @ vectors.T
    inner, axes = np.linalg.eigh(root @ information @ root)
    left = np.maximum(1 - inner, 0.0)
    factor = np.where(left > 1e-8, 1 / np.sqrt(np.where(left > 1e-8, left, 1.0)), 0.0)
    turned = np.einsum("jab,jb->ja", np.swapaxes(axes, 1, 2), score @ root)
    return np.asarray(np.einsum("jab,jb->ja", axes, factor * turned) @ unroot)


def _differences(
    equations: Equations, solution: Solution, vcov: np.ndarray, *, columns: Columns
) -> Coefficients | None:
    """Return differences of means, every pupil being in one arm or the other; None for the identity or without arms."""
    terms = tuple(columns.arm_terms.values())
    if equations.link == "identity" or not terms:
        return None
    values, slopes = [], []
    for chosen in (None, *terms):
        x = equations.x.copy()
        for term in terms:
            place = equations.names.index(term)
            x[:, place] = (float(term == chosen) - equations.centre[place]) / equations.scale[place]
        mean, slope = MEANS[equations.link].mean(x @ solution.beta + equations.offset)
        values.append(float(mean.mean()))
        slopes.append((slope[:, None] * x).mean(axis=0))
    means = Standardised.by_delta(np.array(values), np.array(slopes), vcov, terms=terms, df=equations.df)
    return replace(means.differences(), df=_df(terms, columns, float(equations.df)))


def _df(names: tuple[str, ...], columns: Columns, df: float) -> np.ndarray:
    """Return degrees of freedom by term; NaN for an arm of one school, whose residual tells nothing of its error."""
    return np.where(np.isin(names, columns.lone_terms), np.nan, df)
