"""Each group's sums: all that a linear multilevel model needs of its rows, made in one pass.

With W = [X Z y] the sums are T = W'W over all rows and, for the groups of every random term, Z'W: a q-by-m block a
group. Nothing has as many rows as there are pupils, and nothing is square in the number of groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from analysis.formula import MixedFormula
from analysis.mixed_models.basis import Basis, transform_to_basis
from analysis.mixed_models.columns import FixedDesign, MixedColumns, RandomColumns
from analysis.mixed_models.groupings import Grouping
from analysis.terms import INTERCEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The columns of one random term within its level.

    Parameters
    ----------
    names
        Names of its q columns.
    start
        Place of its first column among the level's.
    change
        Shape (q, q): the term's columns as they were are the level's columns times this.
    """

    names: tuple[str, ...]
    start: int
    change: np.ndarray

    @property
    def size(self) -> int:
        """Number of columns, q."""
        return len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The sums of one grouping.

    Parameters
    ----------
    name
        Of the grouping.
    labels
        Names of the G groups.
    blocks
        Its random terms.
    places
        Shape (q,), positions in W of the random columns of all its terms.
    cross
        Shape (V, G, q, m): Z'W in each group, by group of residual variance.
    parent
        Shape (G,), position of each group in the next coarser level (at the coarsest: its stratum), never falling.
    """

    name: str
    labels: tuple[str, ...]
    blocks: tuple[Block, ...]
    places: np.ndarray
    cross: np.ndarray
    parent: np.ndarray

    @property
    def n_groups(self) -> int:
        """Number of groups, G."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The sums of a model.

    Parameters
    ----------
    basis
        How columns were centred and scaled.
    p
        Number of fixed columns; they are the first of W's m columns, the outcome is the last.
    total
        Shape (V, m, m), W'W by group of residual variance.
    levels
        Finest first.
    strata
        The factor of fixed effects kept out of the columns, as a level of the intercept, the reference first; None
        without.
    n_rows
        Shape (V,), rows by group of residual variance.
    residual
        Name and labels of the groups of residual variance; empty for one variance.
    log_weights
        Sum of the logarithms of the weights.
    """

    basis: Basis
    p: int
    total: np.ndarray
    levels: tuple[Level, ...]
    strata: Level | None
    n_rows: np.ndarray
    residual_name: str
    residual: tuple[str, ...]
    log_weights: float

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.n_rows.sum())

    @property
    def n_fixed(self) -> int:
        """Number of fixed coefficients, those of strata among them."""
        return self.p + (0 if self.strata is None else self.strata.n_groups - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a result says about its data.

    Parameters
    ----------
    outcome, formula
        Texts.
    columns
        Names of all fixed columns, those left out among them.
    design
        How the fixed columns were made.
    n_missing
        Rows left out, by column.
    notes
        Sentences.
    random
        Grouping, names of columns and formulaic's specification (None for an intercept) of every random term.
    levels
        Categories of the columns that are not numbers.
    means
        Means of the columns that are.
    """

    outcome: str
    formula: str
    columns: tuple[str, ...]
    design: FixedDesign
    n_missing: dict[str, int]
    notes: tuple[str, ...]
    random: tuple[tuple[str, tuple[str, ...], Any], ...]
    levels: dict[str, tuple[str, ...]]
    means: dict[str, float]


