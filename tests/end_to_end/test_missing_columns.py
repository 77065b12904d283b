"""A column that the results are made from and a file lacks is a question to the school."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.flow import SCHOOL_SENT_NOTHING
from evaluation.trial import Trial
from tests.support.answers import answered
from tests.support.tiny import N_PUPILS, PROTOCOL, plain_files, school_ids, tiny_trial

SCHOOL = school_ids()[2]


def renamed(folder: Path, header: str) -> Trial:
    """Make a trial in which one school calls the outcome's column something else."""
    files = plain_files()
    name = f"after/status_{SCHOOL}.csv"
    assert ";average_mark" in files[name]
    files[name] = files[name].replace(";average_mark", f";{header}")
    return tiny_trial(folder, files=files)


@pytest.mark.parametrize(
    ("header", "remedy"),
    [
        ("avg_mark", "If it is the column 'avg_mark', call it 'average_mark' and send the file again."),
        ("Q7", "Add the column and send the file again."),
    ],
)
def test_a_renamed_outcome_is_a_question_with_the_nearest_header(tmp_path: Path, header: str, remedy: str) -> None:
    trial = renamed(tmp_path / "trial", header)
    answer = CliRunner().invoke(crocoos, ["collect", str(trial.paths.root)])
    problem = "It has no column 'average_mark', which the results of the trial are made from."
    assert f"after/status_{SCHOOL}.csv, row 1, column 'average_mark': {problem} {remedy}" in answer.output
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked[["school_id", "table", "column", "problem", "remedy"]].to_numpy().tolist() == [
        [SCHOOL, "status", "average_mark", problem, remedy]
    ]
    assert [path.stem for path in (trial.paths.store / "queries").iterdir()] == [SCHOOL]
    page = (trial.returns().folder / "returns.en.html").read_text(encoding="utf-8")
    assert "which the results of the trial are made from" in page
    slovenian = (trial.paths.root / "output" / "returns" / "returns.SI.sl.html").read_text(encoding="utf-8")
    assert "iz njega nastanejo rezultati raziskave" in slovenian


