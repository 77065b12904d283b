"""Numbers of pupils that could have given what is printed, found by integer programming."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_schema.errors import DisclosureError
from reports.counted import Pupils

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Sum = Counter[Pupils]
"""Unknowns, each of one arm and country, with their weights."""

Bounded = tuple[Sum, float, float]
"""A sum of unknowns, and its least and greatest value."""

_ROUNDS = 8
"""How many other solutions are drawn before cells are solved for one by one."""

_MOST = 100_000.0
"""More pupils than a set has of which nothing is printed."""

_SECONDS = 20.0
"""How long one search may take; a cell that is not decided by then counts as recovered."""

_TIME_LIMIT = 1
"""What scipy.optimize.milp calls an end by its limit of time."""


class ContradictionError(DisclosureError):
    """Printed numbers that no numbers of pupils could have given."""


class Search:
    """Looks for numbers of pupils that could have given what is printed."""

    __slots__ = ("_cells", "_constraints", "_n", "_place", "_row_of", "_values")

    def __init__(self, rows: Sequence[Bounded], cells: Mapping[str, Sum]) -> None:
        from scipy.optimize import LinearConstraint

        names = dict.fromkeys(name for row, _, _ in rows for name in row)
        names |= dict.fromkeys(name for row in cells.values() for name in row)
        self._place = {name: position for position, name in enumerate(names)}
        self._n = len(names)
        low, high = (np.array([row[side] for row in rows], dtype=float) for side in (1, 2))
        self._constraints = LinearConstraint(self._build_sparse_matrix([row for row, _, _ in rows]), low, high)
        self._row_of = {name: position for position, name in enumerate(cells)}
        self._cells = self._build_sparse_matrix(list(cells.values()))
        self._values = self._require_solution(np.zeros(self._n))

    def small(self, threshold: int) -> list[str]:
        """Return the cells that a first solution gives a number of somebody and fewer than the threshold.

        A cell that has one value alone has it in every solution, so no other cell can be recovered. Further solutions,
        drawn at random, show most of these to have other values too.
        """
        first = self._compute_cell_values(self._values)
        left = np.flatnonzero((first > 0) & (first < threshold))
        rng = np.random.default_rng(0)
        for _ in range(_ROUNDS):
            other = (
                self._find_solution(self._cells[left].T @ rng.choice([-1.0, 1.0], size=len(left)))
                if len(left)
                else None
            )
            if other is None:
                break
            left = left[self._compute_cell_values(other)[left] == first[left]]
        names = list(self._row_of)
        return [names[position] for position in left]

    def has_one_value(self, name: str) -> bool:
        """Whether the least and the greatest value of a cell are the same, or were not found in time."""
        cell_index = self._row_of[name]
        row = self._cells[[cell_index]].toarray().ravel()
        ends = [self._find_solution(aim) for aim in (row, -row)]
        return (
            any(end is None for end in ends)
            or len({self._compute_cell_values(end)[cell_index] for end in ends if end is not None}) == 1
        )

    def _compute_cell_values(self, solution: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the values of all cells."""
        values: NDArray[np.int64] = np.rint(self._cells @ solution).astype(np.int64)
        return values

    def _build_sparse_matrix(self, rows: Sequence[Sum]) -> csr_array:
        from scipy.sparse import csr_array

        weighted_entries = [
            (row, self._place[name], weight) for row, of_row in enumerate(rows) for name, weight in of_row.items()
        ]
        places = ([row for row, _, _ in weighted_entries], [column for _, column, _ in weighted_entries])
        return csr_array(([float(weight) for _, _, weight in weighted_entries], places), shape=(len(rows), self._n))

    def _require_solution(self, aim: NDArray[np.float64]) -> NDArray[np.float64]:
        solution = self._find_solution(aim)
        if solution is None:
            raise DisclosureError(
                "the release",
                "no numbers of pupils that could have given it were found in time, and what it reveals is unknown.",
                "Publish again when the machine has less to do.",
            )
        return solution

    def _find_solution(self, aim: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the best solution that was found in time; None where there was none."""
        from scipy.optimize import Bounds, milp

        optimum = milp(
            aim,
            constraints=self._constraints,
            integrality=np.ones(self._n, dtype=np.int64),
            bounds=Bounds(0, _MOST),
            options={"mip_rel_gap": 0.0, "time_limit": _SECONDS},
        )
        if optimum.x is None and optimum.status == _TIME_LIMIT:
            return None
        if optimum.x is None:
            raise ContradictionError(
                "the release",
                "its numbers of pupils contradict one another, and what they reveal together is unknown.",
                "This is an error of the toolkit: tell those who keep it. Nothing was published.",
            )
        solution: NDArray[np.float64] = np.rint(optimum.x)
        return solution
