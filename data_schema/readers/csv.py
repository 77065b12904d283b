"""A CSV file -> cells of text."""

from __future__ import annotations

import csv
import gc
import io
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from data_schema.findings import Finding, Findings
from data_schema.readers.alphabets import decode_text, find_strange_letters, repair_double_encoding
from data_schema.readers.limits import LONGEST_CELL, N_COLUMNS, N_ROWS
from data_schema.readers.sheets import Reading, Row, Sheet, refuse_file

_SEPARATORS = (";", ",", "\t", "|")
_N_SAMPLED = 50
_SAMPLE = 500_000


def read_csv(source: Path | bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
    """Read a CSV file, whatever its encoding and its separator.

    Parameters
    ----------
    source
        The file, or its content.
    file
        What findings call it.
    countries
        Codes of the countries whose letters it may hold, where it is not in Unicode; all known ones when empty.

    Returns
    -------
    Reading
        One sheet without a name. Every cell is text as it is there, or None where there is nothing. A record that
        holds line breaks is one row, as it is in a spreadsheet.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    texts = decode_text(content, countries=countries)
    if not texts and b"\x00" in content:
        problem = "It holds zero bytes, as no text does; it was damaged on its way or is of another kind."
        return refuse_file(file, problem, "Save it as 'CSV UTF-8' or as .xlsx and send it again.")
    if len(texts) != 1:
        problem = (
            "Its encoding cannot be determined: its letters make sense in more than one."
            if texts
            else "Its encoding is not known: its letters make sense in none of those that are tried."
        )
        return refuse_file(file, problem, "Save it as 'CSV UTF-8' or as .xlsx and send it again.")
    meant = repair_double_encoding(texts[0])
    # Undone, it may also be what the bytes say in UTF-8: then the code page was the wrong guess.
    was_doubled = meant is not None and meant.encode() != content.removeprefix(BOM_UTF8)
    # Old programs end a text with this sign.
    text, separator = _split_separator_hint((meant or texts[0]).rstrip("\x1a"))
    text = _escape_ditto_marks(text)
    separator = separator or _detect_separator(text)
    rows = _parse_records(text, separator)
    if not isinstance(rows, str) and _is_quoted_whole(rows):
        # Each line as a whole between quotation marks: what a spreadsheet makes of lines that it took for one column.
        text = "\n".join(str(row[0]) if row else "" for row in rows)
        separator = _detect_separator(text)
        rows = _parse_records(text, separator)
    if isinstance(rows, str):
        return refuse_file(file, rows, "Save it as 'CSV UTF-8' or as .xlsx and send it again.")
    open_quote = _find_open_quote_row(rows, text)
    if open_quote:
        problem = "A quotation mark opens in this row and never closes; everything below it would be one cell."
        return refuse_file(file, problem, "Remove the quotation mark, or save the table as .xlsx.", row=open_quote)
    swallowing = _find_swallowing_row(rows, text, separator)
    if swallowing:
        problem = (
            "A cell of this row holds line breaks and separators: a quotation mark that is missing made one cell of "
            "several rows."
        )
        remedy = "Correct the quotation marks, or save the table as .xlsx."
        return refuse_file(file, problem, remedy, row=swallowing)
    sheet = Sheet(file=file, sheet="", rows=rows, separator=separator)
    return Reading(sheets=(sheet,), findings=Findings(_find_oddities(file, text, countries, was_doubled=was_doubled)))


def _find_oddities(file: str, text: str, countries: Collection[str], *, was_doubled: bool) -> Iterator[Finding]:
    """Report letters that somebody should look at; all of them are taken in."""
    if was_doubled:
        problem = "Its letters were encoded twice; they are read as they were meant."
        yield Finding(file=file, problem=problem, remedy="Nothing, if names are right.", severity="note")
    strange = find_strange_letters(text, countries)
    if strange:
        problem = f"It has letters that are not written in its country: {', '.join(strange[:12])}."
        remedy = "Nothing, if names are right; otherwise save it as 'CSV UTF-8' and send it again."
        yield Finding(file=file, problem=problem, remedy=remedy, severity="note")


def _find_swallowing_row(rows: tuple[Row, ...], text: str, separator: str) -> int | None:
    """Return the first row with a cell that holds a line break and, behind it, what looks like rows of the table."""
    if '"' not in text or len(rows) > text.count("\n") or not rows:
        return None
    width = Counter(map(len, rows)).most_common(1)[0][0]
    firsts = {row[0] for row in rows if row}
    for number, row in enumerate(rows, start=1):
        for cell in row:
            if isinstance(cell, str) and "\n" in cell and _has_table_rows(cell, separator, width=width, firsts=firsts):
                return number
    return None


def _has_table_rows(cell: str, separator: str, *, width: int, firsts: Collection[object]) -> bool:
    if cell.count(separator) >= width - 1 > 1:
        return True
    return any(separator in line and line.partition(separator)[0] in firsts for line in cell.splitlines()[1:])


def _split_separator_hint(text: str) -> tuple[str, str]:
    """Take off the line "sep=;" with which some spreadsheets name the separator; it is no row there."""
    first, _, remaining_text = text.partition("\n")
    hint = first.strip()
    if hint[:4].lower() == "sep=" and hint[4:] in _SEPARATORS:
        return remaining_text, hint[4:]
    return text, ""


def _escape_ditto_marks(text: str) -> str:
    """Return a text whose cells that are one quotation mark, and nothing else, are quoted: people mean "as above".

    Only where a line has no other quotation mark, and as many cells as most lines that have none: there the mark opens
    nothing.
    """
    for separator in _SEPARATORS if '"' in text else ():
        if not any(
            f'{sign_before}"{other}' in text for sign_before in (separator, "\n") for other in (separator, "\r", "\n")
        ):
            continue
        lone = re.compile(rf'(?<![^{re.escape(separator)}])"(?=[{re.escape(separator)}\r]|$)')
        lines = text.split("\n")
        widths = Counter(line.count(separator) for line in lines[:_N_SAMPLED] if '"' not in line and line.strip())
        width = widths.most_common(1)[0][0] if widths else 0
        if width:
            text = "\n".join(
                lone.sub('""""', line)
                if '"' in line and line.count(separator) == width and len(lone.findall(line)) == line.count('"')
                else line
                for line in lines
            )
    return text


