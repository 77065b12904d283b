"""Statistics of many allocations at once, from moments that no allocation changes.

Each function takes indicators of the arms, shape (A, B, J) for B allocations, and returns shape (B, m): one number per
column of the arms (arms by carriers, carriers last). NaN where an allocation's arms are not distinct from the strata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.inference.redraw_moments import RedrawMoments, WeightedMoments, weight_redraw_moments

# Arms of which strata and covariates leave less than this share cannot be distinguished from them.
_LEAST_LEFT = 1e-9
# Points of the variance ratio's grid, in the standard deviation of schools over that of pupils.
_GRID = 25
_MANY_STRATA = 4

Statistic = Callable[[RedrawMoments, np.ndarray], np.ndarray]
# Cells (arms by draws by schools) worked on at a time.
_CELLS = 500_000
_MOST_FLOATS = 10_000_000


def _reshape_to_rows(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _compute_arm_products(
    moments: RedrawMoments, at: WeightedMoments, arms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z'WZ and Z'W(y - X b), strata and covariates partialled out; shapes (B, m, m) and (B, m)."""
    p, carriers = moments.n_covariates, moments.carriers
    n_arms, n_draws, _ = arms.shape
    k = moments.n_carriers
    sums = moments.sums[:, carriers]
    # Each school's C'WQ less its stratum's weighted mean.
    products = moments.products[:, carriers, :] - (at.shrink[:, None] * sums)[:, :, None] * moments.sums[:, None, :]
    products = products - (at.weight[:, None] * sums)[:, :, None] * at.means[moments.stratum][:, None, :]
    full = moments.products[:, carriers, carriers] - at.shrink[:, None, None] * sums[:, :, None] * sums[:, None, :]
    weighted = at.weight[:, None] * sums
    by_arm = np.empty((n_draws, n_arms, k, p + 1))
    squares = np.zeros((n_draws, n_arms, k, n_arms, k))
    by_stratum = []
    chosen = np.append(np.arange(p), products.shape[2] - 1)
    for a in range(n_arms):
        by_arm[:, a] = (arms[a] @ _reshape_to_rows(products[:, :, chosen])).reshape(n_draws, k, p + 1)
        squares[:, a, :, a, :] = (arms[a] @ _reshape_to_rows(full)).reshape(n_draws, k, k)
        by_stratum.append([_sum_schools_by_stratum(moments, arms[a] * weighted[:, c]) for c in range(k)])
    for a in range(n_arms):
        for b in range(n_arms):
            for c in range(k):
                for d in range(k):
                    shared = by_stratum[a][c] * by_stratum[b][d]
                    squares[:, a, c, b, d] -= shared @ (1 / at.stratum_weight)
    m = n_arms * k
    crossed = by_arm.reshape(n_draws, m, p + 1)
    covariates = crossed[:, :, :p]
    information = squares.reshape(n_draws, m, m) - covariates @ at.inverse @ covariates.transpose(0, 2, 1)
    return information, crossed[:, :, p] - covariates @ at.beta


def _sum_schools_by_stratum(moments: RedrawMoments, values: np.ndarray) -> np.ndarray:
    """Sum columns of schools within strata; (B, J) to (B, S)."""
    if moments.n_strata == 1:
        return np.asarray(values.sum(axis=1, keepdims=True))
    order = np.argsort(moments.stratum, kind="stable")
    starts = np.searchsorted(moments.stratum[order], np.arange(moments.n_strata))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1))


