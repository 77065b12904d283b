"""Minimisation: schools that join one by one get the arm that keeps the arms alike, most of the time.

Each school's draw has a stream of its own, so that a step can be checked when it is made and by anybody later.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import numpy as np

from data_schema.errors import DesignError
from randomisation.arms import Arm
from randomisation.canonical import format_quoted_list, is_plain
from randomisation.columns import is_number
from randomisation.minimising import Minimising
from randomisation.stream import MINIMISED, Source, check_seed, open_published_stream

if TYPE_CHECKING:
    from randomisation.design import Design
    from randomisation.record import AllocationRecord
    from randomisation.schools import SortedSchools

FORMAT = "crocoos minimisation record 1"
"""Name and version of the record's form."""

HUNDRED = 100
_PLACE = "minimisation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A school that has joined: its values of the factors, and its arm."""

    school: str
    values: tuple[str, ...]
    arm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimisation:
    """A trial that schools join one by one, and who has joined so far.

    Parameters
    ----------
    arms
        Two or more, the reference first.
    factors
        Names of what is kept alike, such as country and size in three classes.
    seed
        Seed of all draws, from a public draw before the first school joins.
    chance
        As for `Minimising`.
    joined
        Schools so far, in their order.

    References
    ----------
    Pocock and Simon (1975), Biometrics 31, 103-115.

    Examples
    --------
    >>> arms = (Arm(name="control"), Arm(name="pilot"))
    >>> trial = Minimisation(arms=arms, factors=("country",), seed="1 March: 4 19 33")
    >>> for number, country in enumerate(["HU", "HU", "SI", "SI"]):
    ...     trial = trial.join(f"{number}", country=country)
    >>> [school.arm for school in trial.joined]
    ['control', 'pilot', 'pilot', 'control']
    """

    arms: tuple[Arm, ...]
    factors: tuple[str, ...]
    seed: str
    chance: int = 80
    joined: tuple[Joined, ...] = ()

    def __post_init__(self) -> None:
        """Check the specification."""
        check_seed(self.seed)
        if len(self.arms) < 2 or len({arm.name for arm in self.arms}) < len(self.arms):
            raise DesignError(f"{_PLACE}, arms", "They are fewer than two, or two have one name.", "State two or more.")
        if not self.factors or len(set(self.factors)) < len(self.factors):
            raise DesignError(f"{_PLACE}, factors", "They are none, or one is there twice.", "State each one once.")
        Minimising(chance=self.chance)

    def join(self, school: str, **values: str) -> Self:
        """Return the trial with one more school, its arm drawn.

        Parameters
        ----------
        school
            Its identifier.
        values
            Its value of each factor.

        Raises
        ------
        DesignError
            If the school has joined already, or a factor has no value.
        """
        if not is_plain(school) or school in [joined_school.school for joined_school in self.joined]:
            raise DesignError(_PLACE, f"School '{school}' has joined already, or has no name.", "Correct it.")
        if set(values) != set(self.factors) or not all(is_plain(value) for value in values.values()):
            raise DesignError(
                f"{_PLACE}, school '{school}'", f"The factors are {self.factors}.", "State a text for each of them."
            )
        school_values = tuple(values[name] for name in self.factors)
        source = open_published_stream(f"{self.seed} {len(self.joined) + 1}", algorithm=MINIMISED)
        arm = self.arms[_draw_arm_position(self, self.joined, school_values, source)].name
        return replace(self, joined=(*self.joined, Joined(school=school, values=school_values, arm=arm)))

    def holds(self) -> bool:
        """Return whether all draws, made again in their order, give the recorded arms."""
        again = replace(self, joined=())
        for joined_school in self.joined:
            again = again.join(joined_school.school, **dict(zip(self.factors, joined_school.values, strict=True)))
        return again.joined == self.joined

    def counts(self) -> dict[str, int]:
        """Return the number of schools in each arm."""
        return {arm.name: sum(joined_school.arm == arm.name for joined_school in self.joined) for arm in self.arms}

    def to_dict(self) -> dict[str, object]:
        """Return the trial as values that JSON can hold."""
        return {
            "format": FORMAT,
            "algorithm": MINIMISED,
            "arms": [{"name": arm.name, "ratio": arm.ratio, "label": arm.label} for arm in self.arms],
            "factors": list(self.factors),
            "chance": self.chance,
            "seed": self.seed,
            "schools": [
                {"school_id": joined_school.school, "values": list(joined_school.values), "arm": joined_school.arm}
                for joined_school in self.joined
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Read what `to_dict` returned; raises DesignError for anything else. Whether it is true, `holds` says."""
        if values.get("format") != FORMAT:
            raise DesignError(f"{_PLACE} record", f"Its format is not '{FORMAT}'.", "Restore it.")
        try:
            rows: Sequence[Mapping[str, Sequence[str]]] = values["schools"]  # type: ignore[assignment]
            joined = tuple(
                Joined(school=str(row["school_id"]), values=tuple(row["values"]), arm=str(row["arm"])) for row in rows
            )
            return cls(
                arms=tuple(Arm(**arm) for arm in values["arms"]),  # type: ignore[attr-defined]
                factors=tuple(values["factors"]),  # type: ignore[arg-type]
                seed=str(values["seed"]),
                chance=values["chance"],  # type: ignore[arg-type]
                joined=joined,
            )
        except (KeyError, TypeError) as error:
            raise DesignError(f"{_PLACE} record", f"It cannot be read ({error!r}).", "Restore it.") from error


def _draw_arm_position(trial: Minimisation, joined: Sequence[Joined], values: tuple[str, ...], source: Source) -> int:
    """Draw the position of the next school's arm."""
    if source.below(HUNDRED) < trial.chance:
        best = _find_most_balanced_arms(trial, joined, values)
        return best[source.below(len(best))]
    number, arm = source.below(sum(listed_arm.ratio for listed_arm in trial.arms)), 0
    while number >= trial.arms[arm].ratio:
        number, arm = number - trial.arms[arm].ratio, arm + 1
    return arm


def _find_most_balanced_arms(trial: Minimisation, joined: Sequence[Joined], values: tuple[str, ...]) -> list[int]:
    """Return the arms with which the arms would be most alike: the smallest sum, over factors, of the counts' range.

    Counts are those of schools with the value of the new one, over the arm's ratio, in units of the ratios' least
    common multiple.
    """
    names = {arm.name: place for place, arm in enumerate(trial.arms)}
    unit = math.lcm(*(arm.ratio for arm in trial.arms))
    weight = [unit // arm.ratio for arm in trial.arms]
    counts = [[0] * len(trial.arms) for _ in values]
    for joined_school in joined:
        for place, value in enumerate(values):
            counts[place][names[joined_school.arm]] += weight[names[joined_school.arm]] * (
                joined_school.values[place] == value
            )
    ranges = []
    for arm in range(len(trial.arms)):
        after = [[n + weight[arm] * (k == arm) for k, n in enumerate(row)] for row in counts]
        ranges.append(sum(max(row) - min(row) for row in after))
    return [arm for arm, total in enumerate(ranges) if total == min(ranges)]


def sort_by_joining_order(read: SortedSchools, design: Design) -> list[int]:
    """Return the positions of schools in the order in which they joined.

    Raises
    ------
    DesignError
        If the column of the order holds something else than numbers.
    """
    order = design.minimisation.order if design.minimisation is not None else ""
    if not order:
        return list(range(len(read.ids)))
    place = read.variables.index(order)
    texts = [school_values[place] for school_values in read.variable_values]
    wrong = [school for school, text in zip(read.ids, texts, strict=True) if not is_number(text)]
    if wrong:
        raise DesignError(
            f"school frame, column '{order}'",
            f"The value of school {format_quoted_list(wrong)} is not a number, and schools join in its order.",
            "Number the schools as they joined.",
        )
    return sorted(range(len(read.ids)), key=lambda school: (Fraction(texts[school]), school))


def build_minimisation(design: Design, *, seed: str, joined: Sequence[Joined]) -> Minimisation:
    """Return the minimisation of a design with the schools that have joined.

    Raises
    ------
    DesignError
        If the design is not a minimisation.
    """
    chance = get_minimising_rule(design).chance
    return Minimisation(arms=design.arms, factors=design.strata, seed=seed, chance=chance, joined=tuple(joined))


def get_minimising_rule(design: Design) -> Minimising:
    """Return how schools are minimised.

    Raises
    ------
    DesignError
        If the design is not a minimisation.
    """
    if design.minimisation is None:
        raise DesignError(_PLACE, f"The design is of the kind '{design.kind}'.", "Use kind 'minimisation'.")
    return design.minimisation


def draw_minimised(read: SortedSchools, design: Design, *, seed: str, before: Sequence[Joined] = ()) -> tuple[str, ...]:
    """Let schools join one after the other, after those that had joined before; return their arms, as in `read.ids`."""
    trial = build_minimisation(design, seed=seed, joined=before)
    order = sort_by_joining_order(read, design)
    for school in order:
        trial = trial.join(read.ids[school], **dict(zip(design.strata, read.stratum_values[school], strict=True)))
    arm_of = {joined_school.school: joined_school.arm for joined_school in trial.joined[len(before) :]}
    return tuple(arm_of[school] for school in read.ids)


def get_joined_schools(record: AllocationRecord) -> tuple[Joined, ...]:
    """Return the schools of a minimisation's record in the order in which they joined."""
    read = record.recorded_schools()
    return tuple(
        Joined(school=record.schools[place], values=record.stratum_values[place], arm=record.arms[place])
        for place in sort_by_joining_order(read, record.design)
    )


def enumerate_minimised(trial: Minimisation) -> tuple[np.ndarray, np.ndarray]:
    """Return every allocation that can come about when the same schools join in the same order, and its probability.

    Returns
    -------
    tuple
        Positions of arms, a row an allocation, schools in the order in which they joined; and probabilities, sum 1.
    """
    names, ratios = [arm.name for arm in trial.arms], [arm.ratio for arm in trial.arms]
    empty = replace(trial, joined=())
    rows, shares = [], []
    for chosen in itertools.product(range(len(names)), repeat=len(trial.joined)):
        share, joined = 1.0, list[Joined]()
        for joined_school, arm in zip(trial.joined, chosen, strict=True):
            best = _find_most_balanced_arms(empty, joined, joined_school.values)
            at_random = (HUNDRED - trial.chance) / HUNDRED * ratios[arm] / sum(ratios)
            share *= trial.chance / HUNDRED * (arm in best) / len(best) + at_random
            joined.append(replace(joined_school, arm=names[arm]))
        rows.append(chosen)
        shares.append(share)
    return np.array(rows, dtype=np.int16), np.array(shares)


def replay_minimised(trial: Minimisation, *, n_draws: int, seed: str) -> np.ndarray:
    """Let the same schools join in the same order again and again.

    Parameters
    ----------
    trial
        Who joined.
    n_draws
        Number of draws.
    seed
        Seed of the re-draws.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J): positions of arms, schools in the order in which they joined. That order is kept, as it must
        be for a randomisation test (Simon and Simon 2011, Statistics and Probability Letters 81, 767-772).
    """
    words = open_published_stream(f"replay {seed}", algorithm=MINIMISED)
    key = [words.below(2**63) for _ in range(2)]
    generator = np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))
    return draw_many_minimised(
        [joined_school.values for joined_school in trial.joined],
        generator,
        ratios=[arm.ratio for arm in trial.arms],
        chance=trial.chance,
        n_draws=n_draws,
    )


def draw_many_minimised(
    values: Sequence[tuple[str, ...]],
    generator: np.random.Generator,
    *,
    ratios: Sequence[int],
    chance: int,
    n_draws: int,
) -> np.ndarray:
    """Minimise many times at once; shape (n_draws, J), schools in the order of their values."""
    n_arms, unit = len(ratios), math.lcm(*ratios)
    weight = np.array([unit // ratio for ratio in ratios])
    limits = np.cumsum(ratios)
    counts: dict[tuple[int, str], np.ndarray] = {}
    draws = np.empty((n_draws, len(values)), dtype=np.int16)
    for place, school_values in enumerate(values):
        held = [
            counts.setdefault((k, value), np.zeros((n_draws, n_arms), dtype=int))
            for k, value in enumerate(school_values)
        ]
        # Axes: draw, arm that is supposed, arm that is counted.
        after = np.stack(held)[:, :, None, :] + np.diag(weight)
        totals = (after.max(axis=-1) - after.min(axis=-1)).sum(axis=0)
        best = totals == totals.min(axis=1, keepdims=True)
        best_one = np.where(best, generator.random(best.shape), -1).argmax(axis=1)
        any_one = np.searchsorted(limits, generator.integers(0, limits[-1], size=n_draws), side="right")
        arms = np.where(generator.integers(0, HUNDRED, size=n_draws) < chance, best_one, any_one)
        draws[:, place] = arms
        for factor_counts in held:
            factor_counts[np.arange(n_draws), arms] += weight[arms]
    return draws
