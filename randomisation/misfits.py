"""Misfits: the schools of a stratum that are left over when its arms have their whole shares, by stated strategies.

A stratum of n schools holds n div R full sets of R schools, R being the sum of the ratios in lowest terms; the others
are its misfits. The default, "balanced", is the settlement of `randomisation.settle`; the four strategies here
are those of Carril (2017), Stata Journal 17(3), 652-667, under his names.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from randomisation.stream import Source

Misfits = Literal["balanced", "strata", "global", "wstrata", "wglobal"]
"""Strategies: see `STRATEGIES`."""

BALANCED: Misfits = "balanced"
STRATEGIES: Mapping[Misfits, str] = {
    "balanced": "across strata, so that every sum is within a school of its exact share",
    "strata": "within each stratum by itself, each arm with equal probability",
    "global": "all strata's together, each arm with equal probability",
    "wstrata": "within each stratum by itself, each arm in proportion to its ratio",
    "wglobal": "all strata's together, each arm in proportion to its ratio",
}
"""What each strategy does with the misfits, in words."""

KNOWN = get_args(Misfits)
Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MisfitPlan:
    """Strata with their full sets and their misfits.

    Parameters
    ----------
    ratios
        Of the arms, in lowest terms.
    sizes
        Schools of each stratum, in their order.
    misfits
        The strategy, any but "balanced".
    """

    ratios: tuple[int, ...]
    sizes: tuple[int, ...]
    misfits: Misfits

    @property
    def whole(self) -> list[Counts]:
        """Schools of each stratum and arm in full sets."""
        return [tuple(size // sum(self.ratios) * ratio for ratio in self.ratios) for size in self.sizes]

    @property
    def left(self) -> list[int]:
        """Misfits of each stratum."""
        return [size % sum(self.ratios) for size in self.sizes]

    @property
    def slots(self) -> list[int]:
        """Positions of the arms that a misfit can get, each as often as it weighs."""
        weights = self.ratios if self.misfits in ("wstrata", "wglobal") else (1,) * len(self.ratios)
        return [arm for arm, weight in enumerate(weights) for _ in range(weight)]

    @property
    def together(self) -> bool:
        """Whether all strata's misfits are handed out as one lot."""
        return self.misfits in ("global", "wglobal")

    @property
    def lots(self) -> list[int]:
        """Sizes of the lots in which misfits are handed out: all together, or each stratum's."""
        return [sum(self.left)] if self.together else self.left


