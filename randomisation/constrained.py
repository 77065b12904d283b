"""Constrained draws: the limit that keeps the best share, the first draw that may be used, and whether it is valid.

The limit is found from the schools and the design alone, before there is a seed, and is in the record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.acceptance import SCORE_UNIT, Acceptance, build_acceptance
from randomisation.design import Design
from randomisation.schools import SortedSchools, read_schools

if TYPE_CHECKING:
    import pandas as pd

MOST_CANDIDATES = 100_000
"""Up to so many possible draws all of them are scored; where there are more, so many re-draws."""

MOST_TRIES = 20_000
"""Draws made from one seed before it is given up."""

CANDIDATES_SEED = "crocoos candidates"
"""Seed of the re-draws that represent all draws."""

_ROUNDING = 1e-9


def remove_constraint(design: Design) -> Design:
    """Return the design without its constraint."""
    return replace(design, constraint=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Draws of the design without its constraint: all of them, or a sample.

    Parameters
    ----------
    draws
        Shape (B, J), positions of the schools' arms.
    probabilities
        Length B, sum 1.
    n_possible
        How many there are in all.
    """

    draws: np.ndarray
    probabilities: np.ndarray
    n_possible: int

    @property
    def exact(self) -> bool:
        """Whether these are all."""
        return len(self.draws) == self.n_possible


def enumerate_candidates(
    schools: pd.DataFrame | SortedSchools, design: Design, *, most: int = MOST_CANDIDATES
) -> Candidates:
    """Return all draws of the design without its constraint, or, where there are more than `most`, so many re-draws."""
    free = remove_constraint(design)
    read = read_schools(schools, free)
    n_possible = count_unconstrained_draws(read, design)
    if n_possible <= most:
        draws, probabilities = free.method.list_all(read, free)
        return Candidates(draws=draws, probabilities=probabilities, n_possible=n_possible)
    draws = free.method.redraw(read, free, n_draws=most, seed=CANDIDATES_SEED, start=0)
    return Candidates(draws=draws, probabilities=np.full(most, 1 / most), n_possible=n_possible)


def count_unconstrained_draws(schools: pd.DataFrame | SortedSchools, design: Design) -> int:
    """Return the number of draws of the design without its constraint."""
    free = remove_constraint(design)
    read = read_schools(schools, free)
    free.method.check_schools(read, free, is_late=False)
    return free.method.count(read, free)


def build_limited_acceptance(
    schools: pd.DataFrame | SortedSchools, design: Design, *, read: SortedSchools, drawn: Candidates | None = None
) -> Acceptance | None:
    """Return the constraint on these schools with the limit of its score; None for a design without a constraint.

    Raises
    ------
    DesignError
        If no draw, or too few, may be used.
    """
    acceptance_rule = build_acceptance(read, design)
    if acceptance_rule is None or design.constraint is None or design.constraint.best_share is None:
        return acceptance_rule
    drawn = drawn or enumerate_candidates(schools, design)
    return replace(
        acceptance_rule,
        score_limit=compute_share_limit(acceptance_rule.scores(drawn.draws), drawn.probabilities, design),
    )


