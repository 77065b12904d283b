"""A trial's folder to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from data_schema.errors import ProtocolError
from data_schema.files import storage_error, write_whole

TEMPLATES = ("crocoos", "minimal")

_IGNORED = """# Pupils' data stay out of git: what schools sent, the store made from it, and the key to the pseudonyms.
/inbox/
/store/
/private/
.*.partial
.*.previous
.lock
"""


def init(folder: Path, *, template: str = "minimal") -> list[Path]:
    """Make a trial's folder with a protocol that teaches.

    Parameters
    ----------
    folder
        The folder to make; it may be there, but must not hold a protocol or the toolkit's own code.
    template
        "crocoos" or "minimal".

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ProtocolError
        When the template is not known, or the folder holds something that must not be mixed with a trial.
    StorageError
        When the folder cannot be written.
    """
    if template not in TEMPLATES:
        raise ProtocolError("init", f"'{template}' is no template.", f"Use one of {', '.join(TEMPLATES)}.")
    if (folder / "trial.toml").exists():
        raise ProtocolError(str(folder), "there is a protocol here already.", "Name another folder.")
    if (folder / "pyproject.toml").exists() or (folder / "evaluation" / "origin.py").exists():
        raise ProtocolError(str(folder), "this folder holds code.", "Keep trials apart from code: name another folder.")
    source = files("evaluation") / "templates" / template
    contents = {folder / "trial.toml": (source / "trial.toml").read_bytes(), folder / ".gitignore": _IGNORED.encode()}
    for path, content in contents.items():
        write_whole(path, content)
    try:
        (folder / "inbox").mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(folder / "inbox", error) from error
    return [*contents, folder / "inbox"]
