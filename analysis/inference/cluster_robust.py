"""Cluster-robust variances (CR0, CR1, CR1S, CR2, CR3) from each cluster's cross-products, of least squares and of GLS.

The usual statement adjusts the residuals of a cluster of n rows by an n-by-n matrix. For CR2 that is
A = F (F R F)^(-1/2) F with F = Phi^(1/2), Phi the working covariance of the cluster and
R = ((I - H) Phi (I - H)')_jj the residuals' covariance under it. R and Phi differ from the identity only within the
span of a few columns Q (the model's, the weighted ones, the random effects'), so that in an orthonormal basis U of that
span, which the cross-products Q'Q give, A is a small matrix, and the identity elsewhere. Nothing has a row a pupil.

Sources: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018), J. Business and
Economic Statistics 36, 672-683. A does not depend on which square root of Phi is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from data_schema.errors import EstimationError

SeType = Literal["CR0", "CR1", "CR1S", "CR2", "CR3"]

# Below this an eigenvalue of I - H is zero: the cluster alone determines a coefficient (clubSandwich drops it too).
_LEVERAGE_TOLERANCE = 1e-10
# A contrast rests on one cluster when this share of its weight is in such directions: no error can be told for it.
_DETERMINED_TOLERANCE = 1e-6
_SPAN_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRobust:
    """Coefficients with their cluster-robust variance.

    Parameters
    ----------
    beta
        Shape (p,).
    vcov
        Shape (p, p).
    df
        Shape (k,), Satterthwaite degrees of freedom of each contrast; NaN for a contrast that rests on one cluster
        alone (the only one of its arm, say), whose residual is zero whatever happened there.
    """

    beta: np.ndarray
    vcov: np.ndarray
    df: np.ndarray


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
        Position of each cluster's absorbed stratum, and the strata's rows; None without absorbed strata.
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

    @property
    def n_clusters(self) -> int:
        """Number of clusters, J."""
        return len(self.scores)

    @property
    def gram(self) -> np.ndarray:
        """Each cluster's X'WX, shape (J, m, m)."""
        return np.asarray(self.columns.transpose(0, 2, 1) @ self.weighted)


def least_squares_design(products: np.ndarray, *, n_rows: int = 0) -> ClusterDesign:
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


def absorbed_design(products: np.ndarray, *, stratum: np.ndarray, n_rows: int) -> ClusterDesign:
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


def weighted_design(products: np.ndarray, *, n_rows: int = 0) -> ClusterDesign:
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


def generalised_design(products: np.ndarray, *, relative_covariance: np.ndarray, n_rows: int = 0) -> ClusterDesign:
    """Prepare the generalised least squares of a model with random effects of clusters.

    Parameters
    ----------
    products
        Shape (J, p + k + 1, p + k + 1), each cluster's cross-products of [X Z y].
    relative_covariance
        Shape (k, k), covariance of the random effects over the residual variance: V = I + Z L Z', for a random
        intercept the 1-by-1 matrix of the variance ratio. Weights are its inverse and the working covariance is itself.
    n_rows
        Rows in all.
    """
    k = len(relative_covariance)
    p = products.shape[1] - 1 - k
    gram, with_y = products[:, :-1, :-1], products[:, :-1, -1]
    to_basis = _to_basis(gram)
    rank = int(to_basis.any(axis=2).sum(axis=1).max())  # what lies outside of every cluster's span is left out
    to_basis = to_basis[:, -rank:]
    columns, random = to_basis @ gram[:, :, :p], to_basis @ gram[:, :, p:]
    working = np.eye(rank) + random @ relative_covariance @ random.transpose(0, 2, 1)
    weighted = np.linalg.solve(working, columns)
    # X'V^(-1)a = X'a - X'Z (I + L Z'Z)^(-1) L Z'a, in which nothing is lost that lies outside the basis' reach.
    shrunk = np.linalg.solve(np.eye(k) + relative_covariance @ gram[:, p:, p:], relative_covariance[None])
    crossed = gram[:, :p, p:] @ shrunk
    inner = gram[:, :p, :p] - crossed @ gram[:, p:, :p]
    moment = with_y[:, :p] - np.einsum("jpk,jk->jp", crossed, with_y[:, p:])
    bread = np.linalg.inv(inner.sum(axis=0))
    beta = bread @ moment.sum(axis=0)
    left = with_y - gram[:, :, :p] @ beta
    return ClusterDesign(
        columns=columns,
        weighted=weighted,
        residual=np.einsum("jrq,jq->jr", to_basis, left),
        scores=moment - inner @ beta,
        bread=bread[None],
        beta=beta,
        n_rows=n_rows,
        n_columns=p,
        working=working,
    )


def cluster_robust(design: ClusterDesign, *, contrasts: np.ndarray, se_type: SeType = "CR2") -> ClusterRobust:
    """Return coefficients with their cluster-robust variance and Satterthwaite degrees of freedom.

    Parameters
    ----------
    design
        Of least squares, with weights, absorbed strata or random effects.
    contrasts
        Shape (k, p), one contrast of coefficients a row.
    se_type
        "CR0" without a correction, "CR1" times J / (J - 1), "CR1S" Stata's J (N - 1) / ((J - 1)(N - p)), "CR2"
        unbiased under the working model, "CR3" near the jackknife (larger by J / (J - 1)).

    Returns
    -------
    ClusterRobust
        The degrees of freedom are those under the working model, as clubSandwich has them.
    """
    if se_type not in get_args(SeType):
        raise EstimationError(
            "cluster-robust variance", f"'{se_type}' is unknown.", f"Use one of {', '.join(get_args(SeType))}."
        )
    p = len(design.beta)
    change = _adjustment(design, se_type)
    adjusted = design.scores + np.einsum("jrm,jrs,js->jm", design.weighted, change, design.residual)
    bread = design.bread[0, :p, :p]
    meat = adjusted[:, :p].T @ adjusted[:, :p] * _small_sample(design, se_type)
    rows = np.zeros((len(contrasts), design.scores.shape[1]))
    rows[:, :p] = contrasts @ bread
    df = np.array([_satterthwaite(design, row, change) for row in rows])
    return ClusterRobust(
        beta=design.beta,
        vcov=bread @ meat @ bread,
        df=np.where(_determined(design, rows), np.nan, df),
    )


def cr2(products: np.ndarray, *, contrasts: np.ndarray) -> ClusterRobust:
    """Estimate by least squares with CR2 variance and Satterthwaite degrees of freedom.

    Parameters
    ----------
    products
        Shape (J, p + 1, p + 1), each cluster's cross-products of [X y], X of full column rank.
    contrasts
        Shape (k, p), one contrast of coefficients a row.
    """
    return cluster_robust(least_squares_design(products), contrasts=contrasts)


def _to_basis(gram: np.ndarray) -> np.ndarray:
    """Return what turns Q'a into U'a, U an orthonormal basis of Q's span; shape (J, r, r), zero beyond the rank."""
    values, vectors = np.linalg.eigh(gram)
    there = values > _SPAN_TOLERANCE * values.max(axis=1, keepdims=True)
    scale = np.where(there, 1 / np.sqrt(np.where(there, values, 1.0)), 0.0)
    return np.asarray(scale[:, :, None] * vectors.transpose(0, 2, 1))


