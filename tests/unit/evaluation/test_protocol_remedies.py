"""Every problem of a protocol is produced, its remedy is done to the letter, and the protocol is then accepted."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_schema.errors import ProtocolError
from evaluation.protocol import Protocol
from evaluation.protocol_reader import parse_protocol, read_protocol
from tests.support.problem_texts import ProblemText, problem_texts
from tests.support.protocol_mends import mends_of
from tests.support.protocol_scenarios import LIBRARY_ONLY, SCENARIOS
from tests.support.protocols import MINIMAL, Values, values_of

MAKERS = ("Problem", "ProtocolError", "DesignError", "EstimationError", "unknown")
CHECKS = tuple(f"evaluation/protocol_{name}.py" for name in ("checks", "designs", "outcomes", "reader"))
SPECIFICATIONS = (
    "data_schema/tables.py",
    "analysis/estimators/__init__.py",
    "analysis/estimators/estimator.py",
    *(f"randomisation/{name}.py" for name in ("constraint", "matching", "minimising", "cuts", "canonical", "design")),
    *(f"randomisation/{name}.py" for name in ("arms", "designs/kind", "designs/matched", "designs/minimisation")),
    "randomisation/designs/simple.py",
)
"""Specifications that the protocol makes, and whose contradictions are therefore problems of the protocol."""

READ_FROM_FILES = ("load_toml", "_build_depth_error", "build_protocol_error", "_build_problem", "unknown", "from_dict")
"""Functions whose texts the other tests here are about: of files, of kinds of values, and of names."""


@cache
def produced(name: str) -> tuple[Values, str, str, str]:
    """Return the wrong values of a scenario and the one problem that they have."""
    scenario = SCENARIOS[name]
    values = values_of(scenario.path)
    scenario.setting(values)
    parse_protocol(values)
    scenario.wrong(values)
    with pytest.raises(ProtocolError) as caught:
        parse_protocol(values)
    error = caught.value
    place = error.place.removeprefix("trial.toml, ")
    assert place != "trial.toml", f"one problem at a time: {error}"
    return values, place, error.problem, error.remedy


def wrong_in(values: Values) -> str:
    """Return what is wrong in a protocol; nothing where it is accepted."""
    try:
        parse_protocol(values)
    except ProtocolError as error:
        return str(error)
    return ""


def texts() -> list[ProblemText]:
    """Return every text that reading a protocol can state, place ignored where the protocol's reader translates it."""
    found = [text for file in CHECKS for text in problem_texts(file, MAKERS)]
    inner = [text for file in SPECIFICATIONS for text in problem_texts(file, MAKERS)]
    inner += problem_texts("data_schema/fields.py", (*MAKERS, "yield"))
    found += [ProblemText(text.where, ".+", text.problem, text.remedy) for text in inner]
    return [text for text in found if text.where.rpartition(", ")[2] not in READ_FROM_FILES]


@pytest.mark.parametrize("name", SCENARIOS)
def test_doing_what_a_remedy_says_makes_the_protocol_right(name: str) -> None:
    values, place, problem, remedy = produced(name)
    by_words = list(mends_of(values, place, problem, remedy))
    n_right = 0
    for what, mended, is_meant in by_words:
        wrong = wrong_in(mended)
        n_right += not wrong
        assert not (is_meant and wrong), f"{remedy} -> {what}: {wrong}"
        assert f"{place}: {problem}" not in wrong, f"{remedy} -> {what}: {wrong}"
    for mend in SCENARIOS[name].mends:
        mended = copy.deepcopy(values)
        mend(mended)
        parse_protocol(mended)
        n_right += 1
    assert n_right, f"nothing that the remedy says was right: {remedy}"
    n_alternatives = 1 + (", or " in remedy)
    assert len(by_words) + len(SCENARIOS[name].mends) >= n_alternatives, f"each alternative is tried: {remedy}"


def test_every_problem_that_a_protocol_can_have_is_produced() -> None:
    happened = [produced(name)[1:] for name in SCENARIOS]
    missing = [text for text in texts() if not any(text.matches(*problem) for problem in happened)]
    stated = {str(text) for text in missing}
    assert not stated - set(LIBRARY_ONLY), "\n".join(sorted(stated - set(LIBRARY_ONLY)))
    assert not set(LIBRARY_ONLY) - stated, "these are produced, or are stated no more"


def test_every_kind_of_value_that_the_schema_refuses_is_produced() -> None:
    happened = set()
    for name in SCENARIOS:
        try:
            Protocol.model_validate_json(_json(produced(name)[0]))
        except ValidationError as error:
            happened |= {entry["type"] for entry in error.errors()}
    assert happened == _kinds(Protocol.model_json_schema())


KINDS = {
    "pattern": "string_pattern_mismatch",
    "minimum": "greater_than_equal",
    "exclusiveMinimum": "greater_than",
    "maximum": "less_than_equal",
    "exclusiveMaximum": "less_than",
    "minLength": "string_too_short",
    "minItems": "too_short",
    "minProperties": "too_short",
    "maxProperties": "too_long",
    "maxItems": "too_long",
    "maxLength": "string_too_long",
    "enum": "literal_error",
    "const": "literal_error",
    "required": "missing",
}
TYPES = {"string": "string_type", "integer": "int_type", "number": "float_type", "boolean": "bool_type"}


def _kinds(schema: object) -> set[str]:
    """Return the kinds of errors that a JSON schema can end in."""
    if isinstance(schema, list):
        return {kind for item in schema for kind in _kinds(item)}
    if not isinstance(schema, dict):
        return set()
    found = {kind for key, kind in KINDS.items() if key in schema}
    match schema.get("type"):
        case "object":
            found |= {"model_type", "extra_forbidden"} if "properties" in schema else {"dict_type"}
        case "array":
            found.add("tuple_type")
        case str() as name if "enum" not in schema and "const" not in schema and name != "null":
            found.add(TYPES[name])
    names = ("properties", "$defs")
    inner = [value for key, value in schema.items() if key not in (*names, "default")]
    inner += [value for key in names for value in schema.get(key, {}).values()]
    return found | _kinds(inner)


def _json(values: Values) -> str:
    import json

    return json.dumps(values, default=str)


def test_a_file_that_cannot_be_read_is_read_after_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    right = MINIMAL.read_bytes()

    def refused() -> ProtocolError:
        with pytest.raises(ProtocolError) as caught:
            read_protocol(path)
        return caught.value

    assert "`crocoos init FOLDER`" in refused().remedy
    path.mkdir()
    assert refused().remedy == "See that it is a file that you may read."
    path.rmdir()
    path.write_bytes(right.decode().replace("Slovenia", "Szlovénia").encode("cp1250"))
    assert refused().remedy == "Save the file as UTF-8."
    path.write_bytes(right.replace(b'"SI"', b"SI").replace(b"[trial]", b"[trial"))
    assert "line 5" in refused().problem
    path.write_bytes(right + b"\ndeep = " + b"[" * 5000 + b"]" * 5000)
    assert "stand within one another" in refused().problem
    assert "`crocoos init FOLDER`" in refused().remedy
    path.write_bytes(right)
    assert read_protocol(path).arm_names == ("control", "pilot")


def test_several_problems_are_corrected_one_by_one() -> None:
    values = values_of()
    values["outcomes"][0]["knd"] = values["design"]["kind"] = "stratifed"
    with pytest.raises(ProtocolError, match="2 problems:") as caught:
        parse_protocol(values)
    assert caught.value.remedy == "Correct them and run the command again."
    del values["outcomes"][0]["knd"]
    values["design"]["kind"] = "stratified"
    parse_protocol(values)
