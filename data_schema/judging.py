"""One table from all its sheets: cells cleaned, rows judged, everything accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_schema.checks import RowProblem, duplicates, match_school, missing_answers, missing_keys
from data_schema.clean import asked, shown
from data_schema.columns import Column, clean_column, text_series, typed_series
from data_schema.findings import Finding
from data_schema.layout import Layout
from data_schema.privacy import Withheld, looks_like_name
from data_schema.reconciliation import Tally
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

REPAIR_COLUMNS = ("file", "sheet", "row", "column", "was", "became", "rule")
_KEPT, _ASKED, _REFUSED = 0, 1, 2
_OUTCOMES = {"kept": _KEPT, "asked": _ASKED, "refused": _REFUSED}
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One sheet that holds a table.

    Parameters
    ----------
    layout
        Where the table lies in it.
    wave
        Its wave; empty when the table has none.
    country
        Country of the file, as far as its path tells.
    """

    layout: Layout
    wave: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A table's cells, cleaned, before rows are judged.

    Parameters
    ----------
    table
        The table.
    parts
        The sheets that they come from.
    columns
        Field to its cells.
    part_of, rows
        Position in `parts`, and row as a spreadsheet numbers it, of each row of the table; shape (n_rows,).
    """

    table: Table
    parts: tuple[Part, ...]
    columns: Mapping[str, Column]
    part_of: np.ndarray
    rows: np.ndarray

    def private_texts(self, privacy: str) -> Iterator[str]:
        """Yield what was sent in fields of a kind of privacy."""
        for column in self.columns.values():
            if column.field.privacy == privacy:
                yield from (shown(cell) for cell in column.sent if cell is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A table after intake.

    Parameters
    ----------
    frame
        Rows that are kept.
    findings
        What was found.
    repairs
        One tuple a repair, in the order of `REPAIR_COLUMNS`.
    tallies
        One a sheet.
    pending
        (school_id, pupil_id) of rows that are kept out until a question is answered.
    """

    frame: pd.DataFrame
    findings: tuple[Finding, ...]
    repairs: tuple[tuple[str, str, int, str, str, str, str], ...]
    tallies: tuple[Tally, ...]
    pending: frozenset[tuple[str, str]]


def draft(table: Table, parts: Sequence[Part]) -> Draft:
    """Clean all cells of a table.

    Parameters
    ----------
    table
        The table.
    parts
        The sheets that hold it, all of them usable.
    """
    layouts = [part.layout for part in parts]
    sizes = [len(layout.rows) for layout in layouts]
    return Draft(
        table=table,
        parts=tuple(parts),
        columns={item.name: clean_column(item, layouts) for item in table.fields},
        part_of=np.repeat(np.arange(len(parts)), sizes),
        rows=np.array([at + 1 for layout in layouts for at in layout.rows], dtype=np.int64),
    )


def judge(made: Draft, *, schools: Mapping[str, str], withheld: Withheld) -> Judged:
    """Decide what becomes of each row.

    Parameters
    ----------
    made
        The table's cells.
    schools
        School to its country.
    withheld
        What must not be told.
    """
    return _Judge(made, schools, withheld).judged()


