"""The allocations that a trial's design could have made: all of them where they are few, re-draws otherwise.

With three arms or more, a comparison of two of them asks for re-draws in which the schools of the others stay where
they are: without an effect of the one arm beside the other, what the schools of the two would have shown is known for
these allocations and for no others, whatever the other arms do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.permuted import count_permutations, enumerate_permutations, permute_within_strata
from randomisation.schools import SortedSchools, read_schools

if TYPE_CHECKING:
    import pandas as pd

    from randomisation.design import Design
    from randomisation.possible import AllAllocations

# Permutations that are listed and looked through when a constraint lets only some of them be used.
_MOST_LISTED = 20_000
# Batches that are tried before a constraint is said to leave too few.
_MOST_BATCHES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignRedraws:
    """Allocations of a design: all of them where they are few, re-draws otherwise.

    Parameters
    ----------
    schools
        Their order, length J.
    draws
        Shape (B, J), positions in the design's arms.
    probabilities
        Shape (B,), when ``draws`` are all allocations; None for re-draws.
    """

    schools: tuple[str, ...]
    draws: np.ndarray
    probabilities: np.ndarray | None = None

    @property
    def exact(self) -> bool:
        """Whether these are all allocations."""
        return self.probabilities is not None

    def holding(self, fixed: np.ndarray, actual: np.ndarray) -> DesignRedraws:
        """Return the allocations that leave some schools where they are, of all that the design can make.

        Parameters
        ----------
        fixed
            Shape (J,), which schools stay.
        actual
            Shape (J,), positions of their arms.
        """
        if self.probabilities is None:
            raise DesignError("re-draws", "these are not all allocations.", "Draw again with the schools held.")
        is_compatible = (self.draws[:, fixed] == actual[fixed]).all(axis=1)
        share = self.probabilities[is_compatible]
        return DesignRedraws(schools=self.schools, draws=self.draws[is_compatible], probabilities=share / share.sum())


def design_redraws(
    schools: pd.DataFrame | SortedSchools, design: Design, *, n_draws: int, seed: str, late: bool = False
) -> DesignRedraws:
    """Enumerate a design when it has no more allocations than draws are wanted, and draw it again otherwise.

    Parameters
    ----------
    schools
        The school frame, as `randomisation.allocate` takes it.
    design
        The trial's design.
    n_draws
        Re-draws, and the most allocations that are listed.
    seed
        Of the re-draws.
    late
        Whether the schools joined an earlier draw, see `randomisation.allocate`.
    """
    from randomisation.redraws import replay

    every = _enumerate_few_allocations(schools, design, n_draws=n_draws, late=late)
    if every is not None:
        return DesignRedraws(schools=every.schools, draws=every.positions, probabilities=every.probabilities)
    names = read_schools(schools, design, with_sets=False).ids
    return DesignRedraws(schools=names, draws=replay(schools, design, n_draws=n_draws, seed=seed, late=late))


def _enumerate_few_allocations(
    schools: pd.DataFrame | SortedSchools, design: Design, *, n_draws: int, late: bool
) -> AllAllocations | None:
    """Return all allocations where they are no more than the draws that are wanted."""
    from randomisation.possible import all_allocations, n_allocations

    try:
        # What a constraint lets through is known only when all are listed.
        if design.constraint is None and n_allocations(schools, design, late=late) > n_draws:
            return None
        every = all_allocations(schools, design, late=late)
    except DesignError:  # a design whose allocations cannot be counted
        return None
    return every if len(every.positions) <= n_draws else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permutations:
    """The allocation of some schools permuted within strata, while the others stay where they are.

    Given who stays, and how many schools of each stratum went to each arm, all permutations that the design's
    constraint lets through are as likely as the actual allocation, wherever schools of a stratum were treated alike.

    Parameters
    ----------
    schools
        Names, length J.
    actual
        Shape (J,), position of each school's arm.
    strata
        Length J, within which schools were treated alike.
    n_draws, seed
        As for `design_redraws`.
    usable
        Tells of allocations, shape (B, J), which ones the design's constraint lets through; None without one.
    reason
        Why permutations are not as likely as one another; empty where they are.

    References
    ----------
    Basse, Feller and Toulis (2019), Biometrika 106, 487-494, for tests given part of an allocation; Imbens and Rubin
    (2015), Causal Inference for Statistics, Social, and Biomedical Sciences, chapter 5.
    """

    schools: tuple[str, ...]
    actual: np.ndarray
    strata: tuple[str, ...]
    n_draws: int
    seed: str
    usable: Callable[[np.ndarray], np.ndarray] | None = None
    reason: str = ""

    def all_of(self, moving: np.ndarray) -> DesignRedraws | None:
        """Return all permutations of the schools that are marked, shape (J,); None where they are many."""
        most = self.n_draws if self.usable is None else max(self.n_draws, _MOST_LISTED)
        moving_arms, labels = self._get_moving_arms_and_strata(moving)
        if self.reason or count_permutations(moving_arms, labels) > most:
            return None
        every = self._build_whole_allocations(enumerate_permutations(moving_arms, labels), moving)
        if not 0 < len(every) <= self.n_draws:
            return None
        return DesignRedraws(schools=self.schools, draws=every, probabilities=np.full(len(every), 1 / len(every)))

    def of(self, moving: np.ndarray) -> DesignRedraws | str:
        """Return all permutations of the schools that are marked where they are few, else some; or why none."""
        if self.reason:
            return self.reason
        permuted = self.drawn(moving)
        if len(permuted.draws) == 0:
            return (
                "The design's constraint lets hardly any draw through that leaves the schools of other arms in place."
            )
        return permuted

    def drawn(self, moving: np.ndarray) -> DesignRedraws:
        """Return the same where permutations are known to be alike; without draws where a constraint leaves too few."""
        every = self.all_of(moving)
        if every is not None:
            return every
        moving_arms, labels = self._get_moving_arms_and_strata(moving)
        batches: list[np.ndarray] = []
        for batch in range(1 if self.usable is None else _MOST_BATCHES):
            seed = f"{self.seed} {batch}" if batch else self.seed
            batches.append(
                self._build_whole_allocations(
                    permute_within_strata(moving_arms, labels, n_draws=self.n_draws, seed=seed), moving
                )
            )
            if sum(map(len, batches)) >= self.n_draws:
                break
        draws = np.concatenate(batches)[: self.n_draws]
        return DesignRedraws(schools=self.schools, draws=draws if len(draws) == self.n_draws else draws[:0])

    def _get_moving_arms_and_strata(self, moving: np.ndarray) -> tuple[np.ndarray, list[str]]:
        return self.actual[moving], [self.strata[place] for place in np.flatnonzero(moving)]

    def _build_whole_allocations(self, permuted: np.ndarray, moving: np.ndarray) -> np.ndarray:
        rows = np.tile(self.actual, (len(permuted), 1))
        rows[:, moving] = permuted
        return rows if self.usable is None else rows[self.usable(rows)]
