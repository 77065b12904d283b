"""One table from all its sheets: cells cleaned, rows judged, everything accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_schema.checks import (
    RowProblem,
    SchoolMatch,
    SchoolNames,
    find_contradicting_files,
    find_duplicates,
    find_missing_answers,
    find_missing_keys,
)
from data_schema.clean import CleanCell, format_value
from data_schema.columns import Column, Draft, build_text_series, build_typed_series, compute_meaning_numbers
from data_schema.findings import Finding
from data_schema.margins import HEADER, HEADING, HINTS, REMARK, REMOVED, SIGNS, TOTALS, UNFILLED
from data_schema.numerals import YEAR_OF_DATE
from data_schema.patterns import find_patternless_rows
from data_schema.personal.gate import Gate
from data_schema.personal.opening import clean_open_columns
from data_schema.placing import Setting, find_copied_records, find_misplaced_rows, find_rows_of_other_classes
from data_schema.returns import Tally
from data_schema.submissions import OTHER_FORM, REJECTED, UNDECRYPTED

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import Field

REPAIR_COLUMNS = ("file", "sheet", "row", "column", "was", "became", "rule")
_KEPT, _ASKED, _REFUSED = 0, 1, 2
_OUTCOMES = {"kept": _KEPT, "asked": _ASKED, "refused": _REFUSED}
_LONGEST_SHOWN, _DIGITS_OF_YEAR = 40, 4
_APART = {
    TOTALS: "It is a row of totals; it is kept out.",
    HEADER: "It is the header again; it is kept out.",
    HINTS: "It says how to fill in the columns; it is kept out.",
    HEADING: "It is the heading of a class; the rows below it are of that class.",
    SIGNS: "It is a line of signs; it is kept out.",
    REMARK: "It is a remark below the table; it is kept out.",
    UNFILLED: "Nothing was filled in for this pupil or record; it is kept out.",
    REMOVED: "The school answered that the row is to be removed; it is kept out.",
    REJECTED: "A review has rejected the submission; it is kept out.",
    UNDECRYPTED: "The submission is encrypted; it is kept out.",
    OTHER_FORM: "The submission is of another form; it is kept out.",
}


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
        One row a repair, in the order of `REPAIR_COLUMNS`.
    tallies
        One a sheet.
    pending
        (school_id, pupil_id) of rows that are kept out until a question is answered.
    asked
        File, sheet and row of such rows to the school, where it is known.
    """

    frame: pd.DataFrame
    findings: tuple[Finding, ...]
    repairs: pd.DataFrame
    tallies: tuple[Tally, ...]
    pending: frozenset[tuple[str, str]]
    asked: Mapping[tuple[str, str, int], str]


def judge(made: Draft, *, setting: Setting, gate: Gate) -> Judged:
    """Decide what becomes of each row.

    Parameters
    ----------
    made
        The table's cells.
    setting
        Schools and waves of the trial, and what schools have said to be right.
    gate
        What must not be shown, and not be taken in.
    """
    return _Judge(made, setting, gate).judged()


