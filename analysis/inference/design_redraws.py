"""The allocations that a trial's design could have made: all of them where they are few, re-draws otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

    from randomisation import Design


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
    probabilities: np.ndarray | None


def design_redraws(schools: pd.DataFrame, design: Design, *, n_draws: int, seed: str) -> DesignRedraws:
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
    """
    from randomisation import all_allocations, n_allocations, replay

    try:
        every = all_allocations(schools, design) if n_allocations(schools, design) <= n_draws else None
    except DesignError:  # a design whose allocations cannot be counted
        every = None
    if every is not None:
        return DesignRedraws(schools=every.schools, draws=every.positions, probabilities=every.probabilities)
    names = tuple(sorted(schools["school_id"].astype(str)))
    return DesignRedraws(schools=names, draws=replay(schools, design, n_draws=n_draws, seed=seed), probabilities=None)
