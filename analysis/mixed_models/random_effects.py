"""Effects of groups, and of strata that were kept out of the columns: estimates, errors and degrees of freedom.

With K_b = 1'V^(-1)[X y] of stratum b, k_b its first entry and m_b the others over k_b, the effect of b against the
reference is (K_b y - K_b X beta) / k_b and its variance v_b = 1/k_b + m_b Phi m_b'. Derivatives of v_b by the variances
follow from those of K_b and Phi, and with them both methods for few groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.inference.kenward_roger import compute_contrast_df
from analysis.mixed_models.jets import build_parameters, compute_likelihood_jet
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Level, Moments

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Effects of the groups of one level, in the outcome's units.

    Parameters
    ----------
    level
        Which.
    estimates
        Shape (G, q).
    errors
        Shape (G, q), conditional standard deviations given the fixed effects and variances.
    """

    level: Level
    estimates: np.ndarray
    errors: np.ndarray


def compute_strata_effects(sums: Moments, at: LikelihoodSums) -> np.ndarray:
    """Return the effects of all strata against the reference, its own zero among them, of the scaled outcome."""
    if sums.strata is None:
        return np.zeros(1)
    strata = at.strata[0]
    return np.concatenate([[0.0], (strata[:, -1] - strata[:, :-1] @ at.beta) / strata[:, 0]])


def effects(sums: Moments, values: np.ndarray, at: LikelihoodSums) -> list[Effects]:
    """Predict the effects of every group, finest level first.

    Parameters
    ----------
    sums, values, at
        A fitted model: data, parameters, likelihood.
    """
    steps = compute_likelihood_jet(sums, build_parameters(sums), values, order=0).steps
    m = sums.total.shape[1]
    weights = np.zeros((sums.levels[-1].n_groups, m))
    weights[:, : sums.p] = -at.beta
    weights[:, -1] = 1.0
    if sums.strata is not None:
        weights[:, 0] -= compute_strata_effects(sums, at)[sums.levels[-1].parent]
    places = np.zeros(0, dtype=np.intp)
    spread = np.zeros((len(weights), 0, 0))
    result = []
    for k in reversed(range(len(sums.levels))):
        level, (middle, cross) = sums.levels[k], steps[k]
        estimates = (middle @ (cross @ weights[:, :, None]))[:, :, 0]
        pull = -middle @ cross[:, :, places]
        across = pull @ spread
        conditional_variance = middle + across @ pull.transpose(0, 2, 1)
        result.append(_build_scaled_effects(sums, level, estimates, conditional_variance))
        if k:
            weights = weights.copy()
            for a, place in enumerate(level.places):  # two terms may share a column
                weights[:, place] -= estimates[:, a]
            parent = sums.levels[k - 1].parent
            top = np.concatenate([conditional_variance, across], axis=2)
            bottom = np.concatenate([across.transpose(0, 2, 1), spread], axis=2)
            spread = np.concatenate([top, bottom], axis=1)[parent]
            weights, places = weights[parent], np.concatenate([level.places, places])
    return result[::-1]


def _build_scaled_effects(sums: Moments, level: Level, found: np.ndarray, spread: np.ndarray) -> Effects:
    back = compute_back_change(level)
    errors = np.sqrt(np.maximum(np.einsum("ab,gbc,ac->ga", back, spread, back), 0.0))
    return Effects(level=level, estimates=found @ back.T * sums.basis.scale, errors=errors * sums.basis.scale)


def compute_back_change(level: Level) -> np.ndarray:
    """Return the matrix from effects of the level's columns to effects of the columns as they were."""
    back = np.zeros((len(level.places), len(level.places)))
    for block in level.blocks:
        chosen = slice(block.start, block.start + block.size)
        back[chosen, chosen] = np.linalg.inv(block.change)
    return back


