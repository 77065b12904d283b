"""Further draws of the same design, for randomisation inference.

Re-draws follow the same rules as the published algorithm and have the same distribution, but come from numpy's Philox
generator, many draws at a time: nobody has to check a re-draw by hand, and 10,000 are wanted in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.design import Design
from randomisation.draw import check_arms, check_seed
from randomisation.schools import read_schools
from randomisation.settle import Leftovers, leftovers, settle
from randomisation.stream import WordSource

if TYPE_CHECKING:
    import pandas as pd

# Blocks are drawn whole. With two arms all draws of a block are settled at once, with more arms one by one.
_MOST_DRAWS_OF_TWO_ARMS = 512
_MOST_DRAWS_OF_MORE_ARMS = 32
_MOST_CELLS_IN_A_BLOCK = 2**21
_WORDS_AT_ONCE = 256


def replay(schools: pd.DataFrame, design: Design, *, n_draws: int, seed: str, start: int = 0) -> np.ndarray:
    """Draw the same design again and again.

    Parameters
    ----------
    schools
        The school frame, as for `allocate`.
    design
        The design.
    n_draws
        Number of draws, 0 or more.
    seed
        Seed of the re-draws; it has nothing to do with the allocation's.
    start
        Number of the first draw. Draw number i is the same however many are asked for at once.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J), whole numbers: positions in `design.arms` (0 is the reference) of the schools, sorted as in
        `Allocation.schools`. Every draw keeps to the design's strata, ratios and balance, and has the probability that
        `allocate` gives it, up to rounding in the 40th binary digit.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> frame = pd.DataFrame({"school_id": ["a", "b", "c", "d"]})
    >>> draws = replay(frame, Design(arms=(Arm(name="control"), Arm(name="pilot"))), n_draws=1000, seed="inference")
    >>> draws.shape, set(draws.sum(axis=1).tolist()), len(np.unique(draws, axis=0))
    ((1000, 4), {2}, 6)
    """
    check_seed(seed)
    for name, number in (("n_draws", n_draws), ("start", start)):
        if number < 0:
            raise DesignError(f"re-draws, {name}", f"{number} is below zero.", "State a whole number, 0 or more.")
    read = read_schools(schools, design)
    check_arms(design, len(read.ids))
    cells = read.cells()
    plan = leftovers({key: len(members) for key, members in cells.items()}, design.ratios)
    columns = np.array([school for members in cells.values() for school in members])
    most = _MOST_DRAWS_OF_TWO_ARMS if len(design.arms) == 2 else _MOST_DRAWS_OF_MORE_ARMS
    block = max(1, min(most, _MOST_CELLS_IN_A_BLOCK // len(columns)))
    first, last = start // block, -(-(start + n_draws) // block)
    drawn = np.empty((max(last - first, 0) * block, len(columns)), dtype=np.int16)
    for number in range(first, last):
        rows = slice((number - first) * block, (number - first + 1) * block)
        drawn[rows, columns] = _block(plan, seed=seed, number=number, n_draws=block)
    return drawn[start - first * block : start - first * block + n_draws]


def _block(plan: Leftovers, *, seed: str, number: int, n_draws: int) -> np.ndarray:
    """Draw a block; shape (n_draws, J), schools by stratum."""
    key = np.frombuffer(hashlib.sha256(f"replay\n{seed}".encode()).digest()[:16], dtype="<u8")
    generator = np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, number]))
    counts = _two_arms(plan, generator, n_draws) if len(plan.ratios) == 2 else _more_arms(plan, generator, n_draws)
    stratum = np.repeat(np.arange(len(plan.sizes)), plan.sizes)
    rank = _ranks(stratum, generator, n_draws)
    limits = counts.cumsum(axis=2)
    arms = np.zeros(rank.shape, dtype=np.int16)
    for arm in range(len(plan.ratios) - 1):
        arms += rank >= limits[:, stratum, arm]
    return arms


def _ranks(stratum: np.ndarray, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Put each stratum's schools in random order; shape (n_draws, J), 0 is the first of its stratum.

    One sort a draw: the stratum stands in the leading bits of a 64-bit key, random bits fill the rest.
    """
    bits = 64 - max(int(stratum[-1]).bit_length(), 1)
    keys = generator.integers(0, 2**bits, size=(n_draws, len(stratum)), dtype=np.uint64, endpoint=False)
    keys |= stratum.astype(np.uint64) << np.uint64(bits)
    order = keys.argsort(axis=1)
    starts = np.searchsorted(stratum, stratum)
    ranks = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.arange(len(stratum)) - starts, axis=1)
    return ranks


