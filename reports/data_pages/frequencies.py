"""What the tables hold: every field, its answers and their frequencies, after disclosure control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import pandas as pd

from data_schema.fields import Field
from data_schema.language import LANGUAGES, Catalogue, Language
from data_schema.messages import get_answer_labels, get_field_label
from data_schema.tables import Table
from reports.data_pages.moments import Told, compute_printed_moments
from reports.disclosure import (
    MINIMUM_SCHOOLS,
    Count,
    CrossTable,
    Rules,
    protect,
)
from reports.release.answers import ANSWERED, MISSING, Key, suppress_answer_counts

_OTHERS = tuple(code for code in LANGUAGES if code != "en")

CODEBOOK_COLUMNS = (
    "table", "wave", "field", "label", *(f"label_{code}" for code in _OTHERS), "type", "unit", "minimum", "maximum",
    "required", "filled_in_by", "asked_in", "asked_if", "answer", "answer_label",
    *(f"answer_label_{code}" for code in _OTHERS), "n", "n_missing", "rounded_to", "mean", "sd", "p10", "p90",
)  # fmt: skip

_FLOATS = ("minimum", "maximum", "mean", "sd", "p10", "p90")
_ALL = ""
_YES_NO = {True: "yes", False: "no", "yes": "yes", "no": "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The rows of a table in one wave.

    Parameters
    ----------
    table
        The table, with the fields that are asked in the wave.
    wave
        The wave; empty where nothing is collected by wave or nothing has come.
    rows
        The rows of all countries, as they are stored.
    """

    table: Table
    wave: str
    rows: pd.DataFrame

    def rules(self, rules: Rules) -> Rules:
        """Return the rules for counts of rows: as many as that many pupils, or few schools, can have together."""
        if self.table.about == "school":
            return Rules(threshold=MINIMUM_SCHOOLS)
        each = int(self.rows.groupby(["school_id", "pupil_id"]).size().max()) if len(self.rows) else 1
        return Rules(threshold=rules.threshold * each, dominance=rules.dominance)


def codebook(
    tables: Mapping[str, Table], frames: Mapping[str, pd.DataFrame], *, rules: Rules, country: str = ""
) -> pd.DataFrame:
    """Describe every field of the tables, with frequencies.

    Parameters
    ----------
    tables
        The tables, by name.
    frames
        Table to its rows of all countries, as they are stored (pseudonymised); a table without rows is described
        without frequencies.
    rules
        What may be shown. A count of rows represents the pupils that they are at least of.
    country
        Country whose frequencies are shown; all together when empty. What is suppressed is decided for all countries
        at once, so that no codebook gives away what another one keeps back.

    Returns
    -------
    pandas.DataFrame
        In the order of `CODEBOOK_COLUMNS`: a row a field and wave, and for fields with answers one more for each answer
        with its count. Suppressed figures are missing. Counts of pupils and of their rows are rounded to the threshold
        (``rounded_to``): reports print other numbers of the same pupils, and no difference of the two may be exact.
        Mean and standard deviation are shown of enough pupils and schools (`reports.disclosure.find_hidden_means`), the
        outer tenths where each is of the threshold or more. Names, identifiers and texts have no frequencies.
    """
    return codebooks(tables, frames, rules=rules, countries=(country,))[country]


def codebooks(
    tables: Mapping[str, Table], frames: Mapping[str, pd.DataFrame], *, rules: Rules, countries: Iterable[str]
) -> dict[str, pd.DataFrame]:
    """Describe every field of the tables for several countries, "" for all together, as `codebook` does for one."""
    rows: dict[str, list[dict[str, object]]] = {country: [] for country in countries}
    for name, table in tables.items():
        for sample in _iterate_samples(table, frames.get(name)):
            counted = _count_answers(sample, rules)
            moments = {name: _compute_printed_moments(sample, name, counts, rules) for name, counts in counted.items()}
            for country in rows:
                rows[country] += _iterate_frequency_rows(sample, counted, moments, rules, country)
    types = dict.fromkeys(("n", "n_missing", "rounded_to"), "Int64") | dict.fromkeys(_FLOATS, "float64")
    return {
        country: pd.DataFrame(of_country, columns=list(CODEBOOK_COLUMNS)).astype(types)
        for country, of_country in rows.items()
    }


