"""Kinds of designs, one class per kind: what each takes, draws, draws again, counts and says of itself.

The protocol takes its kinds from `DESIGNS`, a `Design` those that are drawn in a way of their own. Each file declares;
what computes is imported when schools are drawn, because every command reads the protocol.
"""

from __future__ import annotations

from randomisation.designs.arranged import Classes, Factorial, Recorded, SteppedWedge, WaitingList
from randomisation.designs.complete import Complete
from randomisation.designs.kind import DesignKind
from randomisation.designs.matched import Matched
from randomisation.designs.minimisation import Minimisation
from randomisation.designs.simple import Simple
from randomisation.designs.stratified import Stratified

_KINDS: tuple[DesignKind, ...] = (
    Simple(),
    Complete(),
    Stratified(),
    Matched(),
    Minimisation(),
    Classes(),
    WaitingList(),
    SteppedWedge(),
    Factorial(),
    Recorded(),
)
DESIGNS: dict[str, DesignKind] = {kind.name: kind for kind in _KINDS}
DRAWN: dict[str, DesignKind] = {kind.name: kind for kind in _KINDS if not kind.drawn_as}
"""Those that a design, its record and the verifier name; the others are drawn as one of them."""

__all__ = ["DESIGNS", "DRAWN", "DesignKind", "Matched", "Minimisation"]
