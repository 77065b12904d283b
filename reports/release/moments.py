"""Whether printed means, standard deviations and outer tenths give values away.

Of whole numbers within a small range, mean and standard deviation can be of one set of values alone: 0.05 and 0.22 of
forty answers of 0 or 1 are two ones. What is printed, rounded as it is, gives nobody away when other values would have
given it as well: values in which each number that few pupils have is another number, and as many values as a rounded
number of them could represent. Such values are sought by integer programming, for all countries at once. They are
looked for close to the true means only, so that the search may miss some, and finds none that would print otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = tuple[int, ...]
"""Which parts are combined, by their position."""

TAIL = 0.1
"""Share of the values that lies beyond each of the outer tenths."""

_MOST_VALUES = 24
"""How many different values are varied, the outermost: values between these can be exchanged for their neighbours."""

_WIDEST = 40
"""Steps of a range up to which values that do not occur are tried too."""

_ROUNDS = 6
"""How many other values are drawn before what never changed is sought one by one."""

_ANY = 10.0
"""A gap at which a search ends with the first values that it finds."""

_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """A mean that is printed, and what is beside it.

    Parameters
    ----------
    step
        To what all of it is rounded.
    range_of_sd
        Between what the standard deviation lies for one who knows how the step is chosen.
    sd, tenths
        Whether the standard deviation and the outer tenths are printed.
    """

    step: float
    range_of_sd: tuple[float, float] = (0.0, math.inf)
    sd: bool
    tenths: bool


def is_revealing_values(
    parts: Sequence[Floats],
    printed: Mapping[Places, Moments],
    *,
    unit: float,
    least: int,
    other_sizes: Sequence[Sequence[int]],
) -> bool:
    """Whether what is printed gives away how many have a value that few have, or how many values there are.

    Parameters
    ----------
    parts
        The true values of each country.
    printed
        Countries whose figures are pooled to what is printed of them.
    unit
        What values are multiples of; 0 where only values that occur are tried.
    least
        Smallest number of pupils that anybody may learn.
    other_sizes
        For each country how many values there could be besides, for a reader who knows only a rounded number.

    Examples
    --------
    Of forty answers of 0 and 1, 38 and 2: a mean of 0.1 with a deviation of 0.2 could be others', 0.05 with 0.22 not.

    >>> values = np.repeat([0.0, 1.0], [38, 2])
    >>> for step in (0.1, 0.01):
    ...     moments = {(0,): Moments(step=step, sd=True, tenths=False)}
    ...     is_revealing_values([values], moments, unit=1, least=10, other_sizes=[[]])
    False
    True
    """
    search = _Search(parts, printed, unit=unit)
    sizes = [len(part) for part in parts]
    for part_index, others in enumerate(other_sizes):
        for size in others:
            if (
                search.other(np.zeros(search.n), [*sizes[:part_index], size, *sizes[part_index + 1 :]], gap=_ANY)
                is None
            ):
                return True
    return search.has_fixed(sizes, least)


class _Search:
    """Looks for other values that print the same: how many of each part have each value."""

    __slots__ = ("_counts", "_parts", "_printed", "_support", "_varied", "n")

    def __init__(self, parts: Sequence[Floats], printed: Mapping[Places, Moments], *, unit: float) -> None:
        self._parts, self._printed = parts, printed
        self._support = _compute_value_support(np.concatenate(parts), unit)
        self._counts = np.array([(part[:, None] == self._support).sum(axis=0) for part in parts], dtype=float)
        self.n = self._counts.size
        outermost = np.argsort(-np.abs(self._support - np.median(self._support)), kind="stable")
        self._varied = np.isin(np.arange(len(self._support)), outermost[:_MOST_VALUES])

    def has_fixed(self, sizes: Sequence[int], least: int) -> bool:
        """Whether a value that few have, of those together of which something is printed, is never had by others."""
        left = list(self._iterate_rare_values(least))
        rng = np.random.default_rng(0)
        for _ in range(_ROUNDS if left else 0):
            alternative = self.other(rng.choice([-1.0, 1.0], size=len(left)) @ np.array(left), sizes, gap=_ANY)
            left = [row for row in left if alternative is None or row @ alternative == row @ self._counts.ravel()]
            if not left:
                return False
        return any(
            all(self._has_same_weighted_sum(row, self.other(sign * row, sizes)) for sign in (1, -1)) for row in left
        )

    def _iterate_rare_values(self, least: int) -> Iterator[Floats]:
        for places in self._printed:
            counts = self._counts[list(places)].sum(axis=0)
            for value_index in np.flatnonzero((counts > 0) & (counts < least) & self._varied):
                row = np.zeros_like(self._counts)
                row[list(places), value_index] = 1
                yield row.ravel()

    def _has_same_weighted_sum(self, row: Floats, found: Floats | None) -> bool:
        return found is None or bool(row @ found == row @ self._counts.ravel())

    def other(self, aim: Floats, sizes: Sequence[int], *, gap: float = 0.0) -> Floats | None:
        """Return how many have each value, with the least of an aim but for a gap; None where none print the same."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows: list[tuple[Floats, float, float]] = []
        for at, size in enumerate(sizes):
            rows.append((self._convert_to_unknown_weights((at,), np.ones(len(self._support))), size, size))
        for places, moments in self._printed.items():
            values = np.concatenate([self._parts[part_index] for part_index in places])
            bounds = list(
                _iterate_moment_bounds(self._support, values, moments, sum(sizes[part_index] for part_index in places))
            )
            rows += [(self._convert_to_unknown_weights(places, weights), low, high) for weights, low, high in bounds]
        if any(low > high for _, low, high in rows):
            return None
        fixed = np.where(self._varied, 0.0, self._counts), np.where(self._varied, max(sizes), self._counts)
        matrix, low, high = (np.array(column) for column in zip(*rows, strict=True))
        optimum = milp(
            aim,
            integrality=np.ones(self.n, dtype=np.int64),
            bounds=Bounds(fixed[0].ravel(), fixed[1].ravel()),
            constraints=LinearConstraint(matrix, low, high),
            options={"time_limit": 5.0, "mip_rel_gap": gap},
        )
        return None if optimum.x is None else np.rint(optimum.x)

    def _convert_to_unknown_weights(self, places: Places, weights: Floats) -> Floats:
        """Return weights of values as weights of the unknowns of some parts."""
        row = np.zeros_like(self._counts)
        row[list(places)] = weights
        return row.ravel()


