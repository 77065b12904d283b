"""Within strata: how many allocations keep to ratio and balance, and all of them with their probabilities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from data_schema.errors import DesignError
from randomisation.misfits import (
    BALANCED,
    build_misfit_plan,
    count_allocations,
    count_arrangements,
    iterate_possible_counts,
)
from randomisation.permuted import list_arrangements
from randomisation.settle import Leftovers, draw_settlement, find_leftovers
from randomisation.stream import Source

if TYPE_CHECKING:
    from randomisation.design import Design
    from randomisation.schools import SortedSchools

MOST_WAYS = 100_000
"""The most ways to settle left-over schools that are followed up in order to weigh allocations."""

USE_REPLAY = "Use replay(): a test by re-draws does not need them all."
"""What to do where there are too many to list."""

_Result = TypeVar("_Result")
_Counts = tuple[tuple[int, ...], ...]


def count_within(read: SortedSchools, design: Design) -> int:
    """Return the number of allocations that keep to a design's ratio and balance; exact, however large."""
    plan = _plan_of(read, design)
    if design.misfits != BALANCED:
        return count_allocations(build_misfit_plan(plan.sizes, design.ratios, design.misfits))
    return _count(plan)


def list_within(read: SortedSchools, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Return them all, sorted, shape (M, J), positions of arms; and their probabilities, length M.

    Raises
    ------
    DesignError
        If their probabilities would take too long to find.
    """
    plan, members = _plan_of(read, design), list(read.cells().values())
    allocations: list[tuple[tuple[int, ...], Fraction]] = []
    for counts, share in _enumerate_count_cases(plan, design):
        ways = math.prod(count_arrangements(row) for row in counts)
        choices = [list_arrangements(row) for row in counts]
        for chosen in itertools.product(*choices):
            arms = [0] * len(read.ids)
            for cell, cell_arms in zip(members, chosen, strict=True):
                for school, arm in zip(cell, cell_arms, strict=True):
                    arms[school] = arm
            allocations.append((tuple(arms), share / ways))
    allocations.sort()
    positions = np.array([arms for arms, _ in allocations], dtype=np.int16)
    return positions, np.array([float(share) for _, share in allocations])


def _plan_of(read: SortedSchools, design: Design) -> Leftovers:
    return find_leftovers({key: len(members) for key, members in read.cells().items()}, design.ratios)


def _count(plan: Leftovers) -> int:
    """Count allocations group by group, keeping apart what a group adds to each arm."""
    whole_counts = plan.whole()
    closed = set(range(len(plan.sizes))) - set(plan.cells)
    count = math.prod(count_arrangements(whole_counts[stratum]) for stratum in closed)
    ways: dict[int, dict[tuple[int, ...], int]] = {}
    for group in range(len(plan.parent) - 1, -1, -1):
        stratum = plan.cells[group]
        if stratum >= 0:
            ways[group] = {
                up: count_arrangements(_sum_elementwise(whole_counts[stratum], up))
                for up in _enumerate_roundings(plan, group)
            }
            continue
        sums = {(0,) * len(plan.ratios): 1}
        for child in plan.children[group]:
            added: dict[tuple[int, ...], int] = {}
            for (first, n), (second, m) in itertools.product(sums.items(), ways.pop(child).items()):
                total = _sum_elementwise(first, second)
                added[total] = added.get(total, 0) + n * m
            sums = added
        ways[group] = {up: n for up, n in sums.items() if _is_rounded(plan, group, up)}
    return count * sum(ways.get(0, {(): 1}).values())


def _sum_elementwise(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _is_rounded(plan: Leftovers, group: int, up: Sequence[int]) -> bool:
    """Return whether a group's additional schools are its shares, each rounded up or down."""
    return all(abs(n * plan.unit - units) < plan.unit for n, units in zip(up, plan.left[group], strict=True))


def _enumerate_roundings(plan: Leftovers, cell: int) -> list[tuple[int, ...]]:
    """List the ways to round an open stratum's shares."""
    either = [(0, 1) if units else (0,) for units in plan.left[cell]]
    over = sum(plan.left[cell]) // plan.unit
    return [up for up in itertools.product(*either) if sum(up) == over]


def _enumerate_count_cases(plan: Leftovers, design: Design) -> Iterable[tuple[_Counts, Fraction]]:
    """Return how many schools of each stratum can go to each arm, with the probability of each case."""
    if design.misfits == BALANCED:
        return _enumerate_settlements(plan).items()
    return iterate_possible_counts(build_misfit_plan(plan.sizes, design.ratios, design.misfits))


def _enumerate_settlements(plan: Leftovers) -> dict[_Counts, Fraction]:
    """Return every settlement with its probability."""
    if not plan.parent:
        return {_freeze_counts(plan.whole()): Fraction(1)}
    if len(plan.ratios) == 2 and len(set(plan.ratios)) == 1:
        return _enumerate_even_settlements(plan)
    return _enumerate_explored_settlements(plan)


def _enumerate_explored_settlements(plan: Leftovers) -> dict[_Counts, Fraction]:
    """Return all settlements by following the published walk on every course that chance could take."""
    probability_of_counts: dict[_Counts, Fraction] = {}
    for counts, share in iterate_chance_courses(
        lambda source: _freeze_counts(draw_settlement(plan, source)), most=MOST_WAYS
    ):
        probability_of_counts[counts] = probability_of_counts.get(counts, Fraction(0)) + share
    return probability_of_counts


def _enumerate_even_settlements(plan: Leftovers) -> dict[_Counts, Fraction]:
    """Return all settlements of two arms with one ratio: open strata are halves and all ways equally likely."""
    cells = [group for group, stratum in enumerate(plan.cells) if stratum >= 0]
    ups: dict[int, list[dict[int, int]]] = {group: [{group: 0}, {group: 1}] for group in cells}
    for group in range(cells[0] - 1, -1, -1):
        joined: list[dict[int, int]] = [{}]
        for child in plan.children[group]:
            joined = [{**first, **second} for first, second in itertools.product(joined, ups.pop(child))]
        ups[group] = [up for up in joined if abs(2 * sum(up.values()) - len(up)) < 2]
    settlements = []
    for up in ups[0]:
        counts = plan.whole()
        for group, first in up.items():
            counts[plan.cells[group]] = list(_sum_elementwise(counts[plan.cells[group]], (first, 1 - first)))
        settlements.append(_freeze_counts(counts))
    return dict.fromkeys(settlements, Fraction(1, len(settlements)))


def _freeze_counts(counts: Sequence[Sequence[int]]) -> _Counts:
    return tuple(tuple(row) for row in counts)


class _Script(Source):
    """A source that gives the numbers written down for it, then zeros, and notes what bounds it was asked for."""

    __slots__ = ("bounds", "numbers")

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.bounds: list[int] = []

    def below(self, bound: int) -> int:
        place = len(self.bounds)
        self.bounds.append(bound)
        if place == len(self.numbers):
            self.numbers.append(0)
        return self.numbers[place]


def iterate_chance_courses(function: Callable[[Source], _Result], *, most: int) -> Iterator[tuple[_Result, Fraction]]:
    """Run a function of a random source on every course that chance could take.

    Parameters
    ----------
    function
        Takes random whole numbers from a source and nothing else that could vary.
    most
        The most courses to follow.

    Yields
    ------
    tuple
        A result and the exact probability of this course; results may repeat, probabilities sum to 1.

    Raises
    ------
    DesignError
        If there are more courses.

    Examples
    --------
    >>> courses = iterate_chance_courses(lambda source: source.below(2) + source.below(2), most=9)
    >>> [(result, str(share)) for result, share in courses]
    [(0, '1/4'), (1, '1/4'), (1, '1/4'), (2, '1/4')]
    """
    numbers: list[int] = []
    for _ in range(most):
        script = _Script(numbers)
        result = function(script)
        yield result, Fraction(1, math.prod(script.bounds))
        numbers = script.numbers
        while numbers and numbers[-1] == script.bounds[len(numbers) - 1] - 1:
            numbers.pop()
        if not numbers:
            return
        numbers[-1] += 1
    raise DesignError("all allocations", f"Left-over schools can be settled in more than {most} ways.", USE_REPLAY)
