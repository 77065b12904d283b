"""Complete draws: numbers of schools as even as can be, without strata."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from randomisation.designs.stratified import Stratified

if TYPE_CHECKING:
    from randomisation.design import Design


class Complete(Stratified):
    """All schools are one stratum."""

    name: ClassVar[str] = "complete"
    takes_strata: ClassVar[bool] = False
    takes_misfits: ClassVar[bool] = False

    def describe(self, design: Design) -> str:  # noqa: ARG002 -- all complete draws are alike
        """Return the kind in a word."""
        return self.name
