"""What intake found, on its way out: every text of it passes the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from data_schema.findings import Finding, Findings
from data_schema.personal.gate import Gate
from data_schema.personal.stand_ins import StandIns
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.intake import Intake

_SHEETS = (("file", "sheet"), ("source_file", "source_sheet"), ("first_file", "first_sheet"))


def remove_persons_from_finding(found: Finding, gate: Gate) -> Finding:
    """Return a finding about a file of the trial's own people, such as its frame, without what may be of a person."""
    problem, value = gate.passed(found.problem), found.value
    if value and gate.kind_of_label(value) is not None:
        problem, value = problem.replace(repr(value), "What stands here"), ""
    return replace(found, problem=problem, value=value, remedy=gate.passed(found.remedy))


def suppress_personal_data(intake: Intake, *, gate: Gate, stand_ins: StandIns, tables: Mapping[str, Table]) -> Intake:
    """Return what intake found without names, numbers and dates of persons, wherever they stood.

    Parameters
    ----------
    intake
        What was found, with files called as they are.
    gate
        Knows what is of a person.
    stand_ins
        What files and sheets are called.
    tables
        The tables, by name: their fields' names are no headers of a file.
    """
    out = _Out(gate, stand_ins, frozenset(name for table in tables.values() for name in table.names))
    return replace(
        intake,
        frames={name: out.renamed(frame) for name, frame in intake.frames.items()},
        findings=Findings(out.finding(finding) for finding in intake.findings),
        repairs=out.renamed(intake.repairs),
        reconciliation=out.renamed(intake.reconciliation),
        answers=out.answers(intake.answers),
        queries={
            school: [replace(query, finding=out.finding(query.finding)) for query in queries]
            for school, queries in intake.queries.items()
        },
        links=None if intake.links is None else out.renamed(intake.links),
        digests={stand_ins.file(path): digest for path, digest in intake.digests.items()},
        called=dict(stand_ins.files),
    )


class _Out:
    """Rewrites what leaves."""

    def __init__(self, gate: Gate, stand_ins: StandIns, fields: frozenset[str]) -> None:
        self._gate, self._stand_ins, self._fields = gate, stand_ins, fields

    def finding(self, found: Finding) -> Finding:
        has_value = bool(found.value) and not self._gate.hides(found.value)
        has_column = found.column in self._fields or self._gate.kind_of_label(found.column) is None
        problem, remedy = (self._clean_sentence(text) for text in (found.problem, found.remedy))
        if found.value and not has_value:
            problem = problem.replace(repr(found.value), "What stands here")
        return replace(
            found,
            file=self._stand_ins.file(found.file),
            sheet=self._stand_ins.sheet(found.file, found.sheet),
            column=found.column if has_column else "",
            value=found.value if has_value else "",
            problem=problem,
            remedy=remedy,
        )

    def _clean_sentence(self, text: str) -> str:
        return self._gate.passed(self._stand_ins.in_sentence(text))

    def renamed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame that calls files and sheets as they are called outside the inbox."""
        for file, sheet in _SHEETS:
            if file not in frame or not len(frame):
                continue
            places = frame[[file, sheet]].drop_duplicates().itertuples(index=False, name=None)
            new = {
                place: (self._stand_ins.file(place[0]), self._stand_ins.sheet(*place))
                for place in places
                if place[0] in self._stand_ins.files or place in self._stand_ins.sheets
            }
            if new:
                pairs = [new.get(pair, pair) for pair in zip(frame[file], frame[sheet], strict=True)]
                frame = frame.assign(
                    **{file: [renamed_pair for renamed_pair, _ in pairs], sheet: [other for _, other in pairs]}
                ).astype({file: frame[file].dtype, sheet: frame[sheet].dtype})
        return frame

    def answers(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the history of answers without what schools wrote of persons."""
        renamed_frame = self.renamed(frame)
        if not len(renamed_frame):
            return renamed_frame
        shown_texts = {
            name: [self._answer(text) for text in renamed_frame[name].fillna("")] for name in ("was", "became")
        }
        columns = [
            name if name in self._fields or self._gate.kind_of_label(name) is None else ""
            for name in renamed_frame["column"]
        ]
        sources = [self._stand_ins.file(path) for path in renamed_frame["answered_in"]]
        return renamed_frame.assign(**shown_texts, column=columns, answered_in=sources).astype(dict(frame.dtypes))

    def _answer(self, text: str) -> str:
        return "" if self._gate.hides_answer(text) else text
