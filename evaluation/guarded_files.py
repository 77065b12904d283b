"""Files that tell who is who, wherever they lie: in inbox/ and private/, or in the vault that is open for a run.

Whoever needs one asks here, and nowhere else is it known whether it is sealed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import StorageError
from data_schema.files import build_storage_error, clean_file_name, compute_content_sha256, write_whole
from evaluation.provenance import (
    IGNORE,
    PART,
    hash_bytes,
    hash_file,
    hash_json_values,
    protect_folder,
    replace_whole_folder,
)
from evaluation.vault import VAULT, Held, Opener, read_vault_outside

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder

KEY, ERASED = "private/pseudonym.key", "erased.json"
"""The key of the pseudonyms; the file in private/ that keeps erased pupils out: keyed hashes of pseudonyms."""

KEY_SHA256, VAULT_SHA256, INBOX_SHA256 = "key_sha256", "vault_sha256", "inbox_sha256"
"""Facts of lines of the log."""

FORMS = "private/forms/"

NEW, MOVES = "private/vault.new.zip", "private/vault.moves.json"
"""A vault that is being written; what changes places with it."""

_STAY = {
    "inbox": frozenset((IGNORE, ".gitattributes", ".gitkeep", ".practice.json")),
    "private": frozenset(
        (IGNORE, ERASED, "README.txt", *(Path(vault_path).name for vault_path in (VAULT, NEW, MOVES)))
    ),
}
"""Files that say nothing of a pupil, and are never sealed."""

_CERTIFICATES = "private/certificates/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Why a vault is opened, and with what.

    Parameters
    ----------
    reason
        Why, for the log. No names of pupils.
    secrets
        Passphrases or identities of its openers.
    """

    reason: str
    secrets: tuple[str, ...] = field(repr=False)


Ask = Callable[[str, tuple[str, ...]], Opening]
"""Called with the command that needs the vault and the names of its openers."""


@dataclass(slots=True, kw_only=True)
class Opened:
    """A vault that is open for a run, in memory.

    Parameters
    ----------
    files
        What is in it, by the path below the trial's folder; what is taken out here leaves the vault when it is sealed.
    sealed
        The files that were sealed last.
    openers, identities
        Who opened it, and with which identities.
    """

    files: dict[str, Held] = field(repr=False)
    sealed: Mapping[str, Held] = field(repr=False)
    openers: tuple[Opener, ...]
    identities: Mapping[str, str] = field(repr=False)


def is_away(trial: TrialFolder) -> bool:
    """Whether private/ is on a medium that is not there now."""
    return trial.paths.private.is_symlink() and not trial.paths.private.exists()


def require_private_folder(trial: TrialFolder) -> None:
    """Refuse to go on without private/ where it is on another medium.

    Raises
    ------
    StorageError
        When the medium is not there.
    """
    if is_away(trial):
        raise StorageError("private/", "it is on a medium that is not there.", "Attach the medium, and run this again.")


def find_sealed_facts(trial: TrialFolder) -> Mapping[str, str]:
    """Return what the log told last of the vault; nothing where it was never sealed or the log cannot be believed."""
    log = trial.log()
    vault_details = [entry.detail for entry in log.entries if VAULT_SHA256 in entry.detail] if log.is_usable else []
    return vault_details[-1] if vault_details else {}


def is_sealed(trial: TrialFolder) -> bool:
    """Whether what tells who is who is in the vault."""
    return bool(find_sealed_facts(trial).get(VAULT_SHA256)) or (trial.paths.root / VAULT).exists()


def collect_vault_facts(trial: TrialFolder) -> dict[str, str]:
    """Return the facts of the vault for a line of the log; that there is none, where the log names one."""
    path = trial.paths.root / VAULT
    if path.exists():
        content = read_guarded(path)
        return {**read_vault_outside(content).facts, VAULT_SHA256: hash_bytes(content)}
    return {VAULT_SHA256: ""} if find_sealed_facts(trial).get(VAULT_SHA256) else {}


def find_plain_files(trial: TrialFolder) -> dict[str, Path]:
    """Return what lies open though the vault would take it, by its path below the trial's folder."""
    files_by_path: dict[str, Path] = {}
    for top, stay in _STAY.items():
        folder = trial.paths.root / top
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = f"{top}/{path.relative_to(folder).as_posix()}"
            is_known = path.parent == folder and path.name in stay
            is_passing = top == "private" and path.match(PART)
            if path.is_file() and not (is_known or is_passing or name.startswith(_CERTIFICATES)):
                files_by_path[name] = path
    return files_by_path


def read_private_file(trial: TrialFolder, name: str) -> bytes | None:
    """Return the content of a file of private/, also where it is in an open vault; None where it is not there."""
    path = trial.paths.root / name
    if path.is_file():
        return read_guarded(path)
    return trial.opened.files[name].content if trial.opened is not None and name in trial.opened.files else None


