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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_schema.errors import DataError, StorageError
from data_schema.files import legible_name, sha256_of_content, storage_error, to_disk, write_whole
from evaluation.provenance import IGNORE, PART, ignore_itself, sha256, sha256_of, sha256_of_file
from evaluation.reasons import check_reason
from evaluation.trial_log import Event, append_event
from evaluation.vault import VAULT, Held, Opener, opener_of, outside_of, packed, unpacked

if TYPE_CHECKING:
    from evaluation.trial import Trial

KEY, ERASED = "private/pseudonym.key", "erased.json"
"""The key of the pseudonyms; the file in private/ that keeps erased pupils out: keyed hashes of pseudonyms."""

KEY_SHA256, VAULT_SHA256, INBOX_SHA256 = "key_sha256", "vault_sha256", "inbox_sha256"
"""Facts of lines of the log."""

FORMS = "private/forms/"

_NEW, _MOVES = "private/vault.new.zip", "private/vault.moves.json"

_STAY = {
    "inbox": frozenset((IGNORE, ".gitattributes", ".gitkeep", ".practice.json")),
    "private": frozenset((IGNORE, ERASED, "README.txt", *(Path(one).name for one in (VAULT, _NEW, _MOVES)))),
}
"""Files that say nothing of a pupil, and are never sealed."""

_CERTIFICATES = "private/certificates/"

_LARGEST = 1 << 30
"""Bytes that are sealed at most: they are held in memory."""


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
        The paths that were sealed last.
    openers, identities
        Who opened it, and with which identities.
    """

    files: dict[str, Held] = field(repr=False)
    sealed: frozenset[str] = field(repr=False)
    openers: tuple[Opener, ...]
    identities: Mapping[str, str] = field(repr=False)


def is_away(trial: Trial) -> bool:
    """Whether private/ is on a medium that is not there now."""
    return trial.paths.private.is_symlink() and not trial.paths.private.exists()


def need_private(trial: Trial) -> None:
    """Refuse to go on without private/ where it is on another medium.

    Raises
    ------
    StorageError
        When the medium is not there.
    """
    if is_away(trial):
        raise StorageError("private/", "it is on a medium that is not there.", "Attach the medium, and run this again.")


def sealed_facts(trial: Trial) -> Mapping[str, str]:
    """Return what the log told last of the vault; nothing where it was never sealed or the log cannot be believed."""
    log = trial.log()
    told = [entry.detail for entry in log.entries if VAULT_SHA256 in entry.detail] if log.is_usable else []
    return told[-1] if told else {}


def is_sealed(trial: Trial) -> bool:
    """Whether what tells who is who is in the vault."""
    return bool(sealed_facts(trial).get(VAULT_SHA256)) or (trial.paths.root / VAULT).exists()


def vault_facts(trial: Trial) -> dict[str, str]:
    """Return the facts of the vault for a line of the log; that there is none, where the log names one."""
    path = trial.paths.root / VAULT
    if path.exists():
        content = _read(path)
        return {**outside_of(content).facts, VAULT_SHA256: sha256(content)}
    return {VAULT_SHA256: ""} if sealed_facts(trial).get(VAULT_SHA256) else {}


def plain_files(trial: Trial) -> dict[str, Path]:
    """Return what lies open though the vault would take it, by its path below the trial's folder."""
    found: dict[str, Path] = {}
    for top, stay in _STAY.items():
        folder = trial.paths.root / top
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = f"{top}/{path.relative_to(folder).as_posix()}"
            is_known = path.parent == folder and path.name in stay
            is_passing = top == "private" and path.match(PART)
            if path.is_file() and not (is_known or is_passing or name.startswith(_CERTIFICATES)):
                found[name] = path
    return found


def held(trial: Trial, name: str) -> bytes | None:
    """Return the content of a file of private/, also where it is in an open vault; None where it is not there."""
    path = trial.paths.root / name
    if path.is_file():
        return _read(path)
    return trial.opened.files[name].content if trial.opened is not None and name in trial.opened.files else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise storage_error(path, error) from error


