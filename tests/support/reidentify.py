"""Trying identifiers: what somebody does who has a trial's folder, the schools' registers and no secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from data_schema.erasure import compute_tombstone
from data_schema.pseudonyms import mark_of_file, pseudonym
from data_schema.store import Store

_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{32,128}")
_HASHES = re.compile(rb"[0-9a-fA-F]{16,}")


def found_again(folder: Path, registers: Mapping[str, Collection[str]]) -> dict[str, tuple[str, str]]:
    """Try every identifier of every school with everything in a trial's folder that could be a key.

    Parameters
    ----------
    folder
        The trial's folder.
    registers
        School to the identifiers of its pupils, all of which the attacker knows.

    Returns
    -------
    dict
        Pseudonym, in the store, to the school and the identifier behind it.
    """
    with Store.open_read(folder / "store" / "trial.duckdb") as store:
        kept = {
            str(one)
            for name in store.tables
            if "pupil_id" in store.table(name)
            for one in store.table(name)["pupil_id"]
        }
    # Written anew, and fast, as an attacker would: the first 96 of the 100 bits of each.
    sought = {base64.b32decode(f"{one[1:].upper()}AAAA")[:12]: one for one in kept}
    texts = [
        (school, one, f"{len(school)}:{school}:{one}".encode()) for school, ones in registers.items() for one in ones
    ]
    found = {}
    for key in keys_in(folder):
        for school, one, text in texts:
            made = hmac.digest(key, text, "sha256")[:12]
            if made in sought:
                found[sought[made]] = (school, one)
    return found


def found_by_order(folder: Path, registers: Mapping[str, Collection[str]]) -> float:
    """Count down each school's rows beside its sorted register; return the share of pupils who are found so.

    Who is who is told by the key, which lies open in the folder.
    """
    key = bytes.fromhex((folder / "private" / "pseudonym.key").read_text().strip())
    shares = [0.0]
    with Store.open_read(folder / "store" / "trial.duckdb") as store:
        for name in store.tables:
            frame = store.table(name)
            if "pupil_id" not in frame:
                continue
            assert "source_row" not in frame, "the place in a file is a place in a list"
            for school, rows in frame.groupby("school_id"):
                listed = list(dict.fromkeys(rows["pupil_id"]))
                made = [pseudonym(one, key=key, scope=str(school)) for one in sorted(registers[str(school)])]
                kept = [one for one in made if one in set(listed)]
                shares.append(sum(one == other for one, other in zip(kept, listed, strict=True)) / len(kept))
    return sum(shares) / max(1, len(shares) - 1)


def told_by_a_hash(folder: Path, contents: Collection[bytes], pseudonyms: Collection[str]) -> list[str]:
    """Return what anything in the folder confirms of guessed contents of files, or of pseudonyms that were erased."""
    runs = {run.lower() for _, content in every_part(folder) for run in _HASHES.findall(content)}
    # A hash may be cut, or be beside other signs that are hexadecimal.
    told = {run[at : at + 16] for run in runs for at in range(len(run) - 15)}
    guesses = [hashlib.sha256(one).hexdigest() for one in contents]
    for key in keys_in(folder):
        guesses += [mark_of_file([one], key=key) for one in contents]
        guesses += [compute_tombstone(one, key=key) for one in pseudonyms]
    return [one for one in guesses if one[:16].encode() in told]


def keys_in(folder: Path) -> set[bytes]:
    """Return everything in a folder that could be a key: hexadecimal texts, whole small files, what they hash to."""
    found = {b"\x00" * 32, hashlib.sha256(b"").digest()}
    for _, content in every_part(folder):
        for text in _HEXADECIMAL.findall(content):
            even = text[: len(text) // 2 * 2]
            found |= {even, bytes.fromhex(even.decode())}
        if 16 <= len(content) <= 4096:
            found |= {content, content.strip(), hashlib.sha256(content).digest()}
    return {one for one in found if len(one) >= 16}


def every_part(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a folder, and what is in the zipped ones."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        yield path.relative_to(folder).as_posix(), content
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())
