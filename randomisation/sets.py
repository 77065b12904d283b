"""Sets of alike schools: optimal pairs, triplets that no exchange of two schools makes better."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from data_schema.errors import DesignError
from randomisation.columns import INVERSE_UNIT, UNIT, Column, compute_inverse_correlations
from randomisation.matching import Matching

REST = "rest"
"""Name of the set of schools that are left over in a stratum."""

MOST_COMPARED_WITH_ALL = 500
"""Up to so many schools of a stratum every pair is looked at; beyond, each school's nearest ones."""

_NEAREST = 64


def compute_distances(columns: Sequence[Column], matching: Matching) -> np.ndarray:
    """Return the distances between schools; shape (J, J), whole numbers of 1 / UNIT standard deviation.

    Parameters
    ----------
    columns
        Standardised columns of the variables.
    matching
        Which distance.
    """
    values = np.array([column.values for column in columns], dtype=float).T / UNIT
    if matching.distance == "mahalanobis":
        inverse = np.array(compute_inverse_correlations(columns), dtype=float) / INVERSE_UNIT
        values = values @ np.linalg.cholesky(inverse)
    squares = (values**2).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * values @ values.T
    np.fill_diagonal(apart, 0)
    return np.asarray(np.rint(np.sqrt(np.maximum(apart, 0)) * UNIT), dtype=np.int64)


def build_matched_sets(
    columns: Sequence[Column], matching: Matching, *, strata: Sequence[Sequence[int]], size: int
) -> list[str]:
    """Put schools into sets within strata.

    Parameters
    ----------
    columns
        Standardised columns of the variables, of all schools.
    matching
        What alike means.
    strata
        Positions of each stratum's schools, ascending.
    size
        Schools in a set, 2 or 3.

    Returns
    -------
    list of str
        Each school's set: "001", "002", ... in the order of their first schools, and `REST` for those that are left
        over: an odd school, and schools that have no school near enough.
    """
    apart = compute_distances(columns, matching)
    names = [REST] * len(apart)
    for members in strata:
        inside = apart[np.ix_(members, members)]
        limit = None if matching.limit is None else int(matching.limit * UNIT)
        matched_sets = _build_pairs(inside, limit) if size == 2 else _build_triplets(inside, limit)
        for number, chosen in enumerate(sorted(matched_sets), start=1):
            for place in chosen:
                names[members[place]] = f"{number:03d}"
    return names


def check_sets(names: Sequence[str], *, strata: Sequence[Sequence[int]], size: int) -> None:
    """Raise DesignError if sets that were formed before are not of the design's size, left-over schools apart."""
    for members in strata:
        held = Counter(names[place] for place in members)
        wrong = sorted(name for name, n in held.items() if name != REST and n != size)
        if wrong:
            raise DesignError(
                "school frame, column 'matched_set'",
                f"Set '{wrong[0]}' has {held[wrong[0]]} schools of one stratum, not {size}.",
                f"Correct it, name left-over schools '{REST}', or leave the column out to have sets formed.",
            )


def _build_pairs(apart: np.ndarray, limit: int | None) -> list[tuple[int, ...]]:
    """Pair schools: as many pairs as can be, of the smallest total distance."""
    n = len(apart)
    if n <= MOST_COMPARED_WITH_ALL:
        return _match_by_smallest_distance(apart, _filter_pairs_by_limit(np.triu_indices(n, 1), apart, limit))
    nearest, last = _NEAREST, -1
    while True:
        pairs = _match_by_smallest_distance(
            apart, _filter_pairs_by_limit(_find_nearest_pairs(apart, nearest), apart, limit)
        )
        total = sum(int(apart[first_end, other]) for first_end, other in pairs)
        if total == last or nearest >= n:
            return pairs
        nearest, last = 2 * nearest, total


def _find_nearest_pairs(apart: np.ndarray, nearest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs in which one school is among the nearest of the other."""
    others = apart.copy()
    np.fill_diagonal(others, np.iinfo(np.int64).max)
    chosen = np.argsort(others, axis=1, kind="stable")[:, :nearest]
    first = np.repeat(np.arange(len(apart)), chosen.shape[1])
    ends = np.unique(np.sort(np.column_stack([first, chosen.ravel()]), axis=1), axis=0)
    return ends[:, 0], ends[:, 1]


def _filter_pairs_by_limit(ends: tuple[np.ndarray, np.ndarray], apart: np.ndarray, limit: int | None) -> np.ndarray:
    """Return pairs with their distance, shape (pairs, 3), without those beyond the limit."""
    edges = np.column_stack([*ends, apart[ends]])
    return edges if limit is None else edges[edges[:, 2] <= limit]


def _match_by_smallest_distance(apart: np.ndarray, edges: np.ndarray) -> list[tuple[int, ...]]:
    """Find the largest matching of the smallest total distance (Edmonds' blossom algorithm)."""
    import rustworkx

    if not len(edges):
        return []
    graph = rustworkx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(len(apart)))
    graph.add_edges_from([(first_end, other, gap) for first_end, other, gap in edges.tolist()])
    top = int(edges[:, 2].max()) + 1
    matching = rustworkx.max_weight_matching(graph, max_cardinality=True, weight_fn=lambda gap: top - gap)
    return sorted(tuple(sorted(pair)) for pair in matching)


def _build_triplets(apart: np.ndarray, limit: int | None) -> list[tuple[int, ...]]:
    """Put schools into threes: nearest ones first, then exchanges of two schools for as long as one helps."""
    n = len(apart)
    allowed = apart if limit is None else np.where(apart <= limit, apart, np.iinfo(np.int32).max)
    left, triplets = set(range(n)), []
    for first in np.argsort(-apart.sum(axis=1), kind="stable").tolist():
        if first not in left or len(left) < 3:
            continue
        others = np.array(sorted(left - {first}))
        near = others[np.argsort(allowed[first, others], kind="stable")[:12]].tolist()
        second, third = min(
            itertools.combinations(near, 2), key=lambda two: _compute_set_spread(allowed, (first, *two))
        )
        if max(allowed[first, second], allowed[first, third], allowed[second, third]) > (limit or np.inf):
            continue
        triplets.append([first, second, third])
        left -= {first, second, third}
    _swap_schools_of_sets(allowed, triplets)
    return [tuple(sorted(chosen)) for chosen in triplets]


def _compute_set_spread(apart: np.ndarray, chosen: Sequence[int]) -> int:
    """Return the sum of a set's distances."""
    return sum(int(apart[first_school, other]) for first_school, other in itertools.combinations(chosen, 2))


def _swap_schools_of_sets(apart: np.ndarray, sets: list[list[int]]) -> None:
    """Exchange schools of two sets wherever that makes the total smaller; writes to the sets."""
    better = True
    while better:
        better = False
        for first_set, other in itertools.combinations(sets, 2):
            better |= _swap_schools_of_two_sets(apart, first_set, other)


def _swap_schools_of_two_sets(apart: np.ndarray, one: list[int], other: list[int]) -> bool:
    now = _compute_set_spread(apart, one) + _compute_set_spread(apart, other)
    for first, second in itertools.product(range(len(one)), range(len(other))):
        one[first], other[second] = other[second], one[first]
        if _compute_set_spread(apart, one) + _compute_set_spread(apart, other) < now:
            return True
        one[first], other[second] = other[second], one[first]
    return False
