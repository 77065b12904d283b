"""Scores of schools and pupils, fast: for studies of power and coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.simulation.streams import stream
from data_schema.errors import DesignError


def simulate_scores(
    n_schools: int,
    pupils_per_school: float,
    *,
    icc: float,
    effect: float,
    seed: int,
    r2_school: float = 0.5,
    r2_pupil: float = 0.5,
    size_cv: float = 0.0,
    arm_share: float = 0.5,
    arms: tuple[str, str] = ("control", "pilot"),
) -> pd.DataFrame:
    """Simulate standardised scores of a two-arm trial by the linear multilevel model.

    The score of pupil i in school j is ``effect * arm_j + u_j + e_ij`` with var(u) = icc and var(e) = 1 - icc; the
    baseline has the same composition and explains `r2_school` of u and `r2_pupil` of e.

    Parameters
    ----------
    n_schools
        Number of schools, 2 or more.
    pupils_per_school
        Mean number of pupils per school, 1 or more.
    icc
        Intraclass correlation of score and baseline, 0 to 1.
    effect
        Difference between the arms in standard deviations of the score.
    seed
        Seed of the simulation, 0 or more. The same seed with another `effect` gives the same pupils.
    r2_school, r2_pupil
        Shares of the variance between schools and within them that the baseline explains, 0 to 1.
    size_cv
        Coefficient of variation of the schools' numbers of pupils (gamma distribution, rounded, 1 at least).
    arm_share
        Share of schools in the second arm; the number is rounded, and each arm gets a school at least.
    arms
        Names of the reference arm and of the other arm.

    Returns
    -------
    pandas.DataFrame
        One row per pupil: `school` (whole number from 0), `arm`, `baseline`, `score`. Nothing is missing.

    Raises
    ------
    DesignError
        When a number is out of its range.

    Examples
    --------
    >>> scores = simulate_scores(1000, 20, icc=0.2, effect=0.3, seed=1)
    >>> means = scores.groupby("arm")["score"].mean()
    >>> round(float(means["pilot"] - means["control"]), 1)
    0.3
    """
    _check(n_schools, pupils_per_school, {"icc": icc, "r2_school": r2_school, "r2_pupil": r2_pupil}, size_cv=size_cv)
    rng = stream(seed, "scores")
    sizes = _draw_school_sizes(n_schools, pupils_per_school, size_cv, rng)
    n_arm = min(max(round(arm_share * n_schools), 1), n_schools - 1)
    treated = rng.permutation(n_schools) < n_arm
    school = np.repeat(np.arange(n_schools), sizes)
    baseline_u, score_u = _draw_correlated_normals(n_schools, r2_school, rng)
    baseline_e, score_e = _draw_correlated_normals(school.size, r2_pupil, rng)
    between, within = np.sqrt(icc), np.sqrt(1 - icc)
    return pd.DataFrame(
        {
            "school": school,
            "arm": np.array(arms, dtype=object)[treated[school].astype(int)],
            "baseline": between * baseline_u[school] + within * baseline_e,
            "score": effect * treated[school] + between * score_u[school] + within * score_e,
        }
    )


def _draw_school_sizes(n_schools: int, mean: float, size_cv: float, rng: np.random.Generator) -> np.ndarray:
    if size_cv == 0:
        return np.full(n_schools, round(mean))
    drawn = rng.gamma(1 / size_cv**2, mean * size_cv**2, size=n_schools)
    sizes: np.ndarray = np.maximum(np.rint(drawn).astype(int), 1)
    return sizes


def _draw_correlated_normals(n: int, r2: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first = rng.standard_normal(n)
    second = np.sqrt(r2) * first + np.sqrt(1 - r2) * rng.standard_normal(n)
    return first, second


def _check(n_schools: int, pupils_per_school: float, shares: dict[str, float], *, size_cv: float) -> None:
    wrong = {name: share for name, share in shares.items() if not 0 <= share <= 1}
    if n_schools < 2:
        wrong["n_schools"] = n_schools
    if pupils_per_school < 1:
        wrong["pupils_per_school"] = pupils_per_school
    if size_cv < 0:
        wrong["size_cv"] = size_cv
    for name, value in wrong.items():
        raise DesignError(
            f"simulate_scores, {name}",
            f"{value} is out of its range.",
            "Give shares from 0 to 1, two schools or more, one pupil or more, and a variation of 0 or more.",
        )
