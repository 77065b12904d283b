"""High-frequency checks and the page of returns, on a trial's store; one run at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import DataError, StorageError
from evaluation.cli.main import crocoos, get_exit_code
from evaluation.provenance import lock_trial_for_writing
from evaluation.trial import Trial
from tests.support.trials import drawn_trial, small_trial


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


def test_the_page_of_returns_is_for_all_and_for_each_country_and_names_no_pupil(trial: Trial) -> None:
    answer = CliRunner().invoke(crocoos, ["returns", str(trial.paths.root), "--json"])
    assert answer.exit_code == 0, answer.output
    made = json.loads(answer.output)
    assert made["files"] == [
        "returns.HU.hu.html", "returns.RS.sr-Latn.html", "returns.RS.sr.html", "returns.en.html",
    ]  # fmt: skip
    pages = {name: (Path(made["folder"]) / name).read_text(encoding="utf-8") for name in made["files"]}
    assert '<html lang="hu">' in pages["returns.HU.hu.html"]
    schools, _ = trial.schools()
    for country, page in (("HU", pages["returns.HU.hu.html"]), ("RS", pages["returns.RS.sr.html"])):
        for school, home in zip(schools["school_id"], schools["country"], strict=True):
            assert (f">{school}<" in page) == (home == country)
    private = {Path(name).name for name in trial.inbox_files()}
    assert not [name for name in private for page in pages.values() if name in page]


def test_a_page_of_returns_needs_something_that_was_collected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing has been collected"):
        small_trial(tmp_path / "trial").returns()


def test_a_second_run_is_told_to_wait(trial: Trial) -> None:
    with lock_trial_for_writing(trial.paths.root), pytest.raises(StorageError, match="another run") as caught:
        Trial(Path(trial.paths.root)).collect()
    assert get_exit_code(caught.value) == 9
