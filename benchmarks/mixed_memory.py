"""Measure the memory of a multilevel model of a large trial: ``python benchmarks/mixed_memory.py``.

20,000 schools of 500 pupils, ten million rows: ``score ~ arm + baseline + (1 | school)`` from a data frame, in a fresh
process a row. Printed are the frame's size (``memory_usage(deep=True)``), the most memory that the process held during
the fit, less what it held before the frame was made, and their ratio. The frame itself is part of that peak: 1 is what
cannot be undercut but by text, whose repeated values pandas counts anew in every row. Linux only (the peak is the
kernel's, ``VmHWM``, set back before the fit).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.mixed import mixed_model

FORMULA = "score ~ arm + baseline + (1 | school)"
WITH_AGE = "score ~ arm + baseline + age + (1 | school)"
KINDS = ("integer", "categorical", "text", "shuffled", "missing", "age")
_MEGABYTE = 1e6


def held(key: str) -> float:
    """Return a line of the kernel's account of this process, in megabytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / _MEGABYTE for line in lines if line.startswith(key))


def trial(n_schools: int, pupils: int, kind: str) -> pd.DataFrame:
    """Return pupils of a trial, made with little more memory than they take."""
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(n_schools), pupils)
    if kind == "shuffled":
        rng.shuffle(school)
    columns: dict[str, object] = {"school": school}
    names = [f"school {number:05d}" for number in range(n_schools)]
    if kind == "categorical":
        columns["school"] = pd.Categorical.from_codes(school, categories=names)
    elif kind == "text":
        columns["school"] = pd.array(names, dtype="str").take(school)
    columns["arm"] = pd.Categorical.from_codes((school % 2).astype(np.int8), categories=["control", "pilot"])
    baseline = rng.standard_normal(len(school))
    score = rng.standard_normal(len(school))
    score += (0.4 * rng.standard_normal(n_schools))[school]
    score += 0.5 * baseline
    if kind == "missing":
        score[::50] = np.nan
    if kind == "age":
        columns["age"] = rng.uniform(10, 12, len(school))
    return pd.DataFrame({**columns, "baseline": baseline, "score": score}, copy=False)


def measured(n_schools: int, pupils: int, kind: str) -> dict[str, object]:
    """Return one row, measured in this process."""
    formula = WITH_AGE if kind == "age" else FORMULA
    mixed_model(formula, trial(40, 600, kind))  # imports are no part of a fit
    before = held("VmRSS")
    frame = trial(n_schools, pupils, kind)
    size = float(frame.memory_usage(deep=True).sum()) / _MEGABYTE
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    start = time.process_time()
    fit = mixed_model(formula, frame)
    seconds = time.process_time() - start
    peak = held("VmHWM") - before
    return {
        "frame": kind,
        "rows": fit.n_pupils,
        "frame MB": size,
        "peak MB": peak,
        "peak / frame": peak / size,
        "processor s": seconds,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schools", type=int, default=20_000)
    parser.add_argument("--pupils", type=int, default=500, help="of each school (default 500)")
    parser.add_argument("--kind", choices=KINDS, help="measure this frame alone, and print JSON")
    asked = parser.parse_args()
    if asked.kind:
        print(json.dumps(measured(asked.schools, asked.pupils, asked.kind)))
        return
    rows = []
    for kind in KINDS:
        sizes = ["--schools", str(asked.schools), "--pupils", str(asked.pupils)]
        command = [sys.executable, __file__, "--kind", kind, *sizes]
        run = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # this very script
        rows.append(json.loads(run.stdout))
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
