"""The templates that translators start from are what the code says."""

from __future__ import annotations

import ast
from string import Formatter

import pytest

from tests.support.messages import DOUBLE, SOURCES, Source, calls, collected, literals, template

every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.folder.name)


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@every_source
def test_the_template_holds_every_message_of_the_code(source: Source) -> None:
    assert source.template.read_text(encoding="utf-8") == template(source), "Run python -m tests.support.messages."


def test_the_collector_finds_messages_of_every_kind() -> None:
    found = collected()
    assert ("Better",) in found  # marked, and looked up elsewhere
    assert ("{n} school", "{n} schools") in found  # a plural
    assert ("({low} to {high})",) in found  # with slots
    assert len(found) > 200


@every_source
def test_no_message_is_put_together_in_the_code(source: Source) -> None:
    for path in source.files():
        for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            for arg in call.args[: 2 if name in DOUBLE else 1]:
                assert not isinstance(arg, ast.JoinedStr | ast.BinOp), f"{path.name}, line {call.lineno}"


@every_source
def test_slots_have_names_and_both_forms_of_a_plural_the_same_ones(source: Source) -> None:
    for forms in collected(source):
        assert all(name.isidentifier() for form in forms for name in slots(form)), forms
        assert len({frozenset(slots(form)) for form in forms}) == 1, forms


@every_source
def test_messages_have_no_space_at_their_ends(source: Source) -> None:
    assert [forms for forms in collected(source) for form in forms if form != form.strip()] == []


@every_source
def test_every_slot_of_a_message_is_filled_where_it_is_looked_up(source: Source) -> None:
    for path in source.files():
        for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            found = literals(name, call)
            given = {keyword.arg for keyword in call.keywords}
            if found is None or name == "message" or None in given:
                continue
            wanted = set().union(*(slots(form) for form in found)) - ({"n"} if name in DOUBLE else set())
            assert wanted <= given, f"{path.name}, line {call.lineno}: {found}"
