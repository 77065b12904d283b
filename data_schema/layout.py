"""Where a table lies in a sheet: its header, its columns, its rows."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from data_schema.fields import Field, normalise_header
from data_schema.findings import ROW_STEP, Finding, Severity, format_row_ranges
from data_schema.headers import LONGEST_HEADER, find_meant_field, index_fields_by_header
from data_schema.margins import find_non_record_rows
from data_schema.readers.sheets import Cell, Row, Sheet, format_column_letters
from data_schema.submissions import IN_DOUBT, describe_program_columns, detect_collected_form
from data_schema.tables import Table
from data_schema.vocabulary import get_doubtful_headers, get_unwanted_headers
from data_schema.words import find_stated_difference, find_unit_factor

N_SEARCHED = 30
"""Rows in which a header is looked for."""

_LIKE = 0.6
"""Likeness of a header to those of a missing column from which it may be that column under another name."""
_NOT_NEEDED = "Nothing, if it is not needed."
_N_UNKNOWN = 10
_BLOCK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A table found in a sheet.

    Parameters
    ----------
    sheet
        The sheet.
    header
        Position of the header in ``sheet.rows``; None when there is none.
    columns
        Field to the position of its column.
    rows
        Positions in ``sheet.rows`` of the rows that hold anything, below the header.
    findings
        What was wrong or odd about the header.
    apart
        Position in `rows` to what the row is, for those that are no records (see `data_schema.margins`).
    units
        Field to the unit that its header states, where it is another one than the field's and the protocol converts it.
    in_doubt
        Rows, from 1, of submissions of which a review has not said that they hold.
    is_open
        Whether a question about the whole of it must be answered before any row can be used.
    school
        The school whose rows they are, where that is stated elsewhere than in a column; empty otherwise.
    classes
        The class that is stated elsewhere than in a column, for each of `rows`, None where none is; empty otherwise.
    numbers
        For each of ``sheet.rows`` its number in findings, where it is not the position from 1: a row as it was sent may
        be many records (see `data_schema.wide`); empty otherwise.
    titles
        Number of a record among those of its row, from 1, and field to the header that its cell stands under.
    """

    sheet: Sheet
    header: int | None
    columns: dict[str, int]
    rows: tuple[int, ...]
    findings: tuple[Finding, ...] = ()
    apart: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    units: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    in_doubt: frozenset[int] = frozenset()
    is_open: bool = False
    school: str = ""
    classes: tuple[str | None, ...] = ()
    numbers: tuple[int, ...] = ()
    titles: Mapping[tuple[int, str], str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_usable(self) -> bool:
        """Whether the rows can be read; a finding says why when not."""
        return all(finding.severity != "refused" for finding in self.findings)

    @property
    def width(self) -> int:
        """Number of columns of the header."""
        return 0 if self.header is None else len(self.sheet.rows[self.header])

    def holds(self, at: int) -> bool:
        """Whether the row at a position in ``sheet.rows`` is one of the table's."""
        k = bisect_left(self.rows, at)
        return k < len(self.rows) and self.rows[k] == at

    def number_at(self, at: int) -> int:
        """Return the number in findings of the row at a position in ``sheet.rows``."""
        return self.numbers[at] if self.numbers else at + 1

    def row_numbers(self) -> list[int]:
        """Return the number in findings of each of `rows`."""
        return (
            [self.numbers[row_position] for row_position in self.rows]
            if self.numbers
            else [row_position + 1 for row_position in self.rows]
        )

    def places(self, row: int, column: str, *, among_all: bool = False) -> list[tuple[int, str]]:
        """Return the records (positions in ``sheet.rows``) and the field that a row and a column of the sheet mean.

        A row of the sheet that is many records means all of them, and so does a column that they share; the header of
        any other column means one. Records of other waves are looked at ``among_all``.
        """
        if not self.numbers:
            return [(row - 1, column)] if self.holds(row - 1) else []
        fields = {(number, title): name for (number, name), title in reversed(list(self.titles.items()))}
        shared = set(self.columns) - {name for _, name in self.titles}
        field_places = []
        for row_position in range(1, len(self.numbers)) if among_all else self.rows:
            number, sent = divmod(self.numbers[row_position], ROW_STEP)
            name = column if not column or column in shared else fields.get((number, column))
            if sent == row and name is not None:
                field_places.append((row_position, name))
        return field_places

    def blocks(self) -> Iterator[Sequence[Row]]:
        """Yield the rows that hold anything, so many at a time as a processor keeps at hand."""
        rows = self.sheet.rows
        first, last = (self.rows[0], self.rows[-1]) if self.rows else (0, -1)
        is_whole = last - first + 1 == len(self.rows)
        for block_start in range(0, len(self.rows), _BLOCK):
            places = self.rows[block_start : block_start + _BLOCK]
            yield rows[places[0] : places[-1] + 1] if is_whole else [rows[k] for k in places]

    def cells(self, name: str, rows: Sequence[Row]) -> list[Cell]:
        """Return the cells of a field in some rows; empty where a row is short or the column is not there."""
        column_index = self.columns.get(name)
        if column_index is None:
            return [None] * len(rows)
        try:
            return [row[column_index] for row in rows]
        except IndexError:
            return [row[column_index] if column_index < len(row) else None for row in rows]

    def struck(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) with a cell of a field that is struck through."""
        taken = {column_index + 1 for column_index in self.columns.values()}
        rows = {row - 1 for row, column in self.sheet.struck if column in taken}
        return [k for k, row_position in enumerate(self.rows) if row_position in rows] if rows else []

    def unsettled(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) of submissions whose review leaves them in doubt."""
        return (
            [k for k, row_position in enumerate(self.rows) if row_position + 1 in self.in_doubt]
            if self.in_doubt
            else []
        )

    def overlong(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) with cells beyond the header's columns."""
        rows, width = self.sheet.rows, self.width
        return [
            k
            for k, row_position in enumerate(self.rows)
            if len(rows[row_position]) > width and not is_empty(rows[row_position][width:])
        ]


def find_filled_rows(rows: Sequence[Row], start: int) -> tuple[int, ...]:
    """Return the positions of rows that hold anything; most tell by their first cell."""
    return tuple(
        [
            row_position
            for row_position in range(start, len(rows))
            if ((row := rows[row_position]) and isinstance(first := row[0], str) and "!" <= first[:1] <= "~")
            or not is_empty(row)
        ]
    )


def is_empty(row: Sequence[Cell]) -> bool:
    """Whether no cell of a row holds anything but spaces."""
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in row)


