"""Tables of REDCap: records of several events separated, codes translated by the project's data dictionary.

What the columns of both files are called is from REDCap's own help on data dictionaries and on exports, as the R
packages REDCapR ("BasicREDCapROperations") and redcapAPI ("exportFieldNames") describe them: a checkbox is a column
``field___code`` for each choice; a record has a row for each event and each repetition of a form.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from data_schema.clean import format_value
from data_schema.conversions import Repair
from data_schema.fields import Field, normalise_header, normalise_word
from data_schema.findings import Finding
from data_schema.layout import Layout, is_empty
from data_schema.margins import UNFILLED
from data_schema.readers.sheets import Cell, Reading, Row, Sheet
from data_schema.rules import InboxRule
from data_schema.tables import Table

_NAME, _FORM, _KIND, _LABEL, _CHOICES = range(5)
_COLUMNS = (
    ("Variable / Field Name", "field_name"),
    ("Form Name", "form_name"),
    ("Field Type", "field_type"),
    ("Field Label", "field_label"),
    ("Choices, Calculations, OR Slider Labels", "select_choices_or_calculations"),
)
"""Columns of a data dictionary, as it is downloaded and as the programming interface calls them."""

_EVENT = ("redcap_event_name", "Event Name")
_INSTRUMENT = ("redcap_repeat_instrument", "Repeat Instrument")
_CHOSEN = ("dropdown", "radio")
_FIXED = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
_CHECKED = {"1": "1", "0": "0", "checked": "1", "unchecked": "0"}
_CHOICE = re.compile(r"\s*([^,|]+?)\s*,\s*(.*?)\s*")
_MARKUP = re.compile(r"<[^<>]{1,200}>")
_ARM = re.compile(r" arm \d+.*")
_NO_CODE = "{code} [?]"
_N_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a project.

    Parameters
    ----------
    name
        Its name; of a checkbox, with the code of the choice.
    label
        What people read; of a checkbox, with the choice.
    choices
        Code to label of the answers to choose from; empty for others.
    """

    name: str
    label: str
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """A data dictionary.

    Parameters
    ----------
    file
        Its path below the inbox.
    variables
        Name, in small letters, to variable.
    forms
        Names of the forms, in small letters.
    """

    file: str
    variables: Mapping[str, Variable]
    forms: frozenset[str] = frozenset()

    def adds(self, header: str) -> bool:
        """Whether REDCap adds a column of this name to those of a form: how far it is filled in, and when."""
        form, _, added = header.strip().casefold().rpartition("_")
        return added in ("complete", "timestamp") and form in self.forms

    def of_header(self, header: Cell) -> Variable | None:
        """Return the variable that a header names, by its name or by its label where that is one variable's only."""
        if not isinstance(header, str):
            return None
        named = self.variables.get(header.strip().casefold())
        if named is not None:
            return named
        key = normalise_header(header)
        same = [variable for variable in self.variables.values() if normalise_header(variable.label) == key]
        return same[0] if len(same) == 1 else None


def parse_dictionary(reading: Reading, *, file: str) -> Dictionary | None:
    """Return what a file says as a data dictionary of REDCap; None where it is none."""
    rows = reading.sheets[0].rows if reading.sheets else ()
    head = [normalise_header(cell) if isinstance(cell, str) else "" for cell in rows[0]] if rows else []
    places = []
    for names in _COLUMNS:
        header_index = next((head.index(key) for name in names if (key := normalise_header(name)) in head), None)
        if header_index is None:
            return None
        places.append(header_index)
    texts = [
        [format_value(row[column_index]).strip() if column_index < len(row) else "" for column_index in places]
        for row in rows[1:]
    ]
    forms = frozenset(row_texts[_FORM].casefold() for row_texts in texts if row_texts[_FORM])
    variables = {
        variable.name.casefold(): variable
        for row_texts in texts
        if row_texts[_NAME]
        for variable in _iterate_variables(row_texts)
    }
    return Dictionary(file=file, variables=variables, forms=forms) if variables else None


def _iterate_variables(told: Sequence[str]) -> Iterator[Variable]:
    """Yield the variables of a row of a dictionary: one, or for a checkbox one for each choice."""
    name, kind, label = told[_NAME], told[_KIND].casefold(), " ".join(_MARKUP.sub(" ", told[_LABEL]).split())
    choices = _FIXED.get(kind, {}) or (_parse_choices(told[_CHOICES]) if kind in (*_CHOSEN, "checkbox") else {})
    if kind != "checkbox":
        yield Variable(name=name, label=label, choices=choices)
        return
    for code, answer in choices.items():
        # A minus is no sign of a name there.
        called = f"{name}___{code.replace('-', '_')}"
        yield Variable(name=called, label=f"{label} (choice={answer})", choices={"1": "Checked", "0": "Unchecked"})


