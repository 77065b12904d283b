"""A log that is lost for good is begun again: by a line that says so, and names what is in the folder then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from data_schema.files import write_whole
from evaluation.claims import folder_hashes
from evaluation.mode import PRACTICE, REAL
from evaluation.stages.assign import read_allocation_record
from evaluation.stages.later import later_steps
from evaluation.trial_log import LOG, Event, write_first

if TYPE_CHECKING:
    from evaluation.trial import Trial
    from randomisation.log import LogEntry


def begin_again(trial: Trial, *, reason: str) -> LogEntry:
    """Begin a log again that is missing or damaged; every document will say that the earlier one is lost.

    What was drawn stays as it is. Waves are not frozen any more and files that were withdrawn are not, since nothing is
    left that says so. A damaged log is kept beside the new one.

    Parameters
    ----------
    trial
        Locked by the caller.
    reason
        How the log was lost.

    Raises
    ------
    ProtocolError
        When there is no reason, or the log is not lost.
    """
    lost = trial.log()
    if lost.is_usable:
        raise ProtocolError(LOG, "it is not lost.", "Leave it: lines are only ever added at its end.")
    if not reason.strip():
        raise ProtocolError(LOG, "no reason is given.", "Say how it was lost: --reason 'the disk failed'.")
    record = read_allocation_record(trial)
    named = {name: digest for name, digest in folder_hashes(trial).items() if digest}
    steps = [[step.event, step.sha256] for step in later_steps(trial)]
    detail = {
        "mode": PRACTICE if trial.is_practice else REAL,
        "reason": reason.strip(),
        "lost": lost.state,
        **named,
        **(record.facts if record is not None else {}),
        "later": json.dumps(steps),
    }
    if trial.paths.log.exists():
        detail["kept"] = _keep(trial)
    return write_first(trial, Event.BEGUN_AGAIN, detail)


def _keep(trial: Trial) -> str:
    """Keep a damaged log beside the new one; return the name of its file."""
    root = trial.paths.root
    name = f"log.damaged_{len(list(root.glob('log.damaged_*.jsonl'))) + 1}.jsonl"
    write_whole(root / name, trial.paths.log.read_bytes())
    return name
