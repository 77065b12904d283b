"""Cluster-robust variances (CR0, CR1, CR1S, CR2, CR3) from each cluster's cross-products, of least squares and of GLS.

The usual statement adjusts the residuals of a cluster of n rows by an n-by-n matrix. For CR2 that is
A = F (F R F)^(-1/2) F with F = Phi^(1/2), Phi the working covariance of the cluster and
R = ((I - H) Phi (I - H)')_jj the residuals' covariance under it. R and Phi differ from the identity only within the
span of a few columns Q (the model's, the weighted ones, the random effects'), so that in an orthonormal basis U of that
span, which the cross-products Q'Q give, A is a small matrix, and the identity elsewhere. Nothing has a row per pupil.

Sources: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and Tipton (2018), J. Business and
Economic Statistics 36, 672-683. A does not depend on which square root of Phi is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from analysis.inference.cluster_designs import SPAN_TOLERANCE, ClusterDesign
from analysis.inference.cluster_tests import compute_hotelling_test, compute_satterthwaite_df, contrast_pull, link
from analysis.inference.kenward_roger import FTest
from data_schema.errors import EstimationError

SeType = Literal["CR0", "CR1", "CR1S", "CR2", "CR3"]

# Below this an eigenvalue of I - H is zero: the cluster alone determines a coefficient (clubSandwich drops it too).
_LEVERAGE_TOLERANCE = 1e-10
# A contrast rests on one cluster when this share of its weight is in such directions: it has no standard error.
_DETERMINED_TOLERANCE = 1e-6
# Beyond this condition contrasts are combinations of each other, or of fewer clusters than there are of them.
_GREATEST_CONDITION = 1e12


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
    padded = np.zeros((len(contrasts), 1, design.scores.shape[1]))
    padded[:, 0, :p] = contrasts
    inference = contrast_inference(design, padded, se_type=se_type)
    bread = design.bread[0, :p, :p]
    adjusted = inference.adjusted[:, :p]
    return ClusterRobust(
        beta=design.beta,
        vcov=bread @ (adjusted.T @ adjusted * _compute_small_sample_factor(design, se_type)) @ bread,
        df=inference.df,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastInference:
    """Robust inference of contrasts.

    Parameters
    ----------
    vcov
        Shape (k, k).
    df
        Shape (k,), see `ClusterRobust`.
    adjusted
        Shape (J, m), X'W A e of every cluster.
    """

    vcov: np.ndarray
    df: np.ndarray
    adjusted: np.ndarray


def contrast_inference(
    design: ClusterDesign, contrasts: np.ndarray, *, se_type: SeType, tests: bool = True
) -> ContrastInference:
    """Return the robust covariance and the degrees of freedom of contrasts that may differ by cluster.

    Parameters
    ----------
    design
        The clusters.
    contrasts
        Shape (k, J or 1, m): with absorbed strata the last weight is that of the effect of the cluster's stratum.
    se_type
        See `cluster_robust`.
    tests
        Whether degrees of freedom are wanted, which take longest; NaN otherwise.
    """
    change = _compute_residual_adjustment(design, se_type)
    adjusted = design.scores + np.einsum("jrm,jrs,js->jm", design.weighted, change, design.residual, optimize=True)
    rows = _compute_contrast_directions(design, contrasts)
    each = np.einsum("kjm,jm->kj", np.broadcast_to(rows, (len(rows), *adjusted.shape)), adjusted)
    df = np.full(len(rows), np.nan)
    if tests:
        k = link(design)
        df[:] = [compute_satterthwaite_df(contrast_pull(design, row, change), k) for row in rows]
        df[_find_determined_contrasts(design, rows)] = np.nan
    return ContrastInference(
        vcov=each @ each.T * _compute_small_sample_factor(design, se_type),
        df=df,
        adjusted=adjusted,
    )


def compute_joint_test(
    design: ClusterDesign, contrasts: np.ndarray, *, difference: np.ndarray, se_type: SeType, place: str
) -> FTest:
    """Test contrasts jointly; see `analysis.inference.cluster_tests`.

    Parameters
    ----------
    design
        The clusters.
    contrasts
        Shape (q, J or 1, m), see `contrast_inference`.
    difference
        Shape (q,), estimates less their values under the null hypothesis.
    se_type
        See `cluster_robust`.
    place
        What an error is about.

    Raises
    ------
    EstimationError
        When a contrast rests on one cluster alone, they are not independent, or clusters are too few for a joint test.
    """
    inference = contrast_inference(design, contrasts, se_type=se_type)
    if np.isnan(inference.df).any():
        raise EstimationError(
            place,
            "an effect rests on one cluster alone: no standard error can be estimated for it.",
            "Leave the effect out.",
        )
    size = np.sqrt(np.diag(inference.vcov))
    if not (size > 0).all() or np.linalg.cond(inference.vcov / np.outer(size, size)) > _GREATEST_CONDITION:
        raise EstimationError(
            place,
            f"the {len(contrasts)} effects cannot be distinguished by {design.n_clusters} clusters.",
            "Test fewer effects at once, none a combination of the others.",
        )
    change = _compute_residual_adjustment(design, se_type)
    pulls = [contrast_pull(design, row, change) for row in _compute_contrast_directions(design, contrasts)]
    test = compute_hotelling_test(pulls, link(design), difference=difference, covariance=inference.vcov)
    if test.df_denominator <= 0:
        raise EstimationError(
            place,
            f"{design.n_clusters} clusters are too few for a joint test of {len(contrasts)} effects.",
            "Test fewer effects at once.",
        )
    return test


def _compute_contrast_directions(design: ClusterDesign, contrasts: np.ndarray) -> np.ndarray:
    """Return M c of every contrast, shape (k, J or 1, m)."""
    return np.asarray((contrasts[:, :, None, :] @ design.bread)[:, :, 0, :])


def _compute_matrix_power(matrices: np.ndarray, exponent: float, *, tolerance: float = 0.0) -> np.ndarray:
    """Return powers of symmetric matrices, in which eigenvalues below a share of the largest are left at zero."""
    values, vectors = np.linalg.eigh(matrices)
    usable = values > tolerance * values.max(axis=1, keepdims=True)
    raised = np.where(usable, np.where(usable, values, 1.0) ** exponent, 0.0)
    return np.asarray((vectors * raised[:, None, :]) @ vectors.transpose(0, 2, 1))


def _compute_residual_covariance(design: ClusterDesign) -> np.ndarray:
    """Return U'((I - H) Phi (I - H)')_jj U, shape (J, r, r)."""
    x, r = design.columns, design.columns.shape[1]
    start = np.eye(r)[None] if design.working is None else design.working
    if design.middle is None:
        return np.asarray(start - x @ design.bread @ x.transpose(0, 2, 1))
    cross = x @ design.bread @ design.weighted.transpose(0, 2, 1)
    doubled = design.bread @ design.middle @ design.bread
    return np.asarray(start - cross - cross.transpose(0, 2, 1) + x @ doubled @ x.transpose(0, 2, 1))


def _compute_residual_adjustment(design: ClusterDesign, se_type: SeType) -> np.ndarray:
    """Return A - I within the basis, shape (J, r, r)."""
    identity = np.eye(design.columns.shape[1])
    if se_type == "CR2":
        left = _compute_residual_covariance(design)
        root = identity if design.working is None else _compute_matrix_power(design.working, 0.5)
        by_half = _compute_matrix_power(root @ left @ root, -0.5, tolerance=_LEVERAGE_TOLERANCE)
        return np.asarray(root @ by_half @ root - identity)
    if se_type == "CR3":
        leverage = design.columns @ design.bread @ design.weighted.transpose(0, 2, 1)
        return np.asarray(np.linalg.pinv(identity - leverage, rcond=_LEVERAGE_TOLERANCE) - identity)
    return np.zeros((design.n_clusters, *identity.shape))


def _compute_small_sample_factor(design: ClusterDesign, se_type: SeType) -> float:
    clusters = design.n_clusters
    if se_type not in ("CR1", "CR1S"):
        return 1.0
    factor = clusters / (clusters - 1)
    if se_type == "CR1":
        return factor
    return factor * (design.n_rows - 1) / (design.n_rows - design.n_columns)


def _find_determined_contrasts(design: ClusterDesign, rows: np.ndarray) -> np.ndarray:
    """Return which contrasts take more than a trace of their weight from a cluster that alone settles them.

    Weights and working covariance are taken into the columns: with G_j = X_j'W_j X_j a cluster settles the directions
    in which G_j^(1/2) M G_j^(1/2) is one.
    """
    root = _compute_matrix_power(design.gram, 0.5, tolerance=SPAN_TOLERANCE)
    identity = np.eye(root.shape[1])
    lost = identity - _compute_matrix_power(identity - root @ design.bread @ root, 0.0, tolerance=_LEVERAGE_TOLERANCE)
    is_determined = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(rows):
        inner = (root @ row[..., None])[..., 0]
        in_lost = float(((lost @ inner[..., None])[..., 0] * inner).sum())
        is_determined[place] = in_lost > _DETERMINED_TOLERANCE * float((inner**2).sum())
    return is_determined
