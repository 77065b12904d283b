"""The wild cluster bootstrap: p-values and intervals for few clusters, from each cluster's scores.

A draw keeps every cluster's residuals (those of the model under the null hypothesis) and flips or scales them as a
whole. Since the errors of a draw are linear in the clusters' weights v, a draw's coefficient is V(s a) and its
cluster-robust variance follows from V(s), V(z F) and V^2(z^2), s the clusters' scores: no outcome is drawn, no model
fitted. Residuals are linear in the value under test too, so that draws are made once for all values of an interval.

Sources: Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90, 414-427; Roodman, MacKinnon, Nielsen
and Webb (2019), Stata Journal 19, 4-60; MacKinnon (2023), Econometrics and Statistics, on the fast form; Webb (2023),
Canadian J. of Economics 56, 839-858, for weights with six points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from analysis.inference.cluster_designs import ClusterDesign
from data_schema.errors import EstimationError

if TYPE_CHECKING:
    from analysis.linear_models import LinearModelFit

Interval = Literal["inversion", "none"]
WildWeights = Literal["rademacher", "webb"]

_POINTS = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
}
_CHUNK = 2_000
# Statistics that differ by rounding count as equal.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class WildBootstrap:
    """A wild cluster bootstrap test of one contrast, with its interval.

    Parameters
    ----------
    estimate
        The contrast.
    std_error
        CR1, which the statistics are studentised by.
    statistic
        (estimate - null) / std_error.
    p_value
        Two-sided: the share of draws whose statistic is as far from zero. All draws where they were enumerated, and
        (1 + b) / (1 + B) otherwise.
    conf_low, conf_high
        The values that the test does not reject at 1 - conf_level, out to the first that it does; infinite where it
        rejects none on that side.
    conf_level
        Level of the interval.
    null
        Value under test.
    n_bootstrap
        Draws made.
    enumerated
        Whether they are all that there are.
    distribution
        "rademacher" or "webb".
    impose_null
        Whether residuals were those of the model under the null hypothesis.
    """

    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    conf_level: float
    null: float
    n_bootstrap: int
    enumerated: bool
    distribution: WildWeights
    impose_null: bool


def wild_bootstrap(
    fit: LinearModelFit,
    term: str,
    *,
    null: float = 0.0,
    n_bootstrap: int = 9_999,
    distribution: WildWeights | None = None,
    impose_null: bool = True,
    interval: Interval = "inversion",
    conf_level: float = 0.95,
    seed: int = 1,
) -> WildBootstrap:
    """Test one coefficient of a linear model by the wild cluster bootstrap.

    Parameters
    ----------
    fit
        As `linear_model` returns it, with weights or absorbed strata too.
    term
        The coefficient.
    null, n_bootstrap, distribution, impose_null, interval, conf_level, seed
        See `apply_wild_bootstrap`.

    Examples
    --------
    >>> from analysis import linear_model
    >>> from analysis.simulation import simulate_scores
    >>> fit = linear_model("score ~ arm", simulate_scores(10, 12, icc=0.1, effect=0.8, seed=1))
    >>> answer = wild_bootstrap(fit, "arm[pilot]")
    >>> answer.n_bootstrap, answer.enumerated  # all 2^10 signs
    (1024, True)
    """
    fit.require_fit()
    contrast = fit.to_original[fit.place(term)]
    # The map from scaled to original coefficients shifts the intercept.
    shift = float(fit.coefficients.estimate[fit.place(term)] - contrast @ fit.design.beta[: len(contrast)])
    answer = apply_wild_bootstrap(
        fit.design,
        _add_zeros_for_dummies(fit, contrast),
        null=null - shift,
        n_bootstrap=n_bootstrap,
        distribution=distribution,
        impose_null=impose_null,
        interval=interval,
        conf_level=conf_level,
        seed=seed,
    )
    return replace(
        answer,
        estimate=answer.estimate + shift,
        conf_low=answer.conf_low + shift,
        conf_high=answer.conf_high + shift,
        null=null,
    )


def _add_zeros_for_dummies(fit: LinearModelFit, contrast: np.ndarray) -> np.ndarray:
    """Return a contrast with zeros for the dummies of fixed effects that were not absorbed."""
    return np.concatenate([contrast, np.zeros(len(fit.design.beta) - len(contrast))])


def apply_wild_bootstrap(
    design: ClusterDesign,
    contrast: np.ndarray,
    *,
    null: float = 0.0,
    n_bootstrap: int = 9_999,
    distribution: WildWeights | None = None,
    impose_null: bool = True,
    interval: Interval = "inversion",
    conf_level: float = 0.95,
    seed: int = 1,
) -> WildBootstrap:
    """Test a contrast of coefficients by the wild cluster bootstrap.

    Parameters
    ----------
    design
        Of least squares, with weights, absorbed strata or random effects (as given variances).
    contrast
        Shape (p,).
    null
        Value under test.
    n_bootstrap
        Draws; where there are no more distinct ones than this, each is made once and nothing is random.
    distribution
        "rademacher" (signs), "webb" (six points, for clusters so few that signs repeat); None takes signs from 12
        clusters on and six points below, unless the signs are enumerated.
    impose_null
        True for residuals under the null hypothesis (WCR, which holds its level better), False for those of the fit.
    interval
        "inversion", or "none" for a p-value alone.
    conf_level
        Level of the interval, between 0 and 1.
    seed
        Of numpy's generator.

    Raises
    ------
    EstimationError
        For an unknown distribution, or a contrast without a variance.
    """
    chosen = _select_weight_distribution(distribution, design.n_clusters, n_bootstrap)
    parts = _build_bootstrap_parts(design, contrast, impose_null=impose_null)
    if not parts.spread > 0:
        raise EstimationError("wild bootstrap", "the contrast has no variance.", "Look at the fit's own error first.")
    drawn, enumerated = _iterate_cluster_weights(chosen, design.n_clusters, n_bootstrap, seed=seed)
    draws = np.vstack([_draw(parts, weights) for weights in drawn])
    test = _Test(parts=parts, draws=draws, enumerated=enumerated)
    inflated = float(np.sqrt(design.n_clusters / (design.n_clusters - 1)) * parts.spread)
    low = high = np.nan
    if interval == "inversion":
        low, high = (test.limit(side, level=1 - conf_level) for side in (1.0, -1.0))
    return WildBootstrap(
        estimate=parts.estimate,
        std_error=inflated,
        statistic=(parts.estimate - null) / inflated,
        p_value=test.p_value(parts.estimate - null),
        conf_low=parts.estimate - low,
        conf_high=parts.estimate + high,
        conf_level=conf_level,
        null=null,
        n_bootstrap=len(draws),
        enumerated=enumerated,
        distribution=chosen,
        impose_null=impose_null,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What draws need; residuals are those at distance 0 from the estimate plus the distance times a slope.

    Scores s (J, m'), score of the contrast z (J,), leverage F (J, m'), each as the pair (at 0, slope).
    """

    estimate: float
    spread: float
    scores: tuple[np.ndarray, np.ndarray]
    along: tuple[np.ndarray, np.ndarray]
    leverage: np.ndarray
    leverage_gram: np.ndarray


