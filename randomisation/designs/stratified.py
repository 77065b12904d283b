"""Stratified draws: the same numbers of schools for every arm in each stratum, up to rounding, and in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from randomisation.designs.kind import DrawnFromOneStream, Listing, check_enough

if TYPE_CHECKING:
    import numpy as np

    from randomisation.design import Design
    from randomisation.schools import SortedSchools
    from randomisation.stream import Source


class Stratified(DrawnFromOneStream):
    """Within strata, and in balance at every level of them; see `randomisation.settle` and `randomisation.misfits`."""

    name: ClassVar[str] = "stratified"
    takes_misfits: ClassVar[bool] = True

    def describe(self, design: Design) -> str:
        """Return what is stratified by."""
        return f"stratified by {', '.join(design.strata)}" if design.strata else "without strata"

    def explain(self, design: Design, beginning: str) -> str:
        """Return how schools get their arm, at which levels numbers are in balance, and what becomes of misfits."""
        from randomisation.misfits import BALANCED, STRATEGIES

        within = f", within strata formed by {' and '.join(design.strata)}" if design.strata else ""
        if design.misfits != BALANCED:
            return f"{beginning}{within}. Schools left over are allocated {STRATEGIES[design.misfits]}."
        if not design.strata:
            return f"{beginning}."
        levels = f"in all schools together and within each {design.strata[0]}"
        for depth in range(2, len(design.strata) + 1):
            levels += f", and within each combination of {' and '.join(design.strata[:depth])}"
        return (
            f"{beginning}{within}. "
            f"The number of schools in an arm differs from its exact share by less than one school {levels}."
        )

    def check_schools(self, read: SortedSchools, design: Design, *, is_late: bool) -> None:
        """Refuse schools of which an arm could get none; late ones may be few unless draws of them are constrained."""
        from randomisation.strata_draws import check_shares

        if is_late and design.constraint is None:
            return
        check_enough(read, design)
        check_shares(read, design)

    def draw_once(self, read: SortedSchools, design: Design, source: Source) -> tuple[str, ...]:
        """Settle how many schools of each stratum go to each arm, and draw which."""
        from randomisation.strata_draws import draw_within

        return draw_within(read, design, source)

    def redraw(self, read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
        """Draw many times."""
        from randomisation.blocks import draw_many_within_strata

        return draw_many_within_strata(read, design, n_draws=n_draws, seed=seed, start=start)

    def count(self, read: SortedSchools, design: Design) -> int:
        """Return the number of allocations that keep to ratio and balance."""
        from randomisation.settlements import count_within

        return count_within(read, design)

    def list_all(self, read: SortedSchools, design: Design) -> Listing:
        """Return every allocation that keeps to ratio and balance."""
        from randomisation.settlements import list_within

        return list_within(read, design)

    def probabilities(self, read: SortedSchools, design: Design) -> np.ndarray:
        """Return the ratio's shares; where misfits are handed out without regard to them, those of the strategy."""
        from randomisation.strata_draws import compute_probabilities_within

        return compute_probabilities_within(read, design)