def find_layout(
    sheet: Sheet,
    table: Table,
    *,
    headers: dict[str, str] | None = None,
    needed: Collection[str] = (),
    units: Mapping[str, float] = MappingProxyType({}),
    country: str = "",
    own_headers: Mapping[str, str] = MappingProxyType({}),
    told_elsewhere: Collection[str] = (),
    at: int | None = None,
    passed_over: Collection[int] = (),
) -> Layout:
    """Find a table in a sheet.

    Parameters
    ----------
    sheet
        Cells of the sheet. Titles above the header are passed over.
    table
        The table that should be there.
    headers
        What `headers_of` returns for it, when many sheets are laid out.
    needed
        Fields that the results of the trial are made from.
    units
        Unit that a header may state to what one of it is in the field's own, as the protocol says.
    country
        Country whose schools wrote it; "" where it is not known.
    own_headers
        Headers that the protocol declares, as `normalise_header` makes them, to the fields that they mean.
    told_elsewhere
        Fields that are stated elsewhere than in a column.
    at
        Position of the header, where it is known; it is looked for otherwise.
    passed_over
        Positions of columns that are read otherwise.

    Returns
    -------
    Layout
        Where it is. Columns that the table does not know are named in a note, and so are those it misses; for required
        and needed ones it is a question, and without those of the key nothing can be used.
    """
    owner = index_fields_by_header(table) if headers is None else headers
    header = _find_header_row(sheet, table, owner, told_elsewhere) if at is None else at
    if header is None:
        filled = tuple(k for k, row in enumerate(sheet.rows) if not is_empty(row))
        return Layout(
            sheet=sheet,
            header=None,
            columns={},
            rows=filled,
            findings=(_build_no_header_finding(sheet, table, filled),),
        )
    owner = _apply_protocol_headers(sheet, header, owner, own_headers) if own_headers else owner
    columns, findings = _match_columns(
        sheet,
        table,
        header,
        owner,
        needed,
        country=country,
        told_elsewhere=told_elsewhere,
        passed_over=passed_over,
    )
    stated = _find_stated_units(sheet, table, header, owner, columns)
    doubtful = [name for name, stated_unit in stated.items() if find_unit_factor(stated_unit, units) is None]
    called = {name: str(sheet.rows[header][columns[name]]) for name in doubtful}
    findings = (
        *findings,
        *(build_unit_question(sheet, header, table.field(name), stated[name], called[name]) for name in doubtful),
    )
    columns = {name: column_index for name, column_index in columns.items() if name not in doubtful}
    rows = find_filled_rows(sheet.rows, header + 1)
    if not rows:
        problem, remedy = "It has a header and no rows below it.", "Send the rows, if the school has them."
        findings = (*findings, sheet.finding(problem, remedy, row=header, severity="question"))
    apart = find_non_record_rows(
        sheet.rows, rows, columns=columns, key=table.key, header=header, told_elsewhere=told_elsewhere
    )
    form = detect_collected_form(sheet.rows[header], owner)
    states = (
        {}
        if form is None
        else {row_position: state for row_position in rows if (state := form.reviewed(sheet.rows[row_position]))}
    )
    in_doubt = frozenset(row_position + 1 for row_position, state in states.items() if state == IN_DOUBT)
    apart |= {row_position: state for row_position, state in states.items() if state != IN_DOUBT}
    return Layout(
        sheet=sheet,
        header=header,
        columns=columns,
        rows=rows,
        in_doubt=in_doubt,
        findings=(
            *findings,
            *describe_program_columns(sheet, header, form, owner, states),
            *find_unseen_content(sheet, header, columns),
        ),
        apart=MappingProxyType({k: apart[row_position] for k, row_position in enumerate(rows) if row_position in apart})
        if apart
        else apart,
        units=MappingProxyType({name: stated_unit for name, stated_unit in stated.items() if name not in doubtful}),
    )


