"""From the protocol's tables to the specifications of the layers that do the work."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_schema.fields import CheckDigits, Field
    from data_schema.intake import InboxRule
    from data_schema.rules import Wide
    from data_schema.tables import Earlier, RecordRule, Table
    from evaluation.protocol import (
        DesignSection,
        EarlierSection,
        FieldSection,
        Protocol,
        RuleSection,
        TableSection,
        WideSection,
    )
    from randomisation.design import Design
    from randomisation.minimising import Minimising


def build_tables(protocol: Protocol) -> Mapping[str, Table]:
    """Return the standard tables as the protocol changes them, and the trial's own ones, by name.

    Raises
    ------
    ProtocolError
        When a table contradicts itself.
    """
    from data_schema.errors import ProtocolError
    from data_schema.school_tables import standard_tables

    tables = dict(standard_tables())
    # Special categories are off unless the protocol states on what ground they are collected.
    is_allowed = bool(protocol.privacy.legal_basis.strip())
    for name, section in protocol.tables.items():
        try:
            tables[name] = _build_protocol_table(name, section, tables.get(name), special=is_allowed)
        except ProtocolError as error:
            raise ProtocolError(_format_table_place(name, error.place), error.problem, error.remedy) from error
    listed = tables.get(protocol.population.table)
    has_forms = listed is not None and any(
        item.pattern or item.check_digits or item.scope != "school" for item in listed.fields
    )
    return _align_identifier_fields(tables, protocol.population.table) if has_forms else tables


def _build_protocol_table(name: str, section: TableSection, standard: Table | None, *, special: bool) -> Table:
    """Return a table of the protocol; its fields of special categories only where they may be collected."""
    from data_schema.tables import Table, extended

    fields = tuple(_convert_field_section(item) for item in section.fields if special or not item.special)
    if standard is not None:
        changed_table = extended(standard, fields, section.without)
    else:
        changed_table = Table(
            name=name,
            label=section.label,
            labels=tuple(section.labels.items()),
            fields=fields,
            key=section.key,
            by_wave=bool(section.by_wave),
            about=section.about or "pupil",
        )
    changed_table = (
        replace(changed_table, earlier=tuple(_convert_earlier_section(item) for item in section.earlier))
        if section.earlier
        else changed_table
    )
    return (
        replace(changed_table, rules=(*changed_table.rules, *map(_convert_rule_section, section.rules)))
        if section.rules
        else changed_table
    )


def _format_table_place(name: str, place: str) -> str:
    """Return a place of a table in the words of TOML.

    Examples
    --------
    >>> _format_table_place("pupil", "table 'pupil', version 'old'"), _format_table_place("pupil", "field 'hobby'")
    ("[tables.pupil], [[earlier]] 'old'", "[tables.pupil], [[fields]] 'hobby'")
    """
    part = place.removeprefix(f"table {name!r}").removeprefix(", ")
    part = part.replace("field '", "[[fields]] '").replace("version '", "[[earlier]] '").replace("rule ", "[[rules]] ")
    return f"[tables.{name}], {part}" if part else f"[tables.{name}]"


def _convert_earlier_section(section: EarlierSection) -> Earlier:
    from data_schema.tables import Earlier

    return Earlier(name=section.name, waves=section.waves, renamed=section.renamed, recoded=section.recoded)


def _convert_rule_section(section: RuleSection) -> RecordRule:
    from data_schema.tables import RecordRule

    return RecordRule(holds=section.holds, message=section.message, field=section.field)


def compute_wave_windows(protocol: Protocol) -> dict[str, tuple[date, date]]:
    """Return the first and the last day of each wave whose time is known, by its name.

    Where a wave does not state them, they are taken from the month of its ``date``: from the beginning of the wave
    before (a year before for the first one) to a month after.
    """
    windows: dict[str, tuple[date, date]] = {}
    before: date | None = None
    for wave in protocol.waves:
        month = _parse_wave_month(wave.date)
        opens = date.fromisoformat(wave.opens) if wave.opens else before or (month and month - timedelta(days=365))
        closes = date.fromisoformat(wave.closes) if wave.closes else month and month + timedelta(days=62)
        before = date.fromisoformat(wave.opens) if wave.opens else month or before
        if opens and closes:
            windows[wave.name] = (opens, closes)
    return windows


def _parse_wave_month(text: str) -> date | None:
    """Return the first day of the month that the date of a wave names; None where it names none."""
    from data_schema.dates import clean_date, clean_month

    parsed_month = clean_month(text).value if text else None
    day = clean_date(text).value if text and parsed_month is None else None
    if isinstance(parsed_month, str):
        return date.fromisoformat(f"{parsed_month}-01")
    return day.replace(day=1) if isinstance(day, date) else None


def _convert_field_section(section: FieldSection) -> Field:
    from data_schema.fields import Code, Field
    from data_schema.vocabulary import get_known_headers

    return Field(
        name=section.name,
        type=section.type,
        label=section.label or section.name.replace("_", " "),
        # Forms call a field of a standard name by its standard words, and intake must know them.
        headers=(*section.headers, *get_known_headers(section.name)),
        labels=tuple(section.labels.items()),
        codes=tuple(
            Code(code.name, code.label, synonyms=code.synonyms, labels=tuple(code.labels.items()))
            for code in section.codes
        ),
        minimum=section.minimum,
        maximum=section.maximum,
        required=section.required,
        unit=section.unit,
        privacy=section.privacy,
        filled_in_by=section.filled_in_by,
        waves=section.waves,
        asked_if=next(iter(section.asked_if.items()), None),
        pattern=_convert_to_country_pairs(section.pattern),
        # A name that is not known is refused by the field.
        check_digits=cast("tuple[tuple[str, CheckDigits], ...]", _convert_to_country_pairs(section.check_digits)),
        scope=section.scope,
        special=section.special,
    )


def _convert_to_country_pairs(stated: str | Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is stated for each country; the country "" represents all that have none of their own."""
    if isinstance(stated, str):
        return (("", stated),) if stated else ()
    return tuple(stated.items())