def compute_share_limit(scores: np.ndarray, probabilities: np.ndarray, design: Design) -> int:
    """Return the lowest score that the best share of draws does not exceed."""
    share = design.constraint.best_share if design.constraint is not None else None
    order = np.argsort(scores, kind="stable")
    below = probabilities[order].cumsum()
    place = int(np.searchsorted(below, (1.0 if share is None else share) - _ROUNDING))
    return int(scores[order][min(place, len(order) - 1)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """What a constraint leaves of a design: enough draws, and no two schools tied together.

    Parameters
    ----------
    n_possible
        Draws of the design without its constraint.
    n_usable
        Draws that may be used: their number, or, where they were sampled, an estimate.
    exact
        Whether all draws were looked at.
    share_usable
        Probability that a draw may be used.
    score_limit
        Largest score that may be used; NaN without one.
    always_together, never_together
        Pairs of schools that are in the same arm in every usable draw, or in none, among those looked at.
    probabilities
        Shape (J, arms): each school's probability of each arm.
    schools
        Length J, sorted.
    """

    n_possible: int
    n_usable: int
    exact: bool
    share_usable: float
    score_limit: float
    always_together: tuple[tuple[str, str], ...]
    never_together: tuple[tuple[str, str], ...]
    probabilities: np.ndarray
    schools: tuple[str, ...]

    def __str__(self) -> str:
        usable = f"{self.n_usable:,}" if self.exact else f"About {self.n_usable:.2g}"
        possible = f"{self.n_possible:,}" if self.exact else f"{self.n_possible:.2g}"
        return (
            f"{usable} of {possible} draws may be used ({100 * self.share_usable:.3g} %); "
            f"pairs of schools always together: {len(self.always_together)}, never: {len(self.never_together)}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the figures that a report prints, one per row: `figure`, `value`."""
        import pandas as pd

        rows = [
            ("draws without the constraint", self.n_possible),
            ("draws that may be used", self.n_usable),
            ("share that may be used", self.share_usable),
            ("largest score", self.score_limit),
            ("pairs of schools always together", len(self.always_together)),
            ("pairs of schools never together", len(self.never_together)),
        ]
        return pd.DataFrame(rows, columns=["figure", "value"])


def validity(schools: pd.DataFrame | SortedSchools, design: Design, *, most: int = MOST_CANDIDATES) -> Validity:
    """Describe what a design's constraint leaves of it.

    Parameters
    ----------
    schools, design
        As for `allocate`; a design without a constraint is described too, since strata and matched sets can also tie
        schools together.
    most
        Up to so many possible draws all are looked at; where there are more, so many re-draws.

    Raises
    ------
    DesignError
        If no draw may be used.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Constraint, Design
    >>> frame = pd.DataFrame({"school_id": list("abcdef"), "size": [1, 2, 3, 4, 5, 6]})
    >>> constraint = Constraint(variables=("size",), best_share=0.3)
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot")), constraint=constraint)
    >>> print(validity(frame, design))
    6 of 20 draws may be used (30 %); pairs of schools always together: 0, never: 3
    """
    read = read_schools(schools, design)
    drawn = enumerate_candidates(schools, design, most=most)
    rule = build_limited_acceptance(schools, design, read=read, drawn=drawn if most == MOST_CANDIDATES else None)
    used = np.ones(len(drawn.draws), dtype=bool) if rule is None else rule.usable(drawn.draws)
    if not used.any():
        raise _build_no_usable_draw_error()
    draws, weights = drawn.draws[used], drawn.probabilities[used]
    share = float(weights.sum())
    n_usable = len(draws) if drawn.exact else round(share * drawn.n_possible)
    limit = None if rule is None else rule.score_limit
    return Validity(
        n_possible=drawn.n_possible,
        n_usable=n_usable,
        exact=drawn.exact,
        share_usable=share,
        score_limit=float("nan") if limit is None or rule is None else limit / SCORE_UNIT[rule.score],
        always_together=_find_tied_schools(draws, read.ids, len(design.arms), together=True),
        never_together=_find_tied_schools(draws, read.ids, len(design.arms), together=False),
        probabilities=_compute_arm_probabilities(draws, weights / share, design, exact=drawn.exact),
        schools=read.ids,
    )


def _compute_arm_probabilities(draws: np.ndarray, weights: np.ndarray, design: Design, *, exact: bool) -> np.ndarray:
    """Return each school's probability of each arm; with one ratio for all arms they are alike by symmetry."""
    n_arms = len(design.arms)
    if not exact and len(set(design.ratios)) == 1:
        return np.full((draws.shape[1], n_arms), 1 / n_arms)
    return np.stack([weights @ (draws == arm) for arm in range(n_arms)], axis=1)


def _find_tied_schools(
    draws: np.ndarray, schools: tuple[str, ...], n_arms: int, *, together: bool
) -> tuple[tuple[str, str], ...]:
    """Return pairs of schools that are always, or never, in the same arm."""
    same = np.zeros((draws.shape[1], draws.shape[1]))
    for arm in range(n_arms):
        ones = (draws == arm).astype(np.float32)
        same += ones.T @ ones
    tied = same >= len(draws) if together else same == 0
    return tuple(
        (schools[first_index], schools[other]) for first_index, other in np.argwhere(np.triu(tied, 1)).tolist()
    )


def assignment_probabilities(schools: pd.DataFrame | SortedSchools, design: Design) -> pd.DataFrame:
    """Return each school's probability of each arm under a design.

    Parameters
    ----------
    schools, design
        As for `allocate`.

    Returns
    -------
    pandas.DataFrame
        One row per school, sorted: `school_id` and one column per arm. Exact, but with unequal ratios for a
        minimisation and for a constraint with more than `MOST_CANDIDATES` draws, where they come from so many re-draws.
        Their inverse are the weights that an analysis needs when schools' probabilities differ.

    Examples
    --------
    >>> import pandas as pd
    >>> from randomisation import Arm, Design
    >>> design = Design(arms=(Arm(name="control"), Arm(name="pilot", ratio=2)))
    >>> print(assignment_probabilities(pd.DataFrame({"school_id": ["a", "b", "c"]}), design).round(4).to_string())
      school_id  control   pilot
    0         a   0.3333  0.6667
    1         b   0.3333  0.6667
    2         c   0.3333  0.6667
    """
    import pandas as pd

    read = read_schools(schools, design)
    if design.constraint is None:
        table = design.method.probabilities(read, design)
    else:
        table = validity(schools, design).probabilities
    return pd.DataFrame({"school_id": read.ids, **{name: table[:, k] for k, name in enumerate(design.names)}})


def _build_no_usable_draw_error() -> DesignError:
    return DesignError(
        "design, constraint",
        "No draw, or hardly any, is balanced enough to be used.",
        "Loosen the constraint: `validity` says how many draws are left.",
    )


def check_usable(n_tries: int) -> None:
    """Raise DesignError after too many draws that could not be used."""
    if n_tries >= MOST_TRIES:
        raise _build_no_usable_draw_error()
