"""Further draws of the same design, for randomisation inference.

Re-draws follow the same rules as the published algorithm and have the same distribution, but come from numpy's Philox
generator, many draws at a time: nobody has to check a re-draw by hand, and 10,000 are wanted in a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.acceptance import Acceptance
from randomisation.constrained import build_limited_acceptance, check_usable
from randomisation.design import Design
from randomisation.schools import SortedSchools, read_schools
from randomisation.stream import check_seed

if TYPE_CHECKING:
    import pandas as pd

_TRIED_AT_ONCE = 4096


def replay(
    schools: pd.DataFrame | SortedSchools,
    design: Design,
    *,
    n_draws: int,
    seed: str,
    start: int = 0,
    late: bool = False,
) -> np.ndarray:
    """Draw the same design again and again.

    Parameters
    ----------
    schools
        The school frame, as for `allocate`.
    design
        The design.
    n_draws
        Number of draws, 0 or more.
    seed
        Seed of the re-draws; it has nothing to do with the allocation's.
    start
        Number of the first draw. Draw number i is the same however many are asked for at once.
    late
        Whether the schools joined an earlier draw, see `allocate`.

    Returns
    -------
    numpy.ndarray
        Shape (n_draws, J), whole numbers: positions in `design.arms` (0 is the reference) of the schools, sorted as in
        `Allocation.schools`. Every draw keeps to the design's strata, ratios and balance, and has the probability that
        `allocate` gives it, up to rounding in the 30th binary digit.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> frame = pd.DataFrame({"school_id": ["a", "b", "c", "d"]})
    >>> draws = replay(frame, Design(arms=(Arm(name="control"), Arm(name="pilot"))), n_draws=1000, seed="inference")
    >>> draws.shape, set(draws.sum(axis=1).tolist()), len(np.unique(draws, axis=0))
    ((1000, 4), {2}, 6)
    """
    check_seed(seed)
    for name, number in (("n_draws", n_draws), ("start", start)):
        if number < 0:
            raise DesignError(f"re-draws, {name}", f"{number} is below zero.", "State a whole number, 0 or more.")
    read = read_schools(schools, design)
    design.method.check_schools(read, design, is_late=late)
    rule = build_limited_acceptance(schools, design, read=read)
    if rule is None:
        return design.method.redraw(read, design, n_draws=n_draws, seed=seed, start=start)
    return _draw_usable(read, design, rule, n_draws=start + n_draws, seed=seed)[start:]


def _draw_usable(read: SortedSchools, design: Design, rule: Acceptance, *, n_draws: int, seed: str) -> np.ndarray:
    """Draw until so many draws may be used."""
    usable_draws: list[np.ndarray] = []
    n_kept = n_tries = 0
    while n_kept < n_draws:
        drawn = design.method.redraw(read, design, n_draws=_TRIED_AT_ONCE, seed=seed, start=n_tries)
        used = drawn[rule.usable(drawn)]
        usable_draws.append(used)
        n_kept, n_tries = n_kept + len(used), n_tries + _TRIED_AT_ONCE
        if not n_kept:
            check_usable(n_tries)
    return np.concatenate([np.empty((0, len(read.ids)), dtype=np.int16), *usable_draws])[:n_draws]
