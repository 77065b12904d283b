"""What a kind of design declares and does: the one place that draws, re-draws, the protocol and the reports ask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from data_schema.errors import DesignError

if TYPE_CHECKING:
    import numpy as np

    from randomisation.design import Design
    from randomisation.minimised import Joined
    from randomisation.schools import SortedSchools
    from randomisation.stream import Source

Listing = tuple["np.ndarray", "np.ndarray"]
"""Allocations, shape (M, J), positions of arms, no two alike; and their probabilities, length M."""


class DesignKind(ABC):
    """A way in which schools get their arm.

    ``name`` is what the protocol calls it. ``drawn_as`` is the kind that a design, its record and the verifier name,
    where that is another one: a waiting list is drawn in strata, and what makes it one are the arms. ``algorithm`` is
    the published algorithm (ALGORITHM.md).

    ``takes_strata`` and ``takes_misfits`` say whether a design may state them, ``fixes_numbers`` whether the arms'
    numbers of schools in a stratum follow from the stratum's size, up to rounding. ``has_starts`` says whether arms
    start one after the other, ``has_factors`` whether arms are made of factors, ``draws_classes`` whether classes are
    drawn and not schools, ``joins_one_by_one`` whether schools may go on joining, ``is_drawn_here`` whether the toolkit
    draws at all, ``most_arms`` how many arms there may be; None for any number.
    """

    name: ClassVar[str]
    drawn_as: ClassVar[str] = ""
    algorithm: ClassVar[str] = "crocoos-stratified-1"
    takes_strata: ClassVar[bool] = True
    takes_misfits: ClassVar[bool] = False
    fixes_numbers: ClassVar[bool] = True
    has_starts: ClassVar[bool] = False
    has_factors: ClassVar[bool] = False
    draws_classes: ClassVar[bool] = False
    joins_one_by_one: ClassVar[bool] = False
    is_drawn_here: ClassVar[bool] = True
    most_arms: ClassVar[int | None] = None

    def check(self, design: Design) -> None:
        """Raise DesignError if a design states what this kind does not take."""
        if design.strata and not self.takes_strata:
            raise DesignError(
                "design, strata", f"A {self.name} draw has no strata.", "Leave them out, or use kind 'stratified'."
            )

    @abstractmethod
    def describe(self, design: Design) -> str:
        """Return the kind in a few words, such as "stratified by country"."""

    @abstractmethod
    def explain(self, design: Design, beginning: str) -> str:
        """Return sentences on how schools get their arm, of which the beginning names arms and ratio."""

    @abstractmethod
    def check_schools(self, read: SortedSchools, design: Design, *, is_late: bool) -> None:
        """Raise DesignError if an arm could stay without a school.

        Parameters
        ----------
        is_late
            Whether the schools join an earlier draw whose arms have schools.
        """

    @abstractmethod
    def draws(
        self, read: SortedSchools, design: Design, *, seed: str, before: Sequence[Joined]
    ) -> Iterator[tuple[str, ...]]:
        """Yield the draws of a seed, one after the other: the arms of the schools, in their order.

        Parameters
        ----------
        before
            Schools that had joined before, where schools join one by one.
        """

    @abstractmethod
    def redraw(self, read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
        """Draw many times; shape (n_draws, J), positions of arms. Draw number i is the same whatever is asked for."""

    @abstractmethod
    def count(self, read: SortedSchools, design: Design) -> int:
        """Return the number of allocations that can be drawn, exactly."""

    @abstractmethod
    def list_all(self, read: SortedSchools, design: Design) -> Listing:
        """Return every allocation that can be drawn, sorted, with its probability."""

    @abstractmethod
    def probabilities(self, read: SortedSchools, design: Design) -> np.ndarray:
        """Return the probability of each arm for each school; shape (J, arms)."""


class DrawnFromOneStream(DesignKind):
    """A kind whose draws take their random numbers, one draw after the other, from one stream."""

    def draws(
        self,
        read: SortedSchools,
        design: Design,
        *,
        seed: str,
        before: Sequence[Joined],  # noqa: ARG002 -- for the kinds in which schools join
    ) -> Iterator[tuple[str, ...]]:
        """Yield draws without end."""
        from randomisation.stream import open_published_stream

        source = open_published_stream(seed, algorithm=design.algorithm)
        while True:
            yield self.draw_once(read, design, source)

    @abstractmethod
    def draw_once(self, read: SortedSchools, design: Design, source: Source) -> tuple[str, ...]:
        """Draw the arms of the schools, in their order, with random numbers from a source."""


def check_enough(read: SortedSchools, design: Design) -> None:
    """Raise DesignError if there are fewer schools than arms."""
    if len(read.ids) < len(design.arms):
        raise DesignError(
            "design, arms",
            f"There are {len(design.arms)} arms and {len(read.ids)} schools.",
            "Recruit more schools or state fewer arms.",
        )


def build_equal_probabilities(shares: Iterable[Fraction], read: SortedSchools) -> np.ndarray:
    """Return the probabilities of the arms where they are the same for every school; shape (J, arms)."""
    import numpy as np

    return np.tile([float(share) for share in shares], (len(read.ids), 1))
