"""Sheets of an entry workbook that came back: which table each holds and where it lies, what is missing or strange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from data_schema.fields import normalise_header
from data_schema.findings import Finding, Severity
from data_schema.form_marks import LISTS, MARKER, FormMark, SheetMark, mark_of_sheet
from data_schema.headers import index_fields_by_header
from data_schema.language import Catalogue, Language, get_available_languages, message
from data_schema.layout import Layout, find_filled_rows, find_layout, find_named_fields, find_unseen_content, is_empty
from data_schema.margins import UNFILLED, find_non_record_rows
from data_schema.readers.sheets import Cell, Reading, Row, Sheet, format_column_letters
from data_schema.tables import Table
from data_schema.vocabulary import get_known_headers

_PRINTED = ("school_id", "pupil_id", "class")
"""Fields that are in a form before anybody fills it in."""

_CLASS = frozenset(normalise_header(text) for text in ("class", *get_known_headers("class")))
_N_TOLD = 6
_OWN_CELLS = "Write what is meant into the form's own cells, and send it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSheet:
    """A sheet of a form that came back, and what is known of it.

    Parameters
    ----------
    form
        What the form says of itself.
    mark
        What the sheet's own row of marks says; None where it is gone.
    fields
        Fields that the form had columns for; empty where nothing tells.
    """

    form: FormMark
    mark: SheetMark | None
    fields: tuple[str, ...]

    @property
    def school(self) -> str:
        """The school whose form it is; empty where a partner fills it in."""
        return self.form.school if self.mark is None else self.mark.school


def find_form_layout(sheet: Sheet, table: Table, form: FormSheet) -> Layout:
    """Find a table in a sheet of a form: by the marks of its columns, and by its headers where these are gone.

    Parameters
    ----------
    sheet
        The sheet.
    table
        The table as the form's wave has it.
    form
        What is known of the sheet.

    Returns
    -------
    Layout
        Where it is. Rows that nobody filled in are apart; the form's school is in rows that were added. Columns
        that are gone, headers that were written over and filled cells outside the form's columns each have a question.
    """
    layout = _match_by_header(sheet, table) if form.mark is None else _match_by_marks(sheet, table, form.mark)
    if layout.header is None or not layout.is_usable:
        return layout
    lost = tuple(_find_lost_columns(layout, form.fields, table))
    outside = tuple(_find_cells_outside(layout, _collect_form_columns(layout, form.mark)))
    layout = _adjust_header_width(replace(layout, findings=(*layout.findings, *lost, *outside)))
    return _add_school_to_rows(_split_unfilled_rows(layout, form, table), form.school)


def _match_by_header(sheet: Sheet, table: Table) -> Layout:
    """Lay a sheet out by its headers; what is said of columns that other senders fill in is left out."""
    layout = find_layout(sheet, table)
    if layout.header is None:
        return layout
    refused = [finding for finding in layout.findings if finding.severity == "refused"]
    return replace(layout, findings=tuple(refused or find_unseen_content(sheet, layout.header, layout.columns)))


def _match_by_marks(sheet: Sheet, table: Table, mark: SheetMark) -> Layout:
    owner = index_fields_by_header(table)
    columns = {name: column_index for name, column_index in mark.columns.items() if name in table.names}
    header = _find_header_row(sheet, columns, owner, before=mark.rows[0])
    # Where the header was deleted, the row of marks is all that represents it.
    first, at_header = (0, mark.rows[0]) if header is None else (header + 1, header)
    rows = tuple(row_position for row_position in find_filled_rows(sheet.rows, first) if row_position not in mark.rows)
    apart = find_non_record_rows(sheet.rows, rows, columns=columns, key=table.key, header=at_header)
    shown = replace(sheet, hidden_rows=tuple(row for row in sheet.hidden_rows if row - 1 not in mark.rows))
    absent = [name for name in table.key if name not in columns]
    findings = [
        *find_unseen_content(shown, at_header, columns),
        *_find_overwritten_headers(sheet, header, columns, owner),
    ]
    if absent:
        problem = (
            f"It has no column {' and no column '.join(map(repr, absent))}, without which no row can be identified."
        )
        findings.append(sheet.finding(problem, "Add the column and send the file again.", severity="refused"))
    return Layout(
        sheet=shown,
        header=at_header,
        columns=columns,
        rows=rows,
        findings=tuple(findings),
        apart=MappingProxyType(
            {k: apart[row_position] for k, row_position in enumerate(rows) if row_position in apart}
        ),
    )


def _find_header_row(sheet: Sheet, columns: Mapping[str, int], owner: Mapping[str, str], *, before: int) -> int | None:
    """Return the row above the marks whose cells name most of the fields that the marks name."""
    best, most = None, 0
    for position, row in enumerate(sheet.rows[:before]):
        same = sum(_is_header_of_field(row, column_index, owner, name) for name, column_index in columns.items())
        if same > most:
            best, most = position, same
    return best


def _find_named_field(row: Row, at: int, owner: Mapping[str, str]) -> str | None:
    cell = row[at] if at < len(row) else None
    return owner.get(normalise_header(cell)) if isinstance(cell, str) else None


def _is_header_of_field(row: Row, at: int, owner: Mapping[str, str], name: str) -> bool:
    """Whether a header says a field: a form has the label of its own language, whatever it means in another."""
    cell = row[at] if at < len(row) else None
    label_keys = (normalise_header(label) for label in get_known_headers(name))
    return _find_named_field(row, at, owner) == name or (isinstance(cell, str) and normalise_header(cell) in label_keys)


def _find_overwritten_headers(
    sheet: Sheet, header: int | None, columns: Mapping[str, int], owner: Mapping[str, str]
) -> Iterator[Finding]:
    """Report headers that say something else than their column was made for."""
    if header is None:
        yield sheet.finding(
            "The row of headers is gone; columns are known by their marks.", "Nothing.", severity="note"
        )
        return
    row = sheet.rows[header]
    for name, column_index in columns.items():
        if _is_header_of_field(row, column_index, owner, name):
            continue
        named = _find_named_field(row, column_index, owner)
        called = str(row[column_index]).strip() if column_index < len(row) and row[column_index] is not None else ""
        if named is None:
            problem, remedy = f"The column is taken for {name!r}.", "Nothing, if that is right."
            yield sheet.finding(problem, remedy, row=header, column=called, severity="note")
            continue
        problem = f"The header was written over; this is the form's column {name!r}, and it is read as such."
        remedy = "Write the header as it was, and send the form again."
        yield sheet.finding(problem, remedy, row=header, column=called, severity="question")


def _collect_form_columns(layout: Layout, mark: SheetMark | None) -> set[int]:
    """Return the positions of the form's own columns, that of the class beside a pupil included."""
    if mark is not None:
        return set(mark.columns.values())
    header = layout.sheet.rows[layout.header or 0]
    beside = {
        column_index
        for column_index, cell in enumerate(header)
        if isinstance(cell, str) and normalise_header(cell) in _CLASS
    }
    return set(layout.columns.values()) | beside


