"""Simple draws: each school by itself, the whole again if an arm stays empty."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from data_schema.errors import DesignError
from randomisation.designs.kind import DrawnFromOneStream, Listing, build_equal_probabilities, check_enough

if TYPE_CHECKING:
    import numpy as np

    from randomisation.design import Design
    from randomisation.schools import SortedSchools
    from randomisation.stream import Source


class Simple(DrawnFromOneStream):
    """Each school by itself, so that the arms' numbers of schools are left to chance."""

    name: ClassVar[str] = "simple"
    algorithm: ClassVar[str] = "crocoos-simple-1"
    takes_strata: ClassVar[bool] = False
    fixes_numbers: ClassVar[bool] = False

    def check(self, design: Design) -> None:
        """Refuse strata and constraints."""
        super().check(design)
        if design.constraint is not None:
            raise DesignError(
                "design, constraint", "A simple draw cannot be constrained.", "Use kind 'complete' instead."
            )

    def describe(self, design: Design) -> str:  # noqa: ARG002 -- all simple draws are alike
        """Return the kind in a word."""
        return self.name

    def explain(self, design: Design, beginning: str) -> str:  # noqa: ARG002 -- as above
        """Return how schools get their arm."""
        return (
            f"{beginning}, each school by itself, so that the arms' numbers of schools are left to chance; "
            "the draw is repeated as a whole if an arm has no school."
        )

    def check_schools(self, read: SortedSchools, design: Design, *, is_late: bool) -> None:  # noqa: ARG002 -- drawn alike
        """Refuse fewer schools than arms."""
        check_enough(read, design)

    def draw_once(self, read: SortedSchools, design: Design, source: Source) -> tuple[str, ...]:
        """Draw each school's arm."""
        return tuple(design.names[arm] for arm in draw_simple(len(read.ids), design.ratios, source))

    def redraw(self, read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
        """Draw many times."""
        from randomisation.blocks import BLOCK, draw_blocks

        shape = (BLOCK, len(read.ids))
        return draw_blocks(
            lambda generator: draw_many_simple(generator, design.ratios, shape=shape),
            shape=shape,
            n_draws=n_draws,
            seed=seed,
            start=start,
        )

    def count(self, read: SortedSchools, design: Design) -> int:
        """Return the number of allocations in which no arm is empty."""
        return count_simple_allocations(len(design.arms), len(read.ids))

    def list_all(self, read: SortedSchools, design: Design) -> Listing:
        """Return every allocation in which no arm is empty."""
        return list_simple(design.ratios, len(read.ids))

    def probabilities(self, read: SortedSchools, design: Design) -> np.ndarray:
        """Return the ratio's shares, given that no arm is empty."""
        return build_equal_probabilities(compute_simple_probabilities(design.ratios, len(read.ids)), read)


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


def compute_simple_probabilities(ratios: Sequence[int], n_schools: int) -> list[Fraction]:
    """Return a school's exact probability of each arm, given that no arm is empty.

    By inclusion and exclusion over the sets of arms that stay empty.

    Examples
    --------
    >>> [str(share) for share in compute_simple_probabilities((1, 2), 2)]
    ['1/2', '1/2']
    """
    unit, arms = sum(ratios), range(len(ratios))
    every = [chosen for size in range(len(ratios)) for chosen in itertools.combinations(arms, size)]
    remaining_share = {chosen: Fraction(unit - sum(ratios[arm] for arm in chosen), unit) for chosen in every}
    sign = {chosen: (-1) ** len(chosen) for chosen in every}
    total_probability = sum(sign[chosen] * remaining_share[chosen] ** n_schools for chosen in every)
    return [
        Fraction(ratios[arm], unit)
        * sum(sign[chosen] * remaining_share[chosen] ** (n_schools - 1) for chosen in every if arm not in chosen)
        / total_probability
        for arm in arms
    ]


def count_simple_allocations(n_arms: int, n_schools: int) -> int:
    """Count the allocations in which no arm is empty.

    Examples
    --------
    >>> count_simple_allocations(2, 4), count_simple_allocations(3, 4)
    (14, 36)
    """
    return sum((-1) ** empty * math.comb(n_arms, empty) * (n_arms - empty) ** n_schools for empty in range(n_arms))


def draw_many_simple(generator: np.random.Generator, ratios: Sequence[int], *, shape: tuple[int, int]) -> np.ndarray:
    """Draw many times from a generator; shape (B, J), as in `draw_simple`."""
    import numpy as np

    limits = np.cumsum(ratios)
    draws = np.searchsorted(limits, generator.integers(0, limits[-1], size=shape), side="right").astype(np.int16)
    while True:
        held = np.stack([(draws == arm).any(axis=1) for arm in range(len(ratios))], axis=1).all(axis=1)
        again = np.flatnonzero(~held)
        if not len(again):
            return draws
        numbers = generator.integers(0, limits[-1], size=(len(again), shape[1]))
        draws[again] = np.searchsorted(limits, numbers, side="right")


def list_simple(ratios: Sequence[int], n_schools: int) -> Listing:
    """Return the allocations in which no arm is empty, and their probabilities."""
    import numpy as np

    positions = np.array(list(itertools.product(range(len(ratios)), repeat=n_schools)), dtype=np.int16)
    held = np.stack([(positions == arm).any(axis=1) for arm in range(len(ratios))]).all(axis=0)
    weights = np.array(ratios, dtype=float)[positions[held]].prod(axis=1)
    return positions[held], weights / weights.sum()