def read_guarded(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    StorageError
        When the system refuses to read it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise build_storage_error(path, error) from error


def find_inbox_sources(trial: TrialFolder) -> dict[str, Path | Held]:
    """Return everything in inbox/ but folders, by its path there; a plain file comes before one in the vault.

    Raises
    ------
    StorageError
        When it is in a vault that is not open.
    """
    if trial.opened is None and is_sealed(trial):
        raise describe_sealed_error("what schools sent")
    folder = trial.paths.inbox
    top = f"{folder.name}/"
    sealed = trial.opened.files if trial.opened is not None else {}
    sources_by_path: dict[str, Path | Held] = {
        name.removeprefix(top): sealed_file for name, sealed_file in sealed.items() if name.startswith(top)
    }
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if (path.is_symlink() or not path.is_dir()) and path.name not in _STAY["inbox"] - {".practice.json"}:
            sources_by_path[path.relative_to(folder).as_posix()] = path
    named: dict[str, Path | Held] = {}
    for raw in sorted(sources_by_path):
        name = clean_file_name(raw)
        # Another file may really be called what this one is written as.
        named[f"{name}~" if name in named else name] = sources_by_path[raw]
    return named


def build_file_marker(trial: TrialFolder) -> Callable[[bytes], str]:
    """Return what makes the mark of a file's content: a keyed one; before there is a key, its hash."""
    from data_schema.pseudonyms import mark_of_file

    key = _read_trial_key(trial)
    return compute_content_sha256 if key is None else lambda content: mark_of_file([content], key=key)


def mark_of_source(trial: TrialFolder, source: Path | bytes) -> str:
    """Return the mark of a file of the inbox; "" where it is no file."""
    from data_schema.pseudonyms import mark_of_file

    if isinstance(source, bytes):
        return build_file_marker(trial)(source)
    # What is no file has no content, and opening it might never end.
    if not source.is_file():
        return ""
    key = _read_trial_key(trial)
    if key is None:
        return hash_file(source)
    try:
        with source.open("rb") as stream:
            return mark_of_file(iter(lambda: stream.read(1 << 20), b""), key=key)
    except OSError as error:
        raise build_storage_error(source, error) from error


def compute_inbox_hash(trial: TrialFolder) -> str:
    """Return the hash of all that lies in the inbox, also of what is sealed; "" where nothing does."""
    if trial.opened is None and is_sealed(trial):
        sealed = find_sealed_facts(trial).get(INBOX_SHA256, "")
        new = [name for name in find_plain_files(trial) if not name.startswith("private/")]
        return hash_json_values({"sealed": sealed, "new": [clean_file_name(name) for name in new]}) if new else sealed
    files = {name: mark_of_source(trial, source) for name, source in trial.inbox_files().items()}
    return hash_json_values(files) if files else ""


def _read_trial_key(trial: TrialFolder) -> bytes | None:
    content = read_private_file(trial, KEY)
    if content is None:
        return None
    try:
        return bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise StorageError(KEY, "this is no key.", "Bring the key back from a copy.") from error


def ensure_trial_key(trial: TrialFolder) -> bytes:
    """Return the trial's key, made when there is none; with the log begun first, so that a log that is gone is missed.

    Raises
    ------
    StorageError
        When it is sealed, on a medium that is not there, or gone though a key table is there: other pseudonyms would
        break every link to earlier data.
    """
    import secrets

    from evaluation.mode import write_created

    require_private_folder(trial)
    key = _read_trial_key(trial)
    if key is not None:
        return key
    if trial.opened is None and is_sealed(trial):
        raise describe_sealed_error("the key of the pseudonyms")
    if read_private_file(trial, "private/key_table.age") is not None:
        raise StorageError(KEY, "the key is gone, but its key table is there.", "Bring the key back from a copy.")
    if trial.log().state == "empty":
        write_created(trial, practice=trial.is_practice, detail={})
    protect_folder(trial.paths.private)
    key_bytes = secrets.token_bytes(32)
    write_whole(trial.paths.root / KEY, key_bytes.hex().encode() + b"\n", mode=0o600)
    return key_bytes


def find_key_fingerprint(trial: TrialFolder) -> str:
    """Return the fingerprint of the key, also of one in a vault that is not open; "" where there is none."""
    content = read_private_file(trial, KEY)
    if content is not None:
        # Of 256 random bits, nothing can be guessed from a hash of them.
        return hash_bytes(b"pseudonym key " + content.strip())
    return find_sealed_facts(trial).get(KEY_SHA256, "") if (trial.paths.root / VAULT).exists() else ""


def describe_sealed_error(what: str) -> StorageError:
    """Return the error that something is sealed in a vault that is not open."""
    return StorageError(VAULT, f"{what} is sealed in it, and it is not open.", "Run this as its openers.")


def keep_in_private(trial: TrialFolder, folder: str, files: Mapping[str, bytes]) -> None:
    """Put files in place of all that is in a folder of private/; where a vault is open, into it and nowhere else.

    Parameters
    ----------
    trial
        Locked by the caller.
    folder
        Path below the trial's folder, with a stroke at its end.
    files
        Path in the folder to the content.
    """
    if trial.opened is not None:
        # What was made before it was locked, or by a run that was killed.
        shutil.rmtree(trial.paths.root / folder, ignore_errors=True)
        for name in [name for name in trial.opened.files if name.startswith(folder)]:
            del trial.opened.files[name]
        for name, content in files.items():
            _keep_in_vault(trial.opened, f"{folder}{name}", content, at=trial.clock().timestamp())
        return
    with replace_whole_folder(trial.paths.root / folder) as new:
        for name, content in files.items():
            write_whole(new / name, content, mode=0o600)


def keep_file(trial: TrialFolder, name: str, content: bytes) -> None:
    """Put a file of private/ in place of the one of before; where a vault is open, into it and nowhere else."""
    if trial.opened is not None and not (trial.paths.root / name).exists():
        _keep_in_vault(trial.opened, name, content, at=trial.clock().timestamp())
    else:
        write_whole(trial.paths.root / name, content, mode=0o600)


def _keep_in_vault(opened: Opened, name: str, content: bytes, *, at: float) -> None:
    known = opened.files.get(name)
    # What is the same is not sealed again.
    if known is None or known.content != content:
        opened.files[name] = Held(content=content, modified=at)
