"""Tables of web pages and of XML that registers save as .xls -> cells.

Both are read as text: nothing is run, no link is followed, no entity is declared. A page whose tables are no data
(fewer than two rows or columns) is refused by name, and so is any other XML.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date, datetime
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

from data_schema.findings import Finding, Findings
from data_schema.readers.alphabets import decode_text
from data_schema.readers.archives import UnreadableError
from data_schema.readers.limits import N_COLUMNS, N_ROWS, N_TAGS
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

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]{3,20})", re.IGNORECASE)
_CHARSETS = ("utf-8", "utf8", "windows-1250", "windows-1251", "windows-1252", "cp1250", "cp1251", "iso-8859-2")
_HEAD = 4_000
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_UNSEEN = frozenset(("script", "style", "title", "noscript", "template"))
_STRUCK = frozenset(("s", "strike", "del"))
_SPREADSHEET = "urn:schemas-microsoft-com:office:spreadsheet"
_WEB_PAGE = ("It is a web page, whatever its name says.", "Open it in a spreadsheet program and save it as .xlsx.")
_XML_FILE = ("It is an XML file.", "Open it in a spreadsheet program and save it as .xlsx.")
_LEAST, _LONGEST_NUMBER = 2, 7
_CHUNK = 1 << 16


def read_web_page(content: bytes, *, file: str, countries: Collection[str] = ()) -> Reading:
    """Read the tables of a web page.

    Parameters
    ----------
    content
        The page.
    file
        What findings call it.
    countries
        Codes of the countries whose letters it may hold, where it says nothing of its encoding.

    Returns
    -------
    Reading
        A sheet for each table, numbered where there are several. Every cell is text as it is shown.
    """
    text = _decode_markup(content, countries)
    if text is None or content[:_HEAD].count(b"\x00"):
        return refuse_file(file, *_WEB_PAGE)
    page = _Page()
    try:
        page.feed(text)
        page.close()
    except UnreadableError as error:
        return refuse_file(file, f"It is no workbook that can be read: {error}.", _WEB_PAGE[1])
    tables = [table for table in page.tables if table.is_data]
    if not tables:
        return refuse_file(file, *_WEB_PAGE)
    names = [""] if len(tables) == 1 else [str(number) for number in range(1, len(tables) + 1)]
    problem = "It is a web page, whatever its name says; its tables are read as they are shown."
    note = Finding(file=file, problem=problem, remedy="Nothing, if that is right.", severity="note")
    sheets = tuple(table.sheet(file, name) for table, name in zip(tables, names, strict=True))
    return Reading(sheets=sheets, findings=Findings([note]))


def _decode_markup(content: bytes, countries: Collection[str]) -> str | None:
    charset_match = _CHARSET.search(content[:_HEAD])
    name = charset_match[1].decode("ascii").casefold() if charset_match else ""
    if name in _CHARSETS:
        try:
            return content.decode("utf-8-sig" if name in ("utf-8", "utf8") else name)
        except UnicodeDecodeError:
            # What it says of itself is not so.
            pass
    texts = decode_text(content, countries=countries)
    return texts[0] if len(texts) == 1 else None


class _Table:
    """A table as it is being read."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.areas: list[tuple[int, int, int, int]] = []
        self.hidden: list[int] = []
        self.struck: list[tuple[int, int]] = []
        # Column to the number of further rows that a cell above reaches into.
        self.reach: dict[int, int] = {}

    @property
    def is_data(self) -> bool:
        filled = [row for row in self.rows if sum(cell is not None for cell in row) >= _LEAST]
        return len(filled) >= _LEAST

    def sheet(self, file: str, name: str) -> Sheet:
        rows, merged = apply_merged_values(self.rows, self.areas)
        return Sheet(
            file=file,
            sheet=name,
            rows=rows,
            hidden_rows=tuple(self.hidden),
            merged=tuple(merged),
            struck=tuple(self.struck),
        )


