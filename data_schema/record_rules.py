"""What must hold within a record, and what the records of one pupil, one after the other, cannot all be right about."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from data_schema.clean import format_value
from data_schema.expressions import get_kinds_of_names
from data_schema.findings import Finding, format_row_ranges
from data_schema.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import Field
    from data_schema.tables import Table

Windows = Mapping[str, tuple[date, date]]
"""Wave to its first and last day."""


def find_rule_breaks(frame: pd.DataFrame, table: Table, *, windows: Windows) -> Iterator[Finding]:
    """Ask about records that break a rule of their table, or answer what was not asked.

    Parameters
    ----------
    frame
        Rows of the table, as intake returns them.
    table
        The table.
    windows
        Wave to its first and last day, where known; rules that speak of an unknown one are not worked out.

    Yields
    ------
    Finding
        A question for each rule that a record breaks, and for each cell that was filled in though the record's other
        answers say that it is not asked. The rows stay.
    """
    if frame.empty:
        return
    yield from _find_unasked_answers(frame, table)
    if table.rules:
        dated = _attach_windows(frame, windows)
        kinds = get_kinds_of_names(table.fields)
        for rule in table.rules:
            expression = rule.expression_of(table)
            if set(expression.names) <= set(frame.columns):
                column = rule.field or expression.names[0]
                for row_index in np.flatnonzero(expression.is_broken(dated, kinds)).tolist():
                    yield _build_record_question(dated, row_index, table.field(column), rule.message, rule.remedy)


def _attach_windows(frame: pd.DataFrame, windows: Windows) -> pd.DataFrame:
    import pandas as pd

    def convert_to_days(of_wave: Mapping[str, date]) -> pd.Series:
        return pd.to_datetime(frame["wave"].map(of_wave))

    first = min((opens for opens, _ in windows.values()), default=None)
    known = dict.fromkeys(windows, first) if first is not None else {}
    return frame.assign(
        trial_opens=convert_to_days({wave: day for wave, day in known.items() if day is not None}),
        wave_opens=convert_to_days({wave: opens for wave, (opens, _) in windows.items()}),
        wave_closes=convert_to_days({wave: closes for wave, (_, closes) in windows.items()}),
    )


def _find_unasked_answers(frame: pd.DataFrame, table: Table) -> Iterator[Finding]:
    for item in table.fields:
        if item.asked_if is None or item.name not in frame or item.asked_if[0] not in frame:
            continue
        name, answers = item.asked_if
        is_yes_no = table.field(name).type == "yes_no"
        wanted = [{"yes": True, "no": False}[answer] for answer in answers] if is_yes_no else list(answers)
        is_out = frame[name].notna() & ~frame[name].isin(wanted) & frame[item.name].notna()
        problem = f"{item.name!r} is filled in, and is asked only where {name!r} is {' or '.join(map(repr, answers))}."
        for row_index in np.flatnonzero(is_out.to_numpy(dtype=bool)).tolist():
            yield _build_record_question(
                frame, row_index, item, problem, "Correct one of the two, or answer '-' to leave this one empty."
            )


def _build_record_question(frame: pd.DataFrame, at: int, item: Field, problem: str, remedy: str) -> Finding:
    row = frame.iloc[at]
    value = row[item.name]
    is_value_shown = (
        item.type not in ("text", "identifier") and not item.is_private and bool(frame[item.name].notna().iloc[at])
    )
    shown_value = value.date() if item.type == "date" and is_value_shown else value
    return Finding(
        file=str(row["source_file"]),
        sheet=str(row["source_sheet"]),
        row=int(row["source_row"]),
        column=item.name,
        value=format_value(_convert_to_plain_number(shown_value)) if is_value_shown else "",
        problem=problem,
        remedy=remedy,
        severity="question",
    )


def _convert_to_plain_number(value: object) -> object:
    """Return a number of numpy as one of Python, so that it is written like what was sent."""
    return value.item() if isinstance(value, np.generic) else value


PUPIL = ["school_id", "pupil_id"]
_GONE = ("left_early", "completed")
_FALL = 4.0
"""From the best mark to the worst, where marks run from 1 to 5."""

_HOURS_A_DAY = 8
_ABSENCES = ("absences_justified", "absences_unjustified")
DAYS = "school_days"
"""A field of this name that a trial adds to the signals: days of school in the month."""


def check_pupil_histories(
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
        yield from _find_returned_leavers(frames["status"], waves)
    for name, frame in frames.items():
        table = tables[name]
        if table.about == "pupil" and len(frame):
            yield from _find_fallen_marks(table, frame, waves)
    if "signals" in frames:
        yield from _find_excess_absences(frames["signals"])


def _find_returned_leavers(status: pd.DataFrame, waves: Sequence[str]) -> Iterator[Finding]:
    if status["wave"].nunique() < 2:
        return
    ordered = _sort_in_time(status, waves)
    is_gone = ordered["status"].isin(_GONE)
    gone_before = is_gone.groupby([ordered[name] for name in PUPIL]).cummax() & ~is_gone
    first_gone = ordered.loc[is_gone].drop_duplicates(PUPIL).set_index(PUPIL)
    for row in ordered.loc[gone_before & (ordered["status"] == "enrolled")].to_dict("records"):
        then = first_gone.loc[(row["school_id"], row["pupil_id"])]
        yield _ask_about(
            row,
            "status",
            value=str(row["status"]),
            problem=(
                f"The pupil is enrolled, and was {str(then['status']).replace('_', ' ')} in {_describe_place(then)}."
            ),
            remedy="Tell which is right; yes, if the pupil came back.",
        )


def _find_fallen_marks(table: Table, frame: pd.DataFrame, waves: Sequence[str]) -> Iterator[Finding]:
    marks = [item.name for item in table.fields if item.unit == "mark" and item.name in frame]
    if not marks or ("month" not in frame and frame["wave"].nunique() < 2):
        # Within a wave, a pupil has one record.
        return
    ordered = _sort_in_time(frame, waves)
    by_pupil = [ordered[name] for name in PUPIL]
    for name in marks:
        values = ordered[name].astype("Float64").astype(float)
        last = values.groupby(by_pupil).ffill().groupby(by_pupil).shift()
        for row_index in np.flatnonzero((last - values).to_numpy() >= _FALL).tolist():
            problem = f"It is {values.iloc[row_index]:g} and was {last.iloc[row_index]:g} in the pupil's record before."
            row = ordered.iloc[row_index].to_dict()
            yield _ask_about(
                row, name, value=f"{values.iloc[row_index]:g}", problem=problem, remedy="Check both marks."
            )


def _find_excess_absences(signals: pd.DataFrame) -> Iterator[Finding]:
    there = [name for name in _ABSENCES if name in signals]
    known = signals.loc[signals["month"].notna() & signals[there].notna().any(axis="columns")] if there else signals[:0]
    if known.empty:
        return
    hours = known[there].astype("Float64").astype(float).sum(axis="columns").to_numpy()
    months = known["month"].to_numpy(dtype="datetime64[M]")
    days = np.busday_count(months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")).astype(float)
    if DAYS in known:
        stated_days = known[DAYS].astype("Float64").astype(float).to_numpy()
        days = np.where(np.isnan(stated_days), days, stated_days)
    for row_index in np.flatnonzero(hours > days * _HOURS_A_DAY).tolist():
        problem = (
            f"The absences of {known['month'].iloc[row_index]} are {hours[row_index]:g} hours; "
            f"{days[row_index]:g} days of school have {days[row_index] * _HOURS_A_DAY:g}."
        )
        row = known.iloc[row_index].to_dict()
        yield _ask_about(row, there[-1], value="", problem=problem, remedy="Check the absences of the month.")


def _sort_in_time(frame: pd.DataFrame, waves: Sequence[str]) -> pd.DataFrame:
    rank = frame["wave"].map({wave: position for position, wave in enumerate(waves)}).astype(float)
    by = [*PUPIL, "_wave", *(["month"] if "month" in frame else [])]
    return frame.assign(_wave=rank).sort_values(by, kind="stable", ignore_index=True)


def _describe_place(row: pd.Series) -> str:
    return f"{row['source_file']}, row {format_row_ranges([int(row['source_row'])])}"


def _ask_about(row: Mapping[Hashable, object], column: str, *, value: str, problem: str, remedy: str) -> Finding:
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
