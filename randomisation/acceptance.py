"""Whether a draw may be used under a constraint: scores in whole numbers, for one draw or a million.

ALGORITHM.md, "Scores", is the text. Differences of means are whole numbers of 1 / UNIT standard deviation, and so
are the scores made from them: no rounding differs between machines.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from data_schema.errors import DesignError
from randomisation.columns import INVERSE_UNIT, UNIT, Column, compute_inverse_correlations
from randomisation.constraint import Constraint, ScoreKind
from randomisation.design import Design
from randomisation.schools import SortedSchools

_MOST = 2**62
_ROWS_AT_ONCE = 16_384

SCORE_UNIT = {"l2": UNIT**2, "max_difference": UNIT, "mahalanobis": UNIT**2 * INVERSE_UNIT}
"""What a score of 1 is in whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A constraint on certain schools: their standardised columns, and the limits in whole numbers.

    Parameters
    ----------
    score
        Which score.
    columns
        Standardised columns of the variables.
    inverse
        Inverse correlations, for the score "mahalanobis" only.
    n_arms
        Arms of the design.
    limits
        Largest absolute difference of each column; None where any may be used.
    score_limit
        Largest score; None where any may be used, or where it is still to be found.
    """

    score: ScoreKind
    columns: tuple[Column, ...]
    inverse: tuple[tuple[int, ...], ...]
    n_arms: int
    limits: tuple[int | None, ...]
    score_limit: int | None = None

    def scores(self, draws: np.ndarray) -> np.ndarray:
        """Score many draws.

        Parameters
        ----------
        draws
            Shape (B, J), position of each school's arm.

        Returns
        -------
        numpy.ndarray
            Length B, whole numbers of 1 / `SCORE_UNIT`.
        """
        total_scores = np.zeros(len(draws), dtype=np.int64)
        for rows, difference in self._iterate_mean_differences(draws):
            if self.score == "max_difference":
                np.maximum(total_scores[rows], np.abs(difference).max(axis=1), out=total_scores[rows])
            elif self.score == "l2":
                total_scores[rows] += (difference**2).sum(axis=1)
            else:
                total_scores[rows] += ((difference @ np.array(self.inverse)) * difference).sum(axis=1)
        return total_scores

    def usable(self, draws: np.ndarray) -> np.ndarray:
        """Describe which of many draws may be used; shape (B,), of bool."""
        good = np.ones(len(draws), dtype=bool)
        if self.score_limit is not None:
            good &= self.scores(draws) <= self.score_limit
        if any(limit is not None for limit in self.limits):
            limits = np.array([_MOST if limit is None else limit for limit in self.limits])
            for rows, difference in self._iterate_mean_differences(draws):
                good[rows] &= (np.abs(difference) <= limits).all(axis=1)
        return good

    def _iterate_mean_differences(self, draws: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Give the differences of two arms' means, block by block and pair by pair; shape (rows, columns)."""
        values = np.array([column.values for column in self.columns], dtype=float).T
        for first in range(0, len(draws), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            block = draws[rows]
            ones = [block if self.n_arms == 2 and arm == 1 else block == arm for arm in range(self.n_arms)]
            if self.n_arms == 2:
                second = (block.astype(float) @ values, block.sum(axis=1, dtype=np.int64))
                first_sums = values.sum(axis=0) - second[0]
                sides = [(first_sums, block.shape[1] - second[1]), second]
            else:
                sides = [(arm_mask.astype(float) @ values, arm_mask.sum(axis=1)) for arm_mask in ones]
            for (low, n_low), (high, n_high) in itertools.combinations(sides, 2):
                over = high * n_low[:, None] - low * n_high[:, None]
                yield rows, np.trunc(over / (n_low * n_high)[:, None]).astype(np.int64)


def build_acceptance(read: SortedSchools, design: Design) -> Acceptance | None:
    """Return the constraint on certain schools, the limit of a best share not yet found; None without a constraint.

    Raises
    ------
    DesignError
        If a variable does not vary, or variables that follow from one another cannot be scored.
    """
    constraint = design.constraint
    if constraint is None:
        return None
    columns = read.standardised(constraint.variables, categories=constraint.categories)
    inverse = compute_inverse_correlations(columns) if constraint.score == "mahalanobis" else []
    acceptance_rule = Acceptance(
        score=constraint.score,
        columns=tuple(columns),
        inverse=tuple(tuple(row) for row in inverse),
        n_arms=len(design.arms),
        limits=_compute_column_limits(constraint, columns),
        score_limit=None
        if constraint.at_most is None
        else convert_to_whole_units(constraint.at_most, SCORE_UNIT[constraint.score]),
    )
    _check_size(acceptance_rule)
    return acceptance_rule


def convert_to_whole_units(number: float, unit: int) -> int:
    """Write a number as a whole number of 1 / unit, cut off.

    Examples
    --------
    >>> convert_to_whole_units(0.3, 10_000)
    3000
    """
    return int(Decimal(str(number)) * unit)


def _compute_column_limits(constraint: Constraint, columns: Sequence[Column]) -> tuple[int | None, ...]:
    stated = dict(constraint.limits)
    return tuple(
        convert_to_whole_units(stated[column.variable], UNIT) if column.variable in stated else None
        for column in columns
    )


def _check_size(found: Acceptance) -> None:
    """Refuse variables so many, or so skewed, that scores would not fit into 64 bits."""
    most = [2 * max(abs(value) for value in column.values) for column in found.columns]
    weights = found.inverse or [
        [int(row_index == other) for other in range(len(most))] for row_index in range(len(most))
    ]
    top = sum(
        abs(weights[row_index][other]) * most[row_index] * most[other]
        for row_index in range(len(most))
        for other in range(len(most))
    )
    if top * found.n_arms**2 >= _MOST:
        raise DesignError("design, constraint", "Its scores are too large to compute.", "Use fewer variables.")
