"""The analysis data: one row per pupil of the population, in the school of randomisation, with covariates and outcomes.

Pupils are those whom the population's table lists in its wave (intention to treat): who joins later is not analysed,
who moves stays with the school that was drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.outcomes import OUTCOME_KINDS, further_column
from analysis.scales import scale_score
from data_schema.errors import DataError
from evaluation.specifications import build_tables, find_population_place, level_fields

if TYPE_CHECKING:
    from data_schema.tables import Table
    from evaluation.protocol import Analysis, Measure, Outcome, Protocol

PUPIL_KEY = ["school_id", "pupil_id"]

Frames = Mapping[tuple[str, str], pd.DataFrame]
"""Table and wave ("" for tables without waves) to its rows."""

NO_RECORD, UNKNOWN, NO_ANSWER = "no record", "unknown", "no answer"
"""Why an outcome is missing: no row in the wave; a code that says so; a row without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisData:
    """One row per pupil, and why outcomes are missing.

    Parameters
    ----------
    frame
        ``school_id, pupil_id, country, arm, stratum``, levels within schools, the covariates and the outcomes; binary
        ones 0, 1 or NaN. Beside a time until an event, which is 1 with the event, is the time, in the column that
        `further_column` names.
    missing
        Outcome to the reason of each row, on the frame's index; "" where the outcome is there.
    """

    frame: pd.DataFrame
    missing: Mapping[str, pd.Series[str]]

    def in_order_of_values(self) -> AnalysisData:
        """Return the same in an order that does not depend on pseudonyms; see `in_order_of_values`."""
        order = sort_by_values(self.frame)
        missing = {name: reasons.reindex(order).reset_index(drop=True) for name, reasons in self.missing.items()}
        return AnalysisData(frame=self.frame.reindex(order).reset_index(drop=True), missing=missing)

    def for_analysis(self, analysis: Analysis) -> pd.DataFrame:
        """Return the frame with missing outcomes treated as the analysis says.

        All unknown ones are set, those of pupils of whom the school sent nothing at all too. Both arms move in the same
        direction, so what comes out is another assumption and no limit of the effect.
        """
        if analysis.missing_outcome == "leave_out":
            return self.frame
        value = 1.0 if analysis.missing_outcome == "as_event" else 0.0
        return self.frame.assign(**{analysis.outcome: self.frame[analysis.outcome].fillna(value)})


def build_analysis_data(
    protocol: Protocol,
    frames: Frames,
    *,
    tables: Mapping[str, Table],
    schools: pd.DataFrame,
    allocation: pd.DataFrame,
    n_kept_out: int = 0,
) -> AnalysisData:
    """Build the analysis data from the stored tables.

    Parameters
    ----------
    protocol
        Says who is analysed, and what covariates and outcomes are.
    frames
        Every table and wave that the protocol refers to.
    tables
        The trial's tables by name.
    schools
        The sampling frame.
    allocation
        ``school_id, stratum, arm`` of the drawn schools.
    n_kept_out
        How many pupils did not consent and are kept out of ``frames`` by the protocol.

    Raises
    ------
    DataError
        When the population is empty or a school-level covariate is not in the sampling frame.
    """
    listed = frames[find_population_place(protocol, tables)]
    if listed.empty and n_kept_out:
        raise DataError(
            f"table {protocol.population.table}, wave {protocol.population_wave}",
            f"consent is refused, or not answered, for all {n_kept_out} pupils on the list and keeps them out.",
            "Nobody is left to analyse. Check that the schools meant their answers so: yes is consent, no is refusal.",
        )
    pupils = select_population(protocol, listed, schools=schools, allocation=allocation)
    for name in level_fields(protocol):
        named = listed[[*PUPIL_KEY, name]].drop_duplicates(PUPIL_KEY)
        pupils = pupils.merge(named, on=PUPIL_KEY, how="left")
    for covariate in protocol.covariates:
        if covariate.table == "school":
            pupils[covariate.name] = map_school_values(covariate, schools, pupils["school_id"])
        else:
            pupils = add_measure_column(
                pupils, covariate, frames[find_measure_place(covariate, protocol, tables)], tables
            )
    missing: dict[str, pd.Series[str]] = {}
    for outcome in protocol.outcomes:
        rows = frames[outcome.table, outcome.wave]
        further = {key: _read_further_values(outcome, key, rows) for key in OUTCOME_KINDS[outcome.kind].fields}
        values, reasons = _compute_outcome_values(
            outcome, rows, tables[outcome.table], pupils, further=further.values()
        )
        places = pd.MultiIndex.from_frame(pupils[PUPIL_KEY])
        for key, by_pupil in further.items():
            pupils[further_column(outcome.name, key)] = by_pupil.reindex(places).to_numpy(dtype=float)
        pupils[outcome.name] = values
        missing[outcome.name] = reasons
    return AnalysisData(frame=pupils, missing=missing)


