"""Simple draws: each school by itself, the whole again if an arm stays empty."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from randomisation.stream import Source


def draw_simple(n_schools: int, ratios: Sequence[int], source: Source) -> list[int]:
    """Draw the position of each school's arm.

    A number below the sum of the ratios goes to the first arm whose ratio, added to those before, exceeds it.
    """
    limits = list(itertools.accumulate(ratios))
    while True:
        numbers = [source.below(limits[-1]) for _ in range(n_schools)]
        arms = [next(arm for arm, limit in enumerate(limits) if number < limit) for number in numbers]
        if len(set(arms)) == len(ratios):
            return arms


def simple_probabilities(ratios: Sequence[int], n_schools: int) -> list[Fraction]:
    """Return a school's exact probability of each arm, given that no arm is empty.

    By inclusion and exclusion over the sets of arms that stay empty.

    Examples
    --------
    >>> [str(share) for share in simple_probabilities((1, 2), 2)]
    ['1/2', '1/2']
    """
    unit, arms = sum(ratios), range(len(ratios))
    every = [chosen for size in range(len(ratios)) for chosen in itertools.combinations(arms, size)]
    rest = {chosen: Fraction(unit - sum(ratios[arm] for arm in chosen), unit) for chosen in every}
    sign = {chosen: (-1) ** len(chosen) for chosen in every}
    whole = sum(sign[chosen] * rest[chosen] ** n_schools for chosen in every)
    return [
        Fraction(ratios[arm], unit)
        * sum(sign[chosen] * rest[chosen] ** (n_schools - 1) for chosen in every if arm not in chosen)
        / whole
        for arm in arms
    ]


def n_simple(n_arms: int, n_schools: int) -> int:
    """Count the allocations in which no arm is empty.

    Examples
    --------
    >>> n_simple(2, 4), n_simple(3, 4)
    (14, 36)
    """
    return sum((-1) ** empty * math.comb(n_arms, empty) * (n_arms - empty) ** n_schools for empty in range(n_arms))


def redraw_simple(generator: np.random.Generator, ratios: Sequence[int], *, shape: tuple[int, int]) -> np.ndarray:
    """Draw many times from a generator; shape (B, J), as in `draw_simple`."""
    limits = np.cumsum(ratios)
    draws = np.searchsorted(limits, generator.integers(0, limits[-1], size=shape), side="right").astype(np.int16)
    while True:
        held = np.stack([(draws == arm).any(axis=1) for arm in range(len(ratios))], axis=1).all(axis=1)
        again = np.flatnonzero(~held)
        if not len(again):
            return draws
        numbers = generator.integers(0, limits[-1], size=(len(again), shape[1]))
        draws[again] = np.searchsorted(limits, numbers, side="right")
