"""How honest is each printed estimate? ``python benchmarks/printed_table.py`` simulates and counts.

Coverage of every interval and rejection rate of every p-value of the table of estimates, quantity by quantity, over
kinds of trials (models, layouts of the draw, 8 to 60 schools, events of 3 to 15 %, scores, effects of nothing, of 0.8
standard deviations, 5 → 15 %). A rate counts as dishonest when an honest one would be that far off in fewer than one of
a thousand runs, among all rows and among those without a caution of their own. ``--figures FILE`` is filled cell by
cell, so that a run can be taken up again; ``--write FILE`` puts the tables into FILE between its markers
(analysis/HONESTY.md).
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path

import pandas as pd

from tests.support.printed_table import Cell, cells, judge, outcomes_of

START, END = "<!-- table: python benchmarks/printed_table.py -->", "<!-- end of printed table -->"
CHUNK = 100


def count(job: tuple[Cell, int]) -> Counter[tuple[str, str, str]]:
    """Count how the rows of a hundred trials stood to the truth."""
    cell, first = job
    found: Counter[tuple[str, str, str]] = Counter()
    for seed in range(first, first + CHUNK):
        for row in outcomes_of(cell, seed):
            key = (row.quantity, row.place)
            found[(*key, "rows")] += 1
            found[(*key, "failed")] += row.failed
            found[(*key, "cautioned")] += row.cautioned and not row.failed
            if row.failed:
                continue
            kind = "cautioned " if row.cautioned else ""
            if row.held is not None:
                found[(*key, f"{kind}intervals")] += 1
                found[(*key, f"{kind}held")] += row.held
            if row.rejected is not None:
                found[(*key, f"{kind}tests")] += 1
                found[(*key, f"{kind}rejected")] += row.rejected
    return found


def simulate(n_trials: int, *, done: pd.DataFrame, only: str = "", processes: int = 2) -> Iterator[pd.DataFrame]:
    """Give a row per cell and quantity with its counts, all so far after each cell; cells of ``done`` are kept."""
    known = set(done["cell"]) if len(done) else set()
    chosen = [cell for cell in cells() if only in cell.name and cell.name not in known]
    # In an order that mixes all kinds, so that a run that was cut short has seen something of each.
    chosen.sort(key=lambda cell: sha256(cell.name.encode()).digest())
    table = done
    with ProcessPoolExecutor(processes) as pool:
        for cell in chosen:
            found: Counter[tuple[str, str, str]] = Counter()
            for counted in pool.map(count, [(cell, first) for first in range(0, n_trials, CHUNK)]):
                found.update(counted)
            table = pd.concat([table, pd.DataFrame(list(_rows(cell, found)))], ignore_index=True)
            yield table


COUNTS = (
    "rows",
    "failed",
    "cautioned",
    "intervals",
    "held",
    "tests",
    "rejected",
    "cautioned intervals",
    "cautioned held",
    "cautioned tests",
    "cautioned rejected",
)


def _rows(cell: Cell, found: Counter[tuple[str, str, str]]) -> Iterator[dict[str, object]]:
    for quantity, place in dict.fromkeys(key[:2] for key in found):
        yield {
            "cell": cell.name,
            "model": cell.model,
            "layout": cell.layout,
            "n_schools": cell.n_schools,
            "quantity": quantity,
            "place": place,
            **{name.replace(" ", "_"): found[quantity, place, name] for name in COUNTS},
        }


def markdown(table: pd.DataFrame) -> str:
    """Return coverage and rejection rates as one table per kind of trial, a row per quantity."""
    judged = judge(table)
    judged["kind"] = [
        f"{model}, {cell.split(', ', 3)[3]}, {layout}"
        for model, cell, layout in zip(judged["model"], judged["cell"], judged["layout"], strict=True)
    ]
    parts = []
    for title, name, scale in (
        ("Coverage of 95 % intervals, in 100 trials", "coverage", 100),
        ("Rejections at 5 % without an effect, in 100 trials", "rejection", 100),
    ):
        rows = judged[judged[name].notna() & (judged["place"] == "all")]
        columns = sorted(rows["n_schools"].unique())
        lines = [f"**{title}** (columns: schools)", "", f"| quantity | trial | {' | '.join(map(str, columns))} |"]
        lines.append(f"|---|---|{'---|' * len(columns)}")
        for (quantity, kind), part in rows.groupby(["quantity", "kind"], sort=True):
            by_number = {int(row["n_schools"]): row for row in part.to_dict("records")}
            shown = [_shown(by_number.get(number), name, scale) for number in columns]
            lines.append(f"| `{quantity}` | {kind} | {' | '.join(shown)} |")
        parts.append("\n".join(lines))
    n_bad = int(judged["dishonest"].sum())
    parts.append(
        f"{len(judged):,} rates of {judged['cell'].nunique()} kinds of trials; outside what chance allows and without a"
        f" caution: {n_bad}. † the table's own row carried a caution in at least one of twenty trials."
        " Rates by country, and of rows with and without a caution, are in `benchmarks/printed_table.csv`."
    )
    return "\n\n".join(parts) + "\n"


def _shown(row: dict[str, object] | None, name: str, scale: int) -> str:
    if row is None:
        return ""
    cautioned = float(str(row["cautioned"])) >= 0.05 * float(str(row["rows"]))
    return f"{scale * float(str(row[name])):.1f}{'†' if cautioned else ''}{' **!**' if row['dishonest'] else ''}"


def write(text: str, file: Path) -> None:
    """Put the tables between the page's markers, under a temporary name first."""
    page = file.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    temporary = file.with_suffix(".tmp")
    temporary.write_text(f"{before}{START}\n\n{text}\n{END}{after}", encoding="utf-8")
    temporary.replace(file)


def main() -> None:
    """Simulate, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="trials per cell, in hundreds (default 1000)")
    parser.add_argument("--only", default="", help="only cells whose name holds this text")
    parser.add_argument("--read", action="store_true", help="simulate nothing, read --figures only")
    parser.add_argument("--write", type=Path, help="page with the markers of the tables")
    parser.add_argument("--figures", type=Path, required=True, help="CSV to fill: cells that it has are not simulated")
    options = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start = time.perf_counter()
    table = pd.read_csv(options.figures) if options.figures.exists() else pd.DataFrame()
    if not options.read:
        for so_far in simulate(options.trials, done=table, only=options.only):
            so_far.to_csv(options.figures, index=False)
            print(f"{so_far['cell'].iloc[-1]}: {time.perf_counter() - start:.0f} seconds", flush=True)
            table = so_far
    print(markdown(table))
    if options.write is not None:
        write(markdown(table), options.write)


if __name__ == "__main__":
    main()
