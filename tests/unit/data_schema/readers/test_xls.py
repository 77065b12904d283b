"""Workbooks of the old kind: cells with their types, as the new kind has them; what else it may be is told."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import pytest
import xlwt

from data_schema.readers import Reading, Sheet, read_file
from data_schema.readers.xls import read_xls
from tests.support.bad_files import old_book

if TYPE_CHECKING:
    from xlwt.Worksheet import Worksheet

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def made(fill: Callable[[Worksheet], object], *, n_sheets: int = 1, encoding: str = "utf-8") -> bytes:
    book = xlwt.Workbook(encoding=encoding)
    for number in range(n_sheets):
        fill(book.add_sheet(f"Lap{number + 1}"))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def sheet_of(content: bytes) -> Sheet:
    reading = read_xls(content, file="a.xls")
    assert not reading.findings
    return reading.sheets[0]


def problem_of(reading: Reading) -> str:
    (finding,) = reading.findings
    assert finding.severity == "refused"
    assert reading.sheets == ()
    return f"{finding.problem} {finding.remedy}"


def test_texts_numbers_dates_and_truth_values_keep_their_types() -> None:
    content = old_book({"Diák": [["Őze Zsófia", 4.5, 7, True, date(2028, 1, 5), None, "0012"]]})
    sheet = sheet_of(content)
    assert sheet.sheet == "Diák"
    assert sheet.rows == (("Őze Zsófia", 4.5, 7, True, date(2028, 1, 5), None, "0012"),)


def test_an_error_stays_what_people_see_and_is_no_empty_cell() -> None:
    assert sheet_of(made(lambda sheet: sheet.row(0).set_cell_error(1, "#REF!"))).rows == ((None, "#REF!"),)
    assert sheet_of(made(lambda sheet: sheet.row(0).set_cell_error(0, "#N/A!"))).rows == (("#N/A",),)


def test_a_number_that_its_format_shows_with_zeros_is_the_text_that_people_see() -> None:
    style = xlwt.easyxf(num_format_str="000000")
    assert sheet_of(made(lambda sheet: sheet.write(0, 0, 31201, style))).rows == (("031201",),)


def test_days_are_counted_from_where_the_workbook_counts_them() -> None:
    book = xlwt.Workbook()
    book.dates_1904 = True
    book.add_sheet("a").write(0, 0, 1000, xlwt.easyxf(num_format_str="YYYY-MM-DD"))
    content = io.BytesIO()
    book.save(content)
    assert sheet_of(content.getvalue()).rows == ((date(1906, 9, 27),),)


def test_merged_cells_struck_ones_and_what_is_hidden_are_told() -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.write_merge(0, 1, 0, 0, "9.a")
        sheet.write(0, 1, "x")
        sheet.write(1, 1, "y", xlwt.easyxf("font: struck_out on"))
        sheet.row(1).hidden = True
        sheet.col(1).hidden = True
        sheet.visibility = 1

    book = xlwt.Workbook()
    book.add_sheet("first").write(0, 0, 1)
    fill(book.add_sheet("second"))
    content = io.BytesIO()
    book.save(content)
    sheet = read_xls(content.getvalue(), file="a.xls").sheets[1]
    assert sheet.rows == (("9.a", "x"), ("9.a", "y"))
    assert (sheet.is_hidden, sheet.hidden_rows, sheet.hidden_columns) == (True, (2,), (2,))
    assert (sheet.merged, sheet.struck) == (("A1:A2",), ((2, 2),))


def test_a_formula_that_was_never_computed_is_no_zero() -> None:
    # What libraries store that compute nothing: a zero, and a mark that it is to be computed when it is opened.
    content = made(lambda sheet: sheet.write(0, 0, xlwt.Formula("1+1")))
    at = content.index(b"\x03\x00\x00\x00\x00\x00\xff\xff\x00\x00")
    stored = content[:at] + bytes(8) + b"\x02\x00" + content[at + 10 :]
    assert sheet_of(stored).rows == (("=?",),)
    computed = content[:at] + bytes(6) + b"\x00\x40" + b"\x02\x00" + content[at + 10 :]
    assert sheet_of(computed).rows == ((2,),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (COMPOUND + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "It has a password."),
        (COMPOUND + bytes(600) + "WordDocument".encode("utf-16-le"), "It is a text document."),
        (COMPOUND + bytes(600) + "PowerPoint Document".encode("utf-16-le"), "It is a presentation."),
        (COMPOUND + bytes(600) + "__substg1.0_001A001F".encode("utf-16-le"), "It is a mail."),
        (COMPOUND + bytes(600), "It is damaged"),
        (b"\x09\x08\x10\x00\x00\x06\x05\x00" + bytes(500), "It is damaged"),
        (old_book({"a": [[1]]})[:900], "It is damaged"),
    ],
)
def test_what_is_no_workbook_is_called_by_name(content: bytes, said: str) -> None:
    assert problem_of(read_xls(content, file="a.xls")).startswith(said)
    assert problem_of(read_file(content, file="a.xls")).startswith(said)


def test_a_workbook_that_speaks_of_a_text_document_is_still_a_workbook() -> None:
    assert sheet_of(old_book({"a": [["WordDocument"]]})).rows == (("WordDocument",),)


def test_a_workbook_with_a_password_of_its_own_kind_says_so() -> None:
    content = old_book({"a": [[1]]})
    # The record behind the beginning of the workbook, turned into the one that says that the rest is encrypted.
    at = content.index(b"\x09\x08\x10\x00") + 20
    size = int.from_bytes(content[at + 2 : at + 4], "little")
    locked = content[:at] + b"\x2f\x00" + content[at + 2 :]
    assert size >= 2
    assert problem_of(read_xls(locked, file="a.xls")).startswith("It has a password.")


def test_two_sheets_that_are_the_same_part_are_refused() -> None:
    content = made(lambda sheet: sheet.write(0, 0, 1), n_sheets=2)
    first = content.index(b"\x85\x00")
    second = content.index(b"\x85\x00", first + 2)
    same = content[: second + 4] + content[first + 4 : first + 8] + content[second + 8 :]
    assert "two of its sheets are the same part" in problem_of(read_xls(same, file="a.xls"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><body><table><tr><td>school_id</td></tr></table>", "It is a web page, whatever its name says."),
        (
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "It is an XML file.",
        ),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "It is a mail."),
    ],
)
def test_other_things_that_are_called_xls_are_called_by_name(content: bytes, said: str) -> None:
    assert problem_of(read_file(content, file="a.xls")).startswith(said)


def test_a_text_file_that_is_called_xls_is_read() -> None:
    reading = read_file("school_id\tpupil_id\r\n031201\t0001\r\n".encode("utf-16"), file="a.xls")
    assert reading.sheets[0].rows == (("school_id", "pupil_id"), ("031201", "0001"))


def test_a_sheet_of_one_cell_far_to_the_right_in_each_of_many_rows_is_no_matter() -> None:
    content = made(lambda sheet: [sheet.write(row, 255 if row % 2 else 0, 1) for row in range(4_000)])
    sheet = sheet_of(content)
    assert len(sheet.rows) == 4_000
    assert len(sheet.rows[0]) == 1


def record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def of_version_2(*, says_its_letters: bool) -> bytes:
    """Return a workbook as old registers write it: a text, a number, an error."""
    text = "Špela".encode("cp1250")
    places = [struct.pack("<HH", 0, column) + bytes(3) for column in range(3)]
    return b"".join(
        [
            record(0x0009, struct.pack("<HH", 2, 0x10)),
            record(0x0042, struct.pack("<H", 1250)) if says_its_letters else b"",
            record(0x0004, places[0] + bytes([len(text)]) + text),
            record(0x0003, places[1] + struct.pack("<d", 4.5)),
            record(0x0005, places[2] + b"\x17\x01"),
            record(0x000A, b""),
        ]
    )


def test_a_workbook_of_the_first_version_is_read_and_letters_that_it_does_not_name_are_told_of() -> None:
    assert sheet_of(of_version_2(says_its_letters=True)).rows == (("Špela", 4.5, "#REF!"),)
    reading = read_xls(of_version_2(says_its_letters=False), file="a.xls")
    assert reading.sheets[0].rows == (("Špela", 4.5, "#REF!"),)
    assert [one.problem for one in reading.findings] == [
        "Its encoding is not told in it; its letters are read as those of Central Europe."
    ]
