"""Time 9,999 wild bootstrap draws with their interval: ``python benchmarks/wild_bootstrap.py``.

Beside them stands what drawing outcomes and fitting each by statsmodels would take, by the time of a few such fits.
Medians of several rounds; the frame is simulated, 30 pupils per school.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import statsmodels.formula.api as smf

from analysis import linear_model, wild_bootstrap
from analysis.simulation import simulate_scores

FORMULA = "score ~ arm + baseline"
N_BOOTSTRAP = 9_999


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of a piece of work."""
    work()  # the first call imports
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Print a row a number of schools."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each size (default 9)")
    rounds = parser.parse_args().rounds
    print(f"{'schools':>7} {'bootstrap ms':>13} {'strata absorbed ms':>19} {'by refits (statsmodels) ms':>27}")
    for n_schools in (20, 62, 200, 2_000):
        frame = simulate_scores(n_schools, 30, icc=0.15, effect=0.2, seed=n_schools, size_cv=0.3)
        frame["stratum"] = frame["school"] // 6
        plain = linear_model(FORMULA, frame)
        strata = linear_model(FORMULA, frame, fixed_effects="stratum")
        ours, absorbed = (
            milliseconds(partial(wild_bootstrap, fit, "arm[pilot]", n_bootstrap=N_BOOTSTRAP), rounds)
            for fit in (plain, strata)
        )
        clusters = {"groups": frame["school"]}
        refit = milliseconds(partial(smf.ols(FORMULA, frame).fit, cov_type="cluster", cov_kwds=clusters), rounds)
        print(f"{n_schools:>7} {ours:>13.1f} {absorbed:>19.1f} {N_BOOTSTRAP * refit:>27,.0f}")


if __name__ == "__main__":
    main()
