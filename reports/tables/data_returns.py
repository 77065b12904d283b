"""What schools sent, file by file: every row is accounted for.

Rows about pupils are a number of pupils: beside the flow of pupils they would tell how many were asked about, so they
are rounded.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reports.blocks import Column, Table
from reports.counted import Pupils, join_name_parts
from reports.disclosure import Count, round_pupil_count
from reports.evidence import Evidence
from reports.selection import get_focus_country, select_country_file_rows
from reports.tables.layout import Line, build_table, line
from reports.words import Words

HANDED_IN = ("sent", "kept", "asked", "refused")
"""What becomes of rows of files."""

SENT = "rows sent"
"""Among what evidence withholds: how many rows were sent, from which those asked about would follow."""

TOGETHER = "rows of several files"
"""The same of the rows asked about and refused of several tables, waves or countries together."""


def returns_table(evidence: Evidence, words: Words, *, anchor: str = "returns-table") -> Table | None:
    """Return rows sent, kept, asked about and refused by country, table and wave; None when nothing is known."""
    rows = select_country_file_rows(evidence.returns, evidence)
    if rows.empty:
        return None
    lines: list[Line] = []
    for country, of_country in rows.groupby("country", sort=False):
        if not get_focus_country(evidence) and len(evidence.countries) > 1:
            lines.append(line(evidence.countries.get(str(country), str(country)), kind="section"))
        for (name, wave), group in of_country.groupby(["table", "wave"], sort=False):
            label = evidence.waves[str(wave)][0] if str(wave) in evidence.waves else str(wave)
            head = words.text("{table}, {wave}", table=str(name), wave=label) if label else str(name)
            lines.append(line(head, words.numbers.count(len(group)), *_count_handed_in_rows(group, evidence)))
    totals = _count_handed_in_rows(rows, evidence)
    lines.append(line(words.text("All files"), words.numbers.count(len(rows)), *totals, kind="total"))
    return build_table(
        words,
        words.text("Rows sent, kept, asked about and refused"),
        columns=(
            Column(label=words.text("Table and wave"), width=3.0),
            Column(label=words.text("Files"), align="right"),
            Column(label=words.text("Sent"), align="right"),
            Column(label=words.text("Kept"), align="right"),
            Column(label=words.text("Asked"), align="right"),
            Column(label=words.text("Refused"), align="right"),
        ),
        lines=lines,
        threshold=evidence.disclosure_threshold,
        note=[
            words.text(
                "Asked: the row is ambiguous and waits for the school’s answer. Refused: it cannot be right, or repeats"
                " another row. Every row is kept, asked about or refused."
            )
        ],
        anchor=anchor,
    )


def count_file_rows(rows: pd.DataFrame, column: str, evidence: Evidence) -> Count:
    """Return the rows sent, kept, asked about or refused of some files; rounded where some are about pupils.

    Parameters
    ----------
    rows
        Of `Evidence.returns`: all of some tables, waves and countries.
    column
        One of `HANDED_IN`.
    """
    n = int(rows[column].sum())
    if is_of_schools(rows):
        return Count(value=n, unit="rows")
    is_kept_back = n > 0 and (
        (column == "sent" and SENT in evidence.withheld)
        or (column in ("asked", "refused") and TOGETHER in evidence.withheld and _is_of_several(rows))
    )
    count = round_pupil_count(n, threshold=evidence.disclosure_threshold, unit="rows")
    return (Count(value=None, unit="rows") if is_kept_back else count).of(build_file_rows_set(rows, column))


def _is_of_several(rows: pd.DataFrame) -> bool:
    """Whether rows are of several tables, waves or countries, so that their numbers are sums of printed ones."""
    return len(set(zip(rows["country"], rows["table"], rows["wave"], strict=True))) > 1


def is_of_schools(rows: pd.DataFrame) -> bool:
    """Whether files are about schools alone, whose number is known."""
    return bool((rows["about"] == "school").all())


def build_file_rows_set(rows: pd.DataFrame, column: str) -> Pupils:
    """Return the set of the rows about pupils that were sent, kept, asked about or refused of some files."""
    countries = tuple(dict.fromkeys(map(str, rows["country"])))
    units = sorted(set(zip(map(str, rows["table"]), map(str, rows["wave"]), strict=True)))
    names = [column, *(f"{table} {wave}" for table, wave in units)]
    # Files of which nobody knows the country are none of any country's, and not all of them either.
    names += [] if all(countries) else ["of no country"]
    return Pupils(what="files", name=join_name_parts(*names), countries=tuple(filter(None, countries)))


def iterate_printed_files(evidence: Evidence) -> Iterator[Count]:
    """Yield the numbers of rows about pupils that the reports of all countries and of each print."""
    rows = evidence.returns
    if rows.empty:
        return
    single = [part for _, part in rows.groupby(["country", "table", "wave"], sort=False)]
    of_country = [part for _, part in rows.groupby("country", sort=False)]
    for part in (*single, *of_country, rows):
        counts = (count_file_rows(part, column, evidence) for column in HANDED_IN)
        yield from (count for count in counts if count.pupils)


def _count_handed_in_rows(rows: pd.DataFrame, evidence: Evidence) -> list[Count]:
    return [count_file_rows(rows, column, evidence) for column in HANDED_IN]
