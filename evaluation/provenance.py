"""What a stage read and wrote, and writing it all at once.

A stage owns one folder of the trial. It writes a new one beside it, records in ``stage.json`` the hashes of what it
read and of what it wrote, and swaps the two. Whatever happens, the next run finds a whole folder, the old or the new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data_schema.errors import StorageError
from data_schema.files import build_storage_error, get_umask, to_disk, write_whole

RECORD = "stage.json"
"""File in each stage's folder that says what the stage read and wrote."""

ANNOUNCED = ".announced.json"
"""File in a new folder whose line is going into the log: once the line is there, the folder belongs in its place."""

LOCK = ".lock"
"""File in the trial's folder that a run holds while it writes."""

SCRATCH = ".scratch"
"""Folder of the trial for what is needed for a moment: rows of pupils stay out of the system's temporary folder."""

IGNORE = ".gitignore"
"""File by which a folder with rows of pupils keeps itself out of git."""

_HOLDERS = (".", "output", "output/export", "output/forms", "private/forms")
"""Folders of a trial in which folders are put in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """What a stage read and wrote.

    Parameters
    ----------
    stage
        Name of the stage.
    version
        Version of the toolkit.
    inputs, outputs
        Name of the input, or path in the stage's folder, to SHA-256.
    """

    stage: str
    version: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return the record as JSON with sorted keys."""
        values = {"stage": self.stage, "version": self.version, "inputs": self.inputs, "outputs": self.outputs}
        return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def get_toolkit_version() -> str:
    """Return the installed version of the toolkit."""
    from importlib.metadata import version as installed

    return installed("crocoos")


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def hash_json_values(values: object) -> str:
    """Return the SHA-256 of JSON values in any order of keys; fractions are refused (`format_canonical_json`)."""
    from randomisation.canonical import format_canonical_json

    return hash_bytes(format_canonical_json(values).encode())


def convert_fractions_to_text(values: object) -> object:
    """Return JSON values with every fraction, also a whole one such as 300.0, as decimal text."""
    from randomisation.canonical import format_decimal

    if isinstance(values, float):
        return format_decimal(values)
    if isinstance(values, Mapping):
        return {name: convert_fractions_to_text(value) for name, value in values.items()}
    return [convert_fractions_to_text(value) for value in values] if isinstance(values, list | tuple) else values


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; "" when it is not there."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise build_storage_error(path, error) from error


def read_record(folder: Path) -> StageRecord | None:
    """Return the record of a stage's folder; None when the stage has not been run or its record is damaged."""
    try:
        values = json.loads((folder / RECORD).read_bytes())
        return StageRecord(**{name: values[name] for name in ("stage", "version", "inputs", "outputs")})
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, KeyError, TypeError):
        return None


def hash_stage_outputs(folder: Path) -> str:
    """Return the hash of all that a stage has written into its folder; "" where it has written nothing."""
    record = read_record(folder)
    return hash_json_values(dict(record.outputs)) if record is not None else ""


def hash_folder_contents(folder: Path) -> str:
    """Return the hash of all files of a folder, by name and content; "" where there are none."""
    files = {path.relative_to(folder).as_posix(): hash_file(path) for path in _find_all_files(folder)}
    return hash_json_values(files) if files else ""


