"""A run that is killed, at any touch of the file system, leaves the last good state, and a re-run finishes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.provenance import hash_file, lock_trial_for_writing
from evaluation.trial import Trial
from tests.support.tiny import PROTOCOL, tiny_trial
from tests.support.trials import clock, killed_at, states_at_touches

STAGES: dict[str, Callable[[Trial], object]] = {
    "assign": lambda trial: trial.assign(seed="another lottery", reason="the first was announced too late"),
    "collect": lambda trial: trial.collect(),
    "balance": lambda trial: trial.balance(),
    "impact": lambda trial: trial.impact(),
}
FOLDERS = {"assign": "allocation", "collect": "store", "balance": "balance", "impact": "results"}

_COVARIATE = """
[[covariates]]
name = "size"
label = "Size of the school"
table = "school"
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trial on which every stage has run once, and whose inputs have changed a little since."""
    folder = tmp_path_factory.mktemp("ready") / "trial"
    trial = tiny_trial(folder)
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    trial.balance()
    trial.impact()
    return folder


def content(folder: Path) -> dict[str, str]:
    """Return the hashes of a folder's files; of the database only that it is there: its bytes differ each time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): "" if path.suffix == ".duckdb" else hash_file(path)
        for path in files
        if path.name != "stage.json"
    }


def leftovers(folder: Path) -> frozenset[str]:
    """Return the names of all that is in a trial; what is in a hidden folder, half written, counts as one."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    # A file that is being written has a name of the moment: .NAME.abcdefgh.part
    plain = [re.sub(r"\.[a-z0-9_]{8}\.part$", ".part", name) for name in names]
    return frozenset(re.sub(r"((?:^|/)\.[^/]+/).*", r"\1", name) for name in plain)


def changed(folder: Path, stage: str) -> None:
    """Change something that the stage reads, so that its new state differs from the old one."""
    if stage == "collect":
        next(iter(sorted((folder / "inbox" / "before").glob("pupil_*.csv")))).unlink()
    elif stage != "assign":
        (folder / "trial.toml").write_text(f"{PROTOCOL}conf_level = 0.9\n{_COVARIATE}", encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_leaves_the_old_state_or_the_new_and_a_rerun_finishes(
    ready: Path, tmp_path: Path, stage: str
) -> None:
    base = tmp_path / "base"
    shutil.copytree(ready, base)
    old = content(base / FOLDERS[stage])
    changed(base, stage)
    run = tmp_path / "run"
    shutil.copytree(base, run)
    left = states_at_touches(run, lambda: STAGES[stage](Trial(run, clock=clock)), into=tmp_path / "left")
    new = content(run / FOLDERS[stage])
    assert new != old
    assert len(left) > 5
    instant = random.Random(stage).randrange(1, len(left))  # noqa: S311 (no secret)
    for touch in (instant, len(left)):
        killed = tmp_path / f"killed_{touch}"
        shutil.copytree(base, killed)
        assert killed_at(touch, lambda folder=killed: STAGES[stage](Trial(folder, clock=clock)))  # type: ignore[misc]
        assert leftovers(killed) == leftovers(left[touch - 1]), "a copy at a touch is what a kill leaves"
        assert content(killed / FOLDERS[stage]) == content(left[touch - 1] / FOLDERS[stage])
    states, known = set(), set()
    for touch, folder in enumerate(left, start=1):
        names = leftovers(folder)
        trial = Trial(folder, clock=clock)
        # Who only reads repairs nothing; the next run that writes does, before its work.
        with lock_trial_for_writing(folder):
            found = content(folder / FOLDERS[stage])
        assert found in (old, new), f"killed at touch {touch}"
        states.add("old" if found == old else "new")
        # A run after a kill is as one after another that left files of the same names.
        if names not in known:
            known.add(names)
            STAGES[stage](trial)
            assert content(folder / FOLDERS[stage]) == new
            assert not [path.name for path in folder.iterdir() if path.name.startswith(".") and path.is_dir()]
        shutil.rmtree(folder)
    assert states == {"old", "new"}


@pytest.fixture(scope="module")
def published(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trial with its documents and its site, all of which another title makes stale."""
    folder = tmp_path_factory.mktemp("published") / "trial"
    shutil.copytree(ready, folder)
    trial = Trial(folder, clock=clock)
    trial.report()
    trial.publish()
    with_another_title(folder)
    return folder


def with_another_title(folder: Path) -> None:
    path = folder / "trial.toml"
    text = path.read_text(encoding="utf-8")
    title = next(line for line in text.splitlines() if line.startswith("title ="))
    path.write_text(text.replace(title, 'title = "Another title"'), encoding="utf-8")


@pytest.mark.slow
def test_reports_killed_at_random_instants_and_a_site_killed_anywhere_are_those_of_before_or_after(
    published: Path, tmp_path: Path
) -> None:
    code = "import sys; from evaluation.trial import Trial; Trial(sys.argv[1]).report()"
    reports, old = published / "output" / "reports", content(published / "output" / "reports")
    for seconds in (1.0, random.Random(2027).uniform(1.5, 4.0)):  # noqa: S311 (no secret)
        run = subprocess.Popen([sys.executable, "-c", code, str(published)], start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert content(reports) == old or Trial(published, clock=clock).status()[-2].state == "fresh"
    Trial(published, clock=clock).report()
    assert content(reports) != old
    whole = tmp_path / "whole"
    shutil.copytree(published, whole)
    old = content(whole / "output" / "site")
    left = states_at_touches(whole, lambda: Trial(whole, clock=clock).publish(), into=tmp_path / "left")
    new = content(whole / "output" / "site")
    states = set()
    for touch, folder in enumerate(left, start=1):
        with lock_trial_for_writing(folder):
            found = content(folder / "output" / "site")
        assert found in (old, new), f"killed at touch {touch}"
        states.add("old" if found == old else "new")
    assert states == {"old", "new"}
