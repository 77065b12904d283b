"""How often intervals hold what they should, and tests find what is not there, with few schools and rare events.

``python benchmarks/honesty_outcomes.py`` simulates trials over fixed seeds (an hour and a half of one core), keeps the
figures in ``benchmarks/honesty_outcomes.csv`` and puts their tables into ``analysis/HONESTY_OUTCOMES.md``.
``--families`` makes some of them anew, ``--families none`` only writes the page again.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from outcome_methods import FAMILIES
from outcome_trials import Scenario

SCHOOLS = (10, 20, 40, 62)
DROPOUTS = (0.03, 0.08, 0.15)
ICCS = (0.02, 0.08, 0.15)
EFFECT = -0.6
LEVEL = 0.05
FIGURES = Path(__file__).with_suffix(".csv")
PAGE = Path(__file__).parent.parent / "analysis" / "HONESTY_OUTCOMES.md"
START = "<!-- tables: python benchmarks/honesty_outcomes.py -->"
END = "<!-- end of tables -->"


def grid(*, by_dropout: bool) -> list[Scenario]:
    """Return the scenarios, those without an effect first."""
    dropouts = DROPOUTS if by_dropout else DROPOUTS[1:2]
    return [
        Scenario(n_schools=j, dropout=d, icc=i, effect=e)
        for e, j, d, i in itertools.product((0.0, EFFECT), SCHOOLS, dropouts, ICCS)
    ]


def one_scenario(family: str, number: int, scenario: Scenario, n_trials: int) -> pd.DataFrame:
    """Return a row a method: how often it failed, found something, and held the truth; seeds are the scenario's own."""
    made = FAMILIES[family]
    first_seed = 1_000_000 * list(FAMILIES).index(family) + 1_000 * number
    rows: list[tuple[str, float, float, float]] = []
    for seed in range(first_seed, first_seed + n_trials):
        for name, row, truth in made.found(scenario, seed):
            failed = row.status == "failed" or not math.isfinite(row.p_value)
            held = math.nan if failed or truth is None else float(row.conf_low <= truth <= row.conf_high)
            rows.append((name, float(failed), float(not failed and row.p_value <= LEVEL + 1e-12), held))
    table = pd.DataFrame(rows, columns=["method", "failed", "found", "held"])
    done = table.groupby("method", sort=False).mean()
    done.insert(0, "trials", table.groupby("method", sort=False).size())
    done = done.reset_index()
    for place, name in enumerate(("n_schools", "dropout", "icc", "effect"), start=1):
        done.insert(place, name, getattr(scenario, name))
    done.insert(0, "family", family)
    return done


def simulate(family: str, *, share: float) -> pd.DataFrame:
    """Simulate a family's scenarios; ``share`` scales the numbers of trials."""
    made, parts = FAMILIES[family], []
    for number, scenario in enumerate(grid(by_dropout=made.by_dropout), start=1):
        n_trials = round(share * made.trials[scenario.effect != 0])
        if n_trials:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts.append(one_scenario(family, number, scenario, n_trials))
            print(f"{family}: scenario {number}", file=sys.stderr, flush=True)
    return pd.concat(parts, ignore_index=True)


def pooled(rows: pd.DataFrame, value: str) -> str:
    """Return the mean over scenarios with its Monte Carlo error, in per cent."""
    known = rows[rows[value].notna()]
    if known.empty:
        return "–"
    rate = float(np.average(known[value], weights=known["trials"]))
    error = 100 * math.sqrt(max(rate * (1 - rate), 0.001) / float(known["trials"].sum()))
    return f"{100 * rate:.1f} ± {error:.1f}"


def by_schools(rows: pd.DataFrame, value: str) -> str:
    """Return one table: a row a method, a column a number of schools, and the highest of single scenarios."""
    head = "| method | " + " | ".join(f"{n} schools" for n in SCHOOLS)
    lines = [head + " | furthest off |", "|---" * (len(SCHOOLS) + 2) + "|"]
    for name, mine in rows.groupby("method", sort=False):
        if mine[value].notna().any():
            cells = [pooled(mine[mine["n_schools"] == n], value) for n in SCHOOLS]
            lines.append(f"| {name} | " + " | ".join(cells) + f" | {furthest(mine, value)} |")
    return "\n".join(lines)


