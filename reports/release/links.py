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
from reports.means import find_places
from reports.release.system import Link
from reports.tables.data_returns import HANDED_IN, build_file_rows_set, is_of_schools

_PARTS = ["kept", "asked", "refused"]
_LISTED, _ENDED = ("baseline",), ("outcome_missing", "analysed")


def collect_file_links(evidence: Evidence) -> list[Link]:
    """Return what holds among rows of files, and between them and the enrolled.

    Parameters
    ----------
    evidence
        With the returns and the flow of all countries.
    """
    rows = evidence.returns
    if rows.empty:
        return []
    file_links = [*_iterate_accounting_links(rows), *_iterate_enrolment_links(rows, evidence)]
    for place in find_places(evidence):
        file_links += _iterate_total_links(rows.loc[rows["country"] == place] if place else rows)
    return list(dict.fromkeys(file_links))


def _iterate_accounting_links(rows: pd.DataFrame) -> Iterator[Link]:
    """Yield that rows sent are those kept, asked about and refused."""
    for part in _iterate_row_groups(rows):
        if int(part["sent"].sum()) == int(part[_PARTS].to_numpy().sum()):
            yield Link(
                terms=(
                    (build_file_rows_set(part, "sent"), 1),
                    *((build_file_rows_set(part, name), -1) for name in _PARTS),
                )
            )


def _iterate_total_links(rows: pd.DataFrame) -> Iterator[Link]:
    """Yield that all files together are those of each table, wave and country; those about schools are known."""
    if is_of_schools(rows):
        return
    of_schools = rows.loc[rows["about"] == "school"]
    for name in HANDED_IN:
        terms = Counter({build_file_rows_set(rows, name): 1})
        terms.subtract(build_file_rows_set(part, name) for part in _iterate_row_groups(rows))
        constant = float(of_schools[name].sum())
        if any(terms.values()):
            yield Link(terms=tuple(terms.items()), low=constant, high=constant)


def _iterate_enrolment_links(rows: pd.DataFrame, evidence: Evidence) -> Iterator[Link]:
    """Yield that as many rows are kept as pupils are enrolled, where these are the lost and the analysed."""
    flow = evidence.flow
    if flow.empty:
        return
    for country, part in rows.groupby("country", sort=False):
        country_flow = flow[flow["country"] == country]
        listed, ended = (
            int(country_flow.loc[country_flow["step"].isin(steps), "n_pupils"].sum()) for steps in (_LISTED, _ENDED)
        )
        arms = tuple(dict.fromkeys(map(str, country_flow.loc[country_flow["step"] == "baseline", "arm"])))
        enrolled = Pupils(what="enrolled", arms=arms, countries=tuple(filter(None, (str(country),))))
        for of_unit in _iterate_row_groups(part):
            if arms and listed == ended == int(of_unit["kept"].sum()):
                yield Link(terms=((build_file_rows_set(of_unit, "kept"), 1), (enrolled, -1)))


def _iterate_row_groups(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows about pupils of each country, table and wave."""
    of_pupils = rows.loc[rows["about"] != "school"]
    yield from (part for _, part in of_pupils.groupby(["country", "table", "wave"], sort=False))
