"""What tells who is who, sealed at rest: once `crocoos lock` has been called it is in the vault, and nowhere else.

A run that needs it opens the vault in memory, and the log says who opened it, when and why; nothing is written in the
clear, so that nothing is left of a run, however it ends. What comes into the folder meanwhile is sealed when the run
has succeeded. The vault and the files that it takes the place of change places as the log says: a vault that no line
names does not count, and plain files go only when the line is there.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError, StorageError
from data_schema.files import build_storage_error, clean_file_name, to_disk, write_whole
from evaluation.frame_persons import check_reason
from evaluation.guarded_files import (
    INBOX_SHA256,
    KEY_SHA256,
    MOVES,
    NEW,
    VAULT_SHA256,
    Opened,
    compute_inbox_hash,
    describe_sealed_error,
    ensure_trial_key,
    find_key_fingerprint,
    find_plain_files,
    find_sealed_facts,
    is_away,
    is_sealed,
    read_guarded,
    require_private_folder,
)
from evaluation.provenance import PART, hash_bytes, hash_file
from evaluation.trial_log import Event, add_log_event
from evaluation.vault import VAULT, Held, Opener, create_opener, decrypt_vault, encrypt_vault, read_vault_outside

if TYPE_CHECKING:
    from evaluation.folder import TrialFolder

_LARGEST = 1 << 30
"""Bytes that are sealed at most: they are held in memory."""


def lock(trial: TrialFolder, secrets: tuple[str, ...]) -> Path:
    """Seal what tells who is who.

    Parameters
    ----------
    trial
        Locked by the caller; with its vault open where there is one.
    secrets
        One for each opener that the protocol names, as `evaluation.vault.create_opener` takes them; none where those
        who opened the vault stay its openers.

    Raises
    ------
    DataError
        When there are more or fewer secrets than openers, or one can be guessed.
    StorageError
        When the vault cannot be written; everything is then as it was.
    """
    names = trial.protocol.privacy.openers
    if trial.opened is not None and not secrets:
        openers, identities = trial.opened.openers, tuple(trial.opened.identities.values())
    else:
        if len(secrets) != len(names) or len(set(secrets)) != len(names):
            wanted = f"{len(names)} different ones are needed, of: {', '.join(names)}."
            raise DataError("passphrases", f"there are {len(set(secrets))} of them; {wanted}", "Give one of each.")
        openers = tuple(create_opener(name, secret) for name, secret in zip(names, secrets, strict=True))
        identities = secrets
    trial.log().checked()
    ensure_trial_key(trial)
    _write_vault(trial, find_plain_files(trial), openers=openers, secrets=identities)
    return trial.paths.root / VAULT


def encrypt_changed_files(trial: TrialFolder) -> None:
    """Seal what a run has put into the vault or the folder, and what came into the inbox."""
    opened = trial.opened
    if opened is None:
        return
    plain = find_plain_files(trial)
    if plain or opened.sealed != opened.files:
        _write_vault(trial, plain, openers=opened.openers, secrets=tuple(opened.identities.values()))


def remove_from_vault(trial: TrialFolder, top: str) -> bool:
    """Take what is below a folder out of the vault, if it is open; return whether anything was there."""
    if trial.opened is None:
        return False
    names = [name for name in trial.opened.files if name.startswith(top)]
    for name in names:
        del trial.opened.files[name]
    encrypt_changed_files(trial)
    return bool(names)


def _write_vault(
    trial: TrialFolder, plain: Mapping[str, Path], *, openers: tuple[Opener, ...], secrets: tuple[str, ...]
) -> None:
    root, before = trial.paths.root, dict(trial.opened.files) if trial.opened is not None else {}
    # As they are before they are read: what is changed later is not removed.
    file_states = {name: _describe_file_state(path.lstat()) for name, path in plain.items()}
    _refuse_too_much(plain)
    try:
        files = {**before, **{name: Held.of(path) for name, path in plain.items()}}
    except OSError as error:
        raise build_storage_error(root, error) from error
    facts = {
        KEY_SHA256: find_key_fingerprint(trial),
        INBOX_SHA256: compute_inbox_hash(trial),
        "n_sent": str(sum(not name.startswith("private/") for name in files)),
        "openers": "; ".join(opener.name for opener in openers),
    }
    content = encrypt_vault(files, openers=openers, facts=facts)
    moves = {"to": "vault", VAULT_SHA256: hash_bytes(content), "paths": file_states}
    try:
        write_whole(root / MOVES, json.dumps(moves).encode(), mode=0o600)
        write_whole(root / NEW, content, mode=0o600)
        _check(read_guarded(root / NEW), content, files, openers=openers, secrets=secrets)
        add_log_event(trial, Event.SEALED, {VAULT_SHA256: hash_bytes(content), **facts})
    finally:
        restore_vault_state(trial)
    if trial.opened is not None:
        trial.opened.files, trial.opened.sealed = files, dict(files)


def _refuse_too_much(plain: Mapping[str, Path]) -> None:
    sizes = {name: path.stat().st_size for name, path in plain.items()}
    if sum(sizes.values()) > _LARGEST:
        name = clean_file_name(max(sizes, key=lambda one: sizes[one]))
        problem = f"{sum(sizes.values()) >> 20} MB are to be sealed, and no more than {_LARGEST >> 20} can be."
        raise StorageError(name, problem, "It is the largest one: move it elsewhere if it is no table of a school.")


def _check(
    written: bytes,
    content: bytes,
    files: Mapping[str, Held],
    *,
    openers: tuple[Opener, ...],
    secrets: tuple[str, ...],
) -> None:
    """See that what is on the disk opens; where an identity is elsewhere, that it is what was to be written."""
    is_same = written == content
    # Whose recipient alone was given opens it elsewhere.
    if is_same and not any(secret.strip().startswith("age1") for secret in secrets):
        is_same = decrypt_vault(written, secrets)[0] == files and len(read_vault_outside(written).openers) == len(
            openers
        )
    if not is_same:
        raise StorageError(VAULT, "it was not written as it should be.", "Check the disk; everything is as it was.")


def _describe_file_state(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns]


def restore_vault_state(trial: TrialFolder) -> None:
    """Bring vault and plain files into the state that the log names: a run has ended, or was killed.

    Parameters
    ----------
    trial
        Locked by the caller.
    """
    root = trial.paths.root
    new, vault, moves = root / NEW, root / VAULT, root / MOVES
    if is_away(trial) or not (new.exists() or moves.exists()) or not trial.log().is_usable:
        return
    named = find_sealed_facts(trial).get(VAULT_SHA256, "")
    try:
        if new.exists() and hash_file(new) == named:
            new.replace(vault)
            to_disk(vault.parent)
        new.unlink(missing_ok=True)
        recorded_moves = json.loads(moves.read_bytes()) if moves.exists() else {}
        is_there = bool(recorded_moves) and hash_file(vault) == recorded_moves[VAULT_SHA256]
        if is_there and recorded_moves[VAULT_SHA256] == named:
            for name, state in recorded_moves["paths"].items():
                _remove(root / name, state)
            _remove_empty_folders(trial)
        elif is_there and recorded_moves["to"] == "folder":
            vault.unlink()
        moves.unlink(missing_ok=True)
    except OSError as error:
        raise build_storage_error(root / VAULT, error) from error


def _remove(path: Path, state: list[int] | None) -> None:
    """Remove a file that is in the vault, unless it has become another one since, and what was half written of it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        part.unlink()
    if (path.is_symlink() or path.exists()) and state in (None, _describe_file_state(path.lstat())):
        path.unlink()


