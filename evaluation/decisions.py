"""What people decided about the data, as the trial's log has it: files withdrawn, waves frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from data_schema.errors import DataError, ProtocolError, StaleError
from evaluation.file_names import called, sent_as
from evaluation.guarded_files import KEY_SHA256, key_fingerprint, mark_of_source, trial_key
from evaluation.trial_log import Event, append_event

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.decisions import Decisions
    from evaluation.trial import Trial
    from randomisation.log import LogEntry

DECISIONS = (Event.FILE_WITHDRAWN, Event.FILE_RESTORED, Event.WAVE_FROZEN, Event.WAVE_THAWED)
"""What the log calls them."""

SHOWN = 10
"""Schools that an error names; it says how many more there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenWave:
    """A wave whose data change no more.

    Parameters
    ----------
    wave
        Its name.
    frozen
        When it was frozen, as ISO 8601 text.
    sha256
        Hash of its data.
    schools
        School to the hash of its rows.
    files
        Hashes of the files that were in the inbox.
    """

    wave: str
    frozen: str
    sha256: str
    schools: Mapping[str, str] = field(repr=False)
    files: frozenset[str] = field(repr=False)

    def to_dict(self) -> dict[str, str]:
        """Return the wave, the time and the hash."""
        return {"wave": self.wave, "frozen": self.frozen, "sha256": self.sha256}


class Withdrawal(NamedTuple):
    """How a file was withdrawn: the mark of its content, the file in its place, the fingerprint of the mark's key."""

    mark: str
    by: str
    key: str


def withdraw(trial: Trial, *, file: str, reason: str, superseded_by: str = "") -> None:
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
    _need_reason(reason)
    # The marks of files are made with it.
    trial_key(trial)
    sent, newer = sent_as(trial, file), sent_as(trial, superseded_by) if superseded_by else ""
    for name in (sent, newer) if superseded_by else (sent,):
        _need_file(trial, name)
    if sent == newer:
        raise DataError(f"inbox/{called(trial, sent)}", "a file cannot take its own place.", "Name the newer file.")
    detail = {"file": called(trial, sent), "sha256": _digest(trial, sent), KEY_SHA256: key_fingerprint(trial)}
    by = called(trial, newer) if newer else ""
    append_event(trial, Event.FILE_WITHDRAWN, {**detail, "superseded_by": by, "reason": reason})


def restore(trial: Trial, *, file: str, reason: str) -> None:
    """Take a file in again that was withdrawn.

    Raises
    ------
    DataError
        When it was not withdrawn, or there is no reason.
    """
    _need_reason(reason)
    withdrawn = _withdrawals(trial)
    name = file if file in withdrawn else called(trial, file)
    if name not in withdrawn:
        raise DataError("inbox/", "a file of this name is not withdrawn.", "Check its name with `crocoos log`.")
    append_event(trial, Event.FILE_RESTORED, {"file": name, "reason": reason})


def freeze(trial: Trial, *, wave: str) -> FrozenWave:
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
    from evaluation.stages.collect import FILES, WAVES, collect

    _need_wave(trial, wave)
    if wave in frozen_waves(trial):
        raise DataError(
            f"wave {wave!r}",
            "it is frozen already.",
            f"Thaw it first: `crocoos freeze {wave} --thaw --reason TEXT`, then `crocoos collect`.",
        )
    state = next(one for one in trial.status() if one.stage == "collect")
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
    append_event(trial, Event.WAVE_FROZEN, detail)
    # The store and what is made from it tell that the wave is frozen, and by what hash.
    collect(trial)
    return frozen_waves(trial)[wave]


def thaw(trial: Trial, *, wave: str, reason: str) -> None:
    """Let the data of a frozen wave change again.

    Raises
    ------
    DataError
        When it is not frozen, or there is no reason.
    """
    _need_wave(trial, wave)
    _need_reason(reason)
    if wave not in frozen_waves(trial):
        raise DataError(f"wave {wave!r}", "it is not frozen.", "Nothing needs to be done.")
    append_event(trial, Event.WAVE_THAWED, {"wave": wave, "reason": reason})


def frozen_waves(trial: Trial) -> dict[str, FrozenWave]:
    """Return the waves that are frozen now."""
    return decided_in(trial.log().checked())[0]


def told_by(entries: Sequence[LogEntry]) -> dict[str, object]:
    """Return what was decided, as lines of the log tell it, as JSON values; files by what they are called there."""
    frozen, withdrawn = decided_in(entries)
    return {
        "frozen": {wave: sorted(one.files) for wave, one in frozen.items()},
        "withdrawn": {file: list(one) for file, one in withdrawn.items()},
    }


