"""How honest is each method with few schools? ``python benchmarks/honesty.py`` simulates and prints, in some minutes.

Type-I error at 5 % over trials without an effect, and coverage of 95 % intervals over other trials with an effect, at
8, 12, 20 and 40 schools; balanced (equal sizes, half of the schools in each arm) and not (a quarter of the schools
treated, sizes with a coefficient of variation of 0.8); ICC 0.05, 0.15, 0.30; about 20 pupils per school, one covariate.
``--write FILE`` puts the table into FILE between its markers (analysis/HONESTY.md), ``--picture FILE`` draws it as SVG.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import (
    Model,
    cluster_robust,
    design_columns,
    fit_linear_mixed,
    mixed_model,
    randomisation_inference,
)
from analysis.inference.cluster_designs import build_least_squares_design
from analysis.inference.cluster_robust import SeType
from analysis.inference.wild_bootstrap import apply_wild_bootstrap
from analysis.simulation import simulate_scores
from analysis.sums import compute_school_products, scale_model_columns

MODEL = Model(outcome="score", school="school", arm="arm", arms=("control", "pilot"), covariates=("baseline",))
SCHOOLS = (8, 12, 20, 40)
ICCS = (0.05, 0.15, 0.30)
EFFECT = 0.3
START, END = "<!-- table: python benchmarks/honesty.py -->", "<!-- end of table -->"
N_DRAWS = 399

Condition = tuple[int, bool, float]


def trial(condition: Condition, *, seed: int, effect: float) -> pd.DataFrame:
    """Simulate one trial."""
    n_schools, balanced, icc = condition
    frame = simulate_scores(
        n_schools,
        20,
        icc=icc,
        effect=effect,
        seed=seed,
        size_cv=0.0 if balanced else 0.8,
        arm_share=0.5 if balanced else 0.25,
    )
    return frame.assign(school=frame["school"].map("s{:02d}".format))


def p_of(statistic: float, df: float) -> float:
    """Return a two-sided p-value of t."""
    from scipy import stats

    return float(2 * stats.t.sf(abs(statistic), df)) if math.isfinite(statistic) and df > 0 else math.nan


def by_model(frame: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """P-values of the multilevel model: normal, lmerTest's, Kenward-Roger's, and the toolkit's default."""
    plain = fit_linear_mixed(frame, MODEL, df_method="satterthwaite").estimate("arm[pilot]")
    bounded = fit_linear_mixed(frame, MODEL).estimate("arm[pilot]")
    kenward = mixed_model("score ~ arm + baseline + (1 | school)", frame, df_method="kenward_roger")
    yield "mixed, z", p_of(plain.statistic, math.inf)
    yield "mixed, Satterthwaite", plain.p_value
    yield "mixed, Kenward-Roger", kenward.estimate("arm[pilot]").p_value
    yield "mixed, bounded Satterthwaite", bounded.p_value


def by_least_squares(frame: pd.DataFrame, *, seed: int) -> Iterator[tuple[str, float]]:
    """P-values of least squares: sandwiches and the wild bootstrap."""
    columns = design_columns(frame, MODEL)
    _, values, _, _ = scale_model_columns(columns)
    products = compute_school_products(values, columns.school, n_schools=len(columns.schools))
    design = build_least_squares_design(products, n_rows=len(values))
    contrast = np.array([0.0, 1.0, 0.0])
    last = len(columns.schools) - 1.0
    kinds: tuple[tuple[str, SeType, bool], ...] = (
        ("OLS, CR0, z", "CR0", False),
        ("OLS, CR1S, J - 1 (Stata)", "CR1S", False),
        ("OLS, CR2, Satterthwaite", "CR2", True),
        ("OLS, CR3, Satterthwaite", "CR3", True),
    )
    for name, se_type, own_df in kinds:
        answer = cluster_robust(design, contrasts=contrast[None, :], se_type=se_type)
        statistic = float(answer.beta[1] / np.sqrt(answer.vcov[1, 1]))
        yield name, p_of(statistic, float(answer.df[0]) if own_df else math.inf if se_type == "CR0" else last)
    boot = apply_wild_bootstrap(design, contrast, n_bootstrap=N_DRAWS, seed=seed, interval="none")
    yield "OLS, wild bootstrap (WCR)", boot.p_value


def by_redraws(frame: pd.DataFrame, *, seed: int) -> Iterator[tuple[str, float]]:
    """P-values of randomisation inference."""
    by_school = frame.groupby("school")["arm"].first()
    actual = (by_school == "pilot").to_numpy().astype(int)
    draws = np.random.default_rng(seed).permuted(np.tile(actual, (N_DRAWS, 1)), axis=1)
    found = randomisation_inference(
        frame, MODEL, schools=tuple(by_school.index), actual=actual, draws=draws, interval="none"
    )
    yield "randomisation, mixed t", found["pilot"].p_value


def rejections(condition: Condition, *, seeds: range, effect: float) -> dict[str, float]:
    """Return how often each method rejects the true effect.

    An effect that is the same for all is taken off the outcome, so that the test of no effect is the test of the true
    one, and an interval by inversion or from t holds the truth exactly when it is not rejected.
    """
    found: dict[str, list[float]] = {}
    for seed in seeds:
        frame = trial(condition, seed=seed, effect=effect)
        frame["score"] -= effect * (frame["arm"] == "pilot")
        for name, p_value in itertools.chain(
            by_model(frame), by_least_squares(frame, seed=seed), by_redraws(frame, seed=seed)
        ):
            # A method without an answer rejects nothing and has an interval of any size.
            found.setdefault(name, []).append(float(p_value <= 0.05))
    return {name: float(np.mean(values)) for name, values in found.items()}