def _build_bootstrap_parts(design: ClusterDesign, contrast: np.ndarray, *, impose_null: bool) -> _Parts:
    p = len(design.beta)
    direction = np.zeros(design.scores.shape[1])
    direction[:p] = design.bread[0, :p, :p] @ contrast
    contrast_variance = float(contrast @ direction[:p])
    pulled = design.gram @ direction
    slope = pulled / contrast_variance if impose_null else np.zeros_like(pulled)
    z = design.scores @ direction
    scores = (_add_stratum_columns(design, design.scores), _add_stratum_columns(design, slope))
    leverage = _compute_score_leverage(design, pulled)
    return _Parts(
        estimate=float(contrast @ design.beta),
        spread=float(np.sqrt((z**2).sum())),
        scores=scores,
        along=(z, slope @ direction),
        leverage=leverage,
        leverage_gram=leverage.T @ leverage,
    )


def _add_stratum_columns(design: ClusterDesign, values: np.ndarray) -> np.ndarray:
    """Give every absorbed stratum a column of its own; shape (J, p + strata)."""
    if design.stratum is None or design.stratum_sizes is None:
        return values
    p = len(design.beta)
    wide = np.zeros((len(values), p + len(design.stratum_sizes)))
    wide[:, :p] = values[:, :p]
    wide[np.arange(len(values)), p + design.stratum] = values[:, p]
    return wide


