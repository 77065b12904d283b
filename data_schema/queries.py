"""Questions to a school as a workbook that it can answer in, and the answers out of one that came back.

A query carries the place that it is about and the hash of the file that it is in, hidden beside its text: the answer
finds its way back whatever was sorted or removed, and never into another file of the same name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_schema.checks import split_bare_identifier
from data_schema.fields import Field
from data_schema.findings import Finding, Findings, format_row_ranges
from data_schema.language import message
from data_schema.messages import get_answer_labels, get_field_label, translate_sentence
from data_schema.readers import Cell, Sheet, names_sheet, read_file
from data_schema.tables import Table
from data_schema.workbooks import (
    as_entry,
    as_fixed,
    as_header,
    lock_sheets,
    protect_sheet,
    save_to_bytes,
    set_wide_print_layout,
    write_title,
)

if TYPE_CHECKING:
    from openpyxl.cell import Cell as TableCell
    from openpyxl.cell import MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

    from data_schema.language import Catalogue

MARKER = "crocoos_queries"
"""Name of the hidden sheet by which a workbook of queries is known."""

_COLUMNS = (
    message("No."), message("File"), message("Sheet"), message("Row"), message("Column"), message("What is there"),
    message("Question"), message("What to do"), message("Your answer"),
)  # fmt: skip
_WIDTHS = (5, 22, 10, 8, 16, 14, 34, 34, 22)
_ID, _PLACE = len(_COLUMNS) + 1, len(_COLUMNS) + 2
_N_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question to a school.

    Parameters
    ----------
    finding
        What it is about.
    rows
        Rows that the one answer is for; none when the file as a whole is meant.
    sha256
        Hash of the file's content; empty when it could not be read.
    field
        The field that it is about, if it is about one.
    """

    finding: Finding
    rows: tuple[int, ...]
    sha256: str
    field: Field | None = None

    @property
    def place(self) -> dict[str, object]:
        """Where the answer belongs, as JSON values."""
        finding = self.finding
        return {
            "file": finding.file, "sheet": finding.sheet, "rows": list(self.rows), "column": finding.column,
            "sha256": self.sha256,
        }  # fmt: skip

    @property
    def id(self) -> str:
        """Name of the query: the same for the same question about the same content."""
        text = json.dumps([self.place, self.finding.problem], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that came back.

    Parameters
    ----------
    query
        Name of the query.
    file, sheet, rows, column, sha256
        The place that it is for.
    value
        What was answered; a text as a rule.
    source_file, source_row
        Where the answer stands.
    source_sha256
        Hash of that file's content.
    """

    query: str
    file: str
    sheet: str
    rows: tuple[int, ...]
    column: str
    sha256: str
    value: Cell
    source_file: str
    source_row: int
    source_sha256: str = ""


def build_queries(
    findings: Findings, *, files: Mapping[str, str], digests: Mapping[str, str], tables: Mapping[str, Table]
) -> tuple[Query, ...]:
    """Make queries of the questions that intake has.

    Parameters
    ----------
    findings
        Of intake.
    files
        File and sheet, as ``"file|sheet"``, to the name of the table that it contains.
    digests
        File to the hash of its content.
    tables
        The tables, by name.

    Returns
    -------
    tuple of Query
        In the order of the findings. One wrong school, or one answer that nobody defined, is asked about once a sheet,
        however many rows it is in.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        if finding.severity == "note":
            continue
        field = _find_field(finding, files, tables)
        together = finding.value and (finding.column == "school_id" or (field is not None and field.codes))
        row_key = () if together or finding.row is None else (finding.row,)
        key = (finding.file, finding.sheet, finding.column, finding.value, finding.problem, finding.remedy, row_key)
        groups.setdefault(key, []).append(finding)
    return tuple(_query(group, files, digests, tables) for group in groups.values())


def _query(
    group: Sequence[Finding], files: Mapping[str, str], digests: Mapping[str, str], tables: Mapping[str, Table]
) -> Query:
    first = group[0]
    return Query(
        finding=first,
        rows=tuple(finding.row for finding in group if finding.row is not None),
        sha256=digests.get(first.file, ""),
        field=_find_field(first, files, tables),
    )


def _find_field(found: Finding, files: Mapping[str, str], tables: Mapping[str, Table]) -> Field | None:
    table = tables.get(files.get(f"{found.file}|{found.sheet}", ""))
    return table.field(found.column) if table is not None and found.column in table.names else None


def query_workbook(queries: Sequence[Query], *, school: str, catalogue: Catalogue, mark: str = "") -> bytes:
    """Write the queries to a school as a workbook.

    Parameters
    ----------
    queries
        The queries.
    school
        Identifier of the school, for the title.
    catalogue
        Texts in the school's language.
    mark
        What stands behind the title, such as that the data are simulated.

    Returns
    -------
    bytes
        A workbook (.xlsx): a row a query, with a cell for the answer (a drop-down list where there are few answers),
        everything else protected without a password. No name and no identifier of a pupil is in it.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = catalogue.text("Questions")
    lines = (
        " · ".join(filter(None, (catalogue.text("Questions to the school {school}", school=school), mark))),
        catalogue.text("Please answer in the yellow cells, save the workbook and send it back as it is."),
        " ".join(_describe_how_to_answer(catalogue)),
    )
    header_row = write_title(sheet, lines, width=len(_COLUMNS))
    _write_header(sheet, header_row, catalogue)
    for number, query in enumerate(queries, start=1):
        _write_query_row(sheet, header_row + number, number, query, catalogue)
    sheet.freeze_panes = f"A{header_row + 1}"
    protect_sheet(sheet)
    set_wide_print_layout(sheet, header_row=header_row, name=lines[0])
    sheet.print_area = f"A1:I{header_row + max(len(queries), 1)}"
    marker = book.create_sheet(MARKER)
    marker.append([MARKER, 1, school])
    marker.sheet_state = "hidden"
    lock_sheets(book)
    return save_to_bytes(book)


def _describe_how_to_answer(catalogue: Catalogue) -> tuple[str, str]:
    return (
        catalogue.text(
            "Write the right value. Write 'yes' if what is there is right, '-' if nobody knows, and 'no' if the "
            "whole row is to be removed. If a file is wrong as a whole, send it again instead."
        ),
        catalogue.text(
            "If a question is about a whole column that the school does not record, write 'not recorded' and why."
        ),
    )


def _write_header(sheet: Worksheet, row: int, catalogue: Catalogue) -> None:
    from openpyxl.utils import get_column_letter

    for column_number, (title, width) in enumerate(zip(_COLUMNS, _WIDTHS, strict=True), start=1):
        as_header(sheet.cell(row=row, column=column_number, value=catalogue.text(title)))
        sheet.column_dimensions[get_column_letter(column_number)].width = width
    sheet.row_dimensions[row].height = 32
    for column_number in (_ID, _PLACE):
        sheet.column_dimensions[get_column_letter(column_number)].hidden = True


def _write_query_row(sheet: Worksheet, row: int, number: int, query: Query, catalogue: Catalogue) -> None:
    finding, options = query.finding, get_answer_labels(query.field, catalogue) if query.field else ()
    remedy = translate_sentence(finding.remedy, catalogue)
    if options and query.field and query.field.type == "code":
        remedy = catalogue.text("Give one of: {answers}.", answers=", ".join(options))
    cells: tuple[int | str, ...] = (
        number,
        finding.file,
        finding.sheet,
        format_row_ranges(query.rows).replace(" to ", "–"),
        get_field_label(query.field, catalogue) if query.field else finding.column,
        finding.value,
        translate_sentence(finding.problem, catalogue),
        remedy,
    )
    for column_number, value in enumerate(cells, start=1):
        as_fixed(_write_text_cell(sheet, row, column_number, value), text=column_number > 1)
    lines = max(1 + len(str(text)) // (width - 2) for text, width in zip(cells, _WIDTHS, strict=False))
    sheet.row_dimensions[row].height = 15 * lines
    as_entry(sheet.cell(row=row, column=len(_COLUMNS)), text=True)
    for column_number, text in ((_ID, query.id), (_PLACE, json.dumps(query.place, ensure_ascii=False, sort_keys=True))):
        _write_text_cell(sheet, row, column_number, text)
    if options and sum(map(len, options)) < _N_LISTED:
        _drop_down(sheet, row, options)


def _write_text_cell(sheet: Worksheet, row: int, column: int, value: int | str) -> TableCell | MergedCell:
    """Write a text that no spreadsheet takes for a formula."""
    text_cell = sheet.cell(row=row, column=column, value=value)
    if isinstance(value, str):
        text_cell.data_type = "s"
    return text_cell


def _drop_down(sheet: Worksheet, row: int, options: Sequence[str]) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    # Other answers may be written too: '-' and 'yes' are such.
    listed = DataValidation(type="list", formula1=f'"{",".join(options)}"', allow_blank=True, showErrorMessage=False)
    listed.add(sheet.cell(row=row, column=len(_COLUMNS)))
    sheet.add_data_validation(listed)


def is_query_workbook(content: bytes) -> bool:
    """Whether a file is a workbook of queries, as it was or saved by another program."""
    return names_sheet(content, MARKER)


def read_answers(content: bytes, *, file: str) -> tuple[tuple[Answer, ...], Findings, int]:
    """Read a workbook of queries that came back.

    Parameters
    ----------
    content
        The file; see `is_query_workbook`.
    file
        What findings call it.

    Returns
    -------
    tuple
        The answers, what is wrong with the file, and the number of queries in it that have no answer.
    """
    reading = read_file(content, file=file)
    answers: list[Answer] = []
    n_open = 0
    for sheet in reading.sheets:
        for number, place, value in _iterate_answered_rows(sheet):
            if value is None or (isinstance(value, str) and not value.strip()):
                n_open += 1
            else:
                answers.append(_answer(sheet, number, place, value))
    return tuple(answers), reading.findings, n_open


def _iterate_answered_rows(sheet: Sheet) -> Iterator[tuple[int, dict[str, object], Cell]]:
    """Yield row, place and answer of the rows that are queries."""
    for number, row in enumerate(sheet.rows, start=1):
        text = row[_PLACE - 1] if len(row) >= _PLACE else None
        if not isinstance(text, str) or not text.startswith("{"):
            continue
        try:
            place = json.loads(text)
            if not {"file", "sheet", "rows", "column", "sha256"} <= set(place):
                continue
            place = {
                **place,
                "query": str(row[_ID - 1]),
                "rows": tuple(int(row_number) for row_number in place["rows"]),
            }
        except (ValueError, TypeError):
            continue
        yield number, place, row[len(_COLUMNS) - 1]


def _answer(sheet: Sheet, number: int, place: Mapping[str, object], value: Cell) -> Answer:
    rows = place["rows"]
    return Answer(
        query=str(place["query"]),
        file=str(place["file"]),
        sheet=str(place["sheet"]),
        rows=rows if isinstance(rows, tuple) else (),
        column=str(place["column"]),
        sha256=str(place["sha256"]),
        value=value,
        source_file=sheet.file,
        source_row=number,
    )


def assign_queries_to_schools(
    queries: Iterable[Query],
    *,
    rows: Mapping[tuple[str, str, int], str],
    files: Mapping[str, Collection[str]],
    schools: Collection[str],
) -> dict[str, list[Query]]:
    """Deal queries to the schools that can answer them.

    Parameters
    ----------
    queries
        The queries.
    rows
        File, sheet and row to its school.
    files
        File to the schools of its rows.
    schools
        Identifiers of the schools.

    Returns
    -------
    dict
        School to its queries: the school of the row, or the one that the file's other rows are of, or the one that the
        file's name names, or the one whose identifier lacks nothing but zeros and signs; "" where nothing tells.
    """
    longest_first = sorted(schools, key=lambda school: (-len(school), school))
    dealt: dict[str, list[Query]] = {}
    for query in queries:
        finding = query.finding
        answering_school = rows.get((finding.file, finding.sheet, finding.row or 0))
        others = files.get(finding.file, ())
        if answering_school is None and len(others) == 1:
            (answering_school,) = others
        if answering_school is None:
            answering_school = next(
                (school for school in longest_first if is_school_in_path(finding.file, school)), None
            )
        if answering_school is None and finding.column == "school_id" and finding.value:
            alike = [
                school for school in schools if split_bare_identifier(school) == split_bare_identifier(finding.value)
            ]
            answering_school = alike[0] if len(alike) == 1 else None
        dealt.setdefault(answering_school or "", []).append(query)
    return dict(sorted(dealt.items()))


def is_school_in_path(file: str, school: str) -> bool:
    """Whether the path of a file holds the identifier of a school, as a word of its own."""
    text, wanted = file.casefold(), school.casefold()
    start = text.find(wanted)
    while start >= 0:
        around = text[start - 1 : start] + text[start + len(wanted) : start + len(wanted) + 1]
        if not any(sign.isalnum() for sign in around):
            return True
        start = text.find(wanted, start + 1)
    return False
