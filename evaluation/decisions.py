"""What people decided about the data, as the trial's log has it: files withdrawn, waves frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data_schema.errors import DataError
from data_schema.personal.stand_ins import is_stand_in, is_stand_in_for
from evaluation.guarded_files import KEY_SHA256, find_key_fingerprint, mark_of_source
from evaluation.trial_log import Event

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.decisions import Decisions
    from evaluation.folder import TrialFolder
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


def find_frozen_waves(trial: TrialFolder) -> dict[str, FrozenWave]:
    """Return the waves that are frozen now."""
    return replay_decisions(trial.log().checked())[0]


def summarise_decisions(entries: Sequence[LogEntry]) -> dict[str, object]:
    """Return what was decided, as lines of the log tell it, as JSON values; files by what they are called there."""
    frozen, withdrawn = replay_decisions(entries)
    return {
        "frozen": {wave: sorted(frozen_wave.files) for wave, frozen_wave in frozen.items()},
        "withdrawn": {file: list(withdrawal) for file, withdrawal in withdrawn.items()},
    }


def replay_decisions(entries: Sequence[LogEntry]) -> tuple[dict[str, FrozenWave], dict[str, Withdrawal]]:
    """Return the waves that are frozen after some lines, and the files that are withdrawn; see `withdrawals_of`."""
    return _replay_wave_freezes(entries), _replay_file_withdrawals(entries)


def _replay_wave_freezes(entries: Sequence[LogEntry]) -> dict[str, FrozenWave]:
    frozen_by_wave: dict[str, FrozenWave] = {}
    for entry in entries:
        detail = entry.detail
        if entry.event == Event.WAVE_FROZEN:
            frozen_by_wave[detail["wave"]] = FrozenWave(
                wave=detail["wave"],
                frozen=entry.time,
                sha256=detail["sha256"],
                schools=json.loads(detail["schools"]),
                files=frozenset(json.loads(detail["files"])),
            )
        elif entry.event == Event.WAVE_THAWED:
            frozen_by_wave.pop(detail["wave"], None)
    return frozen_by_wave


def withdrawals_of(trial: TrialFolder) -> dict[str, Withdrawal]:
    """Return the files that are withdrawn now, by what they are called."""
    return replay_decisions(trial.log().checked())[1]


def _replay_file_withdrawals(entries: Sequence[LogEntry]) -> dict[str, Withdrawal]:
    withdrawn_by_file: dict[str, Withdrawal] = {}
    for entry in entries:
        if entry.event == Event.FILE_WITHDRAWN:
            detail = entry.detail
            key = detail.get(KEY_SHA256, "")
            withdrawn_by_file[detail["file"]] = Withdrawal(mark=detail["sha256"], by=detail["superseded_by"], key=key)
        elif entry.event == Event.FILE_RESTORED:
            withdrawn_by_file.pop(entry.detail["file"], None)
    return withdrawn_by_file


def collect_decisions(trial: TrialFolder) -> Decisions:
    """Return what intake has to know; a file of another content than the one that was withdrawn is another file."""
    from data_schema.decisions import Decisions

    decided = withdrawals_of(trial)
    names = (
        {file_name: find_sent_path(trial, file_name) for file, how in decided.items() for file_name in (file, how.by)}
        if decided
        else {}
    )
    key = find_key_fingerprint(trial)
    withdrawn = {
        names[file]: names[how.by]
        for file, how in decided.items()
        # By another key a mark says nothing, and what was withdrawn stays so.
        if how.key != key or digest_in_inbox(trial, names[file]) in (how.mark, "")
    }
    return Decisions(
        withdrawn=withdrawn, frozen={name: frozen_wave.files for name, frozen_wave in find_frozen_waves(trial).items()}
    )


def verify_frozen_waves(trial: TrialFolder, frames: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, str]]:
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
    from data_schema.decisions import compute_wave_hashes, hash_of_schools

    hashes_by_wave = {wave: compute_wave_hashes(frames, wave) for wave in trial.protocol.wave_names}
    for wave, then in find_frozen_waves(trial).items():
        now = hashes_by_wave.get(wave, {})
        if hash_of_schools(now) != then.sha256:
            other = sorted(
                school_id for school_id in {*now, *then.schools} if now.get(school_id) != then.schools.get(school_id)
            )
            left_out = f" and {len(other) - SHOWN} more, of {len(other)} schools" if len(other) > SHOWN else ""
            named = ", ".join(other[:SHOWN]) + left_out
            raise DataError(
                f"wave {wave!r}",
                f"it was frozen on {then.frozen[:10]}, and its data would change for {named}: a file was changed, "
                "withdrawn, restored or is gone, or the protocol has changed how it is read.",
                "Bring back what was there; or thaw the wave with a reason: "
                f"`crocoos freeze {wave} --thaw --reason TEXT`.",
            )
    return hashes_by_wave


def digest_in_inbox(trial: TrialFolder, file: str) -> str:
    """Return the mark of a file of the inbox, of the zipped folder that it is in; "" when it is gone."""
    of = (one for name, one in trial.inbox_files().items() if file == name or file.startswith(f"{name}/"))
    return next((mark_of_source(trial, one) for one in of), "")


def find_sent_path(trial: TrialFolder, file: str) -> str:
    """Return the path below inbox/ of what a file is called; the name itself where no file is called so."""
    files = trial.inbox_files()
    if file in files or not is_stand_in(file):
        return file
    parts = file.split("/")
    for n_parts in range(1, len(parts) + 1):
        for name, source in files.items():
            if name.count("/") + 1 == n_parts and _is_called(trial, name, source, "/".join(parts[:n_parts])):
                sent_path = (
                    name if n_parts == len(parts) else _find_zip_member(trial, name, source, "/".join(parts[n_parts:]))
                )
                if sent_path:
                    return sent_path
    return file


def _is_called(trial: TrialFolder, name: str, source: Path | bytes, shown: str) -> bool:
    pairs = zip(name.split("/"), shown.split("/"), strict=True)
    is_likely = all(part_shown == other or is_stand_in(other) for part_shown, other in pairs)
    mark = mark_of_source(trial, source) if is_likely else ""
    return bool(mark) and (name == shown or is_stand_in_for(shown, mark))


def _find_zip_member(trial: TrialFolder, name: str, source: Path | bytes, shown: str) -> str:
    """Return the path of the file in a zipped folder that is called so; "" where there is none."""
    from data_schema.readers import is_folder, members

    content = source if isinstance(source, bytes) else source.read_bytes()
    for member in members(content, file=name) if is_folder(content) else ():
        digest = mark_of_source(trial, member.content) if isinstance(member.content, bytes) else ""
        if member.name == shown or (digest and is_stand_in_for(shown, digest)):
            return f"{name}/{member.name}"
    return ""