def _parse_choices(text: str) -> dict[str, str]:
    """Return code to label of "1, Yes | 0, No"."""
    choices = (_CHOICE.fullmatch(part) for part in text.split("|"))
    return {choice[1]: " ".join(_MARKUP.sub(" ", choice[2]).split()) for choice in choices if choice}


def split_by_event(reading: Reading) -> Reading:
    """Return a table of events, or of forms that repeat, as a sheet for each, called for them.

    Rows stay where they are; those of others are empty.
    """
    if len(reading.sheets) != 1 or reading.sheets[0].sheet or not reading.sheets[0].rows:
        return reading
    (sheet,) = reading.sheets
    head = sheet.rows[0]
    places = [*_find_columns_by_name(head, _EVENT), *_find_columns_by_name(head, _INSTRUMENT)]
    kinds = (
        {k: _join_cell_texts(row, places) for k, row in enumerate(sheet.rows) if k and not is_empty(row)}
        if places
        else {}
    )
    names = sorted(set(kinds.values()))
    if names in ([], [""]):
        return reading
    sheets = tuple(
        replace(
            sheet,
            sheet=name or _NEITHER,
            rows=(head, *(row if kinds.get(k) == name else () for k, row in enumerate(sheet.rows) if k)),
        )
        for name in names
    )
    return replace(reading, sheets=sheets)


_NEITHER = "records"
"""Sheet of the rows that are of no event and of no form that repeats."""


def _find_columns_by_name(head: Row, names: Sequence[str]) -> list[int]:
    return [column_index for column_index, cell in enumerate(head) if isinstance(cell, str) and cell.strip() in names]


def _join_cell_texts(row: Row, places: Sequence[int]) -> str:
    return " ".join(
        text for column_index in places if column_index < len(row) and (text := format_value(row[column_index]).strip())
    )


def select_sheets_of_wave(sheets: Sequence[Sheet], rule: InboxRule, waves: Collection[str]) -> list[Sheet]:
    """Return the sheets of `split_by_event` that a rule speaks of: of its wave, and of its table where that repeats.

    Where there is one event only, and it is not called as any of the waves is, it is that of the rule.
    """
    events = {_find_first_text(sheet, _EVENT) for sheet in sheets}
    is_single = len(events) == 1 and not any(_is_of_wave(event, wave) for event in events for wave in waves)
    wave_sheets = [sheet for sheet in sheets if is_single or _is_of_wave(_find_first_text(sheet, _EVENT), rule.wave)]
    repeated = [
        sheet
        for sheet in wave_sheets
        if normalise_header(_find_first_text(sheet, _INSTRUMENT)) == normalise_header(rule.table)
    ]
    return repeated or [sheet for sheet in wave_sheets if not _find_first_text(sheet, _INSTRUMENT)]


def _find_first_text(sheet: Sheet, names: Sequence[str]) -> str:
    places = _find_columns_by_name(sheet.rows[0], names)
    return next((text for row in sheet.rows[1:] if (text := _join_cell_texts(row, places))), "")


def _is_of_wave(event: str, wave: str) -> bool:
    """Whether an event, such as "followup_arm_1" or "Follow-up (Arm 1: all)", is called as a wave is."""
    name = _ARM.sub("", normalise_header(event)).replace(" ", "")
    return not event or not wave or name == normalise_header(wave).replace(" ", "")


def add_second_names(sheet: Sheet, dictionary: Dictionary) -> Sheet:
    """Return a sheet whose columns have a second name: the label beside the name, or the name beside the label."""
    head = sheet.rows[0] if sheet.rows else ()
    named_variables = [dictionary.of_header(cell) for cell in head]
    labels = tuple(
        ""
        if named_variable is None
        else named_variable.label
        if str(cell).strip().casefold() == named_variable.name.casefold()
        else named_variable.name
        for named_variable, cell in zip(named_variables, head, strict=True)
    )
    return replace(sheet, labels=labels)


