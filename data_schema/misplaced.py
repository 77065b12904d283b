"""Records that were copied from elsewhere: groups that say in nearly every cell what another group says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_LEAST_COPIED = 5
_SHARE_COPIED = 0.9
_N_ELSEWHERE = 5
"""Records that so many others are like say little: what they share is what most pupils answer."""

_BY_CHANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Records that say in every cell what other records say.

    Parameters
    ----------
    group
        The group of records, by its number.
    source
        The group that they are like.
    positions
        Which of the group's records are like one of the source.
    n_records
        How many records the group has.
    """

    group: int
    source: int
    positions: tuple[int, ...]
    n_records: int


def copies(who: np.ndarray, said: np.ndarray, group: np.ndarray, apart: np.ndarray, rank: Sequence[int]) -> list[Copy]:
    """Find groups of records that are nearly all like those of another group.

    Parameters
    ----------
    who, said
        A number for whom each record is about, and one for what it says; -1 where it says nothing. Shape (n,).
    group
        The group of each record, numbered from 0. Shape (n,).
    apart
        For each group what must differ for two to be compared, such as its wave.
    rank
        For each group its place in the order in which the first is taken for the source.

    Returns
    -------
    list of Copy
        Each group of which nine in ten records, five at least, say the same of the same as one other group, when that
        would happen by chance less often than once in a million such inboxes: records of which everybody's say the
        same prove nothing, nor do those that say what the one before them says, as in a list sorted by its answers.
    """
    import pandas as pd

    meant = np.flatnonzero(said >= 0)
    if len(meant) < 2 * _LEAST_COPIED:
        return []
    both = pd.factorize(who[meant] * (int(said.max()) + 2) + said[meant])[0]
    doubled = pd.Series(both).duplicated(keep=False).to_numpy()
    if not doubled.any():
        return []
    at_place: dict[int, list[int]] = defaultdict(list)
    for number, position in zip(both[doubled].tolist(), meant[doubled].tolist(), strict=True):
        at_place[number].append(position)
    like = _pairs(at_place, group, apart, rank)
    sizes = Counter(group[meant].tolist())
    told = {one: frozenset(both[group[meant] == one].tolist()) for one in {one for pair in like for one in pair}}
    chances = {one: _chance(said[meant][group[meant] == one]) for one in {later for later, _ in like}}
    telling = _telling(said, group, meant)
    found: dict[int, Copy] = {}
    for (later, source), positions in sorted(like.items()):
        # What many groups say alike is left out of the pairs; a copy says that, too, as its source does.
        n_alike = len(told[later] & told[source])
        is_copied = len(positions) >= _LEAST_COPIED and n_alike >= _SHARE_COPIED * sizes[later]
        n_telling = int(telling[positions].sum())
        is_chance = chances[later] ** n_telling * len(sizes) ** 2 >= _BY_CHANCE
        if is_copied and not is_chance and later not in found:
            found[later] = Copy(group=later, source=source, positions=tuple(positions), n_records=sizes[later])
    return list(found.values())


def _pairs(
    at_place: Mapping[int, Sequence[int]], group: np.ndarray, apart: np.ndarray, rank: Sequence[int]
) -> dict[tuple[int, int], list[int]]:
    """Return, by group and the earlier one that it is like, the records that are, but for those like too many."""
    like: dict[tuple[int, int], list[int]] = defaultdict(list)
    for positions in at_place.values():
        groups = {int(group[position]): position for position in positions}
        if len(groups) > _N_ELSEWHERE:
            continue
        for later, position in groups.items():
            for source in groups:
                if apart[source] != apart[later] and (rank[source], source) < (rank[later], later):
                    like[later, source].append(position)
    return like


def _telling(said: np.ndarray, group: np.ndarray, meant: np.ndarray) -> np.ndarray:
    """Return which records say something else than the record before them in their group; shape (n,)."""
    telling = np.zeros(len(said), dtype=bool)
    in_order = meant[np.argsort(group[meant], kind="stable")]
    is_first = np.r_[True, group[in_order][1:] != group[in_order][:-1]]
    telling[in_order] = is_first | np.r_[True, said[in_order][1:] != said[in_order][:-1]]
    return telling


def _chance(said: np.ndarray) -> float:
    """Return how often two of the records would say the same if who says what were a matter of chance."""
    _, counts = np.unique(said, return_counts=True)
    return float(np.sum((counts / counts.sum()) ** 2))


def told_apart(positions: Sequence[int], parts: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    """Yield each part with the positions of its records, in the order of parts."""
    by_part: dict[int, list[int]] = defaultdict(list)
    for position in positions:
        by_part[int(parts[position])].append(position)
    yield from sorted(by_part.items())
