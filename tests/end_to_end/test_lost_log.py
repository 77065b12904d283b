"""A log that is gone is missed whatever else is gone, and one that is begun again says what holds no more."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import StorageError
from evaluation.cli.main import crocoos
from evaluation.decisions import collect_decisions, find_frozen_waves
from evaluation.trial import Trial
from evaluation.trial_log import read_log
from tests.support.answers import answered
from tests.support.tiny import plain_files, school_ids, tiny_trial
from tests.support.trials import clock

WITHDRAWN = f"before/pupil_{school_ids()[1]}.csv"


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trial with a draw, a file that was withdrawn, a frozen wave, and a question that a school answered."""
    files = plain_files()
    name = f"after/status_{school_ids()[0]}.csv"
    files[name] = files[name].replace("enrolled;", "enrolled;9", 1)
    trial = tiny_trial(tmp_path_factory.mktemp("lost") / "trial", files=files)
    trial.assign()
    trial.collect()
    queries = sorted((trial.paths.store / "queries").glob("*.xlsx"))
    _, content = answered(queries, file=name, row="2", value="3")
    (trial.paths.inbox / "answers.xlsx").write_bytes(content)
    trial.withdraw(file=WITHDRAWN, reason="a test file")
    trial.collect()
    trial.freeze(wave="before")
    trial.certificate()
    return trial.paths.root


@pytest.fixture
def trial(decided: Path, tmp_path: Path) -> Trial:
    shutil.copytree(decided, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def run(command: str, trial: Trial) -> str:
    """Run a command as a remedy names it, in the trial's folder."""
    name, *rest = shlex.split(command)
    folder = [str(trial.folder)]
    arguments = [name, *(folder if name in ("log", "collect") else [rest.pop(0), *folder]), *rest]
    answer = CliRunner().invoke(crocoos, arguments)
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.output.split())


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "edited": lambda path: path.write_bytes(path.read_bytes().replace(b"a lottery", b"b lottery")),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-5]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_log_begun_again_lists_what_holds_no_more_and_its_advice_decides_it_again(trial: Trial, damage: str) -> None:
    DAMAGES[damage](trial.paths.log)
    said = run("log --begin-again --reason 'the disk failed'", trial)
    assert f"inbox/{WITHDRAWN} is not withdrawn any more." in said
    assert "The wave 'before' is not frozen any more." in said
    assert find_frozen_waves(trial) == {}
    assert not collect_decisions(trial).withdrawn
    for command in re.findall(r"`crocoos ([^`]+)`", said):
        run(command.replace("TEXT", "'decided again'"), trial)
    assert set(find_frozen_waves(trial)) == {"before"}
    assert set(collect_decisions(trial).withdrawn) == {WITHDRAWN}
    # The line itself keeps what the lost log had decided.
    printed = run("log", trial)
    assert f"files withdrawn no more: {WITHDRAWN}" in printed
    assert "waves frozen no more: before" in printed


def test_nothing_is_said_to_be_unbroken_in_a_log_that_was_begun_again(trial: Trial) -> None:
    assert "unbroken" in run("log", trial)
    trial.paths.log.unlink()
    run("log --begin-again --reason 'the disk failed'", trial)
    said = run("log", trial)
    assert "unbroken" not in said
    assert "1 line since the log was begun again; the earlier log is lost, and what was in it is not known." in said


REMAINS = (
    *("plan", "allocation", "store", "private/pseudonym.key", "private/key_table.age", "private/recipient.txt"),
    *("private/identity.txt", "output/allocation", "inbox/answers.xlsx"),
)


@pytest.mark.parametrize("kept", REMAINS)
def test_a_log_is_missing_where_anything_is_left_that_comes_after_its_first_line(
    decided: Path, tmp_path: Path, kept: str
) -> None:
    folder = tmp_path / "trial"
    for name in ("trial.toml", "schools.csv", kept):
        source, target = decided / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if kept == "plan" and name == kept:
            target.mkdir()
        elif source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    trial = Trial(folder, clock=clock)
    assert trial.log().state == "missing"
    assert kept in trial.log().problems[0]
    with pytest.raises(StorageError, match="the log is missing"):
        trial.plan(freeze=True)


def test_what_can_be_there_before_anything_has_happened_makes_no_log_missing(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    (trial.paths.root / "output").mkdir()
    (trial.paths.root / "output" / ".DS_Store").touch()
    assert read_log(trial.paths.root).state == "empty"
    # Forms and power are written before anything has happened to the trial, and are the first that its log names.
    trial.forms(wave="before")
    trial.power()
    assert [entry.detail.get("folder") for entry in trial.log().entries][-2:] == ["output/forms/before", "output/power"]
    trial.plan(freeze=True)
    assert trial.log().state == "whole"


def test_the_first_data_of_a_trial_begin_its_log_before_there_is_a_key(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial")
    trial.collect()
    assert [entry.event for entry in trial.log().entries] == ["created", "collected"]
    for name in ("store", "log.jsonl"):
        path = trial.paths.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert trial.log().state == "missing"
