"""Disclosure control: no printed count, share or mean gives a pupil away.

Three rules, applied in the one place where tables are made:

- A count of pupils from 1 to below the threshold is suppressed (`protected`). Zero stays: it is nobody.
- Enough further cells are suppressed that no suppressed one follows from the others and the totals (`hidden_cells`). A
  table with its totals is a set of equations, one a row and one a column, and a reader knows besides that what is
  suppressed is not zero. A suppressed count is safe when it could be one more or one less, the other suppressed counts
  of the table giving way; that is a cycle through suppressed cells, along which every count that shrinks is 2 or more.
  Suppressed counts of a row or column must also add up to the threshold at least.
- A table that still holds a small count is refused (`check_count`): the guard of the table builder.

Estimates of models are not counts of pupils and pass. Counts of schools pass too: who takes part in a trial is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_schema.errors import DisclosureError

UNITS = ("pupils", "schools", "rows")
"""What a count counts: pupils are protected; schools of a trial and rows of a file are not."""

MINIMUM_SCHOOLS = 3
"""Fewest schools whose mean, least or greatest value may be printed."""

Counts = NDArray[np.int64]
Hidden = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of things on its way into a table.

    ``value`` is None when the count is suppressed.
    """

    value: int | None
    unit: str = "pupils"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DisclosureError(
                f"count of {self.unit}",
                f"{self.unit!r} is not a unit that disclosure control knows.",
                f"Use one of {', '.join(UNITS)}.",
            )


