"""What a file of the inbox is called outside it, where its own name says something of a person, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.personal.stand_ins import is_stand_in, stands_for
from evaluation.guarded_files import mark_of_source

if TYPE_CHECKING:
    from evaluation.trial import Trial


def called(trial: Trial, file: str) -> str:
    """Return what a file is called in findings, in the store and in the log.

    Parameters
    ----------
    trial
        The trial.
    file
        Its path below inbox/, as it lies there; also of a file in a zipped folder.
    """
    from evaluation.stages.collect import FILES, STORE, taken_in

    store = trial.paths.store
    if (store / STORE).exists():
        known = json.loads((store / FILES).read_bytes())
        source = trial.inbox_files().get(file)
        if source is not None and known.get(file) == mark_of_source(trial, source):
            return file
    # What was not collected is looked through, with the lists of pupils beside it.
    return taken_in(trial).called.get(file, file)


def sent_as(trial: Trial, file: str) -> str:
    """Return the path below inbox/ of what a file is called; the name itself where no file is called so."""
    files = trial.inbox_files()
    if file in files or not is_stand_in(file):
        return file
    parts = file.split("/")
    for at in range(1, len(parts) + 1):
        for name, source in files.items():
            if name.count("/") + 1 == at and _is_called(trial, name, source, "/".join(parts[:at])):
                found = name if at == len(parts) else _member(trial, name, source, "/".join(parts[at:]))
                if found:
                    return found
    return file


def _is_called(trial: Trial, name: str, source: Path | bytes, shown: str) -> bool:
    pairs = zip(name.split("/"), shown.split("/"), strict=True)
    is_likely = all(one == other or is_stand_in(other) for one, other in pairs)
    mark = mark_of_source(trial, source) if is_likely else ""
    return bool(mark) and (name == shown or stands_for(shown, mark))


def _member(trial: Trial, name: str, source: Path | bytes, shown: str) -> str:
    """Return the path of the file in a zipped folder that is called so; "" where there is none."""
    from data_schema.readers import is_folder, members

    content = source if isinstance(source, bytes) else source.read_bytes()
    for member in members(content, file=name) if is_folder(content) else ():
        digest = mark_of_source(trial, member.content) if isinstance(member.content, bytes) else ""
        if member.name == shown or (digest and stands_for(shown, digest)):
            return f"{name}/{member.name}"
    return ""
