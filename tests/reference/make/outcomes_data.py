"""Make the data sets of the outcomes' reference figures: ``python tests/reference/make/outcomes_data.py FOLDER``.

The sets are committed, so that the figures do not depend on a random stream staying what it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

N_SCHOOLS = 24
N_TERMS = 6


def leaving() -> pd.DataFrame:
    """Return one row per pupil: what became of it and when, how long it was absent, what it answered."""
    rng = np.random.default_rng(20_281_124)
    sizes = rng.integers(8, 35, size=N_SCHOOLS)
    school = np.repeat(np.arange(N_SCHOOLS), sizes)
    n = school.size
    pilot = (school % 2 == 1).astype(float)
    level = rng.standard_normal((3, N_SCHOOLS))
    prior = rng.standard_normal(n).round(1)
    hazards = {
        "left_early": 0.035 * np.exp(-0.5 * pilot + 0.4 * prior + 0.5 * level[0][school]),
        "transferred": np.full(n, 0.015),
        "completed": np.where(rng.random(n) < 0.1, 0.05, 0.0),
    }
    times = {cause: rng.exponential(1 / np.maximum(hazard, 1e-9)) for cause, hazard in hazards.items()}
    first = np.min(list(times.values()), axis=0)
    cause = np.array(list(times))[np.argmin(np.array(list(times.values())), axis=0)]
    end = np.where(school % 5 == 0, N_TERMS - 1.0, N_TERMS)
    time = np.minimum(np.ceil(first * 2) / 2, end)
    days = np.rint(time / N_TERMS * 170 + rng.integers(5, 15, size=n)).astype(int)
    rate = np.exp(-2.6 - 0.3 * pilot + 0.3 * prior + 0.35 * level[1][school])
    absences = rng.poisson(rate * days * rng.gamma(1.2, 1 / 1.2, size=n))
    latent = 0.4 * pilot - 0.3 * prior + 0.6 * level[2][school] + rng.logistic(size=n)
    return pd.DataFrame(
        {
            "school_id": [f"s{number:02d}" for number in school],
            "arm": np.where(pilot == 1, "pilot", "control"),
            "prior": prior,
            "time": time,
            "status": np.where(np.ceil(first * 2) / 2 <= end, cause, "enrolled"),
            "days": days,
            "absences": absences,
            "engagement": 1 + np.digitize(latent, [-2.0, -0.6, 0.7, 2.0]),
        }
    )


def classes() -> pd.DataFrame:
    """Return one row per pupil of three classes in each of 40 schools: schools and classes differ."""
    rng = np.random.default_rng(20_281_125)
    sizes = rng.integers(6, 26, size=120)
    group = np.repeat(np.arange(120), sizes)
    school = group // 3
    pilot = (school % 2 == 1).astype(float)
    prior = rng.standard_normal(group.size).round(1)
    level = 0.6 * rng.standard_normal(40)[school] + 0.5 * rng.standard_normal(120)[group]
    odds = -1.4 - 0.5 * pilot + 0.4 * prior + level
    return pd.DataFrame(
        {
            "school": [f"s{number:02d}" for number in school],
            "class": [f"c{number % 3}" for number in group],
            "arm": np.where(pilot == 1, "pilot", "control"),
            "prior": prior,
            "left": (rng.random(group.size) < 1 / (1 + np.exp(-odds))).astype(int),
            "late": rng.poisson(np.exp(0.6 - 0.2 * pilot + 0.2 * prior + 0.6 * level)),
        }
    )


if __name__ == "__main__":
    leaving().to_csv(Path(sys.argv[1]) / "leaving.csv", index=False)
    classes().to_csv(Path(sys.argv[1]) / "leaving_classes.csv", index=False)