def _power(matrices: np.ndarray, exponent: float, *, tolerance: float = 0.0) -> np.ndarray:
    """Return powers of symmetric matrices, in which eigenvalues below a share of the largest are left at zero."""
    values, vectors = np.linalg.eigh(matrices)
    usable = values > tolerance * values.max(axis=1, keepdims=True)
    raised = np.where(usable, np.where(usable, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * raised[:, None, :]) @ vectors.transpose(0, 2, 1))


def _residual_covariance(design: ClusterDesign) -> np.ndarray:
    """Return U'((I - H) Phi (I - H)')_jj U, shape (J, r, r)."""
    x, r = design.columns, design.columns.shape[1]
    start = np.eye(r)[None] if design.working is None else design.working
    if design.middle is None:
        return np.asarray(start - x @ design.bread @ x.transpose(0, 2, 1))
    cross = x @ design.bread @ design.weighted.transpose(0, 2, 1)
    doubled = design.bread @ design.middle @ design.bread
    return np.asarray(start - cross - cross.transpose(0, 2, 1) + x @ doubled @ x.transpose(0, 2, 1))


def _adjustment(design: ClusterDesign, se_type: SeType) -> np.ndarray:
    """Return A - I within the basis, shape (J, r, r)."""
    identity = np.eye(design.columns.shape[1])
    if se_type == "CR2":
        left = _residual_covariance(design)
        root = identity if design.working is None else _power(design.working, 0.5)
        by_half = _power(root @ left @ root, -0.5, tolerance=_LEVERAGE_TOLERANCE)
        return np.asarray(root @ by_half @ root - identity)
    if se_type == "CR3":
        leverage = design.columns @ design.bread @ design.weighted.transpose(0, 2, 1)
        return np.asarray(np.linalg.pinv(identity - leverage, rcond=_LEVERAGE_TOLERANCE) - identity)
    return np.zeros((design.n_clusters, *identity.shape))


