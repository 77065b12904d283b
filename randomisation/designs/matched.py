"""Matched draws: pairs or triplets of alike schools are strata, within the other ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from data_schema.errors import DesignError
from randomisation.designs.stratified import Stratified

if TYPE_CHECKING:
    from randomisation.design import Design
    from randomisation.matching import Matching

SET_SIZES = (2, 3)
"""How many schools may be in a matched set."""


class Matched(Stratified):
    """Within sets of alike schools; see `randomisation.sets`."""

    name: ClassVar[str] = "matched"
    algorithm: ClassVar[str] = "crocoos-matched-1"
    takes_misfits: ClassVar[bool] = False

    def check(self, design: Design) -> None:
        """Refuse ratios that make neither pairs nor triplets."""
        super().check(design)
        if sum(design.ratios) not in SET_SIZES:
            raise DesignError(
                "design, arms",
                f"The ratio {design.ratio_in_words} makes sets of {sum(design.ratios)} schools.",
                "Match pairs (1:1) or triplets (1:1:1, 2:1 or 1:2).",
            )

    def describe(self, design: Design) -> str:
        """Return what is matched on, and within which strata."""
        matched = f"matched on {', '.join(_get_matching_rule(design).variables)}"
        return ", ".join([*([super().describe(design)] if design.strata else []), matched])

    def explain(self, design: Design, beginning: str) -> str:
        """Return within which sets schools get their arm."""
        size = "pairs" if sum(design.ratios) == min(SET_SIZES) else "sets of three"
        strata = f"of the same {' and '.join(design.strata)} " if design.strata else ""
        return (
            f"{beginning}, within {size} of schools {strata}that are {_get_matching_rule(design).in_words()}. "
            "Schools that are left over are allocated among one another, so that the arms' numbers stay even."
        )


def _get_matching_rule(design: Design) -> Matching:
    # A design of this kind without one cannot be made.
    return cast("Matching", design.matching)
