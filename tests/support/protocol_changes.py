"""Changes of a protocol's values, from which scenarios of problems are put together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.protocols import CROCOOS, Values

Change = Callable[[Values], object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What makes a right protocol wrong; each of the mends must make it right again, beside what the words say."""

    wrong: Change
    mends: tuple[Change, ...] = ()
    setting: Change = lambda _: None
    path: Path = CROCOOS


def put(path: str, value: object) -> Change:
    """Return the change that sets a key: "outcomes.0.kind"."""

    def change(values: Values) -> None:
        at, key = _at(values, path, make=True)
        at[key] = copy.deepcopy(value)

    return change


def drop(path: str) -> Change:
    """Return the change that takes a key or entry out."""

    def change(values: Values) -> None:
        at, key = _at(values, path)
        del at[key]

    return change


def add(path: str, *entries: object) -> Change:
    """Return the change that adds entries to a list."""

    def change(values: Values) -> None:
        at, key = _at(values, path)
        at[key] = [*at[key], *copy.deepcopy(entries)]

    return change


def all_of(*changes: Change) -> Change:
    """Return several changes as one."""
    return lambda values: [change(values) for change in changes]


def _at(values: Any, path: str, *, make: bool = False) -> tuple[Any, Any]:  # noqa: ANN401 -- TOML values
    *steps, last = path.split(".")
    for step in steps:
        if make and isinstance(values, dict):
            values.setdefault(step, {})
        values = values[int(step) if isinstance(values, list) else step]
    return values, int(last) if isinstance(values, list) else last


def field(name: str, kind: str = "text", **more: object) -> Values:
    """Return a field of a table."""
    return {"name": name, "type": kind, **more}


def own(*fields: Values, table: str = "pupil") -> Change:
    """Return the change that adds fields to a table."""
    return put(f"tables.{table}.fields", list(fields))


def rule(holds: str, **more: object) -> Change:
    """Return the change that gives the table of pupils a rule."""
    return put("tables.pupil.rules", [{"holds": holds, "message": "Is that right?", **more}])


EXAM_FIELDS = (field("school_id", "identifier"), field("pupil_id", "identifier"), field("points", "number"))


def exam(**changes: object) -> Change:
    """Return the change that declares a table of the trial's own."""
    table = {"label": "Exam", "about": "pupil", "by_wave": True, "key": ["school_id", "pupil_id"]}
    values = {**table, "fields": list(EXAM_FIELDS), **changes}
    return put("tables.exam", {key: value for key, value in values.items() if value is not None})


PUPIL_ID = field("pupil_id", "identifier", privacy="identifier", required=True)

STANDARD = all_of(drop("tables.exam"), put("tables.status.fields", [field("points", "number")]))

ARMS = [{"name": name, "label": name.title()} for name in ("none", "one", "two", "both")]


def arms(**keys: list[object]) -> Change:
    """Return the change that states arms with a key of each; None leaves it out."""
    n = len(next(iter(keys.values())))
    stated = [{key: values[at] for key, values in keys.items() if values[at]} for at in range(n)]
    return put("design.arms", [{**ARMS[at], **stated[at]} for at in range(n)])


FACTORS = arms(factors=[None, ["a"], ["b"], ["a", "b"]])
WEDGE = all_of(put("design.kind", "waiting_list"), put("design.arms.1.starts", "followup"))
MATCHED = all_of(
    put("design.kind", "matched"), put("design.strata", []), put("design.matching", {"variables": ["size"]})
)
CONSTRAINED = put("design.constraint", {"variables": ["size"], "best_share": 0.1})
MINIMISED = put("design.kind", "minimisation")
BINARY = all_of(
    own(field("rate", "whole_number", minimum=0, maximum=1), field("hobby"), table="status"),
    put("outcomes.0.field", "rate"),
    put("outcomes.0.event", []),
    put("outcomes.0.missing", []),
)
LEAVING = {
    "name": "leaving",
    "label": "Time to leaving",
    "kind": "time_to_event",
    "direction": "lower",
    "table": "status",
    "wave": "followup",
    "field": "status",
    "event": ["left_early"],
    "event_words": "left",
    "time": "months",
    "horizon": 9,
    "unit": "months",
}
TIMED = all_of(
    own(
        field("months", "number", minimum=0, maximum=12),
        field("seen", "number"),
        field("began", "number", minimum=0, waves=["baseline"]),
        table="status",
    ),
    add("outcomes", LEAVING),
)
SECOND = {"name": "second", "label": "Second", "kind": "continuous", "direction": "lower", "table": "signals"}