def _remove_empty_folders(trial: TrialFolder) -> None:
    """Remove folders that are empty now, but those that the protocol names: others may be called by classes."""
    protected_folders = {
        folder for rule in trial.protocol.inbox for folder in _iterate_named_folders(trial.paths.inbox, rule.pattern)
    }
    for top in (trial.paths.inbox, trial.paths.forms):
        for folder in sorted(top.rglob("*"), reverse=True) if top.is_dir() else ():
            if (
                folder.is_dir()
                and not folder.is_symlink()
                and folder not in protected_folders
                and not any(folder.iterdir())
            ):
                folder.rmdir()


def _iterate_named_folders(inbox: Path, pattern: str) -> Iterator[Path]:
    """Yield the folders that a rule of the inbox names in full."""
    folder = inbox
    for part in pattern.split("/")[:-1]:
        if any(sign in part for sign in "*?["):
            return
        folder /= part
        yield folder


def is_vault_unsettled(trial: TrialFolder) -> bool:
    """Whether a run was killed, or is at it, while vault and plain files changed places."""
    is_between = any((trial.paths.root / name).exists() for name in (NEW, MOVES))
    return is_between or any(True for _ in trial.paths.private.rglob(PART))


@contextmanager
def open_for(trial: TrialFolder, command: str) -> Iterator[TrialFolder]:
    """Give a trial whose vault is open in memory, where there is one, and seal what has come once the run is over.

    Parameters
    ----------
    trial
        Locked by the caller.
    command
        What needs it.

    Raises
    ------
    StorageError
        When the vault, or the medium that it is on, is not there.
    DataError
        When no reason is given, or the vault does not open.
    """
    require_private_folder(trial)
    if trial.opened is not None or not is_sealed(trial):
        yield trial
        return
    opened = _open_trial_vault(trial, command)
    yield opened
    encrypt_changed_files(opened)


