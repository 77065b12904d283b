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

from data_schema.clean import shown
from data_schema.conversions import Repair
from data_schema.fields import Field, folded, header_key
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
        key = header_key(header)
        same = [one for one in self.variables.values() if header_key(one.label) == key]
        return same[0] if len(same) == 1 else None


def dictionary_of(reading: Reading, *, file: str) -> Dictionary | None:
    """Return what a file says as a data dictionary of REDCap; None where it is none."""
    rows = reading.sheets[0].rows if reading.sheets else ()
    head = [header_key(cell) if isinstance(cell, str) else "" for cell in rows[0]] if rows else []
    places = []
    for names in _COLUMNS:
        at = next((head.index(key) for name in names if (key := header_key(name)) in head), None)
        if at is None:
            return None
        places.append(at)
    texts = [[shown(row[at]).strip() if at < len(row) else "" for at in places] for row in rows[1:]]
    forms = frozenset(told[_FORM].casefold() for told in texts if told[_FORM])
    variables = {one.name.casefold(): one for told in texts if told[_NAME] for one in _variables(told)}
    return Dictionary(file=file, variables=variables, forms=forms) if variables else None


def _variables(told: Sequence[str]) -> Iterator[Variable]:
    """Yield the variables of a row of a dictionary: one, or for a checkbox one for each choice."""
    name, kind, label = told[_NAME], told[_KIND].casefold(), " ".join(_MARKUP.sub(" ", told[_LABEL]).split())
    choices = _FIXED.get(kind, {}) or (_choices(told[_CHOICES]) if kind in (*_CHOSEN, "checkbox") else {})
    if kind != "checkbox":
        yield Variable(name=name, label=label, choices=choices)
        return
    for code, answer in choices.items():
        # A minus is no sign of a name there.
        called = f"{name}___{code.replace('-', '_')}"
        yield Variable(name=called, label=f"{label} (choice={answer})", choices={"1": "Checked", "0": "Unchecked"})


def _choices(text: str) -> dict[str, str]:
    """Return code to label of "1, Yes | 0, No"."""
    found = (_CHOICE.fullmatch(part) for part in text.split("|"))
    return {one[1]: " ".join(_MARKUP.sub(" ", one[2]).split()) for one in found if one}


def split_by_event(reading: Reading) -> Reading:
    """Return a table of events, or of forms that repeat, as a sheet for each, called for them.

    Rows stay where they are; those of others are empty.
    """
    if len(reading.sheets) != 1 or reading.sheets[0].sheet or not reading.sheets[0].rows:
        return reading
    (sheet,) = reading.sheets
    head = sheet.rows[0]
    places = [*_places(head, _EVENT), *_places(head, _INSTRUMENT)]
    kinds = {k: _said(row, places) for k, row in enumerate(sheet.rows) if k and not is_empty(row)} if places else {}
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


def _places(head: Row, names: Sequence[str]) -> list[int]:
    return [at for at, cell in enumerate(head) if isinstance(cell, str) and cell.strip() in names]


def _said(row: Row, places: Sequence[int]) -> str:
    return " ".join(text for at in places if at < len(row) and (text := shown(row[at]).strip()))


def sheets_of_wave(sheets: Sequence[Sheet], rule: InboxRule, waves: Collection[str]) -> list[Sheet]:
    """Return the sheets of `split_by_event` that a rule speaks of: of its wave, and of its table where that repeats.

    Where there is one event only, and it is not called as any of the waves is, it is that of the rule.
    """
    events = {_of(sheet, _EVENT) for sheet in sheets}
    is_single = len(events) == 1 and not any(_is_of_wave(event, wave) for event in events for wave in waves)
    mine = [sheet for sheet in sheets if is_single or _is_of_wave(_of(sheet, _EVENT), rule.wave)]
    repeated = [sheet for sheet in mine if header_key(_of(sheet, _INSTRUMENT)) == header_key(rule.table)]
    return repeated or [sheet for sheet in mine if not _of(sheet, _INSTRUMENT)]


def _of(sheet: Sheet, names: Sequence[str]) -> str:
    places = _places(sheet.rows[0], names)
    return next((text for row in sheet.rows[1:] if (text := _said(row, places))), "")


def _is_of_wave(event: str, wave: str) -> bool:
    """Whether an event, such as "followup_arm_1" or "Follow-up (Arm 1: all)", is called as a wave is."""
    name = _ARM.sub("", header_key(event)).replace(" ", "")
    return not event or not wave or name == header_key(wave).replace(" ", "")


