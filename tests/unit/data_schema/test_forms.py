"""Entry workbooks and XLSForms: made from the tables, read by intake, taken by ODK's converter."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest

from data_schema.fields import Code, Field
from data_schema.form_marks import MARKER, mark_of_form
from data_schema.forms import FormTable, Recipient, describe_field, entry_workbook
from data_schema.intake import Intake, read_inbox
from data_schema.language import Catalogue, Language
from data_schema.messages import get_answer_labels
from data_schema.school_tables import standard_tables
from data_schema.tables import Table, extended
from data_schema.xlsforms import FieldForm
from tests.support.bad_files import book

TABLES = standard_tables()
PUPILS = [{"pupil_id": "0001", "class": "9.a"}, {"pupil_id": "0002", "class": "9.b"}]
STATUS = TABLES["status"].names[2:]
LANGUAGES = ("en", "hu", "sr", "sr-Latn", "sl")


def catalogue(code: str = "sl") -> Catalogue:
    return Catalogue("data_schema", Language(code))


def form(code: str = "sl") -> bytes:
    tables = [
        FormTable(table=TABLES["pupil"], rows=PUPILS, n_blank=3),
        FormTable(table=TABLES["status"], rows=PUPILS, n_blank=0),
    ]
    return entry_workbook(tables, recipient=Recipient(school="SI-04"), wave="w", catalogue=catalogue(code))


def filled(content: bytes, cells: dict[tuple[int, str], str | int | float]) -> bytes:
    """Fill in cells: number of the sheet (0 the instructions), reference."""
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    for (sheet, reference), value in cells.items():
        cell = workbook.worksheets[sheet][reference]
        assert not cell.protection.locked
        cell.value = value
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def taken_in(content: bytes) -> Intake:
    return read_inbox({"anything.xlsx": content}, rules=[], tables=TABLES, schools={"SI-04": "SI"}, waves=["w"])


def column_of(content: bytes, sheet: int, header: str) -> str:
    cells = openpyxl.load_workbook(io.BytesIO(content)).worksheets[sheet][1]
    return next(cell.column_letter for cell in cells if cell.value == header)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_form_that_was_filled_in_is_read_without_any_rule(code: str) -> None:
    content = form(code)
    letters = {name: chr(65 + at) for at, name in enumerate(("school_id", "pupil_id", "class", *STATUS))}
    pupil = {name: chr(65 + at) for at, name in enumerate(TABLES["pupil"].names)}
    status = get_answer_labels(TABLES["status"].field("status"), catalogue(code))[3]
    cells: dict[tuple[int, str], str | int | float] = {
        (2, f"{letters['status']}2"): status,
        (1, f"{pupil['birth_year']}2"): 2011,
        (1, f"{pupil['pupil_id']}4"): "0003",
        (1, f"{pupil['birth_year']}4"): 2012,
    }
    intake = taken_in(filled(content, cells))
    pupils, statuses = intake.frames["pupil"], intake.frames["status"]
    assert pupils[["school_id", "pupil_id", "wave"]].to_numpy().tolist() == [
        ["SI-04", "0001", "w"], ["SI-04", "0003", "w"],
    ]  # fmt: skip
    assert statuses[["school_id", "pupil_id", "status"]].to_numpy().tolist() == [["SI-04", "0001", "left_early"]]
    counts = intake.reconciliation.set_index("table")[["sent", "kept", "refused"]]
    assert counts.to_dict("index")["pupil"] == {"sent": 3, "kept": 2, "refused": 1}
    assert counts.to_dict("index")["status"] == {"sent": 2, "kept": 1, "refused": 1}
    assert not intake.findings.by_severity("question")
    assert not intake.findings.by_severity("refused")


def test_what_is_known_is_locked_and_what_is_asked_has_lists_ranges_and_hints() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(form("hu"))).worksheets[1]
    assert [sheet.cell(row=2, column=at).value for at in (1, 2, 4)] == ["SI-04", "0001", "9.a"]
    assert all(sheet.cell(row=2, column=at).protection.locked for at in (1, 2, 4))
    assert sheet.protection.sheet
    rules = {rule.promptTitle: rule for rule in sheet.data_validations.dataValidation}
    average = "Az előző tanév végi tanulmányi átlag"[:31]
    assert rules["A tanuló neme"].formula1 == '"Lány,Fiú,Egyéb"'
    assert (rules["Születési év"].type, rules["Születési év"].formula1) == ("whole", "1980")
    assert (rules[average].type, rules[average].formula2) == ("decimal", "5")
    assert all(rule.showErrorMessage and rule.prompt for rule in rules.values())
    assert sheet.cell(row=4, column=2).number_format == "@"


def test_the_class_stands_beside_a_pupil_in_every_sheet_and_what_is_not_asked_turns_grey() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(form("hu"))).worksheets[2]
    assert [sheet.cell(row=row, column=3).value for row in (1, 2, 3)] == ["Osztály", "9.a", "9.b"]
    rules = {str(cells.sqref): rule.formula for cells in sheet.conditional_formatting for rule in cells.rules}
    assert rules["F2:F3"] == ['AND($D2<>"",$D2<>"Másik iskolába átiratkozott")']
    said = "Csak akkor kell kitölteni, ha a(z) „Tanulói jogviszony” oszlopban ezek egyike áll: "
    said += "Másik iskolába átiratkozott."
    assert said in {
        found[0]
        for row in openpyxl.load_workbook(io.BytesIO(form("hu"))).worksheets[0].iter_rows()
        for cell in row
        if (found := re.search(r"Csak akkor.*?átiratkozott\.", str(cell.value)))
    }


def test_a_partner_fills_in_for_the_schools_of_its_country() -> None:
    costs = TABLES["costs"].filled_in_by("partner")
    practice = TABLES["implementation"].filled_in_by("partner")
    assert costs is not None
    assert practice is not None
    schools = {"SI-04": "Šola Celje", "SI-05": ""}
    content = entry_workbook(
        [FormTable(table=practice, rows=[{"school_id": one} for one in schools], n_blank=0), FormTable(table=costs)],
        recipient=Recipient(title="Slovenija", schools=schools),
        wave="w",
        catalogue=catalogue("sl"),
    )
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    assert workbook.worksheets[0]["A1"].value == "Slovenija – w"
    listed = next(rule for rule in workbook.worksheets[2].data_validations.dataValidation if "A2" in str(rule.sqref))
    assert listed.formula1 == '"SI-04,SI-05"'
    answers: dict[tuple[int, str], str | int | float] = {
        (1, "B2"): 7, (1, "I2"): 4, (2, "A2"): "SI-05", (2, "B2"): "mentor", (2, "D2"): 1200,
    }  # fmt: skip
    intake = read_inbox(
        {"back.xlsx": filled(content, answers)}, rules=[], tables=TABLES, schools=dict.fromkeys(schools, "SI"),
        waves=["w"],
    )  # fmt: skip
    assert intake.frames["implementation"][["school_id", "team_meetings"]].to_numpy().tolist() == [["SI-04", 7]]
    assert intake.frames["costs"][["school_id", "item", "amount"]].to_numpy().tolist() == [["SI-05", "mentor", 1200.0]]
    assert not intake.findings.by_severity("question")


def test_each_sender_is_asked_for_its_own_fields_only() -> None:
    shared = extended(
        TABLES["status"],
        [Field("visited", "yes_no", filled_in_by="partner", asked_if=("status", ("left_early",)))],
    )
    mine, theirs = shared.filled_in_by("school"), shared.filled_in_by("partner")
    assert mine is not None
    assert theirs is not None
    assert "visited" not in mine.names
    assert theirs.names == ("school_id", "pupil_id", "visited")
    assert theirs.field("visited").asked_if is None, "the partner does not see the status"
    assert shared.filled_in_by("pupil") is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_form_that_libreoffice_saved_is_read_without_repairs(kind: str, tmp_path: Path) -> None:
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("needs LibreOffice")
    cells: dict[tuple[int, str], str | int | float] = {
        (1, "F2"): 2011, (1, "G2"): "Fiú", (1, "I2"): 3.25, (1, "E3"): 9, (2, "D2"): "Átiratkozott",
        (2, "E2"): "2028-01-05", (2, "F2"): "Igen", (2, "D3"): "Jogviszonyban", (2, "G3"): 4.5,
    }  # fmt: skip
    (tmp_path / "form.xlsx").write_bytes(filled(form("hu"), cells))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    order = [soffice, profile, "--headless", "--convert-to", kind, "--outdir", str(tmp_path / "saved"), "form.xlsx"]
    subprocess.run(order, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    intake = taken_in((tmp_path / "saved" / f"form.{kind}").read_bytes())
    assert intake.repairs.empty
    assert not list(intake.findings)
    status = intake.frames["status"]
    assert status[["pupil_id", "status", "average_mark"]].astype(object).fillna("").to_numpy().tolist() == [
        ["0001", "transferred", ""], ["0002", "enrolled", 4.5],
    ]  # fmt: skip
    assert str(status["status_date"].iloc[0])[:10] == "2028-01-05"
    assert intake.frames["pupil"][["pupil_id", "gender", "birth_year"]].iloc[0].tolist() == ["0001", "boy", 2011]


def test_an_xlsform_chooses_among_schools_and_asks_only_what_is_to_be_asked(tmp_path: Path) -> None:
    xls2xform = pytest.importorskip("pyxform.xls2xform")
    path = tmp_path / "status.xlsx"
    schools = {"SI-04": "Šola Celje", "SI-05": ""}
    path.write_bytes(
        FieldForm(table=TABLES["status"], catalogues=[catalogue("sl"), catalogue("en")], schools=schools).workbook()
    )
    made = xls2xform.convert(str(path), validate=False).xform
    assert "SI-04 Šola Celje" in made
    assert "= 'transferred'" in made
    odd = FieldForm(table=TABLES["status"], catalogues=[catalogue("en")], schools={"a b": "x"}).workbook()
    survey = openpyxl.load_workbook(io.BytesIO(odd))["survey"]
    assert survey["A2"].value == "text", "a choice cannot have spaces, so the identifier is typed in"


def test_long_lists_stand_on_a_hidden_sheet() -> None:
    codes = tuple(Code(f"answer_{k}") for k in range(40))
    table = extended(TABLES["status"], [Field("reason", "code", codes=codes), Field("other", "code", codes=codes[:20])])
    content = entry_workbook(
        [FormTable(table=table)], recipient=Recipient(school="1"), wave="w", catalogue=catalogue("en")
    )
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    formulas = [str(rule.formula1) for rule in workbook.worksheets[1].data_validations.dataValidation]
    assert "'crocoos_lists'!$A$1:$A$40" in formulas
    assert "'crocoos_lists'!$B$1:$B$20" in formulas
    lists = workbook["crocoos_lists"]
    assert (lists.sheet_state, lists["A40"].value, lists["B20"].value) == ("hidden", "answer_39", "answer_19")


def test_instructions_name_every_column_and_what_may_stand_in_it() -> None:
    guide = openpyxl.load_workbook(io.BytesIO(form("sl"))).worksheets[0]
    cells = {str(cell.value) for row in guide.iter_rows() for cell in row if cell.value}
    assert {
        "Leto rojstva",
        "Povprečna ocena",
        "Vpisan/-a, Prepisan/-a na drugo šolo, Zaključil/-a izobraževanje, Opustil/-a šolanje, Neznano",
    } <= cells
    assert any(
        "sárga" in str(cell.value)
        for row in openpyxl.load_workbook(io.BytesIO(form("hu"))).worksheets[0]
        for cell in row
    )


def test_the_same_form_is_the_same_bytes_and_another_workbook_is_no_form() -> None:
    assert form() == form()
    mark = mark_of_form(form())
    assert mark is not None
    assert (mark.school, mark.wave, list(mark.tables.values())) == ("SI-04", "w", ["pupil", "status"])
    for other in (book([["a"]]), b"PK", b"", book([["x"]], title=MARKER)):
        assert mark_of_form(other) is None


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (Field("x", "number"), "A number."),
        (Field("x", "number", minimum=0, maximum=1), "A number from 0 to 1."),
        (Field("x", "whole_number", minimum=0, maximum=9, required=True), "A whole number from 0 to 9. Needed."),
        (Field("x", "month"), "A month, such as 2027-10."),
        (Field("x", "date"), "A date, such as 2027-10-05."),
        (Field("x", "text"), "A text."),
    ],
)
def test_a_hint_says_what_may_stand_there(field: Field, hint: str) -> None:
    assert describe_field(field, catalogue("en")) == hint


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_is_an_xlsform_that_pyxform_converts(table: Table, tmp_path: Path) -> None:
    xls2xform = pytest.importorskip("pyxform.xls2xform")
    path = tmp_path / f"{table.name}.xlsx"
    path.write_bytes(FieldForm(table=table, catalogues=[catalogue(code) for code in LANGUAGES]).workbook())
    made = xls2xform.convert(str(path), validate=False)
    assert not [warning for warning in made.warnings if "translation" in warning]
    for field in table.fields:
        assert f"/data/{field.name}" in made.xform or f"/{table.name}/{field.name}" in made.xform
    if table.name == "status":
        assert "(lemorzsolódott)" in made.xform
        assert '<value id="/status/status' in made.xform or "left_early" in made.xform
        assert "Napustio" in made.xform
    if table.name == "signals":
        assert "regex" in made.xform
        assert ". &gt;= 0 and . &lt;= 400" in made.xform
