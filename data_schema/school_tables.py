"""The tables that a school trial collects: school, pupil, status, signals, survey, implementation, costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from data_schema.fields import Code, Field, FilledInBy
from data_schema.tables import RecordRule, Table
from data_schema.vocabulary import (
    GENDER,
    SCHOOL_TYPE,
    SETTLEMENT,
    STATUS,
    collect_headers,
    get_doubtful_answers,
)


def _build_school_id_field() -> Field:
    return Field("school_id", "identifier", label="School", headers=collect_headers("school_id"), required=True)


def _build_pupil_id_field() -> Field:
    headers = (*collect_headers("pupil_id"), "student_id")
    return Field("pupil_id", "identifier", label="Pupil", headers=headers, required=True, privacy="identifier")


def _build_consent_field() -> Field:
    return Field("consent", "yes_no", label="Consent", headers=collect_headers("consent"))


def _mark(name: str, label: str) -> Field:
    return Field(name, "number", label=label, headers=collect_headers(name), minimum=1, maximum=5, unit="mark")


def _build_share_field(name: str, label: str) -> Field:
    return Field(name, "number", label=label, headers=collect_headers(name), minimum=0, maximum=1, unit="share")


def _count(name: str, label: str, *, maximum: float | None = None, unit: str = "", by: FilledInBy = "school") -> Field:
    return Field(
        name,
        "whole_number",
        label=label,
        headers=collect_headers(name),
        minimum=0,
        maximum=maximum,
        unit=unit,
        filled_in_by=by,
    )


def _build_rating_field(name: str, label: str, *, maximum: float, by: FilledInBy, item: int | None = None) -> Field:
    headers = collect_headers(name, item=item)
    name = name if item is None else f"{name}_{item}"
    return Field(name, "whole_number", label=label, headers=headers, minimum=1, maximum=maximum, filled_in_by=by)


def _answer(name: str, label: str, codes: tuple[Code, ...], *, required: bool = False) -> Field:
    doubtful = get_doubtful_answers(name)
    headers = collect_headers(name)
    return Field(name, "code", label=label, headers=headers, codes=codes, required=required, doubtful=doubtful)


def _build_text_field(name: str, label: str) -> Field:
    return Field(name, "text", label=label, headers=collect_headers(name))


def _build_year_field(name: str, label: str, *, minimum: float, by: FilledInBy = "school") -> Field:
    headers = collect_headers(name)
    return Field(name, "year", label=label, headers=headers, minimum=minimum, maximum=2100, filled_in_by=by)


def _build_school_table() -> Table:
    fields = (
        _build_school_id_field(),
        Field("name", "text", label="Name of the school", headers=collect_headers("school name")),
        Field("country", "text", label="Country", headers=collect_headers("country"), required=True),
        _build_text_field("region", "Region"),
        _answer("settlement", "Settlement", SETTLEMENT),
        _answer("type", "School type", SCHOOL_TYPE),
        Field("size", "whole_number", label="Size", headers=collect_headers("size"), minimum=1, unit="pupils"),
        _build_share_field("prior_dropout_rate", "Prior dropout rate"),
        _mark("prior_attainment", "Prior attainment"),
        _build_share_field("share_disadvantaged", "Share of disadvantaged pupils"),
        _build_year_field("director_since", "Director since", minimum=1950),
        _build_consent_field(),
    )
    return Table(name="school", label="Schools", fields=fields, key=("school_id",), about="school")


def _build_pupil_table() -> Table:
    name = Field("name", "text", label="Name of the pupil", headers=collect_headers("name"), privacy="direct")
    disadvantaged = Field("disadvantaged", "yes_no", label="Disadvantaged", headers=collect_headers("disadvantaged"))
    fields = (
        _build_school_id_field(),
        _build_pupil_id_field(),
        name,
        _add_sight_knowledge(_build_text_field("class", "Class")),
        _add_sight_knowledge(
            Field("grade", "whole_number", label="Grade", headers=collect_headers("grade"), minimum=1, maximum=13)
        ),
        _add_sight_knowledge(_build_year_field("birth_year", "Year of birth", minimum=1980)),
        _add_sight_knowledge(_answer("gender", "Gender", GENDER)),
        _add_sight_knowledge(disadvantaged),
        _mark("prior_average", "Prior average mark"),
        _build_consent_field(),
    )
    return Table(name="pupil", label="Pupils", fields=fields, key=("school_id", "pupil_id"), by_wave=True)


def _add_sight_knowledge(field: Field) -> Field:
    """Return a field as one that people who know a pupil know, too."""
    return replace(field, privacy="quasi_identifier")


def _build_status_table() -> Table:
    confirmed = collect_headers("destination_confirmed")
    fields = (
        _build_school_id_field(),
        _build_pupil_id_field(),
        _answer("status", "Status", STATUS, required=True),
        Field(
            "status_date",
            "date",
            label="Date of the status",
            headers=collect_headers("status_date"),
            asked_if=("status", ("transferred", "completed", "left_early")),
        ),
        Field(
            "destination_confirmed",
            "yes_no",
            label="Destination confirmed",
            headers=confirmed,
            asked_if=("status", ("transferred",)),
        ),
        replace(_mark("average_mark", "Average mark"), asked_if=("status", ("enrolled", "completed"))),
    )
    rules = (
        RecordRule(
            holds="trial_opens <= status_date <= wave_closes",
            message="The date is outside the time from the beginning of the trial to the end of the wave.",
        ),
    )
    key = ("school_id", "pupil_id")
    return Table(name="status", label="Status", fields=fields, key=key, by_wave=True, rules=rules)


def _build_signals_table() -> Table:
    fields = (
        _build_school_id_field(),
        _build_pupil_id_field(),
        Field("month", "month", label="Month", headers=collect_headers("month"), required=True),
        _count("absences_justified", "Justified absences", maximum=400, unit="hours a month"),
        _count("absences_unjustified", "Unjustified absences", maximum=400, unit="hours a month"),
        _count("absences_undecided", "Absences not yet decided on", maximum=400, unit="hours a month"),
        _count("lateness", "Lateness", maximum=200, unit="times a month"),
        _count("behaviour_notices", "Behaviour notices", maximum=100, unit="notices a month"),
        _mark("average_mark", "Average mark"),
        _count("failing_subjects", "Failing subjects", maximum=25, unit="subjects"),
        Field("risk_flag", "yes_no", label="At risk", headers=collect_headers("risk_flag")),
    )
    key = ("school_id", "pupil_id", "month")
    rules = (
        RecordRule(holds="wave_opens <= month <= wave_closes", message="The month is outside the time of the wave."),
    )
    return Table(name="signals", label="Distress signals", fields=fields, key=key, by_wave=True, rules=rules)


def _build_survey_table() -> Table:
    scales = (("engagement", "Engagement", 4), ("belonging", "Belonging", 3))
    items = tuple(
        _build_rating_field(scale, f"{label}, item {k}", maximum=5, by="pupil", item=k)
        for scale, label, n_items in scales
        for k in range(1, n_items + 1)
    )
    intent = _build_rating_field("leave_intent", "Intent to leave", maximum=4, by="pupil")
    fields = (_build_school_id_field(), _build_pupil_id_field(), *items, intent)
    return Table(name="survey", label="Pupil survey", fields=fields, key=("school_id", "pupil_id"), by_wave=True)


def _build_implementation_table() -> Table:
    counts = (
        ("team_meetings", "Team meetings"),
        ("mentor_visits", "Mentor visits"),
        ("peer_events", "Peer-learning events"),
        ("plans_opened", "Development plans opened"),
        ("plans_reviewed", "Development plans reviewed"),
        ("cross_sector_contacts", "Cross-sectoral contacts"),
        ("afternoon_programmes", "Afternoon programmes"),
    )
    fields = (
        _build_school_id_field(),
        *(_count(name, label, by="partner") for name, label in counts),
        _build_rating_field("director_commitment", "Director's commitment", maximum=5, by="partner"),
    )
    return Table(
        name="implementation", label="Implementation", fields=fields, key=("school_id",), by_wave=True, about="school"
    )


def _build_costs_table() -> Table:
    item, currency = collect_headers("item"), collect_headers("currency")
    fields = (
        _build_school_id_field(),
        Field("item", "text", label="Ingredient", headers=item, required=True, filled_in_by="partner"),
        _build_amount_field("hours", "Staff hours", unit="hours"),
        _build_amount_field("amount", "Amount", unit="currency"),
        Field("currency", "text", label="Currency", headers=currency, filled_in_by="partner"),
        _build_year_field("price_year", "Price year", minimum=1990, by="partner"),
    )
    return Table(name="costs", label="Costs", fields=fields, key=("school_id", "item"), about="school")


def _build_amount_field(name: str, label: str, *, unit: str) -> Field:
    return Field(
        name, "number", label=label, headers=collect_headers(name), minimum=0, unit=unit, filled_in_by="partner"
    )


@cache
def standard_tables() -> Mapping[str, Table]:
    """Return the tables of a school trial, by name; they are made once, because words of all languages are compared.

    Returns
    -------
    Mapping of str to Table
        `school`, `pupil`, `status`, `signals`, `survey`, `implementation`, `costs`. Headers and answers are understood
        in English, Hungarian, Serbian (Cyrillic and Latin) and Slovenian. Marks run from 1 to 5, 5 the best.

    Examples
    --------
    >>> standard_tables()["signals"].key
    ('school_id', 'pupil_id', 'month')
    """
    trial_tables = (
        _build_school_table(),
        _build_pupil_table(),
        _build_status_table(),
        _build_signals_table(),
        _build_survey_table(),
        _build_implementation_table(),
        _build_costs_table(),
    )
    return MappingProxyType({table.name: table for table in trial_tables})
