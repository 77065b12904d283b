"""Time the outcomes' models beside lme4's glmer and statsmodels' GEE: ``python benchmarks/outcomes.py``.

The same frames and model (leaving on arm and a number, random school intercept), taken in turns so that a noisy machine
disturbs both alike. Printed are medians, their ratio, and how far the estimates lie apart. Needs Rscript with lme4 for
glmer's rows, which are left out without it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess  # a benchmark of R runs R
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import Model
from analysis.binary import fit_logistic_mixed

MODEL = Model(outcome="left", school="school", arm="arm", arms=("control", "pilot"), covariates=("prior",))
GLMER = """
suppressPackageStartupMessages(library(lme4))
data <- read.csv(commandArgs(TRUE)[1])
data$arm <- factor(data$arm)
fit <- function(nodes) glmer(left ~ arm + prior + (1 | school), data, family = binomial, nAGQ = nodes)
time <- system.time(model <- fit(as.integer(commandArgs(TRUE)[2])))[["elapsed"]]
cat(time, fixef(model)[["armpilot"]])
"""


def drawn(n_schools: int, pupils: int, *, seed: int) -> pd.DataFrame:
    """Draw a trial in which one pupil in ten leaves."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), pupils)
    arm = np.where(school % 2 == 0, "control", "pilot")
    prior = rng.standard_normal(school.size)
    odds = -2.3 - 0.4 * (arm == "pilot") + 0.5 * prior + 0.5 * rng.standard_normal(n_schools)[school]
    left = (rng.random(school.size) < 1 / (1 + np.exp(-odds))).astype(int)
    return pd.DataFrame({"school": school, "arm": arm, "prior": prior, "left": left})


def ours(frame: pd.DataFrame) -> tuple[float, float]:
    """Return the seconds of a fit with 15 nodes, all its inference included, and its estimate."""
    start = time.perf_counter()
    estimate = fit_logistic_mixed(frame, MODEL, n_nodes=15).estimate("arm[pilot]").estimate
    return time.perf_counter() - start, estimate


def gees(frame: pd.DataFrame) -> float:
    """Return the seconds of statsmodels' estimating equations, which have no schools to integrate over."""
    import statsmodels.api as sm

    x = np.column_stack([np.ones(len(frame)), frame["arm"] == "pilot", frame["prior"]]).astype(float)
    start = time.perf_counter()
    sm.GEE(
        frame["left"].to_numpy(),
        x,
        groups=frame["school"].to_numpy(),
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    ).fit()
    return time.perf_counter() - start


def glmers(file: Path, *, nodes: int) -> tuple[float, float]:
    """Return the seconds of glmer's fit alone, and its estimate."""
    script = file.with_suffix(".R")
    script.write_text(GLMER, encoding="utf-8")
    command = ["Rscript", str(script), str(file), str(nodes)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()  # noqa: S603  # ours
    return float(answer[0]), float(answer[1])


def fits(rounds: int) -> None:
    """Print a row a number of schools."""
    head = f"{'schools':>7} {'15 nodes ms':>12} {'GEE ms':>8} {'glmer nAGQ=0':>13} {'glmer Laplace':>14}"
    print(f"{head} {'Laplace / ours':>14} {'GEE / ours':>10} {'apart':>9}")
    for n_schools in (62, 200, 2000):
        frame = drawn(n_schools, 30, seed=n_schools)
        ours(frame)
        gees(frame)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trial.csv"
            frame.to_csv(file, index=False)
            mine, equations, quick, laplace = [], [], [], []
            for _ in range(rounds):
                mine += [ours(frame), ours(frame), ours(frame)]
                equations.append(gees(frame))
                if shutil.which("Rscript"):
                    quick.append(glmers(file, nodes=0))
                    laplace.append(glmers(file, nodes=1))
        times = [1000 * statistics.median(t for t, _ in found) if found else np.nan for found in (mine, quick, laplace)]
        floor = 1000 * statistics.median(equations)
        apart = abs(mine[0][1] - laplace[0][1]) if laplace else np.nan
        row = f"{n_schools:>7} {times[0]:>12.1f} {floor:>8.1f} {times[1]:>13.0f} {times[2]:>14.0f}"
        print(f"{row} {times[2] / times[0]:>14.1f} {floor / times[0]:>10.1f} {apart:>9.1e}")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="fits of glmer a size (default 3)")
    arguments = parser.parse_args()
    fits(arguments.rounds)


if __name__ == "__main__":
    main()
