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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from reports.counted import OF_ALL_ARMS, Pupils
from reports.release.search import Bounded, Search, Sum


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
class Link:
    """What holds among sets whatever is printed: their weighted sum is at least ``low`` and at most ``high``.

    Without bounds of its own a link is an equation: rows sent are those kept, asked about and refused.
    """

    terms: tuple[tuple[Pupils, int], ...]
    low: float = 0.0
    high: float = 0.0


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


def infer_pupil_counts(
    facts: Sequence[Fact],
    means: Sequence[MeanFact],
    *,
    threshold: int,
    imputed: Sequence[Imputed] = (),
    links: Sequence[Link] = (),
) -> Solved:
    """Find the numbers of pupils that follow from what is printed.

    Parameters
    ----------
    facts, means
        What is printed.
    imputed
        Analyses whose events are known to be those of another and of the lost.
    links
        What holds among the sets.
    threshold
        Smallest number of pupils that anybody may learn.

    Raises
    ------
    ContradictionError
        When no numbers of pupils could have given what is printed, and what it reveals is unknown.

    Examples
    --------
    >>> lost, analysed, enrolled = Pupils.at("lost", "x"), Pupils.at("analysed"), Pupils.at("enrolled")
    >>> told = [Fact(pupils=enrolled, low=60, high=60), Fact(pupils=analysed, low=57, high=57)]
    >>> infer_pupil_counts([*told, Fact(pupils=lost, low=1)], [], threshold=10).recovered
    ('lost: x',)
    """
    model = _build_model(facts, means, imputed, links)
    sensitive_cells = list(_iterate_sensitive_cells(model))
    if not sensitive_cells:
        return Solved(n_numbers=len(facts) + len(means), n_cells=0, recovered=())
    search = Search(model.rows, {name: row for name, row, _ in sensitive_cells})
    recovered = tuple(name for name in search.small(threshold) if search.has_one_value(name))
    sets = tuple(pupils for name, _, pupils in sensitive_cells if name in recovered)
    return Solved(n_numbers=len(facts) + len(means), n_cells=len(sensitive_cells), recovered=recovered, sets=sets)


@dataclass(frozen=True, slots=True)
class _Model:
    """Bounds on sums of unknowns, and where there are any."""

    rows: tuple[Bounded, ...]
    parts: tuple[tuple[str, str], ...]
    arms: tuple[str, ...]
    places: tuple[str, ...]

    def at(self, what: str, name: str, arm: str, place: str) -> Sum:
        """Return a set of one arm and country as a sum of unknowns."""
        kinds = self.parts if what == "enrolled" else ((what, name),)
        return Counter({_build_unknown(kind, called, arm, place): 1 for kind, called in kinds})

    def sum_of(self, pupils: Pupils) -> Sum:
        """Return a set as a sum of unknowns."""
        total: Sum = Counter()
        arms = ("",) if pupils.what in OF_ALL_ARMS else pupils.arms or self.arms
        for arm, place in product(arms, pupils.countries or self.places):
            total.update(self.at(pupils.what, pupils.name, arm, place))
        return total


def _build_unknown(what: str, name: str, arm: str, place: str) -> Pupils:
    return Pupils.at(what, name, arm=arm, country=place)  # type: ignore[arg-type]  # one of those that were printed


def _build_model(
    facts: Sequence[Fact], means: Sequence[MeanFact], imputed: Sequence[Imputed], links: Sequence[Link]
) -> _Model:
    sets = [fact.pupils for fact in facts] + [mean.pupils for mean in means]
    sets += [pupils for link in links for pupils, _ in link.terms]
    reasons = dict.fromkeys(pupils.name for pupils in sets if pupils.what == "lost")
    empty = _Model(
        rows=(),
        parts=(*(("lost", reason) for reason in reasons), ("analysed", "")),
        arms=tuple(dict.fromkeys(arm for pupils in sets for arm in pupils.arms)) or ("",),
        places=tuple(dict.fromkeys(place for pupils in sets for place in pupils.countries)) or ("",),
    )
    rows = [(empty.sum_of(fact.pupils), fact.low, fact.high) for fact in facts]
    for number, mean in enumerate(means):
        rows += _iterate_mean_rows(empty, mean, number)
    rows += [(row, 0.0, 0.0) for imputed_analysis in imputed for row in _iterate_event_sums(empty, imputed_analysis)]
    rows += [(_sum_link_terms(empty, link), link.low, link.high) for link in links]
    rows += _iterate_subset_rows(empty, rows)
    return _Model(tuple(rows), empty.parts, empty.arms, empty.places)


