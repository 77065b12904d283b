"""Where a table lies in a sheet: its header, its columns, its rows."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from data_schema.fields import Field, header_key
from data_schema.findings import ROW_STEP, Finding, Severity, row_ranges
from data_schema.margins import rows_apart
from data_schema.readers.sheets import Cell, Row, Sheet, column_letters
from data_schema.submissions import IN_DOUBT, collected, told_around
from data_schema.tables import Table
from data_schema.vocabulary import doubtful_headers, unwanted_headers
from data_schema.words import factor_of, is_of_units, stated_otherwise

N_SEARCHED = 30
"""Rows in which a header is looked for."""

_IN_BRACKETS = re.compile(r"[(\[]([^)\]]*)[)\]]")
_NUMBERED = re.compile(r"^\s*\d{1,3}\s*[.)]\s*")
_FOOTNOTE = re.compile(r"\s*\d{1,2}\s*\)\s*$")
_DIVIDED = re.compile(r"\s*[\n/|]\s*|\s+[-–]\s+")
_LONGEST_HEADER = 200
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
        return [self.numbers[at] for at in self.rows] if self.numbers else [at + 1 for at in self.rows]

    def places(self, row: int, column: str, *, among_all: bool = False) -> list[tuple[int, str]]:
        """Return the records (positions in ``sheet.rows``) and the field that a row and a column of the sheet mean.

        A row of the sheet that is many records means all of them, and so does a column that they share; the header of
        any other column means one. Records of other waves are looked at ``among_all``.
        """
        if not self.numbers:
            return [(row - 1, column)] if self.holds(row - 1) else []
        fields = {(number, title): name for (number, name), title in reversed(list(self.titles.items()))}
        shared = set(self.columns) - {name for _, name in self.titles}
        found = []
        for at in range(1, len(self.numbers)) if among_all else self.rows:
            number, sent = divmod(self.numbers[at], ROW_STEP)
            name = column if not column or column in shared else fields.get((number, column))
            if sent == row and name is not None:
                found.append((at, name))
        return found

    def blocks(self) -> Iterator[Sequence[Row]]:
        """Yield the rows that hold anything, so many at a time as a processor keeps at hand."""
        rows = self.sheet.rows
        first, last = (self.rows[0], self.rows[-1]) if self.rows else (0, -1)
        is_whole = last - first + 1 == len(self.rows)
        for at in range(0, len(self.rows), _BLOCK):
            places = self.rows[at : at + _BLOCK]
            yield rows[places[0] : places[-1] + 1] if is_whole else [rows[k] for k in places]

    def cells(self, name: str, rows: Sequence[Row]) -> list[Cell]:
        """Return the cells of a field in some rows; empty where a row is short or the column is not there."""
        at = self.columns.get(name)
        if at is None:
            return [None] * len(rows)
        try:
            return [row[at] for row in rows]
        except IndexError:
            return [row[at] if at < len(row) else None for row in rows]

    def struck(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) with a cell of a field that is struck through."""
        taken = {at + 1 for at in self.columns.values()}
        rows = {row - 1 for row, column in self.sheet.struck if column in taken}
        return [k for k, at in enumerate(self.rows) if at in rows] if rows else []

    def unsettled(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) of submissions whose review leaves them in doubt."""
        return [k for k, at in enumerate(self.rows) if at + 1 in self.in_doubt] if self.in_doubt else []

    def overlong(self) -> list[int]:
        """Return the rows (from 0, among those that hold anything) with cells beyond the header's columns."""
        rows, width = self.sheet.rows, self.width
        return [k for k, at in enumerate(self.rows) if len(rows[at]) > width and not is_empty(rows[at][width:])]


def filled_rows(rows: Sequence[Row], start: int) -> tuple[int, ...]:
    """Return the positions of rows that hold anything; most tell by their first cell."""
    return tuple(
        [
            at
            for at in range(start, len(rows))
            if ((row := rows[at]) and isinstance(first := row[0], str) and "!" <= first[:1] <= "~") or not is_empty(row)
        ]
    )


