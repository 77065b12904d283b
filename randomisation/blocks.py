"""Many draws at a time, by numpy's Philox generator; see `randomisation.redraws`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from randomisation.misfits import BALANCED, Misfits, build_misfit_plan, draw_many_misfits
from randomisation.settle import Leftovers, draw_settlement, find_leftovers
from randomisation.stream import WordSource

if TYPE_CHECKING:
    from randomisation.design import Design
    from randomisation.schools import SortedSchools

# A block is drawn as a whole. With two arms all draws of a block are settled at once, with more arms one by one.
BLOCK = 512
"""Draws of a block where all of a block are made at once."""

_BLOCK_OF_MORE_ARMS = 32
_MOST_CELLS_IN_A_BLOCK = 2**21
_WORDS_AT_ONCE = 256


def draw_blocks(
    draw_block: Callable[[np.random.Generator], np.ndarray],
    *,
    shape: tuple[int, int],
    n_draws: int,
    seed: str,
    start: int,
) -> np.ndarray:
    """Return draws out of whole blocks, each with random numbers of its own.

    Parameters
    ----------
    draw_block
        Makes a block from a generator.
    shape
        Of a block: draws and schools.
    n_draws, seed, start
        See `randomisation.redraws`.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J): positions of arms.
    """
    block, n_schools = shape
    first, last = start // block, -(-(start + n_draws) // block)
    drawn = np.empty((max(last - first, 0) * block, n_schools), dtype=np.int16)
    for number in range(first, last):
        rows = slice((number - first) * block, (number - first + 1) * block)
        drawn[rows] = draw_block(create_block_generator(seed, number))
    return drawn[start - first * block : start - first * block + n_draws]


def draw_many_within_strata(read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
    """Draw within strata, in balance at every level of them; shape (n_draws, J), positions of arms."""
    cells = read.cells()
    plan = find_leftovers({key: len(members) for key, members in cells.items()}, design.ratios)
    columns = np.array([school for members in cells.values() for school in members])
    most = BLOCK if len(design.arms) == 2 else _BLOCK_OF_MORE_ARMS
    block = max(1, min(most, _MOST_CELLS_IN_A_BLOCK // len(columns)))

    def draw_block(generator: np.random.Generator) -> np.ndarray:
        drawn = np.empty((block, len(columns)), dtype=np.int16)
        drawn[:, columns] = _draw_block(plan, generator, n_draws=block, misfits=design.misfits)
        return drawn

    return draw_blocks(draw_block, shape=(block, len(columns)), n_draws=n_draws, seed=seed, start=start)


def create_block_generator(seed: str, number: int) -> np.random.Generator:
    """Return the random numbers of a block."""
    key = np.frombuffer(hashlib.sha256(f"replay\n{seed}".encode()).digest()[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, number]))


def _draw_block(plan: Leftovers, generator: np.random.Generator, *, n_draws: int, misfits: Misfits) -> np.ndarray:
    """Draw a block; shape (n_draws, J), schools by stratum."""
    if misfits != BALANCED:
        counts = draw_many_misfits(build_misfit_plan(plan.sizes, plan.ratios, misfits), generator, n_draws)
    elif len(plan.ratios) == 2:
        counts = _draw_leftovers_of_two_arms(plan, generator, n_draws)
    else:
        counts = _draw_leftovers_of_many_arms(plan, generator, n_draws)
    stratum = np.repeat(np.arange(len(plan.sizes)), plan.sizes)
    rank = np.arange(len(stratum)) - np.searchsorted(stratum, stratum)
    limits = counts.cumsum(axis=2)
    handed_out = np.zeros((len(counts), len(stratum)), dtype=np.int16)
    for arm in range(len(plan.ratios) - 1):
        handed_out += rank >= limits[:, stratum, arm]
    arms = np.empty((n_draws, len(stratum)), dtype=np.int16)
    order = _draw_random_orders(stratum, generator, n_draws)
    np.put_along_axis(arms, order, np.broadcast_to(handed_out, arms.shape), axis=1)
    return arms


def _draw_random_orders(stratum: np.ndarray, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Put each stratum's schools in random order; shape (n_draws, J), positions of schools, stratum by stratum.

    One sort of 64-bit keys a draw: the stratum is in the leading bits, the school in the last ones, and random bits
    between them, so that the sorted keys say which school stands where.
    """
    free = 64 - max(int(stratum[-1]).bit_length(), 1)
    last = np.uint64((1 << max(len(stratum) - 1, 1).bit_length()) - 1)
    keys = generator.integers(0, 2**free, size=(n_draws, len(stratum)), dtype=np.uint64, endpoint=False)
    keys &= ~last
    keys |= stratum.astype(np.uint64) << np.uint64(free) | np.arange(len(stratum), dtype=np.uint64)
    keys.sort(axis=1)
    keys &= last
    return keys.view(np.int64)


