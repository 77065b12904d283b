"""Generalised estimating equations by school, with errors that hold for few schools.

Every school enters by its p-by-p information and its score, so that the corrections for few schools cost a small system
of equations a school.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analysis.binary.fitting import too_few
from analysis.binary.separation import separated_arm
from analysis.counts.rows import count_rows
from analysis.quadrature import LOGIT, ComplementaryLogLog, Poisson, Response
from analysis.results import Coefficients, Convergence, Estimate, Fit, failed_fit
from analysis.specs import Model
from analysis.standardised import Standardised
from analysis.sums import scaled_columns
from analysis.terms import Columns, design_columns
from data_schema.errors import EstimationError

GeeLink = Literal["logit", "cloglog", "log", "identity"]
Correlation = Literal["exchangeable", "independence"]
GeeErrors = Literal["kauermann_carroll", "mancl_derouen", "fay_graubard", "robust"]

_STEPS = 100
# Fay and Graubard keep a school's leverage below this.
_MOST_LEVERAGE = 0.75
_MOST_CORRELATION = 0.99


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
    _check(model, link=link, correlation=correlation, se_type=se_type, exposure=exposure)
    columns, exposed = _columns(frame, model, exposure)
    labels = {"method": f"gee_{link}_{correlation}", "se_type": se_type, "df_method": "between"}
    reason = columns.reason or _range(columns, link) or ("" if link == "identity" else separated_arm(columns))
    if reason:
        fit = failed_fit(reason, **labels, n_missing_outcome=columns.n_missing_outcome)
        return GeeFit(fit=fit, correlation=0.0)
    equations = _Equations.of(columns, link=link, offset=None if exposed is None else np.log(exposed))
    solution = _solve(equations, exchangeable=correlation == "exchangeable")
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
                df=np.full(len(solution.beta), float(equations.df)),
            ),
            differences=_differences(equations, solution, vcov, terms=tuple(columns.arm_terms.values())),
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


@dataclass(frozen=True, slots=True)
class _Identity:
    """The mean itself is linear."""

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return eta, np.ones_like(eta)


_MEANS: dict[str, Response | _Identity] = {
    "logit": LOGIT,
    "cloglog": ComplementaryLogLog(),
    "log": Poisson(),
    "identity": _Identity(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Equations:
    """Rows sorted by school, columns scaled."""

    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    offset: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    back: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    link: str
    df: int

    @classmethod
    def of(cls, columns: Columns, *, link: str, offset: np.ndarray | None) -> _Equations:
        kept, values, centre, scale = scaled_columns(columns)
        order = np.argsort(columns.school, kind="stable")
        school, x = columns.school[order], values[order, :-1]
        starts = np.searchsorted(school, np.arange(len(columns.schools)))
        back = np.diag(1 / scale[:-1])
        back[0] -= centre[:-1] / scale[:-1]
        constant = (x == x[starts][school]).all(axis=0)
        return cls(
            names=tuple(columns.names[k] for k in kept),
            x=x,
            y=columns.y[order],
            offset=np.zeros(len(x)) if offset is None else offset[order],
            starts=starts,
            sizes=np.diff(np.append(starts, len(x))).astype(float),
            back=back,
            centre=centre[:-1],
            scale=scale[:-1],
            link=link,
            df=len(columns.schools) - int(constant.sum()),
        )

    def moments(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return means, their derivatives by the linear predictor, and standard deviations."""
        mean, slope = _MEANS[self.link].mean(self.x @ beta + self.offset)
        if self.link == "identity":
            return mean, slope, np.ones_like(mean)
        variance = mean if self.link == "log" else mean * (1 - mean)
        return mean, slope, np.sqrt(np.maximum(variance, 1e-12))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    """Where the equations are zero; ``information`` (J, p, p) and ``score`` (J, p) by school."""

    beta: np.ndarray
    correlation: float
    information: np.ndarray
    score: np.ndarray
    n_steps: int
    reason: str


