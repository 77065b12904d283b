"""Answers of schools, put into the cells that they are about before anything is judged; each is written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_schema.clean import format_value
from data_schema.fields import YES_NO, Field, normalise_word
from data_schema.findings import Finding
from data_schema.layout import Layout
from data_schema.margins import REMOVED
from data_schema.personal.stand_ins import build_sheet_stand_in, is_stand_in
from data_schema.queries import Answer
from data_schema.readers import Cell, Sheet
from data_schema.tables import Table
from data_schema.vocabulary import collect_spoken_words

if TYPE_CHECKING:
    import pandas as pd

ANSWER_COLUMNS = ("file", "sheet", "row", "column", "was", "became", "status", "answered_in", "answered_row")
_YES, _NO = (frozenset(code.words) - {"1", "0"} for code in YES_NO)
_UNKNOWN = frozenset(
    {"-", "–", "—", "na", "n/a", "?", "unknown", "not known", *map(normalise_word, collect_spoken_words("unknown"))}
)
_NOT_RECORDED = (
    "not recorded", "not collected", "we do not record", "we don't record", "we do not collect", "we don't collect",
    "nem rögzítjük", "nem gyűjtjük", "nem vezetjük", "ni zabeleženo", "ne beležimo", "ne zbiramo", "nije zabeleženo",
    "ne prikupljamo", "није забележено", "не бележимо", "не прикупљамо",
)  # fmt: skip
"""How an answer begins that says of a whole column or file that the school does not have it; a reason may follow."""

_TOLD_TYPES = ("code", "yes_no", "date", "month", "year", "whole_number", "number")

Place = tuple[str, str, int, str]
"""File, sheet, row, column."""


class Answers:
    """Knows what schools answered; changes layouts by it and keeps the history.

    Parameters
    ----------
    answers
        From all workbooks that came back.
    """

    def __init__(self, answers: Sequence[Answer] = ()) -> None:
        self._by_sheet: dict[tuple[str, str], list[Answer]] = {}
        # What is called otherwise than it is named is known by its content.
        self._renamed: list[Answer] = []
        for answer in answers:
            if is_stand_in(answer.file) or is_stand_in(answer.sheet):
                self._renamed.append(answer)
            else:
                self._by_sheet.setdefault((answer.file, answer.sheet), []).append(answer)
        self._log: list[tuple[str, str, int, str, str, str, str, str, int]] = []
        self._closed: set[Place] = set()
        # The same by number of record and field, where a row of a sheet is many records.
        self._within: set[Place] = set()
        self._confirmed: set[Place] = set()
        self._settled: set[Place] = set()
        self._done: set[tuple[str, str]] = set()

    def said_of_school(self, sheet: Sheet, *, sha256: str, number: int = 0) -> Cell:
        """Return what was answered to the question of which school a whole sheet is; None where nothing was."""
        key = (sheet.file, sheet.sheet)
        self._rename_to_asked_sheet(key, sha256=sha256, number=number)
        school_answers = [
            answer.value
            for answer in self._by_sheet.get(key, ())
            if not answer.rows and answer.column == "school_id" and answer.sha256 == sha256
        ]
        return (
            school_answers[0]
            if school_answers
            and all(_normalise_cell(school_answers[0]) == _normalise_cell(other) for other in school_answers)
            else None
        )

    def applied(
        self, layout: Layout, table: Table, *, sha256: str, is_late: Callable[[str], bool], number: int = 0
    ) -> Layout:
        """Return a layout with the answers in their cells.

        Parameters
        ----------
        layout
            Where the table lies.
        table
            The table.
        sha256
            Hash of the file's content; answers to questions about another content are not used.
        is_late
            Whether a workbook of answers, named by the hash of its content, came after the wave had been frozen.
        number
            Number of the sheet in its workbook, from 1; 0 where there are no sheets.

        Returns
        -------
        Layout
            A value takes the place of what was there; "-" empties the cell; "yes" leaves it and closes the question;
            "no", to a question about the whole row or its key, keeps the row out. A question about a column or file as
            a whole is closed by "yes" (it is right as it stands) and by "not recorded", with the reason behind it.
        """
        key = (layout.sheet.file, layout.sheet.sheet)
        self._rename_to_asked_sheet(key, sha256=sha256, number=number)
        answers = self._by_sheet.get(key, [])
        self._done.add(key)
        if not answers:
            return layout
        if layout.header is None:
            for place, answers_of_place in _group_by_place(answers).items():
                self._write(place, answers_of_place[0], "noted")
            return layout
        rows = list(layout.sheet.rows)
        removed: set[int] = set()
        struck = dict.fromkeys((*(row for row, _ in layout.sheet.struck), *layout.in_doubt))
        for place, answers_of_place in _group_by_place(answers).items():
            answer = self._find_usable_answer(place, answers_of_place, sha256=sha256, is_late=is_late)
            if answer is not None:
                self._apply(place, answer, layout, table, rows, removed)
            if (*place[:3], "") in self._closed:
                for closed_position, _ in layout.places(place[2], ""):
                    struck.pop(closed_position + 1, None)
        apart = {k: REMOVED for k, row_position in enumerate(layout.rows) if row_position in removed}
        return replace(
            layout,
            sheet=replace(
                layout.sheet,
                rows=tuple(rows),
                struck=tuple(struck_cell for struck_cell in layout.sheet.struck if struck_cell[0] in struck),
            ),
            apart=MappingProxyType({**layout.apart, **apart}),
            in_doubt=frozenset(row for row in layout.in_doubt if row in struck),
        )

    def _find_usable_answer(
        self, place: Place, told: Sequence[Answer], *, sha256: str, is_late: Callable[[str], bool]
    ) -> Answer | None:
        """Return the one answer about a place; those that are late, stale or contradictory are written down as such."""
        timely_answers = [answer for answer in told if not is_late(answer.source_sha256)]
        if not timely_answers:
            self._write(place, told[0], "late")
            return None
        # A workbook that came back before the file was sent again is not in the way of a newer one.
        for stale_answer in (answer for answer in timely_answers if answer.sha256 != sha256):
            self._write(place, stale_answer, "stale")
        fitting = [answer for answer in timely_answers if answer.sha256 == sha256]
        if not fitting:
            return None
        if any(_normalise_cell(fitting[0].value) != _normalise_cell(other.value) for other in fitting[1:]):
            self._write(place, fitting[0], "contradictory")
            return None
        return fitting[0]

    def _rename_to_asked_sheet(self, key: tuple[str, str], *, sha256: str, number: int) -> None:
        """Give answers to a sheet that was called otherwise in the questions back to it."""
        answers_of_sheet = [
            answer
            for answer in self._renamed
            if answer.sha256 == sha256
            and (answer.file == key[0] or is_stand_in(answer.file))
            and answer.sheet in (key[1], build_sheet_stand_in(number))
        ]
        if answers_of_sheet:
            self._renamed = [answer for answer in self._renamed if answer not in answers_of_sheet]
            self._by_sheet.setdefault(key, []).extend(
                replace(answer, file=key[0], sheet=key[1]) for answer in answers_of_sheet
            )

    def _apply(
        self,
        place: Place,
        answer: Answer,
        layout: Layout,
        table: Table,
        rows: list[tuple[Cell, ...]],
        removed: set[int],
    ) -> None:
        column, places = place[3], layout.places(place[2], place[3])
        # A header of many records' cells is the field that they are of.
        name = places[0][1] if places else column
        word = normalise_word(answer.value).strip(".!") if isinstance(answer.value, str) else ""
        if not place[2] and column == "school_id" and layout.school:
            is_used = _normalise_cell(answer.value) == normalise_word(layout.school)
            self._write(place, answer, "applied" if is_used else "noted")
        elif not places:
            # Of a sheet whose columns represent waves, each wave is gone through by itself.
            if not layout.numbers or not layout.places(place[2], column, among_all=True):
                self._resolve_question(place, answer, table)
        elif (not column or name in table.key) and word in _NO:
            removed.update(row_position for row_position, _ in places)
            self._write(place, answer, "removed")
        elif not column and word in _YES and any(_is_in_doubt(row_position + 1, layout) for row_position, _ in places):
            self._mark_as_confirmed(place, places, layout)
            self._write(place, answer, "confirmed")
        elif name not in layout.columns:
            self._write(place, answer, "noted")
        elif word in _YES and table.field(name).type != "yes_no":
            self._mark_as_confirmed(place, places, layout)
            self._write(place, answer, "confirmed")
        else:
            self._apply_answer(place, answer, layout, table.field(name), rows)

    def _apply_answer(
        self, place: Place, answer: Answer, layout: Layout, field: Field, rows: list[tuple[Cell, ...]]
    ) -> None:
        """Put an answer into the cells that it is for."""
        is_unknown = isinstance(answer.value, str) and normalise_word(answer.value).strip(".!") in _UNKNOWN
        became, to = None if is_unknown else answer.value, layout.columns[field.name]
        places = layout.places(place[2], place[3])
        was = [rows[row_position][to] if to < len(rows[row_position]) else None for row_position, _ in places]
        for changed_position, _ in places:
            rows[changed_position] = _replace_cell(rows[changed_position], to, became)
        if is_unknown:
            self._close(place, places, layout)
        status = "missing" if is_unknown else "applied"
        self._write(place, answer, status, field=field, was=was[0], became=became)

    def _close(self, place: Place, places: Sequence[tuple[int, str]], layout: Layout) -> set[Place]:
        within = {(place[0], place[1], layout.number_at(row_position), name) for row_position, name in places}
        self._closed.add(place)
        self._within |= within
        return within

    def _mark_as_confirmed(self, place: Place, places: Sequence[tuple[int, str]], layout: Layout) -> None:
        self._confirmed |= self._close(place, places, layout)

    def _resolve_question(self, place: Place, answer: Answer, table: Table) -> None:
        """Close a question about a column or a file as a whole, or say that it is still open."""
        word = normalise_word(answer.value).strip(" .!") if isinstance(answer.value, str) else ""
        is_absent = word in _UNKNOWN or word.startswith((*map(normalise_word, _NOT_RECORDED), "- ", "– ", "— "))
        # In a file of several schools such a question is in the column of schools: no school answers for all.
        if place[3] in table.key or not (is_absent or word in _YES):
            self._write(place, answer, "open")
            return
        self._settled.add(place)
        status = "not_recorded" if is_absent else "confirmed"
        if not is_absent:
            self._confirmed.add(place)
        self._write(place, answer, status, reason=format_value(answer.value))

    def _write(
        self,
        place: Place,
        answer: Answer,
        status: str,
        *,
        field: Field | None = None,
        was: Cell = None,
        became: Cell = None,
        reason: str = "",
    ) -> None:
        is_told = field is not None and not field.is_private
        is_told = is_told and field is not None and (field.type in _TOLD_TYPES or field.name == "school_id")
        before_and_after = (format_value(was), format_value(became)) if is_told else ("", reason)
        self._log.append((*place, *before_and_after, status, answer.source_file, answer.source_row))

    def closes(self, finding: Finding, *, kept: Collection[tuple[str, str, int]]) -> bool:
        """Whether a finding has been answered: its cell was confirmed, or nobody knows, and its row is kept."""
        place = (finding.file, finding.sheet, finding.row or 0)
        if finding.severity != "question":
            return False
        cell = (*place, finding.column)
        return cell in self._settled or (cell in self._closed and place in kept)

    def confirmed(self, column: str) -> frozenset[tuple[str, str, int]]:
        """Return file, sheet and row of the cells of a column that a school has said to be right."""
        return frozenset(place[:3] for place in self._within if place[3] == column)

    def confirmed_places(self) -> frozenset[Place]:
        """Return the places of which a school has said that what is there is right."""
        return frozenset(self._confirmed)

    def unused(self) -> Iterator[Finding]:
        """Report answers that could not be used; call it when all layouts are done."""
        for answer in self._renamed:
            self._by_sheet.setdefault((answer.file, answer.sheet), []).append(answer)
        for key, answers in self._by_sheet.items():
            if key not in self._done:
                for place, answers_of_place in _group_by_place(answers).items():
                    # A question about a file that could not be read, or that is no longer there.
                    self._write(place, answers_of_place[0], "noted")
        for file, sheet, row, column, _, _, status, source, source_row in dict.fromkeys(self._log):
            if status in _UNUSED:
                problem, remedy, severity = _UNUSED[status]
                yield Finding(
                    file=source,
                    row=source_row,
                    problem=problem.format(place=_format_place(file, sheet, row, column)),
                    remedy=remedy,
                    severity="question" if severity == "question" else "note",
                )

    def to_frame(self) -> pd.DataFrame:
        """Return the history, one row an answer and row that it is for.

        Returns
        -------
        pandas.DataFrame
            `file`, `sheet`, `row` (0 for the whole file), `column`, `was`, `became` (both empty for identifiers and
            texts), `status` ("applied", "missing", "confirmed", "removed"; "not_recorded": the school does not have it,
            with its words in `became`; "open": about a whole column or file, without an answer that closes it; "noted":
            about a file that is not read; "stale": about another content; "late": the wave was frozen before;
            "contradictory"), `answered_in`, `answered_row`.
        """
        import pandas as pd

        types = {name: "int64" if name in ("row", "answered_row") else "str" for name in ANSWER_COLUMNS}
        return pd.DataFrame(sorted(set(self._log)), columns=list(ANSWER_COLUMNS)).astype(types)


_NEWEST = "Answer the newest questions, which `crocoos collect` wrote."
_UNUSED = {
    "stale": ("The answer about {place} is to an older file; it is not used.", _NEWEST, "note"),
    "late": ("The wave was frozen before the answer about {place} came; it is not used.", _NEWEST, "note"),
    "contradictory": (
        "There is more than one answer about {place}, and they differ; none is used.", _NEWEST, "question",
    ),
    "open": (
        "The answer about {place} does not settle the question, which stays open.",
        "Write 'not recorded' and the reason, or 'yes' if it is right as it stands; or send the file again.",
        "note",
    ),
    "not_recorded": (
        "The school answered about {place} that it does not record this; the values stay missing.", "Nothing.", "note",
    ),
}  # fmt: skip
"""What is said of answers that changed no cell, what to do about it, and how serious it is."""


def _format_place(file: str, sheet: str, row: int, column: str) -> str:
    return Finding(file=file, sheet=sheet, row=row or None, column=column, problem="", remedy="", severity="note").place


def _group_by_place(answers: Sequence[Answer]) -> dict[Place, list[Answer]]:
    places: dict[Place, list[Answer]] = {}
    for answer in answers:
        for row in answer.rows or (0,):
            places.setdefault((answer.file, answer.sheet, row, answer.column), []).append(answer)
    return places


def _is_in_doubt(row: int, layout: Layout) -> bool:
    """Whether a row as a whole was asked about: it is struck through, or its review has not said that it holds."""
    return row in layout.in_doubt or any(row == struck for struck, _ in layout.sheet.struck)


def _normalise_cell(value: Cell) -> str:
    return normalise_word(format_value(value))


def _replace_cell(row: tuple[Cell, ...], at: int, value: Cell) -> tuple[Cell, ...]:
    cells = [*row, *[None] * (at + 1 - len(row))]
    cells[at] = value
    return tuple(cells)