def sort_by_values(pupils: pd.DataFrame) -> pd.Index:
    """Return the rows of pupils by school and by their values, so that sums have the same last digit whatever the key.

    The order of pseudonyms is that of the key, and the order of the lists is nobody's business.
    """
    names = [str(name) for name in pupils.columns if name not in PUPIL_KEY]
    return pupils.sort_values(["school_id", *names], kind="stable").index


def select_population(
    protocol: Protocol, rows: pd.DataFrame, *, schools: pd.DataFrame, allocation: pd.DataFrame
) -> pd.DataFrame:
    """Return the analysed pupils with country, arm and stratum, sorted by school; ``rows`` list them."""
    listed = rows[PUPIL_KEY].drop_duplicates()
    joined = listed.merge(allocation[["school_id", "arm", "stratum"]], on="school_id", how="inner")
    if joined.empty:
        raise DataError(
            f"table {protocol.population.table}, wave {protocol.population_wave}",
            "no pupil of a drawn school is on the list.",
            "Put the schools' files into inbox/ and run `crocoos collect`.",
        )
    country = schools.set_index("school_id")["country"]
    joined["country"] = joined["school_id"].map(country)
    return joined.sort_values("school_id", kind="stable", ignore_index=True)


def find_measure_place(measure: Measure, protocol: Protocol, tables: Mapping[str, Table]) -> tuple[str, str]:
    """Return the table and wave that a measure is read from: its own wave, or that of the population."""
    return measure.table, measure.wave or (protocol.population_wave if tables[measure.table].by_wave else "")


def classify_outcome_values(protocol: Protocol) -> dict[str, str]:
    """Return for each outcome the kind of its values: "binary", "whole" numbers, or others ("")."""
    tables = build_tables(protocol)
    return {outcome.name: _classify_outcome(outcome, tables) for outcome in protocol.outcomes}


def _classify_outcome(outcome: Outcome, tables: Mapping[str, Table]) -> str:
    if OUTCOME_KINDS[outcome.kind].is_share:
        return "binary"
    if OUTCOME_KINDS[outcome.kind].is_ordered:
        return "whole"
    table = tables[outcome.table]
    if outcome.items or table.field(outcome.field or outcome.name).type != "whole_number":
        return ""
    once = set(table.key) <= set(PUPIL_KEY)
    return "whole" if once or outcome.summary != "mean" else ""


def add_measure_column(
    pupils: pd.DataFrame, measure: Measure, rows: pd.DataFrame, tables: Mapping[str, Table]
) -> pd.DataFrame:
    """Return the pupils with a column more: a measure of theirs, missing where they have none."""
    values = measure_values(measure, rows, tables[measure.table])
    return pupils.join(values.rename(measure.name), on=PUPIL_KEY)


def map_school_values(covariate: Measure, schools: pd.DataFrame, school_id: pd.Series[str]) -> pd.Series[float]:
    """Return a school-level covariate for each row, by its school."""
    name = covariate.field or covariate.name
    if name not in schools.columns:
        raise DataError(
            f"the sampling frame, column '{name}'",
            f"it is not there, and the covariate '{covariate.name}' needs it.",
            f"Add the column, or use one of: {', '.join(schools.columns)}.",
        )
    return convert_to_float(school_id.map(schools.set_index("school_id")[name]))


def measure_values(measure: Measure, rows: pd.DataFrame, table: Table) -> pd.Series[float]:
    """Return a measure by pupil: a field's value, its summary over the rows of the wave, or a scale's score.

    Returns
    -------
    pandas.Series
        Indexed by school_id and pupil_id; numbers as float, other fields as they are.
    """
    if measure.items:
        reverse = find_reversed_ranges(measure, table)
        values = scale_score(rows[list(measure.items)], reverse=reverse, least_answered=measure.least_answered)
    else:
        values = convert_to_float(rows[measure.field or measure.name])
    keyed = values.set_axis(pd.MultiIndex.from_frame(rows[PUPIL_KEY]))
    if len(table.key) > len(PUPIL_KEY):
        return keyed.groupby(level=PUPIL_KEY).agg(measure.summary)
    return keyed[~keyed.index.duplicated()]


