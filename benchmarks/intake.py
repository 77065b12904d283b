"""How fast intake is: a million pupils as clean and as dirty CSV, five hundred school workbooks.

Run as ``python -m benchmarks.intake [rows]``. Limits for two cores: 10 s, 25 s, 60 s.
"""

from __future__ import annotations

import io
import random
import resource
import sys
import time
from collections.abc import Callable

from openpyxl import Workbook

from data_schema.intake import InboxRule, Intake, read_inbox
from data_schema.school_tables import standard_tables

N_SCHOOLS = 500
SCHOOLS = {f"{k:06d}": "HU" for k in range(31_001, 31_001 + N_SCHOOLS)}
HEADER = "school_id;pupil_id;name;class;grade;birth_year;gender;disadvantaged;prior_average;consent"
RULES = (
    InboxRule("*.csv", "pupil", wave="baseline"),
    InboxRule("*.xlsx", "pupil", wave="baseline", sheet="Pupils"),
    InboxRule("*.xlsx", "status", wave="baseline", sheet="Status"),
)
DIRT: tuple[Callable[[list[str]], None], ...] = (
    lambda row: row.__setitem__(8, row[8].replace(".", ",")),
    lambda row: row.__setitem__(6, "LÁNY" if row[6] == "girl" else "fiú"),
    lambda row: row.__setitem__(7, "igen" if row[7] == "yes" else "Nem"),
    lambda row: row.__setitem__(2, f" {row[2]} "),
    lambda row: row.__setitem__(5, f"{row[5]}."),
    lambda row: row.__setitem__(8, "-"),
    lambda row: row.__setitem__(1, f" {row[1]}"),
)
FAULTS: tuple[Callable[[list[str]], None], ...] = (
    lambda row: row.__setitem__(8, "55"),
    lambda row: row.__setitem__(0, row[0].lstrip("0")),
    lambda row: row.__setitem__(6, "???"),
    lambda row: row.__setitem__(1, ""),
)


def pupils(n_rows: int, *, dirt: float, faults: float) -> bytes:
    """Return a file of pupils; shares of rows with a repairable cell and with a question."""
    rng = random.Random(7)  # noqa: S311 -- no secret
    schools = list(SCHOOLS)
    lines = [HEADER]
    for k in range(n_rows):
        school = schools[k * len(schools) // n_rows]
        name = f"Pupil{k % 9973} Family{k % 7919}"
        mark = f"{rng.randint(10, 50) / 10:.1f}"
        row = [school, f"{k:07d}", name, f"9.{'abc'[k % 3]}", "9", str(2010 + k % 4), ("girl", "boy")[k % 2]]
        row += [("yes", "no")[k % 5 > 0], mark, "yes"]
        if rng.random() < dirt:
            rng.choice(DIRT)(row)
        if rng.random() < faults:
            rng.choice(FAULTS)(row)
        lines.append(";".join(row))
    return ("\r\n".join(lines) + "\r\n").encode("cp1250")


def workbooks(n_books: int, *, n_pupils: int = 400) -> dict[str, bytes]:
    """Return one workbook per school with a sheet of pupils and one of statuses."""
    files = {}
    for at, school in enumerate(list(SCHOOLS)[:n_books]):
        book = Workbook(write_only=True)
        headers = {"Pupils": HEADER.split(";"), "Status": ["school_id", "pupil_id", "status", "average_mark"]}
        for name, header in headers.items():
            sheet = book.create_sheet(name)
            sheet.append(["Title"])
            sheet.append(header)
            for k in range(n_pupils):
                pupil = f"{at:03d}{k:04d}"
                if name == "Pupils":
                    sheet.append([school, pupil, f"Pupil{k} X{at}", "9.a", 9, 2010 + k % 4, "lány", "igen", 4.5, True])
                else:
                    sheet.append([school, pupil, "jogviszonyban", 3 + k % 3])
        made = io.BytesIO()
        book.save(made)
        files[f"{school}.xlsx"] = made.getvalue()
    return files


def timed(name: str, files: dict[str, bytes], *, limit: float) -> bool:
    """Read files; say how long it took and whether that is within the limit."""
    steps: set[str] = set()
    began, busy = time.perf_counter(), time.process_time()
    intake: Intake = read_inbox(
        files,
        rules=RULES,
        tables=standard_tables(),
        schools=SCHOOLS,
        waves=["baseline"],
        progress=lambda task, _done, _total: steps.add(task),
    )
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    counts = intake.reconciliation[["sent", "kept", "asked", "refused"]].sum().to_dict()
    if counts["sent"] != counts["kept"] + counts["asked"] + counts["refused"]:
        raise SystemExit(f"{name}: rows are lost, {counts}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: {seconds:.1f} s (limit {limit:g} s; {busy:.1f} s of one core), {memory:.1f} GB at most so far; "
        f"{counts}, "
        f"{len(intake.repairs)} repairs, {len(intake.findings)} findings; progress: {', '.join(sorted(steps))}"
    )
    return seconds <= limit


def main() -> int:
    """Run all three; 1 when a limit is missed."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    scale = n_rows / 1_000_000
    fine = timed(f"{n_rows:,} rows of clean CSV", {"a.csv": pupils(n_rows, dirt=0, faults=0)}, limit=10 * scale)
    dirty = {"a.csv": pupils(n_rows, dirt=0.3, faults=0.01)}
    fine &= timed(f"{n_rows:,} rows of dirty CSV", dirty, limit=25 * scale)
    del dirty
    n_books = max(int(500 * scale), 5)
    fine &= timed(f"{n_books} workbooks", workbooks(n_books), limit=60 * scale)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
