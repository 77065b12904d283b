"""Identifiers of pupils -> keyed pseudonyms, and the key table that leads back.

A plain hash of an identifier can be undone by trying all identifiers; a keyed one (HMAC) cannot without the key. The
key table is kept encrypted, apart from the data.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from data_schema.columns import build_text_series
from data_schema.errors import DataError
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd
    from pyrage import x25519

_N_CHARACTERS = 20
_SHORTEST_KEY = 16
_SHORTEST_PASSPHRASE = 12


def pseudonym(value: str, *, key: bytes, scope: str) -> str:
    """Make the pseudonym of an identifier.

    Parameters
    ----------
    value
        The identifier.
    key
        The trial's secret key, 16 bytes or more.
    scope
        What the identifier is unique within: `school_id` for pupils.

    Returns
    -------
    str
        "p" and 20 characters a-z and 2-7: the first 100 bits of HMAC-SHA-256 in base 32. Two of 10,000,000 pupils have
        the same one with a probability below one in 10^16.

    Raises
    ------
    DataError
        When the key is too short.

    Examples
    --------
    >>> pseudonym("001/27", key=b"sixteen bytes at least", scope="RS-101")
    'pdlqhgdmvugmsjqsvxopj'
    """
    if len(key) < _SHORTEST_KEY:
        raise DataError(
            "key of the pseudonyms",
            f"it has {len(key)} bytes; short keys can be guessed.",
            f"Make one of {_SHORTEST_KEY} random bytes or more.",
        )
    # The length divides the two, so that no scope and value read like others.
    digest = hmac.new(key, f"{len(scope)}:{scope}:{value}".encode(), hashlib.sha256).digest()
    return "p" + base64.b32encode(digest).decode()[:_N_CHARACTERS].lower()


def mark_of_file(content: Iterable[bytes], *, key: bytes) -> str:
    """Return the mark by which the content of a file is known again; who has no key cannot find it by trying contents.

    Parameters
    ----------
    content
        The file as it was sent, in parts.
    key
        The trial's secret key.

    Examples
    --------
    >>> len(mark_of_file([b"school_id;", b"pupil_id"], key=b"sixteen bytes at least"))
    64
    """
    # No pseudonym and no tombstone is made of a text that begins like this.
    keyed_hash = hmac.new(key, b"file:", hashlib.sha256)
    for part in content:
        keyed_hash.update(part)
    return keyed_hash.hexdigest()


def pseudonymised(
    frames: Mapping[str, pd.DataFrame], *, key: bytes, tables: Mapping[str, Table]
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Part tables from the identifiers in them.

    Parameters
    ----------
    frames
        Table to its rows, as intake returns them; not changed.
    key
        The trial's secret key, 16 bytes or more.
    tables
        The tables, by name.

    Returns
    -------
    tuple
        The frames, with a pseudonym in each field of the privacy "identifier" and without the fields of the privacy
        "direct"; and the key table, one row per pupil: `pseudonym`, `school_id`, `pupil_id`, and each direct identifier
        (all different spellings, divided by "; "). Direct identifiers of schools' records have rows without
        `pseudonym` and `pupil_id`.
    """
    replaced_frames, known = {}, _KeyTable()
    for name, frame in frames.items():
        private = [item for item in tables[name].fields if item.is_private and item.name in frame]
        changed = frame.drop(columns=[item.name for item in private if item.privacy == "direct"])
        for item in private:
            if item.privacy == "identifier":
                changed[item.name] = _replace_with_pseudonyms(frame["school_id"], frame[item.name], item.name, key)
        replaced_frames[name] = changed
        known.add(frame, changed, [item.name for item in private])
    return replaced_frames, known.to_frame()


def _replace_with_pseudonyms(schools: pd.Series, values: pd.Series, name: str, key: bytes) -> pd.Series:
    pairs = list(zip(schools, values, values.isna(), strict=True))
    pseudonyms_by_value: dict[tuple[str, str], str] = {}
    for school, value, missing in pairs:
        if not missing and (school, value) not in pseudonyms_by_value:
            # Other identifiers than the pupil's own have a scope of their own: equal ones must not look alike.
            scope = school if name == "pupil_id" else f"{school} {name}"
            pseudonyms_by_value[school, value] = pseudonym(value, key=key, scope=scope)
    replaced = build_text_series(
        [None if missing else pseudonyms_by_value[school, value] for school, value, missing in pairs]
    )
    return replaced.set_axis(values.index)


