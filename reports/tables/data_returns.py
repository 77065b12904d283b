"""What schools sent, file by file: every row is accounted for.

Rows about pupils are a number of pupils: beside the flow of pupils they would tell how many were asked about, so they
are rounded.
"""

from __future__ import annotations

import pandas as pd

from reports.blocks import Column, Table
from reports.counted import Pupils
from reports.disclosure import Count, rounded_count
from reports.evidence import Evidence
from reports.selection import focus, of_country_files
from reports.tables.layout import Line, line, table
from reports.words import Words

_COLUMNS = ("sent", "kept", "asked", "refused")


def returns_table(evidence: Evidence, words: Words, *, anchor: str = "returns-table") -> Table | None:
    """Return rows sent, kept, asked about and refused by country, table and wave; None when nothing is known."""
    rows = of_country_files(evidence.returns, evidence)
    if rows.empty:
        return None
    lines: list[Line] = []
    for country, of_country in rows.groupby("country", sort=False):
        if not focus(evidence) and len(evidence.countries) > 1:
            lines.append(line(evidence.countries.get(str(country), str(country)), kind="section"))
        for (name, wave), group in of_country.groupby(["table", "wave"], sort=False):
            label = evidence.waves[str(wave)][0] if str(wave) in evidence.waves else str(wave)
            head = words.text("{table}, {wave}", table=str(name), wave=label) if label else str(name)
            lines.append(line(head, words.numbers.count(len(group)), *_counts(group, evidence)))
    totals = _counts(rows, evidence)
    lines.append(line(words.text("All files"), words.numbers.count(len(rows)), *totals, kind="total"))
    return table(
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


def rows_of(rows: pd.DataFrame, column: str, evidence: Evidence) -> Count:
    """Return the rows sent, kept, asked about or refused of some files; rounded where some are about pupils.

    Parameters
    ----------
    rows
        Of `Evidence.returns`.
    column
        "sent", "kept", "asked" or "refused".
    """
    n = int(rows[column].sum())
    if (rows["about"] == "school").all():
        return Count(value=n, unit="rows")
    count = rounded_count(n, threshold=evidence.disclosure_threshold, unit="rows")
    return count.of(_pupils(rows, column, n, evidence))


def _pupils(rows: pd.DataFrame, column: str, n: int, evidence: Evidence) -> Pupils:
    """Return whose rows they are: the enrolled, where as many are kept as the flow has; else some of the files'."""
    countries = tuple(dict.fromkeys(map(str, rows["country"])))
    flow = evidence.flow
    listed = flow[(flow["step"] == "baseline") & flow["country"].isin(countries)] if len(flow) else flow
    if column == "kept" and len(listed) and listed["n_pupils"].sum() == n:
        arms = tuple(dict.fromkeys(str(arm) for arm in listed["arm"]))
        return Pupils(what="enrolled", arms=arms, countries=countries)
    names = [column, *dict.fromkeys(map(str, rows["table"])), *dict.fromkeys(map(str, rows["wave"]))]
    # Files of which nobody knows the country are none of any country's, and not all of them either.
    names += [] if all(countries) else ["of no country"]
    return Pupils(what="rows", name=" ".join(names), countries=tuple(filter(None, countries)))


def _counts(rows: pd.DataFrame, evidence: Evidence) -> list[Count]:
    return [rows_of(rows, column, evidence) for column in _COLUMNS]
