"""Damaged files of every kind, taken in: no traceback, no run that ends, nothing passed over.

Run as ``python -m benchmarks.mutants [number] [seed]``.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.support.mutants import batches, outcomes


def main() -> int:
    """Take all of them in; 1 when one was not told of, or raised anything."""
    n, seed = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((1, 50_000), (2, 1)))
    seen: Counter[str] = Counter()
    began, slowest = time.perf_counter(), 0.0
    for files in batches(n, seed=seed):
        start = time.perf_counter()
        try:
            found = outcomes(files)
            seen.update(found.values())
            for path in (path for path, outcome in found.items() if outcome == "passed over"):
                _keep(path, files[path])
        except Exception:  # noqa: BLE001 -- to count them is what this is for
            for path, content in files.items():
                seen[_alone(path, content)] += 1
        slowest = max(slowest, time.perf_counter() - start)
    print(f"{n:,} mutants in {time.perf_counter() - began:.0f} s, the slowest inbox {slowest:.1f} s: {dict(seen)}")
    return 1 if seen["traceback"] or seen["passed over"] else 0


def _alone(path: str, content: bytes) -> str:
    try:
        return outcomes({path: content})[path]
    except Exception:  # noqa: BLE001 -- as above
        _keep(path, content)
        print(f"{path}\n{traceback.format_exc()}")
        return "traceback"


def _keep(path: str, content: bytes) -> None:
    Path("mutants").mkdir(exist_ok=True)
    (Path("mutants") / path.replace("/", "_")).write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
