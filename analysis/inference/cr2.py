"""CR2: the bias-reduced sandwich estimator for clustered data, from each school's cross-products.

The usual statement adjusts the residuals of a school of n pupils by the n-by-n matrix (I - H_jj)^(-1/2). Since
H_jj = X_j M X_j' with M = (X'X)^(-1) has rank p at most, the same adjustment acts on p-by-p matrices:
with G_j = X_j'X_j and B_j = G_j^(1/2) M G_j^(1/2) = U diag(b) U',
X_j' (I - H_jj)^(-1/2) = G_j^(1/2) U diag((1 - b)^(-1/2)) U' G_j^(-1/2) X_j'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Below this, 1 - b is zero: the school alone determines a coefficient (clubSandwich's pseudo-inverse does the same).
_LEVERAGE_TOLERANCE = 1e-10
# A contrast rests on one school when this share of its weight is in such directions: no error can be told for it.
_DETERMINED_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRobust:
    """Least squares with its cluster-robust variance.

    Parameters
    ----------
    beta
        Shape (p,).
    vcov
        Shape (p, p).
    df
        Shape (k,), Satterthwaite degrees of freedom of each contrast; NaN for a contrast that rests on one school
        alone (the only one of its arm, say), whose residual is zero whatever happened there.
    """

    beta: np.ndarray
    vcov: np.ndarray
    df: np.ndarray


def cr2(products: np.ndarray, *, contrasts: np.ndarray) -> ClusterRobust:
    """Estimate by least squares with CR2 variance and Satterthwaite degrees of freedom.

    Parameters
    ----------
    products
        Shape (J, p + 1, p + 1), each school's cross-products of [X y], X of full column rank.
    contrasts
        Shape (k, p), one contrast of coefficients a row.

    Returns
    -------
    ClusterRobust
        The degrees of freedom are those under independent errors of equal variance.
    """
    gram, moment = products[:, :-1, :-1], products[:, :-1, -1]
    inverse = np.linalg.inv(gram.sum(axis=0))
    beta = inverse @ moment.sum(axis=0)
    root, back = _roots(gram)
    values, vectors = np.linalg.eigh(root @ inverse @ root)
    left = 1 - values
    usable = left > _LEVERAGE_TOLERANCE
    safe = np.where(usable, left, 1.0)
    by_half = _rebuilt(vectors, np.where(usable, safe**-0.5, 0.0))
    by_whole = _rebuilt(vectors, np.where(usable, 1 / safe, 0.0))
    scores = moment - gram @ beta
    adjusted = np.einsum("jpq,jqr,jrs,js->jp", root, by_half, back, scores)
    vcov = inverse @ (adjusted.T @ adjusted) @ inverse
    rows = contrasts @ inverse
    df = _df(rows, inverse, root=root, by_half=by_half, by_whole=by_whole)
    lost = _rebuilt(vectors, np.where(usable, 0.0, 1.0))
    return ClusterRobust(beta=beta, vcov=vcov, df=np.where(_determined(rows, root=root, lost=lost), np.nan, df))


def _roots(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the symmetric square roots of matrices and their pseudo-inverses, shape (J, p, p)."""
    values, vectors = np.linalg.eigh(gram)
    positive = values > 1e-12 * values.max(axis=1, keepdims=True)
    safe = np.where(positive, values, 1.0)
    root = _rebuilt(vectors, np.where(positive, np.sqrt(safe), 0.0))
    back = _rebuilt(vectors, np.where(positive, 1 / np.sqrt(safe), 0.0))
    return root, back


def _rebuilt(vectors: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray((vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1))


def _determined(rows: np.ndarray, *, root: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return which contrasts take more than a trace of their weight from a school that alone settles them."""
    inner = np.einsum("jpq,kq->kjp", root, rows)
    in_lost = np.einsum("kjp,jpq,kjq->k", inner, lost, inner)
    return np.asarray(in_lost > _DETERMINED_TOLERANCE * (inner**2).sum(axis=(1, 2)))


def _df(
    rows: np.ndarray, inverse: np.ndarray, *, root: np.ndarray, by_half: np.ndarray, by_whole: np.ndarray
) -> np.ndarray:
    """Return (trace P)^2 / trace(P P) with P_ij = p_i'(I - H)_ij p_j and p_j = A_j X_j M c, a contrast at a time."""
    degrees = np.empty(len(rows))
    for place, row in enumerate(rows):
        inner = root @ row  # G^(1/2) M c, shape (J, p)
        own = np.einsum("jp,jpq,jq->j", inner, by_whole, inner)  # p_j'p_j
        pulled = np.einsum("jpq,jqr,jr->jp", root, by_half, inner)  # X_j'p_j
        shared = np.einsum("jp,pq,jq->j", pulled, inverse, pulled)
        product = inverse @ (pulled.T @ pulled)
        trace = float((own - shared).sum())
        squares = float((own**2).sum() - 2 * (own * shared).sum() + np.sum(product * product.T))
        degrees[place] = trace**2 / squares if squares > 0 else np.nan
    return degrees
