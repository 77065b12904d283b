"""A workbook (.xlsx) -> cells with their types.

Reads the archive's XML with the standard library's parser in C: ten times as fast as openpyxl with defusedxml, whose
parser is in Python. calamine is faster still, but hands on an error (#REF!) and a formula without a stored value as
empty cells, and nothing may be lost in silence here. A document type, without which XML can declare no entities, is
refused before parsing.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from data_schema.readers.sheets import Cell, Reading, Row, Sheet, unreadable

_LARGEST = 200_000_000
_N_ROWS = 1_048_576
_N_COLUMNS = 16_384
_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_FORMAT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATE_LETTER = re.compile("[dmyhs]", re.IGNORECASE)
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


class _NoWorkbookError(Exception):
    """The archive is not a workbook that can be read; says why."""


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
        are text.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return Reading(sheets=tuple(_sheets(archive, file)))
    except _NoWorkbookError as error:
        return unreadable(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        return unreadable(file, "It is damaged: the archive cannot be unpacked.", _REMEDY)
    except (ET.ParseError, KeyError, ValueError, IndexError, OverflowError):
        return unreadable(file, "It is damaged: its content is not that of a workbook.", _REMEDY)


_REMEDY = "Open it in a spreadsheet program, save it as .xlsx anew, and send that."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """What the cells of all sheets refer to."""

    texts: tuple[str, ...]
    dates: frozenset[int]
    epoch: datetime


def _sheets(archive: zipfile.ZipFile, file: str) -> Iterator[Sheet]:
    names = set(archive.namelist())
    if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
        raise _NoWorkbookError("it is too large")
    if "content.xml" in names:
        raise _NoWorkbookError("it is an OpenDocument file")
    if "xl/workbook.xml" not in names:
        raise _NoWorkbookError("it holds no workbook")
    workbook = _parsed(archive, "xl/workbook.xml")
    book = _Book(texts=_texts(archive, names), dates=_date_styles(archive, names), epoch=_epoch(workbook))
    targets = _targets(archive)
    for sheet in workbook.iterfind("{*}sheets/{*}sheet"):
        relation = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        target = targets.get(relation, "")
        if "chartsheet" in target or "dialogsheet" in target:
            continue
        yield Sheet(file=file, sheet=sheet.attrib["name"], rows=_rows(_parsed(archive, target), book))


def _parsed(archive: zipfile.ZipFile, name: str) -> ET.Element:
    content = archive.read(name)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\x00" in content:
        raise _NoWorkbookError("it declares what no workbook needs")
    return ET.fromstring(content)  # noqa: S314 -- without a document type there are no entities


def _targets(archive: zipfile.ZipFile) -> dict[str, str]:
    """Relation to the name of the sheet's file in the archive."""
    relations = _parsed(archive, "xl/_rels/workbook.xml.rels")
    return {
        relation.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", relation.attrib["Target"])).lstrip("/")
        for relation in relations
        if relation.get("TargetMode") != "External"
    }


def _epoch(workbook: ET.Element) -> datetime:
    properties = workbook.find("{*}workbookPr")
    from_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    return datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 -- spreadsheets know no zones


def _texts(archive: zipfile.ZipFile, names: set[str]) -> tuple[str, ...]:
    if "xl/sharedStrings.xml" not in names:
        return ()
    return tuple(_text(item) for item in _parsed(archive, "xl/sharedStrings.xml").iterfind("{*}si"))


def _text(item: ET.Element) -> str:
    """Return the text of a string item, of all its runs; not the phonetic guide beside it."""
    if len(item) == 1 and item[0].tag.endswith("}t"):
        return item[0].text or ""
    parts = [node.text or "" for node in item.iterfind("{*}t")]
    parts += [node.text or "" for node in item.iterfind("{*}r/{*}t")]
    return "".join(parts)


def _date_styles(archive: zipfile.ZipFile, names: set[str]) -> frozenset[int]:
    """Positions of the cell styles that show a number as a date."""
    if "xl/styles.xml" not in names:
        return frozenset()
    styles = _parsed(archive, "xl/styles.xml")
    own = {
        int(node.attrib["numFmtId"]): _shows_date(node.get("formatCode", ""))
        for node in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    formats = [int(node.get("numFmtId", "0")) for node in styles.iterfind("{*}cellXfs/{*}xf")]
    return frozenset(k for k, number in enumerate(formats) if own.get(number, number in _BUILT_IN_DATES))


def _shows_date(code: str) -> bool:
    return bool(_DATE_LETTER.search(_NOT_FORMAT.sub("", code.partition(";")[0])))


def _rows(sheet: ET.Element, book: _Book) -> tuple[Row, ...]:
    rows: list[Row] = []
    for node in sheet.iterfind("{*}sheetData/{*}row"):
        number = int(node.get("r", len(rows) + 1))
        if not len(rows) < number <= _N_ROWS:
            raise _NoWorkbookError("its rows are out of order")
        cells = _cells(node, book)
        if cells:
            rows.extend(() for _ in range(number - 1 - len(rows)))
            rows.append(cells)
    return tuple(rows)


def _cells(row: ET.Element, book: _Book) -> Row:
    cells: list[Cell] = []
    for node in row:
        at = len(cells)
        reference = node.get("r")
        if reference is not None:
            at = _column(reference)
            if at < len(cells):
                raise _NoWorkbookError("its cells are out of order")
        value = _value(node, book)
        if value is not None or reference is None:
            cells.extend([None] * (at - len(cells)))
            cells.append(value)
    while cells and cells[-1] is None:
        cells.pop()
    return tuple(cells)


def _column(reference: str) -> int:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise _NoWorkbookError(f"a cell is called {reference[:20]!r}")
    number = 0
    for letter in found[1]:
        number = 26 * number + ord(letter) - 64
    if number > _N_COLUMNS:
        raise _NoWorkbookError(f"a cell is called {reference[:20]!r}")
    return number - 1


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
        return None if formula is None or kind == "str" else f"={formula}"
    if kind == "n":
        return _number(stored, cell, book)
    return _other(kind, stored, book)


def _number(stored: str, cell: ET.Element, book: _Book) -> Cell:
    number = int(stored) if stored.lstrip("-").isdecimal() else float(stored)
    if not math.isfinite(number):
        return stored
    if book.dates and int(cell.get("s", "0")) in book.dates and number >= 1:
        return (book.epoch + timedelta(days=number)).date()
    return number


def _other(kind: str, stored: str, book: _Book) -> str | bool | date | None:
    if kind == "s":
        return book.texts[int(stored)] or None
    if kind == "b":
        return stored.strip() in ("1", "true")
    if kind == "d":
        return datetime.fromisoformat(stored.strip()).date()
    return stored
