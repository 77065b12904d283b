"""Workbooks that people fill in: how they look, and the same bytes for the same content."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell, MergedCell
    from openpyxl.styles import Border, Font
    from openpyxl.worksheet.worksheet import Worksheet

INK, MUTED, RULE, ACCENT, ENTRY = "FF1A1A1A", "FF5A6270", "FFC9CED6", "FF0B3C5D", "FFFFF7D6"
"""Colours: text, remarks, lines, headers, cells to be filled in."""

_TIME = (1980, 1, 1, 0, 0, 0)
_STAMP = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
_UNSAFE = re.compile(r"[^\w.-]+")


def save_to_bytes(workbook: Workbook) -> bytes:
    """Return a workbook's bytes, without the time and the place of writing."""
    plain_content, result = io.BytesIO(), io.BytesIO()
    workbook.save(plain_content)
    with zipfile.ZipFile(plain_content) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _STAMP.sub(rb"\g<1>2000-01-01T00:00:00Z", content)
            entry = zipfile.ZipInfo(name, date_time=_TIME)
            # ZipInfo takes the operating system from where it runs, unless it is given.
            entry.create_system = 0
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return result.getvalue()


def clean_file_name(text: str) -> str:
    """Return an identifier as the name of a file that every system takes.

    Examples
    --------
    >>> clean_file_name("RS/101 a")
    'RS_101_a'
    """
    return _UNSAFE.sub("_", text).strip(".") or "_"


def _create_font(*, color: str = INK, size: float = 11, bold: bool = False) -> Font:
    """Return the one font of these workbooks; a font without a name is another one in each program."""
    from openpyxl.styles import Font

    return Font(name="Calibri", color=color, size=size, bold=bold)


def write_title(sheet: Worksheet, lines: Sequence[str], *, width: int) -> int:
    """Write a title and remarks above a table, over its width; return the row below them."""
    from openpyxl.styles import Alignment

    for row, line in enumerate(lines, start=1):
        cell = sheet.cell(row=row, column=1, value=line)
        cell.font = _create_font(bold=row == 1, size=15 if row == 1 else 11, color=ACCENT if row == 1 else MUTED)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.merge_cells(start_row=row, start_column=1, end_row=row, end_column=width)
        # A line of a merged cell does not make its row higher by itself.
        sheet.row_dimensions[row].height = 24 if row == 1 else 15 * (1 + len(line) // 110)
    return len(lines) + 2


def as_header(cell: Cell | MergedCell) -> None:
    """Make a cell look like the head of a column."""
    from openpyxl.styles import Alignment, PatternFill

    cell.font = _create_font(bold=True, color="FFFFFFFF")
    cell.fill = PatternFill("solid", start_color=ACCENT)
    cell.alignment = Alignment(wrap_text=True, vertical="center")


def as_entry(cell: Cell | MergedCell, *, text: bool = False) -> None:
    """Make a cell one to be filled in, in a protected sheet; ``text`` keeps leading zeros."""
    from openpyxl.styles import Alignment, PatternFill, Protection

    cell.font = _create_font()
    cell.fill = PatternFill("solid", start_color=ENTRY)
    cell.protection = Protection(locked=False)
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    cell.border = _create_border()
    if text:
        cell.number_format = "@"


def as_fixed(cell: Cell | MergedCell, *, text: bool = False) -> None:
    """Make a cell one to be read only."""
    from openpyxl.styles import Alignment

    cell.font = _create_font()
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    cell.border = _create_border()
    if text:
        cell.number_format = "@"


def _create_border() -> Border:
    from openpyxl.styles import Border, Side

    side = Side(style="thin", color=RULE)
    return Border(left=side, right=side, top=side, bottom=side)


def protect_sheet(sheet: Worksheet) -> None:
    """Let people fill in the open cells, choose, sort widths and heights, and nothing else; there is no password."""
    sheet.protection.sheet = True
    sheet.protection.formatColumns = False
    sheet.protection.formatRows = False
    sheet.protection.autoFilter = False


def lock_sheets(workbook: Workbook) -> None:
    """Keep the sheets of a workbook from being renamed, copied, moved or removed; there is no password."""
    from openpyxl.workbook.protection import WorkbookProtection

    workbook.security = WorkbookProtection(lockStructure=True)


def mark_grey(sheet: Worksheet, cells: str, *, formula: str) -> None:
    """Make cells grey while a formula about the first of them is true."""
    from openpyxl.formatting.rule import Rule
    from openpyxl.styles import PatternFill
    from openpyxl.styles.differential import DifferentialStyle

    style = DifferentialStyle(fill=PatternFill("solid", start_color=RULE, end_color=RULE))
    sheet.conditional_formatting.add(cells, Rule(type="expression", dxf=style, formula=[formula]))


def set_wide_print_layout(sheet: Worksheet, *, header_row: int, name: str = "") -> None:
    """Print a sheet on A4, across, one page wide, with its header on every page and its name and number below."""
    from openpyxl.worksheet.properties import PageSetupProperties

    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = f"{header_row}:{header_row}"
    footer = sheet.oddFooter
    if name and footer is not None and footer.left is not None and footer.right is not None:
        # An ampersand begins a command there.
        footer.left.text = name.replace("&", "&&")
        footer.right.text = "&P / &N"