def test_a_column_that_no_result_is_made_from_stays_a_note(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    assert {one.severity for one in trial.collect().findings} == {"note"}


def test_a_school_without_the_outcomes_column_is_not_said_to_have_sent_nothing(tmp_path: Path) -> None:
    trial = renamed(tmp_path / "trial", "avg_mark")
    trial.assign()
    trial.collect()
    trial.impact()
    flow = pd.read_csv(trial.paths.results / "flow.csv", keep_default_na=False)
    lost = flow[flow["step"] == "outcome_missing"]
    assert lost[["reason", "n_schools", "n_pupils"]].to_numpy().tolist() == [["no answer", 1, N_PUPILS]]
    assert SCHOOL_SENT_NOTHING not in set(flow["reason"])
    counts = flow[flow["arm"] != ""].groupby("step")[["n_schools", "n_pupils"]].sum()
    assert list(counts.loc["outcome_missing"] + counts.loc["analysed"]) == list(counts.loc["baseline"])


def emptied(folder: Path, *, kept: str = "") -> Trial:
    """Make a trial in which one school leaves the outcome's column empty, but for a sign in its first row."""
    files = plain_files()
    name = f"after/status_{SCHOOL}.csv"
    header, *rows = files[name].splitlines()
    rows = [row.rsplit(";", 1)[0] + f";{kept if place == 0 else ''}" for place, row in enumerate(rows)]
    files[name] = "\n".join([header, *rows, ""])
    return tiny_trial(folder, files=files)


EMPTY = "The column 'average_mark', which the results of the trial are made from, is empty."


def test_a_planned_column_that_a_school_left_empty_is_a_question_to_it(tmp_path: Path) -> None:
    trial = emptied(tmp_path / "trial")
    answer = CliRunner().invoke(crocoos, ["collect", str(trial.paths.root)])
    assert f"after/status_{SCHOOL}.csv, row 1, column 'average_mark': {EMPTY} Fill in the column" in answer.output
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked[["school_id", "table", "column", "problem"]].to_numpy().tolist() == [
        [SCHOOL, "status", "average_mark", EMPTY]
    ]
    assert [path.stem for path in (trial.paths.store / "queries").iterdir()] == [SCHOOL]
    page = (trial.returns().folder / "returns.en.html").read_text(encoding="utf-8")
    assert "which the results of the trial are made from, is empty" in page
    slovenian = (trial.paths.root / "output" / "returns" / "returns.SI.sl.html").read_text(encoding="utf-8")
    assert "Prazen je stolpec" in slovenian


@pytest.mark.parametrize("kept", ["-", "3"])
def test_a_column_with_a_value_or_a_sign_that_nobody_knows_is_not_empty(tmp_path: Path, kept: str) -> None:
    trial = emptied(tmp_path / "trial", kept=kept)
    assert {one.severity for one in trial.collect().findings} == {"note"}


def test_an_empty_column_of_one_school_is_asked_about_in_a_file_of_several(tmp_path: Path) -> None:
    files = plain_files()
    names = [f"after/status_{school}.csv" for school in (SCHOOL, school_ids()[3])]
    header, *mine = files.pop(names[0]).splitlines()
    _, *others = files.pop(names[1]).splitlines()
    files["after/status_together.csv"] = "\n".join(
        [header, *(row.rsplit(";", 1)[0] + ";" for row in mine), *others, ""]
    )
    trial = tiny_trial(tmp_path / "trial", files=files)
    assert trial.collect().queries == {SCHOOL: 1}


def answered_as(trial: Trial, value: str) -> pd.DataFrame:
    """Answer the only question of a trial in its workbook, collect again, and return the answers that were read."""
    trial.collect()
    file = f"after/status_{SCHOOL}.csv"
    name, content = answered((trial.paths.store / "queries").glob("*.xlsx"), file=file, row="1", value=value)
    (trial.paths.inbox / name).write_bytes(content)
    trial.collect()
    return pd.read_csv(trial.paths.store / "answers.csv", dtype=str, encoding="utf-8-sig", keep_default_na=False)


@pytest.mark.parametrize(
    "value", ["We do not record this: the teacher left.", "not recorded, since the teacher left", "Ne beležimo.", "-"]
)
@pytest.mark.parametrize("make", [lambda folder: renamed(folder, "Q7"), emptied], ids=["missing", "empty"])
def test_a_school_can_answer_that_it_does_not_record_a_column_and_it_stays_in_the_counts(
    tmp_path: Path, value: str, make: Callable[[Path], Trial]
) -> None:
    trial = make(tmp_path / "trial")
    told = answered_as(trial, value)
    assert told[["column", "status"]].to_numpy().tolist() == [["average_mark", "not_recorded"]]
    # A text that a spreadsheet would take for a formula has a sign before it.
    assert told["became"].tolist() == [f"'{value}" if value == "-" else value]
    assert pd.read_csv(trial.paths.store / "open_questions.csv").empty
    assert not list((trial.paths.store / "queries").iterdir())
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        notes = [str(one) for one in store.findings()]
    assert any("that it does not record this; the values stay missing." in note for note in notes)
    counted = pd.read_csv(trial.paths.store / "returns_by_school.csv", encoding="utf-8-sig").query("table == 'status'")
    assert len(set(counted["n_cells"])) == 1
    assert counted.set_index("school_id")["n_filled"].idxmin() == SCHOOL


def test_an_answer_that_does_not_settle_a_question_about_a_column_leaves_it_open_and_says_so(tmp_path: Path) -> None:
    trial = renamed(tmp_path / "trial", "Q7")
    told = answered_as(trial, "next week")
    assert told["status"].tolist() == ["open"]
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        notes = [one for one in store.findings() if "does not settle the question" in one.problem]
    assert len(notes) == 1
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked["column"].tolist() == ["average_mark"]
    # The remedy works.
    assert "not recorded" in notes[0].remedy
    assert answered_as(trial, "not recorded")["status"].tolist() == ["not_recorded"]


def test_the_answer_of_a_school_most_of_whose_pupils_refuse_closes_the_question(tmp_path: Path) -> None:
    files = plain_files()
    name = f"before/pupil_{SCHOOL}.csv"
    files[name] = files[name].replace(";yes", ";no", N_PUPILS - 1)
    text = f'{PROTOCOL}\n[privacy]\nrefusal = "exclude"\n'
    trial = tiny_trial(tmp_path / "trial", protocol=text, files=files)
    assert trial.collect().queries == {SCHOOL: 1}
    name, content = answered((trial.paths.store / "queries").glob("*.xlsx"), file=name, row="None", value="yes")
    (trial.paths.inbox / name).write_bytes(content)
    assert trial.collect().queries == {}
