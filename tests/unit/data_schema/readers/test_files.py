"""Any file: what it is, and why it cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from openpyxl import Workbook

from data_schema.readers import content_of, read_file


def workbook() -> bytes:
    made = io.BytesIO()
    book = Workbook()
    book.worksheets[0].append(["school_id", 1])
    book.save(made)
    return made.getvalue()


def test_a_file_is_what_it_holds_and_not_what_it_is_called() -> None:
    assert read_file(workbook(), file="a.csv").sheets[0].rows == (("school_id", 1),)
    assert read_file(b"school_id;1\n", file="a.xlsx").sheets[0].rows == (("school_id", "1"),)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \r\n\t\r\n", "empty"),
        (b"\x00" * 100, "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "damaged"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"\xff\xd8\xff\xe0", "picture"),
        (b"PK\x03\x04", "damaged"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_a_reason(content: bytes, text: str) -> None:
    reading = read_file(content, file="a.xlsx")
    (finding,) = reading.findings
    assert not reading.sheets
    assert (finding.file, finding.row, finding.severity) == ("a.xlsx", None, "refused")
    assert text in finding.problem
    assert finding.remedy


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in read_file(tmp_path / "a.csv", file="a.csv").findings[0].problem
    assert "folder" in read_file(tmp_path, file="a").findings[0].problem
    assert "cannot be opened" in read_file(tmp_path / ("x" * 300), file="a").findings[0].problem


def test_a_path_and_its_bytes_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a;b\n1;2\n")
    assert read_file(path, file="a.csv") == read_file(path.read_bytes(), file="a.csv")
    assert content_of(path, file="a.csv") == b"a;b\n1;2\n"
