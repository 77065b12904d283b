"""trial.toml to a Protocol: every problem at once, each with its place, its remedy and the nearest right spelling."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from pydantic import BaseModel, ValidationError

from data_schema.errors import ProtocolError
from evaluation.protocol import Problem, Protocol
from evaluation.protocol_checks import find_protocol_problems

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]


def read_protocol(path: Path) -> Protocol:
    """Read and check a protocol.

    Parameters
    ----------
    path
        The file trial.toml.

    Returns
    -------
    Protocol
        With everything that its tables refer to known to exist.

    Raises
    ------
    ProtocolError
        When the file is missing, is not TOML or UTF-8, or says something impossible; all problems are in the text.
    """
    return parse_protocol(load_toml(path), source=path.name)


def load_toml(path: Path) -> dict[str, object]:
    """Return the values of a TOML file, or raise a ProtocolError that names the line."""
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise ProtocolError(
            str(path), "there is no protocol here.", "Run `crocoos init FOLDER`, or name the trial's folder."
        ) from error
    except OSError as error:
        raise ProtocolError(
            str(path), f"it cannot be read: {error.strerror}.", "See that it is a file that you may read."
        ) from error
    except UnicodeDecodeError as error:
        raise ProtocolError(
            f"{path.name}, byte {error.start + 1}", "this is not UTF-8 text.", "Save the file as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(path.name, f"it is not valid TOML: {error}.", "Correct the line that is named.") from error
    except ValueError as error:
        problem = "it holds a number of thousands of digits."
        raise ProtocolError(path.name, problem, "Write a number that can be meant.") from error
    except RecursionError as error:
        raise _build_depth_error(path) from error
    if _is_deeper(values, _DEEPEST):
        raise _build_depth_error(path)
    return values


_DEEPEST = 20
"""Tables and lists within one another; a protocol needs five."""


def _build_depth_error(path: Path) -> ProtocolError:
    return ProtocolError(
        path.name,
        f"more than {_DEEPEST} tables or lists stand within one another.",
        "Write it as the protocol that `crocoos init FOLDER` writes.",
    )


def _is_deeper(value: object, depth: int) -> bool:
    """Whether more values stand within one another than a depth; looks no deeper than that."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_is_deeper(inner_item, depth - 1) for inner_item in inner)


def parse_protocol(values: Mapping[str, object], *, source: str = "trial.toml") -> Protocol:
    """Check the values of a protocol and return it.

    Raises
    ------
    ProtocolError
        With one line a problem.
    """
    try:
        protocol = Protocol.model_validate_json(_as_json(values))
    except ValidationError as error:
        entries = [entry for entry in error.errors(include_url=False) if not _is_consequence(entry)]
        raise build_protocol_error(source, [_build_problem(entry, values) for entry in entries]) from error
    problems = find_protocol_problems(protocol)
    if problems:
        raise build_protocol_error(source, problems)
    return protocol


