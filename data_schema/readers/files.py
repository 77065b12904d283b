"""Any file -> sheets: what it is is told by its content, not by its name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from data_schema.readers.csv import read_csv
from data_schema.readers.sheets import Reading, unreadable
from data_schema.readers.xlsx import read_xlsx

_ZIP = b"PK"
_OTHER_KINDS = (
    (
        b"\xd0\xcf\x11\xe0",
        "It is a workbook of an old kind (.xls) or one with a password.",
        "Open it, save it as .xlsx without a password, and send that.",
    ),
    (b"%PDF", "It is a PDF.", "Send the table itself, as .xlsx or .csv."),
    (b"{\\rtf", "It is a text document.", "Send the table itself, as .xlsx or .csv."),
    (b"\x1f\x8b", "It is compressed.", "Unpack it and send the files in it."),
    (b"Rar!", "It is compressed.", "Unpack it and send the files in it."),
    (b"7z\xbc\xaf", "It is compressed.", "Unpack it and send the files in it."),
    (b"\xff\xd8\xff", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
    (b"\x89PNG", "It is a picture.", "Send the table itself, as .xlsx or .csv."),
)


def content_of(source: Path | bytes, *, file: str) -> bytes | Reading:
    """Return the bytes of a file, or the finding that says why it cannot be opened."""
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except FileNotFoundError:
        return unreadable(file, "There is no such file.", "Check its name and where it lies.")
    except IsADirectoryError:
        return unreadable(file, "It is a folder.", "Name the file in it.")
    except OSError as error:
        return unreadable(file, f"It cannot be opened: {error.strerror}.", "Check its rights, or copy it anew.")


def read_file(source: Path | bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
    """Read a CSV file or a workbook.

    Parameters
    ----------
    source
        The file, or its content.
    file
        What findings call it.
    countries
        Codes of the countries whose letters a CSV file may hold, where it is not in Unicode; all known ones when empty.

    Returns
    -------
    Reading
        Its sheets; or a finding that says why it cannot be read. Never raises for what is in a file.
    """
    content = content_of(source, file=file)
    if isinstance(content, Reading):
        return content
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        return unreadable(file, "It is empty.", "Send it again; it may have been cut off on its way.")
    if content.startswith(_ZIP):
        return read_xlsx(content, file=file)
    for start, problem, remedy in _OTHER_KINDS:
        if content.startswith(start):
            return unreadable(file, problem, remedy)
    return read_csv(content, file=file, countries=countries)
