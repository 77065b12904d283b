"""High-frequency checks and the page of returns, on a trial's store; one run at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import StorageError
from evaluation.cli.main import crocoos, exit_code
from evaluation.provenance import alone
from evaluation.trial import Trial
from tests.support.trials import drawn_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = drawn_trial(tmp_path_factory.mktemp("checks") / "trial")
    made.collect()
    return made


def run(trial: Trial, *options: str) -> list[dict[str, object]]:
    answer = CliRunner().invoke(crocoos, ["checks", str(trial.paths.root), "--json", *options])
    assert answer.exit_code == 0, answer.output
    odd: list[dict[str, object]] = json.loads(answer.output)["odd"]
    return odd


def test_arms_are_compared_only_with_the_flag(trial: Trial) -> None:
    usual, by_arm = run(trial), run(trial, "--by-arm")
    assert not any(row["check"] == "missing by arm" for row in usual)
    assert [row for row in by_arm if row["check"] != "missing by arm"] == usual
    written = pd.read_csv(trial.paths.root / "output" / "checks" / "checks.csv")
    assert len(written) == len(by_arm)


def test_returns_are_by_wave_table_and_country(trial: Trial) -> None:
    frame = pd.read_csv(trial.paths.store / "completeness.csv", keep_default_na=False)
    assert set(frame["country"]) == {"HU", "RS"}
    pupils = frame.query("table == 'pupil' and wave == 'baseline'")
    assert (pupils["n_returned"] == pupils["n_schools"]).all()
    assert (frame["sent"] >= frame["kept"]).all()
    assert frame["share_filled"].between(0, 1).all()
    assert pupils["share_filled"].min() > 0.8


def test_a_second_run_is_told_to_wait(trial: Trial) -> None:
    with alone(trial.paths.root), pytest.raises(StorageError, match="another run") as caught:
        Trial(Path(trial.paths.root)).collect()
    assert exit_code(caught.value) == 9
