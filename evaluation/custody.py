"""Fingerprints of what keeps pupils out or apart: key of pseudonyms, vault, list of erased pupils, the log's last line.

They are in the store and in the log. What was lost, cut or changed since stops every run that writes, for an absent
file is no absent decision, until it is back or a reason for going on without it is in the log. A log that is lost for
good is begun again, by a line that says so and names what is in the folder then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING

from data_schema.errors import CrocoosError, DataError, ProtocolError, StorageError
from data_schema.files import clean_file_name
from evaluation.decisions import replay_decisions
from evaluation.drawn import read_allocation_record, read_later_steps
from evaluation.erasure import read_erasure_marks
from evaluation.guarded_files import (
    ERASED,
    KEY,
    KEY_SHA256,
    VAULT_SHA256,
    collect_vault_facts,
    find_key_fingerprint,
    find_plain_files,
    find_sealed_facts,
    is_away,
    is_sealed,
)
from evaluation.mode import PRACTICE, REAL
from evaluation.named_in_log import compute_stage_hashes
from evaluation.provenance import hash_file, hash_json_values, lock_trial_for_writing
from evaluation.sealing import restore_vault_state
from evaluation.stored import open_store
from evaluation.trial_log import FROZEN_NO_MORE, LOG, WITHDRAWN_NO_MORE, Event, TrialLog, add_log_event, write_first
from evaluation.vault import VAULT

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder
    from randomisation.log import LogEntry

ERASED_SHA256, LOG_SHA256 = "erased_sha256", "log_sha256"
"""Facts of the store, the first one of lines of the log as well."""

_KEY_TABLE = "key_table.age"

_GO_ON = "If it is lost for good: `crocoos log --accept --reason TEXT`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that was lost, cut or changed.

    Parameters
    ----------
    place, problem, remedy
        As of an error.
    """

    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.place}: {self.problem} {self.remedy}"


def compute_fingerprints(trial: TrialFolder) -> dict[str, str]:
    """Return the fingerprints of key and list of erased pupils, as they are now; nothing for what is not there."""
    current_fingerprints = {
        KEY_SHA256: find_key_fingerprint(trial),
        ERASED_SHA256: _hash_erased_marks(read_erasure_marks(trial)[0]),
    }
    return {name: digest for name, digest in current_fingerprints.items() if digest}


def find_erased_fingerprint(trial: TrialFolder) -> str:
    """Return the fingerprint of the list of erased pupils; the last reported one where its medium is absent."""
    if is_away(trial):
        return _find_logged_fingerprints(trial.log(), read_store_facts(trial)).get(ERASED_SHA256, "")
    return _hash_erased_marks(read_erasure_marks(trial)[0])


def _hash_erased_marks(marks: Collection[str]) -> str:
    return hash_json_values(sorted(marks)) if marks else ""


def refuse_loss(trial: TrialFolder) -> None:
    """Stop a run where something was lost, cut or changed.

    Raises
    ------
    StorageError
        Naming the first such thing.
    """
    for alarm in find_custody_alarms(trial):
        raise StorageError(alarm.place, alarm.problem, alarm.remedy)


@contextmanager
def writing(trial: TrialFolder) -> Iterator[None]:
    """Be the only run that writes, where nothing that keeps pupils out or apart is lost or changed.

    Raises
    ------
    StorageError
        When another run is writing, or something is lost or changed.
    """
    with lock_trial_for_writing(trial.paths.root):
        restore_vault_state(trial)
        refuse_loss(trial)
        yield


def find_custody_alarms(trial: TrialFolder) -> Iterator[Alarm]:
    """Yield what was lost, cut or changed; of a log that is missing or broken the log itself tells."""
    log = trial.log()
    if not log.is_usable:
        return
    facts = read_store_facts(trial)
    yield from _check_log_custody(log, facts)
    if is_away(trial):
        # Not lost: what needs it says that its medium is not there.
        return
    yield from _check_vault_custody(trial)
    logged_fingerprints = _find_logged_fingerprints(log, facts)
    if KEY_SHA256 in logged_fingerprints:
        yield from _check_key_custody(trial, logged_fingerprints[KEY_SHA256])
        yield from _check_erased_custody(trial, logged_fingerprints.get(ERASED_SHA256, ""))


def read_store_facts(trial: TrialFolder) -> Mapping[str, str]:
    """Return the facts that the store keeps; nothing where none can be read."""
    try:
        with open_store(trial) as store:
            return store.facts()
    except CrocoosError:
        # Status tells of a store that is damaged, and the next run makes it anew.
        return {}