def _apply_protocol_headers(sheet: Sheet, header: int, owner: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what headers mean where the protocol's own are among them: no other header means their fields then."""
    present = {normalise_header(cell) for cell in sheet.rows[header] if isinstance(cell, str)}
    taken = {name for key, name in own.items() if key in present}
    return {key: name for key, name in owner.items() if name not in taken or (own.get(key) == name and key in present)}


def _find_stated_units(
    sheet: Sheet, table: Table, header: int, owner: Mapping[str, str], columns: Mapping[str, int]
) -> dict[str, str]:
    """Return the fields whose header states another unit or scale than they have, with what it states."""
    stated = {}
    for name, column_index in columns.items():
        text = sheet.rows[header][column_index]
        if not isinstance(text, str) or name in table.key:
            continue
        stated_unit = find_stated_difference(text[:LONGEST_HEADER], table.field(name))
        # A header that is known as it stands means its field, whatever words are in it; signs are no part of it.
        if stated_unit and (owner.get(normalise_header(text)) != name or not normalise_header(stated_unit)):
            stated[name] = stated_unit
    return stated


def build_unit_question(sheet: Sheet, header: int, item: Field, said: str, called: str) -> Finding:
    """Ask about a column whose header states another unit than its field has."""
    field_unit = item.unit or f"{item.minimum:g} to {item.maximum:g}"
    if item.unit == "mark" and item.minimum is not None and item.maximum is not None:
        field_unit = f"{item.minimum:g} to {item.maximum:g}, {item.maximum:g} the best"
    problem = f"The header says {said!r}, and {item.name!r} is in {field_unit!r}; the values are left out."
    remedy = "Send the values as they are asked for, under a header that says so."
    called = " ".join(called.split())[:LONGEST_HEADER]
    return sheet.finding(problem, remedy, row=header, column=called, severity="question")


def find_unseen_content(sheet: Sheet, header: int, columns: Mapping[str, int]) -> Iterator[Finding]:
    """Report what a person who looks at the sheet does not see, or sees otherwise."""
    if sheet.is_hidden:
        yield sheet.finding("The sheet is hidden; it is taken in like others.", "Nothing.", severity="note")
    hidden = [row for row in sheet.hidden_rows if row > header + 1]
    if hidden:
        problem = f"Rows are hidden ({format_row_ranges(hidden)}); they are taken in like others."
        yield sheet.finding(problem, "Remove them, if they are not meant.", severity="note")
    taken = {column_index + 1 for column_index in columns.values()}
    letters = [format_column_letters(number) for number in sheet.hidden_columns if number in taken]
    if letters:
        problem = f"Columns are hidden ({', '.join(letters[:6])}); they are taken in like others."
        yield sheet.finding(problem, "Nothing.", severity="note")
    if sheet.merged:
        problem = f"Cells are merged ({', '.join(sheet.merged[:6])}); their value is taken for each of their rows."
        yield sheet.finding(problem, "Nothing.", severity="note")


def _build_no_header_finding(sheet: Sheet, table: Table, filled: tuple[int, ...]) -> Finding:
    if not filled:
        return sheet.finding(
            "It has no rows.", "Send it again; it may have been cut off on its way.", severity="refused"
        )
    problem = f"None of its first {N_SEARCHED} rows is a header of the table {table.name!r}."
    remedy = f"Put a row with the names of the columns above the data: {', '.join(table.names)}."
    return sheet.finding(problem, remedy, severity="refused")


def _find_header_row(
    sheet: Sheet, table: Table, owner: dict[str, str], told_elsewhere: Collection[str] = ()
) -> int | None:
    """Return the row that names most fields; two at least, or all there are."""
    key = set(table.key) - set(told_elsewhere)
    best, most = None, min(2, len(table.fields)) - 1
    for position in range(min(len(sheet.rows), N_SEARCHED)):
        named = set(_index_named_fields(sheet, position, owner).values())
        if len(named) > most:
            best, most = position, len(named)
        # A title may name the school and the class, too.
        if key <= named and (len(key) > 1 or len(named) > 1):
            break
    # Titles of groups may stand over a second row of the header, into which merged cells reach.
    while best is not None and best + 1 < min(len(sheet.rows), N_SEARCHED):
        below = set(_index_named_fields(sheet, best + 1, owner).values())
        if not key <= below or len(below) <= most:
            break
        best, most = best + 1, len(below)
    return best


def _index_named_fields(sheet: Sheet, position: int, owner: Mapping[str, str]) -> dict[int, str]:
    """Return the fields that the cells of a row name, by column."""
    form = detect_collected_form(sheet.rows[position], owner)
    if form is not None:
        beside = dict(enumerate(sheet.labels)) if position == 0 else {}
        keys = (
            (column_index, (normalise_header(text), normalise_header(beside.get(column_index, ""))))
            for column_index, text in form.fields.items()
        )
        return {
            column_index: owner[key]
            for column_index, key_options in keys
            if (key := next((key_option for key_option in key_options if key_option in owner), None))
        }
    named = {}
    for cell_index, cell in enumerate(sheet.rows[position]):
        texts = [cell] if isinstance(cell, str) else []
        if position == 0 and cell_index < len(sheet.labels):
            texts.append(sheet.labels[cell_index])
        field_name = next((name for text in texts if (name := find_meant_field(text, owner))), None)
        if field_name is not None:
            named[cell_index] = field_name
    return named


def _match_columns(
    sheet: Sheet,
    table: Table,
    header: int,
    owner: dict[str, str],
    needed: Collection[str],
    *,
    country: str,
    told_elsewhere: Collection[str],
    passed_over: Collection[int],
) -> tuple[dict[str, int], tuple[Finding, ...]]:
    row = sheet.rows[header]
    named, form = _index_named_fields(sheet, header, owner), detect_collected_form(row, owner)
    exact = {
        column_index
        for column_index, name in named.items()
        if form is not None
        or (isinstance(row[column_index], str) and owner.get(normalise_header(str(row[column_index]))) == name)
    }
    columns_of_table = [
        column_index
        for column_index, title in enumerate(row)
        if form is None or title is None or column_index in form.fields
    ]
    columns: dict[str, int] = {}
    findings: list[Finding] = []
    left: list[int] = []
    # Headers that name a field as they stand come first: "hours (total)" is not "hours" where there is such a column.
    for candidate_index in sorted(set(columns_of_table) - set(passed_over), key=lambda at: (at not in exact, at)):
        name = named.get(candidate_index)
        if name is None or (name in columns and candidate_index not in exact):
            left.append(candidate_index)
        elif name in columns:
            problem = f"Two of its columns are {name!r}: {row[columns[name]]!r} and {row[candidate_index]!r}."
            findings.append(sheet.finding(problem, "Keep one of them.", row=header, column=name, severity="refused"))
        else:
            columns[name] = candidate_index
            findings += [] if candidate_index in exact else [_read_as(sheet, header, candidate_index, name)]
    for candidate_index in left:
        otherwise = _find_ambiguous_columns(sheet, table, header, candidate_index, columns, country=country)
        findings += otherwise or _find_unclaimed_columns(
            sheet, table, header, candidate_index, {*columns, *_select_fields_asked_by_name(table, needed)}
        )
    absent = _find_absent_fields(sheet, table, header, columns, needed, told_elsewhere=told_elsewhere)
    return columns, (*_summarise_left_out_columns(sheet, table, header, findings), *absent)


def _summarise_left_out_columns(sheet: Sheet, table: Table, header: int, findings: Sequence[Finding]) -> list[Finding]:
    """Report many columns that are left out by their number, not one by one."""
    unknown = [finding for finding in findings if finding.severity == "note" and finding.remedy == _NOT_NEEDED]
    if len(unknown) <= _N_UNKNOWN:
        return list(findings)
    problem = f"{len(unknown)} of its columns are not in the table {table.name!r}; their values are left out."
    others = [finding for finding in findings if finding not in unknown]
    return [*others, sheet.finding(problem, _NOT_NEEDED, row=header, severity="note")]


def _read_as(sheet: Sheet, header: int, at: int, name: str) -> Finding:
    problem = f"The column is taken for {name!r}."
    called = " ".join(str(sheet.rows[header][at]).split())[:LONGEST_HEADER]
    return sheet.finding(problem, "Nothing, if that is right.", row=header, column=called, severity="note")


def _find_absent_fields(
    sheet: Sheet,
    table: Table,
    header: int,
    columns: Mapping[str, int],
    needed: Collection[str],
    *,
    told_elsewhere: Collection[str],
) -> Iterator[Finding]:
    """Report fields without a column: refuse without the key, ask for required and needed ones, note the others."""
    absent = [item for item in table.fields if item.name not in columns and item.name not in told_elsewhere]
    in_key = [item.name for item in absent if item.name in table.key]
    if in_key:
        problem = (
            f"It has no column {' and no column '.join(map(repr, in_key))}, without which no row can be identified."
        )
        yield sheet.finding(problem, _describe_missing_key(in_key), row=header, severity="refused")
        return
    required = [item.name for item in absent if item.required]
    if required:
        problem = f"It has no column {' and no column '.join(map(repr, required))}, which every row needs."
        yield sheet.finding(problem, "Add the column.", row=header, severity="question")
    for item in absent:
        if item.name in needed and not item.required:
            problem = f"It has no column {item.name!r}, which the results of the trial are made from."
            remedy = _describe_column_remedy(sheet, header, columns, item)
            yield sheet.finding(problem, remedy, row=header, column=item.name, severity="question")
    others = [item.name for item in absent if not item.required and item.name not in needed]
    if others:
        problem = f"It has no column {', '.join(map(repr, others))}; the values are missing."
        yield sheet.finding(problem, "Nothing, unless the school has them.", row=header, severity="note")


_KEYS_THAT_HELP = MappingProxyType({"school_id": "school_from", "month": "wide"})
"""Field to the key of a rule of the inbox that says where it is, if not in a column of its own."""


def _describe_missing_key(absent: Sequence[str]) -> str:
    """Return what to do about missing fields of the key: add their columns, or have the protocol say where they are."""
    keys = {_KEYS_THAT_HELP.get(name, "") for name in absent}
    if "" in keys:
        return "Add the column."
    columns, helping = " and ".join(map(repr, absent)), " and ".join(map(repr, sorted(keys)))
    return f"Add the column {columns}, or say where it is with {helping} in [[inbox]]."


def _describe_column_remedy(sheet: Sheet, header: int, columns: Mapping[str, int], item: Field) -> str:
    """Describe what to do about a missing column: rename the one whose header is nearest, or add it."""
    taken = set(columns.values())
    free = {
        normalise_header(cell[:LONGEST_HEADER]): cell.strip()
        for column_index, cell in enumerate(sheet.rows[header])
        if column_index not in taken and isinstance(cell, str) and cell.strip()
    }
    likeness = {
        header: max(difflib.SequenceMatcher(None, header, known).ratio() for known in item.header_keys)
        for header in free
    }
    nearest = max(likeness, key=lambda header: likeness[header], default="")
    if not nearest or likeness[nearest] < _LIKE:
        return "Add the column and send the file again."
    return f"If it is the column {free[nearest]!r}, call it {item.name!r} and send the file again."


def _select_fields_asked_by_name(table: Table, needed: Collection[str]) -> set[str]:
    """Return the fields whose missing column is a question that names the nearest header."""
    return {item.name for item in table.fields if item.name in needed and not item.required}


def _find_ambiguous_columns(
    sheet: Sheet, table: Table, header: int, at: int, columns: Collection[str], *, country: str
) -> list[Finding]:
    """Report a column with something in it whose header has two meanings, or is of what no trial collects."""
    title = sheet.rows[header][at]
    if not isinstance(title, str) or all(at >= len(row) or is_empty((row[at],)) for row in sheet.rows[header + 1 :]):
        return []
    key = normalise_header(title[:LONGEST_HEADER])
    kind = next((kind for word, kind in get_unwanted_headers(country).items() if f" {word} " in f" {key} "), "")
    if kind:
        remedy = "Leave the column out when you send the file again."
        return [sheet.finding(_UNWANTED[kind], remedy, row=header, column=title, severity="question")]
    name, meaning = get_doubtful_headers(country).get(key, ("", ""))
    if name not in table.names or name in columns:
        return []
    problem = f"The header can mean {name!r} or something else ({meaning}); the values are left out."
    remedy = f"If it is {name!r}, call it so and send the file again."
    return [sheet.finding(problem, remedy, row=header, column=title, severity="question")]


_UNWANTED = {
    "national": "The column is of national numbers of persons, which no trial collects; it is not read.",
    "parent": "The column is of names of parents, which no trial collects; it is not read.",
    "contact": "The column is of addresses or telephone numbers, which no trial collects; it is not read.",
}


def _find_unclaimed_columns(
    sheet: Sheet, table: Table, header: int, at: int, settled: Collection[str]
) -> list[Finding]:
    """Report a column that no field takes, if it holds anything; ask where it may be that of a field not settled."""
    title = sheet.rows[header][at]
    is_blank = all(at >= len(row) or is_empty((row[at],)) for row in sheet.rows[header + 1 :])
    if title is None and is_blank:
        return []
    severity: Severity = "note"
    name = "" if title is None else str(title)
    problem = f"The table {table.name!r} has no such column; its values are left out."
    remedy = _NOT_NEEDED
    if title is None:
        problem = f"Column {at + 1} has no header; its values are left out."
        remedy = "Give it a header, or nothing if it is not needed."
    near = difflib.get_close_matches(
        normalise_header(name[:LONGEST_HEADER]), index_fields_by_header(table), n=1, cutoff=0.8
    )
    if near:
        field_name = index_fields_by_header(table)[near[0]]
        remedy = f"If it is {field_name!r}, call it so and send the file again."
        severity = "note" if is_blank or field_name in settled else "question"
    return [sheet.finding(problem, remedy, row=header, column=name, severity=severity)]


def find_named_fields(
    sheet: Sheet, table: Table, *, headers: dict[str, str], told_elsewhere: Collection[str] = ()
) -> frozenset[str]:
    """Return the fields that a sheet's header names; none where it lacks one of the table's key."""
    header_position = _find_header_row(sheet, table, headers, told_elsewhere)
    named = (
        frozenset()
        if header_position is None
        else frozenset(_index_named_fields(sheet, header_position, headers).values())
    )
    return named if set(table.key) - set(told_elsewhere) <= named else frozenset()
