"""What must hold within a record: rules that tables declare, and answers to what was not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from data_schema.clean import shown
from data_schema.expressions import kinds_of
from data_schema.findings import Finding

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import Field
    from data_schema.tables import Table

Windows = Mapping[str, tuple[date, date]]
"""Wave to its first and last day."""


def rule_findings(frame: pd.DataFrame, table: Table, *, windows: Windows) -> Iterator[Finding]:
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
    yield from _not_asked(frame, table)
    if table.rules:
        dated = _with_windows(frame, windows)
        kinds = kinds_of(table.fields)
        for rule in table.rules:
            made = rule.expression_of(table)
            if set(made.names) <= set(frame.columns):
                column = rule.field or made.names[0]
                for at in np.flatnonzero(made.is_broken(dated, kinds)).tolist():
                    yield _asked(dated, at, table.field(column), rule.message, rule.remedy)


def _with_windows(frame: pd.DataFrame, windows: Windows) -> pd.DataFrame:
    import pandas as pd

    def days(of_wave: Mapping[str, date]) -> pd.Series:
        return pd.to_datetime(frame["wave"].map(of_wave))

    first = min((opens for opens, _ in windows.values()), default=None)
    known = dict.fromkeys(windows, first) if first is not None else {}
    return frame.assign(
        trial_opens=days({wave: day for wave, day in known.items() if day is not None}),
        wave_opens=days({wave: opens for wave, (opens, _) in windows.items()}),
        wave_closes=days({wave: closes for wave, (_, closes) in windows.items()}),
    )


def _not_asked(frame: pd.DataFrame, table: Table) -> Iterator[Finding]:
    for item in table.fields:
        if item.asked_if is None or item.name not in frame or item.asked_if[0] not in frame:
            continue
        name, answers = item.asked_if
        is_yes_no = table.field(name).type == "yes_no"
        wanted = [{"yes": True, "no": False}[one] for one in answers] if is_yes_no else list(answers)
        is_out = frame[name].notna() & ~frame[name].isin(wanted) & frame[item.name].notna()
        problem = f"{item.name!r} is filled in, and is asked only where {name!r} is {' or '.join(map(repr, answers))}."
        for at in np.flatnonzero(is_out.to_numpy(dtype=bool)).tolist():
            yield _asked(frame, at, item, problem, "Correct one of the two, or answer '-' to leave this one empty.")


def _asked(frame: pd.DataFrame, at: int, item: Field, problem: str, remedy: str) -> Finding:
    row = frame.iloc[at]
    value = row[item.name]
    told = item.type not in ("text", "identifier") and not item.is_private and bool(frame[item.name].notna().iloc[at])
    said = value.date() if item.type == "date" and told else value
    return Finding(
        file=str(row["source_file"]),
        sheet=str(row["source_sheet"]),
        row=int(row["source_row"]),
        column=item.name,
        value=shown(_plain(said)) if told else "",
        problem=problem,
        remedy=remedy,
        severity="question",
    )


def _plain(value: object) -> object:
    """Return a number of numpy as one of Python, so that it is written like what was sent."""
    return value.item() if isinstance(value, np.generic) else value
