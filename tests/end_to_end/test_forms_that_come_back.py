"""Forms go out to the schools of a trial, are filled in, and come back."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from data_schema.errors import ProtocolError
from data_schema.forms import FormTable, Recipient, entry_workbook
from data_schema.language import Catalogue, Language
from data_schema.school_tables import standard_tables
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.trials import drawn_trial, small_protocol, small_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return drawn_trial(tmp_path_factory.mktemp("forms") / "trial")


def test_each_school_has_a_workbook_with_its_own_pupils_which_intake_reads(trial: Trial) -> None:
    answer = CliRunner().invoke(crocoos, ["forms", str(trial.paths.root), "--wave", "followup", "--json"])
    assert answer.exit_code == 0, answer.output
    made = json.loads(answer.output)
    assert len(made["workbooks"]) == 12
    path = Path(made["workbooks"][0])
    assert path.stat().st_mode & 0o077 == 0
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[2]
    assert sheet.cell(row=2, column=1).value == path.stem
    pupils = [sheet.cell(row=row, column=2).value for row in range(2, 30)]
    assert sum(pupil is not None for pupil in pupils) == 20
    before = trial.collect().returns
    assert sheet.cell(row=1, column=4).value in ("Tanulói jogviszony", "Статус ученика")
    sheet.cell(row=2, column=4).value = "unknown"
    (trial.paths.inbox / "came back").mkdir()
    book.save(trial.paths.inbox / "came back" / "whatever.xlsx")
    after = trial.collect().returns
    mine = after[after["file"] == "came back/whatever.xlsx"]
    assert len(after) > len(before)
    assert mine["sent"].sum() >= 20
    assert (mine["sent"] == mine["kept"] + mine["asked"] + mine["refused"]).all()


def test_before_there_are_pupils_there_are_empty_rows(tmp_path: Path) -> None:
    made = small_trial(tmp_path / "trial").forms(wave="baseline")
    sheet = openpyxl.load_workbook(made.workbooks[0]).worksheets[1]
    assert sheet.cell(row=2, column=2).value is None
    assert not sheet.cell(row=150, column=2).protection.locked
    assert {f"{path.parent.name}/{path.name}" for path in made.xlsforms} == {
        f"{country}/{name}.xlsx"
        for country in ("HU", "RS")
        for name in ("pupil_school", "signals_school", "survey_pupil")
    }
    assert made.partners == (), "partners are asked for nothing at the baseline"


def test_a_partner_sends_practice_and_costs_back_in_one_workbook(trial: Trial) -> None:
    made = trial.forms(wave="followup")
    assert [path.parent.name for path in made.partners] == ["HU", "RS"]
    book = openpyxl.load_workbook(made.partners[0])
    practice, costs = book.worksheets[1:3]
    school = str(practice.cell(row=2, column=1).value)
    practice.cell(row=2, column=2).value = 9
    costs["A2"].value, costs["B2"].value, costs["C2"].value, costs["D2"].value = school, "tea for the team", 3, 40
    book.save(trial.paths.inbox / "partner.xlsx")
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        kept = store.table("costs").query("source_file == 'partner.xlsx'")
        assert kept[["school_id", "item", "amount"]].to_numpy().tolist() == [[school, "tea for the team", 40.0]]
        assert (store.table("implementation")["school_id"] == school).any()


def test_what_has_no_word_in_a_language_is_told(tmp_path: Path) -> None:
    field = '[[tables.pupil.fields]]\nname = "hobby"\ntype = "text"\nlabel = "Hobby"\nlabels = { hu = "Hobbi" }\n'
    trial = small_trial(tmp_path / "trial", text=f"{small_protocol()}\n{field}")
    made = trial.forms(wave="baseline")
    assert dict(made.untold) == {"sr": ("[tables.pupil] hobby",)}
    sheet = openpyxl.load_workbook(next(path for path in made.workbooks if path.parent.name == "HU")).worksheets[1]
    assert "Hobbi" in [cell.value for cell in sheet[1]]


def test_a_wave_that_there_is_not_is_named(trial: Trial) -> None:
    with pytest.raises(ProtocolError, match="'autumn' is no wave"):
        trial.forms(wave="autumn")


def test_a_form_of_a_wave_that_the_protocol_no_longer_has_is_refused_by_name_and_a_renamed_sheet_is_read(
    trial: Trial,
) -> None:
    made = trial.forms(wave="followup")
    book = openpyxl.load_workbook(made.workbooks[0])
    sheet = book.worksheets[2]
    sheet.title = "Sheet1"
    sheet.cell(row=1, column=4).value = "?"
    sheet.cell(row=2, column=4).value = "unknown"
    book.save(trial.paths.inbox / "renamed.xlsx")
    (trial.paths.inbox / "autumn.xlsx").write_bytes(
        entry_workbook(
            [FormTable(table=standard_tables()["status"], rows=[{"pupil_id": "0001"}])],
            recipient=Recipient(school=made.workbooks[0].stem),
            wave="autumn",
            catalogue=Catalogue("data_schema", Language("hu")),
        )
    )
    collected = trial.collect()
    returns = collected.returns.set_index(["file", "table"])
    assert returns.loc[("renamed.xlsx", "status"), "sent"] == 20
    # The rehearsed schools have sent this status already, so that the one in the form is asked about.
    assert returns.loc[("renamed.xlsx", "status"), ["kept", "asked"]].sum() == 1
    refused = [one for one in collected.findings.by_severity("refused") if one.file == "autumn.xlsx"]
    assert refused
    assert all("which the trial does not have" in one.problem for one in refused)
    autumn = collected.returns[collected.returns["file"] == "autumn.xlsx"]
    assert len(autumn)
    assert (autumn["sent"] == autumn["refused"]).all()
    (trial.paths.inbox / "renamed.xlsx").unlink()
    (trial.paths.inbox / "autumn.xlsx").unlink()
