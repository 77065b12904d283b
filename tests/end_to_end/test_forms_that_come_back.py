"""Forms go out to the schools of a trial, are filled in, and come back."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from data_schema.errors import ProtocolError
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.trials import drawn_trial, small_trial


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
    sheet.cell(row=2, column=3).value = "unknown"
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
    assert {path.name for path in made.xlsforms} >= {"pupil.xlsx", "survey.xlsx"} - {"survey.xlsx"}


def test_a_wave_that_there_is_not_is_named(trial: Trial) -> None:
    with pytest.raises(ProtocolError, match="'autumn' is no wave"):
        trial.forms(wave="autumn")