def one_condition(task: tuple[int, Condition, int]) -> pd.DataFrame:
    """Return a row a method of one condition: type-I error, and coverage over other trials; no two share a seed."""
    number, condition, n_trials = task
    first, second = 1_000_000 * number, 1_000_000 * number + 500_000
    errors = rejections(condition, seeds=range(first, first + n_trials), effect=0.0)
    missed = rejections(condition, seeds=range(second, second + n_trials), effect=EFFECT)
    n_schools, balanced, icc = condition
    return pd.DataFrame(
        {
            "method": list(errors),
            "schools": n_schools,
            "balanced": balanced,
            "icc": icc,
            "type_1_error": list(errors.values()),
            "coverage": [1 - missed[name] for name in errors],
        }
    )


def simulate(n_trials: int) -> pd.DataFrame:
    """Return all conditions, on two processes."""
    conditions = list(itertools.product(SCHOOLS, (True, False), ICCS))
    with ProcessPoolExecutor(max_workers=2) as pool:
        return pd.concat(
            pool.map(one_condition, [(number, condition, n_trials) for number, condition in enumerate(conditions)])
        )


def summary(table: pd.DataFrame) -> str:
    """Return one table of how often the truth is rejected, both kinds of trials and all ICCs together, in per cent."""
    rate = (table["type_1_error"] + 1 - table["coverage"]) / 2
    found = rate.groupby([table["method"], ~table["balanced"], table["schools"]], sort=False).mean()
    head = [f"{n} {kind}" for kind in ("balanced", "unbalanced") for n in SCHOOLS]
    parts = [
        "**The truth is rejected in how many of 100 trials** (5 are meant; all ICCs, errors and misses together)\n"
    ]
    parts.append("| method | " + " | ".join(head) + " |\n|---|" + "---|" * len(head))
    for method in table["method"].unique():
        cells = [f"{100 * found[method, off, n]:.1f}" for off in (False, True) for n in SCHOOLS]
        parts.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join([*parts, ""])


def markdown(table: pd.DataFrame) -> str:
    """Return the tables of the page: a summary, then every ICC by itself, in per cent."""
    parts = [summary(table)]
    for balanced, title in ((True, "Balanced"), (False, "Unbalanced (a quarter treated, sizes vary)")):
        rows = table[table["balanced"] == balanced]
        head = " | ".join(f"{n} schools" for n in SCHOOLS)
        for column, what in (("type_1_error", "type-I error at 5 %"), ("coverage", "coverage of 95 % intervals")):
            parts.append(f"**{title}: {what}** (ICC {', '.join(f'{icc:.2f}' for icc in ICCS)})\n")
            parts.append(f"| method | {head} |\n|---|" + "---|" * len(SCHOOLS))
            for method, mine in rows.groupby("method", sort=False):
                cells = []
                for n_schools in SCHOOLS:
                    by_icc = mine[mine["schools"] == n_schools].sort_values("icc")[column]
                    cells.append(" · ".join(f"{100 * value:.1f}" for value in by_icc))
                parts.append(f"| {method} | " + " | ".join(cells) + " |")
            parts.append("")
    return "\n".join(parts)


def draw(table: pd.DataFrame, file: Path) -> None:
    """Draw type-I errors, a line a method, balanced beside unbalanced."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "honesty", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4.6), sharey=True, layout="constrained")
    marks = itertools.cycle("osD^vPX*<>")
    looks = {method: next(marks) for method in table["method"].unique()}
    for axis, balanced in zip(axes, (True, False), strict=True):
        rows = table[table["balanced"] == balanced].groupby(["method", "schools"], sort=False)["type_1_error"].mean()
        axis.axhspan(4, 6, color="#dfe6ee", zorder=0)
        for method, mark in looks.items():
            mine = 100 * rows.loc[method].sort_index()
            axis.plot(range(len(SCHOOLS)), mine, marker=mark, markersize=5, linewidth=1.1, label=method)
        axis.set_xticks(range(len(SCHOOLS)), [str(n) for n in SCHOOLS])
        axis.set_xlabel("schools")
        axis.set_title("balanced" if balanced else "a quarter treated, sizes vary")
    axes[0].set_ylabel("type-I error, % (5 % meant), mean over ICCs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.savefig(file, format="svg", metadata={"Date": None})


def write(text: str, file: Path) -> None:
    """Put the table between the page's markers, under a temporary name first."""
    page = file.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    temporary = file.with_suffix(".tmp")
    temporary.write_text(f"{before}{START}\n\n{text}\n{END}{after}", encoding="utf-8")
    temporary.replace(file)


def main() -> None:
    """Simulate, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400, help="trials a condition and figure (default 400)")
    parser.add_argument("--read", type=Path, help="CSV of an earlier run, instead of simulating")
    parser.add_argument("--write", type=Path, help="page with the markers of the table")
    parser.add_argument("--picture", type=Path, help="SVG to write")
    parser.add_argument("--figures", type=Path, help="CSV to write, a row a method and condition")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start = time.perf_counter()
    table = pd.read_csv(options.read) if options.read is not None else simulate(options.trials)
    text = markdown(table)
    error = 100 * math.sqrt(0.05 * 0.95 / options.trials)
    text += f"\n{options.trials:,} trials a cell: a rate of 5 % has a standard error of {error:.1f} points.\n"
    print(text)
    print(f"{time.perf_counter() - start:.0f} seconds")
    actions: tuple[tuple[Path | None, Callable[[Path], None]], ...] = (
        (options.write, lambda file: write(text, file)),
        (options.picture, lambda file: draw(table, file)),
        (options.figures, lambda file: table.round(4).to_csv(file, index=False)),
    )
    for file, action in actions:
        if file is not None:
            action(file)


if __name__ == "__main__":
    main()
