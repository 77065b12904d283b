"""What people decide about the data that have come: files withdrawn, waves frozen, pupils erased.

A decision is a line of the log first; then the store is rebuilt, so that it and what is made from it obey.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError, ProtocolError, StaleError
from data_schema.files import write_whole
from evaluation.decisions import FrozenWave, digest_in_inbox, find_frozen_waves, find_sent_path, withdrawals_of
from evaluation.erasure import FROM_FILES, Begun, certificate_of, read_erasure_marks, write_marks
from evaluation.guarded_files import FORMS, KEY_SHA256, ensure_trial_key, find_key_fingerprint, mark_of_source
from evaluation.sealing import remove_from_vault
from evaluation.stages import statuses
from evaluation.stages.collect import collect, read_intake
from evaluation.stored import FILES, STORE, WAVES, open_store
from evaluation.trial_log import Event, add_log_event

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder


def withdraw(trial: TrialFolder, *, file: str, reason: str, superseded_by: str = "") -> None:
    """Withdraw a file of the inbox: it stays where it is, and none of its rows are taken in.

    Parameters
    ----------
    trial
        The trial.
    file
        Its path below inbox/; also of a file in a zipped folder, "folder.zip/file.csv".
    reason
        Why, for the log. No names of pupils.
    superseded_by
        The file that takes its place.

    Raises
    ------
    DataError
        When there is no such file, no reason, or the two files are one.
    """
    _require_reason(reason)
    # The marks of files are made with it.
    ensure_trial_key(trial)
    sent, newer = find_sent_path(trial, file), find_sent_path(trial, superseded_by) if superseded_by else ""
    for name in (sent, newer) if superseded_by else (sent,):
        _require_inbox_file(trial, name)
    if sent == newer:
        raise DataError(
            f"inbox/{find_shown_name(trial, sent)}", "a file cannot take its own place.", "Name the newer file."
        )
    detail = {
        "file": find_shown_name(trial, sent),
        "sha256": digest_in_inbox(trial, sent),
        KEY_SHA256: find_key_fingerprint(trial),
    }
    by = find_shown_name(trial, newer) if newer else ""
    add_log_event(trial, Event.FILE_WITHDRAWN, {**detail, "superseded_by": by, "reason": reason})


def restore(trial: TrialFolder, *, file: str, reason: str) -> None:
    """Take a file in again that was withdrawn.

    Raises
    ------
    DataError
        When it was not withdrawn, or there is no reason.
    """
    _require_reason(reason)
    withdrawn = withdrawals_of(trial)
    name = file if file in withdrawn else find_shown_name(trial, file)
    if name not in withdrawn:
        raise DataError("inbox/", "a file of this name is not withdrawn.", "Check its name with `crocoos log`.")
    add_log_event(trial, Event.FILE_RESTORED, {"file": name, "reason": reason})


def freeze(trial: TrialFolder, *, wave: str) -> FrozenWave:
    """Freeze a wave: later files, answers and rules change nothing in its data.

    Parameters
    ----------
    trial
        The trial, its data collected.
    wave
        Name of the wave.

    Raises
    ------
    ProtocolError
        When there is no such wave.
    DataError
        When it is frozen already, or has no data.
    StaleError
        When the store does not rest on what is in the inbox now.
    """
    from data_schema.decisions import hash_of_schools

    _require_known_wave(trial, wave)
    if wave in find_frozen_waves(trial):
        raise DataError(
            f"wave {wave!r}",
            "it is frozen already.",
            f"Thaw it first: `crocoos freeze {wave} --thaw --reason TEXT`, then `crocoos collect`.",
        )
    state = next(one for one in statuses(trial) if one.stage == "collect")
    if state.state != "fresh":
        raise StaleError("the store", f"it is {state.state}. {' '.join(state.reasons)}", "Run `crocoos collect` first.")
    hashes = json.loads((trial.paths.store / WAVES).read_bytes()).get(wave)
    if not hashes:
        raise DataError(f"wave {wave!r}", "no data of it are stored.", "Collect them first: `crocoos collect`.")
    files = json.loads((trial.paths.store / FILES).read_bytes())
    detail = {
        "wave": wave,
        "sha256": hash_of_schools(hashes),
        "schools": json.dumps(hashes, sort_keys=True),
        "files": json.dumps(sorted(set(files.values()))),
    }
    add_log_event(trial, Event.WAVE_FROZEN, detail)
    # The store and what is made from it tell that the wave is frozen, and by what hash.
    collect(trial)
    return find_frozen_waves(trial)[wave]


def thaw(trial: TrialFolder, *, wave: str, reason: str) -> None:
    """Let the data of a frozen wave change again.

    Raises
    ------
    DataError
        When it is not frozen, or there is no reason.
    """
    _require_known_wave(trial, wave)
    _require_reason(reason)
    if wave not in find_frozen_waves(trial):
        raise DataError(f"wave {wave!r}", "it is not frozen.", "Nothing needs to be done.")
    add_log_event(trial, Event.WAVE_THAWED, {"wave": wave, "reason": reason})


def find_shown_name(trial: TrialFolder, file: str) -> str:
    """Return what a file is called in findings, in the store and in the log.

    Parameters
    ----------
    trial
        The trial.
    file
        Its path below inbox/, as it lies there; also of a file in a zipped folder.
    """
    store = trial.paths.store
    if (store / STORE).exists():
        known = json.loads((store / FILES).read_bytes())
        source = trial.inbox_files().get(file)
        if source is not None and known.get(file) == mark_of_source(trial, source):
            return file
    # What was not collected is looked through, with the lists of pupils beside it.
    return read_intake(trial).called.get(file, file)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DataError(
            "reason", "there is none.", "Say why, for the log: --reason 'the school sent a corrected list'."
        )


def _require_inbox_file(trial: TrialFolder, file: str) -> None:
    if ".." in file.split("/") or not digest_in_inbox(trial, file):
        # What was typed is not repeated: it may hold a name.
        raise DataError("inbox/", "there is no such file.", "Give its path below inbox/, as in store/returns.csv.")


def _require_known_wave(trial: TrialFolder, wave: str) -> None:
    if wave not in trial.protocol.wave_names:
        known = ", ".join(trial.protocol.wave_names)
        raise ProtocolError("wave", f"'{wave}' is no wave of this trial.", f"Name one of {known}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased.

    Parameters
    ----------
    certificate
        The certificate's file.
    rows
        Table and wave to the rows that were left out.
    inbox
        Files of schools that name the pupil, open or in the vault; they are as they were sent.
    removed
        Folders of derived files that were removed.
    """

    certificate: Path
    rows: dict[str, int]
    inbox: tuple[str, ...]
    removed: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the values as JSON values."""
        return {
            "certificate": str(self.certificate),
            "rows": self.rows,
            "inbox": list(self.inbox),
            "removed": list(self.removed),
        }


def erase(trial: TrialFolder, *, pupil: str, school: str = "") -> Erasure:
    """Erase a pupil: from the store, the key table and the files that were derived from them.

    Parameters
    ----------
    trial
        The trial.
    pupil
        The pupil's pseudonym; or, with ``school``, the identifier that the school uses.
    school
        The pupil's school.

    Raises
    ------
    DataError
        When no data of such a pupil are stored.
    """
    from data_schema.erasure import compute_tombstone
    from data_schema.pseudonyms import pseudonym

    key = ensure_trial_key(trial)
    sought = pseudonym(pupil, key=key, scope=school) if school else pupil
    mark = compute_tombstone(sought, key=key)
    marks, begun = read_erasure_marks(trial)
    if mark not in begun:
        write_marks(trial, marks | {mark}, begun | {mark: _find_pupil_rows(trial, sought)})
    collect(trial)
    return execute_begun_erasures(trial)[mark]


def _find_pupil_rows(trial: TrialFolder, pseudonym: str) -> Begun:
    """Return the rows of a pupil in the store, and the files that they come from."""
    rows: dict[str, int] = {}
    files: set[str] = set()
    with open_store(trial) as store:
        for table in store.tables:
            frame = store.table(table)
            pupil_rows = frame.loc[frame["pupil_id"] == pseudonym] if "pupil_id" in frame else frame.head(0)
            files |= set(pupil_rows["source_file"]) if len(pupil_rows) else set()
            for wave, n in pupil_rows.groupby("wave").size().items() if len(pupil_rows) else ():
                rows[f"{table}, {wave}" if wave else table] = int(n)
    if not rows:
        remedy = "Check the identifier and the school; the pupil may have been erased before."
        raise DataError("the store", "no data of such a pupil are stored.", remedy)
    return Begun(rows=rows, inbox=tuple(sorted(files)))


def execute_begun_erasures(trial: TrialFolder) -> dict[str, Erasure]:
    """Complete the erasures that were begun, once the store has been made without their pupils.

    Returns
    -------
    dict of str to Erasure
        Mark of the pupil to what was done; empty when nothing was left to do.
    """
    marks, begun = read_erasure_marks(trial)
    if not begun:
        return {}
    removed = _remove_derived_files(trial)
    done = {
        mark: Erasure(
            certificate=_write_erasure_certificate(trial, mark, begun_erasure.rows, removed),
            rows=begun_erasure.rows,
            inbox=begun_erasure.inbox,
            removed=removed,
        )
        for mark, begun_erasure in begun.items()
    }
    write_marks(trial, marks, {})
    return done


def _remove_derived_files(trial: TrialFolder) -> tuple[str, ...]:
    """Remove derived files that hold rows of pupils; those with figures only are rebuilt by their stages."""
    gone: list[str] = []
    # Before the certificate says so.
    if remove_from_vault(trial, FORMS):
        gone.append(FORMS.rstrip("/"))
    for folder in (trial.paths.forms, trial.paths.export):
        if folder.exists():
            shutil.rmtree(folder)
            gone.append(folder.relative_to(trial.paths.root).as_posix())
    return tuple(dict.fromkeys(gone))


def _write_erasure_certificate(trial: TrialFolder, mark: str, rows: dict[str, int], removed: tuple[str, ...]) -> Path:
    """Write what was done, without a word that leads to the pupil."""
    stale = [status.stage for status in statuses(trial) if status.state == "stale"]
    values = {
        "erased": trial.clock().isoformat(timespec="seconds"),
        "trial": trial.protocol.trial.title,
        "mark": mark,
        "rows": rows,
        "store": "rebuilt without the pupil",
        "key table": "rebuilt without the pupil",
        "removed": list(removed),
        "to be run again": stale,
        "left": f"The files that schools sent name the pupil and are as they were sent. {FROM_FILES}",
    }
    path = trial.paths.private / "certificates" / certificate_of(mark)
    write_whole(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode(), mode=0o600)
    return path
