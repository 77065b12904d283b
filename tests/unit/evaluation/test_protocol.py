"""trial.toml: what is right is read, what is wrong is named with place, problem and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data_schema.errors import ProtocolError
from evaluation.protocol_reader import parse_protocol, read_protocol
from evaluation.specifications import build_design, build_inbox_rules, build_tables
from tests.support.protocols import AWARDS, CROCOOS, MINIMAL, Values, changed


@pytest.mark.parametrize("path", [CROCOOS, MINIMAL, AWARDS / "trial.toml"], ids=["crocoos", "minimal", "awards"])
def test_every_shipped_protocol_is_right(path: Path) -> None:
    protocol = read_protocol(path)
    assert protocol.analyses
    assert build_design(protocol).arms[0].name == protocol.arm_names[0]
    assert len(build_inbox_rules(protocol)) == len(protocol.inbox)


def test_a_trial_adds_replaces_and_leaves_out_fields_and_declares_tables() -> None:
    tables = build_tables(read_protocol(AWARDS / "trial.toml"))
    assert tables["school"].field("type").type == "text"
    assert "name" not in tables["pupil"].names
    assert tables["exam"].field("matriculated").headers == ("Bagrut_status",)
    assert tables["exam"].by_wave


def _first(table: str, /, **changes: object) -> Callable[[Values], object]:
    return lambda values: values[table][0].update(changes)


WRONG: dict[str, tuple[Callable[[Values], object], list[str]]] = {
    "misspelt value": (
        lambda values: values["design"].update(kind="stratifed"),
        ["[design], key 'kind'", "'stratifed' is not allowed here", "Did you mean 'stratified'?"],
    ),
    "reversed item without a range": (
        lambda values: (
            values.update(tables={"survey": {"fields": [{"name": "engagement_1", "type": "number"}]}}),
            values["outcomes"][1].update(reverse=["engagement_1"]),
        ),
        ["[[outcomes]] 'engagement', key 'reverse'", "cannot be turned round", "a minimum and a maximum"],
    ),
    "unknown wave of a field": (
        lambda values: values.update(
            tables={"pupil": {"fields": [{"name": "hobby", "type": "text", "waves": ["folowup"]}]}}
        ),
        ["[tables.pupil], [[fields]] 'hobby', key 'waves'", "Did you mean 'followup'?"],
    ),
    "measure that its wave does not ask for": (
        lambda values: values.update(
            tables={"pupil": {"fields": [{"name": "prior_average", "type": "number", "waves": ["followup"]}]}}
        ),
        ["[[covariates]] 'prior_average'", "not asked in the wave 'baseline'", "asked in: followup"],
    ),
    "unknown table": (lambda values: values.update(outcome=[]), ["key 'outcome'", "Did you mean 'outcomes'?"]),
    "unknown key": (_first("outcomes", knd="x"), ["[[outcomes]] 'dropout', key 'knd'", "Did you mean 'kind'?"]),
    "missing key": (
        lambda values: values["outcomes"][0].pop("kind"),
        ["[[outcomes]] 'dropout', key 'kind'", "is missing"],
    ),
    "text for a number": (
        lambda values: values["reports"].update(disclosure_threshold="ten"),
        ["[reports], key 'disclosure_threshold'", "'ten'", "whole number"],
    ),
    "number too small": (
        lambda values: values["reports"].update(disclosure_threshold=1),
        ["key 'disclosure_threshold'", "3 or more"],
    ),
    "text for a list": (_first("analyses", covariates="gender"), ["key 'covariates'", "list in square brackets"]),
    "country in small letters": (
        lambda values: values["countries"].update(hu="Hungary"),
        ["[countries], key 'hu'", "two capital letters"],
    ),
    "name with a space": (_first("waves", name="Base line"), ["key 'name'", "small letters, digits and underscores"]),
    "one arm": (lambda values: values["design"]["arms"].pop(), ["key 'arms'", "2 entries or more"]),
    "unknown wave": (_first("outcomes", wave="folowup"), ["'folowup' is no wave", "Did you mean 'followup'?"]),
    "unknown outcome": (_first("analyses", outcome="drpout"), ["'drpout' is no outcome", "Did you mean 'dropout'?"]),
    "unknown covariate": (_first("analyses", covariates=["sex"]), ["'sex' is no covariate", "Known:"]),
    "unknown answer": (_first("outcomes", event=["left"]), ["'left' is no answer of the field status", "left_early"]),
    "unknown field": (_first("outcomes", field="stat"), ["'stat' is no field", "Did you mean 'status'?"]),
    "unknown table of a rule": (_first("inbox", table="pupils"), ["'pupils' is no table", "Did you mean 'pupil'?"]),
    "a name used twice": (
        lambda values: values["outcomes"].append(values["outcomes"][0]),
        ["'dropout'", "the name is used twice"],
    ),
    "a reserved name": (_first("outcomes", name="arm"), ["'arm'", "the name is reserved"]),
    "no primary analysis": (_first("analyses", role="secondary"), ["no analysis is primary"]),
    "logit of a mean": (
        lambda values: values["analyses"][4].update(model="logistic_mixed"),
        ["'engagement_main', key 'model'", "needs an outcome of the kind binary"],
    ),
    "binary without words": (
        lambda values: values["outcomes"][0].pop("event_words"),
        ["'dropout', key 'event_words'", "past tense"],
    ),
    "binary of a number that may be anything": (
        lambda values: values["outcomes"][0].update(
            table="pupil", wave="baseline", field="prior_average", event=[], missing=[], missing_where={}
        ),
        ["'dropout', key 'field'", "need not be 0 or 1", "a minimum of 0 and a maximum of 1"],
    ),
    "binary of a scale": (
        _first("outcomes", field="", items=["status"]),
        ["'dropout', key 'items'", "a scale is not binary"],
    ),
    "mean of codes": (_first("outcomes", kind="continuous", event=[], missing=[], missing_where={}), ["not a number"]),
    "recorded draw without a file": (
        lambda values: values["design"].update(kind="recorded"),
        ["key 'allocation'", "needs the file"],
    ),
    "own table without a key": (
        lambda values: values.update(tables={"exam": {"label": "Exam", "about": "pupil", "by_wave": True}}),
        ["[tables.exam], key 'key'", "needs this key"],
    ),
    "standard table with a key": (
        lambda values: values.update(tables={"pupil": {"key": ["school_id"]}}),
        ["[tables.pupil], key 'key'", "standard table settles this"],
    ),
    "a key field left out": (
        lambda values: values.update(tables={"pupil": {"without": ["pupil_id"]}}),
        ["'pupil_id' identifies the rows"],
    ),
    "a language without texts": (
        lambda values: values["reports"].update(languages=["en", "hu"]),
        ["[reports], key 'languages'", "magyar ('hu')", "Name only languages that have these texts: en."],
    ),
    "a language named twice": (
        lambda values: values["reports"].update(languages=["en", "en"]),
        ["[reports], key 'languages'", "'en' is named twice"],
    ),
    "codes without the type": (
        lambda values: values.update(tables={"pupil": {"fields": [{"name": "sex", "type": "code"}]}}),
        ["codes belong to fields of type 'code'"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_protocol_is_refused_with_place_problem_and_remedy(case: str) -> None:
    change, texts = WRONG[case]
    with pytest.raises(ProtocolError) as caught:
        changed(change)
    for text in texts:
        assert text in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    def change(values: Values) -> None:
        values["design"]["kind"] = "stratifed"
        values["outcomes"][0]["knd"] = 1
        values["trial"].pop("title")

    with pytest.raises(ProtocolError, match="3 problems") as caught:
        changed(change)
    for text in ("'kind'", "'knd'", "'title'"):
        assert text in str(caught.value)


def test_a_file_that_is_missing_not_toml_or_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    with pytest.raises(ProtocolError, match="no protocol here"):
        read_protocol(path)
    path.write_bytes(b"[trial]\ntitle = \n")
    with pytest.raises(ProtocolError, match="line 2"):
        read_protocol(path)
    path.write_bytes("title = 'Iskola é'".encode("cp1250"))
    with pytest.raises(ProtocolError, match="byte 17: this is not UTF-8"):
        read_protocol(path)


def test_an_empty_protocol_names_every_table_that_is_missing() -> None:
    with pytest.raises(ProtocolError, match="problems") as caught:
        parse_protocol({})
    for table in ("trial", "countries", "waves", "design", "inbox", "outcomes", "analyses"):
        assert f"key '{table}': this key is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("at", "key", "value"),
    [
        (3, "least_answered", 0.8),
        (3, "summary", "max"),
        (3, "event_people", "leavers"),
        (3, "event_words", "left"),
        (1, "summary", "sum"),
    ],
)
def test_a_key_of_a_measure_that_nothing_would_read_is_refused(at: int, key: str, value: object) -> None:
    def change(values: Values) -> None:
        values["outcomes"][at][key] = value

    with pytest.raises(ProtocolError, match=f"key '{key}'.*Leave the key out"):
        changed(change)
