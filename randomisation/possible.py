"""How many allocations a design allows, and all of them with their probabilities where they are few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.constrained import build_limited_acceptance, remove_constraint
from randomisation.design import Design
from randomisation.schools import SortedSchools, read_schools
from randomisation.settlements import USE_REPLAY

if TYPE_CHECKING:
    import pandas as pd

MOST_ALLOCATIONS = 100_000
"""The most allocations that are listed unless more are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllAllocations:
    """Every allocation that a design can draw.

    Parameters
    ----------
    schools
        Identifiers, sorted, length J.
    positions
        Shape (M, J): positions in `design.arms`, a row an allocation, no two alike, sorted.
    probabilities
        Length M, sum 1. All alike for two arms of the same ratio, and whenever every stratum divides evenly.
    """

    schools: tuple[str, ...]
    positions: np.ndarray
    probabilities: np.ndarray


def n_allocations(schools: pd.DataFrame | SortedSchools, design: Design, *, late: bool = False) -> int:
    """Count the allocations that keep to a design: its ratio in every stratum and its balance at every level.

    Parameters
    ----------
    schools, design, late
        As for `allocate`.

    Returns
    -------
    int
        Exact, however large; under a constraint only where the draws without it are not too many to list.

    Raises
    ------
    DesignError
        If they cannot be counted; `validity` then estimates their number.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> arms = (Arm(name="control"), Arm(name="pilot"))
    >>> frame = pd.DataFrame({"school_id": list("abcdef"), "pair": list("112233")})
    >>> n_allocations(frame, Design(arms=arms, strata=("pair",))), n_allocations(frame, Design(arms=arms))
    (8, 20)
    """
    if design.constraint is not None:
        return len(_enumerate_usable_draws(schools, design, most=MOST_ALLOCATIONS, late=late).positions)
    read = read_schools(schools, design)
    design.method.check_schools(read, design, is_late=late)
    return design.method.count(read, design)


def all_allocations(
    schools: pd.DataFrame | SortedSchools, design: Design, *, most: int = MOST_ALLOCATIONS, late: bool = False
) -> AllAllocations:
    """List every allocation that a design can draw, with its probability.

    Parameters
    ----------
    schools, design, late
        As for `allocate`.
    most
        The most allocations to list.

    Raises
    ------
    DesignError
        If there are more, or if their probabilities would take too long to find.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> frame = pd.DataFrame({"school_id": ["a", "b", "c"]})
    >>> every = all_allocations(frame, Design(arms=(Arm(name="control", ratio=2), Arm(name="pilot"))))
    >>> every.positions.tolist(), every.probabilities.round(3).tolist()
    ([[0, 0, 1], [0, 1, 0], [1, 0, 0]], [0.333, 0.333, 0.333])
    """
    if design.constraint is not None:
        return _enumerate_usable_draws(schools, design, most=most, late=late)
    read = read_schools(schools, design)
    n = n_allocations(read, design, late=late)
    if n > most:
        raise DesignError("all allocations", f"There are {n}, more than {most}.", USE_REPLAY)
    positions, probabilities = design.method.list_all(read, design)
    return AllAllocations(schools=read.ids, positions=positions, probabilities=probabilities)


def _enumerate_usable_draws(
    schools: pd.DataFrame | SortedSchools, design: Design, *, most: int, late: bool
) -> AllAllocations:
    """List the draws that a constraint lets through, with their probabilities."""
    every = all_allocations(schools, remove_constraint(design), most=most, late=late)
    rule = build_limited_acceptance(schools, design, read=read_schools(schools, design))
    used = np.ones(len(every.positions), dtype=bool) if rule is None else rule.usable(every.positions)
    if not used.any():
        raise DesignError("design, constraint", "No draw is balanced enough to be used.", "Loosen the constraint.")
    share = every.probabilities[used]
    return AllAllocations(schools=every.schools, positions=every.positions[used], probabilities=share / share.sum())
