"""The flow of schools and pupils through the trial, from the sampling frame to the primary analysis (CONSORT 22a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.comparison import comparison_of
from evaluation.frame import excluded
from evaluation.population import NO_RECORD, PUPIL_KEY
from evaluation.specifications import population_place

if TYPE_CHECKING:
    from data_schema.tables import Table
    from evaluation.population import AnalysisData
    from evaluation.protocol import Analysis, Protocol

COLUMNS = ["country", "arm", "step", "reason", "n_schools", "n_pupils"]
STEPS = ("assessed", "excluded", "randomised", "baseline", "joined", "outcome_missing", "analysed")

SCHOOL_SENT_NOTHING = "school sent nothing"
"""Why no pupil of a school has an outcome."""

ERASED = "consent withdrawn, data erased"
"""Why an erased pupil has no outcome."""

Row = dict[str, object]


def flow_table(
    protocol: Protocol,
    data: AnalysisData,
    *,
    tables: Mapping[str, Table],
    schools: pd.DataFrame,
    allocation: pd.DataFrame,
    joined: pd.DataFrame,
    erased: pd.DataFrame,
    primary: Analysis,
) -> pd.DataFrame:
    """Count schools and pupils at every step, by country and arm.

    Parameters
    ----------
    protocol, data
        The trial and its analysis data.
    tables
        The trial's tables by name.
    schools, allocation
        The sampling frame, and the drawn schools with their arm.
    joined
        ``school_id, pupil_id`` of pupils who are on a later list only.
    erased
        ``school_id, table, wave, n``: rows of pupils whose data were erased. Those of the population's list are counted
        as enrolled at baseline and as lost.
    primary
        The primary analysis, whose outcome decides who is analysed.

    Returns
    -------
    pandas.DataFrame
        ``country, arm, step, reason, n_schools, n_pupils``; arm "" before the draw. Pupils are 0 where none are known.
        In each country and arm, baseline = outcome_missing + analysed, schools and pupils alike: a school whose pupils
        have no outcome at all is counted as lost with its pupils.
    """
    rows: list[Row] = []
    compared = comparison_of(protocol, protocol.outcome(primary.outcome))
    listed, wave = population_place(protocol, tables)
    gone = erased.loc[(erased["table"] == listed) & (erased["wave"] == wave)].groupby("school_id")["n"].sum()
    for country in protocol.countries:
        frame = schools.loc[schools["country"] == country]
        rows += _before_the_draw(frame, country)
        in_country = allocation.loc[allocation["school_id"].isin(frame["school_id"])]
        group = in_country["arm"].map(compared.group_of)
        for arm in compared.names:
            drawn = in_country.loc[group == arm, "school_id"]
            rows += _of_arm(
                data, primary, drawn=drawn, joined=joined, erased=gone, labels={"country": country, "arm": arm}
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(labels: Mapping[str, str], step: str, n_schools: int, n_pupils: int = 0, *, reason: str = "") -> Row:
    return {**labels, "step": step, "reason": reason, "n_schools": n_schools, "n_pupils": n_pupils}


def _before_the_draw(frame: pd.DataFrame, country: str) -> Iterator[Row]:
    labels = {"country": country, "arm": ""}
    yield _row(labels, "assessed", len(frame))
    out = excluded(frame)
    for reason in sorted(set(out.values())):
        yield _row(labels, "excluded", sum(why == reason for why in out.values()), reason=reason)


def _of_arm(
    data: AnalysisData,
    primary: Analysis,
    *,
    drawn: pd.Series[str],
    joined: pd.DataFrame,
    erased: pd.Series[int],
    labels: Mapping[str, str],
) -> Iterator[Row]:
    frame = data.frame.loc[data.frame["school_id"].isin(drawn)]
    reasons = data.missing[primary.outcome].loc[frame.index]
    if primary.missing_outcome != "leave_out":
        reasons = reasons.where(reasons == "", "")
    gone = erased.loc[erased.index.isin(drawn)]
    n_gone, emptied = int(gone.sum()), len(set(gone.index) - set(frame["school_id"]))
    yield _row(labels, "randomised", len(drawn), len(frame) + n_gone)
    yield _row(labels, "baseline", frame["school_id"].nunique() + emptied, len(frame) + n_gone)
    late = joined.loc[joined["school_id"].isin(drawn)]
    yield _row(labels, "joined", late["school_id"].nunique(), len(late))
    analysed = frame.loc[reasons == ""]
    lost = set(frame["school_id"]) - set(analysed["school_id"])
    in_lost = frame["school_id"].isin(lost)
    if lost:
        yield _row(labels, "outcome_missing", len(lost), int(in_lost.sum()), reason=SCHOOL_SENT_NOTHING)
    for reason in _in_order(reasons[(reasons != "") & ~in_lost]):
        n = int(((reasons == reason) & ~in_lost).sum())
        yield _row(labels, "outcome_missing", 0, n, reason=reason)
    if n_gone:
        yield _row(labels, "outcome_missing", emptied, n_gone, reason=ERASED)
    yield _row(labels, "analysed", analysed["school_id"].nunique(), len(analysed))


def _in_order(reasons: pd.Series[str]) -> Sequence[str]:
    found = set(reasons)
    return [reason for reason in (NO_RECORD, *sorted(found - {NO_RECORD})) if reason in found]


def joined_later(lists: Sequence[pd.DataFrame], data: AnalysisData) -> pd.DataFrame:
    """Return pupils of later lists who are not in the population, each once."""
    later = [frame[PUPIL_KEY] for frame in lists if len(frame)]
    if not later:
        return pd.DataFrame(columns=PUPIL_KEY)
    pupils = pd.concat(later).drop_duplicates()
    known = pd.MultiIndex.from_frame(data.frame[PUPIL_KEY])
    return pupils.loc[~pd.MultiIndex.from_frame(pupils).isin(known)]
