"""Values of open fields on their way in: what is of a person is taken out, and the school is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from data_schema.clean import CleanCell, asked
from data_schema.columns import Column
from data_schema.drafts import Draft
from data_schema.findings import Finding
from data_schema.personal.columns import PersonalColumn, is_open, personal_columns
from data_schema.personal.gate import Gate
from data_schema.personal.kinds import Kind, is_certain, told_of

Place = tuple[str, str, int, str]

_OTHERS = 3
"""A name that is written for so many persons, or in so many schools, is no person's."""

_LONG = 10**8
"""The least whole number of nine digits."""

_IN_COLUMN = {
    True: "What may be names of persons stands in {n} of the {all} cells of the column {column}; its values are left "
    "out.",
    False: "What may be identifiers of persons stands in {n} of the {all} cells of the column {column}; its values are "
    "left out.",
}
_ARE_SWAPPED = (
    "Check whether two headers are swapped, and send the file again; or answer 'yes' if these are no persons."
)


def opened_columns(made: Draft, gate: Gate, *, confirmed: Collection[Place]) -> tuple[dict[str, Column], list[Finding]]:
    """Return the columns of a table without what is of a person in open fields.

    Parameters
    ----------
    made
        The table's cells.
    gate
        Knows what is of a person.
    confirmed
        File, sheet, row and column of what schools have said to be right, columns as a whole by the row of the header.

    Returns
    -------
    tuple
        Field to its cells, those taken out empty and with a question; and the questions about columns as a whole.
    """
    opening = _Opening(made, gate, confirmed)
    for found in personal_columns(made, gate.ordinary):
        opening.take_out(found)
    for name, column in made.columns.items():
        if is_open(column.field):
            opening.look_through(name)
        elif made.table.about == "pupil" and column.field.type in ("number", "whole_number"):
            opening.look_for_long_numbers(name)
    return opening.columns, opening.findings


def names_in_columns(drafts: Mapping[str, Draft], gate: Gate, *, confirmed: Collection[Place]) -> list[str]:
    """Return what stands in columns of names that nobody declared as such: those who stand there are listed, too."""
    texts: list[str] = []
    for made in drafts.values():
        for found in personal_columns(made, gate.ordinary):
            if found.are_names and _header_of(made, found) not in confirmed:
                texts += [str(value) for value in made.columns[found.field].array()[found.cells].tolist()]
    return texts


def _header_of(made: Draft, found: PersonalColumn) -> Place:
    """Return the place of a column's header, which stands for the column as a whole."""
    layout = made.parts[found.part].layout
    return layout.sheet.file, layout.sheet.sheet, (layout.header or 0) + 1, found.field


class _Opening:
    """Goes through the open columns of a table; used once."""

    def __init__(self, made: Draft, gate: Gate, confirmed: Collection[Place]) -> None:
        self.made, self.gate = made, gate
        self.columns = dict(made.columns)
        self.findings: list[Finding] = []
        self._confirmed = {(file, sheet, row, name) for file, sheet, row, name in confirmed}

    def take_out(self, found: PersonalColumn) -> None:
        """Empty a column of a sheet, and ask about it once."""
        place = _header_of(self.made, found)
        if place in self._confirmed:
            self._confirmed |= {(*place[:2], int(self.made.rows[at]), found.field) for at in found.cells.tolist()}
            return
        self.columns[found.field] = self.columns[found.field].emptied(found.cells, CleanCell())
        problem = _IN_COLUMN[found.are_names].format(n=found.n_like, all=len(found.cells), column=repr(found.field))
        self.findings.append(
            Finding(
                file=place[0],
                sheet=place[1],
                row=place[2],
                column=found.field,
                problem=problem,
                remedy=_ARE_SWAPPED,
                severity="question",
            )
        )

    def look_through(self, name: str) -> None:
        """Take out the cells of a column that are of a person, each with a question."""
        column = self.columns[name]
        for text, codes in column.codes_of_texts().items():
            kind = self.gate.kind_of_text(text)
            if kind is None:
                continue
            cells = column.where(codes)
            if kind is Kind.POSSIBLE_NAME and self._n_owners(cells) >= _OTHERS:
                continue
            if not is_certain(kind):
                cells = cells[[self._place(at, name) not in self._confirmed for at in cells.tolist()]]
            if len(cells):
                self.columns[name] = self.columns[name].emptied(cells, asked(*told_of(kind)))

    def look_for_long_numbers(self, name: str) -> None:
        """Take out numbers that no count and no measure of a pupil has: identifiers, telephone numbers."""
        column = self.columns[name]
        codes = [
            code for code, value in enumerate(column.meanings) if isinstance(value, int | float) and abs(value) >= _LONG
        ]
        cells = column.where(codes)
        cells = cells[[self._place(at, name) not in self._confirmed for at in cells.tolist()]] if codes else cells
        if len(cells):
            self.columns[name] = column.emptied(cells, asked(*told_of(Kind.LONG_NUMBER)))

    def _n_owners(self, cells: np.ndarray) -> int:
        """Return how many pupils, or schools where it is about none, have what stands in some cells."""
        owners = self.made.columns.get("pupil_id") or self.made.columns["school_id"]
        return owners.n_distinct(cells)

    def _place(self, at: int, name: str) -> Place:
        sheet = self.made.parts[self.made.part_of[at]].layout.sheet
        return sheet.file, sheet.sheet, int(self.made.rows[at]), name