def _detect_separator(text: str) -> str:
    """Return the separator by which most lines have equally many cells, and more than one."""
    sample = text[:_SAMPLE].splitlines()[:_N_SAMPLED]

    def fit(separator: str) -> tuple[int, int]:
        try:
            sizes = Counter(len(row) for row in csv.reader(sample, delimiter=separator) if len(row) > 1)
        except csv.Error:
            return (0, 0)
        size, lines = max(sizes.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (lines, size)

    return max(_SEPARATORS, key=fit)


def _parse_records(text: str, separator: str) -> tuple[Row, ...] | str:
    """Return the rows, or why there are none."""
    text = _remove_empty_end(text, separator)
    if any(text.count(separator, start, end) > N_COLUMNS for start, end in _iterate_long_lines(text)):
        return "It is no table: a line has more cells than any spreadsheet."
    if _has_many_empty_lines(text, separator):
        return "It is no table: it has more empty lines than any spreadsheet has rows."
    previous = csv.field_size_limit(LONGEST_CELL)
    collecting = gc.isenabled()
    # Millions of tuples, none of which is garbage.
    gc.disable()
    try:
        # Some programs write a space before a quotation mark, which would then be a letter like others.
        is_spaced = re.search(f'{re.escape(separator)} "(?!")', text) is not None
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=is_spaced)
        return tuple([tuple([cell or None for cell in row]) if "" in row else tuple(row) for row in reader])
    except csv.Error as error:
        return f"It is no table: {error}."
    finally:
        csv.field_size_limit(previous)
        if collecting:
            gc.enable()


def _remove_empty_end(text: str, separator: str) -> str:
    """Return a text without the lines at its end that hold nothing: a program may have written millions of them."""
    end = len(text.rstrip(f"\r\n {separator}"))
    after = [line_end_position for line_end in "\r\n" if (line_end_position := text.find(line_end, end)) >= 0]
    return text[: min(after)] if after else text


def _has_many_empty_lines(text: str, separator: str) -> bool:
    line_end = "\n" if "\n" in text else "\r"
    if text.count(line_end) <= N_ROWS:
        return False
    empty = re.finditer(f"{line_end}[\r {re.escape(separator)}]*(?={line_end})", text)
    return next(islice(empty, N_ROWS, None), None) is not None


def _iterate_long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield beginning and end of the lines that could hold more cells than a spreadsheet has columns."""
    start, line_end = 0, "\n" if "\n" in text else "\r"
    while len(text) - start > N_COLUMNS:
        # Whatever is before the last line end within reach holds short lines only.
        end = text.rfind(line_end, start, start + N_COLUMNS)
        if end < 0:
            end = text.find(line_end, start)
            end = len(text) if end < 0 else end
            yield start, end
        start = end + 1


def _is_quoted_whole(rows: tuple[Row, ...]) -> bool:
    """Whether every line is one cell that holds separators."""
    first = next((row for row in rows if row), ())
    if len(first) != 1 or any(len(row) > 1 for row in rows):
        return False
    return isinstance(first[0], str) and any(separator in first[0] for separator in _SEPARATORS)


def _find_open_quote_row(rows: tuple[Row, ...], text: str) -> int | None:
    """Return the row whose cell swallows the rest of the file."""
    if text.count('"') % 2 == 0 or not rows or not rows[-1]:
        return None
    last = rows[-1][-1]
    return len(rows) if isinstance(last, str) and ("\n" in last or "\r" in last) else None
