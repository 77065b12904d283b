"""The documentation is held to the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from evaluation.protocol import Protocol
from tests.support.protocols import ROOT

PACKAGES = ("data_schema", "randomisation", "analysis", "reports", "notebooks", "evaluation")
READMES = [ROOT / "README.md", *(ROOT / package / "README.md" for package in PACKAGES)]


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for found in _inside(field.annotation):
            yield from _models(found)


def _inside(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)


def test_every_key_of_the_protocol_is_in_the_readme() -> None:
    text = (ROOT / "evaluation" / "README.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z_]+", text))
    keys = {key for model in _models(Protocol) for key in model.model_fields}
    assert keys - words == set()


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_link_to_a_file_leads_somewhere(readme: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme.read_text(encoding="utf-8")):
        assert (readme.parent / target).exists(), target


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package: str) -> None:
    bare = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            overloads = [name for name in node.decorator_list if isinstance(name, ast.Name) and name.id == "overload"]
            if not overloads and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert bare == []


def test_no_file_is_longer_than_six_hundred_lines_and_no_tree_holds_a_todo() -> None:
    for path in [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        # The verifier that anybody can take along is one file.
        assert text.count("\n") <= (700 if path.name == "verify_allocation.py" else 600), path
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", text), path
