"""Archives (zip): the XML files of a workbook, and folders that were zipped."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from data_schema.findings import Finding
from data_schema.readers.limits import LARGEST_ARCHIVE, LARGEST_UNPACKED, N_MEMBERS, N_TAGS

# Bytes of the part of a workbook that lists its sheets; a larger one is no form of ours.
_LARGEST_LISTING = 50_000_000

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
"""What opening or unpacking a damaged archive raises."""

_ENCRYPTED = 0x1
_UNICODE_NAME = 0x800
_LEFTOVERS = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_WORKBOOK_PARTS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml", "[Content_Types].xml", "Index/Document.iwa")
_REMEDY = "Unpack it and send the files in it."


class UnreadableError(Exception):
    """A file that is not what it should be; says why, as the end of "It is no workbook that can be read: "."""


def parsed_xml(archive: zipfile.ZipFile, name: str) -> ET.Element:
    """Parse an XML file of an archive.

    A document type, without which XML can declare no entities, is refused before parsing, and so is a file with more
    tags than any school's workbook has.

    Raises
    ------
    UnreadableError
        When it is refused.
    """
    content = archive.read(name)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\x00" in content:
        raise UnreadableError("it declares what no workbook needs")
    if content.count(b"<") > N_TAGS:
        raise UnreadableError("it is too large")
    return ET.fromstring(content)  # noqa: S314 -- without a document type there are no entities


def check_size(archive: zipfile.ZipFile) -> None:
    """Refuse the archive of a workbook that would be too large when unpacked.

    Raises
    ------
    UnreadableError
        When it is.
    """
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST_UNPACKED:
        raise UnreadableError("it is too large")


def is_folder(content: bytes) -> bool:
    """Whether bytes are a zipped folder, and not a workbook or something damaged."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except DAMAGED:
        return False
    return not any(part in names for part in _WORKBOOK_PARTS)


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


def members(content: bytes, *, file: str) -> Iterator[Member]:
    """Unpack a zipped folder in memory, one file at a time; nothing is written anywhere.

    Parameters
    ----------
    content
        The archive; see `is_folder`.
    file
        What findings call it.

    Yields
    ------
    Member
        Each file, by name, without what operating systems leave behind. One member without a name, with a finding,
        when the archive as a whole is refused: too many files, or too much when unpacked.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        wanted = [entry for entry in entries if not any(part in entry.filename for part in _LEFTOVERS)]
        if len(wanted) > N_MEMBERS or sum(entry.file_size for entry in wanted) > LARGEST_ARCHIVE:
            yield Member(name="", content=_refusal(file, "It holds too much: unpacked, it would fill the memory."))
            return
        for entry in sorted(wanted, key=_name_of):
            name = _name_of(entry)
            yield Member(name=name, content=_unpacked(archive, entry, f"{file}/{name}"))


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: str) -> bytes | Finding:
    if entry.flag_bits & _ENCRYPTED:
        return _refusal(file, "It has a password.", "Send it without a password, in a way that is safe by itself.")
    if entry.file_size > LARGEST_UNPACKED:
        return _refusal(file, "It is too large when it is unpacked.")
    try:
        return archive.read(entry)
    except DAMAGED:
        return _refusal(file, "It is damaged: it cannot be unpacked.", "Pack the folder anew and send it again.")


def _refusal(file: str, problem: str, remedy: str = _REMEDY) -> Finding:
    return Finding(file=file, problem=problem, remedy=remedy, severity="refused")


def _name_of(entry: zipfile.ZipInfo) -> str:
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
    return posixpath.normpath(f"/{name}".replace("\\", "/")).lstrip("/")


def names_sheet(content: bytes, name: str) -> bool:
    """Whether a file is a workbook that lists a sheet of this name, as it was or saved by another program."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            listing = next((one for one in ("xl/workbook.xml", "content.xml") if one in names), "")
            if not listing or archive.getinfo(listing).file_size > _LARGEST_LISTING:
                return False
            return f'"{name}"'.encode() in archive.read(listing)
    except DAMAGED:
        return False