def check_threshold(threshold: int) -> int:
    """Return the threshold when it can protect anybody.

    Raises
    ------
    DisclosureError
        When it is not a whole number of 2 or more.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | np.integer) or threshold < 2:
        raise DisclosureError(
            "reports.disclosure_threshold",
            f"{threshold!r} is not a whole number of 2 or more.",
            "Give the smallest count that may be printed, such as 10.",
        )
    return int(threshold)


def is_small(count: float, *, threshold: int) -> bool:
    """Return whether a count of pupils must not be printed: more than nobody and fewer than the threshold."""
    return 0 < count < threshold


def check_count(count: Count, *, threshold: int) -> None:
    """Refuse a count of pupils that is small and not suppressed.

    Raises
    ------
    DisclosureError
        When it is.
    """
    if count.unit == "pupils" and count.value is not None and is_small(count.value, threshold=threshold):
        raise DisclosureError(
            "table", "It holds a small count of pupils.", "Pass its counts through reports.disclosure.protected first."
        )


def hidden_cells(counts: Counts, *, threshold: int, also: Hidden | None = None) -> Hidden:
    """Decide which cells of a table with totals are suppressed.

    Parameters
    ----------
    counts
        Shape (rows, columns), the inner cells, 0 or more. Their totals are taken to be printed too.
    threshold
        Smallest count that may be printed.
    also
        Shape (rows + 1, columns + 1), cells that are suppressed for another reason.

    Returns
    -------
    numpy.ndarray
        Shape (rows + 1, columns + 1), True where suppressed; the last row and column are the totals.

    Examples
    --------
    >>> hidden_cells(np.array([[3, 40], [25, 60], [30, 70]]), threshold=10).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0],
           [0, 0, 0]])
    """
    limit = check_threshold(threshold)
    cells = np.asarray(counts, dtype=np.int64)
    if cells.ndim != 2 or (cells < 0).any():
        raise DisclosureError("table", "Its counts are not a grid of numbers of 0 or more.", "Give rows and columns.")
    grid = with_totals(cells)
    hidden = (grid > 0) & (grid < limit)
    if also is not None:
        hidden |= np.asarray(also, dtype=bool) & (grid > 0)
    needed = hidden.copy()
    while (candidates := _candidates(grid, hidden, limit)) is not None:
        hidden[min(candidates, key=lambda cell: _cost(cell, grid, hidden))] = True
    _give_back(grid, hidden, needed=needed, limit=limit)
    return hidden


def with_totals(cells: Counts) -> Counts:
    """Return a grid with a row and a column of totals added."""
    grid = np.pad(np.asarray(cells, dtype=np.int64), ((0, 1), (0, 1)))
    grid[-1, :] = grid.sum(axis=0)
    grid[:, -1] = grid.sum(axis=1)
    return grid


def protected(counts: Mapping[tuple[str, str], int], *, threshold: int) -> dict[tuple[str, str], Count]:
    """Suppress the small counts of a table and as many others as keep them from being worked out.

    Parameters
    ----------
    counts
        (row, column) to a count of pupils; a pair that is not there counts as zero.
    threshold
        Smallest count that may be printed.

    Returns
    -------
    dict
        (row, column) to the count, for every row and column, with totals under the name "" in either place.

    Examples
    --------
    >>> counts = {("moved", "a"): 4, ("stayed", "a"): 90, ("moved", "b"): 30, ("stayed", "b"): 70}
    >>> safe = protected(counts, threshold=10)
    >>> safe["moved", "a"].value is None, safe["", "a"].value
    (True, 94)
    """
    rows = list(dict.fromkeys(row for row, _ in counts))
    columns = list(dict.fromkeys(column for _, column in counts))
    cells = np.array([[counts.get((row, column), 0) for column in columns] for row in rows], dtype=np.int64)
    cells = cells.reshape(len(rows), len(columns))
    hidden, grid = hidden_cells(cells, threshold=threshold), with_totals(cells)
    return {
        (row, column): Count(value=None if hidden[i, j] else int(grid[i, j]))
        for i, row in enumerate([*rows, ""])
        for j, column in enumerate([*columns, ""])
    }


def hidden_shares(
    shares: Sequence[Sequence[float]],
    sizes: Sequence[Sequence[float]],
    *,
    threshold: int,
    rows_as_one: bool = False,
) -> Hidden:
    """Decide which shares would give a small count away.

    A share of n pupils tells how many had the event and how many had not; both must be nobody or many. Shares that
    would make up for a suppressed one are suppressed as well, as if the counts stood in a table with totals.

    Parameters
    ----------
    shares
        Rows of shares (0 to 1), NaN where there is none.
    sizes
        Rows of numbers of pupils that the shares are of.
    threshold
        Smallest count that may be printed.
    rows_as_one
        Suppress all shares of a row when one is: for shares that stand beside their difference.

    Returns
    -------
    numpy.ndarray
        Shape of ``shares`` with a row and a column of totals added, True where suppressed.
    """
    n = np.rint(np.asarray(sizes, dtype=float)).astype(np.int64)
    events = np.rint(np.nan_to_num(np.asarray(shares, dtype=float)) * n).astype(np.int64)
    hidden = np.zeros((n.shape[0] + 1, n.shape[1] + 1), dtype=bool)
    while True:
        found = hidden.copy()
        for counts in (events, n - events):
            found |= hidden_cells(counts, threshold=threshold, also=found)
        if rows_as_one:
            found |= found[:, :-1].any(axis=1, keepdims=True)
        if (found == hidden).all():
            return hidden
        hidden = found


def _candidates(grid: Counts, hidden: Hidden, limit: int) -> list[tuple[int, int]] | None:
    """Return the cells of which one must be suppressed next; None when every suppressed cell is safe."""
    free = (grid > 0) & ~hidden
    if not free.any():
        return None
    for line in _lines(grid.shape):
        total = int(grid[line][hidden[line]].sum())
        if 0 < total < limit and free[line].any():
            return _cells(free, [line])
    for i, j in _cells(hidden, [np.s_[:, :]]):
        if not _can_move(i, j, grid, hidden):
            rows, columns = _connected(i, hidden)
            lines = [np.s_[k : k + 1, :] for k in rows] + [np.s_[:, k : k + 1] for k in columns]
            return _cells(free, lines) or _cells(free, [np.s_[:, :]])
    return None


def _give_back(grid: Counts, hidden: Hidden, *, needed: Hidden, limit: int) -> None:
    """Print again what need not be suppressed, totals first, then the largest cells."""
    extra = sorted(_cells(hidden & ~needed, [np.s_[:, :]]), key=lambda cell: _rank(cell, grid), reverse=True)
    for cell in extra:
        hidden[cell] = False
        if _candidates(grid, hidden, limit) is not None:
            hidden[cell] = True


def _connected(row: int, hidden: Hidden) -> tuple[list[int], list[int]]:
    """Return the rows and columns that suppressed cells connect with a row."""
    rows: Hidden = np.zeros(hidden.shape[0], dtype=bool)
    columns: Hidden = np.zeros(hidden.shape[1], dtype=bool)
    rows[row] = True
    while True:
        reached: Hidden = np.any(hidden[rows], axis=0)
        back: Hidden = np.any(hidden[:, reached], axis=1) | rows
        if (back == rows).all() and (reached == columns).all():
            return [int(k) for k in np.flatnonzero(rows)], [int(k) for k in np.flatnonzero(columns)]
        rows, columns = back, reached


def _lines(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    yield from (np.s_[i : i + 1, :] for i in range(shape[0]))
    yield from (np.s_[:, j : j + 1] for j in range(shape[1]))


def _cells(among: Hidden, parts: Sequence[tuple[slice, slice]]) -> list[tuple[int, int]]:
    chosen = np.zeros_like(among)
    for part in parts:
        chosen[part] = among[part]
    return [(int(i), int(j)) for i, j in np.argwhere(chosen)]


def _rank(cell: tuple[int, int], grid: Counts) -> tuple[int, int, int, int]:
    """Rank cells: inner ones before totals, totals before the grand total, small before large, then by place."""
    i, j = cell
    return (int(i == grid.shape[0] - 1) + int(j == grid.shape[1] - 1), int(grid[cell]), i, j)


def _cost(cell: tuple[int, int], grid: Counts, hidden: Hidden) -> tuple[int, bool, int, int, int]:
    """Rank cells for suppression: as `_rank` does, but those first that close a cycle of suppressed ones."""
    level, *rest = _rank(cell, grid)
    i, j = cell
    closes = bool(hidden[i].any() and hidden[:, j].any() and j in _connected(i, hidden)[1])
    return (level, not closes, rest[0], rest[1], rest[2])


def _can_move(i: int, j: int, grid: Counts, hidden: Hidden) -> bool:
    """Whether a suppressed count could be one more or one less, the other suppressed ones giving way.

    Rows and columns are nodes. With totals counted negatively every row and column adds up to zero, so a change travels
    from a row to a column by a cell that grows and back by one that shrinks.
    """
    arcs = _arcs(grid, hidden)
    row, column = ("row", i), ("column", j)
    both_ways = ((row, column), (column, row))
    return any(end in arcs[start] and _leads(arcs, end, start) for start, end in both_ways)


def _arcs(grid: Counts, hidden: Hidden) -> dict[tuple[str, int], set[tuple[str, int]]]:
    n_rows, n_columns = grid.shape
    arcs: dict[tuple[str, int], set[tuple[str, int]]] = {("row", i): set() for i in range(n_rows)}
    arcs |= {("column", j): set() for j in range(n_columns)}
    for i, j in np.argwhere(hidden):
        row, column = ("row", int(i)), ("column", int(j))
        is_total = (i == n_rows - 1) != (j == n_columns - 1)
        growing, shrinking = ((column, row), (row, column)) if is_total else ((row, column), (column, row))
        arcs[growing[0]].add(growing[1])
        if grid[i, j] > 1:
            arcs[shrinking[0]].add(shrinking[1])
    return arcs


def _leads(arcs: Mapping[tuple[str, int], set[tuple[str, int]]], start: tuple[str, int], end: tuple[str, int]) -> bool:
    """Whether a change gets from start to end without going straight back."""
    seen, waiting = {start}, [node for node in arcs[start] if node != end]
    while waiting:
        node = waiting.pop()
        if node == end:
            return True
        if node not in seen:
            seen.add(node)
            waiting.extend(arcs[node])
    return False
