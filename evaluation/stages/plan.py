"""plan: freeze the protocol, so that everybody can see later what was planned and what was not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from evaluation.frame import check_frame
from evaluation.frozen_plan import FROZEN, PlanState
from evaluation.provenance import hash_bytes, hash_file, hash_json_values, stage_folder
from evaluation.specifications import build_design
from evaluation.stages import inputs_of
from evaluation.trial_log import Event, build_log_announcement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from data_schema.findings import Findings
    from evaluation.folder import TrialFolder
    from randomisation.log import LogEntry

_FREEZE_ANOTHER = "`crocoos plan --freeze --reason TEXT`. Every document will tell when, and what was known by then."

_REWORDED = "its file was gone, and by the hash of its substance nothing but wording differs"
"""What the log says, where nobody gives a reason, of a plan that is frozen in place of one that is gone."""

_EARLIER = re.compile(r"earlier_\d+\.toml")


def check_frame_columns(trial: TrialFolder) -> Findings | None:
    """Open the sampling frame and return what is odd in columns that nothing reads; None before there is a frame.

    Raises
    ------
    DataError
        With every finding in columns that the trial reads.
    DesignError
        When the schools that agreed are not such that the design can be drawn.
    """
    from evaluation.stages.commit import read_checked_schools
    from randomisation.draw import read_drawable_schools

    path = trial.paths.root / trial.protocol.schools.file
    if not path.exists():
        return None
    schools = read_checked_schools(trial)
    if trial.protocol.design.method.is_drawn_here:
        read_drawable_schools(schools, build_design(trial.protocol))
    return check_frame(trial.schools_file(), trial.protocol)


def plan(trial: TrialFolder, *, freeze: bool, reason: str = "") -> PlanState:
    """Describe how the protocol stands to the frozen plan, and freeze it when asked.

    A plan is frozen once. Another one needs a reason, which the log keeps and every document tells; the earlier plan
    stays in plan/. The same plan is written again where its folder is gone, without another line in the log; one that
    differs in wording alone needs no reason.

    Raises
    ------
    ProtocolError
        When another plan was frozen before, as plan/ or the log have it, and no reason is given.
    DataError
        When the sampling frame is there and the schools cannot be drawn from it as it is.
    StorageError
        When the log is missing or broken.
    """
    check_frame_columns(trial)
    if not freeze:
        return trial.plan_state
    entry, state = trial.log().naming("protocol_sha256", Event.PLAN_FROZEN), trial.plan_state
    trial.log().checked()
    named = entry.detail["protocol_sha256"] if entry is not None else ""
    if state.frozen and state.sha256 == named and not state.changes:
        return state
    content = trial.paths.protocol.read_bytes()
    digest = hash_bytes(content)
    if named and named != digest and not reason.strip():
        if not _is_reworded(trial, entry):
            raise _build_changed_plan_error(trial, named)
        reason = _REWORDED
    detail = {"protocol_sha256": digest, "substance_sha256": _hash_plan_substance(trial), "reason": reason.strip()}
    announce = build_log_announcement(trial, Event.PLAN_FROZEN, detail) if named != digest else None
    earlier = _read_earlier_plans(trial, digest)
    with stage_folder(trial.paths.plan, stage="plan", inputs=inputs_of(trial, "plan"), announce=announce) as folder:
        (folder / FROZEN).write_bytes(content)
        for name, old in earlier.items():
            (folder / name).write_bytes(old)
    return trial.plan_state


def _is_reworded(trial: TrialFolder, entry: LogEntry | None) -> bool:
    """Return whether the plan's file is gone, and the protocol differs from it, by the log, in nothing but wording."""
    is_gone = not (trial.paths.plan / FROZEN).exists()
    return is_gone and entry is not None and entry.detail.get("substance_sha256") == _hash_plan_substance(trial)


def _hash_plan_substance(trial: TrialFolder) -> str:
    """Return the hash of what the plan settles, without its wording."""
    return hash_json_values(trial.protocol_hashes(*type(trial.protocol).model_fields))


def _build_changed_plan_error(trial: TrialFolder, named: str) -> ProtocolError:
    """Return why another plan is not frozen without a reason."""
    state, path = trial.plan_state, trial.paths.plan / FROZEN
    if hash_file(path) == named:
        return ProtocolError(
            "plan/trial.toml",
            f"the plan was frozen before, and the protocol has changed since ({len(state.changes)} changes).",
            "Leave it: reports will list the changes and mark what was not planned. `crocoos plan` shows them. If the"
            f" plan itself must be replaced, say why: {_FREEZE_ANOTHER}",
        )
    what = "is not as it was frozen" if path.exists() else "is gone"
    return ProtocolError(
        "plan/trial.toml",
        f"the plan that was frozen (SHA-256 {named}) {what}, and the protocol is another one now.",
        f"Bring the file back from a copy. If there is none, say why another plan is frozen: {_FREEZE_ANOTHER}",
    )


def _read_earlier_plans(trial: TrialFolder, digest: str) -> Mapping[str, bytes]:
    """Return the plans that were frozen before and stay in the folder, by name."""
    folder: Path = trial.paths.plan
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    earlier_plans = {path.name: path.read_bytes() for path in files if _EARLIER.fullmatch(path.name)}
    if hash_file(folder / FROZEN) not in ("", digest):
        earlier_plans[f"earlier_{len(earlier_plans) + 1}.toml"] = (folder / FROZEN).read_bytes()
    return earlier_plans
