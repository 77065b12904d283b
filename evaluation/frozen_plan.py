"""The frozen plan: what the protocol said before data were seen, and what has been changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.protocol import Analysis, Protocol
from evaluation.protocol_reader import load_toml
from evaluation.provenance import sha256_of_file

FROZEN = "trial.toml"
"""File in plan/ that keeps the protocol as it was frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """How the protocol stands to the plan that was frozen.

    Parameters
    ----------
    frozen
        Whether a plan was frozen.
    sha256
        Hash of the frozen file; "" when none was.
    changes
        What the protocol says otherwise now, a line each: "[[outcomes]] 'dropout', direction: 'lower' became 'higher'".
    unplanned
        Names of analyses that were not in the frozen plan, or whose entry, outcome or covariates have changed since.
    """

    frozen: bool
    sha256: str = ""
    changes: tuple[str, ...] = ()
    unplanned: frozenset[str] = frozenset()


def plan_state(protocol_path: Path, plan_folder: Path, protocol: Protocol) -> PlanState:
    """Compare the protocol with the frozen plan."""
    frozen_path = plan_folder / FROZEN
    if not frozen_path.exists():
        return PlanState(frozen=False)
    then, now = load_toml(frozen_path), load_toml(protocol_path)
    return PlanState(
        frozen=True,
        sha256=sha256_of_file(frozen_path),
        changes=tuple(differences(then, now)),
        unplanned=frozenset(item.name for item in protocol.analyses if _entry(then, item) != _entry(now, item)),
    )


def _entry(values: Mapping[str, object], analysis: Analysis) -> object:
    """Return everything that settles an analysis: its entry, its outcome, its covariates, the population."""
    named = {
        "analyses": {analysis.name},
        "outcomes": {analysis.outcome},
        "covariates": set(analysis.covariates),
    }
    parts: list[object] = [values.get("population"), values.get("inference")]
    for table, names in named.items():
        entries = values.get(table)
        found = entries if isinstance(entries, list) else []
        parts.append([entry for entry in found if isinstance(entry, Mapping) and entry.get("name") in names])
    return parts


def differences(then: object, now: object, place: str = "") -> Iterator[str]:
    """List what differs between two protocols' values, each with its place."""
    if then == now:
        return
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in [*then, *(key for key in now if key not in then)]:
            inside = f"{place}.{key}" if place else str(key)
            if key not in now:
                yield f"{inside} was removed"
            elif key not in then:
                yield f"{inside} was added"
            else:
                yield from differences(then[key], now[key], inside)
    elif _named(then) and _named(now):
        yield from differences(_by_name(then), _by_name(now), place)
    else:
        yield f"{place}: {then!r} became {now!r}"


def _named(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(item, Mapping) and "name" in item for item in entries)


def _by_name(entries: object) -> dict[str, object]:
    found = entries if isinstance(entries, list) else []
    return {str(entry["name"]): {key: value for key, value in entry.items() if key != "name"} for entry in found}
