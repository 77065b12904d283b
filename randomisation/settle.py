"""Settling left-over schools: how many schools of each stratum go to each arm.

A stratum's exact share of an arm is seldom a whole number of schools. The shares are rounded up or down at random such
that every share keeps its expectation exactly, and that every sum over a group of strata (a value of the first column,
a combination of the first two, ..., all schools) is itself rounded up or down, never further off. That both can be had
at once is shown by Budish, Che, Kojima and Milgrom (2013), American Economic Review 103(2), 585-623: the groups of
strata within an arm and the arms within a stratum are a bihierarchy. The way is theirs too: shift shares round a cycle
of shares that are not yet whole, one way or the other with probabilities that leave the expectation where it is, until
all are whole. All arithmetic is in whole units of 1 / (sum of the ratios).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from randomisation.stream import Source

_TOP = (-1, -1)
_CELL = -1
_Edge = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What is left to settle: the open strata and the groups that hold them.

    A stratum is open when its exact shares are not all whole numbers. Groups are numbered level by level, sorted by
    their values: 0 is all schools, the last ones are the open strata ("cells") themselves.

    Parameters
    ----------
    unit
        Sum of the ratios R; shares are held as whole multiples of 1 / R.
    ratios
        Ratios of the arms.
    sizes
        Schools of each stratum, closed ones too.
    parent
        Of each group; -1 for the first.
    children
        Of each group, sorted.
    cells
        Stratum (position in `sizes`) of each group that is a cell, -1 for the others.
    left
        Of each group and arm, the sum of its cells' fractional shares, in units of 1 / R.
    """

    unit: int
    ratios: tuple[int, ...]
    sizes: tuple[int, ...]
    parent: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]
    cells: tuple[int, ...]
    left: tuple[tuple[int, ...], ...]

    def whole(self) -> list[list[int]]:
        """Return the whole part of each stratum's share of each arm."""
        return [[size * ratio // self.unit for ratio in self.ratios] for size in self.sizes]


def find_leftovers(sizes: Mapping[tuple[str, ...], int], ratios: tuple[int, ...]) -> Leftovers:
    """Find what whole shares leave over.

    Parameters
    ----------
    sizes
        Number of schools of each stratum, by its values, sorted.
    ratios
        Ratios of the arms.
    """
    unit = sum(ratios)
    shares = {key: tuple(size * ratio % unit for ratio in ratios) for key, size in sizes.items()}
    open_keys = [key for key, share in shares.items() if any(share)]
    stratum = {key: place for place, key in enumerate(sizes)}
    depth = len(next(iter(sizes)))
    keys = [key for level in range(depth + 1) for key in sorted({key[:level] for key in open_keys})]
    number = {key: place for place, key in enumerate(keys)}
    children: list[list[int]] = [[] for _ in keys]
    left = [list(shares[key]) if len(key) == depth else [0] * len(ratios) for key in keys]
    for group in range(len(keys) - 1, 0, -1):
        above = number[keys[group][:-1]]
        children[above].append(group)
        left[above] = [a + b for a, b in zip(left[above], left[group], strict=True)]
    return Leftovers(
        unit=unit,
        ratios=ratios,
        sizes=tuple(sizes.values()),
        parent=tuple(number[key[:-1]] if key else -1 for key in keys),
        children=tuple(tuple(reversed(group)) for group in children),
        cells=tuple(stratum[key] if len(key) == depth else -1 for key in keys),
        left=tuple(tuple(row) for row in left),
    )


def draw_settlement(plan: Leftovers, source: Source) -> list[list[int]]:
    """Draw how many schools of each stratum go to each arm.

    Parameters
    ----------
    plan
        What is left over.
    source
        Random whole numbers.

    Returns
    -------
    list of list of int
        Schools by stratum (in the order of `plan.sizes`) and arm. Every expectation is the exact share.
    """
    counts = plan.whole()
    if not plan.parent:
        return counts
    for group, row in enumerate(_Settling(plan, source).run()):
        stratum = plan.cells[group]
        if stratum >= 0:
            counts[stratum] = [
                whole_count + units // plan.unit for whole_count, units in zip(counts[stratum], row, strict=True)
            ]
    return counts


class _Settling:
    """The state of one settlement: an edge (group, arm) carries a group's share of an arm.

    It leads from the group up to the group that holds it. Edges that are not whole are kept in lists, the next one to
    take last, so that taking one off is quick.
    """

    __slots__ = ("_arms", "_cells", "_inside", "_plan", "_source", "_values")

    def __init__(self, plan: Leftovers, source: Source) -> None:
        self._plan = plan
        self._source = source
        self._arms = list(range(len(plan.ratios)))
        source.shuffle(self._arms)
        order = [list(children) for children in plan.children]
        for children in order:
            source.shuffle(children)
        self._values = [list(row) for row in plan.left]
        self._inside = [
            [
                [child for child in reversed(children) if plan.left[child][arm] % plan.unit]
                for arm in range(len(plan.ratios))
            ]
            for children in order
        ]
        self._cells = _sort_cells_by_visit(plan, order)

    def run(self) -> list[list[int]]:
        for cell in self._cells:
            while self._is_open(cell):
                self._move_shares_round_cycle(self._find_cycle(cell))
        return self._values

    def _is_open(self, cell: int) -> bool:
        unit = self._plan.unit
        return any(value % unit for value in self._values[cell])

    def _find_cycle(self, cell: int) -> list[tuple[int, int, bool]]:
        """Walk from a cell along edges that are not whole until a place comes twice; return the edges between."""
        plan = self._plan
        node, came = (cell, _CELL), (-1, -1)
        path: list[tuple[int, int, bool]] = []
        seen = {node: 0}
        while True:
            came, upward = self._find_leaving_edge(node, came)
            group, arm = came
            path.append((group, arm, upward))
            if upward:
                node = (plan.parent[group], arm) if plan.parent[group] >= 0 else _TOP
            else:
                node = (group, _CELL) if plan.cells[group] >= 0 else (group, arm)
            if node in seen:
                return path[seen[node] :]
            seen[node] = len(path)

    def _find_leaving_edge(self, node: tuple[int, int], came: _Edge) -> tuple[_Edge, bool]:
        """Choose the edge to leave by: the first that is not whole and is not the one walked in by."""
        group, arm = node
        if arm == _CELL:
            at_top = node == _TOP
            owner = 0 if at_top else group
            values, unit = self._values[owner], self._plan.unit
            other = next(arm for arm in self._arms if values[arm] % unit and (owner, arm) != came)
            return (owner, other), not at_top
        inside = self._inside[group][arm]
        first = inside[-1]
        if (first, arm) != came:
            return (first, arm), False
        if len(inside) > 1:
            return (inside[-2], arm), False
        return (group, arm), True

    def _move_shares_round_cycle(self, cycle: Sequence[tuple[int, int, bool]]) -> None:
        """Shift shares round a cycle, as far as they go, one way or the other."""
        unit, values = self._plan.unit, self._values
        ahead = min(unit - values[g][k] % unit if up else values[g][k] % unit for g, k, up in cycle)
        back = min(values[g][k] % unit if up else unit - values[g][k] % unit for g, k, up in cycle)
        step = ahead if self._source.below(ahead + back) < back else -back
        for group, arm, upward in cycle:
            values[group][arm] += step if upward else -step
            if values[group][arm] % unit == 0 and self._plan.parent[group] >= 0:
                _take_off(self._inside[self._plan.parent[group]][arm], group)


def _sort_cells_by_visit(plan: Leftovers, order: Sequence[Sequence[int]]) -> list[int]:
    """Return the cells as they are met when each group's shuffled children are visited in depth."""
    cells: list[int] = []
    stack = [0]
    while stack:
        group = stack.pop()
        if plan.cells[group] >= 0:
            cells.append(group)
        stack.extend(reversed(order[group]))
    return cells


def _take_off(groups: list[int], group: int) -> None:
    if groups[-1] == group:
        groups.pop()
    elif groups[-2] == group:
        del groups[-2]
    else:
        groups.remove(group)
