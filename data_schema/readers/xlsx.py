"""A workbook (.xlsx) -> cells with their types.

Reads the archive's XML with the standard library's parser in C: ten times as fast as openpyxl with defusedxml, whose
parser is in Python. calamine is faster still, but hands on an error (#REF!) and a formula without a stored value as
empty cells, and nothing may be lost in silence here. A document type, without which XML can declare no entities, is
refused before parsing.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from data_schema.findings import Finding, Findings
from data_schema.readers.archives import DAMAGED, Parts, UnreadableError
from data_schema.readers.limits import N_COLUMNS, N_ROWS
from data_schema.readers.sheets import (
    Budget,
    Cell,
    Reading,
    Row,
    Sheet,
    apply_merged_values,
    ensure_text_bounds,
    parse_reference,
    refuse_file,
)

_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATE_LETTER = re.compile("[dmyhs]", re.IGNORECASE)
# No halves of a pair: alone they are no sign.
_ESCAPED = re.compile("_x((?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})_")
_COMMENTS = re.compile(r"xl/(?:comments/?|threadedComments/?)[^/]*\.xml", re.IGNORECASE)
_PADDED = re.compile("0{2,20}")
_TEXTS = "xl/sharedStrings.xml"
_OF_CELLS = frozenset({"c", "v", "f", "is", "t"})
_OTHER_BOOKS = {
    "xl/workbook.bin": "it is a binary workbook (.xlsb)",
    "word/document.xml": "it is a text document",
    "ppt/presentation.xml": "it is a presentation",
    "Index/Document.iwa": "it is a workbook of another program (.numbers)",
}


def read_xlsx(source: Path | bytes, *, file: str) -> Reading:
    """Read all sheets of a workbook.

    Parameters
    ----------
    source
        The file, or its content.
    file
        What findings call it.

    Returns
    -------
    Reading
        Its sheets in their order. Cells are text, numbers, truth values or dates (without time of day); the result of
        a formula is its last computed value, and the formula's text where none was stored. Errors such as ``#REF!``
        are text, and so is a number that its format shows with leading zeros. Nothing is computed and no link is
        followed.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        parts = Parts(content)
        return Reading(sheets=tuple(_iterate_sheets(parts, file)), findings=_find_comments(parts, file))
    except UnreadableError as error:
        return refuse_file(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except DAMAGED:
        return refuse_file(file, "It is damaged: the archive cannot be unpacked.", _REMEDY)
    except (ET.ParseError, KeyError, ValueError, IndexError, OverflowError):
        return refuse_file(file, "It is damaged: its content is not that of a workbook.", _REMEDY)


def _find_comments(parts: Parts, file: str) -> Findings:
    """Report what people wrote beside the cells, which no table has a place for."""
    if not any(_COMMENTS.fullmatch(name) for name in parts.names):
        return Findings()
    problem = "It has comments beside its cells; they are not read."
    remedy = "Read them; what they say of a pupil belongs into the cells."
    return Findings([Finding(file=file, problem=problem, remedy=remedy, severity="note")])


_REMEDY = "Open it in a spreadsheet program, save it as .xlsx anew, and send that."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """What the cells of all sheets refer to."""

    texts: tuple[str, ...]
    dates: frozenset[int]
    padded: dict[int, int]
    struck: frozenset[int]
    epoch: datetime
    budget: Budget = field(default_factory=Budget)


def _iterate_sheets(parts: Parts, file: str) -> Iterator[Sheet]:
    if "xl/workbook.xml" not in parts:
        other = (problem for part, problem in _OTHER_BOOKS.items() if part in parts)
        raise UnreadableError(next(other, "it holds no workbook"))
    workbook = parts.xml("xl/workbook.xml")
    styles = parts.xml("xl/styles.xml") if "xl/styles.xml" in parts else ET.Element("styleSheet")
    formats = _read_number_formats(styles)
    book = _Book(
        texts=_read_shared_texts(parts),
        dates=frozenset(k for k, code in enumerate(formats) if code is True or (code and _is_date_format(str(code)))),
        padded={k: len(code) for k, code in enumerate(formats) if isinstance(code, str) and _PADDED.fullmatch(code)},
        struck=_find_struck_styles(styles),
        epoch=_get_epoch(workbook),
    )
    targets, read = _index_sheet_targets(parts), set()
    for node in workbook.iterfind("{*}sheets/{*}sheet"):
        relation = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
        target = targets.get(relation, "")
        if "chartsheet" not in target and "dialogsheet" not in target:
            if target in read:
                raise UnreadableError("two of its sheets are the same part")
            read.add(target)
            yield _read_sheet(parts, target, node, book, file)


def _read_sheet(parts: Parts, target: str, node: ET.Element, book: _Book, file: str) -> Sheet:
    grid = _Grid(book)
    for _, element in parts.events(target):
        grid.take(element)
    rows, merged = apply_merged_values(
        grid.rows, [_parse_area(reference) for reference in grid.merged if ":" in reference]
    )
    return Sheet(
        file=file,
        sheet=node.attrib["name"],
        rows=rows,
        is_hidden=node.get("state", "visible") != "visible",
        hidden_rows=tuple(grid.hidden_rows),
        hidden_columns=tuple(grid.hidden_columns),
        merged=tuple(merged),
        struck=tuple(grid.struck),
    )


class _Grid:
    """What a sheet holds, taken from its elements in their order."""

    def __init__(self, book: _Book) -> None:
        self._book = book
        self._is_past_cells = False
        self.rows: list[Row] = []
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[int] = []
        self.merged: list[str] = []
        self.struck: list[tuple[int, int]] = []

    def take(self, element: ET.Element) -> None:
        """Take what an element holds, and let go of it; cells are taken with their row."""
        tag = element.tag.rpartition("}")[2]
        if tag in _OF_CELLS:
            return
        if tag == "row" and not self._is_past_cells:
            self._make_row(element)
            element.clear()
        elif tag == "col" and not self._is_past_cells:
            self.hidden_columns += _iterate_hidden_columns(element)
        elif tag == "mergeCell":
            self.merged.append(element.get("ref", ""))
        elif tag == "sheetData":
            # Places of pictures and buttons, behind the cells, have rows and columns of their own.
            self._is_past_cells = True

    def _make_row(self, node: ET.Element) -> None:
        number = int(node.get("r", len(self.rows) + 1))
        if not len(self.rows) < number <= N_ROWS:
            raise UnreadableError("its rows are out of order")
        cells = _read_cells(node, self._book)
        if not cells:
            return
        self._book.budget.spend(len(cells))
        self.rows.extend(() for _ in range(number - 1 - len(self.rows)))
        self.rows.append(cells)
        if node.get("hidden") in ("1", "true"):
            self.hidden_rows.append(number)
        if self._book.struck:
            self.struck += [
                (number, column_index + 1) for column_index in _find_struck_columns(node, cells, self._book.struck)
            ]


def _parse_area(reference: str) -> tuple[int, int, int, int]:
    first, _, last = reference.partition(":")
    return (*parse_reference(first), *parse_reference(last))


def _iterate_hidden_columns(node: ET.Element) -> Iterator[int]:
    if node.get("hidden") in ("1", "true"):
        yield from range(int(node.attrib["min"]), min(int(node.attrib["max"]), N_COLUMNS) + 1)


def _index_sheet_targets(parts: Parts) -> dict[str, str]:
    """Relation to the name of the sheet's file in the archive."""
    relations = parts.xml("xl/_rels/workbook.xml.rels")
    return {
        relation.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", relation.attrib["Target"])).lstrip("/")
        for relation in relations
        if relation.get("TargetMode") != "External"
    }


def _get_epoch(workbook: ET.Element) -> datetime:
    properties = workbook.find("{*}workbookPr")
    from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    return datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 -- spreadsheets know no zones


def _read_shared_texts(parts: Parts) -> tuple[str, ...]:
    texts = []
    for _, element in parts.events(_TEXTS) if _TEXTS in parts else ():
        if element.tag.endswith("}si"):
            texts.append(_extract_text(element))
            element.clear()
    return tuple(texts)


def _extract_text(item: ET.Element) -> str:
    """Return the text of a string item, of all its runs; not the phonetic guide beside it."""
    if len(item) == 1 and item[0].tag.endswith("}t"):
        return _decode_escaped_signs(ensure_text_bounds(item[0].text or ""))
    parts = [node.text or "" for node in item.iterfind("{*}t")]
    parts += [node.text or "" for node in item.iterfind("{*}r/{*}t")]
    return _decode_escaped_signs(ensure_text_bounds("".join(parts)))


def _decode_escaped_signs(text: str) -> str:
    """Return a text with the signs that XML cannot hold: "_x000D_" is a line end (ECMA-376, part 1, 22.9.2.19)."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)).strip("\x00"), text) if "_x" in text else text


def _read_number_formats(styles: ET.Element) -> list[str | bool]:
    """Return how each cell style shows numbers: a format, or True for a date of the built-in ones."""
    custom_formats = {
        int(number_format.attrib["numFmtId"]): number_format.get("formatCode", "")
        for number_format in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    numbers = [int(node.get("numFmtId", "0")) for node in styles.iterfind("{*}cellXfs/{*}xf")]
    return [custom_formats.get(number, number in _BUILT_IN_DATES) for number in numbers]


def _find_struck_styles(styles: ET.Element) -> frozenset[int]:
    """Return the cell styles whose font is struck through; almost always none."""
    strikes = (font.find("{*}strike") for font in styles.iterfind("{*}fonts/{*}font"))
    fonts = {
        k for k, strike in enumerate(strikes) if strike is not None and strike.get("val", "1") not in ("0", "false")
    }
    used = (int(node.get("fontId", "0")) for node in styles.iterfind("{*}cellXfs/{*}xf")) if fonts else ()
    return frozenset(k for k, font in enumerate(used) if font in fonts)


def _is_date_format(code: str) -> bool:
    return bool(_DATE_LETTER.search(_NOT_FORMAT.sub("", code.partition(";")[0])))


def _find_struck_columns(row: ET.Element, cells: Row, styles: frozenset[int]) -> Iterator[int]:
    """Yield where a row has cells that hold something and are struck through."""
    column_index = -1
    for node in row:
        reference = node.get("r")
        column_index = column_index + 1 if reference is None else parse_reference(reference)[1]
        if int(node.get("s", "0")) in styles and column_index < len(cells) and cells[column_index] is not None:
            yield column_index


def _read_cells(row: ET.Element, book: _Book) -> Row:
    cells: list[Cell] = []
    for node in row:
        column_index = len(cells)
        reference = node.get("r")
        if reference is not None:
            column_index = parse_reference(reference)[1]
            if column_index < len(cells):
                raise UnreadableError("its cells are out of order")
        value = _read_value(node, book)
        if value is not None or reference is None:
            cells.extend([None] * (column_index - len(cells)))
            cells.append(value)
    while cells and cells[-1] is None:
        cells.pop()
    return tuple(cells)


def _read_value(cell: ET.Element, book: _Book) -> Cell:
    kind = cell.get("t", "n")
    stored = formula = None
    for node in cell:
        tag = node.tag.rpartition("}")[2]
        if tag == "v":
            stored = node.text
        elif tag == "is":
            return _extract_text(node) or None
        elif tag == "f":
            formula = node.text or ""
    if not stored:
        # A formula that was never computed; to leave it out would lose an answer in silence.
        return None if formula is None or kind == "str" else ensure_text_bounds(f"={formula}")
    if kind == "n":
        return _parse_stored_number(stored, cell, book)
    return _convert_other_value(kind, stored, book)


def _parse_stored_number(stored: str, cell: ET.Element, book: _Book) -> Cell:
    number = int(stored) if stored.lstrip("-").isdecimal() else float(stored)
    if not math.isfinite(number):
        return ensure_text_bounds(stored)
    style = int(cell.get("s", "0"))
    if style in book.dates and number >= 1:
        return (book.epoch + timedelta(days=number)).date()
    if style in book.padded and number == int(number):
        # "031201" is what people see, whatever is stored; some programs store "3.1201E4".
        return str(int(number)).zfill(book.padded[style])
    return number


def _convert_other_value(kind: str, stored: str, book: _Book) -> str | bool | date | None:
    if kind == "s":
        return book.texts[int(stored)] or None
    if kind == "b":
        return stored.strip() in ("1", "true")
    if kind == "d":
        return datetime.fromisoformat(stored.strip()).date()
    return ensure_text_bounds(stored)
