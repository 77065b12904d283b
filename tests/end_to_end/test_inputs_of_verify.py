"""Whatever is gone or damaged, `verify` answers no, with the reason and its own exit code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from data_schema.errors import StaleError
from evaluation.cli.main import crocoos
from evaluation.trial import Trial
from tests.support.tiny import PROTOCOL, tiny_trial
from tests.support.trials import clock

UNSEEDED = PROTOCOL.replace('seed = "a lottery"\n', "")
LATE = "school_id,name,country,type,size\nSI-90,Late,SI,general,90\nSI-91,Later,SI,general,110\n"


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trial with a frozen plan, a commitment, a draw, late schools and data, whose verification holds."""
    trial = tiny_trial(tmp_path_factory.mktemp("verify") / "trial", protocol=UNSEEDED)
    trial.plan(freeze=True)
    trial.commit(seed_source="a lottery")
    trial.reveal(seed="4 19 33")
    (trial.paths.root / "late.csv").write_text(LATE, encoding="utf-8")
    trial.add_late(trial.paths.root / "late.csv", seed="77")
    trial.collect()
    assert trial.verify().ok, trial.verify().problems
    return trial.paths.root


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00\x81"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a list": lambda path: path.write_bytes(b"[]"),
    "an object": lambda path: path.write_bytes(b"{}"),
    "a folder": as_a_folder,
}
FILES = (
    *("schools.csv", "log.jsonl", "plan/trial.toml", "store/content.json"),
    *(f"allocation/{name}" for name in ("record.json", "allocation.csv", "commitment.json", "stage.json")),
    *("allocation/later_1.json", "allocation/later_1.csv"),
)


@pytest.mark.parametrize("file", FILES)
def test_verify_answers_no_to_every_damage_of_what_it_reads(verified: Path, tmp_path: Path, file: str) -> None:
    for damage, spoil in DAMAGES.items():
        folder = tmp_path / damage
        shutil.copytree(verified, folder)
        spoil(folder / file)
        answer = CliRunner().invoke(crocoos, ["verify", str(folder)])
        name = Path(file).name
        # What nothing but a stage makes is asked for by the next run of the stage.
        if (file, damage) == ("store/content.json", "gone"):
            assert answer.exit_code == 0, answer.output
            continue
        assert answer.exception is None or isinstance(answer.exception, SystemExit), (damage, answer.exception)
        assert answer.exit_code == 1, (damage, answer.output)
        assert "Problem: " in answer.output, damage
        assert any(one in answer.output for one in (file, name, f"in {Path(file).parent}/", "The plan")), answer.output


def test_a_trial_in_which_nothing_was_drawn_is_told_to_draw(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", protocol=UNSEEDED)
    trial.commit(seed_source="a lottery")
    answer = CliRunner().invoke(crocoos, ["verify", str(trial.folder)])
    assert isinstance(answer.exception, StaleError)
    assert "the schools have not been drawn" in str(answer.exception)
    assert Trial(trial.folder, clock=clock).log().state == "whole"
