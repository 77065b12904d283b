"""Questions go out to the schools of a trial, and what comes back is used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data_schema.pseudonyms import pseudonym
from data_schema.store import Store
from evaluation.guarded_files import ensure_trial_key
from evaluation.stages.collect import read_intake
from evaluation.trial import Trial
from tests.support.answers import answered
from tests.support.tiny import plain_files, school_ids, tiny_trial
from tests.support.trials import drawn_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = drawn_trial(tmp_path_factory.mktemp("queries") / "trial")
    made.collect()
    return made


def rows_of(trial: Trial, store: Store, place: str) -> pd.DataFrame:
    """Return the rows of the store about the pupil at a place of a file; the place itself is not in the store."""
    sent = read_intake(trial).frames["status"].query(place)
    (school,), (pupil,) = sent["school_id"], sent["pupil_id"]
    made = pseudonym(pupil, key=ensure_trial_key(trial), scope=school)
    return store.table("status").query(f"pupil_id == '{made}'")


def test_answers_from_a_workbook_in_the_inbox_close_their_questions(trial: Trial) -> None:
    queries = trial.paths.store / "queries"
    workbooks = sorted(queries.glob("*.xlsx"))
    before = pd.read_csv(trial.paths.store / "questions.csv", dtype=str).query("severity == 'question'")
    assert workbooks
    marks = before[before["column"] == "average_mark"].iloc[0]
    name, content = answered(workbooks, file=str(marks["file"]), row=str(marks["row"]), value=3)
    (trial.paths.inbox / name).write_bytes(content)
    collected = trial.collect()
    after = pd.read_csv(trial.paths.store / "questions.csv", dtype=str).query("severity == 'question'")
    assert len(after) == len(before) - 1
    assert collected.n_answers == 1
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        (answer,) = store.answers().to_dict("records")
        assert (answer["file"], str(answer["row"]), answer["became"]) == (marks["file"], marks["row"], "3")
        rows = rows_of(trial, store, f"source_file == '{marks['file']}' and source_row == {marks['row']}")
        assert rows["average_mark"].tolist() == [3.0]
    assert (trial.paths.inbox / name).read_bytes() == content


def test_an_answer_to_an_older_file_is_not_used_and_the_newest_question_can_be_answered(tmp_path: Path) -> None:
    files = plain_files()
    name = f"after/status_{school_ids()[0]}.csv"
    files[name] = files[name].replace("enrolled;", "enrolled;9", 1)
    trial = tiny_trial(tmp_path / "trial", files=files)
    trial.collect()

    def answer(as_file: str) -> None:
        queries = sorted((trial.paths.store / "queries").glob("*.xlsx"))
        _, content = answered(queries, file=name, row="2", value=3)
        (trial.paths.inbox / as_file).write_bytes(content)

    answer("first.xlsx")
    with (trial.paths.inbox / name).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    findings = trial.collect().findings
    (stale,) = [one for one in findings if "is to an older file" in one.problem]
    assert stale.remedy == "Answer the newest questions, which `crocoos collect` wrote."
    assert any(one.severity == "question" for one in findings)
    answer("second.xlsx")
    findings = trial.collect().findings
    assert not [one for one in findings if one.severity == "question"]
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        rows = rows_of(trial, store, f"source_file == '{name}' and source_row == 2")
    assert rows["average_mark"].tolist() == [3.0]
