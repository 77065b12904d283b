"""A run that is killed, at any touch of the file system, leaves the last good state, and a re-run finishes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.provenance import sha256_of_file
from evaluation.trial import Trial
from tests.support.trials import clock, drawn_trial, killed_at, n_touches, short_protocol

STAGES: dict[str, Callable[[Trial], object]] = {
    "assign": lambda trial: trial.assign(seed="another lottery", reason="the first was announced too late"),
    "collect": lambda trial: trial.collect(),
    "balance": lambda trial: trial.balance(),
    "impact": lambda trial: trial.impact(),
}
FOLDERS = {"assign": "allocation", "collect": "store", "balance": "balance", "impact": "results"}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trial on which every stage has run once, and whose inputs have changed a little since."""
    folder = tmp_path_factory.mktemp("ready") / "trial"
    trial = drawn_trial(folder, text=short_protocol())
    trial.collect()
    trial.balance()
    trial.impact()
    return folder


def content(folder: Path) -> dict[str, str]:
    """Return the hashes of a folder's files; of the database only that it is there: its bytes differ each time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): "" if path.suffix == ".duckdb" else sha256_of_file(path)
        for path in files
        if path.name != "stage.json"
    }


def changed(folder: Path, stage: str) -> None:
    """Change something that the stage reads, so that its new state differs from the old one."""
    if stage == "collect":
        file = next(iter(sorted((folder / "inbox" / "baseline" / "HU").glob("pupil_*.csv"))))
        file.unlink()
    elif stage != "assign":
        text = (folder / "trial.toml").read_text(encoding="utf-8")
        (folder / "trial.toml").write_text(text.replace("n_draws = 199", "n_draws = 299"), encoding="utf-8")


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_leaves_the_old_state_or_the_new_and_a_rerun_finishes(
    ready: Path, tmp_path: Path, stage: str
) -> None:
    base = tmp_path / "base"
    shutil.copytree(ready, base)
    old = content(base / FOLDERS[stage])
    changed(base, stage)
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    STAGES[stage](Trial(whole, clock=clock))
    new = content(whole / FOLDERS[stage])
    assert new != old
    states = set()
    counted = tmp_path / "counted"
    shutil.copytree(base, counted)
    last = n_touches(lambda: STAGES[stage](Trial(counted, clock=clock)))
    assert last > 5
    # The last touches are those of the swap; of the many before them, a dozen stand for all.
    for touch in sorted({*range(1, last, max(last // 12, 1)), *range(max(last - 8, 1), last + 2)}):
        folder = tmp_path / f"kill_{touch}"
        shutil.copytree(base, folder)

        def run(folder: Path = folder) -> None:
            STAGES[stage](Trial(folder, clock=clock))

        assert killed_at(touch, run) == (touch <= last)
        trial = Trial(folder, clock=clock)
        found = content(folder / FOLDERS[stage])
        assert found in (old, new), f"killed at touch {touch}"
        states.add("old" if found == old else "new")
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
    before, whole = tmp_path / "before", tmp_path / "whole"
    shutil.copytree(published, before)
    shutil.copytree(published, whole)
    old, last = content(before / "output" / "site"), n_touches(lambda: Trial(whole, clock=clock).publish())
    new = content(whole / "output" / "site")
    states = set()
    for touch in sorted({*range(1, last, max(last // 8, 1)), last}):
        folder = tmp_path / f"kill_{touch}"
        shutil.copytree(before, folder)
        assert killed_at(touch, lambda folder=folder: Trial(folder, clock=clock).publish())  # type: ignore[misc]
        Trial(folder, clock=clock)
        found = content(folder / "output" / "site")
        assert found in (old, new), f"killed at touch {touch}"
        states.add("old" if found == old else "new")
    assert states == {"old", "new"}