def add_protocol_defaults(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a protocol with the defaults of what they leave out, so that stating one changes nothing.

    A protocol that this version cannot read is returned as it is.
    """
    try:
        return Protocol.model_validate_json(_as_json(values)).model_dump(mode="json")
    except ValidationError:
        return values


def _as_json(values: Mapping[str, object]) -> bytes:
    """Return values as JSON: strict checking then takes a list for a tuple, and still no text for a number."""
    import json

    return json.dumps(values, default=str, ensure_ascii=False).encode()


def build_protocol_error(source: str, problems: Sequence[Problem]) -> ProtocolError:
    """Return one error for all problems of a protocol."""
    if len(problems) == 1:
        only = problems[0]
        return ProtocolError(f"{source}, {only.place}", only.problem, only.remedy)
    lines = "".join(f"\n  - {entry.place}: {entry.problem} {entry.remedy}" for entry in problems)
    return ProtocolError(source, f"{len(problems)} problems:{lines}\n", "Correct them and run the command again.")


def _is_consequence(entry: ErrorDetails) -> bool:
    """Return whether a list is called too short only because one of its entries, which is named, cannot be read."""
    value = entry.get("input")
    return entry["type"] == "too_short" and isinstance(value, list) and len(value) >= entry["ctx"]["min_length"]


def _build_problem(entry: ErrorDetails, values: Mapping[str, object]) -> Problem:
    location = tuple(part for part in entry["loc"] if part != "[key]")
    place = format_toml_place(location, values)
    kind = entry["type"]
    if kind == "extra_forbidden":
        allowed = _find_allowed_keys(location[:-1])
        return Problem(place, "this key is not known.", describe_nearest_remedy(str(location[-1]), allowed, verb="Use"))
    if kind == "missing":
        return Problem(
            place,
            "this key is missing.",
            "Add it; the protocol that `crocoos init FOLDER` writes shows its purpose.",
        )
    shown = _format_shown_value(entry.get("input"))
    if kind == "literal_error":
        allowed = [part.strip("'\" ") for part in _describe_expected_type(entry).replace(" or ", ", ").split(", ")]
        return Problem(
            place, f"{shown} is not allowed here.", describe_nearest_remedy(str(entry.get("input")), allowed)
        )
    reason, remedy = _describe_reason(entry, location)
    return Problem(place, f"{shown}: {reason}", remedy)


def _describe_expected_type(entry: ErrorDetails) -> str:
    return str(entry.get("ctx", {}).get("expected", ""))


def _format_shown_value(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_REASONS = {
    "string_type": ("text is needed.", "Put it in quotes."),
    "int_type": ("a whole number is needed.", "Write a whole number, without quotes."),
    "float_type": ("a number is needed.", "Write a number, without quotes."),
    "bool_type": ("true or false is needed.", "Write true or false, without quotes."),
    "tuple_type": ("a list in square brackets is needed.", "Put it in square brackets."),
    "dict_type": ("a table is needed.", "Write names and values in curly brackets, such as {{ name = value }}."),
    "model_type": ("a table is needed.", "Write it as a table with the heading {heading}."),
    "string_too_short": ("it is empty.", "Write the text."),
    "greater_than_equal": ("it must be {ge} or more.", "Write {ge} or more."),
    "greater_than": ("it must be above {gt}.", "Write a number above {gt}."),
    "less_than_equal": ("it must be {le} or less.", "Write {le} or less."),
    "less_than": ("it must be below {lt}.", "Write a number below {lt}."),
    "too_short": ("it needs {entries} or more.", "Add entries until there are {min_length}."),
    "too_long": ("it may have {entries} at most.", "Keep {max_length} of them."),
}
"""What is said of each kind of value that does not fit, and what is to be done."""

_PATTERNS = (
    ("A-Z", "Use a country's two capital letters, such as HU."),
    ("a-z", "Use small letters, digits and underscores, a letter first."),
    ("-", "Write a date as year, month and day, such as 2031-08-31, or leave it empty."),
)
"""What is to be done about a text that is not written as it must be, by a sign of the pattern."""


def _describe_reason(entry: ErrorDetails, location: Place) -> tuple[str, str]:
    """Return what is wrong with a value, and the remedy."""
    kind, context, value = entry["type"], entry.get("ctx", {}), entry.get("input")
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return "it is not written as it must be.", next(remedy for sign, remedy in _PATTERNS if sign in pattern)
    reason, remedy = _REASONS[kind]
    table = ".".join(part for part in location if isinstance(part, str))
    if kind == "tuple_type" and isinstance(value, Mapping):
        return reason, f"Write its heading in double square brackets: [[{table}]]."
    is_listed = bool(location) and isinstance(location[-1], int)
    heading = f"[[{table}]]" if is_listed else f"[{table}]"
    n = context.get("min_length", context.get("max_length"))
    words = {**context, "heading": heading, "entries": "1 entry" if n == 1 else f"{n} entries"}
    return reason.format_map(words), remedy.format_map(words)


def describe_nearest_remedy(word: str, allowed: Sequence[str], *, verb: str = "Use one of:") -> str:
    """Return a remedy that names the nearest of the allowed words, and all of them."""
    near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    listed = ", ".join(allowed)
    if near:
        return f"Did you mean '{near[0]}'? Allowed: {listed}."
    return f"{verb if verb.endswith(':') else verb + ' one of:'} {listed}."


def format_toml_place(location: Place, values: Mapping[str, object]) -> str:
    """Return where a problem is, in the words of TOML: "[[outcomes]] 'dropout', key 'kind'".

    Entries of a list are named by their own name where they have one, and by their number from 1 where not.
    """
    parts: list[str] = []
    value: object = values
    table = ""
    for depth, part in enumerate(location):
        value = _get_value_inside(value, part)
        if isinstance(part, int):
            name = value.get("name") or value.get("pattern") if isinstance(value, Mapping) else None
            parts.append(f"[[{table}]] {name!r}" if name else f"[[{table}]] number {part + 1}")
        elif isinstance(value, Mapping | list) and depth < len(location) - 1:
            table = f"{table}.{part}" if table else str(part)
            if isinstance(value, Mapping):
                parts = [*(table_part for table_part in parts if table_part.startswith("[[")), f"[{table}]"]
        else:
            parts.append(f"key '{part}'")
    return ", ".join(parts) if parts else "top level"


def _get_value_inside(value: object, part: int | str) -> object:
    if isinstance(part, int) and isinstance(value, list) and part < len(value):
        return cast("object", value[part])
    return value.get(part) if isinstance(value, Mapping) else None


def _find_allowed_keys(location: Place) -> list[str]:
    """Return the keys that the table at a place may have."""
    model: type[BaseModel] = Protocol
    for part in location:
        field = model.model_fields.get(str(part)) if isinstance(part, str) else None
        if field is not None:
            model = _find_model(field.annotation) or model
    return list(model.model_fields)


def _find_model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner_models = (_find_model(argument) for argument in get_args(annotation))
    return next((model for model in inner_models if model is not None), None)
