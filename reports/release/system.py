"""The printed numbers of pupils as one system of whole numbers, and what a reader can solve it for.

Unknown are the smallest sets that printed numbers are about: in each country and arm the pupils lost for each reason
and those analysed, who add up to the enrolled; of these those with the outcome of each further analysis, and of these
those with its event. Each printed number is a sum of them between two bounds: the number itself, or what rounds to it.
A mean of whole numbers bounds their sum by two multiples of how many there are.

Which cells have one value alone is found by integer programming (HiGHS, with no gap: nothing is relaxed), as an
attacker would: Fischetti and Salazar (2001), Solving the cell suppression problem on tabular data with linear
constraints, Management Science 47, 1008-1027.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from data_schema.errors import DisclosureError
from reports.counted import Pupils

Sum = Counter[Pupils]
"""Unknowns, each of one arm and country, with their weights."""

_ROUNDS = 8
"""How many other solutions are drawn before cells are solved for one by one."""

_MOST = 100_000.0
"""More pupils than a set has of which nothing is printed."""

_SECONDS = 20.0
"""How long one search may take; a cell that is not decided by then counts as recovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What a printed number tells: the pupils of a set are at least ``low`` and at most ``high``."""

    pupils: Pupils
    low: float
    high: float = np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanFact:
    """What a printed mean of whole numbers tells: it is at least ``low`` and at most ``high``.

    ``pupils`` are those whose mean it is; ``is_share`` says that the values are yes and no, so that their sum is a
    number of pupils as well.
    """

    pupils: Pupils
    low: float
    high: float
    is_share: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Imputed:
    """An analysis that assumes what the lost had, of the outcome of the primary analysis.

    ``entry`` is its plan entry. ``reasons`` are those for which pupils are lost who are taken to have had the event;
    empty where all are taken not to have had it. Its events are those of the analysed and of these.
    """

    entry: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """What a reader can work out.

    Parameters
    ----------
    n_numbers
        Printed numbers and means in the system.
    n_cells
        Numbers of pupils that were looked at, printed or not.
    recovered
        Those that can have one value alone, of somebody and of fewer than the threshold.
    sets
        The sets that these are, or are the rest of.
    """

    n_numbers: int
    n_cells: int
    recovered: tuple[str, ...]
    sets: tuple[Pupils, ...] = ()


def solve(
    facts: Sequence[Fact], means: Sequence[MeanFact], *, threshold: int, imputed: Sequence[Imputed] = ()
) -> Solved:
    """Find the numbers of pupils that follow from what is printed.

    Parameters
    ----------
    facts, means
        What is printed.
    imputed
        Analyses whose events are known to be those of another and of the lost.
    threshold
        Smallest number of pupils that anybody may learn.

    Raises
    ------
    ContradictionError
        When no numbers of pupils could have given what is printed, so that nothing can be said of what it tells.

    Examples
    --------
    >>> lost, analysed, enrolled = Pupils.at("lost", "x"), Pupils.at("analysed"), Pupils.at("enrolled")
    >>> told = [Fact(pupils=enrolled, low=60, high=60), Fact(pupils=analysed, low=57, high=57)]
    >>> solve([*told, Fact(pupils=lost, low=1)], [], threshold=10).recovered
    ('lost: x',)
    """
    model = _model(facts, means, imputed)
    found = list(_cells(model))
    if not found:
        return Solved(n_numbers=len(facts) + len(means), n_cells=0, recovered=())
    search = _Search(model, {name: row for name, row, _ in found})
    recovered = tuple(name for name in search.small(threshold) if search.has_one_value(name))
    sets = tuple(pupils for name, _, pupils in found if name in recovered)
    return Solved(n_numbers=len(facts) + len(means), n_cells=len(found), recovered=recovered, sets=sets)


@dataclass(frozen=True, slots=True)
class _Model:
    """Bounds on sums of unknowns, and where there are any."""

    rows: tuple[tuple[Sum, float, float], ...]
    parts: tuple[tuple[str, str], ...]
    arms: tuple[str, ...]
    places: tuple[str, ...]

    def at(self, what: str, name: str, arm: str, place: str) -> Sum:
        """Return a set of one arm and country as a sum of unknowns."""
        kinds = self.parts if what == "enrolled" else ((what, name),)
        return Counter({_unknown(kind, called, arm, place): 1 for kind, called in kinds})

    def sum_of(self, pupils: Pupils) -> Sum:
        """Return a set as a sum of unknowns."""
        found: Sum = Counter()
        for arm, place in product(pupils.arms or self.arms, pupils.countries or self.places):
            found.update(self.at(pupils.what, pupils.name, arm, place))
        return found


def _unknown(what: str, name: str, arm: str, place: str) -> Pupils:
    return Pupils.at(what, name, arm=arm, country=place)  # type: ignore[arg-type]  # one of those that were printed


def _model(facts: Sequence[Fact], means: Sequence[MeanFact], imputed: Sequence[Imputed]) -> _Model:
    sets = [fact.pupils for fact in facts] + [mean.pupils for mean in means]
    reasons = dict.fromkeys(pupils.name for pupils in sets if pupils.what == "lost")
    empty = _Model(
        rows=(),
        parts=(*(("lost", reason) for reason in reasons), ("analysed", "")),
        arms=tuple(dict.fromkeys(arm for pupils in sets for arm in pupils.arms)) or ("",),
        places=tuple(dict.fromkeys(place for pupils in sets for place in pupils.countries)) or ("",),
    )
    rows = [(empty.sum_of(fact.pupils), fact.low, fact.high) for fact in facts]
    for number, mean in enumerate(means):
        rows += _rows_of_mean(empty, mean, number)
    rows += [(row, 0.0, 0.0) for one in imputed for row in _events_of(empty, one)]
    rows += _subsets(empty, rows)
    return _Model(tuple(rows), empty.parts, empty.arms, empty.places)


def _rows_of_mean(model: _Model, mean: MeanFact, number: int) -> Iterator[tuple[Sum, float, float]]:
    """Yield that the sum of the values is between two multiples of how many there are."""
    pupils = mean.pupils
    if mean.is_share:
        total = model.sum_of(
            Pupils(what="event", name=_of_outcome(pupils), arms=pupils.arms, countries=pupils.countries)
        )
    else:
        total = Counter({Pupils(what="rows", name=f"sum {number}"): 1})
    for weight, low, high in ((mean.low, 0.0, np.inf), (mean.high, -np.inf, 0.0)):
        row: Sum = Counter(total)
        for name, times in model.sum_of(pupils).items():
            row[name] -= weight * times  # type: ignore[assignment]  # weights of means are fractions
        yield row, low, high


def _events_of(model: _Model, imputed: Imputed) -> Iterator[Sum]:
    """Yield the sums that are zero: events of an analysis less those of the analysed and those assumed."""
    for arm, place in product(model.arms, model.places):
        row: Sum = Counter(
            {_unknown("event", imputed.entry, arm, place): 1, _unknown("event", "analysed", arm, place): -1}
        )
        for reason in imputed.reasons:
            row[_unknown("lost", reason, arm, place)] -= 1
        yield row


def _of_outcome(pupils: Pupils) -> str:
    """Return what an event is called: those of the primary analysis are of the outcome of the analysed."""
    return pupils.name or pupils.what


def _subsets(model: _Model, rows: Sequence[tuple[Sum, float, float]]) -> Iterator[tuple[Sum, float, float]]:
    """Yield that a set which is part of another is no larger, where something is printed of either."""
    known = {name for row, _, _ in rows for name in row}
    for name in sorted(known, key=lambda one: one.key):
        whole = _whole(model, name, known)
        if whole is not None:
            row: Sum = Counter(whole)
            row[name] -= 1
            yield row, 0.0, np.inf


def _whole(model: _Model, name: Pupils, known: set[Pupils]) -> Sum | None:
    """Return the set that an unknown is part of; None where there is none."""
    arm, place = next(iter(name.arms), ""), next(iter(name.countries), "")
    if name.what in ("outcome", "without_consent"):
        return model.at("enrolled", "", arm, place)
    if name.what != "event":
        return None
    own = _unknown("outcome", name.name, arm, place)
    return Counter({own: 1}) if own in known else model.at("analysed", "", arm, place)


def _cells(model: _Model) -> Iterator[tuple[str, Sum, Pupils]]:
    """Yield every number of pupils that nobody may learn where it is small: of one arm and country, and of several."""
    known = {name for row, _, _ in model.rows for name in row}
    kinds = sorted({(name.what, name.name) for name in known if name.what != "rows"})
    several = [(model.arms, (place,)) for place in model.places] + [((arm,), model.places) for arm in model.arms]
    single = [((arm,), (place,)) for arm, place in product(model.arms, model.places)]
    for what, name in kinds:
        for arms, places in dict.fromkeys([*single, *several, (model.arms, model.places)]):
            pupils = Pupils(what=what, name=name, arms=arms, countries=places)
            yield _label(pupils, model), model.sum_of(pupils), pupils
            rest = _rest(model, pupils, known)
            if rest is not None:
                yield _label(pupils, model, is_rest=True), rest, pupils


def _rest(model: _Model, pupils: Pupils, known: set[Pupils]) -> Sum | None:
    """Return who is not in a set that is part of another."""
    rest: Sum = Counter()
    for arm, place in product(pupils.arms, pupils.countries):
        own = _unknown(pupils.what, pupils.name, arm, place)
        whole = _whole(model, own, known)
        if whole is None:
            return None
        rest.update(whole)
        rest[own] -= 1
    return rest


def _label(pupils: Pupils, model: _Model, *, is_rest: bool = False) -> str:
    """Return what a cell is called in a message."""
    arms = () if pupils.arms == model.arms else pupils.arms
    places = () if pupils.countries == model.places else pupils.countries
    what = f"{pupils.what}: {pupils.name}" if pupils.name else pupils.what
    return ", ".join([*places, *arms, f"without {what}" if is_rest else what])


_TIME_LIMIT = 1
"""What scipy.optimize.milp calls an end by its limit of time."""


class ContradictionError(DisclosureError):
    """Printed numbers that no numbers of pupils could have given."""


class _Search:
    """Looks for numbers of pupils that could have given what is printed."""

    __slots__ = ("_cells", "_constraints", "_n", "_place", "_values")

    def __init__(self, model: _Model, cells: Mapping[str, Sum]) -> None:
        from scipy.optimize import LinearConstraint
        from scipy.sparse import csr_array

        names = dict.fromkeys(name for row, _, _ in model.rows for name in row)
        names |= dict.fromkeys(name for row in cells.values() for name in row)
        self._place = {name: at for at, name in enumerate(names)}
        self._n = len(names)
        matrix = np.array([self._vector(row) for row, _, _ in model.rows]).reshape(len(model.rows), self._n)
        low, high = (np.array([row[side] for row in model.rows]) for side in (1, 2))
        self._constraints = LinearConstraint(csr_array(matrix), low, high)
        self._cells = {name: self._vector(row) for name, row in cells.items()}
        self._values = self._solution(np.zeros(self._n))

    def small(self, threshold: int) -> list[str]:
        """Return the cells that a first solution gives a number of somebody and fewer than the threshold.

        A cell that has one value alone has it in every solution, so no other cell can be recovered. Further solutions,
        drawn at random, show most of these to have other values too.
        """
        left = [name for name, row in self._cells.items() if 0 < self._of(row, self._values) < threshold]
        rng = np.random.default_rng(0)
        for _ in range(_ROUNDS if left else 0):
            aim = np.sum([rng.choice([-1.0, 1.0]) * self._cells[name] for name in left], axis=0)
            other = self._found(aim)
            if other is None:
                break
            left = [
                name for name in left if self._of(self._cells[name], other) == self._of(self._cells[name], self._values)
            ]
            if not left:
                break
        return left

    def has_one_value(self, name: str) -> bool:
        """Whether the least and the greatest value of a cell are the same, or were not found in time."""
        row = self._cells[name]
        ends = [self._found(aim) for aim in (row, -row)]
        return any(end is None for end in ends) or len({self._of(row, end) for end in ends if end is not None}) == 1

    def _of(self, row: NDArray[np.float64], solution: NDArray[np.float64]) -> int:
        return round(float(row @ solution))

    def _vector(self, row: Sum) -> NDArray[np.float64]:
        made = np.zeros(self._n)
        for name, weight in row.items():
            made[self._place[name]] += weight
        return made

    def _solution(self, aim: NDArray[np.float64]) -> NDArray[np.float64]:
        found = self._found(aim)
        if found is None:
            raise DisclosureError(
                "the release",
                "no numbers of pupils that could have given it were found in time, so that nothing can be said of it.",
                "Publish again when the machine has less to do.",
            )
        return found

    def _found(self, aim: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the best solution that was found in time; None where there was none."""
        from scipy.optimize import Bounds, milp

        found = milp(
            aim,
            constraints=self._constraints,
            integrality=np.ones(self._n, dtype=np.int64),
            bounds=Bounds(0, _MOST),
            options={"mip_rel_gap": 0.0, "time_limit": _SECONDS},
        )
        if found.x is None and found.status == _TIME_LIMIT:
            return None
        if found.x is None:
            raise ContradictionError(
                "the release",
                "its numbers of pupils contradict one another, so that nothing can be said of what they tell together.",
                "This is an error of the toolkit: tell those who keep it. Nothing was published.",
            )
        solution: NDArray[np.float64] = np.rint(found.x)
        return solution
