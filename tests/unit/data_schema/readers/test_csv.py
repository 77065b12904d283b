"""CSV files: encodings, separators, rows as a spreadsheet numbers them."""

from __future__ import annotations

import pytest

from data_schema.readers.csv import read_csv
from data_schema.readers.sheets import Row


def rows_of(content: bytes | str, *, countries: tuple[str, ...] = ("HU",)) -> tuple[Row, ...]:
    raw = content.encode() if isinstance(content, str) else content
    (sheet,) = read_csv(raw, file="a.csv", countries=countries).sheets
    return sheet.rows


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends_are_told_apart(separator: str, line_end: str) -> None:
    lines = [separator.join(row) for row in (("a", "b", "c"), ("1", "2", "3"))]
    assert rows_of(line_end.join(lines)) == (("a", "b", "c"), ("1", "2", "3"))


def test_decimal_commas_do_not_divide_cells() -> None:
    text = "a;b\n" + "\n".join(f"{k},5;{k},25" for k in range(20))
    assert rows_of(text)[1] == ("0,5", "0,25")


def test_a_title_above_the_table_does_not_mislead() -> None:
    assert rows_of("Status, 2028, all classes\n\na;b\n1;2\n3;4\n")[2:] == (("a", "b"), ("1", "2"), ("3", "4"))


def test_a_line_that_names_the_separator_is_no_row() -> None:
    assert rows_of("sep=,\na,b\n1;0,2;0\n") == (("a", "b"), ("1;0", "2;0"))


def test_an_empty_cell_is_none_and_spaces_stay() -> None:
    assert rows_of('a;b;c\n;" ";""\n') == (("a", "b", "c"), (None, " ", None))


def test_empty_lines_are_rows_as_in_a_spreadsheet() -> None:
    assert rows_of("a;b\n\n1;2\n") == (("a", "b"), (), ("1", "2"))


def test_a_cell_with_line_breaks_and_separators_is_one_cell_of_one_row() -> None:
    assert rows_of('a;b\n"x;\ny";2\n3;4\n')[1:] == (("x;\ny", "2"), ("3", "4"))


def test_a_quotation_mark_that_never_closes_is_found_in_its_row() -> None:
    reading = read_csv(b'a;b\n1;2\n"x;2\n3;4\n5;6\n', file="a.csv")
    (finding,) = reading.findings
    assert (finding.severity, finding.row) == ("refused", 3)
    assert not reading.sheets


def test_a_cell_longer_than_any_answer_is_refused() -> None:
    (finding,) = read_csv(b"a;b\n" + b"x" * 200_000 + b";1\n", file="a.csv").findings
    assert "no table" in finding.problem


def test_a_file_of_one_column_is_read() -> None:
    assert rows_of("school_id\n031201\n") == (("school_id",), ("031201",))


def test_letters_that_make_no_sense_are_refused() -> None:
    (finding,) = read_csv(b"a;b\n\x81\x8d\x90;1\n", file="a.csv", countries=["HU"]).findings
    assert (finding.file, finding.severity) == ("a.csv", "refused")
    assert "UTF-8" in finding.remedy