def inbox_sources(trial: Trial) -> dict[str, Path | Held]:
    """Return everything in inbox/ but folders, by its path there; a plain file comes before one in the vault.

    Raises
    ------
    StorageError
        When it is in a vault that is not open.
    """
    if trial.opened is None and is_sealed(trial):
        raise _needs_opening("what schools sent")
    folder = trial.paths.inbox
    top = f"{folder.name}/"
    sealed = trial.opened.files if trial.opened is not None else {}
    found: dict[str, Path | Held] = {
        name.removeprefix(top): one for name, one in sealed.items() if name.startswith(top)
    }
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if (path.is_symlink() or not path.is_dir()) and path.name not in _STAY["inbox"] - {".practice.json"}:
            found[path.relative_to(folder).as_posix()] = path
    named: dict[str, Path | Held] = {}
    for raw in sorted(found):
        name = legible_name(raw)
        # Another file may really be called what this one is written as.
        named[f"{name}~" if name in named else name] = found[raw]
    return named


def marker_of(trial: Trial) -> Callable[[bytes], str]:
    """Return what makes the mark of a file's content: a keyed one; before there is a key, its hash."""
    from data_schema.pseudonyms import mark_of_file

    key = _known_key(trial)
    return sha256_of_content if key is None else lambda content: mark_of_file([content], key=key)


def mark_of_source(trial: Trial, source: Path | bytes) -> str:
    """Return the mark of a file of the inbox; "" where it is no file."""
    from data_schema.pseudonyms import mark_of_file

    if isinstance(source, bytes):
        return marker_of(trial)(source)
    # What is no file has no content, and opening it might never end.
    if not source.is_file():
        return ""
    key = _known_key(trial)
    if key is None:
        return sha256_of_file(source)
    try:
        with source.open("rb") as stream:
            return mark_of_file(iter(lambda: stream.read(1 << 20), b""), key=key)
    except OSError as error:
        raise storage_error(source, error) from error


def inbox_hash(trial: Trial) -> str:
    """Return the hash of all that lies in the inbox, also of what is sealed; "" where nothing does."""
    if trial.opened is None and is_sealed(trial):
        sealed = sealed_facts(trial).get(INBOX_SHA256, "")
        new = [name for name in plain_files(trial) if not name.startswith("private/")]
        return sha256_of({"sealed": sealed, "new": [legible_name(name) for name in new]}) if new else sealed
    files = {name: mark_of_source(trial, source) for name, source in trial.inbox_files().items()}
    return sha256_of(files) if files else ""


def _known_key(trial: Trial) -> bytes | None:
    content = held(trial, KEY)
    if content is None:
        return None
    try:
        return bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise StorageError(KEY, "this is no key.", "Bring the key back from a copy.") from error


def trial_key(trial: Trial) -> bytes:
    """Return the trial's key, made when there is none; with the log begun first, so that a log that is gone is missed.

    Raises
    ------
    StorageError
        When it is sealed, on a medium that is not there, or gone though a key table is there: other pseudonyms would
        break every link to earlier data.
    """
    import secrets

    from evaluation.mode import write_created

    need_private(trial)
    key = _known_key(trial)
    if key is not None:
        return key
    if trial.opened is None and is_sealed(trial):
        raise _needs_opening("the key of the pseudonyms")
    if held(trial, "private/key_table.age") is not None:
        raise StorageError(KEY, "the key is gone, but its key table is there.", "Bring the key back from a copy.")
    if trial.log().state == "empty":
        write_created(trial, practice=trial.is_practice, detail={})
    ignore_itself(trial.paths.private)
    made = secrets.token_bytes(32)
    write_whole(trial.paths.root / KEY, made.hex().encode() + b"\n", mode=0o600)
    return made


def key_fingerprint(trial: Trial) -> str:
    """Return the fingerprint of the key, also of one in a vault that is not open; "" where there is none."""
    content = held(trial, KEY)
    if content is not None:
        # Of 256 random bits, nothing can be guessed from a hash of them.
        return sha256(b"pseudonym key " + content.strip())
    return sealed_facts(trial).get(KEY_SHA256, "") if (trial.paths.root / VAULT).exists() else ""


