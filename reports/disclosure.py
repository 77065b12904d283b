"""Disclosure control: no printed count, share or mean gives a pupil away.

Every table passes here before it is printed:

- A count of pupils from 1 to below the threshold is sensitive, and so is one of which a single school contributes more
  than the stated share (`Rules`). Zero is printed: it is nobody.
- Sensitive counts are suppressed, with as many others as keep them from being worked out from totals, from the other
  tables of the same pupils and from what is known of the rules (`protect`; the method is in `reports.suppression`).
- A share is printed when the counts that it represents may be (`find_hidden_shares`), and no more finely than that
several
  counts would give the same text (`compute_share_step`).
- A table that still holds a small count is refused (`check_count`): the guard of the table builder.

Estimates of models are not counts of pupils and pass. Counts of schools pass too: who takes part in a trial is known.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from data_schema.errors import DisclosureError
from reports.counted import Pupils
from reports.suppression import Additive, find_strict_suppression, find_suppressed_cells

UNITS = ("pupils", "schools", "rows")
"""What a count counts: pupils are protected; schools of a trial and rows of a file are not."""

MINIMUM_SCHOOLS = 3
"""Fewest schools whose mean, least or greatest value may be printed."""

TOTAL = ""
"""Marks all values of a dimension together in a table."""

SHARE_STEPS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Steps to which shares are rounded, the finest first."""

_ALIKE = 3
"""Fewest counts that must give the same rounded share."""

STEPS_PER_SD = 50
"""Steps of a rounded mean that a standard deviation has at most."""

_DEARER = 50.0
"""How much more unwelcome it is to suppress a total than one of its parts."""

Hidden = NDArray[np.bool_]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A number of things on its way into a table.

    ``value`` is None when the count is suppressed; ``is_rounded`` says that it is about so many (`rounded_count`).
    ``pupils`` is the set of pupils that it counts, which goes with the number wherever it is printed.
    """

    value: int | None
    unit: str = "pupils"
    is_rounded: bool = False
    pupils: Pupils | None = None

    def of(self, pupils: Pupils) -> Count:
        """Return the count with the set of pupils that it counts."""
        return replace(self, pupils=pupils)

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DisclosureError(
                f"count of {self.unit}",
                f"{self.unit!r} is not a unit that disclosure control knows.",
                f"Use one of {', '.join(UNITS)}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a count of pupils must not be printed.

    Parameters
    ----------
    threshold
        Smallest count that may be printed, 2 or more.
    dominance
        Largest share of a count that one school may contribute, above 0.5 to 1; 1 allows any.

    Raises
    ------
    DisclosureError
        When the rules protect nobody.
    """

    threshold: int
    dominance: float = 1.0

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        if isinstance(self.dominance, bool) or not 0.5 < self.dominance <= 1:
            raise DisclosureError(
                "reports.disclosure_dominance",
                f"{self.dominance!r} is not a share above 0.5 and up to 1.",
                "Give the largest share of a count that one school may contribute, such as 0.9.",
            )

    def needed(self, count: int, largest: int = 0) -> int:
        """Return what a count would have to be to be printed; 0 when it may be as it is.

        Examples
        --------
        >>> rules = Rules(threshold=10, dominance=0.8)
        >>> rules.needed(4), rules.needed(20, 18), rules.needed(20, 12), rules.needed(0)
        (10, 23, 0, 0)
        """
        enough = max(self.threshold, int(np.ceil(round(largest / self.dominance, 9))))
        return enough if 0 < count < enough else 0


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
            "table", "It holds a small count of pupils.", "Pass its counts through reports.disclosure.protect first."
        )


def check_declared(count: Count) -> None:
    """Refuse a number of pupils that does not say which pupils it counts.

    Raises
    ------
    DisclosureError
        When it does not.
    """
    if count.unit == "pupils" and count.value and count.pupils is None:
        raise DisclosureError(
            "table",
            "It holds a number of pupils that does not say which pupils it counts, so that what it tells beside others "
            "cannot be worked out.",
            "Give the count its set of pupils: Count.of(Pupils(...)).",
        )


