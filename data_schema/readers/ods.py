"""An OpenDocument spreadsheet (.ods) -> cells with their types.

By the standard library: calamine hands on error cells and formulas without a value as empty ones, odfpy needs minutes
for a sheet whose last row is repeated a million times.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date
from xml.etree import ElementTree as ET

from data_schema.readers.archives import DAMAGED, UnreadableError, check_size, parsed_xml
from data_schema.readers.grids import Budget, bounded, filled_in
from data_schema.readers.limits import N_COLUMNS, N_ROWS
from data_schema.readers.sheets import Cell, Reading, Row, Sheet, unreadable

_SHEETS = b"application/vnd.oasis.opendocument.spreadsheet"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_GROUPS = (f"{_TABLE}table-header-rows", f"{_TABLE}table-row-group", f"{_TABLE}table-rows")
_COLUMN_GROUPS = (f"{_TABLE}table-header-columns", f"{_TABLE}table-column-group", f"{_TABLE}table-columns")
_REMEDY = "Open it in a spreadsheet program, save it anew, and send that."

Area = tuple[int, int, int, int]


def read_ods(content: bytes, *, file: str) -> Reading:
    """Read all sheets of an OpenDocument spreadsheet.

    Parameters
    ----------
    content
        The file's content.
    file
        What findings call it.

    Returns
    -------
    Reading
        As `read_xlsx` does: cells with their types, errors and formulas without a value as text.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return Reading(sheets=tuple(_sheets(archive, file)))
    except UnreadableError as error:
        return unreadable(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except DAMAGED:
        return unreadable(file, "It is damaged: the archive cannot be unpacked.", _REMEDY)
    except (ET.ParseError, KeyError, ValueError, IndexError, OverflowError):
        return unreadable(file, "It is damaged: its content is not that of a workbook.", _REMEDY)


def _sheets(archive: zipfile.ZipFile, file: str) -> Iterator[Sheet]:
    check_size(archive)
    names = archive.namelist()
    if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise UnreadableError("it has a password")
    if "mimetype" in names and not archive.read("mimetype").startswith(_SHEETS):
        raise UnreadableError("it is an OpenDocument file of another kind")
    document = parsed_xml(archive, "content.xml")
    body = document.find(f"{_OFFICE}body/{_OFFICE}spreadsheet")
    if body is None:
        raise UnreadableError("it is an OpenDocument file of another kind")
    hidden = set(_hidden_styles(document))
    budget = Budget()
    for table in body.iterfind(f"{_TABLE}table"):
        yield _sheet(table, budget, file=file, is_hidden=table.get(f"{_TABLE}style-name") in hidden)


def _hidden_styles(document: ET.Element) -> Iterator[str]:
    for style in document.iterfind(f"{_OFFICE}automatic-styles/{_STYLE}style"):
        properties = style.find(f"{_STYLE}table-properties")
        if properties is not None and properties.get(f"{_TABLE}display") == "false":
            yield style.get(f"{_STYLE}name", "")


def _sheet(table: ET.Element, budget: Budget, *, file: str, is_hidden: bool) -> Sheet:
    rows: list[Row] = []
    hidden: list[int] = []
    areas: list[Area] = []
    number = 0
    for node in _inside(table, f"{_TABLE}table-row", _GROUPS):
        repeated = _count(node, "number-rows-repeated")
        cells = _cells(node, number, areas)
        if cells:
            if number + repeated > N_ROWS:
                raise UnreadableError("it has more rows than a spreadsheet can")
            budget.spend(len(cells) * repeated)
            rows.extend(() for _ in range(number - len(rows)))
            rows.extend([cells] * repeated)
            if node.get(f"{_TABLE}visibility") in ("collapse", "filter"):
                hidden.extend(range(number + 1, number + repeated + 1))
        number += repeated
    filled, merged = filled_in(rows, areas)
    name = table.get(f"{_TABLE}name", "")
    columns = tuple(_hidden_columns(table))
    return Sheet(
        file=file,
        sheet=name,
        rows=filled,
        is_hidden=is_hidden,
        hidden_rows=tuple(hidden),
        hidden_columns=columns,
        merged=tuple(merged),
    )


def _inside(parent: ET.Element, tag: str, groups: tuple[str, ...]) -> Iterator[ET.Element]:
    """Yield elements that stand in a table or in groups of it."""
    for node in parent:
        if node.tag == tag:
            yield node
        elif node.tag in groups:
            yield from _inside(node, tag, groups)


def _hidden_columns(table: ET.Element) -> Iterator[int]:
    number = 0
    for node in _inside(table, f"{_TABLE}table-column", _COLUMN_GROUPS):
        repeated = min(_count(node, "number-columns-repeated"), N_COLUMNS)
        if node.get(f"{_TABLE}visibility") in ("collapse", "filter"):
            yield from range(number + 1, min(number + repeated, N_COLUMNS) + 1)
        number += repeated


def _count(node: ET.Element, name: str) -> int:
    return max(int(node.get(f"{_TABLE}{name}", "1")), 1)


def _cells(row: ET.Element, number: int, areas: list[Area]) -> Row:
    cells: list[Cell] = []
    gap = 0
    for node in row:
        if node.tag not in _CELLS:
            continue
        repeated = _count(node, "number-columns-repeated")
        value = _value(node)
        if value is None:
            gap += repeated
            continue
        if len(cells) + gap + repeated > N_COLUMNS:
            raise UnreadableError("it has more columns than a spreadsheet can")
        cells.extend([None] * gap)
        gap = 0
        spanned = _count(node, "number-rows-spanned")
        if spanned > 1:
            right = len(cells) + _count(node, "number-columns-spanned") - 1
            areas.append((number, len(cells), number + spanned - 1, right))
        cells.extend([value] * repeated)
    return tuple(cells)


def _value(cell: ET.Element) -> Cell:
    kind = cell.get(f"{_OFFICE}value-type")
    shown = bounded("\n".join(_text(node) for node in cell.iterfind(f"{_TEXT}p")))
    match kind:
        case "float" | "percentage" | "currency":
            return _number(cell.get(f"{_OFFICE}value", ""), shown)
        case "date":
            return date.fromisoformat(cell.get(f"{_OFFICE}date-value", "")[:10])
        case "boolean":
            return cell.get(f"{_OFFICE}boolean-value") == "true"
        case "string" | "time":
            return cell.get(f"{_OFFICE}string-value") or shown or None
    formula = cell.get(f"{_TABLE}formula")
    return shown or (None if formula is None else formula.partition(":")[2] or formula)


def _number(stored: str, shown: str) -> Cell:
    number = float(stored)
    if shown.startswith("0") and shown.isdecimal() and len(shown) > 1 and int(shown) == number:
        # "031201" is what people see, whatever is stored.
        return shown
    if shown.startswith(("#", "Err:")):
        return shown
    return int(number) if number.is_integer() else number


def _text(node: ET.Element) -> str:
    """Return the text of a paragraph; not that of remarks beside it."""
    parts = [node.text or ""]
    for child in node:
        if child.tag == f"{_TEXT}s":
            parts.append(" " * min(int(child.get(f"{_TEXT}c", "1")), 1000))
        elif child.tag == f"{_TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{_TEXT}line-break":
            parts.append("\n")
        elif child.tag != f"{_OFFICE}annotation":
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
