"""Cluster-robust errors of a multilevel model: its own generalised least squares by its outermost groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import block_diag

from analysis.inference.cluster_designs import ClusterDesign, build_generalised_design
from analysis.inference.cluster_robust import SeType, compute_joint_test, contrast_inference
from analysis.inference.kenward_roger import FTest
from analysis.mixed_models.cluster_rows import ClusterRows
from analysis.mixed_models.jets import build_covariance_matrices, build_parameters
from analysis.mixed_models.moments import Moments
from analysis.mixed_models.random_effects import StrataContrasts
from analysis.mixed_models.search import Optimum

MixedSeType = Literal["model", "CR0", "CR1", "CR2", "CR3"]

ONE_CLUSTER = "The effect rests on one group of '{cluster}' alone: no standard error can be estimated for it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustErrors:
    """Cluster-robust errors of a fit.

    Parameters
    ----------
    se_type
        Which.
    cluster
        Name of the grouping whose groups are the clusters.
    design
        The model's generalised least squares at its variances, strata absorbed.
    n_fixed
        Number of fixed columns, p.
    vcov
        Shape (p, p), of the scaled coefficients.
    df
        Shape (p,), of the coefficients of the columns as they were.
    """

    se_type: SeType
    cluster: str
    design: ClusterDesign
    n_fixed: int
    vcov: np.ndarray
    df: np.ndarray

    def contrasts(self, rows: np.ndarray, weights: np.ndarray | None = None) -> StrataContrasts:
        """Return weighted sums of the scaled coefficients and of strata's effects.

        Parameters
        ----------
        rows
            Shape (k, p).
        weights
            Shape (k, S - 1), of the effects of all strata but the reference; None for zeros.
        """
        estimates, by_cluster = _build_cluster_contrasts(self.design, rows, weights)
        inference = contrast_inference(self.design, by_cluster, se_type=self.se_type)
        errors = np.sqrt(np.maximum(np.diag(inference.vcov), 0.0))
        return StrataContrasts(estimates=estimates, errors=errors, df=inference.df)

    def joint_test(self, rows: np.ndarray, difference: np.ndarray) -> FTest:
        """Test contrasts of the scaled coefficients jointly (HTZ; of one contrast the square of its t).

        Parameters
        ----------
        rows
            Shape (q, p).
        difference
            Shape (q,), their estimates less their values under the null hypothesis.

        Raises
        ------
        EstimationError
            When an effect rests on one cluster alone, or clusters are too few for so many effects.
        """
        _, by_cluster = _build_cluster_contrasts(self.design, rows, None)
        place = f"joint test with {self.se_type} errors by '{self.cluster}'"
        return compute_joint_test(self.design, by_cluster, difference=difference, se_type=self.se_type, place=place)


def compute_robust_errors(made: ClusterRows, sums: Moments, best: Optimum, *, se_type: SeType) -> RobustErrors:
    """Return the cluster-robust errors of a fit.

    Parameters
    ----------
    made
        The clusters' rows.
    sums, best
        The fit: its data and variances.
    se_type
        Which.
    """
    residual = best.variances[-len(sums.n_rows) :] / best.variances[-1]
    levels = build_covariance_matrices(sums, build_parameters(sums), best.variances / best.variances[-1])
    relative = block_diag(*[np.kron(np.eye(n), psi) for n, psi in zip(made.n_sets, levels, strict=True)])
    random = made.rows[:, :, sums.p : -1]
    working = random @ relative @ random.transpose(0, 2, 1)
    place = np.arange(working.shape[1])
    working[:, place, place] += residual[made.variance] / made.weights
    design = build_generalised_design(
        made.rows[:, :, : sums.p], made.rows[:, :, -1], working=working, stratum=made.stratum, n_rows=sums.n
    )
    _, by_cluster = _build_cluster_contrasts(design, np.eye(sums.p), None)
    vcov = contrast_inference(design, by_cluster, se_type=se_type, tests=False).vcov
    _, by_cluster = _build_cluster_contrasts(design, sums.basis.matrix, None)
    df = contrast_inference(design, by_cluster, se_type=se_type).df
    return RobustErrors(se_type=se_type, cluster=made.cluster, design=design, n_fixed=sums.p, vcov=vcov, df=df)


def _build_cluster_contrasts(
    design: ClusterDesign, rows: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return estimates, and the contrasts in the columns of the design, shape (k, J or 1, m).

    With absorbed strata the intercept is the mean of the first stratum and an effect the difference of two, each mean
    being a stratum's own coefficient less its columns' means times the other coefficients.
    """
    means = design.stratum_means
    if means is None or design.stratum is None:
        return rows @ design.beta, rows[:, None, :]
    effects = np.zeros((len(rows), len(means) - 1)) if weights is None else weights
    of_strata = np.hstack([rows[:, :1] - effects.sum(axis=1, keepdims=True), effects])
    slopes = rows[:, 1:] - of_strata @ means[:, :-1]
    estimates = slopes @ design.beta + of_strata @ means[:, -1]
    slopes_by_cluster = np.broadcast_to(slopes[:, None, :], (len(rows), design.n_clusters, slopes.shape[1]))
    return estimates, np.concatenate([slopes_by_cluster, of_strata[:, design.stratum, None]], axis=2)
