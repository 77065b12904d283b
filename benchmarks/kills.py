"""Every command killed at random instants: nothing lost, nothing wrong, nothing left behind.

Run as ``python -m benchmarks.kills [number] [seed]``; 200 kills without it. After each kill the trial is read, the same
command is run to its end, and what is there then is compared with what a run that nobody killed leaves.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from data_schema.errors import CrocoosError
from data_schema.store import Store
from evaluation.guarded_files import Opening
from evaluation.provenance import hash_file
from evaluation.trial import Trial
from tests.support.tiny import pupil_ids, tiny_trial
from tests.support.trials import clock, killed_after

Run = Callable[[Trial], object]

PASSPHRASE = "five words are long enough"  # noqa: S105 -- it opens nothing
_OTHER_EACH_TIME = (".age", ".lock", "vault.zip", "trial.duckdb", "log.jsonl", "stage.json")


def _changed(trial: Trial) -> None:
    """Send one file anew."""
    path = min(trial.paths.inbox.glob("after/*.csv"))
    path.write_text(path.read_text().replace("enrolled;2.0", "enrolled;3.0"))


def _collected_anew(trial: Trial) -> None:
    _changed(trial)
    trial.collect()


COMMANDS: dict[str, Run] = {
    "plan --freeze": lambda trial: trial.plan(freeze=True, reason="a typo"),
    "assign": lambda trial: trial.assign(seed="another lottery", reason="a school was added"),
    "collect": _collected_anew,
    "freeze": lambda trial: trial.freeze(wave="before"),
    "withdraw": lambda trial: trial.withdraw(file="after/status_SI-02.csv", reason="sent twice"),
    "erase": lambda trial: trial.erase(pupil=pupil_ids("SI-01")[0], school="SI-01"),
    "balance": lambda trial: trial.balance(),
    "impact": lambda trial: trial.impact(),
    "power": lambda trial: trial.power(),
    "certificate": lambda trial: trial.certificate(),
    "codebook": lambda trial: trial.codebook(),
    "checks": lambda trial: trial.checks(),
    "returns": lambda trial: trial.returns(),
    "export": lambda trial: trial.export(country="SI", k=2),
    "forms": lambda trial: trial.forms(wave="after"),
    "lock": lambda trial: trial.lock(PASSPHRASE),
    "report": lambda trial: trial.report(),
}


def opened(folder: Path) -> Trial:
    """Return a trial whose vault opens."""
    return Trial(folder, clock=clock, opening=lambda *_: Opening(reason="a benchmark", secrets=(PASSPHRASE,)))


def state(folder: Path) -> dict[str, str]:
    """Return what is in a trial's folder, but for what is another each time; the store by its content."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(_OTHER_EACH_TIME)]
    found = {path.relative_to(folder).as_posix(): hash_file(path) for path in paths}
    with Store.open_read(folder / "store" / "trial.duckdb") as store:
        return found | {"the store's content": store.content_sha256()}


def main() -> int:
    """Kill, look and go on; 1 when anything was lost, wrong or left behind."""
    n, seed = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 200), (2, 1)))
    rng = random.Random(seed)  # noqa: S311 -- no secret
    faults: list[str] = []
    n_killed = n_before = 0
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "trial"
        made = tiny_trial(base)
        for step in (made.collect, lambda: made.plan(freeze=True), made.assign, made.balance, made.impact, made.report):
            step()
        began = time.perf_counter()
        for name, run in COMMANDS.items():
            twin = _copy(base, Path(scratch) / "twin")
            start = time.perf_counter()
            run(opened(twin))
            seconds = time.perf_counter() - start
            wanted = state(twin)
            for _ in range(-(-n // len(COMMANDS))):
                folder = _copy(base, Path(scratch) / "killed")
                was_killed = killed_after(rng.uniform(0, seconds), lambda: run(opened(folder)))  # noqa: B023 -- done with at once
                n_killed += was_killed
                n_before += was_killed and state(folder) == state(base)
                faults += [f"{name}: {fault}" for fault in _faults(folder, run, wanted)]
    told = {"kills": n_killed, "left as before": n_before, "seconds": round(time.perf_counter() - began)}
    print(json.dumps({**told, "faults": len(faults)}))
    print("\n".join(faults))
    return 1 if faults else 0


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return shutil.copytree(source, target)


def _faults(folder: Path, run: Run, wanted: dict[str, str]) -> list[str]:
    found = []
    try:
        trial = opened(folder)
        trial.status()
        if trial.log().state != "whole":
            found.append("the log is not whole")
    except CrocoosError as error:
        found.append(f"cannot be read: {error}")
    opened(folder).settle()
    try:
        run(opened(folder))
    except CrocoosError as error:
        # What was done before the kill cannot be done again, such as an erasure.
        if state(folder) != wanted:
            found.append(f"cannot be gone on with: {error}")
    after = state(folder)
    differing = sorted({name for name, _ in wanted.items() ^ after.items()})
    if differing:
        found.append(f"is not as without the kill: {', '.join(differing)[:300]}")
    if not opened(folder).verify().ok:
        found.append(f"does not verify: {opened(folder).verify().problems}")
    left = [path.name for path in folder.rglob(".*") if path.is_dir()] + [path.name for path in folder.rglob("*.part")]
    if left:
        found.append(f"leaves {left} behind")
    return found


if __name__ == "__main__":
    sys.exit(main())
