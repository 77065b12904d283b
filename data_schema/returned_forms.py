"""Sheets of an entry workbook that came back: which table each holds, and what of the form is missing or strange."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from data_schema.findings import Finding, Severity
from data_schema.form_marks import LISTS, MARKER, FormMark, mark_of_sheet
from data_schema.form_sheets import FormSheet, strange_cells, told_cells
from data_schema.language import Catalogue, Language, available_languages, message
from data_schema.layout import fields_named, headers_of, is_empty
from data_schema.readers.sheets import Reading, Sheet
from data_schema.tables import Table

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
        filled = [at for at, row in enumerate(self.sheet.rows) if at not in marked and not is_empty(row)]
        return max(len(filled) - 1, 0)


def deal_form(
    reading: Reading,
    form: FormMark,
    *,
    tables: Mapping[str, Table],
    waves: Collection[str],
    in_wave: Callable[[str, str], Table],
) -> tuple[list[ReturnedSheet], list[Finding]]:
    """Say what the sheets of a form hold.

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
    titles = _titles_of_instructions()
    dealt, left = [], []
    for sheet in reading.sheets:
        mark = mark_of_sheet(sheet)
        name = form.tables.get(sheet.sheet, "") if mark is None else mark.table
        if name:
            wave = form.wave if mark is None else mark.wave
            one = FormSheet(form=form, mark=mark, fields=_fields_of(name, wave, form, tables, in_wave))
            dealt.append(ReturnedSheet(sheet=sheet, table=name, wave=wave, form=one))
        elif sheet.sheet not in (MARKER, LISTS):
            left.append(sheet)
    taken = {one.table for one in dealt}
    findings = []
    for sheet in left:
        name = _by_header(sheet, [one for one in form.tables.values() if one not in taken], tables, form, in_wave)
        if name:
            fields = _fields_of(name, form.wave, form, tables, in_wave)
            one = FormSheet(form=form, mark=None, fields=fields)
            dealt.append(ReturnedSheet(sheet=sheet, table=name, wave=form.wave, form=one))
            problem = f"The sheet has the header of the table {name!r}; it is taken in as such."
            findings.append(_finding(sheet.file, problem, "Nothing, if that is right.", sheet=sheet.sheet))
        elif cells := strange_cells(sheet, form, titles=titles):
            problem = f"The form has no such sheet; what is filled in there ({told_cells(cells)}) is not read."
            remedy = "Write what is meant into the form's own cells, and send it again."
            findings.append(_finding(sheet.file, problem, remedy, sheet=sheet.sheet, severity="question"))
    findings += _gone(reading, form, {one.table for one in dealt})
    return [_refused(one, tables, waves) for one in dealt], findings


def _fields_of(
    name: str, wave: str, form: FormMark, tables: Mapping[str, Table], in_wave: Callable[[str, str], Table]
) -> tuple[str, ...]:
    """Return the fields that a form has columns for: as it says, or else those that its sender fills in."""
    if name in form.fields or name not in tables:
        return form.fields.get(name, ())
    asked = in_wave(name, wave).filled_in_by("school" if form.school else "partner")
    return () if asked is None else asked.names


def _by_header(
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
            n_named[name] = len(fields_named(sheet, table, headers=headers_of(table)))
    most = max(n_named.values(), default=0)
    best = [name for name, n in n_named.items() if n == most]
    return best[0] if most and len(best) == 1 else ""


def _refused(one: ReturnedSheet, tables: Mapping[str, Table], waves: Collection[str]) -> ReturnedSheet:
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
    refusal = _finding(one.sheet.file, problem, remedy, sheet=one.sheet.sheet, severity="refused")
    return ReturnedSheet(sheet=one.sheet, table=one.table, wave=one.wave, form=one.form, refusal=refusal)


def _gone(reading: Reading, form: FormMark, dealt: Collection[str]) -> Iterator[Finding]:
    for title, name in form.tables.items():
        if name not in dealt and reading.sheets:
            problem = f"The workbook has no sheet {title!r}, which would hold the table {name!r}."
            remedy = "Send the sheet, if the school has the data."
            yield _finding(reading.sheets[0].file, problem, remedy, severity="question")


def _titles_of_instructions() -> frozenset[str]:
    languages = available_languages("data_schema")
    return frozenset(Catalogue("data_schema", Language(code)).text(INSTRUCTIONS) for code in languages)


def _finding(file: str, problem: str, remedy: str, *, sheet: str = "", severity: Severity = "note") -> Finding:
    return Finding(file=file, sheet=sheet, problem=problem, remedy=remedy, severity=severity)
