"""Who is found again by trying identifiers, before and after `crocoos lock`; what a guess costs, what sealing takes.

Run as ``python -m benchmarks.custody [pupils]``; 4,151 pupils, as in a demonstration, without it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from data_schema.errors import DataError
from data_schema.pseudonyms import lock_identity, new_identity, pseudonym, unlock_identity
from evaluation.guarded_files import Opening
from evaluation.trial import Trial
from tests.support.reidentify import found_again, keys_in
from tests.support.tiny import PROTOCOL, tiny_trial

N_SCHOOLS, PASSPHRASE = 60, "five words are long enough"


def main() -> int:
    """Make a trial, attack it open and sealed, and say what was found; 1 when anybody was found after `lock`."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4_151
    schools = [f"SI-{at:03d}" for at in range(1, N_SCHOOLS + 1)]
    registers: dict[str, list[str]] = {school: [] for school in schools}
    for at in range(n):
        registers[schools[at % N_SCHOOLS]].append(f"{2_000_000 + 37 * at}")
    with tempfile.TemporaryDirectory() as scratch:
        trial = _trial(Path(scratch) / "trial", registers)
        trial.collect()
        _attack("open", trial, registers)
        began = time.perf_counter()
        trial.lock(PASSPHRASE)
        print(f"lock: {time.perf_counter() - began:.1f} s")
        after = _attack("sealed", trial, registers)
        opening = Trial(trial.folder, opening=lambda *_: Opening(reason="a benchmark", secrets=(PASSPHRASE,)))
        began = time.perf_counter()
        opening.unlock()
        print(f"opening: {time.perf_counter() - began:.1f} s")
    _guesses()
    return 1 if after else 0


def _trial(folder: Path, registers: dict[str, list[str]]) -> Trial:
    frame = ["school_id,name,country,type,size", *(f"{one},School {one},SI,general,100" for one in registers), ""]
    files = {}
    for at, (school, pupils) in enumerate(registers.items()):
        head = "school_id;pupil_id;status;average_mark"
        rows = [f"{school};{one};enrolled;{2 + (7 * k + 3 * at) % 6 / 2}" for k, one in enumerate(pupils)]
        files[f"after/status_{school}.csv"] = "\n".join([head, *rows, ""])
        listed = [f"{school};{one};{('girl', 'boy')[k % 2]};yes" for k, one in enumerate(pupils)]
        files[f"before/pupil_{school}.csv"] = "\n".join(["school_id;pupil_id;gender;consent", *listed, ""])
    return tiny_trial(folder, protocol=PROTOCOL, frame="\n".join(frame), files=files)


def _attack(state: str, trial: Trial, registers: dict[str, list[str]]) -> int:
    began, n_keys = time.perf_counter(), len(keys_in(trial.paths.root))
    found = len(found_again(trial.paths.root, registers))
    n = sum(map(len, registers.values()))
    print(f"{state}: {found:,} of {n:,} found again, {n_keys} keys tried, {time.perf_counter() - began:.0f} s")
    return found


def _guesses() -> None:
    """Print how many identifiers a second are tried with the key, and how long one passphrase takes."""
    began, n = time.perf_counter(), 100_000
    for at in range(n):
        pseudonym(str(at), key=b"k" * 32, scope="SI-001")
    print(f"pseudonyms with the key at hand: {n / (time.perf_counter() - began):,.0f} a second")
    locked = lock_identity(new_identity()[1], PASSPHRASE)
    began = time.perf_counter()
    for at in range(3):
        try:
            unlock_identity(locked, f"a wrong passphrase {at}")
        except DataError:
            continue
    print(f"one passphrase: {(time.perf_counter() - began) / 3:.2f} s")


if __name__ == "__main__":
    raise SystemExit(main())
