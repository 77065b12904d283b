"""Further draws of the same design, for randomisation inference.

Re-draws follow the same rules as the published algorithm and have the same distribution, but come from numpy's Philox
generator, many draws at a time: nobody has to check a re-draw by hand, and 10,000 are wanted in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.design import Design
from randomisation.draw import check_arms, check_seed
from randomisation.misfits import BALANCED, Misfits, misfit_plan, redraw_misfits
from randomisation.schools import SortedSchools, read_schools
from randomisation.settle import Leftovers, leftovers, settle
from randomisation.simple import redraw_simple
from randomisation.stream import WordSource

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.acceptance import Acceptance

# Blocks are drawn whole. With two arms all draws of a block are settled at once, with more arms one by one.
_MOST_DRAWS_OF_TWO_ARMS = 512
_MOST_DRAWS_OF_MORE_ARMS = 32
_MOST_CELLS_IN_A_BLOCK = 2**21
_WORDS_AT_ONCE = 256
_TRIED_AT_ONCE = 4096


def replay(
    schools: pd.DataFrame | SortedSchools,
    design: Design,
    *,
    n_draws: int,
    seed: str,
    start: int = 0,
    late: bool = False,
) -> np.ndarray:
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
    late
        Whether the schools joined an earlier draw, see `allocate`.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J), whole numbers: positions in `design.arms` (0 is the reference) of the schools, sorted as in
        `Allocation.schools`. Every draw keeps to the design's strata, ratios and balance, and has the probability that
        `allocate` gives it, up to rounding in the 30th binary digit.

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
    check_arms(design, read, late=late)
    if design.constraint is None:
        return _free(read, design, n_draws=n_draws, seed=seed, start=start)
    from randomisation.constrained import acceptance

    rule = acceptance(schools, design, read=read)
    return _constrained(read, design, rule, n_draws=start + n_draws, seed=seed)[start:]


def _free(read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
    """Draw without a constraint, in whole blocks."""
    if design.kind == "minimisation":
        return _minimised(read, design, n_draws=n_draws, seed=seed, start=start)
    if design.kind == "simple":
        return _simple(len(read.ids), design.ratios, n_draws=n_draws, seed=seed, start=start)
    cells = read.cells()
    plan = leftovers({key: len(members) for key, members in cells.items()}, design.ratios)
    columns = np.array([school for members in cells.values() for school in members])
    most = _MOST_DRAWS_OF_TWO_ARMS if len(design.arms) == 2 else _MOST_DRAWS_OF_MORE_ARMS
    block = max(1, min(most, _MOST_CELLS_IN_A_BLOCK // len(columns)))
    first, last = start // block, -(-(start + n_draws) // block)
    drawn = np.empty((max(last - first, 0) * block, len(columns)), dtype=np.int16)
    for number in range(first, last):
        rows = slice((number - first) * block, (number - first + 1) * block)
        drawn[rows, columns] = _block(plan, seed=seed, number=number, n_draws=block, misfits=design.misfits)
    return drawn[start - first * block : start - first * block + n_draws]


def _simple(n_schools: int, ratios: Sequence[int], *, n_draws: int, seed: str, start: int) -> np.ndarray:
    block = _MOST_DRAWS_OF_TWO_ARMS
    first, last = start // block, -(-(start + n_draws) // block)
    drawn = [redraw_simple(_generator(seed, number), ratios, shape=(block, n_schools)) for number in range(first, last)]
    whole = np.concatenate([np.empty((0, n_schools), dtype=np.int16), *drawn])
    return whole[start - first * block : start - first * block + n_draws]


def _minimised(read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
    from randomisation.minimised import joining_order, minimisation_of, redraw_minimised

    order = joining_order(read, design)
    chance = minimisation_of(design, seed=seed, joined=()).chance
    values = [read.stratum_values[school] for school in order]
    block = _MOST_DRAWS_OF_TWO_ARMS
    first, last = start // block, -(-(start + n_draws) // block)
    drawn = np.empty((max(last - first, 0) * block, len(order)), dtype=np.int16)
    for number in range(first, last):
        generator = _generator(seed, number)
        rows = slice((number - first) * block, (number - first + 1) * block)
        drawn[rows, order] = redraw_minimised(values, generator, ratios=design.ratios, chance=chance, n_draws=block)
    return drawn[start - first * block : start - first * block + n_draws]


def _constrained(
    read: SortedSchools, design: Design, rule: Acceptance | None, *, n_draws: int, seed: str
) -> np.ndarray:
    """Draw until so many draws may be used."""
    from randomisation.constrained import check_usable

    kept: list[np.ndarray] = []
    n_kept = n_tries = 0
    while n_kept < n_draws:
        drawn = _free(read, design, n_draws=_TRIED_AT_ONCE, seed=seed, start=n_tries)
        used = drawn if rule is None else drawn[rule.usable(drawn)]
        kept.append(used)
        n_kept, n_tries = n_kept + len(used), n_tries + _TRIED_AT_ONCE
        if not n_kept:
            check_usable(n_tries)
    return np.concatenate([np.empty((0, len(read.ids)), dtype=np.int16), *kept])[:n_draws]


def _generator(seed: str, number: int) -> np.random.Generator:
    """Return the random numbers of a block."""
    key = np.frombuffer(hashlib.sha256(f"replay\n{seed}".encode()).digest()[:16], dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, number]))


def _block(plan: Leftovers, *, seed: str, number: int, n_draws: int, misfits: Misfits) -> np.ndarray:
    """Draw a block; shape (n_draws, J), schools by stratum."""
    generator = _generator(seed, number)
    if misfits != BALANCED:
        counts = redraw_misfits(misfit_plan(plan.sizes, plan.ratios, misfits), generator, n_draws)
    elif len(plan.ratios) == 2:
        counts = _two_arms(plan, generator, n_draws)
    else:
        counts = _more_arms(plan, generator, n_draws)
    stratum = np.repeat(np.arange(len(plan.sizes)), plan.sizes)
    rank = np.arange(len(stratum)) - np.searchsorted(stratum, stratum)
    limits = counts.cumsum(axis=2)
    handed_out = np.zeros((len(counts), len(stratum)), dtype=np.int16)
    for arm in range(len(plan.ratios) - 1):
        handed_out += rank >= limits[:, stratum, arm]
    arms = np.empty((n_draws, len(stratum)), dtype=np.int16)
    order = _orders(stratum, generator, n_draws)
    np.put_along_axis(arms, order, np.broadcast_to(handed_out, arms.shape), axis=1)
    return arms


def _orders(stratum: np.ndarray, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Put each stratum's schools in random order; shape (n_draws, J), positions of schools, stratum by stratum.

    One sort of 64-bit keys a draw: the stratum stands in the leading bits, the school in the last ones, and random bits
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


def _more_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
    """Settle draw by draw as published; shape (n_draws, strata, arms), or of one draw where all are alike."""
    if not plan.parent:
        return np.array(plan.whole())[None]
    source = WordSource(_words(generator))
    return np.array([settle(plan, source) for _ in range(n_draws)])


def _words(generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.integers(0, 2**64, size=_WORDS_AT_ONCE, dtype=np.uint64, endpoint=False).tolist()


def _two_arms(plan: Leftovers, generator: np.random.Generator, n_draws: int) -> np.ndarray:
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
            _meet(children[orders], (group, up, open_group, share), generator, plan.unit)
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
