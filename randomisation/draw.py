"""Drawing an allocation: a pure function of (frame, design, seed)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from randomisation.acceptance import Acceptance
from randomisation.canonical import format_quoted_list
from randomisation.constrained import (
    MOST_CANDIDATES,
    build_limited_acceptance,
    check_usable,
    count_unconstrained_draws,
    validity,
)
from randomisation.design import Design
from randomisation.minimised import Joined
from randomisation.schools import SortedSchools, read_schools
from randomisation.stream import check_seed

if TYPE_CHECKING:
    import pandas as pd

FEW_DRAWS = 100
"""A constraint that leaves fewer draws than this is noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Which school is in which arm.

    Parameters
    ----------
    design
        The design that was drawn.
    schools
        Identifiers, sorted, length J.
    stratum_values
        Each school's values in the strata within which was drawn (`Design.columns`), as text.
    strata
        Each school's stratum as one text, such as "HU / vocational"; "all" without strata.
    arms
        Each school's arm.
    seed
        Seed of the draw; empty when it was made elsewhere.
    drawn
        "here", or "elsewhere" for an allocation that was adopted.
    notes
        What a reader should know, one sentence each.
    variable_values
        Each school's values of the variables that matching and constraint look at, as text; empty without any.
    score_limit
        Under a constraint, the largest score that a draw might have, in whole numbers.
    n_tries
        Draws that were made from the seed until one could be used; 1 without a constraint.
    before
        In a minimisation, the schools that had joined before, in their order.
    """

    design: Design
    schools: tuple[str, ...]
    stratum_values: tuple[tuple[str, ...], ...]
    strata: tuple[str, ...]
    arms: tuple[str, ...]
    seed: str
    drawn: Literal["here", "elsewhere"] = "here"
    notes: tuple[str, ...] = ()
    variable_values: tuple[tuple[str, ...], ...] = ()
    score_limit: int | None = None
    n_tries: int = 1
    before: tuple[Joined, ...] = ()

    @property
    def arm_of(self) -> Mapping[str, str]:
        """Arm of each school."""
        return MappingProxyType(dict(zip(self.schools, self.arms, strict=True)))

    @property
    def positions(self) -> tuple[int, ...]:
        """Position of each school's arm in `design.arms`: 0 is the reference. Comparable to a row of `replay`."""
        place = {name: position for position, name in enumerate(self.design.names)}
        return tuple(place[arm] for arm in self.arms)

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each arm by the design's ratio (see `Design.probabilities`)."""
        return {name: float(share) for name, share in self.design.probabilities.items()}

    def counts(self) -> dict[str, int]:
        """Return the number of schools in each arm, in the design's order."""
        return {name: self.arms.count(name) for name in self.design.names}

    def counts_by_stratum(self) -> pd.DataFrame:
        """Return one row per stratum and arm: `stratum`, `arm`, `n_schools`, `exact_share` (schools, seldom whole)."""
        import pandas as pd

        shares = self.design.probabilities
        counts = {(label, name): 0 for label in dict.fromkeys(sorted(self.strata)) for name in self.design.names}
        for key in zip(self.strata, self.arms, strict=True):
            counts[key] += 1
        sizes = {label: sum(counts[label, name] for name in shares) for label, _ in counts}
        rows = [(label, name, n, float(sizes[label] * shares[name])) for (label, name), n in counts.items()]
        return pd.DataFrame(rows, columns=["stratum", "arm", "n_schools", "exact_share"])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per school, sorted: `school_id`, `stratum`, `arm`."""
        import pandas as pd

        return pd.DataFrame({"school_id": self.schools, "stratum": self.strata, "arm": self.arms})

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.counts().items())
        origin = f"seed '{self.seed}'" if self.drawn == "here" else "drawn elsewhere"
        return f"{len(self.schools)} schools in {len(set(self.strata))} strata: {counts} ({origin})"


def allocate(
    schools: pd.DataFrame | SortedSchools,
    design: Design,
    *,
    seed: str,
    late: bool = False,
    before: Sequence[Joined] = (),
) -> Allocation:
    """Draw an allocation by the published algorithm (ALGORITHM.md).

    Parameters
    ----------
    schools
        One row per school in any order: `school_id` (text) and the columns of the design's strata, nothing missing.
    design
        Arms, ratio and strata.
    seed
        Any text, best one that nobody could choose, such as the result of a public draw announced beforehand.
    late
        Whether the schools join an earlier draw: they may then be fewer than the arms.
    before
        In a minimisation, the schools that had joined before, in their order.

    Returns
    -------
    Allocation
        The same on any machine and with any version for the same schools, design and seed. Every school's probability
        of every arm is exactly the design's.

    Raises
    ------
    DesignError
        If the frame cannot be used, an arm could stay without a school, or the seed is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design, allocate
    >>> frame = pd.DataFrame({"school_id": [f"{n:02d}" for n in range(1, 9)], "country": ["HU"] * 5 + ["SI"] * 3})
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")), strata=("country",))
    >>> print(allocate(frame, design, seed="2027-03-01"))
    8 schools in 2 strata: 4 control, 4 pilot (seed '2027-03-01')
    """
    check_seed(seed)
    read, rule = read_drawable_schools(schools, design, late=late)
    labels = read.labels()
    draws = design.method.draws(read, design, seed=seed, before=before)
    arms, n_tries = _find_first_usable_draw(draws, design, rule)
    return Allocation(
        design=design,
        schools=read.ids,
        stratum_values=read.stratum_values,
        strata=labels,
        arms=arms,
        seed=seed,
        notes=describe_lone_schools(labels) + describe_ties(schools, design),
        variable_values=read.variable_values,
        score_limit=None if rule is None else rule.score_limit,
        n_tries=n_tries,
        before=tuple(before),
    )


def read_drawable_schools(
    schools: pd.DataFrame | SortedSchools, design: Design, *, late: bool = False
) -> tuple[SortedSchools, Acceptance | None]:
    """Return what a draw is made from, the schools as read and the rule of a constraint; no seed is needed for it.

    Parameters
    ----------
    schools, design, late
        See `allocate`.

    Raises
    ------
    DesignError
        If the frame cannot be used, or an arm could stay without a school.
    """
    read = read_schools(schools, design)
    design.method.check_schools(read, design, is_late=late)
    return read, build_limited_acceptance(schools, design, read=read)


def _find_first_usable_draw(
    draws: Iterator[tuple[str, ...]], design: Design, rule: Acceptance | None
) -> tuple[tuple[str, ...], int]:
    """Return the first draw that may be used, and the number of draws made."""
    arms, n_tries = next(draws), 1
    if rule is None:
        return arms, n_tries
    place = {name: position for position, name in enumerate(design.names)}
    while not rule.usable(np.array([[place[arm] for arm in arms]]))[0]:
        check_usable(n_tries)
        arms, n_tries = next(draws), n_tries + 1
    return arms, n_tries


def describe_ties(schools: pd.DataFrame | SortedSchools, design: Design) -> tuple[str, ...]:
    """Return a note when a constraint ties schools together, or leaves few draws."""
    if design.constraint is None:
        return ()
    if count_unconstrained_draws(schools, design) > MOST_CANDIDATES:
        return ()
    validity_report = validity(schools, design)
    notes = []
    if validity_report.n_usable < FEW_DRAWS:
        notes.append(
            f"The constraint leaves {validity_report.n_usable} draws: no test by re-draws can be sharper than that."
        )
    tied = [
        f"{first_member} and {other}"
        for first_member, other in (*validity_report.always_together, *validity_report.never_together)
    ]
    if tied:
        notes.append(f"The constraint ties schools together, always or never in one arm: {format_quoted_list(tied)}.")
    return tuple(notes)


def describe_lone_schools(labels: Sequence[str]) -> tuple[str, ...]:
    """Return a note when strata hold one school only."""
    sizes: dict[str, int] = {}
    for label in labels:
        sizes[label] = sizes.get(label, 0) + 1
    lone = sorted(label for label, n in sizes.items() if n == 1)
    if not lone:
        return ()
    strata, have = ("Stratum", "has") if len(lone) == 1 else ("Strata", "have")
    return (
        f"{strata} {format_quoted_list(lone)} {have} one school only: allocated at random, but with nothing to "
        "compare it with.",
    )