def _iterate_samples(table: Table, frame: pd.DataFrame | None) -> Iterator[Sample]:
    if frame is None or frame.empty:
        yield Sample(table=table, wave="", rows=pd.DataFrame())
    elif "wave" not in frame:
        yield Sample(table=table, wave="", rows=frame)
    else:
        for wave, part in frame.groupby("wave", sort=False):
            yield Sample(table=table.in_wave(str(wave)), wave=str(wave), rows=part)


def _count_answers(sample: Sample, rules: Rules) -> dict[str, dict[Key, Count]]:
    """Return field to its numbers of answers, by answer and country, as they may be printed."""
    fields = [field for field in sample.table.fields if field.name in sample.rows and _is_counted(field)]
    tables = [_build_cross_table(sample.rows, field) for field in fields]
    if not tables:
        return {}
    sample_rules = sample.rules(rules)
    safe = protect(tables, rules=sample_rules)
    counts = {}
    for field, table, protected in zip(fields, tables, safe, strict=True):
        exact, shown = (
            _add_answered_and_missing(field, _sum_cross_table(table)),
            _add_answered_and_missing(field, protected),
        )
        answers = [code.name for code in field.codes]
        is_of_schools = sample.table.about == "school"
        counts[field.name] = (
            shown
            if is_of_schools
            else suppress_answer_counts(
                _extract_count_values(exact), shown, answers, threshold=rules.threshold, least=sample_rules.threshold
            )
        )
    return {
        name: of_field for name, of_field in counts.items() if not _is_revealing_count(sample.table.field(name), counts)
    }


def _compute_printed_moments(sample: Sample, name: str, counts: Mapping[Key, Count], rules: Rules) -> dict[str, Told]:
    field, sample_rules = sample.table.field(name), sample.rules(rules)
    return compute_printed_moments(field, sample.rows, counts=counts, rules=sample_rules, step=rules.threshold)


def _iterate_frequency_rows(
    sample: Sample,
    counted: Mapping[str, Mapping[Key, Count]],
    moments: Mapping[str, Mapping[str, Told]],
    rules: Rules,
    country: str,
) -> Iterator[dict[str, object]]:
    rounded_to = None if sample.table.about == "school" else rules.threshold
    for field in sample.table.fields:
        if field.privacy == "direct":
            continue
        about, counts = _describe_field(sample, field), counted.get(field.name)
        if counts is None:
            yield about
            yield from ({**about, **_answer(field, position)} for position in range(len(field.codes)))
            continue

        shown = {kind: count.value for (kind, place), count in counts.items() if place == country}
        answer_counts = {"n": shown.get(ANSWERED, 0), "n_missing": shown.get(MISSING, 0)}
        yield {
            **about,
            **answer_counts,
            **_describe_rounding_step(answer_counts, rounded_to),
            **moments[field.name].get(country, {}),
        }
        for at, code in enumerate(field.codes):
            n = {"n": shown.get(code.name, 0)}
            yield {**about, **_answer(field, at), **n, **_describe_rounding_step(n, rounded_to)}


def _describe_rounding_step(told: Mapping[str, int | None], rounded_to: int | None) -> dict[str, object]:
    """Return to what numbers are rounded, where there are any."""
    return {"rounded_to": rounded_to} if any(n is not None for n in told.values()) else {}


def _is_counted(field: Field) -> bool:
    return not field.is_private and field.name not in ("school_id", "country")


def _is_revealing_count(field: Field, safe: Mapping[str, Mapping[Key, Count]]) -> bool:
    """Whether a field is asked with answers of which a count is suppressed: its own count would be that one."""
    if field.asked_if is None or field.asked_if[0] not in safe:
        return False
    name, answers = field.asked_if
    return any(count.value is None for key, count in safe[name].items() if key[0] in answers)


