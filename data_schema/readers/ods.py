"""An OpenDocument spreadsheet (.ods) -> cells with their types.

By the standard library: calamine hands on error cells and formulas without a value as empty ones, odfpy needs minutes
for a sheet whose last row is repeated a million times.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from xml.etree import ElementTree as ET

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
    refuse_file,
)

_SHEETS = b"application/vnd.oasis.opendocument.spreadsheet"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_MANIFEST = "META-INF/manifest.xml"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
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
        return Reading(sheets=_read_sheets(Parts(content), file))
    except UnreadableError as error:
        return refuse_file(file, f"It is no workbook that can be read: {error}.", _REMEDY)
    except DAMAGED:
        return refuse_file(file, "It is damaged: the archive cannot be unpacked.", _REMEDY)
    except (ET.ParseError, KeyError, ValueError, IndexError, OverflowError):
        return refuse_file(file, "It is damaged: its content is not that of a workbook.", _REMEDY)


def _read_sheets(parts: Parts, file: str) -> tuple[Sheet, ...]:
    if _MANIFEST in parts and b"encryption-data" in parts.read(_MANIFEST):
        raise UnreadableError("it has a password")
    if "mimetype" in parts and not parts.read("mimetype").startswith(_SHEETS):
        raise UnreadableError("it is an OpenDocument file of another kind")
    document = _Document(file)
    for event, element in parts.events("content.xml", ("start", "end")):
        document.take(element, is_start=event == "start")
    if not document.is_spreadsheet:
        raise UnreadableError("it is an OpenDocument file of another kind")
    return tuple(document.sheets)


class _Document:
    """What a document holds, taken from its elements in their order."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._hidden: set[str] = set()
        self._budget = Budget()
        self._grid = _Grid()
        self._depth = 0
        self.is_spreadsheet = False
        self.sheets: list[Sheet] = []

    def take(self, element: ET.Element, *, is_start: bool) -> None:
        """Take what an element holds, and let go of it; cells are taken with their row."""
        tag = element.tag
        if tag == f"{_TABLE}table":
            self._handle_table(element, is_start=is_start)
        elif is_start:
            return
        elif tag == f"{_TABLE}table-row":
            # A table within a table is part of a picture.
            if self._depth == 1:
                self._grid.take(element, self._budget)
                element.clear()
        elif tag == f"{_OFFICE}automatic-styles":
            self._hidden = set(_iterate_hidden_styles(element))
        elif tag == f"{_OFFICE}spreadsheet":
            self.is_spreadsheet = True

    def _handle_table(self, table: ET.Element, *, is_start: bool) -> None:
        self._depth += 1 if is_start else -1
        if is_start and self._depth == 1:
            self._grid = _Grid()
        elif not is_start and not self._depth:
            is_hidden = table.get(f"{_TABLE}style-name") in self._hidden
            self.sheets.append(self._grid.sheet(table, file=self._file, is_hidden=is_hidden))
            table.clear()


class _Grid:
    """The rows of a sheet, one after the other."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._hidden: list[int] = []
        self._areas: list[Area] = []
        self._number = 0

    def take(self, node: ET.Element, budget: Budget) -> None:
        """Take a row with its repetitions."""
        repeated = _count(node, "number-rows-repeated")
        cells = _read_cells(node, self._number, self._areas)
        if cells:
            if self._number + repeated > N_ROWS:
                raise UnreadableError("it has more rows than a spreadsheet can")
            budget.spend(len(cells) * repeated)
            self._rows.extend(() for _ in range(self._number - len(self._rows)))
            self._rows.extend([cells] * repeated)
            if node.get(f"{_TABLE}visibility") in ("collapse", "filter"):
                self._hidden.extend(range(self._number + 1, self._number + repeated + 1))
        self._number += repeated

    def sheet(self, table: ET.Element, *, file: str, is_hidden: bool) -> Sheet:
        """Return the sheet, when all its rows are taken."""
        filled, merged = apply_merged_values(self._rows, self._areas)
        return Sheet(
            file=file,
            sheet=table.get(f"{_TABLE}name", ""),
            rows=filled,
            is_hidden=is_hidden,
            hidden_rows=tuple(self._hidden),
            hidden_columns=tuple(_iterate_hidden_columns(table)),
            merged=tuple(merged),
        )


def _iterate_hidden_styles(styles: ET.Element) -> Iterator[str]:
    for style in styles.iterfind(f"{_STYLE}style"):
        properties = style.find(f"{_STYLE}table-properties")
        if properties is not None and properties.get(f"{_TABLE}display") == "false":
            yield style.get(f"{_STYLE}name", "")


def _iterate_inner_elements(parent: ET.Element, tag: str, groups: tuple[str, ...]) -> Iterator[ET.Element]:
    """Yield elements that are in a table or in groups of it."""
    for node in parent:
        if node.tag == tag:
            yield node
        elif node.tag in groups:
            yield from _iterate_inner_elements(node, tag, groups)


def _iterate_hidden_columns(table: ET.Element) -> Iterator[int]:
    number = 0
    for node in _iterate_inner_elements(table, f"{_TABLE}table-column", _COLUMN_GROUPS):
        repeated = min(_count(node, "number-columns-repeated"), N_COLUMNS)
        if node.get(f"{_TABLE}visibility") in ("collapse", "filter"):
            yield from range(number + 1, min(number + repeated, N_COLUMNS) + 1)
        number += repeated


def _count(node: ET.Element, name: str) -> int:
    return max(int(node.get(f"{_TABLE}{name}", "1")), 1)


def _read_cells(row: ET.Element, number: int, areas: list[Area]) -> Row:
    cells: list[Cell] = []
    gap = 0
    for node in row:
        if node.tag not in _CELLS:
            continue
        repeated = _count(node, "number-columns-repeated")
        value = _read_value(node)
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


def _read_value(cell: ET.Element) -> Cell:
    kind = cell.get(f"{_OFFICE}value-type")
    shown = ensure_text_bounds("\n".join(_extract_text(node) for node in cell.iterfind(f"{_TEXT}p")))
    match kind:
        case "float" | "percentage" | "currency":
            return _parse_stored_number(cell.get(f"{_OFFICE}value", ""), shown)
        case "date":
            return date.fromisoformat(cell.get(f"{_OFFICE}date-value", "")[:10])
        case "boolean":
            return cell.get(f"{_OFFICE}boolean-value") == "true"
        case "string" | "time":
            return cell.get(f"{_OFFICE}string-value") or shown or None
    formula = cell.get(f"{_TABLE}formula")
    return shown or (None if formula is None else formula.partition(":")[2] or formula)


def _parse_stored_number(stored: str, shown: str) -> Cell:
    number = float(stored)
    if shown.startswith("0") and shown.isdecimal() and len(shown) > 1 and int(shown) == number:
        # "031201" is what people see, whatever is stored.
        return shown
    if shown.startswith(("#", "Err:")):
        return shown
    return int(number) if number.is_integer() else number


def _extract_text(node: ET.Element) -> str:
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
            parts.append(_extract_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
