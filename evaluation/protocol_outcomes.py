"""What must hold of the outcomes in a protocol, kind by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.outcomes import LEAST_CATEGORIES, MOST_CATEGORIES, OUTCOME_KINDS
from evaluation.protocol import Problem, unknown

if TYPE_CHECKING:
    from data_schema.fields import Field
    from data_schema.tables import Table
    from evaluation.protocol import Measure, Outcome, Protocol

_NEEDED = {
    "time": "Name the field with the time at which the event came and, without it, the pupil was last seen.",
    "horizon": "State the time by which pupils with the event are counted, such as 12.",
    "unit": 'Name the unit of its times, such as "months".',
}
_NUMERIC = ("whole_number", "number", "year", "yes_no")


def check_outcome(protocol: Protocol, tables: Mapping[str, Table], item: Outcome) -> Iterator[Problem]:
    """Give what is wrong with an outcome, by what its kind needs."""
    problems = list(measure_problems(protocol, tables, item, "outcomes"))
    yield from problems
    if problems:
        return
    place = f"[[outcomes]] '{item.name}'"
    home = tables[item.table]
    if home.about != "pupil":
        yield Problem(f"{place}, key 'table'", "outcomes are of pupils.", "Name a table of pupils.")
        return
    if home.by_wave and not item.wave:
        yield Problem(f"{place}, key 'wave'", "this key is missing.", "Say in which wave it is measured.")
    fields = [home.field(name) for name in item.items or (item.field or item.name,)]
    kind = OUTCOME_KINDS[item.kind]
    if kind.is_share:
        yield from _check_share_answers(place, item, fields[0])
    elif kind.is_ordered:
        yield from _check_ordered_categories(place, item, fields, home)
    else:
        yield from _check_number_outcome(place, item, fields, home)
    yield from _check_needed_keys(place, item, home)
    for name, values in item.missing_where.items():
        if name not in home.names:
            yield unknown(f"{place}, key 'missing_where'", name, home.names, what=f"field of the table {home.name}")
        else:
            yield from _check_known_answers(f"{place}, key 'missing_where'", home.field(name), values)


def _check_share_answers(place: str, item: Outcome, field: Field) -> Iterator[Problem]:
    if not item.event_words:
        yield Problem(
            f"{place}, key 'event_words'",
            f"a {item.kind} outcome needs the words for its event.",
            'Add them in the past tense, such as "left school early".',
        )
    if item.items:
        yield Problem(
            f"{place}, key 'items'", f"a scale is not {item.kind}.", 'Name a field, or set kind = "continuous".'
        )
        return
    if field.type == "code" and not item.event:
        yield Problem(
            f"{place}, key 'event'",
            "it is not said which codes are the event.",
            f"Name some of: {', '.join(code.name for code in field.codes)}.",
        )
    elif field.type not in ("code", *_NUMERIC):
        yield Problem(f"{place}, key 'field'", f"a field of type {field.type} is not yes or no.", "Name another field.")
    elif field.type in _NUMERIC and not _is_zero_or_one(field):
        yield Problem(
            f"{place}, key 'field'",
            f"'{field.name}' is a number that need not be 0 or 1, and whether an event came is nothing else.",
            "Give the field the type whole_number, a minimum of 0 and a maximum of 1; or the type yes_no or code.",
        )
    yield from _check_known_answers(f"{place}, key 'event'", field, item.event)
    yield from _check_known_answers(f"{place}, key 'missing'", field, item.missing)


def _check_needed_keys(place: str, item: Outcome, home: Table) -> Iterator[Problem]:
    """Refuse an outcome without a key that its kind needs, or with one that is for another kind."""
    needed = OUTCOME_KINDS[item.kind].needs
    for key in needed:
        if not getattr(item, key):
            yield Problem(f"{place}, key '{key}'", f"a {item.kind} outcome needs this key.", _NEEDED[key])
    for key in sorted((set(_NEEDED) - {"unit"} - set(needed)) & item.model_fields_set):
        kinds = " or ".join(kind.name for kind in OUTCOME_KINDS.values() if key in kind.needs)
        yield Problem(f"{place}, key '{key}'", f"this is for {kinds} outcomes.", "Leave the key out.")
    for key in OUTCOME_KINDS[item.kind].fields:
        yield from _check_further_field(f"{place}, key '{key}'", str(getattr(item, key)), home, item)


def _check_further_field(place: str, name: str, home: Table, item: Outcome) -> Iterator[Problem]:
    if not name:
        return
    if name not in home.names:
        yield unknown(place, name, home.names, what=f"field of the table {home.name}")
        return
    field = home.field(name)
    if home.by_wave and not field.is_asked_in(item.wave):
        yield Problem(place, f"'{name}' is not asked in the wave '{item.wave}'.", "Name a field that is.")
    if field.type not in ("whole_number", "number") or field.minimum is None or field.minimum < 0:
        remedy = "Give the field the type number or whole_number and a minimum of 0."
        yield Problem(place, f"'{name}' need not be a number from 0, and a time is nothing else.", remedy)
    elif item.horizon is not None and field.maximum is not None and field.maximum < item.horizon:
        problem = f"no pupil can be followed for {item.horizon:g}: the maximum of '{name}' is {field.maximum:g}."
        yield Problem(place, problem, "Lower the horizon, or raise the field's maximum.")


def _is_zero_or_one(field: Field) -> bool:
    return field.type == "yes_no" or (field.type == "whole_number" and (field.minimum, field.maximum) == (0, 1))


def _check_known_answers(place: str, field: Field, values: Sequence[str]) -> Iterator[Problem]:
    known = ["yes", "no"] if field.type == "yes_no" else [code.name for code in field.codes]
    for value in values:
        if value not in known:
            yield unknown(place, value, known, what=f"answer of the field {field.name}")


def _check_number_outcome(place: str, item: Outcome, fields: Sequence[Field], home: Table) -> Iterator[Problem]:
    for field in fields:
        if field.type not in _NUMERIC:
            yield Problem(
                f"{place}, key 'field'",
                f"'{field.name}' is of type {field.type}, not a number.",
                'Name a numeric field, or set kind = "binary" and say which codes are the event, or kind = "ordinal".'
                if field.type == "code"
                else "Name a numeric field.",
            )
    if OUTCOME_KINDS[item.kind].is_whole:
        yield from _count(place, item, fields, home)
    yield from _check_unused_event_keys(place, item, "missing", "missing_where")


def _check_unused_event_keys(place: str, item: Outcome, *others: str) -> Iterator[Problem]:
    for key in ("event", "event_words", "event_people", *others):
        if getattr(item, key):
            yield Problem(f"{place}, key '{key}'", "this is for outcomes that are events.", "Leave the key out.")


def _count(place: str, item: Outcome, fields: Sequence[Field], home: Table) -> Iterator[Problem]:
    if item.items:
        yield Problem(f"{place}, key 'items'", "a scale is not a count.", 'Name a field, or set kind = "continuous".')
        return
    field = fields[0]
    if field.type != "whole_number" or field.minimum is None or field.minimum < 0:
        yield Problem(
            f"{place}, key 'field'",
            f"'{field.name}' need not be a whole number from 0, and a count is nothing else.",
            "Give the field the type whole_number and a minimum of 0.",
        )
    if len(home.key) > 2 and item.summary == "mean":
        yield Problem(
            f"{place}, key 'summary'",
            f"the mean over a pupil's rows of the table {home.name} is not a count.",
            'Set summary = "sum" or "max".',
        )


def _check_ordered_categories(place: str, item: Outcome, fields: Sequence[Field], home: Table) -> Iterator[Problem]:
    """Refuse what is no scale of a few ordered answers, one per pupil."""
    yield from _check_unused_event_keys(place, item)
    if item.items:
        problem = "a scale of several items has no ordered categories."
        yield Problem(f"{place}, key 'items'", problem, 'Name a field, or set kind = "continuous".')
        return
    yield from _check_known_answers(f"{place}, key 'missing'", fields[0], item.missing)
    n_categories = len(item.scores_of(fields[0]))
    if not LEAST_CATEGORIES <= n_categories <= MOST_CATEGORIES:
        category_count = f"{n_categories} ordered categories" if n_categories else "no ordered categories"
        yield Problem(
            f"{place}, key 'field'",
            f"'{fields[0].name}' has {category_count}, and an ordinal outcome has {LEAST_CATEGORIES} to "
            f"{MOST_CATEGORIES}.",
            "Name a field of type code whose codes are listed from lowest to highest, or one of type whole_number with"
            " a minimum, 0 or more, and a maximum.",
        )
    if len(home.key) > 2 and item.summary != "max":
        yield Problem(
            f"{place}, key 'summary'",
            f"the {item.summary} over a pupil's rows of the table {home.name} is not a category.",
            'Set summary = "max".',
        )


def measure_problems(protocol: Protocol, tables: Mapping[str, Table], item: Measure, table: str) -> Iterator[Problem]:
    """Give what is wrong with where a measure comes from; ``table`` is that of the protocol in which it is declared."""
    place = f"[[{table}]] '{item.name}'"
    if item.table not in tables:
        yield unknown(f"{place}, key 'table'", item.table, tables, what="table")
        return
    home = tables[item.table]
    if item.wave and item.wave not in protocol.wave_names:
        yield unknown(f"{place}, key 'wave'", item.wave, protocol.wave_names, what="wave")
    if item.wave and not home.by_wave:
        yield Problem(f"{place}, key 'wave'", f"the table {home.name} has no waves.", "Leave the key out.")
    if item.field and item.items:
        yield Problem(place, "both 'field' and 'items' are given.", "Keep one of them.")
    for key, why in _iterate_unread_keys(item, home):
        yield Problem(f"{place}, key '{key}'", f"this has no effect: {why}.", "Leave the key out.")
    # Further columns of the sampling frame are known when it is read.
    if item.table != "school":
        yield from _check_measured_fields(place, home, item, wave=item.wave or protocol.population_wave)
    for name in item.reverse:
        if name not in item.items:
            yield unknown(f"{place}, key 'reverse'", name, item.items, what="item of this scale")
        elif name in home.names and None in (home.field(name).minimum, home.field(name).maximum):
            yield Problem(
                f"{place}, key 'reverse'",
                f"'{name}' has no least and greatest answer, so that it cannot be turned round.",
                "Give the field a minimum and a maximum.",
            )


def _iterate_unread_keys(item: Measure, home: Table) -> Iterator[tuple[str, str]]:
    """Give the keys that are stated and that nothing would read, with the reason."""
    stated = item.model_fields_set
    if "least_answered" in stated and not item.items:
        yield "least_answered", "it is about the items of a scale"
    if "summary" in stated and (home.about == "school" or len(home.key) == 2):
        yield "summary", f"the table {home.name} has one row per {home.about}"


def _check_measured_fields(place: str, home: Table, item: Measure, *, wave: str) -> Iterator[Problem]:
    for name in item.items or (item.field or item.name,):
        if name not in home.names:
            yield unknown(f"{place}, key 'field'", name, home.names, what=f"field of the table {home.name}")
        elif home.by_wave and not home.field(name).is_asked_in(wave):
            waves = ", ".join(home.field(name).waves)
            problem = f"'{name}' is not asked in the wave '{wave}'."
            yield Problem(f"{place}, key 'wave'", problem, f"Name a wave; it is asked in: {waves}.")