def is_empty(row: Sequence[Cell]) -> bool:
    """Whether no cell of a row holds anything but spaces."""
    return not any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in row)


def headers_of(table: Table) -> dict[str, str]:
    """Return the field that each header means, headers as `header_key` makes them."""
    return {header: item.name for item in table.fields for header in item.header_keys}


def lay_out(
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
        Headers that the protocol declares, as `header_key` makes them, to the fields that they mean.
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
    owner = headers_of(table) if headers is None else headers
    header = _header_row(sheet, table, owner, told_elsewhere) if at is None else at
    if header is None:
        filled = tuple(k for k, row in enumerate(sheet.rows) if not is_empty(row))
        return Layout(sheet=sheet, header=None, columns={}, rows=filled, findings=(_no_header(sheet, table, filled),))
    owner = _with_own(sheet, header, owner, own_headers) if own_headers else owner
    columns, findings = _columns(
        sheet,
        table,
        header,
        owner,
        needed,
        country=country,
        told_elsewhere=told_elsewhere,
        passed_over=passed_over,
    )
    stated = _stated(sheet, table, header, owner, columns)
    doubtful = [name for name, said in stated.items() if factor_of(said, units) is None]
    called = {name: str(sheet.rows[header][columns[name]]) for name in doubtful}
    findings = (
        *findings,
        *(unit_in_doubt(sheet, header, table.field(name), stated[name], called[name]) for name in doubtful),
    )
    columns = {name: at for name, at in columns.items() if name not in doubtful}
    rows = filled_rows(sheet.rows, header + 1)
    if not rows:
        problem, remedy = "It has a header and no rows below it.", "Send the rows, if the school has them."
        findings = (*findings, sheet.finding(problem, remedy, row=header, severity="question"))
    apart = rows_apart(sheet.rows, rows, columns=columns, key=table.key, header=header, told_elsewhere=told_elsewhere)
    form = collected(sheet.rows[header], owner)
    states = {} if form is None else {at: state for at in rows if (state := form.reviewed(sheet.rows[at]))}
    in_doubt = frozenset(at + 1 for at, state in states.items() if state == IN_DOUBT)
    apart |= {at: state for at, state in states.items() if state != IN_DOUBT}
    return Layout(
        sheet=sheet,
        header=header,
        columns=columns,
        rows=rows,
        in_doubt=in_doubt,
        findings=(*findings, *told_around(sheet, header, form, owner, states), *unseen(sheet, header, columns)),
        apart=MappingProxyType({k: apart[at] for k, at in enumerate(rows) if at in apart}) if apart else apart,
        units=MappingProxyType({name: said for name, said in stated.items() if name not in doubtful}),
    )


def _with_own(sheet: Sheet, header: int, owner: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what headers mean where the protocol's own are among them: no other header means their fields then."""
    present = {header_key(cell) for cell in sheet.rows[header] if isinstance(cell, str)}
    taken = {name for key, name in own.items() if key in present}
    return {key: name for key, name in owner.items() if name not in taken or (own.get(key) == name and key in present)}


def _stated(
    sheet: Sheet, table: Table, header: int, owner: Mapping[str, str], columns: Mapping[str, int]
) -> dict[str, str]:
    """Return the fields whose header states another unit or scale than they have, with what it states."""
    stated = {}
    for name, at in columns.items():
        text = sheet.rows[header][at]
        if not isinstance(text, str) or name in table.key:
            continue
        said = stated_otherwise(text[:_LONGEST_HEADER], table.field(name))
        # A header that is known as it stands means its field, whatever words are in it; signs are no part of it.
        if said and (owner.get(header_key(text)) != name or not header_key(said)):
            stated[name] = said
    return stated


def unit_in_doubt(sheet: Sheet, header: int, item: Field, said: str, called: str) -> Finding:
    """Ask about a column whose header states another unit than its field has."""
    own = item.unit or f"{item.minimum:g} to {item.maximum:g}"
    if item.unit == "mark" and item.minimum is not None and item.maximum is not None:
        own = f"{item.minimum:g} to {item.maximum:g}, {item.maximum:g} the best"
    problem = f"The header says {said!r}, and {item.name!r} is in {own!r}; the values are left out."
    remedy = "Send the values as they are asked for, under a header that says so."
    called = " ".join(called.split())[:_LONGEST_HEADER]
    return sheet.finding(problem, remedy, row=header, column=called, severity="question")


def unseen(sheet: Sheet, header: int, columns: Mapping[str, int]) -> Iterator[Finding]:
    """Report what a person who looks at the sheet does not see, or sees otherwise."""
    if sheet.is_hidden:
        yield sheet.finding("The sheet is hidden; it is taken in like others.", "Nothing.", severity="note")
    hidden = [row for row in sheet.hidden_rows if row > header + 1]
    if hidden:
        problem = f"Rows are hidden ({row_ranges(hidden)}); they are taken in like others."
        yield sheet.finding(problem, "Remove them, if they are not meant.", severity="note")
    taken = {at + 1 for at in columns.values()}
    letters = [column_letters(number) for number in sheet.hidden_columns if number in taken]
    if letters:
        problem = f"Columns are hidden ({', '.join(letters[:6])}); they are taken in like others."
        yield sheet.finding(problem, "Nothing.", severity="note")
    if sheet.merged:
        problem = f"Cells are merged ({', '.join(sheet.merged[:6])}); their value is taken for each of their rows."
        yield sheet.finding(problem, "Nothing.", severity="note")


def fields_named(
    sheet: Sheet, table: Table, *, headers: dict[str, str], told_elsewhere: Collection[str] = ()
) -> frozenset[str]:
    """Return the fields that a sheet's header names; none where it lacks one of the table's key."""
    at = _header_row(sheet, table, headers, told_elsewhere)
    named = frozenset() if at is None else frozenset(_named(sheet, at, headers).values())
    return named if set(table.key) - set(told_elsewhere) <= named else frozenset()


def _no_header(sheet: Sheet, table: Table, filled: tuple[int, ...]) -> Finding:
    if not filled:
        return sheet.finding(
            "It has no rows.", "Send it again; it may have been cut off on its way.", severity="refused"
        )
    problem = f"None of its first {N_SEARCHED} rows is a header of the table {table.name!r}."
    remedy = f"Put a row with the names of the columns above the data: {', '.join(table.names)}."
    return sheet.finding(problem, remedy, severity="refused")


def _header_row(sheet: Sheet, table: Table, owner: dict[str, str], told_elsewhere: Collection[str] = ()) -> int | None:
    """Return the row that names most fields; two at least, or all there are."""
    key = set(table.key) - set(told_elsewhere)
    best, most = None, min(2, len(table.fields)) - 1
    for position in range(min(len(sheet.rows), N_SEARCHED)):
        named = set(_named(sheet, position, owner).values())
        if len(named) > most:
            best, most = position, len(named)
        # A title may name the school and the class, too.
        if key <= named and (len(key) > 1 or len(named) > 1):
            break
    # Titles of groups may stand over a second row of the header, into which merged cells reach.
    while best is not None and best + 1 < min(len(sheet.rows), N_SEARCHED):
        below = set(_named(sheet, best + 1, owner).values())
        if not key <= below or len(below) <= most:
            break
        best, most = best + 1, len(below)
    return best


def _named(sheet: Sheet, position: int, owner: Mapping[str, str]) -> dict[int, str]:
    """Return the fields that the cells of a row name, by column."""
    form = collected(sheet.rows[position], owner)
    if form is not None:
        beside = dict(enumerate(sheet.labels)) if position == 0 else {}
        keys = ((at, (header_key(text), header_key(beside.get(at, "")))) for at, text in form.fields.items())
        return {at: owner[key] for at, told in keys if (key := next((one for one in told if one in owner), None))}
    named = {}
    for at, cell in enumerate(sheet.rows[position]):
        texts = [cell] if isinstance(cell, str) else []
        if position == 0 and at < len(sheet.labels):
            texts.append(sheet.labels[at])
        found = next((name for text in texts if (name := meant_by(text, owner))), None)
        if found is not None:
            named[at] = found
    return named


def meant_by(header: str, owner: Mapping[str, str]) -> str | None:
    """Return the field that a header names: as it stands, or without its unit, its number or its translation."""
    name = owner.get(header_key(header))
    if name is not None or len(header) > _LONGEST_HEADER:
        return name
    bare = _NUMBERED.sub("", header)
    beside = " ".join(_IN_BRACKETS.findall(bare))
    if beside and is_of_units(beside):
        # "absences (hours / month)" is no month.
        return owner.get(header_key(_IN_BRACKETS.sub(" ", bare)))
    texts = [
        bare,
        _FOOTNOTE.sub("", bare),
        _IN_BRACKETS.sub(" ", bare),
        *_IN_BRACKETS.findall(bare),
        *_DIVIDED.split(bare),
    ]
    found = {owner[key] for text in texts if (key := header_key(text)) in owner}
    return found.pop() if len(found) == 1 else None


def _columns(
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
    named, form = _named(sheet, header, owner), collected(row, owner)
    exact = {
        at
        for at, name in named.items()
        if form is not None or (isinstance(row[at], str) and owner.get(header_key(str(row[at]))) == name)
    }
    columns_of_table = [at for at, title in enumerate(row) if form is None or title is None or at in form.fields]
    columns: dict[str, int] = {}
    findings: list[Finding] = []
    left: list[int] = []
    # Headers that name a field as they stand come first: "hours (total)" is not "hours" where there is such a column.
    for at in sorted(set(columns_of_table) - set(passed_over), key=lambda at: (at not in exact, at)):
        name = named.get(at)
        if name is None or (name in columns and at not in exact):
            left.append(at)
        elif name in columns:
            problem = f"Two of its columns are {name!r}: {row[columns[name]]!r} and {row[at]!r}."
            findings.append(sheet.finding(problem, "Keep one of them.", row=header, column=name, severity="refused"))
        else:
            columns[name] = at
            findings += [] if at in exact else [_read_as(sheet, header, at, name)]
    for at in left:
        otherwise = _known_otherwise(sheet, table, header, at, columns, country=country)
        findings += otherwise or _left_out(sheet, table, header, at, {*columns, *_asked_by_name(table, needed)})
    absent = _absent(sheet, table, header, columns, needed, told_elsewhere=told_elsewhere)
    return columns, (*_counted(sheet, table, header, findings), *absent)


def _counted(sheet: Sheet, table: Table, header: int, findings: Sequence[Finding]) -> list[Finding]:
    """Report many columns that are left out by their number, not one by one."""
    unknown = [one for one in findings if one.severity == "note" and one.remedy == _NOT_NEEDED]
    if len(unknown) <= _N_UNKNOWN:
        return list(findings)
    problem = f"{len(unknown)} of its columns are not in the table {table.name!r}; their values are left out."
    others = [one for one in findings if one not in unknown]
    return [*others, sheet.finding(problem, _NOT_NEEDED, row=header, severity="note")]


def _read_as(sheet: Sheet, header: int, at: int, name: str) -> Finding:
    problem = f"The column is taken for {name!r}."
    called = " ".join(str(sheet.rows[header][at]).split())[:_LONGEST_HEADER]
    return sheet.finding(problem, "Nothing, if that is right.", row=header, column=called, severity="note")


def _absent(
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
        yield sheet.finding(problem, _key_to_add(in_key), row=header, severity="refused")
        return
    required = [item.name for item in absent if item.required]
    if required:
        problem = f"It has no column {' and no column '.join(map(repr, required))}, which every row needs."
        yield sheet.finding(problem, "Add the column.", row=header, severity="question")
    for item in absent:
        if item.name in needed and not item.required:
            problem = f"It has no column {item.name!r}, which the results of the trial are made from."
            remedy = _renamed(sheet, header, columns, item)
            yield sheet.finding(problem, remedy, row=header, column=item.name, severity="question")
    others = [item.name for item in absent if not item.required and item.name not in needed]
    if others:
        problem = f"It has no column {', '.join(map(repr, others))}; the values are missing."
        yield sheet.finding(problem, "Nothing, unless the school has them.", row=header, severity="note")


_KEYS_THAT_HELP = MappingProxyType({"school_id": "school_from", "month": "wide"})
"""Field to the key of a rule of the inbox that says where it is, if not in a column of its own."""


def _key_to_add(absent: Sequence[str]) -> str:
    """Return what to do about missing fields of the key: add their columns, or have the protocol say where they are."""
    keys = {_KEYS_THAT_HELP.get(name, "") for name in absent}
    if "" in keys:
        return "Add the column."
    columns, helping = " and ".join(map(repr, absent)), " and ".join(map(repr, sorted(keys)))
    return f"Add the column {columns}, or say where it is with {helping} in [[inbox]]."


def _renamed(sheet: Sheet, header: int, columns: Mapping[str, int], item: Field) -> str:
    """Describe what to do about a missing column: rename the one whose header is nearest, or add it."""
    taken = set(columns.values())
    free = {
        header_key(cell[:_LONGEST_HEADER]): cell.strip()
        for at, cell in enumerate(sheet.rows[header])
        if at not in taken and isinstance(cell, str) and cell.strip()
    }
    likeness = {
        header: max(difflib.SequenceMatcher(None, header, known).ratio() for known in item.header_keys)
        for header in free
    }
    nearest = max(likeness, key=lambda header: likeness[header], default="")
    if not nearest or likeness[nearest] < _LIKE:
        return "Add the column and send the file again."
    return f"If it is the column {free[nearest]!r}, call it {item.name!r} and send the file again."


def _asked_by_name(table: Table, needed: Collection[str]) -> set[str]:
    """Return the fields whose missing column is a question that names the nearest header."""
    return {item.name for item in table.fields if item.name in needed and not item.required}


def _known_otherwise(
    sheet: Sheet, table: Table, header: int, at: int, columns: Collection[str], *, country: str
) -> list[Finding]:
    """Report a column with something in it whose header has two meanings, or is of what no trial collects."""
    title = sheet.rows[header][at]
    if not isinstance(title, str) or all(at >= len(row) or is_empty((row[at],)) for row in sheet.rows[header + 1 :]):
        return []
    key = header_key(title[:_LONGEST_HEADER])
    kind = next((kind for word, kind in unwanted_headers(country).items() if f" {word} " in f" {key} "), "")
    if kind:
        remedy = "Leave the column out when you send the file again."
        return [sheet.finding(_UNWANTED[kind], remedy, row=header, column=title, severity="question")]
    name, meaning = doubtful_headers(country).get(key, ("", ""))
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


def _left_out(sheet: Sheet, table: Table, header: int, at: int, settled: Collection[str]) -> list[Finding]:
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
    near = difflib.get_close_matches(header_key(name[:_LONGEST_HEADER]), headers_of(table), n=1, cutoff=0.8)
    if near:
        field_name = headers_of(table)[near[0]]
        remedy = f"If it is {field_name!r}, call it so and send the file again."
        severity = "note" if is_blank or field_name in settled else "question"
    return [sheet.finding(problem, remedy, row=header, column=name, severity=severity)]