def _draw_leftovers_of_many_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Settle draw by draw as published; shape (n_draws, strata, arms), or of one draw where all are alike."""
    if not plan.parent:
        return np.array(plan.whole())[None]
    source = WordSource(_iterate_random_words(generator))
    return np.array([draw_settlement(plan, source) for _ in range(n_draws)])


def _iterate_random_words(generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.integers(0, 2**64, size=_WORDS_AT_ONCE, dtype=np.uint64, endpoint=False).tolist()


def _draw_leftovers_of_two_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Settle all draws at once; shape (n_draws, strata, 2), or of one draw where all are alike.

    With two arms a cycle joins two open strata, or one and all schools. The published walk therefore comes to this: in
    each group the open children meet one after the other in random order, each pair settling one of the two, and what
    is left unsettled goes on to the group above.
    """
    if not plan.parent:
        return np.array(plan.whole())[None]
    up = np.zeros((n_draws, len(plan.parent)), dtype=np.int64)
    open_group = np.full((n_draws, len(plan.parent)), -1)
    share = np.zeros((n_draws, len(plan.parent)), dtype=np.int64)
    for group in range(len(plan.parent) - 1, -1, -1):
        if plan.cells[group] >= 0:
            open_group[:, group], share[:, group] = group, plan.left[group][0]
        else:
            children = np.array(plan.children[group])
            orders = generator.random((n_draws, len(children))).argsort(axis=1)
            _resolve_children_in_order(children[orders], (group, up, open_group, share), generator, plan.unit)
    counts = np.repeat(np.array(plan.whole())[None], n_draws, axis=0)
    last, rows = open_group[:, 0], np.arange(n_draws)
    rounds_up = generator.random(n_draws) * plan.unit < share[:, 0]
    up[rows, np.maximum(last, 0)] += (last >= 0) & rounds_up
    is_cell = np.array(plan.cells) >= 0
    strata = np.array(plan.cells)[is_cell]
    fractional = np.array([sum(plan.left[group]) // plan.unit for group in np.flatnonzero(is_cell)])
    counts[:, strata, 0] += up[:, is_cell]
    counts[:, strata, 1] += fractional - up[:, is_cell]
    return counts


def _resolve_children_in_order(
    orders: np.ndarray,
    state: tuple[int, np.ndarray, np.ndarray, np.ndarray],
    generator: np.random.Generator,
    unit: int,
) -> None:
    """Let a group's children meet in the given orders, shape (n_draws, children); writes to the state."""
    group, up, open_group, share = state
    rows = np.arange(len(orders))
    stays, carried_fraction = np.full(len(orders), -1), np.zeros(len(orders), dtype=np.int64)
    for child in orders.T:
        comes, fraction = open_group[rows, child], share[rows, child]
        ahead, back = np.minimum(unit - carried_fraction, fraction), np.minimum(carried_fraction, unit - fraction)
        both = (stays >= 0) & (comes >= 0)
        gains = generator.random(len(orders)) * (ahead + back) < back
        step = np.where(both, np.where(gains, ahead, -back), 0)
        carried_fraction, fraction = carried_fraction + step, fraction - step
        _write(up, stays, both & (carried_fraction == unit))
        _write(up, comes, both & (fraction == unit))
        goes_on = (stays >= 0) & (carried_fraction > 0) & (carried_fraction < unit)
        stays = np.where(goes_on, stays, np.where((fraction > 0) & (fraction < unit), comes, -1))
        carried_fraction = np.where(goes_on, carried_fraction, np.where(stays >= 0, fraction, 0))
    open_group[:, group], share[:, group] = stays, carried_fraction


def _write(up: np.ndarray, groups: np.ndarray, settled: np.ndarray) -> None:
    """Mark groups as rounded up in the draws where they are."""
    up[np.flatnonzero(settled), groups[settled]] = 1
