"""What a table of a trial is: its fields, its key, its rules, its earlier versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from data_schema.errors import ProtocolError
from data_schema.expressions import Expression, checked
from data_schema.fields import Field, FilledInBy, Labels, Privacy, normalise_header
from data_schema.vocabulary import (
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
        >>> from data_schema import standard_tables
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
        >>> from data_schema import standard_tables
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
        >>> from data_schema import standard_tables
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
    >>> from data_schema import standard_tables
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