class _KeyTable:
    """Gathers who is behind each pseudonym."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], dict[str, list[str]]] = {}
        self.names: list[str] = []

    def add(self, frame: pd.DataFrame, changed: pd.DataFrame, private: list[str]) -> None:
        is_about_pupils = "pupil_id" in private
        named_fields = [name for name in private if name != "pupil_id"]
        if not is_about_pupils and not named_fields:
            return
        self.names += [name for name in named_fields if name not in self.names]
        blank = [""] * len(frame)
        keys = zip(
            frame["school_id"],
            frame["pupil_id"] if is_about_pupils else blank,
            changed["pupil_id"] if is_about_pupils else blank,
            strict=True,
        )
        columns = [frame[name].astype(object).where(frame[name].notna(), None) for name in named_fields]
        for key, *cells in zip(keys, *columns, strict=True):
            row = self.rows.setdefault(key, {})
            for name, cell in zip(named_fields, cells, strict=True):
                if cell is not None and str(cell) not in row.setdefault(name, []):
                    row[name].append(str(cell))

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        ordered = sorted(self.rows)
        columns = {
            "pseudonym": build_text_series([mark or None for _, _, mark in ordered]),
            "school_id": build_text_series([school for school, _, _ in ordered]),
            "pupil_id": build_text_series([pupil or None for _, pupil, _ in ordered]),
        }
        for name in self.names:
            columns[name] = build_text_series(["; ".join(self.rows[key].get(name, [])) or None for key in ordered])
        return pd.DataFrame(columns)


def new_identity() -> tuple[str, str]:
    """Make a pair of keys for the key table.

    Returns
    -------
    tuple of str
        The recipient ("age1..."), which encrypts and may be known, and the identity ("AGE-SECRET-KEY-1..."), which
        decrypts and must be kept apart from the data.
    """
    from pyrage import x25519

    identity = x25519.Identity.generate()
    return str(identity.to_public()), str(identity)


def parse_recipient(identity: str) -> str:
    """Return the recipient of an identity of `new_identity`.

    Raises
    ------
    DataError
        When the identity is none.
    """
    return str(_read_identity(identity).to_public())


def _read_identity(identity: str) -> x25519.Identity:
    import pyrage

    try:
        return pyrage.x25519.Identity.from_str(identity.strip())
    except pyrage.IdentityError as error:
        remedy = "Give the line that starts with 'AGE-SECRET-KEY-1'."
        raise DataError("key table", "the identity cannot be read.", remedy) from error


def encrypt_key_table(frame: pd.DataFrame, recipient: str) -> bytes:
    """Encrypt a key table in the age format (X25519, ChaCha20-Poly1305).

    Parameters
    ----------
    frame
        The key table; text columns only.
    recipient
        Of `new_identity`.

    Raises
    ------
    DataError
        When the recipient is none.
    """
    import pyrage

    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise DataError("key table", "the recipient cannot be read.", "Give a line that starts with 'age1'.") from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(frame.astype(object).where(frame.notna(), "").itertuples(index=False, name=None))
    encrypted: bytes = pyrage.encrypt(text.getvalue().encode(), [to])
    return encrypted


def decrypt_key_table(content: bytes, identity: str) -> pd.DataFrame:
    """Decrypt what `encrypt_key_table` returned.

    Raises
    ------
    DataError
        When the identity is not the right one, or the content is damaged.
    """
    import pandas as pd
    import pyrage

    opener = _read_identity(identity)
    try:
        plain = pyrage.decrypt(content, [opener])
    except pyrage.DecryptError as error:
        remedy = "Give the identity that belongs to the recipient it was encrypted for."
        raise DataError("key table", "it cannot be decrypted: another identity, or damage.", remedy) from error
    header, *rows = csv.reader(io.StringIO(plain.decode(), newline=""))
    return pd.DataFrame(
        {
            name: build_text_series([row[column_index] or None for row in rows])
            for column_index, name in enumerate(header)
        }
    )


def lock_identity(identity: str, passphrase: str) -> bytes:
    """Encrypt the identity that opens the key table with a passphrase (age: scrypt, ChaCha20-Poly1305).

    Parameters
    ----------
    identity
        Of `new_identity`.
    passphrase
        Twelve characters or more.

    Raises
    ------
    DataError
        When the passphrase is too short.
    """
    from pyrage import passphrase as by_passphrase

    if len(passphrase) < _SHORTEST_PASSPHRASE:
        problem = f"it has {len(passphrase)} characters; short ones can be guessed."
        raise DataError("passphrase", problem, f"Use {_SHORTEST_PASSPHRASE} characters or more: four or five words.")
    locked: bytes = by_passphrase.encrypt(identity.encode(), passphrase)
    return locked


def unlock_identity(content: bytes, passphrase: str) -> str:
    """Decrypt what `lock_identity` returned.

    Raises
    ------
    DataError
        When the passphrase is not the right one, or the content is damaged.
    """
    import pyrage
    from pyrage import passphrase as by_passphrase

    try:
        plain: bytes = by_passphrase.decrypt(content, passphrase)
    except pyrage.DecryptError as error:
        problem = "the identity cannot be opened: another passphrase, or damage."
        raise DataError("passphrase", problem, "Type the passphrase with which it was locked.") from error
    return plain.decode()
