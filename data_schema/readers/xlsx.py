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
from data_schema.readers.sheets import Budget, Cell, Reading, Row, Sheet, bounded, filled_in, place_of, unreadable

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
        return Reading(sheets=tuple(_sheets(parts, file)), findings=_comments(parts, file))
    except UnreadableError as error:
        return unreadable(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except DAMAGED:
        return unreadable(file, "It is damaged: the archive cannot be unpacked.", _REMEDY)
    except (ET.ParseError, KeyError, ValueError, IndexError, OverflowError):
        return unreadable(file, "It is damaged: its content is not that of a workbook.", _REMEDY)


def _comments(parts: Parts, file: str) -> Findings:
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


def _sheets(parts: Parts, file: str) -> Iterator[Sheet]:
    if "xl/workbook.xml" not in parts:
        other = (problem for part, problem in _OTHER_BOOKS.items() if part in parts)
        raise UnreadableError(next(other, "it holds no workbook"))
    workbook = parts.xml("xl/workbook.xml")
    styles = parts.xml("xl/styles.xml") if "xl/styles.xml" in parts else ET.Element("styleSheet")
    formats = _formats(styles)
    book = _Book(
        texts=_texts(parts),
        dates=frozenset(k for k, code in enumerate(formats) if code is True or (code and _shows_date(str(code)))),
        padded={k: len(code) for k, code in enumerate(formats) if isinstance(code, str) and _PADDED.fullmatch(code)},
        struck=_struck_styles(styles),
        epoch=_epoch(workbook),
    )
    targets, read = _targets(parts), set()
    for node in workbook.iterfind("{*}sheets/{*}sheet"):
        relation = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
        target = targets.get(relation, "")
        if "chartsheet" not in target and "dialogsheet" not in target:
            if target in read:
                raise UnreadableError("two of its sheets are the same part")
            read.add(target)
            yield _sheet(parts, target, node, book, file)


def _sheet(parts: Parts, target: str, node: ET.Element, book: _Book, file: str) -> Sheet:
    grid = _Grid(book)
    for _, element in parts.events(target):
        grid.take(element)
    rows, merged = filled_in(grid.rows, [_area(reference) for reference in grid.merged if ":" in reference])
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
            self._row(element)
            element.clear()
        elif tag == "col" and not self._is_past_cells:
            self.hidden_columns += _hidden_columns(element)
        elif tag == "mergeCell":
            self.merged.append(element.get("ref", ""))
        elif tag == "sheetData":
            # Places of pictures and buttons, behind the cells, have rows and columns of their own.
            self._is_past_cells = True

    def _row(self, node: ET.Element) -> None:
        number = int(node.get("r", len(self.rows) + 1))
        if not len(self.rows) < number <= N_ROWS:
            raise UnreadableError("its rows are out of order")
        cells = _cells(node, self._book)
        if not cells:
            return
        self._book.budget.spend(len(cells))
        self.rows.extend(() for _ in range(number - 1 - len(self.rows)))
        self.rows.append(cells)
        if node.get("hidden") in ("1", "true"):
            self.hidden_rows.append(number)
        if self._book.struck:
            self.struck += [(number, at + 1) for at in _struck(node, cells, self._book.struck)]


def _area(reference: str) -> tuple[int, int, int, int]:
    first, _, last = reference.partition(":")
    return (*place_of(first), *place_of(last))


def _hidden_columns(node: ET.Element) -> Iterator[int]:
    if node.get("hidden") in ("1", "true"):
        yield from range(int(node.attrib["min"]), min(int(node.attrib["max"]), N_COLUMNS) + 1)


def _targets(parts: Parts) -> dict[str, str]:
    """Relation to the name of the sheet's file in the archive."""
    relations = parts.xml("xl/_rels/workbook.xml.rels")
    return {
        relation.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", relation.attrib["Target"])).lstrip("/")
        for relation in relations
        if relation.get("TargetMode") != "External"
    }


def _epoch(workbook: ET.Element) -> datetime:
    properties = workbook.find("{*}workbookPr")
    from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    return datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 -- spreadsheets know no zones


def _texts(parts: Parts) -> tuple[str, ...]:
    texts = []
    for _, element in parts.events(_TEXTS) if _TEXTS in parts else ():
        if element.tag.endswith("}si"):
            texts.append(_text(element))
            element.clear()
    return tuple(texts)


def _text(item: ET.Element) -> str:
    """Return the text of a string item, of all its runs; not the phonetic guide beside it."""
    if len(item) == 1 and item[0].tag.endswith("}t"):
        return _unescaped(bounded(item[0].text or ""))
    parts = [node.text or "" for node in item.iterfind("{*}t")]
    parts += [node.text or "" for node in item.iterfind("{*}r/{*}t")]
    return _unescaped(bounded("".join(parts)))


def _unescaped(text: str) -> str:
    """Return a text with the signs that XML cannot hold: "_x000D_" is a line end (ECMA-376, part 1, 22.9.2.19)."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)).strip("\x00"), text) if "_x" in text else text


def _formats(styles: ET.Element) -> list[str | bool]:
    """Return how each cell style shows numbers: a format, or True for a date of the built-in ones."""
    own = {int(one.attrib["numFmtId"]): one.get("formatCode", "") for one in styles.iterfind("{*}numFmts/{*}numFmt")}
    numbers = [int(node.get("numFmtId", "0")) for node in styles.iterfind("{*}cellXfs/{*}xf")]
    return [own.get(number, number in _BUILT_IN_DATES) for number in numbers]


def _struck_styles(styles: ET.Element) -> frozenset[int]:
    """Return the cell styles whose font is struck through; almost always none."""
    strikes = (font.find("{*}strike") for font in styles.iterfind("{*}fonts/{*}font"))
    fonts = {k for k, one in enumerate(strikes) if one is not None and one.get("val", "1") not in ("0", "false")}
    used = (int(node.get("fontId", "0")) for node in styles.iterfind("{*}cellXfs/{*}xf")) if fonts else ()
    return frozenset(k for k, font in enumerate(used) if font in fonts)


def _shows_date(code: str) -> bool:
    return bool(_DATE_LETTER.search(_NOT_FORMAT.sub("", code.partition(";")[0])))


def _struck(row: ET.Element, cells: Row, styles: frozenset[int]) -> Iterator[int]:
    """Yield where a row has cells that hold something and are struck through."""
    at = -1
    for node in row:
        reference = node.get("r")
        at = at + 1 if reference is None else place_of(reference)[1]
        if int(node.get("s", "0")) in styles and at < len(cells) and cells[at] is not None:
            yield at


def _cells(row: ET.Element, book: _Book) -> Row:
    cells: list[Cell] = []
    for node in row:
        at = len(cells)
        reference = node.get("r")
        if reference is not None:
            at = place_of(reference)[1]
            if at < len(cells):
                raise UnreadableError("its cells are out of order")
        value = _value(node, book)
        if value is not None or reference is None:
            cells.extend([None] * (at - len(cells)))
            cells.append(value)
    while cells and cells[-1] is None:
        cells.pop()
    return tuple(cells)


def _value(cell: ET.Element, book: _Book) -> Cell:
    kind = cell.get("t", "n")
    stored = formula = None
    for node in cell:
        tag = node.tag.rpartition("}")[2]
        if tag == "v":
            stored = node.text
        elif tag == "is":
            return _text(node) or None
        elif tag == "f":
            formula = node.text or ""
    if not stored:
        # A formula that was never computed; to leave it out would lose an answer in silence.
        return None if formula is None or kind == "str" else bounded(f"={formula}")
    if kind == "n":
        return _number(stored, cell, book)
    return _other(kind, stored, book)


def _number(stored: str, cell: ET.Element, book: _Book) -> Cell:
    number = int(stored) if stored.lstrip("-").isdecimal() else float(stored)
    if not math.isfinite(number):
        return bounded(stored)
    style = int(cell.get("s", "0"))
    if style in book.dates and number >= 1:
        return (book.epoch + timedelta(days=number)).date()
    if style in book.padded and number == int(number):
        # "031201" is what people see, whatever is stored; some programs store "3.1201E4".
        return str(int(number)).zfill(book.padded[style])
    return number


def _other(kind: str, stored: str, book: _Book) -> str | bool | date | None:
    if kind == "s":
        return book.texts[int(stored)] or None
    if kind == "b":
        return stored.strip() in ("1", "true")
    if kind == "d":
        return datetime.fromisoformat(stored.strip()).date()
    return bounded(stored)
