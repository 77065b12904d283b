"""The tables that a school trial collects: school, pupil, status, signals, survey, implementation, costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Literal

from data_schema.errors import ProtocolError
from data_schema.expressions import Expression, checked
from data_schema.fields import Code, Field, FilledInBy, Labels, Privacy, normalise_header
from data_schema.vocabulary import (
    GENDER,
    SCHOOL_TYPE,
    SETTLEMENT,
    STATUS,
    collect_headers,
    get_doubtful_answers,
    get_local_headers,
)

About = Literal["school", "pupil"]

_PRIVATE_BY_NATURE: Mapping[str, Privacy] = MappingProxyType({"pupil_id": "identifier", "name": "direct"})
"""What tells a pupil is private whatever a table about pupils says of it."""

ADDED_COLUMNS = ("wave", "source_file", "source_sheet", "source_row")
"""Columns that intake adds to every table (and `country`, which the school table itself has)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier version of a table: how files of some waves say what the table says now.

    Parameters
    ----------
    name
        What the version is called.
    waves
        The waves whose files have it.
    renamed
        Field to its header then.
    recoded
        Field to its answers then, each with the answer of now.
    """

    name: str
    waves: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    recoded: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRule:
    """What must hold in each record of a table.

    Parameters
    ----------
    holds
        The condition, in the language of `data_schema.expressions`.
    message
        What is asked where it is not fulfilled, a sentence.
    field
        The field that is asked about; the first one that the condition speaks of when empty.
    remedy
        What there is to do about it.
    """

    holds: str
    message: str
    field: str = ""
    remedy: str = "Check the record, and send what is right; or answer 'yes' if it is right as it stands."

    def expression_of(self, table: Table) -> Expression:
        """Return the condition, checked against the fields of a table.

        Raises
        ------
        ProtocolError
            When it cannot be worked out.
        """
        place = f"table {table.name!r}, rule {self.holds!r}"
        expression = checked(self.holds, table.fields, place=place)
        if not expression.names:
            raise ProtocolError(place, "it speaks of no field.", f"Name one of {', '.join(table.names)}.")
        if self.field and self.field not in table.names:
            raise ProtocolError(
                place, f"{self.field!r} is no field of the table.", f"Name one of {', '.join(table.names)}."
            )
        return expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A kind of record, with its fields and its key.

    Parameters
    ----------
    name
        Name of the table.
    fields
        Its columns, in their order.
    key
        Fields that tell its records apart, within a wave when it is `by_wave`.
    label, labels
        What people read, in English and in other languages where the toolkit does not know it.
    by_wave
        Whether it is collected once a wave.
    earlier
        Its earlier versions, by the waves that have them.
    rules
        What must hold in each of its records.
    about
        What a record is about; records about pupils have the fields `school_id` and `pupil_id`, and nobody need say
        that `pupil_id` is an identifier and `name` the name of a pupil.

    Raises
    ------
    ProtocolError
        When the table contradicts itself.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    label: str = ""
    labels: Labels = ()
    by_wave: bool = False
    about: About = "pupil"
    earlier: tuple[Earlier, ...] = ()
    rules: tuple[RecordRule, ...] = ()

    def __post_init__(self) -> None:
        place = f"table {self.name!r}"
        object.__setattr__(self, "fields", tuple(self._protect_field(item) for item in self.fields))
        reserved = sorted(set(self.names) & set(ADDED_COLUMNS))
        if reserved:
            raise ProtocolError(place, f"it declares {reserved}, which intake adds itself.", "Choose other names.")
        absent = [name for name in self._get_needed_names() if name not in self.names]
        if absent or not self.key:
            raise ProtocolError(
                place, f"its key needs {absent or 'a field'}, which it does not have.", "Declare these fields."
            )
        apart = [name for name in ("school_id", "pupil_id") if self.about == "pupil" and name not in self.key]
        if apart:
            problem = f"its key lacks {apart}, and schools number their pupils as they like."
            raise ProtocolError(place, problem, "Let the key hold school_id and pupil_id.")
        seldom = [
            item.name
            for item in self.fields
            if item.waves and (item.name in self._get_needed_names() or not self.by_wave)
        ]
        if seldom:
            problem = f"{seldom} are asked in some waves only, and they tell its records apart."
            problem = problem if self.by_wave else f"{seldom} name waves, and it is not collected by wave."
            raise ProtocolError(place, problem, "Leave their waves out.")
        for item in self.fields:
            self._check_condition(item)
        self._check_versions()
        owner: dict[str, str] = {}
        for item in self.fields:
            for header in item.header_keys:
                if owner.setdefault(header, item.name) != item.name:
                    raise ProtocolError(
                        place,
                        f"the header {header!r} means both {owner[header]!r} and {item.name!r}.",
                        "Leave it out of one of them, and see that no field is there twice.",
                    )
        if len(set(self.names)) < len(self.names):
            raise ProtocolError(place, "it has two fields of one name.", "Name each field once.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(item.name for item in self.fields)

    def field(self, name: str) -> Field:
        """Return the field of a name.

        Raises
        ------
        KeyError
            When there is none.
        """
        for item in self.fields:
            if item.name == name:
                return item
        raise KeyError(name)

    def in_wave(self, wave: str) -> Table:
        """Return the table as files of a wave have it: the fields that are asked then, also by their headers of then.

        All fields where it is not ``by_wave``.

        Examples
        --------
        >>> pupil = extended(standard_tables()["pupil"], [Field("hobby", "text", waves=("followup",))])
        >>> "hobby" in pupil.in_wave("baseline").names, "hobby" in pupil.in_wave("followup").names
        (False, True)
        """
        earlier = self.version_of(wave)
        asked = tuple(item for item in self.fields if item.is_asked_in(wave))
        if not self.by_wave or (len(asked) == len(self.fields) and earlier is None):
            return self
        then = {} if earlier is None else earlier.renamed
        fields = (
            replace(asked_field, headers=(*asked_field.headers, then[asked_field.name]))
            if asked_field.name in then
            else asked_field
            for asked_field in asked
        )
        return replace(self, fields=tuple(fields), earlier=(), rules=())

    def in_country(self, country: str) -> Table:
        """Return the table with the headers that schools of a country write: what a word means there comes first.

        Examples
        --------
        >>> pupil = standard_tables()["pupil"]
        >>> ["razred" in pupil.in_country(country).field("class").header_keys for country in ("SI", "RS")]
        [True, False]
        """
        owner = {key: item.name for item in self.fields for key in item.header_keys}
        fields = []
        for item in self.fields:
            name = "school name" if (item.name, self.about) == ("name", "school") else item.name
            country_headers = [
                word
                for word in get_local_headers(name, country)
                if owner.get(normalise_header(word), item.name) == item.name
            ]
            fields.append(replace(item, headers=(*item.headers, *country_headers)) if country_headers else item)
        return replace(self, fields=tuple(fields))

    def version_of(self, wave: str) -> Earlier | None:
        """Return the earlier version that files of a wave have; None where they have the one of now."""
        return next((earlier_version for earlier_version in self.earlier if wave in earlier_version.waves), None)

    def _protect_field(self, item: Field) -> Field:
        """Return a field with the privacy that it has by nature; refuse one by which records could not be joined."""
        if item.name == "school_id" and (item.privacy != "open" or item.type != "identifier"):
            problem = (
                f"'school_id' is of type {item.type!r} and privacy {item.privacy!r}; it names schools of the frame."
            )
            raise ProtocolError(f"table {self.name!r}", problem, "Give it the type 'identifier' and no privacy.")
        if item.name == "pupil_id" and (item.type != "identifier" or item.privacy == "direct"):
            problem = f"'pupil_id' is of type {item.type!r} and privacy {item.privacy!r}; tables are joined by it."
            raise ProtocolError(f"table {self.name!r}", problem, "Give it the type 'identifier'.")
        is_told = item.name == "name" and self.about != "pupil"
        if item.is_private or is_told or item.name not in _PRIVATE_BY_NATURE:
            return item
        return replace(item, privacy=_PRIVATE_BY_NATURE[item.name])

    def _check_versions(self) -> None:
        for rule in self.rules:
            rule.expression_of(self)
        seen: dict[str, str] = {}
        for version in self.earlier:
            place = f"table {self.name!r}, version {version.name!r}"
            if not self.by_wave or not version.waves:
                problem = "it names no wave." if self.by_wave else "the table is not collected by wave."
                raise ProtocolError(place, problem, "Name the waves whose files have the version.")
            for wave in version.waves:
                if seen.setdefault(wave, version.name) != version.name:
                    problem = f"the wave {wave!r} has another version too, {seen[wave]!r}."
                    raise ProtocolError(place, problem, "Let each wave have one version.")
            for name in (*version.renamed, *version.recoded):
                if name not in self.names:
                    raise ProtocolError(place, f"{name!r} is no field of the table.", f"Name one of {self.names}.")
            for name, answers in version.recoded.items():
                self._check_recoded(place, self.field(name), answers.values())

    def _check_recoded(self, place: str, item: Field, answers: Iterable[str]) -> None:
        if item.is_private or item.name in self.key:
            raise ProtocolError(place, f"{item.name!r} tells who somebody is.", "Recode answers only.")
        for answer in answers:
            if item.codes and item.code_of(answer) is None:
                known = ", ".join(code.name for code in item.codes)
                raise ProtocolError(place, f"{answer!r} is no answer of {item.name!r}.", f"Recode to one of: {known}.")

    def filled_in_by(self, sender: FilledInBy) -> Table | None:
        """Return the table with what one kind of sender fills in, beside what tells its records apart.

        Returns
        -------
        Table or None
            None where the sender fills in nothing of it.

        Examples
        --------
        >>> standard_tables()["costs"].filled_in_by("school") is None
        True
        """
        apart = {*self._get_needed_names(), "name", "class"}
        sender_fields = {item.name for item in self.fields if item.filled_in_by == sender and item.name not in apart}
        if not sender_fields:
            return None
        remaining_fields = [item for item in self.fields if item.name in sender_fields | apart]
        answers = {item.name: {code.name for code in item.codes} for item in remaining_fields}
        return replace(self, fields=tuple(_remove_lost_condition(item, answers) for item in remaining_fields), rules=())

    def _check_condition(self, item: Field) -> None:
        if item.asked_if is None:
            return
        name, answers = item.asked_if
        known = {code.name for code in self.field(name).codes} if name in self.names else set()
        if not answers or not set(answers) <= known or name == item.name:
            raise ProtocolError(
                f"table {self.name!r}, field {item.name!r}",
                f"it is asked only if {name!r} is one of {list(answers)}, which cannot be.",
                "Name a field of the table that has answers, and some of these.",
            )

    def _get_needed_names(self) -> tuple[str, ...]:
        return (*self.key, "school_id") if self.about == "school" else (*self.key, "school_id", "pupil_id")


def extended(table: Table, fields: Sequence[Field], without: Sequence[str] = ()) -> Table:
    """Return a table with a trial's own fields.

    Parameters
    ----------
    table
        The table to start from; it is not changed.
    fields
        Fields to add; one of the same name takes the place of the table's own.
    without
        Names of fields to leave out.

    Raises
    ------
    ProtocolError
        When a field to leave out is not there, or the key would lose a field.

    Examples
    --------
    >>> pupil = extended(standard_tables()["pupil"], [Field("siblings", "whole_number")], without=["grade"])
    >>> pupil.names[-2:], "grade" in pupil.names
    (('consent', 'siblings'), False)
    """
    unknown = [name for name in without if name not in table.names]
    if unknown:
        raise ProtocolError(
            f"table {table.name!r}", f"{unknown} cannot be left out; it has no such field.", "Check the spelling."
        )
    # A field that takes the place of a private one is private, too.
    private = {item.name: item.privacy for item in table.fields if item.is_private}
    own_fields = {
        item.name: item if item.is_private or item.name not in private else replace(item, privacy=private[item.name])
        for item in fields
    }
    table_fields = [own_fields.pop(item.name, item) for item in table.fields if item.name not in without]
    declared = {item.name for item in fields}
    answers = {item.name: {code.name for code in item.codes} for item in (*table_fields, *own_fields.values())}
    table_fields = [item if item.name in declared else _remove_lost_condition(item, answers) for item in table_fields]
    # A word that a trial calls its own field by means no standard field there.
    claimed = {key for item in fields for key in item.header_keys}
    table_fields = [item if item.name in declared else _remove_claimed_headers(item, claimed) for item in table_fields]
    extended_table = replace(table, fields=(*table_fields, *own_fields.values()), rules=())
    return replace(
        extended_table, rules=tuple(rule for rule in table.rules if _is_still_valid_rule(rule, extended_table))
    )


def _remove_claimed_headers(item: Field, claimed: Collection[str]) -> Field:
    headers = tuple(header for header in item.headers if normalise_header(header) not in claimed)
    return item if len(headers) == len(item.headers) else replace(item, headers=headers)


def _is_still_valid_rule(rule: RecordRule, table: Table) -> bool:
    """Whether a standard rule can be worked out in a table that a trial has changed."""
    try:
        rule.expression_of(table)
    except ProtocolError:
        return False
    return True


def _remove_lost_condition(item: Field, answers: Mapping[str, set[str]]) -> Field:
    """Ask a standard field always where the answers that it is asked with are gone."""
    if item.asked_if is None or set(item.asked_if[1]) <= answers.get(item.asked_if[0], set()):
        return item
    return replace(item, asked_if=None)


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
