"""The schools that an analysis compares: the design's arms, or groups of them.

In a stepped wedge, schools whose arm has started by the wave of an outcome are compared with those that still wait. In
a factorial design the arms are compared with the one that has no factor, and each factor's margin beside that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from evaluation.protocol import DesignSection, Measure, Outcome, Protocol

WAITING, STARTED = "waiting", "started"
"""Groups of a stepped wedge."""

ANY = "any"
"""Group of all arms other than the reference together, in designs of three arms or more."""

WITHOUT = "without"
"""Group of a factorial design's schools that do not have the factor that is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Groups that an analysis compares.

    Parameters
    ----------
    labels
        Name of each group and what reports call it, the reference first.
    group_of
        Group of each of the design's arms.
    """

    labels: Mapping[str, str]
    group_of: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups, the reference first."""
        return tuple(self.labels)

    def positions(self, positions: np.ndarray, arms: tuple[str, ...]) -> np.ndarray:
        """Return the positions of groups from those of arms, of any shape."""
        import numpy as np

        return np.asarray(np.array([self.names.index(self.group_of[arm]) for arm in arms])[positions])


def build_comparison(protocol: Protocol, outcome: Outcome) -> Comparison:
    """Return what is compared in an outcome."""
    design = protocol.design
    if not design.method.has_starts:
        labels = {arm.name: arm.label for arm in design.arms}
        return Comparison(labels=labels, group_of={name: name for name in labels})
    started = has_started_by_arm(protocol, find_outcome_wave(protocol, outcome))
    labels = {WAITING: design.waiting_label, STARTED: design.started_label}
    return Comparison(labels=labels, group_of={arm: STARTED if on else WAITING for arm, on in started.items()})


def build_pooled_comparison(protocol: Protocol) -> Comparison | None:
    """Return the comparison of all arms other than the reference combined with it.

    None where it would say nothing more (two arms) or something else (schools that start later; factors, whose margins
    are compared).
    """
    design = protocol.design
    if len(design.arms) < 3 or design.method.has_starts or find_design_factors(design):
        return None
    first, *others = design.arms
    group_of = {first.name: first.name, **{arm.name: ANY for arm in others}}
    label = " / ".join(arm.label for arm in others)
    return Comparison(labels={first.name: first.label, ANY: label}, group_of=group_of)


def build_primary_comparison(protocol: Protocol) -> Comparison:
    """Return what is compared in the first primary outcome."""
    first = next(analysis for analysis in protocol.analyses if analysis.role == "primary")
    return build_comparison(protocol, protocol.outcome(first.outcome))


def build_factor_comparisons(design: DesignSection) -> dict[str, Comparison]:
    """Return, for each factor of a factorial design, the comparison of schools with it and without it."""
    comparisons = {}
    for factor in find_design_factors(design):
        group_of = {arm.name: factor if factor in arm.factors else WITHOUT for arm in design.arms}
        label = next(arm.label for arm in design.arms if arm.factors == (factor,))
        comparisons[factor] = Comparison(labels={WITHOUT: WITHOUT, factor: label}, group_of=group_of)
    return comparisons


def find_design_factors(design: DesignSection) -> tuple[str, ...]:
    """Return the factors of a factorial design in the order in which the arms name them; none of another."""
    return tuple(dict.fromkeys(factor for arm in design.arms for factor in arm.factors))


def find_outcome_wave(protocol: Protocol, outcome: Measure) -> str:
    """Return the wave in which an outcome is measured; the first where its table has none, as a baseline has."""
    return outcome.wave or protocol.population_wave


def has_started_by_arm(protocol: Protocol, wave: str) -> dict[str, bool]:
    """Return for each arm whether its schools have the programme in a wave."""
    order = protocol.wave_names
    now = order.index(wave)
    return {arm.name: bool(arm.starts) and order.index(arm.starts) <= now for arm in protocol.design.arms}
