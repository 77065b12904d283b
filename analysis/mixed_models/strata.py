"""Effects of a factor that was kept out of the columns: estimates, errors and degrees of freedom like all others'.

With K_b = 1'V^(-1)[X y] of stratum b, k_b its first entry and m_b the others over k_b, the effect of b against the
reference is (K_b y - K_b X beta) / k_b and its variance v_b = 1/k_b + m_b Phi m_b'. Derivatives of v_b by the variances
follow from those of K_b and Phi, and with them both methods for few groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.inference.kenward_roger import t_df
from analysis.mixed_models.likelihood import LikelihoodSums
from analysis.mixed_models.moments import Moments


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


def strata_names(sums: Moments) -> list[str]:
    """Return the names of the strata's effects, without the reference."""
    strata = sums.strata
    return [] if strata is None else [f"{strata.name}[{label}]" for label in strata.labels[1:]]


def strata_contrasts(
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
        curve = curve + 2 * (c2 * turned).sum(axis=3) + ((c @ _phi_curvature(at, phi)) * c).sum(axis=3)
        curve = curve + 2 * np.einsum("ikp,jkp->ijk", c1 @ phi, c1)
        across = 2 * np.einsum("ikp,jkp->ijk", c1, c @ phi1)
        adjusted = variance - np.tensordot(spread, curve + across + across.transpose(1, 0, 2), axes=2)
    effects = (value[:, -1] - value[:, :-1] @ at.beta) / k
    return StrataContrasts(
        estimates=rows @ at.beta + weights @ effects,
        errors=np.sqrt(np.maximum(adjusted, 0.0)),
        df=t_df(variance, slopes.T, spread),
    )


def _phi_curvature(at: LikelihoodSums, phi: np.ndarray) -> np.ndarray:
    pushed = phi @ at.first[:, :-1, :-1]
    both = np.einsum("ipq,jqs,st->ijpt", pushed, pushed, phi)
    return np.asarray(both + both.transpose(1, 0, 2, 3) - phi @ at.second[:, :, :-1, :-1] @ phi)