def build_misfit_plan(sizes: Sequence[int], ratios: Sequence[int], misfits: Misfits) -> MisfitPlan:
    """Return strata with their misfits; ratios are brought to lowest terms."""
    common = math.gcd(*ratios)
    return MisfitPlan(ratios=tuple(ratio // common for ratio in ratios), sizes=tuple(sizes), misfits=misfits)


def draw_misfits(plan: MisfitPlan, source: Source) -> list[list[int]]:
    """Draw how many schools of each stratum go to each arm: section 12 of ALGORITHM.md.

    Examples
    --------
    >>> from randomisation.stream import open_published_stream
    >>> draw_misfits(build_misfit_plan((5, 4, 1), (1, 1), "strata"), open_published_stream("x"))
    [[2, 3], [2, 2], [1, 0]]
    """
    counts = [list(row) for row in plan.whole]
    if plan.together:
        lot = _draw_misfit_lot(plan.slots, sum(plan.left), source)
        source.shuffle(lot)
    for row, left in zip(counts, plan.left, strict=True):
        chosen = [lot.pop(0) for _ in range(left)] if plan.together else _draw_misfit_lot(plan.slots, left, source)
        for arm in chosen:
            row[arm] += 1
    return counts


def _draw_misfit_lot(slots: Sequence[int], n: int, source: Source) -> list[int]:
    """Return the arms of so many misfits: full rounds of the slots, then some of them at random."""
    last = list(slots)
    if n:
        source.shuffle(last)
    return list(slots) * (n // len(slots)) + last[: n % len(slots)]


def draw_many_misfits(plan: MisfitPlan, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Draw the same many times; shape (n_draws, strata, arms)."""
    slots, left = np.array(plan.slots), np.array(plan.left)
    counts = np.repeat(np.array(plan.whole)[None], n_draws, axis=0)
    parts = []
    for n in plan.lots:
        order = generator.random((n_draws, len(slots))).argsort(axis=1)[:, : n % len(slots)]
        rounds = np.tile(np.tile(slots, n // len(slots)), (n_draws, 1))
        parts.append(np.concatenate([rounds, slots[order]], axis=1))
    arms = np.concatenate(parts, axis=1)
    if plan.together:
        arms = np.take_along_axis(arms, generator.random(arms.shape).argsort(axis=1), axis=1)
    stratum = np.repeat(np.arange(len(left)), left)
    np.add.at(counts, (np.arange(n_draws)[:, None], stratum[None, :], arms), 1)
    return counts


def compute_fewest_schools(plan: MisfitPlan) -> Counts:
    """Return the fewest schools that each arm can come to have."""
    slots, least = plan.slots, [sum(column) for column in zip(*plan.whole, strict=True)]
    for arm in range(len(plan.ratios)):
        others = len(slots) - slots.count(arm)
        least[arm] += sum(n // len(slots) * slots.count(arm) + max(0, n % len(slots) - others) for n in plan.lots)
    return tuple(least)


def is_drawable_by_plan(plan: MisfitPlan, counts: Sequence[Sequence[int]]) -> bool:
    """Return whether a strategy can give strata and arms these numbers of schools."""
    n_arms, slots = len(plan.ratios), plan.slots
    extra = [tuple(n - m for n, m in zip(row, full, strict=True)) for row, full in zip(counts, plan.whole, strict=True)]
    if any(n < 0 for row in extra for n in row):
        return False
    lots = [tuple(sum(column) for column in zip(*extra, strict=True))] if plan.together else extra
    return all(lot in enumerate_possible_lots(slots, n, n_arms) for lot, n in zip(lots, plan.lots, strict=True))


def compute_misfit_probabilities(plan: MisfitPlan) -> list[tuple[Fraction, ...]]:
    """Return, for each stratum, the probability of each arm of any of its schools.

    Examples
    --------
    >>> plan = build_misfit_plan((4, 2), (2, 1), "strata")
    >>> [[str(share) for share in row] for row in compute_misfit_probabilities(plan)]
    [['5/8', '3/8'], ['1/2', '1/2']]
    """
    slots = plan.slots
    shares = [Fraction(slots.count(arm), len(slots)) for arm in range(len(plan.ratios))]
    return [
        tuple((n + left * share) / size for n, share in zip(row, shares, strict=True))
        for row, left, size in zip(plan.whole, plan.left, plan.sizes, strict=True)
    ]


def enumerate_possible_lots(slots: Sequence[int], n: int, n_arms: int) -> dict[Counts, Fraction]:
    """Return how many of a lot's misfits each arm can get, with the probability of each case."""
    weights = [list(slots).count(arm) for arm in range(n_arms)]
    rounds, last = divmod(n, len(slots))
    ways = math.comb(len(slots), last)
    return {
        tuple(rounds * weight + some for weight, some in zip(weights, chosen, strict=True)): Fraction(
            math.prod(math.comb(weight, some) for weight, some in zip(weights, chosen, strict=True)), ways
        )
        for chosen in _iterate_splits(last, weights)
    }


def _iterate_splits(n: int, most: Sequence[int]) -> Iterator[Counts]:
    """List the ways to write a number as a sum of numbers, none above its limit."""
    if len(most) == 1:
        if n <= most[0]:
            yield (n,)
        return
    for first in range(min(n, most[0]) + 1):
        for remainder in _iterate_splits(n - first, most[1:]):
            yield (first, *remainder)


def iterate_possible_counts(plan: MisfitPlan) -> Iterator[tuple[tuple[Counts, ...], Fraction]]:
    """List the numbers of schools that strata and arms can come to have, with the probability of each case."""
    n_arms, slots, whole_counts = len(plan.ratios), plan.slots, plan.whole
    if plan.together:
        lots = enumerate_possible_lots(slots, sum(plan.left), n_arms)
        splits = [list(_iterate_splits(left, (left,) * n_arms)) for left in plan.left]
        for chosen in itertools.product(*splits):
            total = tuple(sum(column) for column in zip(*chosen, strict=True))
            if total in lots:
                share = Fraction(math.prod(count_arrangements(row) for row in chosen), count_arrangements(total))
                yield _sum_counts(whole_counts, chosen), lots[total] * share
        return
    each = [enumerate_possible_lots(slots, left, n_arms).items() for left in plan.left]
    for cases in itertools.product(*each):
        yield (
            _sum_counts(whole_counts, [row for row, _ in cases]),
            math.prod((share for _, share in cases), start=Fraction(1)),
        )


def _sum_counts(whole: Sequence[Counts], extra: Sequence[Counts]) -> tuple[Counts, ...]:
    return tuple(tuple(a + b for a, b in zip(row, more, strict=True)) for row, more in zip(whole, extra, strict=True))


def count_allocations(plan: MisfitPlan) -> int:
    """Count the allocations that a strategy can draw, stratum by stratum."""
    n_arms, slots = len(plan.ratios), plan.slots
    ways: dict[Counts, int] = {(0,) * n_arms: 1}
    for row, left in zip(plan.whole, plan.left, strict=True):
        stratum_cases = (
            _iterate_splits(left, (left,) * n_arms)
            if plan.together
            else iter(enumerate_possible_lots(slots, left, n_arms))
        )
        added: dict[Counts, int] = {}
        for more, (total, n) in itertools.product(list(stratum_cases), ways.items()):
            key = tuple(a + b for a, b in zip(total, more, strict=True)) if plan.together else total
            n_arrangements = count_arrangements([a + b for a, b in zip(row, more, strict=True)])
            added[key] = added.get(key, 0) + n * n_arrangements
        ways = added
    if not plan.together:
        return sum(ways.values())
    return sum(n for total, n in ways.items() if total in enumerate_possible_lots(slots, sum(plan.left), n_arms))


def count_arrangements(counts: Sequence[int]) -> int:
    """Count the ways to hand out so many schools of each arm within a stratum.

    Examples
    --------
    >>> count_arrangements((2, 1, 1))
    12
    """
    return math.factorial(sum(counts)) // math.prod(math.factorial(n) for n in counts)