class _Judge:
    """Works through one table; used once."""

    def __init__(self, made: Draft, schools: Mapping[str, str], withheld: Withheld) -> None:
        self.made, self.table = made, made.table
        self.schools, self.withheld = schools, withheld
        self.columns = dict(made.columns)
        self.status = np.zeros(len(made.rows), dtype=np.int8)
        self.findings: list[Finding] = []
        self.has_extra: set[int] = set()
        self.has_names = any(item.privacy == "direct" for item in self.table.fields)

    def judged(self) -> Judged:
        self._overlong()
        if self.table.about == "pupil":
            self._names_in_text()
        self._schools()
        values = {name: column.found for name, column in self.columns.items()}
        in_question = {k for name in self.table.key for k in self.columns[name].questions()}
        self._take(missing_keys(values, self.table, asked=self._out() | in_question))
        self.status[sorted(in_question - self._out())] = _ASKED
        self._take(duplicates(self._frame(values), self.table))
        self._questions()
        self._take(missing_answers(self._answers(), self.table, asked=self._out()))
        return Judged(
            frame=self._frame(values).reset_index(drop=True),
            findings=tuple(self.findings),
            repairs=tuple(self._repairs()),
            tallies=tuple(self._tallies(values["school_id"])),
            pending=self._pending(values),
        )

    def _overlong(self) -> None:
        """Ask about rows with cells beyond the header: theirs may have moved, so nothing in them can be trusted."""
        start = 0
        problems = []
        for part in self.made.parts:
            problems += [
                RowProblem(
                    position=start + row,
                    column="",
                    problem="The row has more cells than the header has columns; a separator may stand inside one.",
                    remedy="Put text that holds separators between quotation marks, or remove the extra cells.",
                )
                for row in part.layout.overlong()
            ]
            start += len(part.layout.rows)
        self.has_extra = {problem.position for problem in problems}
        self._take(problems)

    def _names_in_text(self) -> None:
        """Take names of pupils out of columns that are open."""
        for name, column in self.columns.items():
            if column.field.type != "text" or column.field.is_private:
                continue
            texts = {value for value in column.found if isinstance(value, str)}
            named = {text for text in texts if self.withheld.is_name(text)}
            if named:
                problem = asked("The name of a pupil stands here; it is not taken in.", "Remove the name.")
                self.columns[name] = replace(
                    column, cells=[problem if cell.value in named else cell for cell in column.cells]
                )

    def _schools(self) -> None:
        column = self.columns["school_id"]
        matches = {value: match_school(value, self.schools) for value in column.found if isinstance(value, str)}
        cells, problems = list(column.cells), []
        for position, cell in enumerate(column.cells):
            if not isinstance(cell.value, str) or position in self.has_extra:
                continue
            match = matches[cell.value]
            if match.school is None:
                problems.append(
                    RowProblem(
                        position=position,
                        column="school_id",
                        value=cell.value,
                        problem=match.problem,
                        remedy=match.remedy,
                    )
                )
            elif match.school != cell.value:
                cells[position] = replace(cell, value=match.school, rules=(*cell.rules, "case"))
        self.columns["school_id"] = replace(column, cells=cells)
        self._take(problems)

    def _questions(self) -> None:
        """Ask about cells, in every row that is not refused and whose cells stand where they belong."""
        for column in self.columns.values():
            for position in column.questions():
                if self.status[position] == _REFUSED or position in self.has_extra:
                    continue
                cell = column.cells[position]
                value = "" if column.field.is_private else shown(column.sent[position]).strip()
                self.findings.append(
                    self._finding(
                        RowProblem(
                            position=position,
                            column=column.field.name,
                            value=value,
                            problem=cell.problem,
                            remedy=cell.remedy,
                        )
                    )
                )

    def _take(self, problems: Iterable[RowProblem]) -> None:
        for problem in problems:
            outcome = _OUTCOMES[problem.outcome]
            self.status[problem.position] = max(outcome, self.status[problem.position])
            self.findings.append(self._finding(problem))

    def _finding(self, problem: RowProblem) -> Finding:
        part = self.made.parts[self.made.part_of[problem.position]]
        value = problem.value
        if len(value) > _LONGEST_SHOWN or self._is_hidden(value, problem.column):
            value = ""
        return Finding(
            file=part.layout.sheet.file,
            sheet=part.layout.sheet.sheet,
            row=int(self.made.rows[problem.position]),
            column=problem.column,
            value=value,
            problem=problem.problem.replace("{value}", repr(value) if value else "What stands here"),
            remedy=problem.remedy,
            severity=problem.severity,
        )

    def _is_hidden(self, value: str, column: str) -> bool:
        """Whether a value must not be told: a known name, or what may be one in a table that has names."""
        if self.withheld.covers(value):
            return True
        has_words = column in self.columns and self.columns[column].field.type in ("code", "text", "identifier")
        return self.has_names and looks_like_name(value, among_words=has_words)

    def _out(self) -> set[int]:
        return set(np.flatnonzero(self.status != _KEPT).tolist())

    def _answers(self) -> dict[str, list[bool | None]]:
        """Whether there is an answer in each cell; one in question is an answer too, and so is one in no column."""
        return {item.name: self._answered(item.name) for item in self.table.fields if item.required}

    def _answered(self, name: str) -> list[bool | None]:
        has_column = [name in part.layout.columns for part in self.made.parts]
        cells = zip(self.columns[name].cells, self.made.part_of.tolist(), strict=True)
        return [
            True if cell.problem or cell.value is not None or not has_column[part] else None for cell, part in cells
        ]

    def _frame(self, values: Mapping[str, Sequence[object]]) -> pd.DataFrame:
        """Rows that are kept so far; the index holds their positions."""
        import pandas as pd

        kept = np.flatnonzero(self.status == _KEPT)
        positions = kept.tolist()
        cells = {name: [found[k] for k in positions] for name, found in values.items()}
        columns = {item.name: typed_series(cells[item.name], item) for item in self.table.fields}
        parts = [self.made.parts[k] for k in self.made.part_of[kept].tolist()]
        columns["wave"] = text_series([part.wave for part in parts])
        columns["country"] = text_series([self.schools.get(str(school), "") for school in cells["school_id"]])
        columns["source_file"] = text_series([part.layout.sheet.file for part in parts])
        columns["source_sheet"] = text_series([part.layout.sheet.sheet for part in parts])
        columns["source_row"] = pd.Series(self.made.rows[kept], dtype="int64")
        return pd.DataFrame(columns).set_axis(kept, axis="index")

    def _repairs(self) -> Iterator[tuple[str, str, int, str, str, str, str]]:
        """Tell every repair in the rows that are kept."""
        places = [(part.layout.sheet.file, part.layout.sheet.sheet) for part in self.made.parts]
        part_of, rows, kept = self.made.part_of.tolist(), self.made.rows.tolist(), (self.status == _KEPT).tolist()
        for name, column in self.columns.items():
            hidden = column.field.is_private
            told: dict[tuple[str, str], tuple[str, str]] = {}
            for position in column.repaired():
                if not kept[position]:
                    continue
                was, became = column.sent[position], column.cells[position].value
                pair = ("", "") if hidden else (shown(was), shown(became))
                if pair not in told:
                    is_hidden = self._is_hidden(pair[0], name) if column.field.type == "text" else False
                    told[pair] = ("", "") if is_hidden else pair
                rule = ", ".join(column.cells[position].rules)
                yield (*places[part_of[position]], rows[position], name, *told[pair], rule)

    def _tallies(self, school_ids: Sequence[object]) -> Iterator[Tally]:
        counts = np.zeros((len(self.made.parts), 3), dtype=int)
        np.add.at(counts, (self.made.part_of, self.status), 1)
        countries: dict[int, Counter[str]] = {}
        for part_at, school in zip(self.made.part_of.tolist(), school_ids, strict=True):
            if isinstance(school, str) and school in self.schools:
                countries.setdefault(part_at, Counter())[self.schools[school]] += 1
        for at, part in enumerate(self.made.parts):
            seen = countries.get(at, Counter())
            kept, questions, refused = (int(n) for n in counts[at])
            yield Tally(
                file=part.layout.sheet.file,
                sheet=part.layout.sheet.sheet,
                table=self.table.name,
                wave=part.wave,
                country=next(iter(seen)) if len(seen) == 1 else part.country if not seen else "",
                sent=len(part.layout.rows),
                kept=kept,
                asked=questions,
                refused=refused,
            )

    def _pending(self, values: Mapping[str, Sequence[object]]) -> frozenset[tuple[str, str]]:
        if self.table.about != "pupil":
            return frozenset()
        out = np.flatnonzero(self.status == _ASKED).tolist()
        pairs = ((values["school_id"][k], values["pupil_id"][k]) for k in out)
        return frozenset((a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str))
