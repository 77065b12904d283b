"""A command reads each input once, and never works with what was in a file before it was changed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluation.trial import Trial
from evaluation.trial_log import Event, add_log_event
from tests.support.tiny import tiny_trial

OPENED: list[str] = []
COUNTING = [False]


def hear(event: str, arguments: tuple[object, ...]) -> None:
    """Note what is opened to be read, while it is counted."""
    if COUNTING[0] and event == "open" and isinstance(arguments[0], str | os.PathLike):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if not flags & (os.O_WRONLY | os.O_RDWR):
            OPENED.append(os.fspath(arguments[0]))


@contextmanager
def counted(root: Path) -> Iterator[Counter[str]]:
    """Count how often each file of a trial is opened to be read."""
    found: Counter[str] = Counter()
    OPENED.clear()
    COUNTING[0] = True
    try:
        yield found
    finally:
        COUNTING[0] = False
    paths = (Path(name).absolute() for name in OPENED)
    found.update(path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root))


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A tiny trial with a plan, a draw and data."""
    sys.addaudithook(hear)
    trial = tiny_trial(tmp_path_factory.mktemp("once") / "trial")
    trial.plan(freeze=True)
    trial.assign()
    trial.collect()
    return trial


@pytest.mark.parametrize(
    "command", [Trial.status, Trial.plan, Trial.assign, Trial.collect, Trial.balance, Trial.impact, Trial.verify]
)
def test_a_command_reads_the_list_of_schools_once(command: Callable[[Trial], object], collected: Trial) -> None:
    with counted(collected.paths.root) as opened:
        command(collected)
    assert opened["schools.csv"] == 1
    # Once as it was, and once more for each line that is added.
    assert 1 <= opened["log.jsonl"] <= 3


def test_what_was_changed_between_commands_is_seen_though_size_and_time_are_the_same(collected: Trial) -> None:
    path = collected.paths.root / "schools.csv"
    before, state = path.read_text(encoding="utf-8"), path.stat()
    collected.schools()
    path.write_text(before.replace("SI-01", "SI-99"), encoding="utf-8")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    try:
        assert "SI-99" in set(collected.schools()[0]["school_id"])
        assert [one.state for one in collected.status() if one.stage == "assign"] == ["stale"]
    finally:
        path.write_text(before, encoding="utf-8")


def test_a_run_sees_the_lines_that_it_has_added_to_the_log(collected: Trial) -> None:
    folder = collected.snapshot()
    n_before = len(folder.log().entries)
    add_log_event(folder, Event.WRITTEN, {"folder": "output/nothing", "files_sha256": ""})
    assert len(folder.log().entries) == n_before + 1
    assert folder.snapshot().log() == folder.log() == collected.log()
