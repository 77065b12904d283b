"""Forms for schools: entry workbooks with their own pupils in them, and XLSForms for ODK and KoBo."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from data_schema.fields import NUMERIC_TYPES, Field, folded
from data_schema.layout import Layout
from data_schema.margins import UNFILLED
from data_schema.messages import answers_in, label_in, translated
from data_schema.readers import read_file
from data_schema.readers.archives import DAMAGED
from data_schema.readers.sheets import Row
from data_schema.tables import Table
from data_schema.workbooks import as_entry, as_fixed, as_header, printed_wide, protected, saved, titled

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

    from data_schema.language import Catalogue

MARKER = "crocoos_form"
"""Name of the hidden sheet by which an entry workbook is known."""

LISTS = "crocoos_lists"
"""Name of the hidden sheet that holds the answers to choose from."""

_N_BLANK = 30
_LONGEST_LIST = 200
_FEW = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTable:
    """A table in an entry workbook.

    Parameters
    ----------
    table
        The table.
    rows
        What is known beforehand, one mapping of field to text a record; these cells are locked.
    n_blank
        Rows for further records.
    """

    table: Table
    rows: Sequence[Mapping[str, str]] = ()
    n_blank: int = _N_BLANK


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMark:
    """What the hidden sheet of an entry workbook says.

    Parameters
    ----------
    school, wave
        Whose form it is, and of which wave.
    tables
        Name of a sheet to the name of its table.
    """

    school: str
    wave: str
    tables: Mapping[str, str]


def entry_workbook(tables: Sequence[FormTable], *, school: str, wave: str, catalogue: Catalogue) -> bytes:
    """Write a workbook for a school to fill in.

    Parameters
    ----------
    tables
        The tables, in the order of their sheets.
    school
        Identifier of the school.
    wave
        The wave; empty for tables without waves.
    catalogue
        Texts in the school's language.

    Returns
    -------
    bytes
        A workbook (.xlsx): a sheet of instructions, then a sheet a table. What is known is locked; other cells have
        drop-down lists, ranges and a hint where they are chosen. Intake knows the workbook, when it comes back, by a
        hidden sheet, whatever it is called.
    """
    from openpyxl import Workbook

    book = Workbook()
    guide = book.worksheets[0]
    guide.title = catalogue.text("Instructions")
    marker, lists = book.create_sheet(MARKER), book.create_sheet(LISTS)
    marker.append([MARKER, 1, school, wave])
    for one in tables:
        title = translated(one.table.label or one.table.name, catalogue)[:31]
        sheet = book.create_sheet(title, index=len(book.sheetnames) - 2)
        marker.append([title, one.table.name])
        _fill(sheet, one, lists, school=school, catalogue=catalogue)
    _instruct(guide, tables, school=school, wave=wave, catalogue=catalogue)
    for hidden in (marker, lists):
        hidden.sheet_state = "hidden"
    return saved(book)


def _fill(sheet: Worksheet, form: FormTable, lists: Worksheet, *, school: str, catalogue: Catalogue) -> None:
    from openpyxl.utils import get_column_letter

    n_rows = len(form.rows) + form.n_blank
    for at, field in enumerate(form.table.fields, start=1):
        head = sheet.cell(row=1, column=at, value=label_in(field, catalogue, about=form.table.about))
        as_header(head)
        sheet.column_dimensions[get_column_letter(at)].width = max(12, min(30, len(str(head.value)) + 3))
        as_text = field.type in ("identifier", "text", "month")
        for row in range(2, n_rows + 2):
            known = form.rows[row - 2] if row - 2 < len(form.rows) else {}
            value = known.get(field.name) or (school if known and field.name == "school_id" else None)
            cell = sheet.cell(row=row, column=at, value=value)
            if value is not None:
                cell.data_type = "s"
                as_fixed(cell, text=True)
            else:
                as_entry(cell, text=as_text)
                cell.number_format = "yyyy-mm-dd" if field.type == "date" else cell.number_format
        _validate(sheet, field, get_column_letter(at), n_rows + 1, lists, catalogue)
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = "C2" if form.table.about == "pupil" else "B2"
    protected(sheet)
    printed_wide(sheet, header_row=1)


def _validate(sheet: Worksheet, field: Field, column: str, last: int, lists: Worksheet, catalogue: Catalogue) -> None:
    """Give a column its list or its range, and its hint."""
    from openpyxl.worksheet.datavalidation import DataValidation

    low, high = field.minimum, field.maximum
    if field.codes:
        made = DataValidation(type="list", formula1=_listed(field, lists, catalogue))
    elif field.type in NUMERIC_TYPES:
        kind: Literal["decimal", "whole"] = "decimal" if field.type == "number" else "whole"
        least, most = -(10**9) if low is None else low, 10**9 if high is None else high
        made = DataValidation(type=kind, operator="between", formula1=f"{least:g}", formula2=f"{most:g}")
        if abs(least) >= 10**6 or abs(most) >= 10**6:
            made.formula1, made.formula2 = str(int(least)), str(int(most))
    elif field.type == "date":
        made = DataValidation(type="date", operator="between", formula1="DATE(1990,1,1)", formula2="DATE(2100,12,31)")
    else:
        return
    made.allow_blank = True
    made.showErrorMessage = made.showInputMessage = True
    made.error = made.prompt = hint_of(field, catalogue)[:250]
    made.errorTitle = made.promptTitle = label_in(field, catalogue)[:31]
    made.add(f"{column}2:{column}{last}")
    sheet.add_data_validation(made)


def _listed(field: Field, lists: Worksheet, catalogue: Catalogue) -> str:
    """Return the answers as a formula: in one cell where they are few, else from the hidden sheet."""
    from openpyxl.utils import get_column_letter

    answers = answers_in(field, catalogue)
    if len(answers) <= _FEW and sum(map(len, answers)) < _LONGEST_LIST and not any("," in one for one in answers):
        return f'"{",".join(answers)}"'
    at = lists.max_column + 1 if lists.cell(row=1, column=1).value else 1
    for row, answer in enumerate(answers, start=1):
        lists.cell(row=row, column=at, value=answer).data_type = "s"
    letter = get_column_letter(at)
    return f"'{LISTS}'!${letter}$1:${letter}${len(answers)}"


def hint_of(field: Field, catalogue: Catalogue) -> str:
    """Return what may stand in a field, in a language."""
    low, high = field.minimum, field.maximum
    match field.type:
        case "code" | "yes_no":
            text = catalogue.text("Choose one of the answers in the list.")
        case "date":
            text = catalogue.text("A date, such as 2027-10-05.")
        case "month":
            text = catalogue.text("A month, such as 2027-10.")
        case "identifier" | "text":
            text = catalogue.text("A text.")
        case _ if low is not None and high is not None:
            limits = {"low": f"{low:g}", "high": f"{high:g}"}
            if field.type == "number":
                text = catalogue.text("A number from {low} to {high}.", **limits)
            else:
                text = catalogue.text("A whole number from {low} to {high}.", **limits)
        case _:
            text = catalogue.text("A number.")
    return f"{text} {catalogue.text('Needed.')}" if field.required else text


def _instruct(guide: Worksheet, tables: Sequence[FormTable], *, school: str, wave: str, catalogue: Catalogue) -> None:
    """Write the sheet of instructions: what to do, and every column with what may stand in it."""
    lines = (
        catalogue.text("School {school}, {wave}", school=school, wave=wave) if wave else school,
        catalogue.text(
            "Fill in the yellow cells. Choose from the list where there is one. Leave a cell empty when nobody knows."
        ),
        catalogue.text("Save the workbook and send it back as it is; do not add columns."),
    )
    row = titled(guide, lines, width=3)
    for at, width in zip("ABC", (30, 44, 60), strict=True):
        guide.column_dimensions[at].width = width
    for one in tables:
        head = guide.cell(row=row, column=1, value=translated(one.table.label or one.table.name, catalogue))
        as_header(head)
        for column, title in ((2, ""), (3, catalogue.text("Answers"))):
            as_header(guide.cell(row=row, column=column, value=title))
        for field in one.table.fields:
            row += 1
            answers = ", ".join(answers_in(field, catalogue))
            texts = (label_in(field, catalogue, about=one.table.about), hint_of(field, catalogue), answers)
            for column, text in enumerate(texts, start=1):
                as_fixed(guide.cell(row=row, column=column, value=text))
            guide.row_dimensions[row].height = 15 * (1 + max(len(texts[1]) // 42, len(answers) // 58))
        row += 2
    protected(guide)
    printed_wide(guide, header_row=1)


def mark_of_form(content: bytes) -> FormMark | None:
    """Return what the hidden sheet of an entry workbook says; None for any other file."""
    if not content.startswith(b"PK") or not _names_marker(content):
        return None
    sheet = next((one for one in read_file(content, file="").sheets if one.sheet == MARKER), None)
    if sheet is None or not sheet.rows or len(sheet.rows[0]) < 3:
        return None
    head = sheet.rows[0]
    tables = {str(row[0]): str(row[1]) for row in sheet.rows[1:] if len(row) > 1}
    wave = head[3] if len(head) > 3 and head[3] is not None else ""
    return FormMark(school=str(head[2]), wave=str(wave), tables=tables)


def _names_marker(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            listing = next((name for name in ("xl/workbook.xml", "content.xml") if name in names), "")
            if not listing or archive.getinfo(listing).file_size > 50_000_000:
                return False
            return f'"{MARKER}"'.encode() in archive.read(listing)
    except DAMAGED:
        return False


def of_form(layout: Layout, table: Table, *, school: str) -> Layout:
    """Return the layout of a sheet of a form: its school in rows that were added, rows that nobody filled in apart.

    Parameters
    ----------
    layout
        Where the table lies.
    table
        The table.
    school
        Whose form it is.
    """
    at = layout.columns.get("school_id")
    rows = layout.sheet.rows
    told = [column for name, column in layout.columns.items() if name not in (*table.key, "school_id", "class", "name")]
    unfilled = {
        k: UNFILLED
        for k, row in enumerate(layout.rows)
        if told and all(column >= len(rows[row]) or rows[row][column] is None for column in told)
    }
    if at is not None:
        records = set(layout.rows)
        rows = tuple(_with_school(row, at, school) if k in records else row for k, row in enumerate(rows))
    return replace(
        layout,
        sheet=replace(layout.sheet, rows=rows),
        apart=MappingProxyType({**layout.apart, **unfilled}),
    )


def _with_school(row: Row, at: int, school: str) -> Row:
    if at < len(row) and row[at] is not None:
        return row
    made = [*row, *[None] * (at + 1 - len(row))]
    made[at] = school
    return tuple(made)


_XLS_TYPES = {"date": "date", "year": "integer", "whole_number": "integer", "number": "decimal"}
_LANGUAGE_NAMES = {"en": "English (en)", "hu": "Magyar (hu)", "sr": "Српски (sr)", "sr-Latn": "Srpski (sr-Latn)",
                   "sl": "Slovenščina (sl)"}  # fmt: skip


def xlsform(table: Table, *, catalogues: Sequence[Catalogue], form_id: str = "", version: str = "1") -> bytes:
    """Write a table as an XLSForm, one record a submission.

    Parameters
    ----------
    table
        The table.
    catalogues
        Languages of the form, the default one first.
    form_id
        Name of the form; the table's when empty.
    version
        Version of the form.

    Returns
    -------
    bytes
        A workbook with the sheets `survey`, `choices` and `settings`, as ODK and KoBo take it.
    """
    from openpyxl import Workbook

    book = Workbook()
    survey = book.worksheets[0]
    survey.title = "survey"
    names = [_LANGUAGE_NAMES.get(one.language.code, one.language.code) for one in catalogues]
    texts = [f"{kind}::{name}" for kind in ("label", "hint", "constraint_message") for name in names]
    survey.append(["type", "name", "required", "constraint", *texts])
    for field in table.fields:
        hints = [hint_of(field, one) for one in catalogues]
        labels = [label_in(field, one, about=table.about) for one in catalogues]
        kind = f"select_one {field.name}" if field.codes else _XLS_TYPES.get(field.type, "text")
        constraint = _constraint(field)
        messages = hints if constraint else [None] * len(hints)
        required = "yes" if field.required or field.name in table.key else None
        survey.append([kind, field.name, required, constraint, *labels, *hints, *messages])
    _choices(book, table, catalogues, names)
    settings = book.create_sheet("settings")
    settings.append(["form_title", "form_id", "version", "default_language"])
    title = translated(table.label or table.name, catalogues[0])
    settings.append([title, form_id or table.name, version, names[0]])
    return saved(book)


def _choices(book: Workbook, table: Table, catalogues: Sequence[Catalogue], names: Iterable[str]) -> None:
    choices = book.create_sheet("choices")
    choices.append(["list_name", "name", *(f"label::{name}" for name in names)])
    for field in table.fields:
        labels = [answers_in(field, one) for one in catalogues]
        for at, code in enumerate(field.codes):
            # Names of choices are without spaces; intake understands them in this spelling too.
            choices.append([field.name, folded(code.name).replace(" ", "_"), *(words[at] for words in labels)])


def _constraint(field: Field) -> str | None:
    if field.type == "month":
        return "regex(., '^[0-9]{4}-(0[1-9]|1[0-2])$')"
    limits = ((">=", field.minimum), ("<=", field.maximum))
    parts = [f". {sign} {limit:g}" for sign, limit in limits if limit is not None]
    return " and ".join(parts) or None