def _find_lost_columns(layout: Layout, fields: Sequence[str], table: Table) -> Iterator[Finding]:
    lost = [name for name in fields if name in table.names and name not in layout.columns]
    if lost:
        problem = f"Columns of the form are gone: {', '.join(map(repr, lost))}."
        remedy = "Fill in the form as it was sent out, and send it again."
        yield layout.sheet.finding(problem, remedy, row=layout.header, severity="question")


def _find_cells_outside(layout: Layout, own: Collection[int]) -> Iterator[Finding]:
    """Report filled cells outside the form's columns, and above its header."""
    sheet, header = layout.sheet, layout.header or 0
    titles = sheet.rows[header]
    records = set(layout.rows)
    cells: list[str] = []
    by_title: dict[int, list[str]] = {}
    for position, row in enumerate(sheet.rows):
        if position == header or is_empty(row):
            continue
        for column_index, cell in enumerate(row):
            if is_empty((cell,)) or (column_index in own and position in records) or _is_mark(position, layout):
                continue
            named = position in records and column_index < len(titles) and not is_empty((titles[column_index],))
            (by_title.setdefault(column_index, []) if named else cells).append(
                f"{format_column_letters(column_index + 1)}{position + 1}"
            )
    for column_index, filled in by_title.items():
        problem = f"The form has no such column; what is filled in there ({format_cell_list(filled)}) is not read."
        column = str(titles[column_index]).strip()
        yield sheet.finding(problem, _OWN_CELLS, row=header, column=column, severity="question")
    if cells:
        problem = f"Cells outside the form's own columns are filled in ({format_cell_list(cells)}); they are not read."
        yield sheet.finding(problem, _OWN_CELLS, severity="question")


def _is_mark(position: int, layout: Layout) -> bool:
    """Whether a row below the header is none of the table's: that of the marks."""
    return position > (layout.header or 0) and not layout.holds(position)


def format_cell_list(cells: Sequence[str]) -> str:
    """Write cells as a list, at most six of them.

    Examples
    --------
    >>> format_cell_list(["A1", "B7"])
    'A1, B7'
    """
    return ", ".join([*cells[:_N_TOLD], *(["..."] if len(cells) > _N_TOLD else [])])


