"""Any file -> sheets: its kind is decided by its content, not by its name."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Collection
from pathlib import Path

from data_schema.readers.archives import DAMAGED
from data_schema.readers.csv import read_csv
from data_schema.readers.limits import LARGEST_FILE
from data_schema.readers.markup import read_web_page, read_xml_workbook
from data_schema.readers.ods import read_ods
from data_schema.readers.sheets import Reading, refuse_file
from data_schema.readers.statistics import is_spss, is_stata, read_statistics
from data_schema.readers.xls import STARTS, read_xls
from data_schema.readers.xlsx import read_xlsx

_ZIP = b"PK"
_HEAD = 1_000
_TAG = re.compile(rb"<(!--|/?[a-z][a-z0-9]{0,20})[\s>/]")
_HTML = frozenset(
    b"html table !-- meta style div tr td th tbody body head p span a br b font title script link".split()
)
_LEFTOVERS = (".", "~$", "thumbs.db", "desktop.ini")
"""Beginnings of the names of files that programs leave behind by themselves."""

_BACKUP = re.compile(
    r".*(?:~|#|\.(?:bak|backup|old|orig|tmp|temp|sw[op]|part|partial|crdownload|download)\d*)", re.IGNORECASE
)
"""Names of copies that editors and browsers keep beside a file, or while it is not whole yet."""

_OTHER_KINDS = (
    (b"%PDF", "It is a PDF.", "Send the table itself, as .xlsx or .csv."),
    (b"{\\rtf", "It is a text document.", "Send the table itself, as .xlsx or .csv."),
    (b"\x1f\x8b", "It is compressed.", "Unpack it and send the files in it."),
    (b"Rar!", "It is compressed.", "Unpack it and send the files in it."),
    (b"7z\xbc\xaf", "It is compressed.", "Unpack it and send the files in it."),
    (b"\xff\xd8\xff", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
    (b"\x89PNG", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
    (b"GIF8", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
    (b"II*\x00", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
    (b"PAR1", "It is a file for programs (Parquet).", "Send the table as .xlsx or .csv."),
    (b"SQLite format 3", "It is a database.", "Send the table as .xlsx or .csv."),
    (b"\x00\x01\x00\x00Standard", "It is a database.", "Send the table as .xlsx or .csv."),
)
_MARKUP = (
    ("from:", "It is a mail.", "Send the file that was attached to it."),
    ("return-path:", "It is a mail.", "Send the file that was attached to it."),
    ("delivered-to:", "It is a mail.", "Send the file that was attached to it."),
    ("mime-version:", "It is a mail.", "Send the file that was attached to it."),
    ("received:", "It is a mail.", "Send the file that was attached to it."),
    ("[{", "It is a file for programs (JSON).", "Send the table as .xlsx or .csv."),
    ("{", "It is a file for programs (JSON).", "Send the table as .xlsx or .csv."),
)
_SEND_AGAIN = "Send it again; it may have been cut off on its way."


def content_of(source: Path | bytes, *, file: str) -> bytes | Reading:
    """Return the bytes of a file, or the finding that says why it cannot be opened."""
    too_large = refuse_file(file, "It is too large.", "Send it in parts.")
    if isinstance(source, bytes):
        return source if len(source) <= LARGEST_FILE else too_large
    try:
        file_status = source.stat()
        if not (stat.S_ISREG(file_status.st_mode) or stat.S_ISDIR(file_status.st_mode)):
            # Reading a pipe waits for somebody to write into it.
            return refuse_file(file, "It is no file, but a device.", "Put the file itself there.")
        return too_large if file_status.st_size > LARGEST_FILE else source.read_bytes()
    except FileNotFoundError:
        return refuse_file(file, "There is no such file.", "Check its name and where it lies.")
    except IsADirectoryError:
        return refuse_file(file, "It is a folder.", "Name the file in it.")
    except OSError as error:
        return refuse_file(file, f"It cannot be opened: {error.strerror}.", "Check its rights, or copy it anew.")


def read_content(content: bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
    """Read what `data_schema.readers.read_file` reads, in this very process.

    Parameters
    ----------
    content
        The file's content.
    file
        What findings call it.
    countries
        Codes of the countries whose letters a CSV file may hold, where it is not in Unicode; all known ones when empty.

    Returns
    -------
    Reading
        Its sheets; or a finding that says why it cannot be read.
    """
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        return refuse_file(file, "It is empty.", _SEND_AGAIN)
    reading = _read(content, file=file, countries=countries)
    # A workbook whose list of sheets is damaged opens as one that has none.
    return reading if reading.sheets or reading.findings else refuse_file(file, "It has no rows.", _SEND_AGAIN)


def _read(content: bytes, *, file: str, countries: Collection[str]) -> Reading:
    if content.startswith(_ZIP):
        return read_ods(content, file=file) if _is_opendocument(content) else read_xlsx(content, file=file)
    if is_stata(content) or is_spss(content):
        return read_statistics(content, file=file)
    if content.startswith(STARTS):
        return read_xls(content, file=file)
    other = _describe_other_kind(content)
    if other is not None:
        return refuse_file(file, *other)
    return _read_markup(content, file=file, countries=countries) or read_csv(content, file=file, countries=countries)


def _is_opendocument(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "content.xml" in archive.namelist()
    except DAMAGED:
        return False


def _describe_other_kind(content: bytes) -> tuple[str, str] | None:
    """Return what to say of a file that is no table, told by how it starts."""
    for start, problem, remedy in _OTHER_KINDS:
        if content.startswith(start):
            return problem, remedy
    opening = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for word, problem, remedy in _MARKUP:
        if opening.startswith(word.encode()):
            return problem, remedy
    return None


def _read_markup(content: bytes, *, file: str, countries: Collection[str]) -> Reading | None:
    """Read what starts as a web page or as XML does, whatever its name says; None where it starts otherwise."""
    opening = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if opening.startswith(b"<?xml"):
        is_page = b"<html" in content[:_HEAD].lower()
        return read_web_page(content, file=file) if is_page else read_xml_workbook(content, file=file)
    tag = _TAG.match(opening)
    if opening.startswith(b"<!doctype html") or (tag is not None and tag[1] in _HTML):
        return read_web_page(content, file=file, countries=countries)
    return None if tag is None else read_xml_workbook(content, file=file)


def is_left_behind(file: str) -> bool:
    """Whether a program left a file behind by itself, as its name says."""
    return file.rpartition("/")[2].casefold().startswith(_LEFTOVERS)


def is_backup(file: str) -> bool:
    """Whether a file is a copy that a program keeps, or is not whole yet, as its name says."""
    return _BACKUP.fullmatch(file.rpartition("/")[2]) is not None


def describe_non_file(source: Path) -> str:
    """Return why an entry of a folder is no file and nobody should open it; empty where it is one."""
    try:
        kind = source.lstat().st_mode
        is_link = stat.S_ISLNK(kind)
        if is_link and not source.exists():
            return "It is a link to a file that is not there."
        kind = source.stat().st_mode if is_link else kind
    except OSError:
        # What cannot be looked at cannot be opened either, which says why.
        return ""
    if stat.S_ISREG(kind):
        return ""
    return "It is a link to a folder; it is not followed." if stat.S_ISDIR(kind) else "It is no file, but a device."


def is_named_in_other_letters(source: Path, file: str) -> bool:
    """Whether the name of a file, or of a folder below the inbox, has bytes that are no letters in UTF-8."""
    tail = "/".join(source.parts[-(file.count("/") + 1) :])
    return any("\ud800" <= sign <= "\udfff" for sign in tail)
