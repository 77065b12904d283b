"""Trial folders for tests: small, simulated, quick to run from start to end."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from analysis.simulation import SimulatedTrial
from evaluation.rehearsal.rehearse import simulate_trial_inputs
from evaluation.trial import Trial
from tests.support.protocols import CROCOOS

SEED = 7


def clock() -> datetime:
    """Return the same moment always."""
    return datetime(2027, 9, 1, 12, 0, tzinfo=UTC)


def small_protocol() -> str:
    """Return the template's protocol for two countries and few re-draws."""
    text = CROCOOS.read_text(encoding="utf-8")
    for old, new in (
        ('SI = "Slovenia"\n', ""),
        ("n_draws = 2000", "n_draws = 199"),
        ('seed = ""', 'seed = "a lottery"'),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def short_protocol() -> str:
    """Return the small protocol with its first analysis only."""
    head, first, *_, last = small_protocol().split("[[analyses]]")
    return f"{head}[[analyses]]{first}[inference]{last.split('[inference]')[1]}"


def small_trial(folder: Path, *, text: str | None = None) -> Trial:
    """Make a trial with simulated schools: two countries, twelve schools of twenty pupils; nothing is drawn yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.toml").write_text(text or small_protocol(), encoding="utf-8")
    simulate_trial_inputs(folder, seed=SEED, spec=SimulatedTrial.small())
    return Trial(folder, clock=clock)


def drawn_trial(folder: Path, *, text: str | None = None) -> Trial:
    """Make a small trial whose schools have been drawn and have sent their files."""
    trial = small_trial(folder, text=text)
    trial.plan(freeze=True)
    trial.assign()
    simulate_trial_inputs(folder, seed=SEED, spec=SimulatedTrial.small())
    return Trial(folder, clock=clock)


def estimated_trial(folder: Path, *, text: str | None = None) -> Trial:
    """Make a small trial with its balance and its estimates."""
    trial = drawn_trial(folder, text=text)
    trial.collect()
    trial.balance()
    trial.impact()
    return trial


_TOUCHES = ("rename", "replace", "fsync", "mkdir", "rmdir", "unlink", "open")


def killed_at(touch: int, action: Callable[[], object]) -> bool:
    """Run an action in a child process that is killed at its n-th touch of the file system.

    Parameters
    ----------
    touch
        Which call of ``os.rename``, ``os.replace``, ``os.fsync``, ``os.mkdir``, ``os.rmdir``, ``os.unlink`` or a
        writing ``os.open`` is the last, from 1; the process dies before it is carried out.
    action
        What is run.

    Returns
    -------
    bool
        Whether the child was killed; False when the action ended before.
    """
    child = os.fork()
    if child == 0:
        try:
            watch_touches(lambda n: os._exit(9) if n == touch else None)
            action()
        except BaseException:  # noqa: BLE001 -- the child must not run on as a second test process
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the child failed with {code}"
    return code == 9


def killed_after(seconds: float, action: Callable[[], object]) -> bool:
    """Run an action in a child process that the system kills after a time, whatever it is doing.

    Returns
    -------
    bool
        Whether it was killed; False when the action ended before.
    """
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001 -- the child must not run on as a second test process
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    until = time.monotonic() + seconds
    while time.monotonic() < until and os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        time.sleep(min(0.005, seconds))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"the child failed with {code}"
    return code != 0


def states_at_touches(folder: Path, action: Callable[[], object], *, into: Path) -> list[Path]:
    """Return what a process killed at each touch of the file system would leave of a folder, the first touch first.

    The action is run once, in a child process; before each touch the folder is copied, as the system would keep it if
    the process died then. What the process has not handed to the system yet is not in the copy.

    Parameters
    ----------
    folder
        What the action works on.
    action
        What is run.
    into
        Where the copies go; made here.
    """
    into.mkdir()

    def run() -> None:
        watch_touches(lambda n: shutil.copytree(folder, into / f"{n:04d}"))
        action()

    _whole(run)
    return sorted(into.iterdir())


def _whole(action: Callable[[], object]) -> None:
    """Run an action in a child process, to its end."""
    assert not killed_after(math.inf, action)


def watch_touches(at_touch: Callable[[int], object]) -> None:
    """Replace the system's calls in this process by ones that first call a function with their number, from 1."""
    n, is_watching = 0, True

    def watched(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            nonlocal n, is_watching
            flags = arguments[1] if name == "open" and len(arguments) > 1 else os.O_WRONLY
            if is_watching and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
                n += 1
                is_watching = False
                at_touch(n)
                is_watching = True
            return real(*arguments, **named)

        return call

    for name in _TOUCHES:
        setattr(os, name, watched(name))
