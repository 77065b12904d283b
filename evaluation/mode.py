"""Whether a trial's folder is for practice: set when the folder is made, and carried by everything that is made in it.

The first entry of the trial's log says so. The log alone could be taken away: what was simulated has a mark beside it,
and each stage that ran on it records that. One of them is enough, so that nothing simulated ever looks real.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import ProtocolError
from evaluation.provenance import IGNORE, hash_json_values, lock_trial_for_writing, read_record
from evaluation.trial_log import Event, add_log_event, read_log

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.folder import TrialFolder
    from evaluation.trial_log import TrialLog

PRACTICE, REAL = "practice", "trial"
"""What the first entry of the log says of a folder."""

COLUMN = "simulated"
"""First column of every table that leaves a practice trial; "yes" in each row."""

_REHEARSAL = "rehearsal"
_MARKS = (f"{_REHEARSAL}/practice.json", "inbox/.practice.json")
_STAGES = ("plan", "allocation", "store", "balance", "results", "output/reports", "output/site")
_OWN = ("schools.csv", *_STAGES, "inbox", "output", "log.jsonl")


def is_practice(root: Path, log: TrialLog | None = None) -> bool:
    """Return whether a trial's folder is for practice.

    Parameters
    ----------
    root
        The folder.
    log
        Its log; None where it has not been read yet.
    """
    if (
        _stated_in(log or read_log(root)) == PRACTICE
        or (root / _REHEARSAL).exists()
        or any((root / mark).exists() for mark in _MARKS)
    ):
        return True
    records = (read_record(root / stage) for stage in _STAGES)
    return any(record is not None and PRACTICE in record.inputs for record in records)


def find_declared_mode(root: Path) -> str:
    """Return what the first entry of the log says of the folder; "" where it says nothing."""
    return _stated_in(read_log(root))


def _stated_in(log: TrialLog) -> str:
    entries = log.entries
    if not entries or entries[0].event not in (Event.CREATED, Event.BEGUN_AGAIN):
        return ""
    return entries[0].detail.get("mode", "")


def describe_mode_input(trial: TrialFolder) -> Mapping[str, str]:
    """Return what each stage of a practice trial records among its inputs; nothing for a real one."""
    return {PRACTICE: hash_json_values(PRACTICE)} if trial.is_practice else {}


def mark_practice_table(trial: TrialFolder, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table that leaves the folder; that of a practice trial says first that it is simulated."""
    if not trial.is_practice:
        return frame
    marked_frame = frame.drop(columns=[COLUMN], errors="ignore")
    marked_frame.insert(0, COLUMN, "yes")
    return marked_frame


def mark_practice_picture(trial: TrialFolder, svg: str) -> str:
    """Return a picture that stands alone; that of a practice trial has the mark across it."""
    from reports.writers.practice import get_practice_words

    language = trial.protocol.reports.languages[0]
    return get_practice_words(language).on_picture(svg) if trial.is_practice else svg


def mark_practice_values(trial: TrialFolder, values: Mapping[str, object]) -> Mapping[str, object]:
    """Return what is written as JSON; that of a practice trial says first that it is simulated."""
    return {COLUMN: mark_of(trial, "en"), **values} if trial.is_practice else values


def mark_of(trial: TrialFolder, language: str) -> str:
    """Return the few words that a form of a practice trial carries in a language; "" for a real trial."""
    from reports.writers.practice import get_practice_words

    return get_practice_words(language).mark if trial.is_practice else ""


def write_created(trial: TrialFolder, *, practice: bool, detail: Mapping[str, str]) -> None:
    """Begin the log of a new folder with its purpose; nothing changes that later.

    Parameters
    ----------
    trial
        Locked by the caller; nothing has happened in it.
    practice
        Whether it is for practice.
    detail
        Further facts.
    """
    add_log_event(trial, Event.CREATED, {"mode": PRACTICE if practice else REAL, **detail})
    if practice:
        write_marks(trial.paths.root)


def write_marks(root: Path) -> None:
    """Put the marks beside what is simulated."""
    from data_schema.files import write_whole

    content = json.dumps({"mode": PRACTICE, "data": "simulated"}, indent=2) + "\n"
    for mark in _MARKS:
        if not (root / mark).exists():
            write_whole(root / mark, content.encode())


def require_practice(trial: TrialFolder) -> None:
    """Refuse to simulate in a folder that is not for practice, before anything in it is touched.

    A folder with nothing but a protocol, whose purpose no log states, becomes one for practice.

    Raises
    ------
    ProtocolError
        When the folder was made for a real trial, or holds something of its own.
    """
    root = trial.paths.root
    if trial.is_practice:
        return
    refuse_own_files(root, schools=trial.protocol.schools.file)
    if find_declared_mode(root):
        raise _build_mode_error(root, "it was made for a real trial (log.jsonl)")
    with lock_trial_for_writing(root):
        write_created(trial, practice=True, detail={})


def refuse_own_files(root: Path, *, schools: str = "schools.csv") -> None:
    """Refuse a folder with schools, a plan, a draw, an inbox or anything made of them, unless it is for practice.

    Raises
    ------
    ProtocolError
        Naming what is there.
    """
    if not root.is_dir() or is_practice(root):
        return
    own_file = next(_iterate_own_files(root, schools), "")
    if own_file:
        raise _build_mode_error(root, f"it holds {own_file}")


def _iterate_own_files(root: Path, schools: str) -> Iterator[str]:
    for name in (schools, *_OWN):
        path = root / name
        if name == "log.jsonl" and find_declared_mode(root):
            continue
        if path.is_file() or (
            path.is_dir() and any(item.is_file() and item.name != IGNORE for item in path.rglob("*"))
        ):
            yield f"{name}/" if path.is_dir() else name


def _build_mode_error(root: Path, why: str) -> ProtocolError:
    beside = root.with_name(f"{root.name}-practice") if root.name else Path(f"../{root.resolve().name}-practice")
    new = shlex.quote(str(beside))
    protocol = f" --like {shlex.quote(str(root))}" if (root / "trial.toml").exists() else ""
    return ProtocolError(
        str(root),
        f"this is not a practice folder: {why}. Nothing is simulated among a trial's own files.",
        f"Practise beside it: `crocoos init {new} --practice{protocol}`, then `crocoos simulate {new}`.",
    )