def _compute_inverse_information(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inverses and which columns can be distinguished; shapes (B, m, m) and (B, m)."""
    length = np.sqrt(np.maximum(np.diagonal(information, axis1=1, axis2=2), 0.0))
    if information.shape[1] == 1:
        usable = length > np.sqrt(_LEAST_LEFT)
        return (1 / np.where(usable, length, 1.0) ** 2)[:, :, None], usable
    length = np.where(length > 0, length, 1.0)
    values, vectors = np.linalg.eigh(information / (length[:, :, None] * length[:, None, :]))
    apart = values > _LEAST_LEFT
    inverse = (vectors * np.where(apart, 1 / np.where(apart, values, 1.0), 0.0)[:, None, :]) @ vectors.transpose(
        0, 2, 1
    )
    blurred = ((vectors**2) * ~apart[:, None, :]).sum(axis=2) > _LEAST_LEFT
    return inverse / (length[:, :, None] * length[:, None, :]), ~blurred


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """Effects of many allocations at some variance ratios R.

    Parameters
    ----------
    effects
        Shape (R, B, m), in scaled units; NaN where an arm cannot be distinguished.
    variance
        Shape (R, B, m), of the effects over the pupils' variance.
    residual
        Shape (R, B), what is left of the weighted outcome's squares.
    log_det
        Shape (R, B), of the arms' information.
    """

    effects: np.ndarray
    variance: np.ndarray
    residual: np.ndarray
    log_det: np.ndarray

    def t(self, moments: RedrawMoments) -> np.ndarray:
        """Return t statistics, shape (R, B, m)."""
        free = max(moments.free - self.effects.shape[2], 1)
        spread = np.sqrt(self.variance * (self.residual / free)[:, :, None])
        return np.asarray(self.effects / np.where(spread > 0, spread, np.nan))


def solved(moments: RedrawMoments, ratios: Sequence[float], arms: np.ndarray) -> Solved:
    """Solve for the effects of allocations, shape (A, B, J), at variance ratios."""
    weighted = [weight_redraw_moments(moments, ratio) for ratio in ratios]
    if len(arms) == 1 and moments.n_carriers == 1:
        return _estimate_two_arm_effects(moments, weighted, arms[0])
    parts = [_estimate_many_arm_effects(moments, moments_at_ratio, arms) for moments_at_ratio in weighted]
    stacked = (np.array(values) for values in zip(*parts, strict=True))
    effects, variance, residual, log_det = stacked
    return Solved(effects=effects, variance=variance, residual=residual, log_det=log_det)


def _estimate_two_arm_effects(moments: RedrawMoments, weighted: Sequence[WeightedMoments], arm: np.ndarray) -> Solved:
    """Solve for one column: z'Wz is a sum over schools, and everything else is one product with all draws."""
    p, n_ratios = moments.n_covariates, len(weighted)
    columns = [*range(p), moments.products.shape[1] - 1]
    sums = moments.sums[:, columns]
    parts = np.concatenate(
        [
            np.column_stack(
                [
                    moments_at_ratio.weight[:, None]
                    * (sums - moments.n[:, None] * moments_at_ratio.means[moments.stratum][:, columns]),
                    moments_at_ratio.weight * moments.n,
                ]
            )
            for moments_at_ratio in weighted
        ],
        axis=1,
    )
    crossed = (arm @ parts).reshape(len(arm), n_ratios, p + 2).transpose(1, 0, 2)
    reach = crossed[:, :, -1]
    left = reach - np.stack(
        [_compute_strata_explained(moments, moments_at_ratio, arm) for moments_at_ratio in weighted]
    )
    covariates = crossed[:, :, :p]
    inverse = np.stack([moments_at_ratio.inverse for moments_at_ratio in weighted])
    left = left - ((covariates @ inverse) * covariates).sum(axis=2)
    score = crossed[:, :, p] - np.stack(
        [covariates[place] @ moments_at_ratio.beta for place, moments_at_ratio in enumerate(weighted)]
    )
    usable = left > _LEAST_LEFT * np.maximum(reach, 1.0)
    safe = np.where(usable, left, 1.0)
    residuals = np.array([moments_at_ratio.residual for moments_at_ratio in weighted])[:, None]
    return Solved(
        effects=np.where(usable, score / safe, np.nan)[:, :, None],
        variance=(1 / safe)[:, :, None],
        residual=np.maximum(residuals - np.where(usable, score**2 / safe, 0.0), 0.0),
        log_det=np.where(usable, np.log(safe), np.nan),
    )


def _compute_strata_explained(moments: RedrawMoments, at: WeightedMoments, arm: np.ndarray) -> np.ndarray:
    """Return what the strata explain of an arm's column, shape (B,)."""
    school_weights = at.weight * moments.n
    if moments.n_strata == 1:
        return np.asarray((arm @ school_weights) ** 2 / at.stratum_weight[0])
    from scipy import sparse

    places = np.arange(len(school_weights))
    by_stratum = sparse.csr_array(
        (school_weights / np.sqrt(at.stratum_weight)[moments.stratum], (moments.stratum, places))
    )
    return np.asarray(((by_stratum @ arm.T) ** 2).sum(axis=0))


def _estimate_many_arm_effects(
    moments: RedrawMoments, at: WeightedMoments, arms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    effects, inverse, explained, log_det = estimate_normal_equations(moments, at, arms)
    variance = np.diagonal(inverse, axis1=1, axis2=2)
    return effects, variance, np.maximum(at.residual - explained, 0.0), log_det


def estimate_normal_equations(
    moments: RedrawMoments, at: WeightedMoments, arms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return effects, their inverse information, what they explain, and the log determinant; NaN effects unusable."""
    information, score = _compute_arm_products(moments, at, arms)
    # The share that is left, not the length, tells whether an arm is a combination of the strata.
    reach = np.maximum((arms @ (at.weight * moments.n)).T, 1.0)
    scale = np.sqrt(np.repeat(reach, moments.n_carriers, axis=1))
    inverse, usable = _compute_inverse_information(information / (scale[:, :, None] * scale[:, None, :]))
    inverse = inverse / (scale[:, :, None] * scale[:, None, :])
    effects = (inverse @ score[:, :, None])[:, :, 0]
    explained = (effects * score).sum(axis=1)
    sign, log_det = np.linalg.slogdet(information)
    log_det = np.where(sign > 0, log_det, np.nan)
    return np.where(usable, effects, np.nan), inverse, explained, log_det


def estimate_least_squares_effects(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return least squares effects, in scaled units."""
    return np.asarray(solved(moments, [0.0], arms).effects[0])


def compute_mixed_t(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return t statistics at the variance ratio of the model without arms, which no draw changes."""
    return compute_t_at_ratio(moments, arms, ratio=moments.ratio)


def compute_t_at_ratio(moments: RedrawMoments, arms: np.ndarray, *, ratio: float) -> np.ndarray:
    """Return generalised least squares t statistics at a given variance ratio."""
    return np.asarray(solved(moments, [ratio], arms).t(moments)[0])


def compute_reml_t(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return t statistics of the multilevel model, its variances fitted anew by REML in every draw.

    Every draw's likelihood is evaluated on one grid of the variance ratio, which reaches from zero well beyond the
    ratio without arms (arms can only explain what schools differ by); the maximum is found by interpolation, and so is
    the statistic there, by cubics.
    """
    top = max(1.6 * np.sqrt(moments.ratio) + 0.15, 0.3)
    weighted = np.linspace(0.0, top, _GRID) ** 2
    solutions = solved(moments, list(weighted), arms)
    log_dets = np.array([weight_redraw_moments(moments, float(ratio)).log_det for ratio in weighted])
    left = np.maximum(solutions.residual, np.finfo(float).tiny)
    deviances = (moments.free - solutions.effects.shape[2]) * np.log(left) + log_dets[:, None] + solutions.log_det
    return _find_statistics_at_minimum(deviances, solutions.t(moments))


def _find_statistics_at_minimum(deviances: np.ndarray, statistics: np.ndarray) -> np.ndarray:
    """Return the statistics (grid, B, m) interpolated to where the deviances (grid, B) are least."""
    n_grid, n_draws = deviances.shape
    draws = np.arange(n_draws)
    usable = np.isfinite(deviances).all(axis=0)
    deviances = np.where(usable, deviances, 0.0)
    start = np.clip(deviances.argmin(axis=0) - 2, 0, n_grid - 5)
    window = deviances[start + np.arange(5)[:, None], draws]
    fine = np.linspace(0.0, 4.0, 161)
    best = (_compute_lagrange_weights(fine) @ (window - window[2])).argmin(axis=0)
    # Between fine points the deviance is a parabola; a minimum at the grid's start is a variance of zero.
    place = np.clip(best, 1, len(fine) - 2)
    around = np.einsum(
        "fnw,wn->fn", _compute_lagrange_weights(fine)[place + np.arange(-1, 2)[:, None]], window - window[2]
    )
    curve = around[0] - 2 * around[1] + around[2]
    step = np.where(curve > 0, 0.5 * (around[0] - around[2]) / np.where(curve > 0, curve, 1.0), 0.0)
    exact = fine[place] + np.clip(step, -1.0, 1.0) * fine[1]
    exact = np.where((start == 0) & (best == 0), 0.0, np.clip(exact, 0.0, 4.0))
    weights = _compute_lagrange_weights(exact)
    interpolated = np.einsum("nw,wnm->nm", weights, statistics[start + np.arange(5)[:, None], draws])
    return np.where(usable[:, None], interpolated, np.nan)


def _compute_lagrange_weights(places: np.ndarray) -> np.ndarray:
    """Return the weights of five even points, 0 to 4, at places; shape (..., 5)."""
    nodes = np.arange(5.0)
    weights = np.ones((*places.shape, 5))
    for a in range(5):
        for b in range(5):
            if a != b:
                weights[..., a] *= (places - nodes[b]) / (nodes[a] - nodes[b])
    return weights


def compute_robust_t(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return least squares effects over their cluster-robust (CR0) standard errors.

    Valid for the hypothesis of no average effect too, in large samples, since each draw is studentised by an error that
    does not take arms as equally variable (Wu and Ding 2021, J. American Statistical Association 116, 1898-1913).
    """
    unweighted = weight_redraw_moments(moments, 0.0)
    effects, inverse, _, _ = estimate_normal_equations(moments, unweighted, arms)
    k = moments.n_carriers
    covariates, means = _compute_arm_projections(moments, unweighted, arms)
    t_statistics = np.full_like(effects, np.nan)
    beta = unweighted.beta - np.einsum("bmp,bm->bp", covariates, np.nan_to_num(effects))
    left = _build_arm_combinations(moments, arms, covariates=-beta, carriers=-np.nan_to_num(effects), means=means)
    left[:, :, -1] = 1.0
    left[:, :, -2] -= unweighted.means[moments.stratum, -1]
    for m in range(len(arms) * k):
        row = inverse[:, m, :]
        turned = -np.einsum("bmp,bm->bp", covariates, row)
        combinations = _build_arm_combinations(moments, arms, covariates=turned, carriers=row, means=means)
        score = np.einsum("bjq,jqr,bjr->bj", combinations, moments.products, left, optimize=True)
        variance = (score**2).sum(axis=1)
        # An effect that rests on one school has no residuals to be distinguished from.
        is_estimable = variance > _LEAST_LEFT * inverse[:, m, m] * unweighted.residual / moments.free
        t_statistics[:, m] = effects[:, m] / np.sqrt(np.where(is_estimable, variance, np.nan))
    return t_statistics


def _compute_arm_projections(
    moments: RedrawMoments, at: WeightedMoments, arms: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the arms' columns' coefficients on covariates, (B, m, p), and their means by stratum, (B, m, S)."""
    p, k = moments.n_covariates, moments.n_carriers
    n_arms, n_draws, _ = arms.shape
    sums = moments.sums[:, moments.carriers]
    means = np.stack(
        [
            _sum_schools_by_stratum(moments, arms[a] * sums[:, c]) / at.stratum_weight
            for a in range(n_arms)
            for c in range(k)
        ],
        axis=1,
    )
    covariate_products = moments.products[:, moments.carriers, :p]
    crossed = np.concatenate(
        [(arms[a] @ _reshape_to_rows(covariate_products)).reshape(n_draws, k, p) for a in range(n_arms)], axis=1
    )
    # Covariates have mean zero in every stratum.
    return crossed @ at.inverse, means


def _build_arm_combinations(
    moments: RedrawMoments,
    arms: np.ndarray,
    *,
    covariates: np.ndarray,
    carriers: np.ndarray,
    means: np.ndarray,
) -> np.ndarray:
    """Return each school's column as a combination of its columns [X C 1 y]; shape (B, J, q)."""
    p, k = moments.n_covariates, moments.n_carriers
    n_arms, n_draws, n_schools = arms.shape
    combinations = np.zeros((n_draws, n_schools, moments.products.shape[1]))
    combinations[:, :, :p] = covariates[:, None, :]
    by_arm = carriers.reshape(n_draws, n_arms, k)
    combinations[:, :, p : p + k] = np.einsum("abj,bac->bjc", arms, by_arm)
    constant = -np.einsum("bm,bms->bs", carriers, means)
    combinations[:, :, -2] = constant[:, moments.stratum]
    return combinations


def compute_school_mean_difference(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return differences of the means of school means, covariates and strata partialled out of the outcome first."""
    return _compute_mean_differences(moments, arms)[0]


def compute_school_mean_t(moments: RedrawMoments, arms: np.ndarray) -> np.ndarray:
    """Return the same differences over the errors of Welch's test, which lets arms vary differently."""
    differences, variances = _compute_mean_differences(moments, arms)
    return np.asarray(differences / np.sqrt(np.where(variances > 0, variances, np.nan)))


def _compute_mean_differences(moments: RedrawMoments, arms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unweighted = weight_redraw_moments(moments, 0.0)
    p = moments.n_covariates
    means = (moments.sums[:, -1] - moments.sums[:, :p] @ unweighted.beta) / moments.n - unweighted.means[
        moments.stratum, -1
    ]
    groups = np.concatenate([(1 - arms.sum(axis=0))[None], arms])
    counts = groups.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        average = groups @ means / counts
        variance = (groups @ means**2 - counts * average**2) / (counts - 1) / counts
    return (average[1:] - average[0]).T, (variance[1:] + variance[0]).T


def build_arm_indicators(every: np.ndarray, *, n_arms: int) -> tuple[np.ndarray, ...]:
    """Return indicators of the arms in parts; whole numbers of one byte when there are very many."""
    size = max(1, _CELLS // (every.shape[1] * (n_arms - 1)))
    kind = np.float64 if every.size * (n_arms - 1) <= _MOST_FLOATS else np.int8
    return tuple(
        np.stack([(every[start : start + size] == arm).astype(kind) for arm in range(1, n_arms)])
        for start in range(0, len(every), size)
    )