def _open_trial_vault(trial: TrialFolder, command: str) -> TrialFolder:
    content = read_guarded(trial.paths.root / VAULT)
    names = tuple(opener.name for opener in read_vault_outside(content).openers)
    if trial.opening is None:
        raise describe_sealed_error("what tells who is who")
    asked = trial.opening(command, names)
    if not asked.reason.strip():
        raise DataError("reason", "there is none.", "Say why it is opened, for the log: --reason 'the second wave'.")
    check_reason(trial, asked.reason)
    files, identities = decrypt_vault(content, asked.secrets)
    detail = {"command": command, "openers": "; ".join(names), "reason": asked.reason.strip()}
    add_log_event(trial, Event.OPENED, detail)
    opened = Opened(files=files, sealed=dict(files), openers=read_vault_outside(content).openers, identities=identities)
    return replace(trial, opened=opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked:
    """What an opening showed.

    Parameters
    ----------
    n_sent, n_private
        Files of schools, and others, that are in the vault or were.
    for_good
        Whether they lie in the clear again.
    """

    n_sent: int
    n_private: int
    for_good: bool

    def to_dict(self) -> dict[str, object]:
        """Return the values as JSON values."""
        return {"n_sent": self.n_sent, "n_private": self.n_private, "for_good": self.for_good}


def unlock(trial: TrialFolder, *, for_good: bool) -> Unlocked:
    """Open the vault to see that its openers still can; or put everything back in the clear and give the vault up.

    Parameters
    ----------
    trial
        Locked by the caller.
    for_good
        Whether files are put back, and stay. What lies in the folder under the same name is newer, and stays, too.

    Raises
    ------
    DataError
        When nothing is sealed, or the vault does not open.
    """
    require_private_folder(trial)
    if not is_sealed(trial):
        raise DataError("private/", "nothing is sealed.", "Nothing needs to be done.")
    opened = _open_trial_vault(trial, "unlock --for-good" if for_good else "unlock")
    files = opened.opened.files if opened.opened is not None else {}
    if for_good:
        _restore_vault_files(opened, files)
    n_sent = sum(not name.startswith("private/") for name in files)
    return Unlocked(n_sent=n_sent, n_private=len(files) - n_sent, for_good=for_good)


def _restore_vault_files(trial: TrialFolder, every: Mapping[str, Held]) -> None:
    root = trial.paths.root
    files = {name: held_file for name, held_file in every.items() if not (root / name).exists()}
    moves = {"to": "folder", VAULT_SHA256: hash_file(root / VAULT), "paths": dict.fromkeys(files)}
    try:
        write_whole(root / MOVES, json.dumps(moves).encode(), mode=0o600)
        for name, restored_file in files.items():
            write_whole(root / name, restored_file.content, mode=0o600)
            os.utime(root / name, (restored_file.modified, restored_file.modified))
        add_log_event(trial, Event.UNSEALED, {VAULT_SHA256: "", "n_files": str(len(files))})
    finally:
        restore_vault_state(trial)
