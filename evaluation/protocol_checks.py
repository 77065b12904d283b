"""What must hold between the tables of a protocol: names that are referred to exist, and nothing is contradicted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from analysis.estimators import make_estimator
from analysis.outcomes import OUTCOME_KINDS
from data_schema.errors import EstimationError
from evaluation.protocol import Problem, find_repeated_names, unknown
from evaluation.protocol_designs import check_arm_names, check_contrasts_exist, check_design, check_schedule
from evaluation.protocol_outcomes import check_outcome, measure_problems

if TYPE_CHECKING:
    from data_schema.fields import Field as DataField
    from data_schema.tables import Table
    from evaluation.protocol import Analysis, InboxSection, Protocol, TableSection

RESERVED = ("school_id", "pupil", "arm", "stratum", "country", "wave", "school_weight")
"""Columns of the analysis data that no outcome or covariate may be called."""

DOCUMENT_PACKAGES = ("reports", "reports.writers")
"""The packages whose texts a document needs in its language."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def find_protocol_problems(protocol: Protocol) -> list[Problem]:
    """Return everything that does not fit together, in the order of the protocol's tables.

    Parameters
    ----------
    protocol
        With values that are right one by one.
    """
    checks: tuple[Callable[[Protocol], Iterator[Problem]], ...] = (
        _check_wave_windows,
        _check_table_sections,
        _check_names,
        check_arm_names,
        _check_file_paths,
        check_design,
        check_schedule,
    )
    problems = [problem for check in checks for problem in check(protocol)]
    if problems:
        return problems
    from data_schema.errors import ProtocolError
    from evaluation.specifications import build_tables

    try:
        tables = build_tables(protocol)
    except ProtocolError as error:
        return [Problem(error.place, error.problem, error.remedy)]
    return [
        *_check_inbox_rules(protocol, tables),
        *_check_population(protocol, tables),
        *_check_linking(protocol, tables),
        *_check_digits(protocol),
        *_check_consent_rule(protocol, tables),
        *(
            problem
            for item in protocol.covariates
            for problem in measure_problems(protocol, tables, item, "covariates")
        ),
        *(problem for item in protocol.outcomes for problem in check_outcome(protocol, tables, item)),
        *(problem for item in protocol.analyses for problem in _check_analysis(protocol, tables, item)),
        *_check_primary_analysis(protocol),
        *check_contrasts_exist(protocol),
        *_check_languages(protocol),
    ]


def _check_languages(protocol: Protocol) -> Iterator[Problem]:
    """Give the languages of [reports] that no document can be made in, and those named twice."""
    from data_schema.language import LANGUAGES, get_available_languages

    place = "[reports], key 'languages'"
    named: list[str] = list(protocol.reports.languages)
    possible = [code for code in LANGUAGES if all(code in get_available_languages(name) for name in DOCUMENT_PACKAGES)]
    for code in dict.fromkeys(named):
        if code not in possible:
            problem = f"reports cannot be made in {LANGUAGES[code]} ('{code}') yet: their texts are not translated."
            yield Problem(place, problem, f"Name only languages that have these texts: {', '.join(possible)}.")
    for code in find_repeated_names(named):
        yield Problem(place, f"'{code}' is named twice.", "Name each language once.")


def _check_names(protocol: Protocol) -> Iterator[Problem]:
    groups = {
        "waves": list(protocol.wave_names),
        "design.arms": list(protocol.arm_names),
        "analyses": [item.name for item in protocol.analyses],
        "outcomes": [item.name for item in protocol.outcomes],
        "covariates": [item.name for item in protocol.covariates],
    }
    for table, names in groups.items():
        for name in find_repeated_names(names):
            yield Problem(f"[[{table}]] '{name}'", "the name is used twice.", "Give each entry another name.")
    for name in sorted(set(groups["outcomes"]) & set(groups["covariates"])):
        yield Problem(f"[[covariates]] '{name}'", "an outcome has this name, too.", "Give one of them another name.")
    for table in ("outcomes", "covariates"):
        for name in groups[table]:
            if name in RESERVED:
                yield Problem(f"[[{table}]] '{name}'", "the name is reserved.", "Choose another name.")


def _check_file_paths(protocol: Protocol) -> Iterator[Problem]:
    """Confine the files that a protocol names to the trial's folder: a protocol may come from anybody."""
    named = {
        "[schools], key 'file'": protocol.schools.file,
        "[schools], key 'reserves'": protocol.schools.reserves,
        "[design], key 'units'": protocol.design.units,
        "[design], key 'allocation'": protocol.design.allocation,
    }
    for place, name in named.items():
        if name and not _is_confined(name):
            yield Problem(
                place,
                f"{name!r} is not in the trial's folder.",
                "Put the file into the folder, and name it from there, such as 'schools.csv'.",
            )


