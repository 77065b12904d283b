"""Two runs at once on one trial: the second is told to wait, and nothing is mixed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_schema.errors import StorageError
from evaluation.provenance import LOCK, lock_trial_for_writing
from tests.support.trials import small_trial

HOLD = """
import sys
from pathlib import Path
from evaluation.provenance import lock_trial_for_writing
with lock_trial_for_writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    """Return another process that is writing to the trial."""
    small_trial(tmp_path / "trial")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "trial")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_of_two_draws_is_told_to_wait_and_draws_when_the_first_has_ended(
    other: subprocess.Popen[str], tmp_path: Path
) -> None:
    trial = small_trial(tmp_path / "trial")
    with pytest.raises(StorageError, match="another run is writing"):
        trial.assign()
    assert not trial.paths.allocation.exists()
    other.communicate("")
    trial.assign()
    assert trial.verify().ok


def test_a_killed_run_holds_no_lock(other: subprocess.Popen[str], tmp_path: Path) -> None:
    other.kill()
    other.communicate()
    assert (tmp_path / "trial" / LOCK).exists()
    small_trial(tmp_path / "trial").assign()


def test_what_is_read_needs_no_lock(other: subprocess.Popen[str], tmp_path: Path) -> None:
    assert small_trial(tmp_path / "trial").status()
    other.communicate("")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="file"), lock_trial_for_writing(tmp_path / "file" / "trial"):
        pass
