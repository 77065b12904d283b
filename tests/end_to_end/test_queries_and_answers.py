"""Questions go out to the schools of a trial, and what comes back is used."""

from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from data_schema.store import Store
from evaluation.trial import Trial
from tests.support.trials import drawn_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = drawn_trial(tmp_path_factory.mktemp("queries") / "trial")
    made.collect()
    return made


def test_answers_from_a_workbook_in_the_inbox_close_their_questions(trial: Trial) -> None:
    queries = trial.paths.store / "queries"
    workbooks = sorted(queries.glob("*.xlsx"))
    before = pd.read_csv(trial.paths.store / "questions.csv", dtype=str).query("severity == 'question'")
    assert workbooks
    marks = before[before["column"] == "average_mark"].iloc[0]
    name, content = _answered(workbooks, str(marks["file"]), str(marks["row"]), 3)
    (trial.paths.inbox / name).write_bytes(content)
    collected = trial.collect()
    after = pd.read_csv(trial.paths.store / "questions.csv", dtype=str).query("severity == 'question'")
    assert len(after) == len(before) - 1
    assert collected.n_answers == 1
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        (answer,) = store.answers().to_dict("records")
        assert (answer["file"], str(answer["row"]), answer["became"]) == (marks["file"], marks["row"], "3")
        rows = store.table("status").query(f"source_file == '{marks['file']}' and source_row == {marks['row']}")
        assert rows["average_mark"].tolist() == [3.0]
    assert (trial.paths.inbox / name).read_bytes() == content


def _answered(workbooks: list[Path], file: str, row: str, value: int) -> tuple[str, bytes]:
    for path in workbooks:
        book = openpyxl.load_workbook(path)
        for cells in book.worksheets[0].iter_rows(min_row=5):
            if (cells[1].value, str(cells[3].value)) == (file, row):
                cells[8].value = value
                made = io.BytesIO()
                book.save(made)
                return path.name, made.getvalue()
    raise AssertionError(f"no workbook asks about {file}, row {row}")
