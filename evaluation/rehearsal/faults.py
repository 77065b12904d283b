"""What is wrong with the forms: dirt that can be repaired, and faults that only the school can mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from data_schema.errors import DesignError
from data_schema.tables import Table
from evaluation.rehearsal.forms import Cell, Form

FaultKind = Literal[
    "school_without_zero", "unknown_school", "impossible_mark", "duplicated_pupil", "letter_for_digit", "unknown_code"
]
FAULT_KINDS: tuple[FaultKind, ...] = (
    "school_without_zero",
    "unknown_school",
    "impossible_mark",
    "duplicated_pupil",
    "letter_for_digit",
    "unknown_code",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untidiness:
    """How untidy the schools are.

    Parameters
    ----------
    cells
        Share of cells with dirt that intake can repair without asking, 0 to below 1.
    faults
        Faults to plant, once each where the data have a place for them.
    """

    cells: float = 0.01
    faults: tuple[FaultKind, ...] = FAULT_KINDS

    def __post_init__(self) -> None:
        unknown = set(self.faults) - set(FAULT_KINDS)
        if not 0 <= self.cells < 1 or unknown:
            raise DesignError(
                "untidiness",
                f"faults {sorted(unknown)} are not known." if unknown else f"{self.cells} is not a share below 1.",
                f"Give a share such as 0.01, and faults out of {', '.join(FAULT_KINDS)}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFault:
    """A fault that was put into the forms.

    Parameters
    ----------
    kind
        What was done: "school_without_zero" (a file's school lost the leading zero of its identifier),
        "unknown_school" (a file of a school that is not in the frame), "impossible_mark" (55), "duplicated_pupil" (a
        second row with other answers), "letter_for_digit" ("1O"), "unknown_code" (a status that nobody defined).
    file, sheet, table, wave
        Where; the sheet is empty in CSV files.
    rows
        Rows as a spreadsheet numbers them, from 1, the header included. Of a duplicated pupil the first and the second.
    column
        Name of the field; the identifier of the pupil for duplicates.
    value
        What is there.
    """

    kind: FaultKind
    file: str
    sheet: str
    table: str
    wave: str
    rows: tuple[int, ...]
    column: str
    value: str


def add_cell_noise(form: Form, table: Table, *, share: float, rng: np.random.Generator) -> Form:
    """Soil a share of the cells in ways that leave no doubt about what is meant."""
    kinds = {item.name: item.type for item in table.fields}
    rows = [list(row) for row in form.rows]
    n_cells = len(rows) * len(form.columns)
    for position in rng.choice(n_cells, size=rng.binomial(n_cells, share), replace=False):
        row, column_index = divmod(int(position), len(form.columns))
        rows[row][column_index] = _add_noise_to_cell(
            rows[row][column_index], kinds[form.columns[column_index]], is_csv=not form.sheet, rng=rng
        )
    return replace(form, rows=tuple(map(tuple, rows)))


def _add_noise_to_cell(cell: Cell, kind: str, *, is_csv: bool, rng: np.random.Generator) -> Cell:
    spaced = rng.random() < 0.5
    if cell is None:
        return ("NA", "-")[int(spaced)]
    if isinstance(cell, date):
        return f" {cell.isoformat()}" if spaced else cell.isoformat()
    if kind == "number" and not spaced:
        # The mark that the file does not use otherwise; no thousands here, so that it cannot mean anything else.
        return str(cell).replace(",", ".") if is_csv else str(cell).replace(".", ",")
    if kind in ("code", "yes_no") and not spaced:
        return str(cell).upper()
    return f" {cell} "


def add_planted_faults(
    forms: Sequence[Form], kinds: Sequence[FaultKind], *, rng: np.random.Generator
) -> tuple[list[Form], tuple[PlantedFault, ...]]:
    """Plant each fault once, no two in one form.

    Returns
    -------
    tuple
        The forms, one more for an unknown school, and the faults in the order of `kinds`. A fault that no form has a
        place for (a leading zero where no identifier has one) is left out.
    """
    result, faults = list(forms), []
    untouched = list(range(len(result)))
    for kind in kinds:
        places = [k for k in untouched if _has_place_for_fault(result[k], kind)]
        if not places:
            continue
        chosen = places[int(rng.integers(len(places)))]
        untouched.remove(chosen)
        faulty_form, fault = _PLANTERS[kind](result[chosen], rng)
        if faulty_form.file == result[chosen].file:
            result[chosen] = faulty_form
        else:
            result.append(faulty_form)
        faults.append(fault)
    return sorted(result, key=lambda form: (form.file, form.sheet)), tuple(faults)


def _has_place_for_fault(form: Form, kind: FaultKind) -> bool:
    """Whether a form has a place for a fault; later waves, where there are enough pupils."""
    first = str(form.cell(0, "school_id")).strip()
    if kind == "school_without_zero":
        return form.table == "survey" and first.startswith("0") and first.lstrip("0").isdigit()
    if kind == "unknown_school":
        # In a file of its own; a workbook's other sheets would go with it.
        return form.table == "status" and "school_" not in form.file and len(form.rows) > 3
    if kind == "duplicated_pupil":
        return form.table == "pupil" and form.wave == "baseline"
    wanted = {"impossible_mark": "status", "letter_for_digit": "signals", "unknown_code": "status"}
    return form.table == wanted[kind] and len(form.rows) > 10


def _remove_leading_zero(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    del rng
    shorter = str(form.cell(0, "school_id")).strip().lstrip("0")
    shortened_form = form
    for row in range(len(form.rows)):
        shortened_form = shortened_form.with_cell(row, "school_id", shorter)
    return shortened_form, _build_planted_fault(
        "school_without_zero", shortened_form, range(len(form.rows)), "school_id", shorter
    )


def _replace_school_id(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    del rng
    known = str(form.cell(0, "school_id")).strip()
    stranger = known[:-2] + "99"
    foreign_form = replace(form, file=form.file.replace(known, stranger), rows=form.rows[:3])
    if form.title:
        foreign_form = replace(foreign_form, title=(form.title[0], stranger))
    for row in range(3):
        foreign_form = foreign_form.with_cell(row, "school_id", stranger)
    return foreign_form, _build_planted_fault("unknown_school", foreign_form, range(3), "school_id", stranger)


def _add_impossible_mark(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    return _replace_random_cell(form, "impossible_mark", "average_mark", 55, rng)


def _replace_digit_by_letter(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    return _replace_random_cell(form, "letter_for_digit", "absences_justified", "1O", rng)


def _add_unknown_code(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    return _replace_random_cell(form, "unknown_code", "status", "???", rng)


def _replace_random_cell(
    form: Form, kind: FaultKind, column: str, value: Cell, rng: np.random.Generator
) -> tuple[Form, PlantedFault]:
    filled = [row for row in range(len(form.rows)) if form.cell(row, column) is not None]
    row = filled[int(rng.integers(len(filled)))]
    changed_form = form.with_cell(row, column, value)
    return changed_form, _build_planted_fault(kind, changed_form, [row], column, str(value))


def _add_duplicated_pupil(form: Form, rng: np.random.Generator) -> tuple[Form, PlantedFault]:
    row = int(rng.integers(len(form.rows)))
    born = form.columns.index("birth_year")
    again = tuple(
        int(str(cell)) - 1 if column_index == born else cell for column_index, cell in enumerate(form.rows[row])
    )
    extended_form = replace(form, rows=(*form.rows, again))
    pupil = str(form.cell(row, "pupil_id")).strip()
    return extended_form, _build_planted_fault(
        "duplicated_pupil", extended_form, [row, len(form.rows)], "pupil_id", pupil
    )


def _build_planted_fault(kind: FaultKind, form: Form, rows: Sequence[int], column: str, value: str) -> PlantedFault:
    return PlantedFault(
        kind=kind,
        file=form.file,
        sheet=form.sheet,
        table=form.table,
        wave=form.wave,
        rows=tuple(form.first_row + row for row in rows),
        column=column,
        value=value,
    )


_PLANTERS: Mapping[FaultKind, Callable[[Form, np.random.Generator], tuple[Form, PlantedFault]]] = {
    "school_without_zero": _remove_leading_zero,
    "unknown_school": _replace_school_id,
    "impossible_mark": _add_impossible_mark,
    "duplicated_pupil": _add_duplicated_pupil,
    "letter_for_digit": _replace_digit_by_letter,
    "unknown_code": _add_unknown_code,
}
