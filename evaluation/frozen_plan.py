"""The frozen plan: what the protocol said before data were seen, and what has been changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluation.protocol import Analysis, Protocol
from evaluation.protocol_reader import add_protocol_defaults, load_toml
from evaluation.provenance import hash_file
from evaluation.wording import extract_substance, find_differences, find_exchanged_labels

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
    then, now = add_protocol_defaults(load_toml(frozen_path)), add_protocol_defaults(load_toml(protocol_path))
    plan_differences = tuple(find_differences(then, now, Protocol))
    exchanged = find_exchanged_labels(_collect_outcome_labels(then), _collect_outcome_labels(now))
    return PlanState(
        frozen=True,
        sha256=hash_file(frozen_path),
        changes=tuple(difference.text for difference in plan_differences if not difference.is_wording),
        rewordings=tuple(difference.text for difference in plan_differences if difference.is_wording),
        unplanned=frozenset(
            item.name
            for item in protocol.analyses
            if _extract_analysis_substance(then, item) != _extract_analysis_substance(now, item)
            or item.outcome in exchanged
        ),
    )


def _collect_outcome_labels(values: Mapping[str, object]) -> Mapping[str, str]:
    listed = values.get("outcomes")
    entries = listed if isinstance(listed, list) else []
    return {
        str(entry["name"]): str(entry["label"])
        for entry in entries
        if isinstance(entry, Mapping) and {"name", "label"} <= set(entry)
    }


def _extract_analysis_substance(values: Mapping[str, object], analysis: Analysis) -> object:
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
    return extract_substance(parts, Protocol)
