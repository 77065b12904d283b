"""Draws within strata: numbers of schools in balance at every level, then which schools; and what cannot be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_schema.errors import DesignError
from randomisation.canonical import format_quoted_list
from randomisation.misfits import (
    BALANCED,
    build_misfit_plan,
    compute_fewest_schools,
    compute_misfit_probabilities,
    draw_misfits,
)
from randomisation.settle import draw_settlement, find_leftovers
from randomisation.stream import Source

if TYPE_CHECKING:
    from randomisation.design import Design
    from randomisation.schools import SortedSchools


def draw_within(read: SortedSchools, design: Design, source: Source) -> tuple[str, ...]:
    """Draw each school's arm with random numbers from a source."""
    cells = read.cells()
    sizes = {key: len(members) for key, members in cells.items()}
    if design.misfits == BALANCED:
        counts = draw_settlement(find_leftovers(sizes, design.ratios), source)
    else:
        counts = draw_misfits(build_misfit_plan(tuple(sizes.values()), design.ratios, design.misfits), source)
    arms = [""] * len(read.ids)
    for members, row in zip(cells.values(), counts, strict=True):
        source.shuffle(members)
        handed_out = (name for name, n in zip(design.names, row, strict=True) for _ in range(n))
        for school, name in zip(members, handed_out, strict=True):
            arms[school] = name
    return tuple(arms)


def compute_probabilities_within(read: SortedSchools, design: Design) -> np.ndarray:
    """Return the probability of each arm for each school, shape (J, arms): the ratio's, or a misfit strategy's."""
    if design.misfits == BALANCED:
        return np.tile([float(share) for share in design.probabilities.values()], (len(read.ids), 1))
    cells = read.cells()
    plan = build_misfit_plan([len(members) for members in cells.values()], design.ratios, design.misfits)
    table = np.empty((len(read.ids), len(design.arms)))
    for members, row in zip(cells.values(), compute_misfit_probabilities(plan), strict=True):
        table[members] = [float(share) for share in row]
    return table


def check_shares(read: SortedSchools, design: Design) -> None:
    """Raise DesignError if an arm could stay empty by its share of the schools, or in strata that are too small."""
    if design.misfits != BALANCED:
        _check_misfits(design, read)
        return
    n_schools = len(read.ids)
    unit = sum(design.ratios)
    bare = [arm.name for arm in design.arms if n_schools * arm.ratio < unit]
    if bare:
        raise DesignError(
            f"design, arm {format_quoted_list(bare)}",
            f"It could stay empty: the ratio {design.ratio_in_words} gives it less than one of {n_schools} schools.",
            f"Recruit {-(-unit // min(design.ratios))} schools or more, or state a more even ratio.",
        )


def _check_misfits(design: Design, read: SortedSchools) -> None:
    sizes = [len(members) for members in read.cells().values()]
    least = compute_fewest_schools(build_misfit_plan(sizes, design.ratios, design.misfits))
    bare = [name for name, n in zip(design.names, least, strict=True) if n == 0]
    if bare:
        raise DesignError(
            f"design, arm {format_quoted_list(bare)}",
            f"It could stay empty: the strata are too small for misfits '{design.misfits}'.",
            "Form larger strata, recruit more schools, or leave 'misfits' out.",
        )
