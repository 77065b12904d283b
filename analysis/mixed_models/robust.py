"""Cluster-robust errors of a multilevel model: its own generalised least squares, from each outermost group's products.

The groups within a cluster need columns of their own in Z, one set a group. Clusters need not share them: V_j is
I + Z_j L Z_j' whatever the groups are called, so that the first group of every cluster stands in one set of columns,
the second in the next, and a cluster of fewer groups has columns of zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import block_diag

from analysis.inference.cluster_robust import ClusterDesign, ClusterRobust, SeType, cluster_robust, generalised_design
from analysis.inference.kenward_roger import FTest
from analysis.mixed_models.columns import MixedColumns
from analysis.mixed_models.groupings import Grouping
from analysis.mixed_models.jets import matrices, parameters
from analysis.mixed_models.moments import Moments, Prepared
from analysis.mixed_models.search import Optimum
from analysis.mixed_models.strata import StrataContrasts
from data_schema.errors import EstimationError

MixedSeType = Literal["model", "CR0", "CR1", "CR2", "CR3"]

ONE_CLUSTER = "The effect rests on one group of '{cluster}' alone: no error can be told for it."
# Time grows with the cube of a cluster's columns; beyond these it is no longer a matter of seconds.
_MOST_COLUMNS = 200
_MOST_FIXED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProducts:
    """Each cluster's cross-products of [X Z y], of the scaled columns and outcome.

    Parameters
    ----------
    cluster
        Name of the outermost grouping.
    products
        Shape (J, p + k + 1, p + k + 1).
    n_sets
        How many sets of columns each level has in Z, finest level first: the most groups that a cluster holds.
    """

    cluster: str
    products: np.ndarray
    n_sets: tuple[int, ...]


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
        The model's generalised least squares at its variances.
    answer
        Of the scaled coefficients; degrees of freedom of those of the columns as they were.
    """

    se_type: SeType
    cluster: str
    design: ClusterDesign
    answer: ClusterRobust

    def contrasts(self, rows: np.ndarray) -> StrataContrasts:
        """Return weighted sums of the scaled coefficients.

        Parameters
        ----------
        rows
            Shape (k, p).
        """
        variances = np.einsum("kp,pq,kq->k", rows, self.answer.vcov, rows)
        return StrataContrasts(
            estimates=rows @ self.design.beta,
            errors=np.sqrt(np.maximum(variances, 0.0)),
            df=cluster_robust(self.design, contrasts=rows, se_type=self.se_type).df,
        )

    def joint_test(self, rows: np.ndarray, difference: np.ndarray) -> FTest:
        """Test one contrast of the scaled coefficients by the square of its t.

        Parameters
        ----------
        rows
            Shape (1, p).
        difference
            Shape (1,), its estimate less the value under the null hypothesis.

        Raises
        ------
        EstimationError
            For several contrasts at once.
        """
        if len(rows) != 1:
            raise EstimationError(
                f"joint test with {self.se_type} errors",
                f"{len(rows)} effects at once have no test of this kind here.",
                "Test them one at a time with `contrast`, or all with a fit of se_type='model'.",
            )
        found = self.contrasts(rows)
        if np.isnan(found.df[0]):
            raise EstimationError(
                f"test with {self.se_type} errors",
                ONE_CLUSTER.format(cluster=self.cluster),
                "Fit with se_type='model', or leave the effect out.",
            )
        statistic = float((difference[0] / found.errors[0]) ** 2)
        return FTest(statistic=statistic, df_numerator=1, df_denominator=float(found.df[0]), scaling=1.0)


def cluster_products(columns: MixedColumns, prepared: Prepared, *, place: str) -> ClusterProducts:
    """Make each outermost group's products.

    Parameters
    ----------
    columns
        The model's numbers, without strata kept out of the columns.
    prepared
        The same in the basis of the fit.
    place
        What an error is about.

    Raises
    ------
    EstimationError
        With weights, residual variances by group, too many groups within one, or more than 60 fixed columns.
    """
    outer = columns.groupings[-1]
    _supported(columns, place=place)
    sets = [_numbered_within(grouping, outer) for grouping in columns.groupings]
    n_sets = tuple(int(numbers.max()) + 1 for numbers in sets)
    n_random = sum(n * len(level.places) for n, level in zip(n_sets, prepared.levels, strict=True))
    if n_random > _MOST_COLUMNS:
        raise EstimationError(
            place,
            f"one group of '{outer.name}' holds {max(n_sets)} groups: cluster-robust errors take at most "
            f"{_MOST_COLUMNS} effects a cluster.",
            f"Put '{outer.name}' into the fixed part and keep the inner grouping alone, or use se_type='model'.",
        )
    if prepared.p > _MOST_FIXED:
        raise EstimationError(
            place,
            f"the fixed part has {prepared.p} columns: cluster-robust errors of a multilevel model take at most "
            f"{_MOST_FIXED}.",
            "Use linear_model with fixed_effects for many strata, or se_type='model'.",
        )
    order = np.argsort(outer.codes, kind="stable")
    starts = np.searchsorted(outer.codes[order], np.arange(1, len(outer.labels)))
    products = []
    for rows in np.split(order, starts):
        values = prepared.values[rows]
        random = [
            _spread_out(values[:, level.places], numbers[rows], n)
            for level, numbers, n in zip(prepared.levels, sets, n_sets, strict=True)
        ]
        joined = np.hstack([values[:, : prepared.p], *random, values[:, -1:]])
        products.append(joined.T @ joined)
    return ClusterProducts(cluster=outer.name, products=np.stack(products), n_sets=n_sets)


def robust_errors(made: ClusterProducts, sums: Moments, best: Optimum, *, se_type: SeType) -> RobustErrors:
    """Return the cluster-robust errors of a fit.

    Parameters
    ----------
    made
        The clusters' products.
    sums, best
        The fit: its data and variances.
    se_type
        Which.
    """
    residual = float(best.variances[-1])
    levels = matrices(sums, parameters(sums), best.variances)
    relative = block_diag(*[np.kron(np.eye(n), psi / residual) for n, psi in zip(made.n_sets, levels, strict=True)])
    design = generalised_design(made.products, relative_covariance=relative, n_rows=sums.n)
    answer = cluster_robust(design, contrasts=sums.basis.matrix, se_type=se_type)
    return RobustErrors(se_type=se_type, cluster=made.cluster, design=design, answer=answer)


def _supported(columns: MixedColumns, *, place: str) -> None:
    refused = "weights" if columns.weights is not None else "residual variances by group (`residual_by`)"
    if columns.weights is not None or columns.residual is not None:
        raise EstimationError(
            place,
            f"cluster-robust errors are not made with {refused}.",
            "They are for random intercepts and slopes, nested groups too, with one residual variance: leave it out, "
            "or use se_type='model'.",
        )


def _numbered_within(grouping: Grouping, outer: Grouping) -> np.ndarray:
    """Return each row's group as its number among the groups of its cluster, from 0."""
    parent = np.zeros(len(grouping.labels), dtype=np.intp)
    parent[grouping.codes] = outer.codes
    order = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[order], parent[order])
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order)) - first
    return np.asarray(numbers[grouping.codes])


def _spread_out(z: np.ndarray, numbers: np.ndarray, n_sets: int) -> np.ndarray:
    """Return columns of their own for each group, shape (n, n_sets * q), the group's q side by side."""
    there = numbers[:, None] == np.arange(n_sets)
    return np.asarray((there[:, :, None] * z[:, None, :]).reshape(len(z), n_sets * z.shape[1]))