def _more_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Settle draw by draw as published; shape (n_draws, strata, arms)."""
    if not plan.parent:
        return np.broadcast_to(np.array(plan.whole()), (n_draws, len(plan.sizes), len(plan.ratios)))
    source = WordSource(_words(generator))
    return np.array([settle(plan, source) for _ in range(n_draws)])


def _words(generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.integers(0, 2**64, size=_WORDS_AT_ONCE, dtype=np.uint64, endpoint=False).tolist()


def _two_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Settle all draws at once; shape (n_draws, strata, 2).

    With two arms a cycle joins two open strata, or one and all schools. The published walk therefore comes to this: in
    each group the open children meet one after the other in random order, each pair settling one of the two, and what
    is left unsettled goes on to the group above.
    """
    up = np.zeros((n_draws, len(plan.parent)), dtype=np.int64)
    open_group = np.full((n_draws, len(plan.parent)), -1)
    share = np.zeros((n_draws, len(plan.parent)), dtype=np.int64)
    for group in range(len(plan.parent) - 1, -1, -1):
        if plan.cells[group] >= 0:
            open_group[:, group], share[:, group] = group, plan.left[group][0]
        else:
            children = np.array(plan.children[group])
            orders = generator.random((n_draws, len(children))).argsort(axis=1)
            _meet(children[orders], (group, up, open_group, share), generator, plan.unit)
    counts = np.repeat(np.array(plan.whole())[None], n_draws, axis=0)
    if plan.parent:
        last, rows = open_group[:, 0], np.arange(n_draws)
        rounds_up = generator.random(n_draws) * plan.unit < share[:, 0]
        up[rows, np.maximum(last, 0)] += (last >= 0) & rounds_up
        is_cell = np.array(plan.cells) >= 0
        strata = np.array(plan.cells)[is_cell]
        fractional = np.array([sum(plan.left[group]) // plan.unit for group in np.flatnonzero(is_cell)])
        counts[:, strata, 0] += up[:, is_cell]
        counts[:, strata, 1] += fractional - up[:, is_cell]
    return counts


def _meet(
    orders: np.ndarray,
    state: tuple[int, np.ndarray, np.ndarray, np.ndarray],
    generator: np.random.Generator,
    unit: int,
) -> None:
    """Let a group's children meet in the given orders, shape (n_draws, children); writes to the state."""
    group, up, open_group, share = state
    rows = np.arange(len(orders))
    stays, rest = np.full(len(orders), -1), np.zeros(len(orders), dtype=np.int64)
    for child in orders.T:
        comes, fraction = open_group[rows, child], share[rows, child]
        ahead, back = np.minimum(unit - rest, fraction), np.minimum(rest, unit - fraction)
        both = (stays >= 0) & (comes >= 0)
        gains = generator.random(len(orders)) * (ahead + back) < back
        step = np.where(both, np.where(gains, ahead, -back), 0)
        rest, fraction = rest + step, fraction - step
        _write(up, stays, both & (rest == unit))
        _write(up, comes, both & (fraction == unit))
        goes_on = (stays >= 0) & (rest > 0) & (rest < unit)
        stays = np.where(goes_on, stays, np.where((fraction > 0) & (fraction < unit), comes, -1))
        rest = np.where(goes_on, rest, np.where(stays >= 0, fraction, 0))
    open_group[:, group], share[:, group] = stays, rest


def _write(up: np.ndarray, groups: np.ndarray, settled: np.ndarray) -> None:
    """Mark groups as rounded up in the draws where they are."""
    up[np.flatnonzero(settled), groups[settled]] = 1
