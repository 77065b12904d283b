"""Time the linear multilevel model against statsmodels' MixedLM, side by side: ``python benchmarks/linear_mixed.py``.

The same frames, the same model (score on arm and baseline, random school intercept, REML), taken in turns so that a
noisy machine disturbs both alike. Printed are medians and their ratio, and how far the estimates lie apart.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import pandas as pd
import statsmodels.formula.api as smf

from analysis import Model, fit_linear_mixed
from analysis.simulation import simulate_scores

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))


def ours(frame: pd.DataFrame) -> float:
    """Return the effect by the toolkit, with its Satterthwaite degrees of freedom."""
    return fit_linear_mixed(frame, MODEL).estimate("arm[pilot]").estimate


def theirs(frame: pd.DataFrame) -> float:
    """Return the effect by statsmodels, which has a z test and no degrees of freedom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = smf.mixedlm("score ~ arm + baseline", frame, groups=frame["school"]).fit(reml=True)
    return float(fit.params["arm[T.pilot]"])


def seconds(work: Callable[[pd.DataFrame], float], frame: pd.DataFrame) -> tuple[float, float]:
    """Return how long one fit takes, and its estimate."""
    start = time.perf_counter()
    estimate = work(frame)
    return time.perf_counter() - start, estimate


def main() -> None:
    """Print a row a number of schools."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="fits of each kind and size (default 15)")
    rounds = parser.parse_args().rounds
    print(f"{'schools':>7} {'pupils':>7} {'ours ms':>9} {'MixedLM ms':>11} {'ratio':>7} {'apart':>9}")
    for n_schools in (60, 200):
        frame = simulate_scores(n_schools, 30, icc=0.15, effect=0.2, seed=n_schools, size_cv=0.3)
        ours(frame), theirs(frame)  # imports and first calls are not timed
        pairs = [(seconds(ours, frame), seconds(theirs, frame)) for _ in range(rounds)]
        mine, other = (1000 * statistics.median(pair[k][0] for pair in pairs) for k in (0, 1))
        apart = abs(pairs[0][0][1] - pairs[0][1][1])
        print(f"{n_schools:>7} {len(frame):>7} {mine:>9.1f} {other:>11.1f} {other / mine:>7.1f} {apart:>9.1e}")


if __name__ == "__main__":
    main()