def _is_confined(name: str) -> bool:
    """Whether a name leads to a file below the folder, on whichever system."""
    path = PureWindowsPath(name)
    is_below = not path.anchor and ".." not in path.parts and bool(path.name)
    return is_below and name.isprintable() and not name.startswith("~")


def _check_wave_windows(protocol: Protocol) -> Iterator[Problem]:
    for wave in protocol.waves:
        days = {}
        for key, text in (("opens", wave.opens), ("closes", wave.closes)):
            try:
                days[key] = date.fromisoformat(text) if text else None
            except ValueError:
                place = f"[[waves]] '{wave.name}', key '{key}'"
                yield Problem(place, f"'{text}' is no day of the calendar.", "Write a day such as 2027-10-05.")
        opens, closes = days.get("opens"), days.get("closes")
        if opens and closes and closes < opens:
            yield Problem(f"[[waves]] '{wave.name}'", "it closes before it opens.", "Exchange the two.")


def _check_table_sections(protocol: Protocol) -> Iterator[Problem]:
    from data_schema.school_tables import standard_tables

    standard = standard_tables()
    for name, section in protocol.tables.items():
        place = f"[tables.{name}]"
        for name_twice in find_repeated_names([field.name for field in section.fields]):
            yield Problem(f"{place}, [[fields]] '{name_twice}'", "the field is declared twice.", "Declare it once.")
        for field in section.fields:
            yield from _check_stated_waves(f"{place}, [[fields]] '{field.name}'", field.waves, protocol.wave_names)
            if (field.type == "code") != bool(field.codes):
                yield Problem(
                    f"{place}, [[fields]] '{field.name}'",
                    "codes belong to fields of type 'code', and such a field needs them.",
                    "Add codes, or change the type.",
                )
        for version in section.earlier:
            yield from _check_stated_waves(f"{place}, [[earlier]] '{version.name}'", version.waves, protocol.wave_names)
        yield from (
            _check_standard_table(place, section, standard[name])
            if name in standard
            else _check_own_table(place, section)
        )


def _check_stated_waves(place: str, waves: Sequence[str], known: Sequence[str]) -> Iterator[Problem]:
    for wave in waves:
        if wave not in known:
            yield unknown(f"{place}, key 'waves'", wave, known, what="wave")


def _check_standard_table(place: str, section: TableSection, table: Table) -> Iterator[Problem]:
    for key in ("about", "by_wave"):
        if getattr(section, key) is not None:
            yield Problem(f"{place}, key '{key}'", "the standard table settles this.", "Leave the key out.")
    if section.key:
        yield Problem(f"{place}, key 'key'", "the standard table settles this.", "Leave the key out.")
    for name in section.without:
        if name not in table.names:
            yield unknown(f"{place}, key 'without'", name, table.names, what="field of this table")
        elif name in table.key:
            yield Problem(f"{place}, key 'without'", f"'{name}' identifies the rows.", "Keep it.")


def _check_own_table(place: str, section: TableSection) -> Iterator[Problem]:
    for key in ("about", "by_wave", "key", "fields", "label"):
        if getattr(section, key) in (None, (), ""):
            yield Problem(
                f"{place}, key '{key}'",
                "a table of the trial's own needs this key.",
                "Add it, or use the name of a standard table.",
            )
    if section.without:
        yield Problem(f"{place}, key 'without'", "this is no standard table.", "Leave the key out.")
    names = [field.name for field in section.fields]
    for name in section.key:
        if names and name not in names:
            yield unknown(f"{place}, key 'key'", name, names, what="field of this table")


def _check_inbox_rules(protocol: Protocol, tables: Mapping[str, Table]) -> Iterator[Problem]:
    yield from _check_rule_collisions(protocol)
    for rule in protocol.inbox:
        place = f"[[inbox]] '{rule.pattern}'"
        if rule.table not in tables:
            yield unknown(f"{place}, key 'table'", rule.table, tables, what="table")
            continue
        by_wave = tables[rule.table].by_wave
        if rule.wide is not None and rule.wide.across == "wave":
            yield from _check_wave_columns(rule, by_wave, protocol.wave_names, place)
        elif by_wave and rule.wave not in protocol.wave_names:
            yield unknown(f"{place}, key 'wave'", rule.wave, protocol.wave_names, what="wave")
        if not by_wave and rule.wave:
            yield Problem(f"{place}, key 'wave'", f"the table {rule.table} has no waves.", "Leave the key out.")
        yield from _check_file_layout(rule, tables[rule.table], place)