def with_labels(sheet: Sheet, dictionary: Dictionary) -> Sheet:
    """Return a sheet whose columns have a second name: the label beside the name, or the name beside the label."""
    head = sheet.rows[0] if sheet.rows else ()
    found = [dictionary.of_header(cell) for cell in head]
    labels = tuple(
        "" if one is None else one.label if str(cell).strip().casefold() == one.name.casefold() else one.name
        for one, cell in zip(found, head, strict=True)
    )
    return replace(sheet, labels=labels)


def translated(
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
    rows, repairs, findings = list(layout.sheet.rows), _filled_keys(layout, table, whole), []
    place = (layout.sheet.file, layout.sheet.sheet)
    for row, name, _, became in list(repairs):
        rows[row] = _with(rows[row], layout.columns[name], became)
    for name, at in (*layout.columns.items(), *wide):
        variable = dictionary.of_header(layout.sheet.rows[layout.header][at])
        if variable is None or not variable.choices:
            continue
        unknown: set[str] = set()
        for k in layout.rows:
            was = rows[k][at] if at < len(rows[k]) else None
            became = None if was is None else _answer(shown(was).strip(), table.field(name), variable, unknown, schools)
            if became is not None and became != was:
                rows[k] = _with(rows[k], at, became)
                repairs.append((k, name, was, became))
        if unknown:
            findings.append(_unknown_codes(layout, name, unknown, dictionary))
    told = [_told(place, table, change) for change in repairs]
    others = [at for name, at in (*layout.columns.items(), *wide) if name not in table.key]
    unfilled = {
        k: UNFILLED
        for k, at in enumerate(layout.rows)
        if others and is_empty([rows[at][one] for one in others if one < len(rows[at])])
    }
    made = replace(
        layout,
        sheet=replace(layout.sheet, rows=tuple(rows)),
        findings=(*layout.findings, *findings),
        apart=MappingProxyType({**unfilled, **layout.apart}),
    )
    return made, told


def _told(place: tuple[str, str], table: Table, change: Change) -> Repair:
    row, name, was, became = change
    is_private = name in table.names and table.field(name).is_private
    return (*place, row + 1, name, *(("", "") if is_private else (shown(was), shown(became))), "dictionary")


Change = tuple[int, str, Cell, Cell]
"""Position of a row, field, what was there, what is there now."""


def _filled_keys(layout: Layout, table: Table, whole: Sequence[Row]) -> list[Change]:
    """Return the keys of rows that have none, where other rows of the same record have one."""
    changes: list[Change] = []
    for name in dict.fromkeys(("school_id", *table.key)):
        at = layout.columns.get(name, 0)
        if not at:
            # What is in the first column is the record itself, which every row has.
            continue
        said: dict[str, set[str]] = {}
        for row in whole[1:]:
            if at < len(row) and row[at] is not None:
                said.setdefault(shown(row[0]), set()).add(shown(row[at]))
        for k in layout.rows:
            row = layout.sheet.rows[k]
            values = said.get(shown(row[0]), set())
            if (at >= len(row) or row[at] is None) and len(values) == 1:
                changes.append((k, name, None, next(iter(values))))
    return changes


def _answer(text: str, field: Field, variable: Variable, unknown: set[str], schools: Collection[str]) -> Cell:
    """Return what a cell means by a variable's choices, in the form that a field takes; None where it says nothing."""
    if not text:
        return None
    if set(variable.choices.values()) == {"Checked", "Unchecked"}:
        code = _CHECKED.get(text.casefold())
    else:
        by_label = {folded(label): code for code, label in variable.choices.items()}
        code = text if text in variable.choices else by_label.get(folded(text))
    if code is None:
        unknown.add(text)
        return _NO_CODE.format(code=text)
    if variable.choices.get(code) in ("Checked", "Unchecked"):
        return "yes" if code == "1" else "no"
    if field.name == "school_id" and code in schools:
        return code
    # A number that was chosen is itself; an answer is what people read.
    return code if field.type in ("whole_number", "number", "year") else variable.choices[code]


def _unknown_codes(layout: Layout, name: str, unknown: set[str], dictionary: Dictionary) -> Finding:
    listed = sorted(unknown)
    said = ", ".join(map(repr, listed[:_N_SHOWN])) + (", ..." if len(listed) > _N_SHOWN else "")
    return Finding(
        file=layout.sheet.file,
        sheet=layout.sheet.sheet,
        column=name,
        problem=f"The data dictionary {dictionary.file} does not have the answers {said}.",
        remedy="Put the dictionary of the same day there, or answer the questions about the rows.",
        severity="question",
    )


def _with(row: Row, at: int, value: Cell) -> Row:
    made = [*row, *[None] * (at + 1 - len(row))]
    made[at] = value
    return tuple(made)
