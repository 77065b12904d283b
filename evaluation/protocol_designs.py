"""What must hold in the design of a protocol: its parts go together, and the kinds of designs have what they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evaluation.comparison import (
    ANY,
    build_pooled_comparison,
    find_design_factors,
    find_outcome_wave,
    has_started_by_arm,
)
from evaluation.protocol import Problem, find_repeated_names, unknown

if TYPE_CHECKING:
    from evaluation.protocol import Protocol

_FACTORIAL = "Name four arms: without a factor (the first), with each of two, and with both."


def check_arm_names(protocol: Protocol) -> Iterator[Problem]:
    """Give an arm whose name means all arms together."""
    if ANY in protocol.arm_names and build_pooled_comparison(protocol) is not None:
        yield Problem(f"[[design.arms]] '{ANY}'", "the name means all arms together.", "Give the arm another name.")


def check_design(protocol: Protocol) -> Iterator[Problem]:
    """Give what the design lacks, and what contradicts it."""
    design = protocol.design
    if not design.method.is_drawn_here and not design.allocation:
        yield Problem(
            "[design], key 'allocation'",
            "a recorded draw needs the file that records it.",
            "Name a CSV file with the columns school_id and arm.",
        )
    if design.method.is_drawn_here and design.allocation:
        yield Problem(
            "[design], key 'allocation'",
            "a file is named, but the design draws.",
            'Leave the key out, or set kind = "recorded".',
        )
    for name in find_repeated_names(list(design.strata)):
        yield Problem("[design], key 'strata'", f"'{name}' is named twice.", "Name each column once.")
        return
    yield from _check_contradictions(protocol)


def _check_contradictions(protocol: Protocol) -> Iterator[Problem]:
    """Give what the design itself refuses: parts that do not go together."""
    from data_schema.errors import DesignError
    from evaluation.specifications import build_design

    if find_repeated_names(list(protocol.arm_names)):
        return
    try:
        build_design(protocol)
    except DesignError as error:
        yield Problem(_format_design_place(error.place), error.problem, error.remedy)


def _format_design_place(place: str) -> str:
    """Return a place of the design in the words of TOML.

    Examples
    --------
    >>> _format_design_place("design, constraint, limits"), _format_design_place("design, strata")
    ("[design.constraint], key 'limits'", "[design], key 'strata'")
    """
    _, *parts = place.split(", ")
    table = "design"
    if parts and parts[0] in ("constraint", "matching", "minimisation"):
        table = f"design.{parts.pop(0)}"
    return f"[{table}], key '{parts[0]}'" if parts else f"[{table}]"


def check_schedule(protocol: Protocol) -> Iterator[Problem]:
    """Give what is wrong with the arms' starts and factors."""
    design = protocol.design
    if not design.method.has_starts:
        yield from _check_misplaced_key(
            protocol, "starts", 'Leave the key out, or set kind = "waiting_list" or "stepped_wedge".'
        )
    if not design.method.has_factors:
        yield from _check_misplaced_key(protocol, "factors", 'Leave the key out, or set kind = "factorial".')
    if design.method.draws_classes != bool(design.units):
        yield Problem(
            "[design], key 'units'",
            f"the kind is '{design.kind}', and a file of classes is {'named' if design.units else 'missing'}.",
            'Name a CSV file with the columns school_id and class with kind "classes", and with no other.',
        )
    if design.method.has_starts:
        yield from _check_arm_starts(protocol)
    if design.method.has_factors:
        yield from _check_factors(protocol)


def _check_misplaced_key(protocol: Protocol, key: str, remedy: str) -> Iterator[Problem]:
    for arm in protocol.design.arms:
        if getattr(arm, key):
            place = f"[[design.arms]] '{arm.name}', key '{key}'"
            yield Problem(place, f"the design's kind is '{protocol.design.kind}'.", remedy)


def _check_arm_starts(protocol: Protocol) -> Iterator[Problem]:
    design, waves = protocol.design, protocol.wave_names
    if design.method.most_arms is not None and len(design.arms) > design.method.most_arms:
        yield Problem("[design], key 'kind'", "a waiting list has two arms.", 'Use kind = "stepped_wedge" for more.')
    for place, arm in enumerate(design.arms):
        where = f"[[design.arms]] '{arm.name}', key 'starts'"
        if arm.starts and arm.starts not in waves:
            yield unknown(where, arm.starts, waves, what="wave")
            return
        if place and not arm.starts:
            yield Problem(where, "this key is missing.", "Name the wave from which its schools have the programme.")
            return
    order = [waves.index(arm.starts) if arm.starts else len(waves) for arm in design.arms]
    if order != sorted(set(order), reverse=True):
        yield Problem(
            "[[design.arms]], key 'starts'",
            "the arms do not start one after the other, the reference being the last.",
            "List the arms from the one that starts last (or never) to the one that starts first.",
        )


def _check_factors(protocol: Protocol) -> Iterator[Problem]:
    arms = protocol.design.arms
    names = find_design_factors(protocol.design)
    wanted = [(), *((name,) for name in names), names]
    stated = [tuple(sorted(arm.factors)) for arm in arms]
    both = sorted(tuple(sorted(group)) for group in wanted)
    if len(names) != 2 or arms[0].factors or sorted(stated) != both:
        yield Problem("[[design.arms]], key 'factors'", "these are not the arms of two factors.", _FACTORIAL)


def check_contrasts_exist(protocol: Protocol) -> Iterator[Problem]:
    """Give the analyses of a waiting list or stepped wedge in whose wave no arm, or every arm, has the programme."""
    if not protocol.design.method.has_starts:
        return
    for analysis in protocol.analyses:
        wave = find_outcome_wave(protocol, protocol.outcome(analysis.outcome))
        if wave not in protocol.wave_names:
            continue
        started = has_started_by_arm(protocol, wave).values()
        if all(started) or not any(started):
            who = "every arm" if all(started) else "no arm"
            yield Problem(
                f"[[analyses]] '{analysis.name}'",
                f"in the wave '{wave}' {who} has the programme: nothing is compared.",
                "Analyse an outcome of a wave in which some schools have started and others wait.",
            )
