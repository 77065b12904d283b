"""Entry workbooks as people send them back: every filled cell is read, asked about or refused by name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import lru_cache

import openpyxl
import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from data_schema.form_marks import MARKER, mark_of_form
from data_schema.forms import FormTable, Recipient, entry_workbook
from data_schema.intake import Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.rules import InboxRule
from data_schema.school_tables import standard_tables
from tests.support.bad_files import old_book

TABLES = standard_tables()
PUPILS = [{"pupil_id": f"000{k}", "class": "9.a"} for k in range(1, 5)]
TITLES = ("Navodila", "Dijaki", "Status dijaka")
STATUS, MARK = 4, 7
"""Columns of the sheet of statuses."""


@lru_cache
def sent_out(wave: str) -> bytes:
    """Return a form for a wave, with four pupils."""
    tables = [FormTable(table=TABLES[name], rows=PUPILS, n_blank=3) for name in ("pupil", "status")]
    slovenian = Catalogue("data_schema", Language("sl"))
    return entry_workbook(tables, recipient=Recipient(school="SI-04"), wave=wave, catalogue=slovenian)


def form(*, wave: str = "w") -> Workbook:
    """Return a form with two statuses filled in."""
    book = openpyxl.load_workbook(io.BytesIO(sent_out(wave)))
    for row in (2, 3):
        statuses_of(book).cell(row=row, column=STATUS).value = "Vpisan"
        statuses_of(book).cell(row=row, column=MARK).value = 4
    return book


def of_earlier_version(book: Workbook) -> Workbook:
    """Return a form as it was before it had marks: its hidden sheet lists the sheets, and nothing else."""
    mark = mark_of_form(saved(book))
    assert mark is not None
    for sheet in book.worksheets:
        for row in list(sheet.iter_rows()):
            if str(row[0].value).startswith(f'["{MARKER}"'):
                sheet.delete_rows(int(row[0].row or 0))
    at = book.sheetnames.index(MARKER)
    del book[MARKER]
    hidden = book.create_sheet(MARKER, at)
    hidden.append([MARKER, 1, mark.school, mark.wave])
    for title, table in mark.tables.items():
        hidden.append([title, table])
    hidden.sheet_state = "hidden"
    return book


def saved(book: Workbook) -> bytes:
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def taken_in(content: bytes, *, file: str = "back.xlsx", rules: tuple[InboxRule, ...] = ()) -> Intake:
    return read_inbox({file: content}, rules=rules, tables=TABLES, schools={"SI-04": "SI", "SI-05": "SI"}, waves=["w"])


def problems(intake: Intake, severity: str = "question") -> list[str]:
    return [found.problem for found in intake.findings if found.severity == severity]


def statuses_of(book: Workbook) -> Worksheet:
    sheet = book[TITLES[2]]
    assert isinstance(sheet, Worksheet)
    return sheet


def _renamed(book: Workbook) -> None:
    statuses_of(book).title = "Sheet1"


def _renamed_twice(book: Workbook) -> None:
    statuses_of(book).title, book[TITLES[1]].title = TITLES[1] + " ", TITLES[2]


def _reordered(book: Workbook) -> None:
    book.move_sheet(TITLES[2], offset=-2)


def _header_written_over(book: Workbook) -> None:
    statuses_of(book).cell(row=1, column=STATUS).value = "??"


def _headers_written_over(book: Workbook) -> None:
    for column in range(1, MARK + 1):
        statuses_of(book).cell(row=1, column=column).value = f"x{column}" if column > 1 else "Šifra šole"


def _column_inserted(book: Workbook) -> None:
    statuses_of(book).insert_cols(3)


def _column_inserted_first(book: Workbook) -> None:
    statuses_of(book).insert_cols(1)


def _header_deleted(book: Workbook) -> None:
    statuses_of(book).delete_rows(1)


def _rows_hidden(book: Workbook) -> None:
    statuses_of(book).row_dimensions[2].hidden = True


def _title_inserted(book: Workbook) -> None:
    statuses_of(book).insert_rows(1)


def _instructions_removed(book: Workbook) -> None:
    del book[TITLES[0]]


def _hidden_sheet_removed(book: Workbook) -> None:
    del book[MARKER]


CHANGES: dict[str, Callable[[Workbook], None]] = {
    "a sheet renamed": _renamed,
    "two sheets with each other's name": _renamed_twice,
    "sheets in another order": _reordered,
    "a header written over": _header_written_over,
    "all headers written over": _headers_written_over,
    "an empty column inserted": _column_inserted,
    "an empty column inserted before the first": _column_inserted_first,
    "the header deleted": _header_deleted,
    "a row hidden": _rows_hidden,
    "an empty row inserted above the header": _title_inserted,
    "the instructions removed": _instructions_removed,
    "the hidden sheet removed": _hidden_sheet_removed,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_form_is_read_whatever_was_done_to_its_sheets_and_headers(change: Callable[[Workbook], None]) -> None:
    book = form()
    change(book)
    intake = taken_in(saved(book))
    kept = intake.frames["status"]
    assert kept[["pupil_id", "status", "average_mark"]].to_numpy().tolist() == [
        ["0001", "enrolled", 4.0], ["0002", "enrolled", 4.0],
    ]  # fmt: skip
    assert [one for one in problems(intake) if "no list of pupils" not in one] == []
    assert not problems(intake, "refused")


def test_a_sheet_that_was_copied_is_read_and_what_the_two_say_differently_is_asked() -> None:
    book = form()
    copy = book.copy_worksheet(statuses_of(book))
    copy.cell(row=3, column=MARK).value = 2
    copy.cell(row=4, column=STATUS).value = "Neznano"
    intake = taken_in(saved(book))
    assert sorted(intake.frames["status"]["pupil_id"]) == ["0001", "0003"]
    tallies = intake.reconciliation.query("table == 'status'")
    assert tallies[["sent", "kept", "asked", "refused"]].to_numpy().tolist() == [[4, 1, 1, 2], [4, 1, 1, 2]]
    assert sum("with other values" in one for one in problems(intake)) == 2


def test_a_sheet_taken_to_another_workbook_or_saved_as_csv_is_known_by_its_marks() -> None:
    book = form()
    rows = [[cell.value for cell in row] for row in statuses_of(book).iter_rows()]
    other = Workbook()
    for row in rows:
        other.worksheets[0].append(row)
    assert len(taken_in(saved(other)).frames["status"]) == 2
    lines = [";".join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' if cell else "" for cell in row) for row in rows]
    rule = InboxRule("*.csv", "pupil", wave="w")
    assert len(taken_in("\n".join(lines).encode(), file="a.csv", rules=(rule,)).frames["status"]) == 2


def test_a_form_that_comes_back_as_a_workbook_of_the_old_kind_is_a_form() -> None:
    book = form()
    cells = {sheet.title: [*sheet.iter_rows(values_only=True)] for sheet in book}
    intake = taken_in(old_book(cells), file="back.xls")
    assert intake.frames["status"]["source_file"].tolist() == ["back.xls"] * 2


def test_a_form_in_a_zipped_folder_is_a_form() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("all/school.xlsx", saved(form()))
    assert len(taken_in(made.getvalue(), file="all.zip").frames["status"]) == 2


def test_a_sheet_that_was_deleted_is_asked_for() -> None:
    book = form()
    del book[TITLES[2]]
    assert any("no sheet 'Status dijaka'" in one for one in problems(taken_in(saved(book))))


@pytest.mark.parametrize("version", ["now", "earlier"])
@pytest.mark.parametrize("wave", ["autumn", ""])
def test_a_form_of_a_wave_that_there_is_not_is_refused_by_name_and_counted(version: str, wave: str) -> None:
    book = form(wave=wave)
    intake = taken_in(saved(book if version == "now" else of_earlier_version(book)))
    refused = problems(intake, "refused")
    assert len(refused) == 2
    assert all(f"the wave {wave!r}, which the trial does not have" in one for one in refused)
    assert intake.reconciliation[["sent", "refused"]].to_numpy().tolist() == [[4, 4], [4, 4]]


def test_a_form_of_a_table_that_is_no_longer_collected_is_refused_by_name_and_counted() -> None:
    kept = {name: table for name, table in TABLES.items() if name != "status"}
    intake = read_inbox({"a.xlsx": saved(form())}, rules=[], tables=kept, schools={"SI-04": "SI"}, waves=["w"])
    assert any("the table 'status', which the trial does not collect" in one for one in problems(intake, "refused"))
    assert intake.reconciliation.set_index("table").loc["status", "refused"] == 4


def test_a_column_that_was_added_or_is_gone_is_asked_about() -> None:
    book = form()
    sheet = statuses_of(book)
    sheet.insert_cols(3)
    sheet["C1"].value, sheet["C2"].value = "Opombe", "se je preselil"
    sheet["K3"].value = "glej zgoraj"
    intake = taken_in(saved(book))
    assert len(intake.frames["status"]) == 2
    asked = [one for one in problems(intake) if "no list" not in one]
    assert asked == [
        "Cells outside the form's own columns are filled in (K3); they are not read.",
        "The form has no such column; what is filled in there (C2) is not read.",
    ]
    book = form()
    statuses_of(book).delete_cols(MARK)
    assert "Columns of the form are gone: 'average_mark'." in problems(taken_in(saved(book)))


def test_a_header_with_another_column_s_name_is_asked_about() -> None:
    book = form()
    statuses_of(book).cell(row=1, column=MARK).value = "Status dijaka"
    intake = taken_in(saved(book))
    assert intake.frames["status"]["average_mark"].tolist() == [4.0, 4.0]
    assert any("this is the form's column 'average_mark'" in one for one in problems(intake))


def test_rows_below_the_form_s_range_are_read() -> None:
    book = form()
    statuses_of(book).cell(row=30, column=2).value = "0009"
    statuses_of(book).cell(row=30, column=STATUS).value = "Vpisan"
    kept = taken_in(saved(book)).frames["status"]
    assert kept[["school_id", "pupil_id", "source_row"]].to_numpy().tolist()[-1] == ["SI-04", "0009", 30]


def test_what_was_filled_in_is_never_said_to_be_nothing() -> None:
    book = form()
    pupils = book[TITLES[1]]
    pupils["C2"].value = "Novak Ana"
    pupils["B6"].value = "0099"
    intake = taken_in(saved(book))
    assert intake.frames["pupil"]["pupil_id"].tolist() == ["0001", "0099"]


def test_cells_on_a_sheet_that_holds_no_table_are_asked_about_unless_they_were_printed() -> None:
    book = form()
    book[TITLES[0]]["F5"].value = "Ana se je preselila."
    book.create_sheet("Opombe")["B2"].value = "tri dijakinje manjkajo"
    intake = taken_in(saved(book))
    assert sorted((found.sheet, found.problem) for found in intake.findings if "no such sheet" in found.problem) == [
        ("Navodila", "The form has no such sheet; what is filled in there (F5) is not read."),
        ("Opombe", "The form has no such sheet; what is filled in there (B2) is not read."),
    ]


OF_EARLIER = {
    "a sheet renamed": (_renamed, 2, "has the header of the table 'status'"),
    "a header written over": (_header_written_over, 2, "Columns of the form are gone: 'status'"),
    "the header deleted": (_header_deleted, 0, "is a header of the table 'status'"),
}


@pytest.mark.parametrize(("change", "n_kept", "said"), OF_EARLIER.values(), ids=OF_EARLIER)
def test_a_form_of_an_earlier_version_loses_nothing_in_silence(
    change: Callable[[Workbook], None], n_kept: int, said: str
) -> None:
    book = of_earlier_version(form())
    change(book)
    intake = taken_in(saved(book))
    assert len(intake.frames["status"]) == n_kept
    assert any(said in found.problem for found in intake.findings)
    empty = [found for found in intake.findings if "Nothing was filled in" in found.problem]
    assert not any(found.sheet != TITLES[1] and (found.row or 0) < 4 for found in empty)
    sent = intake.reconciliation.query("table == 'status'")[["sent", "kept", "asked", "refused"]].sum()
    assert sent["sent"] == sent["kept"] + sent["asked"] + sent["refused"] >= 3


def test_sheets_are_locked_and_their_cells_can_be_filled_in() -> None:
    book = form()
    assert book.security is not None
    assert book.security.lockStructure
    sheet = statuses_of(book)
    assert sheet.protection.sheet
    assert not sheet.cell(row=6, column=STATUS).protection.locked
    assert sheet.row_dimensions[9].hidden


def test_the_form_s_own_school_stands_in_rows_that_were_added() -> None:
    book = form()
    statuses_of(book).cell(row=6, column=2).value = "0050"
    statuses_of(book).cell(row=6, column=STATUS).value = "Vpisan"
    assert taken_in(saved(book)).frames["status"]["school_id"].tolist() == ["SI-04"] * 3
