"""Entry workbooks: for a school with its own pupils in them, for a partner with the schools that it looks after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from data_schema.fields import NUMERIC_TYPES, Field
from data_schema.form_marks import LISTS, MARKER, FormMark, build_column_marks, build_marker_rows
from data_schema.form_sheets import INSTRUCTIONS
from data_schema.messages import get_answer_labels, get_field_label, get_table_label, translate_sentence
from data_schema.patterns import generate_examples_by_country
from data_schema.tables import Table
from data_schema.vocabulary import describe_vocabulary
from data_schema.workbooks import (
    as_entry,
    as_fixed,
    as_header,
    lock_sheets,
    mark_grey,
    protect_sheet,
    save_to_bytes,
    set_wide_print_layout,
    write_title,
)

if TYPE_CHECKING:
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.worksheet import Worksheet

    from data_schema.language import Catalogue

_N_BLANK = 30
_LONGEST_LIST = 200
_FEW = 16
_HEAD = 1
"""Row of the header; records follow."""


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
class Recipient:
    """Who fills a workbook in.

    Parameters
    ----------
    school
        Identifier of the school; empty where a partner fills it in for several schools.
    title
        What stands above the instructions: the school's name, or the country.
    schools
        For a partner, identifier to name of the schools that it looks after; rows choose among them.
    """

    school: str = ""
    title: str = ""
    schools: Mapping[str, str] = field(default_factory=dict)


def entry_workbook(
    tables: Sequence[FormTable], *, recipient: Recipient, wave: str, catalogue: Catalogue, wave_label: str = ""
) -> bytes:
    """Write a workbook for a school or a partner to fill in.

    Parameters
    ----------
    tables
        The tables, in the order of their sheets.
    recipient
        Who fills it in.
    wave
        Name of the wave; empty for tables without waves.
    catalogue
        Texts in the recipient's language.
    wave_label
        What the wave is called; its name when empty.

    Returns
    -------
    bytes
        A workbook (.xlsx): a sheet of instructions, then a sheet a table. What is known is locked; other cells have
        drop-down lists, ranges and a hint where they are chosen, and turn grey while they are not to be filled in.
        Sheets cannot be renamed, copied or removed. Intake knows the workbook, when it comes back, by a hidden sheet
        and by a hidden row of marks below each table, whatever it, its sheets and its headers are called.
    """
    from openpyxl import Workbook

    book = Workbook()
    guide = book.worksheets[0]
    guide.title = catalogue.text(INSTRUCTIONS)
    marker, lists = book.create_sheet(MARKER), book.create_sheet(LISTS)
    sheets: dict[str, _Sheet] = {}
    for form_table in tables:
        title = get_table_label(form_table.table, catalogue)[:31]
        sheet = book.create_sheet(title, index=len(book.sheetnames) - 2)
        sheets[sheet.title] = _Sheet(sheet, form_table, lists, recipient, catalogue)
        sheets[sheet.title].fill(wave=wave)
    _write_instructions(guide, tables, recipient=recipient, wave=wave_label or wave, catalogue=catalogue)
    mark = FormMark(
        school=recipient.school,
        wave=wave,
        tables={title: table_sheet.form.table.name for title, table_sheet in sheets.items()},
        fields={table_sheet.form.table.name: table_sheet.form.table.names for table_sheet in sheets.values()},
        known={table_sheet.form.table.name: table_sheet.known for table_sheet in sheets.values()},
    )
    for row in build_marker_rows(
        mark, printed=(str(cell) for sheet in (guide, lists) for cell in _iterate_cell_texts(sheet))
    ):
        marker.append(row)
        for cell in marker[marker.max_row]:
            # What begins with "=" would be a formula.
            cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
    for hidden in (marker, lists):
        hidden.sheet_state = "hidden"
    lock_sheets(book)
    return save_to_bytes(book)


def _iterate_cell_texts(sheet: Worksheet) -> Iterator[object]:
    return (cell for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One table's sheet, as it is being written."""

    sheet: Worksheet
    form: FormTable
    lists: Worksheet
    recipient: Recipient
    catalogue: Catalogue

    def fill(self, *, wave: str) -> None:
        """Write the header, what is known, the cells to be filled in and what may be in them, and the marks."""
        for column_number, item in enumerate(self._get_form_columns(), start=1):
            self._make_column(column_number, item)
            self._validate(column_number, item)
            self._mark_inapplicable_cells(column_number, item)
        self._mark(wave)
        self.sheet.row_dimensions[_HEAD].height = 32
        known = next(
            (field_index for field_index, item in enumerate(self._get_form_columns()) if item.name not in _IDENTIFYING),
            1,
        )
        self.sheet.freeze_panes = self.sheet.cell(row=_HEAD + 1, column=max(known, 1) + 1).coordinate
        protect_sheet(self.sheet)
        set_wide_print_layout(self.sheet, header_row=_HEAD, name=self.sheet.title)

    def _get_form_columns(self) -> tuple[Field, ...]:
        """Return the columns: the table's fields, and the class beside the pupil where it is known."""
        fields = self.form.table.fields
        if "class" in self.form.table.names or not any(row.get("class") for row in self.form.rows):
            return fields
        class_index = self.form.table.names.index("pupil_id") + 1
        return (*fields[:class_index], Field("class", "text", label="Class"), *fields[class_index:])

    @property
    def last(self) -> int:
        """The last row."""
        return _HEAD + len(self.form.rows) + self.form.n_blank

    @property
    def known(self) -> frozenset[str]:
        """Identifiers of the pupils or schools that are in the sheet beforehand."""
        name = "pupil_id" if "pupil_id" in self.form.table.names else "school_id"
        return frozenset(row[name] for row in self.form.rows if name in row)

    def _mark(self, wave: str) -> None:
        """Write the hidden row by which each column is known, below the last one that can be filled in."""
        names = [item.name for item in self._get_form_columns()]
        marks = build_column_marks(names, table=self.form.table.name, school=self.recipient.school, wave=wave)
        for column_number, text in enumerate(marks, start=1):
            self.sheet.cell(row=self.last + 1, column=column_number, value=text).data_type = "s"
        self.sheet.row_dimensions[self.last + 1].hidden = True

    def _make_column(self, at: int, item: Field) -> None:
        from openpyxl.utils import get_column_letter

        head = self.sheet.cell(
            row=_HEAD, column=at, value=get_field_label(item, self.catalogue, about=self.form.table.about)
        )
        as_header(head)
        longest = max([len(answer) for answer in get_answer_labels(item, self.catalogue)], default=0)
        width = max(11, min(34, max(_measure_longest_word(str(head.value)), len(str(head.value)) // 2, longest) + 4))
        self.sheet.column_dimensions[get_column_letter(at)].width = width
        for row in range(_HEAD + 1, self.last + 1):
            place = row - _HEAD - 1
            known = self.form.rows[place] if place < len(self.form.rows) else {}
            value = known.get(item.name) or (self.recipient.school if known and item.name == "school_id" else None)
            cell = self.sheet.cell(row=row, column=at, value=value)
            if value:
                cell.data_type = "s"
                as_fixed(cell, text=True)
            else:
                as_entry(cell, text=item.type in ("identifier", "text", "month"))
                cell.number_format = "yyyy-mm-dd" if item.type == "date" else cell.number_format

    def _validate(self, at: int, item: Field) -> None:
        """Give a column its list or its range, and its hint."""
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation

        answers = tuple(self.recipient.schools) if item.name == "school_id" else get_answer_labels(item, self.catalogue)
        if answers:
            validation = DataValidation(type="list", formula1=_build_answer_list_formula(answers, self.lists))
        elif item.type in NUMERIC_TYPES:
            validation = _build_range_validation(item)
        elif item.type == "date":
            low, high = "DATE(1990,1,1)", "DATE(2100,12,31)"
            validation = DataValidation(type="date", operator="between", formula1=low, formula2=high)
        else:
            return
        validation.allow_blank = True
        validation.showErrorMessage = validation.showInputMessage = True
        validation.error = validation.prompt = describe_field(
            item, self.catalogue, table=self.form.table, longest=_LONGEST_PROMPT
        )
        validation.errorTitle = validation.promptTitle = get_field_label(item, self.catalogue)[:31]
        letter = get_column_letter(at)
        validation.add(f"{letter}{_HEAD + 1}:{letter}{self.last}")
        self.sheet.add_data_validation(validation)

    def _mark_inapplicable_cells(self, at: int, item: Field) -> None:
        """Turn cells grey while another cell of the row says that they are not to be filled in."""
        from openpyxl.utils import get_column_letter

        names = [sheet_field.name for sheet_field in self._get_form_columns()]
        if item.asked_if is None or item.asked_if[0] not in names:
            return
        condition = self.form.table.field(item.asked_if[0])
        labels_by_code = dict(
            zip([code.name for code in condition.codes], get_answer_labels(condition, self.catalogue), strict=True)
        )
        cell = f"${get_column_letter(names.index(condition.name) + 1)}{_HEAD + 1}"
        others = ",".join(f'{cell}<>"{labels_by_code[answer]}"' for answer in item.asked_if[1])
        letter = get_column_letter(at)
        mark_grey(self.sheet, f"{letter}{_HEAD + 1}:{letter}{self.last}", formula=f'AND({cell}<>"",{others})')


_IDENTIFYING = ("school_id", "pupil_id", "name", "class", "month", "item")


def _measure_longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _build_range_validation(item: Field) -> DataValidation:
    from openpyxl.worksheet.datavalidation import DataValidation

    kind: Literal["decimal", "whole"] = "decimal" if item.type == "number" else "whole"
    low = -(10**9) if item.minimum is None else item.minimum
    high = 10**9 if item.maximum is None else item.maximum
    ends = [f"{end:g}" if abs(end) < 10**6 else str(int(end)) for end in (low, high)]
    return DataValidation(type=kind, operator="between", formula1=ends[0], formula2=ends[1])


def _build_answer_list_formula(answers: Sequence[str], lists: Worksheet) -> str:
    """Return the answers as a formula: in one cell where they are few, else from the hidden sheet."""
    from openpyxl.utils import get_column_letter

    if len(answers) <= _FEW and sum(map(len, answers)) < _LONGEST_LIST and not any("," in option for option in answers):
        return f'"{",".join(answers)}"'
    column_number = lists.max_column + 1 if lists.cell(row=1, column=1).value else 1
    for row, answer in enumerate(answers, start=1):
        lists.cell(row=row, column=column_number, value=answer).data_type = "s"
    letter = get_column_letter(column_number)
    return f"'{LISTS}'!${letter}$1:${letter}${len(answers)}"


def describe_field(
    field: Field, catalogue: Catalogue, *, table: Table | None = None, about: str = "pupil", longest: int = 2000
) -> str:
    """Return what a field asks for and what may be in it, in a language; with its table also when it is asked.

    Sentences that would make it longer than ``longest`` letters are left out, the last ones first.
    """
    explanation = describe_vocabulary(
        field.name, catalogue.language.code, about=about if table is None else table.about
    )
    unit = translate_sentence(field.unit, catalogue) if field.unit in _TOLD_UNITS else ""
    parts = (
        explanation.definition,
        _describe_value_range(field, catalogue),
        catalogue.text("Unit: {unit}.", unit=unit) if unit else "",
        catalogue.text("Example: {example}.", example=explanation.example) if explanation.example else "",
        catalogue.text("Needed.") if field.required else "",
        _describe_condition(field, catalogue, table),
        catalogue.text("Source: {source}.", source=explanation.source) if explanation.source else "",
    )
    hint = ""
    for part in filter(None, parts):
        hint = f"{hint} {part}".strip() if len(hint) + 1 + len(part) <= longest else hint
    return hint


_LONGEST_PROMPT = 250
"""A few letters less than a spreadsheet shows beside a cell."""

_TOLD_UNITS = ("hours a month", "times a month", "notices a month", "subjects", "hours", "pupils")
"""Units that a number could be taken for another's; those of marks, shares and money follow from their definition."""


def _describe_value_range(field: Field, catalogue: Catalogue) -> str:
    """Return what kind of value may be in a field, in a language."""
    low, high = field.minimum, field.maximum
    match field.type:
        case "code" | "yes_no":
            return catalogue.text("Choose one of the answers in the list.")
        case "date":
            return catalogue.text("A date, such as 2027-10-05.")
        case "month":
            return catalogue.text("A month, such as 2027-10.")
        case "identifier":
            examples = [
                f"{example} ({country})" if country else example
                for country, example in generate_examples_by_country(field).items()
            ]
            if examples:
                return catalogue.text("An identifier such as {example}.", example=", ".join(examples))
            return catalogue.text("The identifier as the school uses it, with its zeros.")
        case "text":
            return catalogue.text("A text.")
        case _ if low is not None and high is not None:
            limits = {"low": f"{low:g}", "high": f"{high:g}"}
            if field.type == "number":
                return catalogue.text("A number from {low} to {high}.", **limits)
            return catalogue.text("A whole number from {low} to {high}.", **limits)
        case "number":
            return catalogue.text("A number.")
        case _:
            return catalogue.text("A whole number.")


def _describe_condition(field: Field, catalogue: Catalogue, table: Table | None) -> str:
    """Return with which answers of another field a field is asked, as a sentence; "" where it always is."""
    if table is None or field.asked_if is None or field.asked_if[0] not in table.names:
        return ""
    other = table.field(field.asked_if[0])
    labels_by_code = dict(zip([code.name for code in other.codes], get_answer_labels(other, catalogue), strict=True))
    answers = ", ".join(labels_by_code[answer] for answer in field.asked_if[1])
    label = get_field_label(other, catalogue, about=table.about)
    return catalogue.text("Asked if {field} is: {answers}.", field=label, answers=answers)


def _write_instructions(
    guide: Worksheet, tables: Sequence[FormTable], *, recipient: Recipient, wave: str, catalogue: Catalogue
) -> None:
    """Write the sheet of instructions: what to do, and every column with what may be in it."""
    who = recipient.title or recipient.school
    if recipient.school:
        who = catalogue.text("School {school}", school=who)
    lines = (
        catalogue.text("{who}, {wave}", who=who, wave=wave) if wave else who,
        catalogue.text(
            "Fill in the yellow cells. Choose from the list where there is one. Leave a cell empty when nobody knows."
        ),
        catalogue.text("A cell that turns grey is not to be filled in."),
        catalogue.text("Save the workbook and send it back as it is; do not add columns."),
    )
    row = write_title(guide, lines, width=3)
    for column_letter, width in zip("ABC", (32, 46, 58), strict=True):
        guide.column_dimensions[column_letter].width = width
    for form_table in tables:
        row = _write_column_notes(guide, form_table.table, row, catalogue) + 2
    if recipient.schools and any(recipient.schools.values()):
        _list_schools(guide, recipient, row, catalogue)
    protect_sheet(guide)
    set_wide_print_layout(guide, header_row=1, name=guide.title)


def _write_column_notes(guide: Worksheet, table: Table, row: int, catalogue: Catalogue) -> int:
    """Write what the columns of a table hold; return the last row."""
    heads = (get_table_label(table, catalogue), catalogue.text("What it holds"), catalogue.text("Answers"))
    for column, head in enumerate(heads, start=1):
        as_header(guide.cell(row=row, column=column, value=head))
    for item in table.fields:
        row += 1
        answers = ", ".join(get_answer_labels(item, catalogue))
        texts = (
            get_field_label(item, catalogue, about=table.about),
            describe_field(item, catalogue, table=table),
            answers,
        )
        for column, text in enumerate(texts, start=1):
            as_fixed(guide.cell(row=row, column=column, value=text))
        guide.row_dimensions[row].height = 15 * (1 + max(len(texts[1]) // 44, len(answers) // 56))
    return row


def _list_schools(guide: Worksheet, recipient: Recipient, row: int, catalogue: Catalogue) -> None:
    for column, head in enumerate((catalogue.text("School"), catalogue.text("Name of the school")), start=1):
        as_header(guide.cell(row=row, column=column, value=head))
    for below, (school, name) in enumerate(recipient.schools.items(), start=1):
        for column, text in enumerate((school, name), start=1):
            cell = guide.cell(row=row + below, column=column, value=text)
            cell.data_type = "s"
            as_fixed(cell, text=True)
