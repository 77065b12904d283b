"""Trial folders for tests: small, simulated, quick to run from start to end."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from analysis.simulation import SimulatedTrial
from evaluation.rehearsal.rehearse import rehearse
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
    rehearse(folder, seed=SEED, spec=SimulatedTrial.small())
    return Trial(folder, clock=clock)


def drawn_trial(folder: Path, *, text: str | None = None) -> Trial:
    """Make a small trial whose schools have been drawn and have sent their files."""
    trial = small_trial(folder, text=text)
    trial.plan(freeze=True)
    trial.assign()
    rehearse(folder, seed=SEED, spec=SimulatedTrial.small())
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
            _arm(touch)
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


def n_touches(action: Callable[[], object]) -> int:
    """Return how often an action touches the file system; it is run in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            left = _arm(1_000_000)
            action()
            os.write(writing, str(1_000_000 - left()).encode())
        except BaseException:  # noqa: BLE001 -- the child must not run on as a second test process
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    os.close(writing)
    with os.fdopen(reading) as stream:
        return int(stream.read())


def _arm(touch: int) -> Callable[[], int]:
    """Replace the system's calls in this process by ones that count and, at the last, die without a goodbye.

    Returns how many are left.
    """
    left = touch

    def counting(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            nonlocal left
            flags = arguments[1] if name == "open" and len(arguments) > 1 else os.O_WRONLY
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
                left -= 1
                if left == 0:
                    os._exit(9)
            return real(*arguments, **named)

        return call

    for name in _TOUCHES:
        setattr(os, name, counting(name))
    return lambda: left
