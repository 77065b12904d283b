"""Every key of the protocol does something: a key that is read by the reader alone would be accepted and ignored."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path

import pytest

from data_schema.fields import Field
from data_schema.tables import Table
from evaluation import protocol
from evaluation.protocol import Section
from tests.support.protocols import ROOT

DECLARED = {"protocol.py", "protocol_reader.py", "protocol_checks.py", "protocol_designs.py"}
"""Where keys are declared and checked; what is read there alone has no effect."""


def attributes(folders: Collection[str], *, without: Collection[str]) -> set[str]:
    """Return the names of all attributes that the modules of some folders read."""
    found: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            if path.name not in without:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found


def test_every_key_of_the_protocol_is_read_by_something_that_does_it() -> None:
    read = attributes(["evaluation"], without=DECLARED)
    sections = [one for one in vars(protocol).values() if isinstance(one, type) and issubclass(one, Section)]
    assert len(sections) > 20
    unread = [f"{one.__name__}.{key}" for one in sections for key in one.model_fields if key not in read]
    assert unread == []


@pytest.mark.parametrize("declared", [Field, Table])
def test_every_property_of_a_field_and_a_table_is_read_outside_of_its_declaration(declared: type) -> None:
    own = Path(declared.__module__.replace(".", "/")).name + ".py"
    read = attributes(["data_schema", "evaluation", "reports"], without={own, "specifications.py", "protocol.py"})
    names = {item.name for item in fields(declared) if not item.name.startswith("_")}
    assert sorted(names - read) == []
