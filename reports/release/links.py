"""What holds among the sets of pupils that are counted, whatever is printed of them.

A reader knows these equations: rows sent are those kept, asked about and refused; all files together are those of each
table; a pupil who is enrolled has a row. Each is stated where it is true of the trial's own numbers, and left out where
it is not, since whoever used it would be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from reports.counted import Pupils
from reports.evidence import Evidence
from reports.means import places
from reports.release.system import Link
from reports.tables.data_returns import HANDED_IN, is_of_schools, rows_of_files

_PARTS = ["kept", "asked", "refused"]
_LISTED, _ENDED = ("baseline",), ("outcome_missing", "analysed")


def links_of_files(evidence: Evidence) -> list[Link]:
    """Return what holds among rows of files, and between them and the enrolled.

    Parameters
    ----------
    evidence
        With the returns and the flow of all countries.
    """
    rows = evidence.returns
    if rows.empty:
        return []
    found = [*_accounted(rows), *_enrolled(rows, evidence)]
    for place in places(evidence):
        found += _together(rows.loc[rows["country"] == place] if place else rows)
    return list(dict.fromkeys(found))


def _accounted(rows: pd.DataFrame) -> Iterator[Link]:
    """Yield that rows sent are those kept, asked about and refused."""
    for part in _units(rows):
        if int(part["sent"].sum()) == int(part[_PARTS].to_numpy().sum()):
            yield Link(terms=((rows_of_files(part, "sent"), 1), *((rows_of_files(part, name), -1) for name in _PARTS)))


def _together(rows: pd.DataFrame) -> Iterator[Link]:
    """Yield that all files together are those of each table, wave and country; those about schools are known."""
    if is_of_schools(rows):
        return
    of_schools = rows.loc[rows["about"] == "school"]
    for name in HANDED_IN:
        terms = Counter({rows_of_files(rows, name): 1})
        terms.subtract(rows_of_files(part, name) for part in _units(rows))
        constant = float(of_schools[name].sum())
        if any(terms.values()):
            yield Link(terms=tuple(terms.items()), low=constant, high=constant)


def _enrolled(rows: pd.DataFrame, evidence: Evidence) -> Iterator[Link]:
    """Yield that as many rows are kept as pupils are enrolled, where these are the lost and the analysed."""
    flow = evidence.flow
    if flow.empty:
        return
    for country, part in rows.groupby("country", sort=False):
        own = flow[flow["country"] == country]
        listed, ended = (int(own.loc[own["step"].isin(steps), "n_pupils"].sum()) for steps in (_LISTED, _ENDED))
        arms = tuple(dict.fromkeys(map(str, own.loc[own["step"] == "baseline", "arm"])))
        enrolled = Pupils(what="enrolled", arms=arms, countries=tuple(filter(None, (str(country),))))
        for of_unit in _units(part):
            if arms and listed == ended == int(of_unit["kept"].sum()):
                yield Link(terms=((rows_of_files(of_unit, "kept"), 1), (enrolled, -1)))


def _units(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows about pupils of each country, table and wave."""
    of_pupils = rows.loc[rows["about"] != "school"]
    yield from (part for _, part in of_pupils.groupby(["country", "table", "wave"], sort=False))
