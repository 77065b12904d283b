"""How often a command opens each input of a trial to read it, and builds its tables.

Run as ``python -m benchmarks.reads TRIAL COMMAND ...`` on a copy of a trial, for the commands write into it. Opening is
counted by the interpreter's audit events, calls by its profiler; nothing of the toolkit is replaced.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections import Counter
from pathlib import Path

from click.testing import CliRunner

from evaluation.cli.main import crocoos

INPUTS = ("trial.toml", "plan/trial.toml", "schools.csv", "log.jsonl", "allocation/record.json", "store/trial.duckdb")
BUILT = {"tables": ("specifications.py", "tables_of"), "frame": ("frames.py", "read_school_rows")}


def count_reads(root: Path, command: list[str]) -> dict[str, float]:
    """Return how often each input was opened to be read, what was built, and the seconds, for one command."""
    opened: Counter[str] = Counter()
    counting = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and counting[0] and isinstance(arguments[0], str):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if not flags & 3:
                path = Path(arguments[0]).absolute()
                opened[path.relative_to(root).as_posix() if path.is_relative_to(root) else ""] += 1

    sys.addaudithook(hear)
    profile, start = cProfile.Profile(), time.perf_counter()
    profile.enable()
    answer = CliRunner().invoke(crocoos, [*command, str(root)], catch_exceptions=False)
    profile.disable()
    counting[0] = False
    seconds = time.perf_counter() - start
    if answer.exit_code:
        print(answer.output[-400:])
    calls = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    built = {
        label: sum(values[1] for (file, _, name), values in calls.items() if file.endswith(ends) and name == function)
        for label, (ends, function) in BUILT.items()
    }
    return {**{name: opened[name] for name in INPUTS}, **built, "seconds": round(seconds, 2)}


def main() -> None:
    """Print a line for each command."""
    root = Path(sys.argv[1]).absolute()
    for command in sys.argv[2:]:
        print(f"{command:<24}", *(f"{name} {number}" for name, number in count_reads(root, command.split()).items()))


if __name__ == "__main__":
    main()
