"""Each outermost group's rows, turned within cells of equal residual variance so that few of them are left.

A cell is a cluster's rows of one residual variance and one weight. Within it the covariance V differs from a multiple
of the identity only in the span of [X Z], so that an orthonormal basis of that span is all that generalised least
squares and its robust errors need: a cluster of five hundred pupils becomes as many rows as it has columns.

The groups within a cluster need columns of their own in Z, one set a group. Clusters need not share them: V is the same
whatever the groups are called, so that the first group of every cluster is in one set of columns, the second in the
next, and a cluster of fewer groups has columns of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.inference.cluster_designs import compute_basis_rows
from analysis.mixed_models.columns import MixedColumns
from analysis.mixed_models.groupings import Grouping
from analysis.mixed_models.moments import Prepared
from data_schema.errors import EstimationError

# Numbers of the clusters' matrices (8 bytes each, several of them at once) beyond which memory would not do.
_MOST_CELLS = 30_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRows:
    """The clusters' rows; rows of zeros fill up clusters of fewer.

    Parameters
    ----------
    cluster
        Name of the outermost grouping.
    labels
        Names of the J clusters.
    rows
        Shape (J, r, p + k + 1), [X Z y] of the scaled columns and outcome; ``k`` is the sum of ``n_sets`` times the
        columns of each level.
    variance
        Shape (J, r), each row's group of residual variance.
    weights
        Shape (J, r), 1 without weights and for rows of zeros.
    inner
        By level, finest first: each cluster's groups, in the order of their sets of columns.
    stratum
        Shape (J,), position of each cluster's stratum among those kept out of the columns; None without.
    """

    cluster: str
    labels: tuple[str, ...]
    rows: np.ndarray
    variance: np.ndarray
    weights: np.ndarray
    inner: tuple[tuple[tuple[str, ...], ...], ...]
    stratum: np.ndarray | None

    @property
    def n_sets(self) -> tuple[int, ...]:
        """How many sets of columns each level has in Z: the most groups that a cluster holds."""
        return tuple(max(map(len, groups)) for groups in self.inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    cluster: int
    variance: int
    weight: float
    values: np.ndarray


def build_cluster_rows(columns: MixedColumns, prepared: Prepared, *, place: str) -> ClusterRows:
    """Make each outermost group's rows.

    Parameters
    ----------
    columns
        The model's numbers.
    prepared
        The same in the basis of the fit.
    place
        What an error is about.

    Raises
    ------
    EstimationError
        When clusters have so many rows, weights or inner groups that their matrices would not fit into memory.
    """
    outer = columns.groupings[-1]
    numbers = [_index_groups_in_cluster(grouping, outer) for grouping in columns.groupings]
    inner = tuple(
        _collect_inner_group_names(grouping, outer, group_numbers)
        for grouping, group_numbers in zip(columns.groupings, numbers, strict=True)
    )
    n_sets = [max(map(len, groups)) for groups in inner]
    variance = np.zeros(len(columns.y), dtype=np.intp) if columns.residual is None else columns.residual.codes
    weights = np.ones(len(columns.y)) if columns.weights is None else columns.weights
    order = np.lexsort((weights, variance, outer.codes))
    keys = np.stack([outer.codes[order].astype(float), variance[order].astype(float), weights[order]])
    starts = np.flatnonzero((np.diff(keys, axis=1) != 0).any(axis=0)) + 1
    cells = []
    for rows in np.split(order, starts):
        values = prepared.values[rows]
        random = [
            _build_columns_by_group(values[:, level.places], group_numbers[rows], n)
            for level, group_numbers, n in zip(prepared.levels, numbers, n_sets, strict=True)
        ]
        joined = np.hstack([values[:, : prepared.p], *random, values[:, -1:]])
        first = rows[0]
        cells.append(
            _Cell(
                cluster=int(outer.codes[first]),
                variance=int(variance[first]),
                weight=float(weights[first]),
                values=joined,
            )
        )
    stratum = None
    if columns.strata is not None:
        stratum = np.zeros(len(outer.labels), dtype=np.intp)
        stratum[outer.codes] = columns.strata.codes
    return _build_rows_from_cells(cells, cluster=outer, inner=inner, stratum=stratum, place=place)


def merge_cluster_rows(
    first: ClusterRows, second: ClusterRows, *, n_fixed: int, widths: tuple[int, ...]
) -> ClusterRows:
    """Return the clusters' rows of two stretches of the data, in one basis and with one meaning of their codes.

    Parameters
    ----------
    first, second
        A cluster may have rows in both.
    n_fixed
        Number of fixed columns, p.
    widths
        Number of random columns of every level, finest first.
    """
    labels = tuple(sorted({*first.labels, *second.labels}))
    place = {label: number for number, label in enumerate(labels)}
    inner: list[list[list[str]]] = [[[] for _ in labels] for _ in widths]
    for part in (first, second):
        for every, cluster_groups in zip(inner, part.inner, strict=True):
            for label, groups in zip(part.labels, cluster_groups, strict=True):
                known = every[place[label]]
                known += [group for group in groups if group not in known]
    joined = tuple(tuple(map(tuple, every)) for every in inner)
    collected: dict[tuple[int, int, float], list[np.ndarray]] = {}
    for part in (first, second):
        for cell in _build_cluster_cells(part, place, joined, n_fixed=n_fixed, widths=widths):
            collected.setdefault((cell.cluster, cell.variance, cell.weight), []).append(cell.values)
    cells = [
        _Cell(cluster=cluster, variance=variance, weight=weight, values=np.vstack(parts))
        for (cluster, variance, weight), parts in collected.items()
    ]
    stratum = None
    if first.stratum is not None and second.stratum is not None:
        stratum = np.zeros(len(labels), dtype=np.intp)
        for part, codes in ((first, first.stratum), (second, second.stratum)):
            stratum[[place[label] for label in part.labels]] = codes
    named = Grouping(name=first.cluster, codes=np.zeros(0, dtype=np.intp), labels=labels)
    return _build_rows_from_cells(
        cells, cluster=named, inner=joined, stratum=stratum, place="sums of two stretches of rows"
    )


def _build_cluster_cells(
    part: ClusterRows,
    place: dict[str, int],
    inner: tuple[tuple[tuple[str, ...], ...], ...],
    *,
    n_fixed: int,
    widths: tuple[int, ...],
) -> list[_Cell]:
    """Return a stretch's cells, their random columns those of all groups of their cluster."""
    n_sets = [max(map(len, groups)) for groups in inner]
    total = n_fixed + sum(n * width for n, width in zip(n_sets, widths, strict=True)) + 1
    cells = []
    for number, label in enumerate(part.labels):
        has_values = part.rows[number].any(axis=1)
        rows, values = part.rows[number][has_values], np.zeros((int(has_values.sum()), total))
        values[:, :n_fixed], values[:, -1] = rows[:, :n_fixed], rows[:, -1]
        start, begin = n_fixed, n_fixed
        for level, width in enumerate(widths):
            known = inner[level][place[label]]
            for k, group in enumerate(part.inner[level][number]):
                target = begin + known.index(group) * width
                values[:, target : target + width] = rows[:, start + k * width : start + (k + 1) * width]
            start, begin = start + part.n_sets[level] * width, begin + n_sets[level] * width
        variance, weights = part.variance[number][has_values], part.weights[number][has_values]
        for variance_and_weight in np.unique(np.column_stack([variance, weights]), axis=0):
            chosen = (variance == variance_and_weight[0]) & (weights == variance_and_weight[1])
            cells.append(
                _Cell(
                    cluster=place[label],
                    variance=int(variance_and_weight[0]),
                    weight=float(variance_and_weight[1]),
                    values=values[chosen],
                )
            )
    return cells


