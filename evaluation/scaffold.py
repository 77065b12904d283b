"""A trial's folder to start from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from data_schema.errors import ProtocolError
from data_schema.files import build_storage_error, write_whole
from evaluation.folder import get_current_time
from evaluation.provenance import IGNORE, lock_trial_for_writing, protect_folder
from evaluation.trial import Trial
from evaluation.trial_log import LOG

ATTRIBUTES = ".gitattributes"
"""File that tells git to keep bytes as they are."""

TEMPLATES = ("crocoos", "minimal")

_IGNORED = """# Pupils' data stay out of git: what schools sent, the store made from it, and the key to the pseudonyms.
/inbox/
/store/
/private/
.*.partial
.*.previous
.*.part
.lock
.scratch/
"""

_ATTRIBUTES = """# Every byte stays as it is: hashes of files are in the trial's log and in the records of its stages.
* -text
"""


def create_trial_folder(
    folder: Path,
    *,
    template: str = "minimal",
    practice: bool = False,
    like: Path | None = None,
    clock: Callable[[], datetime] = get_current_time,
) -> list[Path]:
    """Make a trial's folder with a commented protocol; its log begins with what the folder is for.

    Parameters
    ----------
    folder
        The folder to make; it may be there, but must not hold a protocol or the toolkit's own code.
    template
        "crocoos" or "minimal".
    practice
        Whether the folder is for practice: data are simulated in it, and everything made from it says so. It cannot be
        changed later.
    like
        A trial whose protocol is copied instead of the template; None for none.
    clock
        Gives the time that is written into the log.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ProtocolError
        When the template is not known, or the folder holds something that must not be mixed with a trial, or with what
        is simulated.
    StorageError
        When the folder cannot be written.
    """
    from evaluation.mode import is_practice, refuse_own_files, write_created

    if template not in TEMPLATES:
        raise ProtocolError("init", f"'{template}' is no template.", f"Use one of {', '.join(TEMPLATES)}.")
    if (folder / "trial.toml").exists():
        raise ProtocolError(str(folder), "there is a protocol here already.", "Name another folder.")
    if (folder / LOG).exists():
        raise ProtocolError(str(folder), "there is the log of a trial here.", "Name another folder.")
    if (folder / "pyproject.toml").exists() or (folder / "evaluation" / "origin.py").exists():
        raise ProtocolError(str(folder), "this folder holds code.", "Keep trials apart from code: name another folder.")
    if practice:
        refuse_own_files(folder)
    contents = {
        folder / "trial.toml": _read_template_protocol(template, like),
        folder / IGNORE: _add_missing_lines(folder / IGNORE, _IGNORED),
        folder / ATTRIBUTES: _add_missing_lines(folder / ATTRIBUTES, _ATTRIBUTES),
    }
    for path, content in contents.items():
        write_whole(path, content)
    try:
        (folder / "inbox").mkdir(exist_ok=True)
    except OSError as error:
        raise build_storage_error(folder / "inbox", error) from error
    protect_folder(folder / "inbox")
    trial = Trial(folder, clock=clock)
    with lock_trial_for_writing(folder):
        write_created(
            trial, practice=practice or is_practice(folder), detail={"protocol": "copy" if like else template}
        )
    return [*contents, folder / "inbox", folder / LOG]


def _add_missing_lines(path: Path, text: str) -> bytes:
    """Return a file of git's with lines added to those that somebody has written there."""
    try:
        existing_content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise build_storage_error(path, error) from error
    if not existing_content:
        return text.encode()
    lines = existing_content.splitlines()
    lacking = [line for line in text.encode().splitlines(keepends=True) if line.strip() not in lines]
    return existing_content + (b"" if existing_content.endswith(b"\n") else b"\n") + b"".join(lacking)


def _read_template_protocol(template: str, like: Path | None) -> bytes:
    if like is None:
        return (files("evaluation") / "templates" / template / "trial.toml").read_bytes()
    try:
        return (like / "trial.toml").read_bytes()
    except FileNotFoundError as error:
        raise ProtocolError(str(like), "there is no protocol, trial.toml, here.", "Name a trial's folder.") from error
    except OSError as error:
        raise build_storage_error(like / "trial.toml", error) from error