def _adjust_header_width(layout: Layout) -> Layout:
    """Let the header reach over the cells beside the table, which have a question of their own."""
    rows, header = list(layout.sheet.rows), layout.header or 0
    width = max((len(rows[row_position]) for row_position in layout.rows), default=0)
    rows[header] = (*rows[header], *[None] * (width - len(rows[header])))
    return replace(layout, sheet=replace(layout.sheet, rows=tuple(rows)))


def _split_unfilled_rows(layout: Layout, form: FormSheet, table: Table) -> Layout:
    """Set rows apart in which nothing stands but what the form was sent out with."""
    printed = {layout.columns.get(name) for name in _PRINTED}
    printed |= {
        column_index
        for column_index in _collect_form_columns(layout, form.mark)
        if column_index not in layout.columns.values()
    }
    id_column = layout.columns.get("pupil_id" if "pupil_id" in table.names else "school_id")
    known = form.form.known.get(table.name) if form.form.fields else None
    rows = layout.sheet.rows
    unfilled = {
        k: UNFILLED
        for k, row_position in enumerate(layout.rows)
        if all(is_empty((cell,)) or column in printed for column, cell in enumerate(rows[row_position]))
        and (known is None or _get_cell_text(rows[row_position], id_column) in known | {""})
    }
    return replace(layout, apart=MappingProxyType({**layout.apart, **unfilled}))


def _get_cell_text(row: Row, at: int | None) -> str:
    cell: Cell = row[at] if at is not None and at < len(row) else None
    return "" if cell is None else str(cell).strip()


def _add_school_to_rows(layout: Layout, school: str) -> Layout:
    column_index = layout.columns.get("school_id")
    if column_index is None or not school:
        return layout
    records = set(layout.rows)
    rows = tuple(
        _insert_school_in_row(row, column_index, school) if k in records else row
        for k, row in enumerate(layout.sheet.rows)
    )
    return replace(layout, sheet=replace(layout.sheet, rows=rows))


def _insert_school_in_row(row: Row, at: int, school: str) -> Row:
    if at < len(row) and row[at] is not None:
        return row
    cells = [*row, *[None] * (at + 1 - len(row))]
    cells[at] = school
    return tuple(cells)


def find_strange_cells(sheet: Sheet, form: FormMark, *, titles: Iterable[str]) -> list[str]:
    """Return the filled cells of a form's sheet that is no table's, without those that it was sent out with.

    Parameters
    ----------
    sheet
        The sheet.
    form
        What the form says of itself.
    titles
        Names of the sheet of instructions, by which that of earlier versions is known.
    """
    if not form.printed and sheet.sheet in titles:
        return []
    return [
        f"{format_column_letters(column_index + 1)}{position + 1}"
        for position, row in enumerate(sheet.rows)
        for column_index, cell in enumerate(row)
        if not is_empty((cell,)) and not form.is_printed(cell)
    ]


INSTRUCTIONS = message("Instructions")
"""Title of the sheet of instructions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedSheet:
    """A sheet of a form that holds a table.

    Parameters
    ----------
    sheet
        The sheet.
    table
        Name of the table that it holds, as the form says.
    wave
        The wave that the form is of.
    form
        What is known of the sheet.
    refusal
        Why its rows are kept out; None where they are read.
    """

    sheet: Sheet
    table: str
    wave: str
    form: FormSheet
    refusal: Finding | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows that hold anything, without the header and the marks."""
        marked = () if self.form.mark is None else self.form.mark.rows
        filled = [
            row_position
            for row_position, row in enumerate(self.sheet.rows)
            if row_position not in marked and not is_empty(row)
        ]
        return max(len(filled) - 1, 0)