def _solve(equations: _Equations, *, exchangeable: bool) -> _Solution:
    """Take Fisher's steps, the correlation by moments of the residuals before each."""
    beta = np.zeros(equations.x.shape[1])
    if equations.link == "log":
        beta[0] = np.log(equations.y.sum() / np.exp(equations.offset).sum())
    reason = "The estimating equations have no solution: a coefficient is infinite."
    rho, step_number = 0.0, 0
    for step_number in range(1, _STEPS + 1):
        rho = _correlation(equations, beta) if exchangeable and step_number > 1 else 0.0
        information, score = _by_school(equations, beta, rho)
        step = np.linalg.lstsq(information.sum(axis=0), score.sum(axis=0), rcond=None)[0]
        beta = beta + np.clip(step, -5.0, 5.0)
        if step_number > 2 and float(np.abs(step).max()) < 1e-10:
            reason = ""
            break
        if float(np.abs(beta).max()) > 50:
            break
    information, score = _by_school(equations, beta, rho)
    return _Solution(
        beta=beta, correlation=rho, information=information, score=score, n_steps=step_number, reason=reason
    )


def _correlation(equations: _Equations, beta: np.ndarray) -> float:
    """Return the mean product of two pupils' residuals over their mean square."""
    mean, _, spread = equations.moments(beta)
    residual = (equations.y - mean) / spread
    square = float((residual**2).sum())
    sums = np.add.reduceat(residual, equations.starts)
    pairs = float((equations.sizes * (equations.sizes - 1)).sum())
    if pairs == 0 or square == 0:
        return 0.0
    rho = (float((sums**2).sum()) - square) / pairs / (square / len(residual))
    # A correlation of -1 / (n - 1) has no inverse: half of it is the most that the largest school is left with.
    least = -0.5 / max(float(equations.sizes.max()) - 1, 1.0)
    return float(np.clip(rho, least, _MOST_CORRELATION))


def _by_school(equations: _Equations, beta: np.ndarray, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """Return every school's information and score under the exchangeable correlation."""
    mean, slope, spread = equations.moments(beta)
    residual = (equations.y - mean) / spread
    d = equations.x * (slope / spread)[:, None]
    p = d.shape[1]
    products = (d[:, :, None] * d[:, None, :]).reshape(len(d), p * p)
    sums = np.add.reduceat(np.column_stack([residual, d, d * residual[:, None], products]), equations.starts, axis=0)
    total, by_d, by_score = sums[:, 0], sums[:, 1 : p + 1], sums[:, p + 1 : 2 * p + 1]
    shrink = rho / (1 + (equations.sizes - 1) * rho)
    information = sums[:, 2 * p + 1 :].reshape(-1, p, p) - shrink[:, None, None] * by_d[:, :, None] * by_d[:, None, :]
    score = by_score - (shrink * total)[:, None] * by_d
    return information / (1 - rho), score / (1 - rho)


def _sandwich(solution: _Solution, back: np.ndarray, *, se_type: GeeErrors) -> np.ndarray:
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
    equations: _Equations, solution: _Solution, vcov: np.ndarray, *, terms: tuple[str, ...]
) -> Coefficients | None:
    """Return differences of means, every pupil being in one arm or the other; None for the identity or without arms."""
    if equations.link == "identity" or not terms:
        return None
    values, slopes = [], []
    for chosen in (None, *terms):
        x = equations.x.copy()
        for term in terms:
            place = equations.names.index(term)
            x[:, place] = (float(term == chosen) - equations.centre[place]) / equations.scale[place]
        mean, slope = _MEANS[equations.link].mean(x @ solution.beta + equations.offset)
        values.append(float(mean.mean()))
        slopes.append((slope[:, None] * x).mean(axis=0))
    return Standardised.by_delta(np.array(values), np.array(slopes), vcov, terms=terms, df=equations.df).differences()