class _Page(HTMLParser):
    """Collects the tables of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self._open: list[_Table] = []
        self._cells: list[Cell] | None = None
        self._text: list[str] | None = None
        self._span = (1, 1)
        self._unseen = self._striking = self._n_tags = 0
        self._is_struck = False
        self._budget = Budget()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, a row or a cell."""
        self._n_tags += 1
        if self._n_tags > N_TAGS:
            raise UnreadableError("it is too large")
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _STRUCK:
            self._striking += 1
        elif tag == "br" and self._text is not None:
            self._text.append("\n")
        elif tag == "table":
            self._close_row()
            self._unseen = 0
            self._open.append(_Table())
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open:
            self._close_row()
            self._cells = []
            if _HIDDEN.search(dict(attrs).get("style") or ""):
                self._open[-1].hidden.append(len(self._open[-1].rows) + 1)
        elif tag in ("td", "th") and self._open:
            self._close_cell()
            self._cells = [] if self._cells is None else self._cells
            self._text, self._is_struck = [], False
            attributes = dict(attrs)
            self._span = (
                _parse_bounded_number(attributes.get("rowspan"), N_ROWS),
                _parse_bounded_number(attributes.get("colspan"), N_COLUMNS),
            )

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened."""
        if tag in _UNSEEN:
            self._unseen = max(self._unseen - 1, 0)
        elif tag in _STRUCK:
            self._striking = max(self._striking - 1, 0)
        elif tag in ("td", "th"):
            self._close_cell()
        elif tag == "tr":
            self._close_row()
        elif tag == "table":
            self._close_row()
            self._open = self._open[:-1]

    def handle_data(self, data: str) -> None:
        """Take the text of a cell."""
        if self._text is not None and not self._unseen:
            self._text.append(data)
            self._is_struck = self._is_struck or bool(self._striking and data.strip())

    def close(self) -> None:
        """End what the page does not."""
        super().close()
        self._close_row()

    def _close_cell(self) -> None:
        if self._text is None or self._cells is None:
            return
        table = self._open[-1]
        column_index = len(self._cells)
        while table.reach.get(column_index):
            self._cells.append(None)
            column_index += 1
        lines = (" ".join(line.split()) for line in "".join(self._text).split("\n"))
        text = ensure_text_bounds("\n".join(filter(None, lines)))
        down, across = self._span
        if column_index + across > N_COLUMNS:
            raise UnreadableError("a cell stands nowhere")
        row = len(table.rows)
        self._cells += [text or None, *[None] * (across - 1)]
        if down > 1:
            table.areas.append((row, column_index, row + down - 1, column_index + across - 1))
            table.reach |= dict.fromkeys(range(column_index, column_index + across), down)
        if self._is_struck and text:
            table.struck.append((row + 1, column_index + 1))
        self._text = None

    def _close_row(self) -> None:
        self._close_cell()
        if self._cells is None or not self._open:
            return
        table = self._open[-1]
        while self._cells and self._cells[-1] is None:
            self._cells.pop()
        self._budget.spend(len(self._cells) + 1)
        table.rows.append(tuple(self._cells))
        table.reach = {column_index: left - 1 for column_index, left in table.reach.items() if left > 1}
        self._cells = None


def _parse_bounded_number(text: str | None, most: int, *, least: int = 1) -> int:
    return min(max(int(text), least), most) if text and text.isdecimal() and len(text) <= _LONGEST_NUMBER else least


def read_xml_workbook(content: bytes, *, file: str) -> Reading:
    """Read a workbook that a spreadsheet program saved as XML (2003).

    Parameters
    ----------
    content
        The file's content.
    file
        What findings call it.

    Returns
    -------
    Reading
        Its sheets, with cells as `data_schema.readers.xlsx.read_xlsx` has them; any other XML is refused by name.
    """
    is_workbook = _SPREADSHEET.encode() in content[:_HEAD]
    if not is_workbook or b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\x00" in content:
        return refuse_file(file, *_XML_FILE)
    if content.count(b"<") > N_TAGS:
        return refuse_file(file, "It is too large.", "Send it in parts, or as CSV.")
    try:
        sheets = tuple(_iterate_xml_sheets(content, file))
    except UnreadableError as error:
        return refuse_file(file, f"It is no workbook that can be read: {error}.", _XML_FILE[1])
    except (ET.ParseError, ValueError, OverflowError):
        return refuse_file(file, "It is damaged: its content is not that of a workbook.", _XML_FILE[1])
    return Reading(sheets=sheets) if sheets else refuse_file(file, *_XML_FILE)


def _iterate_xml_sheets(content: bytes, file: str) -> Iterator[Sheet]:
    # Its events are of these kinds only, which its type does not say.
    parser: Any = ET.XMLPullParser(("start", "end"))
    budget, table, name, is_hidden = Budget(), _Table(), "", False
    for offset in range(0, len(content), _CHUNK):
        parser.feed(content[offset : offset + _CHUNK])
        for event, node in parser.read_events():
            tag = node.tag.rpartition("}")[2]
            if event == "start":
                if tag == "Worksheet":
                    table, name, is_hidden = _Table(), _get_attribute(node, "Name"), False
            elif tag == "Row":
                _take_row(table, node, budget)
                node.clear()
            elif tag == "Visible":
                is_hidden = (node.text or "").strip() in ("SheetHidden", "SheetVeryHidden")
            elif tag == "Worksheet":
                filled_sheet = table.sheet(file, name)
                yield Sheet(
                    file=file,
                    sheet=name,
                    rows=filled_sheet.rows,
                    is_hidden=is_hidden,
                    hidden_rows=filled_sheet.hidden_rows,
                    merged=filled_sheet.merged,
                )
                node.clear()
    parser.close()


def _take_row(table: _Table, node: ET.Element, budget: Budget) -> None:
    number = int(_get_attribute(node, "Index") or len(table.rows) + 1)
    if not len(table.rows) < number <= N_ROWS:
        raise UnreadableError("its rows are out of order")
    cells: list[Cell] = []
    for cell in node:
        if cell.tag.rpartition("}")[2] != "Cell":
            continue
        column_index = int(_get_attribute(cell, "Index") or len(cells) + 1) - 1
        if not len(cells) <= column_index < N_COLUMNS:
            raise UnreadableError("its cells are out of order")
        cells += [None] * (column_index - len(cells))
        cells.append(_read_xml_value(cell))
        across, down = (
            _parse_bounded_number(_get_attribute(cell, key), N_COLUMNS, least=0) for key in ("MergeAcross", "MergeDown")
        )
        if down:
            table.areas.append((number - 1, column_index, number - 1 + down, column_index + across))
        cells += [None] * min(across, N_COLUMNS - len(cells))
    while cells and cells[-1] is None:
        cells.pop()
    budget.spend(len(cells) + 1)
    table.rows.extend(() for _ in range(number - 1 - len(table.rows)))
    table.rows.append(tuple(cells))
    if _get_attribute(node, "Hidden") == "1":
        table.hidden.append(number)


def _get_attribute(node: ET.Element, key: str) -> str:
    return str(node.get(f"{{{_SPREADSHEET}}}{key}", ""))


def _read_xml_value(cell: ET.Element) -> Cell:
    data = next((child for child in cell if child.tag.rpartition("}")[2] == "Data"), None)
    if data is None:
        formula = _get_attribute(cell, "Formula")
        return ensure_text_bounds(formula) or None
    text = ensure_text_bounds("".join(data.itertext()))
    kind = _get_attribute(data, "Type")
    if not text:
        return None
    if kind == "Number":
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    if kind == "Boolean":
        return text.strip() in ("1", "true")
    return _parse_day(text) if kind == "DateTime" else text


def _parse_day(text: str) -> date | str:
    day = datetime.fromisoformat(text.strip())
    # A time of day is no date.
    return day.date() if day.year > 1900 else text