def _needs_opening(what: str) -> StorageError:
    return StorageError(VAULT, f"{what} is sealed in it, and it is not open.", "Run this as its openers.")


def lock(trial: Trial, secrets: tuple[str, ...]) -> Path:
    """Seal what tells who is who.

    Parameters
    ----------
    trial
        Locked by the caller; with its vault open where there is one.
    secrets
        One for each opener that the protocol names, as `evaluation.vault.opener_of` takes them; none where those who
        opened the vault stay its openers.

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
        openers = tuple(opener_of(name, secret) for name, secret in zip(names, secrets, strict=True))
        identities = secrets
    trial.log().checked()
    trial_key(trial)
    _seal(trial, plain_files(trial), openers=openers, secrets=identities)
    return trial.paths.root / VAULT


def seal_again(trial: Trial) -> None:
    """Seal what a run has put into the folder, and what came into the inbox; forms stay open until they are sent."""
    opened = trial.opened
    if opened is None:
        return
    plain = {name: path for name, path in plain_files(trial).items() if not name.startswith(FORMS)}
    if plain or opened.sealed != set(opened.files):
        _seal(trial, plain, openers=opened.openers, secrets=tuple(opened.identities.values()))


def seal_without(trial: Trial, top: str) -> bool:
    """Take what is below a folder out of the vault, if it is open; return whether anything was there."""
    if trial.opened is None:
        return False
    names = [name for name in trial.opened.files if name.startswith(top)]
    for name in names:
        del trial.opened.files[name]
    seal_again(trial)
    return bool(names)


def _seal(trial: Trial, plain: Mapping[str, Path], *, openers: tuple[Opener, ...], secrets: tuple[str, ...]) -> None:
    root, before = trial.paths.root, dict(trial.opened.files) if trial.opened is not None else {}
    # As they are before they are read: what is changed later is not removed.
    found = {name: _state(path.lstat()) for name, path in plain.items()}
    _refuse_too_much(plain)
    try:
        files = {**before, **{name: Held.of(path) for name, path in plain.items()}}
    except OSError as error:
        raise storage_error(root, error) from error
    facts = {
        KEY_SHA256: key_fingerprint(trial),
        INBOX_SHA256: inbox_hash(trial),
        "n_sent": str(sum(not name.startswith("private/") for name in files)),
        "openers": "; ".join(one.name for one in openers),
    }
    content = packed(files, openers=openers, facts=facts)
    moves = {"to": "vault", VAULT_SHA256: sha256(content), "paths": found}
    try:
        write_whole(root / _MOVES, json.dumps(moves).encode(), mode=0o600)
        write_whole(root / _NEW, content, mode=0o600)
        _check(_read(root / _NEW), content, files, openers=openers, secrets=secrets)
        append_event(trial, Event.SEALED, {VAULT_SHA256: sha256(content), **facts})
    finally:
        settle_vault(trial)
    if trial.opened is not None:
        trial.opened.files, trial.opened.sealed = files, frozenset(files)


def _refuse_too_much(plain: Mapping[str, Path]) -> None:
    sizes = {name: path.stat().st_size for name, path in plain.items()}
    if sum(sizes.values()) > _LARGEST:
        name = legible_name(max(sizes, key=lambda one: sizes[one]))
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
        is_same = unpacked(written, secrets)[0] == files and len(outside_of(written).openers) == len(openers)
    if not is_same:
        raise StorageError(VAULT, "it was not written as it should be.", "Check the disk; everything is as it was.")


def _state(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns]


def settle_vault(trial: Trial) -> None:
    """Bring vault and plain files into the state that the log names: a run has ended, or was killed.

    Parameters
    ----------
    trial
        Locked by the caller.
    """
    root = trial.paths.root
    new, vault, moves = root / _NEW, root / VAULT, root / _MOVES
    if is_away(trial) or not (new.exists() or moves.exists()) or not trial.log().is_usable:
        return
    named = sealed_facts(trial).get(VAULT_SHA256, "")
    try:
        if new.exists() and sha256_of_file(new) == named:
            new.replace(vault)
            to_disk(vault.parent)
        new.unlink(missing_ok=True)
        told = json.loads(moves.read_bytes()) if moves.exists() else {}
        is_there = bool(told) and sha256_of_file(vault) == told[VAULT_SHA256]
        if is_there and told[VAULT_SHA256] == named:
            for name, state in told["paths"].items():
                _remove(root / name, state)
            _prune(trial)
        elif is_there and told["to"] == "folder":
            vault.unlink()
        moves.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(root / VAULT, error) from error


def _remove(path: Path, state: list[int] | None) -> None:
    """Remove a file that is in the vault, unless it has become another one since, and what was half written of it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.????????.part"):
        part.unlink()
    if (path.is_symlink() or path.exists()) and state in (None, _state(path.lstat())):
        path.unlink()


