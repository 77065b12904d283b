"""What cluster-robust variances need of every cluster: of least squares, weighted or not, and of GLS.

R and Phi (see `analysis.inference.cluster_robust`) differ from the identity only within the span of a few columns Q
(the model's, the weighted ones, the random effects'), so that an orthonormal basis U of that span, which the
cross-products Q'Q give, is all that is needed of a cluster's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPAN_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDesign:
    """What a robust variance needs of every cluster, in an orthonormal basis U of the columns' span.

    Parameters
    ----------
    columns, weighted
        Shape (J, r, m), U'X and U'WX.
    residual
        Shape (J, r), U'e.
    scores
        Shape (J, m), X'We.
    bread
        Shape (J or 1, m, m), inverse of X'WX; by cluster where a fixed effect of its stratum is absorbed.
    beta
        Shape (p,), the coefficients; m = p, or p + 1 with absorbed strata.
    n_rows
        Rows of all clusters.
    working
        Shape (J, r, r), U'Phi U of the working covariance; None for the identity.
    middle
        Shape (m, m), X'W Phi W X where that is not X'WX (weights that are no inverse variances); None otherwise.
    stratum, stratum_sizes
        Position of each cluster's absorbed stratum, and the strata's rows (or 1'W1); None without absorbed strata.
    stratum_means
        Shape (S, p + 1), what was taken off the columns and the outcome, where that is done here; None otherwise.
    n_columns
        Coefficients in all, absorbed ones too.
    """

    columns: np.ndarray
    weighted: np.ndarray
    residual: np.ndarray
    scores: np.ndarray
    bread: np.ndarray
    beta: np.ndarray
    n_rows: int
    n_columns: int
    working: np.ndarray | None = None
    middle: np.ndarray | None = None
    stratum: np.ndarray | None = None
    stratum_sizes: np.ndarray | None = None
    stratum_means: np.ndarray | None = None

    @property
    def n_clusters(self) -> int:
        """Number of clusters, J."""
        return len(self.scores)

    @property
    def gram(self) -> np.ndarray:
        """Each cluster's X'WX, shape (J, m, m)."""
        return np.asarray(self.columns.transpose(0, 2, 1) @ self.weighted)


def build_least_squares_design(products: np.ndarray, *, n_rows: int) -> ClusterDesign:
    """Prepare least squares.

    Parameters
    ----------
    products
        Shape (J, p + 1, p + 1), each cluster's cross-products of [X y], X of full column rank.
    n_rows
        Rows in all; only CR1S needs them.
    """
    gram, moment = products[:, :-1, :-1], products[:, :-1, -1]
    bread = np.linalg.inv(gram.sum(axis=0))
    beta = bread @ moment.sum(axis=0)
    to_basis = _to_basis(gram)
    scores = moment - gram @ beta
    columns = to_basis @ gram
    return ClusterDesign(
        columns=columns,
        weighted=columns,
        residual=np.einsum("jrq,jq->jr", to_basis, scores),
        scores=scores,
        bread=bread[None],
        beta=beta,
        n_rows=n_rows,
        n_columns=len(beta),
    )


def build_absorbed_design(products: np.ndarray, *, stratum: np.ndarray, n_rows: int) -> ClusterDesign:
    """Prepare least squares with a fixed effect of each stratum of whole clusters, at the price of one column.

    Parameters
    ----------
    products
        Shape (J, p + 2, p + 2), each cluster's cross-products of [X 1 y], X and y less their strata's means.
    stratum
        Shape (J,), position of each cluster's stratum.
    n_rows
        Rows in all.

    Returns
    -------
    ClusterDesign
        That of the model with a dummy a stratum: H is the sum of the projections on X and on the strata.
    """
    p = products.shape[1] - 2
    gram = products[:, :-1, :-1]
    inverse = np.linalg.inv(gram[:, :p, :p].sum(axis=0))
    beta = inverse @ products[:, :p, -1].sum(axis=0)
    sizes = np.bincount(stratum, weights=gram[:, p, p])
    bread = np.zeros_like(gram)
    bread[:, :p, :p] = inverse
    bread[:, p, p] = 1 / sizes[stratum]
    scores = products[:, :-1, -1] - gram[:, :, :p] @ beta
    to_basis = _to_basis(gram)
    columns = to_basis @ gram
    return ClusterDesign(
        columns=columns,
        weighted=columns,
        residual=np.einsum("jrq,jq->jr", to_basis, scores),
        scores=scores,
        bread=bread,
        beta=beta,
        n_rows=n_rows,
        n_columns=p + len(sizes),
        stratum=stratum,
        stratum_sizes=sizes,
    )


def build_weighted_design(products: np.ndarray, *, n_rows: int) -> ClusterDesign:
    """Prepare weighted least squares; the working model is independent errors of equal variance.

    Parameters
    ----------
    products
        Shape (J, 2p + 1, 2p + 1), each cluster's cross-products of [X WX y], weights of mean 1 or so.
    n_rows
        Rows in all.
    """
    p = products.shape[1] // 2
    gram, with_y = products[:, :-1, :-1], products[:, :-1, -1]
    bread = np.linalg.inv(gram[:, :p, p:].sum(axis=0))
    beta = bread @ with_y[:, p:].sum(axis=0)
    to_basis = _to_basis(gram)
    left = with_y - gram[:, :, :p] @ beta
    return ClusterDesign(
        columns=to_basis @ gram[:, :, :p],
        weighted=to_basis @ gram[:, :, p:],
        residual=np.einsum("jrq,jq->jr", to_basis, left),
        scores=left[:, p:],
        bread=bread[None],
        beta=beta,
        n_rows=n_rows,
        n_columns=p,
        middle=gram[:, p:, p:].sum(axis=0),
    )


def build_generalised_design(
    columns: np.ndarray, outcome: np.ndarray, *, working: np.ndarray, stratum: np.ndarray | None = None, n_rows: int = 0
) -> ClusterDesign:
    """Prepare generalised least squares; weights are the inverse of the working covariance.

    Parameters
    ----------
    columns, outcome
        Shape (J, r, p) and (J, r), X and y in orthonormal bases (`compute_basis_rows`), or the rows themselves; rows of
        zeros fill up clusters of fewer.
    working
        Shape (J, r, r), the working covariance, up to a factor.
    stratum
        Shape (J,), position of each cluster's stratum, whose effects are absorbed and take the place of the intercept,
        which has to be the first column; None without.
    n_rows
        Rows in all.

    Returns
    -------
    ClusterDesign
        With absorbed strata its columns are those of X but the intercept, less their strata's (weighted) means, and the
        constant.
    """
    means = None
    if stratum is not None:
        columns, outcome, means, sizes = _remove_strata_means(columns, outcome, working, stratum)
    p = columns.shape[2] - (stratum is not None)
    weighted = np.linalg.solve(working, columns)
    inner = columns.transpose(0, 2, 1) @ weighted
    inverse = np.linalg.inv(inner[:, :p, :p].sum(axis=0))
    beta = inverse @ np.einsum("jrp,jr->p", weighted[:, :, :p], outcome)
    left = outcome - columns[:, :, :p] @ beta
    bread = inverse[None]
    if stratum is not None:
        bread = np.zeros_like(inner)
        bread[:, :p, :p] = inverse
        bread[:, p, p] = 1 / sizes[stratum]
    return ClusterDesign(
        columns=columns,
        weighted=weighted,
        residual=left,
        scores=np.einsum("jrm,jr->jm", weighted, left),
        bread=bread,
        beta=beta,
        n_rows=n_rows,
        n_columns=p + (0 if means is None else len(means)),
        working=working,
        stratum=stratum,
        stratum_sizes=None if means is None else sizes,
        stratum_means=means,
    )


def _remove_strata_means(
    columns: np.ndarray, outcome: np.ndarray, working: np.ndarray, stratum: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns and the outcome less their strata's means, the constant last, the means and the weights."""
    ones = columns[:, :, :1]
    both = np.concatenate([columns[:, :, 1:], outcome[:, :, None]], axis=2)
    pulled = np.linalg.solve(working, ones)[:, :, 0]
    sizes = np.bincount(stratum, weights=(pulled * ones[:, :, 0]).sum(axis=1))
    sums = np.einsum("jr,jrm->jm", pulled, both)
    totals = np.zeros((len(sizes), sums.shape[1]))
    np.add.at(totals, stratum, sums)
    means = totals / sizes[:, None]
    moved = both - ones * means[stratum][:, None, :]
    return np.concatenate([moved[:, :, :-1], ones], axis=2), moved[:, :, -1], means, sizes


def compute_basis_rows(products: np.ndarray) -> np.ndarray:
    """Return columns and outcome of clusters in orthonormal bases of their columns' spans.

    Parameters
    ----------
    products
        Shape (J, m + 1, m + 1), each cluster's cross-products of [Q y].

    Returns
    -------
    numpy.ndarray
        Shape (J, r, m + 1), U'[Q y], r the greatest rank of Q; rows of zeros fill up.
    """
    size = np.sqrt(np.diagonal(products[:, :-1, :-1], axis1=1, axis2=2))
    size = np.where(size > 0, size, 1.0)
    unit = products[:, :-1, :-1] / (size[:, :, None] * size[:, None, :])
    to_basis = _to_basis(unit) / size[:, None, :]
    rank = max(int(to_basis.any(axis=2).sum(axis=1).max()), 1)  # zero beyond the rank, the last rows first
    return np.asarray(to_basis[:, -rank:] @ products[:, :-1])


def _to_basis(gram: np.ndarray) -> np.ndarray:
    """Return what turns Q'a into U'a, U an orthonormal basis of Q's span; shape (J, r, r), zero beyond the rank."""
    values, vectors = np.linalg.eigh(gram)
    there = values > SPAN_TOLERANCE * values.max(axis=1, keepdims=True)
    scale = np.where(there, 1 / np.sqrt(np.where(there, values, 1.0)), 0.0)
    return np.asarray(scale[:, :, None] * vectors.transpose(0, 2, 1))