def _describe_field(sample: Sample, field: Field) -> dict[str, object]:
    """Return what a field is, whatever is in it."""
    labels = {
        f"label_{code}": get_field_label(field, _get_catalogue(code), about=sample.table.about) for code in _OTHERS
    }
    condition = "" if field.asked_if is None else f"{field.asked_if[0]} = {' | '.join(field.asked_if[1])}"
    return {
        "table": sample.table.name, "wave": sample.wave, "field": field.name, "label": field.label or field.name,
        **labels, "type": field.type, "unit": field.unit, "minimum": field.minimum, "maximum": field.maximum,
        "required": field.required, "filled_in_by": field.filled_in_by, "asked_in": " ".join(field.waves),
        "asked_if": condition, "answer": "", "answer_label": "", **{f"answer_label_{code}": "" for code in _OTHERS},
    }  # fmt: skip


def _answer(field: Field, at: int) -> dict[str, object]:
    code = field.codes[at]
    labels = {
        f"answer_label_{language}": get_answer_labels(field, _get_catalogue(language))[at] for language in _OTHERS
    }
    return {"answer": code.name, "answer_label": code.label or code.name, **labels}


def _get_catalogue(language: str) -> Catalogue:
    return Catalogue("data_schema", Language(language))


def _build_cross_table(rows: pd.DataFrame, field: Field) -> CrossTable:
    """Count a field's answers, or whether there is a value, by country, and school by school."""
    values = rows[field.name]
    if field.codes:
        # Values that were suppressed in part are no column of booleans any more, and yet yes and no.
        is_yes_no = field.type == "yes_no" or pd.api.types.is_bool_dtype(values)
        words = values.astype("object").map(_YES_NO) if is_yes_no else values.astype("object")
        answers = words.where(values.notna(), MISSING).astype(str)
        known = [code.name for code in field.codes]
    else:
        answers = values.notna().map({True: ANSWERED, False: MISSING})
        known = [ANSWERED]
    places = dict.fromkeys(rows["country"].astype(str))
    counts: dict[tuple[str, ...], int] = {(kind, place): 0 for kind in (*known, MISSING) for place in places}
    by_school: dict[tuple[str, ...], dict[str, int]] = {key: {} for key in counts}
    cells = Counter(zip(answers, rows["country"].astype(str), rows["school_id"].astype(str), strict=True))
    for (answer, place, school), n in cells.items():
        key = (answer, place)
        counts[key] = counts.get(key, 0) + n
        by_school.setdefault(key, {})[school] = n
    return CrossTable(by=(field.name, "country"), counts=counts, by_school=by_school)


def _add_answered_and_missing(field: Field, counts: Mapping[tuple[str, ...], Count]) -> dict[Key, Count]:
    """Return the counts by answer and country, with how many values there are and how many are missing.

    Both of these or neither, where they would tell each other.
    """
    counts_with_answered = {(kind, country): count for (kind, country), count in counts.items() if kind != _ALL}
    for country in dict.fromkeys(country for _, country in counts):
        missing, together = counts_with_answered[MISSING, country].value, counts[_ALL, country].value
        if field.codes:
            counts_with_answered[ANSWERED, country] = Count(
                value=None if missing is None or together is None else together - missing
            )
    return counts_with_answered


def _sum_cross_table(table: CrossTable) -> dict[tuple[str, ...], Count]:
    """Return the counts of a table with its totals."""
    sums: Counter[tuple[str, ...]] = Counter(dict.fromkeys(table.keys(), 0))
    for (kind, country), n in table.counts.items():
        sums.update(dict.fromkeys(product((kind, _ALL), (country, _ALL)), n))
    return {key: Count(value=n) for key, n in sums.items()}


def _extract_count_values(counts: Mapping[Key, Count]) -> dict[Key, int]:
    return {key: count.value or 0 for key, count in counts.items()}
