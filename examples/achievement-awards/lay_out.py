# noqa: INP001 -- a script beside its data, not a package
"""Write the achievement awards trial as a trial folder.

Run ``python lay_out.py FOLDER``. The folder gets schools.csv (the frame), recorded_allocation.csv (the arms as drawn
at the time), inbox/ (pupils and exam results, a file a cohort) and trial.toml (the protocol). The standard library is
enough. The same input gives the same bytes; a file that is there with other content is never overwritten.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "achievement_awards.csv.gz"
PROTOCOL = HERE / "trial.toml"

BASELINE_COHORTS = ("1999", "2000")
"""Cohorts that finished before the awards were offered."""

PUPIL_COLUMNS = (
    "school_id",
    "student_id",
    "sex",
    "siblings",
    "immigrant",
    "father_ed",
    "mother_ed",
    "lagscore",
    "qrtl",
    "half",
)
EXAM_COLUMNS = (
    "school_id",
    "student_id",
    "Bagrut_status",
    "attempted",
    "awarded",
    "achv_math",
    "achv_english",
    "achv_hebrew",
)
SCHOOL_COLUMNS = (
    "school_id",
    "country",
    "type",
    "pair",
    "size",
    "prior_matriculation",
    "mean_siblings",
    "share_immigrant",
)

Row = Mapping[str, str]


def read_source(path: Path = SOURCE) -> list[Row]:
    """Read the pupils as text, a mapping each, in the order of the source."""
    with gzip.open(path, mode="rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def trial_files(rows: Sequence[Row]) -> dict[str, str]:
    """Make the files of the trial folder from the source: path in the folder to text."""
    files = {
        "schools.csv": _table(SCHOOL_COLUMNS, _schools(rows)),
        "recorded_allocation.csv": _table(("school_id", "arm"), _allocation(rows)),
    }
    for year in sorted({row["year"] for row in rows}):
        cohort = [row for row in rows if row["year"] == year]
        files[f"inbox/pupil_{year}.csv"] = _table(PUPIL_COLUMNS, cohort)
        files[f"inbox/exam_{year}.csv"] = _table(EXAM_COLUMNS, cohort)
    return files


def lay_out(folder: Path) -> list[Path]:
    """Write the trial folder and return the paths of its files.

    Raises
    ------
    FileExistsError
        When a file is there with other content, such as a protocol that was edited; nothing is written then.
    """
    contents = {folder / name: text.encode() for name, text in trial_files(read_source()).items()}
    if PROTOCOL.exists():
        contents[folder / PROTOCOL.name] = PROTOCOL.read_bytes()
    for path, content in contents.items():
        if path.exists() and path.read_bytes() != content:
            raise FileExistsError(f"{path} is there with other content. Name another folder, or move the file away.")
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Complete first, then in place: whoever looks sees a whole file or none.
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    return list(contents)


def _schools(rows: Sequence[Row]) -> list[dict[str, str]]:
    """List the schools with a summary of their baseline cohorts: means, and pupils a cohort."""
    schools = []
    for school, pupils in _by_school(rows).items():
        before = [pupil for pupil in pupils if pupil["year"] in BASELINE_COHORTS]
        schools.append(
            {
                "school_id": school,
                "country": "IL",
                "type": pupils[0]["school_type"],
                "pair": pupils[0]["pair"],
                "size": str(round(len(before) / len(BASELINE_COHORTS))),
                "prior_matriculation": _mean(before, "Bagrut_status"),
                "mean_siblings": _mean(before, "siblings"),
                "share_immigrant": _mean(before, "immigrant"),
            }
        )
    return schools


def _allocation(rows: Sequence[Row]) -> list[dict[str, str]]:
    arms = {"0": "control", "1": "awards"}
    return [{"school_id": school, "arm": arms[pupils[0]["treated"]]} for school, pupils in _by_school(rows).items()]


def _by_school(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group the pupils by school, the schools in the order of their numbers."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["school_id"], []).append(row)
    return {school: groups[school] for school in sorted(groups, key=int)}


def _mean(rows: Sequence[Row], column: str) -> str:
    return f"{sum(float(row[column]) for row in rows) / len(rows):.4f}"


def _table(columns: Sequence[str], rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Lay the trial out in the folder that the one argument names."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python lay_out.py FOLDER\n")
        return 2
    try:
        paths = lay_out(Path(arguments[0]))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in paths)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