def _sum_link_terms(model: _Model, link: Link) -> Sum:
    total: Sum = Counter()
    for pupils, weight in link.terms:
        for name, times in model.sum_of(pupils).items():
            total[name] += weight * times
    return total


def _iterate_mean_rows(model: _Model, mean: MeanFact, number: int) -> Iterator[Bounded]:
    """Yield that the sum of the values is between two multiples of how many there are."""
    pupils = mean.pupils
    if mean.is_share:
        total = model.sum_of(
            Pupils(what="event", name=_get_event_name(pupils), arms=pupils.arms, countries=pupils.countries)
        )
    else:
        total = Counter({Pupils(what="rows", name=f"sum {number}"): 1})
    for weight, low, high in ((mean.low, 0.0, np.inf), (mean.high, -np.inf, 0.0)):
        row: Sum = Counter(total)
        for name, times in model.sum_of(pupils).items():
            row[name] -= weight * times  # type: ignore[assignment]  # weights of means are fractions
        yield row, low, high


def _iterate_event_sums(model: _Model, imputed: Imputed) -> Iterator[Sum]:
    """Yield the sums that are zero: events of an analysis less those of the analysed and those assumed."""
    for arm, place in product(model.arms, model.places):
        row: Sum = Counter(
            {_build_unknown("event", imputed.entry, arm, place): 1, _build_unknown("event", "analysed", arm, place): -1}
        )
        for reason in imputed.reasons:
            row[_build_unknown("lost", reason, arm, place)] -= 1
        yield row


def _get_event_name(pupils: Pupils) -> str:
    """Return what an event is called: those of the primary analysis are of the outcome of the analysed."""
    return pupils.name or pupils.what


def _iterate_subset_rows(model: _Model, rows: Sequence[Bounded]) -> Iterator[Bounded]:
    """Yield that a set which is part of another is no larger, where something is printed of either."""
    known = {name for row, _, _ in rows for name in row}
    for name in sorted(known, key=lambda one: one.key):
        enclosing_set = _find_enclosing_set(model, name, known)
        if enclosing_set is not None:
            row: Sum = Counter(enclosing_set)
            row[name] -= 1
            yield row, 0.0, np.inf


def _find_enclosing_set(model: _Model, name: Pupils, known: set[Pupils]) -> Sum | None:
    """Return the set that an unknown is part of; None where there is none."""
    arm, place = next(iter(name.arms), ""), next(iter(name.countries), "")
    if name.what in ("outcome", "without_consent"):
        return model.at("enrolled", "", arm, place)
    if name.what != "event":
        return None
    outcome_set = _build_unknown("outcome", name.name, arm, place)
    return Counter({outcome_set: 1}) if outcome_set in known else model.at("analysed", "", arm, place)


def _iterate_sensitive_cells(model: _Model) -> Iterator[tuple[str, Sum, Pupils]]:
    """Yield every number of pupils that nobody may learn where it is small: of one arm and country, and of several."""
    known = {name for row, _, _ in model.rows for name in row}
    kinds = sorted({(name.what, name.name) for name in known if name.what != "rows"})
    several = [(model.arms, (place,)) for place in model.places] + [((arm,), model.places) for arm in model.arms]
    single = [((arm,), (place,)) for arm, place in product(model.arms, model.places)]
    together = [((), (place,)) for place in model.places] + [((), model.places)]
    every = [*single, *several, (model.arms, model.places)]
    for what, name in kinds:
        for arms, places in dict.fromkeys(together if what in OF_ALL_ARMS else every):
            pupils = Pupils(what=what, name=name, arms=arms, countries=places)
            yield _format_cell_label(pupils, model), model.sum_of(pupils), pupils
            complement = _find_complement(model, pupils, known)
            if complement is not None:
                yield _format_cell_label(pupils, model, is_rest=True), complement, pupils


def _find_complement(model: _Model, pupils: Pupils, known: set[Pupils]) -> Sum | None:
    """Return who is not in a set that is part of another."""
    complement: Sum = Counter()
    for arm, place in product(pupils.arms, pupils.countries):
        unknown_part = _build_unknown(pupils.what, pupils.name, arm, place)
        enclosing_set = _find_enclosing_set(model, unknown_part, known)
        if enclosing_set is None:
            return None
        complement.update(enclosing_set)
        complement[unknown_part] -= 1
    return complement


def _format_cell_label(pupils: Pupils, model: _Model, *, is_rest: bool = False) -> str:
    """Return what a cell is called in a message."""
    arms = () if pupils.arms == model.arms else pupils.arms
    places = () if pupils.countries == model.places else pupils.countries
    what = f"{pupils.what}: {pupils.name}" if pupils.name else pupils.what
    return ", ".join([*places, *arms, f"without {what}" if is_rest else what])