def furthest(rows: pd.DataFrame, value: str) -> str:
    """Return the scenario with the most false findings, or the fewest intervals that hold."""
    known = rows[rows[value].notna()]
    at = known[value].idxmax() if value == "found" else known[value].idxmin()
    worst = known.loc[at]
    where = f"{worst['n_schools']:.0f} schools, " + scenario_name(worst)
    return f"{pooled(known.loc[[at]], value)} ({where})"


def scenario_name(row: pd.Series[float]) -> str:
    """Return a scenario in words."""
    return f"dropout {100 * row['dropout']:.0f} %, ICC {row['icc']:.2f}"


def by_scenario(rows: pd.DataFrame, value: str, n_schools: int) -> str:
    """Return one table: a row a method, a column a scenario of one number of schools."""
    here = rows[rows["n_schools"] == n_schools]
    keys = here[["dropout", "icc"]].drop_duplicates().sort_values(["dropout", "icc"])
    names = [scenario_name(key).removeprefix("dropout ") for _, key in keys.iterrows()]
    lines = ["| method | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for name, mine in here.groupby("method", sort=False):
        if mine[value].notna().any():
            cells = [
                pooled(mine[(mine["dropout"] == key["dropout"]) & (mine["icc"] == key["icc"])], value)
                for _, key in keys.iterrows()
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(table: pd.DataFrame) -> str:
    """Return the methods that failed in any scenario, with the scenario where they did most often."""
    lines = ["| method | failed, in % of all trials | most often |", "|---|---|---|"]
    for name, mine in table.groupby("method", sort=False):
        if mine["failed"].max() > 0:
            worst = mine.loc[mine["failed"].idxmax()]
            where = f"{100 * worst['failed']:.1f} ({worst['n_schools']:.0f} schools, {scenario_name(worst)})"
            lines.append(f"| {name} | {100 * np.average(mine['failed'], weights=mine['trials']):.2f} | {where} |")
    return "\n".join(lines)


KINDS = (
    ("found", 0.0, "tests that find something where there is nothing, in % (5 are meant)"),
    ("held", EFFECT, "intervals that hold the truth, in % (95 are meant)"),
)


def markdown(table: pd.DataFrame) -> str:
    """Return the tables of the page: by number of schools, then every scenario."""
    parts = ["## By number of schools", ""]
    order = [name for name in FAMILIES if (table["family"] == name).any()]
    for value, effect, what in KINDS:
        rows = table[table["effect"] == effect]
        rows = rows.sort_values("family", key=lambda names: names.map(order.index), kind="stable")
        parts += [f"**{what[0].upper()}{what[1:]}**", "", by_schools(rows, value), ""]
    parts += ["## Rows that failed", "", failures(table), "", "## Every scenario", ""]
    for (value, effect, what), n_schools in itertools.product(KINDS, SCHOOLS):
        rows = table[(table["effect"] == effect) & table["family"].map(lambda name: FAMILIES[name].by_dropout)]
        parts += [f"**{n_schools} schools: {what}**", "", by_scenario(rows, value, n_schools), ""]
    for value, effect, what in KINDS:
        rows = table[(table["effect"] == effect) & ~table["family"].map(lambda name: FAMILIES[name].by_dropout)]
        if not rows.empty:
            for n_schools in SCHOOLS:
                here = rows.assign(dropout=DROPOUTS[1])
                text = by_scenario(here, value, n_schools).replace("8 %, ", "")
                parts += [f"**Counts and answers, {n_schools} schools: {what}**", "", text, ""]
    return "\n".join(parts)


def write(text: str, file: Path) -> None:
    """Put the tables between the page's markers."""
    page = file.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    file.write_text(f"{before}{START}\n\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Simulate what was asked for, and write figures and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), help="families to simulate, or none")
    parser.add_argument("--share", type=float, default=1.0, help="share of the trials (default 1)")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="CSV to keep the figures in")
    parser.add_argument("--page", type=Path, default=PAGE, help="page with the tables")
    options = parser.parse_args()
    table = pd.read_csv(options.figures) if options.figures.exists() else pd.DataFrame({"family": []})
    for family in options.families if options.families != ["none"] else []:
        start = time.process_time()
        made = simulate(family, share=options.share)
        table = pd.concat([table[table["family"] != family], made], ignore_index=True)
        table.round(5).to_csv(options.figures, index=False)
        print(f"{family}: {time.process_time() - start:.0f} s of processor time", flush=True)
    write(markdown(table), options.page)


if __name__ == "__main__":
    main()