def build_effects_frame(sums: Moments, values: np.ndarray, at: LikelihoodSums) -> pd.DataFrame:
    """Return the effects as rows: group, label, term, estimate, std_error; outermost level first."""
    import pandas as pd

    parts = []
    for level_effects in reversed(effects(sums, values, at)):
        names = [name for block in level_effects.level.blocks for name in block.names]
        order = np.argsort(np.array(level_effects.level.labels, dtype=object), kind="stable")
        parts.append(
            pd.DataFrame(
                {
                    "group": level_effects.level.name,
                    "label": np.repeat(np.array(level_effects.level.labels, dtype=object)[order], len(names)),
                    "term": np.tile(np.array(names, dtype=object), len(order)),
                    "estimate": level_effects.estimates[order].ravel(),
                    "std_error": level_effects.errors[order].ravel(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrataContrasts:
    """Weighted sums of coefficients and strata's effects, of the scaled columns and outcome.

    Parameters
    ----------
    estimates, errors, df
        Shape (k,).
    """

    estimates: np.ndarray
    errors: np.ndarray
    df: np.ndarray


def get_strata_names(sums: Moments) -> list[str]:
    """Return the names of the strata's effects, without the reference."""
    strata = sums.strata
    return [] if strata is None else [f"{strata.name}[{label}]" for label in strata.labels[1:]]


def compute_strata_contrasts(
    at: LikelihoodSums, *, rows: np.ndarray, weights: np.ndarray, spread: np.ndarray, adjust: bool
) -> StrataContrasts:
    """Return weighted sums of coefficients and strata's effects.

    Parameters
    ----------
    at
        The likelihood at the optimum.
    rows
        Shape (k, p), weights of the coefficients.
    weights
        Shape (k, B), weights of the effects of all strata but the reference.
    spread
        Shape (r, r), variance of the estimated variance parameters.
    adjust
        Whether the variance is Kenward and Roger's.
    """
    value, first, second = at.strata
    k, k1, k2 = value[:, 0], first[:, :, 0], second[:, :, :, 0]
    m = value[:, :-1] / k[:, None]
    m1 = (first[:, :, :-1] - m * k1[..., None]) / k[:, None]
    m2 = second[..., :-1] - m * k2[..., None] - m1[:, None] * k1[None, ..., None] - m1[None] * k1[:, None, :, None]
    c, c1, c2 = rows - weights @ m, -weights @ m1, -weights @ (m2 / k[:, None])
    squares = (weights**2).T
    phi = at.phi
    phi1 = -phi @ at.first[:, :-1, :-1] @ phi
    turned = c @ phi
    variance = (1 / k) @ squares + (turned * c).sum(axis=1)
    slopes = (-k1 / k**2) @ squares + 2 * (c1 * turned).sum(axis=2) + ((c @ phi1) * c).sum(axis=2)
    adjusted = variance
    if adjust:
        curve = (2 * k1[:, None] * k1[None] / k**3 - k2 / k**2) @ squares
        curve = curve + 2 * (c2 * turned).sum(axis=3) + ((c @ _compute_phi_curvature(at, phi)) * c).sum(axis=3)
        curve = curve + 2 * np.einsum("ikp,jkp->ijk", c1 @ phi, c1)
        across = 2 * np.einsum("ikp,jkp->ijk", c1, c @ phi1)
        adjusted = variance - np.tensordot(spread, curve + across + across.transpose(1, 0, 2), axes=2)
    effects = (value[:, -1] - value[:, :-1] @ at.beta) / k
    return StrataContrasts(
        estimates=rows @ at.beta + weights @ effects,
        errors=np.sqrt(np.maximum(adjusted, 0.0)),
        df=compute_contrast_df(variance, slopes.T, spread),
    )


def _compute_phi_curvature(at: LikelihoodSums, phi: np.ndarray) -> np.ndarray:
    pushed = phi @ at.first[:, :-1, :-1]
    both = np.einsum("ipq,jqs,st->ijpt", pushed, pushed, phi)
    return np.asarray(both + both.transpose(1, 0, 2, 3) - phi @ at.second[:, :, :-1, :-1] @ phi)