def _compute_score_leverage(design: ClusterDesign, pulled: np.ndarray) -> np.ndarray:
    """Return what the draw's coefficients (and strata's means) take off each cluster's score of the contrast."""
    p = len(design.beta)
    wide = _add_stratum_columns(design, pulled)
    left = wide[:, :p] @ design.bread[0, :p, :p]
    if design.stratum_sizes is None:
        return np.asarray(left)
    return np.hstack([left, wide[:, p:] / design.stratum_sizes])


def _draw(parts: _Parts, weights: np.ndarray) -> np.ndarray:
    """Return numerator and variance of each draw as polynomials in the distance; shape (draws, 5)."""
    z0, z1 = parts.along
    squared = weights**2
    moved = [_compute_sparse_product(weights, s) for s in parts.scores]
    crossed = [_compute_sparse_product(weights, z[:, None] * parts.leverage) for z in (z0, z1)]
    turned = [_compute_sparse_product(h, parts.leverage_gram) for h in moved]

    def compute_score_product(a: int, b: int) -> np.ndarray:
        z = (z0, z1)
        plain = squared @ (z[a] * z[b])
        mixed = (moved[a] * crossed[b]).sum(axis=1) + (moved[b] * crossed[a]).sum(axis=1)
        return np.asarray(plain - mixed + (moved[a] * turned[b]).sum(axis=1))

    return np.column_stack(
        [
            weights @ z0,
            weights @ z1,
            compute_score_product(0, 0),
            2 * compute_score_product(0, 1),
            compute_score_product(1, 1),
        ]
    )


def _compute_sparse_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Multiply; columns of strata are almost empty, and in their hundreds worth a sparse product."""
    if np.count_nonzero(right) > right.size / 4:
        return np.asarray(left @ right)
    from scipy import sparse

    return np.asarray((sparse.csr_array(right.T) @ left.T).T)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    parts: _Parts
    draws: np.ndarray
    enumerated: bool

    def p_value(self, distance: float) -> float:
        """Return the p-value of the value that lies this far below the estimate."""
        top = self.draws[:, 0] + distance * self.draws[:, 1]
        under = self.draws[:, 2] + distance * self.draws[:, 3] + distance**2 * self.draws[:, 4]
        # A draw without variance is as far off as can be, unless it moves nothing.
        limit = (abs(distance) / self.parts.spread) ** 2 * (1 - _ROUNDING)
        as_far = int((top**2 >= limit * np.maximum(under, 0.0)).sum())
        return as_far / len(self.draws) if self.enumerated else (1 + as_far) / (1 + len(self.draws))

    def limit(self, side: float, *, level: float) -> float:
        """Return how far from the estimate the test first rejects, to 1e-7 standard errors."""
        inside, outside = 0.0, 2 * self.parts.spread
        while self.p_value(side * outside) > level:
            inside, outside = outside, 2 * outside
            if outside > 1e6 * self.parts.spread:
                return np.inf
        while outside - inside > 1e-7 * self.parts.spread:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.p_value(side * middle) > level else (inside, middle)
        return inside


def _select_weight_distribution(asked: WildWeights | None, n_clusters: int, n_bootstrap: int) -> WildWeights:
    if asked is None:
        return "webb" if n_clusters < 12 and 2**n_clusters > n_bootstrap else "rademacher"
    if asked not in get_args(WildWeights):
        raise EstimationError("wild bootstrap", f"'{asked}' is unknown.", "Use 'rademacher' or 'webb'.")
    return asked


def _iterate_cluster_weights(
    distribution: WildWeights, n_clusters: int, n_bootstrap: int, *, seed: int
) -> tuple[Iterator[np.ndarray], bool]:
    """Return the clusters' weights in parts, shape (draws, J), and whether they are all that there are."""
    points = _POINTS[distribution]
    count = len(points) ** n_clusters
    if n_bootstrap < 1:
        raise EstimationError("wild bootstrap", f"{n_bootstrap} draws are none.", "Ask for 999 or more.")
    if count <= n_bootstrap:
        every = np.arange(count)
        digits = every[:, None] // len(points) ** np.arange(n_clusters)[None, :] % len(points)
        return iter([points[digits]]), True
    generator = np.random.default_rng(seed)
    sizes = [min(_CHUNK, n_bootstrap - start) for start in range(0, n_bootstrap, _CHUNK)]
    return (points[generator.integers(0, len(points), size=(size, n_clusters), dtype=np.int8)] for size in sizes), False
