"""Time 10,000 re-draws of a design: ``python benchmarks/randomisation_inference.py``.

Columns: the t of the multilevel model at the variances of the model without arms, and with its variances fitted by REML
in every draw, each as a p-value and as an interval by inversion. Beside them what fitting each draw by statsmodels'
MixedLM would take, by the time of one such fit. Medians of several rounds; simulated frames, 30 pupils per school.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from analysis import Model, randomisation_inference
from analysis.simulation import simulate_scores

N_DRAWS = 10_000
MODEL = Model(
    outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",), strata="stratum"
)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of a piece of work."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def trial(n_schools: int) -> tuple[pd.DataFrame, tuple[str, ...], np.ndarray, np.ndarray]:
    """Return pupils, schools, their arms and re-draws: half of the schools of each stratum of six."""
    frame = simulate_scores(n_schools, 30, icc=0.15, effect=0.2, seed=n_schools, size_cv=0.3)
    frame = frame.assign(school=frame["school"].map("s{:05d}".format), stratum=frame["school"] // 6)
    stratum = np.arange(n_schools) // 6
    order = np.random.default_rng(1).random((N_DRAWS + 1, n_schools)) + stratum
    draws = np.empty(order.shape, dtype=int)
    np.put_along_axis(draws, order.argsort(axis=1), np.arange(n_schools)[None, :] % 2, axis=1)
    names = tuple(sorted(frame["school"].unique()))
    arms = dict(zip(names, np.array(["control", "pilot"])[draws[0]], strict=True))
    return frame.assign(arm=frame["school"].map(arms)), names, draws[0], draws[1:]


def by_refits(frame: pd.DataFrame) -> float:
    """Return what all draws would take by MixedLM."""
    model = smf.mixedlm("score ~ arm + baseline", frame, groups=frame["school"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return N_DRAWS * seconds(partial(model.fit, reml=True), 1)


def main() -> None:
    """Print a row a number of schools."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each size (default 3)")
    rounds = parser.parse_args().rounds
    print("seconds for 10,000 re-draws, strata absorbed")
    print(f"{'schools':>7} {'mixed_t p':>10} {'interval':>9} {'reml_t p':>9} {'interval':>9} {'by refits':>10}")
    for n_schools in (62, 200, 2_000):
        frame, schools, actual, draws = trial(n_schools)
        figures = [
            seconds(
                partial(
                    randomisation_inference,
                    frame,
                    MODEL,
                    schools=schools,
                    actual=actual,
                    draws=draws,
                    statistic=statistic,
                    interval=interval,
                ),
                rounds,
            )
            for statistic in ("mixed_t", "reml_t")
            for interval in ("none", "inversion")
        ]
        row = " ".join(f"{figure:>9.2f}" for figure in figures)
        print(f"{n_schools:>7}  {row} {by_refits(frame):>10,.0f}")


if __name__ == "__main__":
    main()
