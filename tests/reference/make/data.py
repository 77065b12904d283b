"""Make the small data sets of the reference figures: ``python tests/reference/make/data.py FOLDER``.

The sets are committed, so that the figures do not depend on a random stream staying what it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def trial(
    sizes: np.ndarray, arms: list[str], *, school_sd: float, seed: int, strata: list[str] | None = None
) -> pd.DataFrame:
    """Return one row per pupil: school_id, arm, (strata), baseline, kind, score, left."""
    rng = np.random.default_rng(seed)
    schools = np.repeat(np.arange(len(sizes)), sizes)
    effect = np.array([0.0 if arm == "control" else 0.4 for arm in arms])
    level = school_sd * rng.standard_normal(len(sizes)) + effect
    baseline = 50 + 10 * rng.standard_normal(schools.size)
    kind = rng.choice(["general", "mixed", "vocational"], size=len(sizes))
    noise = rng.standard_normal(schools.size)
    score = 100 + 15 * (level[schools] + 0.05 * (baseline - 50) + noise)
    odds = -1.2 + 1.2 * level[schools] - 0.04 * (baseline - 50)
    left = rng.random(schools.size) < 1 / (1 + np.exp(-odds))
    columns = {
        "school_id": [f"s{school:02d}" for school in schools],
        "arm": np.array(arms)[schools],
        "baseline": baseline.round(2),
        "kind": kind[schools],
        "score": score.round(2),
        "left": left.astype(int),
    }
    frame = pd.DataFrame(columns)
    if strata is not None:
        frame.insert(2, "strata", np.array(strata)[schools])
    return frame


def without_school_variance(frame: pd.DataFrame) -> pd.DataFrame:
    """Draw the school means of the score towards the arms' means, so that REML puts the school variance at zero."""
    by_arm = frame.groupby("arm")["score"].transform("mean")
    by_school = frame.groupby("school_id")["score"].transform("mean")
    return frame.assign(score=(frame["score"] - 0.9 * (by_school - by_arm)).round(2))


def main(folder: Path) -> None:
    rng = np.random.default_rng(20_271_005)
    two = ["control", "pilot"]
    # Seventeen schools of nine pairs: the partner of the last one sent nothing.
    pairs = trial(
        rng.integers(3, 31, size=17),
        (two * 9)[:17],
        school_sd=0.5,
        seed=1,
        strata=[f"pair {k // 2 + 1}" for k in range(17)],
    )
    flat = without_school_variance(trial(rng.integers(5, 20, size=12), two * 6, school_sd=0.0, seed=2))
    three = trial(rng.integers(4, 26, size=20), (["control", "mentor", "team"] * 7)[:20], school_sd=0.4, seed=3)
    for name, frame in (("pairs", pairs), ("flat", flat), ("three_arms", three)):
        frame.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
