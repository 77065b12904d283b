"""Outcomes that are numbers: scores, marks, scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from analysis.outcomes.kind import OutcomeKind

if TYPE_CHECKING:
    from analysis.arms import ArmData
    from analysis.results import Estimate
    from analysis.variance_components import Components


@dataclass(frozen=True, slots=True)
class Continuous(OutcomeKind):
    """A number per pupil, of which arms have means."""

    name: ClassVar[str] = "continuous"

    def standardised_rows(
        self,
        differences: Sequence[Estimate],
        arms: Sequence[ArmData],
        *,
        design: Components,
        unconditional: Components,
    ) -> list[Estimate]:
        """Return the differences of means as Hedges' g, within arms and strata and unconditional."""
        from analysis.effect_sizes import hedges_g, hedges_g_unconditional

        sizes = {data.arm: data.sizes for data in arms}
        rows = []
        for difference in differences:
            rows.append(hedges_g(difference, total_variance=design.total, variance_df=design.variance_df))
            rows.append(
                hedges_g_unconditional(
                    difference,
                    school_variance=unconditional.school,
                    pupil_variance=unconditional.pupil,
                    variance_df=unconditional.variance_df,
                    sizes_reference=sizes[arms[0].arm],
                    sizes_arm=sizes[difference.arm],
                )
            )
        return rows
