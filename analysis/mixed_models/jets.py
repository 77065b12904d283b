"""The likelihood and its derivatives by the variances, from each group's sums.

The covariance is linear in its parameters, V = sum_v w_v I_v + sum_l Z_l Psi_l Z_l'. From the finest level up,
V_l^(-1) = V_(l-1)^(-1) - V_(l-1)^(-1) Z M Z' V_(l-1)^(-1) with M = (I + Psi S)^(-1) Psi and S = Z' V_(l-1)^(-1) Z, a
q-by-q matrix a group; a factor of fixed effects is the same step with M = S^(-1). Values and first and second
derivatives pass through the steps together (automatic differentiation, forward), so that W'V^(-1)W, log|V| and
log|X'V^(-1)X| come with their exact derivatives, from which the optimiser, Satterthwaite's and Kenward and Roger's
methods all take what they need.

Source: Lindstrom and Bates (1988), JASA 83, 1014-1022, for the steps; Harville (1977), JASA 72, 320-338.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.mixed_models.moments import Level, Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Which entries of which matrices the parameters are.

    Parameters
    ----------
    level, row, column
        Shape (k,): parameter i is entry (row, column) of the covariance matrix of that level; row >= column.
    n_residual
        Number of residual variances, which follow the k entries.
    """

    level: np.ndarray
    row: np.ndarray
    column: np.ndarray
    n_residual: int

    @property
    def n(self) -> int:
        """Number of parameters."""
        return len(self.level) + self.n_residual


