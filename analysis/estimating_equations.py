"""Estimating equations by school: columns, moments, and where the equations are zero.

statsmodels solves them; it has the sandwich, and one of the three corrections for few schools that `analysis.gee` has.
Here every school is left with its p-by-p information and its score, from which each correction follows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.quadrature import LOGIT, ComplementaryLogLog, Poisson, Response
from analysis.sums import scale_model_columns
from analysis.terms import Columns

_STEPS = 200
_TOLERANCE = 1e-11
_INFINITE = 15.0
"""Log odds or log rates beyond this are on their way to infinity; differences of means have no bound."""
_MOST_CORRELATION = 0.99


@dataclass(frozen=True, slots=True)
class Identity:
    """The mean itself is linear."""

    def mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the linear predictor and ones."""
        return eta, np.ones_like(eta)


MEANS: dict[str, Response | Identity] = {
    "logit": LOGIT,
    "cloglog": ComplementaryLogLog(),
    "log": Poisson(),
    "identity": Identity(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Equations:
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
    def of(cls, columns: Columns, *, link: str, offset: np.ndarray | None) -> Equations:
        """Scale the columns and sort the rows by school; the offset is added to the linear predictor."""
        positions, values, centre, scale = scale_model_columns(columns)
        order = np.argsort(columns.school, kind="stable")
        school, x = columns.school[order], values[order, :-1]
        starts = np.searchsorted(school, np.arange(len(columns.schools)))
        back = np.diag(1 / scale[:-1])
        back[0] -= centre[:-1] / scale[:-1]
        constant = (x == x[starts][school]).all(axis=0)
        return cls(
            names=tuple(columns.names[k] for k in positions),
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
        mean, slope = MEANS[self.link].mean(self.x @ beta + self.offset)
        if self.link == "identity":
            return mean, slope, np.ones_like(mean)
        variance = mean if self.link == "log" else mean * (1 - mean)
        return mean, slope, np.sqrt(np.maximum(variance, 1e-12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Where the equations are zero; ``information`` (J, p, p) and ``score`` (J, p) by school."""

    beta: np.ndarray
    correlation: float
    information: np.ndarray
    score: np.ndarray
    n_steps: int
    reason: str


def fit_estimating_equations(equations: Equations, *, exchangeable: bool) -> Solution:
    """Solve the equations by statsmodels, the correlation by moments that divide as geepack's do.

    Parameters
    ----------
    equations
        Columns and moments.
    exchangeable
        Whether pupils of a school are alike by one correlation; independent otherwise.
    """
    from statsmodels.genmod.generalized_estimating_equations import GEE
    from statsmodels.tools.sm_exceptions import ModelWarning, PerfectSeparationWarning

    groups = np.repeat(np.arange(len(equations.sizes)), equations.sizes.astype(int))
    # The search ends at an absolute size of the score: means are searched in standard deviations, whatever their unit.
    unit = float(equations.y.std()) if equations.link == "identity" else 1.0
    model = GEE(
        equations.y / unit,
        equations.x,
        groups=groups,
        offset=equations.offset / unit,
        family=_get_statsmodels_family(equations.link),
        cov_struct=_create_working_correlation(float(equations.sizes.max()), exchangeable=exchangeable),
    )
    p = equations.x.shape[1]
    none = Solution(
        beta=np.zeros(p),
        correlation=0.0,
        information=np.zeros((1, p, p)),
        score=np.zeros((1, p)),
        n_steps=_STEPS,
        reason="The estimating equations have no solution: a coefficient is infinite.",
    )
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", ModelWarning)  # what went wrong is asked of the result
            warnings.simplefilter("error", PerfectSeparationWarning)
            gee_result = model.fit(ddof_scale=0, maxiter=_STEPS, ctol=_TOLERANCE)
    except (np.linalg.LinAlgError, ValueError, PerfectSeparationWarning):  # coefficients have left all bounds
        return none
    beta = np.asarray(gee_result.params) * unit
    if not gee_result.converged or (equations.link != "identity" and not np.abs(equations.x @ beta).max() < _INFINITE):
        return none
    rho = float(np.asarray(gee_result.cov_struct.dep_params)) if exchangeable else 0.0
    information, score = _compute_school_information(equations, beta, rho)
    n_steps = len(gee_result.fit_history["params"])
    return Solution(beta=beta, correlation=rho, information=information, score=score, n_steps=n_steps, reason="")


def _get_statsmodels_family(link: str) -> Any:  # noqa: ANN401  # statsmodels is not typed
    from statsmodels.genmod import families

    if link in ("log", "identity"):
        return families.Poisson() if link == "log" else families.Gaussian()
    return families.Binomial(families.links.CLogLog() if link == "cloglog" else families.links.Logit())


def _create_working_correlation(largest: float, *, exchangeable: bool) -> Any:  # noqa: ANN401  # statsmodels is not typed
    from statsmodels.genmod.cov_struct import Exchangeable, Independence

    # A correlation of -1 / (n - 1) has no inverse: half of it is the most that the largest school is left with.
    least = -0.5 / max(largest - 1, 1.0)

    class Bounded(Exchangeable):  # type: ignore[misc]  # statsmodels is not typed
        def update(self, params: np.ndarray) -> None:
            super().update(params)
            estimated_correlation = float(np.nan_to_num(self.dep_params))
            self.dep_params: float = min(max(estimated_correlation, least), _MOST_CORRELATION)

    return Bounded() if exchangeable else Independence()


def _compute_school_information(equations: Equations, beta: np.ndarray, rho: float) -> tuple[np.ndarray, np.ndarray]:
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
