"""The examples of docstrings and of the package's README run, and show what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import analysis

PACKAGE = Path(analysis.__file__).parent
MODULES = sorted(module.name for module in pkgutil.walk_packages(analysis.__path__, "analysis."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_show_what_the_code_gives(name: str) -> None:
    flags = doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0


def test_there_are_examples_in_docstrings() -> None:
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 5


@pytest.mark.parametrize("readme", ["README.md", "inference/README.md", "simulation/README.md"])
def test_code_in_the_readmes_runs(readme: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (PACKAGE / readme).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, readme, "exec"), {})  # noqa: S102  # our own text
    assert capsys.readouterr().out


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    for name in analysis.__all__:
        thing = getattr(analysis, name)
        assert isinstance(thing, tuple) or thing.__doc__
