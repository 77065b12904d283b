"""The flow of schools and pupils through the trial, from the sampling frame to the primary analysis (CONSORT 22a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.comparison import build_comparison
from evaluation.frame import find_excluded_schools
from evaluation.population import NO_RECORD, PUPIL_KEY
from evaluation.specifications import find_population_place

if TYPE_CHECKING:
    from data_schema.tables import Table
    from evaluation.consent import WithoutConsent
    from evaluation.population import AnalysisData
    from evaluation.protocol import Analysis, Protocol
    from randomisation.balance import Variable

COLUMNS = ["country", "arm", "step", "reason", "n_schools", "n_pupils"]
STEPS = (
    "assessed",
    "excluded",
    "randomised",
    "baseline",
    "refused",
    "mostly_refused",
    "unanswered",
    "mostly_unanswered",
    "joined",
    "outcome_missing",
    "analysed",
)

SCHOOL_SENT_NOTHING = "school sent nothing"
"""Why no pupil of a school has an outcome."""

ERASED = "consent withdrawn, data erased"
"""Why an erased pupil has no outcome."""

REFUSED = "consent refused"
"""Why a pupil who refused has no outcome, where the protocol keeps such pupils out."""

UNANSWERED = "no answer on consent"
"""Why a pupil who gave no answer on consent has no outcome, where the protocol keeps such pupils out."""

_MANY = 0.5
"""Share of a school's pupils above which most of them have refused, or not answered."""

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
    consent: WithoutConsent,
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
    consent
        Who refused, and who gave no answer. Where the protocol keeps these pupils out, those of the population's list
        are counted as enrolled at baseline and as lost, either apart.
    primary
        The primary analysis, whose outcome decides who is analysed.

    Returns
    -------
    pandas.DataFrame
        ``country, arm, step, reason, n_schools, n_pupils``; arm "" before the draw. Pupils are 0 where none are known.
        ``refused`` counts the pupils who refused and schools with any (``mostly_refused``: schools most of whose pupils
        did), with the protocol's rule as reason, whatever becomes of them; ``unanswered`` and ``mostly_unanswered``
        those who gave no answer, where that is no consent.
        In each country and arm, baseline = outcome_missing + analysed, schools and pupils alike: a school whose pupils
        have no outcome at all is counted as lost with its pupils.
    """
    rows: list[Row] = []
    compared = build_comparison(protocol, protocol.outcome(primary.outcome))
    listed, wave = find_population_place(protocol, tables)
    gone = erased.loc[(erased["table"] == listed) & (erased["wave"] == wave)].groupby("school_id")["n"].sum()
    without = {
        step: frame.loc[(frame["table"] == listed) & (frame["wave"] == wave)].set_index("school_id")
        for step, frame in (("refused", consent.refused), ("unanswered", consent.unanswered))
    }
    rule = protocol.privacy.refusal
    lost = {ERASED: gone}
    if rule == "exclude":
        lost |= {REFUSED: without["refused"]["n_pupils"], UNANSWERED: without["unanswered"]["n_pupils"]}
    for country in protocol.countries:
        listed_schools = schools.loc[schools["country"] == country]
        rows += _iterate_rows_before_draw(listed_schools, country)
        in_country = allocation.loc[allocation["school_id"].isin(listed_schools["school_id"])]
        group = in_country["arm"].map(compared.group_of)
        for arm in compared.names:
            drawn = in_country.loc[group == arm, "school_id"]
            labels = {"country": country, "arm": arm}
            for step, frame in without.items():
                rows += _count_consent_losses(step, frame.loc[frame.index.isin(drawn)], labels, rule=rule)
            rows += _iterate_arm_rows(data, primary, drawn=drawn, joined=joined, left_out=lost, labels=labels)
    return pd.DataFrame(rows, columns=COLUMNS)


def _build_flow_row(
    labels: Mapping[str, str], step: str, n_schools: int, n_pupils: int = 0, *, reason: str = ""
) -> Row:
    return {**labels, "step": step, "reason": reason, "n_schools": n_schools, "n_pupils": n_pupils}


def _iterate_rows_before_draw(frame: pd.DataFrame, country: str) -> Iterator[Row]:
    labels = {"country": country, "arm": ""}
    yield _build_flow_row(labels, "assessed", len(frame))
    out = find_excluded_schools(frame)
    for reason in sorted(set(out.values())):
        yield _build_flow_row(labels, "excluded", sum(why == reason for why in out.values()), reason=reason)


def _iterate_arm_rows(
    data: AnalysisData,
    primary: Analysis,
    *,
    drawn: pd.Series[str],
    joined: pd.DataFrame,
    left_out: Mapping[str, pd.Series[int]],
    labels: Mapping[str, str],
) -> Iterator[Row]:
    frame = data.frame.loc[data.frame["school_id"].isin(drawn)]
    reasons = data.missing[primary.outcome].loc[frame.index]
    if primary.missing_outcome != "leave_out":
        reasons = reasons.where(reasons == "", "")
    gone = {reason: pupils.loc[pupils.index.isin(drawn)] for reason, pupils in left_out.items()}
    n_gone = sum(int(pupils.sum()) for pupils in gone.values())
    emptied = {school for pupils in gone.values() for school in pupils.index} - set(frame["school_id"])
    yield _build_flow_row(labels, "randomised", len(drawn), len(frame) + n_gone)
    yield _build_flow_row(labels, "baseline", frame["school_id"].nunique() + len(emptied), len(frame) + n_gone)
    late = joined.loc[joined["school_id"].isin(drawn)]
    yield _build_flow_row(labels, "joined", late["school_id"].nunique(), len(late))
    analysed = frame.loc[reasons == ""]
    why = _add_missing_schools(reasons, frame["school_id"])
    for reason in _sort_reasons(why["reason"]):
        reason_rows = why.loc[why["reason"] == reason]
        yield _build_flow_row(
            labels, "outcome_missing", int(reason_rows["counts_school"].sum()), len(reason_rows), reason=reason
        )
    for reason, pupils in gone.items():
        # A school that has lost its pupils for two reasons is counted once, under the first.
        without, emptied = emptied & set(pupils.index), emptied - set(pupils.index)
        if len(pupils):
            yield _build_flow_row(labels, "outcome_missing", len(without), int(pupils.sum()), reason=reason)
    yield _build_flow_row(labels, "analysed", analysed["school_id"].nunique(), len(analysed))


def _add_missing_schools(reasons: pd.Series[str], schools: pd.Series[str]) -> pd.DataFrame:
    """Return the reason of each pupil without an outcome, and one pupil of each school of which nobody has it.

    Such a school is counted under the reason that most of its pupils have; it has sent nothing where that is the reason
    of all of them.
    """
    known = pd.DataFrame({"school": schools, "reason": reasons})
    of_school = known.groupby("school")["reason"]
    sent_nothing = of_school.transform(lambda mine: (mine == NO_RECORD).all())
    is_lost = of_school.transform(lambda mine: (mine != "").all())
    known.loc[sent_nothing, "reason"] = SCHOOL_SENT_NOTHING
    missing = known.loc[known["reason"] != ""]
    most = missing.loc[is_lost].groupby("school")["reason"].agg(lambda mine: mine.mode().iloc[0])
    counted = missing["reason"] == missing["school"].map(most)
    return missing.assign(counts_school=counted & ~missing.assign(_at=counted).duplicated(["school", "_at"]))


def _count_consent_losses(step: str, counted: pd.DataFrame, labels: Mapping[str, str], *, rule: str) -> Iterator[Row]:
    """Count pupils who refused or gave no answer, and the schools in which most did; no row where nobody did."""
    if counted.empty:
        return
    yield _build_flow_row(labels, step, len(counted), int(counted["n_pupils"].sum()), reason=rule)
    most = int((counted["n_pupils"] > _MANY * counted["n_listed"]).sum())
    if most:
        yield _build_flow_row(labels, f"mostly_{step}", most, reason=rule)


def _sort_reasons(reasons: pd.Series[str]) -> Sequence[str]:
    present_reasons = set(reasons)
    first = (SCHOOL_SENT_NOTHING, NO_RECORD)
    return [reason for reason in (*first, *sorted(present_reasons - set(first))) if reason in present_reasons]


def find_later_joiners(lists: Sequence[pd.DataFrame], data: AnalysisData) -> pd.DataFrame:
    """Return pupils of later lists who are not in the population, each once."""
    later = [frame[PUPIL_KEY] for frame in lists if len(frame)]
    if not later:
        return pd.DataFrame(columns=PUPIL_KEY)
    pupils = pd.concat(later).drop_duplicates()
    known = pd.MultiIndex.from_frame(data.frame[PUPIL_KEY])
    return pupils.loc[~pd.MultiIndex.from_frame(pupils).isin(known)]


def build_variable(frame: pd.DataFrame, name: str, *, label: str) -> Variable:
    """Return a column of a frame as a variable to compare: numbers, or the shares of its categories.

    Raises
    ------
    DataError
        When the frame has no such column.
    """
    import pandas as pd

    from data_schema.errors import DataError
    from randomisation.balance import Variable

    if name not in frame.columns:
        raise DataError(
            f"the sampling frame, column '{name}'",
            "it is not there, and a covariate needs it.",
            f"Add the column, or use one of: {', '.join(frame.columns)}.",
        )
    numeric = pd.api.types.is_numeric_dtype(frame[name])
    return Variable(name=name, label=label, kind="number" if numeric else "category")


def compare_arms_at_baseline(protocol: Protocol, data: AnalysisData) -> pd.DataFrame:
    """Compare the arms at baseline among the pupils whose outcome is known, for each outcome that the plan names.

    Parameters
    ----------
    protocol
        Says which covariates there are, and which of them the analyses of an outcome adjust for.
    data
        The analysis data.

    Returns
    -------
    pandas.DataFrame
        The columns of `randomisation.balance.balance_table` after ``outcome`` and ``adjusted`` (whether every analysis
        of the outcome adjusts for the covariate); one row per outcome, covariate (and category), country ("" for all)
        and arm. Every row compares pupils, those of a covariate of schools too.

    References
    ----------
    What Works Clearinghouse, Procedures and Standards Handbook: equivalence is a property of the analytic sample.
    """
    import pandas as pd

    from randomisation.balance import COLUMNS, balance_table

    variables = [build_variable(data.frame, item.name, label=item.label) for item in protocol.covariates]
    tables = []
    for name in dict.fromkeys(analysis.outcome for analysis in protocol.analyses):
        compared = build_comparison(protocol, protocol.outcome(name))
        analysed = data.frame[data.frame[name].notna()]
        analysed = analysed.assign(arm=analysed["arm"].map(compared.group_of))
        table = balance_table(analysed, variables=variables, arms=compared.names, level="pupil")
        allowed = [set(analysis.covariates) for analysis in protocol.analyses if analysis.outcome == name]
        table.insert(0, "outcome", name)
        table.insert(1, "adjusted", table["variable"].isin(set.intersection(*allowed)))
        tables.append(table)
    columns = ["outcome", "adjusted", *COLUMNS]
    return pd.concat(tables, ignore_index=True) if variables else pd.DataFrame(columns=columns)
