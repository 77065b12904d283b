"""Which cells of additive tables are suppressed, so that no sensitive one follows from what is printed.

Cells and the sums that hold among them are a set of equations; a table with its totals is such a set, in any number of
dimensions, and so are several tables that share totals. A reader knows every printed cell, every equation, and that a
suppressed count is not zero, since zeros are printed. A sensitive cell is safe when some other whole numbers in the
suppressed cells satisfy all of this with the cell as large as it would have to be to be printed. Such numbers are a
flow: changes that cancel in every sum. For each sensitive cell the cheapest flow is sought, and the cells that it runs
through are suppressed; what turns out to be suppressed for nothing is printed again.

Sources: Fischetti and Salazar (2001), Solving the cell suppression problem on tabular data with linear constraints,
Management Science 47, 1008-1027 (the equations and protection by flows); Kelly, Golden and Assad (1992), Cell
suppression: disclosure protection for sensitive tabular data, Networks 22, 397-417 (one flow after the other).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Additive:
    """Cells and the sums that hold among them.

    Parameters
    ----------
    values
        Shape (cells,), counts of 0 or more.
    sums
        A total and the cells that add up to it, by their places.
    needed
        Shape (cells,): what a sensitive cell would have to be to be printed, more than it is; 0 for the others.
    cost
        Shape (cells,), above 0: how unwelcome it is to suppress a cell.
    printed
        Shape (cells,): cells that are printed whatever happens.
    """

    values: Values
    sums: Sequence[tuple[int, Sequence[int]]]
    needed: Values
    cost: NDArray[np.float64]
    printed: Mask

    def equations(self) -> NDArray[np.float64]:
        """Return the sums as a matrix of shape (sums, cells), whose product with the values is zero."""
        matrix = np.zeros((len(self.sums), len(self.values)))
        for row, (total, members) in enumerate(self.sums):
            matrix[row, list(members)] += 1
            matrix[row, total] -= 1
        return matrix


def find_suppressed_cells(table: Additive, *, also: Mask | None = None) -> Mask:
    """Return which cells are suppressed.

    Parameters
    ----------
    table
        The cells.
    also
        Shape (cells,), cells that are suppressed for another reason. Zeros stay all the same.

    Returns
    -------
    numpy.ndarray
        Shape (cells,), True where suppressed. A sensitive cell whose sums leave no room for what it would have to be
        could be one more, or one less; where a cell cannot even be that, everything that is not zero and need not be
        printed is suppressed.
    """
    suppressed_pattern = _find_suppression_pattern(table, also=also, strict=False)
    return _find_movable_cells(table) if suppressed_pattern is None else suppressed_pattern


def find_strict_suppression(table: Additive) -> Mask | None:
    """Return which cells are suppressed; None where a sensitive cell could not be what it would have to be."""
    return _find_suppression_pattern(table, also=None, strict=True)


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a sensitive cell could be, and the cells that it runs through to be it: ``up`` more or ``down`` less."""

    up: int
    down: int
    cells: Mask


def _find_suppression_pattern(table: Additive, *, also: Mask | None, strict: bool) -> Mask | None:
    search = _Search(table)
    sensitive = table.needed > 0
    must_hide = sensitive if also is None else sensitive | (also & _find_movable_cells(table))
    hidden = must_hide.copy()
    flows: dict[int, _Flow] = {}
    for cell in sorted(np.flatnonzero(sensitive).tolist(), key=lambda one: (-int(table.values[one]), one)):
        growth = int(table.needed[cell] - table.values[cell])
        goals = ((growth, 0),) if strict else ((growth, 0), (1, 0), (0, 1))
        cost, through = np.where(hidden, 0.0, table.cost), _find_movable_cells(table)
        tried = (search.flow(cell, up=up, down=down, cost=cost, through=through) for up, down in goals)
        cheapest_flow = next((flow for flow in tried if flow is not None), None)
        if cheapest_flow is None:
            return None
        flows[cell] = cheapest_flow
        hidden |= cheapest_flow.cells
    return _restore_needless_cells(table, search, hidden=hidden, kept=must_hide, flows=flows)


def _find_movable_cells(table: Additive) -> Mask:
    movable: Mask = (table.values > 0) & ~table.printed
    return movable


def _restore_needless_cells(
    table: Additive, search: _Search, *, hidden: Mask, kept: Mask, flows: dict[int, _Flow]
) -> Mask:
    """Print again what is suppressed for nothing, the dearest first."""
    extra = sorted(np.flatnonzero(hidden & ~kept).tolist(), key=lambda one: (-float(table.cost[one]), one))
    for cell in extra:
        without = hidden.copy()
        without[cell] = False
        replaced_flows: dict[int, _Flow] = {}
        free = np.zeros(len(hidden))
        for other, flow in [(sensitive_cell, flow) for sensitive_cell, flow in flows.items() if flow.cells[cell]]:
            another = search.flow(other, up=flow.up, down=flow.down, cost=free, through=without)
            if another is None:
                break
            replaced_flows[other] = another
        else:
            hidden = without
            flows.update(replaced_flows)
    return hidden


class _Search:
    """Looks for flows through one set of cells."""

    __slots__ = ("_equations", "_values")

    def __init__(self, table: Additive) -> None:
        self._values = table.values
        self._equations = table.equations()

    def flow(self, cell: int, *, up: int, down: int, cost: NDArray[np.float64], through: Mask) -> _Flow | None:
        """Return the cheapest flow that makes a cell larger or smaller; None when there is none."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        places = np.flatnonzero(through)
        n, is_target = len(places), places == cell
        least_up, least_down = np.where(is_target, up, 0), np.where(is_target, down, 0)
        most_up = np.where(is_target & (down > 0), 0, np.inf)
        # What is hidden is known not to be zero.
        most_down = np.where(is_target & (up > 0), 0, self._values[places] - 1)
        if (most_down < least_down).any():
            return None
        matrix = self._equations[:, places]
        optimum = milp(
            np.concatenate([cost[places], cost[places]]),
            integrality=np.ones(2 * n, dtype=np.int64),
            bounds=Bounds(np.concatenate([least_up, least_down]), np.concatenate([most_up, most_down])),
            constraints=LinearConstraint(np.hstack([matrix, -matrix]), 0, 0),
        )
        if not optimum.success:
            return None
        moved = np.rint(optimum.x[:n] - optimum.x[n:]) != 0
        cells: Mask = np.zeros(len(through), dtype=bool)
        cells[places[moved]] = True
        return _Flow(up, down, cells)