class _Judge:
    """Works through one table; used once."""

    def __init__(self, made: Draft, setting: Setting, gate: Gate) -> None:
        self.made, self.table = made, made.table
        self.setting, self.schools, self.gate = setting, setting.schools, gate
        self.columns = dict(made.columns)
        self.status = np.zeros(len(made.rows), dtype=np.int8)
        self.findings: list[Finding] = []
        self.has_extra: set[int] = set()
        self.has_names = any(item.privacy == "direct" for item in self.table.fields)

    def judged(self) -> Judged:
        self._remove_non_records()
        self._ask_about_overlong_rows()
        self._ask_about_struck_rows()
        self._ask_about_unsettled_rows()
        self.columns, further_findings = clean_open_columns(self.made, self.gate, confirmed=self.setting.confirmed)
        self.findings += further_findings
        self._match_schools()
        self._take(find_patternless_rows(self.made, self.columns, self._get_kept_positions(), self.schools))
        self._take(find_misplaced_rows(self.made, self.columns, self._get_kept_positions(), self.setting))
        self._take(find_rows_of_other_classes(self.made, self.columns, self.setting))
        keys = {name: self.columns[name].array() for name in dict.fromkeys((*self.table.key, "school_id"))}
        in_question = {k for name in self.table.key for k in self.columns[name].questions().tolist()}
        self._take(find_missing_keys(keys, self.table, asked=self._get_excluded_positions() | in_question))
        self.status[sorted(in_question - self._get_excluded_positions())] = _ASKED
        doubled = self._find_doubled_positions()
        if len(doubled):
            frame = self._build_frame(doubled)
            self._take(find_duplicates(frame, self.table))
            self.findings += find_contradicting_files(frame, self.table)
        copied, further_findings = find_copied_records(
            self.made, self.columns, self._get_kept_positions(), self.setting
        )
        self.status[copied] = _ASKED
        self.findings += further_findings
        self._ask_about_cells()
        self._take(find_missing_answers(self._find_answered_cells(), self.table, asked=self._get_excluded_positions()))
        return Judged(
            frame=self._build_frame(self._get_kept_positions()).reset_index(drop=True),
            findings=tuple(self.findings),
            repairs=self._collect_repairs(),
            tallies=tuple(self._iterate_tallies()),
            pending=self._find_pending_pupils(keys),
            asked=self._index_asked_rows(keys["school_id"]),
        )

    def _remove_non_records(self) -> None:
        """Keep out what is no record: totals, repeated headers, remarks."""
        start = 0
        problems = []
        for part in self.made.parts:
            problems += [
                RowProblem(
                    position=start + row,
                    column="",
                    problem=_APART[kind],
                    remedy="Nothing, if that is right.",
                    severity="note",
                    outcome="refused",
                )
                for row, kind in part.layout.apart.items()
            ]
            start += len(part.layout.rows)
        self.has_extra = {problem.position for problem in problems}
        self._take(problems)

    def _ask_about_overlong_rows(self) -> None:
        """Ask about rows with cells beyond the header: theirs may have moved, so nothing in them can be trusted."""
        self._ask_of_rows(
            [part.layout.overlong() for part in self.made.parts],
            problem="The row has more cells than the header has columns; a separator may stand inside one.",
            remedy="Put text that holds separators between quotation marks, or remove the extra cells.",
        )

    def _ask_about_struck_rows(self) -> None:
        """Ask about rows struck through, wholly or in part: the pupil may have left, or the value be wrong."""
        self._ask_of_rows(
            [part.layout.struck() for part in self.made.parts],
            problem="The row is struck through, at least in part, and it is not sure whether it still holds.",
            remedy="Answer 'yes' if it does as it stands, and 'no' if it is to be removed.",
        )

    def _ask_about_unsettled_rows(self) -> None:
        """Ask about submissions that wait for a review, or of which it has said that something is wrong."""
        self._ask_of_rows(
            [part.layout.unsettled() for part in self.made.parts],
            problem="Where the submission was collected, its review has not said that it holds.",
            remedy="Answer 'yes' if it does as it stands, and 'no' if it is to be removed.",
        )

    def _ask_of_rows(self, rows: Sequence[Sequence[int]], *, problem: str, remedy: str) -> None:
        """Ask about whole rows, given part by part; nothing else is asked about them."""
        start = 0
        positions = []
        for part, part_rows in zip(self.made.parts, rows, strict=True):
            positions += [start + row for row in part_rows if row not in part.layout.apart]
            start += len(part.layout.rows)
        positions = [position for position in positions if position not in self.has_extra]
        self.has_extra |= set(positions)
        self._take(RowProblem(position=position, column="", problem=problem, remedy=remedy) for position in positions)

    def _match_schools(self) -> None:
        column = self.columns["school_id"]
        changed_cells: dict[int, CleanCell] = {}
        unknown: dict[int, SchoolMatch] = {}
        names = SchoolNames(self.schools)
        for code, value in enumerate(column.meanings):
            if not isinstance(value, str):
                continue
            match = names.match(value)
            if match.school is None:
                unknown[code] = match
            elif match.school != value:
                old = column.odd.get(code, CleanCell())
                changed_cells[code] = replace(old, value=match.school, rules=(*old.rules, match.rule))
        self.columns["school_id"] = column.changed(changed_cells)
        positions = column.where(list(unknown)).tolist()
        self._take(
            RowProblem(
                position=position,
                column="school_id",
                value=column.meanings[code],
                problem=unknown[code].problem,
                remedy=unknown[code].remedy,
            )
            for position, code in zip(positions, column.codes[positions].tolist(), strict=True)
            if position not in self.has_extra
        )

    def _ask_about_cells(self) -> None:
        """Ask about cells, in every row that is not refused and whose cells stand where they belong."""
        for column in self.columns.values():
            for position in column.questions().tolist():
                if self.status[position] == _REFUSED or position in self.has_extra:
                    continue
                cell = column.cell(position)
                value = "" if column.field.is_private else format_value(column.raw[column.codes[position]]).strip()
                self.findings.append(
                    self._build_finding(
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
            self.findings.append(self._build_finding(problem))

    def _build_finding(self, problem: RowProblem) -> Finding:
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
        """Whether a value must not be shown: of a person, or what may be so in a table that has names."""
        item = self.columns[column].field if column in self.columns else None
        if item is not None and item.type == "year" and sum(map(str.isdigit, value)) > _DIGITS_OF_YEAR:
            # A whole date of birth, or a spreadsheet's number of its day.
            return True
        words_belong = item is not None and item.type in ("code", "text", "identifier")
        has_names = self.has_names or (item is not None and item.type == "identifier")
        return self.gate.hides(value, words_belong=words_belong, has_names=has_names)

    def _get_kept_positions(self) -> np.ndarray:
        """Positions of the rows that are kept so far."""
        return np.flatnonzero(self.status == _KEPT)

    def _get_excluded_positions(self) -> set[int]:
        return set(np.flatnonzero(self.status != _KEPT).tolist())

    def _find_answered_cells(self) -> dict[str, np.ndarray]:
        """Whether there is an answer in each cell; one in question is an answer too, and so is one in no column."""
        return {item.name: self._mark_answered_cells(item.name) for item in self.table.fields if item.required}

    def _mark_answered_cells(self, name: str) -> np.ndarray:
        has_column = np.array([name in part.layout.columns for part in self.made.parts], dtype=bool)
        is_missing = self.columns[name].is_missing() & has_column[self.made.part_of]
        is_missing[self.columns[name].questions()] = False
        is_missing &= self._is_asked(self.table.field(name))
        answered = np.full(len(is_missing), fill_value=True, dtype=object)
        answered[is_missing] = None
        return answered

    def _is_asked(self, item: Field) -> np.ndarray:
        """Whether a field was to be filled in, row by row: nobody misses a value that was not to be asked."""
        n = len(self.status)
        if item.asked_if is None or item.asked_if[0] not in self.columns:
            return np.ones(n, dtype=bool)
        name, answers = item.asked_if
        is_yes_no = self.table.field(name).type == "yes_no"
        meant = {"yes": True, "no": False}
        wanted = {meant[answer] for answer in answers} if is_yes_no else set(answers)
        # Where the file has no column of the condition, nothing says that it was not fulfilled.
        has_column = np.array([name in part.layout.columns for part in self.made.parts], dtype=bool)[self.made.part_of]
        is_wanted = np.array([value in wanted for value in self.columns[name].found], dtype=bool)
        is_asked: np.ndarray = is_wanted | ~has_column
        return is_asked

    def _find_doubled_positions(self) -> np.ndarray:
        """Positions of the rows, among those kept so far, whose key is in another one as well."""
        import pandas as pd

        waves = {wave: rank for rank, wave in enumerate(dict.fromkeys(part.wave for part in self.made.parts))}
        wave_of = np.array([waves[part.wave] for part in self.made.parts], dtype=np.int64)
        kept_positions = self._get_kept_positions()
        first = wave_of[self.made.part_of[kept_positions]] if len(kept_positions) else np.empty(0, dtype=np.int64)
        numbers = compute_meaning_numbers([self.columns[name] for name in self.table.key], kept_positions, first=first)
        return kept_positions[pd.Series(numbers).duplicated(keep=False).to_numpy()]

    def _build_frame(self, positions: np.ndarray) -> pd.DataFrame:
        """Rows at positions; the index holds them."""
        import pandas as pd

        columns: dict[str, pd.Series] = {}
        for item in self.table.fields:
            column = self.columns[item.name]
            typed = build_typed_series(column.meanings.tolist(), item)
            columns[item.name] = typed.take(column.codes[positions]).reset_index(drop=True)
        part_of = self.made.part_of[positions]
        sheets = [part.layout.sheet for part in self.made.parts]

        def take_values_of_part(texts: list[str]) -> pd.Series:
            return build_text_series(texts).take(part_of).reset_index(drop=True)

        columns["wave"] = take_values_of_part([part.wave for part in self.made.parts])
        schools = self.columns["school_id"]
        countries = build_text_series([self.schools.get(str(value), "") for value in schools.meanings])
        columns["country"] = countries.take(schools.codes[positions]).reset_index(drop=True)
        columns["source_file"] = take_values_of_part([sheet.file for sheet in sheets])
        columns["source_sheet"] = take_values_of_part([sheet.sheet for sheet in sheets])
        columns["source_row"] = pd.Series(self.made.rows[positions], dtype="int64")
        return pd.DataFrame(columns).set_axis(positions, axis="index")

    def _collect_repairs(self) -> pd.DataFrame:
        """Report every repair in the rows that are kept."""
        import pandas as pd

        places = [(part.layout.sheet.file, part.layout.sheet.sheet) for part in self.made.parts]
        pieces = [pd.DataFrame(columns=list(REPAIR_COLUMNS))]
        for name, column in self.columns.items():
            positions = column.repaired()
            positions = positions[self.status[positions] == _KEPT]
            if not len(positions):
                continue
            codes, back = np.unique(column.codes[positions], return_inverse=True)
            change_texts = [self._describe_repair(column, code) for code in codes.tolist()]
            part_of = self.made.part_of[positions].tolist()
            was, became, rule = (np.array(texts, dtype=object)[back] for texts in zip(*change_texts, strict=True))
            piece = {
                "file": [places[part_index][0] for part_index in part_of],
                "sheet": [places[part_index][1] for part_index in part_of],
                "row": self.made.rows[positions],
                "column": name,
                "was": was,
                "became": became,
                "rule": rule,
            }
            pieces.append(pd.DataFrame(piece))
        return pd.concat(pieces[1:], ignore_index=True) if len(pieces) > 1 else pieces[0]

    def _describe_repair(self, column: Column, code: int) -> tuple[str, str, str]:
        rule = ", ".join(column.odd[code].rules)
        was, became = format_value(column.raw[code]), format_value(column.meanings[code])
        is_hidden = column.field.is_private or YEAR_OF_DATE in column.odd[code].rules
        if not is_hidden and column.field.type == "text":
            is_hidden = self._is_hidden(was, column.field.name)
        return ("", "", rule) if is_hidden else (was, became, rule)

    def _iterate_tallies(self) -> Iterator[Tally]:
        counts = np.zeros((len(self.made.parts), 3), dtype=int)
        np.add.at(counts, (self.made.part_of, self.status), 1)
        countries: dict[int, set[str]] = {}
        column = self.columns["school_id"]
        width = len(column.meanings) + 1
        for pair in np.unique(self.made.part_of * width + column.codes).tolist():
            part_at, code = divmod(pair, width)
            school = column.meanings[code]
            if isinstance(school, str) and school in self.schools:
                countries.setdefault(part_at, set()).add(self.schools[school])
        for part_index, part in enumerate(self.made.parts):
            seen = countries.get(part_index, set())
            n_kept, questions, refused = (int(n) for n in counts[part_index])
            yield Tally(
                file=part.layout.sheet.file,
                sheet=part.layout.sheet.sheet,
                table=self.table.name,
                wave=part.wave,
                country=next(iter(seen)) if len(seen) == 1 else part.country if not seen else "",
                sent=len(part.layout.rows),
                kept=n_kept,
                asked=questions,
                refused=refused,
            )

    def _find_pending_pupils(self, values: Mapping[str, np.ndarray]) -> frozenset[tuple[str, str]]:
        if self.table.about != "pupil":
            return frozenset()
        out = np.flatnonzero(self.status == _ASKED).tolist()
        pairs = ((values["school_id"][k], values["pupil_id"][k]) for k in out)
        return frozenset((a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str))

    def _index_asked_rows(self, school_ids: np.ndarray) -> dict[tuple[str, str, int], str]:
        school_by_row = {}
        for position in np.flatnonzero(self.status == _ASKED).tolist():
            school, sheet = school_ids[position], self.made.parts[self.made.part_of[position]].layout.sheet
            if isinstance(school, str) and school in self.schools:
                school_by_row[sheet.file, sheet.sheet, int(self.made.rows[position])] = school
        return school_by_row
