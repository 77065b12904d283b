"""Generalised least squares of clusters, from cross-products."""

from __future__ import annotations

import numpy as np

from analysis.inference.cluster_designs import ClusterDesign, build_generalised_design, compute_basis_rows


def random_design(products: np.ndarray, *, relative_covariance: np.ndarray, n_rows: int = 0) -> ClusterDesign:
    """Prepare the model with random effects of clusters.

    Parameters
    ----------
    products
        Shape (J, p + k + 1, p + k + 1), each cluster's cross-products of [X Z y].
    relative_covariance
        Shape (k, k), covariance of the random effects over the residual variance.
    n_rows
        Rows in all.
    """
    k = len(relative_covariance)
    rows = compute_basis_rows(products)
    random = rows[:, :, -1 - k : -1]
    working = np.eye(rows.shape[1]) + random @ relative_covariance @ random.transpose(0, 2, 1)
    return build_generalised_design(rows[:, :, : -1 - k], rows[:, :, -1], working=working, n_rows=n_rows)
