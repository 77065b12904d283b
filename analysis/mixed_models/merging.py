"""Sums of stretches of the same data added up, whichever basis each stretch was brought into."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.mixed_models.basis import Basis
from analysis.mixed_models.groupings import Grouping
from analysis.mixed_models.moments import Level, Moments, ordered
from data_schema.errors import EstimationError


def merged(first: Moments, second: Moments) -> Moments:
    """Return the sums of two stretches of rows as those of both, in the basis of the first.

    Parameters
    ----------
    first, second
        Of the same model with random intercepts; a group may have rows in both.

    Raises
    ------
    EstimationError
        When the models differ, have random slopes, or a stretch has no basis.
    """
    _require_alike(first, second)
    change = _change(first.basis, second.basis)
    levels = [*first.levels, *([] if first.strata is None else [first.strata])]
    others = [*second.levels, *([] if second.strata is None else [second.strata])]
    labels = [tuple(sorted({*a.labels, *b.labels})) for a, b in zip(levels, others, strict=True)]
    labels[len(first.levels) :] = [level.labels for level in levels[len(first.levels) :]]  # the reference stays first
    parents = [
        _parents(labels[k], labels[k + 1], (levels[k], levels[k + 1]), (others[k], others[k + 1]))
        for k in range(len(levels) - 1)
    ]
    codes = [np.arange(len(labels[0]))]
    for parent in parents:
        codes.append(parent[codes[-1]])
    groupings = tuple(
        Grouping(name=level.name, codes=code, labels=own)
        for level, code, own in zip(levels, codes, labels, strict=True)
    )
    n = len(first.levels)
    _, sorted_parents, sorted_labels = ordered(groupings[:n], groupings[n] if len(groupings) > n else None)
    made = [
        replace(
            levels[k],
            labels=sorted_labels[k],
            parent=sorted_parents[k],
            cross=_added(levels[k], others[k], sorted_labels[k], change),
        )
        for k in range(n)
    ]
    strata = None
    if first.strata is not None and second.strata is not None:
        strata = replace(first.strata, cross=_added(first.strata, second.strata, first.strata.labels, change))
    return replace(
        first,
        total=first.total + change.T @ second.total @ change,
        levels=tuple(made),
        strata=strata,
        n_rows=first.n_rows + second.n_rows,
        log_weights=first.log_weights + second.log_weights,
    )


def _require_alike(first: Moments, second: Moments) -> None:
    place = "sums of two stretches of rows"
    for sums in (first, second):
        if sums.basis.reason or sums.basis.dropped:
            reason = sums.basis.reason or next(iter(sums.basis.dropped.values()))
            raise EstimationError(place, f"one has no full set of columns: {reason}", "Make larger stretches.")
        if sums.total.shape[1] != sums.p + 1 or any(len(level.places) != 1 for level in sums.levels):
            raise EstimationError(place, "the model has random slopes.", "Sum the rows of such models in one piece.")
    same = (
        first.basis.names == second.basis.names
        and [level.name for level in first.levels] == [level.name for level in second.levels]
        and (None if first.strata is None else first.strata.labels)
        == (None if second.strata is None else second.strata.labels)
        and first.residual == second.residual
    )
    if not same:
        raise EstimationError(
            place,
            f"their columns differ: {', '.join(first.basis.names)} and {', '.join(second.basis.names)}.",
            "Cut the data so that every stretch has all levels of every factor.",
        )


def _change(wanted: Basis, given: Basis) -> np.ndarray:
    """Return the matrix from columns [X y] in one basis to those in another."""
    p = len(wanted.names)
    back = np.linalg.inv(given.matrix)
    change = np.zeros((p + 1, p + 1))
    change[:p, :p] = back @ wanted.matrix
    change[:p, p] = back @ (given.shift - wanted.shift) / wanted.scale
    change[p, p] = given.scale / wanted.scale
    return change


def _parents(
    labels: tuple[str, ...], above: tuple[str, ...], first: tuple[Level, Level], second: tuple[Level, Level]
) -> np.ndarray:
    """Return each group's position in the next coarser level."""
    place = {label: k for k, label in enumerate(above)}
    found: dict[str, int] = {}
    for own, upper in (first, second):
        for label, parent in zip(own.labels, own.parent, strict=True):
            if found.setdefault(label, place[upper.labels[parent]]) != place[upper.labels[parent]]:
                raise EstimationError(
                    f"group '{label}' of '{own.name}'",
                    f"lies in two groups of '{upper.name}'.",
                    "Give every group one name in all stretches.",
                )
    return np.array([found[label] for label in labels], dtype=np.intp)


def _added(first: Level, second: Level, labels: tuple[str, ...], change: np.ndarray) -> np.ndarray:
    """Return cross-products by group, in the order of the labels."""
    place = {label: k for k, label in enumerate(labels)}
    shape = (first.cross.shape[0], len(labels), *first.cross.shape[2:])
    result = np.zeros(shape)
    result[:, [place[label] for label in first.labels]] += first.cross
    result[:, [place[label] for label in second.labels]] += second.cross @ change
    return result
