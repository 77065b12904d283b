"""Make the data sets of ``mixed_models.R``: ``python tests/reference/make/mixed_models_data.py FOLDER``.

The sets are committed, so that the figures do not depend on a random stream staying what it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def pupils(sizes: np.ndarray, *, seed: int) -> tuple[np.random.Generator, pd.DataFrame]:
    """Return a generator and one row per pupil: school, x."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(len(sizes)), sizes)
    return rng, pd.DataFrame({"school": school, "x": (rng.standard_normal(school.size) * 2 + 5).round(3)})


def with_score(frame: pd.DataFrame, rng: np.random.Generator, level: np.ndarray, *, sd: float = 1.0) -> pd.DataFrame:
    """Add a score of 0.3 x, a level of each row and noise; school names become text."""
    score = (0.3 * frame["x"] + level + sd * rng.standard_normal(len(frame))).round(3)
    return frame.assign(score=score, school=frame["school"].map("s{:04d}".format))


def arms(frame: pd.DataFrame, names: tuple[str, ...] = ("control", "pilot")) -> pd.Series[str]:
    """Return arms that alternate over schools."""
    return frame["school"].map(lambda school: names[school % len(names)])


def unbalanced() -> pd.DataFrame:
    rng = np.random.default_rng(10)
    rng, frame = pupils(rng.integers(1, 60, size=26), seed=11)
    frame["arm"] = arms(frame)
    return with_score(frame, rng, (0.5 * rng.standard_normal(26))[frame["school"]])


def tiny() -> pd.DataFrame:
    rng, frame = pupils(np.array([4, 9, 3, 7, 5, 2, 8, 6]), seed=12)
    frame["arm"] = arms(frame)
    return with_score(frame, rng, (0.7 * rng.standard_normal(8))[frame["school"]])


def slopes() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(13).integers(8, 30, size=32), seed=14)
    frame["arm"] = arms(frame)
    u = rng.multivariate_normal([0, 0], [[0.5, 0.06], [0.06, 0.03]], size=32)
    return with_score(frame, rng, u[frame["school"], 0] + u[frame["school"], 1] * frame["x"])


def singular_slopes() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(15).integers(4, 12, size=14), seed=16)
    frame["arm"] = arms(frame)
    return with_score(frame, rng, (0.6 * rng.standard_normal(14))[frame["school"]])


def multisite() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(17).integers(10, 24, size=20), seed=18)
    frame["arm"] = np.where(rng.random(len(frame)) < 0.5, "control", "pilot")
    u, v = 0.5 * rng.standard_normal(20), 0.6 * rng.standard_normal(20)
    return with_score(frame, rng, u[frame["school"]] + (0.3 + v[frame["school"]]) * (frame["arm"] == "pilot"))


def three_levels() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(19).integers(3, 14, size=70), seed=20)
    country = (np.arange(70) * 6 // 70)[frame["school"]]
    frame["arm"] = arms(frame)
    frame.insert(0, "country", [f"c{place}" for place in country])
    level = (0.5 * rng.standard_normal(70))[frame["school"]] + (0.8 * rng.standard_normal(6))[country]
    return with_score(frame, rng, level)


def classes() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(21).integers(4, 12, size=66), seed=22)
    place = frame["school"].to_numpy()
    frame["school"], frame["room"] = place // 3, [f"room {number}" for number in place % 3]
    frame["arm"] = arms(frame, ("control", "mentor", "team"))
    level = (0.4 * rng.standard_normal(66))[place] + (0.5 * rng.standard_normal(22))[frame["school"]]
    return with_score(frame, rng, level)


def strata() -> pd.DataFrame:
    rng = np.random.default_rng(23)
    block = np.repeat(np.arange(130), rng.integers(2, 4, size=130))
    rng, frame = pupils(rng.integers(2, 9, size=len(block)), seed=24)
    frame["arm"] = arms(frame)
    frame["stratum"] = [f"b{place:03d}" for place in block[frame["school"]]]
    level = (
        0.6 * rng.standard_normal(130)[block[frame["school"]]] + 0.5 * rng.standard_normal(len(block))[frame["school"]]
    )
    return with_score(frame, rng, level)


def offset() -> pd.DataFrame:
    frame = unbalanced()
    return frame.assign(score=frame["score"] + 1_000_000, x=frame["x"] + 1_000)


def factors() -> pd.DataFrame:
    rng, frame = pupils(np.random.default_rng(25).integers(6, 20, size=40), seed=26)
    frame["arm"] = arms(frame, ("control", "mentor", "team"))
    frame["sex"] = rng.choice(["boy", "girl"], size=len(frame))
    frame["weight"] = (0.5 + rng.random(len(frame))).round(3)
    frame["site"] = [f"d{place:02d}" for place in (np.arange(40) // 5)[frame["school"]]]
    level = (0.5 * rng.standard_normal(40))[frame["school"]] + 0.4 * (frame["arm"] == "team") * (frame["sex"] == "girl")
    return with_score(frame, rng, np.asarray(level))


def main(folder: Path) -> None:
    sets = (unbalanced, tiny, slopes, singular_slopes, multisite, three_levels, classes, strata, offset, factors)
    for make in sets:
        make().to_csv(folder / f"mixed_{make.__name__}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