def _prune(trial: Trial) -> None:
    """Remove folders that are empty now, but those that the protocol names: others may be called by classes."""
    kept = {folder for rule in trial.protocol.inbox for folder in _named_folders(trial.paths.inbox, rule.pattern)}
    for top in (trial.paths.inbox, trial.paths.forms):
        for folder in sorted(top.rglob("*"), reverse=True) if top.is_dir() else ():
            if folder.is_dir() and not folder.is_symlink() and folder not in kept and not any(folder.iterdir()):
                folder.rmdir()


def _named_folders(inbox: Path, pattern: str) -> Iterator[Path]:
    """Yield the folders that a rule of the inbox names in full."""
    folder = inbox
    for part in pattern.split("/")[:-1]:
        if any(sign in part for sign in "*?["):
            return
        folder /= part
        yield folder


def needs_settling(trial: Trial) -> bool:
    """Whether a run was killed, or is at it, while vault and plain files changed places."""
    is_between = any((trial.paths.root / name).exists() for name in (_NEW, _MOVES))
    return is_between or any(True for _ in trial.paths.private.rglob(PART))


@contextmanager
def open_for(trial: Trial, command: str) -> Iterator[Trial]:
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
    need_private(trial)
    if trial.opened is not None or not is_sealed(trial):
        yield trial
        return
    opened = _opened(trial, command)
    yield opened
    seal_again(opened)


def _opened(trial: Trial, command: str) -> Trial:
    content = _read(trial.paths.root / VAULT)
    names = tuple(one.name for one in outside_of(content).openers)
    if trial.opening is None:
        raise _needs_opening("what tells who is who")
    asked = trial.opening(command, names)
    if not asked.reason.strip():
        raise DataError("reason", "there is none.", "Say why it is opened, for the log: --reason 'the second wave'.")
    check_reason(trial, asked.reason)
    files, identities = unpacked(content, asked.secrets)
    detail = {"command": command, "openers": "; ".join(names), "reason": asked.reason.strip()}
    append_event(trial, Event.OPENED, detail)
    opened = Opened(files=files, sealed=frozenset(files), openers=outside_of(content).openers, identities=identities)
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


def unlock(trial: Trial, *, for_good: bool) -> Unlocked:
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
    need_private(trial)
    if not is_sealed(trial):
        raise DataError("private/", "nothing is sealed.", "Nothing needs to be done.")
    opened = _opened(trial, "unlock --for-good" if for_good else "unlock")
    files = opened.opened.files if opened.opened is not None else {}
    if for_good:
        _put_back(opened, files)
    n_sent = sum(not name.startswith("private/") for name in files)
    return Unlocked(n_sent=n_sent, n_private=len(files) - n_sent, for_good=for_good)


def _put_back(trial: Trial, every: Mapping[str, Held]) -> None:
    root = trial.paths.root
    files = {name: one for name, one in every.items() if not (root / name).exists()}
    moves = {"to": "folder", VAULT_SHA256: sha256_of_file(root / VAULT), "paths": dict.fromkeys(files)}
    try:
        write_whole(root / _MOVES, json.dumps(moves).encode(), mode=0o600)
        for name, one in files.items():
            write_whole(root / name, one.content, mode=0o600)
            os.utime(root / name, (one.modified, one.modified))
        append_event(trial, Event.UNSEALED, {VAULT_SHA256: "", "n_files": str(len(files))})
    finally:
        settle_vault(trial)
