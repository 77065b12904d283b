"""What the records of one pupil, one after the other, cannot all be right about."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_schema.findings import Finding, row_ranges
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

PUPIL = ["school_id", "pupil_id"]
_GONE = ("left_early", "completed")
_FALL = 4.0
"""From the best mark to the worst, where marks run from 1 to 5."""

_HOURS_A_DAY = 8
_ABSENCES = ("absences_justified", "absences_unjustified")
DAYS = "school_days"
"""A field of this name that a trial adds to the signals: days of school in the month."""


def histories(
    frames: Mapping[str, pd.DataFrame], tables: Mapping[str, Table], *, waves: Sequence[str]
) -> Iterator[Finding]:
    """Compare each pupil's records with each other.

    Parameters
    ----------
    frames
        Table to its rows, as intake returns them.
    tables
        The tables.
    waves
        Names of the waves, in their order.

    Yields
    ------
    Finding
        A question for each pupil who is enrolled after having left or completed school; for each mark that is four or
        more below the pupil's last one; and for each month with more hours of absence than hours of school: eight for
        each day of the field `school_days`, or for each day from Monday to Friday where a trial has no such field.
        The rows stay.
    """
    if "status" in frames:
        yield from _back(frames["status"], waves)
    for name, frame in frames.items():
        table = tables[name]
        if table.about == "pupil" and len(frame):
            yield from _fallen(table, frame, waves)
    if "signals" in frames:
        yield from _too_absent(frames["signals"])


def _back(status: pd.DataFrame, waves: Sequence[str]) -> Iterator[Finding]:
    if status["wave"].nunique() < 2:
        return
    ordered = _in_time(status, waves)
    is_gone = ordered["status"].isin(_GONE)
    gone_before = is_gone.groupby([ordered[name] for name in PUPIL]).cummax() & ~is_gone
    first_gone = ordered.loc[is_gone].drop_duplicates(PUPIL).set_index(PUPIL)
    for row in ordered.loc[gone_before & (ordered["status"] == "enrolled")].to_dict("records"):
        then = first_gone.loc[(row["school_id"], row["pupil_id"])]
        yield _asked(
            row,
            "status",
            value=str(row["status"]),
            problem=f"The pupil is enrolled, and was {str(then['status']).replace('_', ' ')} in {_place(then)}.",
            remedy="Tell which is right; yes, if the pupil came back.",
        )


def _fallen(table: Table, frame: pd.DataFrame, waves: Sequence[str]) -> Iterator[Finding]:
    marks = [item.name for item in table.fields if item.unit == "mark" and item.name in frame]
    if not marks or ("month" not in frame and frame["wave"].nunique() < 2):
        # Within a wave, a pupil has one record.
        return
    ordered = _in_time(frame, waves)
    by_pupil = [ordered[name] for name in PUPIL]
    for name in marks:
        values = ordered[name].astype("Float64").astype(float)
        last = values.groupby(by_pupil).ffill().groupby(by_pupil).shift()
        for at in np.flatnonzero((last - values).to_numpy() >= _FALL).tolist():
            problem = f"It is {values.iloc[at]:g} and was {last.iloc[at]:g} in the pupil's record before."
            row = ordered.iloc[at].to_dict()
            yield _asked(row, name, value=f"{values.iloc[at]:g}", problem=problem, remedy="Check both marks.")


def _too_absent(signals: pd.DataFrame) -> Iterator[Finding]:
    there = [name for name in _ABSENCES if name in signals]
    known = signals.loc[signals["month"].notna() & signals[there].notna().any(axis="columns")] if there else signals[:0]
    if known.empty:
        return
    hours = known[there].astype("Float64").astype(float).sum(axis="columns").to_numpy()
    months = known["month"].to_numpy(dtype="datetime64[M]")
    days = np.busday_count(months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")).astype(float)
    if DAYS in known:
        told = known[DAYS].astype("Float64").astype(float).to_numpy()
        days = np.where(np.isnan(told), days, told)
    for at in np.flatnonzero(hours > days * _HOURS_A_DAY).tolist():
        problem = (
            f"The absences of {known['month'].iloc[at]} are {hours[at]:g} hours; "
            f"{days[at]:g} days of school have {days[at] * _HOURS_A_DAY:g}."
        )
        row = known.iloc[at].to_dict()
        yield _asked(row, there[-1], value="", problem=problem, remedy="Check the absences of the month.")


def _in_time(frame: pd.DataFrame, waves: Sequence[str]) -> pd.DataFrame:
    rank = frame["wave"].map({wave: at for at, wave in enumerate(waves)}).astype(float)
    by = [*PUPIL, "_wave", *(["month"] if "month" in frame else [])]
    return frame.assign(_wave=rank).sort_values(by, kind="stable", ignore_index=True)


def _place(row: pd.Series) -> str:
    return f"{row['source_file']}, row {row_ranges([int(row['source_row'])])}"


def _asked(row: Mapping[Hashable, object], column: str, *, value: str, problem: str, remedy: str) -> Finding:
    return Finding(
        file=str(row["source_file"]),
        sheet=str(row["source_sheet"]),
        row=int(str(row["source_row"])),
        column=column,
        value=value,
        problem=problem,
        remedy=remedy,
        severity="question",
    )