def decided_in(entries: Sequence[LogEntry]) -> tuple[dict[str, FrozenWave], dict[str, Withdrawal]]:
    """Return the waves that are frozen after some lines, and the files that are withdrawn; see `_withdrawals`."""
    return _frozen_in(entries), _withdrawn_in(entries)


def _frozen_in(entries: Sequence[LogEntry]) -> dict[str, FrozenWave]:
    found: dict[str, FrozenWave] = {}
    for entry in entries:
        detail = entry.detail
        if entry.event == Event.WAVE_FROZEN:
            found[detail["wave"]] = FrozenWave(
                wave=detail["wave"],
                frozen=entry.time,
                sha256=detail["sha256"],
                schools=json.loads(detail["schools"]),
                files=frozenset(json.loads(detail["files"])),
            )
        elif entry.event == Event.WAVE_THAWED:
            found.pop(detail["wave"], None)
    return found


def _withdrawals(trial: Trial) -> dict[str, Withdrawal]:
    """Return the files that are withdrawn now, by what they are called."""
    return decided_in(trial.log().checked())[1]


def _withdrawn_in(entries: Sequence[LogEntry]) -> dict[str, Withdrawal]:
    found: dict[str, Withdrawal] = {}
    for entry in entries:
        if entry.event == Event.FILE_WITHDRAWN:
            detail = entry.detail
            key = detail.get(KEY_SHA256, "")
            found[detail["file"]] = Withdrawal(mark=detail["sha256"], by=detail["superseded_by"], key=key)
        elif entry.event == Event.FILE_RESTORED:
            found.pop(entry.detail["file"], None)
    return found


def decisions_of(trial: Trial) -> Decisions:
    """Return what intake has to know; a file of another content than the one that was withdrawn is another file."""
    from data_schema.decisions import Decisions

    decided = _withdrawals(trial)
    names = {one: sent_as(trial, one) for file, how in decided.items() for one in (file, how.by)} if decided else {}
    key = key_fingerprint(trial)
    withdrawn = {
        names[file]: names[how.by]
        for file, how in decided.items()
        # By another key a mark says nothing, and what was withdrawn stays so.
        if how.key != key or _digest(trial, names[file]) in (how.mark, "")
    }
    return Decisions(withdrawn=withdrawn, frozen={name: one.files for name, one in frozen_waves(trial).items()})


def checked_waves(trial: Trial, frames: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, str]]:
    """Hash each wave's data, school by school, and see that the frozen ones are as they were.

    Parameters
    ----------
    trial
        The trial.
    frames
        Table to its rows, pseudonymised, those of erased pupils among them.

    Raises
    ------
    DataError
        When data of a frozen wave would change all the same: a file was changed or is gone, or the protocol reads it
        otherwise.
    """
    from data_schema.decisions import hash_of_schools, wave_hashes

    found = {wave: wave_hashes(frames, wave) for wave in trial.protocol.wave_names}
    for wave, then in frozen_waves(trial).items():
        now = found.get(wave, {})
        if hash_of_schools(now) != then.sha256:
            other = sorted(one for one in {*now, *then.schools} if now.get(one) != then.schools.get(one))
            left_out = f" and {len(other) - SHOWN} more, of {len(other)} schools" if len(other) > SHOWN else ""
            named = ", ".join(other[:SHOWN]) + left_out
            raise DataError(
                f"wave {wave!r}",
                f"it was frozen on {then.frozen[:10]}, and its data would change for {named}: a file was changed, "
                "withdrawn, restored or is gone, or the protocol has changed how it is read.",
                "Bring back what was there; or thaw the wave with a reason: "
                f"`crocoos freeze {wave} --thaw --reason TEXT`.",
            )
    return found


def _digest(trial: Trial, file: str) -> str:
    """Return the mark of a file of the inbox, of the zipped folder that it is in; "" when it is gone."""
    of = (one for name, one in trial.inbox_files().items() if file == name or file.startswith(f"{name}/"))
    return next((mark_of_source(trial, one) for one in of), "")


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise DataError(
            "reason", "there is none.", "Say why, for the log: --reason 'the school sent a corrected list'."
        )


def _need_file(trial: Trial, file: str) -> None:
    if ".." in file.split("/") or not _digest(trial, file):
        # What was typed is not repeated: it may hold a name.
        raise DataError("inbox/", "there is no such file.", "Give its path below inbox/, as in store/returns.csv.")


def _need_wave(trial: Trial, wave: str) -> None:
    if wave not in trial.protocol.wave_names:
        known = ", ".join(trial.protocol.wave_names)
        raise ProtocolError("wave", f"'{wave}' is no wave of this trial.", f"Name one of {known}.")
