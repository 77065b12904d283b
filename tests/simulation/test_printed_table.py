"""The table of estimates as it is printed: its intervals hold the truth, its tests keep their level, or a row says not.

The whole grid of trials is in ``benchmarks/printed_table.py`` and its rates in analysis/HONESTY.md; here a few cells
are simulated again, and the committed rates are held to their limits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

from tests.support.printed_table import (
    Cell,
    Outcome,
    cells,
    highest_honest,
    judge,
    lowest_honest,
    outcomes_of,
    simulate_trial,
)

FIGURES = Path(__file__).parents[2] / "benchmarks" / "printed_table.csv"
N_TRIALS = 100

CELLS = (
    Cell(model="linear_mixed", layout="strata", n_schools=20, control=0.0, treated=0.8, kind="continuous", n_draws=99),
    Cell(model="linear_cluster", layout="strata", n_schools=40, control=0.05, treated=0.15, kind="binary"),
    Cell(model="linear_mixed", layout="countries", n_schools=24, control=0.0, treated=0.0, kind="continuous"),
)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_printed_interval_and_test_of_a_trial_is_honest_or_cautioned(cell: Cell) -> None:
    found: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for seed in range(500_000, 500_000 + N_TRIALS):
        for row in outcomes_of(cell, seed):
            if not row.failed:
                found[row.quantity, row.place].append(row)
    for key, rows in found.items():
        # Rows with a caution are excused, and those without are no sample of all: either may be honest.
        assert any(is_honest(some) for some in (rows, [row for row in rows if not row.cautioned])), key


def is_honest(rows: list[Outcome]) -> bool:
    held = [row.held for row in rows if row.held is not None]
    rejected = [row.rejected for row in rows if row.rejected is not None]
    holds_enough = not held or sum(held) / len(held) >= lowest_honest(len(held))
    return holds_enough and (not rejected or sum(rejected) / len(rejected) <= highest_honest(len(rejected)))


def test_the_committed_rates_are_within_chance_or_cautioned() -> None:
    judged = judge(pd.read_csv(FIGURES))
    assert set(judged["cell"]) == {cell.name for cell in cells()}
    assert judged.loc[judged["dishonest"], ["cell", "quantity", "coverage", "rejection"]].to_dict("records") == []


def test_simulated_risks_are_those_that_the_truth_says() -> None:
    cell = Cell(model="linear_cluster", layout="strata", n_schools=4000, control=0.05, treated=0.15, kind="binary")
    pupils = simulate_trial(cell, 1).pupils
    shares = pupils.groupby("arm")["outcome"].mean()
    sizes = pupils.groupby("arm").size()
    for arm, risk in (("control", 0.05), ("pilot", 0.15)):
        # Schools' deviations make shares vary more than independent pupils would: twice their error is ample.
        assert abs(shares[arm] - risk) < 2 * 3 * math.sqrt(risk * (1 - risk) / sizes[arm])