@contextmanager
def stage_folder(
    folder: Path, *, stage: str, inputs: Mapping[str, str], announce: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Give a stage an empty folder to write to, and put it in place of the old one when the stage has succeeded.

    Parameters
    ----------
    folder
        The stage's folder.
    stage
        Its name, for the record.
    inputs
        Name of each input to its hash, as it was when it was read.
    announce
        Called with the new folder once it is whole, before it is put in place; see
        `evaluation.trial_log.build_log_announcement`.

    Raises
    ------
    StorageError
        When the folder cannot be written; the old one is as it was.
    """
    with replace_whole_folder(folder, announce=announce) as partial:
        yield partial
        outputs = {path.relative_to(partial).as_posix(): hash_file(path) for path in _find_all_files(partial)}
        record = StageRecord(stage=stage, version=get_toolkit_version(), inputs=inputs, outputs=outputs)
        (partial / RECORD).write_bytes(record.to_bytes())


@contextmanager
def replace_whole_folder(folder: Path, *, announce: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Give an empty folder to write to, and put it in place of the old one when all is written.

    Parameters
    ----------
    folder
        The folder; what is in it stays as it is until the new one is whole and on the disk.
    announce
        Called with the new folder before it is put in place.

    Raises
    ------
    StorageError
        When the folder cannot be written; the old one is as it was.
    """
    recover(folder)
    partial = get_partial_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        yield partial
        _set_rights(partial, folder)
        for path in _find_all_files(partial):
            to_disk(path)
        if announce is not None:
            announce(partial)
        _swap(partial, folder)
    except OSError as error:
        raise build_storage_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def lock_trial_for_writing(root: Path) -> Iterator[None]:
    """Be the only run that writes to a trial; the lock is let go when the process ends, however it ends.

    Whoever holds the lock settles what a killed run has left, and nobody else does: another run may be at it.

    Raises
    ------
    StorageError
        When another run is writing, or the folder may not be written to.
    """
    from filelock import FileLock, Timeout

    try:
        with FileLock(root / LOCK, timeout=0):
            restore_last_good_state(root)
            with _move_scratch_files(root / SCRATCH):
                yield
    except Timeout as error:
        raise StorageError(
            str(root), "another run is writing to this trial.", "Wait until it has ended, then run this again."
        ) from error
    except OSError as error:
        raise build_storage_error(root, error) from error


def is_busy(root: Path) -> bool:
    """Whether another run is writing to a trial, or nobody can."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(root / LOCK, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def get_partial_folder(folder: Path) -> Path:
    """Return the folder that a stage writes to before it is put in place."""
    return folder.with_name(f".{folder.name}.partial")


def get_previous_folder(folder: Path) -> Path:
    """Return the folder that the last good state rests in while the new one is put in place."""
    return folder.with_name(f".{folder.name}.previous")


def announce_in(partial: Path, *, log: Path, line: str) -> None:
    """Write down in a new folder which line of the log announces it, before the line is in the log."""
    where = Path(os.path.relpath(log, partial)).as_posix()
    write_whole(partial / ANNOUNCED, (json.dumps({"log": where, "line": line}) + "\n").encode())


def _is_announced(partial: Path) -> bool:
    """Return whether a new folder that a killed run has left is one that the log tells of already."""
    try:
        values = json.loads((partial / ANNOUNCED).read_bytes())
        lines = (partial / values["log"]).read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return values["line"] in lines


_ROWS = b"# Rows of pupils stay out of git.\n*\n"


def protect_folder(folder: Path) -> None:
    """Keep a folder that holds rows of pupils out of git, wherever the trial is, and open to its owner alone."""
    path = folder / IGNORE
    if not path.exists():
        write_whole(path, _ROWS)
    _keep_to_owner(folder)


def _keep_to_owner(folder: Path) -> None:
    # Of a folder that several people write to, only its owner sets the rights.
    if os.name == "posix" and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)


def _is_protected_folder(folder: Path) -> bool:
    # A trial's own file of this name says what else stays out of git.
    path = folder / IGNORE
    return path.is_file() and path.read_bytes() == _ROWS


def _set_rights(partial: Path, folder: Path) -> None:
    """Open a new folder to those who may read others; where rows of pupils are in it, to its owner alone."""
    # Folders in private/forms/ lie two below the one that ignores itself.
    if any(_is_protected_folder(holder) for holder in (partial, folder.parent, folder.parent.parent)):
        partial.chmod(0o700)
        for path in partial.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
    else:
        partial.chmod(0o777 & ~get_umask())


def is_kept_from_git(folder: Path) -> bool:
    """Whether git passes over a folder and all that is in it, as far as the folder itself says."""
    try:
        lines = (folder / IGNORE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return "*" in lines and not any(line.startswith("!") for line in lines)


def restore_last_good_state(root: Path) -> None:
    """Bring every folder of a trial into its last good state, and remove what a killed run has left half written.

    Parameters
    ----------
    root
        The trial's folder, whose lock the caller has taken.
    """
    for left in _find_interrupted_folders(root):
        recover(left.with_name(left.name.removeprefix(".").rpartition(".")[0]))
    try:
        shutil.rmtree(root / SCRATCH, ignore_errors=True)
        below = [path for path in root.iterdir() if path.is_dir() and path.name != "inbox"]
        for part in [*root.glob(PART), *(part for folder in below for part in folder.rglob(PART))]:
            part.unlink()
    except OSError as error:
        raise build_storage_error(root, error) from error


def repair_after_kill(root: Path) -> None:
    """Settle what a killed run has left between two states, which would be taken for tampering.

    Raises
    ------
    StorageError
        When another run is still at it.
    """
    if _find_interrupted_folders(root):
        with lock_trial_for_writing(root):
            return


def _find_interrupted_folders(root: Path) -> list[Path]:
    parents = (root / holder for holder in _HOLDERS)
    return sorted({left for parent in parents for left in (*parent.glob(".*.previous"), *parent.glob(".*.partial"))})


PART = ".*.????????.part"
"""What a file is called that is being written."""


@contextmanager
def _move_scratch_files(folder: Path) -> Iterator[None]:
    """Have every library write what it needs for a moment below a folder, which is removed in the end."""
    before = tempfile.tempdir
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        protect_folder(folder)
        # Whatever folder a library works in meanwhile.
        tempfile.tempdir = str(folder.absolute())
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring back the last good state if a run was killed while it swapped: the new one if the log tells of it."""
    previous, partial = get_previous_folder(folder), get_partial_folder(folder)
    try:
        if previous.exists() and folder.exists():
            shutil.rmtree(previous)
        elif previous.exists():
            previous.rename(folder)
        if _is_announced(partial):
            _swap(partial, folder)
        elif partial.exists():
            shutil.rmtree(partial)
        if (folder / ANNOUNCED).exists():
            (folder / ANNOUNCED).unlink()
    except OSError as error:
        raise build_storage_error(folder, error) from error


def _swap(partial: Path, folder: Path) -> None:
    previous = get_previous_folder(folder)
    if folder.exists():
        folder.rename(previous)
    partial.rename(folder)
    to_disk(folder.parent)
    if (folder / ANNOUNCED).exists():
        (folder / ANNOUNCED).unlink()
    shutil.rmtree(previous, ignore_errors=True)


def _find_all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
