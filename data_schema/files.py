"""Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path

from data_schema.errors import StorageError

_PROBLEMS = {
    errno.ENOENT: ("there is no such file or folder.", "Check the path, and run the stage that writes it."),
    errno.ENOSPC: ("the disk is full.", "Free some space and run the same command again; nothing was lost."),
    errno.EDQUOT: ("your quota is used up.", "Free some space and run the same command again; nothing was lost."),
    errno.EROFS: ("the disk is read-only.", "Move the trial to a folder that you may write to, and run again."),
    errno.EACCES: (
        "the folder may not be written to.",
        "Ask for the right to write there, or move the trial elsewhere.",
    ),
    errno.EPERM: (
        "the folder may not be written to.",
        "Ask for the right to write there, or move the trial elsewhere.",
    ),
}


def build_storage_error(path: Path, error: OSError) -> StorageError:
    """Return what the operating system said about a path as an error with a remedy.

    Parameters
    ----------
    path
        The file or folder that could not be written or read.
    error
        What the operating system answered.

    Returns
    -------
    StorageError
        To be raised from ``error``.
    """
    reason = f"the file cannot be written ({error.strerror or type(error).__name__})."
    problem, remedy = _PROBLEMS.get(error.errno or 0, (reason, "Check the path and your rights there, and run again."))
    return StorageError(str(path), problem, remedy)


def clean_file_name(name: str) -> str:
    r"""Return the name of a file as text that every program takes.

    Bytes that are no letters in UTF-8, as archives of old systems leave them, and control signs become a backslash, "x"
    and a number.

    Examples
    --------
    >>> print(clean_file_name("n\udce9v.csv"))
    n\xe9v.csv
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def compute_content_sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file in one step: whoever looks sees the old content or the new, never a part.

    The content goes to a file beside the target, is forced to the disk and then takes the target's name. Missing
    folders above it are made.

    Parameters
    ----------
    path
        The file to write.
    content
        Its bytes.
    mode
        Its rights, such as 0o600 for what is nobody else's business; those of any new file when None.

    Raises
    ------
    StorageError
        When the disk is full or the folder may not be written to. The old file is then as it was, and nothing is left
        beside it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise build_storage_error(path, error) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o666 & ~get_umask() if mode is None else mode)
        part.replace(path)
        to_disk(path.parent)
    except OSError as error:
        raise build_storage_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Force a file, or a folder's list of names, to the disk, where the platform can."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def get_umask() -> int:
    """Return the process's mask for new files: `tempfile` makes them private, and reports are there to be read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
