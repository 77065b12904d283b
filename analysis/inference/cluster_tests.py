"""Degrees of freedom of cluster-robust tests: Satterthwaite's for one contrast, HTZ for several.

A robust covariance of contrasts is D = sum_i z_i z_i' with z_si = u_si'e_i, u_si = A_i'W_i X_i M c_s, and under the
working model Cov(z_si, z_tj) = P^st_ij = u_si'((I - H) Phi (I - H)')_ij u_tj. With one contrast trace(P)^2 / trace(P P)
are the degrees of freedom of its variance. Of several, D is taken as a Wishart matrix whose degrees of freedom match
the sum of all variances of its entries, Var(d_st) = sum_ij P^ss_ij P^tt_ij + P^st_ij P^ts_ij, in a basis in which its
expectation is the identity (Hotelling's T-squared). P is nowhere formed: its off-diagonal part is a product of a few
columns a cluster.

Sources: Pustejovsky and Tipton (2018), J. Business and Economic Statistics 36, 672-683; Tipton and Pustejovsky (2015),
J. Educational and Behavioral Statistics 40, 604-634, for HTZ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.inference.kenward_roger import FTest

if TYPE_CHECKING:
    from analysis.inference.cluster_designs import ClusterDesign

Matrix = Any  # an array, or scipy's sparse one, which is not typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What one contrast takes from every cluster.

    Parameters
    ----------
    weights
        Shape (J, r), u within the clusters' bases.
    spread
        Shape (J, r), Phi u.
    ends
        Shape (J, l), sparse with absorbed strata: P_ij is a diagonal less ``ends_i K ends_j'``.
    """

    weights: np.ndarray
    spread: np.ndarray
    ends: Matrix

    def plus(self, other: Pull, share: float) -> Pull:
        """Return this and a multiple of another."""
        return Pull(
            weights=self.weights + share * other.weights,
            spread=self.spread + share * other.spread,
            ends=self.ends + share * other.ends,
        )


def contrast_pull(design: ClusterDesign, direction: np.ndarray, change: np.ndarray) -> Pull:
    """Return what a contrast takes from every cluster.

    Parameters
    ----------
    design
        The clusters.
    direction
        Shape (J, m) or (m,), M c.
    change
        Shape (J, r, r), A - I.
    """
    inner = (design.weighted @ direction[..., None])[..., 0]
    pulled = inner + np.einsum("jrs,jr->js", change, inner)
    spread = pulled if design.working is None else np.einsum("jrs,js->jr", design.working, pulled)
    ends: Matrix = np.einsum("jrm,jr->jm", design.columns, pulled)
    if design.stratum is not None:
        ends = _replace_stratum_mean_column(design, ends)
    elif design.middle is not None:
        ends = np.hstack([ends, np.einsum("jrm,jr->jm", design.weighted, pulled)])
    return Pull(weights=pulled, spread=spread, ends=ends)


def link(design: ClusterDesign) -> Matrix:
    """Return K, shape (l, l): see `Pull`."""
    if design.stratum is not None and design.stratum_sizes is not None:
        from scipy import sparse

        p = len(design.beta)
        return sparse.block_diag([design.bread[0, :p, :p], sparse.diags_array(1 / design.stratum_sizes)], format="csr")
    bread = design.bread[0]
    if design.middle is None:
        return bread
    return np.block([[-bread @ design.middle @ bread, bread], [bread, np.zeros_like(bread)]])


def _replace_stratum_mean_column(design: ClusterDesign, ends: np.ndarray) -> Matrix:
    """Return the ends with a column a stratum in place of that of the stratum's mean."""
    from scipy import sparse

    if design.stratum is None or design.stratum_sizes is None:
        raise AssertionError
    p, clusters = len(design.beta), np.arange(design.n_clusters)
    shape = (design.n_clusters, len(design.stratum_sizes))
    on_mean = sparse.csr_array((ends[:, p], (clusters, design.stratum)), shape=shape)
    return sparse.hstack([sparse.csr_array(ends[:, :p]), on_mean], format="csr")


def _compute_expected_diagonals(a: Pull, b: Pull, k: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the two parts of the diagonal of P^ab, shape (J,) each: P^ab_ii is the first less the second."""
    cluster_part = (a.weights * b.spread).sum(axis=1)
    shared = np.asarray(((a.ends @ k) * b.ends).sum(axis=1)).ravel()
    return cluster_part, shared


def _compute_entry_variance(a: Pull, b: Pull, k: Matrix) -> float:
    """Return Var(d_ab) under the working model."""
    (own_a, shared_a), (own_b, shared_b), (cluster_part, shared) = (
        _compute_expected_diagonals(*pair, k) for pair in ((a, a), (b, b), (a, b))
    )
    across = (a.ends.T @ b.ends) @ k
    back = (b.ends.T @ a.ends) @ k
    squares = (own_a * own_b - own_a * shared_b - own_b * shared_a).sum() + (back * across.T).sum()
    return float(squares + (cluster_part**2 - 2 * cluster_part * shared).sum() + (back * back.T).sum())


def compute_satterthwaite_df(pull: Pull, k: Matrix) -> float:
    """Return trace(P)^2 / trace(P P) of one contrast, NaN where there is no P.

    Parameters
    ----------
    pull
        Of the contrast.
    k
        See `link`.
    """
    cluster_part, shared = _compute_expected_diagonals(pull, pull, k)
    variance = _compute_entry_variance(pull, pull, k)
    return 2 * float((cluster_part - shared).sum()) ** 2 / variance if variance > 0 else np.nan


def compute_hotelling_test(
    pulls: Sequence[Pull],
    k: Matrix,
    *,
    difference: np.ndarray,
    covariance: np.ndarray,
) -> FTest:
    """Test contrasts jointly by the approximate Hotelling's T-squared test of Tipton and Pustejovsky (HTZ).

    Parameters
    ----------
    pulls
        Of the q contrasts.
    k
        See `link`.
    difference
        Shape (q,), estimates less their values under the null hypothesis.
    covariance
        Shape (q, q), their robust covariance.

    Returns
    -------
    FTest
        With denominator degrees of freedom of 0 or less where clusters are too few for a test.
    """
    q = len(pulls)
    expected = np.array([[_sum_part_difference(_compute_expected_diagonals(a, b, k)) for b in pulls] for a in pulls])
    values, vectors = np.linalg.eigh(expected)
    root = vectors @ np.diag(1 / np.sqrt(values)) @ vectors.T
    turned = [_sum_weighted_pulls(pulls, row) for row in root]
    total = sum(_compute_entry_variance(a, b, k) for a in turned for b in turned)
    df = q * (q + 1) / total
    statistic = float(difference @ np.linalg.solve(covariance, difference))
    scaling = max((df - q + 1) / df, 0.0)
    return FTest(statistic=scaling * statistic / q, df_numerator=q, df_denominator=float(df - q + 1), scaling=scaling)


def _sum_part_difference(parts: tuple[np.ndarray, np.ndarray]) -> float:
    return float((parts[0] - parts[1]).sum())


def _sum_weighted_pulls(pulls: Sequence[Pull], shares: np.ndarray) -> Pull:
    first = Pull(
        weights=shares[0] * pulls[0].weights, spread=shares[0] * pulls[0].spread, ends=shares[0] * pulls[0].ends
    )
    for pull, share in zip(pulls[1:], shares[1:], strict=True):
        first = first.plus(pull, float(share))
    return first
