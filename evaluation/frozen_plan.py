"""The frozen plan: what the protocol said before data were seen, and what has been changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.protocol import Analysis, Protocol
from evaluation.protocol_reader import load_toml, stated_values
from evaluation.provenance import sha256_of_file
from evaluation.wording import differences_between, exchanged_labels, substance_of

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
        What the protocol says otherwise now, a line each: "outcomes.dropout.direction: 'lower' became 'higher'".
    rewordings
        The same of labels, titles and other text that nothing is computed from.
    unplanned
        Names of analyses that were not in the frozen plan, or whose entry, outcome or covariates have changed since;
        their wording does not count, unless outcomes exchanged their labels.
    """

    frozen: bool
    sha256: str = ""
    changes: tuple[str, ...] = ()
    rewordings: tuple[str, ...] = ()
    unplanned: frozenset[str] = frozenset()


def plan_state(protocol_path: Path, plan_folder: Path, protocol: Protocol) -> PlanState:
    """Compare the protocol with the frozen plan."""
    frozen_path = plan_folder / FROZEN
    if not frozen_path.exists():
        return PlanState(frozen=False)
    then, now = stated_values(load_toml(frozen_path)), stated_values(load_toml(protocol_path))
    found = tuple(differences_between(then, now, Protocol))
    exchanged = exchanged_labels(_outcome_labels(then), _outcome_labels(now))
    return PlanState(
        frozen=True,
        sha256=sha256_of_file(frozen_path),
        changes=tuple(one.text for one in found if not one.is_wording),
        rewordings=tuple(one.text for one in found if one.is_wording),
        unplanned=frozenset(
            item.name
            for item in protocol.analyses
            if _entry(then, item) != _entry(now, item) or item.outcome in exchanged
        ),
    )


def _outcome_labels(values: Mapping[str, object]) -> Mapping[str, str]:
    listed = values.get("outcomes")
    entries = listed if isinstance(listed, list) else []
    return {
        str(one["name"]): str(one["label"])
        for one in entries
        if isinstance(one, Mapping) and {"name", "label"} <= set(one)
    }


def _entry(values: Mapping[str, object], analysis: Analysis) -> object:
    """Return all substance that settles an analysis: its entry, its outcome, its covariates, the population."""
    named = {
        "analyses": {analysis.name},
        "outcomes": {analysis.outcome},
        "covariates": set(analysis.covariates),
    }
    parts: dict[str, object] = {name: values.get(name) for name in ("population", "inference")}
    for table, names in named.items():
        entries = values.get(table)
        listed = entries if isinstance(entries, list) else []
        parts[table] = [entry for entry in listed if isinstance(entry, Mapping) and entry.get("name") in names]
    return substance_of(parts, Protocol)