def find_reversed_ranges(measure: Measure, table: Table) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest possible answer of the items of a scale that are worded the other way."""
    ranges = {}
    for name in measure.reverse:
        item = table.field(name)
        assert item.minimum is not None  # noqa: S101 -- the protocol's checks have seen to it
        assert item.maximum is not None  # noqa: S101 -- the protocol's checks have seen to it
        ranges[name] = (float(item.minimum), float(item.maximum))
    return ranges


def convert_to_float(values: pd.Series[float]) -> pd.Series[float]:
    """Return nullable numbers and booleans as float with NaN, anything else as it is."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return values.astype("Float64").astype(float)
    return values


def _compute_outcome_values(
    outcome: Outcome, rows: pd.DataFrame, table: Table, pupils: pd.DataFrame, *, further: Iterable[pd.Series[float]]
) -> tuple[pd.Series[float], pd.Series[str]]:
    """Return an outcome on the pupils' index, and why it is missing where it is: it needs its further fields too."""
    places = pd.MultiIndex.from_frame(pupils[PUPIL_KEY])
    kind = OUTCOME_KINDS[outcome.kind]
    if kind.is_share:
        by_pupil, said_unknown = _compute_binary_event(outcome, rows)
    elif kind.is_ordered:
        by_pupil, said_unknown = _score_ordinal_outcome(outcome, rows, table)
    else:
        by_pupil = measure_values(outcome, rows, table)
        said_unknown = pd.Series(data=False, index=by_pupil.index)
    for others in further:
        by_pupil = by_pupil.where(others.notna())
    values = pd.Series(by_pupil.reindex(places).to_numpy(dtype=float), index=pupils.index)
    there = places.isin(by_pupil.index)
    unknown = said_unknown.reindex(places, fill_value=False).to_numpy(dtype=bool)
    reason = np.select([values.notna(), ~there, unknown], ["", NO_RECORD, UNKNOWN], default=NO_ANSWER)
    return values, pd.Series(reason, index=pupils.index, dtype="str")


def _read_further_values(outcome: Outcome, key: str, rows: pd.DataFrame) -> pd.Series[float]:
    """Return the numbers of a further field of an outcome by pupil, of the row that the outcome is from."""
    values = convert_to_float(rows[str(getattr(outcome, key))])
    keyed = values.set_axis(pd.MultiIndex.from_frame(rows[PUPIL_KEY]))
    return keyed[~keyed.index.duplicated()]


def _compute_binary_event(outcome: Outcome, rows: pd.DataFrame) -> tuple[pd.Series[float], pd.Series[bool]]:
    """Return a binary outcome by pupil, and where the record itself says that it is unknown."""
    values = rows[outcome.field or outcome.name]
    numbers = _as_words(values).isin(outcome.event).astype(float) if outcome.event else convert_to_float(values)
    numbers = numbers.where(values.notna())
    unknown = _is_recorded_unknown(outcome, rows)
    index = pd.MultiIndex.from_frame(rows[PUPIL_KEY])
    keep = ~index.duplicated()
    event = numbers.mask(unknown).set_axis(index)[keep]
    return event, unknown.set_axis(index)[keep]


def _score_ordinal_outcome(
    outcome: Outcome, rows: pd.DataFrame, table: Table
) -> tuple[pd.Series[float], pd.Series[bool]]:
    """Return an ordinal outcome by pupil, codes as their places, and where no row of the record has another answer."""
    name = outcome.field or outcome.name
    field, unknown = table.field(name), _is_recorded_unknown(outcome, rows)
    scores = rows[name]
    if field.type == "code":
        scores = scores.astype("str").map(outcome.scores_of(field)).astype(float)
    scored = rows.assign(**{name: convert_to_float(scores).mask(unknown)})
    is_unknown = unknown.set_axis(pd.MultiIndex.from_frame(rows[PUPIL_KEY])).groupby(level=PUPIL_KEY).any()
    return measure_values(outcome, scored, table), is_unknown


def _is_recorded_unknown(outcome: Outcome, rows: pd.DataFrame) -> pd.Series[bool]:
    """Return where the record itself says that the outcome is unknown."""
    unknown = _as_words(rows[outcome.field or outcome.name]).isin(outcome.missing)
    for name, answers in outcome.missing_where.items():
        unknown |= _as_words(rows[name]).isin(answers)
    return unknown.astype(bool)


def _as_words(values: pd.Series[str]) -> pd.Series[str]:
    """Return yes and no for booleans, as the protocol writes them."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype("boolean").map({True: "yes", False: "no"}).astype("str")
    return values
