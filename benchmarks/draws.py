"""Time the draws, the re-draws, the scores and the matching: ``python -m benchmarks.draws``.

(By ``-m``: run as a file, it would hide the package of its own name.) Each row is one of the speeds that the toolkit
promises, with its limit. Limits are held to seconds of the processor, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.power_simulation import TrueOutcome, simulated_power
from analysis.questions import Question
from randomisation import AllocationRecord, Arm, Constraint, Design, Matching, allocate, replay, verify
from randomisation.acceptance import build_acceptance
from randomisation.schools import read_schools

TWO = (Arm(name="control"), Arm(name="pilot"))
VARIABLES = tuple(f"x{place}" for place in range(8))


def schools(n: int, *, strata: int = 1, variables: int = 0) -> pd.DataFrame:
    """Return a frame of schools with strata and normal variables."""
    values = np.random.default_rng(n).normal(size=(n, variables))
    frame = pd.DataFrame(values, columns=list(VARIABLES[:variables]))
    return frame.assign(school_id=[f"{k:06d}" for k in range(n)], block=[f"{k % strata:04d}" for k in range(n)])


def record_of_100000() -> None:
    """Draw 100,000 schools in 1,000 strata and make the record, with its hashes and as JSON values."""
    frame = schools(100_000, strata=1000)
    start = time.perf_counter(), time.process_time()
    AllocationRecord.of(allocate(frame, Design(arms=TWO, strata=("block",)), seed="benchmark")).to_dict()
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def verification_of_100000() -> None:
    """Draw them again and compare."""
    frame = schools(100_000, strata=1000)
    record = AllocationRecord.of(allocate(frame, Design(arms=TWO, strata=("block",)), seed="benchmark"))
    start = time.perf_counter(), time.process_time()
    assert verify(record, frame).ok  # noqa: S101
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def replays_of_200() -> None:
    """Draw a stratified design of 200 schools 10,000 times."""
    frame = schools(200, strata=10)
    start = time.perf_counter(), time.process_time()
    replay(frame, Design(arms=TWO, strata=("block",)), n_draws=10_000, seed="benchmark")
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def scores_of_a_million() -> None:
    """Draw a million candidate allocations of 60 schools and score them on 8 covariates."""
    frame = schools(60, variables=8)
    design = Design(arms=TWO, constraint=Constraint(variables=VARIABLES, best_share=0.1))
    rule = build_acceptance(read_schools(frame, design), design)
    assert rule is not None  # noqa: S101
    free = Design(arms=TWO)
    start = time.perf_counter(), time.process_time()
    for part in range(10):
        rule.scores(replay(frame, free, n_draws=100_000, seed="benchmark", start=100_000 * part))
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def constrained_draw_of_60() -> None:
    """Draw one allocation of 60 schools under a constraint on 8 covariates, its limit found first."""
    frame = schools(60, variables=8)
    start = time.perf_counter(), time.process_time()
    allocate(frame, Design(arms=TWO, constraint=Constraint(variables=VARIABLES, best_share=0.1)), seed="benchmark")
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def pairs_of_1000() -> None:
    """Match 1,000 schools in optimal pairs on four variables and draw."""
    frame = schools(1000, variables=4)
    design = Design(arms=TWO, kind="matched", matching=Matching(variables=VARIABLES[:4], distance="mahalanobis"))
    start = time.perf_counter(), time.process_time()
    allocate(frame, design, seed="benchmark")
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


def simulations_of_60() -> None:
    """Simulate 500 trials of 60 schools with 30 pupils each, and analyse each by the multilevel model."""
    frame = schools(60, strata=3)
    question = Question(
        plan_entry="main",
        outcome="y",
        kind="continuous",
        role="primary",
        model="linear_mixed",
        arms=("control", "pilot"),
    )
    design = Design(arms=TWO, strata=("block",))
    start = time.perf_counter(), time.process_time()
    simulated_power(frame, design, TrueOutcome(effect=0.3, icc=0.1), question=question, pupils=30, n_simulations=500)
    took.append((time.perf_counter() - start[0], time.process_time() - start[1]))


took: list[tuple[float, float]] = []
"""Seconds of the clock and of the processor, of the work itself, without making its frame."""

WORK: tuple[tuple[str, Callable[[], None], float], ...] = (
    ("100,000 schools in 1,000 strata drawn, with record", record_of_100000, 1.0),
    ("the same verified", verification_of_100000, 2.0),
    ("10,000 replays of 200 schools in 10 strata", replays_of_200, 0.1),
    ("1,000,000 candidates of 60 schools drawn and scored on 8 covariates", scores_of_a_million, 5.0),
    ("a constrained draw of 60 schools on 8 covariates, with its limit", constrained_draw_of_60, 1.0),
    ("optimal pairs of 1,000 schools", pairs_of_1000, 10.0),
    ("500 simulated trials of 60 schools, analysed", simulations_of_60, 10.0),
)


def main() -> None:
    """Print a row a piece of work: median seconds, the limit, and in the end the most memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each is done (default 3)")
    rounds = parser.parse_args().rounds
    for label, work, limit in WORK:
        took.clear()
        for _ in range(rounds):
            work()
        clock, seconds = (statistics.median(pair[place] for pair in took) for place in (0, 1))
        missed = "" if seconds < limit else "MISSED"
        print(f"{label:<70} {seconds:>7.3f} s (clock {clock:.3f} s)   limit {limit:g} s {missed}")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
