"""How often the intervals of risk ratio and odds ratio hold the truth: trials of two arms, many at once.

Run ``python benchmarks/honesty_ratios.py``; prints the table of ``analysis/HONESTY_OUTCOMES.md``. Without covariates
the product's intervals (CR2 by school, Satterthwaite's degrees of freedom of the contrast) are sums over schools, which
are written out here for all trials of a scenario; ``tests/unit/analysis/test_arm_risks.py`` holds the product to them.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from outcome_trials import _intercept
from scipy import special, stats

SCHOOLS = (8, 12, 20, 40, 60)
RISKS = ((0.03, 0.03), (0.05, 0.05), (0.10, 0.10), (0.15, 0.15), (0.05, 0.15), (0.15, 0.05), (0.05, 0.10))
# Pupils per school, and the schools' standard deviation of log odds.
KINDS = ((25, 0.0), (25, 0.5), (25, 1.0), (60, 0.5), (60, 0.8))
TRIALS = 1000
GROUPS = ((0, 5), (5, 10), (10, 20), (20, 10**9))


def arm(
    rng: np.random.Generator, n_schools: int, risk: float, *, size: int, sd: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw one arm of all trials; return shares, CR2 variances, df, pupils and events, each (TRIALS,)."""
    sizes = np.maximum(np.rint(rng.gamma(9, size / 9, size=(TRIALS, n_schools))).astype(int), 4)
    level = _intercept(risk, sd) + sd * rng.standard_normal(sizes.shape)
    events = rng.binomial(sizes, special.expit(level))
    pupils = sizes.sum(axis=1)
    share, part = events.sum(axis=1) / pupils, sizes / pupils[:, None]
    variance = ((events - sizes * share[:, None]) ** 2 / (1 - part)).sum(axis=1) / pupils**2
    weight = part / np.sqrt(1 - part)
    expected = np.eye(n_schools) / sizes[:, :, None] - 1 / pupils[:, None, None]
    expected = weight[:, :, None] * expected * weight[:, None, :]
    df = np.trace(expected, axis1=1, axis2=2) ** 2 / (expected**2).sum(axis=(1, 2))
    return share, variance, df, pupils, events.sum(axis=1)


def held(seed: int, n_schools: int, risks: tuple[float, float], kind: tuple[int, float]) -> tuple[float, float, float]:
    """Return the median of the fewer events, and how often risk and odds ratio's intervals hold the truth, in %."""
    rng = np.random.default_rng(seed)
    arms = [arm(rng, n_schools // 2, risk, size=kind[0], sd=kind[1]) for risk in risks]
    fewest = np.minimum(arms[0][4], arms[1][4])
    usable = fewest > 0
    covered = []
    for scale, slope in (
        (np.log, lambda share: 1 / share),
        (special.logit, lambda share: 1 / (share * (1 - share))),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = [slope(found[0]) ** 2 for found in arms]
            parts = [square / found[3] for square, found in zip(squares, arms, strict=True)]
            df = sum(parts) ** 2 / sum(part**2 / found[2] for part, found in zip(parts, arms, strict=True))
            error = np.sqrt(sum(square * found[1] for square, found in zip(squares, arms, strict=True)))
            off = np.abs(scale(arms[1][0]) - scale(arms[0][0]) - (scale(risks[1]) - scale(risks[0])))
            covered.append(100 * float((off <= stats.t.isf(0.025, df) * error)[usable].mean()))
    return float(np.median(fewest)), covered[0], covered[1]


def main() -> None:
    """Print the table."""
    found = [(n, *held(seed, n, risks, kind)) for seed, (n, risks, kind) in enumerate(product(SCHOOLS, RISKS, KINDS))]
    print(
        "| events in the arm of fewer (median) | schools | scenarios | risk ratio | odds ratio |\n|---|---|---|---|---|"
    )
    for low, high in GROUPS:
        for n_schools in SCHOOLS:
            rows = [row for row in found if row[0] == n_schools and low <= row[1] < high]
            if rows:
                cells = [
                    f"{np.mean(v):.1f} ({min(v):.1f} to {max(v):.1f})" for v in zip(*[r[2:] for r in rows], strict=True)
                ]
                name = f"{low} to {high - 1}" if high < 10**9 else f"{low} or more"
                print(f"| {name} | {n_schools} | {len(rows)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