def _check_rule_collisions(protocol: Protocol) -> Iterator[Problem]:
    """Refuse a rule that means the sheets of another one, of which a file could be read by one alone."""
    from data_schema.rules import COLLISION, has_certain_collision
    from evaluation.specifications import build_inbox_rules

    rules = build_inbox_rules(protocol)
    for position, rule in enumerate(rules):
        if any(has_certain_collision(rule, other) for other in rules[:position]):
            remedy = "Keep one of them, or make their patterns or sheets differ."
            yield Problem(f"[[inbox]] '{rule.pattern}'", COLLISION, remedy)


def _check_wave_columns(rule: InboxSection, by_wave: bool, waves: Sequence[str], place: str) -> Iterator[Problem]:
    """Refuse a wave beside columns that represent waves, and columns of waves that there are not."""
    if not by_wave:
        yield Problem(f"{place}, key 'wide'", f"the table {rule.table} has no waves.", "Leave the key out.")
    elif rule.wave:
        problem = "its columns represent waves, so the rule is of no single one."
        yield Problem(f"{place}, key 'wave'", problem, "Leave the key out.")
    for header, wave in rule.wide.columns.items() if rule.wide is not None else ():
        if wave not in waves:
            yield unknown(f"{place}, [wide], [columns], key '{header}'", wave, waves, what="wave")


def _check_file_layout(rule: InboxSection, table: Table, place: str) -> Iterator[Problem]:
    """Refuse what a rule says of its files' layout and cannot mean anything for its table."""
    for header, name in rule.headers.items():
        if name not in table.names:
            yield unknown(f"{place}, [headers], key '{header}'", name, table.names, what="field")
    if rule.class_from not in ("", "headings") and "class" not in table.names:
        problem = f"the table {table.name} has no field 'class'."
        yield Problem(f"{place}, key 'class_from'", problem, "Leave the key out.")
    yield from _check_wide_columns(rule, table, place)


def _check_wide_columns(rule: InboxSection, table: Table, place: str) -> Iterator[Problem]:
    if rule.wide is None:
        return
    place = f"{place}, [wide]"
    values = [name for name in table.names if name not in table.key]
    if rule.wide.field and rule.wide.field not in values:
        yield unknown(f"{place}, key 'field'", rule.wide.field, values, what="field of values")
    if rule.wide.across == "wave":
        return
    across = [name for name in table.key if name not in ("school_id", "pupil_id")]
    if not across:
        problem = f"a record of the table {table.name} is a school's or a pupil's, so no columns can be records."
        yield Problem(f"{place.removesuffix(', [wide]')}, key 'wide'", problem, "Leave the key out.")
        return
    if rule.wide.across not in across:
        yield unknown(f"{place}, key 'across'", rule.wide.across, across, what="field of the key")
        return
    item = table.field(rule.wide.across)
    for header, value in rule.wide.columns.items():
        if item.codes and value not in [code.name for code in item.codes]:
            yield unknown(
                f"{place}, [columns], key '{header}'", value, [code.name for code in item.codes], what="answer"
            )
        elif item.type == "month" and not _MONTH.fullmatch(value):
            problem = f"'{value}' is not a month."
            yield Problem(f"{place}, [columns], key '{header}'", problem, "Write the month as 2027-10.")


def _check_population(protocol: Protocol, tables: Mapping[str, Table]) -> Iterator[Problem]:
    population = protocol.population
    if population.wave and population.wave not in protocol.wave_names:
        yield unknown("[population], key 'wave'", population.wave, protocol.wave_names, what="wave")
    pupils = [name for name, table in tables.items() if table.about == "pupil"]
    if population.table not in pupils:
        yield unknown("[population], key 'table'", population.table, pupils, what="table of pupils")


def _check_digits(protocol: Protocol) -> Iterator[Problem]:
    """Give the countries whose identifiers of persons cannot be checked though the protocol wants it."""
    declared = [(name, item) for name, table in protocol.tables.items() for item in table.fields if item.check_digits]
    if not declared:
        return
    from data_schema.patterns import has_national_check

    for name, item in declared:
        stated = item.check_digits
        for country in protocol.countries:
            kind = stated if isinstance(stated, str) else stated.get(country)
            if kind == "national" and not has_national_check(country):
                yield Problem(
                    f"[[tables.{name}.fields]] '{item.name}', key 'check_digits'",
                    f"how identifiers of persons of {country} are checked is not known.",
                    f'Name the other countries alone, such as {{ HU = "national" }}, or an algorithm for {country}.',
                )