def _small_sample(design: ClusterDesign, se_type: SeType) -> float:
    clusters = design.n_clusters
    if se_type not in ("CR1", "CR1S"):
        return 1.0
    factor = clusters / (clusters - 1)
    if se_type == "CR1":
        return factor
    return factor * (design.n_rows - 1) / (design.n_rows - design.n_columns)


def _determined(design: ClusterDesign, rows: np.ndarray) -> np.ndarray:
    """Return which contrasts take more than a trace of their weight from a cluster that alone settles them.

    Weights and working covariance are taken into the columns: with G_j = X_j'W_j X_j a cluster settles the directions
    in which G_j^(1/2) M G_j^(1/2) is one.
    """
    root = _power(design.gram, 0.5, tolerance=_SPAN_TOLERANCE)
    identity = np.eye(root.shape[1])
    lost = identity - _power(identity - root @ design.bread @ root, 0.0, tolerance=_LEVERAGE_TOLERANCE)
    inner = rows @ root  # root is symmetric
    in_lost = ((inner @ lost) * inner).sum(axis=(0, 2))
    return np.asarray(in_lost > _DETERMINED_TOLERANCE * (inner**2).sum(axis=(0, 2)))


def _satterthwaite(design: ClusterDesign, row: np.ndarray, change: np.ndarray) -> float:
    """Return (trace P)^2 / trace(P P), P_ij = u_i'((I - H) Phi (I - H)')_ij u_j and u_j = A_j'W_j X_j M c."""
    inner = design.weighted @ row
    pulled = inner + np.einsum("jrs,jr->js", change, inner)
    spread = pulled if design.working is None else np.einsum("jrs,js->jr", design.working, pulled)
    own = (pulled * spread).sum(axis=1)
    by_column = np.einsum("jrm,jr->jm", design.columns, pulled)
    if design.stratum is not None:
        shared, squares = _shared_with_strata(design, by_column)
    elif design.middle is None:
        shared, squares = _shared(by_column, design.bread[0])
    else:
        bread = design.bread[0]
        weighted = np.einsum("jrm,jr->jm", design.weighted, pulled)
        link = np.block([[-bread @ design.middle @ bread, bread], [bread, np.zeros_like(bread)]])
        shared, squares = _shared(np.hstack([by_column, weighted]), link)
    trace = float((own - shared).sum())
    total = float((own**2).sum() - 2 * (own * shared).sum()) + squares
    return trace**2 / total if total > 0 else np.nan


def _shared(pulled: np.ndarray, link: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the diagonal of C K C', shape (J,), and its sum of squares."""
    product = link @ (pulled.T @ pulled)
    return np.einsum("jm,mn,jn->j", pulled, link, pulled), float(np.sum(product * product.T))


def _shared_with_strata(design: ClusterDesign, pulled: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the same with the strata's projection added: t_i t_j / N_s within a stratum, t the pull on its mean."""
    sizes, codes = design.stratum_sizes, design.stratum
    if sizes is None or codes is None:
        raise AssertionError
    p = len(design.beta)
    own, on_mean, bread = pulled[:, :p], pulled[:, p], design.bread[0, :p, :p]
    shared, squares = _shared(own, bread)
    of_stratum = np.bincount(codes, weights=on_mean**2, minlength=len(sizes)) / sizes
    together = np.stack(
        [np.bincount(codes, weights=on_mean * own[:, k], minlength=len(sizes)) for k in range(p)], axis=1
    )
    crossed = float((np.einsum("sp,pq,sq->s", together, bread, together) / sizes).sum())
    return shared + on_mean**2 / sizes[codes], squares + float((of_stratum**2).sum()) + 2 * crossed