def _align_identifier_fields(tables: Mapping[str, Table], listed: str) -> dict[str, Table]:
    """Give the identifiers of all tables pattern, check digits and scope of those that the list of pupils declares."""
    listed_identifiers = (
        {item.name: item for item in tables[listed].fields if item.type == "identifier"} if listed in tables else {}
    )
    return {
        name: replace(table, fields=tuple(_as_listed(item, listed_identifiers.get(item.name)) for item in table.fields))
        for name, table in tables.items()
    }


def _as_listed(item: Field, listed: Field | None) -> Field:
    if listed is None or item.type != "identifier" or item.pattern or item.check_digits:
        return item
    return replace(item, pattern=listed.pattern, check_digits=listed.check_digits, scope=listed.scope)


def find_pupil_lists(protocol: Protocol) -> tuple[str, ...]:
    """Return the tables that say who the pupils of a school are: that of the population, and the standard list."""
    listed = protocol.population.table
    is_sent = any(rule.table == "pupil" for rule in protocol.inbox)
    return (listed, "pupil") if listed != "pupil" and is_sent else (listed,)


def find_population_place(protocol: Protocol, tables: Mapping[str, Table]) -> tuple[str, str]:
    """Return the table that lists the population and its wave, which is "" where the table has none."""
    listed = protocol.population.table
    return listed, protocol.population_wave if tables[listed].by_wave else ""


def level_fields(protocol: Protocol) -> tuple[str, ...]:
    """Return the fields of the list of pupils that options of the analyses name, such as the class, each once."""
    from analysis.estimators import make_estimator

    estimators = [
        make_estimator(item.model, item.options, kind=protocol.outcome(item.outcome).kind) for item in protocol.analyses
    ]
    return tuple(dict.fromkeys(name for estimator in estimators for name in estimator.named_fields.values()))


def find_needed_fields(protocol: Protocol, tables: Mapping[str, Table]) -> dict[tuple[str, str], set[str]]:
    """Return, by table and wave, the fields that covariates, outcomes, levels and consent are read from."""
    needed: dict[tuple[str, str], set[str]] = {}
    for item in (*protocol.covariates, *protocol.outcomes):
        if item.table != "school":
            wave = item.wave or (protocol.population_wave if tables[item.table].by_wave else "")
            names = needed.setdefault((item.table, wave), set())
            names.update(item.items or (item.field or item.name,))
    for outcome in protocol.outcomes:
        needed[outcome.table, outcome.wave].update(outcome.missing_where)
    place = find_population_place(protocol, tables)
    if levels := level_fields(protocol):
        needed.setdefault(place, set()).update(levels)
    if protocol.privacy.refusal and protocol.privacy.consent in tables[place[0]].names:
        needed.setdefault(place, set()).add(protocol.privacy.consent)
    return needed


def build_design(protocol: Protocol) -> Design:
    """Return the design that draws, and replays, the allocation.

    Raises
    ------
    DesignError
        When the protocol's design contradicts itself.
    """
    from randomisation.arms import Arm
    from randomisation.constraint import Constraint
    from randomisation.design import Design
    from randomisation.matching import Matching
    from randomisation.within_schools import SCHOOL

    section = protocol.design
    matching, constraint = section.matching, section.constraint
    return Design(
        arms=tuple(Arm(**arm.model_dump(exclude={"description"})) for arm in section.arms),
        strata=(*section.strata, SCHOOL) if section.method.draws_classes else section.strata,
        cuts=tuple(section.cuts.items()),
        kind=section.method.drawn_as or section.kind,
        misfits=section.misfits,
        minimisation=build_minimisation_rule(section),
        matching=None
        if matching is None
        else Matching(variables=matching.variables, distance=matching.distance, limit=matching.limit),
        constraint=None
        if constraint is None
        else Constraint(
            variables=constraint.variables,
            score=constraint.score,
            best_share=constraint.best_share,
            at_most=constraint.at_most,
            limits=tuple(constraint.limits.items()),
            categories=constraint.categories,
        ),
    )


def build_minimisation_rule(section: DesignSection) -> Minimising | None:
    """Return the rule of a minimisation; that of the defaults where the protocol states none."""
    from randomisation.minimising import Minimising

    stated = section.minimisation
    if stated is None:
        return Minimising() if section.method.joins_one_by_one else None
    return Minimising(chance=stated.chance, order=stated.order)


def build_inbox_rules(protocol: Protocol) -> tuple[InboxRule, ...]:
    """Return which file below inbox/ is which table."""
    from data_schema.intake import InboxRule

    return tuple(
        InboxRule(
            pattern=rule.pattern,
            table=rule.table,
            wave=rule.wave,
            sheet=rule.sheet,
            units=rule.units,
            school_from=rule.school_from,
            class_from=rule.class_from,
            headers=rule.headers,
            dictionary=rule.dictionary,
            wide=_convert_wide_section(rule.wide) if rule.wide else None,
        )
        for rule in protocol.inbox
    )


def _convert_wide_section(section: WideSection) -> Wide:
    from data_schema.rules import Wide

    return Wide(
        across=section.across,
        school_year=section.school_year or 0,
        field=section.field,
        columns=section.columns,
    )
