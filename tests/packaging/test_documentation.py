"""The documentation is held to the code."""

from __future__ import annotations

import ast
import inspect
import re
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from analysis.estimators import ESTIMATORS
from evaluation import Trial
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


def test_the_readme_has_every_model_with_its_kinds_and_options() -> None:
    text = (ROOT / "evaluation" / "README.md").read_text(encoding="utf-8")
    for name, estimator in ESTIMATORS.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        _, _, kinds, _, options, _ = re.split(r"(?<!\\)\|", row)
        assert {kind.strip() for kind in kinds.split(",")} == set(estimator.kinds)
        assert set(re.findall(r"(\w+) \(", options)) == {option.name for option in fields(estimator)}


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_link_to_a_file_leads_somewhere(readme: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme.read_text(encoding="utf-8")):
        assert (readme.parent / target).exists(), target


def _blocks(folder: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("folder", ["data_schema", "notebooks", "reports", "reports/writers"])
def test_the_code_in_a_readme_runs_from_its_first_block_to_its_last(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    blocks = _blocks(folder)
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, f"{folder}/README.md", "exec"), names)  # noqa: S102 -- our own text
    assert blocks


def test_the_readme_of_the_package_says_which_stages_a_new_trial_has_still_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trial").mkdir()
    example = ROOT / "evaluation" / "templates" / "crocoos" / "trial.toml"
    (tmp_path / "trial" / "trial.toml").write_bytes(example.read_bytes())
    monkeypatch.chdir(tmp_path)
    for block in _blocks("evaluation"):
        exec(compile(block, "evaluation/README.md", "exec"), {})  # noqa: S102 -- our own text
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["plan", "assign", "collect", "balance", "impact", "report", "publish"]


def test_the_readme_calls_every_stage_as_the_trial_takes_it() -> None:
    (block,) = _blocks(".")
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    stages = [
        node for node in calls if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "trial"
    ]
    for call in stages:
        assert isinstance(call.func, ast.Attribute)
        keywords = {str(one.arg): ast.unparse(one.value) for one in call.keywords}
        inspect.signature(getattr(Trial, call.func.attr)).bind(None, *call.args, **keywords)
    assert len(stages) == 8


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
        assert text.count("\n") <= (850 if path.name == "verify_allocation.py" else 600), path
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", text), path
