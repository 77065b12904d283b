"""The vault: files in one encrypted file, which its openers open together, each with a secret of their own.

It is a zipped folder that needs no toolkit to be opened: `content.age` is encrypted (age: X25519, ChaCha20-Poly1305) to
one opener after the other, the last one innermost, so that all are needed; `opener_N.age` is the identity of an opener
who has a passphrase, locked with it (age: scrypt).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_schema.errors import DataError, StorageError
from data_schema.files import clean_file_name

VAULT = "private/vault.zip"
"""Where it is in a trial's folder."""

_CONTENT, _FACTS, _INDEX, _NOTE = "content.age", "openers.json", "index.json", "README.txt"

_IDENTITY, _RECIPIENT = "AGE-SECRET-KEY-", "age1"

_README = """This zipped folder holds what tells who is who in a trial. Its openers open it together. With the toolkit:
crocoos unlock. Without it, with age (https://age-encryption.org), where there is one opener:

    age -d opener_1.age > identity.txt                         (asks for the passphrase; for an opener who has one)
    age -d -i identity.txt content.age > content.zip

With two, the second line gives what the second opener decrypts in the same way. openers.json says whose turn it is.
Remove identity.txt afterwards. Nobody can open it without every opener's secret, nor can those who made the toolkit.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file of the vault.

    Parameters
    ----------
    content
        Its bytes.
    modified
        When it was last changed, in seconds since 1970.
    """

    content: bytes = field(repr=False)
    modified: float

    @classmethod
    def of(cls, path: Path) -> Held:
        """Read a file."""
        return cls(content=path.read_bytes(), modified=path.stat().st_mtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Somebody without whom a vault is not opened.

    Parameters
    ----------
    name
        What the protocol calls them.
    recipient
        What is encrypted to them ("age1..."); it may be known.
    locked
        Their identity, locked with their passphrase; empty where they keep it elsewhere.
    """

    name: str
    recipient: str
    locked: bytes = field(default=b"", repr=False)


def create_opener(name: str, secret: str) -> Opener:
    """Make an opener.

    Parameters
    ----------
    name
        What the protocol calls them.
    secret
        A passphrase of twelve characters or more; or an identity of age ("AGE-SECRET-KEY-1..."), or its recipient
        alone ("age1..."), whose identity is then kept elsewhere.

    Raises
    ------
    DataError
        When the passphrase can be guessed, or the identity or recipient is none.
    """
    import pyrage

    from data_schema.pseudonyms import lock_identity, new_identity

    secret = secret.strip()
    try:
        if secret.startswith(_IDENTITY):
            return Opener(name=name, recipient=str(pyrage.x25519.Identity.from_str(secret).to_public()))
        if secret.startswith(_RECIPIENT):
            return Opener(name=name, recipient=str(pyrage.x25519.Recipient.from_str(secret)))
    except (pyrage.IdentityError, pyrage.RecipientError) as error:
        remedy = "Give a line as age-keygen writes it: 'AGE-SECRET-KEY-1...', or 'age1...'."
        raise DataError(f"key of the {name}", "it cannot be read.", remedy) from error
    recipient, identity = new_identity()
    return Opener(name=name, recipient=recipient, locked=lock_identity(identity, secret))


def encrypt_vault(files: Mapping[str, Held], *, openers: Sequence[Opener], facts: Mapping[str, str]) -> bytes:
    """Return the vault of some files.

    Parameters
    ----------
    files
        Path below the trial's folder to the file.
    openers
        Who opens it together, in this order.
    facts
        What everybody may know of it.
    """
    import pyrage

    content = _build_inner_archive(files)
    for opener in reversed(openers):
        content = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(opener.recipient)])
    opener_facts = [{"name": listed_opener.name, "recipient": listed_opener.recipient} for listed_opener in openers]
    parts = {
        _NOTE: _README.encode(),
        _FACTS: (json.dumps({"openers": opener_facts, "facts": dict(facts)}, indent=2) + "\n").encode(),
        **{
            _format_locked_name(opener_number): locked_opener.locked
            for opener_number, locked_opener in enumerate(openers)
            if locked_opener.locked
        },
        _CONTENT: content,
    }
    return _build_archive(parts, zipfile.ZIP_STORED)


def _format_locked_name(at: int) -> str:
    return f"opener_{at + 1}.age"


def _build_archive(parts: Mapping[str, bytes], compression: int) -> bytes:
    zip_buffer = io.BytesIO()
    with zipfile.ZipFile(zip_buffer, "w", compression) as archive:
        for name, content in parts.items():
            # No time of its own: it would say when which file was looked at.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, compression)
    return zip_buffer.getvalue()


def _build_inner_archive(files: Mapping[str, Held]) -> bytes:
    """Return the files in an archive under names that every system takes, with an index of the true ones."""
    parts: dict[str, bytes] = {}
    index = []
    for path, held in sorted(files.items()):
        name = clean_file_name(path)
        while name in parts:
            name += "~"
        parts[name] = held.content
        index.append({"path": path, "name": name, "modified": held.modified})
    return _build_archive({_INDEX: json.dumps(index).encode(), **parts}, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What everybody may read of a vault: who opens it, and its facts."""

    openers: tuple[Opener, ...]
    facts: Mapping[str, str]
    content: bytes = field(repr=False)


def read_vault_outside(vault: bytes) -> Outside:
    """Read what needs no secret.

    Raises
    ------
    StorageError
        When it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(vault)) as archive:
            names = set(archive.namelist())
            vault_facts = json.loads(archive.read(_FACTS))
            openers = tuple(
                Opener(
                    **opener_values,
                    locked=archive.read(_format_locked_name(opener_number))
                    if _format_locked_name(opener_number) in names
                    else b"",
                )
                for opener_number, opener_values in enumerate(vault_facts["openers"])
            )
            return Outside(openers=openers, facts=dict(vault_facts["facts"]), content=archive.read(_CONTENT))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, OSError) as error:
        raise StorageError(VAULT, "it is damaged.", "Bring it back from a copy.") from error


def decrypt_vault(vault: bytes, secrets: Collection[str]) -> tuple[dict[str, Held], dict[str, str]]:
    """Open a vault in memory.

    Parameters
    ----------
    vault
        Its bytes.
    secrets
        The openers' passphrases or identities, in whatever order.

    Returns
    -------
    tuple
        The files by their path, and each opener's name to the identity that opened it.

    Raises
    ------
    DataError
        When a secret is not there or not the right one.
    StorageError
        When it is damaged.
    """
    import pyrage

    outside = read_vault_outside(vault)
    content, identities = outside.content, {}
    for opener in outside.openers:
        identity = _find_identity(opener, secrets)
        identities[opener.name] = identity
        try:
            content = pyrage.decrypt(content, [pyrage.x25519.Identity.from_str(identity)])
        except pyrage.DecryptError as error:
            raise StorageError(VAULT, "it is damaged.", "Bring it back from a copy.") from error
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        index = json.loads(archive.read(_INDEX))
        files = {
            index_entry["path"]: Held(
                content=archive.read(index_entry["name"]), modified=float(index_entry["modified"])
            )
            for index_entry in index
        }
    return files, identities


def _find_identity(opener: Opener, secrets: Collection[str]) -> str:
    """Return the identity of an opener: one of the secrets, or what one of them unlocks."""
    from data_schema.pseudonyms import parse_recipient, unlock_identity

    for secret in (stated_secret.strip() for stated_secret in secrets):
        try:
            identity = secret if secret.startswith(_IDENTITY) else unlock_identity(opener.locked, secret)
            if parse_recipient(identity) == opener.recipient:
                return identity
        except DataError:
            # It is the secret of another opener, or nobody's.
            continue
    kind = "the passphrase with which it was locked" if opener.locked else f"the identity of {opener.recipient}"
    raise DataError(
        VAULT,
        f"it does not open for the {opener.name}: another passphrase or identity. Nothing was changed.",
        f"Give {kind}.",
    )
