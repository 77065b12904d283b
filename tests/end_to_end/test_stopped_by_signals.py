"""A run that the system ends, or whose terminal is closed, stops as with Ctrl-C: nothing is left in the clear."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from data_schema.pseudonyms import new_identity
from evaluation.cli.main import run
from evaluation.guarded_files import find_plain_files
from evaluation.provenance import SCRATCH
from evaluation.trial import Trial
from evaluation.vault import decrypt_vault
from tests.support.tiny import tiny_trial
from tests.support.trials import clock, watch_touches

pytestmark = pytest.mark.skipif(os.name != "posix", reason="other systems end programs in another way")

RECIPIENT, IDENTITY = new_identity()
KEY = ["--reason", "the second wave", "--key"]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial with its data, sealed for the holder of an identity."""
    root = tmp_path_factory.mktemp("sealed")
    trial = tiny_trial(root / "trial")
    trial.assign()
    trial.collect()
    trial.lock(IDENTITY)
    (root / "identity.txt").write_text(IDENTITY, encoding="utf-8")
    return root


def ended_at(touch: int, number: int, words: list[str], *, said: Path) -> int:
    """Run a command in a child process that is sent a signal at its n-th touch of the file system; return its code."""
    child = os.fork()
    if child == 0:
        with said.open("w") as stream:
            os.dup2(stream.fileno(), 2)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- the child's own
        sys.argv = ["crocoos", *words]
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        # A second one comes while the run settles what it has begun.
        watch_touches(lambda n: os.kill(os.getpid(), number) if n in (touch, touch + 1) else None)
        try:
            run()
        except SystemExit as ended:
            sys.stderr.flush()
            os._exit(int(ended.code or 0))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


INSTANTS = [
    ("collect", 4, signal.SIGTERM),
    ("collect", 16, signal.SIGHUP),
    ("collect", 40, signal.SIGTERM),
    ("forms", 3, signal.SIGTERM),
    ("forms", 8, signal.SIGHUP),
    ("unlock", 2, signal.SIGTERM),
    ("unlock", 14, signal.SIGTERM),
    ("unlock", 30, signal.SIGHUP),
]


@pytest.mark.parametrize(("command", "touch", "number"), INSTANTS)
def test_nothing_is_left_in_the_clear_and_one_sentence_says_that_it_was_stopped(
    sealed: Path, tmp_path: Path, command: str, touch: int, number: int
) -> None:
    folder = Path(shutil.copytree(sealed / "trial", tmp_path / "trial"))
    key = [*KEY, str(sealed / "identity.txt")]
    words = {"collect": [], "forms": ["--wave", "after"], "unlock": ["--for-good"]}[command]
    late = folder / "inbox" / "before" / "pupil_late.csv"
    if command == "collect":
        late.parent.mkdir(exist_ok=True)
        late.write_text("school_id;pupil_id;gender;consent\nSI-03;0399999;girl;yes\n", encoding="utf-8")
    before = vault(folder)
    said = tmp_path / "said.txt"
    code = ended_at(touch, number, [command, str(folder), *words, *key], said=said)
    assert code == 128 + number, said.read_text(encoding="utf-8")
    assert said.read_text(encoding="utf-8").strip().splitlines()[-1] == (
        "Stopped. What was there before is as it was; run the same command again to have it done."
    )
    assert "Traceback" not in said.read_text(encoding="utf-8")
    trial = Trial(folder, clock=clock)
    # What the user has put there is where it was put, or sealed.
    assert set(find_plain_files(trial)) <= {"inbox/before/pupil_late.csv"}
    assert not (folder / SCRATCH).exists()
    assert not [path.name for path in (folder / "private").iterdir() if "new" in path.name or "moves" in path.name]
    assert {name for name, content in before.items() if vault(folder).get(name) != content} <= {"private/key_table.age"}
    assert trial.verify().problems == ()


def vault(folder: Path) -> dict[str, bytes]:
    files, _ = decrypt_vault((folder / "private" / "vault.zip").read_bytes(), [IDENTITY])
    return {name: one.content for name, one in files.items()}
