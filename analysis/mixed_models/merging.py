"""Sums of stretches of the same data added up, whichever basis each stretch was brought into.

A basis is a change of the columns W = [X Z y], which sums follow: with W_2 C the second stretch's columns in the basis
of the first, W'W becomes C'W'W C and Z'W likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.mixed_models.cluster_rows import ClusterRows, merge_cluster_rows
from analysis.mixed_models.columns import get_factor_column
from analysis.mixed_models.groupings import Grouping
from analysis.mixed_models.moments import Described, Level, Moments, ordered
from analysis.mixed_models.reading import find_formula_variables
from data_schema.errors import EstimationError

_PLACE = "sums of two stretches of rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
    """Labels of both stretches, and the places of each stretch's own among them."""

    every: tuple[str, ...]
    first: np.ndarray
    second: np.ndarray


def merge_moments(
    first: Moments, second: Moments, clusters: tuple[ClusterRows, ClusterRows] | None = None
) -> tuple[Moments, ClusterRows | None]:
    """Return the sums of two stretches of rows as those of both, in the basis of the first.

    Parameters
    ----------
    first, second
        Of the same model; a group may have rows in both.
    clusters
        Their clusters' rows; None without.

    Raises
    ------
    EstimationError
        When the models differ, a group lies in two groups of the next coarser level, or a stretch has no basis.
    """
    _require_alike(first, second)
    change = _compute_basis_change(first, second)
    residual = _merge_labels(first.residual, second.residual)
    strata = _merge_labels(*(() if sums.strata is None else sums.strata.labels for sums in (first, second)))
    levels, others = ([*sums.levels, *([] if sums.strata is None else [sums.strata])] for sums in (first, second))
    labels = [tuple(sorted({*a.labels, *b.labels})) for a, b in zip(first.levels, second.levels, strict=True)]
    if first.strata is not None:
        labels.append(strata.every)
    grown = _merge_level_labels(labels, levels, others, n=len(first.levels))
    moved = [
        replace(
            levels[k],
            labels=names,
            parent=parent,
            cross=_add_level_crosses(levels[k], others[k], names, change, residual=residual),
        )
        for k, (names, parent) in enumerate(grown)
    ]
    total = replace(
        first,
        total=_align_residual_sums(first.total, residual.first, residual)
        + _align_residual_sums(change.T @ second.total @ change, residual.second, residual),
        levels=tuple(moved[: len(first.levels)]),
        strata=moved[-1] if first.strata is not None else None,
        n_rows=_align_residual_sums(first.n_rows, residual.first, residual)
        + _align_residual_sums(second.n_rows, residual.second, residual),
        residual=residual.every,
        log_weights=first.log_weights + second.log_weights,
    )
    if clusters is None:
        return total, None
    return total, _merge_cluster_rows(first, clusters, change, residual=residual, strata=strata)


def require_same_columns(first: Described, second: Described, *, strata: str) -> None:
    """Refuse parts whose columns have the same names and mean something else.

    A factor's columns are made from the levels of a part's own rows: a level that a part lacks has no column there, and
    where a part lacks the reference, the columns that it has compare with another level. The same holds for functions
    that look at all rows, such as ``scale`` or ``bs``.

    Parameters
    ----------
    first, second
        What is said of the two parts' data.
    strata
        The term that is kept out of the columns, whose levels may differ between parts; empty without.

    Raises
    ------
    EstimationError
        Naming the formula, factor or function that differs.
    """
    if (first.outcome, first.formula) != (second.outcome, second.formula):
        raise EstimationError(
            _PLACE,
            f"their columns differ, being of the formulas '{first.formula}' and '{second.formula}'.",
            "Use one formula for all parts.",
        )
    for name, levels in first.levels.items():
        others = second.levels.get(name, ())
        if levels != others and get_factor_column(strata) != name and name in _collect_explaining_columns(first):
            raise EstimationError(
                _PLACE,
                f"the levels of '{name}' differ: {', '.join(levels)}, and {', '.join(others) or 'none'}.",
                f"Cut the data so that every part has all levels of '{name}', or fit each part by itself and put the"
                " estimates together with pool_countries.",
            )
    for ours, theirs in zip(_collect_specifications(first), _collect_specifications(second), strict=True):
        for state in ("transform_state", "encoder_state"):
            our_state, other = getattr(ours, state, {}), getattr(theirs, state, {})
            changed = [name for name in {**our_state, **other} if repr(our_state.get(name)) != repr(other.get(name))]
            if changed:
                raise EstimationError(
                    _PLACE,
                    f"the term '{changed[0]}' is made from each part's own rows, and differs.",
                    "Compute its columns before the data are cut, and use these in the formula.",
                )