def describe_columns(formula: MixedFormula, columns: MixedColumns) -> Described:
    """Return what a result says about the data of a formula's columns."""
    return Described(
        outcome=formula.outcome,
        formula=str(formula),
        columns=columns.names,
        design=columns.design,
        n_missing=columns.n_missing,
        notes=columns.notes,
        random=tuple((term.grouping, term.names, term.spec) for term in columns.random),
        levels=columns.levels,
        means=columns.means,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomPlaces:
    """Where the random columns of one level stand.

    Parameters
    ----------
    blocks
        Its random terms.
    places
        Shape (q,), positions in W.
    """

    blocks: tuple[Block, ...]
    places: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The rows of W = [X Z y], centred and scaled.

    Parameters
    ----------
    basis
        How columns were centred and scaled.
    values
        Shape (N, m).
    levels
        Finest first.
    """

    basis: Basis
    values: np.ndarray
    levels: tuple[RandomPlaces, ...]

    @property
    def p(self) -> int:
        """Number of fixed columns, the first of W."""
        return len(self.basis.names)


def convert_columns_to_basis(columns: MixedColumns) -> Prepared:
    """Bring a model's columns into the basis in which its sums are made."""
    strata = None if columns.strata is None else columns.strata.codes
    ready = transform_to_basis(columns.names, columns.x, columns.y, weights=columns.weights, strata=strata)
    names = [(name, "x") for name in ready.basis.names]
    extra: list[np.ndarray] = []
    levels = []
    for grouping in columns.groupings:
        terms = [term for term in columns.random if term.grouping == grouping.name]
        levels.append(_assign_random_places(terms, names, extra))
    values = np.column_stack([ready.x, *extra, ready.y])
    return Prepared(basis=ready.basis, values=values, levels=tuple(levels))


def compute_moments(columns: MixedColumns, prepared: Prepared | None = None) -> Moments:
    """Make the sums of a model's columns.

    Parameters
    ----------
    columns
        As `build_mixed_columns` returns them.
    prepared
        As `convert_columns_to_basis` returns them; None to make them here.

    Returns
    -------
    Moments
        In O(N m q) time.
    """
    ready = convert_columns_to_basis(columns) if prepared is None else prepared
    values = ready.values
    codes, parents, labels = ordered(columns.groupings, columns.strata)
    variance = np.zeros(len(values), dtype=np.intp) if columns.residual is None else columns.residual.codes
    n_variance = 1 if columns.residual is None else len(columns.residual.labels)
    weighted = values if columns.weights is None else values * columns.weights[:, None]
    return Moments(
        basis=ready.basis,
        p=ready.p,
        total=_compute_total_products(values, weighted, variance, n_variance),
        levels=tuple(
            Level(
                name=grouping.name,
                labels=labels[k],
                blocks=ready.levels[k].blocks,
                places=ready.levels[k].places,
                cross=_compute_group_products(
                    values[:, ready.levels[k].places], weighted, codes[k], variance, shape=(n_variance, len(labels[k]))
                ),
                parent=parents[k],
            )
            for k, grouping in enumerate(columns.groupings)
        ),
        strata=_build_strata_level(columns.strata, weighted, variance, n_variance),
        n_rows=np.bincount(variance, minlength=n_variance),
        residual_name="" if columns.residual is None else columns.residual.name,
        residual=() if columns.residual is None else columns.residual.labels,
        log_weights=0.0 if columns.weights is None else float(np.log(columns.weights).sum()),
    )


def _build_strata_level(
    strata: Grouping | None, weighted: np.ndarray, variance: np.ndarray, n_variance: int
) -> Level | None:
    if strata is None:
        return None
    shape = (n_variance, len(strata.labels))
    ones = np.ones((len(weighted), 1))
    return Level(
        name=strata.name,
        labels=strata.labels,
        blocks=(Block(names=(INTERCEPT,), start=0, change=np.eye(1)),),
        places=np.zeros(1, dtype=np.intp),
        cross=_compute_group_products(ones, weighted, strata.codes, variance, shape=shape),
        parent=np.zeros(len(strata.labels), dtype=np.intp),
    )


def _assign_random_places(
    terms: list[RandomColumns], names: list[tuple[str, str]], extra: list[np.ndarray]
) -> RandomPlaces:
    """Find or add the columns of one level's random terms; ``names`` and ``extra`` grow."""
    blocks: list[Block] = []
    places: list[int] = []
    for term in terms:
        change = np.eye(len(term.names))
        free = INTERCEPT in term.names  # an intercept with a free covariance takes up any shift of the other columns
        term_places = []
        for k, name in enumerate(term.names):
            column = term.z[:, k]
            if name == INTERCEPT:
                term_places.append(
                    _assign_column_place((name, "x" if (name, "x") in names else "z"), names, extra, column)
                )
                continue
            centre = float(column.mean()) if free else 0.0
            spread = float(np.sqrt(((column - centre) ** 2).mean())) or 1.0
            change[k, k] = spread
            if free:
                change[term.names.index(INTERCEPT), k] = centre
            term_places.append(
                _assign_column_place((name, "centred" if free else "scaled"), names, extra, (column - centre) / spread)
            )
        blocks.append(Block(names=term.names, start=len(places), change=change))
        places.extend(term_places)
    return RandomPlaces(blocks=tuple(blocks), places=np.array(places, dtype=np.intp))


def _assign_column_place(
    key: tuple[str, str], names: list[tuple[str, str]], extra: list[np.ndarray], column: np.ndarray
) -> int:
    if key not in names:
        names.append(key)
        extra.append(column)
    return names.index(key)


def ordered(
    groupings: tuple[Grouping, ...], strata: Grouping | None
) -> tuple[list[np.ndarray], list[np.ndarray], list[tuple[str, ...]]]:
    """Return each level's codes, parents and labels, groups of one parent side by side.

    Parameters
    ----------
    groupings
        Finest first, each nested in the next.
    strata
        In which the coarsest is nested; None without.
    """
    above = np.zeros(len(groupings[0].codes), dtype=np.intp) if strata is None else strata.codes
    codes: list[np.ndarray] = []
    parents: list[np.ndarray] = []
    labels: list[tuple[str, ...]] = []
    for grouping in reversed(groupings):
        parent = np.zeros(len(grouping.labels), dtype=np.intp)
        parent[grouping.codes] = above
        order = np.lexsort((np.arange(len(parent)), parent))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        above = place[grouping.codes]
        codes.insert(0, above)
        parents.insert(0, parent[order])
        labels.insert(0, tuple(np.array(grouping.labels, dtype=object)[order].tolist()))
    return codes, parents, labels


def _compute_total_products(
    values: np.ndarray, weighted: np.ndarray, variance: np.ndarray, n_variance: int
) -> np.ndarray:
    if n_variance == 1:
        return np.asarray(weighted.T @ values)[None]
    return np.stack([weighted[variance == v].T @ values[variance == v] for v in range(n_variance)])


def _compute_group_products(
    z: np.ndarray, weighted: np.ndarray, codes: np.ndarray, variance: np.ndarray, *, shape: tuple[int, int]
) -> np.ndarray:
    """Return Z'W of every group, shape (V, G, q, m)."""
    n_variance, n_groups = shape
    place = codes if n_variance == 1 else variance * n_groups + codes
    ends = np.arange(len(place) + 1)
    sums = [
        sparse.csc_matrix((z[:, k], place, ends), shape=(n_variance * n_groups, len(place))) @ weighted
        for k in range(z.shape[1])
    ]
    stacked = np.stack(sums, axis=1)
    return np.asarray(stacked.reshape(n_variance, n_groups, z.shape[1], weighted.shape[1]))
