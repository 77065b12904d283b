"""A log that is lost for good is begun again: by a line that says so, and names what is in the folder then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, ProtocolError
from evaluation.custody import LOG_SHA256, is_cut, store_facts
from evaluation.decisions import decided_in
from evaluation.guarded_files import vault_facts
from evaluation.mode import PRACTICE, REAL
from evaluation.named_in_log import folder_hashes
from evaluation.stages.assign import read_allocation_record
from evaluation.stages.collect import opened_store
from evaluation.stages.later import later_steps
from evaluation.trial_log import FROZEN_NO_MORE, LOG, WITHDRAWN_NO_MORE, Event, write_first

if TYPE_CHECKING:
    from evaluation.trial import Trial
    from randomisation.log import LogEntry


def begin_again(trial: Trial, *, reason: str) -> LogEntry:
    """Begin a log again that is missing or damaged; every document will say that the earlier one is lost.

    What was drawn stays as it is. Waves are not frozen any more and files that were withdrawn are not, since nothing is
    left that says why; the line names those that the store and what can be read of the old log tell of. A damaged log
    is kept beside the new one.

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
    is_shortened = is_cut(trial)
    if lost.is_usable and not is_shortened:
        raise ProtocolError(LOG, "it is not lost.", "Leave it: lines are only ever added at its end.")
    if not reason.strip():
        raise ProtocolError(LOG, "no reason is given.", "Say how it was lost: --reason 'the disk failed'.")
    record = read_allocation_record(trial)
    named = {name: digest for name, digest in folder_hashes(trial).items() if digest}
    steps = [[step.event, step.sha256] for step in later_steps(trial)]
    detail = {
        "mode": PRACTICE if trial.is_practice else REAL,
        "reason": reason.strip(),
        "lost": "cut" if is_shortened else lost.state,
        **{name: digest for name, digest in store_facts(trial).items() if name == LOG_SHA256},
        **named,
        **vault_facts(trial),
        **(record.facts if record is not None else {}),
        "later": json.dumps(steps),
        **_not_held(trial),
    }
    if trial.paths.log.exists():
        detail["kept"] = _keep(trial)
    return write_first(trial, Event.BEGUN_AGAIN, detail)


def _not_held(trial: Trial) -> dict[str, str]:
    """Return which waves and files the lost log kept as they were, as far as anything tells; nothing where none."""
    waves, files = decided_in(trial.log().entries)
    try:
        with opened_store(trial) as store:
            facts = store.facts()
    except CrocoosError:
        facts = {}
    frozen = sorted({*waves, *(str(one["wave"]) for one in json.loads(facts.get("frozen", "[]")))})
    withdrawn = sorted({*files, *json.loads(facts.get("withdrawn", "[]"))})
    named = {FROZEN_NO_MORE: "; ".join(frozen), WITHDRAWN_NO_MORE: "; ".join(withdrawn)}
    return {name: text for name, text in named.items() if text}


def _keep(trial: Trial) -> str:
    """Keep a damaged log beside the new one; return the name of its file."""
    root = trial.paths.root
    name = f"log.damaged_{len(list(root.glob('log.damaged_*.jsonl'))) + 1}.jsonl"
    trial.paths.log.rename(root / name)
    return name