def _build_rows_from_cells(
    cells: Sequence[_Cell],
    *,
    cluster: Grouping,
    inner: tuple[tuple[tuple[str, ...], ...], ...],
    stratum: np.ndarray | None,
    place: str,
) -> ClusterRows:
    turned = _transform_cells_to_bases(cells)
    counts = np.zeros(len(cluster.labels), dtype=np.intp)
    for cell in turned:
        counts[cell.cluster] += len(cell.values)
    most, width = int(counts.max()), turned[0].values.shape[1]
    if len(counts) * most * max(most, width) > _MOST_CELLS:
        raise EstimationError(
            place,
            f"{len(counts)} groups of '{cluster.name}' with up to {most} rows, weights or inner groups of their own "
            "are too many for cluster-robust errors.",
            "Use se_type='model', weights of a few values, or linear_model.",
        )
    values = np.zeros((len(counts), most, width))
    variance, weights = np.zeros((len(counts), most), dtype=np.intp), np.ones((len(counts), most))
    ends = np.zeros_like(counts)
    for cell in turned:
        rows = slice(ends[cell.cluster], ends[cell.cluster] + len(cell.values))
        values[cell.cluster, rows] = cell.values
        variance[cell.cluster, rows], weights[cell.cluster, rows] = cell.variance, cell.weight
        ends[cell.cluster] = rows.stop
    return ClusterRows(
        cluster=cluster.name,
        labels=cluster.labels,
        rows=values,
        variance=variance,
        weights=weights,
        inner=inner,
        stratum=stratum,
    )


def _transform_cells_to_bases(cells: Sequence[_Cell]) -> list[_Cell]:
    """Return the cells in orthonormal bases of their columns' spans, those of more rows than columns."""
    many = [place for place, cell in enumerate(cells) if len(cell.values) >= cell.values.shape[1]]
    result = list(cells)
    if many:
        products = np.stack([cells[place].values.T @ cells[place].values for place in many])
        for place, rows in zip(many, compute_basis_rows(products), strict=True):
            cell = cells[place]
            filled_rows = rows[rows[:, :-1].any(axis=1)]
            result[place] = _Cell(cluster=cell.cluster, variance=cell.variance, weight=cell.weight, values=filled_rows)
    return result


def _index_groups_in_cluster(grouping: Grouping, outer: Grouping) -> np.ndarray:
    """Return each row's group as its number among the groups of its cluster, from 0."""
    parent = np.zeros(len(grouping.labels), dtype=np.intp)
    parent[grouping.codes] = outer.codes
    order = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[order], parent[order])
    numbers = np.empty_like(order)
    numbers[order] = np.arange(len(order)) - first
    return np.asarray(numbers[grouping.codes])


def _collect_inner_group_names(grouping: Grouping, outer: Grouping, numbers: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """Return the names of each cluster's groups, in the order of their numbers."""
    parent, number = np.zeros((2, len(grouping.labels)), dtype=np.intp)
    parent[grouping.codes], number[grouping.codes] = outer.codes, numbers
    group_names: list[list[str]] = [[] for _ in outer.labels]
    for group in np.lexsort((number, parent)).tolist():
        group_names[parent[group]].append(grouping.labels[group])
    return tuple(map(tuple, group_names))


def _build_columns_by_group(z: np.ndarray, numbers: np.ndarray, n_sets: int) -> np.ndarray:
    """Return columns of their own for each group, shape (n, n_sets * q), the group's q side by side."""
    there = numbers[:, None] == np.arange(n_sets)
    return np.asarray((there[:, :, None] * z[:, None, :]).reshape(len(z), n_sets * z.shape[1]))