def _check_linking(protocol: Protocol, tables: Mapping[str, Table]) -> Iterator[Problem]:
    listed = tables.get(protocol.population.table)
    if not protocol.linking.by_name or listed is None:
        return
    if "name" not in listed.names:
        problem = f"the table {listed.name}, which lists the pupils, has no field 'name'."
        yield Problem("[linking], key 'by_name'", problem, "Declare the field, or set by_name = false.")
    elif not listed.by_wave:
        problem = f"the table {listed.name}, which lists the pupils, is collected once: nobody is to be followed."
        yield Problem("[linking], key 'by_name'", problem, "Set by_name = false.")


def _check_consent_rule(protocol: Protocol, tables: Mapping[str, Table]) -> Iterator[Problem]:
    """Refuse a rule that would be about no field, and a field whose answers are not yes and no."""
    name = protocol.privacy.consent
    with_it = [table for table in tables.values() if table.about == "pupil" and name in table.names]
    for table in with_it:
        if table.field(name).type != "yes_no":
            problem = f"'{name}' of the table {table.name} is of type {table.field(name).type}."
            yield Problem("[privacy], key 'consent'", problem, "Give the field the type yes_no.")
    if not with_it and (protocol.privacy.refusal or name != "consent"):
        problem = f"no table about pupils has a field '{name}'."
        yield Problem(
            "[privacy], key 'consent'",
            problem,
            "Name the field that holds a pupil's answer, or leave [privacy] without consent and refusal.",
        )
    # Silence is no consent (GDPR, recital 32): whoever takes it as no objection uses the data on another ground.
    if protocol.privacy.consent_model == "opt_out" and not protocol.privacy.legal_basis:
        yield Problem(
            "[privacy], key 'consent_model'",
            "with 'opt_out' data of pupils without an answer are used, and no ground is stated for that.",
            "State it: legal_basis = 'Public task, Article 6 (1) e GDPR', or whatever it is; or write 'opt_in'.",
        )


def _check_analysis(protocol: Protocol, tables: Mapping[str, Table], item: Analysis) -> Iterator[Problem]:
    place = f"[[analyses]] '{item.name}'"
    outcomes = [outcome.name for outcome in protocol.outcomes]
    if item.outcome not in outcomes:
        yield unknown(f"{place}, key 'outcome'", item.outcome, outcomes, what="outcome")
        return
    covariates = [covariate.name for covariate in protocol.covariates]
    for name in item.covariates:
        if name not in covariates:
            yield unknown(f"{place}, key 'covariates'", name, covariates, what="covariate")
    kind = protocol.outcome(item.outcome).kind
    try:
        estimator = make_estimator(item.model, item.options, kind=kind)
    except EstimationError as error:
        yield Problem(f"{place}, key '{error.place}'", error.problem, error.remedy)
    else:
        for option, name in estimator.named_fields.items():
            yield from _level(protocol, tables, name, place=f"{place}, key 'options'", option=option)
    if item.missing_outcome != "leave_out" and not OUTCOME_KINDS[kind].is_yes_no:
        yield Problem(f"{place}, key 'missing_outcome'", "only a binary outcome has an event.", "Leave the key out.")


def _level(protocol: Protocol, tables: Mapping[str, Table], name: str, *, place: str, option: str) -> Iterator[Problem]:
    """Give why a field cannot be the groups of pupils within schools."""
    listed = tables.get(protocol.population.table)
    if listed is None:
        return
    remedy = "Name the field of it that holds each pupil's group, such as the class; or leave the option out."
    named, wave = f"the option '{option}' names '{name}', which", protocol.population_wave
    if name not in listed.names:
        yield Problem(place, f"{named} is no field of the table {listed.name}, which lists the pupils.", remedy)
    elif not _can_be_level(listed.field(name), listed):
        yield Problem(place, f"{named} does not put the pupils of a school into groups.", remedy)
    elif listed.by_wave and not listed.field(name).is_asked_in(wave):
        yield Problem(place, f"{named} is not asked in the wave '{wave}', in which pupils are listed.", remedy)
    elif name in RESERVED or name in [item.name for item in (*protocol.covariates, *protocol.outcomes)]:
        yield Problem(place, f"{named} is the name of another column of the analysis.", "Give that one another name.")


def _can_be_level(field: DataField, listed: Table) -> bool:
    return field.type in ("text", "code", "whole_number") and field.name not in listed.key and field.privacy != "direct"


def _check_primary_analysis(protocol: Protocol) -> Iterator[Problem]:
    primary = [item.name for item in protocol.analyses if item.role == "primary"]
    if not primary:
        yield Problem("[[analyses]]", "no analysis is primary.", 'Give the headline analysis role = "primary".')
