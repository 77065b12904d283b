"""What is fresh, stale or missing, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluation.provenance import previous_of, read_record, sha256_of_file, version

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """How a stage stands.

    Parameters
    ----------
    stage
        Its name.
    state
        "fresh": what it wrote rests on what is there now; "stale": it does not; "missing": it was not run.
    reasons
        Why it is not fresh, a sentence each; what to do before it when it was never run.
    """

    stage: str
    state: State
    reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the status as JSON values."""
        return {"stage": self.stage, "state": self.state, "reasons": list(self.reasons)}


def stage_status(stage: str, folder: Path, *, inputs: Mapping[str, str], stale_before: tuple[str, ...]) -> StageStatus:
    """Compare a stage's record with what is there now.

    Parameters
    ----------
    stage
        Its name.
    folder
        The folder that it wrote.
    inputs
        Name of each input to its hash now; "" for one that is not there.
    stale_before
        Stages before it that are not fresh.
    """
    record = read_record(folder)
    if record is None or record.stage != stage:
        return StageStatus(stage=stage, state="missing", reasons=(*_amid_a_swap(folder), *_first(stale_before)))
    reasons = [
        f"{name} {_change(record.inputs, inputs, name)}."
        for name in sorted({*inputs, *record.inputs})
        if record.inputs.get(name, "") != inputs.get(name, "")
    ]
    reasons += [
        f"{path} was changed or removed after it was written."
        for path, digest in record.outputs.items()
        if sha256_of_file(folder / path) != digest
    ]
    reasons += [f"The stage before it, {name}, is not fresh." for name in stale_before]
    if record.version != version():
        reasons.append(f"It was made by version {record.version}, this is {version()}.")
    return StageStatus(stage=stage, state="stale" if reasons else "fresh", reasons=tuple(reasons))


def _amid_a_swap(folder: Path) -> tuple[str, ...]:
    """Return the reason that a run is writing the folder, or was killed at it: a reader does not touch it."""
    if folder.exists() or not previous_of(folder).exists():
        return ()
    return (
        "Another run is putting it in its place, or was stopped while it did; the next one that writes settles it.",
    )


def _first(stale_before: tuple[str, ...]) -> tuple[str, ...]:
    return (f"Run {stale_before[0]} first.",) if stale_before else ()


def _change(then: Mapping[str, str], now: Mapping[str, str], name: str) -> str:
    if not then.get(name):
        return "is new since"
    return "has changed" if now.get(name) else "is gone"