def _find_logged_fingerprints(log: TrialLog, facts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fingerprints that the log tells last; those of the store where the log tells none."""
    lines = [entry.detail for entry in log.of(Event.COLLECTED, Event.ACCEPTED) if KEY_SHA256 in entry.detail]
    return lines[-1] if lines else facts


def is_cut(trial: TrialFolder) -> bool:
    """Whether lines are missing at the end of a log that is whole otherwise."""
    log = trial.log()
    return log.is_usable and any(True for _ in _check_log_custody(log, read_store_facts(trial)))


def _check_log_custody(log: TrialLog, facts: Mapping[str, str]) -> Iterator[Alarm]:
    """Compare the log with the line that was the last one when the store was made, and the line that tells of it."""
    last, content = facts.get(LOG_SHA256, ""), facts.get("content_sha256", "")
    again = log.last(Event.BEGUN_AGAIN)
    known = {entry.sha256 for entry in log.entries} | {again.detail.get(LOG_SHA256, "") if again is not None else ""}
    named = {entry.detail.get("data_sha256", "") for entry in log.entries}
    if last and (last not in known or content not in named):
        yield Alarm(
            place=LOG,
            problem="lines are missing at its end: the store was made when there were more.",
            remedy="Bring it back from a copy. If it is lost for good: `crocoos log --begin-again --reason TEXT`, and "
            "every document will say so.",
        )


def _check_vault_custody(trial: TrialFolder) -> Iterator[Alarm]:
    named, current_sha256 = find_sealed_facts(trial).get(VAULT_SHA256, ""), hash_file(trial.paths.root / VAULT)
    if current_sha256 != named:
        yield Alarm(
            place=VAULT,
            problem="this is not the vault that the log names." if current_sha256 else "the vault is gone.",
            remedy=f"Bring it back from a copy. {_GO_ON}; what was sealed in it alone is lost then.",
        )


def _check_key_custody(trial: TrialFolder, told: str) -> Iterator[Alarm]:
    current_fingerprint = find_key_fingerprint(trial)
    if current_fingerprint != told:
        yield Alarm(
            place=KEY,
            problem="this is not the key that the pseudonyms were made with."
            if current_fingerprint
            else "the key is gone.",
            remedy=f"Bring it back from a copy. {_GO_ON}; pupils then get other pseudonyms, and those who were erased "
            "must be erased again.",
        )


def _check_erased_custody(trial: TrialFolder, told: str) -> Iterator[Alarm]:
    """Compare the list of erased pupils; whose erasure was begun and not told yet may be on it or not."""
    marks, begun = read_erasure_marks(trial)
    some = chain.from_iterable(combinations(sorted(begun), n) for n in range(len(begun) + 1))
    if told not in {_hash_erased_marks(marks - set(left)) for left in some}:
        state = "pupils are missing on it or were added, or it was changed" if marks else "it is gone"
        yield Alarm(
            place=f"private/{ERASED}",
            problem=f"the list of erased pupils is not the one that the log names: {state}.",
            remedy=f"Bring it back from a copy. {_GO_ON}, and erase again whom it kept out.",
        )


def describe_custody_notes(trial: TrialFolder) -> Iterator[str]:
    """Yield what is to be known of the custody of the trial, though nothing is wrong."""
    facts = find_sealed_facts(trial)
    if is_away(trial):
        yield "private/ is on a medium that is not there; what needs it waits for it."
    elif facts.get(VAULT_SHA256):
        yield f"What tells who is who is sealed, and opened by: {facts.get('openers', 'its openers')}."
        if left := open_note(trial):
            yield left
    elif trial.log().is_usable and trial.log().of(Event.COLLECTED):
        yield "What tells who is who lies open beside the data. To seal it: `crocoos lock`."


_SHOWN = 20


def open_note(trial: TrialFolder) -> str:
    """Return which files lie open though the vault would take them; empty where none does, or there is no vault."""
    names = [clean_file_name(name) for name in find_plain_files(trial)] if is_sealed(trial) else []
    if not names:
        return ""
    shown = [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
    verb = "lies" if len(names) == 1 else "lie"
    return f"{', '.join(shown)} {verb} open, though the rest is sealed. To seal what came since: `crocoos lock`."


def resolve_custody_alarms(trial: TrialFolder, *, reason: str) -> LogEntry:
    """Go on without what is lost, or with what was changed: a line of the log says why.

    Parameters
    ----------
    trial
        Locked by the caller.
    reason
        What happened.

    Raises
    ------
    ProtocolError
        When nothing is lost, no reason is given, or it is the log itself that was cut.
    """
    pending_alarms = tuple(find_custody_alarms(trial))
    if not pending_alarms:
        raise ProtocolError("private/", "nothing is lost or changed.", "Leave out --accept.")
    if pending_alarms[0].place == LOG:
        raise ProtocolError(LOG, pending_alarms[0].problem, pending_alarms[0].remedy)
    if not reason.strip():
        raise ProtocolError(LOG, "no reason is given.", "Say what happened: --reason 'the disk failed'.")
    table = trial.paths.private / _KEY_TABLE
    if table.exists() and not find_key_fingerprint(trial):
        # It still opens with its identity, and is in the way of a new key no longer.
        n_kept = len(list(trial.paths.private.glob("key_table.of_lost_key_*.age")))
        table.rename(table.with_name(f"key_table.of_lost_key_{n_kept + 1}.age"))
    places = json.dumps([alarm.place for alarm in pending_alarms])
    # Without a key there is no fingerprint, which the line tells, too.
    accepted_facts = {KEY_SHA256: "", **compute_fingerprints(trial), **collect_vault_facts(trial)}
    return add_log_event(trial, Event.ACCEPTED, {"accepted": places, "reason": reason.strip(), **accepted_facts})


def restore_lost_log(trial: TrialFolder, *, reason: str) -> LogEntry:
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
    named = {name: digest for name, digest in compute_stage_hashes(trial).items() if digest}
    steps = [[step.event, step.sha256] for step in read_later_steps(trial)]
    detail = {
        "mode": PRACTICE if trial.is_practice else REAL,
        "reason": reason.strip(),
        "lost": "cut" if is_shortened else lost.state,
        **{name: digest for name, digest in read_store_facts(trial).items() if name == LOG_SHA256},
        **named,
        **collect_vault_facts(trial),
        **(record.facts if record is not None else {}),
        "later": json.dumps(steps),
        **_find_lost_freezes(trial),
    }
    if trial.paths.log.exists():
        detail["kept"] = _keep(trial)
    return write_first(trial, Event.BEGUN_AGAIN, detail)


def _find_lost_freezes(trial: TrialFolder) -> dict[str, str]:
    """Return which waves and files the lost log kept as they were, as far as anything tells; nothing where none."""
    waves, files = replay_decisions(trial.log().entries)
    try:
        with open_store(trial) as store:
            facts = store.facts()
    except CrocoosError:
        facts = {}
    frozen = sorted({*waves, *(str(frozen_wave["wave"]) for frozen_wave in json.loads(facts.get("frozen", "[]")))})
    withdrawn = sorted({*files, *json.loads(facts.get("withdrawn", "[]"))})
    named = {FROZEN_NO_MORE: "; ".join(frozen), WITHDRAWN_NO_MORE: "; ".join(withdrawn)}
    return {name: text for name, text in named.items() if text}


def _keep(trial: TrialFolder) -> str:
    """Keep a damaged log beside the new one; return the name of its file."""
    root = trial.paths.root
    name = f"log.damaged_{len(list(root.glob('log.damaged_*.jsonl'))) + 1}.jsonl"
    trial.paths.log.rename(root / name)
    return name


def find_key_table_faults(trial: TrialFolder) -> Iterator[str]:
    """Yield why the key table could not be opened when it is needed, where it and its identity lie open."""
    from data_schema.pseudonyms import decrypt_key_table, parse_recipient

    paths = [trial.paths.private / name for name in (_KEY_TABLE, "identity.txt", "recipient.txt")]
    if not all(path.is_file() for path in paths):
        return
    table, identity, recipient = (path.read_bytes() for path in paths)
    secret = identity.decode("ascii", "replace").strip()
    try:
        if parse_recipient(secret) != recipient.decode("ascii", "replace").strip():
            yield (
                "private/recipient.txt is not the recipient of private/identity.txt: the key table would be encrypted "
                "to somebody else. Bring both back from a copy."
            )
        decrypt_key_table(table, secret)
    except DataError as error:
        yield (
            f"private/{_KEY_TABLE} does not open with private/identity.txt: {error.problem} Bring both back from a "
            "copy; or remove them and private/recipient.txt, and run `crocoos collect`, which makes new ones."
        )