def _collect_explaining_columns(described: Described) -> set[str]:
    """Return the columns of the frame that the fixed and random terms use."""
    used = {name for names in described.design.factors.values() for name in names}
    for spec in _collect_specifications(described):
        used |= set() if spec is None else find_formula_variables(spec)
    return used


def _collect_specifications(described: Described) -> list[Any]:  # formulaic is not typed
    return [described.design.spec, *(spec for _, _, spec in described.random)]


def _require_alike(first: Moments, second: Moments) -> None:
    for sums in (first, second):
        if sums.basis.reason or sums.basis.dropped:
            reason = sums.basis.reason or next(iter(sums.basis.dropped.values()))
            raise EstimationError(_PLACE, f"one has no full set of columns: {reason}", "Make larger stretches.")
    layouts = [
        (
            sums.basis.names,
            [(level.name, [block.names for block in level.blocks], level.places.tolist()) for level in sums.levels],
            None if sums.strata is None else sums.strata.name,
            sums.residual_name,
        )
        for sums in (first, second)
    ]
    if layouts[0] != layouts[1]:
        raise EstimationError(
            _PLACE,
            f"their columns differ: {', '.join(first.basis.names)} and {', '.join(second.basis.names)}.",
            "Cut the data so that every stretch has all levels of every factor.",
        )


def _merge_labels(first: tuple[str, ...], second: tuple[str, ...]) -> _Labels:
    """Return the labels of both; in the order of the first where it has all of them, else sorted."""
    every = first if set(second) <= set(first) else tuple(sorted({*first, *second}))
    place = {label: k for k, label in enumerate(every)}
    return _Labels(
        every=every,
        first=np.array([place[label] for label in first], dtype=np.intp),
        second=np.array([place[label] for label in second], dtype=np.intp),
    )


def _compute_basis_change(first: Moments, second: Moments) -> np.ndarray:
    """Return the matrix from the second's columns [X Z y] to those in the basis of the first."""
    wanted, second_basis, p = first.basis, second.basis, first.p
    back = np.linalg.inv(second_basis.matrix)
    change = np.eye(len(first.total[0]))
    change[:p, :p] = back @ wanted.matrix
    change[:p, -1] = back @ (second_basis.shift - wanted.shift) / wanted.scale
    change[-1, -1] = second_basis.scale / wanted.scale
    for level, other in zip(first.levels, second.levels, strict=True):
        for block, moved in zip(level.blocks, other.blocks, strict=True):
            places = level.places[block.start : block.start + block.size]
            outside = places >= p  # an intercept among the fixed columns is the same in every basis
            turned = moved.change @ np.linalg.inv(block.change)
            change[np.ix_(places, places[outside])] = turned[:, outside]
    return change


def _merge_level_labels(
    labels: list[tuple[str, ...]], levels: Sequence[Level], others: Sequence[Level], *, n: int
) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """Return labels and parents of every level with the groups of both stretches."""
    parents = [
        _find_group_parents(labels[k], labels[k + 1], (levels[k], levels[k + 1]), (others[k], others[k + 1]))
        for k in range(len(levels) - 1)
    ]
    codes = [np.arange(len(labels[0]))]
    for parent in parents:
        codes.append(parent[codes[-1]])
    groupings = tuple(
        Grouping(name=level.name, codes=code, labels=group_labels)
        for level, code, group_labels in zip(levels, codes, labels, strict=True)
    )
    _, sorted_parents, sorted_labels = ordered(groupings[:n], groupings[n] if len(groupings) > n else None)
    grown = list(zip(sorted_labels, sorted_parents, strict=True))
    if len(labels) > n:
        grown.append((labels[n], np.zeros(len(labels[n]), dtype=np.intp)))
    return grown


