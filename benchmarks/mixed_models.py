"""Time the multilevel engine against lme4 with pbkrtest and statsmodels: ``python benchmarks/mixed_models.py``.

The same data for all, in one run; R by ``Rscript`` (packages lme4 and pbkrtest), left out where it is not installed.
Printed are medians in milliseconds and how many times longer R takes. What is timed: a random intercept by REML with
Kenward and Roger's errors and degrees of freedom of all coefficients, `score ~ arm + baseline + block + (1 | school)`
(lme4 alone and no blocks at 20,000 schools), from a data frame and from sums already made; and 45,861 rows of a
three-way interaction, on which Kenward and Roger's method by n-by-n matrices stalls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.mixed import fit_mixed_sums, mixed_model, mixed_sums
from analysis.simulation import simulate_scores

FORMULA = "score ~ arm + baseline + block + (1 | school)"
WITHOUT_BLOCKS = "score ~ arm + baseline + (1 | school)"
R_SCRIPT = """
suppressPackageStartupMessages({library(lme4); library(pbkrtest); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1]); data$school <- factor(data$school); rounds <- as.integer(arguments[3])
if ("block" %in% names(data)) data$block <- factor(data$block)
formula <- as.formula(arguments[2])
fits <- krs <- numeric(rounds)
for (k in seq_len(rounds)) {
  fits[k] <- system.time(fit <- lmer(formula, data))[["elapsed"]]
  if (arguments[4] == "kr") krs[k] <- system.time({
    adjusted <- vcovAdj(fit); L <- diag(length(fixef(fit)))
    for (j in seq_len(nrow(L))) Lb_ddf(L[j, ], vcov(fit), adjusted) })[["elapsed"]]
}
found <- list(fit = median(fits), kr = median(krs), estimate = unname(fixef(fit)[2]))
cat(toJSON(found, auto_unbox = TRUE, digits = 12))
"""


def trial(n_schools: int, n_blocks: int) -> pd.DataFrame:
    """Return pupils of a trial, its schools in blocks."""
    frame = simulate_scores(n_schools, 30, icc=0.15, effect=0.2, seed=n_schools, size_cv=0.3)
    if n_blocks:
        frame["block"] = [f"b{school * n_blocks // n_schools:03d}" for school in frame["school"]]
    return frame


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of some work in milliseconds, its first run not counted."""
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def by_r(frame: pd.DataFrame, formula: str, *, rounds: int, kr: bool) -> dict[str, float]:
    """Return R's medians in milliseconds and its estimate."""
    if shutil.which("Rscript") is None:
        return {"fit": np.nan, "kr": np.nan, "estimate": np.nan}
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder) / "time.R", Path(folder) / "data.csv"
        script.write_text(R_SCRIPT, encoding="utf-8")
        frame.to_csv(data, index=False)
        command = ["Rscript", str(script), str(data), formula, str(rounds), "kr" if kr else "fit"]
        run = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  # R on our own data
        found = json.loads(run.stdout)
    return {"fit": 1000 * found["fit"], "kr": 1000 * found["kr"], "estimate": found["estimate"]}


def by_statsmodels(frame: pd.DataFrame, formula: str) -> float:
    """Return the time of statsmodels' MixedLM, which has a z test only, in milliseconds."""
    import statsmodels.formula.api as smf

    fixed = formula.partition(" + (1")[0]

    def work() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return smf.mixedlm(fixed, frame, groups=frame["school"]).fit(reml=True)

    return median_ms(work, 3)


def row(n_schools: int, n_blocks: int, *, rounds: int) -> dict[str, object]:
    """Return one size's figures."""
    frame = trial(n_schools, n_blocks)
    formula = FORMULA if n_blocks else WITHOUT_BLOCKS
    sums = mixed_sums(formula, frame)
    fast = median_ms(lambda: fit_mixed_sums(sums), rounds)
    whole = median_ms(lambda: mixed_model(formula, frame), rounds)
    r = by_r(frame, formula, rounds=max(2, rounds // 6), kr=bool(n_blocks))
    theirs = r["fit"] + (r["kr"] if n_blocks else 0.0)
    return {
        "schools": n_schools,
        "blocks": n_blocks,
        "pupils": len(frame),
        "from sums": fast,
        "from frame": whole,
        "lme4": r["fit"],
        "pbkrtest": r["kr"] if n_blocks else np.nan,
        "statsmodels": by_statsmodels(frame, formula) if n_blocks else np.nan,
        "R / from sums": theirs / fast,
        "R / from frame": theirs / whole,
        "apart": abs(mixed_model(formula, frame).estimate("arm[pilot]").estimate - r["estimate"]),
    }


def three_way(rounds: int) -> float:
    """Return the time of Kenward and Roger's method for a three-way interaction on 45,861 rows, in milliseconds."""
    rng = np.random.default_rng(1)
    n = 45_861
    school = rng.integers(0, 300, size=n)
    frame = pd.DataFrame(
        {name: rng.choice(list(levels), n) for name, levels in (("a", "xyz"), ("b", "pq"), ("c", "uvw"))}
    )
    frame["school"], frame["score"] = school, rng.standard_normal(n) + rng.standard_normal(300)[school]
    return median_ms(lambda: mixed_model("score ~ a * b * c + (1 | school)", frame), rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31, help="fits of ours a figure (default 31)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[60, 200, 20_000], help="numbers of schools")
    asked = parser.parse_args()
    blocks = {60: 10, 200: 33}
    rows = [
        row(size, blocks.get(size, 0), rounds=asked.rounds if size < 1_000 else min(asked.rounds, 5))
        for size in asked.sizes
    ]
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    print(f"Kenward and Roger, 45,861 rows, a * b * c + (1 | school), 300 schools: {three_way(5):.0f} ms")


if __name__ == "__main__":
    main()