def translate_codes(
    layout: Layout,
    table: Table,
    dictionary: Dictionary,
    whole: Sequence[Row],
    *,
    schools: Collection[str],
    wide: Sequence[tuple[str, int]] = (),
) -> tuple[Layout, list[Repair]]:
    """Put the answers of a dictionary into the place of their codes, and a record's key into each of its rows.

    Parameters
    ----------
    layout
        Where the table lies.
    table
        The table.
    dictionary
        The data dictionary of its project.
    whole
        All rows of the file, those of other events as well.
    schools
        Identifiers of the schools, which may be the codes of a list to choose from, or are in its answers.
    wide
        Field and position of the columns that hold values of one field each, such as those of a month.

    Returns
    -------
    tuple
        The layout, in which rows with nothing but their key are apart, and a repair for each cell that was changed. A
        code that the dictionary does not have stays, with a mark by which it is asked about.
    """
    if layout.header is None or not layout.is_usable:
        return layout, []
    rows, repairs, findings = list(layout.sheet.rows), _find_missing_record_keys(layout, table, whole), []
    place = (layout.sheet.file, layout.sheet.sheet)
    for row, name, _, became in list(repairs):
        rows[row] = _replace_cell(rows[row], layout.columns[name], became)
    for name, coded_column in (*layout.columns.items(), *wide):
        variable = dictionary.of_header(layout.sheet.rows[layout.header][coded_column])
        if variable is None or not variable.choices:
            continue
        unknown: set[str] = set()
        for k in layout.rows:
            was = rows[k][coded_column] if coded_column < len(rows[k]) else None
            became = (
                None
                if was is None
                else _answer(format_value(was).strip(), table.field(name), variable, unknown, schools)
            )
            if became is not None and became != was:
                rows[k] = _replace_cell(rows[k], coded_column, became)
                repairs.append((k, name, was, became))
        if unknown:
            findings.append(_build_unknown_codes_finding(layout, name, unknown, dictionary))
    described_repairs = [_build_repair(place, table, change) for change in repairs]
    others = [column_index for name, column_index in (*layout.columns.items(), *wide) if name not in table.key]
    unfilled = {
        k: UNFILLED
        for k, row_position in enumerate(layout.rows)
        if others
        and is_empty(
            [rows[row_position][other_column] for other_column in others if other_column < len(rows[row_position])]
        )
    }
    translated_layout = replace(
        layout,
        sheet=replace(layout.sheet, rows=tuple(rows)),
        findings=(*layout.findings, *findings),
        apart=MappingProxyType({**unfilled, **layout.apart}),
    )
    return translated_layout, described_repairs


def _build_repair(place: tuple[str, str], table: Table, change: Change) -> Repair:
    row, name, was, became = change
    is_private = name in table.names and table.field(name).is_private
    return (
        *place,
        row + 1,
        name,
        *(("", "") if is_private else (format_value(was), format_value(became))),
        "dictionary",
    )


Change = tuple[int, str, Cell, Cell]
"""Position of a row, field, what was there, what is there now."""


def _find_missing_record_keys(layout: Layout, table: Table, whole: Sequence[Row]) -> list[Change]:
    """Return the keys of rows that have none, where other rows of the same record have one."""
    changes: list[Change] = []
    for name in dict.fromkeys(("school_id", *table.key)):
        column_index = layout.columns.get(name, 0)
        if not column_index:
            # What is in the first column is the record itself, which every row has.
            continue
        keys_by_record: dict[str, set[str]] = {}
        for row in whole[1:]:
            if column_index < len(row) and row[column_index] is not None:
                keys_by_record.setdefault(format_value(row[0]), set()).add(format_value(row[column_index]))
        for k in layout.rows:
            row = layout.sheet.rows[k]
            values = keys_by_record.get(format_value(row[0]), set())
            if (column_index >= len(row) or row[column_index] is None) and len(values) == 1:
                changes.append((k, name, None, next(iter(values))))
    return changes


def _answer(text: str, field: Field, variable: Variable, unknown: set[str], schools: Collection[str]) -> Cell:
    """Return what a cell means by a variable's choices, in the form that a field takes; None where it says nothing."""
    if not text:
        return None
    if set(variable.choices.values()) == {"Checked", "Unchecked"}:
        code = _CHECKED.get(text.casefold())
    else:
        by_label = {normalise_word(label): code for code, label in variable.choices.items()}
        code = text if text in variable.choices else by_label.get(normalise_word(text))
    if code is None:
        unknown.add(text)
        return _NO_CODE.format(code=text)
    if variable.choices.get(code) in ("Checked", "Unchecked"):
        return "yes" if code == "1" else "no"
    if field.name == "school_id" and code in schools:
        return code
    # A number that was chosen is itself; an answer is what people read.
    return code if field.type in ("whole_number", "number", "year") else variable.choices[code]


def _build_unknown_codes_finding(layout: Layout, name: str, unknown: set[str], dictionary: Dictionary) -> Finding:
    listed = sorted(unknown)
    code_list = ", ".join(map(repr, listed[:_N_SHOWN])) + (", ..." if len(listed) > _N_SHOWN else "")
    return Finding(
        file=layout.sheet.file,
        sheet=layout.sheet.sheet,
        column=name,
        problem=f"The data dictionary {dictionary.file} does not have the answers {code_list}.",
        remedy="Put the dictionary of the same day there, or answer the questions about the rows.",
        severity="question",
    )


def _replace_cell(row: Row, at: int, value: Cell) -> Row:
    cells = [*row, *[None] * (at + 1 - len(row))]
    cells[at] = value
    return tuple(cells)
