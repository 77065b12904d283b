"""plan: freeze the protocol, so that everybody can see later what was planned and what was not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from evaluation.frame import check_frame
from evaluation.frozen_plan import FROZEN, PlanState, plan_state
from evaluation.provenance import sha256, stage_folder
from evaluation.stages import inputs_of

if TYPE_CHECKING:
    from data_schema.findings import Findings
    from evaluation.trial import Trial


def frame_findings(trial: Trial) -> Findings | None:
    """Open the sampling frame and return what is odd in columns that nothing reads; None before there is a frame.

    Raises
    ------
    DataError
        With every finding in columns that the trial reads.
    """
    from evaluation.stages.commit import checked_schools

    path = trial.paths.root / trial.protocol.schools.file
    if not path.exists():
        return None
    checked_schools(trial)
    return check_frame(path, trial.protocol)


def plan(trial: Trial, *, freeze: bool) -> PlanState:
    """Say how the protocol stands to the frozen plan, and freeze it when asked.

    Raises
    ------
    ProtocolError
        When another protocol was frozen before: a plan is frozen once, and what changes later stays visible.
    DataError
        When the sampling frame is there and the schools cannot be drawn from it as it is.
    """
    frame_findings(trial)
    if not freeze:
        return trial.plan_state
    state = trial.plan_state
    if state.frozen and not state.changes:
        return state
    if state.frozen:
        raise ProtocolError(
            "plan/trial.toml",
            f"the plan was frozen before, and the protocol has changed since ({len(state.changes)} changes).",
            "Leave it: reports will list the changes and mark what was not planned. `crocoos plan` shows them.",
        )
    content = trial.paths.protocol.read_bytes()
    facts = {"sha256": sha256(content), "frozen_at": trial.clock().isoformat(timespec="seconds")}
    with stage_folder(trial.paths.plan, stage="plan", inputs=inputs_of(trial, "plan")) as folder:
        (folder / FROZEN).write_bytes(content)
        (folder / "plan.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return plan_state(trial.paths.protocol, trial.paths.plan, trial.protocol)
