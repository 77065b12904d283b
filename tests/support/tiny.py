"""The smallest trials: a protocol, eight schools and files of a few lines, for tests that need no simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from evaluation.trial import Trial
from tests.support.trials import clock

N_SCHOOLS, N_PUPILS = 8, 12

PROTOCOL = """
[trial]
title = "A tiny trial"
intervention = "What pilot schools do."
comparison = "What control schools do."

[countries]
SI = "Slovenia"

[[waves]]
name = "before"
label = "Before"

[[waves]]
name = "after"
label = "After"

[design]
kind = "complete"
seed = "a lottery"

[[design.arms]]
name = "control"
label = "Control schools"

[[design.arms]]
name = "pilot"
label = "Pilot schools"

[[inbox]]
pattern = "before/pupil_*"
table = "pupil"
wave = "before"

[[inbox]]
pattern = "after/status_*"
table = "status"
wave = "after"

[[outcomes]]
name = "average_mark"
label = "Average mark"
kind = "continuous"
direction = "higher"
table = "status"
wave = "after"

[[analyses]]
name = "main"
outcome = "average_mark"
role = "primary"
model = "linear_cluster"

[inference]
n_draws = 99
"""


def school_ids() -> list[str]:
    """Return the identifiers of the schools."""
    return [f"SI-{number:02d}" for number in range(1, N_SCHOOLS + 1)]


def pupil_ids(school: str) -> list[str]:
    """Return the identifiers of a school's pupils: long ones, so that they would be found wherever they stand."""
    return [f"{school[3:]}77{number:03d}" for number in range(1, N_PUPILS + 1)]


def rows_of(school: str, header: str, row: Callable[[int, str], str]) -> str:
    """Return a CSV file of a school: a header, and a row per pupil made from place and identifier."""
    lines = [f"school_id;pupil_id;{header}"]
    lines += [f"{school};{pupil};{row(place, pupil)}" for place, pupil in enumerate(pupil_ids(school))]
    return "\n".join([*lines, ""])


def _status(marks: Sequence[float], place: int, _pupil: str) -> str:
    return f"enrolled;{marks[place]}"


def plain_files() -> dict[str, str]:
    """Return the files of the plain protocol: lists with consent, and statuses with marks that vary."""
    files = {}
    for at, school in enumerate(school_ids()):
        # No two schools have the same column of marks: intake would ask whether one is a copy of the other.
        marks = [2 + (7 * place + 3 * at + (place == at)) % 5 / 2 for place in range(N_PUPILS)]
        files[f"before/pupil_{school}.csv"] = rows_of(
            school, "gender;consent", lambda k, _: f"{('girl', 'boy')[k % 2]};yes"
        )
        files[f"after/status_{school}.csv"] = rows_of(school, "status;average_mark", partial(_status, marks))
    return files


def frame_text() -> str:
    """Return the sampling frame."""
    rows = [f"{school},School {school},SI,general,{100 + 10 * at}" for at, school in enumerate(school_ids())]
    return "\n".join(["school_id,name,country,type,size", *rows, ""])


def tiny_trial(
    folder: Path,
    *,
    protocol: str = PROTOCOL,
    frame: str = "",
    files: Mapping[str, str] | None = None,
) -> Trial:
    """Make the folder of a tiny trial; nothing is drawn or collected yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.toml").write_text(protocol, encoding="utf-8")
    (folder / "schools.csv").write_text(frame or frame_text(), encoding="utf-8")
    for name, text in (plain_files() if files is None else files).items():
        path = folder / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Trial(folder, clock=clock)
