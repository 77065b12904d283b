"""Re-draws as permutations of an allocation's arms within strata: sampled, counted, or all of them.

They serve a draw that was made elsewhere, of which nothing is known but its result, and re-draws in which some schools
stay where they are. Given how many schools of each stratum went to each arm, every permutation within strata is as
likely as the one that was made, as long as schools of a stratum were treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from randomisation.canonical import compute_sha256


def permute_within_strata(actual: np.ndarray, strata: Sequence[str], *, n_draws: int, seed: str) -> np.ndarray:
    """Permute arms within strata.

    Parameters
    ----------
    actual
        Shape (J,), position of each school's arm.
    strata
        Length J, each school's stratum.
    n_draws
        B, 1 or more.
    seed
        Text that settles the permutations.

    Returns
    -------
    numpy.ndarray
        Shape (B, J); each row has in every stratum the arms of ``actual``.

    Examples
    --------
    >>> permute_within_strata(np.array([0, 1, 0, 1]), ["a", "a", "b", "b"], n_draws=3, seed="x").shape
    (3, 4)
    """
    generator = create_generator(seed)
    draws = np.tile(np.asarray(actual), (n_draws, 1))
    for places in _group_places_by_stratum(strata):
        order = generator.random((n_draws, len(places))).argsort(axis=1)
        draws[:, places] = np.asarray(actual)[places][order]
    return draws


def create_generator(seed: str) -> np.random.Generator:
    """Return the random numbers that a text settles."""
    words = [int(compute_sha256(seed.encode())[place : place + 8], 16) for place in range(0, 64, 8)]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def count_permutations(actual: np.ndarray, strata: Sequence[str]) -> int:
    """Count the permutations of arms within strata that differ.

    Parameters
    ----------
    actual, strata
        As for `permute_within_strata`.

    Examples
    --------
    >>> count_permutations(np.array([0, 0, 1, 1, 0, 1]), ["a"] * 4 + ["b"] * 2)
    12
    """
    count = 1
    for places in _group_places_by_stratum(strata):
        left = len(places)
        for n in np.unique(np.asarray(actual)[places], return_counts=True)[1]:
            count *= math.comb(left, int(n))
            left -= int(n)
    return count


def enumerate_permutations(actual: np.ndarray, strata: Sequence[str]) -> np.ndarray:
    """List the permutations of arms within strata, each once; shape (M, J), the actual one among them.

    Parameters
    ----------
    actual, strata
        As for `permute_within_strata`; `count_permutations` says how many there will be.

    Examples
    --------
    >>> enumerate_permutations(np.array([0, 1, 2]), ["a", "a", "b"]).tolist()
    [[0, 1, 2], [1, 0, 2]]
    """
    arms = np.asarray(actual)
    rows = arms[None, :]
    for places in _group_places_by_stratum(strata):
        values, counts = np.unique(arms[places], return_counts=True)
        arrangement_block = values[np.array(list_arrangements(counts.tolist()))]
        n_rows = len(rows)
        rows = np.repeat(rows, len(arrangement_block), axis=0)
        rows[:, places] = np.tile(arrangement_block, (n_rows, 1))
    return rows


def list_arrangements(counts: Sequence[int]) -> list[tuple[int, ...]]:
    """List the orders of so many schools in each arm, each order as positions of arms, sorted.

    Examples
    --------
    >>> list_arrangements([1, 2])
    [(0, 1, 1), (1, 0, 1), (1, 1, 0)]
    """
    if sum(counts) == 0:
        return [()]
    return [
        (arm, *remaining_arms)
        for arm, n in enumerate(counts)
        if n
        for remaining_arms in list_arrangements([m - (other == arm) for other, m in enumerate(counts)])
    ]


def _group_places_by_stratum(strata: Sequence[str]) -> list[np.ndarray]:
    labels = np.asarray(strata)
    return [np.flatnonzero(labels == label) for label in sorted(set(strata))]
