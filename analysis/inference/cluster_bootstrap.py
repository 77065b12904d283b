"""Resampling whole clusters: the delete-one jackknife, the pairs bootstrap, and the residual bootstrap of schools.

The first two need each cluster's moments only; the third draws the random intercepts and the pupils' residuals of a
multilevel model anew and fits it again.
Sources: MacKinnon, Nielsen and Webb (2023), J. Applied Econometrics 38, 671-694 (jackknife); Cameron, Gelbach and
Miller (2008), Review of Economics and Statistics 90, 414-427 (pairs); Carpenter, Goldstein and Rasbash (2003), JRSS C
52, 431-443 (residuals, reflated).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.inference.cluster_robust import ClusterDesign
from analysis.linear import school_fit
from analysis.mixed_models.intercept import intercept_coefficients, intercept_sums
from analysis.mixed_models.moments import moments, prepared_columns
from analysis.mixed_models.working import Working
from analysis.sums import school_columns
from analysis.terms import Columns
from data_schema.errors import EstimationError

# A cluster's removal that leaves a direction with less than this share of its length has left nothing there.
_NOTHING_LEFT = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Jackknife:
    """Coefficients without each cluster in turn, and the variance that they give.

    Parameters
    ----------
    estimate
        Shape (p,), of all clusters.
    without
        Shape (J, p), without each; NaN where the rest cannot tell the coefficients apart.
    vcov
        Shape (p, p), (J - 1) / J times the squares around the estimate (CV3), of the clusters that can be left out.
    """

    estimate: np.ndarray
    without: np.ndarray
    vcov: np.ndarray

    @property
    def std_error(self) -> np.ndarray:
        """Standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.vcov))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Draws of contrasts, and what they say of their errors.

    Parameters
    ----------
    estimate
        Shape (k,), of the data.
    draws
        Shape (B, k); draws that could not be estimated are left out.
    n_failed
        How many those are.
    """

    estimate: np.ndarray
    draws: np.ndarray
    n_failed: int

    @property
    def std_error(self) -> np.ndarray:
        """Standard deviation of the draws, shape (k,)."""
        return np.asarray(self.draws.std(axis=0, ddof=1))

    def interval(self, *, conf_level: float = 0.95) -> np.ndarray:
        """Return percentile limits, shape (k, 2)."""
        tail = (1 - conf_level) / 2
        return np.asarray(np.quantile(self.draws, [tail, 1 - tail], axis=0).T)


def jackknife(design: ClusterDesign, *, contrasts: np.ndarray) -> Jackknife:
    """Leave out one cluster after another.

    Parameters
    ----------
    design
        Of least squares, with weights, absorbed strata or random effects (as given variances).
    contrasts
        Shape (k, p), one contrast a row.
    """
    p = len(design.beta)
    left = np.linalg.inv(design.bread) - design.gram
    lengths = np.sqrt(np.diagonal(np.linalg.inv(design.bread), axis1=1, axis2=2))
    scaled = left / (lengths[:, :, None] * lengths[:, None, :])
    inverse = np.linalg.pinv(scaled, rcond=_NOTHING_LEFT, hermitian=True)
    change = np.einsum("jmn,jn->jm", inverse, design.scores / lengths) / lengths
    # A direction that is lost and matters: the rest cannot tell the coefficients apart. A stratum's own mean may go.
    lost = np.diagonal(scaled @ inverse, axis1=1, axis2=2)[:, :p].min(axis=1) < 1 - 1e-6
    estimate = contrasts @ design.beta
    without = np.where(lost[:, None], np.nan, estimate - change[:, :p] @ contrasts.T)
    off = (without - estimate)[~lost]
    kept = len(off)
    return Jackknife(estimate=estimate, without=without, vcov=(kept - 1) / max(kept, 1) * off.T @ off)


def pairs_bootstrap(
    design: ClusterDesign,
    *,
    contrasts: np.ndarray,
    groups: Sequence[object] | None = None,
    n_bootstrap: int = 1_999,
    seed: int = 1,
) -> Bootstrap:
    """Draw whole clusters with replacement and estimate again.

    Parameters
    ----------
    design
        Of least squares, with weights or random effects (as given variances); no absorbed strata.
    contrasts
        Shape (k, p).
    groups
        Each cluster's arm, stratum or both, within which clusters are drawn; None for one draw of all.
    n_bootstrap, seed
        Draws, and the seed of numpy's generator.

    Raises
    ------
    EstimationError
        With absorbed strata, of which a draw may hold a school twice and its partner never.
    """
    if design.stratum is not None:
        raise EstimationError(
            "pairs bootstrap", "strata were absorbed.", "Use the wild bootstrap, which keeps every school once."
        )
    gram, at = design.gram, design.beta
    counts = _counts(groups, design.n_clusters, n_bootstrap, seed=seed)
    products = np.einsum("bj,jmn->bmn", counts, gram, optimize=True)
    lengths = np.sqrt(np.diagonal(gram.sum(axis=0)))
    conditions = np.linalg.cond(products / (lengths[:, None] * lengths[None, :]))
    usable = np.isfinite(conditions) & (conditions < 1e10)
    if not usable.any():
        raise EstimationError("pairs bootstrap", "no draw could be estimated.", "Draw clusters within their arms.")
    moved = np.linalg.solve(products[usable], (counts[usable] @ design.scores)[:, :, None])[:, :, 0]
    return Bootstrap(estimate=contrasts @ at, draws=(at + moved) @ contrasts.T, n_failed=int((~usable).sum()))


def _counts(groups: Sequence[object] | None, n_clusters: int, n_bootstrap: int, *, seed: int) -> np.ndarray:
    """Return how often each draw holds each cluster, shape (B, J)."""
    generator = np.random.default_rng(seed)
    names = [str(name) for name in groups] if groups is not None else [""] * n_clusters
    counts = np.zeros((n_bootstrap, n_clusters))
    for name in sorted(set(names)):
        places = np.array([place for place, other in enumerate(names) if other == name])
        share = np.full(len(places), 1 / len(places))
        counts[:, places] = generator.multinomial(len(places), share, size=n_bootstrap)
    return counts


def residual_bootstrap(columns: Columns, *, n_bootstrap: int = 999, seed: int = 1) -> Bootstrap:
    """Draw intercepts of schools and residuals of pupils of a random-intercept model anew, and fit it again by REML.

    Parameters
    ----------
    columns
        As `analysis.design_columns` returns them.
    n_bootstrap, seed
        Draws, and the seed of numpy's generator.

    Returns
    -------
    Bootstrap
        Of the coefficients, in the outcome's units, of the columns that the model keeps. Predicted intercepts and
        residuals are centred and stretched to the estimated variances before they are drawn from.

    Raises
    ------
    EstimationError
        When the model cannot be fitted.
    """
    if columns.reason:
        raise EstimationError("residual bootstrap", columns.reason, "Fit the model first.")
    own = school_columns(columns)
    prepared = prepared_columns(own)
    found = school_fit(moments(own, prepared))
    if found.working is None:
        raise EstimationError("residual bootstrap", found.reason, "Fit the model first.")
    basis, matrix = found.working.sums.basis, found.working.to_original
    beta = _refits(found.working, prepared.values, columns.school, n_bootstrap=n_bootstrap, seed=seed)
    return Bootstrap(
        estimate=found.working.estimate, draws=beta @ matrix.T + basis.shift, n_failed=n_bootstrap - len(beta)
    )


def _refits(fitted: Working, values: np.ndarray, school: np.ndarray, *, n_bootstrap: int, seed: int) -> np.ndarray:
    """Return the scaled coefficients of every draw that has a fit, shape (B, p)."""
    generator = np.random.default_rng(seed)
    x, expected = values[:, :-1], values[:, :-1] @ fitted.at.beta
    left = values[:, -1] - expected
    variance, own = fitted.optimum.variances
    plain = intercept_sums(fitted.sums)
    n = plain.n[0]
    of_school = np.bincount(school, weights=left, minlength=len(n))
    intercepts = variance / (own + variance * n) * of_school
    pupils = _stretched(left - intercepts[school], own)
    intercepts = _stretched(intercepts, variance)
    size = (n_bootstrap, *plain.by_group.shape[1:])
    by_group = np.broadcast_to(plain.by_group, size).copy()
    total = np.broadcast_to(plain.total, (n_bootstrap, size[2], size[2])).copy()
    for place in range(n_bootstrap):
        u = generator.choice(intercepts, size=len(intercepts))
        y = expected + u[school] + generator.choice(pupils, size=len(pupils))
        by_group[place, :, -1] = np.bincount(school, weights=y, minlength=len(n))
        total[place, -1, :-1] = total[place, :-1, -1] = x.T @ y
        total[place, -1, -1] = y @ y
    sums = replace(
        plain,
        by_group=by_group,
        n=np.broadcast_to(n, size[:2]),
        total=total,
        n_rows=np.full(n_bootstrap, fitted.sums.n),
        log_weights=np.zeros(n_bootstrap),
    )
    return intercept_coefficients(sums, reml=True)


def _stretched(values: np.ndarray, variance: float) -> np.ndarray:
    """Return values less their mean, stretched to a variance."""
    centred = values - values.mean()
    spread = float((centred**2).mean())
    return np.asarray(centred * np.sqrt(variance / spread)) if spread > 0 else np.zeros_like(centred)