def _find_group_parents(
    labels: tuple[str, ...], above: tuple[str, ...], first: tuple[Level, Level], second: tuple[Level, Level]
) -> np.ndarray:
    """Return each group's position in the next coarser level."""
    place = {label: k for k, label in enumerate(above)}
    place_of_parent: dict[str, int] = {}
    for level, upper in (first, second):
        for label, parent in zip(level.labels, level.parent, strict=True):
            if place_of_parent.setdefault(label, place[upper.labels[parent]]) != place[upper.labels[parent]]:
                raise EstimationError(
                    f"group '{label}' of '{level.name}'",
                    f"lies in two groups of '{upper.name}'.",
                    "Give every group one name in all stretches.",
                )
    return np.array([place_of_parent[label] for label in labels], dtype=np.intp)


def _align_residual_sums(sums: np.ndarray, places: np.ndarray, residual: _Labels) -> np.ndarray:
    """Return sums by group of residual variance with zeros for groups that the stretch does not have."""
    if not residual.every:
        return sums
    result = np.zeros((len(residual.every), *sums.shape[1:]), dtype=sums.dtype)
    result[places] = sums
    return result


def _add_level_crosses(
    first: Level, second: Level, labels: tuple[str, ...], change: np.ndarray, *, residual: _Labels
) -> np.ndarray:
    """Return cross-products by group, in the order of the labels."""
    place = {label: k for k, label in enumerate(labels)}
    first_cross = _align_residual_sums(first.cross, residual.first, residual)
    turn = change[np.ix_(first.places, first.places)]
    other = _align_residual_sums(turn.T @ second.cross @ change, residual.second, residual)
    result = np.zeros((first_cross.shape[0], len(labels), *first_cross.shape[2:]))
    result[:, [place[label] for label in first.labels]] += first_cross
    result[:, [place[label] for label in second.labels]] += other
    return result


def _merge_cluster_rows(
    first: Moments,
    clusters: tuple[ClusterRows, ClusterRows],
    change: np.ndarray,
    *,
    residual: _Labels,
    strata: _Labels,
) -> ClusterRows:
    """Return the clusters' rows of both stretches, in the basis of the first."""
    first_rows, other = clusters
    p = first.p
    turns = [change[np.ix_(level.places, level.places)] for level in first.levels]
    fixed = change[np.ix_([*range(p), len(change) - 1], [*range(p), len(change) - 1])]
    parts = []
    for rows, labels, codes in ((first_rows, residual.first, strata.first), (other, residual.second, strata.second)):
        parts.append(
            replace(
                rows,
                variance=labels[rows.variance] if residual.every else rows.variance,
                stratum=None if rows.stratum is None else codes[rows.stratum],
            )
        )
    parts[1] = replace(parts[1], rows=_transform_rows_to_basis(other, fixed, turns))
    return merge_cluster_rows(parts[0], parts[1], n_fixed=p, widths=tuple(len(turn) for turn in turns))


def _transform_rows_to_basis(rows: ClusterRows, fixed: np.ndarray, turns: Sequence[np.ndarray]) -> np.ndarray:
    p = len(fixed) - 1
    random = rows.rows[:, :, p:-1]
    turned, start = np.empty_like(random), 0
    for n, turn in zip(rows.n_sets, turns, strict=True):
        stop = start + n * len(turn)
        turned[:, :, start:stop] = random[:, :, start:stop] @ np.kron(np.eye(n), turn)
        start = stop
    ends = np.concatenate([rows.rows[:, :, :p], rows.rows[:, :, -1:]], axis=2) @ fixed
    return np.concatenate([ends[:, :, :p], turned, ends[:, :, p:]], axis=2)