def round_pupil_count(n: int, *, threshold: int, unit: str = "pupils") -> Count:
    """Return a number of pupils, or of their rows, to the nearest multiple of the threshold; suppressed when small.

    What lies between two printed numbers, such as the pupils who lack an outcome, is then known to the threshold at
    best, as statistical offices round tables of counts (Hundepool and others 2012, Statistical Disclosure Control,
    chapter 5).

    Examples
    --------
    >>> [round_pupil_count(n, threshold=10).value for n in (0, 4, 796, 805)]
    [0, None, 800, 810]
    """
    value = threshold * ((2 * n + threshold) // (2 * threshold))
    return Count(value=None if is_small(n, threshold=threshold) else value, unit=unit, is_rounded=n > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTable:
    """Counts of pupils by one or several things.

    Parameters
    ----------
    by
        What they are counted by, such as ``("status", "country")``; other tables of the same pupils that are counted by
        the same thing call it the same.
    counts
        A value for each of these to a count; what is not there counts as zero.
    by_school
        The same counts school by school, where dominance is to be looked at; a school counts once a cell.

    Raises
    ------
    DisclosureError
        When the counts are not such.
    """

    by: Key
    counts: Mapping[Key, int]
    by_school: Mapping[Key, Mapping[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, count in self.counts.items():
            if len(key) != len(self.by) or TOTAL in key or count < 0:
                raise self._build_disclosure_error(
                    f"{key} with {count} is not a count of 0 or more by {', '.join(self.by)}."
                )
        for key, schools in self.by_school.items():
            if sum(schools.values()) != self.counts.get(key, 0) or min(schools.values(), default=0) < 0:
                raise self._build_disclosure_error(f"the schools of {key} do not add up to its count.")
        if self.by_school and any(key not in self.by_school for key, count in self.counts.items() if count):
            raise self._build_disclosure_error("some counts have no schools.")
        if not self.by or len(set(self.by)) < len(self.by):
            raise self._build_disclosure_error("it is counted by nothing, or by one thing twice.")

    def values(self) -> tuple[tuple[str, ...], ...]:
        """Return the values of each thing that is counted by, in their order."""
        return tuple(tuple(dict.fromkeys(key[position] for key in self.counts)) for position in range(len(self.by)))

    def keys(self) -> Iterator[Key]:
        """Yield the keys of all cells, those of totals among them."""
        yield from itertools.product(*((*values, TOTAL) for values in self.values()))

    def _build_disclosure_error(self, problem: str) -> DisclosureError:
        return DisclosureError(f"table by {', '.join(self.by)}", problem, "Count again.")


def protect(tables: Sequence[CrossTable], *, rules: Rules) -> list[dict[Key, Count]]:
    """Suppress the sensitive counts of tables, and as many others as keep them from being worked out.

    Parameters
    ----------
    tables
        Tables of the same pupils that are printed, together or one by one. Each is taken to be printed with all its
        totals; a total that several have is suppressed in all or in none.
    rules
        What may not be printed.

    Returns
    -------
    list of dict
        For each table, the key of a cell to its count, totals under `TOTAL`.

    Raises
    ------
    DisclosureError
        When two tables have different totals of the same thing, so that they are not of the same pupils.

    Examples
    --------
    >>> moved = CrossTable(by=("status", "arm"), counts={("moved", "a"): 4, ("stayed", "a"): 90,
    ...                                                  ("moved", "b"): 30, ("stayed", "b"): 70})
    >>> (safe,) = protect([moved], rules=Rules(threshold=10))
    >>> safe["moved", "a"].value is None, safe["", "a"].value
    (True, 94)
    """
    cells = _Cells()
    for table in tables:
        cells.add(table)
    hidden = _suppress_each_table(tables, cells, rules) if len(tables) > 1 else None
    if hidden is None:
        is_suppressed = find_suppressed_cells(cells.additive(rules))
        hidden = {name for name, place in cells.places.items() if is_suppressed[place]}
    return [
        {
            key: Count(value=None if name in hidden else cells.values[cells.places[name]])
            for key in table.keys()  # noqa: SIM118 -- its cells, not a mapping's keys
            for name in [_build_cell_name(table.by, key)]
        }
        for table in tables
    ]


def _suppress_each_table(tables: Sequence[CrossTable], cells: _Cells, rules: Rules) -> set[Name] | None:
    """Suppress in each table by itself, with every total that several tables have printed; None where that fails.

    With these totals printed nothing that is suppressed in one table says anything about another.
    """
    met = Counter(name for table in tables for name in {_build_cell_name(table.by, key) for key in table.keys()})  # noqa: SIM118
    shared = {name for name, times in met.items() if times > 1}
    if any(rules.needed(*cells.told(name)) for name in shared):
        return None
    hidden: set[Name] = set()
    for table in tables:
        alone = _Cells()
        alone.add(table)
        is_suppressed = find_strict_suppression(alone.additive(rules, printed=shared))
        if is_suppressed is None:
            return None
        hidden |= {name for name, place in alone.places.items() if is_suppressed[place]}
    return hidden


def protect_table(counts: Mapping[tuple[str, str], int], *, threshold: int) -> dict[tuple[str, str], Count]:
    """Suppress the small counts of one table of rows and columns; see `protect`."""
    if not counts:
        return {(TOTAL, TOTAL): Count(value=0)}
    table = CrossTable(by=("row", "column"), counts={(row, column): n for (row, column), n in counts.items()})
    (safe,) = protect([table], rules=Rules(threshold=threshold))
    return {(row, column): count for (row, column), count in safe.items()}


Name = frozenset[tuple[str, str]]


def _build_cell_name(by: Key, key: Key) -> Name:
    """Return what a cell is a count of, the same in every table."""
    return frozenset((thing, value) for thing, value in zip(by, key, strict=True) if value != TOTAL)


class _Cells:
    """The cells of several tables, each once, and the sums that hold among them."""

    def __init__(self) -> None:
        self.places: dict[Name, int] = {}
        self.values: list[int] = []
        self._largest: list[int] = []
        self._sums: list[tuple[int, list[int]]] = []

    def add(self, table: CrossTable) -> None:
        """Add a table's cells."""
        schools: dict[Key, dict[str, int]] = {}
        sums: dict[Key, int] = dict.fromkeys(table.keys(), 0)
        for key, count in table.counts.items():
            for above in itertools.product(*((value, TOTAL) for value in key)):
                sums[above] += count
                for school, part in table.by_school.get(key, {}).items():
                    counts_by_school = schools.setdefault(above, {})
                    counts_by_school[school] = counts_by_school.get(school, 0) + part
        for key, count in sums.items():
            self._register_cell(_build_cell_name(table.by, key), count, max(schools.get(key, {}).values(), default=0))
        self._add_sums(table)

    def told(self, name: Name) -> tuple[int, int]:
        """Return a cell's count and its largest school's part."""
        place = self.places[name]
        return self.values[place], self._largest[place]

    def additive(self, rules: Rules, *, printed: Collection[Name] = ()) -> Additive:
        """Return the cells for suppression: totals are dearer than their parts, large counts than small ones."""
        deepest = max(map(len, self.places), default=0)
        levels = np.array([deepest - len(name) for name in self.places], dtype=float)
        values = np.array(self.values, dtype=np.int64)
        by_place = 1 + 1e-6 * np.arange(len(values))
        return Additive(
            values=values,
            sums=self._sums,
            needed=np.array(
                [
                    rules.needed(*count_and_largest)
                    for count_and_largest in zip(self.values, self._largest, strict=True)
                ],
                dtype=np.int64,
            ),
            cost=_DEARER**levels * (1 + np.log1p(values)) * by_place,
            printed=np.array([name in printed for name in self.places], dtype=bool),
        )

    def _register_cell(self, name: Name, count: int, largest: int) -> None:
        place = self.places.setdefault(name, len(self.values))
        if place == len(self.values):
            self.values.append(count)
            self._largest.append(largest)
        elif self.values[place] != count:
            what = ", ".join(f"{thing} {value}" for thing, value in sorted(name)) or "all"
            raise DisclosureError(
                "tables", f"they count {what} differently, so they are not of the same pupils.", "Protect each alone."
            )
        self._largest[place] = max(self._largest[place], largest)

    def _add_sums(self, table: CrossTable) -> None:
        for position, values in enumerate(table.values()):
            for key in table.keys():  # noqa: SIM118 -- its cells, not a mapping's keys
                if key[position] == TOTAL:
                    parts = [(*key[:position], value, *key[position + 1 :]) for value in values]
                    members = [self.places[_build_cell_name(table.by, part)] for part in parts]
                    self._sums.append((self.places[_build_cell_name(table.by, key)], members))


def find_hidden_shares(
    shares: Sequence[Sequence[float]],
    sizes: Sequence[Sequence[float]],
    *,
    threshold: int,
    rows_as_one: bool = False,
) -> Hidden:
    """Decide which shares would give a small count away.

    A share of n pupils tells how many had the event and how many had not; both must be nobody or many. Shares that
    would make up for a suppressed one are suppressed as well, as if the counts were in a table with totals. The
    numbers of pupils themselves are known.

    Parameters
    ----------
    shares
        Rows of shares (0 to 1), NaN where there is none.
    sizes
        Rows of numbers of pupils that the shares are of.
    threshold
        Smallest count that may be printed.
    rows_as_one
        Suppress all shares of a row when one is: for shares that are beside their difference.

    Returns
    -------
    numpy.ndarray
        Shape of ``shares`` with a row and a column of totals added, True where suppressed.
    """
    n = np.rint(np.asarray(sizes, dtype=float)).astype(np.int64)
    if n.ndim != 2 or n.shape != np.shape(shares) or (n < 0).any():
        raise DisclosureError("table", "Its shares and sizes are not two grids of one shape.", "Give rows and columns.")
    events = np.rint(np.nan_to_num(np.asarray(shares, dtype=float)) * n).astype(np.int64)
    grid = np.stack([_add_totals(events), _add_totals(n - events), _add_totals(n)])
    table = _build_share_table(grid, Rules(threshold=threshold))
    hidden: Hidden = np.zeros(grid.shape[1:], dtype=bool)
    while True:
        is_suppressed = find_suppressed_cells(
            table, also=np.stack([hidden, hidden, np.zeros_like(hidden)]).ravel()
        ).reshape(grid.shape)
        either: Hidden = is_suppressed[0] | is_suppressed[1]
        if rows_as_one:
            either = either | either[:, :-1].any(axis=1, keepdims=True)
        if (either == hidden).all():
            return hidden
        hidden = either


def _add_totals(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    grid = np.pad(cells, ((0, 1), (0, 1)))
    grid[-1, :] = grid.sum(axis=0)
    grid[:, -1] = grid.sum(axis=1)
    return grid


def _build_share_table(grid: NDArray[np.int64], rules: Rules) -> Additive:
    """Return events, other pupils and all pupils, with totals, as cells; the last of the three are printed."""
    places = np.arange(grid.size).reshape(grid.shape)
    sums: list[tuple[int, list[int]]] = []
    for axis in range(3):
        parts, totals = np.delete(places, -1, axis=axis), np.take(places, -1, axis=axis)
        members = np.moveaxis(parts, axis, -1).reshape(-1, parts.shape[axis])
        sums += [(int(total), row.tolist()) for total, row in zip(totals.ravel(), members, strict=True)]
    is_total = np.zeros(grid.shape)
    is_total[:, -1, :] += 1
    is_total[:, :, -1] += 1
    printed = np.zeros(grid.shape, dtype=bool)
    printed[2] = True
    needed = [0 if shown else rules.needed(int(count)) for count, shown in zip(grid.flat, printed.flat, strict=True)]
    cost = _DEARER**is_total * (1 + np.log1p(grid)) * (1 + 1e-6 * places)
    return Additive(values=grid.ravel(), sums=sums, needed=np.array(needed), cost=cost.ravel(), printed=printed.ravel())


def compute_share_step(n: float, *, alike: int = _ALIKE) -> float | None:
    """Return the step to which a share of n pupils is rounded; None when it must not be printed.

    The step is the finest of `SHARE_STEPS` that is so many counts wide, three unless more are wanted: the rounded share
    then represents as many different counts, and nobody can tell which.

    Examples
    --------
    >>> compute_share_step(3000), compute_share_step(800), compute_share_step(70), compute_share_step(20)
    (0.001, 0.005, 0.05, None)
    """
    return next((step for step in SHARE_STEPS if step * n >= alike), None)


def round_share(share: float, n: float, *, alike: int = _ALIKE) -> float:
    """Return a share of n pupils rounded to its step (`compute_share_step`); NaN when it must not be printed."""
    step = compute_share_step(n, alike=alike)
    return float("nan") if step is None else round(round(share / step) * step, 6)


def compute_mean_step(*, sd: float, n: int, unit: float = 0.0) -> float:
    """Return the step to which a mean of n values and their standard deviation are rounded.

    A mean with all its decimals is a ratio of whole numbers that gives away of how many pupils it is, and their sum.
    The step is the finest 1, 2 or 5 with a power of ten that is a fiftieth of the standard deviation at least, and over
    which the sum of the values changes by `_ALIKE` units at least.

    Parameters
    ----------
    sd
        Standard deviation of the values, 0 or more; NaN where there is none.
    n
        How many values there are.
    unit
        What values are multiples of, such as 1 for whole numbers; 0 where they are of any fineness.

    Examples
    --------
    >>> compute_mean_step(sd=0.9, n=800), compute_mean_step(sd=0.9, n=40, unit=1)
    (0.02, 0.1)
    """
    least = max(sd / STEPS_PER_SD if sd > 0 else 0.0, _ALIKE * unit / max(n, 1))
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(round(times * power, 12) for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))


MOST_DECIMALS = 5
"""Decimals of a mean whose number of pupils is printed as it is."""


def compute_mean_decimals(mean: float, n: int, size: Count, *, threshold: int) -> int | None:
    """Return how many decimals a mean of n pupils may have, when their number is printed as ``size``.

    A mean of whole numbers is a ratio: with many decimals it tells its denominator. Beside a number of pupils that is
    rounded or suppressed it has as many as leave `_ALIKE` numbers of pupils possible at least.

    Returns
    -------
    int or None
        `MOST_DECIMALS` where the number of pupils is printed as it is; None where even a whole number would tell it.

    Examples
    --------
    >>> compute_mean_decimals(25 / 159, 159, Count(value=160, is_rounded=True), threshold=10)
    2
    >>> compute_mean_decimals(25 / 159, 159, Count(value=159), threshold=10)
    5
    """
    if size.value is not None and not size.is_rounded:
        return MOST_DECIMALS
    # Of a suppressed number a reader knows at least that it is below some other number that is printed.
    most, room = (size.value, threshold // 2) if size.value else (n, threshold - 1)
    # What is rounded up may be as many as are enrolled, and is known to be no more.
    candidates = range(max(1, most - room), most + 1)
    least = min(_ALIKE, len(candidates))
    allowed = (
        d for d in range(MOST_DECIMALS, -1, -1) if sum(_is_possible_mean(mean, d, n) for n in candidates) >= least
    )
    return next(allowed, None)


def _is_possible_mean(mean: float, decimals: int, n: int) -> bool:
    """Whether a printed mean could be one of n whole numbers."""
    half = 0.5 * 10.0**-decimals
    low, high = (round(mean, decimals) - half) * n, (round(mean, decimals) + half) * n
    return math.floor(high + 1e-9) >= math.ceil(low - 1e-9)


def find_hidden_means(sizes: Iterable[int], *, rules: Rules, of_schools: Iterable[int] = ()) -> list[bool]:
    """Decide which means of parts must not be printed, beside the mean of all of them.

    Parameters
    ----------
    sizes
        Numbers of pupils of the parts.
    rules
        A mean of fewer pupils than twice the threshold is not printed.
    of_schools
        Numbers of schools of the parts, where the mean of fewer than `MINIMUM_SCHOOLS` is not to be printed either.

    Returns
    -------
    list of bool
        For each part and, last, for all together. Where a single part is suppressed, the next smallest is too, or all
        together where there is none: it would follow from the others.
    """
    counts = list(sizes)
    schools = list(of_schools) or [MINIMUM_SCHOOLS] * len(counts)
    least = 2 * rules.threshold
    hidden = [0 < n < least or (n > 0 and k < MINIMUM_SCHOOLS) for n, k in zip(counts, schools, strict=True)]
    together = sum(counts) < least or sum(schools) < MINIMUM_SCHOOLS
    if sum(hidden) == 1 and not together:
        others = [part_index for part_index, n in enumerate(counts) if n and not hidden[part_index]]
        if others:
            hidden[min(others, key=lambda at: (counts[at], at))] = True
        else:
            together = True
    return [*hidden, together]
