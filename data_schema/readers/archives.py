"""Archives (zip): the XML files of a workbook, and folders that were zipped."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree as ET

from data_schema.findings import Finding
from data_schema.readers.limits import (
    LARGEST_ARCHIVE,
    LARGEST_UNPACKED,
    N_MEMBERS,
    N_TAGS,
    UNPACKED_AT_LEAST,
    UNPACKED_PER_BYTE,
)

# Bytes of the part of a workbook that lists its sheets; a larger one is no form of ours.
_LARGEST_LISTING = 50_000_000

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
"""What opening or unpacking a damaged archive raises."""

_CHUNK = 1 << 20
_SEAM = 8
_ENCRYPTED = 0x1
_UNICODE_NAME = 0x800
_LEFTOVERS = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_WORKBOOK_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml", "[Content_Types].xml", "Index/Document.iwa")
_REMEDY = "Unpack it and send the files in it."


class UnreadableError(Exception):
    """A file that is not what it should be; says why, as the end of "It is no workbook that can be read: "."""


class Parts:
    """The parts of a workbook's archive, unpacked a piece at a time; no more is unpacked in all than a limit.

    Parameters
    ----------
    content
        The archive.

    Attributes
    ----------
    names
        The parts by name, as `normalise_part_name` makes it; parts are asked for by any spelling.

    Raises
    ------
    UnreadableError
        When the archive says that it holds more than a workbook can; so do its methods, when it does.
    """

    def __init__(self, content: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        self._entries = {normalise_part_name(entry.filename): entry for entry in self._archive.infolist()}
        self.names = frozenset(self._entries)
        # A part may be named many times, and each time be unpacked.
        self._left = min(LARGEST_UNPACKED, compute_unpacking_limit(len(content)))
        if sum(entry.file_size for entry in self._archive.infolist()) > self._left:
            raise UnreadableError("it is too large")

    def __contains__(self, name: str) -> bool:
        return normalise_part_name(name) in self._entries

    def read(self, name: str) -> bytes:
        """Return the content of a part."""
        return b"".join(self._iterate_chunks(name))

    def xml(self, name: str) -> ET.Element:
        """Return the root of a small XML part."""
        parser = ET.XMLParser()  # noqa: S314 -- without a document type there are no entities
        for chunk in self._iterate_xml_chunks(name):
            parser.feed(chunk)
        root: ET.Element = parser.close()
        return root

    def events(
        self, name: str, kinds: tuple[Literal["start", "end"], ...] = ("end",)
    ) -> Iterator[tuple[str, ET.Element]]:
        """Yield the elements of a large XML part where they end, or also where they start; clear what is done with."""
        # Its events are of these kinds only, which its type does not say.
        parser: Any = ET.XMLPullParser(kinds)
        for chunk in self._iterate_xml_chunks(name):
            parser.feed(chunk)
            yield from parser.read_events()
        parser.close()
        yield from parser.read_events()

    def _iterate_xml_chunks(self, name: str) -> Iterator[bytes]:
        """Yield an XML part, refusing what it must not hold.

        That is a document type, without which XML can declare no entities, and more tags than a school's workbook has.
        """
        n_tags, before = 0, b""
        for chunk in self._iterate_chunks(name):
            seam = before + chunk
            if b"<!DOCTYPE" in seam or b"<!ENTITY" in seam or b"\x00" in chunk:
                raise UnreadableError("it declares what no workbook needs")
            n_tags += chunk.count(b"<")
            if n_tags > N_TAGS:
                raise UnreadableError("it is too large")
            before = chunk[-_SEAM:]
            yield chunk

    def _iterate_chunks(self, name: str) -> Iterator[bytes]:
        for chunk in iterate_chunks(self._archive, self._entries[normalise_part_name(name)]):
            self._left -= len(chunk)
            if self._left < 0:
                raise UnreadableError("it is too large")
            yield chunk


def normalise_part_name(name: str) -> str:
    r"""Return the name of a part as it is compared: programs write it in any case, and some with backslashes.

    Examples
    --------
    >>> normalise_part_name("xl\\SharedStrings.xml")
    'xl/sharedstrings.xml'
    """
    return name.replace("\\", "/").casefold()


def is_folder(content: bytes) -> bool:
    """Whether bytes are a zipped folder, and not a workbook or something damaged."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {normalise_part_name(name) for name in archive.namelist()}
    except DAMAGED:
        return False
    return not any(normalise_part_name(part) in names for part in _WORKBOOK_PARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in a zipped folder.

    Parameters
    ----------
    name
        Its path in the folder, parts divided by "/".
    content
        Its bytes, or the finding that says why it cannot be unpacked.
    """

    name: str
    content: bytes | Finding


class Folder:
    """A zipped folder: opened in memory, its files unpacked one at a time; nothing is written anywhere.

    Parameters
    ----------
    content
        The archive; see `is_folder`.
    file
        What findings call it.
    """

    def __init__(self, content: bytes, *, file: str) -> None:
        self._file, self._packed = file, len(content)
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        wanted = [entry for entry in entries if not any(part in entry.filename for part in _LEFTOVERS)]
        self._entries = sorted(wanted, key=_decode_entry_name)

    @property
    def names(self) -> list[str]:
        """The files by name, without what operating systems leave behind."""
        return [_decode_entry_name(entry) for entry in self._entries]

    @property
    def refusal(self) -> Finding | None:
        """Why the folder as a whole is refused: too many files, or too much when unpacked."""
        sizes = [entry.file_size for entry in self._entries]
        if len(sizes) <= N_MEMBERS and sum(sizes) <= LARGEST_ARCHIVE:
            return None
        return _build_refusal(self._file, "It holds too much: unpacked, it would fill the memory.")

    def unpacked(self, at: int) -> bytes | Finding:
        """Return the content of the file at a place in `names`, or the finding that says why there is none."""
        entry = self._entries[at]
        file = f"{self._file}/{_decode_entry_name(entry)}"
        if entry.flag_bits & _ENCRYPTED:
            return _build_refusal(
                file, "It has a password.", "Send it without a password, in a way that is safe by itself."
            )
        if entry.file_size > min(LARGEST_UNPACKED, compute_unpacking_limit(self._packed)):
            return _build_refusal(file, "It is too large when it is unpacked.")
        try:
            return b"".join(iterate_chunks(self._archive, entry))
        except DAMAGED:
            return _build_refusal(
                file, "It is damaged: it cannot be unpacked.", "Pack the folder anew and send it again."
            )


def compute_unpacking_limit(n_packed: int) -> int:
    """Return how many bytes an archive of a size may hold: what people write is packed to a tenth or so."""
    return UNPACKED_AT_LEAST + UNPACKED_PER_BYTE * n_packed


def iterate_chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpack a file a piece at a time, and no more of it than the archive says that there is.

    Read at once, the module unpacks whatever is there before it counts: 8 MB can be 2 GB.

    Raises
    ------
    zipfile.BadZipFile
        When more or something else is packed there than the archive says.
    """
    with archive.open(entry) as stream:
        left = entry.file_size
        while piece := stream.read(_CHUNK):
            left -= len(piece)
            yield piece
        if left:
            raise zipfile.BadZipFile


def _build_refusal(file: str, problem: str, remedy: str = _REMEDY) -> Finding:
    return Finding(file=file, problem=problem, remedy=remedy, severity="refused")


def _decode_entry_name(entry: zipfile.ZipInfo) -> str:
    """Return the name in the letters in which it was written, without steps out of the folder."""
    name = entry.filename
    if not entry.flag_bits & _UNICODE_NAME:
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "cp852"):
            try:
                name = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            break
    legible = "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
    return posixpath.normpath(f"/{legible}".replace("\\", "/")).lstrip("/")


def names_sheet(content: bytes, name: str) -> bool:
    """Whether a file is a workbook that lists a sheet of this name, as it was or saved by another program."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {normalise_part_name(entry.filename): entry for entry in archive.infolist()}
            listing = entries.get("xl/workbook.xml") or entries.get("content.xml")
            if listing is None or listing.file_size > _LARGEST_LISTING:
                return False
            return f'"{name}"'.encode() in archive.read(listing)
    except DAMAGED:
        return False
