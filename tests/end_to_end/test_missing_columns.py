"""A column that the results are made from and a file lacks is a question to the school."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from evaluation.cli.main import crocoos
from evaluation.flow import SCHOOL_SENT_NOTHING
from evaluation.trial import Trial
from tests.support.tiny import N_PUPILS, plain_files, school_ids, tiny_trial

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