def build_parameters(sums: Moments) -> Parameters:
    """Return the parameters of a model, lower triangles of the terms' matrices by column."""
    entries = [
        (k, block.start + row, block.start + column)
        for k, level in enumerate(sums.levels)
        for block in level.blocks
        for column in range(block.size)
        for row in range(column, block.size)
    ]
    level, row, column = np.array(entries, dtype=np.intp).T
    return Parameters(level=level, row=row, column=column, n_residual=len(sums.n_rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jet:
    """A quantity with its derivatives by r parameters.

    Parameters
    ----------
    value
        Any shape.
    first
        By parameter; one that is not there is zero.
    second
        By pair (i, j), i <= j; likewise.
    """

    value: np.ndarray
    first: dict[int, np.ndarray]
    second: dict[tuple[int, int], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodJet:
    """The sums of a likelihood with their derivatives by r parameters.

    Parameters
    ----------
    total
        [X y]'V^(-1)[X y] less what the strata's effects take, (p + 1, p + 1) matrices.
    log_det_v
        log|V|.
    log_det_strata
        What log|X'V^(-1)X| has beside the determinant of ``total``'s first p rows and columns.
    strata
        1'V^(-1)[X y] of every stratum but the reference, shape (B, p + 1); None without strata.
    steps
        Of each random level, finest first: M and Z'V^(-1)W as they were when the level was taken out.
    """

    total: Jet
    log_det_v: Jet
    log_det_strata: Jet
    strata: Jet | None
    steps: tuple[tuple[np.ndarray, np.ndarray], ...]


def build_covariance_matrices(sums: Moments, which: Parameters, values: np.ndarray) -> list[np.ndarray]:
    """Return the covariance matrix of each level, symmetric, from the parameters."""
    result = [np.zeros((len(level.places), len(level.places))) for level in sums.levels]
    for k, (level, row, column) in enumerate(zip(which.level, which.row, which.column, strict=True)):
        result[level][row, column] = result[level][column, row] = values[k]
    return result


def compute_likelihood_jet(sums: Moments, which: Parameters, values: np.ndarray, *, order: int) -> LikelihoodJet:
    """Evaluate the sums of a likelihood and their derivatives.

    Parameters
    ----------
    sums
        The data.
    which
        Meaning of the parameters.
    values
        Shape (r,): entries of covariance matrices, then residual variances.
    order
        Highest derivative wanted: 0, 1 or 2.
    """
    n_entries = len(which.level)
    residual = values[n_entries:]
    levels = [*sums.levels, *([] if sums.strata is None else [sums.strata])]
    total = _compute_weighted_leaf_sums(sums.total, residual, n_entries, order)
    crosses = [_compute_weighted_leaf_sums(level.cross, residual, n_entries, order) for level in levels]
    log_v = _log_residual(sums, residual, n_entries)
    psi = build_covariance_matrices(sums, which, values)
    steps = []
    for k, level in enumerate(sums.levels):
        units = _compute_covariance_units(which, k, size=len(level.places)) if order else {}
        middle, log_det = _compute_middle_jet(_select_jet_columns(crosses[k], level.places), psi[k], units, order)
        log_v = _add_signed_jets(log_v, log_det, 1.0)
        right = _apply_product_rule(middle, crosses[k], np.matmul, order)
        total = _add_signed_jets(total, _apply_product_rule(crosses[k], right, _sum_products_over_groups, order), -1.0)
        _remove_level_from_crosses(crosses, right, levels, k, order)
        steps.append((middle.value, crosses[k].value))
    strata, log_strata = None, Jet(value=np.zeros(()), first={}, second={})
    if sums.strata is not None:
        strata = _apply_linear_map(crosses[-1], lambda cross: cross[1:])
        middle, log_strata = _compute_inverse_jet(_select_jet_columns(strata, sums.strata.places), order)
        right = _apply_product_rule(middle, strata, np.matmul, order)
        total = _add_signed_jets(total, _apply_product_rule(strata, right, _sum_products_over_groups, order), -1.0)
    chosen = np.append(np.arange(sums.p), sums.total.shape[1] - 1)
    return LikelihoodJet(
        total=_apply_linear_map(total, lambda matrix: matrix[np.ix_(chosen, chosen)]),
        log_det_v=log_v,
        log_det_strata=log_strata,
        strata=None if strata is None else _apply_linear_map(strata, lambda cross: cross[:, 0, chosen]),
        steps=tuple(steps),
    )


def _remove_level_from_crosses(crosses: list[Jet], right: Jet, levels: list[Level], k: int, order: int) -> None:
    """Take what level k explains off the cross-products of all levels above it."""
    parent = np.arange(levels[k].n_groups)
    for upper in range(k + 1, len(levels)):
        parent = levels[upper - 1].parent[parent]
        starts = np.searchsorted(parent, np.arange(levels[upper].n_groups))
        left = _select_jet_columns(crosses[k], levels[upper].places)

        def sum_products_by_group(a: np.ndarray, b: np.ndarray, starts: np.ndarray = starts) -> np.ndarray:
            return np.asarray(np.add.reduceat(a.transpose(0, 2, 1) @ b, starts, axis=0))

        crosses[upper] = _add_signed_jets(
            crosses[upper], _apply_product_rule(left, right, sum_products_by_group, order), -1.0
        )


def _compute_weighted_leaf_sums(sums: np.ndarray, residual: np.ndarray, n_entries: int, order: int) -> Jet:
    """Return sum_v sums_v / w_v and its derivatives by w."""
    scaled = sums / residual.reshape(-1, *([1] * (sums.ndim - 1)))
    first = {n_entries + v: -scaled[v] / w for v, w in enumerate(residual)} if order else {}
    second = {(n_entries + v, n_entries + v): 2 * scaled[v] / w**2 for v, w in enumerate(residual)} if order > 1 else {}
    return Jet(value=scaled.sum(axis=0), first=first, second=second)


def _log_residual(sums: Moments, residual: np.ndarray, n_entries: int) -> Jet:
    n = sums.n_rows
    return Jet(
        value=np.asarray((n * np.log(residual)).sum() - sums.log_weights),
        first={n_entries + v: np.asarray(n[v] / w) for v, w in enumerate(residual)},
        second={(n_entries + v, n_entries + v): np.asarray(-n[v] / w**2) for v, w in enumerate(residual)},
    )


def _compute_covariance_units(which: Parameters, level: int, *, size: int) -> dict[int, np.ndarray]:
    """Return the derivative of a level's covariance matrix by each of its parameters."""
    units = {}
    for i in np.flatnonzero(which.level == level):
        unit = np.zeros((size, size))
        unit[which.row[i], which.column[i]] = unit[which.column[i], which.row[i]] = 1.0
        units[int(i)] = unit
    return units


def _select_jet_columns(cross: Jet, places: np.ndarray) -> Jet:
    return _apply_linear_map(cross, lambda matrix: matrix[..., places])


def _apply_linear_map(jet: Jet, change: Callable[[np.ndarray], np.ndarray]) -> Jet:
    """Return a linear function of a jet."""
    return Jet(
        value=change(jet.value),
        first={i: change(value) for i, value in jet.first.items()},
        second={pair: change(value) for pair, value in jet.second.items()},
    )


def _add_signed_jets(a: Jet, b: Jet, sign: float) -> Jet:
    """Return a + sign b."""
    first, second = dict(a.first), dict(a.second)
    for i, value in b.first.items():
        first[i] = first[i] + sign * value if i in first else sign * value
    for pair, value in b.second.items():
        second[pair] = second[pair] + sign * value if pair in second else sign * value
    return Jet(value=a.value + sign * b.value, first=first, second=second)


def _apply_product_rule(a: Jet, b: Jet, times: Callable[[np.ndarray, np.ndarray], np.ndarray], order: int) -> Jet:
    """Return a bilinear function of two jets by the product rule."""
    first: dict[int, np.ndarray] = {}
    second: dict[tuple[int, int], np.ndarray] = {}
    if order:
        for i, value in a.first.items():
            _add(first, i, times(value, b.value))
        for i, value in b.first.items():
            _add(first, i, times(a.value, value))
    if order > 1:
        for pair, value in a.second.items():
            _add(second, pair, times(value, b.value))
        for pair, value in b.second.items():
            _add(second, pair, times(a.value, value))
        for i, left in a.first.items():
            for j, right in b.first.items():
                _add(second, (min(i, j), max(i, j)), times(left, right) * (2.0 if i == j else 1.0))
    return Jet(value=times(a.value, b.value), first=first, second=second)


def _add(terms: dict[Any, np.ndarray], key: int | tuple[int, int], value: np.ndarray) -> None:
    terms[key] = terms[key] + value if key in terms else value


def _sum_products_over_groups(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return sum_g a_g'b_g."""
    return np.asarray(a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1]))


def _sum_traces_over_groups(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the sum over groups of tr(a b), both symmetric or one of them the same for all groups."""
    return np.asarray((a * np.swapaxes(b, -1, -2)).sum())


def _compute_middle_jet(s: Jet, psi: np.ndarray, units: dict[int, np.ndarray], order: int) -> tuple[Jet, Jet]:
    """Return M = (I + Psi S)^(-1) Psi of every group, and log|I + Psi S| over all groups."""
    ratio = np.eye(len(psi)) + psi @ s.value
    n = np.linalg.inv(ratio)
    m = n @ psi
    log_det = np.asarray(np.linalg.slogdet(ratio)[1].sum())
    if not order:
        return Jet(value=m, first={}, second={}), Jet(value=log_det, first={}, second={})
    sn = s.value @ n
    nt = np.swapaxes(n, -1, -2)
    keys = sorted({*units, *s.first})
    m_first, n_first, log_first = {}, {}, {}
    for i in keys:
        m_first[i], log_first[i], n_first[i] = np.zeros_like(m), np.zeros(()), np.zeros_like(n)
        if i in units:
            pushed = n @ units[i]
            m_first[i] = m_first[i] + pushed @ nt
            n_first[i] = n_first[i] - pushed @ sn
            log_first[i] = log_first[i] + _sum_traces_over_groups(sn, units[i])
        if i in s.first:
            pushed = m @ s.first[i]
            m_first[i] = m_first[i] - pushed @ m
            n_first[i] = n_first[i] - pushed @ n
            log_first[i] = log_first[i] + _sum_traces_over_groups(m, s.first[i])
    m_second, log_second = {}, {}
    if order > 1:
        for place, i in enumerate(keys):
            for j in keys[place:]:
                m_second[i, j], log_second[i, j] = _compute_middle_second(
                    (i, j), s, units, m=m, n=n, m_first=m_first, n_first=n_first
                )
    return Jet(value=m, first=m_first, second=m_second), Jet(value=log_det, first=log_first, second=log_second)


def _compute_middle_second(
    pair: tuple[int, int],
    s: Jet,
    units: dict[int, np.ndarray],
    *,
    m: np.ndarray,
    n: np.ndarray,
    m_first: dict[int, np.ndarray],
    n_first: dict[int, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return second derivatives of M and of log|I + Psi S|."""
    i, j = pair
    changed, log_changed = np.zeros_like(m), np.zeros(())
    if i in units:
        pushed = n_first[j] @ units[i] @ np.swapaxes(n, -1, -2)
        changed = changed + pushed + np.swapaxes(pushed, -1, -2)
        turned = s.value @ n_first[j] + (s.first[j] @ n if j in s.first else 0.0)
        log_changed = log_changed + _sum_traces_over_groups(turned, units[i])
    if i in s.first:
        pushed = m_first[j] @ s.first[i] @ m
        changed = changed - pushed - np.swapaxes(pushed, -1, -2)
        log_changed = log_changed + _sum_traces_over_groups(m_first[j], s.first[i])
    if pair in s.second:
        changed = changed - m @ s.second[pair] @ m
        log_changed = log_changed + _sum_traces_over_groups(m, s.second[pair])
    return changed, log_changed


def _compute_inverse_jet(s: Jet, order: int) -> tuple[Jet, Jet]:
    """Return M = S^(-1) of every group, and log|S| over all groups."""
    m = np.linalg.inv(s.value)
    first = {i: -m @ value @ m for i, value in s.first.items()} if order else {}
    log_first = {i: _sum_traces_over_groups(m, value) for i, value in s.first.items()} if order else {}
    second, log_second = {}, {}
    if order > 1:
        for i in s.first:
            for j in s.first:
                if i > j:
                    continue
                pushed = first[j] @ s.first[i] @ m
                second[i, j] = -pushed - np.swapaxes(pushed, -1, -2)
                log_second[i, j] = _sum_traces_over_groups(first[j], s.first[i])
                if (i, j) in s.second:
                    second[i, j] = second[i, j] - m @ s.second[i, j] @ m
                    log_second[i, j] = log_second[i, j] + _sum_traces_over_groups(m, s.second[i, j])
    log_det = np.asarray(np.linalg.slogdet(s.value)[1].sum())
    return Jet(value=m, first=first, second=second), Jet(value=log_det, first=log_first, second=log_second)