def _compute_value_support(values: Floats, unit: float) -> Floats:
    seen = np.unique(values)
    steps = round((seen[-1] - seen[0]) / unit) if unit else 0
    return np.unique(np.concatenate([seen, seen[0] + unit * np.arange(steps + 1)])) if 0 < steps <= _WIDEST else seen


def _iterate_moment_bounds(
    support: Floats, values: Floats, moments: Moments, size: int
) -> Iterator[tuple[Floats, float, float]]:
    """Yield weights of values whose sum lies between two bounds, where so many values print the same."""
    step, mean = moments.step, float(values.mean())
    # The sum of squares is taken about the true mean; the mean sought is close to it, so that this adds little.
    near = step / 4
    low, high = _compute_rounding_range(mean, step)
    low, high = max(low, mean - near), min(high, mean + near)
    least, most = moments.range_of_sd
    if moments.sd:
        ends = _compute_rounding_range(float(values.std(ddof=1)), step)
        least, most = max(least, ends[0], 0.0), min(most, ends[1])
    yield (support - mean) ** 2, (size - 1) * least**2 + size * near**2 * (least > 0), (size - 1) * most**2
    yield support, size * low, size * high
    if moments.tenths:
        yield from _iterate_tenth_bounds(support, values, step, size)


def _compute_rounding_range(value: float, step: float) -> tuple[float, float]:
    """Return the least and greatest value that is printed as this one."""
    middle = round(value / step) * step
    return middle - step / 2 + _CLOSE, middle + step / 2 - _CLOSE


def _iterate_tenth_bounds(
    support: Floats, values: Floats, step: float, size: int
) -> Iterator[tuple[Floats, float, float]]:
    """Yield that the values on both sides of each tenth are those that they are, so that it lies where it does."""
    ordered = np.sort(values)
    for share in (TAIL, 1 - TAIL):
        place, other = share * (len(values) - 1), share * (size - 1)
        low, high = (float(ordered[math.floor(place) + more]) for more in (0, 1))
        ends = [low + (position - math.floor(position)) * (high - low) for position in (place, other)]
        if round(ends[0] / step) != round(ends[1] / step):
            yield np.zeros(len(support)), 1, 0
        for bound, value in ((math.floor(other), low), (math.floor(other) + 1, high)):
            yield (support < value).astype(float), 0, bound
            yield (support <= value).astype(float), bound + 1, size
