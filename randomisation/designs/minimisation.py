"""Minimisation: schools join one by one, and most of them get the arm that keeps the arms alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from data_schema.errors import DesignError
from randomisation.designs.kind import DesignKind, Listing, build_equal_probabilities

if TYPE_CHECKING:
    import numpy as np

    from randomisation.design import Design
    from randomisation.minimised import Joined
    from randomisation.schools import SortedSchools

N_REDRAWS = 100_000
"""Re-draws that probabilities come from where ratios are unequal."""

_REDRAWS_SEED = "crocoos candidates"


class Minimisation(DesignKind):
    """One by one; see `randomisation.minimised`."""

    name: ClassVar[str] = "minimisation"
    algorithm: ClassVar[str] = "crocoos-minimised-1"
    fixes_numbers: ClassVar[bool] = False
    joins_one_by_one: ClassVar[bool] = True

    def check(self, design: Design) -> None:
        """Refuse a design without factors, or with a constraint."""
        super().check(design)
        if not design.strata or design.constraint is not None:
            raise DesignError(
                "design, minimisation",
                "It needs strata to keep alike, and takes no constraint.",
                "Name the factors as strata, and leave the constraint out.",
            )

    def describe(self, design: Design) -> str:
        """Return in what the arms are kept alike."""
        return f"minimised in {', '.join(design.strata)}"

    def explain(self, design: Design, beginning: str) -> str:
        """Return how a school that joins gets its arm."""
        from randomisation.minimised import get_minimising_rule

        return (
            f"{beginning}, one by one as they join: in {get_minimising_rule(design).chance} of 100 cases to an "
            "arm that keeps the "
            f"arms most alike in {' and '.join(design.strata)}, otherwise by the ratio alone."
        )

    def check_schools(self, read: SortedSchools, design: Design, *, is_late: bool) -> None:
        """Take any number of schools: nobody knows how many will join."""

    def draws(
        self, read: SortedSchools, design: Design, *, seed: str, before: Sequence[Joined]
    ) -> Iterator[tuple[str, ...]]:
        """Yield the one draw of a seed, of which each school has a stream of its own."""
        from randomisation.minimised import draw_minimised

        yield draw_minimised(read, design, seed=seed, before=before)

    def redraw(self, read: SortedSchools, design: Design, *, n_draws: int, seed: str, start: int) -> np.ndarray:
        """Let the schools join in their order many times."""
        from randomisation.blocks import BLOCK, draw_blocks
        from randomisation.minimised import draw_many_minimised, get_minimising_rule, sort_by_joining_order

        order = sort_by_joining_order(read, design)
        values = [read.stratum_values[school] for school in order]
        chance = get_minimising_rule(design).chance
        drawn = draw_blocks(
            lambda generator: draw_many_minimised(
                values, generator, ratios=design.ratios, chance=chance, n_draws=BLOCK
            ),
            shape=(BLOCK, len(order)),
            n_draws=n_draws,
            seed=seed,
            start=start,
        )
        return drawn[:, sorted(range(len(order)), key=order.__getitem__)]

    def count(self, read: SortedSchools, design: Design) -> int:
        """Return the number of sequences of arms: every one can come about."""
        return int(len(design.arms) ** len(read.ids))

    def list_all(self, read: SortedSchools, design: Design) -> Listing:
        """Return what can come about when schools join in their order."""
        import numpy as np

        from randomisation.minimised import Joined, build_minimisation, enumerate_minimised, sort_by_joining_order

        order = sort_by_joining_order(read, design)
        joined = [Joined(school=read.ids[place], values=read.stratum_values[place], arm="") for place in order]
        positions, shares = enumerate_minimised(build_minimisation(design, seed="all", joined=joined))
        sorted_back = np.empty_like(positions)
        sorted_back[:, order] = positions
        return sorted_back, shares

    def probabilities(self, read: SortedSchools, design: Design) -> np.ndarray:
        """Return the ratio's shares; with unequal ratios, what so many re-draws give."""
        import numpy as np

        if len(set(design.ratios)) == 1:
            return build_equal_probabilities(design.probabilities.values(), read)
        draws = self.redraw(read, design, n_draws=N_REDRAWS, seed=_REDRAWS_SEED, start=0)
        return np.stack([(draws == arm).mean(axis=0) for arm in range(len(design.arms))], axis=1)
