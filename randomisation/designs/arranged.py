"""Designs that are drawn in strata, and whose arms, units or origin make them what they are."""

from __future__ import annotations

from typing import ClassVar

from randomisation.designs.stratified import Stratified


class Classes(Stratified):
    """Classes get their arm, not schools: the school is their innermost stratum."""

    name: ClassVar[str] = "classes"
    drawn_as: ClassVar[str] = Stratified.name
    draws_classes: ClassVar[bool] = True


class SteppedWedge(Stratified):
    """The arms start one after the other; the reference starts last, or never."""

    name: ClassVar[str] = "stepped_wedge"
    drawn_as: ClassVar[str] = Stratified.name
    has_starts: ClassVar[bool] = True


class WaitingList(SteppedWedge):
    """A stepped wedge of two arms."""

    name: ClassVar[str] = "waiting_list"
    most_arms: ClassVar[int | None] = 2


class Factorial(Stratified):
    """Two factors: schools get neither, one, the other or both."""

    name: ClassVar[str] = "factorial"
    drawn_as: ClassVar[str] = Stratified.name
    has_factors: ClassVar[bool] = True


class Recorded(Stratified):
    """A draw that was made elsewhere, and is adopted; re-drawn as if it had been made in strata."""

    name: ClassVar[str] = "recorded"
    drawn_as: ClassVar[str] = Stratified.name
    is_drawn_here: ClassVar[bool] = False