def assign_form_sheets(
    reading: Reading,
    form: FormMark,
    *,
    tables: Mapping[str, Table],
    waves: Collection[str],
    in_wave: Callable[[str, str], Table],
) -> tuple[list[ReturnedSheet], list[Finding]]:
    """Describe what the sheets of a form hold.

    Parameters
    ----------
    reading
        The form as it was read.
    form
        What it says of itself.
    tables
        The tables that are collected.
    waves
        Names of the waves.
    in_wave
        Returns a table, given its name and a wave, as files of the wave have it.

    Returns
    -------
    tuple
        Each sheet that holds a table: known by its own marks, by its name, or by its header where both are gone. And
        what was found: a table without a sheet, cells filled in on sheets that hold no table.
    """
    titles = _collect_instruction_titles()
    dealt, left = [], []
    for sheet in reading.sheets:
        mark = mark_of_sheet(sheet)
        name = form.tables.get(sheet.sheet, "") if mark is None else mark.table
        if name:
            wave = form.wave if mark is None else mark.wave
            form_sheet = FormSheet(form=form, mark=mark, fields=_get_form_fields(name, wave, form, tables, in_wave))
            dealt.append(ReturnedSheet(sheet=sheet, table=name, wave=wave, form=form_sheet))
        elif sheet.sheet not in (MARKER, LISTS):
            left.append(sheet)
    taken = {returned_sheet.table for returned_sheet in dealt}
    findings = []
    for sheet in left:
        name = _find_table_by_header(
            sheet,
            [known_table for known_table in form.tables.values() if known_table not in taken],
            tables,
            form,
            in_wave,
        )
        if name:
            fields = _get_form_fields(name, form.wave, form, tables, in_wave)
            form_sheet = FormSheet(form=form, mark=None, fields=fields)
            dealt.append(ReturnedSheet(sheet=sheet, table=name, wave=form.wave, form=form_sheet))
            problem = f"The sheet has the header of the table {name!r}; it is taken in as such."
            findings.append(_build_finding(sheet.file, problem, "Nothing, if that is right.", sheet=sheet.sheet))
        elif cells := find_strange_cells(sheet, form, titles=titles):
            problem = f"The form has no such sheet; what is filled in there ({format_cell_list(cells)}) is not read."
            remedy = "Write what is meant into the form's own cells, and send it again."
            findings.append(_build_finding(sheet.file, problem, remedy, sheet=sheet.sheet, severity="question"))
    findings += _find_missing_sheets(reading, form, {returned_sheet.table for returned_sheet in dealt})
    return [_check_returned_sheet(returned_sheet, tables, waves) for returned_sheet in dealt], findings


def _get_form_fields(
    name: str, wave: str, form: FormMark, tables: Mapping[str, Table], in_wave: Callable[[str, str], Table]
) -> tuple[str, ...]:
    """Return the fields that a form has columns for: as it says, or else those that its sender fills in."""
    if name in form.fields or name not in tables:
        return form.fields.get(name, ())
    asked = in_wave(name, wave).filled_in_by("school" if form.school else "partner")
    return () if asked is None else asked.names


def _find_table_by_header(
    sheet: Sheet,
    names: Collection[str],
    tables: Mapping[str, Table],
    form: FormMark,
    in_wave: Callable[[str, str], Table],
) -> str:
    """Return the table of the form whose fields a sheet's header names most of; "" where two are as good."""
    n_named = {}
    for name in dict.fromkeys(names):
        if name in tables:
            table = in_wave(name, form.wave)
            n_named[name] = len(find_named_fields(sheet, table, headers=index_fields_by_header(table)))
    most = max(n_named.values(), default=0)
    best = [name for name, n in n_named.items() if n == most]
    return best[0] if most and len(best) == 1 else ""


def _check_returned_sheet(one: ReturnedSheet, tables: Mapping[str, Table], waves: Collection[str]) -> ReturnedSheet:
    """Return a sheet with the reason why its rows are kept out, if there is one."""
    table = tables.get(one.table)
    if table is None:
        problem = f"It is a form of the table {one.table!r}, which the trial does not collect; its rows are kept out."
        remedy = "Fill in the form that the trial asks for."
    elif table.by_wave and one.wave not in waves:
        problem = f"It is a form of the wave {one.wave!r}, which the trial does not have; its rows are kept out."
        remedy = f"Fill in the form of a wave of the trial: {', '.join(map(repr, waves))}."
    else:
        return one
    refusal = _build_finding(one.sheet.file, problem, remedy, sheet=one.sheet.sheet, severity="refused")
    return ReturnedSheet(sheet=one.sheet, table=one.table, wave=one.wave, form=one.form, refusal=refusal)


def _find_missing_sheets(reading: Reading, form: FormMark, dealt: Collection[str]) -> Iterator[Finding]:
    for title, name in form.tables.items():
        if name not in dealt and reading.sheets:
            problem = f"The workbook has no sheet {title!r}, which would hold the table {name!r}."
            remedy = "Send the sheet, if the school has the data."
            yield _build_finding(reading.sheets[0].file, problem, remedy, severity="question")


def _collect_instruction_titles() -> frozenset[str]:
    languages = get_available_languages("data_schema")
    return frozenset(Catalogue("data_schema", Language(code)).text(INSTRUCTIONS) for code in languages)


def _build_finding(file: str, problem: str, remedy: str, *, sheet: str = "", severity: Severity = "note") -> Finding:
    return Finding(file=file, sheet=sheet, problem=problem, remedy=remedy, severity=severity)
